"""Official checkpoints to dancer files, exactly or not at all; and back, bit for bit."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cli_tools import Cli, left_in

from dancekit.build import create
from dancekit.dancer import read_info
from dancekit.types import PoseSequence, get_skeleton
from dancekit.weights.header import read_tensors

G = {"ngf": 4, "n_down": 2, "n_blocks": 1, "in_channels": 6}
SIZE = "size=[64,64]"


def toys(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """A whole training run of Everybody Dance Now, as its scripts save it."""
    torch.manual_seed(0)
    made: dict[str, Any] = {
        "G": create("generator", "pix2pixhd", **G),
        "D": create("discriminator", "multiscale", ndf=4, in_channels=12),
        "Gface": create(
            "face", "edn", network="unet", ngf=2, crop_size=32, condition_channels=3, size=(64, 64)
        ),
        "Dface": create("discriminator", "patch", ndf=4, norm="batch", in_channels=6),
    }
    states = {}
    for role, network in made.items():
        state = {key: value.clone() for key, value in network.state_dict().items()}
        if role == "Dface":
            state = {key.replace("model.", "facemodel.", 1): value for key, value in state.items()}
        torch.save(state, folder / f"latest_net_{role}.pth")
        states[role] = state
    return states


def dance(path: Path, size: tuple[int, int] = (64, 64)) -> Path:
    """Three frames of somebody's joints."""
    rng = np.random.default_rng(0)
    PoseSequence(
        xy=rng.uniform(8, 56, (3, 33, 2)).astype(np.float32),
        score=np.ones((3, 33), np.float32),
        pts=np.arange(3),
        time_base=Fraction(1, 25),
        size=size,
        skeleton=get_skeleton("blazepose_33"),
    ).save(path)
    return path


def test_convert_transfer_and_back(cli: Cli, tmp_path: Path) -> None:
    states = toys(tmp_path)
    files = [f"latest_net_{role}.pth" for role in states]
    # the narrow face network of the toy sees 128 pixels, as the original's
    done = cli("zoo", "convert", *files, "--out", "toy.safetensors", "size=[128,128]", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["normalizer"] == "identity" and set(told["networks"]) == set(states)
    assert told["networks"]["G"] == "pix2pixhd (ngf 4, n_blocks 1, norm instance, n_down 2)"
    info = read_info(tmp_path / "toy.safetensors")
    assert (info.recipe.temporal.name, info.recipe.face.params["network"]) == ("previous_frame", "unet")
    assert info.recipe.face.params["clamp"] is False and info.recipe.background.name == "painted"

    moved = cli(
        "transfer", dance(tmp_path / "dance.npz", (128, 128)), "--dancer", "toy.safetensors", "--out", "o.mp4"
    )
    assert moved.code == 0, moved.err
    refused = cli(
        "transfer", "dance.npz", "--dancer", "toy.safetensors", "--out", "n.mp4", "normalizer=global_linear"
    )
    assert (
        refused.code == 1 and "holds no poses of a target" in refused.err and "--target CLIP" in refused.err
    )
    assert not (tmp_path / "n.mp4").exists()

    back = cli("zoo", "convert", "toy.safetensors", "--to-official", "back")
    assert back.code == 0, back.err
    assert left_in(tmp_path / "back") == sorted(files)
    for role, state in states.items():
        again = torch.load(tmp_path / "back" / f"latest_net_{role}.pth", weights_only=True)
        assert again.keys() == state.keys()
        assert all(torch.equal(again[key], value) for key, value in state.items())
    assert cli("zoo", "convert", "toy.safetensors", "--to-official", "back").code == 2
    assert cli("zoo", "convert", "toy.safetensors", "--to-official", "back", "--force").code == 0


def test_frames_are_those_of_the_network(cli: Cli, tmp_path: Path) -> None:
    """Each frame is told of the one before, the first of a grey one; weights are kept at full precision."""
    states = toys(tmp_path)
    assert cli("zoo", "convert", "latest_net_G.pth", "--out", "g.safetensors", SIZE, "-q").code == 0
    stored = read_tensors(tmp_path / "g.safetensors")
    assert all(torch.equal(stored[f"generator.{key}"], value) for key, value in states["G"].items())
    from dancekit.transfer import Dancer

    poses = PoseSequence.load(dance(tmp_path / "dance.npz"))
    dancer = Dancer.load(tmp_path / "g.safetensors", device="cpu")
    painted = list(dancer.paint(poses))
    network = create("generator", "pix2pixhd", **G)
    network.load_state_dict(states["G"])
    previous = torch.zeros(1, 3, 64, 64)
    for number in range(3):
        condition = dancer.painter.parts.renderer(
            poses.xy[number : number + 1], poses.score[number : number + 1]
        )
        with torch.no_grad():
            previous = network(torch.cat([condition, previous], 1))
        true = ((previous[0].permute(1, 2, 0) + 1) * 127.5).numpy()
        assert np.abs(painted[number] - true).max() <= 0.51


@pytest.mark.parametrize(
    ("family", "kind", "params", "temporal", "size"),
    [
        ("pix2pix U-Net", "unet", {"ngf": 2, "depth": 5, "norm": "batch", "in_channels": 3}, "single", None),
        (
            "pix2pix ResNet",
            "resnet",
            {"ngf": 2, "n_blocks": 6, "norm": "batch", "in_channels": 3},
            "single",
            SIZE,
        ),
        ("EDN local", "pix2pixhd_local", {**G, "ngf": 2}, "previous_frame", SIZE),
    ],
)
def test_every_family(
    cli: Cli, tmp_path: Path, family: str, kind: str, params: Any, temporal: str, size: Any
) -> None:
    network = create("generator", kind, **params)
    state = {f"module.{key}": value for key, value in network.state_dict().items()}  # of DataParallel
    torch.save(state, tmp_path / "200_net_G.pth")
    done = cli("zoo", "convert", "200_net_G.pth", "--out", "d.safetensors", *([size] if size else []))
    assert done.code == 0, (family, done.err)
    recipe = read_info(tmp_path / "d.safetensors").recipe
    assert (recipe.generator.name, recipe.temporal.name, recipe.face.name) == (kind, temporal, "none")
    assert cli("transfer", dance(tmp_path / "p.npz"), "--dancer", "d.safetensors", "--out", "o.mp4").code == 0


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("renamed", ["missing model.7.weight [16, 8, 3, 3]", "unexpected model.7.wait [16, 8, 3, 3]"]),
        ("missing", ["missing model.7.weight [16, 8, 3, 3]"]),
        ("reshaped", ["shape of model.7.weight: [16, 8, 1, 1], not [16, 8, 3, 3]"]),
    ],
)
def test_a_checkpoint_that_is_not_exact_becomes_no_file(
    cli: Cli, tmp_path: Path, damage: str, said: list[str]
) -> None:
    state = toys(tmp_path)["G"]
    value = state.pop("model.7.weight")
    if damage == "renamed":
        state["model.7.wait"] = value
    if damage == "reshaped":
        state["model.7.weight"] = value[:, :, :1, :1].clone()
    torch.save(state, tmp_path / "latest_net_G.pth")
    before = left_in(tmp_path)
    done = cli("zoo", "convert", "latest_net_G.pth", "latest_net_D.pth", "--out", "x.safetensors", SIZE)
    assert done.code == 1 and not done.out
    lines = done.err.strip().splitlines()
    assert lines[0].startswith("error: latest_net_G.pth is nearest to generator pix2pixhd")
    assert lines[1:-1] == [f"error: latest_net_G.pth: {line}" for line in said]
    assert lines[-1] == "error: nothing was written"
    assert left_in(tmp_path) == before


