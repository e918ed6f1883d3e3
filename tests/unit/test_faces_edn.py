"""The original's face refiner: boxes by its golden numbers, crops and pastes without resampling."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dancekit.build import create
from dancekit.errors import IncompatibleParts
from dancekit.types import get_skeleton

SKELETON = get_skeleton("body_25")


def face(size=(1024, 512), **given):
    return create("face", "edn", ngf=2, n_blocks=1, condition_channels=3, size=size, **given)


def seen(**joints):
    """One frame of 1920x1080 in the pixels of 1024x512."""
    xy, score = np.full((1, 25, 2), np.nan, np.float32), np.zeros((1, 25), np.float32)
    for name, (x, y) in joints.items():
        xy[0, SKELETON.index(name)] = (x + 0.5) * 1024 / 1920 - 0.5, (y + 0.5) * 512 / 1080 - 0.5
        score[0, SKELETON.index(name)] = 1
    return xy, score


@pytest.mark.parametrize(
    ("nose", "box"),
    [
        ((960, 200), (30, 158, 447, 575)),
        ((10, 10), (0, 128, 0, 128)),
        ((1915, 1075), (384, 512, 896, 1024)),
        ((1065.937, 159.441), (11, 139, 504, 632)),
    ],
)
def test_boxes_are_those_of_the_original(nose, box):
    """The golden numbers of ../shared/reference/edn.md 2.1: top, bottom, left, right."""
    found = face().boxes(*seen(nose=nose), SKELETON)
    top, bottom, left, right = box
    assert (found[0] + 0.5).tolist() == [left, top, right, bottom]


def test_ears_stand_in_for_the_nose_and_nothing_is_no_box():
    refiner = face()
    both = refiner.boxes(*seen(left_ear=(1000, 200), right_ear=(920, 200)), SKELETON)
    assert (both[0] + 0.5).tolist() == [447, 30, 575, 158]
    one = refiner.boxes(*seen(left_ear=(960, 200)), SKELETON)
    assert np.array_equal(one, both)
    assert np.isnan(refiner.boxes(*seen(neck=(960, 200)), SKELETON)).all()


@pytest.mark.parametrize("network", ["global", "unet"])
@pytest.mark.parametrize("clamp", [True, False])
def test_the_residual_is_added_inside_the_box_only(network, clamp):
    torch.manual_seed(0)
    refiner = face((96, 80), network=network, crop_size=32, clamp=clamp).eval()
    image, condition = torch.rand(3, 3, 80, 96) * 2 - 1, torch.rand(3, 3, 80, 96)
    boxes = torch.tensor([[10, 20, 42, 52], [64, 48, 96, 80], [float("nan")] * 4]) - 0.5
    with torch.no_grad():
        crops = torch.stack(
            [
                torch.cat([condition, image], 1)[0, :, 20:52, 10:42],
                torch.cat([condition, image], 1)[1, :, 48:, 64:],
            ]
        )
        residual = refiner.model(crops)
        got = refiner(image, condition, boxes)
    true = image.clone()
    true[0, :, 20:52, 10:42] += residual[0]
    true[1, :, 48:, 64:] += residual[1]
    if clamp:
        true[:2] = true[:2].clamp(-1, 1)
    torch.testing.assert_close(got, true, rtol=0, atol=1e-5)
    crop = refiner.crop(image, boxes)
    assert torch.equal(crop[0], image[0, :, 20:52, 10:42]) and not crop[2].any()


def test_what_does_not_fit():
    with pytest.raises(IncompatibleParts, match="larger than the image, 64x96"):
        face((64, 96))
    with pytest.raises(IncompatibleParts, match="no multiple of 32"):
        face(network="unet", crop_size=48)
