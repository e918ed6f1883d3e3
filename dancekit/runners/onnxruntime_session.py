"""ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import Tensor, nn

from dancekit.runners.agreement import Forward, checked, like, one_by_one


class ONNXRuntime:
    """ONNX Runtime on the CPU: the runner that is installed anyway; the extra `[onnx]` makes the graphs for it.

    Args:
        threads: Of a computation (wired).
        cache: Folder of graphs that were made before (wired).
    """

    version = 1
    name = "onnxruntime"
    devices = ("cpu",)

    def __init__(self, *, threads: int, cache: Path | None) -> None:
        self.threads = threads
        self._cache = cache

    def prepare(self, network: nn.Module, example: Tensor) -> Forward:
        """Make the graph for one sample of the example's size and open it.

        Raises:
            MissingExtra: The extra `[onnx]` is not installed.
            DancekitError: The numbers are not torch's.
        """
        from dancekit.runners.graph import graph_of

        forward = self.open(graph_of(network, example[:1], self._cache), network, example[:1])
        return checked("onnxruntime", network, forward, example)

    def open(self, graph: bytes, network: nn.Module, example: Tensor) -> Forward:
        """A forward pass by a graph with one input.

        Args:
            graph: Serialized.
            network: Gives outputs of the wanted form.
            example: (1, C, H, W).
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        # other stages work while this one waits
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        with torch.inference_mode():
            form = network(example)

        def single(sample: Tensor) -> Any:
            outputs = session.run(None, {name: sample.contiguous().numpy()})
            return like(form, [torch.from_numpy(output) for output in outputs])

        return one_by_one(single)
