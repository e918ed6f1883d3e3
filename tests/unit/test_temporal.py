"""Temporal strategies: what generator and discriminator are shown, and the original's sequences and step."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from dancekit.contracts import LossView
from dancekit.discriminators.multiscale import MultiscaleDiscriminator
from dancekit.generators.pix2pixhd import Pix2PixHD
from dancekit.losses.adversarial import LSGAN
from dancekit.losses.feature_matching import FeatureMatching
from dancekit.losses.objective import Objective
from dancekit.temporal.previous_frame import PreviousFrame
from dancekit.temporal.single import Single


class Recorder(nn.Module):
    """Paints weight * (first three channels + last three) and remembers its inputs."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))
        self.inputs = []

    def forward(self, x):
        self.inputs.append(x)
        return self.weight * (x[:, :3] + x[:, -3:])


def test_single_has_no_history():
    strategy, generator = Single(), Recorder()
    condition = torch.randn(2, 4, 6, 8)
    image, state = strategy.step(generator, condition, None)
    assert state is None and torch.equal(generator.inputs[0], condition)
    assert strategy.remember(image, state) is None
    seen = strategy.view(condition[:, None], image[:, None])
    assert torch.equal(seen, torch.cat([condition, image], 1))
    assert strategy.generator_channels(4) == 4 and strategy.discriminator_channels(4) == seen.shape[1] == 7
    assert strategy.clip_length == 1


def test_previous_frame_feeds_back_the_final_image_and_starts_with_zeros():
    strategy, generator = PreviousFrame(), Recorder()
    conditions = torch.randn(2, 2, 4, 6, 8)
    first, state = strategy.step(generator, conditions[:, 0], None)
    assert torch.equal(generator.inputs[0][:, :4], conditions[:, 0]) and not generator.inputs[0][:, 4:].any()
    assert torch.equal(state["image"], first)
    refined = first + 1
    second, _ = strategy.step(generator, conditions[:, 1], strategy.remember(refined, state))
    assert torch.equal(generator.inputs[1], torch.cat([conditions[:, 1], refined], 1))
    seen = strategy.view(conditions, torch.stack([first, second], 1))
    assert torch.equal(seen, torch.cat([conditions[:, 0], conditions[:, 1], first, second], 1))
    assert strategy.generator_channels(4) == 7 and strategy.discriminator_channels(4) == seen.shape[1] == 14
    assert strategy.clip_length == 2


@pytest.mark.parametrize("detach", [False, True])
def test_the_gradient_runs_through_both_frames_unless_detached(detach):
    strategy, generator = PreviousFrame(detach=detach), Recorder()
    condition = torch.ones(1, 3, 2, 2)
    first, state = strategy.step(generator, condition, None)
    second, _ = strategy.step(generator, condition, strategy.remember(first, state))
    second.mean().backward()
    # I1 = w (s + w s) with s = 1: 1 + 2 w through both frames, 1 + w through the second alone; w = 0.5
    assert generator.weight.grad.item() == pytest.approx(1.5 if detach else 2.0)


@pytest.mark.parametrize("strategy", [Single(), PreviousFrame()])
def test_views_of_another_length_are_refused(strategy):
    with pytest.raises(ValueError, match="got 3 conditions"):
        strategy.view(torch.zeros(1, 3, 4, 2, 2), torch.zeros(1, 3, 3, 2, 2))


def test_double_precision_stays():
    image, state = PreviousFrame().step(Recorder().double(), torch.zeros(1, 3, 2, 2).double(), None)
    assert image.dtype == state["image"].dtype == torch.float64


@pytest.mark.shared
def test_the_sequence_of_the_original(shared):
    folder = shared / "fixtures" / "edn_inference_sequence"
    tensors = load_file(folder / "io.safetensors")
    generator = Pix2PixHD(ngf=4, n_down=2, n_blocks=2, in_channels=6)
    generator.load_state_dict(torch.load(folder / "weights_G.pth", weights_only=True))
    strategy, state = PreviousFrame(), None
    with torch.inference_mode():
        for number in range(4):
            image, state = strategy.step(generator, tensors[f"label.{number}"], state)
            torch.testing.assert_close(image, tensors[f"output.{number}"], rtol=0, atol=5e-5)
            state = strategy.remember(image, state)


@pytest.mark.shared
def test_the_training_step_of_the_original(shared):
    """Everybody Dance Now's first step: all losses, and the gradient of every weight."""
    folder = shared / "fixtures" / "edn_step_temporal_dedup"
    step = json.loads((folder / "meta.json").read_text())["steps"][0]
    tensors = load_file(folder / "io.safetensors")
    networks = {
        "G": Pix2PixHD(ngf=4, n_down=2, n_blocks=2, in_channels=6),
        "D": MultiscaleDiscriminator(ndf=4, in_channels=12),
    }
    for name, network in networks.items():
        network.load_state_dict(torch.load(folder / f"weights_{name}_before.pth", weights_only=True))
    strategy = PreviousFrame()
    conditions = torch.stack([tensors["label.0"], tensors["next_label.0"]], 1)
    real = torch.stack([tensors["image.0"], tensors["next_image.0"]], 1)

    images, state = [], None
    for frame in range(2):
        image, state = strategy.step(networks["G"], conditions[:, frame], state)
        images.append(image)
    fake = torch.stack(images, 1)
    view = strategy.view(conditions, fake)
    torch.testing.assert_close(view, tensors["D_input.0"], rtol=0, atol=5e-5)

    true_maps = networks["D"](strategy.view(conditions, real))
    mask = torch.ones(1, 1, 64, 64)
    objective = Objective([("lsgan", 1.0, LSGAN()), ("feature_matching", 10.0, FeatureMatching())])
    total, parts = objective.generator(
        LossView(
            fake=fake[0],
            real=real[0],
            mask=mask.expand(2, -1, -1, -1),
            fake_features=networks["D"](view),
            real_features=[[m.detach() for m in scale] for scale in true_maps],
            view_mask=mask,
        )
    )
    assert parts["lsgan"].item() == pytest.approx(step["losses"]["G_GAN"], rel=1e-5)
    assert 10 * parts["feature_matching"].item() == pytest.approx(step["losses"]["G_GAN_Feat"], rel=1e-5)
    assert total.item() == pytest.approx(step["loss_G"], rel=1e-5)
    loss_d, _ = objective.discriminator(true_maps, networks["D"](view.detach()), mask)
    assert loss_d.item() == pytest.approx(step["loss_D"], rel=1e-5)

    for name, loss in (("G", total), ("D", loss_d)):
        parameters = dict(networks[name].named_parameters())
        gradients = torch.autograd.grad(loss, list(parameters.values()), retain_graph=True)
        for key, gradient in zip(parameters, gradients, strict=True):
            true = tensors[f"grad.{name}.{key}"]
            # a bias before instance norm has a gradient of zero, so rounding is all there is to compare
            limit = 1e-3 * true.abs().max().item() + 1e-4
            torch.testing.assert_close(gradient, true, rtol=0, atol=limit, msg=lambda m, k=key: f"{k}: {m}")
