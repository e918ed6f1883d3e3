"""A blind choice between two results: the page people answer on, and the sum of their answers."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from dancekit.data.files import write_whole
from dancekit.errors import DancekitError, OutputExists, UsageError
from dancekit.evaluate.report.embed import BUDGET, scale
from dancekit.evaluate.report.html import render
from dancekit.types.video import VideoInfo
from dancekit.video import VideoWriter, probe, read_frames

KIND = "dancekit-blind-answers"
"""What an answers file says it is."""

HEIGHT = 720
"""Higher clips are made smaller, both alike."""

QUESTION = "Which one looks more like a real video of a person dancing?"


@dataclass(frozen=True)
class Segment:
    """Frames `start` to `stop - 1`."""

    start: int
    stop: int


@dataclass(frozen=True)
class Tally:
    """What several people chose.

    Attributes:
        labels: Of a and b.
        a: How often a was chosen.
        b: How often b was chosen.
        share: a's part of all answers.
        low: Lower end of the exact 95 % interval of `share` (Clopper and Pearson 1934).
        high: Upper end of it.
        p: Two-sided exact binomial test against a half.
        people: For each person, how often they chose a and b.
        prefer_a: How many people chose a more often.
        prefer_b: How many people chose b more often.
    """

    labels: tuple[str, str]
    a: int
    b: int
    share: float
    low: float
    high: float
    p: float
    people: tuple[tuple[int, int], ...]
    prefer_a: int
    prefer_b: int

    def sentence(self) -> str:
        """The outcome in plain words."""
        return (
            f"{self.labels[0]} was chosen {self.a} of {self.a + self.b} times ({self.share:.0%}, 95 % interval "
            f"{self.low:.0%} to {self.high:.0%}, p = {self.p:.2g}); {self.prefer_a} of {len(self.people)} people "
            f"preferred it, {self.prefer_b} preferred {self.labels[1]}"
        )


def write_blind(
    a: Path,
    b: Path,
    out: Path,
    *,
    labels: tuple[str, str] = ("A", "B"),
    clips: int = 12,
    seconds: float = 3.0,
    seed: int = 0,
    question: str = QUESTION,
    force: bool = False,
) -> None:
    """Write a page on which a person chooses between two results, clip by clip, without knowing which is which.

    Both videos are cut at the same places and encoded again in the same way. Clips do not overlap; when there
    are more trials than clips, clips come again with the sides changed. Sides are balanced: each result is on
    the left in half of the trials. Which is which is in the page, but not to be seen at a glance in its source;
    somebody who wants to cheat can.

    Args:
        a: One result, a video.
        b: The other; as many frames, the same size and rate.
        out: The HTML file.
        labels: Names of both, shown at the end only.
        clips: Number of trials.
        seconds: Length of a clip, 2 to 4 is good: shorter hides flicker, longer tires.
        seed: Chooses order and sides.
        question: What is asked.
        force: Replace `out`.

    Raises:
        OutputExists: `out` is there and `force` is off.
        UsageError: The videos do not fit together, or a setting makes no sense.
        VideoError: A video cannot be read.
    """
    if out.exists() and not force:
        raise OutputExists(out)
    if clips < 1 or not seconds > 0:
        raise UsageError(f"clips is {clips} and seconds is {seconds}: both must be above 0")
    if labels[0] == labels[1]:
        raise UsageError(f"both results are called {labels[0]!r}", hint="give them different labels")
    info = probe(a)
    frames = _count_together(a, b, info)
    segments = cut(frames, float(info.rate), clips, seconds)
    rng = random.Random(seed)  # noqa: S311 - shuffles trials
    trials = plan(len(segments), clips, rng)
    names = [f"{number:02d}" for number in range(2 * len(segments))]
    rng.shuffle(names)
    videos: dict[str, str] = {}
    for side, path in enumerate((a, b)):
        for number, data in enumerate(_encode(path, segments, info)):
            videos[names[2 * number + side]] = base64.b64encode(data).decode("ascii")
    if sum(map(len, videos.values())) > 2 * BUDGET:
        raise UsageError(
            f"the clips of {a.name} and {b.name} are too large for one page", hint="fewer or shorter clips"
        )
    study = hashlib.sha256(json.dumps([sorted(videos.items()), labels, seed, trials]).encode()).hexdigest()[
        :16
    ]
    hidden = [
        {
            "segment": segment,
            "start": segments[segment].start,
            "stop": segments[segment].stop,
            "left": "ba"[left],
        }
        for segment, left in trials
    ]
    shown = [
        [names[2 * segment + (0 if left else 1)], names[2 * segment + (1 if left else 0)]]
        for segment, left in trials
    ]
    text = render(
        "blind.html",
        styles=("base.css", "blind.css"),
        scripts=("bytes.js", "blind.js"),
        data={
            "kind": KIND,
            "study": study,
            "question": question,
            "trials": shown,
            "frames": max(segment.stop - segment.start for segment in segments),
            "key": _veil({"labels": labels, "trials": hidden}, study),
        },
        videos=dict(sorted(videos.items())),
        question=question,
        count=len(trials),
    )
    write_whole(out, text)


def sum_answers(files: Sequence[Path]) -> Tally:
    """Add up the answers that several people sent back.

    The interval and p take all answers for independent. Answers of one person are not quite: look at how many
    people prefer which as well.

    Args:
        files: Answers as the page saves them, one file a person, all of one page.

    Raises:
        UsageError: No file, files of different pages, or one person's twice.
        DancekitError: A file is missing or is no answers file.
    """
    if not files:
        raise UsageError("no answers to add up", hint="give the JSON files that people saved")
    sheets = [_read_answers(path) for path in files]
    seen: dict[str, Path] = {}
    for path, sheet in zip(files, sheets, strict=True):
        if sheet["study"] != sheets[0]["study"]:
            raise UsageError(
                f"{path} answers another page than {files[0]}",
                hint="add up the answers of one page at a time",
            )
        if sheet["session"] in seen:
            raise UsageError(
                f"{path} holds the same answers as {seen[sheet['session']]}",
                hint="give each person's file once",
            )
        seen[sheet["session"]] = path
    people = tuple((sheet["choices"].count("a"), sheet["choices"].count("b")) for sheet in sheets)
    wins, losses = sum(person[0] for person in people), sum(person[1] for person in people)
    if wins + losses == 0:
        raise UsageError(f"{files[0]} holds no answer yet", hint="answer at least one trial")
    test = binomtest(wins, wins + losses)
    bounds = test.proportion_ci(0.95, method="exact")
    return Tally(
        labels=sheets[0]["labels"],
        a=wins,
        b=losses,
        share=wins / (wins + losses),
        low=float(bounds.low),
        high=float(bounds.high),
        p=float(test.pvalue),
        people=people,
        prefer_a=sum(person[0] > person[1] for person in people),
        prefer_b=sum(person[1] > person[0] for person in people),
    )


def cut(frames: int, rate: float, clips: int, seconds: float) -> list[Segment]:
    """Segments of equal length, spread evenly, none over another; at most `clips`."""
    length = min(frames, max(1, round(seconds * rate)))
    count = min(clips, frames // length)
    spare = frames - count * length
    starts = [number * length + round(spare * (number + 0.5) / count) for number in range(count)]
    return [Segment(start, start + length) for start in starts]


def plan(segments: int, clips: int, rng: random.Random) -> list[tuple[int, bool]]:
    """Segment, and whether a is on the left, for each trial: balanced, shuffled, no segment twice in a row.

    Args:
        segments: How many there are.
        clips: How many trials.
        rng: Where chance comes from.
    """
    trials: list[tuple[int, bool]] = []
    left = [number % 2 == 0 for number in range(segments)]
    rng.shuffle(left)
    while len(trials) < clips:
        turn = list(range(segments))
        rng.shuffle(turn)
        if trials and len(turn) > 1 and turn[0] == trials[-1][0]:
            turn.append(turn.pop(0))
        trials += [(segment, left[segment]) for segment in turn]
        left = [not side for side in left]
    return _balanced(trials[:clips], rng)


def _balanced(trials: list[tuple[int, bool]], rng: random.Random) -> list[tuple[int, bool]]:
    """Turn a few trials' sides where the last, incomplete round tipped the balance."""
    excess = sum(1 if left else -1 for _, left in trials)
    tipped = [number for number, (_, left) in enumerate(trials) if left == (excess > 0)]
    for number in rng.sample(tipped, abs(excess) // 2):
        trials[number] = trials[number][0], not trials[number][1]
    return trials


def _count_together(a: Path, b: Path, info: VideoInfo) -> int:
    """Number of frames of both, which must agree in everything."""
    other = probe(b)
    counts = [sum(1 for _ in read_frames(path)) for path in (a, b)]
    for what, one, two in (
        ("frames", *counts),
        ("size", info.size, other.size),
        ("frame rate", info.rate, other.rate),
    ):
        if one != two:
            raise UsageError(
                f"{a.name} and {b.name} cannot be compared: {what} {one} and {two}",
                hint="make both from the same source with the same size",
            )
    return counts[0]


def _encode(path: Path, segments: Sequence[Segment], info: VideoInfo) -> list[bytes]:
    """Each segment as an mp4 that tells nothing of where it came from; one pass over the video."""
    rest, clips = iter(segments), []
    segment = next(rest)
    pictures = []
    for number, frame in enumerate(read_frames(path)):
        if number >= segment.start:
            pictures.append(scale(frame.rgb, HEIGHT))
        if number == segment.stop - 1:
            clips.append(_clip(pictures, info))
            pictures = []
            following = next(rest, None)
            if following is None:
                break
            segment = following
    return clips


def _clip(pictures: list[Any], info: VideoInfo) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        size = (pictures[0].shape[1], pictures[0].shape[0])
        with VideoWriter(path, size=size, time_base=1 / info.rate, rate=info.rate, crf=18) as writer:
            for number, picture in enumerate(pictures):
                writer.write(picture, number)
        return path.read_bytes()


def _veil(data: Any, study: str) -> str:
    """Not a secret, only nothing that eyes read in passing."""
    text = json.dumps(data).encode()
    mask = study.encode()
    return base64.b64encode(bytes(byte ^ mask[n % len(mask)] for n, byte in enumerate(text))).decode("ascii")


def _read_answers(path: Path) -> dict[str, Any]:
    try:
        sheet = json.loads(path.read_text("utf-8"))
        if sheet["kind"] != KIND or sheet["format"] != 1:
            raise ValueError
        choices = [answer["chosen"] for answer in sheet["answers"]]
        if not set(choices) <= {"a", "b"}:
            raise ValueError
        return {
            "study": str(sheet["study"]),
            "session": str(sheet["session"]),
            "labels": (str(sheet["labels"]["a"]), str(sheet["labels"]["b"])),
            "choices": choices,
        }
    except OSError as error:
        raise DancekitError(f"{path} cannot be read: {error.strerror}", hint="check the path") from None
    except (ValueError, KeyError, TypeError):
        raise DancekitError(
            f"{path} is not a file of answers", hint="give what the blind page's button saved"
        ) from None
