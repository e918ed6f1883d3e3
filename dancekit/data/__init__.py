"""Data: poses, masks and frames of a clip, found once and kept."""
