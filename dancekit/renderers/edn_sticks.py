"""The stick figure of Everybody Dance Now, equal to its published labels pixel for pixel."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dancekit.contracts import RendererSpec
from dancekit.renderers.edn_figure import (
    WHITE,
    Picture,
    blank_canvas,
    draw_body,
    draw_face,
    draw_hand,
    figure_box,
    shrink,
)
from dancekit.renderers.edn_tables import BODY_COLOURS
from dancekit.types import Skeleton, get_skeleton, skeleton_names
from dancekit.types.canvas import CANVAS, LABEL, to_canvas
from dancekit.types.conversion import convert_keypoints

Layout = Literal["auto", "body_18", "body_23", "body_25"]

PARTS = "face_hands"
"""What the drawn skeletons are called: `body_23_face_hands`."""


class EDNSticks:
    """Draws OpenPose's stick figure on white, values in [0, 1], as Chan et al. (2019) did.

    The figure is drawn without antialiasing on a 1920x1080 canvas that the window shows all of, and shrunk to
    the window with a Lanczos filter. A window of another shape than 16:9 squashes limbs and dots, never the
    place of a joint. Joints are discs of 8 px, limbs ellipses laid over one another at 60 %, hands finer, the
    face a few black dots. All coordinates are truncated to pixels: a joint that moves by less is not seen to.

    The colours of the body layouts differ: a generator trained on `body_23` (the published data set) fails on
    `body_25`. Poses of any other skeleton are mapped to the layout by name.

    Args:
        layout: The body drawn. `auto` takes that of the skeleton, and `body_23` where it is none of these.
        face: How many face points are drawn, where the skeleton has them. 8 is the original's default; 70 is
            its dense variant, with dots half as large.
        hands: Draw hands, where the skeleton has them.
        resample: `lanczos`, or `nearest` as in the original's first stage at 512x256: Lanczos to the 1024x512
            of its label files, then every so manieth pixel of those.
        skeleton: What the joints are (wired).
        size: (W, H) of the window in pixels (wired).

    Source: the measured behaviour in `../shared/reference/edn.md` 1.3, checked against reference pictures.
    """

    version: int = 1

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        size: tuple[int, int],
        layout: Layout = "auto",
        face: Literal[0, 8, 9, 22, 70] = 8,
        hands: bool = True,
        resample: Literal["lanczos", "nearest"] = "lanczos",
    ) -> None:
        self.spec = RendererSpec(channels=3, value_range=(0.0, 1.0), skeletons=skeleton_names())
        self.skeleton = skeleton
        self.size = (int(size[0]), int(size[1]))
        self.layout = body_layout(skeleton) if layout == "auto" else layout
        self.drawn = get_skeleton(f"{self.layout}_{PARTS}")
        self.face = face
        self.hands = hands
        self.resample = resample
        self._canvas = blank_canvas(CANVAS)

    def __call__(self, xy: NDArray[np.float32], score: NDArray[np.float32]) -> Tensor:
        """Draw.

        Args:
            xy: (T, K, 2) window pixels, NaN where missing.
            score: (T, K).

        Returns:
            (T, 3, H, W) float32 on the CPU in [0, 1].
        """
        if xy.shape != (*score.shape, 2) or score.ndim != 2 or score.shape[1] != len(self.skeleton):
            raise ValueError(
                f"xy {xy.shape} and score {score.shape} are not (T, K, 2) and (T, K) of {self.skeleton.id}"
            )
        if self.skeleton != self.drawn:
            xy, score = convert_keypoints(xy, score, self.skeleton, self.drawn)
        points = to_canvas(xy, self.size)
        pictures = torch.empty((len(xy), 3, self.size[1], self.size[0]))
        for frame in range(len(xy)):
            picture = torch.from_numpy(self.draw(points[frame], score[frame]))
            pictures[frame] = picture.permute(2, 0, 1)
        return pictures.div_(255)

    def draw(self, xy: NDArray[np.floating[Any]], score: NDArray[np.floating[Any]]) -> Picture:
        """One frame, from pixels of the canvas (double precision is kept).

        Args:
            xy: (K, 2) canvas pixels of the joints of `drawn`.
            score: (K,).

        Returns:
            (H, W, 3) uint8 RGB.
        """
        box = figure_box(xy, score, CANVAS)
        canvas = self._canvas
        try:
            draw_figure(canvas, xy, score, self.drawn, self.layout, face=self.face, hands=self.hands)
            if self.resample == "lanczos":
                return shrink(canvas, self.size, box)
            label = Image.fromarray(shrink(canvas, LABEL, box))
            return np.array(label.resize(self.size, Image.Resampling.NEAREST))
        finally:  # a new canvas for every frame would cost ten times as much as the drawing
            canvas[box[1] : box[3], box[0] : box[2]] = WHITE


def draw_figure(
    canvas: Picture,
    xy: NDArray[np.floating[Any]],
    score: NDArray[np.floating[Any]],
    skeleton: Skeleton,
    layout: str,
    *,
    face: int = 8,
    hands: bool = True,
) -> None:
    """Body, then face, then right hand, then left hand; in place.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        xy: (K, 2) canvas pixels.
        score: (K,).
        skeleton: A body layout with face and hands.
        layout: Its body.
        face: How many face points.
        hands: Whether hands are drawn.
    """
    body = len(get_skeleton(layout))
    draw_body(canvas, xy[:body], score[:body], layout)
    parts = {name: list(skeleton.parts[name]) for name in ("face", "right_hand", "left_hand")}
    draw_face(canvas, xy[parts["face"]], score[parts["face"]], face)
    if hands:
        for name in ("right_hand", "left_hand"):
            draw_hand(canvas, xy[parts[name]], score[parts[name]])


def body_layout(skeleton: Skeleton) -> str:
    """The body layout of a skeleton's figure: its own, or `body_23`, that of the published data set."""
    plain = skeleton.name.removesuffix(f"_{PARTS}")
    return plain if plain in BODY_COLOURS else "body_23"
