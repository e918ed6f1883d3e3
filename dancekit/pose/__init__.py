"""Pose backends: who is where in a frame."""
