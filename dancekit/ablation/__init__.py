"""Ablations: several dancers trained from one matrix on one clip, evaluated alike, as tables, figures and curves."""
