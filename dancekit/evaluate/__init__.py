"""Evaluation: painted frames against the right answer, by a protocol, beside baselines that cost nothing.

Importing this imports neither torch nor OpenCV: protocols and results are plain data.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dancekit.evaluate.result import Evaluation, Score, Variant

if TYPE_CHECKING:
    from dancekit.evaluate.paired import Scores as Scores
    from dancekit.evaluate.paired import Truth as Truth
    from dancekit.evaluate.paired import score_frames as score_frames

_LAZY = ("Scores", "Truth", "score_frames")
__all__ = ["Evaluation", "Score", "Scores", "Truth", "Variant", "score_frames"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module("dancekit.evaluate.paired"), name)
    raise AttributeError(f"module 'dancekit.evaluate' has no attribute {name!r}")
