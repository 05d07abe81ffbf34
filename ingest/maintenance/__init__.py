"""What is done to submissions later: erasing, restoring, reprocessing, rotating keys."""
