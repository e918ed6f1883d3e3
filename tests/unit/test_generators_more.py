"""Local enhancers, pix2pix's generator and discriminators, timm's encoders: against plain functions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from dancekit.build import create
from dancekit.errors import ChecksumError, DancekitError, IncompatibleParts, UsageError
from dancekit.layers import use_batch_statistics


def halve(x):
    """Mean of the 3x3 neighbourhood, every second pixel, pixels beyond the border not counted."""
    ones = torch.ones(x.shape[1], 1, 3, 3, dtype=x.dtype)
    total = F.conv2d(x, ones, stride=2, padding=1, groups=x.shape[1])
    return total / F.conv2d(torch.ones_like(x), ones, stride=2, padding=1, groups=x.shape[1])


class Plain:
    """pix2pixHD's pieces as functions of a state dict, instance norm."""

    def __init__(self, network):
        self.state = network.state_dict()

    def layer(self, name):
        return self.state[f"{name}.weight"], self.state.get(f"{name}.bias")

    def first(self, x, name):
        return F.instance_norm(F.conv2d(F.pad(x, (3,) * 4, "reflect"), *self.layer(name))).relu()

    def down(self, x, name):
        return F.instance_norm(F.conv2d(x, *self.layer(name), stride=2, padding=1)).relu()

    def up(self, x, name):
        y = F.conv_transpose2d(x, *self.layer(name), stride=2, padding=1, output_padding=1)
        return F.instance_norm(y).relu()

    def block(self, x, name):
        y = F.instance_norm(
            F.conv2d(F.pad(x, (1,) * 4, "reflect"), *self.layer(f"{name}.conv_block.1"))
        ).relu()
        return x + F.instance_norm(
            F.conv2d(F.pad(y, (1,) * 4, "reflect"), *self.layer(f"{name}.conv_block.5"))
        )

    def last(self, x, name):
        return F.conv2d(F.pad(x, (3,) * 4, "reflect"), *self.layer(name)).tanh()


def plain_local(network, x):
    """Two enhancers around one halving and one block, one block each."""
    p = Plain(network)
    half = halve(x)
    y = p.up(p.block(p.down(p.first(halve(half), "model.1"), "model.4"), "model.7"), "model.8")
    y = p.up(p.block(p.down(p.first(half, "model1_1.1"), "model1_1.4") + y, "model1_2.0"), "model1_2.1")
    y = p.up(p.block(p.down(p.first(x, "model2_1.1"), "model2_1.4") + y, "model2_2.0"), "model2_2.1")
    return p.last(y, "model2_2.5")


def plain_resnet(network, x):
    p = Plain(network)
    y = p.down(p.down(p.first(x, "model.1"), "model.4"), "model.7")
    y = p.block(p.block(y, "model.10"), "model.11")
    return p.last(p.up(p.up(y, "model.12"), "model.15"), "model.19")


@pytest.mark.parametrize("batch", [1, 2])
def test_local_enhancers_equal_the_plain_network(batch):
    torch.manual_seed(batch)
    network = create(
        "generator",
        "pix2pixhd_local",
        ngf=2,
        n_down=1,
        n_blocks=1,
        n_enhancers=2,
        n_blocks_local=1,
        in_channels=4,
    ).double()
    x = torch.randn(batch, 4, 32, 48, dtype=torch.float64)
    torch.testing.assert_close(network(x), plain_local(network, x), rtol=1e-7, atol=1e-10)


def test_local_enhancers_say_where_they_do_not_meet():
    network = create("generator", "pix2pixhd_local", ngf=2, n_down=2, n_blocks=1, in_channels=3)
    assert network(torch.zeros(1, 3, 56, 80)).shape == (1, 3, 56, 80)
    assert network(torch.zeros(1, 3, 55, 79)).shape == (1, 3, 56, 80)  # half of it, rounded up, is a multiple
    with pytest.raises(IncompatibleParts, match=r"do not meet at 80x52.*multiples of 8"):
        network(torch.zeros(1, 3, 52, 80))


def test_resnet_equals_the_plain_network():
    torch.manual_seed(0)
    network = create("generator", "resnet", ngf=3, n_blocks=2, in_channels=4).double()
    x = torch.randn(2, 4, 32, 48, dtype=torch.float64)
    torch.testing.assert_close(network(x), plain_resnet(network, x), rtol=1e-7, atol=1e-10)
    assert all(not b.any() for n, b in network.named_parameters() if n.endswith("bias"))


def test_unet_loses_one_row_that_is_too_much():
    network = create("generator", "unet", ngf=2, depth=3, in_channels=3)
    assert network(torch.zeros(1, 3, 17, 33)).shape == (1, 3, 16, 32)


