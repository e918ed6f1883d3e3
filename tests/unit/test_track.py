from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.pose.track import GAP, PersonTracker, assemble, select_person
from dancekit.types import Detections, get_skeleton

SKELETON = get_skeleton("coco_17")
K = len(SKELETON)
SHAPE = np.random.default_rng(5).uniform(-0.5, 0.5, (K, 2)) * (0.5, 1.0)
"""A body of height 1: joints around its centre."""


def person(x: float, y: float, height: float, frame: int = 0, phase: float = 0.0) -> np.ndarray:
    """(K, 2) of a dancing person."""
    dance = 0.04 * np.sin(0.4 * frame + phase + np.arange(K * 2).reshape(K, 2))
    return ((SHAPE + dance) * height + (x, y)).astype(np.float32)


def detections(*people: np.ndarray, mask: bool = False) -> Detections:
    if not people:
        return Detections.nobody(K)
    xy = np.stack(people)
    box = np.concatenate([np.nanmin(xy, 1), np.nanmax(xy, 1)], -1)
    score = np.isfinite(xy).all(-1).astype(np.float32)
    masks = np.stack([np.full((4, 6), n + 1, np.uint8) for n in range(len(xy))]) if mask else None
    return Detections(xy, score, box, masks)


def stream(clip: list[Detections], **options) -> list[int | None]:
    tracker = PersonTracker(**options)
    return [tracker.update(people) for people in clip]


BOTH = pytest.mark.parametrize("follow", [stream, select_person], ids=["stream", "offline"])


def shuffled(clip: list[list[np.ndarray]], seed: int) -> tuple[list[Detections], list[list[int]]]:
    """People of each frame in random order; `place[t][p]` is where person p went."""
    rng = np.random.default_rng(seed)
    found, place = [], []
    for people in clip:
        order = rng.permutation(len(people))
        found.append(detections(*[people[n] for n in order]))
        place.append([int(np.flatnonzero(order == n)[0]) for n in range(len(people))])
    return found, place


@BOTH
def test_largest_of_two_in_any_order(follow) -> None:
    clip = [[person(100, 200, 100, t), person(300, 200, 160, t, 1)] for t in range(60)]
    for seed in range(5):
        found, place = shuffled(clip, seed)
        assert follow(found) == [p[1] for p in place]


@BOTH
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), speed=st.floats(3, 12), offset=st.floats(-20, 20))
def test_two_dancers_cross(follow, seed: int, speed: float, offset: float) -> None:
    """They pass through one another: velocity and pose keep them apart."""
    clip = [
        [person(100 + speed * t, 200, 170, t), person(100 + speed * (59 - t), 200 + offset, 150, t, 2.5)]
        for t in range(60)
    ]
    found, place = shuffled(clip, seed)
    assert follow(found) == [p[0] for p in place]


@BOTH
def test_a_closer_passer_by_is_not_taken(follow) -> None:
    """Somebody twice as large walks through between camera and dancer, who is hidden for 10 frames."""
    clip, truth = [], []
    for t in range(150):
        dancer, other = person(300, 200, 160, t), person(-150 + 10 * (t - 40), 220, 300, t, 1)
        passing, hidden = 40 <= t < 100, 80 <= t < 90
        people = [*([other] if passing else []), *([] if hidden else [dancer])]
        clip.append(detections(*people))
        truth.append(None if hidden else len(people) - 1)
    assert follow(clip) == truth


@BOTH
def test_short_gap_and_long_absence(follow) -> None:
    hidden = {*range(20, 20 + GAP - 1), *range(80, 80 + 3 * GAP)}
    clip = [
        # comes back elsewhere after the long absence
        detections() if t in hidden else detections(person(200 if t < 80 else 450, 200, 150, t))
        for t in range(240)
    ]
    assert follow(clip) == [None if t in hidden else 0 for t in range(240)]


@BOTH
def test_who_was_beside_them_is_not_mistaken_for_them(follow) -> None:
    """The dancer leaves for a while (longer than the gap); the one who stays stays unfollowed."""
    away = range(60, 60 + GAP + 20)
    clip = [
        detections(person(100, 200, 100, t, 1), *([] if t in away else [person(300, 200, 180, t)]))
        for t in range(200)
    ]
    assert follow(clip) == [None if t in away else 1 for t in range(200)]


