"""dancekit.video writing: what another reader finds in the file, or that there is no file."""

from __future__ import annotations

import errno
import logging
import resource
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import make_video as mv
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.errors import DancekitError, OutputExists, UsageError, VideoError
from dancekit.video import VideoWriter, probe, read_frames

FAST = {"preset": "ultrafast"}


def write(path: Path, frames: list[np.ndarray], pts: list[int] | None = None, **options) -> Path:
    options = {"time_base": Fraction(1, 25), "rate": Fraction(25), **FAST, **options}
    height, width = frames[0].shape[:2]
    with VideoWriter(path, size=(width, height), **options) as writer:
        for frame, when in zip(frames, pts or range(len(frames)), strict=True):
            writer.write(frame, when)
    return path


# ---- pictures ----


def test_stream_is_plain_h264_tagged_bt709(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", mv.moving(5))
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        tags = (context.colorspace, context.color_primaries, context.color_trc, context.color_range)
        assert tags == (1, 1, 1, 1)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # faststart
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".m4v", ".MP4"])
def test_colours_survive(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", [mv.patch_picture()] * 3, crf=4)
    for frame in read_frames(path):
        assert np.abs(mv.read_patches(frame.rgb) - mv.PATCHES).max() <= 3


def test_luma_is_that_of_bt709(tmp_path: Path) -> None:
    # Not through our reader: the planes as stored, against the definition.
    path = write(tmp_path / "a.mp4", [mv.patch_picture()], crf=4)
    wanted = mv.yuv(mv.PATCHES / 255, *mv.MATRICES["bt709"])
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        planes = [
            np.frombuffer(bytes(p), np.uint8).reshape(p.height, p.line_size)[:, : p.width]
            for p in frame.planes
        ]
    for plane, levels, side in zip(planes, wanted, (32, 16, 16), strict=True):
        got = mv.read_patches(np.repeat(plane[..., None], 3, -1), side)[:, 0]
        assert np.abs(got - levels).max() <= 1.5


@pytest.mark.parametrize(("width", "height"), [(63, 48), (64, 47), (63, 47), (3, 3)])
def test_odd_sizes_repeat_the_last_line(tmp_path: Path, width: int, height: int) -> None:
    ramp = np.linspace(0, 255, width).astype(np.uint8)[None, :, None].repeat(height, 0).repeat(3, 2)
    path = write(tmp_path / "a.mp4", [ramp] * 2, crf=1)
    got = next(read_frames(path)).rgb
    assert got.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(got[:height, :width].astype(int) - ramp).mean() < 3
    if width % 2:
        assert np.abs(got[:, -1].astype(int) - 255).max() < 12


def test_better_quality_is_nearer(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    error = {}
    for crf in (5, 40):
        path = write(tmp_path / f"{crf}.mp4", [picture] * 3, crf=crf)
        error[crf] = np.abs(next(read_frames(path)).rgb.astype(float) - picture).mean()
    assert error[5] < error[40]
    assert (tmp_path / "5.mp4").stat().st_size > (tmp_path / "40.mp4").stat().st_size


# ---- time ----


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [f.pts * f.time_base for f in container.decode(video=0)]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize(
    "base",
    [Fraction(1001, 30000), Fraction(1, 12800), Fraction(1, 10), Fraction(1, 600), Fraction(1, 1_000_000)],
)
@pytest.mark.parametrize("first", [0, 7, 5000])
def test_times_come_back_exactly(tmp_path: Path, suffix: str, base: Fraction, first: int) -> None:
    pts = [first + i for i in (0, 1, 2, 5, 6, 11, 12, 13, 40)]
    path = write(
        tmp_path / f"a{suffix}", mv.moving(9), pts, time_base=base, rate=Fraction(24), preset="medium"
    )
    assert times(path) == [p * base for p in pts]
    assert probe(path).time_base == Fraction(1, base.denominator)
    assert [mv.number_of(f.rgb) for f in read_frames(path)] == list(range(9))


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(1, 3000), min_size=1, max_size=12),
    st.integers(0, 100_000),
    st.sampled_from([Fraction(1, 1000), Fraction(1001, 24000), Fraction(1, 90000)]),
)
def test_any_increasing_times_come_back(steps: list[int], first: int, base: Fraction) -> None:
    pts = [first + int(s) for s in np.cumsum(steps)]
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "a.mp4", mv.moving(len(pts), 16, 16), pts, time_base=base, preset="fast")
        assert times(path) == [p * base for p in pts]


