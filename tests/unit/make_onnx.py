"""Tiny ONNX graphs with the names and shapes of the real networks; most look at the picture, so that a dot at a
known pixel has to come back from the whole way: crop or letterbox, network, decoding, way back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from dancekit.pose.rtmlib import RTMLib

JOINTS = {"wholebody": 133, "body_with_feet": 26, "rtmo": 17}


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
