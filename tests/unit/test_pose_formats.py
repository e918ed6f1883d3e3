"""Pose files of other programs: exact there and back, files as the programs write them, and damaged ones."""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.errors import DancekitError, PoseError, UnknownName
from dancekit.pose.formats import as_openpose, encode_poses, is_pose_file, read_poses
from dancekit.pose.formats.drawing import JOINT_RADIUS, LIMBS, draw_dwpose, rainbow
from dancekit.pose.openpose import write_openpose
from dancekit.types import PoseSequence, get_skeleton, skeleton_names

NATIVE = {
    "coco": ["coco_17"],
    "wholebody": ["wholebody_133"],
    "mediapipe": ["blazepose_33"],
    "dwpose": ["body_18", "body_18_face_hands"],
}


def poses(seed: int, name: str, frames: int = 4, missing: float = 0.3) -> PoseSequence:
    """Joints anywhere, some missing, one frame empty; uneven times in an odd time base."""
    skeleton, rng = get_skeleton(name), np.random.default_rng(seed)
    xy = rng.uniform(-100, 900, (frames, len(skeleton), 2)).astype(np.float32)
    score = rng.uniform(1e-3, 1, xy.shape[:2]).astype(np.float32)
    score[rng.random(score.shape) < missing] = 0
    score[0] = 0.5  # so that all parts are seen somewhere
    score[-1] = 0
    pts = 1001 * np.cumsum(rng.integers(1, 4, frames))
    return PoseSequence(
        xy=xy, score=score, pts=pts, time_base=Fraction(1, 30000), size=(641, 359), skeleton=skeleton
    )


def same(first: PoseSequence, second: PoseSequence) -> None:
    assert first.skeleton == second.skeleton and first.size == second.size
    assert (first.score == second.score).all()
    assert np.array_equal(first.xy, second.xy, equal_nan=True)
    assert first.time_base == second.time_base and (first.pts == second.pts).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(f, s) for f, all_ in NATIVE.items() for s in all_]))
def test_there_and_back_is_exact(tmp_path_factory, seed, case):
    form, skeleton = case
    given_ = poses(seed, skeleton)
    path = tmp_path_factory.mktemp("p") / "x.json"
    path.write_text(encode_poses(given_, form))
    found = read_poses(path)
    same(given_, found)
    assert encode_poses(found, form) == path.read_text()  # and so is the file


@pytest.mark.parametrize("form", NATIVE)
def test_from_any_skeleton_what_the_format_holds(form, tmp_path):
    for name in skeleton_names():
        given_ = poses(1, name)
        path = tmp_path / f"{name}.json"
        path.write_text(encode_poses(given_, form))
        found = read_poses(path)
        same(given_.to(found.skeleton), found)
        assert found.valid[0].sum() >= 13


def test_openpose_there_and_back(tmp_path):
    for name, wanted in (
        ("wholebody_133", "body_25_face_hands"),
        ("blazepose_33", "body_25"),
        ("body_18", "body_18"),
    ):
        given_ = as_openpose(poses(2, name), Fraction(30000, 1001))
        assert given_.skeleton.name == wanted
        write_openpose(given_, tmp_path / name)
        found = read_poses(tmp_path / name, size=(641, 359), rate=Fraction(30000, 1001))
        same(given_, found)
    for missing in ({"size": (641, 359)}, {"rate": Fraction(25)}):
        with pytest.raises(PoseError, match=r"add --(rate|size)"):
            read_poses(tmp_path / "body_18", **missing)


def test_npz_there_and_back(tmp_path):
    given_ = poses(3, "halpe_26")
    given_.save(tmp_path / "p.npz")
    same(given_, read_poses(tmp_path / "p.npz"))


def point(x, y, visibility):
    return {"x": x, "y": y, "z": 0.3, "visibility": visibility}


def test_mediapipe_results_as_programs_dump_them(tmp_path):
    """A fraction runs from edge to edge: (0.5, 0.5) of 100 by 80 is between pixels 49 and 50, 39 and 40."""
    person = [point(0.5, 0.5, 0.9)] * 33
    dumps = {
        "tasks": [{"landmarks": [person], "worldLandmarks": [person]}, {"landmarks": []}],
        "python": [{"pose_landmarks": [person]}, {"pose_landmarks": []}],
        "older": [{"poseLandmarks": person}, {"poseLandmarks": None}],
    }
    for name, data in dumps.items():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(data))
        found = read_poses(path, size=(100, 80), rate=Fraction(25))
        assert found.xy[0] == pytest.approx(np.tile([49.5, 39.5], (33, 1)), abs=1e-6)
        assert found.score[0] == pytest.approx(0.9) and list(found.found) == [True, False]
        assert found.seconds.tolist() == [0, 0.04]
        with pytest.raises(PoseError, match="add --size"):
            read_poses(path, rate=Fraction(25))
        with pytest.raises(PoseError, match="add --rate"):
            read_poses(path, size=(100, 80))


