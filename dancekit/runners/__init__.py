"""Runners: other programs than plain torch that compute a network's forward pass, with the same numbers."""
