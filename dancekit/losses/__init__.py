"""Losses, and the objective that sums them."""