def test_coco_annotations_of_people(tmp_path):
    """Flags become scores; the largest of several people is taken; images without anybody are frames too."""
    small, large = (np.column_stack([np.arange(17) * step, np.arange(17) * step]) for step in (1, 10))
    flags = np.array([2] * 15 + [1, 0])

    def entry(number, image, points):
        flat = np.column_stack([points, flags]).ravel().tolist()
        return {"id": number, "image_id": image, "category_id": 1, "keypoints": flat}

    images = [{"id": n, "width": 200, "height": 180, "file_name": f"{n}.jpg"} for n in (7, 9, 8)]
    entries = [entry(1, 7, small), entry(2, 7, large), entry(3, 8, large + 1)]
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"images": images, "annotations": entries, "categories": []}))
    found = read_poses(path, rate=Fraction(10))
    assert (
        found.skeleton.name == "coco_17" and found.size == (200, 180) and found.time_base == Fraction(1, 10)
    )
    assert list(found.found) == [True, False, True]
    assert found.xy[0, 14].tolist() == [140, 140] and found.xy[2, 14].tolist() == [141, 141]
    assert found.score[0, 0] == 1 and found.score[0, 15] == 0.5 and found.score[0, 16] == 0


def test_wholebody_confidences_stand_beside_the_bodys_flags(tmp_path):
    entry = {"image_id": 1, "keypoints": [10, 20, 2] * 17, "foot_kpts": [1, 2, 2] * 6}
    entry |= {
        "face_kpts": [3, 4, 0.25] * 68,
        "lefthand_kpts": [0, 0, 0] * 21,
        "righthand_kpts": [5, 6, 1.0] * 21,
    }
    image = {"id": 1, "width": 50, "height": 40}
    (tmp_path / "x.json").write_text(json.dumps({"images": [image], "annotations": [entry]}))
    found = read_poses(tmp_path / "x.json", rate=Fraction(25))
    assert found.score[0, [0, 17, 23, 91, 112]].tolist() == [1, 1, 0.25, 0, 1]


def dwpose_frame(person):
    return {"people": [person], "canvas_width": 400, "canvas_height": 200}


def test_dwpose_as_comfyui_writes_it(tmp_path):
    body = [100.0, 50.0, 1.0] * 17 + [0.0, 0.0, 0.0]
    pixels = {"pose_keypoints_2d": body, "face_keypoints_2d": None, "hand_left_keypoints_2d": None}
    fractions = {"pose_keypoints_2d": [0.25, 0.25, 1.0] * 17 + [0.0, 0.0, 0.0]}
    for name, person in (("pixels", pixels), ("fractions", fractions)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps([dwpose_frame(person)] * 2))
        found = read_poses(path, rate=Fraction(16))
        assert found.skeleton.name == "body_18" and found.size == (400, 200) and len(found) == 2
        assert found.xy[1, 0].tolist() == [100, 50] and found.valid[1].sum() == 17
    face = pixels | {
        "face_keypoints_2d": [7.0, 8.0, 0.5] * 68,
        "hand_right_keypoints_2d": [1.0, 2.0, 1.0] * 21,
    }
    (tmp_path / "face.json").write_text(json.dumps(dwpose_frame(face)))  # one frame, 68 points, as DWPose has
    found = read_poses(tmp_path / "face.json", rate=Fraction(16))
    assert found.skeleton.name == "body_18_face_hands"
    assert found.xy[0, found.skeleton.index("face_67")].tolist() == [7, 8]
    assert not found.valid[0, found.skeleton.index("right_pupil")]
    assert found.xy[0, found.skeleton.index("right_hand_20")].tolist() == [1, 2]


def broken(text: str, seed: int) -> str:
    """A valid file with one value somewhere replaced."""
    rng = np.random.default_rng(seed)
    data = json.loads(text)
    node, parent, key = data, None, None
    while isinstance(node, dict | list) and node and (parent is None or rng.random() < 0.85):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        parent, key = node, keys[rng.integers(len(keys))]
        node = parent[key]
    parent[key] = copy.deepcopy([None, "x", [], {}, -1, 1e300, [[1]], True][rng.integers(8)])
    return json.dumps(data)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(list(NATIVE)))
