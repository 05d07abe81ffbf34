"""The questions that have a page: each builds what its page says from the release and what was chosen."""
