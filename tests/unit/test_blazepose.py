"""The backend: MediaPipe's own numbers on shipped frames, and how it behaves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from dancekit.build import build_runner
from dancekit.contracts import PoseBackend
from dancekit.errors import UsageError
from dancekit.pose.blazepose import BlazePose
from dancekit.pose.blazepose_holistic import BlazePoseHolistic
from dancekit.types import Detections

CLIPS = ("source.mp4", "target.mp4")


def decode(path: Path, frames: list[int]) -> list[NDArray[np.uint8]]:
    wanted = set(frames)
    with av.open(str(path)) as container:
        decoded = itertools.islice(container.decode(video=0), max(frames) + 1)
        return [frame.to_ndarray(format="rgb24") for number, frame in enumerate(decoded) if number in wanted]


@pytest.fixture(scope="module")
def golden(root: Path) -> dict[str, np.ndarray]:
    with np.load(root / "tests" / "golden" / "blazepose" / "frames.npz") as data:
        return dict(data)


@pytest.fixture(scope="module")
def backend() -> BlazePose:
    return BlazePose()


@pytest.fixture(scope="module")
def dance(root: Path) -> list[NDArray[np.uint8]]:
    return decode(root / "zoo" / "samples" / "truth.mp4", list(range(100, 112)))


@pytest.mark.parametrize("model", ["full", "lite"])
@pytest.mark.parametrize("clip", CLIPS)
def test_keypoints_and_mask_are_mediapipe_s(
    golden: dict[str, np.ndarray], root: Path, clip: str, model: str
) -> None:
    frames = decode(root / "zoo" / "samples" / clip, golden[f"{clip}/index"].tolist())
    landmarks, masks = golden[f"{clip}/{model}/landmarks"], golden[f"{clip}/{model}/mask"]
    found = list(BlazePose(model=model, threshold=0.0, tracking=False).detect(frames))
    assert len(found) == len(landmarks) == 8
    for detections, want, blocks in zip(found, landmarks, masks, strict=True):
        edges = np.where((want[:, :2] < 0) | (want[:, :2] > 1), np.nan, want[:, :2]) * 512
        missing = np.isnan(edges).any(1)
        assert (np.isnan(detections.xy[0]).any(1) == missing).all()
        # 1 px is what is asked for; the same decoder gives 0.03
        assert np.linalg.norm(detections.xy[0] - (edges - 0.5), axis=1)[~missing].max() < 1.0
        assert np.abs(detections.score[0] - want[:, 2])[~missing].max() < 0.01
        assert detections.mask is not None
        pooled = detections.mask[0].reshape(64, 8, 64, 8).mean((1, 3))
        assert np.abs(pooled - blocks).max() < 8 and np.abs(pooled - blocks).mean() < 0.2


def test_it_keeps_the_contract(backend: BlazePose, dance: list[NDArray[np.uint8]]) -> None:
    assert isinstance(backend, PoseBackend)
    assert backend.spec.skeleton.id == "blazepose_33@1" and backend.spec.max_people == 1
    assert backend.spec.gives_mask and backend.spec.licence == "Apache-2.0"
    assert sorted(backend.spec.weights) == ["blazepose_detector.safetensors", "blazepose_full.safetensors"]
    assert all(len(digest) == 64 for digest in backend.spec.weights.values())
    (found,) = backend.detect(dance[:1])
    assert found.xy.shape == (1, 33, 2) and found.xy.dtype == np.float32
    assert found.score.shape == (1, 33) and found.score.dtype == np.float32
    assert found.mask is not None and found.mask.shape == (1, 512, 512) and found.mask.dtype == np.uint8
    missing = found.score == 0
    assert (np.isnan(found.xy).all(-1) == missing).all() and (np.isnan(found.xy).any(-1) == missing).all()
    left, top, right, bottom = found.box[0]
    assert np.nanmin(found.xy[0, :, 0]) >= left and np.nanmax(found.xy[0, :, 0]) <= right
    assert np.nanmin(found.xy[0, :, 1]) >= top and np.nanmax(found.xy[0, :, 1]) <= bottom


def test_tracking_finds_what_searching_finds(backend: BlazePose, dance: list[NDArray[np.uint8]]) -> None:
    tracked = np.array([found.xy[0] for found in backend.detect(dance)])
    searched = np.array([found.xy[0] for found in BlazePose(tracking=False, batch=5).detect(dance)])
    assert tracked.shape == searched.shape == (12, 33, 2)
    assert (tracked[0] == searched[0])[np.isfinite(tracked[0])].all()  # the same region, the same network
    assert np.nanmedian(np.linalg.norm(tracked - searched, axis=-1)) < 2.5
    # and it does track: the regions differ
    assert not np.array_equal(tracked[1:], searched[1:], equal_nan=True)


def test_against_the_truth(backend: BlazePose, dance: list[NDArray[np.uint8]], root: Path) -> None:
    with np.load(root / "zoo" / "samples" / "truth.npz") as truth:
        names, keypoints = truth["names"].tolist(), truth["keypoints"][100:112]
        person = np.unpackbits(truth["mask_bits"][100:112], axis=2) > 0
        height = np.diff(truth["boxes"][100:112][:, [1, 3]], axis=1)
    ours = [backend.spec.skeleton.index(name) for name in names[:17]]
    for number, found in enumerate(backend.detect(dance)):
        error = np.linalg.norm(found.xy[0, ours] - keypoints[number, :17], axis=1) / height[number]
        assert np.median(np.nan_to_num(error, nan=1.0)) < 0.03
        assert found.mask is not None
        mask = found.mask[0] > 127
        assert (mask & person[number]).sum() / (mask | person[number]).sum() > 0.85


@pytest.mark.parametrize("kind", [BlazePose, BlazePoseHolistic])
def test_without_masks_all_else_is_the_same(
    dance: list[NDArray[np.uint8]], kind: type[BlazePose | BlazePoseHolistic]
) -> None:
    whole, bare = kind(model="lite"), kind(model="lite", masks=False)
    assert whole.spec.gives_mask and not bare.spec.gives_mask
    for one, other in zip(whole.detect(dance[:3]), bare.detect(dance[:3]), strict=True):
        np.testing.assert_array_equal(one.xy, other.xy)
        np.testing.assert_array_equal(one.score, other.score)
        assert one.mask is not None and other.mask is None
    (everybody,) = bare.detect_people(dance[:1])
    assert len(everybody) == 1 and everybody.mask is None


@pytest.mark.parametrize("runner", ["compiled", "openvino"])
def test_runners_compute_the_network_without_masks(dance: list[NDArray[np.uint8]], runner: str) -> None:
    if runner == "openvino":
        pytest.importorskip("openvino")
    (found,) = BlazePose(model="lite", masks=False, runner=build_runner(runner, threads=1)).detect(dance[:1])
    (want,) = BlazePose(model="lite").detect(dance[:1])
    assert found.mask is None and np.linalg.norm(found.xy - want.xy, axis=-1).max() < 0.5


def test_frames_are_read_one_by_one(backend: BlazePose, dance: list[NDArray[np.uint8]]) -> None:
    read = 0

    def frames() -> Iterator[NDArray[np.uint8]]:
        nonlocal read
        for frame in dance[:3]:
            read += 1
            yield frame

    stream = backend.detect(frames())
    assert read == 0
    assert len(next(stream)) == 1 and read == 1
    assert [len(found) for found in stream] == [1, 1] and read == 3
    assert list(backend.detect([])) == []


@pytest.mark.parametrize("tracking", [True, False])
def test_lost_and_found_again_in_the_same_frame(dance: list[NDArray[np.uint8]], tracking: bool) -> None:
    empty = np.full_like(dance[0], 120)
    elsewhere = np.full_like(dance[0], 120)
    elsewhere[:, 200:] = dance[0][:, :312]  # a cut: the person jumps by 200 pixels
    clip = [dance[0], empty, elsewhere, dance[0]]
    found = list(BlazePose(tracking=tracking, batch=3).detect(clip))
    assert [len(detections) for detections in found] == [1, 0, 1, 1]
    assert found[1].xy.shape == (0, 33, 2)
    shift = np.nanmedian(found[2].xy[0] - found[0].xy[0], axis=0)
    assert shift == pytest.approx((200, 0), abs=6)
    assert np.nanmedian(np.abs(found[3].xy[0] - found[0].xy[0])) < 3


@pytest.mark.parametrize(("left", "top", "right", "bottom"), [(300, 0, 200, 0), (0, 150, 0, 250)])
def test_landscape_and_portrait(
    dance: list[NDArray[np.uint8]], left: int, top: int, right: int, bottom: int
) -> None:
    padded = np.pad(dance[0], ((top, bottom), (left, right), (0, 0)), mode="edge")
    (plain,) = BlazePose(threshold=0.0).detect([dance[0]])
    (moved,) = BlazePose(threshold=0.0).detect([padded])
    assert moved.mask is not None and moved.mask.shape[1:] == padded.shape[:2]
    assert np.nanmedian(moved.xy - plain.xy, axis=(0, 1)) == pytest.approx((left, top), abs=3)
    offset = moved.box - plain.box
    assert offset[0] == pytest.approx((left, top, left, top), abs=12)


def test_a_person_on_their_side(backend: BlazePose, dance: list[NDArray[np.uint8]]) -> None:
    (upright,) = backend.detect([dance[0]])
    (turned,) = backend.detect([np.rot90(dance[0], -1)])
    x, y = np.moveaxis(upright.xy[0], -1, 0)
    expected = np.stack((511 - y, x), -1)
    assert np.nanmedian(np.linalg.norm(turned.xy[0] - expected, axis=-1)) < 6


def test_joints_outside_of_the_frame_are_missing(backend: BlazePose, dance: list[NDArray[np.uint8]]) -> None:
    (whole,) = backend.detect([dance[0]])
    hips = int(
        np.nanmean([whole.xy[0, backend.spec.skeleton.index(f"{s}_hip"), 1] for s in ("left", "right")])
    )
    cut = np.ascontiguousarray(dance[0][: hips + 20])
    (found,) = BlazePose(threshold=0.0).detect([cut])
    feet = [
        backend.spec.skeleton.index(f"{side}_{j}") for side in ("left", "right") for j in ("ankle", "heel")
    ]
    assert (found.score[0, feet] == 0).all() and np.isnan(found.xy[0, feet]).all()
    inside = np.isfinite(found.xy[0]).all(1)
    assert inside[:13].all()
    assert (found.xy[0, inside] >= -0.5).all() and (found.xy[0, inside, 1] <= hips + 19.5).all()
    assert found.box[0, 3] <= hips + 19.5


def test_the_threshold_only_drops(dance: list[NDArray[np.uint8]]) -> None:
    def run(threshold: float) -> Detections:
        return next(iter(BlazePose(threshold=threshold, tracking=False).detect(dance[:1])))

    everything, sure = run(0.0), run(0.999)
    kept = sure.score > 0
    assert 0 < kept.sum() < 33
    assert (everything.score[kept] == sure.score[kept]).all() and (sure.score[kept] >= 0.999).all()
    assert (everything.xy[kept] == sure.xy[kept]).all()
    assert (everything.score[~kept] < 0.999).all()


def test_nobody_passes_impossible_thresholds(dance: list[NDArray[np.uint8]]) -> None:
    assert [len(found) for found in BlazePose(detection_threshold=1.0).detect(dance[:2])] == [0, 0]
    assert [len(found) for found in BlazePose(tracking_threshold=1.0).detect(dance[:2])] == [0, 0]


def test_wrong_frames_and_devices_are_refused(backend: BlazePose) -> None:
    with pytest.raises(ValueError, match=r"shape \(8, 8\)"):
        list(backend.detect([np.zeros((8, 8), np.uint8)]))
    with pytest.raises(ValueError, match="float64"):
        list(backend.detect([np.zeros((8, 8, 3))]))
    with pytest.raises(UsageError, match="nonsense"):
        BlazePose(device="nonsense")


def test_views_of_other_arrays_are_frames_too(backend: BlazePose, dance: list[NDArray[np.uint8]]) -> None:
    mirrored = dance[0][:, ::-1]
    (found,) = backend.detect([mirrored])
    (copied,) = backend.detect([mirrored.copy()])
    assert np.array_equal(found.xy, copied.xy, equal_nan=True)


@pytest.mark.shared
@pytest.mark.parametrize("clip", ["source_dance", "target_truth"])
def test_hidden_joints_included_on_dancefloor(backend: BlazePose, shared: Path, clip: str) -> None:
    """As `dancefloor/verify.py` counts, every tenth frame; the whole of it is `benchmarks/pose.py`."""
    with np.load(shared / "data" / "dancefloor" / f"{clip}.npz") as data:
        names, keypoints = data["names"].tolist(), data["keypoints"][::10]
        depth = (data["keypoints3d"] - data["camera_eye"]) @ data["camera_R"][2]
        hips = [names.index("left_hip"), names.index("right_hip")]
        height = (data["camera_f"] * data["person_height"] / depth[:, hips].mean(1))[::10]
    frames = decode(shared / "data" / "dancefloor" / f"{clip}.mp4", list(range(0, 10 * len(keypoints), 10)))
    ours = [backend.spec.skeleton.index(name) for name in names[:17]]
    errors = []
    for number, found in enumerate(BlazePose(tracking=False).detect(frames)):
        assert len(found) == 1
        error = np.linalg.norm(found.xy[0, ours] - keypoints[number, :17], axis=1) / height[number]
        errors.append(np.nan_to_num(error, nan=np.inf))
    assert np.median(errors) <= 0.015
