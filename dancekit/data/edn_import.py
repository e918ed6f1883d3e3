"""Makes a training set (`edn_set.py`) of a data folder of Everybody Dance Now (`edn_folder.py`)."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dancekit.data.edn_folder import EDNFolder, find_edn_folder, read_boxes, read_picture
from dancekit.data.edn_set import FORMAT, MANIFEST, figure_mask, is_edn_set
from dancekit.data.files import appearing_folder, write_png, write_whole
from dancekit.data.framing import clean_plate
from dancekit.data.progress import Progress, silent
from dancekit.data.training_set import PLATE_FRAMES
from dancekit.errors import DancekitError, OutputExists, UsageError
from dancekit.types import PoseSequence, Window, get_skeleton
from dancekit.types.canvas import CANVAS
from dancekit.weights.header import file_sha256


def import_edn(
    root: Path,
    out: Path,
    *,
    phase: str = "train",
    rate: Fraction = Fraction(30),
    target: PoseSequence | None = None,
    skeleton: str = "body_23_face_hands",
    force: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Make a training set of a data folder.

    Args:
        root: The data folder (`EDNFolder`).
        out: The small folder that is written, whole or not at all.
        phase: Which of its parts: `train` or `test`.
        rate: Frames per second of the clip that it was made from; the folder does not say.
        target: Keypoints of the same frames on the 1920x1080 canvas, for normalization; None if unknown: a
            dancer trained on this can then only be used with `normalizer=identity`.
        skeleton: What the labels were drawn from, where `target` is None.
        force: Replace what is at `out`.
        progress: Called with (what, done, total).

    Returns:
        The numbers of the manifest.

    Raises:
        UsageError: `root` is no such folder, or `out` holds something else.
        DancekitError: Something in the folder does not fit together; names it.
    """
    folder = find_edn_folder(root, phase)
    _check_out(out, root, force)
    if target is None:
        target = unknown_poses(len(folder.labels), rate, skeleton)
    elif target.size != CANVAS:
        raise UsageError(
            f"keypoints of {target.size[0]}x{target.size[1]} frames",
            hint="letterbox() puts them on the canvas",
        )
    elif len(target) != len(folder.labels):
        raise DancekitError(
            f"{len(target)} frames of keypoints, but {len(folder.labels)} labels in {root}",
            hint="give the keypoints of the very frames that have labels",
        )
    boxes = read_boxes(folder.texts) if folder.texts else None
    facts = {
        "format": FORMAT,
        "root": str(root.absolute()),
        "phase": phase,
        "rate": str(rate),
        "size": list(folder.size),
        "labels": [str(path.relative_to(root)) for path in folder.labels],
        "frames": [str(path.relative_to(root)) for path in folder.frames],
        "sha256": _hash(folder, progress),
        "keypoints": bool(target.found.any()),
        "face_boxes": boxes is not None,
    }
    with appearing_folder(out) as part:
        if boxes is not None:
            np.save(part / "boxes.npy", boxes)
        target.save(part / "target.npz")
        write_png(part / "plate.png", _plate(folder))
        write_whole(part / "window.json", json.dumps(Window.squashed(CANVAS, folder.size).to_json()))
        write_whole(part / MANIFEST, json.dumps(facts, indent=1))
    return facts


def unknown_poses(frames: int, rate: Fraction, skeleton: str) -> PoseSequence:
    """Frames of which no joint is known."""
    joints = get_skeleton(skeleton)
    return PoseSequence(
        xy=np.full((frames, len(joints), 2), np.nan, np.float32),
        score=np.zeros((frames, len(joints)), np.float32),
        pts=np.arange(frames),
        time_base=1 / rate,
        size=CANVAS,
        skeleton=joints,
    )


def _plate(folder: EDNFolder) -> NDArray[np.uint8]:
    """(1080, 1920, 3) the background, from frames spread over the clip."""
    total = len(folder.labels)
    chosen = np.linspace(0, total - 1, min(PLATE_FRAMES, total)).round().astype(int)
    frames, masks = [], []
    for number in chosen:
        frames.append(read_picture(folder.frames[number], folder.size, Image.Resampling.BICUBIC))
        label = read_picture(folder.labels[number], folder.size, Image.Resampling.NEAREST)
        masks.append(figure_mask(label))
    return np.asarray(cv2.resize(clean_plate(frames, masks), CANVAS, interpolation=cv2.INTER_CUBIC), np.uint8)


def _hash(folder: EDNFolder, progress: Progress) -> str:
    """One sha256 over the content of all files, in order."""
    files = (*folder.labels, *folder.frames, *folder.texts)
    total = hashlib.sha256()
    for number, path in enumerate(files):
        total.update(file_sha256(path).encode())
        progress("files", number + 1, len(files))
    return total.hexdigest()


def _check_out(out: Path, root: Path, force: bool) -> None:
    if out.exists() and out.samefile(root):
        raise UsageError(f"--out {out} is the data folder itself", hint="choose another name")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not is_edn_set(out):
        raise UsageError(f"{out} holds something else, it is not replaced", hint="choose another --out")
    if not force:
        raise OutputExists(out)
