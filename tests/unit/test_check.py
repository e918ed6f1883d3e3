"""The check of clips: each warning by a clip that deserves it, and none by one that does not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dancekit.data.body import body_measures, jitter
from dancekit.data.check import check_source, check_target, look_at
from dancekit.types import PoseSequence, VideoInfo, get_skeleton
from dancekit.video import VideoWriter, probe

FRAMES, SIZE, RATE = 40, (160, 120), Fraction(1)  # a frame a second: long clips in few frames


def standing(
    *, height: float = 90, found: NDArray[np.bool_] | None = None, feet: bool = True
) -> PoseSequence:
    """Somebody in the middle of the picture, `height` pixels tall."""
    skeleton = get_skeleton("coco_17")
    xy = np.full((FRAMES, 17, 2), np.nan, np.float32)
    rows = {"nose": 0.0, "wrist": 0.45, "hip": 0.5, "ankle": 1.0}
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
    """A textured wall, the camera shifting so many pixels a frame, and somebody pale who sways in front."""
    wall = texture((SIZE[0] * 3, SIZE[1]))
    with VideoWriter(path, size=SIZE, time_base=Fraction(1), rate=RATE) as writer:
        for number in range(FRAMES):
            left = round(shift * number)
            frame = wall[:, left : left + SIZE[0]].astype(np.float32)
            frame = np.clip(frame * 0.7 + 40 + flicker * np.sin(number), 0, 255).astype(np.uint8)
            if dancer:
                x = 80 + round(4 * np.sin(number))
                cv2.rectangle(frame, (x - 8, 15), (x + 8, 112), (235, 235, 235), -1)
            writer.write(frame, number)
    return probe(path)


@pytest.mark.parametrize(
    ("shift", "flicker", "low", "high"), [(0, 0, 0, 0.02), (0, 20, 0, 0.05), (4, 0, 0.3, 1), (1, 0, 0.2, 1)]
)
def test_a_moving_camera_is_told_from_light_and_dancer(
    tmp_path: Path, shift: float, flicker: float, low: float, high: float
) -> None:
    info = film(tmp_path / "c.mp4", shift, flicker)
    assert low <= look_at(info.path, standing(), FRAMES).changed <= high


def test_too_few_frames_to_tell(tmp_path: Path) -> None:
    info = film(tmp_path / "c.mp4", shift=4)
    assert look_at(info.path, standing(), 2).changed == 0


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


def moving(seed: int = 0, noise: float = 0.0, frames: int = 200, bend: float = 0.0) -> PoseSequence:
    """Somebody 300 pixels tall on a smooth path, whose joints tremble by so many pixels."""
    skeleton, rng = get_skeleton("coco_17"), np.random.default_rng(seed)
    t = np.arange(frames)[:, None, None] / frames
    rest = rng.uniform(100, 400, (1, 17, 2))
    rest[0, 0, 1], rest[0, 15:, 1] = 100, 400
    xy = rest + 50 * t + bend * t**2
    return PoseSequence(
        xy=(xy + rng.normal(0, 1, (frames, 17, 2)) * noise).astype(np.float32),
        score=np.ones((frames, 17)),
        pts=np.arange(frames),
        time_base=Fraction(1, 25),
        size=(500, 500),
        skeleton=skeleton,
    )


def test_jitter_is_the_planted_trembling_and_not_the_movement() -> None:
    assert jitter(moving(bend=500)) == pytest.approx(0, abs=1e-3)
    for noise in (0.5, 3.0):
        assert jitter(moving(noise=noise)) == pytest.approx(noise / 300 * 100, rel=0.1)
    unseen = moving(noise=3)
    xy = np.array(unseen.xy)
    xy[:, 5:] = np.nan  # joints that are not there do not count
    xy[::20, 0] = np.nan
    assert jitter(unseen.replace(xy=xy)) == pytest.approx(1, rel=0.15)
    assert np.isnan(jitter(moving(frames=6)))
    assert np.isnan(jitter(unseen.replace(xy=np.full_like(xy, np.nan))))
    warnings = body_measures(moving(noise=6), "source")[1]
    assert len(warnings) == 1 and "the source's joints tremble by" in warnings[0]


@pytest.mark.parametrize(
    ("axis", "shift", "side"), [(0, -101, "left"), (0, 101, "right"), (1, 101, "bottom")]
)
def test_what_the_picture_cuts_off_is_said_by_side(axis: int, shift: float, side: str) -> None:
    poses = moving()
    xy = np.array(poses.xy)
    xy[50:90, :, axis] += shift * 4
    measures, warnings = body_measures(poses.replace(xy=xy), "target")
    assert measures[f"cut_{side}"] == pytest.approx(0.2)
    assert [text for text in warnings if f"beyond the {side} of the picture in 20%" in text]
    assert sum(measures[f"cut_{each}"] > 0 for each in ("left", "top", "right", "bottom")) == 1


def test_hidden_hands_are_said() -> None:
    poses = moving()
    xy = np.array(poses.xy)
    xy[:100, 9] = np.nan
    measures, warnings = body_measures(poses.replace(xy=xy), "target")
    assert measures["hands"] == 0.5 and measures["feet"] == 1
    assert warnings == [
        "the target's hands are hidden or out of the picture in 50% of the frames: arms are guessed or left out "
        "there"
    ]


def test_nobody_at_all_is_no_division_by_zero() -> None:
    measures, warnings = body_measures(standing(found=np.zeros(FRAMES, bool)), "target")
    assert measures == {"found": 0} and warnings == ["nobody is found in 100% of the target's frames"]


def lit(path: Path, level: float, swing: float = 0.0) -> VideoInfo:
    """A wall and somebody, both of one grey level, the light swinging."""
    with VideoWriter(path, size=SIZE, time_base=Fraction(1), rate=RATE) as writer:
        for number in range(FRAMES):
            grey = np.clip(level + swing * np.sin(number / 3), 0, 255)
            writer.write(np.full((SIZE[1], SIZE[0], 3), round(grey), np.uint8), number)
    return probe(path)


@pytest.mark.parametrize(
    ("level", "swing", "words"),
    [
        (128, 0, None),
        (128, 30, "the light changes by"),
        (25, 0, "the target is dark (grey level 2"),
        (255, 0, "100% of the target is white"),
    ],
)
def test_light(tmp_path: Path, level: float, swing: float, words: str | None) -> None:
    info = lit(tmp_path / "c.mp4", level, swing)
    look = look_at(info.path, standing(), FRAMES)
    assert look.brightness == pytest.approx(level, abs=6 + swing)
    warnings = check_target(info, standing(), (96, 96)).warnings
    assert len(warnings) == (words is not None)
    assert words is None or words in warnings[0]


def test_somebody_who_walks_past_light_and_dark_walls_is_no_flicker(tmp_path: Path) -> None:
    """The box hides another part of the background in every frame; the light stays as it is."""
    wall = np.full((SIZE[1], SIZE[0], 3), 60, np.uint8)
    wall[:, 80:] = 180
    with VideoWriter(tmp_path / "c.mp4", size=SIZE, time_base=Fraction(1), rate=RATE) as writer:
        for number in range(FRAMES):
            writer.write(wall, number)
    poses = standing()
    xy = np.array(poses.xy)
    xy[..., 0] += np.linspace(-60, 60, FRAMES)[:, None]
    assert look_at(tmp_path / "c.mp4", poses.replace(xy=xy), FRAMES).flicker < 2
