"""The networks of hands and face against LiteRT: recorded outputs always, LiteRT itself where its files are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dancekit.pose.embedded import load_network
from dancekit.pose.face_net import (
    LEFT_EYE,
    LIPS,
    POINTS,
    RIGHT_EYE,
    FaceDetector,
    FaceMesh,
    _sample,
    _second_look,
)
from dancekit.pose.hand_net import HandLandmarks, HandRecrop

TOLERANCE = 1e-3
CPU = torch.device("cpu")
NETWORKS = {  # file, side, smallest value of the input
    "hand_full": ("hand_landmark_full.tflite", 224, 0.0),
    "hand_lite": ("hand_landmark_lite.tflite", 224, 0.0),
    "hand_recrop": ("hand_recrop.tflite", 256, 0.0),
    "face_detector": ("face_detection_short_range.tflite", 128, -1.0),
}


def network(name: str) -> nn.Module:
    nets = {"hand_recrop": HandRecrop, "face_detector": FaceDetector, "face_mesh": FaceMesh}
    net = nets[name]() if name in nets else HandLandmarks(name.removeprefix("hand_"))
    return load_network(net, name, CPU)[0]


def outputs(net: nn.Module, image: np.ndarray) -> list[np.ndarray]:
    with torch.inference_mode():
        given = net(torch.from_numpy(image.transpose(2, 0, 1)[None].copy()))
    return [tensor.numpy().ravel() for tensor in ((given,) if isinstance(given, torch.Tensor) else given)]


def to_input(image: np.ndarray, side: int, low: float) -> np.ndarray:
    """The middle of a 256x256 picture, or all of it at half the size, as a network's input."""
    edge = (256 - side) // 2
    part = image[::2, ::2] if side == 128 else image[edge : edge + side, edge : edge + side]
    return (part.astype(np.float32) / 255 * (1 - low) + low).astype(np.float32)


@pytest.fixture(scope="module")
def golden(root: Path) -> dict[str, np.ndarray]:
    with np.load(root / "tests" / "golden" / "holistic" / "networks.npz") as data:
        return dict(data)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("number", [0, 1])
def test_outputs_are_those_recorded_from_litert(
    golden: dict[str, np.ndarray], name: str, number: int
) -> None:
    got = outputs(network(name), to_input(golden["inputs"][number], *NETWORKS[name][1:]))
    assert f"{name}/{number}/{len(got)}/values" not in golden
    for place, values in enumerate(got):
        want = golden[f"{name}/{number}/{place}/values"]
        largest = float(golden[f"{name}/{number}/{place}/largest"])
        assert np.abs(values[:: max(1, len(values) // 1500)] - want).max() <= TOLERANCE * largest, place
        assert np.abs(values).max() == pytest.approx(largest, rel=TOLERANCE), place


@pytest.mark.skipif("DANCEKIT_TFLITE_DIR" not in os.environ, reason="DANCEKIT_TFLITE_DIR is not set")
@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_litert_s(golden: dict[str, np.ndarray], name: str) -> None:
    from ai_edge_litert.interpreter import Interpreter

    file, *form = NETWORKS[name]
    interpreter = Interpreter(str(Path(os.environ["DANCEKIT_TFLITE_DIR"]) / file))
    interpreter.allocate_tensors()
    net = network(name)
    for image in (golden["inputs"][0][:, ::-1], golden["inputs"][1] // 2):  # others than the recorded ones
        tensor = to_input(image, *form)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor[None])
        interpreter.invoke()
        for got, detail in zip(outputs(net, tensor), interpreter.get_output_details(), strict=True):
            want = interpreter.get_tensor(detail["index"]).ravel()
            assert np.abs(got - want).max() <= TOLERANCE * np.abs(want).max()


@pytest.mark.parametrize("name", ["hand_recrop", "face_mesh"])
def test_a_batch_gives_what_its_images_give(name: str, golden: dict[str, np.ndarray]) -> None:
    net = network(name)
    side = net.size
    images = torch.from_numpy(np.stack([to_input(image, side, 0.0) for image in golden["inputs"]]))
    images = images.permute(0, 3, 1, 2)
    with torch.inference_mode():
        together, alone = net(images), net(images[1:])
    pairs = [(together, alone)] if isinstance(together, torch.Tensor) else zip(together, alone, strict=True)
    for batch, single in pairs:
        torch.testing.assert_close(batch[1:], single, rtol=1e-3, atol=1e-3 * float(single.abs().max()))


def test_the_second_look_frames_its_points() -> None:
    # a bar of 40 x 8, turned by 30 degrees about (20, 25)
    angle = np.deg2rad(30)
    turn = torch.tensor(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=torch.float32
    )
    flat = torch.zeros(1, len(LIPS.points), 2)
    flat[0, LIPS.points.index(LIPS.start), 0] = -20.0
    flat[0, LIPS.points.index(LIPS.end), 0] = 20.0
    flat[0, -2:, 1] = torch.tensor([-4.0, 4.0])
    (matrix,) = _second_look(flat @ turn.T + torch.tensor([20.0, 25.0]), LIPS)
    corners = (
        torch.tensor([[0.0, 0.0], [16.0, 0.0], [8.0, 16.0], [8.0, 8.0]]) @ matrix[:, :2].T + matrix[:, 2]
    )
    want = torch.tensor([[-30.0, -6.0], [30.0, -6.0], [0.0, 6.0], [0.0, 0.0]]) @ turn.T
    torch.testing.assert_close(corners, want + torch.tensor([20.0, 25.0]), rtol=1e-4, atol=1e-4)


def test_sampling_is_bilinear_between_pixel_centres() -> None:
    ramp = torch.arange(48.0).expand(1, 1, 48, 48) + 0.5  # the value of a pixel is its centre
    maps = torch.tensor([[[1.3, 0.0, 9.0], [0.0, 1.0, 11.0]]])
    got = _sample(ramp, maps)[0, 0, 5]
    torch.testing.assert_close(got, (torch.arange(16) + 0.5) * 1.3 + 9.0)


def test_left_and_right_eye_have_corresponding_points() -> None:
    assert len(LEFT_EYE.points) == len(RIGHT_EYE.points) == len(set(LEFT_EYE.points)) == 71
    assert not set(LEFT_EYE.points) & set(RIGHT_EYE.points)
    assert len(set(LIPS.points)) == 80 and max(LIPS.points + LEFT_EYE.points + RIGHT_EYE.points) < POINTS
    assert LEFT_EYE.points.index(LEFT_EYE.end) == RIGHT_EYE.points.index(RIGHT_EYE.start)  # outer corners
