"""A dancer as one ONNX file: everything from the condition image to the painted picture, for other programs.

What goes in and out, and what the metadata says, stands in `docs/speed.md`. The file is compared with torch on
several sizes, by ONNX Runtime, before it is kept.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor

from dancekit.boxes import SHOULDERS_RATIO
from dancekit.contracts import GeneratorSpec
from dancekit.data.files import beside
from dancekit.data.framing import crop
from dancekit.errors import DancekitError, IncompatibleParts, PoseError
from dancekit.renderers.sticks import Sticks
from dancekit.runners.agreement import TOLERANCE, difference
from dancekit.runners.graph_metadata import add_metadata
from dancekit.transfer.int8 import quantize_exported, session_of
from dancekit.transfer.whole_painter import WholePainter, random_inputs
from dancekit.types import PoseSequence, get_skeleton
from dancekit.weights.header import file_sha256

if TYPE_CHECKING:
    from dancekit.transfer.pipeline import Dancer

FORMAT = 1
"""Of the metadata."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: The file.
        sizes: (W, H) at which it was compared with torch.
        difference: The largest one found, in units of [-1, 1].
        inputs: Their names.
        outputs: Their names.
        int8: What quantizing it changed; None for single precision.
    """

    path: Path
    sizes: tuple[tuple[int, int], ...]
    difference: float
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    int8: Mapping[str, Any] | None = None


def export_dancer(
    dancer: Dancer, out: Path, *, int8: bool = False, poses: PoseSequence | None = None
) -> Exported:
    """Write a dancer as ONNX.

    Args:
        dancer: Loaded on the CPU, computed by torch.
        out: Replaced if it is there.
        int8: Compute in 8-bit integers.
        poses: What to calibrate that on, pixels of the dancer's clip; None: its own training poses.

    Raises:
        MissingExtra: The extra `[onnx]` is not installed.
        PoseError: Too few poses to calibrate on.
        DancekitError: The graph gives other pictures than torch, or cannot be written.
    """
    painter, plain, model = exported_graph(dancer)
    inputs, outputs = tuple(plain.inputs), plain.outputs
    facts = None
    with beside(out) as part:
        part.write_bytes(model.SerializeToString())
        sizes, worst = compare(part, painter, _multiple(dancer), dancer.info.window.size)
        if int8:
            facts = quantize_exported(dancer, part, model, poses)
    return Exported(out, sizes, worst, inputs, outputs, facts)


def whole_painter(dancer: Dancer) -> WholePainter:
    """The dancer as one network; its example of a face is one of the training clip.

    Raises:
        PoseError: No face is seen in the training clip, and the dancer refines faces.
        IncompatibleParts: Its window follows the person.
    """
    if dancer.info.follow is not None:
        raise IncompatibleParts(
            f"{dancer.path} paints a window that follows the person: a graph has one place only",
            hint="train it with person_height=0",
        )
    parts, target = dancer.painter.parts, dancer.target
    boxes = dancer.painter.face_boxes(dancer.info.window.to_window(target.xy), target.score)
    seen = np.flatnonzero(np.isfinite(boxes).reshape(len(boxes), -1).all(1))
    if parts.face.crop_size and not len(seen):
        raise PoseError(f"{dancer.path}: no face is seen in its poses, so its refiner cannot be tried")
    box = torch.from_numpy(boxes[seen[:1]]) if len(seen) else torch.zeros(1, 4)
    return WholePainter(parts, dancer.info.window.size, box).eval()


def exported_graph(dancer: Dancer) -> tuple[WholePainter, WholePainter, Any]:
    """The dancer as one network, its twin of layers that ONNX has, and the graph with its metadata."""
    from dancekit.runners.graph import plain_copy, to_onnx

    painter = whole_painter(dancer)
    plain = plain_copy(painter)
    assert isinstance(plain, WholePainter)
    # two samples, so that nothing is taken for a batch of one; the plate is one for all
    examples = {
        name: value if name == "plate" else value.repeat(2, *([1] * (value.dim() - 1)))
        for name, value in plain.inputs.items()
    }
    dynamic = _sides(examples, dancer.info.window.size, _multiple(dancer))
    model = to_onnx(plain, examples, plain.outputs, (dynamic,))
    add_metadata(model, describe(dancer, painter))
    return painter, plain, model


def _sides(
    examples: Mapping[str, Tensor], size: tuple[int, int], multiple: int
) -> tuple[dict[int, Any], ...]:
    """Which sides of the inputs may vary: batches, and what has the window's height and width, or a part of them."""
    batch = torch.export.Dim("batch", min=1)
    sides = {2: torch.export.Dim("rows", min=2), 3: torch.export.Dim("columns", min=2)}
    found = []
    for name, value in examples.items():
        varying = {} if name == "plate" else {0: batch}
        for axis, whole in ((2, size[1]), (3, size[0])) if value.dim() == 4 else ():
            part, rest = divmod(whole, value.shape[axis])
            if not rest and not multiple % part:
                times = multiple // part
                varying[axis] = times * sides[axis] if times > 1 else sides[axis]
        found.append(varying)
    return tuple(found)


