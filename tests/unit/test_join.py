"""Segments joined without encoding again: the same pictures, exact times, the sound bit for bit."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import make_video as mv
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.errors import OutputExists, UsageError, VideoError
from dancekit.video import VideoWriter, probe, read_frames
from dancekit.video.join import decode_times, join_segments
from dancekit.video.output import Shape, SoundTrack, choose_output, deliver

RATE = Fraction(30000, 1001)


def segments(
    folder: Path, frames: list[np.ndarray], each: int, suffix: str = ".mp4", **options
) -> list[Path]:
    """Encode so many frames at a time, with B-frames."""
    paths = []
    height, width = frames[0].shape[:2]
    for first in range(0, len(frames), each):
        path = folder / f"{first:03d}{suffix}"
        with VideoWriter(path, size=(width, height), time_base=1 / RATE, rate=RATE, **options) as writer:
            for number, frame in enumerate(frames[first : first + each]):
                writer.write(frame, number)
        paths.append(path)
    return paths


def texts(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Pictures that move, so that the encoder makes B-frames."""
    ramp = np.linspace(0, 255, width).astype(np.uint8)[None, :, None].repeat(height, 0).repeat(3, 2)
    return [np.roll(ramp, 3 * number, 1) for number in range(count)]


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [f.pts * f.time_base for f in container.decode(video=0)]


@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".mp4", {}), (".mp4", {"codec": "h265", "preset": "fast"}), (".mkv", {}), (".webm", {})],
)
def test_pictures_are_those_of_the_segments(tmp_path: Path, suffix: str, options: dict[str, str]) -> None:
    parts = segments(tmp_path, texts(23), 9, suffix, **options)
    pts = [7 + 3 * number + number % 2 for number in range(23)]
    join_segments(tmp_path / f"all{suffix}", parts, pts, time_base=Fraction(1, 90), rate=Fraction(30))
    want = [frame.rgb for part in parts for frame in read_frames(part)]
    got = [frame.rgb for frame in read_frames(tmp_path / f"all{suffix}")]
    assert len(got) == 23
    assert all(np.array_equal(one, other) for one, other in zip(want, got, strict=True))
    slack = Fraction(0) if suffix == ".mp4" else Fraction(1, 2000)  # Matroska counts milliseconds
    assert all(
        abs(time - Fraction(at, 90)) <= slack
        for time, at in zip(times(tmp_path / f"all{suffix}"), pts, strict=True)
    )
    assert probe(tmp_path / f"all{suffix}").codec == {"h265": "hevc"}.get(
        options.get("codec", ""), "vp9" if suffix == ".webm" else "h264"
    )


def test_h265_has_the_tag_that_apple_plays_and_bt709(tmp_path: Path) -> None:
    parts = segments(tmp_path, texts(6), 3, codec="h265", preset="ultrafast")
    join_segments(tmp_path / "all.mp4", parts, range(6), time_base=1 / RATE, rate=RATE)
    for path in (parts[0], tmp_path / "all.mp4"):
        with av.open(str(path)) as container:
            context = container.streams.video[0].codec_context
            assert context.codec_tag == "hvc1"
            assert (context.colorspace, context.color_primaries, context.color_range) == (1, 1, 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(1, 500), min_size=1, max_size=12), min_size=1, max_size=4), st.data())
def test_decode_times_increase_and_never_come_after_the_picture_is_due(
    steps: list[list[int]], data: st.DataObject
) -> None:
    """Whatever order frames are coded in within a segment, and however unevenly they are shown."""
    lengths = [len(each) for each in steps]
    starts = np.cumsum([0, *lengths[:-1]])
    shown = np.array(
        [
            start + place
            for start, length in zip(starts, lengths, strict=True)
            for place in data.draw(st.permutations(range(length)))
        ]
    )
    pts = np.cumsum([step for each in steps for step in each])
    decoded = decode_times(shown, pts, 40)
    assert len(decoded) == len(pts)
    assert (np.diff(decoded) > 0).all()
    assert (decoded <= pts[shown]).all()


@pytest.mark.parametrize(("codec", "container"), [("aac", ".mp4"), ("ac3", ".mp4"), ("libopus", ".mkv")])
def test_all_of_the_sound_is_copied_bit_for_bit(tmp_path: Path, codec: str, container: str) -> None:
    """Also what is longer than the picture: the whole film has the whole sound."""
    source = mv.write_frames(
        tmp_path / f"source{container}", mv.moving(50), audio=codec, audio_seconds=3.1, click_at=1.0
    )
    parts = segments(tmp_path, texts(50), 20)
    out = tmp_path / "all.mp4"
    join_segments(
        out,
        parts,
        range(50),
        time_base=Fraction(1, 25),
        rate=Fraction(25),
        sound_from=source,
        whole_sound=True,
    )
    assert mv.audio_packets(out) == mv.audio_packets(source)
    assert mv.loudest_time(out) == pytest.approx(mv.loudest_time(source), abs=0.002)


