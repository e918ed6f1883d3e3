"""Recipes that are trained one after the other: global, then local, then face, each from what the last has learnt."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from dancekit.config import Recipe
from dancekit.training.run import Run

if TYPE_CHECKING:
    from dancekit.training.loop import TrainResult

FOLDER = "before"
"""Where in a run folder the runs of the earlier recipes are: `before/1`, `before/2`, ..."""


def train_chain(train_one: Callable[..., TrainResult], recipe: Recipe, run: Run) -> TrainResult:
    """Train every recipe of a chain, or go on with it: what is finished already only has its dancer written again.

    Args:
        train_one: `dancekit.train` with target, device and so on; called with the recipe and `out`, `resume`,
            `start_from`.
        recipe: With recipes before it.
        run: The run folder, opened; the earlier runs lie in it.

    Returns:
        The result of the last one, or of the one that was stopped, in the folder of `run`; steps of all together.
    """
    steps, last = 0, ""
    for number, earlier in enumerate(recipe.before, 1):
        folder = run.folder / FOLDER / str(number)
        begun = Run(folder).provenance_file.exists()
        result = train_one(
            earlier, out=folder, resume=begun, force=not begun, start_from=last or earlier.train.start_from
        )
        steps, last = steps + result.steps, str(folder)
        if not result.finished:
            return dataclasses.replace(result, run=run.folder, steps=steps)
    result = train_one(recipe, out=run.folder, resume=True, start_from=last)
    return dataclasses.replace(result, steps=steps + result.steps)
