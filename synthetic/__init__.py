"""The synthetic city, or country: units whose files look like what units send, drawn by seed and never real."""
