"""Evaluation: painted frames against the right answer, beside baselines that cost nothing."""

from dancekit.evaluate.paired import Scores, Truth, score_frames

__all__ = ["Scores", "Truth", "score_frames"]
