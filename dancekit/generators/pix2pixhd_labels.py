"""What pix2pixHD feeds its generator from label maps with instances: one-hot labels, edges, features.

dancekit's own conditions are stick figures; these are here for people who bring label maps of their own.
Source: Wang et al., CVPR 2018, sections 3.3 and 3.4; names of parameters are NVIDIA/pix2pixHD's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dancekit.layers import Norm, global_generator, init_gan


def one_hot_labels(labels: Tensor, classes: int) -> Tensor:
    """(B, 1, H, W) class numbers to (B, classes, H, W) float, 1 in the channel of each pixel's class."""
    planes = torch.zeros(len(labels), classes, *labels.shape[2:], device=labels.device)
    return planes.scatter_(1, labels.long(), 1.0)


def instance_edges(instances: Tensor) -> Tensor:
    """(B, 1, H, W) instance numbers to (B, 1, H, W) float: 1 where a neighbour to a side, above or below differs."""
    across = instances[..., 1:] != instances[..., :-1]
    down = instances[..., 1:, :] != instances[..., :-1, :]
    edges = torch.zeros_like(instances, dtype=torch.bool)
    edges[..., 1:] |= across
    edges[..., :-1] |= across
    edges[..., 1:, :] |= down
    edges[..., :-1, :] |= down
    return edges.float()


class InstanceEncoder(nn.Module):
    """Encodes an image, and averages the features over each instance.

    Args:
        in_channels: C of the image.
        out_channels: Features a pixel.
        ngf: Channels of the first layer.
        n_down: How many times the image is halved.
        norm: `instance` or `batch`.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 3,
        ngf: int = 16,
        n_down: int = 4,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        self.model = global_generator(
            in_channels=in_channels, out_channels=out_channels, ngf=ngf, n_down=n_down, n_blocks=0, norm=norm
        )
        init_gan(self)

    def forward(self, image: Tensor, instances: Tensor) -> Tensor:
        """(B, in_channels, H, W) and (B, 1, H, W) instance numbers to (B, out_channels, H, W)."""
        features: Tensor = self.model(image)
        samples = []
        for sample, instance in zip(features, instances, strict=True):
            numbers, place = instance.flatten().unique(return_inverse=True)
            sums = sample.new_zeros(len(sample), len(numbers)).index_add(1, place, sample.flatten(1))
            counts = torch.bincount(place, minlength=len(numbers)).to(sample.dtype)
            samples.append((sums / counts)[:, place].view_as(sample))
        return torch.stack(samples)
