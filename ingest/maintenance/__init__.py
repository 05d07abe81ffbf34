"""Work on stored submissions: erasing, restoring rows, reimporting originals, reprocessing, rotating keys."""
