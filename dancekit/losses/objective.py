"""The objective: named, weighted losses, summed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from dancekit.contracts import AdversarialLoss, Loss, LossView, PenalizedLoss
from dancekit.errors import IncompatibleParts


class Objective:
    """Sums losses and reports each by name.

    Args:
        terms: (name, weight, loss) of each; names are unique, weights finite and not negative.
        every: By name, for terms that are computed in every n-th step only, with n times the weight (as lazy
            regularization in StyleGAN2); adversarial terms cannot be.

    Raises:
        IncompatibleParts: A name occurs twice, a weight is negative or not finite, or an adversarial term is
            to be left out in some steps.
    """

    def __init__(
        self, terms: Sequence[tuple[str, float, Loss]], every: Mapping[str, int] | None = None
    ) -> None:
        names = [name for name, _, _ in terms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise IncompatibleParts(
                f"losses have the same name: {', '.join(twice)}", hint="each name may occur once"
            )
        self.every = {name: n for name, n in (every or {}).items() if n > 1}
        for name, weight, loss in terms:
            if name in self.every and isinstance(loss, AdversarialLoss):
                raise IncompatibleParts(
                    f"loss {name} trains the discriminator in every step", hint=f"leave every: away at {name}"
                )
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

    def generator(self, view: LossView, *, step: int = 0) -> tuple[Tensor, dict[str, Tensor]]:
        """The generator's side.

        Args:
            view: What is looked at.
            step: Number of the step.

        Returns:
            The weighted sum, and each term of this step by name, unweighted and detached.
        """
        total = view.fake.new_zeros(())
        parts: dict[str, Tensor] = {}
        for name, weight, loss in self.terms:
            period = self.every.get(name, 1)
            if step % period:
                continue
            value = loss(view)
            parts[name] = value.detach()
            total = total + period * weight * value
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
