"""The networks against LiteRT: recorded outputs always, LiteRT itself where its files are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from dancekit.pose.blazepose_net import BlazePoseDetector, BlazePoseLandmarks, _depth_to_space
from dancekit.resources import data_path

TOLERANCE = 1e-3
NETWORKS = {
    "detector": ("pose_detection.tflite", -1.0),
    "full": ("pose_landmark_full.tflite", 0.0),
    "lite": ("pose_landmark_lite.tflite", 0.0),
}


def network(name: str) -> torch.nn.Module:
    net = BlazePoseDetector() if name == "detector" else BlazePoseLandmarks(name)
    state = load_file(data_path(f"zoo/weights/blazepose_{name}.safetensors"))
    net.load_state_dict({key: value.float() for key, value in state.items()}, strict=True)
    return net.eval()


def outputs(net: torch.nn.Module, image: np.ndarray) -> list[np.ndarray]:
    """Outputs in TFLite's layout, flat."""
    with torch.inference_mode():
        given = net(torch.from_numpy(image.transpose(2, 0, 1)[None].copy()))
    order = [tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor for tensor in given]
    return [tensor.numpy().ravel() for tensor in order]


def to_input(image: np.ndarray, low: float) -> np.ndarray:
    return (image.astype(np.float32) / 255 * (1 - low) + low).astype(np.float32)


@pytest.fixture(scope="module")
def golden(root: Path) -> dict[str, np.ndarray]:
    with np.load(root / "tests" / "golden" / "blazepose" / "networks.npz") as data:
        return dict(data)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("number", [0, 1])
def test_outputs_are_those_recorded_from_litert(
    golden: dict[str, np.ndarray], name: str, number: int
) -> None:
    got = outputs(network(name), to_input(golden[f"{name}/inputs"][number], NETWORKS[name][1]))
    assert f"{name}/{number}/{len(got)}/values" not in golden
    for place, values in enumerate(got):
        want = golden[f"{name}/{number}/{place}/values"]
        largest = float(golden[f"{name}/{number}/{place}/largest"])
        step = max(1, len(values) // 1500)
        assert np.abs(values[::step] - want).max() <= TOLERANCE * largest, place
        assert np.abs(values).max() == pytest.approx(largest, rel=TOLERANCE), place


@pytest.mark.skipif("DANCEKIT_TFLITE_DIR" not in os.environ, reason="DANCEKIT_TFLITE_DIR is not set")
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("number", [0, 1])
def test_outputs_are_litert_s(golden: dict[str, np.ndarray], name: str, number: int) -> None:
    from ai_edge_litert.interpreter import Interpreter

    file, low = NETWORKS[name]
    interpreter = Interpreter(str(Path(os.environ["DANCEKIT_TFLITE_DIR"]) / file))
    interpreter.allocate_tensors()
    net = network(name)
    # other pictures than the recorded ones, but of people: LiteRT's own mask of noise is off by 1e-3
    for image in (golden[f"{name}/inputs"][:, :, ::-1], golden[f"{name}/inputs"] // 2)[number]:
        tensor = to_input(image, low)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor[None])
        interpreter.invoke()
        for got, detail in zip(outputs(net, tensor), interpreter.get_output_details(), strict=True):
            want = interpreter.get_tensor(detail["index"]).ravel()
            assert np.abs(got - want).max() <= TOLERANCE * np.abs(want).max()


def test_a_batch_gives_what_its_images_give() -> None:
    net = network("lite")
    images = torch.rand(3, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        together = net(images)
        alone = net(images[1:2])
    for batch, single in zip(together, alone, strict=True):
        torch.testing.assert_close(batch[1:2], single, rtol=1e-3, atol=1e-3 * float(single.abs().max()))


def test_depth_to_space_has_tensorflow_s_order() -> None:
    x = torch.arange(2 * 8 * 3 * 2).view(2, 8, 3, 2)
    y = _depth_to_space(x)
    assert y.shape == (2, 2, 6, 4)
    for b, c, row, column in np.ndindex(*y.shape):
        block = (row % 2) * 2 + column % 2
        assert y[b, c, row, column] == x[b, block * 2 + c, row // 2, column // 2]


def test_weight_files_say_where_they_are_from(root: Path) -> None:
    import hashlib

    notice = (root / "zoo" / "weights" / "NOTICE.md").read_text()
    assert "Apache License, Version 2.0" in notice
    for name in NETWORKS:
        path = data_path(f"zoo/weights/blazepose_{name}.safetensors")
        assert hashlib.sha256(path.read_bytes()).hexdigest() in notice
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            assert {file.get_tensor(key).dtype for key in file.keys()} == {torch.float16}  # noqa: SIM118
        assert metadata["licence"] == "Apache-2.0" and metadata["source_sha256"] in notice