def test_a_part_in_matroska_starts_at_zero_too(tmp_path: Path) -> None:
    """It has no edit lists: the packet of sound before the first picture would move the whole film."""
    source = mv.write_frames(
        tmp_path / "source.mp4", mv.moving(75), audio="aac", audio_seconds=3, click_at=1.5
    )
    parts, out = segments(tmp_path, texts(25), 25, ".mkv"), tmp_path / "part.mkv"
    common = {"time_base": Fraction(1, 25), "rate": Fraction(25), "sound_from": source}
    join_segments(out, parts, range(25, 50), from_zero=True, **common)
    assert times(out)[0] == 0
    assert mv.loudest_time(out) == pytest.approx(0.5, abs=0.002)


def test_a_part_starts_at_zero_with_its_own_sound(tmp_path: Path) -> None:
    source = mv.write_frames(
        tmp_path / "source.mp4", mv.moving(75), audio="aac", audio_seconds=3, click_at=1.5
    )
    out = tmp_path / "part.mp4"
    parts = segments(tmp_path, texts(25), 20)
    join_segments(
        out,
        parts,
        range(25, 50),
        time_base=Fraction(1, 25),
        rate=Fraction(25),
        sound_from=source,
        from_zero=True,
    )
    assert times(out) == [Fraction(number, 25) for number in range(25)]
    assert mv.loudest_time(out) == pytest.approx(0.5, abs=0.002)
    assert b"".join(mv.audio_packets(out)) in b"".join(mv.audio_packets(source))
    with av.open(str(out)) as container:
        end = max((p.pts + p.duration) * p.time_base for p in container.demux(audio=0) if p.size)
    assert abs(end - 1) < 0.03


def test_sound_for_a_webm_becomes_opus(tmp_path: Path) -> None:
    source = mv.write_frames(
        tmp_path / "source.mp4", mv.moving(50), audio="aac", audio_seconds=2, click_at=1.0
    )
    parts = segments(tmp_path, texts(50), 50, ".webm")
    out = tmp_path / "all.webm"
    join_segments(out, parts, range(50), time_base=Fraction(1, 25), rate=Fraction(25), sound_from=source)
    assert probe(out).audio == "opus"
    assert mv.loudest_time(out) == pytest.approx(1.0, abs=0.01)


def test_what_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    parts = segments(tmp_path, texts(10), 5)
    other = segments(tmp_path / "other", texts(5, 32, 32), 5)
    out = tmp_path / "all.mp4"
    with pytest.raises(VideoError, match="hold 10 frames, not 11"):
        join_segments(out, parts, range(11), time_base=1 / RATE, rate=RATE)
    with pytest.raises(VideoError, match="encoded otherwise"):
        join_segments(out, [*parts, *other], range(15), time_base=1 / RATE, rate=RATE)
    out.write_bytes(b"mine")
    with pytest.raises(OutputExists):
        join_segments(out, parts, range(10), time_base=1 / RATE, rate=RATE)
    assert out.read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000.mp4", "005.mp4", "all.mp4", "other"]


# ---- kinds of results ----


def make(path: Path, frames: list[np.ndarray], *, rate: Fraction = Fraction(25), **options) -> Path:
    """Through segments of four frames, as a transfer does."""
    height, width, channels = frames[0].shape
    shape = Shape(size=(width, height), time_base=1 / rate, rate=rate, alpha=channels == 4)
    output = choose_output(path, shape, **options)
    folder = path.parent / "parts"
    folder.mkdir()
    count = 0
    for first in range(0, len(frames), 4):
        with output.write_segment(folder, count, first) as writer:
            for number, frame in enumerate(frames[first : first + 4]):
                writer.write(frame, number)
        count += 1
    deliver(output.join(folder, count, np.arange(len(frames))), path, force=False)
    return path


