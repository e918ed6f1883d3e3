"""Retargeting on line: the same numbers as off line, frozen or following, without jumps; what it says if it cannot."""

from __future__ import annotations

from concurrent.futures import Future
from fractions import Fraction

import numpy as np
import pytest
from make_dancer import dance

from dancekit.errors import PoseError
from dancekit.live.calibration import FADE, FIRST, Calibration
from dancekit.normalizers.affine import Affine
from dancekit.normalizers.bones import Bones
from dancekit.normalizers.global_linear import GlobalLinear
from dancekit.types import PoseSequence, get_skeleton

TARGET = dance((512, 512))[:200]


def filmed(scale: float = 0.5, shift: tuple[float, float] = (90.0, 60.0)) -> PoseSequence:
    """The target's own dance by somebody of another size at another place: the right answer is known."""
    return TARGET.replace(xy=TARGET.xy * np.float32(scale) + np.float32(shift), size=(640, 480))


def play(calibration: Calibration, poses: PoseSequence) -> list[PoseSequence | None]:
    return [calibration(poses[number : number + 1]) for number in range(len(poses))]


def without(poses: PoseSequence, words: tuple[str, ...], frames: slice) -> PoseSequence:
    score = poses.score.copy()
    for joint, name in enumerate(poses.skeleton.joints):
        if any(word in name for word in words):
            score[frames, joint] = 0
    return poses.replace(score=score)


FEET = ("ankle", "heel", "foot")


@pytest.mark.parametrize(
    "normalizer", [GlobalLinear(ankle="lower"), Affine()], ids=["global_linear", "affine"]
)
def test_it_ends_at_what_was_fitted_to_the_first_seconds(normalizer) -> None:
    """Oracle: the same normalizer, given those seconds as a clip."""
    source, calibration = filmed(), Calibration(normalizer, TARGET, seconds=3.0, threads=False)
    moved = play(calibration, source)
    assert calibration.done
    assert calibration.progress == 1
    whole = normalizer.fit(source[:76], TARGET)  # 3 s, and the frame that ends them
    assert calibration.fitted == whole
    late = 76 + round(FADE * 25) + 1
    expected = normalizer.apply(whole, source)
    for number in (late, 150, 199):
        assert np.allclose(moved[number].xy[0], expected.xy[number], atol=1e-3, equal_nan=True)
        assert moved[number].size == TARGET.size
        assert moved[number].pts[0] == source.pts[number]
    # and that is where the target was: about, from three seconds of another part of the dance
    away = np.linalg.norm(np.stack([each.xy[0] for each in moved[late:]]) - TARGET.xy[late:], axis=-1)
    assert np.nanmedian(away) < 0.05 * 250


def test_nothing_before_the_first_second_and_a_picture_from_then_on() -> None:
    calibration = Calibration(GlobalLinear(), TARGET, seconds=5.0, threads=False)
    moved = play(calibration, filmed()[:60])
    assert [number for number, each in enumerate(moved) if each is None] == list(range(round(25 * FIRST)))
    assert not calibration.done
    assert 0.4 < calibration.progress < 0.5


class Steps:
    """A normalizer whose n-th fit moves everything by 100 n pixels."""

    version = 1

    def __init__(self) -> None:
        self.fits: list[float] = []

    def fit(self, source: PoseSequence, target: PoseSequence) -> dict[str, float]:
        self.fits.append(float(source.seconds[-1] - source.seconds[0]))
        return {"shift": 100.0 * len(self.fits)}

    def apply(self, fitted: dict[str, float], poses: PoseSequence) -> PoseSequence:
        return poses.replace(xy=poses.xy + np.float32(fitted["shift"]))


def still(frames: int) -> PoseSequence:
    skeleton = get_skeleton("coco_17")
    return PoseSequence(
        xy=np.zeros((frames, 17, 2)),
        score=np.ones((frames, 17)),
        pts=np.arange(frames),
        time_base=Fraction(1, 25),
        size=(640, 480),
        skeleton=skeleton,
    )


def places(moved: list[PoseSequence | None]) -> np.ndarray:
    return np.array([np.nan if each is None else each.xy[0, 0, 0] for each in moved])


