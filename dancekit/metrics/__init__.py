"""Measures of a painted video against the true one, and the baselines it has to beat."""
