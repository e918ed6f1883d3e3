"""The networks here are tiny ONNX graphs with the real names and shapes; most look at the picture, so that a
dot at a known pixel has to come back from the whole way: crop or letterbox, network, decoding, way back."""

from __future__ import annotations

import hashlib
import inspect
import logging
import zipfile
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from pydantic import TypeAdapter, ValidationError

from dancekit.contracts import PoseBackend
from dancekit.errors import ChecksumError, DancekitError, IncompatibleParts, OfflineError, UsageError
from dancekit.pose import rtmlib_session
from dancekit.pose.rtmlib import RTMLib
from dancekit.pose.rtmlib_models import DETECTORS, POSES
from dancekit.types import Detections

SIZES = {"landscape": (640, 360), "portrait": (360, 640), "odd": (333, 251)}
JOINTS = {"wholebody": 133, "body_with_feet": 26, "rtmo": 17}


# ---- building networks -----------------------------------------------------------------------------------


class Graph:
    """A few lines around onnx.helper."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def const(self, value: object, dtype: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def __call__(self, kind: str, *inputs: str, to: str | None = None, **attributes: object) -> str:
        name = to or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def save(
        self, path: Path, shape: list, outputs: dict[str, list], types: dict[str, int] | None = None
    ) -> str:
        kinds = types or {}
        graph = helper.make_graph(
            self.nodes,
            "planted",
            [helper.make_tensor_value_info("input", kinds.get("input", TensorProto.FLOAT), shape)],
            [
                helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), sides)
                for name, sides in outputs.items()
            ],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model)
        onnx.save(model, path)
        return str(path)


def simcc(
    path: Path, joints: int, size: tuple[int, int], *, batch: object = "batch", mark: bool = True
) -> str:
    """Joint k is the brightest place of channel k % 3 (of the normalized crop): bin 2u is pixel u."""
    g, (width, height) = Graph(), size
    channels = g.const(np.arange(joints) % 3, np.int64)
    picked = g("Gather", "input", channels, axis=1)
    for name, axis in (("simcc_x", 2), ("simcc_y", 3)):
        profile = g("ReduceMax", picked, axes=[axis], keepdims=0)
        # the two bins of a pixel: the pixel itself and half-way to the next
        after = g(
            "Concat",
            g("Slice", profile, *_slice(g, 1, 9999)),
            g("Slice", profile, *_slice(g, -1, 9999)),
            axis=2,
        )
        between = g("Mul", g("Add", profile, after), g.const(0.5))
        pairs = g("Concat", *(g("Unsqueeze", p, g.const([3], np.int64)) for p in (profile, between)), axis=3)
        g("Reshape", pairs, g.const([0, joints, -1], np.int64), to=name)
    outputs = {"simcc_x": [batch, joints, 2 * width], "simcc_y": [batch, joints, 2 * height]}
    return g.save(path, [batch, 3, height, width], outputs)


def _slice(g: Graph, start: int, end: int) -> list[str]:
    return [g.const([start], np.int64), g.const([end], np.int64), g.const([2], np.int64)]


def planted_simcc(path: Path, bins: np.ndarray, size: tuple[int, int], value: float = 1.0) -> str:
    """Whatever the picture: joint k of everybody peaks at bins (K, 2) of x and y."""
    g, joints = Graph(), len(bins)
    zero = g("Mul", g("ReduceMax", "input", axes=[1, 2, 3], keepdims=1), g.const(0.0))
    zero = g("Squeeze", zero, g.const([3], np.int64))
    for axis, name in enumerate(("simcc_x", "simcc_y")):
        peaks = np.zeros((1, joints, 2 * size[axis]), np.float32)
        peaks[0, np.arange(joints), bins[:, axis]] = value
        g("Add", zero, g.const(peaks), to=name)
    outputs = {"simcc_x": ["b", joints, 2 * size[0]], "simcc_y": ["b", joints, 2 * size[1]]}
    return g.save(path, ["b", 3, size[1], size[0]], outputs)


def detector(
    path: Path,
    boxes: Iterable[tuple[float, ...]],
    frame: tuple[int, int],
    *,
    side: int = 320,
    scores: Iterable[float] = (0.9, 0.8, 0.7, 0.6),
    labels: Iterable[int] = (0, 0, 0, 0),
    free: bool = False,
    depends_on_blue: bool = False,
) -> str:
    """MMDeploy's YOLOX with NMS: `dets` (1, N, 5) and `labels` (1, N) at boxes given in frame pixels."""
    g = Graph()
    ratio = min(side / frame[0], side / frame[1])
    rows = [[*np.array(box) * ratio, score] for box, score in zip(boxes, scores, strict=False)]
    dets = g.const(np.array(rows, np.float32).reshape(1, -1, 5))
    # 1 where the first channel holds something white, 0 where it is black (0 .. 114 is padding)
    lit = g(
        "Max", g("Sub", g("ReduceMax", "input", axes=[1, 2, 3], keepdims=0), g.const(254.0)), g.const(1.0)
    )
    if depends_on_blue:
        first = g("Slice", "input", g.const([0], np.int64), g.const([1], np.int64), g.const([1], np.int64))
        lit = g("Div", g("ReduceMax", first, axes=[1, 2, 3], keepdims=0), g.const(255.0))
    g("Mul", dets, g("Reshape", lit, g.const([1, 1, 1], np.int64)), to="dets")
    g("Identity", g.const(np.array([list(labels)[: len(rows)]]), np.int64), to="labels")
    sides = ["h", "w"] if free else [side, side]
    return g.save(
        path,
        ["batch", 3, *sides],
        {"dets": ["b", "n", 5], "labels": ["b", "n"]},
        {"labels": TensorProto.INT64},
    )


