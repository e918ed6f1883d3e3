"""The dances that ship: what the index says of them is true, and they are dances."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from dancekit.errors import ChecksumError, DancekitError
from dancekit.types import PoseSequence
from dancekit.zoo import motions as library
from dancekit.zoo.motions import find_motion, list_motions


@pytest.mark.parametrize("motion", list_motions(), ids=lambda motion: motion.id)
def test_a_dance_is_what_its_entry_says(motion):
    content = motion.path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == motion.sha256 and len(content) == motion.bytes < 120_000
    poses = PoseSequence.load(motion.path)
    assert (len(poses), poses.skeleton.id) == (motion.frames, motion.skeleton)
    assert poses.rate == pytest.approx(motion.rate)
    assert poses.valid.all()
    width, height = poses.size
    assert (poses.xy >= 0).all() and (poses.xy < [width, height]).all()
    index = poses.skeleton.joints.index
    body = poses.xy[:, index("left_ankle"), 1] - poses.xy[:, index("nose"), 1]
    assert body.max() > 0.12 * height  # upright at some time, and large enough to be seen
    assert np.ptp(poses.xy[:, index("left_wrist")], axis=0).min() > 0.05 * height


def test_every_licence_is_allowed_and_who_must_be_named_is():
    for motion in list_motions():
        assert motion.licence in ("Apache-2.0", "CC-BY-4.0")
        if motion.licence == "CC-BY-4.0":
            assert all(word in motion.credit for word in ("Google LLC", "CC BY 4.0", "ICCV 2021", "Changed:"))
    notice = list_motions()[0].path.with_name("NOTICE.md").read_text()
    assert "Google LLC" in notice and "Attribution 4.0" in notice


def test_nothing_lies_beside_the_index_that_it_does_not_name():
    listed = {motion.path.name for motion in list_motions()}
    there = {path.name for path in list_motions()[0].path.parent.glob("*.npz")}
    assert listed == there and len(listed) >= 8


def test_a_dance_is_found_by_name_and_only_if_it_is_the_one_that_shipped(tmp_path, monkeypatch):
    assert find_motion("pop_116") == next(m.path for m in list_motions() if m.id == "pop_116")
    assert find_motion("waltz") is None
    spoilt = tmp_path / "index.json"
    original = json.loads(list_motions()[0].path.with_name("index.json").read_text())
    first = original["motions"][0]
    (tmp_path / first["file"]).write_bytes(b"something else")
    spoilt.write_text(json.dumps(original))
    monkeypatch.setattr(library, "data_path", lambda _: spoilt)
    with pytest.raises(ChecksumError, match="expected"):
        find_motion(first["id"])
    spoilt.write_text('{"motions": [{"id": "x"}]}')
    with pytest.raises(DancekitError, match="damaged"):
        list_motions()


def test_a_source_that_is_no_file_may_be_a_dance(tmp_path, monkeypatch):
    from dancekit.cli.transfer import _find_source

    monkeypatch.chdir(tmp_path)
    assert _find_source(Path("pop_116")).name == "pop_116.npz"
    assert _find_source(Path("pop_116.mp4")) == Path("pop_116.mp4")  # a video that is missing stays missing
    (tmp_path / "pop_116").touch()
    assert _find_source(Path("pop_116")) == Path("pop_116")  # a file goes first
