"""Keypoints: of one frame (`Detections`) and of one person over a clip (`PoseSequence`)."""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.errors import PoseError
from dancekit.types.conversion import convert_keypoints
from dancekit.types.skeleton import Skeleton, get_skeleton


@dataclass(frozen=True, eq=False)
class Detections:
    """The people found in one frame.

    Attributes:
        xy: (P, K, 2) float32 pixels of the frame, NaN where missing.
        score: (P, K) float32 in [0, 1], 0 where missing.
        box: (P, 4) float32 pixels: left, top, right, bottom of each person.
        mask: (P, H, W) uint8 person masks (255 = person), or None if the backend gives none.
    """

    xy: NDArray[np.float32]
    score: NDArray[np.float32]
    box: NDArray[np.float32]
    mask: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        people, joints = self.score.shape
        if self.xy.shape != (people, joints, 2) or self.box.shape != (people, 4):
            raise ValueError(
                f"shapes do not agree: xy {self.xy.shape}, score {self.score.shape}, box {self.box.shape}"
            )
        if self.mask is not None and (self.mask.ndim != 3 or len(self.mask) != people):
            raise ValueError(f"mask has shape {self.mask.shape}, expected ({people}, H, W)")

    def __len__(self) -> int:
        return len(self.score)

    @classmethod
    def nobody(cls, joints: int) -> Detections:
        """A frame in which nobody was found."""
        return cls(
            np.zeros((0, joints, 2), np.float32),
            np.zeros((0, joints), np.float32),
            np.zeros((0, 4), np.float32),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class PoseSequence:
    """The keypoints of one person over the frames of a clip. Frozen: arrays are read-only.

    Attributes:
        xy: (T, K, 2) float32 pixels, NaN where the joint is missing.
        score: (T, K) float32 in [0, 1], 0 where the joint is missing.
        pts: (T,) int64 presentation times in units of `time_base`, strictly increasing.
        time_base: Seconds per unit of `pts`, exact.
        size: (W, H) of the frames in pixels.
        skeleton: What the K joints are.
        cuts: Frames with which a new scene begins, in order; frame 0 is none. Nothing is smoothed over a cut.
    """

    xy: NDArray[np.float32]
    score: NDArray[np.float32]
    pts: NDArray[np.int64]
    time_base: Fraction
    size: tuple[int, int]
    skeleton: Skeleton
    cuts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        xy, score = np.array(self.xy, np.float32), np.array(self.score, np.float32)
        pts = np.array(self.pts, np.int64)
        expected = (len(pts), len(self.skeleton))
        if score.shape != expected or xy.shape != (*expected, 2):
            raise ValueError(
                f"xy {xy.shape} and score {score.shape} do not fit {len(pts)} frames of {self.skeleton.id} "
                f"({len(self.skeleton)} joints)"
            )
        if np.any(np.diff(pts) <= 0):
            raise ValueError("pts must increase strictly")
        cuts = tuple(int(cut) for cut in self.cuts)
        if any(a >= b for a, b in zip((0, *cuts), (*cuts, len(pts)), strict=True)) and cuts:
            raise ValueError(f"cuts {cuts} must increase and lie within {len(pts)} frames")
        object.__setattr__(self, "cuts", cuts)
        missing = (score <= 0) | ~np.isfinite(xy).all(-1)
        xy[missing], score[missing] = np.nan, 0.0
        for name, array in (("xy", xy), ("score", score), ("pts", pts)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        object.__setattr__(self, "time_base", Fraction(self.time_base))
        object.__setattr__(self, "size", (int(self.size[0]), int(self.size[1])))

    def __len__(self) -> int:
        return len(self.pts)

    def __getitem__(self, frames: slice | NDArray[Any]) -> PoseSequence:
        scene = self.scene[frames]
        cuts = tuple((np.flatnonzero(np.diff(scene)) + 1).tolist())
        return self.replace(xy=self.xy[frames], score=self.score[frames], pts=self.pts[frames], cuts=cuts)

    def replace(self, **changes: Any) -> PoseSequence:
        """A copy with some fields replaced (and validated again)."""
        return dataclasses.replace(self, **changes)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(T, K) which joints are there."""
        return np.asarray(self.score > 0)

    @property
    def found(self) -> NDArray[np.bool_]:
        """(T,) in which frames at least one joint was found."""
        return np.asarray(self.valid.any(1))

    @property
    def scene(self) -> NDArray[np.intp]:
        """(T,) number of each frame's scene, from 0; it grows by one at every cut."""
        starts = np.zeros(len(self), np.intp)
        starts[list(self.cuts)] = 1
        return np.cumsum(starts)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """(T,) presentation times in seconds."""
        return np.asarray(self.pts * float(self.time_base))

    @property
    def rate(self) -> float:
        """Mean frames per second."""
        return (len(self) - 1) / float(self.seconds[-1] - self.seconds[0]) if len(self) > 1 else 0.0

    def to(self, skeleton: str | Skeleton) -> PoseSequence:
        """The same poses in another skeleton; joints it cannot know are missing.

        Raises:
            UnknownName: No such skeleton, or no map between the two.
        """
        target = get_skeleton(skeleton) if isinstance(skeleton, str) else skeleton
        xy, score = convert_keypoints(self.xy, self.score, self.skeleton, target)
        return self.replace(xy=xy, score=score, skeleton=target)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a `.npz` readable by plain numpy: xy, score, names, pts, and a JSON `header`.

        Raises:
            PoseError: The disk is full, or the place cannot be written to. Nothing is left behind.
        """
        path = Path(path)
        header = {
            "format": "dancekit.poses@1",
            "skeleton": self.skeleton.id,
            "time_base": str(self.time_base),
            "size": list(self.size),
        }
        if self.cuts:  # a key of its own: versions that do not know it read the rest
            header["cuts"] = list(self.cuts)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                np.savez_compressed(
                    file,
                    xy=self.xy,
                    score=self.score,
                    pts=self.pts,
                    names=np.array(self.skeleton.joints),
                    header=np.array(json.dumps(header, sort_keys=True)),
                )
            part.replace(path)
        except OSError as error:
            raise PoseError(
                f"{path} cannot be written: {error.strerror or error}",
                hint="free some space, or check the folder and its permissions",
            ) from None
        finally:
            part.unlink(missing_ok=True)
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PoseSequence:
        """Read what `save` wrote.

        Raises:
            PoseError: The file is not a pose file of dancekit, or is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                header = json.loads(str(data["header"]))
                if header.get("format") != "dancekit.poses@1":
                    raise PoseError(
                        f"{path} has format {header.get('format')!r}, expected 'dancekit.poses@1'"
                    )
                return cls(
                    xy=data["xy"],
                    score=data["score"],
                    pts=data["pts"],
                    time_base=Fraction(header["time_base"]),
                    size=tuple(header["size"]),
                    skeleton=get_skeleton(header["skeleton"]),
                    cuts=tuple(header.get("cuts", ())),
                )
        except FileNotFoundError:
            raise PoseError(f"{path} does not exist") from None
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise PoseError(
                f"{path} is not a pose file ({type(error).__name__}: {error})",
                hint="dancekit pose VIDEO --out FILE.npz",
            ) from None

    def plot(self, frame: int = 0, *, background: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """A picture of one frame's skeleton.

        Args:
            frame: Index into T.
            background: (H, W, 3) uint8 to draw upon; black if None.

        Returns:
            (H, W, 3) uint8 RGB.
        """
        import cv2

        width, height = self.size
        picture = np.zeros((height, width, 3), np.uint8) if background is None else background.copy()
        thickness = max(1, round(min(self.size) / 200))
        for start, end in self.skeleton.edges:
            if self.valid[frame, start] and self.valid[frame, end]:
                a, b = (tuple(int(v) for v in np.round(self.xy[frame, j])) for j in (start, end))
                left = self.skeleton.side(start) == "left" or self.skeleton.side(end) == "left"
                cv2.line(picture, a, b, (80, 170, 255) if left else (255, 150, 60), thickness, cv2.LINE_AA)
        for joint in np.flatnonzero(self.valid[frame]):
            centre = tuple(int(v) for v in np.round(self.xy[frame, joint]))
            cv2.circle(picture, centre, thickness + 1, (255, 255, 255), -1, cv2.LINE_AA)
        return picture

    def _repr_html_(self) -> str:
        """What a notebook shows: the facts, and four frames."""
        from dancekit.types.notebook import facts_html

        rows = [
            ("frames", f"{len(self)} at {self.rate:.4g} a second, {self.size[0]}x{self.size[1]} pixels"),
            ("found in", f"{int(self.found.sum())} frames"),
            ("skeleton", self.skeleton.id),
            *([("cuts before frames", ", ".join(map(str, self.cuts)))] if self.cuts else []),
        ]
        shown = sorted({round(place) for place in np.linspace(0, len(self) - 1, 4)}) if len(self) else []
        return facts_html("PoseSequence", rows, [self.plot(frame) for frame in shown])