def rtmo(path: Path, side: int, joints: int = 17, *, rows: bool = False) -> str:
    """Two people, one in each half of the input; joint k is the centre of mass of channel k % 3 above grey.

    The halves lie side by side, or one above the other (`rows`).
    """
    g = Graph()
    bright = g("Relu", g("Sub", "input", g.const(120.0)))
    u = np.arange(side, dtype=np.float32)
    first = (u < side / 2).astype(np.float32).reshape((1, 1, -1, 1) if rows else (1, 1, 1, -1))
    found = []
    for half in (first, 1 - first):
        mine = g("Mul", bright, g.const(half))
        mass = g("Add", g("ReduceSum", mine, g.const([2, 3], np.int64), keepdims=0), g.const(1e-6))
        axes = []
        for ramp in (u.reshape(1, 1, 1, -1), u.reshape(1, 1, -1, 1)):
            moment = g("ReduceSum", g("Mul", mine, g.const(ramp)), g.const([2, 3], np.int64), keepdims=0)
            axes.append(g("Unsqueeze", g("Div", moment, mass), g.const([2], np.int64)))
        score = g("Clip", mass, g.const(0.0), g.const(0.9))
        axes.append(g("Unsqueeze", score, g.const([2], np.int64)))
        channels = g.const(np.arange(joints) % 3, np.int64)
        found.append(
            g("Unsqueeze", g("Gather", g("Concat", *axes, axis=2), channels, axis=1), g.const([1], np.int64))
        )
    # third row: the first person again, with a lower score and nearly the same box; fourth: not sure enough
    g("Concat", found[0], found[1], found[0], found[0], axis=1, to="keypoints")
    half = side / 2
    dets = [[0, 0, half, side, 0.9], [half, 0, side, side, 0.8], [4, 4, half, side, 0.7], [0, 0, 9, 9, 0.2]]
    g("Identity", g.const([dets]), to="dets")
    return g.save(path, ["b", 3, side, side], {"dets": ["b", "n", 5], "keypoints": ["b", "n", joints, 3]})


def dots(size: tuple[int, int], people: np.ndarray, sigma: float = 3.0) -> np.ndarray:
    """A black frame with a red, a green and a blue dot for each person; people (P, 3, 2) pixels (centres)."""
    frame = np.zeros((size[1], size[0], 3))
    x, y = np.arange(size[0]), np.arange(size[1])[:, None]
    for person in people:
        for channel, (cx, cy) in enumerate(person):
            blob = 255 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2))
            frame[..., channel] = np.maximum(frame[..., channel], blob)
    return frame.round().astype(np.uint8)


def two_people(size: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, list[tuple[float, ...]]]:
    """(2, 3, 2) dots and two boxes, so far apart that neither crop shows the other person."""
    width, height = size
    tall = min(width / 2, height) / 1.3
    boxes = []
    for cx, cy in ((width / 4, 0.45 * height), (3 * width / 4, 0.55 * height)):
        boxes.append((cx - 0.35 * tall, cy - 0.5 * tall, cx + 0.35 * tall, cy + 0.5 * tall))
    inner = [((left + 8, top + 8), (right - 8, bottom - 8)) for left, top, right, bottom in boxes]
    return np.array([[rng.uniform(low, high) for _ in range(3)] for low, high in inner]), boxes


def backend(
    tmp_path: Path, model: str, size: tuple[int, int], boxes: Iterable = (), **options: object
) -> RTMLib:
    if model == "rtmo":
        return RTMLib(model="rtmo", pose_path=rtmo(tmp_path / "rtmo.onnx", 320), **options)
    return RTMLib(
        model=model,
        pose_path=simcc(tmp_path / "pose.onnx", JOINTS[model], (192, 256)),
        detector_path=detector(tmp_path / "det.onnx", boxes, size),
        **options,
    )


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


