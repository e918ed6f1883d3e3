"""What a run leaves behind: checkpoints, the best of them, dancer files. Nothing is lost to a full disk."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from dancekit.critic import NETWORKS as CRITIC
from dancekit.critic import save_critic
from dancekit.dancer import DancerInfo, save_dancer
from dancekit.data.files import write_whole
from dancekit.errors import DancekitError
from dancekit.training.checkpoint import (
    list_checkpoints,
    note_best,
    prune_checkpoints,
    read_best,
    save_checkpoint,
    score_of,
)
from dancekit.training.preview import fixed_moments, score
from dancekit.training.run import Run
from dancekit.training.state import TrainingState
from dancekit.training.watch import Diverged

_LOG = logging.getLogger(__name__)

TRIES, PAUSE = 20, 30.0
"""How often the last checkpoint is tried on a full disk, and seconds between."""


class Saver:
    """Writes for a run.

    Args:
        state: Where training is; its last checkpoint is loaded already.
        run: The folder.
        facts: For dancer files; the training record is filled in here.
    """

    def __init__(self, state: TrainingState, run: Run, facts: DancerInfo) -> None:
        self.state, self.run, self.facts = state, run, facts
        if state.recipe.train.keep.best and (found := list_checkpoints(run.checkpoints)):
            self._note(score_of(found[-1]))  # a kill may have come between the checkpoint and the note

    def checkpoint(self, *, final: bool) -> None:
        """Write one, drop the old ones.

        Where there is no room, training goes on and the next one is tried; the final one is tried again and
        again for some minutes.

        Raises:
            Diverged: There is something in the weights that is not finite.
            CannotSave: The final one could not be written.
        """
        with self.explaining():
            self._check_finite()
        keep = self.state.recipe.train.keep
        measured = self._score() if keep.best else None
        for left in reversed(range(TRIES if final else 1)):
            try:
                save_checkpoint(self.run.checkpoints, self.state, score=measured)
                self._note(measured)
                break
            except DancekitError as error:
                if not final:
                    _LOG.warning("%s; training goes on, the checkpoints before are untouched", error)
                    return
                if not left:
                    raise
                _LOG.warning("%s; trying again in %.0f s, %d times more", error, PAUSE, left)
                time.sleep(PAUSE)
        prune_checkpoints(self.run.checkpoints, keep.last)

    def dancer(self, path: Path) -> str:
        """Write the averaged weights as a dancer file; returns its sha256."""
        state = self.state
        hold_out, total = state.recipe.train.hold_out, len(state.data)
        record = {
            **self.facts.training,
            "steps": state.step,
            "seconds": round(self.run.seconds(state.step), 1),
            "recipe_sha256": state.recipe.hash,
        }
        if hold_out:
            record["held_out"] = [state.data.shown(hold_out), total]
        return write_dancer(path, state, dataclasses.replace(self.facts, training=record))

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """A divergence within it is written down, and its message says where training can go on from."""
        try:
            yield
        except Diverged as error:
            found = list_checkpoints(self.run.checkpoints)
            last = f"the last good checkpoint is {found[-1]}" if found else "there was no checkpoint yet"
            diagnosis = {**error.diagnosis, "last_good_checkpoint": found[-1].name if found else None}
            try:
                write_whole(self.run.diagnosis, json.dumps(diagnosis, indent=2))
                more = f" ({self.run.diagnosis} says more)"
            except DancekitError:
                more = ""
            text = f"{error.message}; {last}{more}"
            raise Diverged(text, hint=f"try {error.hint}", diagnosis=diagnosis) from None

    def _check_finite(self) -> None:
        if name := self.state.broken():
            raise Diverged(
                f"step {self.state.step}: a weight of the {name} is not finite",
                hint="half of train.optimizer.lr and lr_discriminator",
                diagnosis={"step": self.state.step, "network": name},
            )

    def _score(self) -> float:
        state = self.state
        with state.painter() as painter:
            return score(painter, state.data, fixed_moments(state.data, state.recipe.train.hold_out))

    def _note(self, measured: float | None) -> None:
        """Remember the checkpoint just written (or loaded) if it is the best one, and write its dancer."""
        if measured is None:
            return
        best = read_best(self.run.checkpoints)
        if best is None or measured > best[1]:
            self.dancer(self.run.best)
            note_best(self.run.checkpoints, self.state.step, measured)


def write_dancer(path: Path, state: TrainingState, info: DancerInfo) -> str:
    """Write the averaged weights as a dancer file, and the critic beside it; returns the dancer's sha256."""
    networks = {
        f"{name}.{key}": value
        for name in state.averages
        for key, value in state.averages[name].shadow.items()
    }
    data = state.data
    target = data.target[slice(0, data.shown(state.recipe.train.hold_out))]
    _, encoded = cv2.imencode(".png", cv2.cvtColor(data.plate, cv2.COLOR_RGB2BGR))
    digest = save_dancer(
        path, info, networks, target=target, plate_png=encoded.tobytes(), references=state.bank
    )
    critic = {
        f"{name}.{key}": value
        for name in CRITIC
        if name in state.networks
        for key, value in state.networks[name].state_dict().items()
    }
    save_critic(path, info, critic, dancer_sha256=digest)
    return digest
