"""The target's clip, ready for training: the window of every frame, decoded once, with mask and keypoints."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from dancekit.contracts import Clip, Filter
from dancekit.data.camera import steady_frame
from dancekit.data.files import appearing_folder, write_png, write_whole
from dancekit.data.frame_cache import (
    can_write,
    check_space,
    finish_entry,
    frames_entry,
    hand_out,
    is_whole,
    remove_dead_parts,
)
from dancekit.data.framing import clean_plate, crop
from dancekit.data.masks import MaskTrack
from dancekit.data.poses import TrackedClip, apply_filters
from dancekit.data.progress import Progress, silent
from dancekit.data.takes import JUMP
from dancekit.errors import DancekitError, PoseError
from dancekit.types import Following, PoseSequence, Window
from dancekit.types.following import choose_window, standing_height
from dancekit.video import read_frames

CUT_OFF = 0.02
"""Share of the frames with a part of the body outside of a window that follows, above which it is said."""

_LOG = logging.getLogger(__name__)

BESIDE_JUMP = 8
"""Frames on either side of a jump in time that are not trained on: as far as filters reach."""

PLATE_FRAMES = 48
"""Frames, spread over the clip, that the clean plate is the median of."""


class Frames(Protocol):
    """What is indexed by frame number, or by a slice of them: an array, or pictures that are read on demand."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int | slice, /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """The frames of a target.

    Attributes:
        frames: (T, h, w, 3) uint8 windows, memory-mapped.
        masks: (T, h, w) uint8 person masks, memory-mapped.
        target: The filtered poses in pixels of the clip.
        window: What was cut out; where the window follows the person, the canvas that it moves over.
        plate: (H, W, 3) uint8 clean plate of the whole frame.
        labels: (T, h, w, 3) uint8 condition images that were drawn elsewhere (see `edn_set.py`); None where
            they are drawn from the poses.
        boxes: (T, 4) face boxes that go with the labels, window pixels.
        follow: How the window follows; None: it does not.
        places: (T, 2) where in the canvas the window of each frame is.
    """

    frames: Frames
    masks: Frames
    target: PoseSequence
    window: Window
    plate: NDArray[np.uint8]
    labels: Frames | None = None
    boxes: NDArray[np.float32] | None = None
    follow: Following | None = None
    places: NDArray[np.intp] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(W, H) of the frames."""
        return self.window.size if self.follow is None else self.follow.size

    @cached_property
    def canvas(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 the clean plate in pixels of the window."""
        return crop(self.plate, self.window)

    def __len__(self) -> int:
        return len(self.frames)

    def members(self) -> Iterable[tuple[TrainingSet, int]]:
        """Everybody who is trained on, each with the number of their first frame: the target (see `crowd.py`)."""
        return [(self, 0)]

    def shown(self, hold_out: float) -> int:
        """How many frames, from the first on, training may look at if this share of them is held out."""
        return len(self) - round(hold_out * len(self))

    def starts(self, length: int, *, hold_out: float = 0.0) -> NDArray[np.intp]:
        """Where clips of `length` frames can start: all of one scene, the person found in all, none held out.

        Frames beside a jump in time are left out too: there two takes meet, and filters have mixed their poses.

        Raises:
            PoseError: Nowhere.
        """
        found = self.target.found.astype(int)
        for before in np.flatnonzero(np.diff(self.target.seconds) > JUMP):
            found[max(0, before + 1 - BESIDE_JUMP) : before + 1 + BESIDE_JUMP] = 0
        if self.labels is not None:
            found = np.ones(len(self), int)
        found[self.shown(hold_out) :] = 0
        runs = np.zeros(0, bool)
        if len(found) >= length:
            scene = self.target.scene
            whole = scene[length - 1 :] == scene[: len(scene) - length + 1]  # no clip spans a cut
            runs = (np.convolve(found, np.ones(length, int), "valid") == length) & whole
        if not runs.any():
            raise PoseError(
                f"no {length} consecutive frames with a person are left of {len(self)} to train on",
                hint="a longer clip, or a smaller train.hold_out",
            )
        return np.flatnonzero(runs)

    def clip(self, start: int, length: int, *, stride: int = 1, size: tuple[int, int] | None = None) -> Clip:
        """`length` frames from `start` on as torch tensors on the CPU.

        Args:
            start: Number of the first.
            length: T.
            stride: Frames of the video from one to the next.
            size: (W, H) that they are scaled to, no larger than the window; None: as they are. Labels that were
                drawn elsewhere are not scaled.
        """
        part = slice(start, start + (length - 1) * stride + 1, stride)
        frames, masks, plate = self.frames[part], self.masks[part], self.canvas[None]
        xy = self.window.to_window(self.target.xy[part])
        if self.places is not None:  # one place for the whole clip: nothing moves but the person
            place = self.places[part][length // 2]
            frames, masks, plate = self._seen_from(place, part)
            xy = xy - place.astype(np.float32)
        if size is not None and size != self.size:
            frames, masks, plate = (scale_down(each, size) for each in (frames, masks, plate))
            ratio = np.float32(size[0] / self.size[0])
            xy = (xy + np.float32(0.5)) * ratio - np.float32(0.5)
        return Clip(
            images=to_images(frames),
            mask=torch.from_numpy(np.array(masks))[:, None].float().div_(255),
            xy=torch.from_numpy(xy),
            score=torch.from_numpy(self.target.score[part].copy()),
            plate=to_images(plate),
            skeleton=self.target.skeleton,
            condition=None if self.labels is None else to_conditions(self.labels[part]),
            boxes=None if self.boxes is None else self.boxes[part],
            numbers=np.arange(part.start, part.stop, stride),
        )

    def _seen_from(
        self, place: NDArray[np.intp], part: slice
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """Frames, masks and plate in a window that stands at one place; beyond what was cut out is the plate."""
        assert self.places is not None
        width, height = self.size
        plate = self.canvas[place[1] : place[1] + height, place[0] : place[0] + width]
        frames, masks = [], []
        for frame, mask, own in zip(self.frames[part], self.masks[part], self.places[part], strict=True):
            picture, cover = plate.copy(), np.zeros((height, width), np.uint8)
            to, of = _overlap(own - place, (width, height))
            picture[to], cover[to] = frame[of], mask[of]
            frames.append(picture)
            masks.append(cover)
        return np.stack(frames), np.stack(masks), plate[None]


def _overlap(
    shift: NDArray[np.intp], size: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Rows and columns that two windows of a size have in common, in the one, and in the other at `shift` from it."""
    to = [
        slice(max(int(by), 0), max(side + min(int(by), 0), 0)) for by, side in zip(shift, size, strict=True)
    ]
    of = [
        slice(max(-int(by), 0), max(side - max(int(by), 0), 0)) for by, side in zip(shift, size, strict=True)
    ]
    return (to[1], to[0]), (of[1], of[0])


def scale_down(frames: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(T, h, w) or (T, h, w, 3) uint8 to (W, H) by the mean of what each pixel covers."""
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]).astype(
        np.uint8
    )


def to_images(frames: NDArray[np.uint8]) -> torch.Tensor:
    """(T, H, W, 3) uint8 to (T, 3, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(np.array(frames)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def to_conditions(labels: NDArray[np.uint8]) -> torch.Tensor:
    """(T, H, W, 3) uint8 to (T, 3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.array(labels)).permute(0, 3, 1, 2).float().div_(255)


def prepare(
    video: Path,
    tracked: TrackedClip,
    *,
    filters: Sequence[Filter],
    size: tuple[int, int],
    person_height: int = 0,
    step: int = 1,
    folder: Path,
    settings: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> TrainingSet:
    """Cut the window out of every frame of the target's clip and keep it in `folder`.

    The shake of a camera that shakes a little is taken out of frames, masks and poses.

    Args:
        video: The target's clip.
        tracked: Its poses and masks.
        filters: Applied to the poses.
        size: (W, H) of the window.
        person_height: See `dancekit.types.following.choose_window`.
        step: The same.
        folder: Becomes complete or does not appear.
        settings: All that decides about poses, masks and window besides the clip; with it the result is shared
            with other runs through the cache (`frame_cache.py`).
        progress: Called with (what, done, total).

    Raises:
        PoseError: No two consecutive frames with a person.
        DancekitError: Too little disk space.
    """
    cut = partial(choose_window, size=size, person_height=person_height, step=step)
    if settings is not None:
        entry = frames_entry(video, settings)
        if not is_whole(entry) and can_write(entry.parent):
            shutil.rmtree(entry, ignore_errors=True)  # half of one, from a clearing that was killed
            _cut(video, tracked, filters, cut, folder=entry, progress=progress, cache=True)
        if is_whole(entry):
            hand_out(entry, folder)
            return load(folder)
    _cut(video, tracked, filters, cut, folder=folder, progress=progress)
    return load(folder)


def _cut(
    video: Path,
    tracked: TrackedClip,
    filters: Sequence[Filter],
    choose: Callable[[PoseSequence], tuple[Window, Following | None]],
    *,
    folder: Path,
    progress: Progress,
    cache: bool = False,
) -> None:
    steadying = tracked.camera.steadying(tracked.poses) if tracked.camera.kind == "shake" else None
    poses = apply_filters(tracked.poses if steadying is None else tracked.steady_poses, filters)
    if not np.any(poses.found[1:] & poses.found[:-1]):
        raise PoseError(
            f"{video}: no two consecutive frames with a person", hint="film one whole person in good light"
        )
    window, follow = choose(poses)
    size = window.size if follow is None else follow.size
    places = None if follow is None else follow.places(window.to_window(poses.xy), cuts=poses.cuts)
    _tell(video, poses, window, follow, places)
    total = len(poses)
    remove_dead_parts(folder.parent)
    check_space(folder.parent, total * size[0] * size[1] * 4, cache=cache)
    with appearing_folder(folder, replace=not cache) as part:  # another run may have made the same entry
        shape = (total, size[1], size[0])
        frames = np.lib.format.open_memmap(part / "frames.npy", "w+", np.uint8, (*shape, 3))
        masks = np.lib.format.open_memmap(part / "masks.npy", "w+", np.uint8, shape)
        chosen = set(np.linspace(0, total - 1, min(PLATE_FRAMES, total)).round().astype(int).tolist())
        plate_frames, plate_masks = [], []
        for number, frame in enumerate(read_frames(video)):
            picture, mask = frame.rgb, _frame_mask(tracked.masks, poses, number)
            if steadying is not None:
                picture = steady_frame(picture, steadying[number])
                mask = steady_frame(mask, steadying[number], mask=True) if tracked.masks else mask
            here = window if follow is None or places is None else follow.window(window, places[number])
            frames[number] = crop(picture, here)
            masks[number] = (
                tracked.masks.in_window(number, here)
                if tracked.masks and steadying is None
                else crop_mask(mask, here)
            )
            if number in chosen:
                plate_frames.append(picture)
                plate_masks.append(mask)
            progress("frames", number + 1, total)
        frames.flush()
        masks.flush()
        write_png(part / "plate.png", clean_plate(plate_frames, plate_masks))
        poses.save(part / "target.npz")
        write_whole(part / "window.json", json.dumps(window.to_json()))
        if follow is not None and places is not None:
            facts = {**follow.to_json(), "places": places.tolist()}
            write_whole(part / "follow.json", json.dumps(facts))
        if cache:
            entry = {"clip": video.name, "frames": total, "width": size[0], "height": size[1]}
            finish_entry(part, entry)


def _tell(
    video: Path,
    poses: PoseSequence,
    window: Window,
    follow: Following | None,
    places: NDArray[np.intp] | None,
) -> None:
    """How tall the person is painted; a warning where bodies do not fit into a window that follows."""
    if follow is None or places is None:
        return
    tall = standing_height(poses) / window.scale
    _LOG.info("%s: the window follows the person, who is painted %.0f pixels tall", video.name, tall)
    xy = window.to_window(poses.xy) - places[:, None]
    with np.errstate(invalid="ignore"):
        outside = ((xy < 0) | (xy > np.array(follow.size) - 1)).any((1, 2)) & poses.found
    share = float(outside.sum() / max(1, poses.found.sum()))
    if share > CUT_OFF:
        _LOG.warning(
            "%s: in %.0f %% of the frames a part of the body is outside of the window: a smaller person_height, or a "
            "larger size",
            video.name,
            100 * share,
        )


def load(folder: Path) -> TrainingSet:
    """Open what `prepare` wrote."""
    plate = cv2.imread(str(folder / "plate.png"), cv2.IMREAD_COLOR_RGB)
    if plate is None:
        raise DancekitError(
            f"{folder / 'plate.png'} cannot be read", hint="delete the folder and train again"
        )
    follow, places = None, None
    if (folder / "follow.json").exists():
        facts = json.loads((folder / "follow.json").read_text())
        follow, places = Following.from_json(facts), np.array(facts["places"], np.intp)
    return TrainingSet(
        frames=np.load(folder / "frames.npy", mmap_mode="r"),
        masks=np.load(folder / "masks.npy", mmap_mode="r"),
        target=PoseSequence.load(folder / "target.npz"),
        window=Window.from_json(json.loads((folder / "window.json").read_text())),
        plate=np.asarray(plate, np.uint8),
        follow=follow,
        places=places,
    )


def crop_mask(mask: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """A (H, W) mask of the frame in the window's pixels."""
    return np.asarray(cv2.warpAffine(mask, window.matrix, window.size, flags=cv2.INTER_LINEAR), np.uint8)


def _frame_mask(masks: MaskTrack | None, poses: PoseSequence, number: int) -> NDArray[np.uint8]:
    return masks.in_frame(number) if masks is not None else mask_from_pose(poses, number)


def mask_from_pose(poses: PoseSequence, number: int) -> NDArray[np.uint8]:
    """A rough person mask for backends that give none: thick limbs and a disc for the head, (H, W) uint8."""
    width, height = poses.size
    mask = np.zeros((height, width), np.uint8)
    there = poses.valid[number]
    if there.sum() < 2:
        return mask
    points = poses.xy[number]
    extent = float(np.ptp(points[there], axis=0).max())
    thickness = max(3, round(0.13 * extent))
    for a, b in poses.skeleton.edges:
        if there[a] and there[b]:
            cv2.line(mask, _pixel(points[a]), _pixel(points[b]), 255, thickness)
    for name in ("nose", "left_ear", "right_ear"):
        if name in poses.skeleton and there[joint := poses.skeleton.index(name)]:
            cv2.circle(mask, _pixel(points[joint]), thickness, 255, -1)
    return mask


def _pixel(point: NDArray[np.floating[Any]]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
