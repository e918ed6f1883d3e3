"""Feature matching: the painted frame should look to the discriminator as the true one does."""

from __future__ import annotations

from torch import Tensor

from dancekit.contracts import LossView
from dancekit.errors import IncompatibleParts
from dancekit.losses.weighting import Background, Mask, weighted_mean


class FeatureMatching:
    """L1 between the discriminator's maps of the painted and the true view (Wang et al. 2018, eq. 4).

    1 / num_d * 4 / layers * the sum over scales and all layers but the logits; the 10 of the paper is the
    recipe's weight. The true side is detached.

    Args:
        mask: `none` weighs every place alike; `person` weighs places outside of the person's mask by
            `background`.
        background: That weight, 0 to 1.
    """

    version = 1
    needs_real_features = True

    def __init__(self, *, mask: Mask = "none", background: Background = 0.2) -> None:
        self.mask: Mask = mask
        self.background = background

    def __call__(self, view: LossView) -> Tensor:
        """A scalar.

        Raises:
            IncompatibleParts: There is no discriminator, or it hands out nothing but logits.
        """
        if not view.fake_features:
            raise IncompatibleParts(
                "the loss feature_matching needs a discriminator and there is none",
                hint="remove it from losses, or set discriminator=multiscale",
            )
        total = view.view_mask.new_zeros(())
        for fake, real in zip(view.fake_features, view.real_features, strict=True):
            layers = len(fake) - 1
            if layers == 0:
                raise IncompatibleParts(
                    "the loss feature_matching needs the discriminator's intermediate maps",
                    hint="discriminator.features=true, or remove it from losses",
                )
            for painted, true in zip(fake[:-1], real[:-1], strict=True):
                error = (painted - true.detach()).abs()
                mean = weighted_mean(error, view.view_mask, where=self.mask, background=self.background)
                total = total + mean * (4.0 / layers)
        return total / len(view.fake_features)