def test_rate_stays_exact(tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    path = write(tmp_path / "a.mp4", mv.moving(30), time_base=1 / rate, rate=rate, preset="medium")
    info = probe(path)
    assert info.rate == rate
    assert info.frames == 30
    assert info.duration == pytest.approx(float(30 / rate), abs=1e-9)


def test_matroska_rounds_to_milliseconds(tmp_path: Path) -> None:
    pts = [0, 1001, 2002, 3003]
    path = write(tmp_path / "a.mkv", mv.moving(4), pts, time_base=Fraction(1, 30000))
    assert all(
        abs(got - Fraction(p, 30000)) <= Fraction(1, 2000) for got, p in zip(times(path), pts, strict=True)
    )


def test_film_that_starts_before_zero_moves_as_a_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", mv.moving(5), [-3, -2, -1, 0, 1], preset="medium")
    assert times(path) == [Fraction(i, 25) for i in range(5)]
    assert [mv.number_of(f.rgb) for f in read_frames(path)] == list(range(5))


# ---- sound ----


def copy_with_sound(source: Path, out: Path) -> Path:
    info = probe(source)
    with VideoWriter(
        out, size=info.size, time_base=info.time_base, rate=info.rate, sound_from=source, **FAST
    ) as writer:
        for frame in read_frames(source):
            writer.write(frame.rgb, frame.pts)
    return out


@pytest.mark.parametrize(
    ("codec", "container", "out", "name"),
    [
        ("aac", ".mp4", ".mp4", "aac"),
        ("aac", ".mp4", ".mkv", "aac"),
        ("libmp3lame", ".mp4", ".mp4", "mp3"),
        ("ac3", ".mp4", ".mov", "ac3"),
        ("alac", ".mov", ".mp4", "alac"),
        ("libopus", ".mkv", ".mp4", "opus"),
        ("flac", ".mkv", ".mkv", "flac"),
        ("pcm_s16le", ".mov", ".mov", "pcm_s16le"),
    ],
)
@pytest.mark.parametrize(("first", "sound_start"), [(0, 0.0), (25, 0.0), (0, 0.48), (25, 1.52)])
def test_sound_is_copied_and_in_sync(
    tmp_path: Path, codec: str, container: str, out: str, name: str, first: int, sound_start: float
) -> None:
    source = mv.write_frames(
        tmp_path / f"source{container}", mv.moving(50), pts=range(first, first + 50), audio=codec,
        audio_seconds=4, audio_start=sound_start, click_at=2.0,
    )  # fmt: skip
    result = copy_with_sound(source, tmp_path / f"result{out}")
    assert probe(result).audio == name
    assert times(result) == [Fraction(i, 25) for i in range(first, first + 50)]
    assert mv.loudest_time(result) == pytest.approx(mv.loudest_time(source), abs=0.002)
    theirs, ours = mv.audio_packets(source), mv.audio_packets(result)
    assert ours
    assert b"".join(ours) in b"".join(theirs)  # not re-encoded
    with av.open(str(result)) as opened:
        last = max(p.pts * p.time_base for p in opened.demux(audio=0) if p.size)
    assert first / 25 + 1.8 < last < first / 25 + 2  # trimmed to the picture


@pytest.mark.parametrize(
    ("codec", "container", "out"),
    [("pcm_s16le", ".avi", ".mp4"), ("pcm_s16le", ".mov", ".mp4"), ("libopus", ".mkv", ".mov")],
)
def test_other_sound_becomes_aac_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, codec: str, container: str, out: str
) -> None:
    source = mv.write_frames(
        tmp_path / f"source{container}", mv.moving(50), audio=codec, audio_seconds=2, click_at=1.0
    )
    with caplog.at_level(logging.INFO, logger="dancekit"):
        result = copy_with_sound(source, tmp_path / f"result{out}")
    assert probe(result).audio == "aac"
    assert mv.loudest_time(result) == pytest.approx(mv.loudest_time(source), abs=0.003)
    assert "encoding it as AAC" in caplog.text


