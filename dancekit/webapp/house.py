"""What a page may ask for, checked: a dance to be looked at or painted, a dancer to be trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dancekit.errors import DancekitError, UsageError
from dancekit.webapp.clips import Clip, Clips
from dancekit.webapp.dancers import Choice, find_choice, list_dancers
from dancekit.webapp.jobs import Job, JobStore, Kind
from dancekit.webapp.worker import Worker

BACKGROUNDS = [
    ("as it is painted: the window around the dancer", ""),
    ("the dancer's room, whole", "target"),
    ("the place of the dance", "source"),
    ("green, to cut it out", "#00b140"),
]
PEOPLE = [("the largest", ""), ("the one in the middle", "center")]
NORMALIZERS = ("global_linear", "affine", "bones", "relative", "identity")
RECIPES = [
    ("quick: 256x256, ten minutes", "quick"),
    ("standard: 256x256, an hour", "standard"),
    ("best: 512x512, a night", "best"),
    ("tiny: 64x64, only to try out", "tiny"),
]
MOST_STEPS = 1_000_000


@dataclass(frozen=True)
class House:
    """What the page shows and sets to work.

    Attributes:
        store: The jobs.
        worker: Works on them.
        clips: Uploads and what ships.
        dancers: A folder of the user's own dancers, or None.
        device: For all work.
    """

    store: JobStore
    worker: Worker
    clips: Clips
    dancers: Path | None
    device: str

    def choices(self) -> list[Choice]:
        """All dancers."""
        return list_dancers(self.dancers, self.store)

    def find_job(self, identity: str | None) -> Job | None:
        """The job that is looked at; None if there is none, or it was deleted."""
        try:
            return self.store.get(identity)
        except DancekitError:
            return None

    def order_dance(
        self, kind: Kind, clip_id: str, dancer_id: str, background: str, normalizer: str, person: str
    ) -> Job:
        """Have a dance looked at or painted. Everything from the browser is one of a few known words.

        Raises:
            DancekitError: What is wrong with the choice.
        """
        clip, dancer = self.clips.find(clip_id), find_choice(dancer_id, self.choices())
        _known("background", background, [value for _, value in BACKGROUNDS])
        _known("person", person, [value for _, value in PEOPLE])
        _known("fit", normalizer, ["", *NORMALIZERS])
        return self._order(
            kind,
            f"{clip.title.partition(':')[0]} as {dancer.label.partition(' (')[0]}",
            clip,
            dancer=str(dancer.path),
            background=background,
            person=person,
            overrides=[f"normalizer={normalizer}"] if normalizer else [],
        )

    def order_training(
        self, clip_id: str, name: str, recipe: str, steps: float | None, agreed: bool, consent: str
    ) -> Job:
        """Have a dancer trained.

        Raises:
            DancekitError: What is wrong with the choice.
        """
        clip = self.clips.find(clip_id)
        _known("recipe", recipe, [value for _, value in RECIPES])
        rendered = clip.id == "target"
        if not (agreed or rendered):
            raise UsageError(
                "nobody is made to dance who did not agree", hint="tick the box if this is you, or they did"
            )
        if steps is not None and not (steps == int(steps) and 1 <= steps <= MOST_STEPS):
            raise UsageError(f"{steps:g} steps cannot be trained", hint=f"a whole number up to {MOST_STEPS}")
        title = name.strip()[:60] or Path(clip.title).stem
        said = "" if rendered else consent.strip()[:500] or "they are in the video themselves, or agreed"
        return self._order(
            "train",
            title,
            clip,
            recipe=recipe,
            steps=int(steps or 0),
            person="",
            consent=said,
            subject="rendered" if rendered else "person",
        )

    def _order(self, kind: Kind, title: str, clip: Clip, **settings: Any) -> Job:
        shared = {"clip": clip.title, "path": str(clip.path), "device": self.device}
        job = self.store.add(kind, title, shared | settings)
        self.worker.submit(job)
        return job


def _known(what: str, value: str, words: Sequence[str]) -> None:
    if value not in words:
        raise UsageError(f"{value!r} is no {what}", hint="choose one of the list")
