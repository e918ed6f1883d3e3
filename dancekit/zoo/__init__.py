"""Weights of others: official checkpoints to dancer files and back."""
