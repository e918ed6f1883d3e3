"""The ground truth of a clip: gathered frame by frame, written as `NAME.npz`, read back.

With one person the arrays are (T, ...), with more (T, P, ...); P is the index of the person, the same in all frames.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dancekit.dancefloor.camera import Camera
from dancekit.dancefloor.expression import ACTIONS
from dancekit.dancefloor.flow import FrameFlow, dense_flow
from dancekit.dancefloor.jit import Bools, Floats
from dancekit.dancefloor.joints import FPS
from dancekit.dancefloor.keypoints import NAMES
from dancekit.data.files import write_whole
from dancekit.errors import PoseError

OUTSIDE, HIDDEN, VISIBLE = 0, 1, 2

_TOLERANCE = {
    "shoulder": 0.13,
    "hip": 0.18,
    "elbow": 0.11,
    "knee": 0.13,
    "ankle": 0.13,
    "wrist": 0.08,
    "ear": 0.04,
    "heel": 0.06,
    "toe": 0.06,
}
"""Metres below the visible surface at which a joint still counts as visible: joints lie inside the body."""

_DEFAULT_TOLERANCE = 0.05
_DEPTHS = np.array(
    [next((v for k, v in _TOLERANCE.items() if name.endswith(k)), _DEFAULT_TOLERANCE) for name in NAMES]
)


def visibility(xy: Floats, z: Floats, depth: Floats, samples: int) -> NDArray[np.uint8]:
    """Whether keypoints are outside the frame, hidden, or visible: a depth test with a tolerance for each joint.

    Args:
        xy: (73, 2) pixels.
        z: (73,) distances.
        depth: (h, w) inverse distances of all people, `samples` to a pixel's side.
        samples: As above.
    """
    out = np.full(len(xy), OUTSIDE, np.uint8)
    height, width = depth.shape
    for i, (x, y) in enumerate(np.floor((xy + 0.5) * samples).astype(int)):
        if not (0 <= x < width and 0 <= y < height):
            continue
        nearest = depth[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].max()
        out[i] = VISIBLE if nearest == 0 or z[i] < 1 / nearest + _DEPTHS[i] else HIDDEN
    return out


@dataclass
class TruthRecorder:
    """Gathers the truth of a clip with P people.

    Attributes:
        camera: Of the clip.
        heights: P heights, metres.
        provenance: Written into the file as JSON.
        rate: Frames a second.
    """

    camera: Camera
    heights: list[float]
    provenance: dict[str, object]
    rate: Fraction = Fraction(FPS)
    _keypoints: list[Floats] = field(default_factory=list)
    _places: list[Floats] = field(default_factory=list)
    _visible: list[NDArray[np.uint8]] = field(default_factory=list)
    _masks: list[NDArray[np.uint8]] = field(default_factory=list)
    _contact: list[Bools] = field(default_factory=list)
    _faces: list[Floats] = field(default_factory=list)
    _gazes: list[Floats] = field(default_factory=list)
    _flows: list[tuple[NDArray[np.uint8], NDArray[np.int16], Bools]] = field(default_factory=list)

    def add(
        self,
        places: Floats,
        covered: NDArray[np.uint8],
        depth: Floats,
        samples: int,
        contact: Bools,
        face: Floats,
        gaze: Floats,
    ) -> None:
        """Take in a frame.

        Args:
            places: (P, 73, 3) keypoints, metres.
            covered: (P, H, W) how much of each pixel shows each person, 0 to 255.
            depth: The z-buffer of the middle of the shutter.
            samples: Its samples a side of a pixel.
            contact: (P, 2) planted feet.
            face: (P, A) facial actions.
            gaze: (P, 2).
        """
        projected = [self.camera.project(each) for each in places]
        self._keypoints.append(np.stack([xy for xy, _ in projected]))
        self._places.append(places)
        self._visible.append(np.stack([visibility(xy, z, depth, samples) for xy, z in projected]))
        self._masks.append(np.packbits(covered > 127, axis=2))
        self._contact.append(contact)
        self._faces.append(face)
        self._gazes.append(gaze)

    def add_flow(self, flow: FrameFlow) -> None:
        """Take in the flow from the frame before to this one."""
        self._flows.append(flow.packed())

    def save(self, path: Path) -> None:
        """Write the file, whole; the same truth gives the same bytes."""
        one = len(self.heights) == 1

        def stacked(
            values: list[NDArray[np.generic]] | list[Floats], kind: type[np.generic]
        ) -> NDArray[np.generic]:
            together = np.asarray(values, kind)
            return together[:, 0] if one else together

        arrays: dict[str, NDArray[np.generic]] = {
            "keypoints": stacked(self._keypoints, np.float32),
            "visibility": stacked(self._visible, np.uint8),  # type: ignore[arg-type]
            "names": np.array(NAMES),
            "keypoints3d": stacked(self._places, np.float32),
            "mask_bits": stacked(self._masks, np.uint8),  # type: ignore[arg-type]
            "contact": stacked(self._contact, np.bool_),  # type: ignore[arg-type]
            "face": stacked(self._faces, np.float32),
            "gaze": stacked(self._gazes, np.float32),
            "face_names": np.array(ACTIONS),
            "fps": np.array(float(self.rate)),
            "camera_eye": self.camera.eye,
            "camera_R": self.camera.rotation,
            "camera_f": np.array(self.camera.focal),
            "size": np.array(max(self.camera.size)),
            "frame_size": np.array(self.camera.size),
            "pixel_centre": np.array(0.0),
            "person_height": np.array(self.heights[0] if one else self.heights),
            "provenance": np.array(json.dumps(self.provenance, sort_keys=True)),
        }
        if self._flows:
            bits, moves, seen = zip(*self._flows, strict=True)
            arrays["flow_bits"] = np.stack(bits)
            arrays["flow_moves"] = np.concatenate(moves)
            arrays["flow_seen"] = np.packbits(np.concatenate(seen))
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        write_whole(path, buffer.getvalue())


@dataclass(frozen=True, eq=False)
class ClipTruth:
    """What a file says, always with an axis for people.

    Attributes:
        path: The file.
        keypoints: (T, P, 73, 2) pixels, centres at integers.
        visibility: (T, P, 73) `OUTSIDE`, `HIDDEN` or `VISIBLE`.
        places: (T, P, 73, 3) metres.
        masks: (T, P, H, ceil(W / 8)) bits.
        contact: (T, P, 2) planted feet.
        camera: Of the clip.
        provenance: How it was made; empty for files of the prototype.
        flow: `flow_bits`, `flow_moves`, `flow_seen` of all frames, or None.
        rate: Frames a second.
    """

    path: Path
    keypoints: NDArray[np.float32]
    visibility: NDArray[np.uint8]
    places: NDArray[np.float32]
    masks: NDArray[np.uint8]
    contact: Bools
    camera: Camera
    provenance: dict[str, object]
    flow: tuple[NDArray[np.uint8], NDArray[np.int16], Bools] | None
    rate: float = float(FPS)

    @property
    def people(self) -> int:
        """P."""
        return int(self.keypoints.shape[1])

    def __len__(self) -> int:
        return len(self.keypoints)

    def mask(self, frame: int, person: int = 0) -> Bools:
        """(H, W) where somebody is."""
        bits = self.masks[frame, person]
        return np.unpackbits(bits, axis=1, count=self.camera.size[0]).astype(bool)

    def flow_from(self, frame: int) -> tuple[NDArray[np.float32], Bools]:
        """Flow (H, W, 2) to the next frame, and (H, W) what is seen there too.

        Raises:
            PoseError: The file has no flow, or the frame is the last.
        """
        if self.flow is None or not 0 <= frame < len(self.flow[0]):
            raise PoseError(
                f"{self.path} has no flow from frame {frame}",
                hint="render it with --flow; the last frame has none",
            )
        bits, moves, seen = self.flow
        counts = np.unpackbits(bits[: frame + 1], axis=2, count=self.camera.size[0]).sum((1, 2))
        first, last = int(counts[:-1].sum()), int(counts.sum())
        return dense_flow(bits[frame], moves[first:last], seen[first:last], self.camera.size[0])

    @classmethod
    def load(cls, path: Path) -> ClipTruth:
        """Read a file of this program, or of its prototype (whose first pixel's centre lies at 0.5).

        Raises:
            PoseError: It is something else, or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                return cls._of(path, {name: data[name] for name in data.files})
        except FileNotFoundError:
            raise PoseError(f"{path} does not exist") from None
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise PoseError(
                f"{path} is no ground truth of the dancefloor ({type(error).__name__}: {error})",
                hint="dancekit dancefloor render --out DIR writes one beside each video",
            ) from None

    @classmethod
    def _of(cls, path: Path, data: dict[str, NDArray[np.generic]]) -> ClipTruth:
        several = np.asarray(data["keypoints"]).ndim == 4

        def with_people(name: str) -> NDArray[np.generic]:
            return data[name] if several else data[name][:, None]

        centre = float(np.asarray(data["pixel_centre"], float)) if "pixel_centre" in data else 0.5
        side = int(np.asarray(data["size"], int))
        size = np.asarray(data.get("frame_size", np.array([side, side])), int)
        moves = data.get("flow_moves")
        flow = None
        if moves is not None:
            seen = np.unpackbits(np.asarray(data["flow_seen"], np.uint8), count=len(moves)).astype(bool)
            flow = np.asarray(data["flow_bits"], np.uint8), np.asarray(moves, np.int16), seen
        return cls(
            path=path,
            keypoints=np.asarray(with_people("keypoints"), np.float32) - np.float32(centre),
            visibility=np.asarray(with_people("visibility"), np.uint8),
            places=np.asarray(with_people("keypoints3d"), np.float32),
            masks=np.asarray(with_people("mask_bits"), np.uint8),
            contact=np.asarray(with_people("contact"), np.bool_),
            camera=Camera(
                np.asarray(data["camera_eye"], float),
                np.asarray(data["camera_R"], float),
                float(np.asarray(data["camera_f"], float)),
                (int(size[0]), int(size[1])),
            ),
            provenance=json.loads(str(data["provenance"])) if "provenance" in data else {},
            flow=flow,
            rate=float(np.asarray(data.get("fps", np.array(float(FPS))), float)),
        )
