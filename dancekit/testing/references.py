"""What a reference promises: which filmed frames belong to a pose, and what the generator sees of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dancekit.testing.checks import require
from dancekit.testing.examples import example_frames, example_mask, example_poses
from dancekit.testing.subject import CHANNELS, SIZE, Subject

BANK, FRAMES = 12, 20


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of a reference."""
    return (
        it_announces_what_it_needs,
        it_chooses_from_the_bank,
        it_takes_nothing_that_is_forbidden,
        it_goes_on_from_the_frame_before,
        it_draws_what_it_announced,
        it_stands_missing_joints,
        its_gradient_reaches_the_generator,
    )


def it_announces_what_it_needs(subject: Subject) -> None:
    """`bank`, `gap`, `channels` and `generator_channels` are 0 or more; no bank, no channels; known `parts`."""
    reference = subject.build()
    known = ("head", "left_arm", "right_arm")
    require(
        isinstance(reference.parts, tuple) and all(part in known for part in reference.parts),
        f"parts are {reference.parts!r}, should be a tuple of {', '.join(known)}",
    )
    require(reference.bank >= 0 and reference.gap >= 0, f"bank {reference.bank}, gap {reference.gap}")
    require(reference.generator_channels >= 0, f"generator_channels is {reference.generator_channels}")
    channels = reference.channels(CHANNELS)
    require(channels >= 0, f"channels({CHANNELS}) is {channels}")
    require(
        (channels > 0) == (reference.bank > 0), f"a bank of {reference.bank} frames and {channels} channels"
    )


def it_chooses_from_the_bank(subject: Subject) -> None:
    """Costs (T, N) give places (T, k) in the bank, the same at every call, never one twice in a frame."""
    reference, cost = subject.build(), _cost()
    chosen = _choose(reference, cost)
    require(chosen.ndim == 2 and len(chosen) == FRAMES, f"places have shape {chosen.shape}")
    require(np.issubdtype(chosen.dtype, np.integer), f"places are {chosen.dtype}")
    inside = (chosen >= -1) & (chosen < BANK)
    require(bool(inside.all()), "a place is not in the bank")
    for row in chosen:
        there = row[: len(row) - len(reference.parts)]  # a part may be of the body's frame
        there = there[there >= 0]
        require(len(set(there.tolist())) == len(there), f"a frame has one reference twice: {row}")
    require(np.array_equal(chosen, _choose(reference, cost)), "two calls choose differently")


def it_takes_nothing_that_is_forbidden(subject: Subject) -> None:
    """A frame of infinite cost is never taken; where all are, and where the bank is empty, places are -1."""
    reference, cost = subject.build(), _cost()
    cost[:, ::2] = np.inf
    chosen = _choose(reference, cost)
    require(not (chosen[chosen >= 0] % 2 == 0).any(), "a frame of infinite cost was taken")
    for empty in (np.full_like(cost, np.inf), cost[:, :0]):
        require(bool((_choose(reference, empty) == -1).all()), "there is nothing to take, and something was")


def it_goes_on_from_the_frame_before(subject: Subject) -> None:
    """A clip in two pieces, the second told what the frame before it had, has the references of the whole."""
    reference, cost = subject.build(), _cost()
    whole = _choose(reference, cost)
    for cut in range(1, FRAMES):
        rest = _choose(reference, cost[cut:], whole[cut - 1])
        require(np.array_equal(whole[cut:], rest), f"cut at frame {cut}, the rest has other references")


def it_draws_what_it_announced(subject: Subject) -> None:
    """Pictures, poses and the wanted pose give (channels, H, W) float32, finite, the same at every call."""
    reference = subject.build()
    count = _choose(reference, _cost()).shape[1] - len(reference.parts)
    for lacking in range(min(count, 1) + 1):
        drawn = _draw(reference, count - lacking)
        expected = (reference.channels(CHANNELS), SIZE[1], SIZE[0])
        require(tuple(drawn.shape) == expected, f"it draws {tuple(drawn.shape)}, expected {expected}")
        require(
            drawn.dtype == torch.float32 and bool(drawn.isfinite().all()), "it does not draw finite float32"
        )
        require(torch.equal(drawn, _draw(reference, count - lacking)), "two calls draw differently")


def it_stands_missing_joints(subject: Subject) -> None:
    """Poses with missing joints, and with none at all, are no errors."""
    reference = subject.build()
    count = _choose(reference, _cost()).shape[1] - len(reference.parts)
    for missing in (slice(None, None, 3), slice(None)):
        require(bool(_draw(reference, count, missing).isfinite().all()), "it does not draw finite numbers")


def its_gradient_reaches_the_generator(subject: Subject) -> None:
    """Gradients reach every channel of the generator's output through `compose`."""
    reference, rng = subject.build(), torch.Generator().manual_seed(5)
    seen = _draw(reference, _choose(reference, _cost()).shape[1] - len(reference.parts))[None]
    shape = (1, 4 + reference.generator_channels, SIZE[1], SIZE[0])
    output = (torch.rand(shape, generator=rng) * 2 - 1).requires_grad_()
    made = reference.compose(output, seen)
    torch.autograd.backward((made * torch.linspace(0.5, 1.5, made.numel()).reshape(made.shape)).sum())
    gradient = torch.zeros_like(output) if output.grad is None else output.grad
    idle = [number for number in range(shape[1]) if not bool(gradient[:, number].any())]
    require(not idle, f"channels {idle} of the generator change nothing")


def _choose(
    reference: Any, cost: NDArray[np.float64], before: NDArray[np.intp] | None = None
) -> NDArray[np.intp]:
    """Parts cost something else than bodies, but for what must not be taken."""
    parts = [np.where(np.isfinite(cost), cost[:, ::-1], np.inf) for _ in reference.parts]
    chosen: NDArray[np.intp] = reference.choose(cost, before, parts)
    return chosen


def _cost() -> NDArray[np.float64]:
    return np.random.default_rng(4).uniform(10, 14, (FRAMES, BANK))


def _draw(reference: Any, count: int, missing: slice | None = None) -> Tensor:
    poses = example_poses(frames=count + 2)
    xy, score = poses.xy.copy(), poses.score.copy()
    if missing is not None:
        xy[:, missing], score[:, missing] = np.nan, 0
    colours = torch.from_numpy(example_frames(frames=count + 1)).float() / 127.5 - 1
    mask = torch.from_numpy(example_mask(frames=count + 1)).float()[..., None]
    pictures = torch.cat([colours * mask, mask], -1).permute(0, 3, 1, 2).contiguous()
    parts = dict.fromkeys(reference.parts, (pictures[-1], (xy[-2], score[-2])))
    there, wanted = (xy[:count], score[:count]), (xy[-1], score[-1])
    drawn: Tensor = reference.draw(pictures[:count], there, wanted, poses.skeleton, _figure, parts)
    return drawn


def _figure(xy: NDArray[np.float32], score: NDArray[np.float32]) -> Tensor:
    """A renderer of `CHANNELS` channels: a spot on every joint."""
    picture = np.zeros((len(xy), CHANNELS, SIZE[1], SIZE[0]), np.float32)
    for frame in range(len(xy)):
        for x, y in xy[frame][score[frame] > 0]:
            if 0 <= x < SIZE[0] - 1 and 0 <= y < SIZE[1] - 1:
                picture[frame, :, round(float(y)), round(float(x))] = 1
    return torch.from_numpy(picture)
