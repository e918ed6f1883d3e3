"""The data folder of Everybody Dance Now: labels, frames and face boxes of a target, matched by sorted position.

```
train_label/*.png           stick figures, 1024x512
train_img/*.png             the frames that go with them
train_facetexts128/*.txt    face boxes: top bottom left right (may be absent)
```
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dancekit.errors import DancekitError, UsageError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm")
FACES = "facetexts128"


@dataclass(frozen=True)
class EDNFolder:
    """What was found, as many labels as frames.

    Attributes:
        root: The data folder.
        phase: `train` or `test`.
        labels: Stick figures, in order.
        frames: Frames, in order.
        texts: Face boxes, in order; empty if the folder has none.
        size: (W, H) of all labels and frames.
    """

    root: Path
    phase: str
    labels: tuple[Path, ...]
    frames: tuple[Path, ...]
    texts: tuple[Path, ...]
    size: tuple[int, int]


def find_edn_folder(root: Path, phase: str = "train") -> EDNFolder:
    """Look at the folders, and at the size of every picture.

    Raises:
        UsageError: `root` is not such a folder.
        DancekitError: Labels, frames and texts are not equally many, or a picture is damaged or of another size.
    """
    places = {name: root / f"{phase}_{name}" for name in ("label", "img", FACES)}
    for name in ("label", "img"):
        if not places[name].is_dir():
            raise UsageError(
                f"{root} is no data folder of Everybody Dance Now: there is no {places[name].name}",
                hint=f"it holds {phase}_label, {phase}_img and, for faces, {phase}_{FACES}",
            )
    labels, frames = (_files(places[name], PICTURES) for name in ("label", "img"))
    texts = _files(places[FACES], (".txt",)) if places[FACES].is_dir() else ()
    if not labels:
        raise DancekitError(f"{places['label']} holds no picture", hint=f"of {', '.join(PICTURES)}")
    for what, files in (("frames", frames), ("face boxes", texts)):
        if len(files) != len(labels) and (files or what == "frames"):
            raise DancekitError(
                f"{root}: {len(labels)} labels, but {len(files)} {what}",
                hint="they belong together by their sorted position: remove what has no partner",
            )
    size = picture_size(labels[0])
    for path in (*labels, *frames):
        if picture_size(path) != size:
            raise DancekitError(
                f"{path} is {'x'.join(map(str, picture_size(path)))}, {labels[0].name} is "
                f"{'x'.join(map(str, size))}",
                hint="all labels and frames must have one size",
            )
    return EDNFolder(root, phase, labels, frames, texts, size)


def read_boxes(texts: tuple[Path, ...]) -> NDArray[np.float32]:
    """Face boxes as dancekit has them.

    Args:
        texts: One file a frame, four whole numbers: top bottom left right.

    Returns:
        (T, 4) float32 edges left, top, right, bottom, pixel centres at integers.

    Raises:
        DancekitError: A file holds something else; names it.
    """
    boxes = np.empty((len(texts), 4), np.float32)
    for number, path in enumerate(texts):
        try:
            top, bottom, left, right = (int(word) for word in path.read_text().split())
        except (ValueError, OSError):
            raise DancekitError(
                f"{path} is no face box", hint="four whole numbers: top bottom left right"
            ) from None
        boxes[number] = left, top, right, bottom
    return boxes - 0.5


def write_box(box: NDArray[np.intp]) -> str:
    """The text of a face box, from left, top, right, bottom as `edn_face_boxes` gives them."""
    left, top, right, bottom = (int(value) for value in box)
    return f"{top} {bottom} {left} {right}"


def read_picture(path: Path, size: tuple[int, int], resample: Image.Resampling) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, resampled by Pillow as the original does where it has another size.

    Raises:
        DancekitError: It cannot be decoded.
    """
    try:
        with Image.open(path) as file:
            picture = file.convert("RGB")
    except OSError as error:
        raise DancekitError(f"{path} cannot be read: {error}", hint="import the data folder again") from None
    return np.asarray(picture if picture.size == size else picture.resize(size, resample))


def picture_size(path: Path) -> tuple[int, int]:
    """(W, H), from the head of the file.

    Raises:
        DancekitError: It is no picture.
    """
    try:
        with Image.open(path) as file:
            return file.size
    except OSError as error:
        raise DancekitError(f"{path} is no picture: {error}") from None


def _files(folder: Path, suffixes: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes))
