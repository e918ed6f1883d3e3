"""What a loss promises: a finite scalar with a gradient to what was painted, and none to what is true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from dancekit.contracts import AdversarialLoss, LossView, PenalizedLoss
from dancekit.testing.checks import require
from dancekit.testing.examples import example_frames, example_mask
from dancekit.testing.subject import Subject

BATCH, TIME, WINDOW = 2, 2, (64, 64)


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of a loss, more for one that also trains the discriminator, and for one with a penalty."""
    found = [
        it_is_a_finite_scalar,
        it_repeats_itself,
        its_gradient_reaches_what_was_painted,
        it_stands_an_empty_mask,
        it_says_what_it_cannot_do_without,
    ]
    if hasattr(subject.cls, "discriminator"):
        found += [generator_and_discriminator_pull_apart, it_trains_the_discriminator]
    if hasattr(subject.cls, "penalty"):
        found.append(its_penalty_is_a_scalar)
    return found


def it_is_a_finite_scalar(subject: Subject) -> None:
    """A `LossView` becomes one finite float32 number."""
    _value(subject.build(), example_view())


def it_repeats_itself(subject: Subject) -> None:
    """The same view gives the same number, and is not changed."""
    view = example_view()
    before = view.fake.detach().clone(), view.real.clone()
    loss = subject.build()
    one, two = _number(loss, view), _number(loss, view)
    require(abs(one - two) <= 1e-6 * max(1.0, abs(one)), f"two calls gave {one} and {two}")
    same = torch.equal(before[0], view.fake.detach()) and torch.equal(before[1], view.real)
    require(same, "the frames that came in were changed")


def its_gradient_reaches_what_was_painted(subject: Subject) -> None:
    """Its gradient is finite and reaches what was predicted: frames, matte, flow, or the discriminator's maps."""
    view = example_view()
    leaves = [view.fake, *(each for scale in view.fake_features for each in scale)]
    leaves += [each for each in (view.flow, view.share, view.matte) if each is not None]
    real = [view.real, *(each for scale in view.real_features for each in scale)]
    for each in real:
        each.requires_grad_()
    torch.autograd.backward(_value(subject.build(), view))
    gradients = [each.grad for each in leaves if each.grad is not None]
    require(any(bool((each != 0).any()) for each in gradients), "no gradient reaches what was painted")
    require(all(bool(each.isfinite().all()) for each in gradients), "a gradient is not finite")


def it_stands_an_empty_mask(subject: Subject) -> None:
    """Where nobody is in the frames the number is finite, and so is its gradient."""
    view = example_view()
    empty = replace(view, mask=torch.zeros_like(view.mask), view_mask=torch.zeros_like(view.view_mask))
    value = _value(subject.build(), empty)
    if value.requires_grad:
        torch.autograd.backward(value)
        require(view.fake.grad is None or bool(view.fake.grad.isfinite().all()), "a gradient is not finite")


def it_says_what_it_cannot_do_without(subject: Subject) -> None:
    """Without a flow, a matte and a plate it is finite, too; one that needs a flow says `needs_flow = True`."""
    loss = subject.build()
    view = replace(example_view(), matte=None, plate=None)
    _value(loss, view if getattr(loss, "needs_flow", False) else replace(view, flow=None, share=None))


def generator_and_discriminator_pull_apart(subject: Subject) -> None:
    """Adversarial: the generator's side moves the logits of painted frames one way, the discriminator's the other."""
    loss = _adversarial(subject)
    pulls = []
    for side in ("generator", "discriminator"):
        view = example_view()
        torch.autograd.backward(_side(loss, view, side))
        pull = view.fake_features[0][-1].grad
        require(pull is not None, f"no gradient of the {side}'s side reaches the logits of painted frames")
        pulls.append(torch.zeros(()) if pull is None else pull)
    agreement = float((pulls[0] * pulls[1]).sum())
    require(agreement < 0, "generator and discriminator want the same of the logits of painted frames")


