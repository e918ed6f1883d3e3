"""What of a dance is within what was filmed: planted poses, the limit by brute force, the choice by definition."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.data import coverage as module
from dancekit.data.coverage import Coverage, PoseRange, poses_to_film
from dancekit.errors import IncompatibleParts
from dancekit.types import PoseSequence, get_skeleton

SKELETON = get_skeleton("coco_17")


def sequence(xy: np.ndarray, skeleton=SKELETON) -> PoseSequence:
    return PoseSequence(
        xy=np.asarray(xy, np.float32),
        score=np.ones(np.shape(xy)[:2]),
        pts=np.arange(len(xy)),
        time_base=Fraction(1, 25),
        size=(500, 500),
        skeleton=skeleton,
    )


def dance(frames: int = 300, seed: int = 0) -> np.ndarray:
    """A figure of 200 pixels whose joints swing, each at a pace of its own."""
    rng = np.random.default_rng(seed)
    rest = rng.uniform(150, 350, (1, 17, 2))
    t = np.arange(frames)[:, None, None]
    return rest + 30 * np.sin(t * rng.uniform(0.05, 0.2, (1, 17, 2)) + rng.uniform(0, 6, (1, 17, 2)))


def test_planted_poses_are_found_and_the_rest_is_within():
    filmed = dance()
    query = filmed[50:150] + np.random.default_rng(1).normal(0, 1, (100, 17, 2))
    query[20:30] += 150  # where nobody ever stood
    query[60:70, [7, 9]] += 400  # an arm like never before
    found = PoseRange(sequence(filmed)).coverage(sequence(query))
    assert np.flatnonzero(found.outside).tolist() == [*range(60, 70)]
    assert np.flatnonzero(found.out_of_place)[:10].tolist() == [*range(20, 30)]
    assert found.share == 0.1
    assert found.distance[60:70].min() > found.limit > found.distance[:60].max()
    assert found.place[20:30].min() > found.place_limit > found.place[:20].max()
    told = found.to_json()
    assert told["outside"] == 0.1 and told["outside_frames"] == [*range(60, 70)]
    assert told["out_of_place_frames"][:10] == [*range(20, 30)]


def test_a_pose_elsewhere_is_the_same_pose_and_out_of_place():
    filmed = dance()
    found = PoseRange(sequence(filmed)).coverage(sequence(filmed[40:60] + np.array([200, -80])))
    assert found.distance.max() < 1e-3 and not found.outside.any()
    assert found.out_of_place.all() and found.share_out_of_place == 1
    # where the person was filmed, in any pose, is no new place
    other = dance(20, 9)
    other += filmed.mean((0, 1)) - other.mean(1, keepdims=True)
    assert not PoseRange(sequence(filmed)).coverage(sequence(other)).out_of_place.any()


def test_somebody_who_hardly_moves_is_not_out_of_place_at_once():
    rng = np.random.default_rng(0)
    filmed = dance()
    filmed -= filmed.mean(1, keepdims=True) - 250
    found = PoseRange(sequence(filmed + rng.normal(0, 0.1, filmed.shape)))
    assert found.place_limit == pytest.approx(0.05 * found.height)
    assert not found.coverage(sequence(filmed + 0.03 * found.height)).out_of_place.any()


def test_the_limit_and_the_distances_are_those_of_the_definition():
    filmed, query = dance(80, 2), dance(30, 3)
    found = PoseRange(sequence(filmed))

    def apart(a, b):
        away = np.float32(a) - np.float32(b)
        return np.linalg.norm(away - away.mean(0), axis=-1).mean()

    nearest = [
        min(apart(a, b) for m, b in enumerate(filmed) if abs(n - m) > 25) for n, a in enumerate(filmed)
    ]
    assert found.limit == pytest.approx(np.quantile(nearest, 0.99), rel=1e-4)
    wanted = [min(apart(a, b) for b in filmed) for a in query]
    assert found.coverage(sequence(query)).distance == pytest.approx(wanted, rel=1e-4)
    shifts = [min(np.linalg.norm((a - b).mean(0)) for b in filmed) for a in query]
    assert found.coverage(sequence(query)).place == pytest.approx(shifts, rel=1e-3)
    spans = np.ptp(np.float32(filmed)[..., 1], axis=1)
    assert found.height == pytest.approx(np.quantile(spans, 0.95), rel=1e-5)


def test_what_was_filmed_is_within_itself():
    filmed = sequence(dance())
    found = PoseRange(filmed).coverage(filmed)
    assert found.share == 0 and found.distance.max() == 0
    assert found.share_out_of_place == 0 and found.place.max() == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.floats(-1e3, 1e3), st.booleans())
def test_moving_and_scaling_both_changes_nothing(seed, scale, shift, gaps):
    rng = np.random.default_rng(seed)
    filmed, query = dance(60, seed), dance(20, seed + 1)
    if gaps:
        filmed[rng.random((60, 17)) < 0.3] = np.nan
        query[rng.random((20, 17)) < 0.3] = np.nan
    before = PoseRange(sequence(filmed)).coverage(sequence(query))
    after = PoseRange(sequence(filmed * scale + shift)).coverage(sequence(query * scale + shift))
    assert after.distance == pytest.approx(before.distance * scale, rel=1e-2, abs=1e-2, nan_ok=True)
    assert after.limit == pytest.approx(before.limit * scale, rel=1e-2, abs=1e-2)


def test_what_is_not_known_is_neither_in_nor_out():
    filmed = sequence(dance())
    query = dance(4, 5)
    query[1] = np.nan
    found = PoseRange(filmed).coverage(sequence(query))
    assert np.isnan(found.distance[1]) and not found.outside[1]
    assert found.to_json()["distance_px"][1] is None
    short = PoseRange(filmed[:20]).coverage(sequence(query))  # all of it is one moment
    assert np.isnan(short.limit) and np.isnan(short.share) and not short.outside.any()
    assert short.to_json()["outside"] is None
    nobody = PoseRange(sequence(np.full((30, 17, 2), np.nan))).coverage(sequence(query))
    assert np.isnan(nobody.distance).all() and np.isnan(nobody.height) and np.isnan(nobody.share)
    with pytest.raises(IncompatibleParts, match="body_25"):
        PoseRange(filmed).coverage(sequence(np.zeros((2, 25, 2)), get_skeleton("body_25")))


def test_long_clips_are_thinned_and_give_nearly_the_same(monkeypatch):
    filmed = sequence(dance(900, 1))
    query = sequence(dance(30, 2))
    whole = PoseRange(filmed).coverage(query)
    monkeypatch.setattr(module, "MOST_FILMED", 450)
    monkeypatch.setattr(module, "MOST_COMPARED", 200)
    thinned = PoseRange(filmed)
    assert len(thinned.filmed) == 450
    assert thinned.coverage(query).distance == pytest.approx(whole.distance, rel=0.1)
    assert thinned.coverage(query).limit == pytest.approx(whole.limit, rel=0.2)


def outside_of(points: np.ndarray, limit: float = 0.5) -> tuple[PoseSequence, Coverage]:
    """A pose a point of the plane, all of them outside."""
    xy = np.zeros((len(points), 17, 2))
    xy[:, 8:] = np.asarray(points, float)[:, None] * 17 / (2 * 8 * 9 / 17)  # as far apart as the points are
    return sequence(xy), told(np.full(len(xy), 99.0), limit)


def told(distance: np.ndarray, limit: float) -> Coverage:
    return Coverage(distance, limit, 100.0, np.zeros(len(distance)), 5.0)


def test_a_pose_of_each_cluster_is_chosen():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [100, 0], [0, 100]])
    points = np.concatenate([centre + rng.normal(0, 3, (30, 2)) for centre in centres])
    poses, coverage = outside_of(points)
    chosen = poses_to_film(poses, coverage, 3)
    assert [number // 30 for number in chosen] == [0, 1, 2]
    for number, cluster in zip(chosen, np.split(points, 3), strict=True):
        away = np.linalg.norm(cluster[:, None] - cluster[None], axis=-1).sum(1)
        assert number % 30 == away.argmin()  # its medoid
    wide = told(coverage.distance, 20.0)  # one a cluster is enough, though six may be chosen
    assert len(poses_to_film(poses, wide, 6)) == 3
    assert len(poses_to_film(poses, told(coverage.distance, 500.0), 6)) == 0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_choice_is_nearly_the_best_there_is(seed):
    points = np.random.default_rng(seed).uniform(0, 100, (9, 2))
    poses, coverage = outside_of(points)
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    best = min(distance[list(three)].min(0).sum() for three in itertools.combinations(range(9), 3))
    chosen = poses_to_film(poses, coverage, 3)
    assert len(set(chosen)) == 3 and chosen == sorted(chosen)
    assert distance[chosen].min(0).sum() <= 1.6 * best
    assert chosen == poses_to_film(poses, coverage, 3)


def test_only_poses_outside_are_chosen_and_incomparable_ones_do_no_harm():
    poses, coverage = outside_of(np.random.default_rng(1).uniform(0, 100, (40, 2)))
    distance = np.array(coverage.distance)
    distance[::2] = 0.0
    assert all(number % 2 for number in poses_to_film(poses, told(distance, 0.5)))
    assert poses_to_film(poses, told(np.zeros(40), 0.5)) == []
    xy = np.array(poses.xy)
    xy[:20, :9], xy[20:, 8:] = np.nan, np.nan  # two halves without a joint in common but one
    assert 2 <= len(poses_to_film(poses.replace(xy=xy), coverage)) <= 6