@pytest.mark.parametrize("name", ["unet", "resnet"])
def test_batch_statistics_in_evaluation(name):
    torch.manual_seed(0)
    given = {"depth": 3} if name == "unet" else {"n_blocks": 1}
    network = create("generator", name, ngf=4, norm="batch", batch_statistics=True, in_channels=3, **given)
    x = torch.randn(2, 3, 16, 16)
    evaluated = network.eval()(x)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    torch.testing.assert_close(evaluated, network.train()(x))
    assert not torch.equal(
        before["model.2.running_mean"] if name == "resnet" else torch.zeros(1), torch.ones(1)
    )
    plain = create("generator", name, ngf=4, norm="batch", in_channels=3, **given)
    plain.load_state_dict(before)
    plain.eval()
    assert not torch.allclose(plain(x), evaluated)
    use_batch_statistics(plain)
    torch.testing.assert_close(plain(x), evaluated)
    assert all(torch.equal(value, before[key]) for key, value in plain.state_dict().items())


def test_pix2pix_patch_maps_shrink_and_equal_the_plain_network():
    torch.manual_seed(0)
    network = create("discriminator", "patch", ndf=2, n_layers=2, layout="pix2pix", in_channels=3).double()
    state = network.state_dict()
    x = torch.randn(1, 3, 32, 32, dtype=torch.float64)
    y = x
    for number, (index, stride) in enumerate(((0, 2), (2, 2), (5, 1), (8, 1))):
        y = F.conv2d(
            y, state[f"model.{index}.weight"], state[f"model.{index}.bias"], stride=stride, padding=1
        )
        if 0 < number < 3:
            y = F.instance_norm(y)
        y = F.leaky_relu(y, 0.2) if number < 3 else y
    (maps,) = network(x)
    torch.testing.assert_close(maps[-1], y, rtol=1e-9, atol=1e-11)
    assert [m.shape[-1] for m in maps] == [16, 8, 7, 6]


def test_pixel_discriminator_sees_one_pixel_at_a_time():
    torch.manual_seed(0)
    network = create("discriminator", "pixel", ndf=4, norm="batch", in_channels=3).eval()
    x = torch.randn(1, 3, 8, 8)
    y = x.clone()
    y[..., 3, 5] += 1
    changed = (network(x)[0][-1] != network(y)[0][-1])[0, 0]
    assert changed.nonzero().tolist() == [[3, 5]]


def test_a_sigmoid_needs_a_discriminator_without_features():
    with pytest.raises(IncompatibleParts, match="has no sigmoid where it hands out features"):
        create("discriminator", "multiscale", sigmoid=True, in_channels=3)
    network = create("discriminator", "multiscale", ndf=2, sigmoid=True, features=False, in_channels=3)
    with torch.no_grad():
        scales = network(torch.randn(1, 3, 32, 32))
    assert all(0 < scale[-1].min() <= scale[-1].max() < 1 for scale in scales)


# ---- timm --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoder", ["test_resnet", "test_convnext", "test_vit", "mobilenetv3_small_050"])
def test_timm_encoders_paint(encoder):
    torch.manual_seed(0)
    network = create("generator", "timm_unet", encoder=encoder, width=4, in_channels=6, size=(64, 96))
    x = torch.randn(2, 6, 96, 64, requires_grad=True)
    y = network(x)
    assert y.shape == (2, 3, 96, 64) and y.abs().max() <= 1
    y.square().mean().backward()
    assert x.grad.abs().max() > 0
    skipped = [n for n, p in network.named_parameters() if p.grad is None and not n.startswith("encoder")]
    assert not skipped


def test_timm_names_and_files_that_are_not_there(tmp_path):
    def make(**given):
        return create("generator", "timm_unet", in_channels=3, size=(64, 64), width=4, **given)

    with pytest.raises(UsageError, match=r"no model 'resnet81'.*did you mean.*resnet"):
        make(encoder="resnet81")
    with pytest.raises(UsageError, match=r"no file .*w\.pth.*huggingface\.co/timm"):
        make(encoder="test_resnet", weights=str(tmp_path / "w.pth"))
    with pytest.raises(UsageError, match="sha256 but no weights"):
        make(encoder="test_resnet", sha256="0" * 64)


def test_timm_weights_from_a_file(tmp_path):
    import timm

    torch.manual_seed(0)
    file = tmp_path / "w.pth"
    source = timm.create_model("test_resnet", pretrained=False)
    torch.save(source.state_dict(), file)

    def make(channels, **given):
        return create(
            "generator", "timm_unet", encoder="test_resnet", weights=str(file), width=4,
            in_channels=channels, size=(64, 64), **given,
        )  # fmt: skip

    own, theirs = make(3).encoder.state_dict(), source.state_dict()
    assert own and all(torch.equal(value, theirs[key]) for key, value in own.items())
    # as timm adapts them itself
    adapted = timm.create_model(
        "test_resnet", in_chans=6, pretrained=True, pretrained_cfg_overlay={"file": file}
    )
    theirs = adapted.state_dict()
    assert all(torch.allclose(value, theirs[key]) for key, value in make(6).encoder.state_dict().items())
    with pytest.raises(ChecksumError, match="expected 0000"):
        make(3, sha256="0" * 64)
    torch.save({"fc.weight": torch.zeros(3)}, file)
    with pytest.raises(UsageError, match="does not hold the weights of timm's test_resnet"):
        make(3)
    file.write_bytes(b"not a checkpoint")
    with pytest.raises(DancekitError, match="no checkpoint that can be read as data"):
        make(3)
