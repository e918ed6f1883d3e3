"""Keypoint files of OpenPose: read, written back, and what is wrong with some."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.errors import PoseError
from dancekit.pose.openpose import BODIES, letterbox, read_openpose, write_openpose
from dancekit.pose.openpose_files import PARTS, concatenated, frame_names, parse_json, parse_yaml, read_people
from dancekit.types import PoseSequence, get_skeleton
from dancekit.types.canvas import CANVAS, Letterbox, from_canvas, to_canvas

SIZE, RATE = (1280, 720), Fraction(30000, 1001)
LAYOUTS = [*BODIES.values(), *(f"{name}_face_hands" for name in BODIES.values())]


def some_poses(layout: str, seed: int = 0, frames: int = 4) -> PoseSequence:
    skeleton = get_skeleton(layout)
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 700, (frames, len(skeleton), 2)).round(3)
    score = np.where(rng.random(xy.shape[:2]) < 0.2, 0, rng.uniform(0.01, 1, xy.shape[:2])).round(3)
    score[:, 0] = 0.5
    return PoseSequence(
        xy=xy, score=score, pts=np.arange(frames) + 20, time_base=1 / RATE, size=SIZE, skeleton=skeleton
    )


def person(points: int, value: float = 1.0, **parts: int) -> dict[str, list[float]]:
    return {"pose_keypoints_2d": [value] * 3 * points} | {
        f"{part}_keypoints_2d": [value] * 3 * count for part, count in parts.items()
    }


def write(folder: Path, *frames: list[dict[str, list[float]]]) -> Path:
    folder.mkdir(exist_ok=True)
    for number, people in enumerate(frames):
        (folder / f"clip_{number:012d}_keypoints.json").write_text(json.dumps({"people": people}))
    return folder


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(LAYOUTS), st.sampled_from(["json", "yaml"]), st.integers(0, 2**32 - 1))
def test_written_and_read_again_nothing_has_changed(tmp_path_factory, layout, form, seed):
    poses = some_poses(layout, seed)
    folder = tmp_path_factory.mktemp("keypoints")
    write_openpose(poses, folder, form=form)
    back = read_openpose(folder, size=SIZE, rate=RATE)
    assert back.skeleton.id == poses.skeleton.id and back.size == SIZE and back.time_base == 1 / RATE
    assert np.array_equal(back.xy, poses.xy, equal_nan=True) and np.array_equal(back.score, poses.score)
    assert np.array_equal(back.pts, poses.pts)


def test_opencv_reads_the_same_from_the_yaml(tmp_path):
    """An independent reader of that format."""
    poses = some_poses("body_23_face_hands")
    write_openpose(poses, tmp_path, form="yaml")
    for part, rows in (("pose", slice(0, 23)), ("hand_left", list(poses.skeleton.parts["left_hand"]))):
        file = cv2.FileStorage(str(tmp_path / f"frame000021_{part}.yml"), cv2.FILE_STORAGE_READ)
        found = file.getNode(f"{part}_0").mat()
        assert np.array_equal(found[0, :, :2], np.nan_to_num(poses.xy[1, rows]))
        assert np.array_equal(found[0, :, 2], poses.score[1, rows])


def test_yaml_that_opencv_has_written(tmp_path):
    values = np.arange(2 * 23 * 3, dtype=np.float32).reshape(2, 23, 3) / 7
    path = tmp_path / "frame000000_pose.yml"
    file = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    file.write("pose_0", values)
    file.release()
    assert np.array_equal(np.float32(parse_yaml(path.read_text(), path)), values.reshape(2, -1))
    assert len(read_people(tmp_path, "frame000000")) == 2


def test_people_are_followed_or_only_one_is_taken(tmp_path):
    dancer, passer = person(25, 200.0), person(25, 330.0)
    for number, one in enumerate((dancer, passer)):  # of some extent
        one["pose_keypoints_2d"][:3] = [20.0 + 300 * number, 10.0 + 280 * number, 1.0]
    folder = write(tmp_path / "a", [dancer], [passer, dancer], [], [dancer])
    followed = read_openpose(folder, size=SIZE, rate=RATE)
    assert followed.found.tolist() == [True, True, False, True] and followed.xy[1, 0, 0] == 20
    only = read_openpose(folder, size=SIZE, rate=RATE, people="only_one")
    assert only.found.tolist() == [True, False, False, True]
    assert followed.pts.tolist() == [0, 1, 2, 3]
    assert [len(concatenated(read_people(folder, name))["pose"]) for name in frame_names(folder)] == [
        75, 150, 0, 75,
    ]  # fmt: skip


def test_yaml_comes_before_json_and_older_json_is_read(tmp_path):
    (tmp_path / "f1_keypoints.json").write_text(
        json.dumps({"people": [{"pose_keypoints": [2.0] * 54, "hand_left_keypoints": [1.0] * 63}]})
    )
    assert read_people(tmp_path, "f1")[0]["pose"] == [2.0] * 54
    (tmp_path / "f1_pose.yml").write_text(
        "pose_0:\n   sizes: [ 1, 18, 3 ]\n   data: [ " + "3., " * 53 + "3. ]\n"
    )
    assert read_people(tmp_path, "f1")[0]["pose"] == [3.0] * 54
    assert frame_names(tmp_path) == ["f1"]


def test_frame_numbers_keep_their_gaps(tmp_path):
    write_openpose(some_poses("body_18"), tmp_path)
    (tmp_path / "frame000021_keypoints.json").unlink()
    assert read_openpose(tmp_path, size=SIZE, rate=RATE).pts.tolist() == [20, 22, 23]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not a keypoint file"),
        ('{"frames": []}', "is not a keypoint file"),
        ('{"people": [{"pose_keypoints_2d": ["x"]}]}', "is not a keypoint file"),
        ('{"people": [{"pose_keypoints_2d": [1, 2]}]}', "no triples"),
        ('{"people": [{"pose_keypoints_2d": [1, 2, NaN]}]}', "not finite"),
        (json.dumps({"people": [person(17)]}), "a body of 17 points.*18, 23, 25"),
        (json.dumps({"people": [person(25, face=68)]}), "face has 68 points, expected 70"),
        ('{"people": []}', "nobody is in any of 1 frames"),
    ],
)
def test_damaged_files_are_named(tmp_path, content, said):
    (tmp_path / "f_keypoints.json").write_text(content)
    with pytest.raises(PoseError, match=said) as raised:
        read_openpose(tmp_path, size=SIZE, rate=RATE)
    assert str(tmp_path) in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("pose_0: 1", "no line of data"), ("   sizes: [ 1, 2, 3 ]\n   data: [ 1., 2., 3. ]", "do not fill"),
     ("   data: [ a, b, c ]", "could not convert")],
)  # fmt: skip
def test_damaged_yaml_is_named(text, said):
    with pytest.raises(PoseError, match=f"f.yml.*{said}"):
        parse_yaml(text, Path("f.yml"))


def test_nobody_in_yaml():
    assert parse_yaml("   sizes: [ 0 ]\n   dt: f\n   data: [ ]\n", Path("f.yml")) == []
    assert concatenated([]) == {part: [] for part in PARTS} and parse_json('{"people": []}', Path("f")) == []


def test_folders_without_keypoints(tmp_path):
    for folder, said in ((tmp_path, "holds no keypoint files"), (tmp_path / "x", "is not a folder")):
        with pytest.raises(PoseError, match=said):
            frame_names(folder)
    with pytest.raises(PoseError, match="no keypoints of frame f"):
        read_people(tmp_path, "f")
    (tmp_path / "a_keypoints.json").write_text(json.dumps({"people": [person(18)]}))
    (tmp_path / "b_keypoints.json").write_text(json.dumps({"people": [person(25)]}))
    with pytest.raises(PoseError, match=r"mixes bodies: body_18 .a. and body_25 .b."):
        read_openpose(tmp_path, size=SIZE, rate=RATE)
    with pytest.raises(PoseError, match="no skeleton of OpenPose"):
        write_openpose(some_poses("coco_17"), tmp_path)


def test_25_joints_as_23():
    poses = some_poses("body_25_face_hands")
    mapped = poses.to("body_23_face_hands")
    order = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 22, 23, 12, 13, 14, 19, 20, 0, 15, 17, 16, 18]  # edn.md 1.2
    assert np.array_equal(mapped.xy[:, :23], poses.xy[:, order], equal_nan=True)
    assert np.array_equal(mapped.xy[:, 23:], poses.xy[:, 25:], equal_nan=True)


@pytest.mark.parametrize(
    ("size", "scale", "corner"),
    [
        ((1920, 1080), 1.0, (0, 0)),
        ((1280, 720), 1.5, (0, 0)),
        ((720, 1280), 0.84375, (656.25, 0)),
        ((1000, 1000), 1.08, (420, 0)),
        ((2000, 800), 0.96, (0, 156)),
    ],
)
def test_frames_of_other_sizes_are_centred_on_the_canvas(size, scale, corner):
    box = Letterbox.around(size)
    assert (box.scale, box.left, box.top) == pytest.approx((scale, *corner))
    poses = some_poses("body_25").replace(size=size)
    moved = letterbox(poses)
    assert moved.size == CANVAS
    assert np.allclose(moved.xy, poses.xy * scale + corner, equal_nan=True, atol=1e-3)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(1024, 512), (512, 256), (256, 256)]))
def test_window_pixels_give_back_the_thousandths_of_the_canvas(seed, size):
    xy = np.random.default_rng(seed).uniform(0, 1079, (50, 2)).round(3)
    assert np.array_equal(to_canvas(from_canvas(xy, size).astype(np.float32), size), xy)
