"""One-Euro, outlier rejection, and what is said of filters, against planted jitter, lag and spikes."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from dancekit.contracts import Filter
from dancekit.errors import UsageError
from dancekit.filters.gaps import FillGaps
from dancekit.filters.one_euro import OneEuro
from dancekit.filters.outliers import Outliers
from dancekit.filters.report import compare_filtered
from dancekit.filters.savgol import SavitzkyGolay
from dancekit.types import PoseSequence, get_skeleton

WHOLE = get_skeleton("wholebody_133")
COCO = get_skeleton("coco_17")


def sway(frames=200, *, skeleton=COCO, noise=0.0, speed=1.0, rate=25, seed=0) -> PoseSequence:
    """Joints that swing, each at its own pace, on a body 300 px tall."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames) / rate
    rest = np.stack([np.full(len(skeleton), 256.0), np.linspace(100, 400, len(skeleton))], -1)
    pace = np.linspace(0.3, 1.0, len(skeleton)) * speed
    swing = 40 * np.sin(2 * math.pi * pace * time[:, None])
    xy = rest + np.stack([swing, 0.3 * swing], -1) + rng.normal(0, 1, (frames, len(skeleton), 2)) * noise
    return PoseSequence(
        xy=xy,
        score=np.ones(xy.shape[:2]),
        pts=np.arange(frames),
        time_base=Fraction(1, rate),
        size=(512, 512),
        skeleton=skeleton,
    )


def one_euro_of_a_number(values, times, *, cutoff, beta, derivative):
    """The paper's listing for one coordinate: the oracle."""
    out, speed = [values[0]], 0.0
    for value, before, after in zip(values[1:], times[:-1], times[1:], strict=True):
        step = after - before

        def gain(frequency, step=step):
            tau = 1 / (2 * math.pi * frequency)
            return 1 / (1 + tau / step)

        change = (value - out[-1]) / step
        speed = gain(derivative) * change + (1 - gain(derivative)) * speed
        part = gain(cutoff + beta * abs(speed))
        out.append(part * value + (1 - part) * out[-1])
    return np.array(out)


class TestOneEuro:
    def test_it_is_the_papers_listing_with_real_time_steps(self):
        poses = sway(noise=2)
        pts = np.cumsum(np.random.default_rng(1).integers(1, 4, len(poses)))  # a variable frame rate
        poses = poses.replace(pts=pts)
        smooth = OneEuro(cutoff=1.5, beta=12.0, derivative=0.8)(poses)
        expected = one_euro_of_a_number(
            poses.xy[:, 5, 0].astype(float) / 512, poses.seconds, cutoff=1.5, beta=12.0, derivative=0.8
        )
        assert np.allclose(smooth.xy[:, 5, 0], 512 * expected, atol=1e-3)
        assert np.array_equal(smooth.score, poses.score)
        assert isinstance(OneEuro(), Filter)

    def test_it_is_causal(self):
        poses = sway(noise=2)
        assert np.array_equal(OneEuro()(poses).xy[:90], OneEuro()(poses[:90]).xy)

    def test_a_joint_starts_anew_behind_a_gap(self):
        poses = sway(noise=2)
        score = poses.score.copy()
        score[50:60, 3] = 0
        smooth = OneEuro()(poses.replace(score=score))
        assert np.array_equal(smooth.xy[60, 3], poses.xy[60, 3])
        assert np.isnan(smooth.xy[50:60, 3]).all()
        assert np.array_equal(smooth.xy[60:, 3], OneEuro()(poses[60:]).xy[:, 3])

    def test_strength_of_parts(self):
        poses = sway(60, skeleton=WHOLE, noise=2)
        smooth = OneEuro(strength={"face": 0.0, "left_hand": 4.0})(poses)
        plain = OneEuro()(poses)
        parts = {name: list(joints) for name, joints in WHOLE.parts.items()}
        assert np.array_equal(smooth.xy[:, parts["face"]], poses.xy[:, parts["face"]])
        assert np.array_equal(smooth.xy[:, parts["body"]], plain.xy[:, parts["body"]])

        def jitter(clip):
            return np.abs(np.diff(clip.xy[:, parts["left_hand"]], 2, axis=0)).mean()

        assert jitter(smooth) < 0.7 * jitter(plain)

    @pytest.mark.parametrize("strength", [{"tail": 1.0}, {"face": -1.0}])
    def test_wrong_strengths_are_refused(self, strength):
        with pytest.raises(UsageError, match="strength"):
            OneEuro(strength=strength)


