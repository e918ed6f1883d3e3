"""A window that follows the person: tall enough, moved by whole pixels, put back without a seam."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import cv2
import make_video as mv
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from live_stage import FakeClock, FakeScreen, Seer, film
from make_dancer import FRAME, Everybody, dance, make_dancer, texture

from dancekit.build import check_parts, window_step
from dancekit.config import load_recipe
from dancekit.contracts import State
from dancekit.dancer import read_info
from dancekit.data.masks import MaskTrack
from dancekit.data.poses import TrackedClip
from dancekit.data.training_set import TrainingSet, load, prepare
from dancekit.errors import DancekitError, DancerError, IncompatibleParts
from dancekit.evaluate.dancers import Inputs, evaluate_dancer
from dancekit.evaluate.protocols import Loop, load_protocol
from dancekit.live import LiveOptions, run_live
from dancekit.live.film import FilmSource
from dancekit.model import Painter
from dancekit.moving import PLACE, edge_of, inserted, moved_state, part_of
from dancekit.transfer import Dancer, TransferOptions
from dancekit.transfer.composite import MattedPerson
from dancekit.transfer.export import export_dancer
from dancekit.types import Following, PoseSequence, Window, get_skeleton
from dancekit.types.following import JOINTED, choose_window, standing_height
from dancekit.weights.header import read_header, read_tensors, write_safetensors

FOLLOWS = ("person_height=48", "background=plate")
SIZE = (64, 64)
FOLLOW = Following(size=SIZE, canvas=(160, 96), step=8)


def standing(path, tall: float, *, frame=(640, 360)) -> PoseSequence:
    """A body so many pixels tall from the nose to the ankles, whose middle follows a path of columns."""
    skeleton, path = get_skeleton("coco_17"), np.asarray(path, float)
    rows = np.linspace(-0.5, 0.5, 17) * tall
    body = np.stack([np.tile([-0.1, 0.1], 9)[:17] * tall, rows], -1)
    xy = body + np.stack([path, np.full(len(path), frame[1] * 0.55)], -1)[:, None]
    return PoseSequence(
        xy=xy,
        score=np.ones(xy.shape[:2]),
        pts=np.arange(len(path)),
        time_base=Fraction(1, 25),
        size=frame,
        skeleton=skeleton,
    )


# ---- where it is ----


@given(st.floats(20, 170), st.integers(64, 400), st.sampled_from([8, 16]))
@settings(max_examples=40, deadline=None)
def test_a_person_far_away_is_painted_as_tall_as_asked(tall: float, wanted: int, step: int) -> None:
    """The promise, in painted pixels; and every body of the clip lies in its window, whatever its place."""
    poses = standing(np.linspace(60, 580, 120), tall)
    size = (512, 512)
    window, follow = choose_window(poses, size=size, person_height=wanted, step=step)
    assert standing_height(poses) == pytest.approx(tall * 15 / 16 / JOINTED, rel=0.07)  # without the arms
    assert standing_height(poses) / window.scale >= wanted * (1 - 1e-6)
    if follow is None:
        assert window == Window.around(poses.xy, size=size, frame_size=poses.size)
        return
    assert window.size == follow.canvas
    assert follow.size == size
    xy = window.to_window(poses.xy)
    places = follow.places(xy)
    assert not (places % step).any()
    assert (places >= 0).all() and (places <= np.array(follow.canvas) - size).all()
    seen = xy - places[:, None]
    assert (seen >= 0).all() and (seen <= 511).all()
    corners = window.to_frame(np.array([[-0.5, -0.5], np.array(window.size) - 0.5]))
    assert (corners[0] <= -0.5 + 1e-3).all() and (corners[1] >= np.array(poses.size) - 0.5 - 1e-3).all()


def test_where_the_fixed_window_is_right_it_stays_to_the_bit() -> None:
    poses = standing(np.full(50, 300.0), 300)
    fixed = Window.around(poses.xy, size=(512, 512), frame_size=poses.size)
    assert choose_window(poses, size=(512, 512), person_height=384, step=16) == (fixed, None)
    far = standing(np.linspace(60, 580, 50), 60)
    assert choose_window(far, size=(512, 512), person_height=0, step=16) == (
        Window.around(far.xy, size=(512, 512), frame_size=far.size),
        None,
    )


def test_a_close_up_has_one_window() -> None:
    """Whose feet are not filmed, their height is not known."""
    far = standing(np.linspace(60, 580, 50), 60)
    score = far.score.copy()
    score[:30, [far.skeleton.index("left_ankle"), far.skeleton.index("right_ankle")]] = 0
    close = far.replace(score=score)
    assert standing_height(close) == 0 < standing_height(far)
    assert choose_window(close, size=(512, 512), person_height=384, step=16)[1] is None
    assert choose_window(far, size=(512, 512), person_height=384, step=16)[1] is not None


def test_jitter_does_not_move_it_and_nothing_later_matters() -> None:
    rng = np.random.default_rng(0)
    walking = standing(np.linspace(60, 580, 100), 40)
    window, follow = choose_window(walking, size=SIZE, person_height=48, step=8)
    assert follow is not None
    xy = window.to_window(standing(300 + rng.uniform(-3, 3, 100), 40).xy)
    assert len(np.unique(follow.places(xy), axis=0)) == 1
    walk = window.to_window(walking.xy)
    whole = follow.places(walk)
    assert np.array_equal(whole[:40], follow.places(walk[:40]))
    assert np.array_equal(whole[40:], follow.places(walk[40:], before=tuple(whole[39])))
    lost = walk.copy()
    lost[50:60] = np.nan
    assert (follow.places(lost)[50:60] == follow.places(lost)[49]).all()
    assert len(np.unique(whole[:, 0])) > 10


def test_it_leaps_at_a_cut() -> None:
    xy = np.concatenate([np.full((3, 5, 2), 40.0), np.full((3, 5, 2), 45.0)])
    one, other = FOLLOW.places(xy), FOLLOW.places(xy, cuts=(3,))
    assert np.array_equal(one, FOLLOW.places(xy[:1]).repeat(6, 0))
    assert np.array_equal(other[3:], FOLLOW.places(xy[3:]))


def test_raised_arms_fit_as_long_as_the_body_does() -> None:
    """A body of 60 rows in a window of 64: the room for hair is given up, and jitter is followed."""
    xy = np.stack([np.full(40, 80.0), np.linspace(10, 70, 40)], -1)[None]
    walk = np.concatenate([xy + np.array([0, dy]) for dy in (0, 3, 5, 8, 11, 14)])
    places = Following(size=SIZE, canvas=(160, 96), step=2).places(walk)
    seen = walk - places[:, None]
    assert (seen[..., 1] >= 0).all() and (seen[..., 1] <= 63).all()


def test_what_is_no_window_is_refused() -> None:
    for wrong in ({"canvas": (150, 96)}, {"canvas": (32, 96)}, {"step": 0}):
        with pytest.raises(ValueError, match="not a window that can follow"):
            Following(**{"size": SIZE, "canvas": (160, 96), "step": 8, **wrong})
    assert Following.from_json(FOLLOW.to_json()) == FOLLOW


# ---- the past ----


@given(st.integers(0, 12), st.integers(0, 4), st.integers(0, 12), st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_the_past_is_moved_exactly(x: int, y: int, u: int, v: int) -> None:
    """Oracle: the same cut-out of a picture that stands still; beyond it the plate, the empty condition, and 0."""
    torch.manual_seed(0)
    canvas, plate = torch.randn(1, 3, 96, 160), torch.randn(1, 3, 96, 160)
    coarse = torch.randn(1, 5, 24, 40)
    then, now = np.array([8 * x, 8 * y]), np.array([8 * u, 8 * v])
    state: State = {
        "image": part_of(canvas, then, SIZE),
        "condition": part_of(canvas, then, SIZE) + 7,
        "memory": part_of(coarse, then // 4, (16, 16)),
        "known": torch.ones(1, 1, 1, 1),
        PLACE: torch.tensor(then),
    }
    here, nobody = part_of(plate, now, SIZE), torch.full((1, 3, 64, 64), 3.0)
    moved = moved_state(state, now, here, nobody)
    assert moved is not None
    inside = torch.zeros(1, 1, 96, 160, dtype=torch.bool)
    inside[:, :, then[1] : then[1] + 64, then[0] : then[0] + 64] = True
    inside = part_of(inside, now, SIZE)
    assert torch.equal(moved["image"], torch.where(inside, part_of(canvas, now, SIZE), here))
    assert torch.equal(moved["condition"], torch.where(inside, part_of(canvas, now, SIZE) + 7, nobody))
    there = torch.where(inside[..., ::4, ::4], part_of(coarse, now // 4, (16, 16)), torch.zeros(()))
    assert torch.equal(moved["memory"], there)
    assert moved["known"] is state["known"]
    assert PLACE not in moved


def test_a_state_that_cannot_be_moved_is_said() -> None:
    state: State = {"memory": torch.zeros(1, 1, 4, 4), PLACE: torch.tensor([0, 0])}
    plate = torch.zeros(1, 3, 64, 64)
    assert moved_state(None, np.array([8, 0]), plate, plate) is None
    with pytest.raises(DancekitError, match="cannot follow a window that moves"):
        moved_state(state, np.array([8, 0]), plate, plate)
    moved = moved_state(state, np.array([16, 0]), plate, plate)
    assert moved is not None
    assert moved["memory"].shape == (1, 1, 4, 4)


# ---- painting ----


@pytest.fixture(scope="module")
def dancer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dancer(tmp_path_factory.mktemp("follow") / "ava.safetensors", changes=FOLLOWS)


@pytest.fixture
def dancer(dancer_file: Path, monkeypatch: pytest.MonkeyPatch) -> Dancer:
    monkeypatch.setattr("dancekit.transfer.pipeline.build_pose", Everybody)
    return Dancer.load(dancer_file, device="cpu")


def test_the_file_says_how_it_follows_and_fixed_ones_are_as_before(dancer_file: Path, tmp_path: Path) -> None:
    info = read_info(dancer_file)
    assert info.format == 3
    assert info.follow is not None
    assert info.follow.size == (64, 64) == info.painted_size
    assert info.window.size == info.follow.canvas
    assert info.follow.step == window_step(info.recipe, get_skeleton(info.skeleton))
    fixed = read_info(make_dancer(tmp_path / "fixed.safetensors"))
    assert fixed.format == 2
    assert fixed.follow is None
    assert "person_height" not in fixed.recipe.to_json()
    assert "follow" not in fixed.to_json()


def test_a_file_whose_window_does_not_fit_its_canvas_is_damaged(dancer_file: Path, tmp_path: Path) -> None:
    metadata = dict(read_header(dancer_file).metadata)
    for wrong in ({"canvas": [64, 64]}, {"size": [32, 32]}, {"step": 0}):
        data = json.loads(metadata["dancekit"])
        data["follow"] |= wrong
        changed = {**metadata, "dancekit": json.dumps(data)}
        out = write_safetensors_copy(dancer_file, tmp_path / "wrong.safetensors", changed)
        with pytest.raises(DancerError, match="damaged dancekit header"):
            read_info(out)


def write_safetensors_copy(source: Path, out: Path, metadata: dict[str, str]) -> Path:
    write_safetensors(out, read_tensors(source), metadata)
    return out


def test_painted_pictures_are_put_back_without_a_seam(dancer: Dancer) -> None:
    """Planted: a network that paints what is there, and a disc for a matte. The whole frame must be the planted one,
    and every pixel off the disc the plate's own, wherever the window is.
    """
    painter, window = dancer.painter, dancer.info.window
    width, height = window.size
    planted = torch.from_numpy(texture((width, height), 5)).permute(2, 0, 1)[None].float() / 127.5 - 1
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    composer = MattedPerson(
        window,
        np.asarray(painter._plate[0].add(1).mul(127.5).round().permute(1, 2, 0), np.uint8),
        dancer.plate,
        matrix=np.array([[1.0, 0, 0], [0, 1, 0]]),
        inner=window.frame_size,
        side=64,
    )
    xy = window.to_window(dancer.target.xy[:1])
    assert painter.follow is not None
    most = np.array(window.size) - painter.size
    middle = (np.array(window.size) / 2).astype(int)
    disc = ((rows - middle[1]) ** 2 + (columns - middle[0]) ** 2 < 12**2).float()[None, None]
    shown = []
    for share in (0.3, 0.5, 0.7):
        place = (share * most).astype(int) // 8 * 8
        painter.network = lambda _, place=place: torch.cat(
            [part_of(planted, place, SIZE), 2 * part_of(disc, place, SIZE) - 1], 1
        )
        painter.parts.face.forward = lambda image, *_: image  # type: ignore[method-assign]
        condition = torch.ones_like(next(painter.draw(xy, dancer.target.score[:1], places=place[None])))
        painted = painter.step(condition, np.full((1, 4), np.nan, np.float32), None, place=place)
        assert painted.image.shape == (1, 3, height, width)
        matte = painted.matte_to_uint8()
        assert matte is not None
        assert np.array_equal(matte > 127, disc[0, 0].numpy() > 0.5)
        shown.append(composer(painted.to_uint8(), matte))
    for picture in shown:
        assert np.array_equal(picture, shown[0])  # the place of the window cannot be seen
    frame = cv2.warpAffine(disc[0, 0].numpy(), cv2.invertAffineTransform(window.matrix), window.frame_size)
    off = cv2.dilate(frame, np.ones((7, 7))) == 0  # beyond what enlarging blurs
    assert off.mean() > 0.7
    assert np.array_equal(shown[0][off], dancer.plate[off])
    assert np.abs(shown[0].astype(int) - dancer.plate)[frame == 1].mean() > 5


def test_the_person_alone_is_worked_on_and_the_picture_is_the_same() -> None:
    """Oracle: the same composite, looking at all of the canvas; and nobody is the background."""
    window = Window(left=-3.0, top=2.0, scale=0.7, size=(160, 96), frame_size=(120, 80))
    rng = np.random.default_rng(1)
    plate, background = texture((160, 96), 1), texture((120, 80), 2)
    matte = np.zeros((96, 160), np.uint8)
    cv2.ellipse(matte, (100, 50), (9, 22), 0, 0, 360, 230, -1)
    matte = cv2.GaussianBlur(matte, (0, 0), 1.5)
    painted = np.clip(plate + rng.normal(0, 30, plate.shape) * (matte > 0)[..., None], 0, 255).astype(
        np.uint8
    )
    options = {"matrix": np.array([[1.0, 0, 0], [0, 1, 0]]), "inner": (120, 80)}
    whole, part = (MattedPerson(window, plate, background, side=side, **options) for side in (None, 96))
    assert np.abs(whole(painted, matte).astype(int) - part(painted, matte)).max() <= 1
    assert np.abs(whole(painted, matte).astype(int) - background).max() > 20
    assert np.array_equal(part(plate, np.zeros_like(matte)), background)


def test_who_reaches_beyond_the_window_fades_out() -> None:
    edge = edge_of(SIZE, (160, 96), np.array([0, 16]))[0, 0]
    assert edge[32, 0] == 1 and edge[32, 32] == 1  # the canvas' own edge is hard
    assert edge[0, 32] < 0.3 and edge[-1, 32] < 0.3 and edge[32, -1] < 0.3
    assert torch.equal(edge_of(SIZE, SIZE, np.array([0, 0])), torch.ones(1, 1, 64, 64))


def test_each_frame_is_told_of_the_one_before_where_that_was(dancer: Dancer) -> None:
    """A network that hands on the last image: what was painted stays where it was on the canvas, pixel by pixel."""
    painter = dancer.painter
    assert painter.follow is not None
    painter.parts.face.forward = lambda image, *_: image  # type: ignore[method-assign]
    drawn = painter.parts.renderer.spec.channels
    first = torch.randn(1, 3, 64, 64).clamp(-1, 1)
    painter.network = lambda given: torch.cat(
        [
            first if not given[:, drawn : drawn + 3].any() else given[:, drawn : drawn + 3],
            torch.ones(1, 1, 64, 64),
        ],
        1,
    )
    box, condition = np.full((1, 4), np.nan, np.float32), torch.ones(1, drawn, 64, 64)
    here, there = np.array([8, 8]), np.array([16, 0])
    one = painter.step(condition, box, None, place=here)
    two = painter.step(condition, box, one.state, place=there)
    both = np.s_[:, :, 12:60, 20:68]  # within both windows, off their soft edges
    assert torch.equal(two.image[both], one.image[both])
    assert one.state is not None
    assert one.state[PLACE].tolist() == [8, 8]
    with pytest.raises(ValueError, match="where is the window"):
        painter.step(condition, box, None)
    with pytest.raises(ValueError, match="where is the window"):
        next(painter.draw(np.zeros((1, 33, 2), np.float32), np.ones((1, 33), np.float32)))


def test_one_place_for_the_whole_canvas_is_the_fixed_painter(dancer_file: Path) -> None:
    """Oracle: the painter without a window that moves, on that part of the plate."""
    dancer = Dancer.load(dancer_file, device="cpu")
    moving = dancer.painter
    assert moving.follow is not None
    poses = dancer.target[:6]
    xy = dancer.info.window.to_window(poses.xy)
    place = moving.follow.places(xy)[0]
    places = np.tile(place, (6, 1))
    window = moving.follow.window(dancer.info.window, place)
    plate = part_of(moving._plate, place, SIZE)
    level = np.asarray(plate[0].add(1).mul(127.5).round().permute(1, 2, 0), np.uint8)
    fixed = Painter(moving.parts, moving.skeleton, level, "cpu", age=moving.age)
    expected = np.stack(list(fixed.paint(window.to_window(poses.xy), poses.score)))
    painted = np.stack(list(moving.paint(xy, poses.score, places=places)))
    left, top = place
    found = painted[:, top : top + 64, left : left + 64]
    assert np.abs(found[:, 4:-4, 4:-4].astype(int) - expected[:, 4:-4, 4:-4]).max() <= 1  # float32 of xy
    outside = np.ones(painted.shape[1:3], bool)
    outside[top : top + 64, left : left + 64] = False
    canvas = inserted(moving._plate, plate, place)[0].add(1).mul(127.5).round().permute(1, 2, 0)
    assert (painted[:, outside] == np.asarray(canvas, np.uint8)[outside]).all()


def test_a_stopped_transfer_goes_on_to_the_same_pictures(
    dancer: Dancer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dancekit.transfer.resume.SEGMENT", 5)
    poses = dance(FRAME)[:18]
    across = np.linspace(-40, 40, 18, dtype=np.float32)[:, None, None] * np.array([1, 0], np.float32)
    poses.replace(xy=poses.xy + across).save(tmp_path / "walk.npz")
    over = ("normalizer=identity",)

    def pictures(name: str, **options) -> np.ndarray:
        out = tmp_path / name
        options = TransferOptions(background="target", overrides=over, **options)
        dancer.transfer(tmp_path / "walk.npz", out, options=options)
        return np.stack([cv2.imread(str(path)) for path in sorted(out.iterdir())])

    whole = pictures("whole")
    assert whole.shape[1:3] == FRAME[::-1]
    asked = dancer.info.window.to_window((poses.xy + across).astype(np.float32))
    places = dancer.painter.places(asked)
    assert places is not None
    assert len(np.unique(places[:, 0])) > 2  # it does move

    def stop(what: str, done: int, total: int) -> None:
        if what == "painting" and done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        options = TransferOptions(background="target", overrides=over)
        dancer.transfer(tmp_path / "walk.npz", tmp_path / "part", options=options, progress=stop)
    again = pictures("part")
    assert np.array_equal(again, whole)
    plain = np.stack(list(dancer.paint(poses.replace(xy=poses.xy + across))))
    assert plain.shape[1:3] == dancer.info.window.size[::-1]


def test_a_live_show_is_what_a_transfer_shows(
    dancer: Dancer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: the same poses as a clip. No later frame is needed to know where the window is."""
    monkeypatch.setattr("dancekit.transfer.pipeline.build_pose", lambda *_, **__: Seer())
    monkeypatch.setattr("dancekit.live.session.enlarged", lambda picture: picture)
    monkeypatch.setattr("dancekit.live.session.with_words", lambda picture, *_, **__: picture)
    over, clock, screen = ("normalizer=identity", "filters=[]"), FakeClock(), FakeScreen()
    with FilmSource(film(tmp_path / "a.mp4", 20), clock) as source:
        clock.sleep(3.0)
        options = LiveOptions(calibrate=0.0, overrides=over, overlap=False, snapshots=tmp_path)
        run_live(dancer, source, screen=screen, options=options, clock=clock)
    dance(FRAME)[:20].save(tmp_path / "dance.npz")
    dancer.transfer(tmp_path / "dance.npz", tmp_path / "out", overrides=over)
    expected = [cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) for path in sorted((tmp_path / "out").iterdir())]
    assert len(screen.pictures) == len(expected) == 20
    assert all(np.array_equal(*pair) for pair in zip(screen.pictures, expected, strict=True))
    assert expected[0].shape[1::-1] == FRAME


