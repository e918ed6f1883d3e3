"""`benchmarks/quality.py` and `frame_rates.py` at toy size: marks within one run, resuming, the plain loop."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import frame_rates
import numpy as np
import plain_dancer
import pytest
import quality
import torch
from plain_loop import global_generator

from dancekit.build import build_painting
from dancekit.dancefloor.body import body_model
from dancekit.dancefloor.clips import benchmark_clips
from dancekit.dancefloor.rates import at_rate, frames_at
from dancekit.dancefloor.retarget import retarget
from dancekit.dancefloor.rig import Rig
from dancekit.training.checkpoint import list_checkpoints
from dancekit.types import get_skeleton
from dancekit.video import VideoWriter, probe, read_frames

TINY = ["train.checkpoint_every=2", "train.preview_every=1000", "train.steps=30"]


@pytest.fixture(scope="module")
def clips(
    short_clips: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, root: Path
) -> quality.Clips:
    """A second to train on, half of one to score."""
    folder = tmp_path_factory.mktemp("truth")
    original = root / "zoo/samples/truth.mp4"
    info = probe(original)
    with VideoWriter(
        folder / "truth.mp4", size=info.size, time_base=info.time_base, rate=info.rate
    ) as writer:
        for frame in read_frames(original, stop=12):
            writer.write(frame.rgb, frame.pts)
    _cut(original.with_suffix(".npz"), folder / "truth.npz", info.frames, slice(0, 12))
    return quality.Clips(short_clips["target"], folder / "truth.mp4", folder / "truth.npz")


def _cut(truth: Path, to: Path, frames: int | None, part: slice) -> None:
    """Some frames of a clip's exact truth."""
    with np.load(truth, allow_pickle=False) as data:
        found = {key: data[key] for key in data.files}
    count = len(found["mask_bits"])
    assert frames in (None, count)
    np.savez(to, **{k: v[part] if np.ndim(v) and len(v) == count else v for k, v in found.items()})


class FakeTime:
    """A second a look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def run(clips: quality.Clips, out: Path, *arguments: str) -> list[dict[str, float]]:
    files = [f"--{name.replace('_', '-')}={path}" for name, path in vars(clips).items()]
    assert quality.main(["--out", str(out), *files, "--json", *arguments]) == 0
    return json.loads((out / "quality.json").read_text())["rows"]


def test_marks_of_one_run_and_of_the_plain_loop(
    clips: quality.Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three seconds are three steps by the fake clock; killed in between, no step is done twice."""
    monkeypatch.setattr(quality.time, "perf_counter", FakeTime())
    arguments = ["--recipe", "tiny", "--plain", *TINY, "--minutes"]
    first = run(clips, tmp_path, *arguments, "0.05")
    assert [(row["run"], row["steps"]) for row in first] == [("tiny", 3), ("plain-loop", 3)]
    rows = run(clips, tmp_path, *arguments, "0.05", "0.1")
    assert [(row["run"], row["steps"]) for row in rows] == [
        *(("tiny", 3), ("tiny", 6)),
        *(("plain-loop", 3), ("plain-loop", 6)),
    ]
    assert [row for row in rows if row["steps"] == 3] == first, "what was scored is kept"
    assert all(np.isfinite(row[key]) for row in rows for key in quality.COLUMNS)
    assert rows[0]["psnr"] != rows[1]["psnr"] and rows[2]["psnr"] != rows[3]["psnr"]
    clock = json.loads((tmp_path / "tiny/clock.json").read_text())
    assert clock["3"] == 3.0 and clock["6"] == 6.0
    assert len(list_checkpoints(tmp_path / "plain-loop/run/checkpoints")) == 2
    assert (tmp_path / "quality.png").read_bytes()[1:4] == b"PNG"
    assert "| tiny | 0.1 | 6 |" in quality.table(rows)