class TestOutliers:
    def test_planted_spikes_are_found_and_nothing_else(self):
        poses = sway(noise=0.7)
        rng = np.random.default_rng(3)
        spikes = np.zeros(poses.score.shape, bool)
        for joint in range(len(COCO)):
            spikes[rng.choice(np.arange(3, 197), 4, replace=False), joint] = True
        xy = poses.xy + spikes[..., None] * np.array([70.0, -50.0], np.float32)
        cleaned = Outliers()(poses.replace(xy=xy))
        assert (~cleaned.valid[spikes]).mean() > 0.97
        assert cleaned.valid[~spikes].mean() > 0.995
        filled = FillGaps()(cleaned)
        assert np.abs(filled.xy - poses.xy)[spikes].max() < 12

    def test_fast_dancing_is_no_outlier(self):
        fast = sway(noise=0.7, speed=3.0)  # 3 swings a second: up to 30 px a frame
        assert Outliers()(fast).valid.all()

    def test_a_clip_without_jitter_keeps_everything(self):
        assert Outliers()(sway()).valid.all()
        still = sway(speed=0.0)
        assert np.array_equal(Outliers()(still).xy, still.xy)

    def test_nobody(self):
        poses = sway(30)
        assert not Outliers()(poses.replace(score=np.zeros_like(poses.score))).valid.any()


class TestReport:
    def test_a_shift_in_time_is_the_lag(self):
        poses = sway(noise=0.3)
        late = poses.replace(xy=np.concatenate([poses.xy[:1].repeat(3, 0), poses.xy[:-3]]))
        assert compare_filtered(poses, late).lag == pytest.approx(3 / 25, abs=0.2 / 25)
        assert compare_filtered(late, poses).lag == pytest.approx(-3 / 25, abs=0.2 / 25)

    def test_a_filter_without_lag_has_none_and_a_causal_one_has(self):
        poses = sway(noise=1)
        assert abs(compare_filtered(poses, SavitzkyGolay()(poses)).lag) < 0.002
        assert 0.005 < compare_filtered(poses, OneEuro(cutoff=1, beta=2)(poses)).lag < 0.2

    def test_jitter_and_accents(self):
        noisy, clean = sway(noise=1.0), sway()
        report = compare_filtered(noisy, clean)
        assert report.jitter_removed > 0.5
        # a second difference of white noise has sqrt(6) times its deviation; its length's median is 1.1774 of it
        extent = np.median(np.ptp(noisy.xy[..., 1], axis=1))
        assert report.jitter_before == pytest.approx(1.1774 * math.sqrt(6) / extent, rel=0.1)
        middle = clean.xy.mean(0)
        slower = clean.replace(xy=middle + 0.8 * (clean.xy - middle))
        assert compare_filtered(clean, slower).accents_lost == pytest.approx(0.2, abs=0.01)

    def test_filled_and_rejected_joints_are_counted(self):
        poses = sway(100)
        score = poses.score.copy()
        score[10:15, 2] = 0
        holed = poses.replace(score=score)
        assert compare_filtered(holed, FillGaps()(holed)).filled == pytest.approx(5 / 1700)
        assert compare_filtered(poses, holed).rejected == pytest.approx(5 / 1700)
        assert set(compare_filtered(poses, holed).as_json()) >= {"lag", "jitter_removed", "accents_lost"}

    def test_nobody_and_one_frame_are_no_error(self):
        one = sway(1)
        assert compare_filtered(one, one).lag == 0
        empty = one.replace(score=np.zeros_like(one.score))
        assert compare_filtered(empty, empty).jitter_before == 0

    def test_other_frames_are_refused(self):
        with pytest.raises(ValueError, match="shapes"):
            compare_filtered(sway(10), sway(11))
