"""Rendered clips of a few small frames: truth against pixels, pairs, crossings, flow, determinism."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from dancekit.dancefloor.actor import Actor
from dancekit.dancefloor.benchmark_rooms import camera_a
from dancekit.dancefloor.choreography import choreograph
from dancekit.dancefloor.clips import benchmark_clips, crossing_clip, pair_clips, people_clips
from dancekit.dancefloor.flow import STEP, FlowTracker, FrameFlow, dense_flow
from dancekit.dancefloor.keypoints import FACE, NAMES
from dancekit.dancefloor.looks import PERSON_B
from dancekit.dancefloor.person import Person
from dancekit.dancefloor.render import render_clips
from dancekit.dancefloor.retarget import retarget
from dancekit.dancefloor.scene import QUALITIES
from dancekit.dancefloor.truth import HIDDEN, OUTSIDE, VISIBLE, ClipTruth, visibility
from dancekit.dancefloor.verify import verify_clip, verify_folder, worst
from dancekit.errors import OutputExists, PoseError, UsageError, VideoError
from dancekit.evaluate.truth import ExactTruth
from dancekit.video.read import read_frames

FAST = QUALITIES["fast"]
FRAMES = 12


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Source and truth of a pair, with flow."""
    folder = tmp_path_factory.mktemp("pair")
    clips = pair_clips(3, FRAMES, size=(112, 96), kind="dance", quality=FAST)[:2]
    render_clips(clips, folder, flow=True)
    return folder


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> ClipTruth:
    """The moment when two people pass each other."""
    folder = tmp_path_factory.mktemp("both")
    clip = crossing_clip(1, 90, size=(128, 96), quality=FAST)
    apart = np.abs(clip.motions[0].root[:, 0] - clip.motions[1].root[:, 0])
    meet = int(apart.argmin())
    short = type(clip)(
        *(clip.name, clip.people, tuple(motion[meet - 3 : meet + 3] for motion in clip.motions)),
        *(clip.room, clip.camera, clip.quality, clip.seed, clip.made_from),
    )
    render_clips([short], folder)
    return ClipTruth.load(folder / f"{clip.name}.npz")


def test_source_and_truth_are_one_motion_face_and_gaze_included(pair):
    with np.load(pair / "source_dance.npz") as source, np.load(pair / "target_truth.npz") as truth:
        for track in ("face", "gaze", "contact"):
            np.testing.assert_array_equal(source[track], truth[track])
        assert source["face"].any() and source["gaze"].any()
        assert abs(float(source["person_height"]) - float(truth["person_height"])) > 0.01
        mine = np.asarray(source["keypoints3d"], float)
        theirs = np.asarray(truth["keypoints3d"], float)
    for begin, end in (("left_elbow", "left_wrist"), ("right_shoulder", "right_elbow")):
        a, b = (points[:, NAMES.index(end)] - points[:, NAMES.index(begin)] for points in (mine, theirs))
        cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        assert np.degrees(np.arccos(cosine)).max() < 12  # landmarks of two bodies, one pose


def test_a_rendered_pair_passes_its_own_check(pair):
    checks = verify_folder(pair)
    assert [check.name for check in checks] == ["source_dance", "target_truth"]
    assert worst(checks) == []
    for check in checks:
        assert check.frames == FRAMES and check.reprojection < 1e-3
        assert check.flow is not None and check.flow < 0.7


def test_the_evaluations_reader_takes_the_truth(pair):
    truth = ExactTruth.load(pair / "target_truth.npz")
    assert len(truth) == FRAMES and "left_hand_4" in truth.names
    assert truth.mask(0, (112, 96)).any()


def _spoil(folder: Path, tmp_path: Path, **changes) -> Path:
    video = tmp_path / "clip.mp4"
    shutil.copy(folder / "source_dance.mp4", video)
    with np.load(folder / "source_dance.npz") as data:
        arrays = {name: data[name] for name in data.files}
    np.savez(
        video.with_suffix(".npz"), **arrays | {name: change(arrays[name]) for name, change in changes.items()}
    )
    return video


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"keypoints": lambda xy: xy + 0.5}, "projection"),
        ({"mask_bits": lambda bits: np.roll(bits, 2, axis=2)}, "mask"),
        ({"mask_bits": lambda bits: 0 * bits}, "changed pixels"),
        ({"flow_moves": lambda moves: -moves}, "flow"),
        ({"contact": lambda contact: np.ones_like(contact)}, "feet"),
        ({"frame_size": lambda size: size[::-1]}, "video"),
    ],
)
def test_the_check_finds_what_is_wrong(pair, tmp_path, changes, word):
    if word == "feet":  # a foot that swings is called planted
        changes = changes | {
            "keypoints3d": lambda places: places + np.arange(len(places))[:, None, None] * 0.05
        }
    problems = verify_clip(_spoil(pair, tmp_path, **changes)).problems
    assert any(word in problem for problem in problems), problems


