"""From a clip to a dancer file to a video, through the public names."""

import json
import pickle
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import dancekit
from dancekit.config import load_recipe
from dancekit.dancer import read_info
from dancekit.errors import DancekitError, DancerError, IncompatibleParts, OutputExists, PoseError, UsageError
from dancekit.transfer import Dancer
from dancekit.video import probe, read_frames
from dancekit.weights.header import file_sha256, read_header, read_tensors, write_safetensors


@pytest.fixture(scope="module")
def dancer_file(short_clips, tmp_path_factory) -> Path:
    recipe = load_recipe("tiny", ["train.steps=4"])
    out = tmp_path_factory.mktemp("run") / "run"
    return dancekit.train(short_clips["target"], recipe, out=out, device="cpu", licence="CC0-1.0").dancer


def pictures(path: Path) -> np.ndarray:
    return np.stack([frame.rgb for frame in read_frames(path)])


@pytest.mark.usefixtures("poses_known")
def test_a_video_has_the_sources_frames_times_rate_and_sound(dancer_file, short_clips, tmp_path):
    source, out = short_clips["source"], tmp_path / "out.mp4"
    result = Dancer.load(dancer_file, device="cpu").transfer(source, out)
    assert (probe(out).rate, probe(out).size, result.frames) == (Fraction(25), (64, 64), 25)
    times = [[frame.pts * probe(path).time_base for frame in read_frames(path)] for path in (source, out)]
    assert times[0] == times[1]
    packets = []
    for path in (source, out):
        with av.open(str(path)) as container:
            packets.append([bytes(packet) for packet in container.demux(audio=0) if packet.size])
    assert packets[0]
    assert packets[0] == packets[1][: len(packets[0])]
    facts = json.loads(result.sidecar.read_text())
    assert facts["frames"] == 25
    assert facts["normalizer"]["name"] == "global_linear"
    assert facts["normalizer"]["fitted"] == json.loads(json.dumps(result.fitted))


@pytest.mark.usefixtures("poses_known")
def test_the_whole_frame_has_the_clips_size_and_its_own_background(dancer_file, short_clips, tmp_path):
    dancer = Dancer.load(dancer_file, device="cpu")
    dancer.transfer(short_clips["source"], tmp_path / "full.mp4", full_frame=True)
    full = pictures(tmp_path / "full.mp4")
    assert full.shape[1:] == (512, 512, 3)
    corner = np.s_[:, :30, :30]
    assert np.abs(full[corner].astype(int) - dancer.plate[corner[1:]]).mean() < 6


def test_another_motion_moves_other_pixels(dancer_file, short_clips):
    """The generator is driven by the poses: the same pose gives the same picture, another one another."""
    dancer = Dancer.load(dancer_file, device="cpu")
    poses = dancer.target
    moved = poses.replace(xy=poses.xy + np.float32([60, 0]))
    one, same, other = (np.stack(list(dancer.paint(p))).astype(int) for p in (poses, poses, moved))
    assert np.array_equal(one, same)
    assert np.abs(one - other).mean() > 0.2


@pytest.mark.usefixtures("poses_known")
def test_poses_from_a_file_give_the_same_video(dancer_file, short_clips, tmp_path):
    recipe = read_info(dancer_file).recipe
    poses = dancekit.estimate_poses(short_clips["source"], recipe=recipe, device="cpu")
    poses.save(tmp_path / "dance.npz")
    dancer = Dancer.load(dancer_file, device="cpu")
    read, found = (dancer.poses_of(source) for source in (tmp_path / "dance.npz", short_clips["source"]))
    assert np.array_equal(read.xy, found.xy, equal_nan=True)
    result = dancer.transfer(tmp_path / "dance.npz", tmp_path / "a.mp4")
    assert result.frames == len(pictures(tmp_path / "a.mp4")) == 25
    assert probe(tmp_path / "a.mp4").rate == 25
    with np.load(tmp_path / "dance.npz") as plain:
        assert plain["xy"].shape == (25, 33, 2)
        assert plain["names"][0] == "nose"
        assert np.isnan(plain["xy"][plain["score"] == 0]).all()


def test_the_header_alone_says_what_it_is(dancer_file):
    info = read_info(dancer_file)
    assert info.recipe.generator.name == "pix2pixhd"
    assert info.components["renderer"].startswith("sticks@")
    assert info.skeleton == "blazepose_33@1"
    assert info.licence == "CC0-1.0"
    assert len(info.training["inputs"]["target"]) == 64


