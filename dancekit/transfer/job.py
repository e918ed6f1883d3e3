"""One source, one dancer or several: everything from the source's poses to the finished files.

Two passes over the source. Poses of the whole clip come first, because smoothing and normalization need all of it
(and are small). Then frames flow through a pipeline, in constant memory:

    decode -> draw -> generate and refine -> composite -> encode
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import torch
from numpy.typing import NDArray

from dancekit import __version__
from dancekit.config import Component
from dancekit.contracts import State
from dancekit.data.coverage import Coverage
from dancekit.data.files import write_whole
from dancekit.data.masks import MaskTrack
from dancekit.data.poses import WHOLE
from dancekit.data.progress import Progress, silent
from dancekit.data.results import copy_file
from dancekit.errors import OutputExists, UsageError, VideoError
from dancekit.history import History
from dancekit.model import Painted
from dancekit.transfer import resume
from dancekit.transfer.background import choose_composer, place_in_source, plate_of_source
from dancekit.transfer.composite import Composer
from dancekit.transfer.montage import Montage
from dancekit.transfer.options import TransferOptions
from dancekit.transfer.resume import Parts, Past
from dancekit.transfer.stages import Pipeline
from dancekit.types import PoseSequence, VideoInfo
from dancekit.types.notebook import facts_html
from dancekit.video import probe, read_frames
from dancekit.video.codecs import choose_codec
from dancekit.video.output import (
    FrameWriter,
    Output,
    Shape,
    SoundTrack,
    check_replaceable,
    choose_output,
    deliver,
    has_sound,
)
from dancekit.video.provenance import SYNTHETIC, synthetic_mark
from dancekit.weights.header import file_sha256

if TYPE_CHECKING:
    from dancekit.transfer.pipeline import Dancer

_log = logging.getLogger(__name__)

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class TransferResult:
    """What a transfer made.

    Attributes:
        out: The video.
        sidecar: JSON beside it: the fitted normalizer, frames, how far each pose is from what was filmed.
        frames: How many were painted (as many as the source has).
        missing: In how many of them nobody was found in the source.
        fitted: The normalizer's fitted numbers.
        coverage: Which frames' poses are out of the range of the dancer's training clip.
    """

    out: Path
    sidecar: Path
    frames: int
    missing: int
    fitted: dict[str, Any]
    coverage: Coverage

    def plot(self, frame: int | None = None) -> NDArray[np.uint8]:
        """One painted frame.

        Args:
            frame: Its number; the one in the middle if None.

        Returns:
            (H, W, 3) uint8 RGB.
        """
        number = self.frames // 2 if frame is None else frame
        if not self.out.is_file():
            raise UsageError(f"{self.out} is no video", hint="pictures of a folder are opened one by one")
        for found in read_frames(self.out, start=number, stop=number + 1):
            return found.rgb
        raise UsageError(f"{self.out} has no frame {number}", hint=f"it has {self.frames}")

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Copy the video.

        Raises:
            OutputExists: There is such a file, and `force` is off.
        """
        return copy_file(self.out, path, force=force)

    def _repr_html_(self) -> str:
        fitted = [
            (f"fitted: {key}", value)
            for key, value in self.fitted.items()
            if isinstance(value, int | float | str)
        ]
        rows = [("video", self.out), ("frames", self.frames), ("without a person", self.missing), *fitted]
        return facts_html("TransferResult", rows, [self.plot()] if self.out.is_file() and self.frames else [])


@dataclass(eq=False)
class Part:
    """One dancer of a transfer.

    Attributes:
        dancer: Who.
        out: The dancer's own result.
        normalizer: What fits the poses.
        poses: The source's poses in the dancer's skeleton.
        moved: The same in pixels of the dancer's clip.
        fitted: The normalizer's numbers.
        composer: Makes the shown pictures.
    """

    dancer: Dancer
    out: Path
    normalizer: Component
    poses: PoseSequence
    moved: PoseSequence
    fitted: dict[str, Any]
    composer: Composer

    @cached_property
    def sha256(self) -> str:
        """Of the dancer's file."""
        return file_sha256(self.dancer.path)

    @property
    def sidecar(self) -> Path:
        """The JSON beside the result."""
        return self.out.with_suffix(".json")


