"""A whole transfer: frames, times and sound of the source; stopped and resumed; constant memory; several dancers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import make_video as mv
import numpy as np
import pytest
from make_dancer import Everybody, dance, make_dancer, texture

from dancekit.errors import PoseError, UsageError
from dancekit.transfer import Dancer, TransferOptions, run_transfer
from dancekit.transfer.background import plate_of_source
from dancekit.transfer.resume import parts_folder
from dancekit.video import probe, read_frames

HERE = Path(__file__).parent
OVER = ("normalizer=identity",)


@pytest.fixture(scope="module")
def dancer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dancer(tmp_path_factory.mktemp("dancer") / "ava.safetensors")


@pytest.fixture
def dancer(dancer_file: Path, monkeypatch: pytest.MonkeyPatch) -> Dancer:
    monkeypatch.setattr("dancekit.transfer.pipeline.build_pose", Everybody)
    return Dancer.load(dancer_file, device="cpu")


@pytest.fixture
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dancekit.transfer.resume.SEGMENT", 7)


def pictures(path: Path) -> np.ndarray:
    return np.stack([frame.rgb for frame in read_frames(path)])


def times(path: Path) -> list[Fraction]:
    base = probe(path).time_base
    return [frame.pts * base for frame in read_frames(path)]


def clip(path: Path, count: int = 20, **options) -> Path:
    options = {"audio": "aac", "audio_seconds": count / 25 + 0.1, **options}
    return mv.write_frames(path, mv.moving(count, 160, 120), **options)


def poses_file(path: Path, count: int) -> Path:
    dance((160, 120))[:count].save(path)
    return path


# ---- frames, times, sound ----


@pytest.mark.parametrize(
    ("rate", "base", "pts"),
    [
        (Fraction(24000, 1001), Fraction(1001, 24000), None),
        (Fraction(25), Fraction(1, 12800), [512 * n for n in range(20)]),
        (Fraction(30000, 1001), Fraction(1001, 30000), None),
        (Fraction(60000, 1001), Fraction(1, 60000), [1001 * n for n in range(20)]),
        # variable: a phone that skips frames, and starts late
        (Fraction(30), Fraction(1, 600), [40 + 20 * n + 17 * (n // 6) for n in range(20)]),
    ],
)
def test_frames_times_and_sound_are_the_sources(
    dancer: Dancer,
    tmp_path: Path,
    short_segments: None,
    rate: Fraction,
    base: Fraction,
    pts: list[int] | None,
) -> None:
    source = clip(tmp_path / "source.mp4", rate=rate, time_base=base, pts=pts)
    out = tmp_path / "out.mp4"
    result = dancer.transfer(source, out, overrides=OVER)
    assert result.frames == probe(out).frames == probe(source).frames == 20
    assert times(out) == times(source)
    if pts is None or len(set(np.diff(pts))) == 1:
        assert probe(out).rate == probe(source).rate
    assert mv.audio_packets(out) == mv.audio_packets(source)  # bit for bit, all of it
    assert not parts_folder(out).exists()


def test_pictures_are_those_of_painting_without_a_pipeline(
    dancer: Dancer, tmp_path: Path, short_segments: None
) -> None:
    """Lossless, so that they can be compared; a second time with all stages in one thread."""
    source = poses_file(tmp_path / "a.npz", 20)
    moved, _ = dancer.retarget(dancer.poses_of(source), dancer.overridden(OVER).normalizer)
    plain = np.stack(list(dancer.paint(moved)))
    for name, ahead in (("threads", 4), ("one", 0)):
        dancer.transfer(source, tmp_path / name, overrides=OVER, options=TransferOptions(ahead=ahead))
        made = [cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) for path in sorted((tmp_path / name).iterdir())]
        assert np.array_equal(np.stack(made), plain)


def test_a_cut_erases_the_memory(dancer: Dancer, tmp_path: Path, short_segments: None) -> None:
    """Frame 12 after a cut is painted as if it were the first; others are not."""
    source = poses_file(tmp_path / "a.npz", 16)
    shown = {}
    for name, cuts in (("plain", ()), ("cut", (12,))):
        dancer.transfer(source, tmp_path / name, overrides=OVER, options=TransferOptions(cuts=cuts))
        shown[name] = [
            cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) for path in sorted((tmp_path / name).iterdir())
        ]
    moved, _ = dancer.retarget(dancer.poses_of(source), dancer.overridden(OVER).normalizer)
    first = next(dancer.paint(moved[12:]))
    assert np.array_equal(shown["cut"][12], first)
    assert not np.array_equal(shown["plain"][12], first)
    assert all(np.array_equal(*pair) for pair in zip(shown["plain"][:12], shown["cut"][:12], strict=True))


# ---- stopped and resumed ----


def stop_at(frame: int, error: type[BaseException] = KeyboardInterrupt):
    def progress(what: str, done: int, total: int | None) -> None:
        if what == "painting" and done == frame:
            raise error

    return progress


@pytest.mark.parametrize("out", ["out.mp4", "out.webm", "out.gif", "pictures"])
def test_stopped_and_resumed_equals_undisturbed(
    dancer: Dancer, tmp_path: Path, short_segments: None, out: str
) -> None:
    source = poses_file(tmp_path / "a.npz", 20)
    options = TransferOptions(background="target", overrides=OVER)
    whole, broken = tmp_path / "whole" / out, tmp_path / "broken" / out
    for each in (whole, broken):
        each.parent.mkdir()
    dancer.transfer(source, whole, options=options)
    for frame, error in ((9, KeyboardInterrupt), (16, RuntimeError)):
        with pytest.raises(error):
            dancer.transfer(source, broken, options=options, progress=stop_at(frame, error))
        assert not broken.exists()
        assert parts_folder(broken).exists()
    seen: list[int] = []
    dancer.transfer(
        source,
        broken,
        options=options,
        progress=lambda what, done, total: seen.append(done) if what == "painting" else None,
    )
    assert seen[0] == 14  # two segments of seven were kept
    assert not parts_folder(broken).exists()
    if out == "pictures":
        for path in whole.iterdir():
            assert path.read_bytes() == (broken / path.name).read_bytes()
        assert len(list(broken.iterdir())) == 20
    else:
        decoded = []
        for path in (whole, broken):
            with av.open(str(path)) as container:
                decoded.append(
                    [(f.pts, f.to_ndarray(format="rgb24").tobytes()) for f in container.decode(video=0)]
                )
        assert len(decoded[0]) == 20
        assert decoded[0] == decoded[1]


KILLED = """
import sys, time
from pathlib import Path
import dancekit.transfer.resume as resume
from dancekit.transfer import Dancer
resume.SEGMENT = 7
def progress(what, done, total):
    if what == "painting":
        print(done, flush=True)
        if done >= 16:
            time.sleep(60)
