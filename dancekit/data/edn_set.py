"""A training set whose condition images are the original's labels: the pictures stay where they are.

`import_edn` looks at a data folder once and writes a small folder that `dancekit train --target` takes:

```
edn.json      where the pictures are, their names and hashes
boxes.npy     face boxes, if the data folder has them
target.npz    the target's keypoints on the 1920x1080 canvas; empty if they were not given
plate.png     the background without the person
window.json   the whole canvas, at the labels' size
```
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dancekit.data.edn_folder import EDNFolder, find_edn_folder, read_boxes, read_picture
from dancekit.data.files import write_png, write_whole
from dancekit.data.framing import clean_plate
from dancekit.data.progress import Progress, silent
from dancekit.data.training_set import PLATE_FRAMES, TrainingSet
from dancekit.errors import DancekitError, IncompatibleParts, OutputExists, UsageError
from dancekit.types import PoseSequence, Window, get_skeleton
from dancekit.types.canvas import CANVAS
from dancekit.weights.header import file_sha256

MANIFEST = "edn.json"
FORMAT = "dancekit.edn@1"

THICKNESS = 0.05
"""How far the person reaches beyond their stick figure, as a part of the label's height."""


@dataclass(frozen=True)
class Pictures:
    """Pictures of a folder, decoded when they are looked at; indexed like an array of (T, H, W, 3) uint8.

    Attributes:
        paths: T files.
        size: (W, H) at which they are given.
        resample: Pillow's filter for those of another size.
    """

    paths: tuple[Path, ...]
    size: tuple[int, int]
    resample: Image.Resampling

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int | slice) -> NDArray[np.uint8]:
        chosen = self.paths[index]
        if isinstance(chosen, Path):
            return read_picture(chosen, self.size, self.resample)
        return np.stack([read_picture(path, self.size, self.resample) for path in chosen])


@dataclass(frozen=True)
class Figures:
    """The person's masks, guessed from the labels: what is drawn, thickened; (T, H, W) uint8."""

    labels: Pictures

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int | slice) -> NDArray[np.uint8]:
        found = self.labels[index]
        return figure_mask(found) if found.ndim == 3 else np.stack([figure_mask(label) for label in found])


def figure_mask(label: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) a stick figure on white to (H, W) uint8, 255 = person."""
    drawn = (label < 250).any(-1).astype(np.uint8) * 255
    side = 2 * max(1, round(THICKNESS * label.shape[0])) + 1
    return np.asarray(cv2.dilate(drawn, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))), np.uint8)


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
    with _appearing(out) as part:
        if boxes is not None:
            np.save(part / "boxes.npy", boxes)
        target.save(part / "target.npz")
        write_png(part / "plate.png", _plate(folder))
        write_whole(part / "window.json", json.dumps(Window.squashed(CANVAS, folder.size).to_json()))
        write_whole(part / MANIFEST, json.dumps(facts, indent=1))
    return facts


def is_edn_set(path: Path) -> bool:
    """Whether `import_edn` has written this folder."""
    return (path / MANIFEST).is_file()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an imported set.

    Raises:
        UsageError: The folder is something else.
    """
    try:
        facts: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    except FileNotFoundError:
        raise UsageError(
            f"{folder} is no imported training set", hint=f"dancekit import-edn {folder} --out SET makes one"
        ) from None
    except ValueError as error:
        raise DancekitError(f"{folder / MANIFEST} is damaged: {error}", hint="import it again") from None
    if facts.get("format") != FORMAT:
        raise DancekitError(f"{folder / MANIFEST} has format {facts.get('format')!r}, expected {FORMAT!r}")
    return facts


def attach(origin: Path, folder: Path, size: tuple[int, int]) -> TrainingSet:
    """Copy an imported set (not its pictures) into a run, for training at (W, H).

    Raises:
        IncompatibleParts: The size has another shape than the labels.
    """
    check_size(origin, size)
    with _appearing(folder) as part:
        for file in origin.iterdir():
            if file.is_file() and not file.name.startswith("."):
                shutil.copy2(file, part / file.name)
        write_whole(part / "window.json", json.dumps(Window.squashed(CANVAS, size).to_json()))
    return load(folder)


def check_size(origin: Path, size: tuple[int, int]) -> None:
    """Whether an imported set can be trained on at (W, H).

    Raises:
        IncompatibleParts: The size has another shape than the labels.
    """
    width, height = read_manifest(origin)["size"]
    if size[0] * height != size[1] * width:
        raise IncompatibleParts(
            f"size {list(size)} has another shape than the labels, {width}x{height}",
            hint=f"size=[{width},{height}], or that divided by a whole number",
        )


def load(folder: Path) -> TrainingSet:
    """Open an imported set.

    Raises:
        DancekitError: The pictures are not where they were.
    """
    facts = read_manifest(folder)
    root = Path(facts["root"])
    window = Window.from_json(json.loads((folder / "window.json").read_text()))
    labels, frames = (
        Pictures(tuple(root / name for name in facts[kind]), window.size, resample)
        for kind, resample in (("labels", Image.Resampling.NEAREST), ("frames", Image.Resampling.BICUBIC))
    )
    missing = [path for path in (*labels.paths, *frames.paths) if not path.is_file()]
    if missing:
        raise DancekitError(
            f"{len(missing)} pictures are gone, {missing[0]} the first", hint="put the data folder back"
        )
    boxes_file = folder / "boxes.npy"
    boxes = None
    if boxes_file.exists():
        boxes = np.load(boxes_file) + np.float32(0.5)
        boxes *= np.float32(window.size[0] / facts["size"][0])
        boxes -= np.float32(0.5)
    return TrainingSet(
        frames=frames,
        masks=Figures(labels),
        target=PoseSequence.load(folder / "target.npz"),
        window=window,
        plate=read_picture(folder / "plate.png", CANVAS, Image.Resampling.BICUBIC),
        labels=labels,
        boxes=boxes,
    )


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


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """A folder that is filled beside and then takes its name."""
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        yield part
        shutil.rmtree(folder, ignore_errors=True)
        part.replace(folder)
    except OSError as error:
        raise DancekitError(
            f"{folder} cannot be written: {error.strerror or error}",
            hint="free some space, or check the folder and its permissions",
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
