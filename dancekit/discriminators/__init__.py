"""Discriminators: what is true, what is painted."""
