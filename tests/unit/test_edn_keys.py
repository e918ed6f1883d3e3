"""Keys, shapes and parameter counts of the originals, written out (../shared/reference/edn.md section 5)."""

from __future__ import annotations

import pytest
import torch

from dancekit.build import create

FACE_UNET = "model.model.1.model.3.model.3"


def made(kind, name, **parameters):
    with torch.device("meta"):
        return create(kind, name, **parameters)


def shapes(network):
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def with_biases(weights, transposed=()):
    """Weights by name, each with a bias as long as its output."""
    expected = {}
    for name, shape in weights.items():
        expected[f"{name}.weight"] = shape
        expected[f"{name}.bias"] = (shape[1] if name in transposed else shape[0],)
    return expected


def blocks(first, number, width, prefix="model."):
    return {
        f"{prefix}{first + n}.conv_block.{i}": (width, width, 3, 3) for n in range(number) for i in (1, 5)
    }


GLOBAL = {
    "model.1": (64, 6, 7, 7),
    "model.4": (128, 64, 3, 3),
    "model.7": (256, 128, 3, 3),
    "model.10": (512, 256, 3, 3),
    "model.13": (1024, 512, 3, 3),
    **blocks(16, 9, 1024),
    "model.25": (1024, 512, 3, 3),
    "model.28": (512, 256, 3, 3),
    "model.31": (256, 128, 3, 3),
    "model.34": (128, 64, 3, 3),
}
UP = ("model.25", "model.28", "model.31", "model.34")


def test_global_generator():
    network = made("generator", "pix2pixhd", in_channels=6)
    assert shapes(network) == with_biases(GLOBAL | {"model.38": (3, 64, 7, 7)}, UP)
    assert len(shapes(network)) == 56 and count(network) == 182_452_675


def test_local_enhancer():
    network = made("generator", "pix2pixhd_local", in_channels=6)
    local = {
        "model1_1.1": (32, 6, 7, 7),
        "model1_1.4": (64, 32, 3, 3),
        **blocks(0, 3, 64, "model1_2."),
        "model1_2.3": (64, 32, 3, 3),
        "model1_2.7": (3, 32, 7, 7),
    }
    assert shapes(network) == with_biases(GLOBAL | local, (*UP, "model1_2.3"))
    assert len(shapes(network)) == 74 and count(network) == 182_715_939


def test_two_local_enhancers():
    network = made("generator", "pix2pixhd_local", ngf=16, n_enhancers=2, in_channels=6)
    found = shapes(network)
    assert found["model.1.weight"] == (64, 6, 7, 7)
    assert found["model1_1.1.weight"] == (32, 6, 7, 7) and found["model2_1.1.weight"] == (16, 6, 7, 7)
    assert "model1_2.7.weight" not in found and found["model2_2.7.weight"] == (3, 16, 7, 7)
    assert network.spec.multiple_of == 64


D_SHAPES = [(64, 12, 4, 4), (128, 64, 4, 4), (256, 128, 4, 4), (512, 256, 4, 4), (1, 512, 4, 4)]


@pytest.mark.parametrize(("num_d", "parameters"), [(2, 5_547_906), (3, 8_321_859)])
def test_discriminator(num_d, parameters):
    network = made("discriminator", "multiscale", num_d=num_d, in_channels=12)
    names = {f"scale{s}_layer{j}.0": shape for s in range(num_d) for j, shape in enumerate(D_SHAPES)}
    assert shapes(network) == with_biases(names)
    assert len(shapes(network)) == 10 * num_d and count(network) == parameters


def test_discriminator_without_features():
    network = made("discriminator", "multiscale", features=False, in_channels=12)
    names = {
        f"layer{s}.{index}": shape
        for s in range(2)
        for index, shape in zip((0, 2, 5, 8, 11), D_SHAPES, strict=True)
    }
    assert shapes(network) == with_biases(names) and count(network) == 5_547_906


