"""What a background promises: the image of a generator's output, in front of a clean plate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from dancekit.contracts import MattedBackground
from dancekit.testing.checks import require
from dancekit.testing.subject import SIZE, Subject


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of a background, one more for one with a matte."""
    found = (it_makes_images, its_gradient_reaches_the_generator)
    return (*found, its_matte_is_a_share) if hasattr(subject.cls, "matte") else found


def it_makes_images(subject: Subject) -> None:
    """(B, generator_channels, H, W) and a plate of one or B images become (B, 3, H, W) in [-1, 1]."""
    background = subject.build()
    require(background.generator_channels >= 1, f"generator_channels is {background.generator_channels}")
    output, plate = _inputs(background.generator_channels)
    images = background.compose(output, plate)
    require(tuple(images.shape) == (2, 3, SIZE[1], SIZE[0]), f"images have shape {tuple(images.shape)}")
    require(images.dtype == torch.float32, f"images are {images.dtype}")
    low, high = float(images.min()), float(images.max())
    require(low >= -1 - 1e-6 and high <= 1 + 1e-6, f"images lie in [{low:.3f}, {high:.3f}]")
    one = background.compose(output, plate[:1])
    two = background.compose(output, plate[:1].expand(2, -1, -1, -1))
    require(torch.equal(one, two), "one plate for all is not the same as one for each")


def its_gradient_reaches_the_generator(subject: Subject) -> None:
    """Finite gradients reach every channel of the generator's output."""
    background = subject.build()
    output, plate = _inputs(background.generator_channels)
    output.requires_grad_()
    weights = torch.linspace(0.5, 1.5, plate.numel()).reshape(plate.shape)
    torch.autograd.backward((background.compose(output, plate) * weights).sum())
    gradient = torch.zeros_like(output) if output.grad is None else output.grad
    require(bool(gradient.isfinite().all()), "the gradient is not finite")
    idle = [number for number in range(output.shape[1]) if not bool(gradient[:, number].any())]
    require(not idle, f"channels {idle} of the generator change nothing")


def its_matte_is_a_share(subject: Subject) -> None:
    """A matte is (B, 1, H, W) in [0, 1], and where it is 0 the plate shows."""
    background = subject.build()
    require(isinstance(background, MattedBackground), "it is no MattedBackground of dancekit.contracts")
    output, plate = _inputs(background.generator_channels)
    matte = background.matte(output)
    require(tuple(matte.shape) == (2, 1, SIZE[1], SIZE[0]), f"the matte has shape {tuple(matte.shape)}")
    require(bool(((matte >= 0) & (matte <= 1)).all()), "the matte leaves [0, 1]")
    nowhere = (matte == 0).expand_as(plate)
    shown = background.compose(output, plate)
    require(torch.allclose(shown[nowhere], plate[nowhere]), "where the matte is 0 the plate does not show")


def _inputs(channels: int) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(3)
    output = torch.rand(2, channels, SIZE[1], SIZE[0], generator=rng) * 2 - 1
    output[..., :8, :8] = -1.0  # where a matte would be 0
    plate = torch.rand(2, 3, SIZE[1], SIZE[0], generator=rng) * 2 - 1
    return output, plate