def test_the_same_content_is_the_same_bytes(dancer_file, tmp_path):
    header = read_header(dancer_file)
    again = write_safetensors(tmp_path / "again.safetensors", read_tensors(dancer_file), header.metadata)
    assert again == file_sha256(dancer_file)


@pytest.mark.usefixtures("poses_known")
def test_a_transfer_can_change_the_normalizer_but_not_the_painting(dancer_file, short_clips, tmp_path):
    dancer = Dancer.load(dancer_file, device="cpu")
    result = dancer.transfer(short_clips["source"], tmp_path / "a.mp4", overrides=["normalizer=identity"])
    assert "target_size" in result.fitted
    with pytest.raises(UsageError, match=r"generator\.ngf=4: the dancer's weights depend on this"):
        dancer.transfer(short_clips["source"], tmp_path / "b.mp4", overrides=["generator.ngf=4"])


def test_nothing_is_overwritten_and_nothing_half_written_stays(dancer_file, short_clips, tmp_path):
    dancer = Dancer.load(dancer_file, device="cpu")
    out = tmp_path / "out.mp4"
    out.write_bytes(b"mine")
    with pytest.raises(OutputExists):
        dancer.transfer(short_clips["source"], out)
    assert out.read_bytes() == b"mine"

    def stop(what: str, done: int, total: int | None) -> None:
        if what == "painting" and done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dancer.transfer(short_clips["source"], tmp_path / "half.mp4", progress=stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4"]


def damaged(tmp_path: Path, name: str, data: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_files_that_are_no_dancers_are_refused_in_one_line(dancer_file, tmp_path):
    good = dancer_file.read_bytes()
    header = read_header(dancer_file)
    tensors = read_tensors(dancer_file)
    meta = json.loads(header.metadata["dancekit"])
    meta["recipe"]["generator"]["params"]["ngf"] = 256  # asks for 32 times the channels that the file has
    write_safetensors(
        tmp_path / "huge.safetensors", tensors, {**header.metadata, "dancekit": json.dumps(meta)}
    )
    meta = json.loads(header.metadata["dancekit"])
    meta["components"]["renderer"] = "sticks@0"
    write_safetensors(
        tmp_path / "old.safetensors", tensors, {**header.metadata, "dancekit": json.dumps(meta)}
    )
    meta["format"] = 99
    write_safetensors(
        tmp_path / "new.safetensors", tensors, {**header.metadata, "dancekit": json.dumps(meta)}
    )
    write_safetensors(tmp_path / "plain.safetensors", {"w": tensors["target.xy"]}, {"format": "pt"})
    cases: list[tuple[Path, type[DancekitError], str]] = [
        (damaged(tmp_path, "half.safetensors", good[: len(good) // 2]), DancerError, "half"),
        (damaged(tmp_path, "empty.safetensors", b""), DancerError, "empty"),
        (damaged(tmp_path, "pickle.safetensors", pickle.dumps({"a": 1})), DancerError, "pickle"),
        (tmp_path / "missing.safetensors", DancekitError, "missing"),
        (tmp_path / "huge.safetensors", DancerError, "do not fit its own recipe"),
        (tmp_path / "old.safetensors", IncompatibleParts, "renderer: file sticks@0, here sticks@"),
        (tmp_path / "new.safetensors", DancerError, "format 99"),
        (tmp_path / "plain.safetensors", DancerError, "not a dancer"),
    ]
    for path, error, words in cases:
        with pytest.raises(error, match=words) as caught:
            Dancer.load(path, device="cpu")
        assert "\n" not in str(caught.value), path


def test_a_clip_without_a_person_and_one_with_a_glimpse_are_refused(short_clips, tmp_path):
    from dancekit.video import VideoWriter

    frames = [frame.rgb for frame in read_frames(short_clips["target"])]
    for name, people in (("nobody", 0), ("glimpse", 3)):
        path = tmp_path / f"{name}.mp4"
        with VideoWriter(path, size=(512, 512), time_base=Fraction(1, 25), rate=Fraction(25)) as writer:
            for number in range(20):
                writer.write(
                    frames[number] if number < people else np.full((512, 512, 3), 128, np.uint8), number
                )
    recipe = load_recipe("tiny")
    with pytest.raises(PoseError, match=r"nobody\.mp4: no person was found"):
        dancekit.train(tmp_path / "nobody.mp4", recipe, out=tmp_path / "a", device="cpu")
    with pytest.raises(PoseError, match=r"glimpse\.mp4: a person was found in \d frames only"):
        dancekit.train(tmp_path / "glimpse.mp4", recipe, out=tmp_path / "b", device="cpu")
