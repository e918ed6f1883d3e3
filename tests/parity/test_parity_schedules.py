"""Learning-rate schedules and image pools against the originals' numbers."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from cases import Case, checks

from dancekit.config.schema import Optimizer
from dancekit.training import schedules
from dancekit.training.pool import ImagePool


def close(factor: float, case: dict[str, Any], true: float) -> bool:
    return case["lr"] * factor == pytest.approx(true, rel=1e-9, abs=1e-15 * case["lr"] + 1e-18)


def in_training(schedule: str, epochs: int, constant: int, epoch: int) -> float:
    """The factor of the training loop in the first and in the last step of an epoch, which must be one."""
    settings = Optimizer(schedule=schedule, epochs=epochs, decay_from=constant / epochs)
    steps = 7 * epochs
    first = schedules.rate_factor(settings, 7 * (epoch - 1) / steps)
    assert first == schedules.rate_factor(settings, (7 * epoch - 1) / steps)
    return first


@checks("p2phd_lr_schedule", "edn_lr_schedule")
def test_the_course_of_pix2pixhd(case: Case) -> None:
    for each in case.meta["cases"]:
        constant, decay = each["niter"], each["niter_decay"]
        for epoch, generator, discriminator in each["epoch_lrG_lrD"]:
            factor = schedules.pix2pixhd(epoch, constant, decay)
            assert close(factor, each, generator) and close(factor, each, discriminator), (each, epoch)
            assert in_training("pix2pixhd", constant + decay, constant, epoch) == pytest.approx(factor)
        assert schedules.pix2pixhd(constant + decay + 1, constant, decay) == pytest.approx(0, abs=1e-12)


@checks("p2p_lr_schedule")
def test_the_courses_of_pix2pix(case: Case) -> None:
    for each in case.meta["cases"]:
        for early, key in (
            (False, "epoch_lr_update_at_end_of_epoch"),
            (True, "epoch_lr_update_at_start_of_epoch"),
        ):
            for epoch, true in each[key]:
                assert close(pix2pix(each, epoch, early), each, true), (each["policy"], key, epoch)
        assert close(pix2pix(each, each[key][-1][0] + 1, False), each, each["lr_after_last"])


def pix2pix(case: dict[str, Any], epoch: int, early: bool) -> float:
    constant, decay, first = case["n_epochs"], case["n_epochs_decay"], case["epoch_count"]
    policy = case["policy"]
    if policy == "linear":
        factor = schedules.pix2pix(epoch, constant, decay, early=early)
        if epoch <= constant + decay:
            name = "pix2pix_early" if early else "pix2pix"
            assert in_training(name, constant + decay, constant, epoch) == pytest.approx(factor)
        return factor
    if policy == "step":
        return schedules.pix2pix_step(epoch, case["lr_decay_iters"], first=first, early=early)
    assert policy == "cosine", f"unknown policy {policy!r}"
    return schedules.pix2pix_cosine(epoch, constant, first=first, early=early)


@checks("*_image_pool")
def test_image_pool(case: Case) -> None:
    for each in case.meta["cases"]:
        pool, rng = ImagePool(each["pool_size"]), random.Random(each["python_random_seed"])
        for given, expected in each["query_in_out"]:
            views = torch.tensor(given, dtype=torch.float32).view(-1, 1, 1, 1)
            assert pool.query(views, rng).flatten().tolist() == expected
        assert [int(image) for image in pool.images] == each["pool_content_at_end"]
