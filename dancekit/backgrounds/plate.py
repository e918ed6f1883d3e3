"""The clean plate behind the person, through a soft matte that the generator predicts."""

from __future__ import annotations

from torch import Tensor


class Plate:
    """A fourth channel of the generator is a matte: `plate + matte * (painted - plate)`, matte in [0, 1].

    With a locked camera the background is known, so the generator spends its weights on the person and on the
    shadow, and what nobody touches stays sharp and still from the first step on. The matte is trained through
    the image alone. (An idea older than neural networks: alpha matting, Porter and Duff 1984; in motion
    transfer e.g. Balakrishnan et al. 2018.)
    """

    version = 1
    generator_channels = 4

    def compose(self, output: Tensor, plate: Tensor) -> Tensor:
        """Composite.

        Args:
            output: (B, 4, H, W) in [-1, 1], matte last.
            plate: (B or 1, 3, H, W) in [-1, 1].

        Returns:
            (B, 3, H, W) in [-1, 1].
        """
        return plate + self.matte(output) * (output[:, :3] - plate)

    def matte(self, output: Tensor) -> Tensor:
        """(B, 4, H, W) to the matte (B, 1, H, W) in [0, 1], 1 = the person."""
        return (output[:, 3:] + 1) / 2
