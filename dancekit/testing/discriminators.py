"""What a discriminator promises: feature maps by scale and layer, the last one its logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from dancekit.testing.checks import require
from dancekit.testing.networks import Probe, make, network_checks
from dancekit.testing.subject import Subject


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of a discriminator."""
    return (it_gives_maps_by_scale_and_layer, *network_checks(_PROBE))


def it_gives_maps_by_scale_and_layer(subject: Subject) -> None:
    """(B, C, H, W) becomes a list of scales, the finest first, each a list of maps (B n, C', H', W'), logits last.

    n is 1, or how many groups of frames are judged: those of a sample lie together.
    """
    network = make(subject)
    with torch.no_grad():
        scales = network(*_inputs(subject, network))
    require(isinstance(scales, list), f"it gives a {type(scales).__name__}, not a list of scales")
    sizes = []
    for scale in scales:
        require(isinstance(scale, list) and bool(scale), "a scale is no list of maps, or an empty one")
        for each in scale:
            require(each.ndim == 4 and len(each) % 2 == 0, f"a map has shape {tuple(each.shape)}")
            require(bool(each.isfinite().all()), "a map is not finite")
        require(scale[-1].shape[1] == 1, f"logits have {scale[-1].shape[1]} channels, expected 1")
        sizes.append(scale[-1].shape[2] * scale[-1].shape[3])
    require(
        sizes[:1] == [max(sizes)] if sizes else True, f"the first scale is not the finest: {sizes} logits"
    )


def _inputs(subject: Subject, network: Any) -> tuple[Tensor, ...]:
    rng = torch.Generator().manual_seed(3)
    return (torch.rand(2, subject.given("in_channels"), 64, 96, generator=rng) * 2 - 1,)


def _run(network: Any, inputs: Sequence[Tensor]) -> list[Tensor]:
    return [each for scale in network(*inputs) for each in scale]


_PROBE = Probe(_inputs, _run)
