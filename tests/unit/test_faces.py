"""Face boxes on a turning head of known size, and the refiner against torch's own resampling."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.boxes import face_boxes
from dancekit.faces.crops import FEATHER, crop_boxes, paste_boxes
from dancekit.faces.none import NoFace
from dancekit.faces.residual import ResidualFace
from dancekit.types import get_skeleton, skeleton_names

NAN = float("nan")
WIDTH = 145.0
# a standing adult in mm, x to the subject's left, y down, z forward; the origin between the ears
BODY = {
    "left_ear": (72.5, 0, 0),
    "right_ear": (-72.5, 0, 0),
    "left_eye": (31.5, -20, 95),
    "right_eye": (-31.5, -20, 95),
    "nose": (0, 15, 122),
    "left_shoulder": (180, 230, -20),
    "right_shoulder": (-180, 230, -20),
    "left_hip": (110, 730, -20),
    "right_hip": (-110, 730, -20),
}


def person(skeleton, *, yaw=0.0, scale=0.2, at=(100.0, 60.0), without=(), frames=1):
    """Keypoints of somebody turned by `yaw` radians, seen from far away: (T, K, 2) and (T, K)."""
    xy = np.full((frames, len(skeleton), 2), np.nan, np.float32)
    score = np.zeros((frames, len(skeleton)), np.float32)
    for name, (x, y, z) in BODY.items():
        if name in skeleton and name not in without:
            joint = skeleton.index(name)
            # facing the camera, the subject's left is on the image's right
            xy[:, joint] = (at[0] + scale * (x * np.cos(yaw) + z * np.sin(yaw)), at[1] + scale * y)
            score[:, joint] = 0.9
    return xy, score


def side(boxes):
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    np.testing.assert_allclose(width, height, rtol=1e-4)
    return width


@pytest.mark.parametrize("name", skeleton_names())
def test_a_face_seen_from_the_front_has_a_box_of_two_and_a_half_heads(name):
    skeleton = get_skeleton(name)
    boxes = face_boxes(*person(skeleton, frames=3), skeleton)
    assert boxes.shape == (3, 4) and boxes.dtype == np.float32
    np.testing.assert_allclose(side(boxes), 2.5 * WIDTH * 0.2, rtol=0.03)
    np.testing.assert_allclose((boxes[:, 0] + boxes[:, 2]) / 2, 100, atol=0.01)
    np.testing.assert_allclose((boxes[:, 1] + boxes[:, 3]) / 2, 60, atol=0.1 * WIDTH * 0.2)
    assert np.isnan(face_boxes(*person(skeleton, without=BODY), skeleton)).all()


@given(yaw=st.floats(-np.pi, np.pi), hidden=st.booleans())
def test_the_box_does_not_collapse_when_the_head_turns(yaw, hidden):
    skeleton = get_skeleton("coco_17")
    # of a head turned aside, the far ear and eye are hidden; turned further, nose and eyes would be too
    if hidden:
        yaw /= 2
    far = ("left_ear", "left_eye") if np.sin(yaw) > 0 else ("right_ear", "right_eye")
    (box,) = face_boxes(*person(skeleton, yaw=yaw, without=far if hidden else ()), skeleton)
    width = WIDTH * 0.2
    assert 0.75 < (box[2] - box[0]) / (2.5 * width) < 1.25
    # the whole head is inside: half a width behind the ears' middle, nose and eyes in front
    for x, z in ((0, -90), (72.5, 0), (-72.5, 0), (0, 122)):
        assert box[0] < 100 + 0.2 * (x * np.cos(yaw) + z * np.sin(yaw)) < box[2]
    assert box[1] < 60 - 0.2 * 120 and box[3] > 60 + 0.2 * 110


@given(yaw=st.floats(-3, 3), factor=st.floats(0.5, 4), dx=st.floats(-500, 500), dy=st.floats(-500, 500))
@settings(max_examples=30)
def test_boxes_move_and_grow_with_the_person(yaw, factor, dx, dy):
    skeleton = get_skeleton("blazepose_33")
    one = face_boxes(*person(skeleton, yaw=yaw, at=(0, 0)), skeleton)
    other = face_boxes(*person(skeleton, yaw=yaw, scale=0.2 * factor, at=(dx, dy)), skeleton)
    np.testing.assert_allclose(other, one * factor + np.array([dx, dy, dx, dy]), atol=1e-2)


def test_the_body_gives_the_size_when_one_joint_of_the_head_is_all_there_is():
    skeleton = get_skeleton("coco_17")
    head = [name for name in BODY if name.split("_")[-1] in ("ear", "eye")]
    boxes = face_boxes(*person(skeleton, without=head), skeleton)
    np.testing.assert_allclose(side(boxes), 2.5 * WIDTH * 0.2, rtol=0.03)
    alone = [name for name in BODY if name != "nose"]
    assert np.isnan(face_boxes(*person(skeleton, without=alone), skeleton)).all()
    # and a body without a head has no face
    faceless = [*head, "nose"]
    assert np.isnan(face_boxes(*person(skeleton, without=faceless), skeleton)).all()


def test_one_misplaced_ear_does_not_blow_the_box_up():
    skeleton = get_skeleton("coco_17")
    xy, score = person(skeleton, frames=9)
    clean = face_boxes(xy, score, skeleton)
    xy[4, skeleton.index("left_ear"), 0] += 300
    dirty = face_boxes(xy, score, skeleton)
    np.testing.assert_allclose(side(dirty), side(clean), rtol=1e-4)


def test_missing_frames_have_no_box_and_spoil_no_other():
    skeleton = get_skeleton("coco_17")
    xy, score = person(skeleton, frames=7)
    clean = face_boxes(xy, score, skeleton)
    xy[3], score[3] = np.nan, 0
    boxes = face_boxes(xy, score, skeleton)
    assert np.isnan(boxes[3]).all()
    np.testing.assert_array_equal(np.delete(boxes, 3, 0), np.delete(clean, 3, 0))
    tiny = person(skeleton, scale=0.002)
    assert np.isnan(face_boxes(*tiny, skeleton)).all()


def test_keypoints_of_another_skeleton_are_refused():
    with pytest.raises(ValueError, match="do not fit coco_17@1"):
        face_boxes(*person(get_skeleton("body_25")), get_skeleton("coco_17"))


def images(batch=2, channels=3, height=40, width=56, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, channels, height, width, generator=generator, dtype=dtype) * 2 - 1


def test_a_box_of_the_crops_own_size_on_whole_pixels_is_a_slice():
    x = images()
    boxes = torch.tensor([[9.5, 4.5, 25.5, 20.5], [-0.5, -0.5, 15.5, 15.5]])
    crops = crop_boxes(x, boxes, 16)
    torch.testing.assert_close(crops[0], x[0, :, 5:21, 10:26], rtol=0, atol=1e-6)
    torch.testing.assert_close(crops[1], x[1, :, :16, :16], rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [16, 24, 64])
def test_resizing_is_antialiased_as_torchs(size):
    x = images(height=40, width=40)
    boxes = torch.tensor([[-0.5, -0.5, 39.5, 39.5]]).expand(2, -1)
    true = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
    torch.testing.assert_close(crop_boxes(x, boxes, size), true, rtol=0, atol=1e-5)


def test_enlarging_is_bilinear_with_the_border_repeated():
    x = images(dtype=torch.float64)
    boxes = torch.tensor([[30.2, 20.7, 62.2, 52.7], [-20.0, -9.3, 5.0, 15.7]], dtype=torch.float64)
    size, (height, width) = 32, x.shape[2:]
    step = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    grids = []
    for left, top, right, bottom in boxes.tolist():
        across, down = left + step * (right - left), top + step * (bottom - top)
        v, u = torch.meshgrid((2 * down + 1) / height - 1, (2 * across + 1) / width - 1, indexing="ij")
        grids.append(torch.stack([u, v], -1))
    true = F.grid_sample(x, torch.stack(grids), padding_mode="border", align_corners=False)
    torch.testing.assert_close(crop_boxes(x, boxes, size), true, rtol=0, atol=1e-10)


def test_pasting_fades_out_towards_the_edge_and_touches_nothing_beyond():
    boxes = torch.tensor([[9.5, 3.5, 41.5, 35.5]])
    mask = paste_boxes(torch.ones(1, 1, 16, 16), boxes, (40, 56))[0, 0]
    assert mask.min() == 0 and mask.max() == pytest.approx(1)
    inside = torch.zeros_like(mask, dtype=torch.bool)
    inside[4:36, 10:42] = True
    assert not mask[~inside].any() and (mask[inside] > 0).all()
    edge = int(32 * FEATHER)
    torch.testing.assert_close(mask[4 + edge : 36 - edge, 10 + edge : 42 - edge], torch.ones(24, 24))
    row = mask[20, 10:42]
    assert (row.diff()[: edge - 1] > 0).all() and torch.allclose(row, row.flip(0), atol=1e-6)
    assert row[0] < 0.1


def test_what_is_cut_out_goes_back_to_its_place():
    down, across = torch.meshgrid(torch.arange(40.0), torch.arange(56.0), indexing="ij")
    x = torch.stack([down / 40, across / 56, (down + across) / 96])[None]
    boxes = torch.tensor([[8.3, 2.9, 42.3, 36.9]])
    back = paste_boxes(crop_boxes(x, boxes, 48), boxes, (40, 56))
    torch.testing.assert_close(back[..., 10:30, 16:36], x[..., 10:30, 16:36], rtol=0, atol=2e-3)


def test_resampling_has_the_right_gradient():
    x = images(batch=1, channels=1, height=8, width=9, dtype=torch.float64).requires_grad_()
    boxes = torch.tensor([[1.3, -0.8, 7.9, 5.8]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: crop_boxes(x, boxes, 4), x)
    crop = images(batch=1, channels=1, height=4, width=4, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda c: paste_boxes(c, boxes, (8, 9)), crop)


def refiner(**parameters):
    """A refiner whose last layer does not start at zero."""
    torch.manual_seed(0)
    face = ResidualFace(crop_size=16, ngf=4, n_blocks=1, condition_channels=3, **parameters)
    torch.nn.init.normal_(face.model[-2].weight, 0, 0.5)
    return face


BOXES = torch.tensor([[10.0, 5.0, 30.0, 25.0], [NAN] * 4])


def test_an_untrained_refiner_changes_nothing_but_can_learn():
    face = ResidualFace(crop_size=16, ngf=4, n_blocks=1, condition_channels=3)
    x = images()
    y = face(x, images(), BOXES)
    torch.testing.assert_close(y, x, rtol=0, atol=0)
    (y - 1).square().mean().backward()
    assert face.model[-2].weight.grad.abs().max() > 0


def test_only_the_face_changes_and_samples_without_a_box_come_back():
    face, x, condition = refiner(), images(), images().flip(0)
    y = face(x, condition, BOXES)
    assert torch.equal(y[1], x[1])
    changed = (y[0] != x[0]).any(0)
    rows, columns = changed.nonzero().T
    assert rows.min() >= 5 and rows.max() <= 25 and columns.min() >= 10 and columns.max() <= 30
    assert changed[7:23, 12:28].all() and y.abs().max() <= 1
    alone = face(x[:1], condition[:1], BOXES[:1])
    torch.testing.assert_close(y[:1], alone, rtol=0, atol=1e-5)


def test_the_sum_is_clamped():
    face = refiner()
    torch.nn.init.constant_(face.model[-2].bias, 10.0)
    torch.nn.init.zeros_(face.model[-2].weight)
    y = face(images(), images(), BOXES)
    assert y.max() == 1 and (y[0, :, 12:20, 15:25] >= 0).all()


def test_gradients_reach_the_image_and_the_network_and_stay_finite():
    face, x = refiner(), images().requires_grad_()
    face(x, images(), BOXES).square().mean().backward()
    assert x.grad.isfinite().all() and x.grad[0].abs().max() > 0
    assert all(p.grad is not None and p.grad.isfinite().all() for p in face.parameters())


@pytest.mark.parametrize(
    "box",
    [[-30.0, -30.0, 4.0, 4.0], [50.0, 30.0, 90.0, 70.0], [200.0, 200.0, 230.0, 230.0], [5.0, 5.0, 5.0, 5.0]],
)
def test_boxes_beyond_the_border_are_fine(box):
    face, x = refiner(), images(batch=1)
    y = face(x, x, torch.tensor([box]))
    assert y.isfinite().all()
    if box[0] in (200.0, 5.0):
        assert torch.equal(y, x)
    else:
        assert not torch.equal(y, x)


def test_nobody_at_all():
    face, x = refiner(), images()
    boxes = torch.full((2, 4), NAN)
    assert torch.equal(face(x, x, boxes), x)
    assert not face.crop(x, boxes).any()


def test_crop_has_the_refiners_size_and_double_precision_and_repetition_work():
    face, x = refiner().double(), images(channels=5, dtype=torch.float64)
    crops = face.crop(x, BOXES)
    assert crops.shape == (2, 5, 16, 16) and crops.dtype == torch.float64 and not crops[1].any()
    y = face(x[:, :3], x[:, :3], BOXES)
    assert y.dtype == torch.float64 and torch.equal(y, face(x[:, :3], x[:, :3], BOXES))


def test_half_precision_places_the_crop_as_single_does():
    boxes = torch.tensor([[101.5, 5.5, 133.5, 37.5]])
    x = images(batch=1, width=160)
    with torch.autocast("cpu", torch.bfloat16):
        crops = crop_boxes(x, boxes, 16)
        y = refiner()(x, x, boxes)
    torch.testing.assert_close(crops, crop_boxes(x, boxes, 16), rtol=0, atol=0)
    torch.testing.assert_close(crop_boxes(x.bfloat16(), boxes, 16).float(), crops, rtol=0, atol=2e-2)
    assert y.dtype == torch.float32 and y.isfinite().all()


def test_boxes_of_the_refiner_have_its_widths():
    skeleton = get_skeleton("coco_17")
    boxes = refiner(widths=4.0).boxes(*person(skeleton), skeleton)
    np.testing.assert_allclose(side(boxes), 4 * WIDTH * 0.2, rtol=0.03)


def test_it_can_be_built_without_memory_and_refuses_odd_crops():
    with torch.device("meta"):
        assert all(p.is_meta for p in ResidualFace(condition_channels=3).parameters())
    with pytest.raises(ValueError, match="crop_size 20"):
        ResidualFace(crop_size=20, n_down=3, condition_channels=3)


def test_none_changes_nothing():
    face, x = NoFace(condition_channels=3), images()
    skeleton = get_skeleton("coco_17")
    assert face(x, x, BOXES) is x and face.crop_size == 0 and not list(face.parameters())
    assert np.isnan(face.boxes(*person(skeleton, frames=2), skeleton)).all()
    assert face.crop(x, BOXES).shape == (2, 3, 0, 0)
