"""EDN's stick figure: against a slow picture by the published rules, golden values, and what is not drawn."""

from __future__ import annotations

import hashlib
import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dancekit.build import create
from dancekit.contracts import Renderer
from dancekit.renderers.edn_figure import (
    blank_canvas,
    draw_body,
    draw_face,
    draw_hand,
    figure_box,
    limb_polygon,
    shrink,
)
from dancekit.renderers.edn_sticks import EDNSticks, draw_figure
from dancekit.renderers.edn_tables import BODY_COLOURS, FACE_DOTS, HAND_COLOURS, HAND_LIMBS
from dancekit.types import get_skeleton, skeleton_names
from dancekit.types.canvas import CANVAS, LABEL, from_canvas

LAYOUTS = tuple(BODY_COLOURS)
SMALL = (160, 120)


def standing(layout="body_25", *, x=960.0, top=200.0, tall=700.0) -> tuple[np.ndarray, np.ndarray]:
    """A figure with face and hands whose joints lie on a spiral: every limb has a direction of its own."""
    skeleton = get_skeleton(f"{layout}_face_hands")
    turn = np.arange(len(skeleton)) * 2.4
    reach = tall / 2 * np.sqrt((np.arange(len(skeleton)) + 1) / len(skeleton))
    xy = np.stack([x + reach * np.cos(turn), top + tall / 2 + reach * np.sin(turn)], 1)
    return xy.round(3), np.full(len(skeleton), 0.8)


def slow(canvas, xy, score, limbs, colours, radius, half_width, threshold, colour_of) -> np.ndarray:
    """Discs, then each limb blended over the whole canvas: the published order of things, plainly."""
    canvas = canvas.copy()
    for (x, y), c, colour in zip(xy, score, colours, strict=True):
        if c > threshold:
            cv2.circle(canvas, (int(x), int(y)), radius, colour, -1)
    for a, b in limbs:
        if score[a] > threshold and score[b] > threshold:
            over = canvas.copy()
            (ax, ay), (bx, by) = xy[a], xy[b]
            length = math.hypot(ax - bx, ay - by)
            angle = int(math.degrees(math.atan2(ay - by, ax - bx)))
            middle = (int((ax + bx) / 2), int((ay + by) / 2))
            cv2.fillConvexPoly(
                over,
                cv2.ellipse2Poly(middle, (int(length / 2), half_width), angle, 0, 360, 1),
                colours[colour_of(a, b)],
            )
            canvas = cv2.addWeighted(canvas, 0.4, over, 0.6, 0)
    return canvas


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(LAYOUTS))
def test_blending_boxes_equals_blending_the_whole_canvas(seed, layout):
    """Limbs that leave the canvas, coincide or have no length among them."""
    rng = np.random.default_rng(seed)
    joints = len(get_skeleton(layout))
    xy = rng.uniform(-60, 220, (joints, 2)).round(3)
    xy[1] = xy[0]
    score = np.where(rng.random(joints) < 0.15, 0, rng.uniform(0.01, 1, joints))
    canvas = np.random.default_rng(seed).integers(0, 256, (SMALL[1], SMALL[0], 3), dtype=np.uint8)
    wanted = slow(
        canvas, xy, score, get_skeleton(layout).edges, BODY_COLOURS[layout], 8, 4, 0, lambda a, b: a
    )
    draw_body(canvas, xy, score, layout)
    assert np.array_equal(canvas, wanted)
    hand, confidence = rng.uniform(-30, 190, (21, 2)).round(3), rng.uniform(0, 0.2, 21)
    wanted = slow(canvas, hand, confidence, HAND_LIMBS, HAND_COLOURS, 3, 2, 0.05, lambda a, b: b)
    draw_hand(canvas, hand, confidence)
    assert np.array_equal(canvas, wanted)


def test_a_blend_changes_nothing_outside_of_its_polygon():
    """Why boxes suffice: 0.4 v + 0.6 v is v for all 256 values."""
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(cv2.addWeighted(values, 1 - 0.6, values, 0.6, 0), values)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_is_drawn_outside_of_the_figures_box(layout):
    xy, score = standing(layout, x=1700, top=650)
    canvas = blank_canvas(CANVAS)
    draw_figure(canvas, xy, score, get_skeleton(f"{layout}_face_hands"), layout)
    left, top, right, bottom = figure_box(xy, score, CANVAS)
    canvas[top:bottom, left:right] = 255
    assert (canvas == 255).all()
    assert figure_box(xy, 0 * score, CANVAS) == (0, 0, 0, 0)


