"""What a stopped transfer leaves beside its result, and how the next one goes on from there.

```
show.mp4.parts/
  job.json            what it was made of: another job begins anew
  0/00000.mp4 ...     segments of the first result
  1/00000.mp4 ...     of the second
  00000.safetensors   what the temporal strategies may be told after segment 0, with times: the segment is done
```

Segments begin at fixed frames and have encoders of their own, so a transfer that was stopped and one that was not
give the same frames.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dancekit.contracts import State
from dancekit.data.files import write_whole
from dancekit.errors import UsageError
from dancekit.weights.header import read_tensors, write_safetensors

if TYPE_CHECKING:
    from torch import Tensor

Past = list[tuple[float, State]]
"""Times and states of the frames that a dancer may still be told of, oldest first."""

_log = logging.getLogger(__name__)

SEGMENT = 250
"""Frames of a segment: x264 puts a key frame at least every 250 anyway, so nothing is lost."""


class Parts:
    """The folder of segments of one job.

    Args:
        out: The (first) result; the folder lies beside it.
        job: Plain data that decides every frame.
        frames: How many there are in all.
    """

    def __init__(self, out: Path, job: Mapping[str, Any], frames: int) -> None:
        self.folder = parts_folder(out)
        self._text = json.dumps(job, sort_keys=True, indent=1, default=str)
        self.frames = frames
        self.done = self._open()

    @property
    def count(self) -> int:
        """Segments in all."""
        return -(-self.frames // SEGMENT)

    @property
    def first(self) -> int:
        """The first frame that is still to be made."""
        return min(self.done * SEGMENT, self.frames)

    def _open(self) -> int:
        """Segments that are done already; those of another job are deleted."""
        note = self.folder / "job.json"
        if self.folder.exists():
            if not note.exists() and any(self.folder.iterdir()):
                raise UsageError(
                    f"{self.folder} holds files that are not dancekit's", hint="choose another --out"
                )
            if note.exists() and note.read_text() == self._text:
                return next(n for n in range(self.count + 1) if not self._state(n).exists())
            _log.info("%s is of another transfer: beginning anew", self.folder)
            shutil.rmtree(self.folder)
        write_whole(note, self._text)
        return 0

    def result(self, number: int) -> Path:
        """Folder of one result's segments."""
        folder = self.folder / str(number)
        folder.mkdir(exist_ok=True)
        return folder

    def _state(self, segment: int) -> Path:
        return self.folder / f"{segment:05d}.safetensors"

    def past(self, dancers: int) -> list[Past]:
        """What each dancer may be told of at the first frame that is still to be made."""
        times: list[dict[int, float]] = [{} for _ in range(dancers)]
        states: list[dict[int, dict[str, Tensor]]] = [{} for _ in range(dancers)]
        if self.done:
            for name, value in read_tensors(self._state(self.done - 1)).items():
                number, entry, *key = name.split(".", 2)
                if key:
                    states[int(number)].setdefault(int(entry), {})[key[0]] = value
                else:
                    times[int(number)][int(entry)] = float(value)
        return [
            [(then[entry], known[entry]) for entry in sorted(then)]
            for then, known in zip(times, states, strict=True)
        ]

    def finish_segment(self, past: Sequence[Past]) -> None:
        """The segment is written: remember what comes after it."""
        tensors = {}
        for number, entries in enumerate(past):
            for entry, (seconds, state) in enumerate(entries):
                tensors[f"{number}.{entry}"] = torch.tensor(seconds, dtype=torch.float64)
                for key, value in state.items():
                    tensors[f"{number}.{entry}.{key}"] = value.detach().cpu().contiguous()
        write_safetensors(self._state(self.done), tensors, {"format": "pt"})
        self.done += 1

    def remove(self) -> None:
        """Nothing is left to go on with."""
        shutil.rmtree(self.folder, ignore_errors=True)


def parts_folder(out: Path) -> Path:
    """Where the segments of a result lie until it is whole: `show.mp4.parts`."""
    return out.with_name(f"{out.name}.parts")
