"""`dancekit evaluate DANCER CLIP` and `RUN`: paint, then compare with what was right."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.build import resolve_device
from dancekit.config import Component, Recipe
from dancekit.data.progress import Progress, silent
from dancekit.errors import PoseError, UsageError, VideoError
from dancekit.evaluate.align import RATE_TOLERANCE, select
from dancekit.evaluate.detectors import Detector, choose_detector
from dancekit.evaluate.engine import Reference, Stream, score_streams
from dancekit.evaluate.environment import environment
from dancekit.evaluate.frames import (
    Chosen,
    Painted,
    Resized,
    Source,
    frames_sha256,
    open_frames,
)
from dancekit.evaluate.known import Known, held_out, known_clip, known_run, only, tracked_poses
from dancekit.evaluate.ladder import POSE_OF_TRUTH, TITLES, TRUE_POSE, TRUE_SOURCE_POSE
from dancekit.evaluate.loops import evaluate_loops
from dancekit.evaluate.measures import Measure, make_measures, metric_weights
from dancekit.evaluate.protocols import Protocol
from dancekit.evaluate.regions import boxes_to_look_at
from dancekit.evaluate.result import Evaluation
from dancekit.evaluate.training_clip import TrainingClip, out_of_range, static_baselines, training_clip
from dancekit.evaluate.truth import ExactTruth
from dancekit.evaluate.videos import TITLES as BASELINE_TITLES
from dancekit.transfer import Dancer
from dancekit.types import PoseSequence
from dancekit.video import VideoWriter, probe
from dancekit.weights.header import file_sha256

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a dancer is evaluated on.

    Attributes:
        dancer: The file.
        clip: The true video (for protocols that compare poses only: the driving one); None: the frames kept in the
            dancer's run folder.
        source: Who moves, where that is not the clip itself.
        truth_npz: Exact ground truth of the clip (a dancefloor `.npz`).
        source_npz: The same of the source.
        target: The training clip, for baselines.
        overrides: `key=value` for the recipe's pose, filters and normalizer.
        person: Who in the clip, if there are several people.
        source_person: The same in the source.
    """

    dancer: Path
    clip: Path | None = None
    source: Path | None = None
    truth_npz: Path | None = None
    source_npz: Path | None = None
    target: Path | None = None
    overrides: Sequence[str] = ()
    person: str | None = None
    source_person: str | None = None


