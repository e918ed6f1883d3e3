"""evaluate and compare on a second of the shipped samples: every form, what is refused, what is left on the disk."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_tools import TINY, Cli, left_in

from dancekit.evaluate.result import Evaluation
from dancekit.video import VideoWriter, probe, read_frames

pytestmark = pytest.mark.usefixtures("cached")
Clips = tuple[Path, Path]

FRAMES = 12
POSES = "  - {name: pose_distance, regions: [all, hands]}\n"
QUICK = """schema: 1
name: quick
version: 1
description: What takes little time.
metrics:
  - {name: psnr, regions: [frame, mask, face]}
  - {name: frame_difference, regions: [frame]}
baselines: [nearest_neighbour, temporal_median, previous_frame, identity_normalizer]
intervals: {samples: 100, block_seconds: 0.2}
"""


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    path = tmp_path / "protocol" / "quick.yaml"
    path.parent.mkdir()
    path.write_text(QUICK)
    return path


@pytest.fixture
def with_poses(quick: Path) -> Path:
    """The same, and poses, which take longer."""
    quick.write_text(QUICK.replace("baselines:", POSES.strip("\n") + "\nbaselines:"))
    return quick


def blurred(
    clip: Path, out: Path, *, frames: int = 24, every: int = 1, size: tuple[int, int] | None = None
) -> Path:
    info = probe(clip)
    size = size or info.size
    with VideoWriter(out, size=size, time_base=info.time_base, rate=info.rate / every) as writer:
        for number, frame in enumerate(read_frames(clip, stop=frames)):
            if number % every == 0:
                writer.write(cv2.resize(cv2.GaussianBlur(frame.rgb, (0, 0), 2), size), frame.pts)
    return out


class TestTwoVideos:
    def test_table(self, cli: Cli, clips: Clips, tmp_path: Path, with_poses: Path) -> None:
        quick = with_poses
        fake = blurred(clips[1], tmp_path / "fake.mp4")
        before = left_in(tmp_path)
        done = cli("evaluate", fake, clips[1], "--protocol", quick, "--device", "cpu")
        assert done.code == 0, done.err
        assert done.out.startswith("quick, version 1: 24 frames of 512x512\n")
        rows = [line.split() for line in done.out.splitlines()[2:]]
        assert ["psnr", "mask"] in [[row[0], row[5]] for row in rows if len(row) > 5]
        assert "not measured: pose_distance/hands: not available" in done.err
        assert "baselines of the training clip are left out: name it with --target" in done.err
        assert left_in(tmp_path) == before, "without --out nothing is written"

    def test_folder(self, cli: Cli, clips: Clips, tmp_path: Path, quick: Path) -> None:
        fake = blurred(clips[1], tmp_path / "fake.mp4")
        words = ["evaluate", fake, clips[1], "--protocol", quick, "--out", "deep/out", "--target", clips[1]]
        done = cli(*words)
        assert done.code == 0, done.err
        made = left_in(tmp_path / "deep" / "out")
        assert made == [
            "evaluation.json",
            "per_frame.csv",
            "real.mp4",
            "report.html",
            "result.mp4",
            "scores.csv",
        ]
        assert left_in(tmp_path / "deep") == ["out", *(f"out/{name}" for name in made)]
        found = Evaluation.load(tmp_path / "deep" / "out" / "evaluation.json")
        assert [v.name for v in found.variants] == [
            "result",
            "nearest_neighbour",
            "temporal_median",
            "previous_frame",
        ]
        nearest = found.variants[1].score("psnr", "frame")
        assert nearest.value > 40, "the nearest pose in the clip itself is its own"
        assert found.inputs["real"]["name"] == "target.mp4"
        assert found.environment["commit"] is not None
        assert "<html" in (tmp_path / "deep" / "out" / "report.html").read_text()[:200].lower()
        with (tmp_path / "deep" / "out" / "per_frame.csv").open() as file:
            assert len(list(csv.DictReader(file))) == 24
        assert cli(*words).code == 2
        assert cli(*words, "--force", "--no-baselines").code == 0
        again = Evaluation.load(tmp_path / "deep" / "out" / "evaluation.json")
        assert [v.name for v in again.variants] == ["result"]
        assert again.variants[0].score("psnr", "mask") == found.variants[0].score("psnr", "mask")

    def test_pictures_against_a_video(self, cli: Cli, clips: Clips, tmp_path: Path, quick: Path) -> None:
        folder = tmp_path / "pngs"
        folder.mkdir()
        for number, frame in enumerate(read_frames(clips[1])):
            cv2.imwrite(str(folder / f"{number}.png"), cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR))
        done = cli("evaluate", folder, clips[1], "--protocol", quick, "--no-baselines", "--json")
        assert done.code == 0, done.err
        found = Evaluation.from_json(json.loads(done.out))
        assert found.variants[0].score("psnr", "frame").value == 100

    def test_a_clip_without_a_person(self, cli: Cli, tmp_path: Path, with_poses: Path) -> None:
        quick = with_poses
        path, rate = tmp_path / "empty.mp4", Fraction(25)
        with VideoWriter(path, size=(128, 128), time_base=1 / rate, rate=rate) as writer:
            for number in range(12):
                writer.write(np.full((128, 128, 3), 10 * number, np.uint8), number)
        done = cli("evaluate", path, path, "--protocol", quick, "--no-baselines")
        assert done.code == 0, done.err
        assert "no person is found in" in done.err
        assert "psnr/mask: no person is known in any true frame" in done.err
        assert "pose_distance/all: no frame in which the poses can be compared" in done.err

    def test_what_does_not_fit(self, cli: Cli, clips: Clips, tmp_path: Path, quick: Path) -> None:
        short = blurred(clips[1], tmp_path / "short.mp4", frames=20)
        slow = blurred(clips[1], tmp_path / "slow.mp4", every=2)
        small = blurred(clips[1], tmp_path / "small.mp4", size=(128, 128))
        (tmp_path / "nothing.mp4").touch()
        for fake, what in (
            (short, "has 20 frames"),
            (slow, "has 12.5 frames a second"),
            (small, "is 128x128"),
            (tmp_path / "nothing.mp4", "is empty (0 bytes)"),
        ):
            done = cli("evaluate", fake, clips[1], "--protocol", quick, "--out", "out")
            assert done.code in (1, 2)
            assert done.err.startswith("error: ") and done.err.count("\n") == 1
            assert what in done.err
            assert not (tmp_path / "out").exists()
        words = ["--protocol", quick, "--no-baselines"]
        done = cli("evaluate", short, clips[1], *words, "--align", "trim", "--json")
        assert json.loads(done.out)["frames"] == 20
        done = cli("evaluate", small, clips[1], *words, "--align", "resize", "--json")
        assert json.loads(done.out)["size"] == [128, 128]
        assert "warning: " in done.err, "said even where a program reads along"

    def test_words_that_make_no_sense(self, cli: Cli, clips: Clips, dancer: Path, tmp_path: Path) -> None:
        for words, what in (
            ([clips[0]], "alone"),
            ([tmp_path], "is no run folder"),
            ([dancer], "the clip is missing"),
            ([*clips, clips[0]], "3 files are too many"),
            ([*clips, "--ladder"], "--ladder needs a dancer"),
            ([*clips, "normalizer=identity"], "normalizer=identity needs a dancer"),
            ([*clips, "--protocol", "cross"], "needs a dancer that paints"),
            ([*clips, "--protocol", "selv"], "did you mean 'self'"),
            ([clips[0], "no.mp4"], "no.mp4 does not exist"),
            ([dancer, clips[1], "--ladder"], "--ladder needs a source"),
            ([dancer, clips[1], "--source-npz", clips[0]], "--source-npz is for --ladder"),
            ([dancer, clips[1], "--align", "resize"], "can only be trim"),
            ([*clips, "--align", "crop"], "--align crop is unknown"),
            ([dancer, clips[1], "generator.ngf=3"], "the dancer's weights depend on this"),
        ):
            done = cli("evaluate", *words)
            assert (done.code, done.out) == (2, ""), words
            assert what in done.err


class TestDancer:
    def test_a_transfer_with_its_ladder(
        self, cli: Cli, clips: Clips, dancer: Path, root: Path, tmp_path: Path, quick: Path
    ) -> None:
        with np.load(root / "zoo" / "samples" / "truth.npz") as data:
            exact = {key: value if key == "names" else value[:24] for key, value in data.items()}
        np.savez(tmp_path / "exact.npz", **exact)
        words = ["evaluate", dancer, clips[1], "--source", clips[0], "--protocol", quick, "--ladder"]
        words += ["--truth-npz", "exact.npz", "--source-npz", "exact.npz", "--out", "out"]
        done = cli(*words)
        assert done.code == 0, done.err
        found = Evaluation.load(tmp_path / "out" / "evaluation.json")
        assert [(v.name, v.kind) for v in found.variants] == [
            ("result", "result"),
            ("nearest_neighbour", "baseline"),
            ("temporal_median", "baseline"),
            ("previous_frame", "baseline"),
            ("identity_normalizer", "baseline"),
            ("true_pose", "ladder"),
            ("pose_of_truth", "ladder"),
            ("true_source_pose", "ladder"),
        ]
        assert all(v.score("psnr", "mask").frames >= 23 for v in found.variants)
        assert found.fitted["warnings"] is not None
        assert found.environment["recipe"]["size"] == [64, 64]
        assert set(found.inputs) == {"dancer", "real", "source", "truth", "source truth"}
        assert probe(tmp_path / "out" / found.source_video).frames == 24
        assert "what it costs in psnr (mask), dB" in done.out
        assert "training saw" in done.err

    def test_a_reconstruction_is_the_runs_own(self, cli: Cli, run_folder: Path, quick: Path) -> None:
        done = cli("evaluate", run_folder, "--protocol", quick, "--json")
        assert done.code == 0, done.err
        run = Evaluation.from_json(json.loads(done.out))
        assert (run.frames, run.size) == (24, (64, 64))
        assert any("training saw" in text for text in run.warnings)
        assert run.variants[1].score("psnr", "frame").value == 100, "nearest of its own poses: itself"

    def test_the_clip_gives_what_its_run_gives(
        self, cli: Cli, clips: Clips, run_folder: Path, quick: Path
    ) -> None:
        """The frames kept by the run are the windows of the clip's."""
        found = []
        for words in ([run_folder], [run_folder, clips[1]]):
            done = cli("evaluate", *words, "--protocol", quick, "--no-baselines", "--json")
            assert done.code == 0, done.err
            found.append(Evaluation.from_json(json.loads(done.out)).variants[0])
        for region in ("frame", "mask"):
            one, other = (each.score("psnr", region).value for each in found)
            assert one == pytest.approx(other, abs=0.02)

    def test_a_reconstruction_of_what_training_held_out(
        self, cli: Cli, clips: Clips, tmp_path: Path, quick: Path
    ) -> None:
        train = ["train", "--target", clips[1], *TINY, "train.steps=1", "face=none", "train.hold_out=0.25"]
        assert cli(*train, "--out", "run").code == 0
        facts = json.loads(cli("show", "run/dancer.safetensors", "--json").out)
        assert facts["training"]["held_out"] == [18, 24]
        found = []
        for words in (["run"], ["run", clips[1]]):
            done = cli("evaluate", *words, "--protocol", quick, "--json")
            assert done.code == 0, done.err
            found.append(Evaluation.from_json(json.loads(done.out)))
        for each in found:
            assert each.frames == 6
            assert any("frames 18 to 23 are compared" in text for text in each.warnings)
            assert not any("training saw" in text for text in each.warnings)
            assert each.variants[1].score("psnr", "frame").value < 60, (
                "its own frame is not among the nearest"
            )
        one, other = (each.variants[0].score("psnr", "frame").value for each in found)
        assert one == pytest.approx(other, abs=0.02)

    def test_somebody_elses_dance(self, cli: Cli, clips: Clips, dancer: Path, tmp_path: Path) -> None:
        done = cli("evaluate", dancer, clips[0], "--protocol", "cross", "--json")
        assert done.code == 0, done.err
        found = Evaluation.from_json(json.loads(done.out))
        assert [v.name for v in found.variants] == ["result", "nearest_neighbour", "identity_normalizer"]
        assert {s.metric.partition("@")[0] for s in found.variants[0].scores} >= {"pose_distance", "pck"}
        nearest = found.variants[1].score("missed_joints", "all")
        assert nearest.value is not None, "real frames of a person: the poses in them are found"
        assert set(found.inputs) == {"dancer", "source"}

    def test_another_clip_than_the_training_clip(
        self, cli: Cli, clips: Clips, dancer: Path, tmp_path: Path, quick: Path
    ) -> None:
        done = cli("evaluate", dancer, clips[0], "--protocol", quick, "--target", clips[0])
        assert done.code == 2
        assert "is not what" in done.err
        small = blurred(clips[1], tmp_path / "small.mp4", size=(128, 128))
        done = cli("evaluate", dancer, small, "--protocol", quick)
        assert done.code == 1
        assert "paints a window of frames of 512x512" in done.err


