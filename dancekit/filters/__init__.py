"""Filters: clean a pose sequence, same frames, same skeleton."""
