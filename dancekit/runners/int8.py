"""Graphs that compute in 8-bit integers: ONNX Runtime's static quantization, calibrated on real inputs.

Convolutions alone, with symmetric weights, a scale a channel (Krishnamoorthi, "Quantizing deep convolutional
networks", 2018, section 3), and unsigned activations between the smallest and the largest value seen. The first and
the last convolution stay as they are: they are cheap, and see and make pixels.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

Inputs = Mapping[str, NDArray[np.float32]]

_KINDS = ("Conv", "ConvTranspose")


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands out examples, one by one."""

    def __init__(self, examples: Sequence[Inputs]) -> None:
        self._rest = iter(examples)

    def get_next(self) -> dict[str, Any] | None:
        example = next(self._rest, None)
        return None if example is None else dict(example)


def quantize(graph: bytes, examples: Sequence[Inputs]) -> bytes:
    """The graph in 8-bit integers.

    Args:
        graph: Serialized.
        examples: Inputs by name, such as it will see.
    """
    model = onnx.load_from_string(graph)
    convolutions = [node.name for node in model.graph.node if node.op_type in _KINDS]
    root = logging.getLogger()
    before = root.level
    with tempfile.TemporaryDirectory(prefix="dancekit-int8-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root.setLevel(logging.ERROR)  # it logs advice, to the root logger
        try:
            out = Path(folder) / "int8.onnx"
            quantize_static(
                model,
                str(out),
                _Reader(examples),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=list(_KINDS),
                nodes_to_exclude=[convolutions[0], *last_convolutions(model)],
            )
            return out.read_bytes()
        finally:
            root.setLevel(before)


def last_convolutions(model: onnx.ModelProto) -> list[str]:
    """Names of the convolutions after which there is no other on the way to an output."""
    makers = {output: node for node in model.graph.node for output in node.output}
    found: list[str] = []
    seen: set[str] = set()
    waiting = [output.name for output in model.graph.output]
    while waiting:
        name = waiting.pop()
        node = makers.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        if node.op_type in _KINDS:
            found.append(node.name)
        else:
            waiting.extend(node.input)
    return found