def it_trains_the_discriminator(subject: Subject) -> None:
    """Adversarial: the discriminator's side is a finite scalar with gradients to its logits of true and painted."""
    loss, view = _adversarial(subject), example_view()
    logits = [view.fake_features[0][-1], view.real_features[0][-1].requires_grad_()]
    torch.autograd.backward(_side(loss, view, "discriminator"))
    for each, name in zip(logits, ("painted", "true"), strict=True):
        reached = each.grad is not None and bool((each.grad != 0).any()) and bool(each.grad.isfinite().all())
        require(reached, f"no finite gradient reaches the logits of {name} frames")


def its_penalty_is_a_scalar(subject: Subject) -> None:
    """With a gradient penalty: it is a finite, non-negative scalar that trains the discriminator."""
    loss = subject.build()
    require(isinstance(loss, PenalizedLoss), "it is no PenalizedLoss of dancekit.contracts")
    torch.manual_seed(0)
    critic = torch.nn.Conv2d(3, 1, 3)
    view = example_view()
    value = loss.penalty(lambda images: [[critic(images).tanh()]], view.real, view.fake.detach())
    require(value.ndim == 0 and bool(value.isfinite()) and value.item() >= 0, f"the penalty is {value}")
    torch.autograd.backward(value)
    require(critic.weight.grad is not None, "no gradient of the penalty reaches the discriminator")


def example_view() -> LossView:
    """Painted and true frames that differ, with feature maps of two scales; the same at every call."""
    rng = torch.Generator().manual_seed(5)
    count = BATCH * TIME
    real = torch.from_numpy(example_frames(frames=count, size=WINDOW)).permute(0, 3, 1, 2).float() / 127.5 - 1
    fake = (real.flip(0) * 0.8 + 0.1 * torch.randn(real.shape, generator=rng)).clamp(-1, 1)
    mask = torch.from_numpy(example_mask(frames=count, size=WINDOW)).float()[:, None]
    return LossView(
        fake=fake.requires_grad_(),
        real=real,
        mask=mask,
        fake_features=_maps(rng, gradient=True),
        real_features=_maps(rng, gradient=False),
        view_mask=mask.reshape(BATCH, TIME, *mask.shape[1:]).amax(1),
        frames=TIME,
        flow=(torch.rand(count, 2, *real.shape[2:], generator=rng) * 4 - 2).requires_grad_(),
        share=(torch.rand(count, 1, *real.shape[2:], generator=rng) * 0.8 + 0.1).requires_grad_(),
        matte=(torch.rand(count, 1, *real.shape[2:], generator=rng) * 0.8 + 0.1).requires_grad_(),
        taught=(real * 0.9).contiguous(),
        attention=torch.rand(count, 1, 16, 16, generator=rng).requires_grad_(),
        taught_attention=torch.rand(count, 1, 16, 16, generator=rng),
        plate=real.mean(0, keepdim=True).expand_as(real).contiguous(),
    )


def _maps(rng: torch.Generator, *, gradient: bool) -> list[list[Tensor]]:
    """Two scales of two maps and logits; logits between those of a sure yes and a sure no."""
    scales = []
    for side in (16, 8):
        maps = [torch.randn(BATCH, 4, side, side, generator=rng) for _ in range(2)]
        maps.append(torch.rand(BATCH, 1, side, side, generator=rng) * 0.6 + 0.2)
        scales.append([each.requires_grad_(gradient) for each in maps])
    return scales


def _value(loss: Any, view: LossView) -> Tensor:
    value: Tensor = loss(view)
    require(isinstance(value, Tensor), f"it gives a {type(value).__name__}, not a tensor")
    require(value.ndim == 0, f"it has shape {tuple(value.shape)}, expected a scalar")
    require(value.dtype == torch.float32, f"the loss is {value.dtype}")
    require(bool(value.isfinite()), f"the loss is {value.item()}")
    return value


def _number(loss: Any, view: LossView) -> float:
    return float(_value(loss, view).detach())


def _adversarial(subject: Subject) -> Any:
    loss = subject.build()
    require(isinstance(loss, AdversarialLoss), "it is no AdversarialLoss of dancekit.contracts")
    return loss


def _side(loss: Any, view: LossView, side: str) -> Tensor:
    if side == "generator":
        return _value(loss, view)
    value: Tensor = loss.discriminator(view.real_features, view.fake_features, view.view_mask)
    require(value.ndim == 0 and bool(value.isfinite()), "the discriminator's side is no finite scalar")
    return value
