"""The clip a dancer was trained on: what the baselines that need no training are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dancekit.data.coverage import PoseRange
from dancekit.data.progress import Progress, silent
from dancekit.errors import UsageError
from dancekit.evaluate.frames import ArrayFrames, Chosen, Source, Windowed, open_frames
from dancekit.evaluate.known import held_out
from dancekit.metrics.baselines import nearest_neighbour, temporal_median
from dancekit.resources import data_path
from dancekit.transfer import Dancer
from dancekit.types import PoseSequence
from dancekit.weights.header import file_sha256

Image = NDArray[np.uint8]

MEDIAN_FRAMES = 1000
"""Frames, evenly spaced over the clip, that the temporal median is taken of; all of a clip of fewer."""


@dataclass(frozen=True, eq=False)
class TrainingClip:
    """Frames and poses of the training clip, in the window that is painted.

    Attributes:
        frames: The windows of its frames.
        poses: Of (some of) its frames, in pixels of the clip.
        numbers: (N,) the frame number of each pose.
    """

    frames: Source
    poses: PoseSequence
    numbers: NDArray[np.intp]


def training_clip(dancer: Dancer, target: Path | None) -> TrainingClip | None:
    """The clip of a dancer: the file named, the frames kept in its run folder, or the shipped sample.

    Args:
        dancer: Whose.
        target: A file that the user says it was trained on.

    Returns:
        None if nobody knows where it is.

    Raises:
        UsageError: The file named is another one.
    """
    trained_on = dancer.info.training.get("inputs", {}).get("target")
    if target is not None:
        if (found := file_sha256(target)) != trained_on:
            raise UsageError(
                f"{target} is not what {dancer.path} was trained on (sha256 {found[:12]}, trained on "
                f"{str(trained_on)[:12]})",
                hint="name the training clip, or leave --target out",
            )
        return _of_video(dancer, target)
    kept = dancer.path.with_name("data")
    if (kept / "frames.npy").exists():
        frames = np.load(kept / "frames.npy", mmap_mode="r")
        if frames.shape[1:3] == dancer.info.window.size[::-1]:
            return _clip(dancer, ArrayFrames(str(kept), frames, dancer.info.rate))
    sample = data_path("zoo/samples/target.mp4")
    return _of_video(dancer, sample) if file_sha256(sample) == trained_on else None


def _of_video(dancer: Dancer, path: Path) -> TrainingClip:
    return _clip(dancer, Windowed(open_frames(path), dancer.info.window))


def _clip(dancer: Dancer, frames: Source) -> TrainingClip:
    """Without the frames at its end that training held out, if it did."""
    unseen = held_out(dancer)
    if unseen is not None:
        frames = Chosen(frames, 0, unseen[0])
    return TrainingClip(frames, dancer.target, _numbers(dancer.target, frames.count))


def _numbers(poses: PoseSequence, frames: int) -> NDArray[np.intp]:
    """Frame numbers of the poses in a dancer file: all, or evenly spaced ones (`dancer.save_dancer`)."""
    return np.linspace(0, frames - 1, len(poses)).round().astype(np.intp)


def static_baselines(
    clip: TrainingClip,
    query: PoseSequence | None,
    folder: Path,
    *,
    median: bool = True,
    progress: Progress = silent,
) -> tuple[Iterator[Image] | None, Image | None]:
    """The frames of the nearest poses, and the temporal median, in one pass over the clip.

    What is needed again is kept in files, so that memory does not grow with the clip.

    Args:
        clip: The training clip.
        query: T poses in pixels of the clip; None if the nearest are not wanted.
        folder: For the files; theirs until the iterator is done with.
        median: Whether the median is wanted.
        progress: Called with ("training frames", done, total).

    Returns:
        T frames of the nearest poses or None, and (H, W, 3) the median or None.
    """
    count = clip.frames.count
    spread = np.linspace(0, count - 1, min(count, MEDIAN_FRAMES) if median else 0).round().astype(int)
    rows = {int(number): row for row, number in enumerate(spread)}
    answers = clip.numbers[nearest_neighbour(clip.poses, query)] if query is not None else np.array([], int)
    slots = {int(number): slot for slot, number in enumerate(np.unique(answers))}
    width, height = clip.frames.size
    shape = (height, width, 3)
    sample = np.lib.format.open_memmap(folder / "median.npy", "w+", np.uint8, (max(1, len(rows)), *shape))
    nearest = np.lib.format.open_memmap(folder / "nearest.npy", "w+", np.uint8, (max(1, len(slots)), *shape))
    for number, frame in enumerate(clip.frames):
        if number in rows:
            sample[rows[number]] = frame
        if number in slots:
            nearest[slots[number]] = frame
        progress("training frames", number + 1, count)
    return (
        (np.asarray(nearest[slots[int(number)]]) for number in answers) if query is not None else None,
        temporal_median(sample) if median else None,
    )


def out_of_range(train: PoseSequence, query: PoseSequence) -> dict[int, str]:
    """Frames whose pose is further from all training poses than training poses are from each other.

    Args:
        train: The training poses.
        query: T poses in the same pixels.

    Returns:
        A sentence by frame number (`dancekit.data.coverage` has the measure).
    """
    coverage = PoseRange(train).coverage(query)
    # one sentence for all, so that the report can name frames in a row together
    text = f"pose outside of the training range: more than {coverage.limit:.0f} px from every training pose"
    return {int(number): text for number in np.flatnonzero(coverage.outside)}
