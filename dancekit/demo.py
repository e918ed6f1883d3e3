"""The demo: the shipped dance, painted by the shipped dancer, beside the right answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.data.files import write_whole
from dancekit.data.framing import crop
from dancekit.data.progress import Progress, silent
from dancekit.errors import OutputExists
from dancekit.evaluate import Scores, Truth, score_frames
from dancekit.metrics.baselines import nearest_neighbour, temporal_median
from dancekit.resources import data_path
from dancekit.transfer import Dancer
from dancekit.transfer.compare import write_side_by_side
from dancekit.types import PoseSequence
from dancekit.video import probe, read_frames
from dancekit.weights.header import file_sha256

DANCER = "zoo/weights/demo.safetensors"
SOURCE, TARGET = "zoo/samples/source.mp4", "zoo/samples/target.mp4"
TRUTH, TRUTH_MASKS = "zoo/samples/truth.mp4", "zoo/samples/truth.npz"


def run_demo(
    out: Path,
    *,
    dancer_file: Path | None = None,
    device: str = "auto",
    force: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Transfer the shipped dance and measure the result.

    Args:
        out: Folder for transfer.mp4, compare.mp4 and metrics.json.
        dancer_file: Another dancer trained on the shipped target.
        device: `cpu`, `cuda`, `mps` or `auto`.
        force: Replace what is there.
        progress: Called with (what, done, total).

    Returns:
        The content of metrics.json: scores of the transfer, of the same from the truth's own poses, and of two
        baselines that need no training; the margin over the better one; hashes of all that went in.

    Raises:
        OutputExists: One of the files is there already.
    """
    files = {name: out / name for name in ("transfer.mp4", "compare.mp4", "metrics.json")}
    for path in files.values():
        if path.exists() and not force:
            raise OutputExists(path)
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    place = dancer_file or data_path(DANCER)
    dancer = Dancer.load(place, device=device)
    source = data_path(SOURCE)
    result = dancer.transfer(source, files["transfer.mp4"], force=True, progress=progress)
    transfer_seconds = time.monotonic() - began
    painted = np.stack([frame.rgb for frame in read_frames(files["transfer.mp4"])])
    moved, _ = dancer.retarget(dancer.poses_of(source))
    truth = Truth.load(data_path(TRUTH), data_path(TRUTH_MASKS), dancer.info.window)
    own_poses = dancer.poses_of(data_path(TRUTH), progress=progress)
    repainted = _counted(dancer.paint(own_poses), len(own_poses), "painting the truth's own poses", progress)
    scores = {
        "transfer": score_frames(painted, truth),
        "from_true_poses": score_frames(np.stack(list(repainted)), truth),
        **baseline_scores(dancer, moved, truth),
    }
    best = max(("nearest_neighbour", "temporal_median"), key=lambda name: scores[name].psnr_mask)
    _compare(files["compare.mp4"], dancer, moved, painted, truth, source)
    report = {
        "scores": {name: score.to_json() for name, score in scores.items()},
        "better_baseline": best,
        "margin_db": round(scores["transfer"].psnr_mask - scores[best].psnr_mask, 3),
        "frames": result.frames,
        "frames_without_person": result.missing,
        "fitted": result.fitted,
        "seconds": {"transfer": round(transfer_seconds, 1), "all": round(time.monotonic() - began, 1)},
        "sha256": {
            path.name: file_sha256(path) for path in (place, source, data_path(TARGET), data_path(TRUTH))
        },
        "trained_on_sha256": dancer.info.training.get("inputs", {}),
        "files": {name: str(path) for name, path in files.items()},
    }
    write_whole(files["metrics.json"], json.dumps(report, indent=2, sort_keys=True) + "\n")
    return report


def baseline_scores(dancer: Dancer, moved: PoseSequence, truth: Truth) -> dict[str, Scores]:
    """What needs no training: the training clip's temporal median, and its frame of the nearest pose."""
    window = dancer.info.window
    clip = np.stack([crop(frame.rgb, window) for frame in read_frames(data_path(TARGET))])
    nearest = nearest_neighbour(dancer.target, moved)
    median = temporal_median(clip)
    return {
        "nearest_neighbour": score_frames(clip[nearest], truth),
        "temporal_median": score_frames(np.broadcast_to(median, truth.frames.shape), truth),
    }


def _counted(
    frames: Iterator[NDArray[np.uint8]], total: int, what: str, progress: Progress
) -> Iterator[NDArray[np.uint8]]:
    for number, frame in enumerate(frames):
        progress(what, number + 1, total)
        yield frame


def _compare(
    out: Path, dancer: Dancer, moved: PoseSequence, painted: NDArray[np.uint8], truth: Truth, source: Path
) -> None:
    info = probe(source)
    xy = dancer.info.window.to_window(moved.xy)
    write_side_by_side(
        out,
        [
            ("source", (frame.rgb for frame in read_frames(source))),
            ("stick figure", (dancer.painter.sticks(xy[n], moved.score[n]) for n in range(len(moved)))),
            ("dancekit", iter(painted)),
            ("truth", iter(truth.frames)),
        ],
        [int(value) for value in moved.pts],
        time_base=info.time_base,
        rate=info.rate,
        height=painted.shape[1],
        sound_from=source,
        force=True,
    )
