"""The image pool: discriminators also see what was painted a while ago (Shrivastava et al., CVPR 2017)."""

from __future__ import annotations

import random

import torch
from torch import Tensor


class ImagePool:
    """Keeps views of earlier steps and hands out a mixture of old and new ones, as pix2pixHD does.

    While it fills up, it returns what it is given. Then each view is kept back with probability 1/2 and an old
    one is returned in its place.

    Args:
        size: How many views it keeps; 0 switches it off.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[Tensor] = []

    def query(self, views: Tensor, rng: random.Random) -> Tensor:
        """What the discriminator should see in place of (B, C, H, W) detached views: the same shape.

        Args:
            views: Fresh ones; old ones of another size (another stage) are forgotten.
            rng: One draw a view, and a second one if it is swapped; none while the pool fills up.
        """
        if self.size == 0:
            return views
        if self.images and self.images[0].shape != views.shape[1:]:
            self.images = []
        shown = []
        for view in views:
            if len(self.images) < self.size:
                self.images.append(view.clone())
                shown.append(view)
            elif rng.uniform(0, 1) > 0.5:
                place = rng.randint(0, self.size - 1)
                shown.append(self.images[place])
                self.images[place] = view.clone()
            else:
                shown.append(view)
        return torch.stack(shown)

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint must hold."""
        return {f"{number:04d}": image for number, image in enumerate(self.images)}

    def load(self, state: dict[str, Tensor], device: str) -> None:
        """Continue from a checkpoint."""
        self.images = [state[name].to(device) for name in sorted(state)]
