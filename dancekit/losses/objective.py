"""The objective: named, weighted losses, summed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor

from dancekit.contracts import AdversarialLoss, Loss, LossView, PenalizedLoss
from dancekit.errors import IncompatibleParts


class Objective:
    """Sums losses and reports each by name.

    Args:
        terms: (name, weight, loss) of each; names are unique, weights finite and not negative.

    Raises:
        IncompatibleParts: A name occurs twice, or a weight is negative or not finite.
    """

    def __init__(self, terms: Sequence[tuple[str, float, Loss]]) -> None:
        names = [name for name, _, _ in terms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise IncompatibleParts(
                f"losses have the same name: {', '.join(twice)}", hint="each name may occur once"
            )
        for name, weight, _ in terms:
            if not (math.isfinite(weight) and weight >= 0):
                raise IncompatibleParts(
                    f"the weight of loss {name} is {weight}", hint="use a number from 0 up"
                )
        self.terms = tuple(terms)

    @property
    def adversarial(self) -> bool:
        """Whether any term trains the discriminator."""
        return any(isinstance(loss, AdversarialLoss) for _, _, loss in self.terms)

    @property
    def matches_features(self) -> bool:
        """Whether any term compares the discriminator's maps of painted and true frames."""
        return any(getattr(loss, "needs_real_features", False) for _, _, loss in self.terms)

    def generator(self, view: LossView) -> tuple[Tensor, dict[str, Tensor]]:
        """The generator's side.

        Returns:
            The weighted sum, and each term by name, unweighted and detached.
        """
        total = view.fake.new_zeros(())
        parts: dict[str, Tensor] = {}
        for name, weight, loss in self.terms:
            value = loss(view)
            parts[name] = value.detach()
            total = total + weight * value
        return total, parts

    def discriminator(
        self, real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]], view_mask: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The discriminator's side: its terms are not weighted (a weight says what the generator cares for).

        Args:
            real: Maps of the true view, with gradient.
            fake: Maps of the painted view, the view detached.
            view_mask: (B, 1, H, W) the person's mask over the view's frames.

        Returns:
            The sum of the adversarial terms (0 if there are none), and each by name, detached.
        """
        total = view_mask.new_zeros(())
        parts: dict[str, Tensor] = {}
        for name, _, loss in self.terms:
            if isinstance(loss, AdversarialLoss):
                value = loss.discriminator(real, fake, view_mask)
                parts[name] = value.detach()
                total = total + value
        return total, parts

    def penalty(
        self, critic: Callable[[Tensor], list[list[Tensor]]], real: Tensor, fake: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What the adversarial terms demand of the discriminator itself.

        Args:
            critic: The discriminator.
            real: (B, C, H, W) the true view.
            fake: (B, C, H, W) the painted view.

        Returns:
            The sum (0 if there is nothing), and each by name, detached.
        """
        total = real.new_zeros(())
        parts: dict[str, Tensor] = {}
        for name, _, loss in self.terms:
            if isinstance(loss, PenalizedLoss):
                value = loss.penalty(critic, real, fake)
                parts[f"{name}_penalty"] = value.detach()
                total = total + value
        return total, parts
