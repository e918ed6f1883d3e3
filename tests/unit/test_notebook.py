"""Results show themselves in a notebook, as HTML that needs nothing from outside."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from dancekit.data.coverage import Coverage
from dancekit.errors import DancekitError, OutputExists, UsageError
from dancekit.evaluate import Evaluation, Score, Variant
from dancekit.testing.examples import example_poses
from dancekit.training import TrainResult
from dancekit.transfer import TransferResult
from dancekit.types.notebook import LARGEST, facts_html, picture_html


def pictures(html: str) -> list[np.ndarray]:
    """The pictures of a text, decoded."""
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    assert len(found) == html.count("<img"), "a picture is not within the text"
    return [cv2.imdecode(np.frombuffer(base64.b64decode(each), np.uint8), cv2.IMREAD_COLOR) for each in found]


def test_pictures_are_in_the_html_and_exact() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    (shown,) = pictures(picture_html(picture))
    np.testing.assert_array_equal(shown[..., ::-1], picture)
    (small,) = pictures(picture_html(np.zeros((2 * LARGEST, 100, 3), np.uint8)))
    assert small.shape == (LARGEST, 50, 3)


def test_names_are_no_markup() -> None:
    html = facts_html("<b>", [("<script>", "a & b")])
    assert "<script>" not in html and "&lt;script&gt;" in html and "a &amp; b" in html


def test_poses_show_four_frames() -> None:
    poses = example_poses(cut=9, missing=True)
    html = poses._repr_html_()
    assert "blazepose_33@1" in html and "16 at 25 a second" in html and "15 frames" in html
    shown = pictures(html)
    assert len(shown) == 4
    np.testing.assert_array_equal(shown[0][..., ::-1], poses.plot(0))
    assert not pictures(poses[:0]._repr_html_())


def test_a_training_shows_its_curves_and_gives_its_dancer(tmp_path: Path) -> None:
    lines = [json.dumps({"step": step, "l1": 1 / (1 + step)}) for step in range(20)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "dancer.safetensors").write_bytes(b"weights")
    result = TrainResult(tmp_path, tmp_path / "dancer.safetensors", 20, False)
    assert result.plot().shape[2] == 3 and len(pictures(result._repr_html_())) == 1
    assert "20, stopped early" in result._repr_html_()
    kept = result.save(tmp_path / "kept" / "ava.safetensors")
    assert kept.read_bytes() == b"weights"
    with pytest.raises(OutputExists):
        result.save(kept)
    (tmp_path / "dancer.safetensors").write_bytes(b"better")
    assert result.save(kept, force=True).read_bytes() == b"better"
    (tmp_path / "dancer.safetensors").unlink()
    with pytest.raises(DancekitError, match="no file any more"):
        result.save(tmp_path / "other.safetensors")


def test_a_transfer_shows_a_frame(short_clips: dict[str, Path], tmp_path: Path) -> None:
    from dancekit.video import read_frames

    fitted = {"scale": 1.25, "rows": [1, 2]}
    coverage = Coverage.__new__(Coverage)
    result = TransferResult(short_clips["source"], tmp_path / "s.json", 25, 3, fitted, coverage)
    frames = [frame.rgb for frame in read_frames(short_clips["source"])]
    np.testing.assert_array_equal(result.plot(), frames[12])
    np.testing.assert_array_equal(result.plot(0), frames[0])
    html = result._repr_html_()
    assert "fitted: scale" in html and "1.25" in html and len(pictures(html)) == 1
    assert result.save(tmp_path / "copy.mp4").read_bytes() == short_clips["source"].read_bytes()
    with pytest.raises(UsageError, match="no frame 99"):
        result.plot(99)


def test_an_evaluation_shows_its_scores_and_is_kept(tmp_path: Path) -> None:
    per_frame = (30.0, None, 32.0)
    score = Score("psnr@1", "mask", 31.0, 30.0, 32.0, "dB", True, 2, per_frame)
    evaluation = Evaluation(
        protocol={"name": "self"},
        inputs={},
        frames=3,
        size=(64, 64),
        rate="25",
        variants=(Variant("result", "result", "result", (score,)),),
    )
    html = evaluation._repr_html_()
    assert "psnr (dB, higher is better)" in html and "self: 3 frames of 64x64" in html
    assert evaluation.plot().shape[2] == 3
    with pytest.raises(UsageError, match=r"no ssim frame by frame \(there is psnr\)"):
        evaluation.plot(metric="ssim")
    assert Evaluation.load(evaluation.save(tmp_path / "kept")) == evaluation
    with pytest.raises(OutputExists):
        evaluation.save(tmp_path / "kept")
