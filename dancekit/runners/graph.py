"""Networks as ONNX graphs, for runners and for files: what `dancekit export` writes begins here."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
import onnxscript
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dancekit import __version__
from dancekit.errors import IncompatibleParts
from dancekit.layers import BatchNorm2d, InstanceNorm2d
from dancekit.runners.agreement import tensors_of

OPSET = 18
"""ONNX operators of 2022: every runtime in use has them."""

GRAPH = 1
"""Grows when the same network would give another graph."""


class _InstanceNorm(nn.Module):
    """As `layers.InstanceNorm2d`, for any batch: the original's ways around slow kernels depend on it."""

    def __init__(self, eps: float, weight: Tensor | None = None, bias: Tensor | None = None) -> None:
        super().__init__()
        self.eps, self.weight, self.bias = eps, weight, bias

    def forward(self, x: Tensor) -> Tensor:
        return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)


def plain_copy(network: nn.Module) -> nn.Module:
    """A copy of a network, sharing its weights, whose layers ONNX can express.

    Raises:
        IncompatibleParts: A layer looks at the whole batch, so that frames would depend on each other.
    """
    shared = {id(value): value for value in (*network.parameters(), *network.buffers())}
    twin = copy.deepcopy(network, shared).eval()
    for module in list(twin.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, InstanceNorm2d):
                setattr(module, name, _InstanceNorm(child.eps))
            elif isinstance(child, BatchNorm2d) and child.batch_statistics:
                raise IncompatibleParts(
                    "batch_statistics: this network normalizes by the batch it is in, which no exported graph does",
                    hint="--runner torch",
                )
    return twin


def to_onnx(
    network: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: tuple[str, ...],
    dynamic: tuple[Any, ...] | None = None,
) -> onnx.ModelProto:
    """The graph of a network.

    Args:
        network: In eval mode; see `plain_copy`.
        inputs: Examples by name, in the order of the forward pass.
        outputs: Names of the tensors that it gives.
        dynamic: Sides that may vary, in the form of the forward pass's arguments: axis to `torch.export.Dim`, or a
            multiple of one.

    Raises:
        IncompatibleParts: It does something that ONNX cannot express.
    """
    try:
        with _silent():
            program = torch.onnx.export(
                network,
                tuple(inputs.values()),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=dynamic,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        cause = str(error.__cause__ or error).strip().splitlines()[0]
        raise IncompatibleParts(
            f"{type(network).__name__} has no ONNX form: {cause}",
            hint="the runners torch and compiled need none",
        ) from error
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    for node in model.graph.node:  # lines of source, with this machine's paths
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""
    model.producer_name, model.producer_version = "dancekit", __version__
    return model


def graph_of(network: nn.Module, example: Tensor, cache: Path | None) -> bytes:
    """The serialized graph of one sample's forward pass, from the cache if it was made before.

    Args:
        network: Takes one tensor.
        example: (1, C, H, W), the size that it is made for.
        cache: Folder of graphs; None: it is made anew.
    """
    with torch.inference_mode():
        count = len(tensors_of(network(example)))
    place = None if cache is None else cache / f"{_key(network, example)}.onnx"
    if place is not None and place.exists():
        return place.read_bytes()
    names = tuple(f"out{number}" for number in range(count))
    data: bytes = to_onnx(plain_copy(network), {"x": example}, names).SerializeToString()
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{place.name}.{os.getpid()}.part")
        try:
            part.write_bytes(data)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
    return data


def _key(network: nn.Module, example: Tensor) -> str:
    """Changes with weights, structure, size and the programs that make graphs."""
    digest = hashlib.sha256()
    made_by = (GRAPH, OPSET, __version__, torch.__version__, onnxscript.__version__)
    digest.update(repr((made_by, type(network).__qualname__, repr(network), tuple(example.shape))).encode())
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """The exporter prints, logs and warns about its own parts."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
