"""What a clip must be fit for; its condition images and face boxes, if it came with them, else drawn and found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dancekit import registry
from dancekit.contracts import Clip, FaceRefiner, Renderer
from dancekit.data.camera import LARGE, CameraMotion
from dancekit.errors import IncompatibleParts, VideoError

if TYPE_CHECKING:
    from dancekit.config import Recipe
    from dancekit.data.training_set import TrainingSet


def condition_of(clip: Clip, renderer: Renderer) -> Tensor:
    """(T, C, H, W)."""
    if clip.condition is not None:
        return clip.condition
    return renderer(clip.xy.numpy(), clip.score.numpy())


def face_boxes_of(clip: Clip, face: FaceRefiner) -> NDArray[np.float32]:
    """(T, 4), NaN where no face is seen."""
    if clip.boxes is not None:
        return clip.boxes
    if clip.condition is not None:  # labels without face boxes: their poses are not known
        return np.full((len(clip.condition), 4), np.nan, np.float32)
    return face.boxes(clip.xy.numpy(), clip.score.numpy(), clip.skeleton)


def check_camera(video: Path, camera: CameraMotion, background: str) -> None:
    """Whether a clip's camera stands still enough for a recipe's background.

    Raises:
        VideoError: It moves, and the recipe paints upon the clean plate.
    """
    if background != "plate" or camera.kind != "moves":
        return
    if camera.shift == float("inf"):
        raise VideoError(
            f"{video} shows another place after a cut: background plate needs one camera that stands still",
            hint="train on one of the scenes, or use background=painted",
        )
    raise VideoError(
        f"{video}: the camera moves by {camera.shift:.1%} of the picture (at most {LARGE:.0%} for background plate)",
        hint="put the camera on something and film again, or use background=painted",
    )


def check_given(recipe: Recipe, data: TrainingSet) -> None:
    """Whether a recipe can train on labels that were drawn elsewhere.

    Raises:
        IncompatibleParts: It would move the poses under them, or its renderer draws something else.
    """
    if data.labels is None:
        return
    if getattr(registry.load("face", recipe.face.name), "needs_joints", False):
        raise IncompatibleParts(
            f"face {recipe.face.name} draws joints, and the imported labels come with boxes alone",
            hint="face=residual, or face=edn",
        )
    if recipe.augmentations:
        raise IncompatibleParts(
            "augmentations move poses, but the imported labels are pictures", hint="augmentations=[]"
        )
    if recipe.reference.name != "none":
        raise IncompatibleParts(
            "references are found by pose, but the imported labels are pictures", hint="reference=none"
        )
    if recipe.person_height:
        raise IncompatibleParts(
            "a window that follows the person moves over pictures, and the imported labels are of one place",
            hint="person_height=0",
        )
    if recipe.renderer.name != "edn_sticks":
        raise IncompatibleParts(
            f"the imported labels are not drawn by renderer {recipe.renderer.name}",
            hint="renderer=edn_sticks",
        )
    if any(stage.size not in (None, recipe.size) for stage in recipe.train.stages):
        raise IncompatibleParts(
            "the imported labels are pictures, which stages of another size would have to draw again",
            hint="leave size away from train.stages",
        )
