"""The check of clips: each warning by a clip that deserves it, and none by one that does not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dancekit.data.check import background_change, check_source, check_target
from dancekit.types import PoseSequence, VideoInfo, get_skeleton
from dancekit.video import VideoWriter, probe

FRAMES, SIZE, RATE = 40, (160, 120), Fraction(1)  # a frame a second: long clips in few frames


def standing(
    *, height: float = 90, found: NDArray[np.bool_] | None = None, feet: bool = True
) -> PoseSequence:
    """Somebody in the middle of the picture, `height` pixels tall."""
    skeleton = get_skeleton("coco_17")
    xy = np.full((FRAMES, 17, 2), np.nan, np.float32)
    rows = {"nose": 0.0, "hip": 0.5, "ankle": 1.0}
    for joint, name in enumerate(skeleton.joints):
        part = name.rpartition("_")[2]
        if part in rows and (feet or part != "ankle"):
            xy[:, joint] = (80 + (5 if name.startswith("left") else -5), 110 - height * (1 - rows[part]))
    if found is not None:
        xy[~found] = np.nan
    return PoseSequence(
        xy=xy,
        score=np.isfinite(xy).all(-1).astype(np.float32),
        pts=np.arange(FRAMES),
        time_base=Fraction(1),
        size=SIZE,
        skeleton=skeleton,
    )


def texture(size: tuple[int, int]) -> NDArray[np.uint8]:
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (size[1] // 8 + 1, size[0] // 8 + 1, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def film(path: Path, shift: float = 0.0, flicker: float = 0.0, dancer: bool = True) -> VideoInfo:
    """A textured wall, the camera shifting so many pixels a frame, and somebody white who sways in front."""
    wall = texture((SIZE[0] * 3, SIZE[1]))
    with VideoWriter(path, size=SIZE, time_base=Fraction(1), rate=RATE) as writer:
        for number in range(FRAMES):
            left = round(shift * number)
            frame = wall[:, left : left + SIZE[0]].astype(np.float32)
            frame = np.clip(frame * 0.7 + 40 + flicker * np.sin(number), 0, 255).astype(np.uint8)
            if dancer:
                x = 80 + round(4 * np.sin(number))
                cv2.rectangle(frame, (x - 8, 15), (x + 8, 112), (255, 255, 255), -1)
            writer.write(frame, number)
    return probe(path)


@pytest.mark.parametrize(
    ("shift", "flicker", "low", "high"), [(0, 0, 0, 0.02), (0, 20, 0, 0.05), (4, 0, 0.3, 1), (1, 0, 0.2, 1)]
)
def test_a_moving_camera_is_told_from_light_and_dancer(
    tmp_path: Path, shift: float, flicker: float, low: float, high: float
) -> None:
    info = film(tmp_path / "c.mp4", shift, flicker)
    assert low <= background_change(info.path, standing(), FRAMES) <= high


def test_too_few_frames_to_tell(tmp_path: Path) -> None:
    info = film(tmp_path / "c.mp4", shift=4)
    assert background_change(info.path, standing(), 2) == 0


def test_a_good_clip_has_no_warnings(tmp_path: Path) -> None:
    report = check_target(film(tmp_path / "c.mp4"), standing(), (96, 96))
    assert report.warnings == ()
    assert str(report) == "40.0 s, 40 frames at 1 fps, 160x120, person found in 100%"
    assert check_source(probe(tmp_path / "c.mp4"), standing()).warnings == ()


def test_what_is_wrong_with_a_target(tmp_path: Path) -> None:
    info = film(tmp_path / "c.mp4", shift=4)
    found = np.arange(FRAMES) % 4 > 0
    poses = standing(height=20, found=found, feet=False)
    texts = " | ".join(check_target(info, poses, (256, 256)).warnings)
    assert "nobody is found in 25% of the target's frames" in texts
    assert "the target's feet are hidden or out of the picture in 100%" in texts
    assert "the target is small in the picture" in texts
    assert "camera seems to move" in texts
    short = check_target(info, poses[:12], (32, 32)).warnings
    assert any("the target is 12 s long" in text for text in short)


def test_what_is_wrong_with_a_source(tmp_path: Path) -> None:
    info = film(tmp_path / "c.mp4", shift=4)
    poses = standing(found=np.arange(FRAMES) < 20)[:25]
    assert check_source(info, poses).warnings == ("nobody is found in 20% of the source's frames",)