# ---- files -----------------------------------------------------------------------------------------------


def test_offline_without_weights() -> None:
    with pytest.raises(OfflineError) as caught:
        RTMLib()
    text = str(caught.value)
    assert caught.value.exit_code == 5
    assert "rtmw-dw-x-l_simcc-cocktail14_270e-256x192_20231122.zip is missing" in text
    assert "https://download.openmmlab.com/mmpose/v1/projects/rtmw/onnx_sdk/rtmw-dw-x-l" in text
    assert "pose.name=blazepose, which needs no download" in text and "pose.pose_path=FILE.onnx" in text
    assert "trust_first_download" not in text, "its sha256 is known"


def test_unknown_digest_needs_a_word_of_the_user(monkeypatch) -> None:
    monkeypatch.setenv("DANCEKIT_OFFLINE", "0")
    with pytest.raises(ChecksumError) as caught:
        RTMLib(model="rtmo")
    text = str(caught.value)
    assert caught.value.exit_code == 4
    for part in (
        "no sha256 is known",
        "rtmo-m",
        "pose.pose_path=",
        "pose.pose_sha256=",
        "trust_first_download=true",
        "blazepose",
    ):
        assert part in text


def test_from_the_cache_as_a_zip(tmp_path: Path, monkeypatch) -> None:
    """What a download leaves: a zip with the ONNX file somewhere in it."""
    monkeypatch.setenv("DANCEKIT_CACHE", str(tmp_path))
    folder = tmp_path / "weights"
    folder.mkdir()
    known = POSES["rtmo", "balanced"]
    network = Path(rtmo(tmp_path / "end2end.onnx", 320)).read_bytes()
    with zipfile.ZipFile(folder / known.filename, "w") as archive:
        archive.writestr("20231211/rtmo/end2end.onnx", network)
        archive.writestr("20231211/rtmo/deploy.json", "{}")
    digest = hashlib.sha256((folder / known.filename).read_bytes()).hexdigest()
    with pytest.raises(ChecksumError, match="no sha256 is known"):
        RTMLib(model="rtmo")
    pose = RTMLib(model="rtmo", pose_sha256=digest)
    assert pose.spec.weights["pose"] == hashlib.sha256(network).hexdigest()
    assert RTMLib(model="rtmo", trust_first_download=True).spec == pose.spec
    assert RTMLib(model="rtmo").spec == pose.spec, "noted"
    with pytest.raises(ChecksumError, match=f"{digest}, expected {'0' * 64}"):
        RTMLib(model="rtmo", pose_sha256="0" * 64)
    assert sorted(file.name for file in folder.iterdir()) == [known.filename + ".sha256"], (
        "the bad file is gone"
    )