def test_the_same_seed_gives_the_same_truth_and_the_same_frames(pair, tmp_path):
    clip = pair_clips(3, FRAMES, size=(112, 96), kind="dance", quality=FAST)[0]
    render_clips([clip], tmp_path, flow=True)
    assert (tmp_path / "source_dance.npz").read_bytes() == (pair / "source_dance.npz").read_bytes()
    for mine, theirs in zip(
        read_frames(tmp_path / "source_dance.mp4"), read_frames(pair / "source_dance.mp4"), strict=True
    ):
        np.testing.assert_array_equal(mine.rgb, theirs.rgb)


def test_nothing_is_overwritten_and_nothing_rendered_before_that_is_known(pair):
    clips = pair_clips(3, FRAMES, size=(112, 96), kind="dance", quality=FAST)
    before = {path.name: path.stat().st_mtime_ns for path in pair.iterdir()}
    with pytest.raises(OutputExists):
        render_clips(clips[::-1], pair)
    assert {path.name: path.stat().st_mtime_ns for path in pair.iterdir()} == before


def test_what_is_there_and_whole_is_kept(tmp_path):
    def clips(**changes):
        given = {"size": (112, 96), "kind": "dance", "quality": FAST, **changes}
        return people_clips(40, 3, 3, **given)

    assert [each.name for each in render_clips(clips()[:2], tmp_path)] == ["person_0040", "person_0041"]
    (tmp_path / "person_0041.npz").unlink()  # killed between a clip and its truth
    before = (tmp_path / "person_0040.mp4").stat().st_mtime_ns
    done = render_clips(clips(), tmp_path, resume=True)
    assert [each.name for each in done] == ["person_0041", "person_0042"]
    assert (tmp_path / "person_0040.mp4").stat().st_mtime_ns == before
    assert render_clips(clips(), tmp_path, resume=True) == []
    for changes, words in (
        ({"quality": QUALITIES["fine"]}, "quality fast, not fine"),
        ({"kind": "walk"}, "motion dance, not walk"),
        ({"size": (128, 96)}, r"size \(112, 96\), not \(128, 96\)"),
    ):
        with pytest.raises(UsageError, match=rf"person_0040.npz was made in another way: {words}"):
            render_clips(clips(**changes), tmp_path, resume=True)
    with pytest.raises(UsageError, match="flow False, not True"):
        render_clips(clips(), tmp_path, resume=True, flow=True)


def test_a_file_says_how_it_was_made(pair):
    truth = ClipTruth.load(pair / "source_dance.npz")
    assert truth.provenance["person"] == 6 and "MakeHuman" in str(truth.provenance["credits"])
    assert "cmu" not in json.dumps(truth.provenance)
    with pytest.raises(PoseError, match="no flow"):
        truth.flow_from(FRAMES - 1)


def test_people_who_cross_keep_their_ids_and_hide_each_other(both):
    assert both.people == 2
    first, second = both.places[:, :, NAMES.index("left_hip"), :2].transpose(1, 0, 2)
    assert (first[:, 1] < second[:, 1] - 0.4).all()  # the first is nearer in all frames
    for frame in range(len(both)):
        masks = both.mask(frame, 0), both.mask(frame, 1)
        assert not (masks[0] & masks[1]).any()
        assert masks[0].sum() > 1.2 * masks[1].sum() > 0
    assert (both.visibility[:, 0, :17] == VISIBLE).mean() > (
        both.visibility[:, 1, :17] == VISIBLE
    ).mean() + 0.2
    assert (both.visibility[:, 1] == HIDDEN).any()


# ---- flow and visibility against formulas ------------------------------------------------------------------


def test_flow_of_a_moved_person_is_that_of_their_depth():
    """Oracle: a point at a pixel's ray and depth, moved as a rigid body, projected again."""
    person, camera = Person(PERSON_B), camera_a((96, 96))
    performance = retarget(choreograph("dance", 3, 1), person.rig)
    rotations, positions = person.rig.pose(
        performance.motion.rotations[0], performance.motion.root[0], gaze=(0, 0), fingers=(0.2, 0.2)
    )
    actor, move = Actor(person, 0), np.array([0.08, -0.15, 0.03])
    tracker = FlowTracker([actor], camera)
    actor.pose((rotations, positions), np.zeros(9))
    assert tracker.advance() is None
    depth = tracker._now.depth.copy()
    actor.pose((rotations, positions + move), np.zeros(9))
    flow = tracker.advance()
    rows, columns = np.nonzero(flow.on_person)
    rays = np.stack([(columns - 47.5) / camera.focal, (rows - 47.5) / camera.focal, np.ones(len(rows))], 1)
    places = camera.eye + (rays / depth[rows, columns][:, None]) @ camera.rotation
    expected = camera.project(places + move)[0] - np.stack([columns, rows], 1)
    np.testing.assert_allclose(flow.moves, expected, atol=1e-6)
    assert 0.8 < flow.seen.mean() < 1  # points at the edges turn away
    bits, stored, seen = flow.packed()
    dense, visible = dense_flow(bits, stored, seen, 96)
    assert np.abs(dense[rows, columns] - expected).max() <= STEP / 2 + 1e-6
    assert not dense[~flow.on_person].any() and visible[~flow.on_person].all()


