"""Crops, regions, anchors, suppression and heatmaps: properties, and loops as oracles."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.pose.blazepose_geometry import HEATMAP_WINDOW, Region, anchors, best_detection, refine

regions = st.builds(
    Region,
    x=st.floats(-50, 250),
    y=st.floats(-50, 250),
    side=st.floats(20, 600),
    angle=st.floats(-math.pi, math.pi),
)


@given(regions)
def test_the_unit_square_s_centre_is_the_region_s(region: Region) -> None:
    corners = region.to_frame(np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]]))
    assert corners[4] == pytest.approx((region.x, region.y), abs=1e-6)
    sides = np.linalg.norm(np.roll(corners[:4], -1, 0) - corners[:4], axis=1)
    assert sides == pytest.approx(np.full(4, region.side), rel=1e-9)
    # clockwise on the screen: right goes down
    right = corners[1] - corners[0]
    turned = math.atan2(right[1], right[0]) - region.angle
    assert math.sin(turned) == pytest.approx(0, abs=1e-6) and math.cos(turned) > 0


@given(x=st.floats(0, 100), y=st.floats(0, 100), length=st.floats(1, 200), angle=st.floats(-3.1, 3.1))
def test_a_person_stands_upright_in_the_region_of_their_alignment_points(
    x: float, y: float, length: float, angle: float
) -> None:
    hips = np.array([x, y])
    up = hips + length * np.array([math.sin(angle), -math.cos(angle)])
    region = Region.from_alignment(hips, up)
    assert region.angle == pytest.approx(angle, abs=1e-6)
    assert region.side == pytest.approx(2.5 * length)
    # in the crop the scale point is straight above the middle, 1 / 2.5 of the side away
    assert region.to_frame(np.array([0.5, 0.1])) == pytest.approx(up, abs=1e-6)


def test_regions_without_a_crop_are_told_apart() -> None:
    assert Region(5, 5, 10, 0).usable
    assert not Region(5, 5, 0, 0).usable
    assert not Region(math.nan, 5, 10, 0).usable
    assert not Region(5, 5, math.inf, 0).usable


def naive_crop(frame: np.ndarray, region: Region, size: int, replicate: bool) -> np.ndarray:
    height, width = frame.shape[:2]
    result = np.zeros((size, size, 3))
    for row in range(size):
        for column in range(size):
            x, y = np.round(region.to_frame(np.array([column, row]) / size) * 32) / 32
            left, top = math.floor(x), math.floor(y)
            for dx in (0, 1):
                for dy in (0, 1):
                    weight = abs(1 - dx - (x - left)) * abs(1 - dy - (y - top))
                    u, v = left + dx, top + dy
                    if replicate:
                        u, v = min(max(u, 0), width - 1), min(max(v, 0), height - 1)
                    elif not (0 <= u < width and 0 <= v < height):
                        continue
                    result[row, column] += weight * frame[v, u]
    return result


@pytest.mark.parametrize("replicate", [True, False])
@pytest.mark.parametrize(
    "region",
    [Region(15, 12, 20, 0), Region(12, 9, 31, 0.7), Region(-4, 30, 25, -2.5), Region.letterbox(30, 24)],
)
def test_crop_against_a_loop(region: Region, replicate: bool) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (24, 30, 3), np.uint8)
    got = region.crop(frame, 16, replicate=replicate)
    assert got.dtype == np.uint8
    assert np.abs(got - naive_crop(frame, region, 16, replicate)).max() <= 1


def test_a_crop_far_outside_is_border() -> None:
    frame = np.full((10, 10, 3), 9, np.uint8)
    frame[-1, -1] = 77
    assert (Region(1e7, 1e7, 50, 0).crop(frame, 8, replicate=True) == 77).all()
    assert (Region(1e7, -1e7, 50, 0).crop(frame, 8, replicate=False) == 0).all()


@settings(max_examples=25, deadline=None)
@given(st.floats(40, 160), st.floats(40, 160), st.floats(150, 300), st.floats(-3, 3))
def test_a_mask_comes_back_to_where_it_was(x: float, y: float, side: float, angle: float) -> None:
    region = Region(x, y, side, angle)
    rows, columns = np.mgrid[:200, :200]
    disc = ((columns - x) ** 2 + (rows - y) ** 2 < 30**2).astype(np.uint8) * 255
    crop = region.crop(disc[..., None].repeat(3, 2), 256, replicate=False)[..., 0]
    back = region.paste_mask(crop, 200, 200)
    assert back.shape == (200, 200) and back.dtype == np.uint8
    assert ((back > 127) != (disc > 127)).sum() < 40  # of 2827, all on the rim
    assert region.paste_mask(np.full((256, 256), 255, np.uint8), 200, 200)[int(y), int(x)] == 255


def test_a_mask_is_nothing_outside_of_its_region() -> None:
    pasted = Region(50, 50, 40, 0).paste_mask(np.full((256, 256), 255, np.uint8), 120, 100)
    assert pasted[50, 50] == 255 and pasted[50, 95] == 0 and pasted[5, 50] == 0


def test_anchors() -> None:
    grid = anchors()
    assert grid.shape == (2254, 2)
    assert grid[0] == pytest.approx((0.5 / 28, 0.5 / 28)) and grid[2] == pytest.approx((1.5 / 28, 0.5 / 28))
    assert grid[56] == pytest.approx((0.5 / 28, 1.5 / 28))  # the second row of the finest level
    assert grid[1568] == pytest.approx((0.5 / 14, 0.5 / 14))
    assert grid[-6:] == pytest.approx(np.full((6, 2), 6.5 / 7))


def planted(people: list[tuple[int, float, float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Raw outputs with boxes of half the image: (anchor, logit, centre x, centre y), points at the centre."""
    boxes, logits = np.zeros((2254, 12), np.float32), np.full(2254, -200, np.float32)
    for anchor, logit, x, y in people:
        offset = (np.array([x, y]) - anchors()[anchor]) * 224
        boxes[anchor] = np.tile(offset, 6)
        boxes[anchor, 2:4] = 112
        logits[anchor] = logit
    return boxes, logits