def test_compare(cli: Cli, clips: Clips, run_folder: Path, tmp_path: Path, quick: Path) -> None:
    for name, words in (("a", []), ("b", ["normalizer=identity"])):
        done = cli(
            "evaluate",
            run_folder,
            clips[1],
            "--source",
            clips[0],
            *words,
            "--protocol",
            quick,
            "--no-baselines",
            "--out",
            name,
        )
        assert done.code == 0, done.err
    done = cli("compare", "a", "b/evaluation.json")
    assert done.code == 0, done.err
    assert "b/evaluation.json differs from a in normalizer" in done.out
    found = json.loads(cli("compare", "a", "b", "--json").out)
    assert found[0]["first"] == "a"
    assert {d["metric"] for d in found[0]["differences"]} >= {"psnr@1", "frame_difference@1"}
    missing = cli("compare", "a", run_folder)
    assert missing.code == 2
    assert "make one: dancekit evaluate" in missing.err


def test_a_blind_choice(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    other = blurred(clips[1], tmp_path / "other.mp4")
    done = cli("evaluate", clips[1], other, "--blind", "--out", "choose.html")
    assert (done.code, done.out) == (0, "choose.html\n"), done.err
    assert cli("evaluate", clips[1], other, "--blind", "--out", "choose.html").code == 2
    assert cli("evaluate", clips[1], other, "--blind").code == 2
    (tmp_path / "mine.json").write_text("{}")
    refused = cli("evaluate", "mine.json", "--blind")
    assert refused.code in (1, 2)
    assert "mine.json" in refused.err


def test_protocols_are_listed_and_shown(cli: Cli, tmp_path: Path) -> None:
    listed = cli("ls", "protocols")
    assert [line.split()[0] for line in listed.out.splitlines()[1:]] == [
        "ablation",
        "cross",
        "disco-tiktok",
        "drift",
        "edn-v1",
        "paired",
        "self",
        "temporal",
        "temporal-loops",
    ]
    shown = cli("show", "protocols/edn-v1")
    assert shown.code == 0
    (tmp_path / "edn-v1.yaml").write_text(shown.out)
    from dancekit.evaluate.protocols import load_protocol

    assert load_protocol(tmp_path / "edn-v1.yaml") == load_protocol("edn-v1")
    assert cli("cp", "protocols/self", "copies/self.yaml").code == 0
    assert load_protocol(tmp_path / "copies" / "self.yaml") == load_protocol("self")
