"""dancekit.video reading: what comes out of clips whose every pixel and time is known."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import make_video as mv
import numpy as np
import pytest
from av.stream import Disposition

from dancekit.errors import UsageError, VideoError
from dancekit.video import probe, read_frames

TAGS_709 = {"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": 1}
PHONE_UPRIGHT = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)  # what phones write for portrait


# ---- facts and time ----


def test_probe_says_what_was_written(tmp_path: Path) -> None:
    path = mv.write_frames(tmp_path / "a.mp4", mv.moving(10), audio="aac", audio_seconds=0.4, tags=TAGS_709)
    info = probe(path)
    assert info.path == path
    assert info.size == (64, 48)
    assert info.rate == 25
    assert info.frames == 10
    assert info.duration == pytest.approx(0.4)
    assert (info.rotation, info.codec, info.transfer, info.audio) == (0, "h264", "bt709", "aac")


def test_frames_come_in_order_with_b_frames(tmp_path: Path) -> None:
    path = mv.write_frames(tmp_path / "a.mp4", mv.moving(20), codec_options={"bf": "3", "crf": "4"})
    frames = list(read_frames(path))
    assert [mv.number_of(f.rgb) for f in frames] == list(range(20))
    assert all(f.rgb.shape == (48, 64, 3) and f.rgb.dtype == np.uint8 for f in frames)
    assert [f.pts * probe(path).time_base for f in frames] == [Fraction(i, 25) for i in range(20)]


def test_ntsc_rate_stays_exact(tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    path = mv.write_frames(tmp_path / "a.mp4", mv.moving(30), rate=rate, time_base=1 / rate)
    info = probe(path)
    assert info.rate == rate
    times = [f.pts * info.time_base for f in read_frames(path)]
    assert times == [i / rate for i in range(30)]


def test_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    pts = [0, 3003, 3004, 9009, 40000, 40001]
    path = mv.write_frames(tmp_path / "a.mp4", mv.moving(6), pts=pts, time_base=Fraction(1, 90000))
    info = probe(path)
    assert [f.pts * info.time_base for f in read_frames(path)] == [Fraction(p, 90000) for p in pts]


def test_start_and_stop_count_frames(tmp_path: Path) -> None:
    path = mv.write_frames(tmp_path / "a.mp4", mv.moving(12))
    assert [mv.number_of(f.rgb) for f in read_frames(path, start=3, stop=7)] == [3, 4, 5, 6]
    assert [mv.number_of(f.rgb) for f in read_frames(path, start=10)] == [10, 11]
    assert list(read_frames(path, start=50)) == []
    assert list(read_frames(path, stop=0)) == []
    with pytest.raises(UsageError, match="start=-1"):
        next(read_frames(path, start=-1))


def test_reading_is_lazy_and_the_file_is_closed(tmp_path: Path) -> None:
    path = mv.write_frames(tmp_path / "a.mp4", mv.moving(12))
    frames = read_frames(path)
    next(frames)
    fds = Path("/proc/self/fd")
    if not fds.is_dir():
        pytest.skip("no /proc on this system")
    assert str(path) in [str(f.readlink()) for f in fds.iterdir() if f.is_symlink()]
    frames.close()
    assert str(path) not in [str(f.readlink()) for f in fds.iterdir() if f.is_symlink()]


def test_memory_is_constant(tmp_path: Path) -> None:
    path = mv.write_frames(tmp_path / "a.mp4", mv.moving(120, 256, 256))
    tracemalloc.start()
    for _ in read_frames(path):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * 256 * 256 * 3  # of 120 frames


def test_stream_without_times_gets_them_from_the_rate(tmp_path: Path) -> None:
    path = tmp_path / "a.h264"
    path.write_bytes(mv.raw(mv.moving(10)))
    info = probe(path)
    frames = list(read_frames(path))
    assert [mv.number_of(f.rgb) for f in frames] == list(range(10))
    assert [f.pts * info.time_base for f in frames] == [i / info.rate for i in range(10)]


def test_avi_with_b_frames(tmp_path: Path) -> None:
    path = mv.write_frames(tmp_path / "a.avi", mv.moving(16))
    frames = list(read_frames(path))
    assert [mv.number_of(f.rgb) for f in frames] == list(range(16))
    assert [f.pts for f in frames] == list(range(16))


def test_frames_shown_no_later_than_the_last_are_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Matroska rounds to milliseconds: 0.2 ms apart, two frames fall on one time.
    pts = [0, 400, 402, 800]
    path = mv.write_frames(
        tmp_path / "a.mkv", mv.moving(4), pts=pts, time_base=Fraction(1, 10000), codec_options={"bf": "0"}
    )
    got = [f.pts for f in read_frames(path)]
    assert got == sorted(set(got))
    assert len(got) == 3
    assert "dropped 1 frame" in caplog.text


# ---- upright ----


def cornered() -> np.ndarray:
    """Red upper left, green upper right."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:16, :16, 0] = 255
    picture[:16, -16:, 1] = 255
    return picture


