"""The person in a whole picture, against planted truth: a person, a plate and a matte that are known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from make_dancer import texture
from numpy.typing import NDArray

from dancekit.backgrounds.painted import Painted
from dancekit.data.framing import crop
from dancekit.errors import UsageError
from dancekit.transfer.background import check_background, choose_composer, cover, place_in_source
from dancekit.transfer.composite import Fit, MattedPerson, PastedWindow, WindowView, solid
from dancekit.transfer.montage import Montage
from dancekit.types import PoseSequence, Window, get_skeleton

FRAME = (270, 480)
WINDOW = Window(left=30.0, top=60.0, scale=3.0, size=(64, 96), frame_size=FRAME)
STAY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def disc(size: tuple[int, int], centre: tuple[float, float], radius: float) -> NDArray[np.float32]:
    """(H, W) antialiased cover of a disc."""
    y, x = np.mgrid[: size[1], : size[0]]
    return np.clip(radius + 0.5 - np.hypot(x - centre[0], y - centre[1]), 0, 1).astype(np.float32)


def planted(
    plate: NDArray[np.uint8], matte_of_person: float = 1.0
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """Window image and matte as a generator gives them, and the cover and colours of the truth in the frame.

    With a matte below 1 the generator's own colours make up for it, so that the image is the same.
    """
    centre, radius = (130.0, 210.0), 60.0
    truth = disc(FRAME, centre, radius)
    in_window = WINDOW.to_window(np.array(centre))
    small = disc(WINDOW.size, (float(in_window[0]), float(in_window[1])), radius / WINDOW.scale)
    colour = np.float32([40, 160, 90])
    window_plate = crop(plate, WINDOW).astype(np.float32)
    image = window_plate + small[..., None] * (colour - window_plate)
    matte = small * matte_of_person
    return (
        np.rint(image).astype(np.uint8),
        np.rint(matte * 255).astype(np.uint8),
        truth,
        np.broadcast_to(colour, (FRAME[1], FRAME[0], 3)),
    )


def composer(
    plate: NDArray[np.uint8], background: NDArray[np.uint8] | None, *, size: tuple[int, int] | None = None
) -> MattedPerson:
    return MattedPerson(
        WINDOW, crop(plate, WINDOW), background, matrix=STAY, inner=FRAME, size=size, name="test"
    )


@pytest.mark.parametrize("matte", [1.0, 0.8])
@pytest.mark.parametrize("behind", ["plate", "other", "black"])
def test_outside_the_person_nothing_is_touched_and_inside_it_is_the_person(behind: str, matte: float) -> None:
    """With a matte of 0.8 nothing shines through either."""
    plate = texture(FRAME)
    background = {"plate": plate, "other": texture(FRAME, 1), "black": np.zeros_like(plate)}[behind]
    image, mask, truth, colour = planted(plate, matte)
    got = composer(plate, background)(image, mask)
    assert got.shape == (FRAME[1], FRAME[0], 3)
    far = cv2.dilate(truth, np.ones((13, 13))) == 0
    assert np.array_equal(got[far], background[far])
    deep = cv2.erode(truth, np.ones((13, 13))) == 1
    assert np.abs(got[deep].astype(float) - colour[deep]).max() <= 3
    wanted = background + truth[..., None] * (colour - background)
    assert np.abs(got - wanted).mean() < 1.0


def test_the_plates_own_sharpness_stays_up_to_the_person(tmp_path: Path) -> None:
    """What `paste` does, and what a seam is: the window's coarse background beside the plate's fine one."""
    plate = texture(FRAME)
    image, mask, truth, _ = planted(plate)
    ring = (cv2.dilate(truth, np.ones((41, 41))) > 0) & (cv2.dilate(truth, np.ones((17, 17))) == 0)
    matted = composer(plate, plate)(image, mask)
    pasted = PastedWindow(WINDOW, plate)(image, None)
    assert np.array_equal(matted[ring], plate[ring])
    assert np.abs(pasted[ring].astype(int) - plate[ring]).mean() > 3


def test_the_window_is_invisible_where_a_generator_is_unsure() -> None:
    """A matte that is a little above 0 everywhere, and one that is 1 up to the window's border."""
    plate = texture(FRAME)
    window_plate = crop(plate, WINDOW)
    faint = composer(plate, plate)(window_plate, np.full(WINDOW.size[::-1], 5, np.uint8))
    assert np.array_equal(faint, plate)
    light = np.clip(window_plate.astype(int) + 30, 0, 255).astype(np.uint8)
    full = composer(np.full_like(plate, 100), np.full_like(plate, 100))(
        np.full_like(light, 130), np.full(WINDOW.size[::-1], 255, np.uint8)
    ).astype(int)
    across = full[200, :, 0]
    assert across.max() >= 129
    assert across.min() == 100
    assert np.abs(np.diff(across)).max() <= 10  # a soft border, not an edge of 30