def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path_factory, seed, form):
    path = tmp_path_factory.mktemp("p") / "x.json"
    path.write_text(broken(encode_poses(poses(0, NATIVE[form][-1], frames=2), form), seed))
    try:
        read_poses(path)
    except DancekitError as error:
        assert str(path) in str(error) and "\n" not in str(error)


def test_numbers_beyond_single_precision_are_missing(tmp_path):
    text = encode_poses(poses(0, "body_18", frames=2, missing=0), "dwpose")
    data = json.loads(text)
    data[0]["people"][0]["pose_keypoints_2d"][0] = 1e300
    (tmp_path / "x.json").write_text(json.dumps(data))
    assert read_poses(tmp_path / "x.json").valid[0].tolist() == [False] + [True] * 17


def test_what_is_no_pose_file(tmp_path):
    for name, text, words in (
        ("a.json", "{", "not JSON"),
        ("b.json", '{"a": 1}', "no poses of a known kind"),
        ("c.json", "[]", "no poses of a known kind"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(PoseError, match=words):
            read_poses(tmp_path / name)
    with pytest.raises(PoseError, match="does not exist"):
        read_poses(tmp_path / "none.json")
    with pytest.raises(UnknownName, match="no JSON pose format"):
        encode_poses(poses(0, "coco_17"), "bvh")
    assert is_pose_file(Path("a.NPZ")) and is_pose_file(tmp_path) and not is_pose_file(Path("a.mp4"))


def test_pose_pictures_have_openposes_colours_and_order():
    """Ends of the limbs in full colour, the middle of a limb darkened; pixels known from the documented look."""
    skeleton = get_skeleton("body_18")
    xy = np.full((1, 18, 2), np.nan, np.float32)
    xy[0, [1, 2, 3]] = [[100, 40], [60, 40], [60, 100]]  # neck, right shoulder, right elbow
    one = PoseSequence(
        xy=xy, score=np.ones((1, 18)), pts=[0], time_base=Fraction(1), size=(160, 120), skeleton=skeleton
    )
    (picture,) = draw_dwpose(one)
    assert picture[40, 80].tolist() == [153, 0, 0]  # neck to right shoulder: red, darkened
    assert picture[70, 60].tolist() == [153, 102, 0]  # upper arm: orange, darkened
    assert picture[40, 100].tolist() == [255, 85, 0] and picture[100, 60].tolist() == [255, 255, 0]
    assert picture[40 + JOINT_RADIUS, 100].any() and not picture[40 + JOINT_RADIUS + 1, 100].any()
    assert picture[44, 80].any() and not picture[45, 80].any()  # 4 pixels on each side
    assert len({rainbow(n) for n in range(18)}) == 18 and len(LIMBS) == 17
    unsure = one.replace(score=np.full((1, 18), 0.29))
    assert not next(draw_dwpose(unsure)).any()


def test_pose_pictures_show_hands_and_face_where_there_are_any():
    whole = poses(4, "wholebody_133", missing=0).replace(score=np.ones((4, 133)))
    whole = whole.replace(xy=np.clip(np.nan_to_num(whole.xy, nan=50), 10, 340))
    picture = next(draw_dwpose(whole))
    colours = {tuple(pixel) for pixel in picture.reshape(-1, 3).tolist()}
    assert (255, 255, 255) in colours and (0, 0, 255) in colours
    body = {tuple(pixel) for pixel in next(draw_dwpose(whole.to("coco_17"))).reshape(-1, 3).tolist()}
    assert (255, 255, 255) not in body
    far = whole.replace(xy=whole.xy * 1e20)  # nothing overflows
    assert next(draw_dwpose(far)).shape == (359, 641, 3)
    blaze = poses(5, "blazepose_33", missing=0)
    assert (255, 255, 255) not in {tuple(p) for p in next(draw_dwpose(blaze)).reshape(-1, 3).tolist()}


@pytest.mark.shared
def test_the_whole_body_sample(shared, tmp_path):
    data = json.loads((shared / "data/motion/coco_wholebody/test_coco_wholebody.json").read_text())
    data["images"] = [image for image in data["images"] if image["id"] == 785]  # the skier
    data["annotations"] = [entry for entry in data["annotations"] if entry["image_id"] == 785]
    (tmp_path / "skier.json").write_text(json.dumps(data))
    found = read_poses(tmp_path / "skier.json", rate=Fraction(25))
    assert found.skeleton.name == "wholebody_133" and found.size == (640, 425)
    assert found.xy[0, 0].tolist() == [367, 81] and found.valid[0, :17].all()
