"""Convert MediaPipe's networks of body, hands and face from TFLite to safetensors, and check them against LiteRT.

    python tools/convert_blazepose.py DIR [--out zoo/weights]

DIR holds the .tflite files of `SOURCES`; tools/README.md says where they come from. Needs ai-edge-litert
(`pip install 'dancekit[test]'`).

How it works: weights are read from the file, or, if they are sparse there (the person detector's), from an
interpreter that preserves all tensors, which hands them out densified. Layers of the PyTorch network, in the
order in which they run, take the weights of the first TFLite operator of the same kind and shape that is not
taken yet. fp16 storage loses nothing where the TFLite files hold fp16 (asserted); where they hold float32,
float32 is kept. Afterwards the outputs of both are compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from torch import nn

from dancekit.pose.blazepose_net import BlazePoseDetector, BlazePoseLandmarks
from dancekit.pose.face_net import FaceDetector, FaceMesh
from dancekit.pose.hand_net import HandLandmarks, HandRecrop
from dancekit.weights.header import file_sha256, write_safetensors

ROOT = Path(__file__).resolve().parents[1]
OPERATORS = schema.BuiltinOperator
UNKNOWN_TO_LITERT = ("face_mesh",)
WHEEL = "PyPI wheel mediapipe==0.10.21, mediapipe/modules/"


class Source(NamedTuple):
    """A network, the TFLite file with its weights, and where that is from."""

    build: Callable[[], nn.Module]
    file: str
    sha256: str
    origin: str
    lowest: float = 0.0  # of the values of its input; the highest is 1


SOURCES = {
    "blazepose_detector": Source(
        BlazePoseDetector,
        "pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        WHEEL + "pose_detection/",
        -1.0,
    ),
    "blazepose_full": Source(
        partial(BlazePoseLandmarks, "full"),
        "pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        WHEEL + "pose_landmark/",
    ),
    "blazepose_lite": Source(
        partial(BlazePoseLandmarks, "lite"),
        "pose_landmark_lite.tflite",
        "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61",
        "npm package @mediapipe/pose 0.5.1675469404",
    ),
    "hand_full": Source(
        partial(HandLandmarks, "full"),
        "hand_landmark_full.tflite",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
        WHEEL + "hand_landmark/",
    ),
    "hand_lite": Source(
        partial(HandLandmarks, "lite"),
        "hand_landmark_lite.tflite",
        "048edd3645c9bf7397d19a9f6e3a42957d6e414c9bea6598030a2e9b624156e6",
        WHEEL + "hand_landmark/",
    ),
    "hand_recrop": Source(
        HandRecrop,
        "hand_recrop.tflite",
        "67d996ce96f9d36fe17d2693022c6da93168026ab2f028f9e2365398d8ac7d5d",
        WHEEL + "holistic_landmark/",
    ),
    "face_detector": Source(
        FaceDetector,
        "face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
        WHEEL + "face_detection/",
        -1.0,
    ),
    "face_mesh": Source(
        FaceMesh,
        "face_landmark_with_attention.tflite",
        "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
        WHEEL + "face_landmark/",
    ),
}

NOTICE = """\
# Weights of others in this folder

## BlazePose, hands and face (MediaPipe)

