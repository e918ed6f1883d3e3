"""What makes the perceptual loss cheaper: fewer layers, smaller frames, the person alone, not in every step."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from test_training_step import BODY, batch_of, moved, state_of, weights

from dancekit.contracts import LossView
from dancekit.errors import IncompatibleParts
from dancekit.losses.adversarial import LSGAN
from dancekit.losses.objective import Objective
from dancekit.losses.perceptual import Perceptual
from dancekit.losses.person import cut_squares, person_squares
from dancekit.losses.reconstruction import L1
from dancekit.losses.vgg import SLICES, VGG19
from dancekit.weights.header import write_safetensors

WIDTHS = {index: 4 * (1 + number) for number, piece in enumerate(SLICES) for index in piece}


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "narrow.safetensors"
    write_safetensors(path, dict(VGG19(WIDTHS).state_dict()), {"format": "pt"})
    return str(path)


def view(size: int = 64) -> LossView:
    generator = torch.Generator().manual_seed(0)
    fake, real = (torch.rand(2, 3, size, size, generator=generator) * 2 - 1 for _ in range(2))
    mask = torch.zeros(2, 1, size, size)
    mask[0, :, 8:40, 20:30] = 1
    mask[1, :, 20:44, 30:50] = 1
    return LossView(fake, real, mask, [], [], mask)


def shapes(loss: Perceptual) -> list[tuple[int, ...]]:
    """What the convolutions of the network see."""
    seen: list[tuple[int, ...]] = []
    assert loss.network is not None
    for module in loss.network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda module, given, out: seen.append(tuple(given[0].shape[-2:])))
    loss(view())
    return seen


def test_the_network_is_run_no_further_than_the_layers_compared(vgg: str) -> None:
    assert len(shapes(Perceptual(weights=vgg))) == 2 * 13
    assert len(shapes(Perceptual(weights=vgg, layers=3))) == 2 * 5
    maps = Perceptual(weights=vgg)
    maps.layer_weights = (1 / 32, 1 / 16, 1 / 8, 0.0, 0.0)
    torch.testing.assert_close(Perceptual(weights=vgg, layers=3)(view()), maps(view()))
    with pytest.raises(IncompatibleParts, match="3 layer_weights, its backbone 2 maps"):
        Perceptual(weights=vgg, layers=2, layer_weights=(1.0, 1.0, 1.0))(view())


def test_smaller_frames(vgg: str) -> None:
    assert shapes(Perceptual(weights=vgg, scale=0.5))[0] == (32, 32)
    given = view()
    small = LossView(
        *(
            F.interpolate(x, (32, 32), mode="bilinear", antialias=True, align_corners=False)
            for x in (given.fake, given.real)
        ),
        given.mask, [], [], given.mask,
    )  # fmt: skip
    torch.testing.assert_close(Perceptual(weights=vgg, scale=0.5)(given), Perceptual(weights=vgg)(small))
    masked = {"weights": vgg, "mask": "person"}
    torch.testing.assert_close(
        Perceptual(**masked, scale=0.5)(given), Perceptual(**masked)(small), rtol=0.01, atol=0
    )


def test_the_person_alone_is_looked_at(vgg: str) -> None:
    loss, given = Perceptual(weights=vgg, crop="person"), view()
    squares = person_squares(given.mask)
    side = shapes(loss)[0][0]
    assert side % 16 == 0 and max(s for *_, s in squares) <= side < 64
    before = loss(given)
    fake = given.fake.clone()
    fake[0, :, :, -4:] = 1  # far from the first person
    assert torch.equal(loss(LossView(fake, given.real, given.mask, [], [], given.mask)), before)
    fake[0, :, 20, 25] *= -1
    assert loss(LossView(fake, given.real, given.mask, [], [], given.mask)) != before
    cuts = cut_squares(given.mask, squares)
    assert cuts.sum((1, 2, 3)).tolist() == given.mask.sum((1, 2, 3)).tolist(), "nobody is cut off"


def test_in_every_nth_step_with_n_times_the_weight() -> None:
    objective = Objective([("l1", 2.0, L1()), ("other", 1.0, L1())], {"l1": 4, "other": 1})
    given = view()
    plain = float(L1()(given))
    for step, factor in ((0, 9.0), (1, 1.0), (3, 1.0), (4, 9.0)):
        total, parts = objective.generator(given, step=step)
        assert float(total) == pytest.approx(factor * plain)
        assert ("l1" in parts) is (factor == 9.0)
    with pytest.raises(IncompatibleParts, match="lsgan trains the discriminator in every step"):
        Objective([("lsgan", 1.0, LSGAN())], {"lsgan": 2})


def test_a_step_without_any_loss_moves_nothing() -> None:
    state = state_of("losses=[{name: l1, every: 2}]", "discriminator=none")
    state.step = 1
    before = weights(state, "generator")
    assert state.learn(BODY, batch_of(1)) == {}
    assert not moved(state, "generator", before)
    state.step = 2
    assert "l1" in state.learn(BODY, batch_of(1))
    assert moved(state, "generator", before)
