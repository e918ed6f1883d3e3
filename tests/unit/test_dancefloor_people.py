"""Bodies, people, rooms and cameras by seed."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

from dancekit.dancefloor.body import RANGES, Phenotype, body_model, variation_shares
from dancekit.dancefloor.choreography import choreograph
from dancekit.dancefloor.clips import crossing_clip, pair_clips, people_clips
from dancekit.dancefloor.expression import ACTIONS
from dancekit.dancefloor.looks import PERSON_A, PERSON_B
from dancekit.dancefloor.people import SHORTEST, TALLEST, draw_person
from dancekit.dancefloor.person import Person
from dancekit.dancefloor.pictures import posters, shirt_print
from dancekit.dancefloor.rig import Rig
from dancekit.dancefloor.scene import QUALITIES


@pytest.mark.parametrize(
    ("spec", "height", "leg"), [(PERSON_A, 1.874200, 0.9209), (PERSON_B, 1.550, 0.7397)], ids="AB"
)
def test_the_benchmarks_bodies_are_annys(spec, height, leg):
    """1.8741998672485352 m is what anny 0.6.2 gives for person A (in ../shared/data's npz)."""
    vertices, heads = body_model().rest(spec.phenotype)
    assert vertices[:, 2].max() == pytest.approx(height, abs=2e-5 if spec is PERSON_A else 5e-3)
    assert vertices[:, 2].min() == 0
    bones = body_model().bones
    hip, knee, ankle = (heads[bones.index(f"{name}.L")] for name in ("upperleg01", "lowerleg01", "foot"))
    assert np.linalg.norm(hip - knee) + np.linalg.norm(knee - ankle) == pytest.approx(leg, abs=1e-3)


def test_shares_of_variations_are_those_of_a_linear_interpolation():
    shares = variation_shares(dataclasses.replace(PERSON_A.phenotype, age=0.5, ancestry=(1, 1, 2)))
    np.testing.assert_allclose(shares[:3], [0.25, 0.25, 0.5])
    age = shares[5:10]
    np.testing.assert_allclose(age, [0, 0, 0.5, 0.5, 0], atol=1e-12)
    start = 3
    for values in RANGES.values():
        assert shares[start : start + len(values)].sum() == pytest.approx(1)
        start += len(values)
    assert start == len(shares)


def test_a_stature_scales_the_whole_body():
    natural = PERSON_B.phenotype
    scaled = dataclasses.replace(natural, stature=1.40)
    (v, h), (w, g) = body_model().rest(natural), body_model().rest(scaled)
    assert w[:, 2].max() == pytest.approx(1.40)
    np.testing.assert_allclose(w, v * 1.40 / v[:, 2].max(), atol=1e-9)
    np.testing.assert_allclose(g, h * 1.40 / v[:, 2].max(), atol=1e-9)


def test_facial_actions_move_the_face_and_nothing_else():
    model = body_model()
    vertices, _ = model.rest(PERSON_A.phenotype)
    chin = 0.84 * vertices[:, 2].max()
    for name, action in zip(ACTIONS, model.actions, strict=True):
        moved = np.linalg.norm(action, axis=1)
        assert 0.002 < moved.max() < 0.06, name
        assert vertices[moved > 1e-4, 2].min() > chin, name


def test_people_are_of_all_statures_and_look_different():
    people = [draw_person(np.random.default_rng([seed, 0])) for seed in range(60)]
    statures = np.array([person.phenotype.stature for person in people])
    assert statures.min() < 1.40 and statures.max() > 1.85
    assert statures.min() >= SHORTEST and statures.max() <= TALLEST
    for key in ("skin", "top", "bottom", "shoe"):
        assert len({person.colours[key] for person in people}) > 20, key
    assert {person.top.pattern for person in people} == {0, 1, 2, 3}
    assert {person.bottom.pattern for person in people} == {0, 1, 2}
    assert 0.25 < np.mean([person.phenotype.gender > 0.5 for person in people]) < 0.75
    assert people[7] == draw_person(np.random.default_rng([7, 0]))


def test_a_body_is_scaled_only_a_little_to_its_stature():
    """Otherwise adults would be children blown up, and children shrunk adults."""
    for seed in range(25):
        phenotype = draw_person(np.random.default_rng([seed, 0])).phenotype
        natural = body_model().rest(dataclasses.replace(phenotype, stature=0.0))[0][:, 2].max()
        assert 0.88 < phenotype.stature / natural < 1.12, (seed, natural)


def test_a_dressed_person_is_one_sound_mesh():
    person = Person(draw_person(np.random.default_rng([3, 0])))
    count = len(person.skinned.rest)
    assert person.faces.min() >= 0 and person.faces.max() < count
    for skinned in (person.skinned, person.caster):
        np.testing.assert_allclose(skinned.weights.sum(1), 1, atol=1e-9)
    assert person.height == pytest.approx(person.spec.phenotype.stature)
    assert np.isfinite(person.skinned.rest).all() and np.isfinite(person.attributes).all()
    assert person.skinned.rest[:, 2].min() == pytest.approx(-person.rig.sole_thickness, abs=2e-3)
    # clothes lie outside of the skin: none is wider than 12 cm around it, none in it
    cloth = person.skinned.rest[person.cloth]
    body = person.caster.rest
    from scipy.spatial import cKDTree

    assert cKDTree(body).query(cloth)[0].max() < 0.12


def test_clips_name_their_seeds_and_share_what_they_should():
    fast = QUALITIES["fast"]
    source, truth, train, *rests = pair_clips(5, 40, size=(64, 64), kind="dance", quality=fast)
    assert source.motions[0] is truth.motions[0]  # face and gaze included
    assert truth.people == train.people == rests[1].people
    assert truth.room == train.room and truth.camera.focal == train.camera.focal
    assert source.people != truth.people and source.room != truth.room
    assert rests[0].people == source.people
    alone = people_clips(10, 2, 20, size=(64, 64), kind="dance", quality=fast)
    assert [clip.name for clip in alone] == ["person_0010", "person_0011"]
    assert alone[0].people == source.people  # pair 5 is persons 10 and 11
    both = crossing_clip(1, 60, size=(96, 64), quality=fast)
    assert len(both.people) == len(both.motions) == 2


def test_a_gaze_turns_the_eyes_in_the_head_and_nothing_else():
    rig = Rig(body_model(), *body_model().rest(PERSON_A.phenotype))
    motion = choreograph("rest", 2, 0)
    poses = [
        rig.pose(motion.rotations[0], motion.root[0], gaze=gaze, fingers=(0.2, 0.2))
        for gaze in ((0.0, 0.0), (0.3, 0.2))
    ]
    (ahead, places), (aside, moved) = poses
    np.testing.assert_array_equal(places, moved)
    changed = {rig.names[k] for k in np.flatnonzero(np.abs(ahead - aside).max((1, 2)) > 1e-9)}
    assert changed == {"eye.L", "eye.R"}
    look = aside[rig.index("head")].T @ aside[rig.index("eye.L")] @ [0, -1, 0]
    assert look[0] == pytest.approx(np.sin(0.3) * np.cos(0.2))  # to the dancer's left
    assert look[2] == pytest.approx(-np.sin(0.2))  # down


def test_clips_travel_to_other_processes():
    (clip,) = people_clips(2, 1, 5, size=(64, 64), kind="rest", quality=QUALITIES["fast"])
    copy = pickle.loads(pickle.dumps(clip))
    assert copy.people == clip.people and copy.room == clip.room and len(copy) == 5


def test_a_heavy_body_is_thicker():
    ordinary = Phenotype(0.5, 0.6, 0.5, 0.5, 0.5, 0.7, (1, 1, 1))
    thin, heavy = (body_model().rest(dataclasses.replace(ordinary, weight=w))[0] for w in (0.2, 0.9))
    waist = (np.abs(thin[:, 2] - 0.6 * thin[:, 2].max()) < 0.03) & (np.abs(thin[:, 0]) < 0.2)
    assert np.ptp(heavy[waist, 1]) > np.ptp(thin[waist, 1]) + 0.015


@pytest.mark.parametrize("kind", ["none", "wave", "disc", "text:UP"])
def test_prints_are_there_or_not(kind):
    picture = shirt_print(kind)
    assert picture.shape == (160, 160, 4)
    assert (picture[..., 3].max() > 0) == (kind != "none")
    assert posters().shape == (4, 256, 256, 3) and posters().max() <= 1
