"""`dancekit evaluate FAKE REAL`: two videos, or folders of pictures, frame by frame."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dancekit.build import resolve_device
from dancekit.config import Component
from dancekit.data.masks import MaskTrack
from dancekit.data.poses import track_person
from dancekit.data.progress import Progress, silent
from dancekit.errors import PoseError, UsageError, VideoError
from dancekit.evaluate.align import Pair, align
from dancekit.evaluate.detectors import Detector, Track, choose_detector, follow
from dancekit.evaluate.engine import Reference, Stream, score_streams
from dancekit.evaluate.environment import environment
from dancekit.evaluate.frames import Resized, Source, VideoFrames, frames_sha256, open_frames
from dancekit.evaluate.measures import Measure, make_measures, metric_weights
from dancekit.evaluate.protocols import Protocol
from dancekit.evaluate.regions import boxes_to_look_at
from dancekit.evaluate.result import Evaluation
from dancekit.evaluate.training_clip import TrainingClip, static_baselines
from dancekit.evaluate.truth import ExactTruth
from dancekit.pose.blazepose import BlazePose
from dancekit.types import PoseSequence

Mask = NDArray[np.bool_]

TITLES = {
    "result": "result",
    "nearest_neighbour": "baseline: nearest training frame",
    "temporal_median": "baseline: median of the training clip",
    "previous_frame": "baseline: the true frame before",
    "identity_normalizer": "baseline: not retargeted",
}


def evaluate_videos(
    fake: Path,
    real: Path,
    protocol: Protocol,
    *,
    align_by: Collection[str] = (),
    target: Path | None = None,
    truth_npz: Path | None = None,
    baselines: bool = True,
    device: str = "auto",
    folder: Path | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Compare painted frames with true ones.

    Args:
        fake: A video, or a folder of pictures.
        real: The same.
        protocol: How; it must compare frames.
        align_by: Of `align.ALIGNMENTS`: what may be done to make them fit.
        target: The clip that the painter was trained on, for the baselines that need it.
        truth_npz: Exact masks of `real` (a dancefloor `.npz`); they are found otherwise.
        baselines: Whether the protocol's baselines are scored.
        device: Where networks run.
        folder: Where videos of the compared frames are kept; None: nowhere.
        progress: Called with (what, done, total).

    Raises:
        VideoError: One cannot be read, or the two do not fit.
        UsageError: The protocol is for dancers only.
    """
    if protocol.compare != "frames":
        raise UsageError(
            f"protocol {protocol.name} needs a dancer that paints: two videos do not tell which poses were asked for",
            hint="dancekit evaluate DANCER CLIP --protocol " + protocol.name,
        )
    place = resolve_device(device)
    pair = align(open_frames(fake), open_frames(real), protocol, align_by)
    measures = make_measures(protocol, place, pair.rate)
    detector = _detector(protocol, measures, place)
    known = person_of(
        pair.real, pair.rate, protocol, measures, place, _exact(truth_npz, pair, real), progress
    )
    warnings = [*pair.warnings, *known.warnings]
    same = detector is not None and known.found_by == detector.component
    reference = Reference(
        frames=pair.real,
        count=pair.real.count,
        size=pair.real.size,
        rate=pair.rate,
        mask=known.mask,
        poses=known.poses,
        measured=known.poses if same else None,
        video=None if folder is None else folder / "real.mp4",
    )
    streams = [Stream("result", fake.name, "result", pair.fake, video=folder and folder / "result.mp4")]
    with tempfile.TemporaryDirectory(prefix="dancekit-") as scratch:
        if baselines:
            streams += _baselines(protocol, pair, target, known.poses, Path(scratch), warnings, progress)
        variants = score_streams(reference, streams, protocol, measures, detector=detector, progress=progress)
    if detector is not None and detector.remark:
        warnings.append(detector.remark)
    return Evaluation(
        protocol=protocol.to_json(),
        inputs={
            role: {"name": path.name, "sha256": frames_sha256(path)}
            for role, path in (("fake", fake), ("real", real), ("target", target), ("truth", truth_npz))
            if path is not None
        },
        frames=reference.count,
        size=reference.size,
        rate=str(pair.rate),
        variants=tuple(variants),
        real_video=None if folder is None else "real.mp4",
        warnings=tuple(warnings),
        boxes=boxes_to_look_at(reference.poses),
        environment=environment(
            place, detector=detector.id if detector else "", metric_weights=metric_weights(measures)
        ),
    )


def _detector(protocol: Protocol, measures: list[Measure], device: str) -> Detector | None:
    if not any(measure.kind == "pose" and not measure.why for measure in measures):
        return None
    return choose_detector(protocol, drew=None, device=device)


def _exact(path: Path | None, pair: Pair, real: Path) -> Callable[[int], Mask] | None:
    """Exact masks of the compared frames."""
    if path is None:
        return None
    truth, original = ExactTruth.load(path), open_frames(real)
    if len(truth) != original.count or truth.mask_bits is None:
        raise VideoError(
            f"{path} does not belong to {real}: {len(truth)} frames and {original.count}, "
            f"{'masks' if truth.mask_bits is not None else 'no masks'}"
        )
    if pair.real.count != original.count or pair.real.size != original.size:
        raise UsageError(
            "--truth-npz needs all true frames at their own size",
            hint="leave --align and the protocol's frames and size out, or leave --truth-npz out",
        )
    return lambda number: np.asarray(truth.mask(number, original.size), np.bool_)


