"""Data of the original on the command line: OpenPose's files, its data folder, and a dancer made of them."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cli_tools import TINY, Cli, left_in
from PIL import Image

from dancekit.faces.edn_boxes import edn_face_boxes
from dancekit.pose.openpose import write_openpose
from dancekit.renderers.edn_sticks import EDNSticks
from dancekit.types import PoseSequence, get_skeleton
from dancekit.types.canvas import CANVAS

SKELETON = get_skeleton("body_23_face_hands")
SIZE = (128, 64)
FRAMES = 6
TRAIN = (
    *TINY,
    "size=[128,64]",
    "renderer=edn_sticks",
    "background=painted",
    "augmentations=[]",
    "train.steps=2",
)


def dance(frames: int = FRAMES) -> PoseSequence:
    """Somebody who walks towards the camera, on the canvas."""
    rng = np.random.default_rng(1)
    base = rng.uniform(-150, 150, (len(SKELETON), 2))
    for name, place in {"nose": (0, -300), "left_ankle": (40, 300), "right_ankle": (-40, 300)}.items():
        base[SKELETON.index(name)] = place
    steps = np.arange(frames)[:, None, None]
    xy = (base * (1 + 0.04 * steps) + np.array([960, 500]) + steps * np.array([10, 20])).round(3)
    score = np.full(xy.shape[:2], 0.9)
    return PoseSequence(
        xy=xy, score=score, pts=np.arange(frames), time_base=Fraction(1, 30), size=CANVAS, skeleton=SKELETON
    )


@pytest.fixture
def dataroot(tmp_path: Path) -> Path:
    """A data folder as `graph_train` would have left it, small, with the keypoints beside."""
    root, poses = tmp_path / "subject", dance()
    for name in ("label", "img", "facetexts128"):
        (root / f"train_{name}").mkdir(parents=True)
    renderer = EDNSticks(skeleton=SKELETON, size=SIZE)
    boxes = edn_face_boxes(poses.xy, poses.score, SKELETON, size=SIZE, side=16)
    for number in range(FRAMES):
        label = renderer.draw(poses.xy[number], poses.score[number])
        frame = np.where((label < 250).any(-1, keepdims=True), [200, 30, 60], [90, 90, 90]).astype(np.uint8)
        left, top, right, bottom = boxes[number]
        name = f"frame{number:06d}"
        Image.fromarray(label).save(root / "train_label" / f"{name}.png")
        Image.fromarray(frame).save(root / "train_img" / f"{name}.png")
        (root / "train_facetexts128" / f"{name}.txt").write_text(f"{top} {bottom} {left} {right}")
    write_openpose(poses, root / "keypoints")
    return root


# ---- OpenPose's files --------------------------------------------------------------------------------------


def test_keypoint_files_become_a_pose_file(cli: Cli, dataroot: Path) -> None:
    folder = dataroot / "keypoints"
    given = ("--size", "1920x1080", "--rate", "30000/1001", "filters=[]", "--json")
    done = cli("pose", folder, "--out", "a.npz", *given)
    assert done.code == 0 and json.loads(done.out)["rate"] == "30000/1001"
    poses = PoseSequence.load("a.npz")
    assert np.array_equal(poses.xy, dance().xy) and poses.time_base == Fraction(1001, 30000)
    assert cli("pose", folder, "--out", "b.npz", *given, "--skeleton", "body_18").code == 0
    assert PoseSequence.load("b.npz").skeleton.id == "body_18@1"
    assert (
        cli(
            "pose", folder, "--out", "c.npz", "--size", "960x540", "--rate", "30", "--letterbox", "filters=[]"
        ).code
        == 0
    )
    assert (
        np.allclose(PoseSequence.load("c.npz").xy, 2 * dance().xy)
        and PoseSequence.load("c.npz").size == CANVAS
    )
    named = ("filters=[{name: window_mean}]",)
    smoothed = cli("pose", folder, "--out", "d.npz", "--size", "1920x1080", "--rate", "30", *named)
    assert smoothed.code == 0 and not np.array_equal(PoseSequence.load("d.npz").xy, dance().xy)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "neither size nor time"),
        (("--size", "1920", "--rate", "30"), "is no size"),
        (("--size", "0x10", "--rate", "30"), "is no size"),
        (("--size", "1920x1080", "--rate", "0"), "is no frame rate"),
        (("--size", "1920x1080", "--rate", "30", "--skeleton", "body_24"), "unknown skeleton"),
    ],
)
def test_what_a_folder_needs(cli: Cli, dataroot: Path, more: tuple[str, ...], said: str) -> None:
    done = cli("pose", dataroot / "keypoints", "--out", "a.npz", *more)
    assert done.code in (1, 2) and said in done.err and not Path("a.npz").exists()


def test_a_video_takes_no_frame_size(cli: Cli, clips: tuple[Path, Path]) -> None:
    done = cli("pose", clips[0], "--out", "a.npz", "--size", "10x10")
    assert done.code == 2 and "is a video" in done.err


def test_a_folder_without_keypoints(cli: Cli, dataroot: Path) -> None:
    done = cli("pose", dataroot, "--out", "a.npz", "--size", "10x10", "--rate", "1")
    assert done.code == 1 and "holds no keypoint files" in done.err


# ---- the data folder ---------------------------------------------------------------------------------------


def test_import_train_resume_and_transfer(cli: Cli, dataroot: Path) -> None:
    done = cli("import-edn", dataroot, "--out", "set", "--keypoints", dataroot / "keypoints", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out) == {
        "root": str(dataroot), "phase": "train", "rate": "30", "size": [128, 64], "face_boxes": True,
        "keypoints": True, "out": "set", "frames": FRAMES,
    }  # fmt: skip
    assert left_in(Path("set")) == ["boxes.npy", "edn.json", "plate.png", "target.npz", "window.json"]
    done = cli("train", "--target", "set", "--out", "run", *TRAIN)
    assert done.code == 0, done.err
    assert cli("train", "--target", "set", "--out", "run", *TRAIN, "train.steps=3", "--resume").code == 0
    assert any(Path("run/previews").iterdir())
    source = dance(20)
    source.save("source.npz")
    done = cli("transfer", "source.npz", "--dancer", "run/dancer.safetensors", "--out", "a.mp4",
               "normalizer=global_linear", "normalizer.mode=edn_compat")  # fmt: skip
    assert done.code == 0, done.err
    fitted = json.loads(Path("a.json").read_text())["normalizer"]["fitted"]
    assert fitted["mode"] == "edn_compat" and fitted["target_size"] == list(CANVAS)


def test_without_keypoints_only_identity_is_left(cli: Cli, dataroot: Path) -> None:
    done = cli("import-edn", dataroot, "--out", "set")
    assert done.code == 0 and "without keypoints" in done.out and "normalizer=identity" in done.err
    assert cli("train", "--target", "set", "--out", "run", *TRAIN).code == 0
    dance().save("source.npz")
    dancer = ("--dancer", "run/dancer.safetensors", "--out", "a.mp4")
    refused = cli("transfer", "source.npz", *dancer)
    assert refused.code == 1 and "normalizer=identity" in refused.err and not Path("a.mp4").exists()
    assert cli("transfer", "source.npz", *dancer, "normalizer=identity").code == 0


def test_half_the_size_and_no_other_shape(cli: Cli, dataroot: Path) -> None:
    assert cli("import-edn", dataroot, "--out", "set").code == 0
    refused = cli("train", "--target", "set", "--out", "run", *TRAIN, "size=[64,64]")
    assert refused.code == 2 and "another shape than the labels, 128x64" in refused.err
    refused = cli("train", "--target", "set", "--out", "run", *TRAIN, "augmentations=[{name: flip}]")
    assert refused.code == 2 and "augmentations=[]" in refused.err
    refused = cli("train", "--target", "set", "--out", "run", *TRAIN, "renderer=sticks")
    assert refused.code == 2 and "renderer=edn_sticks" in refused.err
    assert not Path("run").exists()
    assert cli("train", "--target", "set", "--out", "run", *TRAIN, "size=[64,32]").code == 0


def test_what_is_wrong_with_a_data_folder_is_said(cli: Cli, dataroot: Path, tmp_path: Path) -> None:
    refused = cli("import-edn", tmp_path, "--out", "set")
    assert refused.code == 2 and "there is no train_label" in refused.err
    assert cli("import-edn", dataroot).code == 2
    assert "data folder itself" in cli("import-edn", dataroot, "--out", dataroot).err
    assert "--phase" in cli("import-edn", dataroot, "--out", "set", "--phase", "x").err
    assert "--layout" in cli("import-edn", dataroot, "--out", "set", "--layout", "x").err
    assert "import-edn" in cli("train", "--target", dataroot, "--out", "run", *TRAIN).err
    text = dataroot / "train_facetexts128" / "frame000003.txt"
    text.write_text("1 2 3")
    refused = cli("import-edn", dataroot, "--out", "set")
    assert refused.code == 1 and text.name in refused.err and "top bottom left right" in refused.err
    text.unlink()
    assert f"{FRAMES} labels, but {FRAMES - 1} face boxes" in cli("import-edn", dataroot, "--out", "set").err
    text.write_text("0 16 0 16")
    picture = dataroot / "train_img" / "frame000002.png"
    Image.new("RGB", (10, 10)).save(picture)
    assert "is 10x10" in cli("import-edn", dataroot, "--out", "set").err
    picture.write_text("no picture")
    assert f"{picture} is no picture" in cli("import-edn", dataroot, "--out", "set").err.replace("\n", "")
    (dataroot / "keypoints" / "frame000000_keypoints.json").unlink()
    Image.new("RGB", SIZE).save(picture)
    refused = cli("import-edn", dataroot, "--out", "set", "--keypoints", dataroot / "keypoints")
    assert refused.code == 1 and f"{FRAMES - 1} frames of keypoints" in refused.err
    assert not Path("set").exists()


def test_a_set_is_replaced_only_on_request_and_knows_its_pictures(cli: Cli, dataroot: Path) -> None:
    assert cli("import-edn", dataroot, "--out", "set").code == 0
    assert cli("import-edn", dataroot, "--out", "set").code == 2
    assert cli("import-edn", dataroot, "--out", "set", "--force").code == 0
    Path("other").mkdir()
    Path("other/file").touch()
    refused = cli("import-edn", dataroot, "--out", "other", "--force")
    assert refused.code == 2 and Path("other/file").exists()
    (dataroot / "train_img" / "frame000000.png").unlink()
    refused = cli("train", "--target", "set", "--out", "run", *TRAIN)
    assert refused.code == 1 and "1 pictures are gone" in refused.err
