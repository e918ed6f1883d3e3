"""Several people as one training set: nobody's frames are taken for another's."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from make_dancer import FRAME, dance, texture

from dancekit.build import build_painting, create
from dancekit.config import load_recipe
from dancekit.data.crowd import Crowd
from dancekit.data.references import make_banks
from dancekit.data.sampling import start_weights
from dancekit.data.training_set import TrainingSet
from dancekit.training.batch import Filmed, make_batch
from dancekit.types import Window

LENGTHS = (40, 25, 30)


def member(number: int) -> TrainingSet:
    """Frames that say whose they are, and which."""
    poses = dance(FRAME)[100 * number : 100 * number + LENGTHS[number]]
    window = Window.around(poses.xy, size=(32, 32), frame_size=FRAME)
    frames = np.zeros((len(poses), 32, 32, 3), np.uint8)
    frames[..., 0], frames[..., 1] = 50 * number, np.arange(len(poses))[:, None, None]
    return TrainingSet(
        frames, np.full(frames.shape[:3], 255, np.uint8), poses, window, texture(FRAME, number)
    )


@pytest.fixture(scope="module")
def people() -> list[TrainingSet]:
    return [member(number) for number in range(3)]


@pytest.fixture(scope="module")
def crowd(people: list[TrainingSet]) -> Crowd:
    return Crowd.of(people[0], people[1:])


def test_clips_are_of_one_person_each_and_of_everybody(crowd: Crowd, people: list[TrainingSet]) -> None:
    seen: dict[int, list[int]] = {}
    for start in crowd.starts(3, hold_out=0.2):
        clip = crowd.clip(int(start), 3)
        own = people[clip.person]
        colours = ((clip.images[:, :2, 0, 0] + 1) * 127.5).round().int().tolist()
        assert clip.numbers is not None
        assert colours == [[50 * clip.person, int(n)] for n in clip.numbers]
        assert np.array_equal(clip.xy.numpy(), own.window.to_window(own.target.xy[clip.numbers]))
        assert clip.plate.equal(own.clip(int(clip.numbers[0]), 3).plate)
        seen.setdefault(clip.person, []).append(int(clip.numbers[0]))
    assert seen == {n: each.starts(3, hold_out=0.2).tolist() for n, each in enumerate(people)}
    with pytest.raises(IndexError):
        crowd.clip(sum(LENGTHS), 1)


def test_what_describes_the_dancer_is_the_targets(crowd: Crowd, people: list[TrainingSet]) -> None:
    for each in dataclasses.fields(TrainingSet):
        assert getattr(crowd, each.name) is getattr(people[0], each.name)
    assert len(crowd) == LENGTHS[0] and crowd.shown(0.5) == 20


def test_references_are_ones_own(crowd: Crowd) -> None:
    banks = make_banks(crowd, create("reference", "nearest", bank=6))
    assert [int(bank.pictures[..., 0].max()) for bank in banks] == [0, 50, 100]
    assert make_banks(crowd, create("reference", "none")) == []


def test_a_batch_shows_each_clip_references_of_its_person(crowd: Crowd) -> None:
    recipe = load_recipe(
        "tiny", ["size=[32, 32]", "reference={name: nearest, params: {bank: 6, gap: 0, align: shift}}"]
    )
    painting = build_painting(recipe, crowd.target.skeleton)
    banks = make_banks(crowd, painting.reference)
    clips = [crowd.clip(start, 2) for start in (0, LENGTHS[0] + 2, LENGTHS[0] + LENGTHS[1] + 5)]
    references = make_batch(clips, painting, "cpu", Filmed(painting.reference, banks)).references
    assert references is not None
    darkest = (
        ((references[:, :, 0].amin((1, 2, 3)) + 1) * 127.5).round().int()
    )  # around the person it is grey
    assert darkest.tolist() == [0, 50, 100]


def test_rare_poses_are_rare_among_ones_own(crowd: Crowd, people: list[TrainingSet]) -> None:
    weights = start_weights(crowd, crowd.starts(9), 9, 1.0)
    assert weights.sum() == pytest.approx(1)
    first = 0
    for each in people:
        starts = each.starts(9)
        own = weights[first : first + len(starts)]
        assert np.allclose(own / own.sum(), start_weights(each, starts, 9, 1.0))
        first += len(starts)
