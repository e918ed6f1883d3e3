"""What a temporal strategy promises: history in constant memory, and the channels that it announced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from dancekit.testing.checks import require
from dancekit.testing.subject import CHANNELS, SIZE, Subject

STEPS = 6


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of a temporal strategy."""
    return (
        it_announces_its_channels,
        it_paints_a_clip,
        it_repeats_itself,
        its_memory_is_constant,
        its_gradient_reaches_the_generator,
        its_view_is_for_the_discriminator,
    )


def it_announces_its_channels(subject: Subject) -> None:
    """`clip_length`, `generator_channels` and `discriminator_channels` are whole numbers of 1 or more."""
    strategy = subject.build()
    require(strategy.clip_length >= 1, f"clip_length is {strategy.clip_length}")
    for condition in (1, CHANNELS, 17):
        inside, judged = strategy.generator_channels(condition), strategy.discriminator_channels(condition)
        require(inside >= condition, f"{condition} condition channels leave {inside} for the generator")
        require(judged >= 3, f"the discriminator gets {judged} channels, fewer than an image has")


def it_paints_a_clip(subject: Subject) -> None:
    """Each step gives the generator the channels it announced and returns an image (B, 3, H, W)."""
    for image, _ in _paint(subject.build(), STEPS):
        require(tuple(image.shape) == (2, 3, SIZE[1], SIZE[0]), f"a step gives {tuple(image.shape)}")


def it_repeats_itself(subject: Subject) -> None:
    """A clip gives the same after a new start (state None): nothing is kept but the state."""
    strategy = subject.build()
    one, two = ([image for image, _ in _paint(strategy, STEPS)] for _ in range(2))
    same = all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    require(same, "a clip depends on the one that was painted before it")


def its_memory_is_constant(subject: Subject) -> None:
    """The state of a long clip is no larger than that of a short one."""
    sizes = [_numbers(state) for _, state in _paint(subject.build(), 4 * STEPS)]
    settled = max(sizes[:STEPS])
    require(max(sizes) <= settled, f"the state grows from {settled} to {max(sizes)} numbers")


def its_gradient_reaches_the_generator(subject: Subject) -> None:
    """The gradient of every image of a training clip reaches the generator."""
    strategy = subject.build()
    length = max(strategy.clip_length, 2)
    for number in range(length):
        weight = torch.zeros((), requires_grad=True)
        images = [image for image, _ in _paint(strategy, length, weight)]
        torch.autograd.backward(images[number].sum())
        require(weight.grad is not None and bool(weight.grad != 0), f"no gradient from frame {number}")


def its_view_is_for_the_discriminator(subject: Subject) -> None:
    """(B, T, C, H, W) and (B, T, 3, H, W) of a clip become (B, discriminator_channels, H, W), with gradients."""
    strategy = subject.build()
    rng = torch.Generator().manual_seed(3)
    shape = (2, strategy.clip_length)
    conditions = torch.rand(*shape, CHANNELS, SIZE[1], SIZE[0], generator=rng)
    images = torch.rand(*shape, 3, SIZE[1], SIZE[0], generator=rng).requires_grad_()
    view = strategy.view(conditions, images)
    expected = (2, strategy.discriminator_channels(CHANNELS), SIZE[1], SIZE[0])
    require(tuple(view.shape) == expected, f"the view has shape {tuple(view.shape)}, expected {expected}")
    torch.autograd.backward(view.sum())
    seen = images.grad is not None and bool((images.grad.abs().amax((0, 2, 3, 4)) > 0).all())
    require(seen, "the view does not show every frame of the clip")


def _paint(strategy: Any, steps: int, weight: Tensor | None = None) -> list[tuple[Tensor, Any]]:
    """Images and states of a clip, painted by a generator that depends on all of its channels."""
    channels = strategy.generator_channels(CHANNELS)
    rng = torch.Generator().manual_seed(3)
    drawn: list[tuple[Tensor, Any]] = []
    state = None
    for _ in range(steps):
        condition = torch.rand(2, CHANNELS, SIZE[1], SIZE[0], generator=rng)
        image, state = strategy.step(lambda given: _generator(given, channels, weight), condition, state)
        drawn.append((image, state))
        state = strategy.remember(image, state)
    return drawn


def _generator(given: Tensor, channels: int, weight: Tensor | None) -> Tensor:
    require(
        given.shape[1] == channels, f"the generator gets {given.shape[1]} channels, {channels} were announced"
    )
    factors = torch.linspace(0.2, 1.0, channels)[None, :, None, None]
    mean = (given * factors).mean(1, keepdim=True).tanh()
    return (mean if weight is None else mean + weight).expand(-1, 3, -1, -1)


def _numbers(state: Any) -> int:
    return sum(each.numel() for each in tree_leaves(state) if isinstance(each, Tensor))
