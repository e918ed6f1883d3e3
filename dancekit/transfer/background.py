"""What is behind the person: `--background target|source|FILE.png|#rrggbb|transparent`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.contracts import MattedBackground
from dancekit.data.framing import clean_plate, crop
from dancekit.data.masks import MaskTrack
from dancekit.data.poses import WHOLE, Span
from dancekit.data.training_set import mask_from_pose
from dancekit.errors import UsageError
from dancekit.transfer.composite import Composer, MattedPerson, PastedWindow, WindowView
from dancekit.types import PoseSequence
from dancekit.video import read_frames

if TYPE_CHECKING:
    from dancekit.transfer.pipeline import Dancer

Image = NDArray[np.uint8]

NAMES = ("target", "source", "transparent")
SOURCE_FRAMES = 24
"""Frames, spread over the source, that its clean plate is the median of."""

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_STAY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def check_background(name: str | None) -> None:
    """Refuse a background that cannot be, before any work is done.

    Raises:
        UsageError: Neither a name, nor a colour, nor a picture.
    """
    if name is None or name in NAMES or _COLOUR.fullmatch(name):
        return
    if name.startswith("#"):
        raise UsageError(f"--background {name} is no colour", hint="#rrggbb, such as #00ff00")
    if not Path(name).is_file():
        raise UsageError(
            f"--background {name}: there is no such picture",
            hint=f"one of {', '.join(NAMES)}, FILE.png or #rrggbb",
        )
    read_picture(Path(name))


def read_picture(path: Path) -> Image:
    """(H, W, 3) uint8 RGB of a picture file.

    Raises:
        UsageError: It cannot be read.
    """
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise UsageError(f"{path} cannot be read as a picture", hint="give a .png or .jpg")
    return np.asarray(picture, np.uint8)


def choose_composer(
    dancer: Dancer,
    background: str | None,
    *,
    size: tuple[int, int] | None,
    source_plate: Callable[[], tuple[Image, NDArray[np.float64]]],
) -> Composer:
    """What shows a dancer before a background.

    Args:
        dancer: Who is painted.
        background: As on the command line; None: only the window, as it was painted; where that follows the person,
            the target's own picture, as `target`.
        size: (W, H) of the pictures; None: those of the background (a picture is cut to the target's frame).
        source_plate: Gives the source's clean plate and the (2, 3) map from the target's frame to it.

    Raises:
        UsageError: The dancer has no matte.
    """
    window = dancer.info.window
    if background is None:
        if dancer.info.follow is None:
            return WindowView(window, size)
        background = "target"
    matted = isinstance(dancer.painter.parts.background, MattedBackground)
    if not matted:
        if background == "target":
            return PastedWindow(window, dancer.plate, size)
        raise UsageError(
            f"{dancer.path} paints its background too and has no matte: --background {background} is not possible",
            hint="use --background target, or train it again with background=plate",
        )
    behind: Image | None
    matrix, inner = _STAY, window.frame_size
    if background == "transparent":
        behind = None
    elif background == "target":
        behind = dancer.plate
    elif background == "source":
        behind, matrix = source_plate()
        inner = (behind.shape[1], behind.shape[0])
    elif background.startswith("#"):
        level = [int(background[at : at + 2], 16) for at in (1, 3, 5)]
        behind = np.broadcast_to(np.array(level, np.uint8), (inner[1], inner[0], 3)).copy()
    else:
        behind = cover(read_picture(Path(background)), inner)
    return MattedPerson(
        window,
        crop(dancer.plate, window),
        behind,
        matrix=matrix,
        inner=inner,
        size=size,
        side=None if dancer.info.follow is None else min(dancer.info.follow.size),
        name=background,
        digest="" if behind is None else hashlib.sha256(behind.tobytes()).hexdigest(),
    )


def cover(picture: Image, size: tuple[int, int]) -> Image:
    """A picture scaled so that it covers (W, H), and its middle cut out: never squashed."""
    height, width = picture.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    wide, high = max(round(width * scale), size[0]), max(round(height * scale), size[1])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    large = cv2.resize(picture, (wide, high), interpolation=how)
    left, top = (wide - size[0]) // 2, (high - size[1]) // 2
    return np.asarray(large[top : top + size[1], left : left + size[0]], np.uint8)


def plate_of_source(video: Path, poses: PoseSequence, masks: MaskTrack | None, span: Span = WHOLE) -> Image:
    """The source's background without the dancer, (H, W, 3) uint8; the camera must stand still.

    Args:
        video: The source.
        poses: One row a frame.
        masks: Of the same frames; None: guessed from the poses.
        span: The part of the video that these frames are.
    """
    chosen = np.linspace(0, len(poses) - 1, min(SOURCE_FRAMES, len(poses))).round().astype(int)
    wanted = set(chosen.tolist())
    pictures, covered = [], []
    for number, frame in enumerate(read_frames(video, since=span.since, until=span.until)):
        if number in wanted:
            pictures.append(frame.rgb)
            covered.append(masks.in_frame(number) if masks is not None else mask_from_pose(poses, number))
    return clean_plate(pictures, covered)


def place_in_source(moved: PoseSequence, poses: PoseSequence) -> NDArray[np.float64]:
    """Where the painted person stands in the source's picture: where the source's dancer does.

    The scale and shift, one for the whole clip, that bring the retargeted joints nearest to the source's own
    (least squares over all joints and frames seen in both).

    Args:
        moved: In pixels of the target's frame.
        poses: The same frames in pixels of the source's.

    Returns:
        (2, 3) from the target's frame to the source's.
    """
    both = moved.valid & poses.valid
    ours, theirs = moved.xy[both].astype(np.float64), poses.xy[both].astype(np.float64)
    if len(ours) < 2:
        return _STAY
    middle, aim = ours.mean(0), theirs.mean(0)
    spread = float(((ours - middle) ** 2).sum())
    scale = float(((ours - middle) * (theirs - aim)).sum()) / spread if spread else 1.0
    scale = max(scale, 1e-3)
    return np.array([[scale, 0.0, aim[0] - scale * middle[0]], [0.0, scale, aim[1] - scale * middle[1]]])