def corners(picture: np.ndarray) -> str:
    """Colours of upper left, upper right, lower right, lower left."""
    spots = (picture[4, 4], picture[4, -4], picture[-4, -4], picture[-4, 4])
    return "".join("r" if p[0] > 128 else "g" if p[1] > 128 else "." for p in spots)


def patch_matrix(path: Path, matrix: tuple[int, ...]) -> None:
    """Write a display matrix into the track header of an mp4 (ISO 14496-12 section 8.3.2), by hand."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: flags, times, id, duration, reserved, layer, volume
    data[at : at + 36] = b"".join(v.to_bytes(4, "big", signed=True) for v in matrix)
    path.write_bytes(data)


def test_portrait_clip_of_a_phone_comes_upright(tmp_path: Path) -> None:
    # Held upright, a phone stores the picture turned counter-clockwise and asks to turn it clockwise.
    upright = np.rot90(cornered(), -1)
    path = mv.write_frames(tmp_path / "a.mp4", [np.ascontiguousarray(np.rot90(upright))] * 3)
    patch_matrix(path, PHONE_UPRIGHT)
    info = probe(path)
    assert info.rotation == 90
    assert info.size == (48, 64)
    for frame in read_frames(path):
        assert frame.rgb.shape == (64, 48, 3)
        assert frame.rgb.flags.c_contiguous
        assert corners(frame.rgb) == corners(upright) == ".rg."


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", ["", "h", "v"])
def test_all_orientations(tmp_path: Path, degrees: int, mirror: str) -> None:
    path = mv.write_frames(
        tmp_path / "a.mp4", [cornered()] * 2, rotation=(degrees, mirror == "h", mirror == "v")
    )
    wanted = np.rot90(cornered(), degrees // 90)  # PyAV and numpy turn counter-clockwise, then mirror
    wanted = wanted[:, ::-1] if mirror == "h" else wanted[::-1] if mirror == "v" else wanted
    frame = next(read_frames(path))
    assert corners(frame.rgb) == corners(wanted)
    assert probe(path).size == (wanted.shape[1], wanted.shape[0])


def test_pixels_become_square(tmp_path: Path) -> None:
    path = mv.write_frames(tmp_path / "a.mp4", [cornered()] * 2, aspect=Fraction(4, 3))
    assert probe(path).size == (85, 48)
    frame = next(read_frames(path))
    assert frame.rgb.shape == (48, 85, 3)
    assert corners(frame.rgb) == "rg.."


# ---- colours ----


@pytest.mark.parametrize(
    ("matrix", "tags", "full"),
    [
        ("bt709", TAGS_709, False),
        ("bt601", {"colorspace": 6, "color_range": 1}, False),
        ("bt601", {"colorspace": 5}, False),
        ("bt601", {}, False),  # untagged and small, as the dance floor's clips
        ("bt709", {"colorspace": 1, "color_range": 2}, True),
        ("bt601", {"color_range": 2}, True),
    ],
)
def test_pure_colours_come_back(tmp_path: Path, matrix: str, tags: dict[str, int], full: bool) -> None:
    picture = mv.frame_420(mv.patch_picture() / 255, matrix, full=full)
    path = mv.write_frames(tmp_path / "a.mp4", [picture] * 2, tags=tags)
    got = mv.read_patches(next(read_frames(path)).rgb)
    assert np.abs(got - mv.PATCHES).max() <= 2


def test_untagged_high_definition_is_bt709(tmp_path: Path) -> None:
    picture = mv.frame_420(mv.patch_picture(side=256) / 255, "bt709")  # 1024 x 768
    path = mv.write_frames(tmp_path / "a.mp4", [picture], codec_options={"preset": "ultrafast", "crf": "4"})
    assert np.abs(mv.read_patches(next(read_frames(path)).rgb, 256) - mv.PATCHES).max() <= 2


def test_rgb_video_is_taken_as_it_is(tmp_path: Path) -> None:
    picture = av.VideoFrame.from_ndarray(mv.patch_picture(), format="rgb24").reformat(format="bgr0")
    path = mv.write_frames(tmp_path / "a.mkv", [picture], codec="ffv1", codec_options={})
    assert np.abs(mv.read_patches(next(read_frames(path)).rgb) - mv.PATCHES).max() == 0


@pytest.mark.parametrize(
    ("codec", "name", "options"),
    [
        ("libx265", "hevc", {"crf": "4", "x265-params": "log-level=none"}),
        ("libvpx-vp9", "vp9", {"crf": "4", "cpu-used": "8"}),
        ("mpeg4", "mpeg4", {"qscale": "1"}),
    ],
)
def test_other_codecs(tmp_path: Path, codec: str, name: str, options: dict[str, str]) -> None:
    picture = mv.frame_420(mv.patch_picture() / 255, "bt709")
    path = mv.write_frames(
        tmp_path / "a.mp4", [picture] * 4, codec=codec, codec_options=options, tags=TAGS_709
    )
    assert probe(path).codec == name
    frames = list(read_frames(path))
    assert len(frames) == 4
    if name != "mpeg4":  # its bit rate is too low for a test of colours
        assert np.abs(mv.read_patches(frames[-1].rgb) - mv.PATCHES).max() <= 4


# ---- what is not a video ----


def whole(tmp_path: Path, *, faststart: bool, name: str = "a.mp4") -> Path:
    options = {"movflags": "faststart"} if faststart else {}
    noise = np.random.default_rng(0).integers(0, 255, (30, 48, 64, 3), dtype=np.uint8)
    return mv.write_frames(tmp_path / name, list(noise), options=options)


def cut(path: Path, keep: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def fails(path: Path, *words: str) -> None:
    """Both `probe` and `read_frames` say it, in one line with the path and a remedy."""
    for call in (lambda: probe(path), lambda: next(read_frames(path))):
        with pytest.raises(VideoError) as caught:
            call()
        text = str(caught.value)
        assert "\n" not in text
        assert str(path) in text
        assert caught.value.hint
        for word in words:
            assert word in text


def test_missing(tmp_path: Path) -> None:
    fails(tmp_path / "none.mp4", "does not exist")


def test_folder(tmp_path: Path) -> None:
    fails(tmp_path, "folder")


def test_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.touch()
    fails(path, "empty")


@pytest.mark.parametrize("name", ["a.mp4", "a.txt", "a.avi"])
def test_text(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("Dear Sir,\nplease find the dance enclosed, übrigens.\n" * 200)
    fails(path, "text file")


def test_noise(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(20_000))
    fails(path, "not a video")


def test_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    av.VideoFrame.from_ndarray(mv.patch_picture()).save(str(path))
    fails(path, "a picture")


def test_sound_only(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=48000)
        for chunk in mv._sound(0.5, 0, None, "fltp"):
            out.mux(stream.encode(chunk))
        out.mux(stream.encode(None))
    fails(path, "sound but no picture")


def test_index_missing(tmp_path: Path) -> None:
    fails(cut(whole(tmp_path, faststart=False), 0.6), "cut short", "moov")


def test_cut_within_the_frames(tmp_path: Path) -> None:
    path = whole(tmp_path, faststart=True)
    with av.open(str(path)) as container:
        ends = [p.pos + p.size for p in container.demux(video=0) if p.size]
    path = cut(path, 0.7)
    there = sum(e <= path.stat().st_size for e in ends)
    assert 0 < there < 30
    fails(path, "cut short", f"{there} of 30 frames")


@pytest.mark.parametrize("name", ["a.avi", "a.mkv"])
def test_cut_in_other_containers(tmp_path: Path, name: str) -> None:
    path = whole(tmp_path, faststart=False, name=name)
    assert len(list(read_frames(path))) == 30
    fails(cut(path, 0.7), "cut short")


def test_only_sound_lost_at_the_end_is_no_truncation(tmp_path: Path) -> None:
    path = mv.write_frames(
        tmp_path / "a.mp4", mv.moving(10), audio="aac", audio_seconds=8, options={"movflags": "faststart"}
    )
    assert len(list(read_frames(cut(path, 0.9)))) == 10
    assert probe(path).frames == 10


def test_colon_in_the_name_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mv.write_frames(tmp_path / "a.mp4", mv.moving(3)).rename("take:2 100%d é.mp4")
    assert len(list(read_frames("take:2 100%d é.mp4"))) == 3


def test_cover_picture_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as out:
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        sound = out.add_stream("aac", rate=48000)
        frame = av.VideoFrame.from_ndarray(mv.moving(1)[0]).reformat(format="yuvj420p")
        frame.pts, frame.time_base = 0, Fraction(1)
        out.mux(cover.encode(frame))
        for chunk in mv._sound(0.5, 0, None, "fltp"):
            out.mux(sound.encode(chunk))
        out.mux(cover.encode(None))
        out.mux(sound.encode(None))
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1
    fails(path, "sound but no picture")


def test_junk_behind_a_whole_film_does_no_harm(tmp_path: Path) -> None:
    path = whole(tmp_path, faststart=True)
    with path.open("ab") as file:
        file.write(b"appended by some camera" * 10)
    assert probe(path).frames == len(list(read_frames(path))) == 30


def test_damaged_in_the_middle_names_the_frame(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (12, 48, 64, 3), dtype=np.uint8)
    path = mv.write_frames(
        tmp_path / "a.mp4",
        [av.VideoFrame.from_ndarray(f).reformat(format="yuvj420p") for f in noise],
        codec="mjpeg",
        codec_options={},
    )
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    data[places[5][0] : places[5][0] + places[5][1]] = bytes(places[5][1])
    path.write_bytes(data)
    frames = read_frames(path)
    with pytest.raises(VideoError, match=r"damaged after 5 frames") as caught:
        list(frames)
    assert str(path) in str(caught.value)


def test_edit_list_that_hides_frames_is_not_a_truncation(tmp_path: Path) -> None:
    path = mv.write_frames(tmp_path / "a.mp4", mv.moving(20), codec_options={"bf": "0", "crf": "4"})
    data = bytearray(path.read_bytes())
    at = data.index(b"elst")
    assert int.from_bytes(data[at + 8 : at + 12], "big") == 1
    media_time = int.from_bytes(data[at + 16 : at + 20], "big")
    with av.open(str(path)) as container:
        step = round(Fraction(1, 25) / container.streams.video[0].time_base)
    data[at + 16 : at + 20] = (media_time + 5 * step).to_bytes(4, "big")
    data[at + 12 : at + 16] = (600).to_bytes(4, "big")  # milliseconds shown
    path.write_bytes(data)
    numbers = [mv.number_of(f.rgb) for f in read_frames(path)]
    assert numbers == list(range(5, 20))
    assert probe(path).frames == 15


def test_ffmpeg_says_nothing_on_stderr(tmp_path: Path) -> None:
    path = cut(whole(tmp_path, faststart=True), 0.7)
    code = (
        "import sys; from dancekit.video import probe\n"
        "try: probe(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "VideoError"
    assert done.stderr == ""


# ---- real files ----


@pytest.mark.shared
def test_real_files(shared: Path) -> None:
    files = sorted((shared / "data" / "videos").glob("*.*"))
    assert files
    for path in files:
        info = probe(path)
        frame = next(read_frames(path))
        assert frame.rgb.shape == (info.size[1], info.size[0], 3)
        assert 5 < frame.rgb.mean() < 250


@pytest.mark.shared
def test_dance_floor_counts(shared: Path) -> None:
    path = shared / "data" / "dancefloor" / "source_rest.mp4"
    info = probe(path)
    frames = [f.pts for f in read_frames(path)]
    assert len(frames) == info.frames == 125
    assert [p * info.time_base for p in frames] == [Fraction(i, 25) for i in range(125)]
