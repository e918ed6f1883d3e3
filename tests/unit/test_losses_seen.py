"""Losses that look through other networks, and the other adversaries, against independent references."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchvision.models.vgg import make_layers

from dancekit.build import build_objective, check_parts, create
from dancekit.config import load_recipe
from dancekit.config.schema import LossTerm
from dancekit.contracts import LossView
from dancekit.errors import ChecksumError, DancekitError, IncompatibleParts, OfflineError, UsageError
from dancekit.losses.adversarial import WGANGP, Vanilla, gradient_penalty
from dancekit.losses.feature_matching import FeatureMatching
from dancekit.losses.person import person_crops, person_squares
from dancekit.losses.reconstruction import L1
from dancekit.types import get_skeleton
from dancekit.weights.fetch import weights_folder

NARROW = [4, 4, "M", 6, 6, "M", *[8] * 4, "M", *[10] * 4, "M", *[12] * 4, "M"]
MEAN, STD = (
    torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1),
    torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1),
)


def view(fake, real, *, mask=None, frames=1, features=()):
    mask = torch.ones_like(fake[:, :1]) if mask is None else mask
    return LossView(
        fake=fake,
        real=real,
        mask=mask,
        fake_features=features,
        real_features=(),
        view_mask=mask,
        frames=frames,
    )


def images(n=2, size=64):
    torch.manual_seed(0)
    return torch.rand(n, 3, size, size) * 2 - 1, torch.rand(n, 3, size, size) * 2 - 1


# ---- adversaries -------------------------------------------------------------------------------------------


def test_vanilla_is_cross_entropy_on_logits_and_on_probabilities():
    torch.manual_seed(0)
    maps = [[torch.randn(2, 1, 5, 6)], [torch.randn(2, 1, 3, 4)]]
    squashed = [[layer.sigmoid() for layer in scale] for scale in maps]
    empty = torch.zeros(2, 3, 4, 4)
    real = sum(-torch.log(scale[0].sigmoid()).mean() for scale in maps)
    fake = sum(-torch.log(1 - scale[0].sigmoid()).mean() for scale in maps)
    for loss, given in ((Vanilla(), maps), (Vanilla(logits=False), squashed)):
        torch.testing.assert_close(loss(view(empty, empty, features=given)), real)
        got = loss.discriminator(given, given, empty[:, :1])
        torch.testing.assert_close(got, (real + fake) / 2)
    with pytest.raises(IncompatibleParts, match=r"needs probabilities.*vanilla\.logits=true"):
        Vanilla(logits=False)(view(empty, empty, features=[[torch.tensor([[[[1.5]]]])]]))


@pytest.mark.parametrize("where", ["mixed", "real", "fake"])
def test_the_gradient_penalty_of_a_linear_critic_is_known(where):
    weight = torch.full((3, 8, 8), 0.25)  # |gradient| = 0.25 * sqrt(192), everywhere

    def critic(x):
        return [[(x * weight).sum((1, 2, 3)).view(-1, 1, 1, 1)]]

    real, fake = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    expected = (0.25 * 192**0.5 - 1) ** 2
    assert float(gradient_penalty(critic, real, fake, where=where)) == pytest.approx(expected, rel=1e-5)
    loss = WGANGP(penalty=3.0, where=where)
    assert float(loss.penalty(critic, real, fake)) == pytest.approx(3 * expected, rel=1e-5)
    maps = [[torch.tensor([[[[2.0]]]])]]
    assert float(loss(view(real, fake, features=maps))) == -2
    assert float(loss.discriminator(maps, [[torch.tensor([[[[5.0]]]])]], real[:, :1])) == pytest.approx(1.5)


def test_the_penalty_trains_the_critic():
    critic = create("discriminator", "multiscale", ndf=2, n_layers=1, num_d=1, in_channels=3)
    gradient_penalty(critic, *images(2, 16)).backward()
    assert all(p.grad is not None for n, p in critic.named_parameters() if n.endswith("weight"))


def test_losses_that_need_a_discriminator_say_so():
    for loss in (Vanilla(), WGANGP(), FeatureMatching()):
        with pytest.raises(IncompatibleParts, match="needs a discriminator and there is none"):
            loss(view(*images()))
    with pytest.raises(IncompatibleParts, match="intermediate maps"):
        both = [[torch.zeros(1, 1, 2, 2)]]
        FeatureMatching()(LossView(*images(1), torch.ones(1, 1, 4, 4), both, both, torch.ones(1, 1, 4, 4)))
    skeleton = get_skeleton("blazepose_33")
    recipe = load_recipe("tiny", ["discriminator=none", "losses=[{name: wgan_gp}, {name: l1}]"])
    with pytest.raises(IncompatibleParts, match="losses wgan_gp need a discriminator"):
        check_parts(recipe, skeleton)
    with pytest.raises(IncompatibleParts, match="the discriminator hands out none"):
        check_parts(load_recipe("tiny", ["discriminator.features=false"]), skeleton)


def test_l1_of_the_last_frames():
    fake, real = torch.zeros(6, 3, 4, 4), torch.zeros(6, 3, 4, 4)
    for number in range(6):
        fake[number] = number  # three clips of two frames
    assert float(L1(frames="last")(view(fake, real, frames=2))) == pytest.approx((1 + 3 + 5) / 3)
    assert float(L1()(view(fake, real, frames=2))) == pytest.approx(2.5)


# ---- VGG19 -------------------------------------------------------------------------------------------------


@pytest.fixture
def vgg_file(tmp_path):
    """torchvision's own layers, narrow, with random weights."""
    torch.manual_seed(1)
    features = make_layers(NARROW)
    file = tmp_path / "vgg.pth"
    torch.save({f"features.{key}": value for key, value in features.state_dict().items()}, file)
    return file, features


