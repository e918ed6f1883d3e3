"""Adversarial losses."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from dancekit.contracts import LossView
from dancekit.errors import IncompatibleParts
from dancekit.losses.weighting import Background, Mask, weighted_mean


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

    def discriminator(
        self, real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]], view_mask: Tensor
    ) -> Tensor:
        """The discriminator's side: a scalar.

        Raises:
            IncompatibleParts: There is no discriminator.
        """
        return 0.5 * (self._towards(1.0, real, view_mask) + self._towards(0.0, fake, view_mask))

    def _towards(self, label: float, features: Sequence[Sequence[Tensor]], view_mask: Tensor) -> Tensor:
        if not features:
            raise IncompatibleParts(
                "the loss lsgan needs a discriminator and there is none",
                hint="remove it from losses, or set discriminator=multiscale",
            )
        terms = [
            weighted_mean((scale[-1] - label) ** 2, view_mask, where=self.mask, background=self.background)
            for scale in features
        ]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total