def test_transparency_survives(tmp_path: Path) -> None:
    """Decoded by libvpx: FFmpeg's own VP9 decoder knows nothing of alpha."""
    frames = []
    for number in range(9):
        frame = np.full((48, 64, 4), (200, 60, 40, 0), np.uint8)
        frame[8:40, 4 * number : 4 * number + 16, 3] = 255
        frames.append(frame)
    path = make(tmp_path / "a.webm", frames, crf=10)
    decoder, got = av.CodecContext.create("libvpx-vp9", "r"), []
    with av.open(str(path)) as container:
        assert container.streams.video[0].metadata["ALPHA_MODE"] == "1"
        for packet in container.demux(video=0):
            if packet.size:
                got += decoder.decode(packet)
    got += decoder.decode(None)
    assert len(got) == 9
    for want, frame in zip(frames, got, strict=True):
        rgba = frame.to_ndarray(format="rgba").astype(int)
        assert np.abs(rgba[..., 3] - want[..., 3]).mean() < 4
        solid = want[..., 3] == 255
        assert np.abs(rgba[solid][:, :3] - want[solid][:, :3]).mean() < 6


@pytest.mark.parametrize("channels", [3, 4])
def test_pictures_are_lossless_and_numbered(tmp_path: Path, channels: int) -> None:
    import cv2

    rng = np.random.default_rng(0)
    frames = list(rng.integers(0, 255, (6, 20, 30, channels), dtype=np.uint8))
    folder = make(tmp_path / "pictures", frames)
    assert sorted(path.name for path in folder.iterdir()) == [f"{number:06d}.png" for number in range(6)]
    for number, frame in enumerate(frames):
        read = cv2.imread(str(folder / f"{number:06d}.png"), cv2.IMREAD_UNCHANGED)
        order = [2, 1, 0, 3][:channels]
        assert np.array_equal(read[..., order], frame)


@pytest.mark.parametrize(("rate", "kept"), [(Fraction(25), 12), (RATE, 12), (Fraction(60000, 1001), 10)])
def test_a_gif_keeps_time_and_colours(
    tmp_path: Path, rate: Fraction, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    """At most 50 frames a second, because browsers show quicker ones at ten a second."""
    frames = mv.moving(12)
    for frame in frames:
        frame[:, :32] = (200, 60, 40)
    path = make(tmp_path / "a.gif", frames, rate=rate)
    with av.open(str(path)) as container:
        got = list(container.decode(video=0))
        pictures = [frame.to_ndarray(format="rgb24") for frame in got]
        at = [float(frame.pts * frame.time_base) for frame in got]
    assert len(got) == kept
    assert ("left out" in caplog.text) == (kept < 12)
    assert np.diff(at).min() >= 0.0199
    assert abs(at[-1] - 11 / float(rate)) < 0.016
    assert np.abs(pictures[0].astype(int) - frames[0]).mean() < 4
    late = (
        0 if kept == 12 else 4
    )  # the last one may be among those left out: half the picture is 8 levels off
    assert np.abs(pictures[-1].astype(int) - frames[-1]).mean() < 4 + late


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    shape = Shape(size=(64, 48), time_base=Fraction(1, 25), rate=Fraction(25))
    clear = Shape(size=(64, 48), time_base=Fraction(1, 25), rate=Fraction(25), alpha=True)
    for path, each, options, words in (
        ("a.mp4", clear, {}, "cannot be transparent"),
        ("a.gif", clear, {}, "no soft edges"),
        ("a.gif", shape, {"crf": 20}, "no codec and no crf"),
        ("a.mp4", shape, {"codec": "vp9"}, "vp9 does not go into .mp4"),
        ("a.webm", shape, {"codec": "h264"}, "h264 does not go into .webm"),
        ("a.mp4", shape, {"codec": "h266"}, "'h266' does not exist"),
        ("a.txt", shape, {}, "no video format has the suffix"),
    ):
        with pytest.raises(UsageError, match=words):
            choose_output(tmp_path / path, each, **options)


def test_a_folder_with_other_things_is_not_replaced(tmp_path: Path) -> None:
    made, place = tmp_path / "made", tmp_path / "holiday"
    for folder in (made, place):
        folder.mkdir()
        (folder / "000000.png").write_bytes(b"")
    with pytest.raises(OutputExists):
        deliver(made, place, force=False)
    (place / "beach.png").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"holds beach\.png"):
        deliver(made, place, force=True)
    assert (place / "beach.png").read_bytes() == b"mine"
    (place / "beach.png").unlink()
    deliver(made, place, force=True)
    assert not made.exists()
    assert choose_output(
        place, Shape(size=(2, 2), time_base=Fraction(1), rate=Fraction(1)), sound=SoundTrack()
    )
