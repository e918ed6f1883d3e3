"""Renderers: draw keypoints as the condition image of a generator."""