@pytest.mark.parametrize(("name", "changes"), [("tiny", []), ("standard", ["generator.ngf=8"])])
def test_the_plain_loops_generator_paints_the_same_in_dancekit(name: str, changes: list[str]) -> None:
    recipe = plain_dancer.plain_recipe(name, changes)
    parts = build_painting(recipe, get_skeleton("blazepose_33"))
    params = recipe.generator.params
    torch.manual_seed(0)
    plain = global_generator(6, params["ngf"], params["n_down"], params["n_blocks"])
    plain_dancer.copy_weights(plain, parts.generator)
    x = torch.randn(1, 6, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(parts.generator(x), plain(x), atol=2e-5, rtol=1e-4)
    with pytest.raises(SystemExit, match="other layers"):
        plain_dancer.copy_weights(global_generator(6, 4, 2, 1), parts.generator)


def test_footage_is_cut_and_arms_are_all_there(clips: quality.Clips, tmp_path: Path) -> None:
    args = quality.parse(["--out", "o", "--recipe", "tiny", "--footage", "0.4", "0.8", "--arms", "quality"])
    named = {each.name: each for each in quality.contenders(args, [])}
    assert {"tiny", "tiny-0.4s", "tiny-0.8s", "all", "no-strides", "plain"} <= set(named)
    assert named["no-strides"].recipe.train.strides == [1] != named["all"].recipe.train.strides
    rows = [{"run": "a", "minutes": m, "footage": f, "steps": 1, **dict.fromkeys(quality.COLUMNS, 2.0)}
            for m in (1, 2) for f in (40.0, 5.0)]  # fmt: skip
    assert [line.split(" | ")[0] for line in quality.footage_table(rows).splitlines()[2:]] == ["| 5", "| 40"]


# ---- frame rates ---------------------------------------------------------------------------------------------


def test_a_movement_at_other_rates() -> None:
    """The same frames to the bit where both have them, and evenly between where they have not."""
    (clip,) = benchmark_clips(size=(64, 64), only=["target_truth"])
    body = body_model()
    rig = Rig(body, *body.rest(clip.people[0].phenotype))
    slow = retarget(clip.motions[0][:9], rig)
    fast, half = at_rate(slow, Fraction(50)), at_rate(slow, Fraction(25, 2))
    assert (len(fast), len(half)) == (17, 5) == (frames_at(9, Fraction(50)), frames_at(9, Fraction(25, 2)))
    for track in ("rotations", "root", "face", "gaze", "fingers", "contact"):
        assert np.array_equal(getattr(fast.motion, track)[::2], getattr(slow.motion, track))
        assert np.array_equal(getattr(half.motion, track), getattr(slow.motion, track)[::2])
    np.testing.assert_allclose(fast.motion.root[1::2], (slow.motion.root[1:] + slow.motion.root[:-1]) / 2)
    middle = fast.motion.rotations[1::2]
    np.testing.assert_allclose(np.linalg.det(middle), 1, atol=1e-9)
    turned = [
        np.swapaxes(slow.motion.rotations[:-1], -1, -2) @ middle,
        np.swapaxes(middle, -1, -2) @ slow.motion.rotations[1:],
    ]
    before, after = (np.trace(each, axis1=-2, axis2=-1) for each in turned)  # 1 + 2 cos of the angle
    np.testing.assert_allclose(before, after, atol=1e-6)
    assert at_rate(slow, Fraction(25)) is slow


def test_the_shipped_dancer_paints_the_same_at_half_the_rate(
    clips: quality.Clips, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From exact poses, at the moments that both have; twice the rate is tested to the bit in test_history.py."""
    original = root / "zoo/samples/truth.mp4"
    info = probe(original)

    def shipped(out: Path, rate: Fraction, seconds: float, size: int) -> Path:
        every, folder = int(info.rate / rate), out / f"{float(rate)}"
        target = folder / "target_truth.mp4"
        with VideoWriter(target, size=info.size, time_base=1 / rate, rate=rate) as writer:
            for number, frame in enumerate(read_frames(original, stop=21)):
                if number % every == 0:
                    writer.write(frame.rgb, number // every)
        _cut(original.with_suffix(".npz"), folder / "target_truth.npz", info.frames, slice(0, 21, every))
        return folder

    monkeypatch.setattr(frame_rates, "render", shipped)
    rates = [Fraction(25, 2), Fraction(25)]
    rows = frame_rates.measure([root / "zoo/weights/demo.safetensors"], tmp_path, rates, 0.8, ["exact"])
    assert [row["rate"] for row in rows] == [12.5, 25]
    exact = [row["exact"] for row in rows]
    assert abs(exact[0] - exact[1]) < frame_rates.WITHIN and exact[0] != exact[1]
    assert min(exact) > 14


def test_a_right_answer_is_cut_with_its_exact_truth(clips: quality.Clips, tmp_path: Path) -> None:
    short = quality.first_seconds(clips, 0.2, tmp_path)
    assert short.target == clips.target
    assert sum(1 for _ in read_frames(short.truth)) == 5
    with np.load(clips.truth_npz) as whole, np.load(short.truth_npz) as cut:
        assert set(whole) == set(cut)
        np.testing.assert_array_equal(cut["keypoints"], whole["keypoints"][:5])
        np.testing.assert_array_equal(cut["mask_bits"], whole["mask_bits"][:5])
        np.testing.assert_array_equal(cut["names"], whole["names"])


def test_a_warm_run_is_the_recipe_begun_with_another_dancer(tmp_path: Path) -> None:
    args = quality.parse(
        ["--out", str(tmp_path), "--recipe", "tiny", "--warm", "a b.safetensors", "train.steps=7"]
    )
    cold, warm = quality.contenders(args, args.overrides)
    assert (cold.name, warm.name) == ("tiny", "tiny-warm")
    assert (cold.recipe.train.start_from, warm.recipe.train.start_from) == ("", "a b.safetensors")
    assert warm.recipe.train.steps == cold.recipe.train.steps == 7


def test_a_clip_split_in_time(clips: quality.Clips, tmp_path: Path) -> None:
    frames = [frame.rgb for frame in read_frames(clips.truth)]
    args = ["--out", str(tmp_path), "--target", str(clips.truth), "--split", "0.75"]
    found = quality.find_clips(quality.parse(args))
    parts = [[frame.rgb for frame in read_frames(each)] for each in (found.target, found.truth)]
    assert [len(each) for each in parts] == [9, 3]
    assert found.truth_npz is None
    for whole, part in zip(frames, [*parts[0], *parts[1]], strict=True):
        assert np.abs(whole.astype(int) - part).mean() < 4  # encoded again
    with pytest.raises(SystemExit, match="takes both clips from --target"):
        quality.find_clips(quality.parse([*args, "--truth", "a.mp4"]))
    with pytest.raises(SystemExit, match="--target and --truth belong together"):
        quality.find_clips(quality.parse(args[:4]))
