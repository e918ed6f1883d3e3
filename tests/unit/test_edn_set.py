"""Training on the original's pictures: what a clip of them holds, and where its pixels are."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dancekit.data import edn_set
from dancekit.data.edn import canvas_frame, label_frame
from dancekit.data.edn_folder import read_boxes, write_box
from dancekit.data.edn_import import import_edn
from dancekit.data.framing import crop, letterbox, paste
from dancekit.errors import DancekitError, UsageError
from dancekit.faces.edn_boxes import edn_face_boxes
from dancekit.types import Window, get_skeleton
from dancekit.types.canvas import CANVAS, LABEL, Letterbox, from_canvas

FRAMES, SIZE = 5, (64, 32)


@pytest.fixture
def imported(tmp_path: Path) -> tuple[Path, list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(0)
    labels, frames = ([rng.integers(0, 256, (32, 64, 3), np.uint8) for _ in range(FRAMES)] for _ in range(2))
    root = tmp_path / "data"
    for name, pictures in (("label", labels), ("img", frames)):
        (root / f"train_{name}").mkdir(parents=True)
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(root / f"train_{name}" / f"{number}.png")
    (root / "train_facetexts128").mkdir()
    for number in range(FRAMES):
        box = np.array([number, 2, number + 8, 10])
        (root / "train_facetexts128" / f"{number}.txt").write_text(write_box(box))
    import_edn(root, tmp_path / "set", rate=Fraction(25))
    return tmp_path / "set", labels, frames


def test_a_clip_is_the_files_pixel_for_pixel(imported):
    folder, labels, frames = imported
    data = edn_set.load(folder)
    assert len(data) == FRAMES and data.starts(2).tolist() == [0, 1, 2, 3]  # the last one has no successor
    clip = data.clip(1, 2)
    assert np.array_equal((clip.condition.permute(0, 2, 3, 1).numpy() * 255).round(), labels[1:3])
    assert np.array_equal(((clip.images.permute(0, 2, 3, 1).numpy() + 1) * 127.5).round(), frames[1:3])
    assert (clip.boxes + 0.5).tolist() == [[1, 2, 9, 10], [2, 2, 10, 10]]
    assert clip.mask.min() >= 0 and clip.mask.max() == 1 and not data.target.found.any()
    assert clip.plate.shape == (1, 3, 32, 64) and data.target.time_base == Fraction(1, 25)


def test_half_the_size_as_the_original_reads_it(imported, tmp_path):
    """edn.md 1.4: labels by the nearest pixel, frames bicubic; boxes go along (the original forgets them)."""
    folder, labels, frames = imported
    data = edn_set.attach(folder, tmp_path / "run", (32, 16))
    for number in range(FRAMES):
        small = Image.fromarray(labels[number]).resize((32, 16), Image.Resampling.NEAREST)
        assert np.array_equal(data.labels[number], small)
        small = Image.fromarray(frames[number]).resize((32, 16), Image.Resampling.BICUBIC)
        assert np.array_equal(data.frames[number], small)
    assert (data.boxes[3] + 0.5).tolist() == [1.5, 1, 5.5, 5]
    assert data.window.scales == (60, 67.5)


def test_a_folder_that_is_no_set(tmp_path):
    with pytest.raises(UsageError, match="no imported training set"):
        edn_set.read_manifest(tmp_path)
    (tmp_path / "edn.json").write_text("{")
    with pytest.raises(DancekitError, match="damaged"):
        edn_set.read_manifest(tmp_path)
    (tmp_path / "edn.json").write_text('{"format": "dancekit.edn@7"}')
    with pytest.raises(DancekitError, match=r"format .dancekit"):
        edn_set.read_manifest(tmp_path)


def test_boxes_there_and_back(tmp_path):
    body = get_skeleton("body_23")
    xy = np.random.default_rng(0).uniform(0, 1000, (4, 23, 2))
    boxes = edn_face_boxes(xy, np.ones((4, 23)), body)
    for number, box in enumerate(boxes):
        (tmp_path / f"{number}.txt").write_text(write_box(box))
    read = read_boxes(tuple(tmp_path / f"{number}.txt" for number in range(4)))
    assert np.array_equal(read + 0.5, boxes)


# ---- geometry ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (500, 500)])
def test_frames_are_placed_where_their_keypoints_go(size):
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    x, y = size[0] // 3, size[1] // 4
    frame[y - 3 : y + 4, x - 3 : x + 4] = 255
    placed = canvas_frame(frame)
    assert placed.shape == (1080, 1920, 3)
    rows, columns = np.nonzero(placed[..., 0] > 127)
    assert np.allclose([columns.mean(), rows.mean()], Letterbox.around(size)(np.array([x, y])), atol=0.6)
    assert label_frame(placed).shape == (512, 1024, 3)
    whole = np.zeros((1080, 1920, 3), np.uint8)
    assert canvas_frame(whole) is whole


@given(st.floats(-500, 2500), st.floats(-500, 1500), st.sampled_from([LABEL, (512, 256), (256, 256)]))
def test_a_squashed_window_and_the_canvas_agree(x, y, size):
    window = Window.squashed(CANVAS, size)
    point = np.array([[x, y]])
    assert np.allclose(window.to_window(point), from_canvas(point, size), atol=1e-3)
    assert np.allclose(window.to_frame(window.to_window(point)), point, atol=1e-3)
    assert np.allclose(window.matrix @ [x, y, 1], window.to_window(point)[0], atol=1e-3)
    assert Window.from_json(window.to_json()) == window


def test_a_squashed_window_is_cut_out_and_put_back():
    ramp = np.tile(np.linspace(40, 200, 1920).astype(np.uint8)[None, :, None], (1080, 1, 3))
    window = Window.squashed(CANVAS, LABEL)
    small = crop(ramp, window)
    assert small.shape == (512, 1024, 3) and np.abs(small[100, :, 0] - np.linspace(40, 200, 1024)).max() < 2
    back = paste(np.zeros_like(ramp), small, window)
    assert np.abs(back.astype(int) - ramp).max() <= 2
    assert letterbox(small, window) is small


def test_a_plain_window_says_nothing_of_a_second_scale():
    assert "scale_y" not in Window.full((10, 10)).to_json()