def test_a_point_that_somebody_steps_in_front_of_is_not_seen_any_more():
    person, camera = Person(PERSON_B), camera_a((64, 64))
    performance = retarget(choreograph("rest", 2, 1), person.rig)
    rotations, positions = person.rig.pose(
        performance.motion.rotations[0], performance.motion.root[0], gaze=(0, 0), fingers=(0.2, 0.2)
    )
    behind, before = Actor(person, 0), Actor(person, len(person.faces))
    tracker = FlowTracker([behind, before], camera)
    behind.pose((rotations, positions), np.zeros(9))
    before.pose((rotations, positions + np.array([1.1, -1.0, 0])), np.zeros(9))
    tracker.advance()
    mine = (tracker._now.face_ids < len(person.faces))[tracker._now.face_ids >= 0]
    before.pose((rotations, positions + np.array([0, -1.0, 0])), np.zeros(9))
    flow = tracker.advance()
    assert flow.seen[~mine].mean() > 0.8
    assert flow.seen[mine].mean() < 0.3
    assert np.abs(flow.moves[mine]).max() < 1e-6  # who stands still does not move


def test_flow_too_large_to_store_counts_as_unseen():
    flow = FrameFlow(np.array([[True, True]]), np.array([[1.0, 2.0], [400.0, 0.0]]), np.array([True, True]))
    _, stored, seen = flow.packed()
    assert seen.tolist() == [True, False] and stored[0].tolist() == [128, 256]


def test_visibility_is_a_depth_test_with_a_tolerance_for_the_joint():
    depth = np.zeros((20, 20))
    depth[5:15, 5:15] = 1 / 3.0  # a wall 3 m away
    xy, z = np.full((73, 2), 9.5), np.full(73, 3.1)
    xy[0], xy[1] = (-3, 5), (2, 2)
    found = visibility(xy, z, depth, 1)
    assert found[0] == OUTSIDE and found[1] == VISIBLE  # beside the wall
    assert found[NAMES.index("left_hip")] == VISIBLE  # 10 cm below the surface is where hips are
    assert found[NAMES.index("left_ear")] == HIDDEN


# ---- the benchmark -----------------------------------------------------------------------------------------


EVERY = 12
"""Of the benchmark's frames, those whose keypoints are compared; contacts are in all."""


def _perform(clip) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (T / EVERY, 73, 2) and contacts (T, 2), without rendering."""
    person = Person(clip.people[0])
    performance = retarget(clip.motions[0], person.rig)
    motion, found = performance.motion, []
    for frame in range(0, len(motion), EVERY):
        bones = person.rig.pose(
            motion.rotations[frame],
            motion.root[frame],
            gaze=motion.gaze[frame],
            fingers=motion.fingers[frame],
        )
        found.append(clip.camera.project(person.keypoints.places(*bones, motion.face[frame]))[0])
    return np.array(found), performance.contact


@pytest.mark.parametrize(("sample", "name"), [("source", "source_dance"), ("truth", "target_truth")])
def test_the_benchmark_is_the_shipped_samples(root, sample, name):
    """They were rendered by this program's prototype, whose first pixel's centre lay at 0.5."""
    (clip,) = benchmark_clips(only=[name])
    with np.load(root / "zoo/samples" / f"{sample}.npz") as data:
        expected = data["keypoints"][::EVERY] - 0.5
    error = np.abs(_perform(clip)[0][: len(expected), : expected.shape[1]] - expected)
    assert error[:, 5:].max() < 0.03
    # the truth had a face track of its own, now it has the source's
    assert error[:, :5].max() < (0.03 if sample == "source" else 1.0)


@pytest.mark.shared
@pytest.mark.parametrize(
    "name", ["source_rest", "target_rest", "source_dance", "target_truth", "target_train"]
)
def test_the_benchmark_with_recordings_is_the_one_that_figures_were_measured_on(shared, name):
    mocap = shared / "dancefloor" / "mocap"
    (clip,) = benchmark_clips(mocap=mocap, only=[name])
    with np.load(shared / "data" / "dancefloor" / f"{name}.npz") as data:
        expected, contact = data["keypoints"][::EVERY] - 0.5, data["contact"]
    found, planted = _perform(clip)
    error = np.abs(found - expected).max((0, 2))
    of_face = np.isin(NAMES, [*FACE, "nose", "left_eye", "right_eye", "left_ear", "right_ear"])
    assert error[~of_face].max() < 0.03
    if name == "target_truth":  # its face was its own, now it is the source's
        assert 0.1 < error[of_face].max() < 3
    else:
        assert error[of_face].max() < 0.03
    np.testing.assert_array_equal(planted, contact)


def test_a_folder_without_clips_is_said_to_have_none(tmp_path):
    with pytest.raises(VideoError, match="no clip"):
        verify_folder(tmp_path)
