"""Who measures the poses of the paper's tables, and what is said where it drew the sticks, too."""

from __future__ import annotations

import pytest

from dancekit.evaluate.detectors import choose_detector
from dancekit.evaluate.protocols import load_protocol


@pytest.mark.parametrize(
    ("drew", "said"),
    [
        (
            "blazepose",
            "measured by blazepose_holistic, which finds the body as blazepose does, which drew the sticks",
        ),
        ("blazepose_holistic", "measured by blazepose_holistic, which also drew the sticks"),
        ("rtmlib", ""),
        (None, "whether it drew the sticks of the painted video is not known"),
    ],
)
def test_hands_and_face_are_measured_without_a_download(drew: str | None, said: str) -> None:
    """The body's networks are one and the same in both backends of ours, so the remark belongs to both."""
    found = choose_detector(load_protocol("edn-v1"), drew=drew, device="cpu")
    assert found.component.name == "blazepose_holistic"
    assert {"face", "left_hand"} <= set(found.backend.spec.skeleton.parts)
    assert (said in found.remark) if said else not found.remark
