"""OpenVINO on the CPU, in single precision."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import openvino
import torch
from torch import Tensor, nn

from dancekit.runners.agreement import Forward, checked, like, one_by_one


@cache
def core() -> openvino.Core:
    """OpenVINO itself, made once and never destroyed.

    Its CPU plugin gives the thread that makes it another stack for signals, and unmaps that when it is destroyed. In
    another thread it cannot take the stack back: the next Ctrl-C would end the process with a segmentation fault
    (OpenVINO 2025 and 2026).
    """
    return openvino.Core()


class OpenVINO:
    """OpenVINO on the CPU, in single precision.

    On CPUs with AVX512-BF16 it would compute in bfloat16 unless it is told not to, which is slower there and rounds
    to three digits. Needs the extra `[openvino]`. Graphs come to it as ONNX: its own converter reports to Intel.

    Args:
        threads: Of a computation (wired).
        cache: Folder of graphs that were made before (wired).
    """

    version = 1
    name = "openvino"
    devices = ("cpu",)

    def __init__(self, *, threads: int, cache: Path | None) -> None:
        self.threads = threads
        self._cache = cache

    def prepare(self, network: nn.Module, example: Tensor) -> Forward:
        """Make the graph for one sample of the example's size and compile it.

        Raises:
            MissingExtra: The extra `[openvino]` is not installed.
            DancekitError: The numbers are not torch's.
        """
        from dancekit.runners.graph import graph_of

        forward = self.open(graph_of(network, example[:1], self._cache), network, example[:1])
        return checked("openvino", network, forward, example)

    def open(self, graph: bytes, network: nn.Module, example: Tensor) -> Forward:
        """A forward pass by an ONNX graph with one input; arguments as of `ONNXRuntime.open`."""
        model = core().read_model(graph)
        model.reshape(list(example.shape))  # fixed sides are a tenth faster
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": self.threads,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # decoder and encoder need a core as well
        }
        request = core().compile_model(model, "CPU", settings).create_infer_request()
        with torch.inference_mode():
            form = network(example)

        def single(sample: Tensor) -> Any:
            outputs = request.infer([sample.contiguous().numpy()], share_inputs=True)
            return like(form, [torch.from_numpy(outputs[number].copy()) for number in range(len(outputs))])

        return one_by_one(single)
