"""A dancer as one ONNX file: everything from the condition image to the painted picture, for other programs.

What goes in and out, and what the metadata says, stands in `docs/speed.md`. The file is compared with torch on
several sizes, by ONNX Runtime, before it is kept.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from dancekit.boxes import SHOULDERS_RATIO
from dancekit.build import PaintingParts
from dancekit.contracts import GeneratorSpec, MattedBackground, State
from dancekit.data.files import beside
from dancekit.data.framing import crop
from dancekit.errors import DancekitError
from dancekit.renderers.sticks import Sticks
from dancekit.runners.agreement import TOLERANCE, difference
from dancekit.types import get_skeleton
from dancekit.weights.header import file_sha256

if TYPE_CHECKING:
    from dancekit.transfer.pipeline import Dancer

FORMAT = 1
"""Of the metadata."""


class WholePainter(nn.Module):
    """Everything that paints, as one network without a memory: what it has to remember goes in and comes out.

    Args:
        parts: What paints; its networks are taken as they are.
        size: (W, H) of the window.

    Attributes:
        inputs: Examples by name: `condition` (1, C, H, W); `state_<name>`, zeros, for each tensor that the temporal
            strategy remembers; `plate` (1, 3, H, W) where the background needs it; `face` (1, 4) where faces are
            refined.
        outputs: `image` (B, 3, H, W); `matte` (B, 1, H, W) where there is one; `next_<name>` for each `state_<name>`.
    """

    def __init__(self, parts: PaintingParts, size: tuple[int, int]) -> None:
        super().__init__()
        self.generator, self.face = parts.generator, parts.face
        self.temporal, self.background = parts.temporal, parts.background
        self.memories: tuple[str, ...] = ()
        self.inputs = self._examples(parts, size)
        matted = isinstance(parts.background, MattedBackground)
        self.outputs = ("image", *(["matte"] if matted else []), *(f"next_{name}" for name in self.memories))

    def _examples(self, parts: PaintingParts, size: tuple[int, int]) -> dict[str, Tensor]:
        """Inputs at random; what the parts do not look at is left out."""
        always = torch.Generator().manual_seed(0)
        wide, high = size
        condition = torch.rand(1, parts.renderer.spec.channels, high, wide, generator=always)
        plate = torch.rand(1, 3, high, wide, generator=always) * 2 - 1
        side = min(size) / 4
        box = torch.tensor([[wide / 2 - side / 2, side / 4, wide / 2 + side / 2, side * 1.25]])
        with torch.inference_mode():
            start = parts.temporal.start(condition)
            self.memories = tuple(start)
            image = self._paint(condition, start, plate, box)[0]
            sees_plate = difference(self._paint(condition, start, plate / 2, box)[0], image) > 0
        examples = {"condition": condition} | {f"state_{name}": value.clone() for name, value in start.items()}
        if sees_plate:
            examples["plate"] = plate
        if parts.face.crop_size:  # type: ignore[truthy-bool]
            examples["face"] = box
        return examples

    def _paint(
        self, condition: Tensor, state: State, plate: Tensor, box: Tensor
    ) -> tuple[Tensor, Tensor | None, State | None]:
        """Image, matte and state, as `Painter.step`."""
        raw: list[Tensor] = []

        def generate(given: Tensor) -> Tensor:
            raw[:] = [self.generator(given)]
            return self.background.compose(raw[0], plate)

        image, after = self.temporal.step(generate, condition, state)
        image = self.face(image, condition, box)
        after = self.temporal.remember(image, after)
        matte = self.background.matte(raw[0]) if isinstance(self.background, MattedBackground) else None
        return image, matte, after

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """The inputs, in order, to the outputs, in order."""
        named = dict(zip(self.inputs, given, strict=True))
        condition = named["condition"]
        plate = named.get("plate", condition[:1, :1] * 0)
        box = named.get("face", condition.new_full((1, 4), torch.nan))
        state = {name: named[f"state_{name}"] for name in self.memories}
        image, matte, after = self._paint(condition, state, plate, box)
        remembered = [(after or {})[name] for name in self.memories]
        return tuple(each for each in (image, matte, *remembered) if each is not None)


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


def export_dancer(dancer: Dancer, out: Path) -> Exported:
    """Write a dancer as ONNX.

    Args:
        dancer: Loaded on the CPU.
        out: Replaced if it is there.

    Raises:
        MissingExtra: The extra `[onnx]` is not installed.
        IncompatibleParts: A part of the dancer has no ONNX form.
        DancekitError: The graph gives other pictures than torch, or cannot be written.
    """
    painter, plain, model = exported_graph(dancer)
    with beside(out) as part:
        part.write_bytes(model.SerializeToString())
        sizes, worst = compare(part, painter, _multiple(dancer), dancer.info.window.size)
    return Exported(out, sizes, worst, tuple(plain.inputs), plain.outputs)


def exported_graph(dancer: Dancer) -> tuple[WholePainter, WholePainter, Any]:
    """The dancer as one network, its twin of layers that ONNX has, and the graph with its metadata."""
    from dancekit.runners.graph import plain_copy, to_onnx

    painter = WholePainter(dancer.painter.parts, dancer.info.window.size).eval()
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


def add_metadata(model: Any, facts: Mapping[str, Any]) -> None:
    """Facts as the model's metadata, key `dancekit`."""
    for entry in list(model.metadata_props):
        if entry.key == "dancekit":
            model.metadata_props.remove(entry)
    entry = model.metadata_props.add()
    entry.key, entry.value = "dancekit", json.dumps(facts, sort_keys=True)


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
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    wide, high = size
    cases = ((1, wide, high), (2, wide + multiple, high), (1, wide, high + 2 * multiple))
    worst = 0.0
    for number, (batch, width, height) in enumerate(cases):
        given = _inputs(painter, batch, (width, height), seed=number)
        for _ in range(2):
            with torch.inference_mode():
                expected = painter(*given.values())
            found = session.run(names, {name: value.numpy() for name, value in given.items()})
            apart = difference([torch.from_numpy(each) for each in found], expected)
            worst = apart if not apart <= worst else worst
            memories = expected[len(expected) - len(painter.memories) :]
            given |= {
                f"state_{name}": value for name, value in zip(painter.memories, memories, strict=True)
            }
    if not worst <= TOLERANCE:
        raise DancekitError(
            f"{file.name}: the graph comes out {worst:.2g} away from torch (at most {TOLERANCE:g} is allowed)",
            hint="report this, with the dancer's recipe",
        )
    return tuple((width, height) for _, width, height in cases), worst


def _inputs(painter: WholePainter, batch: int, size: tuple[int, int], *, seed: int) -> dict[str, Tensor]:
    """Other numbers in the form of the examples; a state as at a beginning."""
    rng = np.random.default_rng(seed)
    wide, high = size
    channels = painter.inputs["condition"].shape[1]
    condition = torch.from_numpy(rng.random((batch, channels, high, wide), np.float32))
    start = {f"state_{name}": value for name, value in painter.temporal.start(condition).items()}
    given = {"condition": condition, **start}
    if "plate" in painter.inputs:
        given["plate"] = torch.from_numpy(rng.random((1, 3, high, wide), np.float32) * 2 - 1)
    if "face" in painter.inputs:
        moved = torch.tensor([[seed * 1.25, 0.5, seed * 1.25 + 2, 2.5]])
        given["face"] = painter.inputs["face"].repeat(batch, 1) + moved
    return given


def _multiple(dancer: Dancer) -> int:
    spec: GeneratorSpec = dancer.painter.parts.generator.spec  # type: ignore[assignment]
    return spec.multiple_of