@pytest.mark.parametrize(("seconds", "fits"), [(5.0, [1, 2, 4, 5]), (2.4, [1, 2, 2.4])])
def test_one_fit_gives_way_to_the_next_without_a_jump(seconds: float, fits: list[float]) -> None:
    steps = Steps()
    at = places(play(Calibration(steps, still(1), seconds=seconds, threads=False), still(250)))
    assert steps.fits == pytest.approx(fits)
    assert at[25] == 100
    assert at[-1] == 100 * len(fits)
    assert np.nanmax(np.abs(np.diff(at))) <= 100 / (25 * FADE) + 1e-3
    assert (np.diff(at[25:]) >= 0).all()


def test_frozen_or_following() -> None:
    frozen, following = Steps(), Steps()
    play(Calibration(frozen, still(1), seconds=2.0, threads=False), still(1000))
    assert len(frozen.fits) == 2
    play(Calibration(following, still(1), seconds=2.0, adapt=10.0, threads=False), still(1000))
    assert len(following.fits) == 2 + (40 - 2) // 5
    assert following.fits[-1] == pytest.approx(10, abs=0.05)  # what is older is forgotten


def test_time_without_anybody_does_not_count() -> None:
    steps, poses = Steps(), still(300)
    calibration = Calibration(steps, still(1), seconds=2.0, threads=False)
    seen = [*range(20), *range(250, 275)]
    for number in seen:
        calibration(poses[number : number + 1])
    assert steps.fits[0] == pytest.approx((250 + 6 - 0) / 25)  # 19 frames before the gap, six after it
    assert calibration.progress < 1


def test_somebody_who_walks_to_their_place_is_told_and_then_measured() -> None:
    """As in front of a laptop: first a face, then a whole body."""
    poses = without(filmed(), FEET, slice(0, 90))
    calibration = Calibration(GlobalLinear(), TARGET, seconds=2.0, threads=False)
    assert not any(play(calibration, poses[:90]))
    assert "ankle" in calibration.trouble
    assert calibration.fitted is None
    moved = play(calibration, poses[90:])
    assert calibration.done
    assert not calibration.trouble
    assert moved[-1] is not None
    assert sum(each is None for each in moved) <= 2 * 25 * FIRST


def test_feet_may_leave_the_picture_afterwards() -> None:
    whole, calibration = filmed(), Calibration(GlobalLinear(), TARGET, seconds=2.0, threads=False)
    cut = without(whole, FEET, slice(120, 200))
    moved = play(calibration, cut)
    assert all(each is not None for each in moved[60:])
    assert "ankle" in calibration.trouble
    expected = GlobalLinear().apply(calibration.fitted, whole)
    nose = whole.skeleton.index("nose")
    assert np.linalg.norm(moved[125].xy[0, nose] - expected.xy[125, nose]) < 25  # of 250


def test_again() -> None:
    calibration = Calibration(GlobalLinear(), TARGET, seconds=2.0, threads=False)
    play(calibration, filmed())
    before = calibration.fitted
    calibration.restart()
    assert calibration.fitted is None
    assert not calibration.done
    other = filmed(scale=0.8)
    other = other.replace(pts=other.pts + 1000)
    play(calibration, other)
    assert calibration.fitted["c_far"] == pytest.approx(before["c_far"] * 0.5 / 0.8, rel=1e-4)


def test_a_fit_beside_the_frames_is_taken_over_when_it_is_ready() -> None:
    calibration = Calibration(GlobalLinear(), TARGET, seconds=2.0, threads=True)
    waiting: list[Future] = []

    class Pool:
        def submit(self, work) -> Future:
            waiting.append(Future())
            waiting[-1].work = work
            return waiting[-1]

        def shutdown(self, **_: object) -> None:
            pass

    calibration.close()
    calibration._pool = Pool()
    poses = filmed()
    assert not any(play(calibration, poses[:40]))
    assert len(waiting) == 1
    waiting[0].set_result(waiting[0].work())
    assert calibration(poses[40:41]) is not None
    waiting.clear()
    assert play(calibration, poses[41:60])[-1] is not None
    waiting[0].set_exception(PoseError("too little"))
    assert calibration(poses[60:61]) is not None  # the first one still does
    calibration.close()


def test_how_far_live_retargeting_is_from_that_of_the_whole_clip() -> None:
    """`bones` sees what is to come, and holds feet by it: live it does not, and stays near."""
    source = filmed()
    whole = Bones()
    offline = whole.apply(whole.fit(source, TARGET), source)
    live = play(Calibration(Bones(lock=0.0), TARGET, seconds=3.0, threads=False), source)
    away = [np.nanmean(np.linalg.norm(live[n].xy[0] - offline.xy[n], axis=-1)) for n in range(110, 200)]
    assert np.median(away) < 0.04 * 250
