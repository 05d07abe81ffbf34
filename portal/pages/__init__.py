"""Templates of the pages, one folder for each room, and how they are rendered."""
