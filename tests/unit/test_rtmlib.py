"""What comes back from the networks of `make_onnx`: people at their pixels, and what the backend says of itself."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from make_onnx import JOINTS, Graph, backend, detector, dots, planted_simcc, rtmo, simcc, two_people
from pydantic import TypeAdapter, ValidationError

from dancekit.contracts import PoseBackend
from dancekit.pose.rtmlib import RTMLib
from dancekit.pose.rtmlib_models import DETECTORS, POSES
from dancekit.types import Detections

SIZES = {"landscape": (640, 360), "portrait": (360, 640), "odd": (333, 251)}

# ---- the way there and back ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("model", ["wholebody", "body_with_feet"])
def test_top_down_dots_come_back_to_their_pixels(tmp_path: Path, model: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    _, boxes = two_people(size, rng)
    pose = backend(tmp_path, model, size, boxes)
    truth = np.array([two_people(size, rng)[0] for _ in range(6)])
    found = list(pose.detect(dots(size, people) for people in truth))
    joints = np.arange(JOINTS[model]) % 3
    assert all(len(people) == 2 and people.xy.shape == (2, JOINTS[model], 2) for people in found)
    error = np.array([people.xy for people in found]) - truth[:, :, joints]
    # a bin is half a pixel of the crop, which shows 1.25 boxes, made as wide or as high as needed for 3:4
    sides = np.array([[b[2] - b[0], b[3] - b[1]] for b in boxes]) * 1.25
    pixel = np.maximum(sides[:, 0] / 192, sides[:, 1] / 256)
    assert (np.abs(error).max(axis=(0, 2, 3)) <= 0.5 * pixel + 0.35).all()
    assert (np.abs(error.mean(axis=(0, 2))) < 0.3).all(), "a shift: the pixel convention is broken"
    np.testing.assert_allclose(found[0].box, boxes, atol=0.01)
    assert all(people.mask is None and people.score.max() <= 1 for people in found)


@pytest.mark.parametrize("size", [*SIZES.values(), (1280, 720), (720, 1280), (320, 320), (200, 120)])
def test_rtmo_dots_come_back_to_their_pixels(tmp_path: Path, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    rows = size[1] > size[0]
    pose = RTMLib(model="rtmo", pose_path=rtmo(tmp_path / "rtmo.onnx", 320, rows=rows))
    scale = max(1.0, max(size) / 320)
    errors = []
    for _ in range(3):
        # the longer side fills the network's input, and each of its halves holds one person
        truth = rng.uniform([[[0.12, 0.2]], [[0.62, 0.2]]], [[[0.38, 0.8]], [[0.88, 0.8]]], (2, 3, 2))
        truth = (truth[..., ::-1] if rows else truth) * size
        (found,) = pose.detect([dots(size, truth, sigma=3 * scale)])
        assert len(found) == 2, "the third box is the first again, the fourth is too unsure"
        errors.append(found.xy - truth[:, 2 - np.arange(17) % 3])  # RTMO was trained on BGR: blue first
        np.testing.assert_allclose(found.score, 0.9, atol=1e-6)
    # sub-pixel: rtmlib's own way back is off by (scale - 1) / 2, 1.5 px at 1280
    assert np.abs(errors).max() < 0.12 * scale and np.abs(np.mean(errors)) < 0.05 * scale


def test_order_of_joints_and_missing_ones(tmp_path: Path) -> None:
    """Bins planted for each joint: a different place for each, some beyond the frame, some without a peak."""
    size, frame_size = (192, 256), (640, 360)
    rng = np.random.default_rng(2)
    bins = np.stack([rng.integers(0, 384, 26), rng.integers(0, 512, 26)], 1)
    box = (200.0, 40.0, 320.0, 340.0)
    pose = RTMLib(
        model="body_with_feet",
        pose_path=planted_simcc(tmp_path / "p.onnx", bins, size, value=0.6),
        detector_path=detector(tmp_path / "d.onnx", [box, (-60.0, -50.0, 60.0, 200.0)], frame_size),
    )
    (found,) = pose.detect([np.zeros((360, 640, 3), np.uint8)])
    assert len(found) == 2
    for person, (left, top, right, bottom) in enumerate([box, (-60.0, -50.0, 60.0, 200.0)]):
        # independent of rtmlib: the crop is the box, 1.25 times as large and then 3:4, corner on corner
        width, height = (right - left) * 1.25, (bottom - top) * 1.25
        width, height = max(width, height * 0.75), max(height, width / 0.75)
        corner = np.array([(left + right - width) / 2, (top + bottom - height) / 2])
        expected = corner + bins / 2 / size * np.array([width, height])
        inside = ((expected >= -0.5) & (expected <= np.array(frame_size) - 0.5)).all(1)
        np.testing.assert_allclose(found.xy[person, inside], expected[inside], atol=0.02)
        assert np.isnan(found.xy[person, ~inside]).all() and (found.score[person, ~inside] == 0).all()
        np.testing.assert_allclose(found.score[person, inside], 0.6, atol=1e-6)
    assert np.isnan(found.xy[1]).any() and np.isfinite(found.xy[1]).any()


def test_channel_order_is_each_networks_own(tmp_path: Path) -> None:
    """YOLOX was trained on BGR: only a network that sees blue first finds this person."""
    size, box = (320, 240), (100.0, 40.0, 220.0, 200.0)
    frame = np.zeros((240, 320, 3), np.uint8)
    frame[100:140, 140:180, 2] = 255
    pose = RTMLib(
        model="body_with_feet",
        pose_path=simcc(tmp_path / "p.onnx", 26, (192, 256)),
        detector_path=detector(tmp_path / "d.onnx", [box], size, depends_on_blue=True),
        threshold=0.5,
    )
    (found,) = pose.detect([frame])
    # RTMPose on RGB: blue is joints 2, 5, 8, ...
    assert len(found) == 1
    np.testing.assert_array_equal(np.flatnonzero(found.score[0]), np.arange(2, 26, 3))
    assert not len(next(pose.detect([frame[..., ::-1]])))


# ---- people ----------------------------------------------------------------------------------------------


def test_nobody_is_nobody(tmp_path: Path) -> None:
    """rtmlib takes the whole frame for a person when there is no box, and gives zeros for RTMO."""
    empty = np.zeros((360, 640, 3), np.uint8)
    pose = backend(tmp_path, "wholebody", (640, 360), [])
    assert [len(people) for people in pose.detect([empty, empty])] == [0, 0]
    one_stage = backend(tmp_path, "rtmo", (640, 360), person_threshold=0.95)
    (found,) = one_stage.detect([empty])
    assert found.xy.shape == (0, 17, 2)
    # found, but without a joint: left out
    (found,) = backend(tmp_path, "rtmo", (640, 360)).detect([empty])
    assert len(found) == 0


def test_unsure_other_and_degenerate_boxes_are_left_out(tmp_path: Path) -> None:
    size = (640, 360)
    people, boxes = two_people(size, np.random.default_rng(3))
    path = detector(
        tmp_path / "d.onnx",
        [boxes[0], boxes[1], boxes[0], (100.0, 100.0, 100.2, 200.0)],
        size,
        scores=(0.9, 0.49, 0.8, 0.9),
        labels=(0, 0, 16, 0),
    )
    pose = RTMLib(pose_path=simcc(tmp_path / "p.onnx", 133, (192, 256)), detector_path=path)
    (found,) = pose.detect([dots(size, people)])
    assert len(found) == 1
    np.testing.assert_allclose(found.box, [boxes[0]], atol=0.01)
    surer = RTMLib(pose_path=pose._pose.name, detector_path=path, person_threshold=0.95)
    assert not len(next(surer.detect([dots(size, people)])))


def test_raw_yolox_without_nms(tmp_path: Path) -> None:
    """Objectness and 80 classes at strides 8, 16, 32: decoded, thinned out, people only."""
    size, side = (320, 320), 320
    cells = sum((side // stride) ** 2 for stride in (8, 16, 32))
    raw = np.zeros((1, cells, 85), np.float32)
    boxes = np.array([[40, 80, 120, 280], [200, 60, 290, 300]], float)
    for person, box in enumerate([*boxes, boxes[0] + 2, boxes[1]]):
        stride, offset = 16, (side // 8) ** 2
        centre, extent = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        cell = (centre // stride).astype(int) + np.array([0, person // 2])
        row = offset + cell[1] * (side // stride) + cell[0]
        raw[0, row, :2] = centre / stride - cell
        raw[0, row, 2:4] = np.log(extent / stride)
        raw[0, row, 4] = 0.9 - 0.1 * person
        raw[0, row, 5 + (16 if person == 3 else 0)] = 1.0  # the fourth is a dog
    g = Graph()
    zero = g("Mul", g("ReduceMax", "input", axes=[1, 2, 3], keepdims=0), g.const(0.0))
    g("Add", g("Reshape", zero, g.const([1, 1, 1], np.int64)), g.const(raw), to="output")
    path = g.save(tmp_path / "raw.onnx", [1, 3, side, side], {"output": [1, cells, 85]})
    pose = RTMLib(pose_path=simcc(tmp_path / "p.onnx", 133, (192, 256)), detector_path=path)
    (found,) = pose.detect([dots(size, np.array([[[80, 150]] * 3, [[240, 150]] * 3]))])
    np.testing.assert_allclose(found.box, boxes, atol=0.01)


def test_detector_runs_every_nth_frame_and_when_somebody_is_lost(tmp_path: Path, monkeypatch) -> None:
    size = (640, 360)
    rng = np.random.default_rng(4)
    people, boxes = two_people(size, rng)
    pose = backend(tmp_path, "wholebody", size, boxes, detect_every=4, threshold=0.3)
    asked = []
    real = RTMLib._people
    monkeypatch.setattr(RTMLib, "_people", lambda self, *a: asked.append(len(seen)) or real(self, *a))
    seen: list[Detections] = []
    empty = np.zeros((360, 640, 3), np.uint8)
    clip = [dots(size, people + t) for t in range(6)] + [empty, empty, dots(size, people), dots(size, people)]
    for found in pose.detect(clip):
        seen.append(found)
    assert asked == [0, 4, 7, 8]
    assert [len(found) for found in seen] == [2] * 6 + [0, 0, 2, 2]
    for t in range(6):
        assert np.abs(seen[t].xy - (people + t)[:, np.arange(133) % 3]).max() < 1.5


def test_batches_of_any_kind_give_the_same(tmp_path: Path) -> None:
    size = (640, 360)
    people, boxes = two_people(size, np.random.default_rng(5))
    three = [*boxes, boxes[0]]
    found = []
    for batch in ("batch", 1, 2):
        pose = RTMLib(
            pose_path=simcc(tmp_path / f"p{batch}.onnx", 133, (192, 256), batch=batch),
            detector_path=detector(tmp_path / "d.onnx", three, size),
        )
        found.append(next(pose.detect([dots(size, people)])))
    assert all(len(one) == 3 for one in found)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].xy, other.xy)
        np.testing.assert_array_equal(found[0].score, other.score)


def test_lazy_and_strict_about_frames(tmp_path: Path) -> None:
    pose = backend(tmp_path, "rtmo", (640, 360))

    def endless() -> Iterable[np.ndarray]:
        while True:
            yield np.zeros((36, 64, 3), np.uint8)

    stream = pose.detect(endless())
    assert len(next(stream)) == 0 and len(next(stream)) == 0
    for bad in (
        np.zeros((36, 64), np.uint8),
        np.zeros((36, 64, 3), np.float32),
        np.zeros((36, 64, 4), np.uint8),
    ):
        with pytest.raises(ValueError, match="expected \\(H, W, 3\\) uint8"):
            next(pose.detect([bad]))


# ---- what it says of itself ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "skeleton"),
    [("wholebody", "wholebody_133"), ("body_with_feet", "halpe_26"), ("rtmo", "coco_17")],
)
def test_spec(tmp_path: Path, model: str, skeleton: str) -> None:
    pose = backend(tmp_path, model, (640, 360), [])
    assert isinstance(pose, PoseBackend) and pose.version == 1
    assert pose.spec.skeleton.name == skeleton and pose.spec.max_people is None and not pose.spec.gives_mask
    assert pose.provider == "CPUExecutionProvider"
    file = tmp_path / ("rtmo.onnx" if model == "rtmo" else "pose.onnx")
    assert pose.spec.weights["pose"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert pose.spec.weights.keys() == ({"pose"} if model == "rtmo" else {"pose", "detector"})


def test_parameters_are_a_schema() -> None:
    parameters = inspect.signature(RTMLib).parameters
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in parameters.values())
    hints = inspect.get_annotations(RTMLib.__init__, eval_str=True)
    for name, bad in (
        ("model", "body"),
        ("mode", "fast"),
        ("threshold", 2),
        ("detect_every", 0),
        ("person_threshold", 0.1),
    ):
        with pytest.raises(ValidationError):
            TypeAdapter(hints[name]).validate_python(bad)
    for name in parameters:
        TypeAdapter(hints[name]).validate_python(parameters[name].default)
        assert f"        {name}: " in (RTMLib.__doc__ or ""), f"{name} is not documented"


def test_the_table_of_files_is_rtmlibs() -> None:
    """The oracle is the installed rtmlib: same addresses, same input sizes."""
    from rtmlib import Body, BodyWithFeet, Wholebody

    modes = {"wholebody": Wholebody.MODE, "body_with_feet": BodyWithFeet.MODE, "rtmo": Body.RTMO_MODE}
    for (model, mode), file in POSES.items():
        entry = modes[model][mode]
        assert (file.url, file.size) == (entry["pose"], entry["pose_input_size"])
        if model != "rtmo":
            finder = DETECTORS[model, mode]
            assert (finder.url, finder.size) == (entry["det"], entry["det_input_size"])
    for file in {*POSES.values(), *DETECTORS.values()}:
        assert file.sha256 is None or (len(file.sha256) == 64 and set(file.sha256) <= set("0123456789abcdef"))
