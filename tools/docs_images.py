"""Makes pictures and the clip of the documentation from what ships: samples and the shipped dancer.

    python tools/docs_images.py                    # all of them, into docs/images: minutes on one core
    python tools/docs_images.py pipeline filters   # some

Nothing is downloaded. `make_picture.py` makes the README's picture, `dancekit ablate` those of docs/ablation.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from dancekit import Dancer, PoseSequence, create, estimate_poses
from dancekit.data.framing import crop
from dancekit.model import condition_picture, to_uint8
from dancekit.resources import data_path
from dancekit.transfer import TransferOptions
from dancekit.types import get_skeleton
from dancekit.video import read_frames

IMAGES = Path(__file__).parents[1] / "docs" / "images"
MOMENT = 58
"""The frame that is shown: both arms away from the trunk."""
SIDE, GAP, LABEL = 256, 6, 30
INK, PAPER = (30, 30, 30), 255

Picture = NDArray[np.uint8]


@cache
def dancer() -> Dancer:
    """The shipped dancer."""
    return Dancer.load(data_path("zoo/weights/demo.safetensors"), device="cpu")


@cache
def source_poses() -> PoseSequence:
    """Poses of the shipped dance, found and filtered as the dancer wants them."""
    return dancer().poses_of(data_path("zoo/samples/source.mp4"))


@cache
def frame_of(name: str, number: int = MOMENT) -> Picture:
    """One frame of a shipped sample."""
    return next(
        frame.rgb
        for at, frame in enumerate(read_frames(data_path(f"zoo/samples/{name}.mp4")))
        if at == number
    )


def fit(picture: Picture, side: int = SIDE) -> Picture:
    """Scaled and put on white, square."""
    scale = side / max(picture.shape[:2])
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    made = np.full((side, side, 3), PAPER, np.uint8)
    top, left = (side - small.shape[0]) // 2, (side - small.shape[1]) // 2
    made[top : top + small.shape[0], left : left + small.shape[1]] = small
    return made


def row(tiles: Sequence[tuple[str, Picture]]) -> Picture:
    """Pictures beside each other, each with its name above."""
    columns: list[Picture] = []
    for name, picture in tiles:
        head = np.full((LABEL, SIDE, 3), PAPER, np.uint8)
        cv2.putText(head, name, (4, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 1, cv2.LINE_AA)
        columns += [np.concatenate([head, fit(picture)]), np.full((SIDE + LABEL, GAP, 3), PAPER, np.uint8)]
    return np.concatenate(columns[:-1], 1)


def write(name: str, picture: Picture, quality: int = 90) -> None:
    """Into docs/images."""
    path = IMAGES / name
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    print(f"{path.name}: {path.stat().st_size // 1000} kB")


def pipeline() -> None:
    """Every step of the way, at one moment; and how the picture is put together."""
    poses = source_poses()
    moved, _ = dancer().retarget(poses)
    painter, window = dancer().painter, dancer().info.window
    xy = window.to_window(moved.xy)
    state = None
    for number, condition in enumerate(painter.draw(xy[: MOMENT + 1], moved.score[: MOMENT + 1])):
        boxes = painter.face_boxes(xy[number : number + 1], moved.score[number : number + 1])
        painted = painter.step(condition, boxes, state)
        previous, state = state, painted.state
    assert painted.matte is not None and previous is not None
    raw = painter.network(torch.cat([condition, previous], 1))[:, :3].detach()
    matte = np.repeat(painted.matte_to_uint8()[..., None], 3, 2)
    source, truth = frame_of("source"), crop(frame_of("truth"), window)
    steps = [
        ("1 source", source),
        ("2 pose", poses.plot(MOMENT, background=source // 2)),
        ("3 fitted to the target", moved.plot(MOMENT, background=frame_of("target") // 2)),
        ("4 stick figure", painter.sticks(xy[MOMENT], moved.score[MOMENT])),
        ("5 painted", painted.to_uint8()),
        ("the right answer", truth),
    ]
    write("pipeline.jpg", row(steps))
    parts = [
        ("stick figure", painter.sticks(xy[MOMENT], moved.score[MOMENT])),
        ("its last frame", to_uint8(previous)[0]),
        ("what it paints", to_uint8(raw)[0]),
        ("matte", matte),
        ("clean plate", crop(dancer().plate, window)),
        ("together", painted.to_uint8()),
    ]
    write("composite.jpg", row(parts))


def normalizers() -> None:
    """The source's pose on the target's frame by each normalizer, and where the target really was."""
    source, target = source_poses(), dancer().target
    truth = dancer().poses_of(data_path("zoo/samples/truth.mp4"))
    ground = frame_of("truth") // 2
    tiles = [("source", source.plot(MOMENT, background=frame_of("source") // 2))]
    for name in ("identity", "affine", "global_linear", "bones"):
        normalizer = create("normalizer", name)
        moved = normalizer.apply(normalizer.fit(source, target), source)
        tiles.append((name, moved.plot(MOMENT, background=ground)))
    tiles.append(("the right answer", truth.plot(MOMENT, background=ground)))
    write("normalizers.jpg", row(tiles))


def filters() -> None:
    """The row of a planted foot's heel over time, as found and as filtered: the foot stands, the joint does not."""
    raw = estimate_poses(data_path("zoo/samples/source.mp4"), filtered=False)
    joint = raw.skeleton.joints.index("left_heel")
    curves = [("as found", (190, 190, 190), raw)]
    for name, colour in (("savgol", (200, 40, 40)), ("one_euro", (40, 80, 200))):
        curves.append((name, colour, create("filter", name)(raw)))
    length = 60
    row_of = curves[1][2].xy[:, joint, 1]
    begin = int(np.argmin([np.ptp(row_of[at : at + length]) for at in range(len(row_of) - length)]))
    height, width, shown = 260, 1100, slice(begin, begin + length)
    picture = np.full((height, width, 3), PAPER, np.uint8)
    values = np.stack([poses.xy[shown, joint, 1] for _, _, poses in curves])
    low, high = np.nanmin(values), np.nanmax(values)
    for line, (_, colour, _) in zip(values, curves, strict=True):
        x = np.linspace(20, width - 20, len(line))
        y = 40 + (line - low) / (high - low) * (height - 60)
        points = np.round(np.stack([x, y], 1) * 16).astype(np.int32)
        cv2.polylines(picture, [points], False, colour, 2, cv2.LINE_AA, shift=4)
    for number, (name, colour, _) in enumerate(curves):
        cv2.putText(
            picture, name, (20 + 140 * number, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, 1, cv2.LINE_AA
        )
    write("filters.jpg", picture)


def renderers() -> None:
    """The same pose, drawn by each renderer."""
    moved, _ = dancer().retarget(source_poses())
    xy = dancer().info.window.to_window(moved.xy)[MOMENT : MOMENT + 1]
    score = moved.score[MOMENT : MOMENT + 1]
    tiles = []
    for name in ("sticks", "limbs", "heatmaps"):
        renderer = create("renderer", name, skeleton=moved.skeleton, size=dancer().info.window.size)
        tiles.append((name, condition_picture(renderer(xy, score)[0], renderer.spec)))
    body = moved.to("body_25")
    there = dancer().info.window.to_window(body.xy)[MOMENT : MOMENT + 1]
    edn = create("renderer", "edn_sticks", skeleton=get_skeleton("body_25"), size=dancer().info.window.size)
    tiles.append(("edn_sticks", condition_picture(edn(there, body.score[MOMENT : MOMENT + 1])[0], edn.spec)))
    write("renderers.jpg", row(tiles))


def clip() -> None:
    """Three seconds of the shipped dance beside what the shipped dancer makes of it."""
    out = IMAGES / "dance.mp4"
    options = TransferOptions(duration=Fraction(3), side_by_side=True, crf=26, force=True)
    dancer().transfer(data_path("zoo/samples/source.mp4"), out, options=options)
    out.with_suffix(".json").unlink(missing_ok=True)
    print(f"{out.name}: {out.stat().st_size // 1000} kB")


MADE = {each.__name__: each for each in (pipeline, normalizers, filters, renderers, clip)}


def main() -> None:
    """What is named, or all."""
    for name in sys.argv[1:] or MADE:
        MADE[name]()


if __name__ == "__main__":
    main()