Dancer.load(sys.argv[1], device="cpu").transfer(
    sys.argv[2], sys.argv[3], overrides=["normalizer=identity"], progress=progress)
"""


def test_a_killed_process_leaves_what_the_next_one_goes_on_from(
    dancer: Dancer, dancer_file: Path, tmp_path: Path, short_segments: None
) -> None:
    source = poses_file(tmp_path / "a.npz", 20)
    whole, broken = tmp_path / "whole.mp4", tmp_path / "broken.mp4"
    dancer.transfer(source, whole, overrides=OVER)
    command = [sys.executable, "-c", KILLED, str(dancer_file), str(source), str(broken)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if int(line) >= 16:
                break
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    assert process.returncode != 0
    assert not broken.exists()
    seen: list[int] = []
    dancer.transfer(
        source,
        broken,
        overrides=OVER,
        progress=lambda what, done, total: seen.append(done) if what == "painting" else None,
    )
    assert seen[0] == 14
    assert np.array_equal(pictures(whole), pictures(broken))
    assert times(whole) == times(broken)


def test_another_transfer_does_not_go_on_from_this_one(
    dancer: Dancer, tmp_path: Path, short_segments: None
) -> None:
    source, out = poses_file(tmp_path / "a.npz", 20), tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt):
        dancer.transfer(source, out, overrides=OVER, progress=stop_at(16))
    seen: list[int] = []
    dancer.transfer(
        source,
        out,
        overrides=OVER,
        crf=30,
        progress=lambda what, done, total: seen.append(done) if what == "painting" else None,
    )
    assert seen[0] == 0
    folder = parts_folder(tmp_path / "new.mp4")
    folder.mkdir()
    (folder / "diary.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"new\.mp4\.parts holds files that are not dancekit's"):
        dancer.transfer(source, tmp_path / "new.mp4", overrides=OVER)
    assert (folder / "diary.txt").read_text() == "mine"


# ---- memory ----

MEASURED = """
import re, sys
from pathlib import Path
from make_dancer import Everybody
import dancekit.transfer.pipeline as pipeline
from dancekit.transfer import Dancer, TransferOptions
pipeline.build_pose = Everybody
Dancer.load(sys.argv[1], device="cpu").transfer(
    sys.argv[2], sys.argv[3], overrides=["normalizer=identity"], options=TransferOptions(side_by_side=True))