def run_transfer(
    dancers: Sequence[Dancer],
    source: Path,
    out: Path,
    options: TransferOptions,
    progress: Progress = silent,
) -> list[TransferResult]:
    """Make all results; go on where an earlier call with the same arguments was stopped.

    Args:
        dancers: One, or several that dance the same.
        source: A video, or a `.npz` of poses.
        out: The result; with several dancers the montage, and each dancer's own lies beside (`outputs_of`).
        options: How.
        progress: Called with (what, done, total): `poses`, `painting`.

    Returns:
        One a dancer.

    Raises:
        UsageError: Options that do not go together, or a result that is an input.
        OutputExists: A result is there already.
        VideoError: The source cannot be read, or a result not be written.
        PoseError: Nobody is in the source, or too little to fit the normalizer.
    """
    options.check()
    outs = outputs_of(dancers, out)
    _check_outputs(
        [*outs, out] if len(outs) > 1 else outs, [source, *(dancer.path for dancer in dancers)], options.force
    )
    video = None if source.suffix == ".npz" else probe(source)
    if video is None and (options.side_by_side or options.background == "source"):
        what = "--side-by-side" if options.side_by_side else "--background source"
        raise UsageError(f"{source} holds poses, {what} needs the source's video")
    tried = Shape(
        size=options.size or (64, 64),
        time_base=Fraction(1, 25),
        rate=Fraction(25),
        alpha=options.background == "transparent",
    )
    # says what cannot be, before any work
    choose_output(outs[0], tried, codec=options.codec, crf=options.crf)
    job = _Job(source, video, options, progress)
    parts = job.fit(dancers, outs)
    job.paint(parts, out)
    return [job.report(part) for part in parts]


def outputs_of(dancers: Sequence[Dancer], out: Path) -> list[Path]:
    """Each dancer's own result: `out`, or beside it with the dancer's name: `show_ava.mp4`."""
    if len(dancers) == 1:
        return [out]
    names: list[str] = []
    for dancer in dancers:
        # `dancekit train` calls all of them dancer.safetensors, each in a folder of its own
        path = dancer.path
        name = path.absolute().parent.name if path.stem == "dancer" else path.stem
        names.append(name if name not in names else f"{name}{sum(n.startswith(name) for n in names) + 1}")
    return [out.with_name(f"{out.stem}_{name}{out.suffix}") for name in names]


def _check_outputs(outs: Sequence[Path], inputs: Sequence[Path], force: bool) -> None:
    for out in outs:
        for taken in (out, out.with_suffix(".json")):
            if not taken.exists():
                continue
            if any(given.exists() and taken.samefile(given) for given in inputs):
                raise UsageError(f"{taken} is an input", hint="choose another name")
            if not force:
                raise OutputExists(taken)
        if not out.suffix and out.exists():
            check_replaceable(out)


