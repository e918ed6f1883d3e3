"""Convert MediaPipe's BlazePose networks from TFLite to safetensors, and check them against LiteRT.

    python tools/convert_blazepose.py DIR [--out zoo/weights]

DIR holds pose_detection.tflite, pose_landmark_full.tflite and pose_landmark_lite.tflite; tools/README.md says
where they come from. Needs ai-edge-litert (`pip install 'dancekit[test]'`).

How it works: the weights are read by an interpreter that preserves all tensors, which hands out the
detector's sparse ones densified and fp16 ones as float32. Convolutions of the PyTorch network, in the order
in which they run, take the weights of the first TFLite convolution of the same shape that is not taken yet.
fp16 storage loses nothing (asserted), because that is what the TFLite files hold. Afterwards the outputs of
both are compared.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import av
import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from torch import nn

from dancekit.pose.blazepose_net import BlazePoseDetector, BlazePoseLandmarks
from dancekit.weights.header import file_sha256, write_safetensors

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {
    # network: TFLite file, its sha256, where it is from
    "detector": (
        "pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        "PyPI wheel mediapipe==0.10.21, mediapipe/modules/pose_detection/",
    ),
    "full": (
        "pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        "PyPI wheel mediapipe==0.10.21, mediapipe/modules/pose_landmark/",
    ),
    "lite": (
        "pose_landmark_lite.tflite",
        "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61",
        "npm package @mediapipe/pose 0.5.1675469404",
    ),
}

NOTICE = """\
# Weights of others in this folder

## BlazePose (MediaPipe)

Copyright The MediaPipe Authors. Licensed under the Apache License, Version 2.0
(https://www.apache.org/licenses/LICENSE-2.0), the licence of the packages that the files come from.
Changed: converted by `tools/convert_blazepose.py` from TFLite to safetensors; the numbers are the same (fp16;
the detector's, stored sparse there, are dense here).

| file | sha256 | made from | sha256 of that | found in |
|---|---|---|---|---|
"""


def build(network: str) -> nn.Module:
    net = (
        BlazePoseDetector()
        if network == "detector"
        else BlazePoseLandmarks("lite" if network == "lite" else "full")
    )
    return net.eval()


def read_convolutions(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """(weight in PyTorch's layout, bias) of every convolution, in the order of the file."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(path.read_bytes(), 0))
    interpreter = Interpreter(
        str(path),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    interpreter.invoke()
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    found = []
    for operator in model.subgraphs[0].operators:
        code = codes[operator.opcodeIndex]
        if code not in (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D):
            continue
        weight, bias = (interpreter.get_tensor(int(index)) for index in operator.inputs[1:3])
        # OHWI to OIHW; depthwise 1HWC to C1HW
        axes = (3, 0, 1, 2) if code == schema.BuiltinOperator.DEPTHWISE_CONV_2D else (0, 3, 1, 2)
        found.append((weight.transpose(axes), bias))
    return found


def convolutions_as_run(net: nn.Module) -> list[tuple[str, nn.Conv2d]]:
    names = {module: name for name, module in net.named_modules()}
    order: list[tuple[str, nn.Conv2d]] = []
    hooks = [
        module.register_forward_hook(lambda module, *_: order.append((names[module], module)))
        for module in net.modules()
        if isinstance(module, nn.Conv2d)
    ]
    with torch.inference_mode():
        net(torch.zeros(1, 3, net.size, net.size))
    for hook in hooks:
        hook.remove()
    return order


def convert(network: str, path: Path) -> dict[str, torch.Tensor]:
    left = read_convolutions(path)
    state: dict[str, torch.Tensor] = {}
    for name, module in convolutions_as_run(build(network)):
        place = next(i for i, (weight, _) in enumerate(left) if weight.shape == tuple(module.weight.shape))
        for part, array in zip(("weight", "bias"), left.pop(place), strict=True):
            half = np.ascontiguousarray(array, np.float16)
            if not np.array_equal(half.astype(np.float32), array):
                raise SystemExit(f"{path}: {name}.{part} does not fit in fp16 without loss")
            state[f"{name}.{part}"] = torch.from_numpy(half)
    if left:
        raise SystemExit(f"{path}: {len(left)} convolutions were not used")
    return state


def worst_difference(network: str, path: Path, state: dict[str, torch.Tensor]) -> float:
    """Largest difference of any output from LiteRT's, over the largest value of that output."""
    net = build(network)
    net.load_state_dict({key: value.float() for key, value in state.items()}, strict=True)
    # a person, not noise: LiteRT's mask of noise is off by 1e-3 from what float64 gives
    with av.open(str(ROOT / "zoo" / "samples" / "source.mp4")) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    part = slice(0, 2 * net.size, 2)
    image = frame[part, part].transpose(2, 0, 1)[None].astype(np.float32) / 255
    image = image * 2 - 1 if network == "detector" else image
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image.transpose(0, 2, 3, 1).copy())
    interpreter.invoke()
    expected = [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
    with torch.inference_mode():
        outputs = net(torch.from_numpy(image))
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
    for network, (name, digest, origin) in SOURCES.items():
        path = arguments.folder / name
        if file_sha256(path) != digest:
            raise SystemExit(f"{path} is not the file this was written for (sha256 {digest})")
        state = convert(network, path)
        worst = worst_difference(network, path, state)
        if worst > 1e-3:
            raise SystemExit(f"{network}: outputs differ from LiteRT's by {worst:.1e} of the largest value")
        metadata = {"licence": "Apache-2.0", "source": origin, "source_sha256": digest}
        target = arguments.out / f"blazepose_{network}.safetensors"
        written = write_safetensors(target, state, metadata)
        rows.append(f"| {target.name} | {written} | {name} | {digest} | {origin} |\n")
        print(f"{target}: worst difference from LiteRT {worst:.1e}")
    (arguments.out / "NOTICE.md").write_text(NOTICE + "".join(rows))


if __name__ == "__main__":
    main()
