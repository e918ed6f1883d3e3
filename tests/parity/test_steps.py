"""Training steps against the originals' numbers: dancekit's own step, from a recipe."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import Case, checks
from steps import ROLES, batch_of, like, put_in_double, renamed, state_of

from dancekit.training.state import TrainingState

CLOSE = 1e-4
"""Of the tensor's largest value."""


def sides_of(state: TrainingState, record: dict[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """The record in the originals' terms: what the generators pay, and what the discriminators do."""
    weights = {term.name: term.weight for term in state.recipe.losses}
    face_weights = {term.name: term.weight for term in state.recipe.face_losses}
    painters = {name: weights[name] * value for name, value in record.items() if name in weights}
    painters |= {
        name: face_weights[name.removeprefix("face_")] * value
        for name, value in record.items()
        if name.startswith("face_") and name.removeprefix("face_") in face_weights
    }
    critics = {name: value for name, value in record.items() if name.startswith(("d_", "face_d_"))}
    return painters, critics


def check_losses(state: TrainingState, record: dict[str, float], true: dict[str, float], step: int) -> None:
    painters, critics = sides_of(state, record)
    gan = next(name for name in ("lsgan", "vanilla", "wgan_gp") if name in painters)
    sums = {
        "G_GAN": painters.get(gan, 0.0),
        "G_GAN_Feat": painters.get("feature_matching", 0.0),
        "G_VGG": sum(painters.get(name, 0.0) for name in ("perceptual", "l1", "face_perceptual")),
        "G_L1": painters.get("l1", 0.0),
        "G_GANface": painters.get(f"face_{gan}", 0.0),
    }
    for name, value in true.items():
        if name in sums:
            assert sums[name] == pytest.approx(value, rel=CLOSE, abs=1e-6), f"step {step}: {name}"
        else:
            assert name in ("D_real", "D_fake", "D_realface", "D_fakeface"), f"unknown loss {name!r}"
    for ours, real, fake in (("d_", "D_real", "D_fake"), ("face_d_", "D_realface", "D_fakeface")):
        mean = (true.get(real, 0.0) + true.get(fake, 0.0)) / 2
        assert critics.get(f"{ours}{gan}", 0.0) == pytest.approx(mean, rel=CLOSE, abs=1e-6), (
            f"step {step}: {ours}"
        )


def steps_of(case: Case) -> list[dict[str, Any]]:
    if "steps" in case.meta:
        return case.meta["steps"]
    return [{"losses": losses} for losses in case.meta["losses_per_step"]]


def learn(case: Case, state: TrainingState, step: int) -> dict[str, float]:
    state.step = step
    return state.learn(state.recipe.train.stages[0], like(state, batch_of(case, step)))


def check_gradients(case: Case, state: TrainingState, role: str) -> None:
    """Those of the step just taken, each within the share of its largest value."""
    found = {key: value for key, value in case.io.items() if key.startswith(f"grad.{role}.")}
    true = renamed({key.removeprefix(f"grad.{role}."): value for key, value in found.items()})
    parameters = dict(state.networks[ROLES[role]].named_parameters())
    assert not true or set(true) == set(parameters)
    largest = max((float(value.abs().max()) for value in true.values()), default=0.0)
    only = state.recipe.train.stages[0].only if role == "G" else ""
    for key, value in true.items():
        gradient, size = parameters[key].grad, float(value.abs().max())
        if gradient is None:
            assert only and not key.startswith(only), key
        elif key.endswith("bias") and size <= CLOSE * largest:  # before a norm: no gradient but rounding
            assert float(gradient.abs().max()) <= CLOSE * largest, f"{role}.{key}"
        else:
            assert float((gradient - value).abs().max()) <= CLOSE * size, f"{role}.{key}"


def check_weights(case: Case, state: TrainingState, role: str) -> None:
    """After the last step, by the rule of the fixtures' README: not biases, and in the mean."""
    before, after = (renamed(case.weights(f"weights_{role}_{when}")) for when in ("before", "after"))
    for key, value in state.networks[ROLES[role]].state_dict().items():
        if not key.endswith("weight"):
            continue
        true = after[key]
        assert float((value - true).abs().mean()) <= CLOSE * float(true.abs().max()), f"{role}.{key}"
        moved = float((true - before[key]).abs().mean())
        assert float((value - true).abs().mean()) <= 0.05 * moved + 1e-9, f"{role}.{key} went elsewhere"


def check_gradients_of_the_frozen(case: Case, *, double: bool) -> None:
    """The original's frozen generator piles up gradients that nobody uses: let ours learn, to compare them."""
    state = state_of(case)
    if double:
        put_in_double(state)
    stage = state.recipe.train.stages[0].model_copy(update={"modules": ["generator", "face"]})
    state.learn(stage, like(state, batch_of(case, 0)))
    check_gradients(case, state, "G")


def check_painted(case: Case, state: TrainingState) -> None:
    """What the generators paint first, and what the discriminator sees of it."""
    io, batch = case.io, like(state, batch_of(case, 0))
    for network in state.networks.values():
        network.train()
    kept = {key: value.clone() for key, value in state.networks["face"].state_dict().items()}
    with torch.no_grad():
        fake = state._paint(batch, faces=bool(kept))
    state.networks["face"].load_state_dict(kept)  # the statistics of batch norm have moved
    seen = {name: io[name] for name in ("fake.0", "fake_B.0", "I0_I1_concat_w.0", "D_input.0") if name in io}
    for name, true in seen.items():
        if name == "D_input.0":
            ours = state.painting.temporal.view(batch.conditions, fake)
        else:
            ours = torch.cat(list(fake.unbind(1)), 3)
        assert float((ours - true).abs().max()) <= CLOSE * float(true.abs().max()), name


@checks("p2phd_step_*", "edn_step_*", "p2p_step_*")
def test_step(case: Case) -> None:
    state = state_of(case)
    check_painted(case, state)
    check_losses(state, learn(case, state, 0), steps_of(case)[0]["losses"], 0)
    try:
        check_run(case, double=False)
    except AssertionError:  # rounded over a kink, or wrong: then it is wrong in double precision as well
        check_run(case, double=True)


def check_run(case: Case, *, double: bool) -> None:
    """All steps: losses, gradients of the first one, weights after the last one."""
    state = state_of(case)
    if double:
        put_in_double(state)
    roles = [role for role in ROLES if (case.path / f"weights_{role}_before.pth").exists()]
    learning = [role for role in roles if role != "G" or "generator" in state.recipe.train.stages[0].modules]
    for step, true in enumerate(steps_of(case)):
        record = learn(case, state, step)
        check_losses(state, record, true["losses"], step)
        painters, critics = sides_of(state, record)
        if "loss_G" in true:
            assert sum(painters.values()) == pytest.approx(true["loss_G"], rel=CLOSE)
            assert sum(critics.values()) == pytest.approx(true["loss_D"], rel=CLOSE)
        if step == 0:
            for role in learning:
                check_gradients(case, state, role)
            if "G" not in learning:
                check_gradients_of_the_frozen(case, double=double)
    for role in roles:
        check_weights(case, state, role)
    count = case.meta.get("adam_step_counter_G_first_param")
    if count is not None:
        painter = "generator" if "G" in learning else "face"
        assert float(next(iter(state.optimizers[painter].state.values()))["step"]) == count
