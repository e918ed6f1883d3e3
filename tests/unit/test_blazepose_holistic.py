"""Body, hands and face: MediaPipe's own numbers on shipped frames, and how the backend behaves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from dancekit.contracts import PoseBackend
from dancekit.pose.blazepose import BlazePose
from dancekit.pose.blazepose_holistic import BlazePoseHolistic
from dancekit.pose.face_points import FACE_70
from dancekit.pose.holistic_parts import Part, _distinct
from dancekit.types import Detections, get_skeleton

FACE, LEFT, RIGHT = slice(33, 103), slice(103, 124), slice(124, 145)
PARTS = {"face": FACE, "left_hand": LEFT, "right_hand": RIGHT}


def decode(path: Path, frames: list[int]) -> list[NDArray[np.uint8]]:
    wanted = set(frames)
    with av.open(str(path)) as container:
        decoded = itertools.islice(container.decode(video=0), max(frames) + 1)
        return [frame.to_ndarray(format="rgb24") for number, frame in enumerate(decoded) if number in wanted]


@pytest.fixture(scope="module")
def golden(root: Path) -> dict[str, np.ndarray]:
    with np.load(root / "tests" / "golden" / "holistic" / "frames.npz") as data:
        return dict(data)


@pytest.fixture(scope="module")
def dance(root: Path) -> list[NDArray[np.uint8]]:
    return decode(root / "zoo" / "samples" / "source.mp4", list(range(6)))


@pytest.fixture(scope="module")
def backend() -> BlazePoseHolistic:
    return BlazePoseHolistic(batch=2)


@pytest.fixture(scope="module")
def found(backend: BlazePoseHolistic, dance: list[NDArray[np.uint8]]) -> list[Detections]:
    return list(backend.detect(dance))


@pytest.mark.parametrize("clip", ["source.mp4", "target.mp4", "truth.mp4"])
def test_hands_and_face_are_mediapipe_s(golden: dict[str, np.ndarray], root: Path, clip: str) -> None:
    frames = decode(root / "zoo" / "samples" / clip, golden[f"{clip}/index"].tolist())
    everything = BlazePoseHolistic(tracking=False, hand_threshold=0.0, face_threshold=0.0)
    compared = 0
    for number, detections in enumerate(everything.detect(frames)):
        for part, columns in PARTS.items():
            want = golden[f"{clip}/{part}"][number] * 512 - 0.5
            want = want[list(FACE_70)] if part == "face" else want
            presence = detections.score[0, columns].max()
            if np.isnan(want).all():
                assert presence < 0.55
                continue
            compared += 1
            assert presence > 0.45
            # 1 px is what is asked for; the same decoder gives 0.1 for faces, 0.75 for hands
            assert np.linalg.norm(detections.xy[0, columns] - want, axis=1).max() < 1.0, part
    assert compared >= 7


def test_it_keeps_the_contract(backend: BlazePoseHolistic, found: list[Detections]) -> None:
    assert isinstance(backend, PoseBackend)
    assert backend.spec.skeleton.id == "blazepose_33_face_hands@1" and backend.spec.max_people == 1
    assert backend.spec.gives_mask and backend.spec.licence == "Apache-2.0"
    assert sorted(backend.spec.weights) == [
        "blazepose_detector.safetensors",
        "blazepose_full.safetensors",
        "face_detector.safetensors",
        "face_mesh.safetensors",
        "hand_full.safetensors",
        "hand_recrop.safetensors",
    ]
    for detections in found:
        assert detections.xy.shape == (1, 145, 2) and detections.xy.dtype == np.float32
        assert detections.score.shape == (1, 145) and detections.score.dtype == np.float32
        assert detections.mask is not None and detections.mask.shape == (1, 512, 512)
        missing = detections.score == 0
        assert (np.isnan(detections.xy).all(-1) == missing).all()
        assert (np.isnan(detections.xy).any(-1) == missing).all()
        for columns in PARTS.values():  # a part is there as a whole, with one score
            assert len(set(detections.score[0, columns].tolist())) == 1


def test_the_body_is_blazepose_s(found: list[Detections], dance: list[NDArray[np.uint8]]) -> None:
    for ours, body in zip(found, BlazePose().detect(dance), strict=True):
        assert np.array_equal(ours.xy[:, :33], body.xy, equal_nan=True)
        assert np.array_equal(ours.score[:, :33], body.score) and np.array_equal(ours.box, body.box)


def test_hands_and_face_are_at_their_ends_of_the_body(found: list[Detections]) -> None:
    skeleton = get_skeleton("blazepose_33_face_hands")
    seen = 0
    for detections in found:
        xy, score = detections.xy[0], detections.score[0]
        height = detections.box[0, 3] - detections.box[0, 1]
        for one, other in (
            ("left_hand_0", "left_wrist"),
            ("right_hand_0", "right_wrist"),
            ("left_pupil", "left_eye"),
            ("right_pupil", "right_eye"),
            ("face_30", "nose"),
            ("face_54", "left_mouth"),
        ):
            a, b = skeleton.index(one), skeleton.index(other)
            if score[a] > 0:
                seen += 1
                assert np.linalg.norm(xy[a] - xy[b]) < 0.03 * height, (one, other)
    assert seen > 30


def test_batches_change_nothing(found: list[Detections], dance: list[NDArray[np.uint8]]) -> None:
    for one, other in zip(BlazePoseHolistic(batch=3).detect(dance[:3]), found, strict=False):
        assert np.allclose(one.xy, other.xy, atol=0.02, equal_nan=True)
        assert np.allclose(one.score, other.score, atol=1e-3)


def test_frames_are_read_a_batch_and_one_ahead(
    backend: BlazePoseHolistic, dance: list[NDArray[np.uint8]]
) -> None:
    read = 0

    def frames() -> Iterator[NDArray[np.uint8]]:
        nonlocal read
        for frame in dance:
            read += 1
            yield frame

    stream = backend.detect(frames())
    assert read == 0
    next(stream)
    assert read == 2
    next(stream)
    assert read == 4  # the mask of the second frame needs the third
    assert list(backend.detect([])) == []


def test_parts_can_be_left_out(dance: list[NDArray[np.uint8]], found: list[Detections]) -> None:
    body = BlazePoseHolistic(hands=False, face=False, mask_smoothing=0.0)
    assert sorted(body.spec.weights) == ["blazepose_detector.safetensors", "blazepose_full.safetensors"]
    (only,) = body.detect(dance[:1])
    assert np.isnan(only.xy[0, 33:]).all() and not only.score[0, 33:].any()
    assert np.array_equal(only.xy[0, :33], found[0].xy[0, :33], equal_nan=True)
    sure = BlazePoseHolistic(model="lite", hand_threshold=0.99999, face_threshold=1.0)
    assert {"blazepose_lite.safetensors", "hand_lite.safetensors"} < set(sure.spec.weights)
    sure.face_threshold = 1.01  # a face can be as sure as float32 can say
    (none,) = sure.detect(dance[:1])
    assert not none.score[0, 33:].any()


def test_the_mask_is_smoothed_with_both_neighbours(
    found: list[Detections], dance: list[NDArray[np.uint8]]
) -> None:
    plain = [d.mask[0].astype(int) for d in BlazePose().detect(dance[:3]) if d.mask is not None]
    assert found[1].mask is not None
    moved = found[1].mask[0] - plain[1]
    towards = (plain[0] + plain[2]) / 2 - plain[1]
    changed = moved != 0
    assert changed.any() and (np.sign(moved[changed]) == np.sign(towards[changed])).all()
    assert not changed[(plain[1] == 0) | (plain[1] == 255)].any()


def test_nobody_and_lost_and_found_again(dance: list[NDArray[np.uint8]]) -> None:
    empty = np.full_like(dance[0], 120)
    clip = [empty, dance[0], empty, dance[1]]
    everybody = list(BlazePoseHolistic(batch=3).detect(clip))
    assert [len(people) for people in everybody] == [0, 1, 0, 1]
    assert everybody[0].xy.shape == (0, 145, 2)
    plain = next(iter(BlazePose().detect([dance[0]])))
    assert plain.mask is not None and everybody[1].mask is not None
    assert np.array_equal(everybody[1].mask, plain.mask)  # no neighbour, nothing to smooth with


def test_a_face_elsewhere_than_the_body_s_is_not_theirs(
    backend: BlazePoseHolistic, dance: list[NDArray[np.uint8]]
) -> None:
    (body,) = BlazePose().look(dance[:1])
    assert body is not None and backend._face is not None
    (face,) = backend._face.find(dance[:1], [body])
    assert face is not None and face.presence > 0.5
    points = body.points.copy()
    points[:11] += 0.35 * np.ptp(points[:11], axis=0).max()
    assert backend._face.find(dance[:1], [body._replace(points=points)]) == [None]


def test_one_hand_looked_at_twice_is_the_more_visible_wrist_s() -> None:
    points = np.random.default_rng(0).uniform(0, 20, (21, 2))
    points[0], points[9] = (10, 30), (10, 10)
    left, near, far = Part(points, 0.9), Part(points + 5, 0.8), Part(points + 25, 0.8)
    body = type("Body", (), {})()
    body.visibility = np.zeros(33)
    body.visibility[[15, 16]] = 0.8, 0.9
    assert _distinct(left, near, body) == (None, near)
    body.visibility[[15, 16]] = 0.9, 0.8
    assert _distinct(left, near, body) == (left, None)
    assert _distinct(left, far, body) == (left, far)
    assert _distinct(left, None, body) == (left, None) and _distinct(None, far, body) == (None, far)


def test_no_hand_without_a_wrist(backend: BlazePoseHolistic, dance: list[NDArray[np.uint8]]) -> None:
    (body,) = BlazePose().look(dance[:1])
    assert body is not None and backend._hands is not None
    ((left, right),) = backend._hands.find(dance[:1], [body])
    assert left is not None and right is not None
    visibility = body.visibility.copy()
    visibility[15] = 0.05
    assert backend._hands.find(dance[:1], [body._replace(visibility=visibility)])[0][0] is None


def test_poses_convert_to_the_layouts_with_hands_and_face(found: list[Detections]) -> None:
    from dancekit.types.conversion import convert_keypoints

    source = get_skeleton("blazepose_33_face_hands")
    for name, known in (("wholebody_133", 131), ("blazepose_33", 33), ("body_25", 23)):
        target = get_skeleton(name)
        full = np.ones((1, 145), np.float32)
        xy, score = convert_keypoints(np.zeros((1, 145, 2)) + np.arange(145)[:, None], full, source, target)
        assert (score > 0).sum() == known, name
        if "face_30" in target:
            assert xy[0, target.index("face_30"), 0] == source.index("face_30")
            assert xy[0, target.index("left_hand_8"), 0] == source.index("left_hand_8")


@pytest.mark.shared
def test_large_heads_of_dancefloor(shared: Path) -> None:
    """Face and fingers against the truth, heads of 48 px and more: all of it is `benchmarks/holistic.py`."""
    with np.load(shared / "data" / "dancefloor" / "source_rest.npz") as data:
        names, keypoints = data["names"].tolist(), data["keypoints"]
        depth = (data["keypoints3d"] - data["camera_eye"]) @ data["camera_R"][2]
        head = 0.13 * data["camera_f"] * data["person_height"] / depth[:, 0]
    chosen = np.flatnonzero(head >= 48)[:24:5].tolist()
    frames = decode(shared / "data" / "dancefloor" / "source_rest.mp4", chosen)
    skeleton = get_skeleton("blazepose_33_face_hands")
    pairs = {"face_36": "right_eye_outer", "face_45": "left_eye_outer", "left_pupil": "left_eye"}
    faces, hands = [], []
    for number, detections in zip(chosen, BlazePoseHolistic(tracking=False).detect(frames), strict=True):
        for ours, theirs in pairs.items():
            point = detections.xy[0, skeleton.index(ours)]
            faces.append(np.linalg.norm(point - keypoints[number, names.index(theirs)]) / head[number])
        for side, columns in (("left", LEFT), ("right", RIGHT)):
            first = names.index(f"{side}_hand_wrist")
            errors = np.linalg.norm(detections.xy[0, columns] - keypoints[number, first : first + 21], axis=1)
            hands.append(errors.mean() / head[number])
    assert len(faces) == 15 and np.nanmedian(faces) < 0.04 and np.isnan(faces).mean() < 0.2
    assert np.isfinite(hands).sum() >= 5 and np.nanmedian(hands) < 0.08