def test_there_is_no_halo_around_the_person() -> None:
    """Enlarging by a cubic filter overshoots at every edge: nothing may be darker than both, or brighter."""
    grey = np.full((FRAME[1], FRAME[0], 3), 100, np.uint8)
    cover = disc(WINDOW.size, (32, 48), 14)[..., None]
    image = np.rint(100 + cover * 100).astype(np.uint8).repeat(3, 2)
    got = composer(grey, grey)(image, np.rint(cover[..., 0] * 255).astype(np.uint8))
    outside = got[disc(FRAME, (127.5, 205.5), 50) == 0]
    assert outside.min() == 100
    assert got.max() <= 202


def test_a_matte_that_is_nowhere_one_is_solid_inside_and_right_at_the_edge() -> None:
    """Dark clothes at 0.75 become 1 and keep the edge they had; a shadow of 0.2 stays what it is."""
    truth = disc((64, 64), (32, 32), 20)
    for level in (0.75, 1.0):
        cover = solid(np.rint(truth * level * 255).astype(np.uint8))
        assert np.abs(cover - truth).max() < 0.05
    shadow = solid(np.rint(truth * 0.2 * 255).astype(np.uint8))
    assert np.abs(shadow - 0.2 * truth).max() < 0.025


def test_transparent_pictures_over_the_plate_are_the_composite() -> None:
    plate = texture(FRAME)
    image, mask, truth, colour = planted(plate)
    rgba = composer(plate, None)(image, mask)
    assert rgba.shape[2] == 4
    assert not rgba[cv2.dilate(truth, np.ones((13, 13))) == 0].any()
    assert (rgba[cv2.erode(truth, np.ones((13, 13))) == 1][:, 3] == 255).all()
    share = rgba[..., 3:] / 255
    over = rgba[..., :3] * share + (1 - share) * plate
    assert np.abs(over - composer(plate, plate)(image, mask)).max() <= 2
    edge = (share[..., 0] > 0.3) & (share[..., 0] < 0.7)
    assert (
        np.abs(rgba[edge][:, :3].astype(float) - colour[edge]).mean() < 6
    )  # the person's colour, not the plate's


@pytest.mark.parametrize("size", [(540, 960), (135, 240), (480, 480), (400, 200)])
def test_another_size_is_the_same_picture_scaled_with_bars(size: tuple[int, int]) -> None:
    plate = cv2.GaussianBlur(texture(FRAME), (0, 0), 3)
    image, mask, *_ = planted(plate)
    got = composer(plate, plate, size=size)(image, mask)
    assert got.shape == (size[1], size[0], 3)
    scale = min(size[0] / FRAME[0], size[1] / FRAME[1])
    wide, high = round(FRAME[0] * scale), round(FRAME[1] * scale)
    left, top = (size[0] - wide) // 2, (size[1] - high) // 2
    inner = got[top : top + high, left : left + wide]
    wanted = cv2.resize(composer(plate, plate)(image, mask), (wide, high), interpolation=cv2.INTER_AREA)
    assert np.abs(inner.astype(int) - wanted).mean() < 1.5
    bars = got.copy()
    bars[top : top + high, left : left + wide] = 0
    assert not bars.any()


