"""The synthetic city: fourteen districts whose files look like what districts send, drawn by seed and never real."""