def test_sound_of_a_file_cut_before_zero_moves_along(tmp_path: Path) -> None:
    source = mv.write_frames(tmp_path / "s.mp4", mv.moving(50), audio="aac", audio_seconds=2, click_at=1.0)
    with VideoWriter(
        tmp_path / "a.mp4", size=(64, 48), time_base=Fraction(1, 25), rate=25, sound_from=source, **FAST
    ) as writer:
        for i, frame in enumerate(mv.moving(50)):
            writer.write(frame, i - 5)
    assert mv.loudest_time(tmp_path / "a.mp4") == pytest.approx(1.2, abs=0.002)


def test_silent_source_gives_a_silent_film(tmp_path: Path) -> None:
    source = mv.write_frames(tmp_path / "source.mp4", mv.moving(5))
    assert probe(copy_with_sound(source, tmp_path / "a.mp4")).audio is None


# ---- nothing half-written, nothing overwritten ----


def test_never_overwrites_without_force(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"precious")
    with pytest.raises(OutputExists, match=r"a\.mp4 exists already"):
        VideoWriter(path, size=(64, 48), time_base=Fraction(1, 25), rate=Fraction(25))
    assert path.read_bytes() == b"precious"
    write(path, mv.moving(3), force=True)
    assert probe(path).frames == 3


def test_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with (
        pytest.raises(OutputExists),
        VideoWriter(path, size=(64, 48), time_base=Fraction(1, 25), rate=25) as writer,
    ):
        writer.write(mv.moving(1)[0], 0)
        path.write_bytes(b"precious")
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failure_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.mp4"
    with pytest.raises(error), VideoWriter(path, size=(64, 48), time_base=Fraction(1, 25), rate=25) as writer:
        writer.write(mv.moving(1)[0], 0)
        assert not path.exists()
        assert [p.name[0] for p in tmp_path.iterdir()] == ["."]
        raise error
    assert list(tmp_path.iterdir()) == []


def test_failure_keeps_the_file_that_force_would_replace(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", mv.moving(3))
    before = path.read_bytes()
    with (
        pytest.raises(RuntimeError),
        VideoWriter(path, size=(64, 48), time_base=Fraction(1, 25), rate=25, force=True) as writer,
    ):
        writer.write(mv.moving(1)[0], 0)
        raise RuntimeError
    assert path.read_bytes() == before


def test_no_frames(tmp_path: Path) -> None:
    with (
        pytest.raises(VideoError, match="no frame was written"),
        VideoWriter(tmp_path / "a.mp4", size=(64, 48), time_base=Fraction(1, 25), rate=25),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.mp4"
    writer = VideoWriter(path, size=(64, 48), time_base=Fraction(1, 25), rate=25)

    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer, "_mux", full)
    with pytest.raises(DancekitError, match="the disk is full") as caught, writer:
        writer.write(mv.moving(1)[0], 0)
    assert str(path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))


