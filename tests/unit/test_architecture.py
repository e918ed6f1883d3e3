"""Architectures told from keys and shapes: what was built is what is recognised, and damage is listed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.build import create
from dancekit.errors import DancekitError
from dancekit.zoo.architecture import recognise

NORM = st.sampled_from(["instance", "batch"])
SMALL = st.integers(1, 3)


@st.composite
def networks(draw):
    name = draw(
        st.sampled_from(["pix2pixhd", "pix2pixhd_local", "resnet", "unet", "multiscale", "patch", "pixel"])
    )
    params, channels = {"norm": draw(NORM)}, draw(st.sampled_from([1, 3, 6]))
    if name in ("pix2pixhd", "pix2pixhd_local"):
        params |= {"ngf": draw(SMALL), "n_down": draw(st.integers(1, 4)), "n_blocks": draw(st.integers(1, 3))}
    if name == "pix2pixhd_local":
        params |= {"n_enhancers": draw(st.integers(1, 3)), "n_blocks_local": draw(st.integers(1, 3))}
    if name == "resnet":
        params |= {"ngf": draw(SMALL), "n_blocks": draw(st.integers(1, 9)), "dropout": draw(st.booleans())}
    if name == "unet":
        params |= {"ngf": draw(SMALL), "depth": draw(st.integers(2, 8))}
    if name == "multiscale":
        params |= {"num_d": draw(SMALL), "n_layers": draw(st.integers(1, 4)), "features": draw(st.booleans())}
    if name == "patch":
        params |= {
            "n_layers": draw(st.integers(1, 5)),
            "layout": draw(st.sampled_from(["pix2pixhd", "pix2pix"])),
        }
    if name in ("multiscale", "patch", "pixel"):
        params["ndf"] = draw(SMALL)
    kind = "discriminator" if name in ("multiscale", "patch", "pixel") else "generator"
    return kind, name, params, channels


@settings(max_examples=20, deadline=None)
@given(networks())
def test_what_was_built_is_recognised(made):
    kind, name, params, channels = made
    with torch.device("meta"):
        network = create(kind, name, in_channels=channels, **params)
    found, _, differences = recognise(network.state_dict())
    assert not differences
    assert found.kind == kind and found.wired["in_channels"] == channels
    rebuilt = found.build(meta=True).state_dict()
    assert {k: v.shape for k, v in rebuilt.items()} == {k: v.shape for k, v in network.state_dict().items()}
    twins = {"pix2pixhd", "resnet"}  # the same network with instance norm and two halvings
    assert found.name == name or {found.name, name} == twins
    shared = {key: value for key, value in found.params.items() if key in params and key != "layout"}
    assert shared == {key: params[key] for key in shared}


def toy():
    return create("generator", "pix2pixhd", ngf=4, n_down=2, n_blocks=2, in_channels=6).state_dict()


def renamed(state):
    state["model.7.wait"] = state.pop("model.7.weight")


def without(state):
    del state["model.10.conv_block.5.bias"]


def reshaped(state):
    state["model.4.weight"] = torch.zeros(8, 4, 5, 5)


@pytest.mark.parametrize(
    ("damage", "lines"),
    [
        (renamed, ["missing model.7.weight [16, 8, 3, 3]", "unexpected model.7.wait [16, 8, 3, 3]"]),
        (without, ["missing model.10.conv_block.5.bias [16]"]),
        (reshaped, ["shape of model.4.weight: [8, 4, 5, 5], not [8, 4, 3, 3]"]),
    ],
)
def test_damage_is_listed(damage, lines):
    state = dict(toy())
    damage(state)
    found, _, differences = recognise(state)
    assert differences == lines
    assert found.params["ngf"] == 4 and found.params["n_blocks"] == 2


@pytest.mark.parametrize("key", sorted(key for key in toy() if key.endswith("weight")))
def test_any_one_tensor_may_be_missing_and_it_alone_is_named(key):
    state = dict(toy())
    del state[key]
    _, _, differences = recognise(state)
    # the channels of input and output stand in one tensor each: without it its shape is guessed
    assert [line.rpartition(" [")[0] for line in differences] == [f"missing {key}"]


def test_legacy_extras_are_dropped_and_nothing_else():
    state = dict(toy())
    state |= {"model.2.running_mean": torch.zeros(4), "model.2.running_var": torch.ones(4)}
    found, kept, differences = recognise(state)
    assert not differences and set(kept) == set(toy())
    _, _, differences = recognise(state | {"model.1.running_mean": torch.zeros(4)})
    assert differences == ["unexpected model.1.running_mean [4]"]
    assert found.name == "pix2pixhd"


def test_the_face_discriminator_has_another_prefix_there():
    network = create("discriminator", "patch", ndf=4, norm="batch", in_channels=6)
    theirs = {key.replace("model.", "facemodel.", 1): value for key, value in network.state_dict().items()}
    found, ours, differences = recognise(theirs)
    assert not differences and found.params["layout"] == "pix2pixhd"
    assert set(ours) == set(network.state_dict()) and set(found.theirs(ours)) == set(theirs)


def test_foreign_keys_are_of_no_family():
    with pytest.raises(DancekitError, match=r"keys of no network of pix2pixHD.*fc\.weight"):
        recognise({"fc.weight": torch.zeros(2, 2)})
