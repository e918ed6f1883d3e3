"""The shipped dancer, against the shipped truth and baselines that need no training."""

from dataclasses import replace

import numpy as np
import pytest

from dancekit.convolutions import has_winograd
from dancekit.demo import DANCER, SOURCE, TARGET, TRUTH, TRUTH_MASKS, baseline_scores
from dancekit.evaluate import Truth, score_frames
from dancekit.resources import data_path
from dancekit.transfer import Dancer
from dancekit.weights.header import file_sha256


@pytest.fixture(scope="module")
def dancer():
    """Computed the faster way, a quarter off a minute; that it gives torch's pictures is seen below."""
    return Dancer.load(data_path(DANCER), device="cpu", runner="winograd" if has_winograd() else "torch")


@pytest.fixture(scope="module")
def truth(dancer):
    return Truth.load(data_path(TRUTH), data_path(TRUTH_MASKS), dancer.info.window)


@pytest.fixture(scope="module")
def moved(dancer):
    return dancer.retarget(dancer.poses_of(data_path(SOURCE)))[0]


@pytest.fixture(scope="module")
def baselines(dancer, moved, truth):
    scores = baseline_scores(dancer, moved, truth)
    return max(score.psnr_mask for score in scores.values())


def test_it_beats_both_baselines_by_three_decibels_and_is_sharp(dancer, moved, truth, baselines):
    """Over all frames: how near a training frame comes differs from move to move."""
    score = score_frames(np.stack(list(dancer.paint(moved))), truth)
    assert score.psnr_mask >= baselines + 3
    assert 0.7 <= score.sharpness <= 1.2


def test_torch_paints_the_same(dancer, moved):
    plain = Dancer.load(data_path(DANCER), device="cpu")
    assert plain.painter.network_name == "torch"
    one, other = (np.stack(list(each.paint(moved[:6]))).astype(int) for each in (plain, dancer))
    assert np.abs(one - other).max() <= 1


def test_untrained_weights_fall_below_the_baselines(dancer, moved, truth, baselines):
    import torch

    from dancekit.build import build_painting
    from dancekit.data.framing import crop
    from dancekit.model import Painter

    torch.manual_seed(0)
    parts = build_painting(dancer.info.recipe, dancer.target.skeleton)
    window = dancer.info.window
    painter = Painter(parts, dancer.target.skeleton, crop(dancer.plate, window), "cpu")
    few = moved[:10]
    painted = np.stack(list(painter.paint(window.to_window(few.xy), few.score)))
    score = score_frames(painted, replace(truth, frames=truth.frames[:10], masks=truth.masks[:10]))
    assert score.psnr_mask < baselines


def test_another_motion_moves_the_pixels_of_the_person(dancer, moved):
    """The same dance mirrored: the picture follows the poses, so it is not one clip learnt by heart."""
    width = moved.size[0]
    mirrored = moved.xy[:8, dancer.target.skeleton.mirror].copy()
    mirrored[..., 0] = width - 1 - mirrored[..., 0]
    other = moved[:8].replace(xy=mirrored, score=moved.score[:8, dancer.target.skeleton.mirror])
    one, two = (np.stack(list(dancer.paint(p))).astype(int) for p in (moved[:8], other))
    assert (np.abs(one - two).max(-1) > 40).mean() > 0.02


def test_training_never_read_the_truth(dancer):
    inputs = dancer.info.training["inputs"]
    assert inputs == {"target": file_sha256(data_path(TARGET))}
    assert file_sha256(data_path(TRUTH)) not in inputs.values()
    assert file_sha256(data_path(SOURCE)) not in inputs.values()