GOLDEN = {  # made by this renderer after it had equalled all reference pictures, from the spiral above
    "body_18": "438a89aa1d2f8506",
    "body_23": "40bce09919eccebe",
    "body_25": "fbe24c7a0bb58b7f",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_figure_is_the_one_that_was_proven(layout):
    canvas = blank_canvas(CANVAS)
    draw_figure(canvas, *standing(layout), get_skeleton(f"{layout}_face_hands"), layout)
    assert hashlib.sha256(canvas.tobytes()).hexdigest()[:16] == GOLDEN[layout]


def test_truncation_of_a_limb():
    """edn.md 1.3: int(mean), (int(length / 2), 4), int(angle)."""
    polygon = limb_polygon((10.9, 20.9), (31.5, 20.9), 4)  # from right to left: 180 degrees
    assert (polygon.min(0).tolist(), polygon.max(0).tolist()) == ([11, 16], [31, 24])
    assert np.array_equal(
        limb_polygon((0, 0), (30, 31), 4), cv2.ellipse2Poly((15, 15), (21, 4), -134, 0, 360, 1)
    )


@pytest.mark.parametrize("dots", FACE_DOTS)
def test_face_dots(dots):
    canvas = blank_canvas((400, 400))
    grid = np.stack(np.meshgrid(np.arange(10), np.arange(7)), -1).reshape(70, 2) * 40 + 15.0
    score = np.full(70, 0.5)
    draw_face(canvas, grid, score, dots)
    black = [n for n, (x, y) in enumerate(grid.astype(int)) if not canvas[y, x].any()]
    assert black == sorted(FACE_DOTS[dots]) and len(black) == dots
    if dots:  # the radius: 4, and 2 for the dense face
        x, y = grid[FACE_DOTS[dots][0]].astype(int)
        assert int((canvas[y, x - 10 : x + 11] == 0).all(-1).sum()) == (5 if dots == 70 else 9)
    score[8] = 0
    canvas = blank_canvas((400, 400))
    draw_face(canvas, grid, score, dots)
    assert (canvas[int(grid[8, 1]), int(grid[8, 0])] == 255).all()
    canvas = blank_canvas((400, 400))
    draw_face(canvas, grid, np.full(70, 0.19), dots)
    assert (canvas == 255).all()


@pytest.mark.parametrize("size", [(1024, 512), (512, 256), (256, 256), (240, 136)])
@pytest.mark.parametrize("place", [(960, 200, 700), (1850, 700, 500), (20, -100, 400)])
def test_shrinking_the_figure_alone_is_shrinking_the_canvas(size, place):
    x, top, tall = place
    xy, score = standing(x=x, top=top, tall=tall)
    canvas = blank_canvas(CANVAS)
    draw_figure(canvas, xy, score, get_skeleton("body_25_face_hands"), "body_25")
    whole = np.asarray(Image.fromarray(canvas).resize(size, Image.Resampling.LANCZOS)).astype(int)
    assert np.array_equal(shrink(canvas, size), whole)
    part = shrink(canvas, size, figure_box(xy, score, CANVAS))
    assert np.abs(part - whole).max() <= (0 if size[0] & (size[0] - 1) == 0 else 1)


# ---- the component -----------------------------------------------------------------------------------------


def test_window_pixels_in_single_precision_give_the_canvas_picture():
    xy, score = standing("body_23")
    skeleton = get_skeleton("body_23_face_hands")
    renderer = EDNSticks(skeleton=skeleton, size=LABEL)
    assert isinstance(renderer, Renderer) and renderer.spec.value_range == (0.0, 1.0)
    window = from_canvas(xy, LABEL).astype(np.float32)
    pictures = renderer(np.stack([window, window]), np.float32([score, 0 * score]))
    assert pictures.shape == (2, 3, 512, 1024) and pictures.dtype == torch.float32
    assert np.array_equal((pictures[0].permute(1, 2, 0).numpy() * 255).round(), renderer.draw(xy, score))
    assert (pictures[1] == 1).all(), "nobody there is a white picture, and the last frame is wiped"


def test_every_skeleton_is_drawn_as_some_body():
    for name in skeleton_names():
        skeleton = get_skeleton(name)
        renderer = create("renderer", "edn_sticks", skeleton=skeleton, size=(128, 64))
        assert renderer.layout == ("body_23" if "_" not in name or name[:7] not in LAYOUTS else name[:7])
        xy = np.stack([np.linspace(20, 100, len(skeleton)), np.linspace(5, 60, len(skeleton))], 1)
        picture = renderer(np.float32(xy[None]), np.ones((1, len(skeleton)), np.float32))
        assert picture.min() < 0.9 and picture.max() <= 1 and picture.min() >= 0


def test_25_joints_are_drawn_as_23_on_request():
    poses = get_skeleton("body_25_face_hands")
    xy, score = standing("body_25")
    asked = EDNSticks(skeleton=poses, size=LABEL, layout="body_23")
    window = from_canvas(xy, LABEL).astype(np.float32)
    picture = asked(window[None], np.float32(score[None]))[0].permute(1, 2, 0).numpy() * 255
    order = [poses.index(joint) for joint in asked.drawn.joints]
    assert np.array_equal(picture.round(), asked.draw(xy[order], score[order]))
    assert not np.array_equal(picture.round(), EDNSticks(skeleton=poses, size=LABEL).draw(xy, score))


def test_hands_and_face_can_be_left_out():
    xy, score = standing("body_18")
    skeleton = get_skeleton("body_18_face_hands")
    body_only = score.copy()
    body_only[18:] = 0
    plain = EDNSticks(skeleton=skeleton, size=LABEL, face=0, hands=False)
    assert np.array_equal(plain.draw(xy, score), plain.draw(xy, body_only))
    assert not np.array_equal(EDNSticks(skeleton=skeleton, size=LABEL).draw(xy, score), plain.draw(xy, score))


def test_the_first_stage_takes_every_other_pixel_of_the_label_files():
    xy, score = standing("body_23")
    skeleton = get_skeleton("body_23_face_hands")
    label = EDNSticks(skeleton=skeleton, size=LABEL).draw(xy, score)
    small = EDNSticks(skeleton=skeleton, size=(512, 256), resample="nearest").draw(xy, score)
    assert np.array_equal(small, label[1::2, 1::2])
    assert np.array_equal(EDNSticks(skeleton=skeleton, size=CANVAS).draw(xy, score)[0, 0], [255, 255, 255])


def test_shapes_that_do_not_fit_are_refused():
    renderer = EDNSticks(skeleton=get_skeleton("body_25"), size=LABEL)
    with pytest.raises(ValueError, match="body_25"):
        renderer(np.zeros((1, 23, 2), np.float32), np.zeros((1, 23), np.float32))
