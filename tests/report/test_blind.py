"""The blind choice: fair trials, a page that tells nothing, answers that add up."""

from __future__ import annotations

import base64
import json
import random
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_evaluation import write

from dancekit.errors import DancekitError, OutputExists, UsageError
from dancekit.evaluate.report import sum_answers, write_blind
from dancekit.evaluate.report.blind import KIND, cut, plan
from dancekit.video import read_frames

RED, BLUE = (200, 40, 40), (40, 40, 200)


@given(st.integers(1, 500), st.integers(1, 40), st.floats(0.1, 5))
def test_segments_have_one_length_and_do_not_overlap(frames: int, clips: int, seconds: float) -> None:
    segments = cut(frames, 25.0, clips, seconds)
    assert 1 <= len(segments) <= clips
    assert len({segment.stop - segment.start for segment in segments}) == 1
    assert segments[0].start >= 0 and segments[-1].stop <= frames
    assert all(one.stop <= two.start for one, two in pairwise(segments))


@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 99))
def test_sides_are_balanced_and_no_clip_comes_twice_in_a_row(segments: int, clips: int, seed: int) -> None:
    trials = plan(segments, clips, random.Random(seed))
    assert len(trials) == clips
    assert abs(sum(1 if left else -1 for _, left in trials)) <= 1
    if segments > 1:
        assert all(one[0] != two[0] for one, two in pairwise(trials))


def test_the_seed_decides_the_sides() -> None:
    assert plan(8, 8, random.Random(1)) == plan(8, 8, random.Random(1))
    assert len({str(plan(8, 8, random.Random(seed))) for seed in range(5)}) == 5


def test_the_page_holds_clips_but_does_not_say_which_is_which(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.mp4", tint=RED), write(tmp_path / "b.mp4", tint=BLUE)
    write_blind(a, b, tmp_path / "blind.html", labels=("ours", "theirs"), clips=6, seconds=0.4, seed=1)
    text = (tmp_path / "blind.html").read_text("utf-8")
    assert not re.search(r"ours|theirs|a\.mp4|b\.mp4", text)
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    assert len(data["trials"]) == 6
    for number, trial in enumerate(data["trials"]):
        tints = []
        for side, key in enumerate(trial):
            path = tmp_path / f"{number}{side}.mp4"
            path.write_bytes(base64.b64decode(text.partition(f'id="video-{key}">')[2].partition("<")[0]))
            frames = list(read_frames(path))
            assert len(frames) == 12
            tints.append(frames[0].rgb[60:90].mean((0, 1)).argmax())
        assert set(tints) == {0, 2}, "one of each in every trial"


def test_videos_that_differ_are_refused(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.mp4"), write(tmp_path / "b.mp4", frames=39)
    with pytest.raises(UsageError, match="frames 40 and 39"):
        write_blind(a, b, tmp_path / "blind.html")
    with pytest.raises(UsageError, match="frame rate"):
        write_blind(a, write(tmp_path / "c.mp4", rate=Fraction(25)), tmp_path / "blind.html")
    with pytest.raises(UsageError, match="different labels"):
        write_blind(a, a, tmp_path / "blind.html", labels=("x", "x"))
    (tmp_path / "there.html").touch()
    with pytest.raises(OutputExists):
        write_blind(a, a, tmp_path / "there.html")
    assert not (tmp_path / "blind.html").exists()


def answers(path: Path, choices: str, session: str, study: str = "s") -> Path:
    sheet: dict[str, Any] = {
        "format": 1,
        "kind": KIND,
        "study": study,
        "session": session,
        "labels": {"a": "ours", "b": "theirs"},
        "answers": [{"chosen": choice} for choice in choices],
    }
    path.write_text(json.dumps(sheet))
    return path


def test_answers_of_several_people_add_up(tmp_path: Path) -> None:
    files = [answers(tmp_path / "1.json", "aaaab", "x"), answers(tmp_path / "2.json", "aaaaa", "y")]
    tally = sum_answers(files)
    assert (tally.a, tally.b, tally.people, tally.prefer_a, tally.prefer_b) == (9, 1, ((4, 1), (5, 0)), 2, 0)
    assert tally.p == pytest.approx(2 * (1 + 10) / 2**10)  # both tails: 0 or 1 of 10
    # Clopper and Pearson's upper end: P(at least 9 of 10) is 2.5 % there
    low = tally.low
    assert 10 * low**9 * (1 - low) + low**10 == pytest.approx(0.025, abs=1e-6)
    assert "ours was chosen 9 of 10 times" in tally.sentence()


def test_answers_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    one = answers(tmp_path / "1.json", "ab", "x")
    with pytest.raises(UsageError, match="another page"):
        sum_answers([one, answers(tmp_path / "2.json", "ab", "y", study="other")])
    with pytest.raises(UsageError, match="same answers"):
        sum_answers([one, answers(tmp_path / "3.json", "ab", "x")])
    with pytest.raises(UsageError, match="no answer yet"):
        sum_answers([answers(tmp_path / "4.json", "", "z")])
    with pytest.raises(UsageError, match="no answers to add up"):
        sum_answers([])
    (tmp_path / "5.json").write_text('{"kind": "else"}')
    with pytest.raises(DancekitError, match=r"5\.json is not a file of answers"):
        sum_answers([tmp_path / "5.json"])
    with pytest.raises(DancekitError, match=r"6\.json cannot be read"):
        sum_answers([tmp_path / "6.json"])