def test_a_dance_that_is_evaluated_is_seen_on_the_whole_canvas(dancer_file: Path, tmp_path: Path) -> None:
    """The drift protocol: no frame of it is true, so everything is of the dancer's own making."""
    dance(FRAME)[:30].save(tmp_path / "dance.npz")
    protocol = load_protocol("drift").model_copy(update={"loop": Loop(seconds=3, period=0.8, hold=1)})
    files = Inputs(dancer=dancer_file, clip=tmp_path / "dance.npz", overrides=("normalizer=identity",))
    result = evaluate_dancer(files, protocol, device="cpu")
    assert result.size == read_info(dancer_file).window.size
    assert all(np.isfinite(each.value) for each in result.variants[0].scores)


def test_what_cannot_follow_is_refused_in_a_line(dancer: Dancer, tmp_path: Path) -> None:
    with pytest.raises(IncompatibleParts, match="a graph has one place only"):
        export_dancer(dancer, tmp_path / "a.onnx")
    skeleton = get_skeleton("blazepose_33")
    with pytest.raises(IncompatibleParts, match="person_height needs a matte"):
        check_parts(load_recipe("tiny", ["person_height=48", "background=painted"]), skeleton)
    sized = "train.stages=[{name: small, share: 1.0, modules: [generator], size: [32, 32]}]"
    with pytest.raises(IncompatibleParts, match="has a size of its own"):
        check_parts(load_recipe("tiny", [*FOLLOWS, sized]), skeleton)


