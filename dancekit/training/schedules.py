"""The course of the learning rate over a stage: a factor of the recipe's rate.

`linear` changes with every step; the others once an epoch, an epoch being a share of the stage.
"""

from __future__ import annotations

import math

from dancekit.config.schema import Optimizer


def rate_factor(settings: Optimizer, progress: float) -> float:
    """The factor of the learning rates.

    Args:
        settings: Which course, how many epochs.
        progress: How far through the stage the step is, in [0, 1).
    """
    if settings.schedule == "linear":
        return 1.0 if progress <= settings.decay_from else (1 - progress) / (1 - settings.decay_from)
    # the tolerance: k / n * n may come out just below k
    epoch = 1 + min(settings.epochs - 1, math.floor(progress * settings.epochs + 1e-9))
    constant = round(settings.decay_from * settings.epochs)
    if settings.schedule == "pix2pixhd":
        return pix2pixhd(epoch, constant, settings.epochs - constant)
    early = settings.schedule == "pix2pix_early"
    return pix2pix(epoch, constant, settings.epochs - constant, early=early)


def pix2pixhd(epoch: int, constant: int, decay: int) -> float:
    """The course of pix2pixHD and Everybody Dance Now in an epoch counted from 1.

    1 up to and including epoch `constant` + 1, then 1 / `decay` less each epoch; the last one runs at 1 / `decay`.

    Args:
        epoch: From 1 to `constant` + `decay`.
        constant: Their `niter`.
        decay: Their `niter_decay`.
    """
    return 1.0 - max(0, epoch - constant - 1) / max(1, decay)


def pix2pix(epoch: int, constant: int, decay: int, *, early: bool = False) -> float:
    """pix2pix's `linear` policy in an epoch counted from 1.

    Args:
        epoch: From 1 to `constant` + `decay`.
        constant: Their `n_epochs`.
        decay: Their `n_epochs_decay`.
        early: As the scripts of commit c3268ed run it: updated before each epoch, so that the decay begins one
            epoch sooner and nothing is learnt in the last one.
    """
    return 1.0 - max(0, epoch + early - constant) / (decay + 1)


def pix2pix_step(epoch: int, every: int, *, first: int = 1, early: bool = False) -> float:
    """pix2pix's `step` policy: a tenth after every so many epochs, counted from the first one that is run."""
    return 0.1 ** ((epoch - first + early) // every)


def pix2pix_cosine(epoch: int, epochs: int, *, first: int = 1, early: bool = False) -> float:
    """pix2pix's `cosine` policy: half a cosine (Loshchilov & Hutter, ICLR 2017) over `epochs`."""
    return 0.5 * (1 + math.cos(math.pi * (epoch - first + early) / epochs))