@pytest.mark.parametrize("normalize", [True, False])
def test_perceptual_is_torchvisions_vgg_at_five_depths(vgg_file, normalize):
    file, features = vgg_file
    fake, real = images()
    fake.requires_grad_()
    loss = create("loss", "perceptual", weights=str(file), normalize=normalize)
    value = loss(view(fake, real))

    def maps(x):
        x = ((x + 1) / 2 - MEAN) / STD if normalize else x
        found = []
        for number, layer in enumerate(features):
            x = layer(x).clone()
            if number in (1, 6, 11, 20, 29):
                found.append(x)
        return found

    other = fake.detach().clone().requires_grad_()
    weights = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1)
    true = sum(w * F.l1_loss(a, b) for w, a, b in zip(weights, maps(other), maps(real), strict=True))
    torch.testing.assert_close(value, true)
    value.backward()
    true.backward()
    torch.testing.assert_close(fake.grad, other.grad)
    assert not any(p.requires_grad for p in loss.network.parameters())
    assert float(loss(view(real, real))) == 0


def test_the_file_is_checked_before_it_is_used(vgg_file, tmp_path):
    file, _ = vgg_file
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    create("loss", "perceptual", weights=str(file), sha256=digest.upper())
    with pytest.raises(ChecksumError, match="expected 0000"):
        create("loss", "perceptual", weights=str(file), sha256="0" * 64)
    torch.save({"features.0.weight": torch.zeros(4, 3, 3, 3)}, tmp_path / "half.pth")
    with pytest.raises(DancekitError, match=r"does not hold a VGG19: 0\.bias, 2\.weight"):
        create("loss", "perceptual", weights=str(tmp_path / "half.pth"))


def test_a_recipe_without_its_vgg_fails_before_training_with_the_remedy(vgg_file):
    file, _ = vgg_file
    losses = "losses=[{name: l1}, {name: perceptual, params: {weights: '%s'}}]"
    skeleton = get_skeleton("blazepose_33")
    for given in ("", "/nowhere/vgg.pth"):
        with pytest.raises(
            OfflineError, match=r"no file.*download https://download\.pytorch\.org.*backbone=blazepose"
        ):
            check_parts(load_recipe("tiny", [losses % given]), skeleton)
    check_parts(load_recipe("tiny", [losses % file]), skeleton)
    impostor = weights_folder() / "vgg19-dcbb9e9d.pth"
    impostor.parent.mkdir(parents=True)
    impostor.write_bytes(file.read_bytes())
    with pytest.raises(ChecksumError, match=r"expected dcbb9e9d\.\.\."):
        check_parts(load_recipe("tiny", [losses % ""]), skeleton)