def test_disk_that_takes_no_more(tmp_path: Path) -> None:
    # A real refusal by the system, through FFmpeg: a limit on the size of files.
    code = """
import signal, sys, numpy as np
from fractions import Fraction
from dancekit.errors import DancekitError
from dancekit.video import VideoWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
noise = np.random.default_rng(0).integers(0, 255, (60, 128, 128, 3), dtype=np.uint8)
try:
    options = {"size": (128, 128), "time_base": Fraction(1, 25), "rate": 25, "preset": "ultrafast"}
    with VideoWriter(sys.argv[1], **options) as w:
        for i, frame in enumerate(noise):
            w.write(frame, i)
except DancekitError as error:
    print(error)
"""
    path = tmp_path / "a.mp4"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, preexec_fn=_limit
    )
    assert "the disk is full" in done.stdout
    assert str(path) in done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_missing_folders_are_made(tmp_path: Path) -> None:
    assert write(tmp_path / "new" / "deep" / "a.mp4", mv.moving(2)).is_file()


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VideoError, match="cannot be written"):
        VideoWriter(tmp_path / "file" / "a.mp4", size=(64, 48), time_base=Fraction(1, 25), rate=Fraction(25))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"path": "a.gif"}, r"\.mp4, \.m4v, \.mov, \.mkv"),
        ({"path": "a"}, r"\.mp4"),
        ({"size": (0, 48)}, "0x48"),
        ({"size": (20000, 48)}, "20000x48"),
        ({"crf": 60}, "crf 60"),
        ({"preset": "quick"}, "ultrafast"),
        ({"rate": Fraction(0)}, "rate 0"),
        ({"time_base": Fraction(1, 10**10)}, "too fine"),
    ],
)
def test_wrong_arguments(tmp_path: Path, change: dict[str, object], words: str) -> None:
    options = {"size": (64, 48), "time_base": Fraction(1, 25), "rate": Fraction(25), **change}
    path = tmp_path / str(options.pop("path", "a.mp4"))
    with pytest.raises(UsageError, match=words):
        VideoWriter(path, **options)
    assert list(tmp_path.iterdir()) == []


def test_sound_from_nowhere_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="does not exist"):
        VideoWriter(
            tmp_path / "a.mp4",
            size=(64, 48),
            time_base=Fraction(1, 25),
            rate=25,
            sound_from=tmp_path / "no.mp4",
        )
    assert list(tmp_path.iterdir()) == []


def test_wrong_frames(tmp_path: Path) -> None:
    frame = mv.moving(1)[0]
    with (
        pytest.raises(VideoError, match="no frame"),
        VideoWriter(tmp_path / "a.mp4", size=(64, 48), time_base=Fraction(1, 25), rate=25) as writer,
    ):
        for wrong in (frame[:40], frame.astype(float), frame[..., :1]):
            with pytest.raises(VideoError, match=r"not uint8 \(48, 64, 3\)"):
                writer.write(wrong, 0)
    with VideoWriter(tmp_path / "b.mp4", size=(64, 48), time_base=Fraction(1, 25), rate=25) as writer:
        writer.write(frame, 4)
        with pytest.raises(VideoError, match="pts 4 does not come after 4"):
            writer.write(frame, 4)


@pytest.mark.parametrize(
    ("suffix", "metadata"),
    [
        (".mp4", {"title": "The dance"}),
        (".mp4", {"title": "The dance", "dancer": "ava"}),
        (".mkv", {"title": "The dance"}),
    ],
)
def test_metadata(tmp_path: Path, suffix: str, metadata: dict[str, str]) -> None:
    path = write(tmp_path / f"a{suffix}", mv.moving(2), metadata=metadata)
    with av.open(str(path)) as container:
        assert metadata.items() <= dict(container.metadata).items()


@pytest.mark.shared
def test_real_sound(tmp_path: Path, shared: Path) -> None:
    source = shared / "data" / "videos" / "animatex_dance_1.mp4"
    info = probe(source)
    out = tmp_path / "a.mp4"
    with VideoWriter(
        out, size=(64, 64), time_base=info.time_base, rate=info.rate, sound_from=source, **FAST
    ) as writer:
        for frame in read_frames(source):
            writer.write(np.ascontiguousarray(frame.rgb[:64, :64]), frame.pts)
    result = probe(out)
    assert (result.frames, result.rate, result.audio) == (info.frames, info.rate, info.audio)
    assert times(out) == times(source)
    assert b"".join(mv.audio_packets(out)) in b"".join(mv.audio_packets(source))