Copyright The MediaPipe Authors. Licensed under the Apache License, Version 2.0
(https://www.apache.org/licenses/LICENSE-2.0), the licence of the packages that the files come from.
Changed: converted by `tools/convert_blazepose.py` from TFLite to safetensors; the numbers are the same (fp16, or
float32 where they are that in the TFLite file; those of the person detector, stored sparse there, are dense here).

| file | sha256 | made from | sha256 of that | found in |
|---|---|---|---|---|
"""


class Layer(NamedTuple):
    """An operator with weights: its kind, and the arrays in PyTorch's layout."""

    kind: type[nn.Module]
    arrays: list[np.ndarray]


def read_layers(path: Path) -> list[Layer]:
    """Convolutions, dense layers and PReLUs, in the order of the file."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(path.read_bytes(), 0))
    graph = model.subgraphs[0]
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    kinds = {
        OPERATORS.CONV_2D: (nn.Conv2d, (0, 3, 1, 2)),  # OHWI to OIHW
        OPERATORS.DEPTHWISE_CONV_2D: (nn.Conv2d, (3, 0, 1, 2)),  # 1HWC to C1HW
        OPERATORS.FULLY_CONNECTED: (nn.Linear, (0, 1)),
        OPERATORS.PRELU: (nn.PReLU, (2, 0, 1)),  # 11C
    }
    constants = read_constants(path, model, codes)
    layers = []
    for operator in graph.operators:
        if (code := codes[operator.opcodeIndex]) in kinds:
            kind, axes = kinds[code]
            weight, *bias = (constants[int(index)] for index in operator.inputs[1:])
            weight = weight.transpose(axes)
            layers.append(Layer(kind, [weight.reshape(-1) if kind is nn.PReLU else weight, *bias]))
    return layers


def read_constants(path: Path, model: schema.ModelT, codes: list[int]) -> dict[int, np.ndarray]:
    """The constant tensors of a file by number, with those that are only dequantized from them."""
    graph = model.subgraphs[0]
    types = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.FLOAT16: np.float16}
    stored: dict[int, np.ndarray] = {}
    sparse = any(tensor.sparsity is not None for tensor in graph.tensors)
    if sparse:
        interpreter = Interpreter(
            str(path),
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
        interpreter.invoke()
    for number, tensor in enumerate(graph.tensors):
        if sparse:
            if tensor.type in types:
                stored[number] = interpreter.get_tensor(number)
        elif (data := model.buffers[tensor.buffer].data) is not None and len(data) and tensor.type in types:
            stored[number] = np.frombuffer(bytes(data), types[tensor.type]).reshape(tensor.shape)
    for operator in graph.operators:
        if not sparse and codes[operator.opcodeIndex] == OPERATORS.DEQUANTIZE:
            stored[int(operator.outputs[0])] = stored[int(operator.inputs[0])]
    return stored


def layers_as_run(net: nn.Module) -> list[tuple[str, nn.Module]]:
    names = {module: name for name, module in net.named_modules()}
    order: list[tuple[str, nn.Module]] = []
    hooks = [
        module.register_forward_hook(lambda module, *_: order.append((names[module], module)))
        for module in net.modules()
        if isinstance(module, nn.Conv2d | nn.Linear | nn.PReLU)
    ]
    with torch.inference_mode():
        net(torch.zeros(1, 3, net.size, net.size))
    for hook in hooks:
        hook.remove()
    return order


def convert(net: nn.Module, path: Path) -> dict[str, torch.Tensor]:
    left = read_layers(path)
    state: dict[str, torch.Tensor] = {}
    for name, module in layers_as_run(net):
        place = next(
            number
            for number, (kind, arrays) in enumerate(left)
            if isinstance(module, kind) and arrays[0].shape == tuple(module.weight.shape)
        )
        for part, array in zip(("weight", "bias"), left.pop(place).arrays, strict=False):
            half = array.astype(np.float16)
            exact = np.array_equal(half.astype(np.float32), array.astype(np.float32))
            if array.dtype == np.float16 and not exact:
                raise SystemExit(f"{path}: {name}.{part} does not fit in fp16 without loss")
            state[f"{name}.{part}"] = torch.from_numpy(np.ascontiguousarray(half if exact else array))
    if left:
        raise SystemExit(f"{path}: {len(left)} layers were not used")
    return state


def worst_difference(source: Source, path: Path, state: dict[str, torch.Tensor]) -> float:
    """Largest difference of any output from LiteRT's, over the largest value of that output."""
    net = source.build().eval()
    net.load_state_dict({key: value.float() for key, value in state.items()}, strict=True)
    # a person, not noise: LiteRT's mask of noise is off by 1e-3 from what float64 gives
    with av.open(str(ROOT / "zoo" / "samples" / "source.mp4")) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    part = slice(0, 2 * net.size, 2)
    image = frame[part, part].transpose(2, 0, 1)[None].astype(np.float32) / 255
    image = image * (1 - source.lowest) + source.lowest
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image.transpose(0, 2, 3, 1).copy())
    interpreter.invoke()
    expected = [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
    with torch.inference_mode():
        outputs = net(torch.from_numpy(image.astype(np.float32)))
    outputs = (outputs,) if isinstance(outputs, torch.Tensor) else outputs
    worst = 0.0
    for want, tensor in zip(expected, outputs, strict=True):
        got = tensor.permute(0, 2, 3, 1).numpy() if tensor.dim() == 4 else tensor.numpy()
        worst = max(worst, float(np.abs(got.ravel() - want.ravel()).max() / np.abs(want).max()))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "zoo" / "weights")
    arguments = parser.parse_args()
    rows = []
    for network, source in SOURCES.items():
        path = arguments.folder / source.file
        if file_sha256(path) != source.sha256:
            raise SystemExit(f"{path} is not the file this was written for (sha256 {source.sha256})")
        state = convert(source.build(), path)
        if network in UNKNOWN_TO_LITERT:
            compared = "its operators are MediaPipe's own: see tests/unit/test_blazepose_holistic.py"
        else:
            worst = worst_difference(source, path, state)
            compared = f"worst difference from LiteRT {worst:.1e}"
            if worst > 1e-3:
                raise SystemExit(
                    f"{network}: outputs differ from LiteRT's by {worst:.1e} of the largest value"
                )
        metadata = {"licence": "Apache-2.0", "source": source.origin, "source_sha256": source.sha256}
        target = arguments.out / f"{network}.safetensors"
        written = write_safetensors(target, state, metadata)
        rows.append(f"| {target.name} | {written} | {source.file} | {source.sha256} | {source.origin} |\n")
        print(f"{target}: {compared}")
    notice = arguments.out / "NOTICE.md"
    (arguments.out / "NOTICE.md").write_text(NOTICE + "".join(rows) + others(notice))


def others(notice: Path) -> str:
    """The sections of a NOTICE.md that are not about MediaPipe."""
    text = notice.read_text() if notice.exists() else ""
    sections = [
        section for section in text.split("\n## ")[1:] if "(MediaPipe)" not in section.splitlines()[0]
    ]
    return "".join(f"\n## {section.rstrip()}\n" for section in sections)


if __name__ == "__main__":
    main()