def test_face_discriminator():
    network = made("discriminator", "patch", ndf=64, norm="batch", in_channels=6)
    expected = {}
    for index, shape in zip((0, 2, 5, 8, 11), [(64, 6, 4, 4), *D_SHAPES[1:]], strict=True):
        expected |= with_biases({f"model.{index}": shape})
    for index, width in ((3, 128), (6, 256), (9, 512)):
        expected |= {
            f"model.{index}.{key}": (width,) for key in ("weight", "bias", "running_mean", "running_var")
        }
        expected[f"model.{index}.num_batches_tracked"] = ()
    assert shapes(network) == expected
    assert len(expected) == 25 and count(network) == 2_769_601
    with torch.device("meta"):
        assert network(torch.zeros(1, 6, 128, 128))[0][-1].shape == (1, 1, 19, 19)


def test_face_generator_global():
    network = made("face", "edn", condition_channels=3, size=(1024, 512))
    weights = {
        "model.1": (64, 6, 7, 7),
        "model.4": (128, 64, 3, 3),
        "model.7": (256, 128, 3, 3),
        "model.10": (512, 256, 3, 3),
        **blocks(13, 5, 512),
        "model.18": (512, 256, 3, 3),
        "model.21": (256, 128, 3, 3),
        "model.24": (128, 64, 3, 3),
        "model.28": (3, 64, 7, 7),
    }
    assert shapes(network) == with_biases(weights, ("model.18", "model.21", "model.24"))
    assert len(shapes(network)) == 36 and count(network) == 26_724_291


def test_face_generator_unet():
    network = made("face", "edn", network="unet", condition_channels=3, size=(1024, 512))
    inner = f"{FACE_UNET}.model.3"
    convolutions = {
        "model.model.0": (64, 6, 4, 4),
        "model.model.1.model.1": (128, 64, 4, 4),
        "model.model.1.model.3.model.1": (256, 128, 4, 4),
        f"{FACE_UNET}.model.1": (512, 256, 4, 4),
        f"{inner}.model.1": (512, 512, 4, 4),
        f"{inner}.model.3": (512, 512, 4, 4),
        f"{FACE_UNET}.model.5": (1024, 256, 4, 4),
        "model.model.1.model.3.model.5": (512, 128, 4, 4),
        "model.model.1.model.5": (256, 64, 4, 4),
        "model.model.3": (128, 3, 4, 4),
    }
    norms = {
        "model.model.1.model.2": 128,
        "model.model.1.model.3.model.2": 256,
        f"{FACE_UNET}.model.2": 512,
        f"{inner}.model.4": 512,
        f"{FACE_UNET}.model.6": 256,
        "model.model.1.model.3.model.6": 128,
        "model.model.1.model.6": 64,
    }
    expected = {f"{name}.weight": shape for name, shape in convolutions.items()} | {
        "model.model.3.bias": (3,)
    }
    for name, width in norms.items():
        expected |= {f"{name}.{key}": (width,) for key in ("weight", "bias", "running_mean", "running_var")}
        expected[f"{name}.num_batches_tracked"] = ()
    assert shapes(network) == expected
    assert len(expected) == 46 and count(network) == 16_662_147


@pytest.mark.parametrize(
    ("norm", "dropout", "second"), [("instance", False, 5), ("batch", False, 5), ("batch", True, 6)]
)
def test_resnet(norm, dropout, second):
    network = made("generator", "resnet", n_blocks=6, norm=norm, dropout=dropout, in_channels=3)
    found = shapes(network)
    assert found["model.10.conv_block.1.weight"] == (256, 256, 3, 3)
    assert found[f"model.15.conv_block.{second}.weight"] == (256, 256, 3, 3)
    assert found["model.16.weight"] == (256, 128, 3, 3) and found["model.23.weight"] == (3, 64, 7, 7)
    assert found["model.23.bias"] == (3,) and ("model.1.bias" in found) is (norm == "instance")


def test_pix2pix_discriminators():
    patch = shapes(
        made("discriminator", "patch", ndf=64, n_layers=5, norm="batch", layout="pix2pix", in_channels=6)
    )
    assert max(shape[0] for shape in patch.values() if shape) == 512
    convolutions = {key.rpartition(".")[0] for key, shape in patch.items() if len(shape) == 4}
    assert [name for name in sorted(convolutions) if f"{name}.bias" in patch] == ["model.0", "model.17"]
    pixel = shapes(made("discriminator", "pixel", norm="batch", in_channels=6))
    assert [key for key in pixel if "running" not in key and "tracked" not in key] == [
        "net.0.weight", "net.0.bias", "net.2.weight", "net.3.weight", "net.3.bias", "net.5.weight",
    ]  # fmt: skip
