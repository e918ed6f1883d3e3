import numpy as np

from dancekit.data.masks import MaskTrack
from dancekit.types import Window


def disc(width, height, centre, radius):
    y, x = np.mgrid[:height, :width]
    return np.where((x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2, 255, 0).astype(np.uint8)


def test_masks_come_back(tmp_path):
    track = MaskTrack((300, 200))
    masks = [disc(300, 200, (150, 100), 60), None, disc(300, 200, (40, 50), 20)]
    for mask in masks:
        track.append(mask)
    np.savez(tmp_path / "m.npz", **track.arrays())
    again = MaskTrack.load(tmp_path / "m.npz")
    assert len(again) == 3
    assert again.size == (300, 200)
    for number, mask in enumerate(masks):
        np.testing.assert_array_equal(again[number], np.zeros((200, 300)) if mask is None else mask)


def test_large_masks_are_kept_smaller_and_land_in_the_right_place():
    track = MaskTrack((1920, 1080))
    track.append(disc(1920, 1080, (900, 500), 200))
    assert max(track.stored) <= 512
    full = track.in_frame(0) > 127
    rows, columns = np.nonzero(full)
    assert full.shape == (1080, 1920)
    assert abs(columns.mean() - 900) < 1.5
    assert abs(rows.mean() - 500) < 1.5
    assert abs(full.sum() / (np.pi * 200**2) - 1) < 0.02
    window = Window(left=600, top=200, scale=2.5, size=(256, 256), frame_size=(1920, 1080))
    rows, columns = np.nonzero(track.in_window(0, window) > 127)
    expected = window.to_window(np.array([900.0, 500.0]))
    np.testing.assert_allclose([columns.mean(), rows.mean()], expected, atol=0.7)
