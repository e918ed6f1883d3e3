"""Many trainings and transfers from one manifest, on this machine or a Ray cluster. Imports no torch."""
