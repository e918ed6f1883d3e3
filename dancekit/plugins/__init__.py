"""Plugins: a new one written from a template, and those that are installed looked through.

How components are found is in `dancekit.registry`; what they promise is in `dancekit.testing`.
"""
