"""Every renderer trains, resumes its preview, and transfers: channels are asked of the renderer everywhere."""

import cv2
import pytest

import dancekit
from dancekit.config import load_recipe
from dancekit.video import probe


@pytest.mark.usefixtures("poses_known")
@pytest.mark.parametrize(
    "changes",
    [
        [
            "renderer=limbs",
            "renderer.confidence=true",
            "augmentations=[{name: drop_limbs, params: {p: 0.5}}]",
        ],
        ["renderer=heatmaps", "temporal=single"],
    ],
)
def test_trains_and_transfers(short_clips, tmp_path, changes):
    run = tmp_path / "run"
    quick = ["train.steps=6", "train.preview_every=6", "train.checkpoint_every=6"]
    dancekit.train(short_clips["target"], load_recipe("tiny", [*changes, *quick]), out=run, device="cpu")
    (preview,) = (run / "previews").glob("*.png")
    condition = cv2.imread(str(preview))[:64]
    assert len({tuple(pixel) for pixel in condition.reshape(-1, 3).tolist()}) > 50  # not black, not grey
    dancer = dancekit.Dancer.load(run / "dancer.safetensors", device="cpu")
    assert dancer.painter.parts.renderer.spec.channels > 3
    dancer.transfer(short_clips["source"], tmp_path / "out.mp4")
    assert probe(tmp_path / "out.mp4").frames == probe(short_clips["source"]).frames