def test_agreeing_boxes_are_averaged_by_score_and_others_left_alone() -> None:
    boxes, logits = planted([(100, 0.0, 0.4, 0.5), (2000, math.log(3), 0.44, 0.5), (7, 0.5, 0.9, 0.95)])
    found = best_detection(boxes, logits, size=224, threshold=0.3)
    assert found is not None
    # scores 0.5 and 0.75
    assert found == pytest.approx(np.tile([(0.4 * 0.5 + 0.44 * 0.75) / 1.25, 0.5], (4, 1)), abs=1e-5)


def test_nobody_below_the_threshold_and_no_negative_box() -> None:
    boxes, logits = planted([(100, 0.0, 0.4, 0.5)])
    assert best_detection(boxes, logits, size=224, threshold=0.51) is None
    boxes[100, 2] = -3
    assert best_detection(boxes, logits, size=224, threshold=0.3) is None


def test_a_box_without_area_is_its_own_answer() -> None:
    boxes, logits = planted([(100, 2.0, 0.4, 0.5)])
    boxes[100, 2:4] = 0
    found = best_detection(boxes, logits, size=224, threshold=0.3)
    assert found is not None and found[0] == pytest.approx((0.4, 0.5), abs=1e-5)


def naive_refine(point: np.ndarray, heatmap: np.ndarray, size: int) -> np.ndarray:
    unit = point / size
    height, width = heatmap.shape
    column, row = int(unit[0] * width), int(unit[1] * height)
    if not (0 <= column < width and row >= 0):
        return unit
    radius = HEATMAP_WINDOW // 2
    total = x = y = top = 0.0
    for v in range(max(0, row - radius), min(height, row + radius + 1)):
        for u in range(max(0, column - radius), min(width, column + radius + 1)):
            value = 1 / (1 + math.exp(-heatmap[v, u]))
            total, x, y, top = total + value, x + u * value, y + v * value, max(top, value)
    return np.array([x / total / width, y / total / height]) if top >= 0.5 else unit


def test_refinement_against_a_loop_in_and_out_of_the_heatmap() -> None:
    rng = np.random.default_rng(0)
    heatmaps = rng.normal(-2, 2, (2, 60, 64, 64)).astype(np.float32)
    heatmaps[:, ::5] = -3  # too unsure to be followed
    points = rng.uniform(-40, 300, (2, 60, 2)).astype(np.float32)
    points[0, :8] = [
        [0, 0],
        [255.9, 255.9],
        [256, 10],
        [10, 257],
        [10, 270],
        [10, 290],
        [-0.5, 10],
        [10, -3.9],
    ]
    got = refine(torch.from_numpy(points), torch.from_numpy(heatmaps), 256).numpy()
    for image in range(2):
        for joint in range(60):
            want = naive_refine(points[image, joint], heatmaps[image, joint], 256)
            assert got[image, joint] == pytest.approx(want, abs=1e-5)


def test_refinement_goes_to_a_planted_peak() -> None:
    heatmaps = torch.full((1, 1, 64, 64), -20.0)
    heatmaps[0, 0, 30, 41] = 8.0
    got = refine(torch.tensor([[[43.0 * 4, 28.0 * 4]]]), heatmaps, 256)
    assert got[0, 0].tolist() == pytest.approx([41 / 64, 30 / 64], abs=1e-4)
