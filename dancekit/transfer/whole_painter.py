"""All that paints a frame as one network: what an exported graph computes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from dancekit.build import PaintingParts
from dancekit.contracts import MattedBackground, State
from dancekit.runners.agreement import difference


class WholePainter(nn.Module):
    """Everything that paints, as one network without a memory: what it has to remember goes in and comes out.

    Args:
        parts: What paints; its networks are taken as they are.
        size: (W, H) of the window.
        box: Where a face is, as the face refiner's `boxes` says it of one frame: (1, 4) or (1, R, D).

    Attributes:
        inputs: Examples by name: `condition` (1, C, H, W); `state_<name>`, zeros, for each tensor that the temporal
            strategy remembers; `references` (1, R, H, W) where the generator sees filmed frames; `plate` (1, 3, H, W)
            where the background needs it; `face` (1, 4), or (1, R, D), where faces are refined.
        outputs: `image` (B, 3, H, W); `matte` (B, 1, H, W) where there is one; `next_<name>` for each `state_<name>`.
    """

    def __init__(self, parts: PaintingParts, size: tuple[int, int], box: Tensor) -> None:
        super().__init__()
        self.generator, self.face = parts.generator, parts.face
        self.temporal, self.background, self.reference = parts.temporal, parts.background, parts.reference
        self.inputs: dict[str, Tensor] = self._examples(parts, size, box)
        self.memories = tuple(
            name.removeprefix("state_") for name in self.inputs if name.startswith("state_")
        )
        matted = isinstance(parts.background, MattedBackground)
        remembered = (f"next_{name}" for name in self.memories)
        self.outputs = ("image", *(["matte"] if matted else []), *remembered)

    def _examples(self, parts: PaintingParts, size: tuple[int, int], box: Tensor) -> dict[str, Tensor]:
        """Inputs at random; what the parts do not look at is left out."""
        always = torch.Generator().manual_seed(0)
        wide, high = size
        drawn = parts.renderer.spec.channels
        condition = torch.rand(1, drawn, high, wide, generator=always)
        references = torch.rand(1, parts.reference.channels(drawn), high, wide, generator=always)
        plate = torch.rand(1, 3, high, wide, generator=always) * 2 - 1
        with torch.inference_mode():
            start = parts.temporal.start(condition)
            image = self._paint(condition, references, start, plate, box)[0]
            sees_plate = difference(self._paint(condition, references, start, plate / 2, box)[0], image) > 0
        examples = {"condition": condition} | {
            f"state_{name}": value.clone() for name, value in start.items()
        }
        if references.shape[1]:
            examples["references"] = references
        if sees_plate:
            examples["plate"] = plate
        if parts.face.crop_size:
            examples["face"] = box
        return examples

    def _paint(
        self, condition: Tensor, references: Tensor, state: State, plate: Tensor, box: Tensor
    ) -> tuple[Tensor, Tensor | None, State | None]:
        """Image, matte and state, as `Painter.step`."""
        raw: list[Tensor] = []

        def generate(given: Tensor) -> Tensor:
            seen = torch.cat([given, references], 1) if references.shape[1] else given
            raw[:] = [self.reference.compose(self.generator(seen), references)]
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
        references = named.get("references", condition[:, :0])
        state = {name: named[f"state_{name}"] for name in self.memories}
        image, matte, after = self._paint(condition, references, state, plate, box)
        remembered = [(after or {})[name] for name in self.memories]
        return tuple(each for each in (image, matte, *remembered) if each is not None)


def random_inputs(
    painter: WholePainter, batch: int, size: tuple[int, int], *, seed: int
) -> dict[str, Tensor]:
    """Other numbers in the form of the examples; a state as at a beginning."""
    rng = np.random.default_rng(seed)
    wide, high = size
    channels = painter.inputs["condition"].shape[1]
    condition = torch.from_numpy(rng.random((batch, channels, high, wide), np.float32))
    start = {f"state_{name}": value for name, value in painter.temporal.start(condition).items()}
    given = {"condition": condition, **start}
    if "references" in painter.inputs:
        channels = painter.inputs["references"].shape[1]
        given["references"] = torch.from_numpy(rng.random((batch, channels, high, wide), np.float32))
    if "plate" in painter.inputs:
        given["plate"] = torch.from_numpy(rng.random((1, 3, high, wide), np.float32) * 2 - 1)
    if "face" in painter.inputs:
        box = painter.inputs["face"]
        given["face"] = box.repeat(batch, *([1] * (box.dim() - 1)))
        given["face"][..., :4] += torch.tensor([seed * 1.25, 0.5, seed * 1.25 + 2, 2.5])
    return given