def test_what_else_is_refused(cli: Cli, tmp_path: Path) -> None:
    toys(tmp_path)
    (tmp_path / "evil_net_G.pth").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    (tmp_path / "half_net_G.pth").write_bytes((tmp_path / "latest_net_G.pth").read_bytes()[:2000])
    torch.save(toys(tmp_path)["D"], tmp_path / "wrong_net_G.pth")
    torch.save({"epoch": 3, "weights": torch.zeros(2)}, tmp_path / "odd.pth")
    for arguments, code, said in (
        (["latest_net_G.pth"], 2, "where to is missing"),
        (["nope.pth", "--out", "x.safetensors"], 2, "there is no file nope.pth"),
        (["latest_net_G.pth", "--out", "x.pth"], 2, "must end in .safetensors"),
        (["latest_net_D.pth", "--out", "x.safetensors"], 2, "no generator among the checkpoints"),
        (["latest_net_G.pth", "latest_net_G.pth", "--out", "x.safetensors"], 2, "are both G"),
        (["evil_net_G.pth", "--out", "x.safetensors"], 1, "no checkpoint that can be read as data"),
        (["half_net_G.pth", "--out", "x.safetensors"], 1, "no checkpoint that can be read as data"),
        (["wrong_net_G.pth", "--out", "x.safetensors"], 2, "is named G, but holds a discriminator"),
        (["odd.pth", "--out", "x.safetensors"], 1, "holds no state dict: epoch are no tensors"),
        (
            ["latest_net_G.pth", "--out", "x.safetensors", "generator.ngf=8"],
            2,
            "the checkpoints say what this is",
        ),
        (["latest_net_G.pth", "--out", "x.safetensors", "normalizer=global_linear"], 2, "give --target CLIP"),
        (["latest_net_G.pth", "--out", "x.safetensors", "size=[72,66]"], 2, "size"),
        (["latest_net_G.pth", "--to-official", "o", SIZE], 2, "takes one dancer file and nothing else"),
    ):
        done = cli("zoo", "convert", *arguments)
        assert (done.code, done.out) == (code, ""), (arguments, done.err)
        assert said in done.err, (arguments, done.err)
    assert not (tmp_path / "x.safetensors").exists() and not (tmp_path / "pwned").exists()


@pytest.mark.usefixtures("cached")
def test_with_the_targets_clip_any_normalizer_works(
    cli: Cli, tmp_path: Path, clips: tuple[Path, Path]
) -> None:
    toys(tmp_path)
    given = ["latest_net_G.pth", "--target", clips[1], "--recipe", "tiny", "--device", "cpu"]
    done = cli("zoo", "convert", *given, "--out", "g.safetensors", SIZE)
    assert done.code == 0, done.err
    info = read_info(tmp_path / "g.safetensors")
    assert info.recipe.normalizer.name == "global_linear"
    assert info.window.size == (64, 64) and info.window.scale == info.window.frame_size[0] / 64
    assert (
        cli("transfer", clips[0], "--dancer", "g.safetensors", "--out", "o.mp4", "--device", "cpu").code == 0
    )
    squashed = cli("zoo", "convert", *given, "--out", "h.safetensors", "size=[128,64]")
    assert (
        squashed.code == 2 and "not of the proportions of 128x64" in squashed.err and "ffmpeg" in squashed.err
    )


def test_a_dancer_that_the_originals_do_not_have(cli: Cli, dancer: Path, tmp_path: Path) -> None:
    done = cli("zoo", "convert", dancer, "--to-official", "o")
    assert done.code == 1 and "background plate, which the originals do not have" in done.err
    assert not (tmp_path / "o").exists()
