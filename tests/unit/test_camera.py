"""The camera's motion: planted shifts, turns and zooms are measured and taken out; a still camera changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dancekit.data.camera import (
    LARGE,
    STILL,
    CameraMotion,
    CameraSamples,
    measure_camera,
    steady_frame,
    steady_poses,
)
from dancekit.data.clip_reader import ClipReader
from dancekit.data.masks import MaskTrack
from dancekit.data.poses import TrackedClip
from dancekit.data.training_set import prepare
from dancekit.errors import VideoError
from dancekit.training.given import check_camera
from dancekit.types import PoseSequence, get_skeleton
from dancekit.video import VideoWriter

SIZE, FRAMES = (320, 240), 40


def wall(seed: int = 3) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC), np.uint8)


def view(
    scene: NDArray[np.uint8], shift: tuple[float, float], turn: float = 0, zoom: float = 1
) -> NDArray[np.uint8]:
    matrix = cv2.getRotationMatrix2D((320, 240), turn, zoom)
    matrix[:, 2] += np.array(shift) - (160, 120)
    return np.asarray(cv2.warpAffine(scene, matrix, SIZE), np.uint8)


def filmed(
    camera: Callable[[int], tuple[float, float]], **more: float
) -> tuple[list[NDArray[np.uint8]], PoseSequence]:
    """Somebody who sways before a wall, seen by a camera that is shifted so far in each frame."""
    frames, points = [], []
    for number in range(FRAMES):
        scene = wall().copy()
        x = 320 + round(15 * np.sin(number / 4))
        cv2.rectangle(scene, (x - 12, 190), (x + 12, 320), (240, 240, 240), -1)
        frames.append(view(scene, camera(number), **more))
        rows = np.linspace(195, 315, 17)
        points.append(np.stack([np.full(17, x) - 160, rows - 120], 1) + camera(number))
    poses = PoseSequence(
        xy=np.array(points),
        score=np.ones((FRAMES, 17)),
        pts=np.arange(FRAMES),
        time_base=Fraction(1, 25),
        size=SIZE,
        skeleton=get_skeleton("coco_17"),
    )
    return frames, poses


def shake(number: int) -> tuple[float, float]:
    return 3.0 * np.sin(1.3 * number), 2.0 * np.cos(2.1 * number)


def still(number: int) -> tuple[float, float]:
    return 0.0, 0.0


def samples(frames: list[NDArray[np.uint8]]) -> CameraSamples:
    kept = CameraSamples()
    for frame in frames:
        kept.add(frame)
    return kept


def test_a_still_camera_is_still() -> None:
    frames, poses = filmed(still)
    noise = np.random.default_rng(0)
    frames = [np.clip(frame + noise.normal(0, 3, frame.shape), 0, 255).astype(np.uint8) for frame in frames]
    motion = CameraMotion(samples(frames).shift(poses))
    assert motion.kind == "still" and motion.shift < STILL / 4
    assert steady_poses(poses, motion) is poses and steady_poses(poses, None) is poses


def test_shake_is_measured_and_taken_out_of_poses() -> None:
    frames, poses = filmed(shake)
    shift = samples(frames).shift(poses)
    planted = max(np.hypot(*np.subtract(shake(n), shake(20))) for n in range(FRAMES)) / 320
    assert shift == pytest.approx(planted, rel=0.1) and CameraMotion(shift).kind == "shake"
    matrices, lost = measure_camera(frames, poses)
    assert lost == 0
    _, truth = filmed(lambda number: shake(0))
    steady = steady_poses(poses, CameraMotion(shift, matrices))
    np.testing.assert_allclose(steady.xy, truth.xy, atol=0.3)


def test_turns_and_zooms_are_measured() -> None:
    scene = wall()
    turns = [0.0, 0.5, -0.8, 1.0, 0.3]
    frames = [view(scene, (0, 0), turn=turn, zoom=1 + 0.01 * turn) for turn in turns]
    poses = filmed(still)[1][: len(turns)].replace(score=np.zeros((len(turns), 17)))
    matrices, _ = measure_camera(frames, poses)
    for turn, matrix in zip(turns, matrices, strict=True):
        assert np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])) == pytest.approx(turn, abs=0.05)
        assert np.hypot(*matrix[:, 0]) == pytest.approx(1 / (1 + 0.01 * turn), abs=2e-3)
    back = steady_frame(frames[3], matrices[3])
    inner = np.abs(back.astype(int) - frames[0])[40:-40, 40:-40]
    assert inner.mean() < 4 < np.abs(frames[3].astype(int) - frames[0])[40:-40, 40:-40].mean()


def test_a_pan_moves_and_only_its_shake_is_taken_out() -> None:
    frames, poses = filmed(lambda number: (-2.0 * number + shake(number)[0], shake(number)[1]))
    shift = samples(frames).shift(poses)
    assert shift > LARGE and CameraMotion(shift).kind == "moves"
    matrices, lost = measure_camera(frames, poses)
    assert lost == 0
    motion = CameraMotion(shift, matrices)
    steady = steady_poses(poses, motion)
    jerk = [np.abs(np.diff(each.xy[5:-5], n=2, axis=0)).mean() for each in (poses, steady)]
    assert jerk[1] < 0.3 * jerk[0]
    middle = slice(10, 30)  # and they go through the picture as slowly as before
    assert np.abs(steady.xy[middle] - poses.xy[middle]).mean() < 6


def test_too_little_to_see_is_unknown() -> None:
    flat = [np.full((240, 320, 3), 90, np.uint8)] * 12
    poses = filmed(still)[1][:12]
    motion = CameraMotion(samples(flat).shift(poses))
    assert motion.kind == "unknown" and motion.steadying(poses) is None


def test_another_place_after_a_cut(tmp_path: Path) -> None:
    frames, poses = filmed(still)
    frames[20:] = [view(wall(9), (0, 0))] * 20
    path = write(tmp_path / "cut.mp4", frames)
    reader = ClipReader(path)
    assert [len(list(scene)) for scene in reader.scenes()] == [20, 20] and reader.cuts == [20]
    motion = reader.camera(poses.replace(cuts=(20,)))
    assert motion.kind == "moves" and np.isinf(motion.shift)
    with pytest.raises(VideoError, match="another place after a cut"):
        check_camera(path, motion, "plate")
    check_camera(path, motion, "painted")


def test_a_moving_camera_is_refused_for_the_plate_only() -> None:
    moving = CameraMotion(0.123, np.tile(np.eye(2, 3), (3, 1, 1)))
    with pytest.raises(
        VideoError, match=r"me.mp4: the camera moves by 12.3% .* \(at most 4% for background plate\)"
    ):
        check_camera(Path("me.mp4"), moving, "plate")
    check_camera(Path("me.mp4"), moving, "painted")
    for shift in (0.0, 0.03, float("nan")):
        check_camera(Path("me.mp4"), CameraMotion(shift), "plate")


def test_a_training_set_is_steadied(tmp_path: Path) -> None:
    """Its plate is sharp where the unsteadied one is not, and mask, poses and frames still belong together."""
    frames, poses = filmed(shake)
    path = write(tmp_path / "shaken.mp4", frames)
    reader = ClipReader(path)
    assert sum(len(list(scene)) for scene in reader.scenes()) == FRAMES
    camera = reader.camera(poses)
    assert camera.kind == "shake"
    masks = MaskTrack(SIZE)
    for frame in frames:
        masks.append((frame.min(2) > 235).astype(np.uint8) * 255)
    truth = view(wall(), shake(0)).astype(float)
    errors = []
    for name, motion in (("raw", CameraMotion(0.0)), ("steady", camera)):
        data = prepare(
            path, TrackedClip(poses, masks, motion), filters=[], size=(96, 96), folder=tmp_path / name
        )
        errors.append(float(np.abs(data.plate.astype(float) - truth)[40:60, 40:280].mean()))
        inside = []
        for number in range(0, FRAMES, 5):
            x, y = data.window.to_window(data.target.xy[number, 8:9])[0].round().astype(int)
            inside.append(data.masks[number][y, x] > 127 and data.frames[number][y, x].min() > 200)
        assert all(inside)
    assert errors[1] < 0.5 * errors[0]


def write(path: Path, frames: list[NDArray[np.uint8]]) -> Path:
    with VideoWriter(path, size=SIZE, time_base=Fraction(1, 25), rate=Fraction(25), crf=10) as out:
        for number, frame in enumerate(frames):
            out.write(frame, number)
    return path
