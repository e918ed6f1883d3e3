"""Losses against numbers worked out by hand, and those of the original code."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from dancekit.contracts import AdversarialLoss, LossView
from dancekit.errors import IncompatibleParts
from dancekit.losses.adversarial import LSGAN
from dancekit.losses.feature_matching import FeatureMatching
from dancekit.losses.objective import Objective
from dancekit.losses.reconstruction import L1
from dancekit.losses.weighting import weighted_mean


def constant(*levels, batch=1):
    """One scale whose layers are constant."""
    return [torch.full((batch, 2, 4 - number, 4), float(level)) for number, level in enumerate(levels)]


def view(fake_features=(), real_features=(), *, fake=None, real=None, mask=None, batch=1):
    fake = torch.zeros(batch, 3, 8, 8) if fake is None else fake
    mask = torch.ones(batch, 1, 8, 8) if mask is None else mask
    return LossView(
        fake=fake,
        real=torch.zeros_like(fake) if real is None else real,
        mask=mask,
        fake_features=fake_features,
        real_features=real_features,
        view_mask=mask,
    )


def test_lsgan_sums_scales_and_halves_only_the_discriminators_side():
    fake = [constant(5, 0.5), constant(7, -1)]
    real = [constant(5, 2), constant(7, 0)]
    loss = LSGAN()
    assert isinstance(loss, AdversarialLoss)
    assert loss(view(fake, real)).item() == pytest.approx(0.25 + 4)  # (0.5-1)^2 + (-1-1)^2
    # real (2-1)^2 + (0-1)^2, fake 0.5^2 + (-1)^2
    got = loss.discriminator(real, fake, torch.ones(1, 1, 8, 8))
    assert got.item() == pytest.approx(0.5 * (2 + 1.25))


def test_feature_matching_leaves_out_the_logits_and_weighs_as_the_original():
    fake = [constant(1, 2, 3, 4, 9), constant(0, 0, 0, 0, 9)]
    real = [constant(0, 0, 0, 0, 0), constant(1, 1, 1, 1, 0)]
    # 1/2 scales * 4/4 layers * (1+2+3+4 + 1+1+1+1)
    assert FeatureMatching()(view(fake, real)).item() == pytest.approx(7)
    shallow = FeatureMatching()(view([constant(1, 2, 9)], [constant(0, 0, 0)]))
    assert shallow.item() == pytest.approx(1 / 1 * 4 / 2 * 3)


def test_feature_matching_trains_the_painted_side_only():
    fake, real = torch.ones(1, 2, 3, 3, requires_grad=True), torch.zeros(1, 2, 3, 3, requires_grad=True)
    FeatureMatching()(view([[fake, fake]], [[real, real]])).backward()
    assert fake.grad is not None and real.grad is None


def test_feature_matching_notices_different_discriminators():
    with pytest.raises(ValueError):
        FeatureMatching()(view([constant(1, 2)], []))


@pytest.mark.parametrize("loss", [LSGAN(), FeatureMatching()])
def test_without_a_discriminator_the_error_says_so(loss):
    with pytest.raises(IncompatibleParts, match="needs a discriminator"):
        loss(view())


def test_l1_is_the_mean_absolute_difference():
    fake = torch.tensor([0.5, -1.0]).reshape(2, 1, 1, 1).expand(2, 3, 8, 8)
    assert L1()(view(fake=fake, batch=2)).item() == pytest.approx(0.75)


def test_the_mask_weighs_person_and_background():
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :2] = 1  # a quarter of the image
    fake = torch.where(mask > 0, 1.0, 0.1).expand(1, 3, 8, 8)
    got = L1(mask="person", background=0.2)(view(fake=fake, mask=mask))
    # (16 px * 1 * 1 + 48 px * 0.2 * 0.1) / (16 * 1 + 48 * 0.2)
    assert got.item() == pytest.approx((16 + 48 * 0.02) / (16 + 9.6))
    assert L1(mask="person", background=0.0)(view(fake=fake, mask=mask)).item() == pytest.approx(1)
    assert L1(mask="person", background=1.0)(view(fake=fake, mask=mask)).item() == pytest.approx(
        (16 + 48 * 0.1) / 64
    )


def test_the_mask_is_averaged_by_area_to_the_maps_size():
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :3] = 1
    error = torch.tensor([[1.0, 0.0], [1.0, 0.0]]).reshape(1, 1, 2, 2)
    # left cells are covered by 3 of 4 columns, right ones not at all
    got = weighted_mean(error, mask, where="person", background=0.5)
    assert got.item() == pytest.approx((0.5 + 0.5 * 0.75) / (0.5 + 0.5 * 0.75 + 0.5))


def test_masked_losses_of_a_batch_are_the_mean_of_its_samples():
    generator = torch.Generator().manual_seed(0)
    error, mask = torch.rand(3, 4, 5, 7, generator=generator), torch.rand(3, 1, 20, 28, generator=generator)
    mask[0] *= 0.01
    got = weighted_mean(error, mask, where="person", background=0.1)
    each = [
        weighted_mean(error[i : i + 1], mask[i : i + 1], where="person", background=0.1) for i in range(3)
    ]
    torch.testing.assert_close(got, torch.stack(each).mean())


@pytest.mark.parametrize("loss", [LSGAN(mask="person"), FeatureMatching(mask="person"), L1(mask="person")])
def test_a_constant_error_is_the_same_with_a_mask(loss):
    generator = torch.Generator().manual_seed(0)
    arguments = {"fake": torch.full((1, 3, 8, 8), 0.3), "mask": torch.rand(1, 1, 8, 8, generator=generator)}
    seen = view([constant(1, 2, 0.5)], [constant(0, 0, 0)], **arguments)
    plain = type(loss)()
    assert loss(seen).item() == pytest.approx(plain(seen).item())


@pytest.mark.parametrize("loss", [LSGAN, FeatureMatching, L1])
def test_nobody_in_the_picture_is_finite(loss):
    seen = view([constant(1, 2)], [constant(0, 0)], fake=torch.ones(1, 3, 8, 8), mask=torch.zeros(1, 1, 8, 8))
    assert loss(mask="person", background=0.0)(seen).item() == 0
    assert loss(mask="person", background=0.2)(seen).item() > 0


def test_masks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="2 masks do not fit 1"):
        weighted_mean(torch.ones(1, 1, 2, 2), torch.ones(2, 1, 2, 2), where="person", background=0.2)


def test_the_objective_weighs_sums_and_names():
    fake_image = torch.full((1, 3, 8, 8), 0.5, requires_grad=True)
    seen = view([constant(1, 0.5)], [constant(0, 0)], fake=fake_image)
    objective = Objective([("lsgan", 2.0, LSGAN()), ("l1", 10.0, L1())])
    total, parts = objective.generator(seen)
    assert total.item() == pytest.approx(2 * 0.25 + 10 * 0.5)
    assert {name: value.item() for name, value in parts.items()} == pytest.approx({"lsgan": 0.25, "l1": 0.5})
    total.backward()
    assert fake_image.grad.sum().item() == pytest.approx(10)
    assert not any(value.requires_grad for value in parts.values())
    real, fake = [constant(0, 0)], [constant(1, 0.5)]
    total, parts = objective.discriminator(real, fake, seen.view_mask)
    assert list(parts) == ["lsgan"] and total.item() == pytest.approx(0.5 * (1 + 0.25))
    assert objective.adversarial and not Objective([("l1", 1.0, L1())]).adversarial


def test_an_objective_without_an_adversary_has_nothing_for_the_discriminator():
    total, parts = Objective([("l1", 1.0, L1())]).discriminator([], [], torch.ones(1, 1, 8, 8))
    assert total.item() == 0 and parts == {}


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([("l1", 1.0, L1()), ("l1", 2.0, L1())], "same name: l1"),
        ([("l1", -1.0, L1())], "weight of loss l1 is -1"),
        ([("l1", float("nan"), L1())], "weight of loss l1 is nan"),
    ],
)
def test_objectives_that_make_no_sense_are_refused(terms, message):
    with pytest.raises(IncompatibleParts, match=message):
        Objective(terms)


def nested(tensors, prefix):
    """[scale][layer] of the tensors called <prefix>.<scale>.<layer>."""
    keys = sorted(key[len(prefix) + 1 :] for key in tensors if key.startswith(prefix + "."))
    scales: dict[str, list] = {}
    for key in keys:
        scales.setdefault(key.split(".")[0], []).append(tensors[f"{prefix}.{key}"])
    return list(scales.values())


@pytest.mark.shared
@pytest.mark.parametrize("name", ["p2phd_losses", "edn_losses"])
def test_the_numbers_of_the_original(shared, name):
    folder = shared / "fixtures" / name
    cases = json.loads((folder / "meta.json").read_text())["cases"]
    tensors = load_file(folder / "io.safetensors")
    mask = torch.ones(1, 1, 8, 8)
    for case, prefix in (
        ("lsgan_multiscale_feat", "pred_feat"),
        ("lsgan_multiscale_nofeat_batch2_numD3", "pred_nofeat"),
    ):
        features = nested(tensors, prefix)
        assert LSGAN()(view(features, features)).item() == pytest.approx(cases[case]["real"], rel=1e-6)
        both = LSGAN().discriminator(features, features, mask).item()
        assert both == pytest.approx(0.5 * (cases[case]["real"] + cases[case]["fake"]), rel=1e-6)
    for case in cases["feature_matching"]:
        fake, real = (nested(tensors, f"{case['inputs']}.{side}") for side in ("fake", "real"))
        got = case["lambda_feat"] * FeatureMatching()(view(fake, real)).item()
        assert got == pytest.approx(case["loss_G_GAN_Feat"], rel=1e-6)
        assert LSGAN()(view(fake, real)).item() == pytest.approx(case["G_GAN"], rel=1e-6)
        both = LSGAN().discriminator(real, fake, mask).item()
        assert both == pytest.approx(0.5 * (case["D_real"] + case["D_fake"]), rel=1e-6)