@BOTH
def test_a_false_alarm_at_the_start(follow) -> None:
    """A large thing taken for a person for one frame; from the third frame on the person is followed."""
    clip = [
        detections(*([person(500, 200, 200)] if t == 0 else []), person(200, 200, 150, t)) for t in range(90)
    ]
    assert follow(clip)[2:] == [0] * 88


def test_who_left_for_good_is_replaced() -> None:
    clip = [
        detections(person(100, 200, 100, t, 1), *([person(300, 200, 180, t)] if t < 30 else []))
        for t in range(300)
    ]
    followed = stream(clip)
    assert followed[:30] == [1] * 30 and followed[30:60] == [None] * 30 and followed[-1] == 0
    # offline sees it all: the one who was there longest in sum is the person from the start
    assert select_person(clip) == [0] * 300


def test_nobody() -> None:
    assert stream([detections()] * 3) == [None] * 3
    assert select_person([detections()] * 3) == [None] * 3
    assert select_person([]) == []


@BOTH
def test_missing_joints_and_no_common_joint(follow) -> None:
    one, two = person(200, 200, 150), person(201, 200, 150)
    one[: K // 2], two[K // 2 :] = np.nan, np.nan
    clip = [detections(one), detections(two)]
    box = np.array([[150, 100, 250, 300]], np.float32)
    clip = [Detections(people.xy, people.score, box) for people in clip]
    other = Detections(np.full((1, K, 2), np.nan, np.float32), np.zeros((1, K), np.float32), box + 2)
    assert follow([*clip, other]) == [0, 0, 0]


@BOTH
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_detections_are_survived_and_deterministic(follow, data: st.DataObject) -> None:
    number = st.floats(-1000, 1000, width=32)
    clip = []
    for people in data.draw(st.lists(st.integers(0, 3), max_size=8)):
        box = data.draw(st.lists(st.tuples(*[number] * 4), min_size=people, max_size=people))
        xy = np.full((people, K, 2), data.draw(number | st.just(float("nan"))), np.float32)
        score = np.isfinite(xy).all(-1).astype(np.float32)
        clip.append(Detections(xy, score, np.array(box, np.float32).reshape(people, 4)))
    found = follow(clip)
    assert len(found) == len(clip)
    assert all(p is None or 0 <= p < len(d) for p, d in zip(found, clip, strict=True))
    assert found == follow(clip)


def test_assemble() -> None:
    clip = [
        detections(person(100, 200, 100, t), person(300, 200, 160, t), mask=True) if t != 3 else detections()
        for t in range(6)
    ]
    pts = [0, 1, 2, 4, 5, 9]
    poses, masks = assemble(clip, pts, Fraction(1, 30), (640, 360), SKELETON)
    np.testing.assert_array_equal(poses.xy[4], clip[4].xy[1])
    assert np.isnan(poses.xy[3]).all() and (poses.score[3] == 0).all()
    assert poses.pts.tolist() == pts and poses.size == (640, 360) and poses.skeleton is SKELETON
    assert masks[3] is None and all((masks[t] == 2).all() for t in (0, 1, 2, 4, 5))

    poses, masks = assemble(clip, pts, Fraction(1, 30), (640, 360), SKELETON, chosen=[0, None, 0, None, 0, 0])
    np.testing.assert_array_equal(poses.xy[0], clip[0].xy[0])
    assert masks[1] is None and not poses.found[1] and (masks[0] == 1).all()

    without = [detections(person(1, 2, 3))]
    assert assemble(without, [0], Fraction(1, 30), (6, 4), SKELETON)[1] == [None]
    with pytest.raises(ValueError, match="6 detections, 5 pts"):
        assemble(clip, pts[:5], Fraction(1, 30), (640, 360), SKELETON)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="largest"):
        PersonTracker(choice="smallest")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="gap at least 1"):
        PersonTracker(gap=0)
    with pytest.raises(ValueError, match="largest"):
        select_person([], choice="smallest")  # type: ignore[arg-type]
