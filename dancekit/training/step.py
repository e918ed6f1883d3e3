"""One optimization step: what was painted is judged, the painters and their critics learn.

A judgement is one view of painted frames beside the same view of true ones, the critic that looks at both and
the losses that follow. A step has one (the frames), or several (the frames, and the face in each of them).
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from dancekit.contracts import LossView
from dancekit.layers import at_least_single
from dancekit.training.distributed import ALONE, Processes
from dancekit.training.pool import ImagePool

if TYPE_CHECKING:
    from dancekit.losses.objective import Objective

Order = Literal["together", "discriminator_first"]
Maps = list[list[Tensor]]


@dataclass(frozen=True, eq=False)
class Critic:
    """A discriminator while it trains.

    Attributes:
        network: May have no parameters: then there is nothing to judge by.
        optimizer: Its optimizer, None without parameters.
        pool: What it was shown before.
        learns: Whether it is trained in this stage, or only looked through.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer | None
    pool: ImagePool
    learns: bool = True


@dataclass(frozen=True, eq=False)
class Judgement:
    """What one critic says of one view.

    Attributes:
        critic: Its name.
        objective: The weighted losses.
        fake: (B, C, H, W) what the critic sees of the painted frames, with gradient.
        real: (B, C, H, W) the same of the true frames.
        view: All else that losses look at; its features are filled in here.
        weight: Of everything in it, for both sides.
        prefix: Of the names in the record.
        last_only: Only the last sample's logits count, as in Everybody Dance Now's face losses.
    """

    critic: str
    objective: Objective
    fake: Tensor
    real: Tensor
    view: LossView
    weight: float = 1.0
    prefix: str = ""
    last_only: bool = False


def learn(
    micro_batches: Sequence[Callable[[], Sequence[Judgement]]],
    painters: Sequence[torch.optim.Optimizer],
    critics: Mapping[str, Critic],
    *,
    order: Order,
    updates: int,
    rng: random.Random,
    step: int = 0,
    share_pass: bool = True,
    processes: Processes = ALONE,
) -> dict[str, float]:
    """Step the painters and their critics once, from one forward pass of the painters over each micro-batch.

    `together`: both from the old weights, as pix2pixHD and Everybody Dance Now do; the true view is judged once
    for the critic's loss and for feature matching, and so is the painted one, for both sides.
    `discriminator_first`: the critics step, and the painters learn from the new ones, as in pix2pix.

    Args:
        micro_batches: Each paints and says what is to be judged, nothing where there is nothing to see; their
            gradients are averaged.
        painters: Optimizers of the networks that paint.
        critics: By name.
        order: Which order; with several micro-batches `together`.
        updates: How often the painters' optimizers step with this one gradient.
        rng: Draws for the image pools.
        step: Number of the step, for losses that are not computed in every one.
        share_pass: Judge the painted view once for both sides where that is possible. Off for compiled
            critics, whose backward pass cannot run in two parts.
        processes: Those that share this step; each has its own micro-batches.

    Returns:
        Every loss term by name, unweighted (that of several judgements of one name: their weighted sum; that of
        several micro-batches: their mean).
    """
    record: dict[str, float] = {}
    part = 1.0 / len(micro_batches)
    learning = _learning(critics.values())
    _forget_gradients([*painters, *learning])
    for judge in micro_batches:
        judgements = [dataclasses.replace(each, weight=part * each.weight) for each in judge()]
        if order == "discriminator_first":
            _backward_first(judgements, painters, critics, rng, record, step, processes)
        elif judgements:
            _backward_together(judgements, painters, critics, rng, record, step, share_pass)
    record = processes.mean_record(record)
    if not record:
        return record  # there was nothing to see
    processes.average_gradients(painters if order == "discriminator_first" else [*painters, *learning])
    for painter in painters:
        for _ in range(updates):
            painter.step()
    if order == "together":
        for optimizer in learning:
            optimizer.step()
    return record


def _backward_together(
    judgements: Sequence[Judgement],
    painters: Sequence[torch.optim.Optimizer],
    critics: Mapping[str, Critic],
    rng: random.Random,
    record: dict[str, float],
    step: int,
    share_pass: bool,
) -> None:
    """Gradients of both sides, from the weights as they are."""
    verdicts = [_judge(each, critics[each.critic], rng, record, share_pass) for each in judgements]
    terms = []
    for each, verdict in zip(judgements, verdicts, strict=True):
        fake = verdict.fake
        if fake is None and verdict.real:
            fake = _look_through(critics[each.critic].network, each.fake)
        terms.append(_painters_side(each, verdict.real, fake or [], record, step))
    loss = _sum([verdict.loss for verdict in verdicts])
    shared = any(verdict.fake for verdict in verdicts)
    del verdicts
    if loss is not None:
        # first, so that the painters' pass may free the graph; only as far as the critics' own weights
        judges = {each.critic: critics[each.critic] for each in judgements}
        loss.backward(inputs=_weights(_learning(judges.values())), retain_graph=shared)  # type: ignore[no-untyped-call]
    total = _sum(terms)
    if total is not None and total.requires_grad:  # there are steps without any loss, see `every`
        total.backward(inputs=_weights(painters))  # type: ignore[no-untyped-call]


