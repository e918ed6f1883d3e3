"""Where the report cuts out close-ups of the face and the hands."""

from fractions import Fraction

import numpy as np
import pytest

from dancekit.evaluate.regions import boxes_to_look_at
from dancekit.resources import data_path
from dancekit.types import PoseSequence, get_skeleton


@pytest.fixture(scope="module")
def poses() -> PoseSequence:
    """The truth's exact keypoints: a head of about 50 pixels of 512, at a quarter of the size far below 48."""
    with np.load(data_path("zoo/samples/truth.npz"), allow_pickle=False) as data:
        xy = data["keypoints"][:6, :17].astype(np.float32) / 4
    return PoseSequence(
        xy=xy, score=np.ones(xy.shape[:2], np.float32), pts=np.arange(6), time_base=Fraction(1, 25),
        size=(128, 128), skeleton=get_skeleton("coco_17"),
    )  # fmt: skip


def test_small_heads_and_hands_are_cut_out_too(poses):
    boxes = boxes_to_look_at(poses)
    assert set(boxes) == {"face", "left hand", "right hand"}
    for t, (x, y, w, h) in enumerate(boxes["face"]):
        nose = poses.xy[t, poses.skeleton.index("nose")]
        assert w > 0 and h > 0 and x < nose[0] < x + w and y < nose[1] < y + h


def test_who_is_not_seen_has_no_close_up(poses):
    gone = poses.replace(xy=np.where(np.arange(6)[:, None, None] == 2, np.nan, poses.xy).astype(np.float32),
                         score=np.where(np.arange(6)[:, None] == 2, 0, poses.score).astype(np.float32))  # fmt: skip
    face = boxes_to_look_at(gone)["face"]
    assert face[2] is None and face[1] is not None
    assert boxes_to_look_at(None) == {}