def evaluate_dancer(
    inputs: Inputs,
    protocol: Protocol,
    *,
    ladder: bool = False,
    baselines: bool = True,
    align_by: Sequence[str] = (),
    device: str = "auto",
    folder: Path | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Paint with a dancer and score what comes out.

    With a source, its dance is retargeted and painted, and the clip is the right answer (a transfer). Without,
    the clip's own poses are painted (a reconstruction), unless the protocol compares poses: then the clip is the
    driving video.

    Args:
        inputs: The files.
        protocol: How.
        ladder: Also paint the rungs of the error ladder; needs a source.
        baselines: Whether the protocol's baselines are scored.
        align_by: `trim`: source and clip end where the shorter one does.
        device: Where networks run.
        folder: Where the videos are kept; None: nowhere.
        progress: Called with (what, done, total).

    Raises:
        VideoError: A video cannot be read, or clip, source and dancer do not fit.
        PoseError: Nobody is in a video.
        UsageError: Options that do not go together.
    """
    _check(inputs, protocol, ladder)
    if protocol.compare == "loops":
        assert inputs.clip is not None
        return evaluate_loops(
            inputs.dancer,
            inputs.clip,
            protocol,
            overrides=inputs.overrides,
            device=resolve_device(device),
            progress=progress,
        )
    if any(each != "trim" for each in align_by):
        raise UsageError(
            "--align of a dancer can only be trim", hint="it paints at its own size, in its own window"
        )
    job = _Job(inputs, protocol, align_by, resolve_device(device), folder, progress)
    with tempfile.TemporaryDirectory(prefix="dancekit-") as scratch:
        job.prepare()
        job.paint_result()
        if baselines:
            job.add_baselines(Path(scratch))
        if ladder:
            job.add_ladder()
        return job.evaluation()


def _check(inputs: Inputs, protocol: Protocol, ladder: bool) -> None:
    if protocol.compare != "frames" and (inputs.clip is None or inputs.source is not None):
        raise UsageError(
            f"protocol {protocol.name} takes the driving video as CLIP, and no --source",
            hint="dancekit evaluate DANCER DRIVING --protocol " + protocol.name,
        )
    if ladder and (inputs.source is None or protocol.compare != "frames"):
        raise UsageError(
            "--ladder needs a source and the right answer",
            hint="dancekit evaluate DANCER TRUTH --source SOURCE --ladder",
        )
    if inputs.source_npz is not None and not ladder:
        raise UsageError("--source-npz is for --ladder only", hint="add --ladder, or leave it out")


class _Job:
    """One evaluation of a dancer."""

    def __init__(
        self,
        inputs: Inputs,
        protocol: Protocol,
        align_by: Sequence[str],
        device: str,
        folder: Path | None,
        progress: Progress,
    ) -> None:
        self.inputs, self.protocol, self.align_by = inputs, protocol, align_by
        self.device, self.folder, self.progress = device, folder, progress
        self.dancer = Dancer.load(inputs.dancer, device=device)
        self.recipe: Recipe = self.dancer.overridden(list(inputs.overrides))
        rate = self.dancer.info.rate if inputs.clip is None else open_frames(inputs.clip).rate
        self.rate = rate or self.dancer.info.rate
        self.measures: list[Measure] = make_measures(protocol, device, self.rate / protocol.frames.every)
        self.warnings: list[str] = []
        self.streams: list[Stream] = []
        self.fitted: dict[str, Any] = {}
        self.truth: ExactTruth | None = None

    # ---- what is there -----------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Find poses in all that moves, and line true frames and source up."""
        inputs, dancer = self.inputs, self.dancer
        if inputs.truth_npz is not None:
            self.truth = ExactTruth.load(inputs.truth_npz)
        if self.protocol.compare == "poses":
            assert inputs.clip is not None
            self.asked_from = dancer.poses_of(
                inputs.clip, recipe=self.recipe, person=inputs.person, progress=self.progress
            )
            self.known = Known(len(self.asked_from), self.rate)
        else:
            if inputs.clip is None:
                self.known = known_run(dancer, self.rate)
            else:
                self.known = known_clip(
                    dancer, self.recipe, inputs.clip, self.truth, self.device, self.progress, inputs.person
                )
            self.warnings += self.known.warnings
            if inputs.source is not None:
                self.asked_from = dancer.poses_of(
                    inputs.source, recipe=self.recipe, person=inputs.source_person, progress=self.progress
                )
                self._line_up(inputs.source)
        self._choose_unseen()

    def _line_up(self, source: Path) -> None:
        """One rate and one length for source and clip, or an error."""
        known, clip = self.known, self.inputs.clip
        rate = probe(source).rate if source.suffix != ".npz" else Fraction(self.asked_from.rate)
        if abs(float(rate / known.rate) - 1) > RATE_TOLERANCE:
            raise VideoError(
                f"{source} has {float(rate):.4g} frames a second, {clip} {float(known.rate):.4g}",
                hint="bring both to one rate first: ffmpeg -i IN -r RATE OUT.mp4",
            )
        here, there = len(self.asked_from), known.count
        if here == there:
            return
        if "trim" not in self.align_by:
            raise VideoError(
                f"{source} has {here} frames, {clip} {there}",
                hint="if both begin at one moment: --align trim compares the common part",
            )
        self.warnings.append(
            f"{source} has {here} frames, {clip} {there}: the last {abs(here - there)} of the longer one are left "
            "out (--align trim)"
        )
        known.count = min(here, there)

    def _choose_unseen(self) -> None:
        """Of the training clip, what training held out; a warning if it held out nothing."""
        clip = self.inputs.clip
        trained_on = self.dancer.info.training.get("inputs", {}).get("target")
        if self.protocol.compare == "poses" or (clip is not None and file_sha256(clip) != trained_on):
            return
        unseen = held_out(self.dancer)
        if unseen is not None and self.inputs.source is None:
            self.known = only(self.known, *unseen)
            self.warnings.append(
                f"of the training clip, frames {unseen[0]} to {unseen[1] - 1} are compared: those that training "
                "held out (train.hold_out)"
            )
            return
        self.warnings.append(
            "these are frames that training saw: the numbers say how well it learnt them by heart, not how well it "
            "paints new poses (name a CLIP that it never saw, or train with train.hold_out=0.1)"
        )

    # ---- what is scored ----------------------------------------------------------------------------------

    def paint_result(self) -> None:
        """The result: the source's dance, or the clip's own."""
        if self.protocol.compare == "poses" or self.inputs.source is not None:
            self.asked, self.fitted = self.dancer.retarget(self.asked_from, self.recipe.normalizer)
            self.warnings += [f"normalizer: {text}" for text in self.fitted.get("warnings", ())]
        else:
            assert self.known.poses is not None
            self.asked = self.asked_from = self.known.poses
        self.asked = self.asked[slice(0, self.known.count)]
        self._add("result", self.dancer.path.name, "result", self.asked)
        self.frame_warnings = out_of_range(self.dancer.target, self._chosen_poses(self.asked))

    def add_baselines(self, scratch: Path) -> None:
        """What costs nothing."""
        wanted: set[str] = set(self.protocol.baselines)
        if wanted & {"nearest_neighbour", "temporal_median"}:
            clip = training_clip(self.dancer, self.inputs.target)
            if clip is None:
                self.warnings.append(
                    "baselines of the training clip are left out: name the clip with --target"
                )
            else:
                self._add_static(clip, wanted, scratch)
        if "previous_frame" in wanted:
            self.streams.append(
                Stream("previous_frame", BASELINE_TITLES["previous_frame"], "baseline", None, skip=1)
            )
        retargeted = self.protocol.compare == "poses" or self.inputs.source is not None
        if "identity_normalizer" in wanted and retargeted:
            poses, _ = self.dancer.retarget(self.asked_from, Component(name="identity"))
            self._add("identity_normalizer", BASELINE_TITLES["identity_normalizer"], "baseline", poses)

    def _add_static(self, clip: TrainingClip, wanted: set[str], scratch: Path) -> None:
        nearest, median = static_baselines(
            clip,
            self._chosen_poses(self.asked) if "nearest_neighbour" in wanted else None,
            scratch,
            median="temporal_median" in wanted,
            progress=self.progress,
        )
        for name, frames in (
            ("nearest_neighbour", nearest),
            ("temporal_median", None if median is None else (median for _ in self._range)),
        ):
            if frames is not None:
                self._stream(
                    name,
                    BASELINE_TITLES[name],
                    "baseline",
                    self._resized(frames),
                    has_person=name != "temporal_median",
                )

    def add_ladder(self) -> None:
        """The rungs above the result."""
        known, dancer = self.known, self.dancer
        if self.truth is None:
            self.warnings.append("ladder: the target's true pose is not known: name it with --truth-npz")
        else:
            assert known.detected is not None
            true, remarks = self.truth.poses(known.detected)
            self.warnings += [f"ladder, target: {text}" for text in remarks]
            self._add(TRUE_POSE, TITLES[TRUE_POSE], "ladder", true)
        assert known.poses is not None
        self._add(POSE_OF_TRUTH, TITLES[POSE_OF_TRUTH], "ladder", known.poses)
        path = self.inputs.source_npz
        if path is None:
            self.warnings.append("ladder: the source's true pose is not known: name it with --source-npz")
            return
        true, remarks = ExactTruth.load(path).poses(self._detected_source())
        self.warnings += [f"ladder, source: {text}" for text in remarks]
        moved, _ = dancer.retarget(true, self.recipe.normalizer)
        self._add(TRUE_SOURCE_POSE, TITLES[TRUE_SOURCE_POSE], "ladder", moved)

    def _detected_source(self) -> PoseSequence:
        source = self.inputs.source
        assert source is not None
        if source.suffix == ".npz":
            raise UsageError("--source-npz needs the source's video, not its poses")
        tracked, _ = tracked_poses(
            source, self.dancer, self.recipe, self.device, self.progress, self.inputs.source_person
        )
        return tracked.poses.to(self.dancer.info.skeleton)

    def _add(self, name: str, title: str, kind: str, poses: PoseSequence) -> None:
        """Paint poses (in pixels of the target's clip) from the start, as history, and show the protocol's frames."""
        poses = poses[slice(0, self.known.count)]
        if not poses.found.any():
            raise PoseError(f"{title}: no pose is left to paint")
        self._stream(name, title, kind, self._chosen(self.dancer.paint(poses)))

    def _stream(
        self, name: str, title: str, kind: str, frames: Iterable[Image], *, has_person: bool = True
    ) -> None:
        keeps = self.folder is not None and name != "temporal_median"
        video = self.folder / f"{name}.mp4" if self.folder is not None and keeps else None
        asked = self._in_view(self._chosen_poses(self.asked)) if self.protocol.compare == "poses" else None
        self.streams.append(
            Stream(name, title, kind, frames, has_person=has_person, video=video, asked=asked)
        )

    # ---- the protocol's frames and size ------------------------------------------------------------------

    @property
    def _range(self) -> range:
        wanted = self.protocol.frames
        return range(wanted.start, self.known.count if wanted.stop is None else wanted.stop, wanted.every)

    @property
    def _size(self) -> tuple[int, int]:
        return self.protocol.size or self.dancer.info.window.size

    def _chosen(self, frames: Iterable[Image]) -> Source:
        """The protocol's of all frames of the window, at its size."""
        size = self.dancer.info.window.size
        return select(Painted("painted frames", frames, size, None, self.known.count), self.protocol)

    def _resized(self, frames: Iterable[Image]) -> Source:
        """Frames that are the protocol's already, at its size."""
        source = Painted("training frames", frames, self.dancer.info.window.size, None, len(self._range))
        return source if source.size == self._size else Resized(source, self._size, self.protocol.resize)

    def _chosen_poses(self, poses: PoseSequence) -> PoseSequence:
        return poses[slice(self._range.start, self._range.stop, self._range.step)]

    def _in_view(self, poses: PoseSequence) -> PoseSequence:
        """From pixels of the target's clip to those that are compared."""
        window, size = self.dancer.info.window, self._size
        ratio = np.array(size) / window.size
        xy = (window.to_window(poses.xy) + 0.5) * ratio - 0.5
        return poses.replace(xy=xy.astype(np.float32), size=size)

    def _mask(self, number: int) -> Mask:
        """Of a compared frame."""
        assert self.known.mask is not None
        mask = self.known.mask(self._range[number])
        if mask.shape[::-1] == self._size:
            return mask
        resized = cv2.resize(mask.astype(np.uint8), self._size, interpolation=cv2.INTER_NEAREST)
        return np.asarray(resized, np.bool_)

    # ---- the end -----------------------------------------------------------------------------------------

    def evaluation(self) -> Evaluation:
        """Score everything."""
        known, folder, protocol = self.known, self.folder, self.protocol
        has_truth = known.frames is not None
        keeps_real = folder is not None and has_truth
        reference = Reference(
            frames=None if known.frames is None else self._true_frames(known.frames),
            count=len(self._range),
            size=self._size,
            rate=known.rate / protocol.frames.every,
            mask=self._mask if known.mask is not None else None,
            poses=None if known.poses is None else self._in_view(self._chosen_poses(known.poses)),
            video=folder / "real.mp4" if folder is not None and has_truth else None,
        )
        detector = self._detector()
        variants = score_streams(
            reference,
            self.streams,
            protocol,
            self.measures,
            detector=detector,
            progress=self.progress,
        )
        if detector is not None and detector.remark:
            self.warnings.append(detector.remark)
        return Evaluation(
            protocol=protocol.to_json(),
            inputs=self._hashes(),
            frames=reference.count,
            size=reference.size,
            rate=str(reference.rate),
            variants=tuple(variants),
            real_video="real.mp4" if keeps_real else None,
            source_video=self._keep_source(reference.rate),
            warnings=tuple(self.warnings),
            frame_warnings=self.frame_warnings,
            fitted=self.fitted,
            boxes=boxes_to_look_at(reference.poses),
            environment=environment(
                self.device,
                detector="" if detector is None else detector.id,
                metric_weights=metric_weights(self.measures),
                recipe=self.recipe.to_json(),
                training=dict(self.dancer.info.training),
            ),
        )

    def _true_frames(self, frames: Source) -> Source:
        part = frames if frames.count == self.known.count else Chosen(frames, 0, self.known.count)
        return select(part, self.protocol)

    def _detector(self) -> Detector | None:
        if not any(each.kind == "pose" and not each.why for each in self.measures):
            return None
        return choose_detector(self.protocol, drew=self.recipe.pose.name, device=self.device)

    def _hashes(self) -> dict[str, dict[str, str]]:
        given = self.inputs
        files = {
            "dancer": given.dancer,
            "real" if self.protocol.compare == "frames" else "source": given.clip,
            "source": given.source or (given.clip if self.protocol.compare == "poses" else None),
            "target": given.target,
            "truth": given.truth_npz,
            "source truth": given.source_npz,
        }
        return {
            role: {"name": path.name, "sha256": frames_sha256(path)}
            for role, path in files.items()
            if path is not None
        }

    def _keep_source(self, rate: Fraction) -> str | None:
        """The source's frames that belong to the compared ones, beside them, no higher than they are."""
        given = self.inputs.source or (self.inputs.clip if self.protocol.compare == "poses" else None)
        if self.folder is None or given is None or given.suffix == ".npz":
            return None
        source, height = open_frames(given), self._size[1]
        chosen = Chosen(source, self._range.start, self._range.stop, self._range.step)
        width = max(2, round(source.size[0] * height / source.size[1] / 2) * 2)
        name = "source.mp4"
        with VideoWriter(
            self.folder / name, size=(width, height), time_base=1 / rate, rate=rate, force=True
        ) as writer:
            for number, frame in enumerate(Resized(chosen, (width, height), "area")):
                writer.write(frame, number)
        return name