def _backward_first(
    judgements: Sequence[Judgement],
    painters: Sequence[torch.optim.Optimizer],
    critics: Mapping[str, Critic],
    rng: random.Random,
    record: dict[str, float],
    step: int,
    processes: Processes,
) -> None:
    """Step the critics; gradients of the painters from the new ones. There may be nothing to judge here, while other
    processes have something.
    """
    verdicts = [_judge(each, critics[each.critic], rng, record, False) for each in judgements]
    if (loss := _sum([verdict.loss for verdict in verdicts])) is not None:
        loss.backward()  # type: ignore[no-untyped-call]
    learning = _learning(critics.values())
    processes.average_gradients(learning)
    for optimizer in learning:
        optimizer.step()
    terms = []
    for each, verdict in zip(judgements, verdicts, strict=True):
        network, real = critics[each.critic].network, verdict.real
        if real and each.objective.matches_features:
            with torch.no_grad():
                real = _maps(network, each.real)  # the critic has moved on
        fake = _look_through(network, each.fake) if real else []
        terms.append(_painters_side(each, real, fake, record, step))
    total = _sum(terms)
    if total is not None and total.requires_grad:  # there are steps without any loss, see `every`
        total.backward(inputs=_weights(painters))  # type: ignore[no-untyped-call]


def last_sample(features: Sequence[Sequence[Tensor]]) -> Maps:
    """The maps of the last sample alone, (1, C, h, w) each.

    Everybody Dance Now's GAN loss takes the last element of what the discriminator gives; the face
    discriminator gives a plain tensor, so that this is the last sample of the batch.
    """
    return [[layer[-1:] for layer in scale] for scale in features]


@dataclass(frozen=True, eq=False)
class _Verdict:
    """What a critic gave: its own loss if it learns, its maps of the true view, and those of the painted view if
    they were computed with the painters' gradient.
    """

    loss: Tensor | None
    real: Maps
    fake: Maps | None = None


def _judge(
    each: Judgement, critic: Critic, rng: random.Random, record: dict[str, float], share_pass: bool
) -> _Verdict:
    if critic.optimizer is None:
        return _Verdict(None, [])
    if not each.objective.adversarial:  # it stays as it was made
        with torch.no_grad():
            return _Verdict(None, _maps(critic.network, each.real))
    # what a pool hands out is another view, and a penalty looks again anyway
    share = share_pass and critic.pool.size == 0
    shown = each.fake if share else critic.pool.query(each.fake.detach(), rng)
    with torch.set_grad_enabled(critic.learns or share):
        fake = _maps(critic.network, shown)
    with torch.set_grad_enabled(critic.learns):
        real = _maps(critic.network, each.real)
        true, painted, mask = real, fake, each.view.view_mask
        if each.last_only:
            true, painted, mask = last_sample(real), last_sample(fake), mask[-1:]
        loss, terms = each.objective.discriminator(true, painted, mask)
        if critic.learns:
            extra, more = each.objective.penalty(critic.network, each.real, shown.detach())
            loss, terms = loss + extra, terms | more
    _note(record, f"{each.prefix}d_", terms, each.weight)
    return _Verdict(each.weight * loss if critic.learns else None, real, fake if share else None)


def _maps(network: nn.Module, view: Tensor) -> Maps:
    """What a critic gives, in single precision: the losses are means over many values."""
    return [[at_least_single(layer) for layer in scale] for scale in network(view)]


def _look_through(network: nn.Module, view: Tensor) -> Maps:
    """A critic's maps with gradient to the view but none to its weights."""
    network.requires_grad_(False)
    try:
        return _maps(network, view)
    finally:
        network.requires_grad_(True)


def _painters_side(each: Judgement, truth: Maps, fake: Maps, record: dict[str, float], step: int) -> Tensor:
    real = [[layer.detach() for layer in scale] for scale in truth]
    mask = each.view.view_mask
    if each.last_only:
        fake, real, mask = last_sample(fake), last_sample(real), mask[-1:]
    view = dataclasses.replace(each.view, fake_features=fake, real_features=real, view_mask=mask)
    total, terms = each.objective.generator(view, step=step)
    _note(record, each.prefix, terms, each.weight)
    return each.weight * total


def _learning(critics: Iterable[Critic]) -> list[torch.optim.Optimizer]:
    return [each.optimizer for each in critics if each.learns and each.optimizer is not None]


def _weights(optimizers: Sequence[torch.optim.Optimizer]) -> list[Tensor]:
    """What the optimizers train, without what stands still in this stage."""
    return [
        weight
        for optimizer in optimizers
        for group in optimizer.param_groups
        for weight in group["params"]
        if weight.requires_grad
    ]


def _forget_gradients(optimizers: Sequence[torch.optim.Optimizer]) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)


def _sum(terms: Sequence[Tensor | None]) -> Tensor | None:
    total = None
    for term in terms:
        if term is not None:
            total = term if total is None else total + term
    return total


def _note(record: dict[str, float], prefix: str, terms: Mapping[str, Tensor], weight: float) -> None:
    for name, value in terms.items():
        record[f"{prefix}{name}"] = record.get(f"{prefix}{name}", 0.0) + weight * float(value)
