"""Adversarial losses: least squares, cross entropy, Wasserstein with a gradient penalty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from dancekit.contracts import LossView
from dancekit.errors import IncompatibleParts
from dancekit.losses.weighting import Background, Mask, weighted_mean

Features = Sequence[Sequence[Tensor]]
Penalty = Annotated[float, Field(ge=0)]


class LSGAN:
    """Least-squares GAN (Mao et al., ICCV 2017) summed over the discriminator's scales, as in pix2pixHD.

    Generator: sum of mean (D(fake) - 1)^2. Discriminator: half of the sum of mean (D(real) - 1)^2 and
    mean D(fake)^2.

    Args:
        mask: `none` weighs every patch alike; `person` weighs patches outside of the person's mask by
            `background`.
        background: That weight, 0 to 1.
    """

    version = 1

    def __init__(self, *, mask: Mask = "none", background: Background = 0.2) -> None:
        self.mask: Mask = mask
        self.background = background

    def __call__(self, view: LossView) -> Tensor:
        """The generator's side: a scalar.

        Raises:
            IncompatibleParts: There is no discriminator.
        """
        return self._towards(1.0, view.fake_features, view.view_mask)

    def discriminator(self, real: Features, fake: Features, view_mask: Tensor) -> Tensor:
        """The discriminator's side: a scalar.

        Raises:
            IncompatibleParts: There is no discriminator.
        """
        return 0.5 * (self._towards(1.0, real, view_mask) + self._towards(0.0, fake, view_mask))

    def _towards(self, label: float, features: Features, view_mask: Tensor) -> Tensor:
        return over_scales(
            "lsgan", features, lambda x: (x - label) ** 2, view_mask, self.mask, self.background
        )


class Vanilla:
    """The original GAN's cross entropy (Goodfellow et al. 2014; the generator does not saturate), over scales.

    Generator: sum of mean -log D(fake). Discriminator: half of the sum of mean -log D(real) and mean
    -log(1 - D(fake)).

    Args:
        logits: The discriminator's last map is logits (pix2pix). Off: probabilities, from a `multiscale` with
            `features: false` and `sigmoid: true` (pix2pixHD's `no_lsgan`), which is numerically worse.
        mask: `none` weighs every patch alike; `person` weighs patches outside of the person's mask by
            `background`.
        background: That weight, 0 to 1.
    """

    version = 1

    def __init__(self, *, logits: bool = True, mask: Mask = "none", background: Background = 0.2) -> None:
        self.logits = logits
        self.mask: Mask = mask
        self.background = background

    def __call__(self, view: LossView) -> Tensor:
        """The generator's side: a scalar.

        Raises:
            IncompatibleParts: There is no discriminator.
        """
        return self._towards(1.0, view.fake_features, view.view_mask)

    def discriminator(self, real: Features, fake: Features, view_mask: Tensor) -> Tensor:
        """The discriminator's side: a scalar.

        Raises:
            IncompatibleParts: There is no discriminator, or it gives no probabilities where they are asked for.
        """
        return 0.5 * (self._towards(1.0, real, view_mask) + self._towards(0.0, fake, view_mask))

    def _towards(self, label: float, features: Features, view_mask: Tensor) -> Tensor:
        return over_scales(
            "vanilla", features, lambda x: self._entropy(x, label), view_mask, self.mask, self.background
        )

    def _entropy(self, x: Tensor, label: float) -> Tensor:
        target = torch.full_like(x, label)
        if self.logits:
            return F.binary_cross_entropy_with_logits(x, target, reduction="none")
        if float(x.detach().amin()) < 0 or float(x.detach().amax()) > 1:
            raise IncompatibleParts(
                "the loss vanilla with logits=false needs probabilities and the discriminator gives others",
                hint="losses.vanilla.logits=true, or discriminator.features=false discriminator.sigmoid=true",
            )
        with torch.autocast(x.device.type, enabled=False):
            return F.binary_cross_entropy(x.float(), target.float(), reduction="none")


class WGANGP:
    """Wasserstein GAN with a gradient penalty (Gulrajani et al., NeurIPS 2017), as pix2pix's `wgangp`.

    Generator: sum over scales of mean -D(fake). Discriminator: half of the sum of mean -D(real) and mean
    D(fake), plus `penalty` times mean (|grad D(x)|_2 - 1)^2, |.| over all of a sample's view.

    Args:
        penalty: Weight of the gradient penalty.
        where: Where the gradient is taken: between true and painted views (`mixed`, at random), or at `real`
            or `fake` ones.
    """

    version = 1

    def __init__(self, *, penalty: Penalty = 10.0, where: Literal["mixed", "real", "fake"] = "mixed") -> None:
        self.weight = penalty
        self.where: Literal["mixed", "real", "fake"] = where

    def __call__(self, view: LossView) -> Tensor:
        """The generator's side: a scalar.

        Raises:
            IncompatibleParts: There is no discriminator.
        """
        return self._mean(view.fake_features, -1.0, view.view_mask)

    def discriminator(self, real: Features, fake: Features, view_mask: Tensor) -> Tensor:
        """The discriminator's side without the penalty: a scalar.

        Raises:
            IncompatibleParts: There is no discriminator.
        """
        return 0.5 * (self._mean(real, -1.0, view_mask) + self._mean(fake, 1.0, view_mask))

    def penalty(self, critic: Callable[[Tensor], list[list[Tensor]]], real: Tensor, fake: Tensor) -> Tensor:
        """The gradient penalty, a scalar; (B, C, H, W) each."""
        return self.weight * gradient_penalty(critic, real, fake, where=self.where)

    def _mean(self, features: Features, sign: float, view_mask: Tensor) -> Tensor:
        return over_scales("wgan_gp", features, lambda x: sign * x, view_mask, "none", 0.0)


def gradient_penalty(
    critic: Callable[[Tensor], list[list[Tensor]]],
    real: Tensor,
    fake: Tensor,
    *,
    where: Literal["mixed", "real", "fake"] = "mixed",
    alpha: Tensor | None = None,
) -> Tensor:
    """Mean over the samples of (|d sum of logits / d view + 1e-16|_2 - 1)^2, a scalar.

    Args:
        critic: The discriminator.
        real: (B, C, H, W) true views.
        fake: (B, C, H, W) painted views.
        where: Where to take the gradient.
        alpha: (B,) share of the true view in a mixed one; None draws it.
    """
    if where == "mixed":
        share = torch.rand(len(real), device=real.device, dtype=real.dtype) if alpha is None else alpha
        share = share.view(-1, 1, 1, 1)
        at = share * real.detach() + (1 - share) * fake.detach()
    else:
        at = (real if where == "real" else fake).detach()
    at = at.clone().requires_grad_()
    total = torch.stack([scale[-1].sum() for scale in critic(at)]).sum()
    (gradient,) = torch.autograd.grad(total, at, create_graph=True)
    # the tiny shift keeps the norm's own gradient finite where the gradient is 0
    distance: Tensor = ((gradient.flatten(1) + 1e-16).norm(2, dim=1) - 1).square().mean()
    return distance


def over_scales(
    name: str,
    features: Features,
    error: Callable[[Tensor], Tensor],
    view_mask: Tensor,
    where: Mask,
    background: float,
) -> Tensor:
    """Sum over the scales of the mean error of the last map.

    Raises:
        IncompatibleParts: There is no scale: the loss of that name needs a discriminator.
    """
    if not features:
        raise IncompatibleParts(
            f"the loss {name} needs a discriminator and there is none",
            hint="remove it from losses, or set discriminator=multiscale",
        )
    terms = [
        weighted_mean(error(scale[-1]), view_mask, where=where, background=background) for scale in features
    ]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