class _Job:
    """One transfer."""

    def __init__(
        self, source: Path, video: VideoInfo | None, options: TransferOptions, progress: Progress
    ) -> None:
        self.source, self.video, self.options, self.progress = source, video, options, progress
        self.masks: MaskTrack | None = None

    # ---- first pass: poses ---------------------------------------------------------------------------------

    def fit(self, dancers: Sequence[Dancer], outs: Sequence[Path]) -> list[Part]:
        """Find the source's poses, once for all dancers that look in the same way, and fit them to each."""
        found: dict[str, Any] = {}
        parts = []
        for dancer, out in zip(dancers, outs, strict=True):
            recipe = dancer.overridden(list(self.options.overrides))
            with Pipeline(ahead=self.options.ahead, observe=self.options.observe) as line:
                poses, self.masks = dancer.find_poses(
                    self.source,
                    recipe,
                    span=self.options.span,
                    person=self.options.person,
                    masks=self.options.background == "source",
                    known=found,
                    line=line,
                    progress=self.progress,
                )
            moved, fitted = dancer.retarget(poses, recipe.normalizer)

            def source_plate(
                poses: PoseSequence = poses, moved: PoseSequence = moved
            ) -> tuple[Image, NDArray[np.float64]]:
                plate = plate_of_source(self.source, poses, self.masks, self.options.span)
                return plate, place_in_source(moved, poses)

            composer = choose_composer(
                dancer, self.options.background, size=self.options.size, source_plate=source_plate
            )
            parts.append(Part(dancer, out, recipe.normalizer, poses, moved, fitted, composer))
        return parts

    # ---- second pass: pictures -------------------------------------------------------------------------------

    def paint(self, parts: Sequence[Part], out: Path) -> None:
        """Paint all dancers and write all results."""
        options, poses = self.options, parts[0].poses
        montage = self._montage(parts)
        outputs = self._outputs(parts, out, montage)
        kept = Parts(out, self._key(parts, outputs), len(poses))
        if kept.done:
            _log.info("%s: going on from frame %d of %d", kept.folder, kept.first, kept.frames)
        try:
            self._paint_segments(parts, outputs, montage, kept)
            whole = [
                output.join(kept.result(number), kept.count, poses.pts)
                for number, output in enumerate(outputs)
            ]
            for output, made in zip(outputs, whole, strict=True):  # all of them together, in an instant
                deliver(made, output.path, force=options.force)
        except BaseException:
            if not kept.done:
                kept.remove()
            else:
                _log.warning(
                    "%s: %d of %d frames are kept in %s; the same command goes on from there",
                    out,
                    kept.first,
                    kept.frames,
                    kept.folder,
                )
            raise
        kept.remove()

    def _montage(self, parts: Sequence[Part]) -> Montage | None:
        """What shows the source and several dancers in a row; None where only one picture is shown."""
        if len(parts) == 1 and not self.options.side_by_side:
            return None
        sizes = [part.composer.size for part in parts]
        if self.video is not None:
            sizes = [self.video.size, *sizes]
        return Montage(sizes, like=sizes[-len(parts) :])

    def _outputs(self, parts: Sequence[Part], out: Path, montage: Montage | None) -> list[Output]:
        """One a dancer, and the montage last; with `--side-by-side` of one dancer only that."""
        poses, options = parts[0].poses, self.options
        rate = self.video.rate if self.video else Fraction(poses.rate).limit_denominator(1001)
        heard = self.source if self.video and self.video.audio else None

        def output(path: Path, size: tuple[int, int], alpha: bool, makers: Sequence[Part]) -> Output:
            return choose_output(
                path,
                Shape(size=size, time_base=poses.time_base, rate=rate or Fraction(25), alpha=alpha),
                codec=options.codec,
                crf=options.crf,
                sound=SoundTrack(heard, whole=options.span == WHOLE),
                metadata=synthetic_mark(
                    ", ".join(f"dancer {each.dancer.path.name} (sha256 {each.sha256})" for each in makers)
                ),
            )

        outputs = []
        if len(parts) > 1 or montage is None:
            outputs = [output(part.out, part.composer.size, part.composer.alpha, [part]) for part in parts]
        if montage is not None:
            outputs.append(output(out, montage.size, False, parts))
        return outputs

    def _key(self, parts: Sequence[Part], outputs: Sequence[Output]) -> dict[str, Any]:
        """Everything that decides a frame."""
        return {
            "source": file_sha256(self.source),
            "dancers": [
                {
                    "file": part.sha256,
                    "network": part.dancer.painter.network_name,
                    "poses": _digest(part.moved),
                    "age": part.dancer.painter.age,
                    "view": part.composer.settings(),
                }
                for part in parts
            ],
            "outputs": [output.settings() for output in outputs],
            "side_by_side": self.options.side_by_side,
            "cuts": sorted({*self.options.cuts, *parts[0].poses.cuts}),
            "segment": resume.SEGMENT,
            "states": "by time and name",
            "made_by": [__version__, torch.__version__, av.__version__, torch.get_num_threads()],
        }

    def _paint_segments(
        self, parts: Sequence[Part], outputs: Sequence[Output], montage: Montage | None, kept: Parts
    ) -> None:
        pts = parts[0].poses.pts
        with Pipeline(ahead=self.options.ahead, observe=self.options.observe) as line:
            shown = self._shown(line, parts, montage, kept)
            number = kept.first
            self.progress("painting", number, kept.frames)
            while number < kept.frames:
                start, stop = number, min(number + resume.SEGMENT, kept.frames)
                with ExitStack() as stack:
                    writers = [
                        stack.enter_context(output.write_segment(kept.result(each), kept.done, number))
                        for each, output in enumerate(outputs)
                    ]
                    for number in range(start, stop):
                        item = next(shown, None)
                        if item is None:
                            raise VideoError(f"{self.source} has fewer frames than a moment ago")
                        pictures, past = item
                        self._encode(writers, pictures, int(pts[number] - pts[start]))
                        self.progress("painting", number + 1, kept.frames)
                number = stop
                kept.finish_segment(past)

    def _encode(self, writers: Sequence[FrameWriter], pictures: Sequence[Image], pts: int) -> None:
        began = time.perf_counter()
        for writer, picture in zip(writers, pictures, strict=True):
            writer.write(picture, pts)
        if self.options.observe is not None:
            self.options.observe("encode", time.perf_counter() - began)

    def _shown(
        self, line: Pipeline, parts: Sequence[Part], montage: Montage | None, kept: Parts
    ) -> Iterator[tuple[list[Image], list[Past]]]:
        """From the first frame that is still to be made on: the pictures of all results, and what comes after."""
        first, count = kept.first, kept.frames
        xy = [part.dancer.info.window.to_window(part.moved.xy) for part in parts]
        cuts = frozenset({*self.options.cuts, *parts[0].poses.cuts})
        places = [
            part.dancer.painter.places(points, cuts=cuts) for part, points in zip(parts, xy, strict=True)
        ]
        drawn = line.run(
            "render",
            zip(
                *(
                    part.dancer.painter.draw(points, part.moved.score, start=first, places=where)
                    for part, points, where in zip(parts, xy, places, strict=True)
                ),
                strict=True,
            ),
        )
        boxes = [
            part.dancer.painter.face_boxes(points, part.moved.score, places=where)
            for part, points, where in zip(parts, xy, places, strict=True)
        ]
        painted = line.run("paint", self._painted(parts, drawn, boxes, places, first, kept.past(len(parts))))
        sources: Iterator[Image | None]
        if montage is not None and self.video is not None:
            span = self.options.span
            frames = read_frames(self.source, start=first, since=span.since, until=span.until)
            sources = line.run("decode", (frame.rgb for frame in frames))
        else:
            sources = iter([None] * (count - first))

        def compose(
            item: tuple[tuple[list[Painted], list[Past]], Image | None],
        ) -> tuple[list[Image], list[Past]]:
            (several, past), source = item
            pictures = [
                part.composer(each.to_uint8(), each.matte_to_uint8())
                for part, each in zip(parts, several, strict=True)
            ]
            if montage is None:
                return pictures, past
            row = montage([*([source] if source is not None else []), *pictures])
            return ([*pictures, row] if len(parts) > 1 else [row]), past

        return line.map("composite", compose, zip(painted, sources, strict=False))

    def _painted(
        self,
        parts: Sequence[Part],
        drawn: Iterator[tuple[torch.Tensor, ...]],
        boxes: Sequence[NDArray[np.float32]],
        places: Sequence[NDArray[np.intp] | None],
        first: int,
        past: Sequence[Past],
    ) -> Iterator[tuple[list[Painted], list[Past]]]:
        """All dancers at one frame, then at the next: the frames of one dancer depend on each other.

        With each frame comes what may still be told to later ones.
        """
        cuts = frozenset({*self.options.cuts, *parts[0].poses.cuts})
        painters = [part.dancer.painter for part in parts]
        histories: list[History[State | None]] = [
            History(painter.age, [(then, _moved(state, painter.device)) for then, state in each])
            for painter, each in zip(painters, past, strict=True)
        ]
        seconds = parts[0].poses.seconds
        for number, conditions in enumerate(drawn, first):
            several, now = [], float(seconds[number])
            for painter, condition, box, where, history in zip(
                painters, conditions, boxes, places, histories, strict=True
            ):
                if number in cuts:
                    history.forget()
                painted = painter.step(
                    condition,
                    box[number : number + 1],
                    history.recall(now),
                    place=None if where is None else where[number],
                    observe=self.options.observe,
                )
                history.remember(now, painted.state)
                several.append(painted)
            yield (
                several,
                [
                    [(then, state) for then, state in history.entries if state is not None]
                    for history in histories
                ],
            )

    # ---- the end ---------------------------------------------------------------------------------------------

    def report(self, part: Part) -> TransferResult:
        """Write the JSON beside a dancer's result."""
        missing = int((~part.poses.found).sum())
        coverage = part.dancer.pose_range.coverage(part.moved)
        facts = {
            "source": self.source.name,
            "dancer": part.dancer.path.name,
            "frames": len(part.poses),
            "frames_without_person": missing,
            "normalizer": {"name": part.normalizer.name, "fitted": part.fitted},
            "pose_range": coverage.to_json(),
            "provenance": self._provenance(part),
        }
        if self.options.span != WHOLE:
            facts["span"] = str(self.options.span)
        write_whole(part.sidecar, json.dumps(facts, indent=2, sort_keys=True) + "\n")
        return TransferResult(part.out, part.sidecar, len(part.poses), missing, part.fitted, coverage)

    def _provenance(self, part: Part) -> dict[str, Any]:
        """That it is synthetic, and what made it."""
        info, recipe = part.dancer.info, part.dancer.overridden(list(self.options.overrides))
        return {
            "synthetic": True,
            "digital_source_type": SYNTHETIC,
            "dancekit": __version__,
            "runner": part.dancer.painter.network_name,
            "int8": part.dancer.int8,
            "model": {
                "sha256": part.sha256,
                "licence": info.licence,
                "subject": info.subject,
                "consent": info.consent,
                "components": dict(info.components),
            },
            "post_processing": {
                "poses": [component.model_dump(mode="json") for component in recipe.filters],
                "retargeting": recipe.normalizer.name,
                "face": info.recipe.face.name,
                "background": info.recipe.background.name,
                "shown_before": self.options.background,
                "full_frame": self.options.background is not None or info.follow is not None,
                "encoding": _encoding(self.options, part.out),
            },
            "dropped_frames": 0,  # a result with fewer frames than poses is refused when segments are joined
            "sound": self.source.name if self.video and self.video.audio and has_sound(part.out) else None,
        }


def _encoding(options: TransferOptions, out: Path) -> str:
    """How the result was encoded, in words."""
    if not out.suffix or out.suffix.lower() == ".gif":
        return "GIF" if out.suffix else "PNG"
    name, codec = choose_codec(out, options.codec)
    titles = {"h264": "H.264", "h265": "H.265", "vp9": "VP9"}
    return f"{titles[name]}, crf {codec.crf if options.crf is None else options.crf}"


def _moved(state: State, device: str) -> State:
    return {key: value.to(device) for key, value in state.items()}


def _digest(poses: PoseSequence) -> str:
    """Of numbers and times."""
    data = hashlib.sha256()
    for array in (poses.xy, poses.score, poses.pts):
        data.update(np.ascontiguousarray(array).tobytes())
    data.update(repr((poses.time_base, poses.size, poses.skeleton.id)).encode())
    return data.hexdigest()
