"""Batches from another thread: the same ones, in the same order, wherever one begins."""

from __future__ import annotations

import threading

import pytest
import torch

from dancekit.config import load_recipe
from dancekit.training.estimate import made_up_target
from dancekit.training.prefetch import Prefetcher
from dancekit.training.state import TrainingState
from dancekit.types import get_skeleton


def test_made_ahead_in_order_in_one_other_thread() -> None:
    made: list[tuple[int, int]] = []

    def make(step: int) -> int:
        made.append((step, threading.get_ident()))
        return step * step

    source = Prefetcher(make, depth=3, end=10)
    assert [source.get(step) for step in range(4, 10)] == [step * step for step in range(4, 10)]
    source.close()
    assert [step for step, _ in made] == list(range(4, 10)), "each once, none beyond the end"
    assert len({thread for _, thread in made} - {threading.get_ident()}) == 1


def test_a_step_back_is_made_anew_and_nothing_old_is_given() -> None:
    source = Prefetcher(lambda step: step, depth=2, end=100)
    assert [source.get(step) for step in (5, 6, 50, 2, 3)] == [5, 6, 50, 2, 3]
    assert len(source._ready) <= 2
    source.close()


def test_depth_0_works_in_the_callers_thread() -> None:
    source = Prefetcher(lambda step: threading.get_ident(), depth=0, end=5)
    assert source.get(0) == threading.get_ident()
    source.close()


def test_what_goes_wrong_is_raised_where_it_is_asked_for() -> None:
    def make(step: int) -> int:
        if step == 2:
            raise ZeroDivisionError
        return step

    source = Prefetcher(make, depth=4, end=9)
    assert source.get(1) == 1
    with pytest.raises(ZeroDivisionError):
        source.get(2)
    assert source.get(3) == 3
    source.close()


def test_training_draws_the_same_with_and_without() -> None:
    def batches(depth: int) -> list[torch.Tensor]:
        recipe = load_recipe("tiny", [f"train.prefetch={depth}", "train.batch=2", "augmentations.affine.p=1"])
        state = TrainingState(recipe, made_up_target((64, 64), get_skeleton("blazepose_33")), "cpu")
        found = []
        for step in (3, 4, 5):
            torch.manual_seed(step)  # what the training thread draws is none of their business
            (batch,) = state._batches.get(step)
            found += [batch.real, batch.conditions, batch.mask]
        state.close()
        return found

    assert all(torch.equal(a, b) for a, b in zip(batches(0), batches(3), strict=True))
