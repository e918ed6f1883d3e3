import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dancekit.data.framing import clean_plate, crop, letterbox, paste
from dancekit.types import Window


def smooth_picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = rng.integers(40, 215, (height // 16 + 2, width // 16 + 2, 3)).astype(np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


@given(
    left=st.floats(-50, 200),
    top=st.floats(-50, 200),
    scale=st.floats(0.3, 4),
    x=st.floats(-500, 500),
    y=st.floats(-500, 500),
)
def test_there_and_back(left, top, scale, x, y):
    window = Window(left=left, top=top, scale=scale, size=(64, 96), frame_size=(320, 240))
    point = np.array([[x, y]])
    np.testing.assert_allclose(window.to_frame(window.to_window(point)), point, atol=1e-2)
    by_matrix = window.matrix @ np.array([x, y, 1.0])
    np.testing.assert_allclose(window.to_window(point)[0], by_matrix, atol=1e-2)


@given(
    x=st.tuples(st.floats(0, 639), st.floats(0, 639)),
    y=st.tuples(st.floats(0, 359), st.floats(0, 359)),
    size=st.sampled_from([(64, 64), (128, 64), (64, 128)]),
)
def test_a_window_around_a_track_holds_it_and_is_never_squashed(x, y, size):
    track = np.array([[x[0], y[0]], [x[1], y[1]], [np.nan, np.nan]])
    if max(abs(x[0] - x[1]), abs(y[0] - y[1])) < 8:
        return
    window = Window.around(track, size=size, frame_size=(640, 360))
    inside = window.to_window(track[:2])
    assert (inside >= -0.51).all()
    assert (inside <= np.array(size) - 0.49).all()
    extent = np.array(size) * window.scale
    corner = np.array([window.left, window.top])
    fits = extent <= (640, 360)
    assert (corner[fits] >= -1e-6).all()
    assert ((corner + extent)[fits] <= np.array([640, 360])[fits] + 1e-6).all()


def test_a_track_without_keypoints_is_refused():
    with pytest.raises(ValueError, match="no keypoint"):
        Window.around(np.full((4, 2), np.nan), size=(64, 64), frame_size=(100, 100))


@pytest.mark.parametrize("scale", [0.5, 0.83, 1.0, 1.6, 2.5])
def test_cropped_pixels_are_where_the_keypoints_say(scale):
    """A bright blob at a known frame position is found at `to_window` of that position."""
    frame = np.zeros((240, 320, 3), np.uint8)
    centre = np.array([163.3, 118.7])
    y, x = np.mgrid[:240, :320]
    sigma = 5.0 * scale
    frame[...] = (255 * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * sigma**2)))[..., None]
    left, top = centre - 33.4 * scale
    window = Window(left=left, top=top, scale=scale, size=(64, 64), frame_size=(320, 240))
    piece = crop(frame, window)[..., 0].astype(float)
    v, u = np.mgrid[:64, :64]
    found = np.array([(u * piece).sum(), (v * piece).sum()]) / piece.sum()
    np.testing.assert_allclose(found, window.to_window(centre), atol=0.12)


@pytest.mark.parametrize(
    ("left", "top", "scale"), [(60.0, 40.0, 1.5), (0.0, 0.0, 2.0), (-20.0, 10.0, 2.2), (33.3, 21.7, 0.8)]
)
def test_what_was_cut_out_goes_back_without_a_seam(left, top, scale):
    frame = smooth_picture(320, 240)
    window = Window(left=left, top=top, scale=scale, size=(96, 96), frame_size=(320, 240))
    back = paste(frame, crop(frame, window), window)
    assert back.shape == frame.shape
    assert np.abs(back.astype(int) - frame).max() <= 14  # resampling, no edge
    assert np.abs(back.astype(int) - frame).mean() < 1.0


def test_a_window_of_another_brightness_fades_out_at_its_border():
    """No step between neighbouring pixels is larger than the soft border allows."""
    plate = np.full((240, 320, 3), 100, np.uint8)
    window = Window(left=80, top=60, scale=1.0, size=(120, 120), frame_size=(320, 240))
    result = paste(plate, np.full((120, 120, 3), 140, np.uint8), window).astype(int)
    assert result[120, 140, 0] == 140
    assert result[20, 20, 0] == 100
    assert np.abs(np.diff(result[..., 0], axis=0)).max() <= 10
    assert np.abs(np.diff(result[..., 0], axis=1)).max() <= 10


def test_the_clean_plate_is_what_is_behind_the_person():
    background = smooth_picture(160, 120, 1)
    frames, masks = [], []
    for step in range(12):
        frame, mask = background.copy(), np.zeros((120, 160), np.uint8)
        left = 10 + 9 * step
        frame[30:110, left : left + 30] = (250, 10, 10)
        mask[30:110, left : left + 30] = 255
        frames.append(frame)
        masks.append(mask)
    np.testing.assert_array_equal(clean_plate(frames, masks), background)


def test_what_is_always_covered_is_filled_from_around():
    frame = np.full((60, 80, 3), 90, np.uint8)
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 30:50] = 255
    frame[20:40, 30:50] = 255
    plate = clean_plate([frame] * 3, [mask] * 3)
    assert np.abs(plate.astype(int) - 90).max() <= 5


def test_beyond_the_frame_it_is_black():
    """A square window of a portrait clip is letterboxed, never squashed."""
    frame = np.full((300, 100, 3), 200, np.uint8)
    window = Window.around(np.array([[20.0, 10], [80, 290]]), size=(64, 64), frame_size=(100, 300))
    piece = letterbox(crop(frame, window), window)
    assert piece[32, 32, 0] == 200
    assert piece[32, 2, 0] == piece[32, 61, 0] == 0
