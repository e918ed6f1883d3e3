"""Example data for checks: a figure that moves, pictures, and the views that losses and augmentations get."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dancekit.testing.subject import SIZE, SKELETON
from dancekit.types import PoseSequence, Skeleton, get_skeleton

if TYPE_CHECKING:
    from dancekit.contracts import Clip

FRAMES = 16

# Right of the middle and down from the head's top, in body heights: joints of the subject's left, who faces us.
_SIDE = {
    "eye": (0.02, 0.06),
    "eye_inner": (0.012, 0.06),
    "eye_outer": (0.028, 0.06),
    "ear": (0.04, 0.07),
    "mouth": (0.015, 0.10),
    "shoulder": (0.11, 0.19),
    "elbow": (0.17, 0.35),
    "wrist": (0.21, 0.50),
    "pinky": (0.23, 0.53),
    "index": (0.22, 0.54),
    "thumb": (0.20, 0.53),
    "hip": (0.06, 0.50),
    "knee": (0.07, 0.73),
    "ankle": (0.08, 0.95),
    "heel": (0.075, 0.98),
    "foot_index": (0.11, 1.0),
    "big_toe": (0.11, 1.0),
    "small_toe": (0.12, 0.99),
}
_MIDDLE = {"nose": 0.08, "neck": 0.19, "mid_hip": 0.5, "head_top": 0.0}
_SWAY = {"wrist": 0.12, "elbow": 0.06, "pinky": 0.12, "index": 0.12, "thumb": 0.12, "knee": 0.02}


def example_poses(
    *,
    skeleton: str | Skeleton = SKELETON,
    frames: int = FRAMES,
    size: tuple[int, int] = SIZE,
    height: float = 0.7,
    missing: bool = False,
    cut: int | None = None,
) -> PoseSequence:
    """A person who stands, sways and waves; the same at every call.

    Args:
        skeleton: Which joints.
        frames: T.
        size: (W, H).
        height: Of the person, as a share of H.
        missing: Leave out a hand for five frames, a foot for one, and everything in one frame.
        cut: A frame with which another scene begins, the person elsewhere in it.
    """
    layout = get_skeleton(skeleton) if isinstance(skeleton, str) else skeleton
    width, tall = size
    phase = 2 * np.pi * np.arange(frames) / 11
    xy = np.zeros((frames, len(layout), 2))
    for number, joint in enumerate(layout.joints):
        across, down, sway = _place(joint)
        xy[:, number, 0] = across + sway * np.sin(phase + number) / 2
        xy[:, number, 1] = down - sway * (1 + np.sin(phase)) / 2
    lean = np.clip(1 - xy[..., 1], 0, 0.5)  # feet stay planted
    xy[..., 0] += 0.06 * lean * np.sin(phase / 2)[:, None]
    if cut is not None:
        xy[cut:, :, 0] += 0.2
    xy = xy * height * tall + np.array([width / 2, (1 - height) / 2 * tall])
    score = np.full(xy.shape[:2], 0.9)
    if missing:
        hands = [n for n, joint in enumerate(layout.joints) if "wrist" in joint][:1]
        feet = [n for n, joint in enumerate(layout.joints) if "ankle" in joint][:1]
        score[3:8, hands] = 0
        score[5:6, feet] = 0
        score[9 % frames] = 0
    return PoseSequence(
        xy=xy.astype(np.float32),
        score=score.astype(np.float32),
        pts=np.arange(frames) * 512 + 1024,
        time_base=Fraction(1, 12800),
        size=size,
        skeleton=layout,
        cuts=() if cut is None else (cut,),
    )


def _place(joint: str) -> tuple[float, float, float]:
    side, _, rest = joint.partition("_")
    if side in ("left", "right") and rest in _SIDE:
        across, down = _SIDE[rest]
        return (across if side == "left" else -across), down, _SWAY.get(rest, 0.0)
    if joint in _MIDDLE:
        return 0.0, _MIDDLE[joint], 0.0
    turn = 0.7 * sum(map(ord, joint))  # numbered points of a face or a hand: a ring where those are
    where = -0.21 if "right" in joint else 0.21 if "left" in joint else 0.0
    return (
        where + 0.03 * float(np.cos(turn)),
        (0.53 if where else 0.07) + 0.03 * float(np.sin(turn)),
        0.12 if where else 0.0,
    )


def example_frames(*, frames: int = FRAMES, size: tuple[int, int] = SIZE, seed: int = 0) -> NDArray[np.uint8]:
    """(T, H, W, 3) uint8: a soft pattern on which a bright square moves, with a little noise."""
    width, height = size
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    ground = 110 + 50 * np.sin(x / 9)[..., None] * np.cos(y[..., None] / 7 + np.arange(3))
    clip = np.repeat(ground[None], frames, 0)
    for number in range(frames):
        left = 8 + 2 * number % (width - 32)
        clip[number, 16:44, left : left + 20] = 60 + 40 * np.arange(3)
    noisy = clip + rng.normal(0, 4, clip.shape)
    return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


def example_mask(*, frames: int = FRAMES, size: tuple[int, int] = SIZE) -> NDArray[np.bool_]:
    """(T, H, W) bool: a box in the middle of the frame."""
    width, height = size
    mask = np.zeros((frames, height, width), bool)
    mask[:, height // 4 : -height // 4, width // 4 : -width // 4] = True
    return mask


@lru_cache(maxsize=1)
def shipped_frames() -> tuple[NDArray[np.uint8], ...]:
    """Frames of the shipped sample, (H, W, 3) uint8 each: a rendered person who dances."""
    from dancekit.resources import data_path
    from dancekit.video import read_frames

    return tuple(frame.rgb for frame in read_frames(data_path("zoo/samples/source.mp4"), stop=4))


def once(frames: tuple[NDArray[np.uint8], ...]) -> Iterator[NDArray[np.uint8]]:
    """Frames that can be gone through only once, as those of a video."""
    yield from (frame.copy() for frame in frames)


def example_clip(*, size: tuple[int, int] = SIZE) -> Clip:
    """Two frames as augmentations get them; the mask is a soft dot on each frame's left wrist."""
    import torch

    from dancekit.contracts import Clip

    poses = example_poses(frames=2, size=size, height=0.5)
    width, height = size
    joint = poses.skeleton.index("left_wrist")
    xy = poses.xy - np.float32(7)  # not in the middle, and one arm raised: a mirrored figure is another one
    xy[:, joint] += (4, -9)
    poses = poses.replace(xy=xy)
    y, x = np.mgrid[:height, :width]
    offset = np.stack([x, y], -1)[None] - poses.xy[:, joint][:, None, None]
    dots = np.exp(-(offset**2).sum(-1) / (2 * 2.5**2)).astype(np.float32)
    frames = torch.from_numpy(example_frames(frames=2, size=size)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return Clip(
        images=frames,
        mask=torch.from_numpy(dots)[:, None],
        xy=torch.from_numpy(poses.xy.copy()),
        score=torch.from_numpy(poses.score.copy()),
        plate=frames.mean(0, keepdim=True),
        skeleton=poses.skeleton,
    )