def test_local_paths(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pose\.pose_path=.*none\.onnx: no such file"):
        RTMLib(model="rtmo", pose_path=str(tmp_path / "none.onnx"))
    path = rtmo(tmp_path / "r.onnx", 320)
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    RTMLib(model="rtmo", pose_path=path, pose_sha256=digest.upper())
    with pytest.raises(ChecksumError, match=f"{digest}, expected"):
        RTMLib(model="rtmo", pose_path=path, pose_sha256="0" * 64)
    (tmp_path / "t.onnx").write_text("this is no network")
    with pytest.raises(DancekitError, match=r"t\.onnx is not an ONNX file"):
        RTMLib(model="rtmo", pose_path=str(tmp_path / "t.onnx"))
    with pytest.raises(UsageError, match="mean nothing"):
        RTMLib(model="rtmo", pose_path=path, detect_every=2)


def test_input_size_comes_from_the_file(tmp_path: Path) -> None:
    """A 384x288 network works under any mode; a file without fixed sides takes the mode's."""
    size = (640, 360)
    people, boxes = two_people(size, np.random.default_rng(6))
    large = simcc(tmp_path / "p.onnx", 133, (288, 384))
    pose = RTMLib(
        pose_path=large, detector_path=detector(tmp_path / "d.onnx", boxes, size), mode="lightweight"
    )
    (found,) = pose.detect([dots(size, people)])
    assert pose._pose.size == (288, 384)
    assert np.abs(found.xy - people[:, np.arange(133) % 3]).max() < 1.0
    free = detector(tmp_path / "free.onnx", boxes, size, side=416, free=True)
    pose = RTMLib(pose_path=large, detector_path=free, mode="lightweight")
    (found,) = pose.detect([dots(size, people)])
    np.testing.assert_allclose(found.box, boxes, atol=0.01)


def test_wrong_networks_are_named(tmp_path: Path) -> None:
    whole = simcc(tmp_path / "whole.onnx", 133, (192, 256))
    body = simcc(tmp_path / "body.onnx", 17, (192, 256))
    one_stage, finder = rtmo(tmp_path / "rtmo.onnx", 320), detector(tmp_path / "d.onnx", [], (640, 360))
    for model, path, hint in (
        ("body_with_feet", whole, "looks like pose.model=wholebody"),
        ("rtmo", whole, "looks like pose.model=wholebody"),
        ("wholebody", one_stage, "looks like pose.model=rtmo"),
        ("wholebody", body, "pose_path takes RTMW"),
        ("rtmo", finder, "pose_path takes RTMW"),
    ):
        with pytest.raises(IncompatibleParts, match=f"not a network of model={model}.*{hint}") as caught:
            RTMLib(model=model, pose_path=path, **({} if model == "rtmo" else {"detector_path": finder}))
        assert path in str(caught.value)
    for path in (whole, one_stage):
        with pytest.raises(IncompatibleParts, match="is not a YOLOX detector"):
            RTMLib(pose_path=whole, detector_path=path)
    g = Graph()
    g("Identity", "input", to="simcc_x")
    text = g.save(tmp_path / "t.onnx", ["b", 7], {"simcc_x": ["b", 7]})
    with pytest.raises(IncompatibleParts, match="does not take an image"):
        RTMLib(pose_path=text, detector_path=finder)


def test_bins_that_do_not_fit_the_input(tmp_path: Path) -> None:
    """A SimCC network with another split ratio would put every joint wrong: refused when it first answers."""
    size = (640, 360)
    people, boxes = two_people(size, np.random.default_rng(7))
    wrong = planted_simcc(tmp_path / "p.onnx", np.zeros((133, 2), int), (288, 384))
    model = onnx.load(wrong)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 256
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 192
    onnx.save(model, wrong)
    pose = RTMLib(pose_path=wrong, detector_path=detector(tmp_path / "d.onnx", boxes, size))
    with pytest.raises(
        DancekitError, match=r"gave simcc_x of shape \(2, 133, 576\), expected \(2, 133, 384\)"
    ):
        next(pose.detect([dots(size, people)]))


# ---- devices ---------------------------------------------------------------------------------------------


def test_no_silent_fallback(tmp_path: Path, caplog) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime can run on CUDA")
    path = rtmo(tmp_path / "r.onnx", 320)
    for device in ("cuda", "cuda:1"):
        with pytest.raises(DancekitError, match="CUDAExecutionProvider is not part of") as caught:
            RTMLib(model="rtmo", pose_path=path, device=device)
        assert "onnxruntime-gpu" in str(caught.value) and "pose.allow_cpu_fallback=true" in str(caught.value)
    with caplog.at_level(logging.WARNING):
        pose = RTMLib(model="rtmo", pose_path=path, device="cuda", allow_cpu_fallback=True)
    assert pose.provider == "CPUExecutionProvider" and "would run on CPUExecutionProvider" in caplog.text
    with pytest.raises(UsageError, match="'tpu' is unknown"):
        RTMLib(model="rtmo", pose_path=path, device="tpu")


@pytest.mark.parametrize("starts", [True, False])
def test_a_provider_that_fails_to_start_is_noticed(tmp_path: Path, monkeypatch, starts: bool) -> None:
    """onnxruntime with CUDA but no usable GPU gives a CPU session without an error."""
    given = []
    real = onnxruntime.InferenceSession

    class Session:
        def __init__(self, content, options, providers) -> None:
            given.append(providers)
            self._real = real(content, options, providers=["CPUExecutionProvider"])

        def get_providers(self) -> list[str]:
            return [*(["CUDAExecutionProvider"] if starts else []), "CPUExecutionProvider"]

        def __getattr__(self, name: str):
            return getattr(self._real, name)

    monkeypatch.setattr(rtmlib_session.onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(
        rtmlib_session.onnxruntime,
        "get_available_providers",
        lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    path = rtmo(tmp_path / "r.onnx", 320)
    if starts:
        assert RTMLib(model="rtmo", pose_path=path, device="cuda:1").provider == "CUDAExecutionProvider"
        assert given == [[("CUDAExecutionProvider", {"device_id": 1}), "CPUExecutionProvider"]]
    else:
        with pytest.raises(DancekitError, match="CUDAExecutionProvider failed to start"):
            RTMLib(model="rtmo", pose_path=path, device="cuda")


def test_says_nothing_and_keeps_global_state(tmp_path: Path, capfd) -> None:
    threads = cv2.getNumThreads()
    pose = backend(tmp_path, "rtmo", (64, 36))
    list(pose.detect([np.zeros((36, 64, 3), np.uint8)]))
    assert capfd.readouterr() == ("", "") and cv2.getNumThreads() == threads
