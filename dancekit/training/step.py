"""One optimization step: what was painted is judged, the painters and their critics learn.

A judgement is one view of painted frames beside the same view of true ones, the critic that looks at both and
the losses that follow. A step has one (the frames), or several (the frames, and the face in each of them).
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from dancekit.contracts import LossView
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
    judgements: Sequence[Judgement],
    painters: Sequence[torch.optim.Optimizer],
    critics: Mapping[str, Critic],
    *,
    order: Order,
    updates: int,
    rng: random.Random,
) -> dict[str, float]:
    """Step the painters and their critics from one forward pass of the painters.

    `together`: both from the old weights, as pix2pixHD and Everybody Dance Now do; the true view is judged once
    for the critic's loss and for feature matching. `discriminator_first`: the critics step, and the painters
    learn from the new ones, as in pix2pix.

    Args:
        judgements: What was painted.
        painters: Optimizers of the networks that painted it.
        critics: By name.
        order: Which order.
        updates: How often the painters' optimizers step with this one gradient.
        rng: Draws for the image pools.

    Returns:
        Every loss term by name, unweighted (that of several judgements of one name: their weighted sum).
    """
    record: dict[str, float] = {}
    used = [critics[name] for name in dict.fromkeys(judgement.critic for judgement in judgements)]
    verdicts = [_judge(each, critics[each.critic], rng, record) for each in judgements]
    critic_loss = _sum([loss for loss, _ in verdicts])
    if order == "discriminator_first":
        _step_critics(used, critic_loss)
    truths = [maps for _, maps in verdicts]
    for critic in used:  # the painters' pass needs no gradient of the critics' weights
        critic.network.requires_grad_(False)
    terms = []
    for each, truth in zip(judgements, truths, strict=True):
        terms.append(_painters_side(each, critics[each.critic].network, truth, order, record))
    total = _sum(terms)
    assert total is not None
    for painter in painters:
        painter.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    for painter in painters:
        for _ in range(updates):
            painter.step()
    for critic in used:
        critic.network.requires_grad_(True)
    if order == "together":
        _step_critics(used, critic_loss)
    return record


def last_sample(features: Sequence[Sequence[Tensor]]) -> Maps:
    """The maps of the last sample alone, (1, C, h, w) each.

    Everybody Dance Now's GAN loss takes the last element of what the discriminator gives; the face
    discriminator gives a plain tensor, so that this is the last sample of the batch.
    """
    return [[layer[-1:] for layer in scale] for scale in features]


def _judge(
    each: Judgement, critic: Critic, rng: random.Random, record: dict[str, float]
) -> tuple[Tensor | None, Maps]:
    """The critic's own loss, None if there is nothing to learn, and its maps of the true view."""
    if critic.optimizer is None:
        return None, []
    if not each.objective.adversarial:  # it stays as it was made
        with torch.no_grad():
            return None, critic.network(each.real)
    shown = critic.pool.query(each.fake.detach(), rng)
    with torch.set_grad_enabled(critic.learns):
        fake, real = critic.network(shown), critic.network(each.real)
        true, painted, mask = real, fake, each.view.view_mask
        if each.last_only:
            true, painted, mask = last_sample(real), last_sample(fake), mask[-1:]
        loss, terms = each.objective.discriminator(true, painted, mask)
        if critic.learns:
            extra, more = each.objective.penalty(critic.network, each.real, shown)
            loss, terms = loss + extra, terms | more
    _note(record, f"{each.prefix}d_", terms, each.weight)
    return each.weight * loss if critic.learns else None, real


def _painters_side(
    each: Judgement, network: nn.Module, truth: Maps, order: Order, record: dict[str, float]
) -> Tensor:
    if truth and order == "discriminator_first" and each.objective.matches_features:
        with torch.no_grad():
            truth = network(each.real)  # the critic has moved on
    fake: Maps = network(each.fake) if truth else []
    real = [[layer.detach() for layer in scale] for scale in truth]
    mask = each.view.view_mask
    if each.last_only:
        fake, real, mask = last_sample(fake), last_sample(real), mask[-1:]
    view = dataclasses.replace(each.view, fake_features=fake, real_features=real, view_mask=mask)
    total, terms = each.objective.generator(view)
    _note(record, each.prefix, terms, each.weight)
    return each.weight * total


def _step_critics(critics: Sequence[Critic], loss: Tensor | None) -> None:
    if loss is None:
        return
    learning = [each.optimizer for each in critics if each.learns and each.optimizer is not None]
    for optimizer in learning:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    for optimizer in learning:
        optimizer.step()


def _sum(terms: Sequence[Tensor | None]) -> Tensor | None:
    total = None
    for term in terms:
        if term is not None:
            total = term if total is None else total + term
    return total


def _note(record: dict[str, float], prefix: str, terms: Mapping[str, Tensor], weight: float) -> None:
    for name, value in terms.items():
        record[f"{prefix}{name}"] = record.get(f"{prefix}{name}", 0.0) + weight * float(value)
