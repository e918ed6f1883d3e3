"""What may be ordered: known words only, and nobody dances who did not agree."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dancekit.errors import DancekitError
from dancekit.webapp.clips import Clips, Limits
from dancekit.webapp.house import RECIPES, House
from dancekit.webapp.jobs import JobStore
from dancekit.webapp.worker import Worker


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    store = JobStore(tmp_path / "jobs")
    with Worker(store, [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"]) as worker:
        yield House(store, worker, Clips(tmp_path / "clips", Limits()), None, "cpu")


DANCE = ("sample", "zoo:demo", "", "", "")


def test_a_dance_is_ordered_from_known_words(house: House) -> None:
    job = house.order_dance("dance", "motion:pop_116", "zoo:demo", "target", "bones", "center")
    assert job.title == "pop_116 as demo"
    assert job.settings | {"path": "", "dancer": ""} == {
        "clip": next(clip.title for clip in house.clips.dances() if clip.id == "motion:pop_116"),
        "path": "",
        "dancer": "",
        "device": "cpu",
        "background": "target",
        "person": "center",
        "overrides": ["normalizer=bones"],
    }
    assert house.order_dance("look", *DANCE).settings["overrides"] == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, "/etc/passwd"),
        (0, ""),
        (1, "/etc/passwd"),
        (1, "zoo:face"),
        (2, "/etc/passwd.png"),
        (2, "transparent"),
        (3, "identity generator=unet"),
        (3, "foot_lock"),
        (4, "1,2"),
    ],
)
def test_other_words_are_refused(house: House, place: int, value: str) -> None:
    given = [*DANCE]
    given[place] = value
    with pytest.raises(DancekitError):
        house.order_dance("dance", *given)
    assert not house.store.all()


def test_nobody_is_trained_who_did_not_agree(
    house: House, tmp_path: Path, short_clips: dict[str, Path]
) -> None:
    upload = tmp_path / "me.mp4"
    upload.write_bytes(short_clips["target"].read_bytes())
    clip = house.clips.take(upload, "me.mp4")
    with pytest.raises(DancekitError, match="did not agree"):
        house.order_training(clip.id, "", "quick", None, False, "yes")
    job = house.order_training(clip.id, " ", "quick", None, True, " to be shown ")
    assert (job.title, job.settings["steps"]) == ("me", 0)
    assert (job.settings["consent"], job.settings["subject"]) == ("to be shown", "person")
    assert house.order_training(clip.id, "", "quick", 3, True, "").settings["consent"]
    rendered = house.order_training("target", "Ava", "tiny", 20.0, False, "")
    assert (rendered.settings["consent"], rendered.settings["subject"]) == ("", "rendered")
    wrong: list[Any] = [0, -1, 1.5, 1e9]
    for steps in wrong:
        with pytest.raises(DancekitError, match="steps cannot be trained"):
            house.order_training("target", "", "quick", steps, True, "")
    with pytest.raises(DancekitError):
        house.order_training("target", "", "../quick", None, True, "")
    assert not math.isnan(json.loads(json.dumps(dict(rendered.settings)))["steps"])


def test_the_recipes_that_are_offered_ship() -> None:
    from dancekit.config import recipe_names

    assert {name for _, name in RECIPES} <= set(recipe_names())
