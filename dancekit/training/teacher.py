"""The teacher of a small generator: a trained dancer that paints the same clips."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dancekit.build import PaintingParts, build_painting
from dancekit.config import Recipe
from dancekit.dancer import check_versions, read_info, read_networks
from dancekit.errors import IncompatibleParts, UsageError
from dancekit.layers import at_least_single
from dancekit.losses.distillation import attention_of
from dancekit.types import get_skeleton
from dancekit.zoo.dancers import find_dancer

if TYPE_CHECKING:
    from dancekit.training.batch import Batch

SAME = ("renderer", "background")
"""What must be the student's own: the teacher is shown the student's conditions. References are its own."""

PART = 8
"""Attention is that of the last convolution whose result is smallest, but no smaller than this part of the picture."""


def teacher_of(recipe: Recipe) -> str:
    """The teacher that a recipe's losses name, its file; "" if none does. One of the zoo is fetched.

    Raises:
        UsageError: The file is not there, or the loss names none.
        UnknownName: The zoo has no such dancer.
        OfflineError: It has to be fetched and cannot be.
    """
    for number, term in enumerate(recipe.losses):
        if term.name == "distillation":
            named = str(term.params.get("teacher") or "")
            if not named:
                raise UsageError(
                    f"losses[{number}]: distillation needs a teacher",
                    hint="losses.distillation.teacher=DANCER.safetensors",
                )
            file = find_dancer(named, option=f"losses[{number}].teacher")
            if not file.is_file():
                raise UsageError(f"losses[{number}].teacher: there is no {named}", hint="name a dancer file")
            return str(file)
    return ""


class Teacher:
    """A dancer that paints what its student has to paint.

    Args:
        file: The dancer.
        recipe: The student's.
        student: The student's generator, whose attention is looked at as well.
        device: Where.

    Attributes:
        parts: What paints.
        sees_others: Whether its references are not the student's.

    Raises:
        DancerError: Not a dancer file.
        IncompatibleParts: It is shown another stick figure, or paints before another background.
    """

    def __init__(self, file: Path, recipe: Recipe, student: nn.Module, device: str) -> None:
        info = read_info(file)
        check_versions(info, file)
        theirs = info.recipe
        wrong = [key for key in SAME if getattr(theirs, key) != getattr(recipe, key)]
        if wrong:
            raise IncompatibleParts(
                f"{file}: a teacher must have the student's {' and '.join(wrong)}: "
                + "; ".join(
                    f"{getattr(theirs, key).name}, the recipe has {getattr(recipe, key).name}"
                    for key in wrong
                ),
                hint="take what the teacher has into the recipe",
            )
        self.sees_others = theirs.reference != recipe.reference
        self.parts: PaintingParts = build_painting(theirs, get_skeleton(info.skeleton), device)
        tensors = read_networks(file)
        for name, network in self.parts.networks.items():
            state = {key: tensors[f"{name}.{key}"] for key in network.state_dict()}
            network.load_state_dict(state, strict=True)
            network.eval().requires_grad_(False).to(device)
        self._own, self._students = _Attention(self.parts.generator), _Attention(student)

    def look(self, batch: Batch) -> dict[str, Tensor]:
        """What losses may know, (B, T, ., h, w): `taught`, and `attention` and `taught_attention` of these frames.

        Call it right after the student has painted the batch.
        """
        images = self._paint(batch)
        count = images.shape[1]
        found = {"taught": images}
        students, own = self._students.last(count), self._own.last(count)
        if students is not None and own is not None:
            found |= {"attention": students, "taught_attention": own}
        return found

    @torch.no_grad()
    def _paint(self, batch: Batch) -> Tensor:
        """(B, T, 3, H, W); its history is its own."""
        images, state = [], None
        for t in range(batch.conditions.shape[1]):
            references = None if batch.taught is None else batch.taught[:, t]

            def generate(given: Tensor, references: Tensor | None = references) -> Tensor:
                if references is None:
                    output = at_least_single(self.parts.generator(given))
                else:
                    seen = torch.cat([given, references.to(given.dtype)], 1)
                    output = at_least_single(self.parts.generator(seen))
                    output = self.parts.reference.compose(output, references)
                return self.parts.background.compose(output, batch.plate)

            image, state = self.parts.temporal.step(generate, batch.conditions[:, t], state)
            image = self.parts.face(image, batch.conditions[:, t], batch.boxes[:, t])
            state = self.parts.temporal.remember(image, state)
            images.append(image)
        return torch.stack(images, 1)


class _Attention:
    """Remembers the attention of each forward pass of a generator, with its gradient, until it is asked."""

    def __init__(self, network: nn.Module) -> None:
        self._height = 0
        self._now: Tensor | None = None
        self._maps: deque[Tensor | None] = deque(maxlen=64)
        network.register_forward_pre_hook(self._begin)
        network.register_forward_hook(self._end)
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.register_forward_hook(self._see)

    def last(self, count: int) -> Tensor | None:
        """(B, count, 1, h, w) of the last passes; None if there was no layer of that size."""
        maps = list(self._maps)[-count:]
        self._maps.clear()
        there = [each for each in maps if each is not None]
        return torch.stack(there, 1) if len(there) == count else None

    def _begin(self, module: nn.Module, given: tuple[Tensor, ...]) -> None:
        self._height, self._now = given[0].shape[2], None

    def _see(self, module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        coarsest = self._height if self._now is None else self._now.shape[2]
        if self._height <= output.shape[2] * PART and output.shape[2] <= coarsest:
            self._now = output

    def _end(self, module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        self._maps.append(None if self._now is None else attention_of(self._now))
        self._now = None
