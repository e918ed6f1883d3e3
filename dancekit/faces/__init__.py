"""Face refiners."""
