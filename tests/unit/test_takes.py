"""Several clips of one target as one: in order, exact in time, and no pair of frames across the join."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import make_video as mv
import numpy as np
import pytest
from make_dancer import dance

from dancekit.cli.train import read_ranges
from dancekit.data.poses import Span
from dancekit.data.takes import GAP, Take, join_takes
from dancekit.data.training_set import BESIDE_JUMP, TrainingSet
from dancekit.errors import UsageError, VideoError
from dancekit.types import Window
from dancekit.video import probe, read_frames


def test_frames_and_times_of_all_takes_in_order(tmp_path: Path) -> None:
    one = mv.write_frames(tmp_path / "one.mp4", mv.moving(20))
    two = mv.write_frames(tmp_path / "two.mp4", mv.moving(10), pts=[5 + n for n in range(10)])
    takes = [
        Take(one, Span(Fraction(2, 5), Fraction(3, 5))),
        Take(two),
        Take(one, Span(None, Fraction(1, 5))),
    ]
    out = join_takes(takes, tmp_path / "all.mp4")
    frames = list(read_frames(out))
    assert [mv.number_of(frame.rgb) for frame in frames] == [*range(10, 15), *range(10), *range(5)]
    base = probe(out).time_base
    times = [frame.pts * base for frame in frames]
    step = Fraction(1, 25)
    starts = (0, 4 * step + GAP, 4 * step + GAP + 9 * step + GAP)
    assert times == [s + n * step for s, count in zip(starts, (5, 10, 5), strict=True) for n in range(count)]
    # the same takes: kept; others: made again; somebody else's file: never
    before = out.stat().st_mtime_ns
    join_takes(takes, out)
    assert out.stat().st_mtime_ns == before
    join_takes(takes[:2], out)
    assert len(list(read_frames(out))) == 15
    with pytest.raises(UsageError, match="is in the way"):
        join_takes(takes, one)


def test_takes_that_do_not_fit_together(tmp_path: Path) -> None:
    one = mv.write_frames(tmp_path / "one.mp4", mv.moving(5))
    wide = mv.write_frames(tmp_path / "wide.mp4", mv.moving(5, 80, 48))
    fast = mv.write_frames(tmp_path / "fast.mp4", mv.moving(5), rate=Fraction(30), time_base=Fraction(1, 30))
    for other, words in ((wide, "is 80x48.*one camera in one place"), (fast, "has 30 frames a second")):
        with pytest.raises(UsageError, match=words):
            join_takes([Take(one), Take(other)], tmp_path / "all.mp4")
    with pytest.raises(VideoError, match="has no frame from 9 s to the end"):
        join_takes([Take(one, Span(Fraction(9)))], tmp_path / "all.mp4")
    assert not (tmp_path / "all.mp4").exists()


def test_no_clip_of_training_crosses_a_join() -> None:
    target = dance((160, 120))[:60]
    pts = np.arange(60) + np.where(np.arange(60) >= 30, 75, 0)  # 3 s at 25 fps
    window = Window.full((8, 8))
    frames, plate = np.zeros((60, 8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)
    whole = TrainingSet(
        frames=frames,
        masks=frames[..., 0],
        target=target.replace(pts=np.arange(60)),
        window=window,
        plate=plate,
    )
    joined = replace(whole, target=target.replace(pts=pts, time_base=Fraction(1, 25)))
    whole = replace(whole, target=target.replace(pts=np.arange(60), time_base=Fraction(1, 25)))
    assert whole.starts(2).tolist() == list(range(59))
    left, right = 30 - BESIDE_JUMP, 30 + BESIDE_JUMP
    assert joined.starts(2).tolist() == [*range(left - 1), *range(right, 59)]


def test_ranges_belong_to_targets_in_order() -> None:
    a, b = Path("a.mp4"), Path("b.mp4")
    assert read_ranges([a], []) == []
    assert read_ranges([a], ["1-2", "5-"]) == [(a, "1-2"), (a, "5-")]
    assert read_ranges([a, b], []) == [(a, "-"), (b, "-")]
    assert read_ranges([a, b], ["-", "3-4"]) == [(a, "-"), (b, "3-4")]
    with pytest.raises(UsageError, match="2 targets and 1 ranges"):
        read_ranges([a, b], ["1-2"])
