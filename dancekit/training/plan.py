"""What the clips of a stage are like: their size, how many frames, how far apart, how many before them."""

from __future__ import annotations

from dataclasses import dataclass

from dancekit.config import Recipe, Stage


@dataclass(frozen=True)
class ClipPlan:
    """The clips of a stage.

    Attributes:
        size: (W, H) that frames are scaled to.
        frames: T that are learnt from.
        run_up: Frames painted before them in every second step.
        strides: Frames of the video from one to the next; one of these for each clip.
    """

    size: tuple[int, int]
    frames: int
    run_up: int = 0
    strides: tuple[int, ...] = (1,)

    @property
    def longest(self) -> int:
        """Frames of the video that the longest clip spans."""
        return (self.run_up + self.frames - 1) * self.strides[-1] + 1

    def before(self, step: int) -> int:
        """Frames painted before the clips of a step: turn and turn about, so that beginnings are learnt too."""
        return self.run_up if step % 2 else 0


def plan_of(recipe: Recipe, stage: Stage, clip_length: int) -> ClipPlan:
    """The clips of a stage.

    Args:
        recipe: Complete.
        stage: One of its stages.
        clip_length: T of the temporal strategy.
    """
    return ClipPlan(
        size=stage.size or recipe.size,
        frames=stage.frames or clip_length,
        run_up=stage.run_up,
        strides=tuple(recipe.train.strides),
    )
