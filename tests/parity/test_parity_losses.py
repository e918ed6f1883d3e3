"""Losses against the originals' numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import Case, checks
from networks import network_of
from torch import Tensor

from dancekit.contracts import LossView
from dancekit.losses.adversarial import LSGAN, WGANGP, Vanilla, gradient_penalty
from dancekit.losses.feature_matching import FeatureMatching
from dancekit.losses.perceptual import Perceptual
from dancekit.losses.vgg import vgg19_of
from dancekit.training.step import last_sample

CLOSE = {"rel": 1e-5, "abs": 1e-6}


def scales(io: dict[str, Tensor], prefix: str) -> list[list[Tensor]]:
    """`prefix.<scale>.<layer>` as a list of lists, or the one tensor of that name."""
    if prefix in io:
        return [[io[prefix]]]
    places = sorted(
        tuple(map(int, key[len(prefix) + 1 :].split("."))) for key in io if key.startswith(f"{prefix}.")
    )
    assert places, f"no tensors {prefix}.*"
    found: list[list[Tensor]] = [[] for _ in range(places[-1][0] + 1)]
    for scale, layer in places:
        found[scale].append(io[f"{prefix}.{scale}.{layer}"])
    return found


def view(fake: list[list[Tensor]] = (), real: list[list[Tensor]] = ()) -> LossView:
    image = torch.zeros(1, 3, 4, 4)
    return LossView(
        fake=image,
        real=image,
        mask=image[:, :1],
        fake_features=fake,
        real_features=real,
        view_mask=image[:, :1],
    )


def sides(loss: Any, features: list[list[Tensor]]) -> tuple[float, float]:
    """What the loss says of a prediction that should be real, and of one that should be fake."""
    real = loss(view(features))
    both = loss.discriminator(features, features, torch.zeros(1, 1, 4, 4))
    return float(real), float(2 * both - real)


def check_adversarial(io: dict[str, Tensor], name: str, case: dict[str, Any]) -> None:
    loss = Vanilla(logits=False) if name.startswith("bce") else LSGAN()
    prefix = case["input"].split(" ")[0].partition(".<")[0]
    features = scales(io, prefix)
    if prefix.startswith("pred_tensor"):  # the original takes the last sample of a plain tensor
        whole, features = features, last_sample(features)
        if "whole_batch_real_if_it_had_been_used" in case:
            assert sides(loss, whole)[0] == pytest.approx(
                case["whole_batch_real_if_it_had_been_used"], **CLOSE
            )
    assert sides(loss, features) == pytest.approx((case["real"], case["fake"]), **CLOSE), name
    for number, value in enumerate(case.get("per_scale_real", [])):
        assert sides(loss, [features[number]])[0] == pytest.approx(value, **CLOSE)


def check_matching(io: dict[str, Tensor], case: dict[str, Any]) -> None:
    fake, real = scales(io, f"{case['inputs']}.fake"), scales(io, f"{case['inputs']}.real")
    matched = case["lambda_feat"] * FeatureMatching()(view(fake, real))
    assert float(matched) == pytest.approx(case["loss_G_GAN_Feat"], **CLOSE)
    real_side, _ = sides(LSGAN(), real)
    generator, fake_side = sides(LSGAN(), fake)
    assert (generator, real_side, fake_side) == pytest.approx(
        (case["G_GAN"], case["D_real"], case["D_fake"]), **CLOSE
    )


@checks("p2phd_losses*", "edn_losses*")
def test_losses_over_scales(case: Case) -> None:
    for name, expected in case.meta["cases"].items():
        if name.startswith(("lsgan_", "bce_")):
            check_adversarial(case.io, name, expected)
        elif name == "feature_matching":
            for each in expected:
                check_matching(case.io, each)
        else:  # the original keeps a target of the wrong shape: here the shapes do not matter
            assert name == "cached_target_same_numel_other_shape", f"{case}: unknown kind of loss {name!r}"
            loss = LSGAN()
            for shape in (expected["first"], expected["second"]):
                assert sides(loss, [[torch.full(shape, 0.25)]]) == pytest.approx((0.5625, 0.0625))


@checks("p2p_losses*")
def test_losses_of_pix2pix(case: Case) -> None:
    io, cases = case.io, dict(case.meta["cases"])
    for name, loss in (("lsgan", LSGAN()), ("vanilla", Vanilla()), ("wgangp", WGANGP())):
        expected = cases.pop(name)
        assert sides(loss, [[io["pred"]]]) == pytest.approx((expected["real"], expected["fake"]), **CLOSE), (
            name
        )
    weights = case.weights()
    args = {
        "input_nc": weights["model.0.weight"].shape[1],
        "ndf": len(weights["model.0.bias"]),
        "norm": "instance",
    }
    network = network_of("p2p_patchD", "NLayerDiscriminator", args)
    network.load_state_dict(weights)
    for name, expected in cases.items():
        assert name.startswith("gradient_penalty_"), f"{case}: unknown kind of loss {name!r}"
        where = name.removeprefix("gradient_penalty_")
        alpha = io["gp_mixed_alpha"].flatten() if where == "mixed" else None
        got = 10 * gradient_penalty(network, io["gp_real"], io["gp_fake"], where=where, alpha=alpha)
        assert float(got.detach()) == pytest.approx(expected, rel=1e-4)


@checks("p2phd_vggloss_*", "edn_vggloss_*")
def test_the_perceptual_loss(case: Case) -> None:
    io = case.io
    loss = Perceptual(weights=str(case.path / "weights.pth"), normalize=False)
    x = io["x"].clone().requires_grad_()
    mask = torch.ones(len(x), 1, *x.shape[2:])
    seen = LossView(fake=x, real=io["y"], mask=mask, fake_features=[], real_features=[], view_mask=mask)
    value = loss(seen)
    assert float(value.detach()) == pytest.approx(case.meta["loss"], rel=1e-5)
    assert float(value.detach()) == pytest.approx(float(io["loss"]), rel=1e-5)
    value.backward()
    assert (x.grad - io["grad_x"]).abs().max() <= 1e-4 * io["grad_x"].abs().max()
    assert loss.layer_weights == pytest.approx(case.meta["weights"])
    network = vgg19_of(case.weights(), case.path)
    with torch.no_grad():
        for side in ("x", "y"):
            for number, features in enumerate(network(io[side])):
                true = io[f"feat_{side}.{number}"]
                assert (features - true).abs().max() <= 1e-4 * true.abs().max()
        errors = [
            float((a - b).abs().mean()) for a, b in zip(network(io["x"]), network(io["y"]), strict=True)
        ]
    assert errors == pytest.approx(case.meta["per_layer_l1"], rel=1e-5)