# ---- timm and BlazePose ------------------------------------------------------------------------------------


def test_a_timm_backbone_needs_a_file_and_sees(tmp_path):
    import timm

    torch.manual_seed(0)
    file = tmp_path / "w.pth"
    torch.save(timm.create_model("test_resnet", pretrained=False).state_dict(), file)
    loss = create("loss", "perceptual", backbone="test_resnet", weights=str(file))
    fake, real = images()
    assert float(loss(view(fake, real))) > float(loss(view(real, real))) == 0
    with pytest.raises(OfflineError, match="no file is named"):
        create("loss", "perceptual", backbone="test_resnet")
    with pytest.raises(UsageError, match="no model 'resnet81'"):
        create("loss", "perceptual", backbone="resnet81", weights=str(file))
    with pytest.raises(IncompatibleParts, match="2 layer_weights, its backbone 5 maps"):
        create("loss", "perceptual", backbone="test_resnet", weights=str(file), layer_weights=[1, 2])(
            view(fake, real)
        )


@pytest.fixture(scope="module")
def dancer_frame(root):
    """A frame of the shipped target, and the person's mask in it."""
    from dancekit.pose.blazepose import BlazePose
    from dancekit.video import read_frames

    frame = next(iter(read_frames(root / "zoo" / "samples" / "target.mp4"))).rgb
    (found,) = BlazePose(model="lite").detect([frame])
    image = torch.from_numpy(np.array(frame)).permute(2, 0, 1)[None].float() / 127.5 - 1
    return image, torch.from_numpy(found.mask[:1]).float()[None] / 255


def test_pose_consistency_measures_how_far_the_person_is_off(dancer_frame):
    real, mask = dancer_frame
    (term,) = build_objective([LossTerm(name="pose_consistency")]).terms
    loss = term[2]
    assert float(loss(view(real, real, mask=mask))) == 0
    side = person_squares(mask)[0][2]
    for shift in (4, 12):
        moved = torch.roll(real, shift, 3).requires_grad_()
        value = loss(view(moved, real, mask=mask))
        assert float(value.detach()) == pytest.approx(shift / side, rel=0.4)
    value.backward()
    assert moved.grad.isfinite().all() and moved.grad.abs().max() > 0


def test_perceptual_through_blazepose(dancer_frame):
    real, mask = dancer_frame
    term = LossTerm(name="perceptual", params={"backbone": "blazepose_lite"})
    loss = build_objective([term]).terms[0][2]
    blurred = F.avg_pool2d(real, 9, 1, 4).requires_grad_()
    little, much = (
        loss(view(F.avg_pool2d(real, 3, 1, 1), real, mask=mask)),
        loss(view(blurred, real, mask=mask)),
    )
    assert 0 < float(little) < float(much.detach())
    much.backward()
    assert blurred.grad.abs().max() > 0
    with pytest.raises(UsageError, match=r"needs pose_network.*dancekit\.build wires it"):
        create("loss", "perceptual", backbone="blazepose")
    with pytest.raises(UsageError, match="ships with dancekit"):
        create("loss", "perceptual", backbone="blazepose", weights="x.pth")
    check_parts(
        load_recipe("tiny", ["losses=[{name: l1}, {name: perceptual, params: {backbone: blazepose}}]"]),
        get_skeleton("blazepose_33"),
    )


def test_squares_hold_the_person_and_stay_inside():
    mask = torch.zeros(4, 1, 40, 60)
    mask[0, :, 10:20, 20:25] = 1  # 10 tall: 12 with a margin
    mask[1, :, 0:8, 0:4] = 1  # in the corner
    mask[2] = 1  # larger than a square can be
    squares = person_squares(mask)
    assert squares == [(16, 9, 12), (0, 0, 10), (10, 0, 40), (10, 0, 40)]
    pictures = torch.arange(60.0).expand(4, 1, 40, 60)
    crops = person_crops(pictures, squares, 10)
    assert crops.shape == (4, 1, 10, 10)
    torch.testing.assert_close(crops[1, 0, 0], torch.arange(10.0))