# not ru_maxrss, which begins with the memory of the process that started this one
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_memory_does_not_grow_with_the_length(dancer_file: Path, tmp_path: Path) -> None:
    """Ten times the frames, at most 5 % more; held in memory they would be 92 MB, 10 % of what torch takes."""
    environment = {**os.environ, "PYTHONPATH": f"{HERE}:{os.environ.get('PYTHONPATH', '')}"}
    peak = []
    for count in (40, 400):
        source = mv.write_frames(tmp_path / f"{count}.mp4", mv.moving(count, 320, 240))
        command = [
            sys.executable,
            "-c",
            MEASURED,
            str(dancer_file),
            str(source),
            str(tmp_path / f"o{count}.mp4"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        peak.append(int(done.stdout))
        assert probe(tmp_path / f"o{count}.mp4").frames == count
    assert peak[1] <= 1.05 * peak[0]


# ---- parts of a source, several dancers, what is shown ----


def test_a_part_of_the_source(dancer: Dancer, tmp_path: Path) -> None:
    source, out = clip(tmp_path / "source.mp4", 50), tmp_path / "out.mp4"
    options = TransferOptions(start=Fraction(4, 5), duration=Fraction(3, 5), overrides=OVER)
    result = dancer.transfer(source, out, options=options)
    assert result.frames == 15
    assert times(out) == [Fraction(number, 25) for number in range(15)]
    assert b"".join(mv.audio_packets(out)) in b"".join(mv.audio_packets(source))
    assert json.loads(result.sidecar.read_text())["span"] == "from 0.8 s to 1.4 s"
    beside = dancer.transfer(
        source, tmp_path / "b.mp4", options=TransferOptions(**{**vars(options), "side_by_side": True})
    )
    left = [mv.number_of(frame[:, :64]) for frame in pictures(beside.out)]
    assert left == [number % 30 for number in range(20, 35)]  # the source's own frames, in step
    late = TransferOptions(start=Fraction(9), overrides=OVER)
    with pytest.raises(PoseError, match="no frame is left of it"):
        dancer.transfer(source, tmp_path / "c.mp4", options=late)


def test_several_dancers_dance_the_same(
    dancer: Dancer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_segments: None
) -> None:
    """The source is looked at once; each dancer's video is the one it makes alone."""
    other = Dancer.load(make_dancer(tmp_path / "ben.safetensors", seed=1), device="cpu")
    looks: list[Everybody] = []

    def build(*_: object, **__: object) -> Everybody:
        looks.append(Everybody())
        return looks[-1]

    monkeypatch.setattr("dancekit.transfer.pipeline.build_pose", build)
    monkeypatch.setenv("DANCEKIT_CACHE", "/proc/nowhere")  # nothing is kept from one dancer to the next
    source, out = clip(tmp_path / "source.mp4", 10), tmp_path / "all.mp4"
    results = run_transfer([dancer, other], source, out, TransferOptions(overrides=OVER, crf=4))
    assert len(looks) == 1
    assert [result.out.name for result in results] == ["all_ava.mp4", "all_ben.mp4"]
    alone = other.transfer(source, tmp_path / "alone.mp4", overrides=OVER, crf=4)
    assert np.array_equal(pictures(results[1].out), pictures(alone.out))
    assert not np.array_equal(pictures(results[0].out), pictures(alone.out))
    row = pictures(out)
    assert row.shape == (10, 64, 86 + 64 + 64, 3)
    for place, each in ((np.s_[:, :, 86:150], results[0]), (np.s_[:, :, 150:], results[1])):
        assert np.abs(row[place].astype(int) - pictures(each.out)).mean() < 3
    assert [mv.number_of(frame[:, 8:78]) for frame in row] == list(range(10))
    assert mv.audio_packets(out) == mv.audio_packets(source) == mv.audio_packets(results[0].out)


def test_in_front_of_the_sources_own_background(dancer: Dancer, tmp_path: Path) -> None:
    """Somebody passes before a wall: the wall is behind the dancer, and nobody else is."""
    wall, source = cv2.GaussianBlur(texture((160, 120), 3), (0, 0), 2), tmp_path / "source.mp4"
    poses = dance((160, 120))
    frames = []
    for number in range(30):
        frame = wall.copy()
        low, high = np.nanmin(poses.xy[number], 0).astype(int), np.nanmax(poses.xy[number], 0).astype(int)
        frame[low[1] : high[1], low[0] : high[0]] = (255, 0, 0)
        frames.append(frame)
    mv.write_frames(source, frames, codec_options={"crf": "1"})
    options = TransferOptions(background="source", overrides=OVER, crf=4)
    dancer.transfer(source, tmp_path / "out.mp4", options=options)
    got = pictures(tmp_path / "out.mp4")
    assert got.shape == (30, 120, 160, 3)
    window = dancer.info.window  # a dancer that was never trained paints all of it
    right = round(window.left + window.size[0] * window.scale) + 1
    far = np.s_[:, :, min(right, 150) :]
    assert window.left < 40
    assert np.abs(got[far].astype(int) - wall[far[1:]]).mean() < 3
    found, masks = dancer.find_poses(source, dancer.info.recipe, masks=True)
    plate = plate_of_source(source, found, masks).astype(int)
    assert masks is not None
    assert not ((plate[..., 0] > 220) & (plate[..., 1] < 40)).any()  # nothing is left of somebody in red
    assert np.abs(plate - wall).mean() < 12  # what nobody ever uncovered is filled from around it


def test_a_phones_film_is_upright_with_right_colours(dancer: Dancer, tmp_path: Path) -> None:
    """Portrait, HEVC, 10-bit HLG, stored lying down, 59.94 fps, with sound."""
    sdr = mv.patch_picture(mv.SDR_PATCHES)  # 96 high, 128 wide, as shown; stored turned by 90 degrees
    stored = np.ascontiguousarray(np.rot90(sdr, 1))
    frame = mv.sdr_to_hlg(stored / 255)
    source = mv.write_frames(
        tmp_path / "IMG_0001.mov",
        [mv.frame_420(frame, "bt2020", depth=10) for _ in range(12)],
        codec="libx265",
        codec_options={"crf": "2", "x265-params": "log-level=none"},
        rate=Fraction(60000, 1001),
        time_base=Fraction(1, 60000),
        pts=[1001 * number for number in range(12)],
        tags={"color_trc": 18, "color_primaries": 9, "colorspace": 9, "color_range": 1},
        rotation=(-90, False, False),
        audio="aac",
        audio_seconds=0.3,
    )
    info = probe(source)
    assert (info.codec, info.transfer, info.rotation, info.size) == ("hevc", "arib-std-b67", 90, (128, 96))
    out = tmp_path / "out.mp4"
    options = TransferOptions(side_by_side=True, size=(96, 96), crf=2, overrides=OVER)
    dancer.transfer(source, out, options=options)
    assert probe(out).rate == Fraction(60000, 1001)
    assert probe(out).rotation == 0
    assert times(out) == times(source)
    assert mv.audio_packets(out) == mv.audio_packets(source)
    for shown in pictures(out):
        assert np.abs(mv.read_patches(shown[:, :128]) - mv.SDR_PATCHES).max() < 6


def test_what_cannot_be_is_said_before_any_work(dancer: Dancer, tmp_path: Path) -> None:
    source = poses_file(tmp_path / "a.npz", 12)
    for options, words in (
        (TransferOptions(side_by_side=True), "needs the source's video"),
        (TransferOptions(background="source"), "needs the source's video"),
        (TransferOptions(start=Fraction(-1)), "before the source begins"),
        (TransferOptions(duration=Fraction(0)), "not above 0"),
        (TransferOptions(size=(8, 64)), "16 to 16384"),
        (TransferOptions(background="#1"), "no colour"),
    ):
        with pytest.raises(UsageError, match=words):
            dancer.transfer(source, tmp_path / "out.mp4", options=options)
    clear = TransferOptions(background="transparent", overrides=OVER)
    with pytest.raises(UsageError, match="cannot be transparent"):
        dancer.transfer(source, tmp_path / "out.mp4", options=clear)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz"]


def test_a_stage_that_fails_ends_the_transfer(dancer: Dancer, tmp_path: Path) -> None:
    import threading

    calls = 0

    def breaks(condition):
        nonlocal calls
        calls += 1
        if calls == 5:
            raise ValueError("the runner broke")
        return dancer.painter.parts.generator(condition)

    dancer.painter.network = breaks
    began = time.monotonic()
    with pytest.raises(ValueError, match="the runner broke"):
        dancer.transfer(poses_file(tmp_path / "a.npz", 20), tmp_path / "out.mp4", overrides=OVER)
    assert time.monotonic() - began < 60
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("dancekit-")]
