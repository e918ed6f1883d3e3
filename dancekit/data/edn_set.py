"""A training set whose condition images are the original's labels: the pictures stay where they are.

`edn_import.py` makes one of a data folder; it is small, and `dancekit train --target` takes it:

```
edn.json      where the pictures are, their names and hashes
boxes.npy     face boxes, if the data folder has them
target.npz    the target's keypoints on the 1920x1080 canvas; empty if they were not given
plate.png     the background without the person
window.json   the whole canvas, at the labels' size
```
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dancekit.data.edn_folder import read_picture
from dancekit.data.files import appearing_folder, write_whole
from dancekit.data.training_set import TrainingSet
from dancekit.errors import DancekitError, IncompatibleParts, UsageError
from dancekit.types import PoseSequence, Window
from dancekit.types.canvas import CANVAS

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
    with appearing_folder(folder) as part:
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
