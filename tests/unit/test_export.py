"""Exported dancers: the graph paints what torch paints at any size and batch, and another program can use it."""

from __future__ import annotations

import ast
import json
import runpy
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from make_dancer import dance, make_dancer

from dancekit.build import build_runner
from dancekit.errors import DancekitError, PoseError, UsageError
from dancekit.renderers.sticks import Sticks
from dancekit.runners.graph_metadata import add_metadata, read_metadata
from dancekit.runners.int8 import last_convolutions
from dancekit.transfer import Dancer, int8
from dancekit.transfer.export import compare, export_dancer, exported_graph, whole_painter
from dancekit.transfer.whole_painter import random_inputs
from dancekit.types import get_skeleton
from dancekit.video import read_frames


@pytest.fixture(scope="module")
def dancer(tmp_path_factory: pytest.TempPathFactory) -> Dancer:
    return Dancer.load(make_dancer(tmp_path_factory.mktemp("dancer") / "dancer.safetensors"), device="cpu")


@pytest.fixture(scope="module")
def graph(dancer: Dancer) -> Any:
    """What `exported_graph` makes of the dancer, which takes seconds: once for the two files of it."""
    return exported_graph(dancer)


@pytest.fixture(scope="module")
def exported(dancer: Dancer, graph: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dancekit.transfer.export.exported_graph", lambda _: deepcopy(graph))
        made = export_dancer(dancer, tmp_path_factory.mktemp("exported") / "dancer.onnx")
    assert made.difference < 1e-4 and made.sizes == ((64, 64), (68, 64), (64, 72))
    return made.path


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def example(root: Path) -> dict[str, object]:
    return runpy.run_path(str(root / "examples" / "onnx_dancer.py"))


# ---- the graph


def test_inputs_outputs_and_their_sides(exported: Path) -> None:
    graph = session(exported)
    inputs = {each.name: each.shape for each in graph.get_inputs()}
    assert inputs["condition"] == ["batch", 3, "4*rows", "4*columns"] == [*inputs["state_image"]]
    assert inputs["plate"] == [1, 3, "4*rows", "4*columns"] and inputs["face"] == ["batch", 4]
    assert [each.name for each in graph.get_outputs()] == ["image", "matte", "next_image"]


@pytest.mark.parametrize(("batch", "size"), [(1, (64, 64)), (3, (96, 32)), (2, (32, 128))])
def test_it_paints_what_torch_paints(
    dancer: Dancer, exported: Path, batch: int, size: tuple[int, int]
) -> None:
    painter = whole_painter(dancer)
    given = random_inputs(painter, batch, size, seed=7)
    given["state_image"] = torch.rand(batch, 3, size[1], size[0]) * 2 - 1
    given["face"][0] = torch.nan
    with torch.inference_mode():
        expected = painter(*given.values())
    found = session(exported).run(None, {name: value.numpy() for name, value in given.items()})
    for one, other in zip(found, expected, strict=True):
        assert other.std() > 0.05
        np.testing.assert_allclose(one, other.numpy(), atol=2e-4)


def test_a_state_that_goes_round_paints_the_clip(dancer: Dancer, exported: Path) -> None:
    poses = dance((160, 120))[:5]
    expected = np.array(list(dancer.paint(poses)), int)
    found = [picture for _, picture in int8._play(session(exported), dancer, [poses], int8._plate(dancer))]
    assert np.abs(np.array(found, int) - expected).max() <= 2
    assert np.abs(np.diff(expected, axis=0)).mean() > 0.1


@pytest.mark.parametrize(
    ("changes", "inputs", "outputs"),
    [
        (
            ("temporal=recurrent", "temporal.n_down=2", "face=none", "background=painted"),
            ["condition", "state_image", "state_memory"],
            ["image", "next_image", "next_memory"],
        ),
    ],
)
def test_only_what_is_looked_at_goes_in(
    tmp_path: Path, changes: tuple[str, ...], inputs: list[str], outputs: list[str]
) -> None:
    other = Dancer.load(make_dancer(tmp_path / "d.safetensors", changes=changes), device="cpu")
    made = export_dancer(other, tmp_path / "d.onnx")
    assert [list(made.inputs), list(made.outputs)] == [inputs, outputs]
    about = read_metadata(onnx.load(made.path))
    assert [about["inputs"], about["outputs"]] == [inputs, outputs]
    assert list(about["state"]) == [name for name in inputs if name.startswith("state")]


def test_references_go_in_and_their_pixels_come_out(tmp_path: Path) -> None:
    """Among all that a generator of references gives is the share that is copied: the graph must compose it, too."""
    changes = ("reference={name: nearest, params: {bank: 4}}", "face=none")
    filmed = Dancer.load(make_dancer(tmp_path / "d.safetensors", changes=changes), device="cpu")
    made = export_dancer(filmed, tmp_path / "d.onnx")
    assert made.difference < 1e-4 and list(made.outputs) == ["image", "matte", "next_image"]
    assert list(made.inputs) == ["condition", "state_image", "references", "plate"]
    poses = dance((160, 120))[:3]
    expected = np.array(list(filmed.paint(poses)), int)
    found = [picture for _, picture in int8._play(session(made.path), filmed, [poses], int8._plate(filmed))]
    assert np.abs(np.array(found, int) - expected).max() <= 2


def test_a_graph_with_other_numbers_is_not_kept(
    dancer: Dancer, exported: Path, tmp_path: Path, monkeypatch
) -> None:
    painter = whole_painter(dancer)
    model = onnx.load(exported)
    weights = next(
        each for each in model.graph.initializer if list(each.dims[:1]) == [4] and len(each.dims) == 4
    )
    weights.raw_data = (np.frombuffer(weights.raw_data, np.float32) * np.float32(1.02)).tobytes()
    bad = tmp_path / "bad.onnx"
    onnx.save(model, bad)
    with pytest.raises(DancekitError, match=r"bad.onnx: the graph comes out 0\.\d+ away from torch"):
        compare(bad, painter, 4, (64, 64))

    def fail(*_: object) -> None:
        raise DancekitError("no")

    monkeypatch.setattr("dancekit.transfer.export.compare", fail)
    monkeypatch.setattr("dancekit.transfer.export.exported_graph", lambda _: (painter, painter, model))
    with pytest.raises(DancekitError, match="no"):
        export_dancer(dancer, tmp_path / "out.onnx")
    assert [each.name for each in tmp_path.iterdir()] == ["bad.onnx"]


# ---- metadata


def test_the_metadata_draw_the_figure(dancer: Dancer, exported: Path, root: Path) -> None:
    about = read_metadata(onnx.load(exported))
    assert about["size"] == [64, 64] and about["multiple_of"] == 4 and about["licence"] == "CC0-1.0"
    assert about["components"]["renderer"] == about["condition"]["renderer"] == "sticks@1"
    assert about["skeleton"]["joints"] == list(get_skeleton("blazepose_33").joints)
    assert about["state"] == {"state_image": [3, 64, 64]}
    assert str(root) not in json.dumps(about)
    poses = dance((160, 120))[:3]
    xy, score = dancer.info.window.to_window(poses.xy), poses.score.copy()
    score[1, 11:17] = 0  # an arm is missing
    expected = dancer.painter.parts.renderer(xy, score).numpy()
    draw = example(root)["draw"]
    found = np.concatenate([draw(about, *frame) for frame in zip(xy, score, strict=True)])  # type: ignore[operator]
    assert expected.max() > 0.9 and not np.allclose(expected[0], expected[1])
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_strokes_are_those_of_the_skeleton() -> None:
    skeleton = get_skeleton("coco_17")
    strokes = Sticks(skeleton=skeleton, size=(64, 128), line_width=0.05).strokes()
    dots = [each for each in strokes if each["dot"]]
    assert dots and all(each["start"] == each["end"] for each in dots)
    assert strokes[-len(dots) :] == dots
    neck = [skeleton.index("left_shoulder"), skeleton.index("right_shoulder")]
    assert any(sorted(each["start"]) == neck for each in strokes)
    assert {each["radius"] for each in strokes if not each["dot"]} == {0.05 * 128 / 2}


def test_metadata_are_replaced() -> None:
    model = onnx.ModelProto()
    add_metadata(model, {"a": 1})
    add_metadata(model, {"b": 2})
    assert read_metadata(model) == {"b": 2} and len(model.metadata_props) == 1


# ---- another program


def test_the_example_is_short_and_needs_no_torch(root: Path) -> None:
    text = (root / "examples" / "onnx_dancer.py").read_text()
    assert len(text.splitlines()) <= 60
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        for name in (
            [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - set(sys.stdlib_module_names) == {"cv2", "numpy", "onnxruntime"}


def test_the_example_paints(dancer: Dancer, exported: Path, root: Path, tmp_path: Path, monkeypatch) -> None:
    poses, out = dance((160, 120))[:6], tmp_path / "out.mp4"
    poses.save(tmp_path / "poses.npz")
    shown, real = [], cv2.VideoWriter

    class Look:  # no subclass: those of OpenCV's classes do not survive garbage collection
        def __init__(self, *given: object) -> None:
            self._writer = real(*given)
            self.release = self._writer.release

        def write(self, picture: np.ndarray) -> None:
            shown.append(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
            self._writer.write(picture)

    monkeypatch.setattr(cv2, "VideoWriter", Look)
    example(root)["main"](str(exported), str(tmp_path / "poses.npz"), str(out))  # type: ignore[operator]
    assert len(list(read_frames(out))) == len(shown) == 6
    expected = np.array(list(dancer.paint(poses)), int)
    apart = np.abs(np.array(shown, int) - expected).max(-1)
    assert (apart[0] <= 2).mean() > 0.85  # the face lies in another box
    assert (apart <= 8).mean() > 0.8


# ---- int8


def test_pieces_to_calibrate_on_and_to_measure_on_are_apart() -> None:
    poses = dance((160, 120))
    calibrated, others = int8.clips(poses)
    assert (len(calibrated), len(others)) == (int8.PLACES, int8.MEASURED)
    times = [{int(t) for piece in pieces for t in piece.pts} for pieces in (calibrated, others)]
    assert not times[0] & times[1] and len(times[0]) == int8.PLACES * int8.RUN
    with pytest.raises(PoseError, match="50 poses are too few to calibrate on; at least 60"):
        int8.clips(poses[:50])


def test_decibels() -> None:
    black, grey = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 51, np.uint8)
    assert int8.psnrs([grey, black], [black, black]).tolist() == pytest.approx(
        [20 * np.log10(5), 98.1308], 1e-3
    )
    assert int8.measured([black], [black], 3, "x")["psnr_db"] > 90
    with pytest.raises(DancekitError, match=r"in int8 the pictures are 14.0 dB .* \(at least 35 dB"):
        int8.measured([grey], [black], 3, "x")


def test_an_int8_file(dancer: Dancer, graph: Any, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("dancekit.transfer.export.exported_graph", lambda _: deepcopy(graph))
    monkeypatch.setattr(
        int8, "LEAST_PSNR", 20.0
    )  # weights at random, fed back, differ more than trained ones
    made = export_dancer(dancer, tmp_path / "small.onnx", int8=True)
    assert made.int8 is not None and made.int8["calibration_frames"] == int8.PLACES * int8.RUN
    model = onnx.load(made.path)
    assert read_metadata(model)["int8"] == made.int8
    convolutions = [node for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose")]
    quantized = [node for node in convolutions if "DequantizeLinear" in node.input[1]]
    assert 0 < len(quantized) < len(convolutions)
    assert not {node.name for node in quantized} & set(last_convolutions(model))


def test_painting_in_int8(dancer: Dancer, monkeypatch) -> None:
    with pytest.raises(UsageError, match="int8 needs a runner that opens graphs"):
        Dancer.load(dancer.path, device="cpu", int8=True)
    monkeypatch.setattr(int8, "PLACES", 4)
    monkeypatch.setattr(int8, "MEASURED", 1)
    network = dancer.painter.network
    with pytest.raises(DancekitError, match="in int8 the pictures are"):
        monkeypatch.setattr(int8, "LEAST_PSNR", 98.0)
        int8.use_int8(dancer, build_runner("onnxruntime", threads=1))
    assert dancer.painter.network is network and dancer.painter.network_name == "torch"
    monkeypatch.setattr(int8, "LEAST_PSNR", 20.0)
    quick = Dancer.load(dancer.path, device="cpu", runner="openvino", threads=1, int8=True)
    assert quick.painter.network_name == "openvino int8"
    assert quick.int8 is not None and 20 < quick.int8["psnr_db"] < 98 and dancer.int8 is None
    poses = dance((160, 120))[:2]
    found, expected = (np.array(list(each.paint(poses)), float) for each in (quick, dancer))
    assert 0 < np.abs(found - expected).mean() < 10