def _baselines(
    protocol: Protocol,
    pair: Pair,
    target: Path | None,
    poses: PoseSequence | None,
    scratch: Path,
    warnings: list[str],
    progress: Progress,
) -> list[Stream]:
    streams = []
    wanted = protocol.baselines
    if target is None and {"nearest_neighbour", "temporal_median"} & set(wanted):
        warnings.append("baselines of the training clip are left out: name it with --target")
    elif target is not None:
        clip = _clip_of(open_frames(target), pair, protocol, progress)
        query = poses if "nearest_neighbour" in wanted else None
        nearest, median = static_baselines(
            clip, query, scratch, median="temporal_median" in wanted, progress=progress
        )
        if nearest is not None:
            title = TITLES["nearest_neighbour"] + " by the pose in the true frame"
            streams.append(Stream("nearest_neighbour", title, "baseline", nearest))
        if median is not None:
            still = (median for _ in range(pair.real.count))
            streams.append(
                Stream("temporal_median", TITLES["temporal_median"], "baseline", still, has_person=False)
            )
    if "previous_frame" in wanted:
        streams.append(Stream("previous_frame", TITLES["previous_frame"], "baseline", None, skip=1))
    if "identity_normalizer" in wanted:
        warnings.append("the baseline without retargeting needs a dancer to paint it: evaluate DANCER CLIP")
    return streams


def _clip_of(source: Source, pair: Pair, protocol: Protocol, progress: Progress) -> TrainingClip:
    if protocol.size is not None and source.size != protocol.size:
        source = Resized(source, protocol.size, protocol.resize)
    if source.size != pair.real.size:
        raise VideoError(
            f"--target {source.name} is {source.size[0]}x{source.size[1]}, the compared frames "
            f"{pair.real.size[0]}x{pair.real.size[1]}",
            hint="the baselines of the training clip need it at the same size, or evaluate DANCER CLIP",
        )
    found = find_person(source, source.rate or pair.rate, BlazePose(), progress)
    return TrainingClip(source, found[0], np.arange(source.count))


class Person:
    """What is known of the true person.

    Attributes:
        poses: In pixels of the true frames; None if nobody looked.
        mask: The mask of a frame; None if nobody knows.
        found_by: Which backend looked; None for exact knowledge.
        warnings: About it.
    """

    def __init__(self) -> None:
        self.poses: PoseSequence | None = None
        self.mask: Callable[[int], Mask] | None = None
        self.found_by: Component | None = None
        self.warnings: list[str] = []


def person_of(
    frames: Source,
    rate: Fraction,
    protocol: Protocol,
    measures: list[Measure],
    device: str,
    exact: Callable[[int], Mask] | None,
    progress: Progress,
) -> Person:
    """Look for the person in the true frames, if any metric looks at a part of them, with the embedded BlazePose.

    Args:
        frames: The true frames.
        rate: Frames a second.
        protocol: Whose metrics say what is needed.
        measures: They.
        device: Where it runs.
        exact: Exact masks, which are used instead of found ones.
        progress: Called with ("true poses", done, total).
    """
    person = Person()
    person.mask = exact
    wanted = {region for each in measures if each.kind != "pose" for region in each.term.regions}
    needs_masks = bool(wanted & {"mask", "box"}) and exact is None
    if not needs_masks and not wanted & {"face", "hands"}:
        return person
    person.found_by = Component(name="blazepose")
    found = _find(frames, rate, device, progress)
    if found is None:
        person.warnings.append(
            f"no person is found in {frames.name}: nothing is said of mask, box, face and hands"
        )
        return person
    poses, masks = found
    person.poses = poses
    if exact is None:
        missing = int((~poses.found).sum())
        person.warnings.append(
            "the person's masks are found by blazepose, not exact"
            + (f"; in {missing} of {len(poses)} frames there is none" if missing else "")
        )
        person.mask = lambda number: np.asarray(masks.in_frame(number) > 127)
    return person


def _find(
    frames: Source, rate: Fraction, device: str, progress: Progress
) -> tuple[PoseSequence, MaskTrack] | None:
    """The person, or None; of a whole video file as for training, so that it is found once (cached by content)."""
    backend = BlazePose(device=device)
    if not isinstance(frames, VideoFrames):
        found = find_person(frames, rate, backend, progress)
        return found if found[0].found.any() else None
    try:
        tracked = track_person(frames.path, backend, Component(name="blazepose"), progress=progress)
    except PoseError:
        return None
    assert tracked.masks is not None
    return tracked.poses, tracked.masks


def find_person(
    frames: Source, rate: Fraction, backend: BlazePose, progress: Progress
) -> tuple[PoseSequence, MaskTrack]:
    """Poses and masks of the one person followed through frames that may not be a video file."""
    track, masks = Track(backend.spec.skeleton), MaskTrack(frames.size)
    for number, (_, person) in enumerate(follow(iter(frames), backend)):
        track.append(person)
        masks.append(None if person is None or person.mask is None else person.mask[0])
        progress("true poses", number + 1, frames.count)
    return track.poses(frames.size, rate), masks
