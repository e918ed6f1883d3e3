"""Exact truth of a renderer: its joints translated into a detector's, learnt on other frames; masks in the window."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import dancekit.evaluate.truth as truth_module
from dancekit.errors import PoseError
from dancekit.evaluate.truth import ExactTruth
from dancekit.types import PoseSequence, Window, get_skeleton

T = 120
COCO = get_skeleton("coco_17")
BLAZE = get_skeleton("blazepose_33")


@pytest.fixture
def truth(tmp_path: Path) -> ExactTruth:
    """Seventeen joints that dance: a few slow oscillations mixed into all coordinates."""
    rng = np.random.default_rng(0)
    time = np.arange(T)[:, None] / 25
    waves = np.sin(2 * np.pi * time * np.array([0.3, 0.5, 0.8, 1.1]) + np.array([0, 1, 2, 3]))
    rest = rng.uniform(100, 300, (17, 2))
    keypoints = rest + (waves @ rng.normal(0, 15, (4, 34))).reshape(T, 17, 2)
    masks = np.zeros((T, 64, 80), bool)
    masks[:, 10:30, 20:50] = True
    path = tmp_path / "truth.npz"
    np.savez(
        path,
        keypoints=keypoints.astype(np.float32),
        visibility=np.full((T, 17), 2, np.uint8),
        names=np.array(COCO.joints),
        mask_bits=np.packbits(masks, axis=2),
    )
    return ExactTruth.load(path)


def detections(truth: ExactTruth, noise: float, seed: int = 1) -> PoseSequence:
    """A detector of 33 joints whose definitions differ by an offset that turns with the pose, and that errs."""
    rng = np.random.default_rng(seed)
    xy = np.full((T, 33, 2), np.nan, np.float32)
    turn = (truth.keypoints[:, 5] - truth.keypoints[:, 6]) / 10
    for number, joint in enumerate(BLAZE.joints):
        anchor = COCO.joints.index(joint) if joint in COCO else number % 17
        xy[:, number] = truth.keypoints[:, anchor] + (5, -8) + turn + rng.normal(0, noise, (T, 2))
    return PoseSequence(
        xy=xy,
        score=np.ones((T, 33), np.float32),
        pts=np.arange(T),
        time_base=Fraction(1, 25),
        size=(512, 512),
        skeleton=BLAZE,
    )


def test_another_definition_is_no_error(truth: ExactTruth) -> None:
    detected = detections(truth, noise=0)
    poses, remarks = truth.poses(detected)
    assert poses.skeleton == BLAZE
    assert np.abs(poses.xy - detected.xy).max() < 0.5, "joints that the truth lacks, too"
    assert "0.0 px are left" in remarks[0] or "0.1 px are left" in remarks[0]


def test_errors_stay_errors(truth: ExactTruth) -> None:
    """What the detector does wrong at random is not translated away: the poses come out nearer to the truth."""
    clean, noisy = detections(truth, noise=0), detections(truth, noise=6)
    poses, _ = truth.poses(noisy)
    left = np.linalg.norm(poses.xy - noisy.xy, axis=-1).mean()
    wrong = np.linalg.norm(poses.xy - clean.xy, axis=-1).mean()
    error = np.linalg.norm(noisy.xy - clean.xy, axis=-1).mean()
    assert left > 0.9 * error
    assert wrong < 0.45 * error


def test_a_frames_own_detection_never_enters_its_pose(
    truth: ExactTruth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(truth_module, "RIDGES", (1.0,))  # its share in the choice of the weight apart
    detected = detections(truth, noise=0)
    moved = detected.xy.copy()
    moved[3] += 50
    one, other = truth.poses(detected)[0], truth.poses(detected.replace(xy=moved))[0]
    np.testing.assert_array_equal(one.xy[:20], other.xy[:20])  # frame 3 lies in the first of five parts
    assert np.abs(one.xy[30:] - other.xy[30:]).max() > 0.001, "it does teach the others"


def test_joints_that_are_lost_now_and_then(truth: ExactTruth) -> None:
    detected = detections(truth, noise=1)
    score = detected.score.copy()
    score[::2, 15], score[:, 32] = 0, 0
    poses, _ = truth.poses(detected.replace(score=score))
    assert poses.valid[:, 15].all(), "the truth knows where it is when the detector does not"
    assert not poses.valid[:, 32].any(), "nobody knows what the detector means by it"


def test_fingers_have_the_names_of_the_21_point_hand(tmp_path: Path) -> None:
    names = ["nose", "left_thumb_1", "left_thumb_tip", "right_index_1", "left_hand_wrist", "right_pinky_tip"]
    np.savez(
        tmp_path / "t.npz",
        keypoints=np.zeros((3, 6, 2), np.float32),
        visibility=np.ones((3, 6), np.uint8),
        names=np.array(names),
    )
    truth = ExactTruth.load(tmp_path / "t.npz")
    assert truth.names == (
        "nose",
        "left_hand_1",
        "left_hand_4",
        "right_hand_5",
        "left_hand_0",
        "right_hand_20",
    )
    assert truth.mask(0, (80, 64)) is None


def test_masks_in_the_window(truth: ExactTruth) -> None:
    assert truth.mask(0, (80, 64)).sum() == 20 * 30
    window = Window(left=16, top=8, scale=2.0, size=(16, 12), frame_size=(80, 64))
    mask = truth.mask(0, (80, 64), window)
    assert mask.shape == (12, 16)
    expected = np.zeros((12, 16), bool)
    expected[1:11, 2:16] = True
    assert (mask != expected).sum() <= 14, "but for the edge, which the coarser grid cannot hold"


def test_what_does_not_belong_together(truth: ExactTruth, tmp_path: Path) -> None:
    with pytest.raises(PoseError, match=r"truth\.npz has 120 frames, its video 50"):
        truth.poses(detections(truth, 0)[:50])
    with pytest.raises(PoseError, match="does not exist"):
        ExactTruth.load(tmp_path / "no.npz")
    np.savez(tmp_path / "other.npz", xy=np.zeros(3))
    with pytest.raises(PoseError, match=r"other\.npz is no ground truth"):
        ExactTruth.load(tmp_path / "other.npz")


def test_the_shipped_truth(root: Path) -> None:
    truth = ExactTruth.load(root / "zoo" / "samples" / "truth.npz")
    assert (len(truth), len(truth.names)) == (200, 23)
    assert truth.mask(0, (512, 512)).mean() > 0.02