def test_a_fit_is_never_squashed() -> None:
    for inner, outer in (((64, 64), (320, 200)), ((1080, 1920), (360, 640)), ((50, 20), (20, 50))):
        left, top, width, height = Fit(inner, outer).place
        assert abs(width / height - inner[0] / inner[1]) < 0.06 * inner[0] / inner[1]
        assert (left >= 0 and left + width <= outer[0]) and (top >= 0 and top + height <= outer[1])
        corners = (
            np.array([[-0.5, -0.5, 1], [inner[0] - 0.5, inner[1] - 0.5, 1]]) @ Fit(inner, outer).matrix.T
        )
        assert np.allclose(corners, [[left - 0.5, top - 0.5], [left + width - 0.5, top + height - 0.5]])


def test_the_source_is_where_the_persons_feet_stand() -> None:
    rng = np.random.default_rng(0)
    skeleton = get_skeleton("coco_17")
    common = {
        "score": np.ones((9, 17), np.float32),
        "pts": np.arange(9),
        "time_base": 1,
        "skeleton": skeleton,
    }
    theirs = PoseSequence(xy=rng.uniform(0, 400, (9, 17, 2)).astype(np.float32), size=(640, 480), **common)
    ours = theirs.replace(xy=(theirs.xy - np.float32([30, -12])) / np.float32(1.7), size=(300, 300))
    matrix = place_in_source(ours, theirs)
    assert np.allclose(matrix, [[1.7, 0, 30], [0, 1.7, -12]], atol=1e-3)
    assert np.array_equal(place_in_source(ours[:0], theirs[:0]), STAY)


def test_a_picture_covers_the_frame() -> None:
    wide = np.zeros((100, 300, 3), np.uint8)
    wide[:, 100:200] = 255
    assert cover(wide, (50, 50)).min() == 255  # the middle third


def fake_dancer(background: object) -> SimpleNamespace:
    return SimpleNamespace(
        path=Path("ava.safetensors"),
        info=SimpleNamespace(window=WINDOW, follow=None),
        plate=texture(FRAME),
        painter=SimpleNamespace(parts=SimpleNamespace(background=background)),
    )


def test_a_dancer_that_paints_its_background_has_no_matte() -> None:
    dancer = fake_dancer(Painted())

    def never() -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        raise AssertionError

    assert isinstance(choose_composer(dancer, None, size=None, source_plate=never), WindowView)
    assert isinstance(choose_composer(dancer, "target", size=None, source_plate=never), PastedWindow)
    for background in ("source", "transparent", "#00ff00"):
        with pytest.raises(UsageError, match=r"ava\.safetensors .* has no matte.*background=plate"):
            choose_composer(dancer, background, size=None, source_plate=never)


@pytest.mark.parametrize(
    ("name", "words"),
    [("#12345", "no colour"), ("sky.png", "no such picture"), ("text.png", "cannot be read as a picture")],
)
def test_backgrounds_that_cannot_be(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.png").write_text("hello")
    with pytest.raises(UsageError, match=words):
        check_background(name)


def test_a_montage_has_one_height_and_keeps_shapes() -> None:
    montage = Montage([(160, 120), (64, 64), (64, 64)], like=[(64, 64), (64, 64)])
    assert montage.size == (86 + 64 + 64, 64)
    row = montage(
        [np.full((h, w, 3), v, np.uint8) for w, h, v in ((160, 120, 10), (64, 64, 20), (64, 64, 30))]
    )
    assert row.shape == (64, 214, 3)
    assert [int(row[32, x, 0]) for x in (40, 118, 182)] == [10, 20, 30]
    clear = np.full((64, 64, 4), 200, np.uint8)
    clear[..., 3] = 0
    assert not montage([row[:, :86], clear, clear])[:, 86:].any()
