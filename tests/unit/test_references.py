"""References: chosen by pose without flicker, moved limb by limb into place, kept in the dancer file."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from make_dancer import dance, make_dancer, texture
from numpy.typing import NDArray

from dancekit.build import build_painting, create
from dancekit.config import load_recipe
from dancekit.dancer import read_info
from dancekit.data.references import ReferenceBank, make_bank
from dancekit.data.training_set import TrainingSet
from dancekit.errors import DancerError, IncompatibleParts
from dancekit.model import Painter
from dancekit.references import morph as morphing
from dancekit.references.morph import joints_shift, morph, shifted
from dancekit.references.nearest import Nearest
from dancekit.training.batch import Filmed, draw_clips, references_of
from dancekit.training.given import check_given
from dancekit.training.plan import ClipPlan
from dancekit.transfer import Dancer
from dancekit.types import PoseSequence, Window
from dancekit.weights.header import read_tensors
from dancekit.zoo.pack import repack

SIDE = 96
ONE = np.ones(4, np.float32)
EDGES = ((0, 1), (1, 2), (1, 3))
NOWHERE = np.zeros(2, np.float32)


def a_pose() -> NDArray[np.float32]:
    """A head, a neck and two hands, in the middle of the picture."""
    return np.array([[48, 24], [48, 48], [26, 62], [70, 62]], np.float32)


def smooth_picture() -> torch.Tensor:
    """(4, SIDE, SIDE): smooth, so that resampling it is nearly exact."""
    noise = np.random.default_rng(0).random((12, 12, 4)).astype(np.float32)
    return torch.from_numpy(cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)).permute(2, 0, 1)


def inner(picture: torch.Tensor, border: int = 16) -> NDArray[np.float32]:
    return picture[:, border:-border, border:-border].numpy()


def beier_and_neely(pose: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float64]:
    """(24, 24, 2) where each fourth point comes from, limb by limb as the paper has it: P', Q' and weights."""
    size = np.median(
        [np.linalg.norm(pose[b] - pose[a]) / np.linalg.norm(wanted[b] - wanted[a]) for a, b in EDGES]
    )
    near = morphing.NEAR * np.ptp(wanted, axis=0).max()
    found = np.zeros((24, 24, 2))
    for row, column in np.ndindex(24, 24):
        point, total, sum_of = np.array([column, row]) * 4 + 1.5, np.zeros(2), 0.0
        for a, b in EDGES:
            p, q, p0, q0 = (each.astype(float) for each in (wanted[a], wanted[b], pose[a], pose[b]))
            long, long0 = np.linalg.norm(q - p), np.linalg.norm(q0 - p0)
            u = (point - p) @ (q - p) / long  # pixels along the limb, v across
            v = (point - p) @ np.array([(q - p)[1], -(q - p)[0]]) / long
            over = morphing.OVERHANG * long
            on_limb = min(max(u, -over), long + over)
            u0 = on_limb * long0 / long + (u - on_limb) * size
            unit = (q0 - p0) / long0
            away = np.hypot(v, max(-u, u - long, 0))
            weight = (long**morphing.LENGTH / (near + away)) ** 2
            total += weight * (p0 + u0 * unit + size * v * np.array([unit[1], -unit[0]]))
            sum_of += weight
        found[row, column] = total / sum_of
    return found


class TestMorph:
    def test_against_the_papers_formula_limb_by_limb(self) -> None:
        wanted = a_pose() * np.float32(0.9) + np.array([[0, 0], [6, 3], [-4, 9], [8, -7]], np.float32)
        rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
        there = torch.from_numpy(np.stack([columns, rows, np.full_like(rows, 1e4), 0 * rows]))
        ours = morph(
            there, (a_pose(), ONE), (wanted, ONE), EDGES, NOWHERE
        )  # a picture of where each pixel is
        coarse = torch.from_numpy(beier_and_neely(a_pose(), wanted)).permute(2, 0, 1)[None]
        expected = torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear")[0]
        inside = ((expected > 3) & (expected < SIDE - 4)).all(0)
        inside[[0, 1, -2, -1]] = inside[:, [0, 1, -2, -1]] = (
            False  # there it is shifts that are the same, not places
        )
        assert inside.float().mean() > 0.5
        # OpenCV looks up at 32nds of a pixel, and its cubic does not keep a ramp straight
        np.testing.assert_allclose(ours[:2, inside], expected[:, inside], atol=0.06)

    def test_the_same_pose_changes_nothing(self) -> None:
        picture, pose = smooth_picture(), (a_pose(), ONE)
        np.testing.assert_allclose(morph(picture, pose, pose, EDGES, NOWHERE), picture, atol=1e-4)

    @pytest.mark.parametrize(
        ("angle", "scale", "shift"), [(0, 1, (5, -3)), (25, 1, (0, 0)), (-10, 1.2, (3, 2))]
    )
    def test_a_similarity_is_that_similarity(
        self, angle: float, scale: float, shift: tuple[float, float]
    ) -> None:
        """OpenCV is the oracle: if all joints turn, grow and move together, so does the picture."""
        picture, xy = smooth_picture(), a_pose()
        matrix = cv2.getRotationMatrix2D((47.5, 47.5), angle, scale)
        matrix[:, 2] += shift
        to = (xy @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
        ours = morph(picture, (xy, ONE), (to, ONE), EDGES, joints_shift(xy, ONE, to, ONE))
        theirs = cv2.warpAffine(
            picture.permute(1, 2, 0).numpy(), matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR
        )
        np.testing.assert_allclose(inner(ours), inner(torch.from_numpy(theirs).permute(2, 0, 1)), atol=0.02)

    def test_a_limb_that_turns_takes_its_pixels_along_and_leaves_the_others(self) -> None:
        xy, to = a_pose(), a_pose()
        to[3] = [70, 34]  # a hand goes up
        picture = torch.zeros(1, SIDE, SIDE)
        hand, other = (64, 58), (30, 59)  # upon the limbs: x, y
        for number, (x, y) in enumerate((hand, other)):
            picture[0, y - 2 : y + 3, x - 2 : x + 3] = 1 + number
        moved = morph(picture, (xy, ONE), (to, ONE), EDGES, joints_shift(xy, ONE, to, ONE))[0].numpy()
        length, long = np.hypot(16, 10), np.hypot(22, 14)  # from the neck to the mark, and the whole limb
        x, y = (np.array([22, -14]) / long * length + 48).round().astype(int)
        assert moved[y, x] > 0.9 and moved[hand[1], hand[0]] < 0.1
        assert moved[other[1], other[0]] > 1.9

    def test_joints_that_are_missing_do_not_count(self) -> None:
        picture, xy, to = smooth_picture(), a_pose(), a_pose() + np.float32(4)
        unseen = np.array([1, 1, 0, 0], np.float32)
        to[2:] = np.nan
        shift = joints_shift(xy, ONE, to, unseen)
        assert shift.tolist() == [4, 4]
        moved = morph(picture, (xy, ONE), (to, unseen), EDGES, shift)
        np.testing.assert_allclose(inner(moved), inner(shifted(picture, shift)), atol=1e-3)
        nothing = np.zeros(4, np.float32)
        same = morph(picture, (xy, ONE), (to * np.nan, nothing), EDGES, NOWHERE)
        np.testing.assert_allclose(same, picture, atol=1e-5)

    def test_a_shift_moves_whole_pixels(self) -> None:
        picture = smooth_picture()
        moved = shifted(picture, np.array([3, -2], np.float32))
        np.testing.assert_allclose(moved[:, 10:60, 10:60], picture[:, 12:62, 7:57], atol=1e-5)
        assert float(moved[:, :, :3].abs().max()) < 1e-5, "nothing comes in"


class TestChoice:
    @given(st.integers(0, 2**32 - 1), st.integers(1, 3))
    def test_without_hysteresis_they_are_the_nearest(self, seed: int, count: int) -> None:
        cost = np.random.default_rng(seed).random((6, 5))
        chosen = Nearest(frames=count, hysteresis=0).choose(cost, None)
        assert [set(row) for row in chosen.tolist()] == [
            set(row) for row in cost.argsort(1)[:, :count].tolist()
        ]

    @given(st.integers(0, 2**32 - 1))
    def test_what_is_held_is_never_much_worse_than_the_best(self, seed: int) -> None:
        cost = np.random.default_rng(seed).random((40, 6))
        chosen = Nearest(hysteresis=0.3).choose(cost, None)[:, 0]
        taken = cost[np.arange(40), chosen]
        assert (taken * 0.7 <= cost.min(1) + 1e-12).all()
        stays = chosen[1:] == chosen[:-1]
        assert (cost[1:][~stays].argmin(1) == chosen[1:][~stays]).all(), "who changes, changes to the best"

    def test_two_that_are_nearly_equal_do_not_flicker(self) -> None:
        cost = 1 + np.random.default_rng(0).normal(0, 0.02, (200, 2))

        def changes(hysteresis: float) -> int:
            return int((np.diff(Nearest(hysteresis=hysteresis).choose(cost, None)[:, 0]) != 0).sum())

        assert changes(0) > 50 and changes(0.15) == 0

    def test_one_that_stays_keeps_its_place_among_several(self) -> None:
        cost = np.array([[1, 2, 9, 9], [9, 1, 2, 9], [9, 9, 2, 1.0]])
        assert Nearest(frames=2, hysteresis=0.1).choose(cost, None).tolist() == [[0, 1], [2, 1], [2, 3]]

    def test_what_must_not_be_taken_is_not(self) -> None:
        cost = np.full((2, 3), np.inf)
        cost[1, 2] = 5
        assert Nearest(frames=2).choose(cost, None).tolist() == [[-1, -1], [2, -1]]

    @given(st.integers(1, 11))
    def test_frame_by_frame_is_the_same(self, cut: int) -> None:
        cost, nearest = np.random.default_rng(1).random((12, 5)), Nearest(frames=2)
        whole = nearest.choose(cost, None)
        rest = nearest.choose(cost[cut:], whole[cut - 1])
        assert np.array_equal(whole[cut:], rest)


class TestComposition:
    def test_what_is_said_is_what_is_shown(self) -> None:
        one = Nearest(frames=1)
        painted, filmed = torch.full((1, 3, 2, 2), -0.5), torch.full((1, 3, 2, 2), 0.8)
        mask = torch.tensor([[1.0, 0.5], [0.0, 1.0]])[None, None]
        seen = torch.cat([filmed * mask, mask, torch.zeros(1, 3, 2, 2)], 1)
        for said, share in ((-1.0, 0.0), (0.0, 0.5), (1.0, 1.0)):
            output = torch.cat([painted, torch.full((1, 1, 2, 2), 0.3), torch.full((1, 1, 2, 2), said)], 1)
            made = one.compose(output, seen)
            torch.testing.assert_close(made[:, :3], share * mask * filmed + (1 - share * mask) * painted)
            assert torch.equal(made[:, 3:], output[:, 3:4]), "the matte is as it was"

    def test_what_is_copied_is_moved_as_the_generator_says(self) -> None:
        """All of it by as much: two pixels from the right, one from above; with nothing said it stays."""
        size = 64
        nearest = Nearest(residual_flow=2 / size)
        assert nearest.generator_channels == 3
        filmed = torch.from_numpy(texture((size, size)))[None].permute(0, 3, 1, 2).float() / 127.5 - 1
        whole = torch.ones(1, 1, size, size)
        seen = torch.cat([filmed, whole, torch.zeros(1, 3, size, size)], 1)
        for x, y in ((0.0, 0.0), (1.0, -0.5)):
            flow = torch.tensor([x, y]).view(1, 2, 1, 1).expand(1, 2, size, size)
            made = nearest.compose(torch.cat([torch.zeros(1, 3, size, size), whole, flow], 1), seen)
            there = filmed.roll((-round(2 * x), -round(2 * y)), (3, 2))
            inside = (..., slice(4, -4), slice(4, -4))
            torch.testing.assert_close(made[inside], there[inside], atol=1e-4, rtol=0)

    def test_a_flow_needs_something_that_it_moves(self) -> None:
        with pytest.raises(ValueError, match=r"residual_flow 0.02 .* copy_pixels is off"):
            Nearest(residual_flow=0.02, copy_pixels=False)

    @given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1]), st.sampled_from([4, 36]))
    def test_several_never_leave_the_range_of_what_there_can_be(
        self, seed: int, reach: float, size: int
    ) -> None:
        random = torch.Generator().manual_seed(seed)
        two = Nearest(frames=2, residual_flow=reach)
        mask = torch.rand(1, 2, 1, size, size, generator=random)
        pictures = torch.rand(1, 2, 3, size, size, generator=random) * 2 - 1
        seen = torch.cat([pictures * mask, mask, torch.zeros(1, 2, 3, size, size)], 2).flatten(1, 2)
        output = torch.rand(1, 3 + two.generator_channels, size, size, generator=random) * 2 - 1
        made = two.compose(output, seen)
        assert made.shape == (1, 3, size, size) and made.abs().max() <= 1 + 1e-5

    @given(st.integers(0, 2**32 - 1))
    def test_several_never_leave_the_range_of_what_there_is(self, seed: int) -> None:
        random = torch.Generator().manual_seed(seed)
        two = Nearest(frames=2)
        mask = torch.rand(1, 2, 1, 4, 4, generator=random)
        pictures = torch.rand(1, 2, 3, 4, 4, generator=random) * 2 - 1
        seen = torch.cat([pictures * mask, mask, torch.zeros(1, 2, 3, 4, 4)], 2).flatten(1, 2)
        output = torch.rand(1, 5, 4, 4, generator=random) * 2 - 1
        made = two.compose(output, seen)
        there = torch.cat([pictures, output[:, None, :3]], 1)
        assert (made >= there.amin(1) - 1e-5).all() and (made <= there.amax(1) + 1e-5).all()
        all_of_both = torch.cat([output[:, :3], torch.ones(1, 2, 4, 4)], 1)
        whole = torch.cat([pictures, torch.ones(1, 2, 1, 4, 4), torch.zeros(1, 2, 3, 4, 4)], 2).flatten(1, 2)
        torch.testing.assert_close(two.compose(all_of_both, whole), pictures.mean(1))

    def test_it_can_be_switched_off(self) -> None:
        output = torch.rand(1, 4, 4, 4)
        plain = Nearest(copy_pixels=False)
        assert plain.compose(output, torch.zeros(1, 7, 4, 4)) is output and plain.generator_channels == 0


# ---- of a target -------------------------------------------------------------------------------------------


def a_target(frames: int = 60) -> TrainingSet:
    """The shipped target's poses; each frame's pixels are its number, its mask a column."""
    poses = dance((64, 64))[:frames]
    pictures = np.zeros((frames, 64, 64, 3), np.uint8)
    pictures += (1 + np.arange(frames, dtype=np.uint8))[:, None, None, None]
    masks = np.zeros((frames, 64, 64), np.uint8)
    masks[:, :, 20:44] = 255
    return TrainingSet(pictures, masks, poses, Window.full((64, 64)), texture((64, 64)))


def test_a_bank_is_spread_over_the_poses_and_holds_persons_only() -> None:
    data = a_target()
    bank = make_bank(data, Nearest(bank=8), hold_out=0.25)
    assert bank is not None and len(bank) == 8 and bank.numbers.max() < 45
    assert not bank.pictures[:, :, :20].any()
    assert (bank.pictures[:, :, 20:44, 0] == (1 + bank.numbers)[:, None, None]).all()
    # every pose is nearer to one of these than to one of as many that are evenly spaced, on the whole
    every = data.target[:45]
    even = PoseSequence(
        xy=every.xy[::6], score=every.score[::6], pts=np.arange(8), time_base=Fraction(1), size=(64, 64),
        skeleton=every.skeleton,
    )  # fmt: skip
    from dancekit.data.coverage import distances

    assert distances(bank.poses, every)[0].min(1).sum() < distances(even, every)[0].min(1).sum()
    assert make_bank(data, create("reference", "none")) is None


def test_in_training_a_frame_and_its_neighbours_are_no_references() -> None:
    data, reference = a_target(), Nearest(bank=60, gap=5, hysteresis=0)
    bank = make_bank(data, reference)
    assert bank is not None and len(bank) == 60
    for start in (0, 20, 57):
        clip = data.clip(start, 3)
        chosen = bank.choose(reference, clip.xy.numpy(), clip.score.numpy(), never=clip.numbers.tolist())
        assert (np.abs(bank.numbers[chosen] - clip.numbers) > 5).all()
        assert (np.abs(bank.numbers[chosen][:, None] - clip.numbers[:, None]) > 5).all()
        free = bank.choose(reference, clip.xy.numpy(), clip.score.numpy())
        assert (bank.numbers[free[:, 0]] == clip.numbers).all(), "otherwise each is its own nearest"


def test_augmentations_know_which_frames_they_change() -> None:
    data = a_target()
    affine = create("augmentation", "affine", p=1.0)
    starts = (np.array([7]), None)
    clips = draw_clips(
        data, [affine], ClipPlan((64, 64), 2), starts=lambda span: starts, batch=1, seed=0, step=3
    )
    assert clips[0].numbers is not None and clips[0].numbers.tolist() == [7, 8]


def test_a_bank_is_the_same_after_a_file() -> None:
    bank = make_bank(a_target(), Nearest(bank=5))
    assert bank is not None
    data = np.frombuffer(bank.png(), np.uint8)

    def read(data: NDArray[np.uint8], **changes: object) -> ReferenceBank:
        given = {"size": (64, 64), "skeleton": bank.poses.skeleton} | changes
        return ReferenceBank.from_png(data, bank.poses.xy, bank.poses.score, bank.numbers, **given)  # type: ignore[arg-type]

    same = read(data)
    assert np.array_equal(same.pictures, bank.pictures)
    assert np.array_equal(same.poses.xy, bank.poses.xy, equal_nan=True)
    assert np.array_equal(same.numbers, bank.numbers)
    with pytest.raises(DancerError, match="should be a PNG of 32x160"):
        read(data, size=(32, 32))
    with pytest.raises(DancerError, match="cannot be decoded"):
        read(data[:60])
    with pytest.raises(DancerError, match="should be a PNG"):
        read(np.zeros(0, np.uint8))
    grey = np.frombuffer(cv2.imencode(".png", np.zeros((320, 64), np.uint8))[1].tobytes(), np.uint8)
    with pytest.raises(DancerError, match="cannot be decoded"):
        read(grey)


def test_a_bank_at_another_size_shows_the_same() -> None:
    bank = make_bank(a_target(), Nearest(bank=3))
    assert bank is not None
    small = bank.at((32, 32))
    assert small.pictures.shape == (3, 32, 32, 4) and small.poses.size == (32, 32)
    assert (small.pictures[:, :, 10:22, 0] == (1 + bank.numbers)[:, None, None]).all()
    np.testing.assert_allclose(small.poses.xy * 2 + 0.5, bank.poses.xy, rtol=1e-5)
    assert bank.at((32, 32)) is small and bank.at((64, 64)) is bank


def test_a_recipe_without_references_keeps_its_hash(root: Path) -> None:
    old = read_info(
        root / "tests/golden/dancers/format-2.safetensors"
    ).recipe  # it knows nothing of references
    assert old.hash == "60d756f5648a0d917173b1035323bad0d7524267774453b19e594b7d55385ed8"
    changed = [load_recipe("tiny", [each]).hash for each in (*REFERENCE, "train.rare=1")]
    assert len({load_recipe("tiny").hash, *changed}) == 3


def test_a_damaged_track_of_references_is_refused() -> None:
    bank = make_bank(a_target(), Nearest(bank=3))
    assert bank is not None
    data = np.frombuffer(bank.png(), np.uint8)
    with pytest.raises(DancerError, match="damaged"):
        ReferenceBank.from_png(
            data, bank.poses.xy, bank.poses.score, bank.numbers[::-1].copy(), size=(64, 64),
            skeleton=bank.poses.skeleton,
        )  # fmt: skip


REFERENCE = ("reference={name: nearest, params: {frames: 2, bank: 6}}",)


def test_what_the_generator_sees_is_what_was_filmed() -> None:
    data, recipe = a_target(), load_recipe("tiny", list(REFERENCE))
    parts = build_painting(recipe, data.target.skeleton)
    bank = make_bank(data, parts.reference)
    clip = data.clip(10, 2)
    assert bank is not None
    seen = references_of(clip, parts, Filmed(parts.reference, [bank]))
    assert seen.shape == (2, 14, 64, 64) and parts.generator.spec.in_channels == 3 + 3 + 14
    chosen = bank.choose(parts.reference, clip.xy.numpy(), clip.score.numpy(), never=[10, 11])
    for t in range(2):
        for k in range(2):
            image, mask, figure = (
                seen[t, 7 * k : 7 * k + 3],
                seen[t, 7 * k + 3],
                seen[t, 7 * k + 4 : 7 * k + 7],
            )
            true = (1 + int(bank.numbers[chosen[t, k]])) / 127.5 - 1
            assert mask.max() > 0.99 and figure.max() > 0.5
            torch.testing.assert_close(image[:, mask > 0.999], torch.full_like(image[:, mask > 0.999], true))
    one = create("reference", "nearest", frames=2)
    xy, score = clip.xy.numpy()[0], clip.score.numpy()[0]
    nobody = bank.draw(one, np.array([-1, -1]), xy, score, parts.renderer)
    assert nobody.shape == (14, 64, 64) and not nobody.any()


def painter_with_bank(seed: int = 0) -> tuple[Painter, TrainingSet]:
    data, recipe = a_target(), load_recipe("tiny", list(REFERENCE))
    torch.manual_seed(seed)
    parts = build_painting(recipe, data.target.skeleton)
    return Painter(
        parts, data.target.skeleton, data.plate, "cpu", bank=make_bank(data, parts.reference)
    ), data


def test_a_dance_is_painted_alike_from_any_frame_on_and_one_by_one() -> None:
    painter, data = painter_with_bank()
    xy, score = data.target.xy[30:36], data.target.score[30:36]
    whole = list(painter.draw(xy, score))
    assert all(torch.equal(a, b) for a, b in zip(whole[3:], painter.draw(xy, score, start=3), strict=True))
    before = None
    for number in range(6):
        part = slice(number, number + 1)
        (one,) = painter.draw(xy[part], score[part], before=before)
        before = painter.choose_references(xy[part], score[part], before=before)[-1]
        assert torch.equal(one, whole[number])


def test_the_picture_depends_on_the_reference() -> None:
    painter, data = painter_with_bank()
    xy, score = data.target.xy[30:32], data.target.score[30:32]
    before = list(painter.paint(xy, score))
    assert painter.bank is not None
    grey = painter.bank.pictures.copy()
    grey[..., :3][grey[..., 3] > 0] = 200
    painter.bank = ReferenceBank(grey, painter.bank.poses)
    assert any(not np.array_equal(a, b) for a, b in zip(before, painter.paint(xy, score), strict=True))


def test_labels_that_were_drawn_elsewhere_have_no_poses_to_choose_by() -> None:
    recipe = load_recipe("toy/edn/global", list(REFERENCE))
    data = a_target()
    given = TrainingSet(data.frames, data.masks, data.target, data.window, data.plate, labels=data.frames)
    with pytest.raises(IncompatibleParts, match="references are found by pose"):
        check_given(recipe, given)


# ---- of a dancer -------------------------------------------------------------------------------------------


def test_a_dancer_holds_its_references(tmp_path: Path) -> None:
    path = make_dancer(tmp_path / "a.safetensors", changes=REFERENCE)
    dancer = Dancer.load(path, device="cpu")
    assert dancer.painter.bank is not None and len(dancer.painter.bank) == 6
    packed = tmp_path / "b.safetensors"
    repack(path, packed, dtype="int8")
    again = Dancer.load(packed, device="cpu")
    assert again.painter.bank is not None
    assert np.array_equal(again.painter.bank.pictures, dancer.painter.bank.pictures)
    poses = dancer.target[:2]
    assert all(a.shape == (64, 64, 3) for a in again.paint(poses))


def test_a_dancer_without_the_references_that_it_needs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_dancer(tmp_path / "a.safetensors", changes=REFERENCE)
    from dancekit.weights.header import read_header, write_safetensors

    tensors = {k: v for k, v in read_tensors(path).items() if k != "references.xy"}
    write_safetensors(path, tensors, dict(read_header(path).metadata))
    with pytest.raises(DancerError, match=r"holds no references\.xy"):
        Dancer.load(path, device="cpu")


def test_training_goes_on_exactly_with_references(short_clips: dict[str, Path], tmp_path: Path) -> None:
    from dancekit import train
    from dancekit.training.checkpoint import list_checkpoints

    given = [
        *REFERENCE, "train.checkpoint_every=2", "train.preview_every=100", "train.hold_out=0.2", "face=none",
        "train.rare=0.5", "losses=[{name: lsgan}, {name: l1, weight: 20}, {name: matte, weight: 2}]",
    ]  # fmt: skip

    def digests(steps: list[int], out: Path) -> dict[str, str]:
        for number, count in enumerate(steps):
            recipe = load_recipe("tiny", [*given, f"train.steps={count}"])
            train(short_clips["target"], recipe, out=out, device="cpu", resume=number > 0)
        last = list_checkpoints(out / "checkpoints")[-1]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in last.iterdir()}

    # the decay of the rates goes by the number of steps in all, which is the same at the end
    given.append("train.optimizer.decay_from=1")
    assert digests([2, 4], tmp_path / "pieces") == digests([4], tmp_path / "whole")
    one, other = (read_tensors(tmp_path / name / "dancer.safetensors") for name in ("pieces", "whole"))
    assert one.keys() == other.keys() and "references.png" in one
    assert all(torch.equal(one[key], other[key]) or key.endswith(".xy") for key in one)
    numbers = one["references.frame"]
    assert len(numbers) == 6 and int(numbers.max()) < 20