# ---- training ----


def prepared(folder: Path, *, person_height: int = 48) -> tuple[TrainingSet, list[np.ndarray]]:
    """A dancer of 40 px who walks through a room; drawn, so that every frame is known."""
    poses = standing(np.linspace(30, 130, 24), 36, frame=(160, 120))
    room, frames, masks = texture((160, 120)), [], []
    for joints in poses.xy:
        left, top, right, bottom = *joints.min(0).astype(int) - 2, *joints.max(0).astype(int) + 3
        frame, mask = room.copy(), np.zeros((120, 160), np.uint8)
        frame[top:bottom, left:right] = (200, 40, 40)
        mask[top:bottom, left:right] = 255
        frames.append(frame)
        masks.append(mask)
    video = mv.write_frames(folder / "target.mp4", frames, rate=Fraction(25))
    track = MaskTrack((160, 120))
    for mask in masks:
        track.append(mask)
    tracked = TrackedClip(poses=poses, masks=track)
    return prepare(
        video, tracked, filters=[], size=SIZE, person_height=person_height, step=8, folder=folder / "data"
    ), frames


def test_training_cuts_the_window_out_where_the_person_is(tmp_path: Path) -> None:
    data, frames = prepared(tmp_path)
    assert data.follow is not None
    assert data.places is not None
    assert data.size == SIZE
    assert len(np.unique(data.places[:, 0])) > 5
    again = load(tmp_path / "data")
    assert again.follow == data.follow
    assert np.array_equal(again.places, data.places)
    tall = standing_height(data.target) / data.window.scale
    assert tall >= 48 - 1e-6
    clip = data.clip(4, 7)
    place = data.places[4 + 3]
    canvas = [
        cv2.warpAffine(
            frame,
            data.window.matrix,
            data.window.size,
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for frame in frames[4:11]
    ]
    for number in range(7):
        true = canvas[number][place[1] : place[1] + 64, place[0] : place[0] + 64].astype(int)
        found = clip.images[number].add(1).mul(127.5).permute(1, 2, 0).numpy()
        assert np.abs(found - true).mean() < 8, "the encoder's noise, no shift"
    xy = data.window.to_window(data.target.xy[4:11]) - place
    assert np.allclose(clip.xy.numpy(), xy)
    assert clip.plate.shape == (1, 3, 64, 64)


def test_a_clip_is_seen_from_one_place(tmp_path: Path) -> None:
    """What stands still in the room stands still in a clip, though each frame was cut out elsewhere."""
    data, _ = prepared(tmp_path)
    clip = data.clip(0, 12)
    still = (clip.mask == 0).all(0)[0]
    assert still.float().mean() > 0.15
    assert clip.images[:, :, still].std(0).mean() < 0.04
    assert clip.mask[6].sum() > 500
