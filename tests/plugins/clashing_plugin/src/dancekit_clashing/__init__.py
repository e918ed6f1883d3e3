"""A plugin that claims names of others."""