def describe(dancer: Dancer, painter: WholePainter) -> dict[str, Any]:
    """All that another program has to know: `docs/speed.md` says what each key means."""
    info = dancer.info
    renderer = dancer.painter.parts.renderer
    skeleton = get_skeleton(info.skeleton)
    plate = crop(dancer.plate, info.window)
    _, png = cv2.imencode(".png", cv2.cvtColor(plate, cv2.COLOR_RGB2BGR))
    return {
        "format": FORMAT,
        "dancer_sha256": file_sha256(dancer.path),
        "components": dict(info.components),
        "licence": info.licence,
        "subject": info.subject,
        "consent": info.consent,
        "rate": str(info.rate),
        "inputs": list(painter.inputs),
        "outputs": list(painter.outputs),
        "state": {
            name: list(value.shape[1:]) for name, value in painter.inputs.items() if name.startswith("state_")
        },
        "size": list(info.window.size),
        "multiple_of": _multiple(dancer),
        "window": info.window.to_json(),
        "skeleton": {"id": skeleton.id, "joints": list(skeleton.joints)},
        "condition": {
            "renderer": info.components["renderer"],
            "parameters": dict(info.recipe.renderer.params),
            "channels": renderer.spec.channels,
            "range": list(renderer.spec.value_range),
            "strokes": renderer.strokes() if isinstance(renderer, Sticks) else None,
        },
        "face": {
            "head_widths": getattr(dancer.painter.parts.face, "widths", None),
            "head_over_shoulders": 1 / SHOULDERS_RATIO,
        },
        "plate_png": base64.b64encode(png.tobytes()).decode(),
    }


def compare(
    file: Path, painter: WholePainter, multiple: int, size: tuple[int, int]
) -> tuple[tuple[tuple[int, int], ...], float]:
    """Run a graph by ONNX Runtime and the dancer by torch, at several sizes and batches, two frames each.

    Returns:
        The sizes, and the largest difference.

    Raises:
        DancekitError: It is too large.
    """
    session = session_of(file)
    names = [each.name for each in session.get_outputs()]
    wide, high = size
    cases = ((1, wide, high), (2, wide + multiple, high), (1, wide, high + 2 * multiple))
    worst = 0.0
    for number, (batch, width, height) in enumerate(cases):
        given = random_inputs(painter, batch, (width, height), seed=number)
        for _ in range(2):
            with torch.inference_mode():
                expected = painter(*given.values())
            found = session.run(names, {name: value.numpy() for name, value in given.items()})
            apart = difference([torch.from_numpy(each) for each in found], expected)
            worst = apart if not apart <= worst else worst
            memories = expected[len(expected) - len(painter.memories) :]
            given |= {f"state_{name}": value for name, value in zip(painter.memories, memories, strict=True)}
    if not worst <= TOLERANCE:
        raise DancekitError(
            f"{file.name}: the graph comes out {worst:.2g} away from torch (at most {TOLERANCE:g} is allowed)",
            hint="report this, with the dancer's recipe",
        )
    return tuple((width, height) for _, width, height in cases), worst


def _multiple(dancer: Dancer) -> int:
    spec: GeneratorSpec = dancer.painter.parts.generator.spec  # type: ignore[assignment]
    return spec.multiple_of
