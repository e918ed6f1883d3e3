"""Temporal strategies: history for the generator, pairs for the discriminator."""
