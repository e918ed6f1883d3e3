"""Generators: condition in, image out."""
