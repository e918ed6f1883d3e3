"""What a temporal strategy promises: history in constant memory, and the channels that it announced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dancekit.contracts import State
from dancekit.testing.checks import require
from dancekit.testing.networks import Probe, make, network_checks
from dancekit.testing.subject import CHANNELS, SIZE, Subject

STEPS = 6


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of a temporal strategy, more for one that learns."""
    found = (
        it_announces_its_channels,
        it_paints_a_clip,
        a_new_start_forgets,
        its_state_keeps_its_shape,
        its_gradient_reaches_the_generator,
        its_view_is_for_the_discriminator,
    )
    return (*found, *network_checks(_PROBE)) if issubclass(subject.cls, nn.Module) else found


def it_announces_its_channels(subject: Subject) -> None:
    """`clip_length`, `warm_up`, `generator_channels` and `discriminator_channels` are whole numbers that fit."""
    strategy = _build(subject)
    require(strategy.clip_length >= 1, f"clip_length is {strategy.clip_length}")
    inside = 0 <= strategy.warm_up < strategy.clip_length
    require(inside, f"warm_up is {strategy.warm_up} of clip_length {strategy.clip_length}")
    given, judged = (getattr(strategy, f"{who}_channels")(CHANNELS) for who in ("generator", "discriminator"))
    require(given >= CHANNELS, f"{CHANNELS} condition channels leave {given} for the generator")
    require(judged >= 3, f"the discriminator gets {judged} channels, fewer than an image has")


def it_paints_a_clip(subject: Subject) -> None:
    """Each step gives the generator the channels it announced and returns an image (B, 3, H, W)."""
    for image, _ in _paint(_build(subject), STEPS):
        require(tuple(image.shape) == (2, 3, SIZE[1], SIZE[0]), f"a step gives {tuple(image.shape)}")


def a_new_start_forgets(subject: Subject) -> None:
    """A clip gives the same after a new start (state None): nothing is kept but the state."""
    strategy = _build(subject)
    one, two = ([image for image, _ in _paint(strategy, STEPS)] for _ in range(2))
    same = all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    require(same, "a clip depends on the one that was painted before it")


def its_state_keeps_its_shape(subject: Subject) -> None:
    """`start` gives zeros by name, what None stands for; every later state has the same names and shapes."""
    strategy = _build(subject)
    first = strategy.start(next(_conditions()))
    require(all(not each.any() for each in first.values()), "the state at the start is not zero")
    expected = {name: tuple(each.shape) for name, each in first.items()}
    for number, (_, state) in enumerate(_paint(strategy, 3 * STEPS)):
        found = {name: tuple(each.shape) for name, each in (state or {}).items()}
        require(
            found == expected, f"after frame {number} the state is {found}, at the start it is {expected}"
        )
    one, two = (_paint(strategy, 1, state=state)[0][0] for state in (None, first))
    require(torch.equal(one, two), "None and the state at the start paint different images")


def its_gradient_reaches_the_generator(subject: Subject) -> None:
    """The gradient of every judged image of a training clip reaches the generator."""
    strategy = _build(subject)
    for number in range(strategy.warm_up, strategy.clip_length):
        weight = torch.zeros((), requires_grad=True)
        images = [image for image, _ in _paint(strategy, strategy.clip_length, weight)]
        torch.autograd.backward(images[number].square().sum())
        require(weight.grad is not None and bool(weight.grad != 0), f"no gradient from frame {number}")


def its_view_is_for_the_discriminator(subject: Subject) -> None:
    """The judged frames, (B, T, C, H, W) and (B, T, 3, H, W), become (B, discriminator_channels, H, W)."""
    strategy = _build(subject)
    rng = torch.Generator().manual_seed(3)
    shape = (2, strategy.clip_length - strategy.warm_up)
    conditions = torch.rand(*shape, CHANNELS, SIZE[1], SIZE[0], generator=rng)
    images = torch.rand(*shape, 3, SIZE[1], SIZE[0], generator=rng).requires_grad_()
    view = strategy.view(conditions, images)
    expected = (2, strategy.discriminator_channels(CHANNELS), SIZE[1], SIZE[0])
    require(tuple(view.shape) == expected, f"the view has shape {tuple(view.shape)}, expected {expected}")
    torch.autograd.backward(view.sum())
    seen = images.grad is not None and bool((images.grad.abs().amax((0, 2, 3, 4)) > 0).all())
    require(seen, "the view does not show every judged frame, with its gradient")


def _build(subject: Subject) -> Any:
    return make(subject) if issubclass(subject.cls, nn.Module) else subject.build()


def _conditions() -> Iterator[Tensor]:
    rng = torch.Generator().manual_seed(3)
    while True:
        yield torch.rand(2, CHANNELS, SIZE[1], SIZE[0], generator=rng)


def _paint(
    strategy: Any, steps: int, weight: Tensor | None = None, *, state: State | None = None
) -> list[tuple[Tensor, State | None]]:
    """Images, and the states that go into the next step, of a clip; the generator uses all of its channels."""
    channels = strategy.generator_channels(CHANNELS)
    drawn = []
    for _, condition in zip(range(steps), _conditions(), strict=False):
        image, state = strategy.step(lambda given: _generate(given, channels, weight), condition, state)
        state = strategy.remember(image, state)
        drawn.append((image, state))
    return drawn


def _generate(given: Tensor, channels: int, weight: Tensor | None = None) -> Tensor:
    require(
        given.shape[1] == channels,
        f"the generator gets {given.shape[1]} channels, not the {channels} announced",
    )
    factors = torch.linspace(0.2, 1.0, channels, device=given.device, dtype=given.dtype)[None, :, None, None]
    mean = (given * factors).mean(1, keepdim=True).tanh()
    return (mean if weight is None else mean + weight).expand(-1, 3, -1, -1)


def _inputs(subject: Subject, network: Any) -> tuple[Tensor, ...]:
    conditions = _conditions()
    return tuple(next(conditions) for _ in range(3))


def _run(network: Any, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Three frames, each with the state of the one before."""
    channels, state, images = network.generator_channels(CHANNELS), None, []
    for condition in inputs:
        image, state = network.step(lambda given: _generate(given, channels), condition, state)
        state = network.remember(image, state)
        images.append(image)
    return images


_PROBE = Probe(_inputs, _run, compiles=False)  # its method `step` is called
