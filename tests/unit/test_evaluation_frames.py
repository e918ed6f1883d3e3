"""Frames that go into a comparison: videos, folders, windows; and what is done, or refused, where two do not fit."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from dancekit.errors import UsageError, VideoError
from dancekit.evaluate.align import align, select
from dancekit.evaluate.frames import ArrayFrames, Chosen, Resized, Source, frames_sha256, open_frames
from dancekit.evaluate.protocols import Protocol
from dancekit.video import VideoWriter

RATE = Fraction(25)


def protocol(**changes: object) -> Protocol:
    data = {"schema": 1, "name": "p", "version": 1, "description": "", "metrics": [{"name": "psnr"}]}
    return Protocol.model_validate(data | changes)


def numbered(count: int, size: tuple[int, int] = (16, 16), rate: Fraction | None = RATE) -> ArrayFrames:
    """Frame i is of level i."""
    frames = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, size[1], size[0], 3), np.uint8
    )
    return ArrayFrames(f"clip of {count}", frames, rate)


def levels(source: Source) -> list[int]:
    found = [int(frame[0, 0, 0]) for frame in source]
    assert len(found) == source.count, "a source says how many frames it gives"
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "frames"
    place.mkdir()
    for number in (10, 9, 1, 100):
        cv2.imwrite(str(place / f"frame{number}.png"), np.full((16, 24, 3), number, np.uint8))
    (place / "notes.txt").write_text("not a frame")
    return place


def test_a_folder_of_pictures_in_the_order_of_their_numbers(folder: Path) -> None:
    source = open_frames(folder)
    assert (source.size, source.rate, source.count) == ((24, 16), None, 4)
    assert levels(source) == [1, 9, 10, 100]
    assert levels(source) == [1, 9, 10, 100], "again and again"


def test_pictures_are_rgb(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((4, 4, 3), (0, 0, 255), np.uint8))  # BGR
    (frame,) = open_frames(tmp_path)
    assert frame[0, 0].tolist() == [255, 0, 0]


def test_a_picture_of_another_size(folder: Path) -> None:
    cv2.imwrite(str(folder / "frame50.png"), np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(VideoError, match=r"frame50\.png is 16x16, the pictures before it 24x16"):
        list(open_frames(folder))


def test_a_damaged_picture_and_an_empty_folder(folder: Path, tmp_path: Path) -> None:
    (folder / "frame11.png").write_bytes(b"no")
    with pytest.raises(VideoError, match=r"frame11\.png is not a picture"):
        list(open_frames(folder))
    (tmp_path / "empty").mkdir()
    with pytest.raises(VideoError, match="holds no picture"):
        open_frames(tmp_path / "empty")


def test_the_digest_of_a_folder(folder: Path) -> None:
    before = frames_sha256(folder)
    (folder / "notes.txt").write_text("changed")
    assert frames_sha256(folder) == before
    cv2.imwrite(str(folder / "frame9.png"), np.zeros((16, 24, 3), np.uint8))
    assert frames_sha256(folder) != before


def test_a_video(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    with VideoWriter(path, size=(16, 16), time_base=1 / RATE, rate=RATE, crf=0) as writer:
        for number, frame in enumerate(numbered(6)):
            writer.write(frame * np.uint8(30), number)
    source = open_frames(path)
    assert (source.size, source.rate, source.count) == ((16, 16), RATE, 6)
    assert np.abs(np.array(levels(source)) - 30 * np.arange(6)).max() <= 2


def test_chosen_frames() -> None:
    part = Chosen(numbered(20), 3, 12, 4)
    assert levels(part) == [3, 7, 11]
    assert part.rate == Fraction(25, 4)


def test_two_that_fit_are_left_alone() -> None:
    fake, real = numbered(5), numbered(5)
    pair = align(fake, real, protocol())
    assert (pair.fake, pair.real, pair.rate, pair.warnings) == (fake, real, RATE, ())


class TestLength:
    def test_is_refused(self) -> None:
        with pytest.raises(VideoError, match=r"clip of 5 has 5 frames, clip of 8 8.*--align trim"):
            align(numbered(5), numbered(8), protocol())

    @pytest.mark.parametrize("counts", [(5, 8), (8, 5)])
    def test_is_trimmed_at_the_end_and_said(self, counts: tuple[int, int]) -> None:
        pair = align(numbered(counts[0]), numbered(counts[1]), protocol(), ["trim"])
        assert levels(pair.fake) == levels(pair.real) == [0, 1, 2, 3, 4]
        assert "the last 3 of the longer one are left out" in pair.warnings[0]

    def test_nothing(self) -> None:
        with pytest.raises(VideoError, match="clip of 0 has no frame"):
            align(numbered(0), numbered(8), protocol(), ["trim"])


class TestSize:
    def test_is_refused(self) -> None:
        with pytest.raises(VideoError, match=r"is 16x16, clip of 5 32x32 \(--align resize"):
            align(numbered(5), numbered(5, (32, 32)), protocol())

    def test_the_true_frames_take_the_painted_size(self) -> None:
        pair = align(numbered(5), numbered(5, (32, 32)), protocol(), ["resize"])
        assert pair.real.size == pair.fake.size == (16, 16)
        assert "resampled to the painted size (area" in pair.warnings[0]

    def test_nothing_is_squashed(self) -> None:
        with pytest.raises(VideoError, match="would squash"):
            align(numbered(5), numbered(5, (32, 16)), protocol(), ["resize"])

    def test_the_protocols_size_is_for_both(self) -> None:
        pair = align(numbered(5), numbered(5, (32, 32)), protocol(size=[24, 24]))
        assert pair.real.size == pair.fake.size == (24, 24)
        assert next(iter(pair.fake)).shape == (24, 24, 3)

    def test_area_means_the_mean_of_what_is_covered(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), np.uint8)
        (small,) = Resized(ArrayFrames("noise", noise, RATE), (4, 4), "area")
        exact = noise[0].reshape(4, 2, 4, 2, 3).mean((1, 3))
        assert np.abs(small - exact).max() <= 0.51


class TestRate:
    def test_is_refused(self) -> None:
        with pytest.raises(VideoError, match="has 25 frames a second, clip of 5 24"):
            align(numbered(5), numbered(5, rate=Fraction(24)), protocol(), ["trim", "resize"])

    def test_film_rates_that_are_one(self) -> None:
        pair = align(numbered(5, rate=Fraction(30000, 1001)), numbered(5, rate=Fraction(30)), protocol())
        assert pair.rate == Fraction(30000, 1001)

    def test_of_a_folder_is_the_others(self) -> None:
        assert align(numbered(5, rate=None), numbered(5), protocol()).rate == RATE
        pair = align(numbered(5, rate=None), numbered(5, rate=None), protocol())
        assert pair.rate == RATE
        assert "25 frames a second are assumed" in pair.warnings[0]


def test_the_protocols_frames() -> None:
    pair = align(numbered(20), numbered(20), protocol(frames={"start": 2, "stop": 11, "every": 3}))
    assert levels(pair.fake) == levels(pair.real) == [2, 5, 8]
    assert pair.rate == RATE / 3
    with pytest.raises(UsageError, match=r"has 5 frames, protocol p looks at 2 to 11"):
        select(numbered(5), protocol(frames={"start": 2, "stop": 11}))


def test_an_unknown_alignment() -> None:
    with pytest.raises(UsageError, match=r"--align crop is unknown \(there are trim, resize\)"):
        align(numbered(5), numbered(5), protocol(), ["crop"])
