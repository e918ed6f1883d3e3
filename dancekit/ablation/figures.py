"""Contact sheets of an ablation: a transfer frame by frame, and the arms side by side on bodies and on faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.ablation.arms import ArmState
from dancekit.ablation.matrix import Figure, Matrix
from dancekit.ablation.scoring import Clips, Scored
from dancekit.ablation.tables import BASELINE_TITLES
from dancekit.data.files import write_png
from dancekit.evaluate.result import Evaluation
from dancekit.transfer import Dancer
from dancekit.types import PoseSequence
from dancekit.video import read_frames

FIGURES = "figures"

FRAME_HEIGHT = 220
BODY_HEIGHT = 300
FACE_HEIGHT = 160
"""Of the pictures in a sheet, by kind of figure, pixels."""

LABEL = 22
GAP = 6
"""Height of a line of text, and the space between pictures and between sections, pixels."""

BODY_MARGIN = 0.12
"""Around the joints of a body, as a part of their height: a head ends above its ears, feet below their ankles."""

FACE_PART = 0.3
"""Around the face's box, as a part of its side."""

Picture = NDArray[np.uint8]
Box = tuple[int, int, int, int]


def write_figures(
    matrix: Matrix,
    states: Sequence[ArmState],
    scored: Mapping[str, Scored],
    clips: Clips,
    out: Path,
    *,
    device: str = "auto",
) -> tuple[list[Path], list[str]]:
    """Write `figures/NAME.png` of each.

    Returns:
        The files, and why figures or columns of them are lacking.
    """
    paths, notes = [], []
    by_name = {state.arm.name: state for state in states}
    for figure in matrix.figures:
        shown = scored[figure.scores]
        there = [name for name in figure.arms if name in shown.evaluations]
        for name in figure.arms:
            if name not in there:
                why = shown.lacking.get(name, "not scored")
                notes.append(f"figure {figure.name}: {by_name[name].arm.title} is lacking: {why}")
        if not there:
            continue
        if figure.kind == "transfer":
            sheet = _transfer(figure, by_name[there[0]], shown, clips, device)
        else:
            sheet = _side_by_side(figure, by_name[there[0]], there, matrix, shown, clips, device)
        path = out / FIGURES / f"{figure.name}.png"
        write_png(path, sheet)
        paths.append(path)
    return paths, notes


def moments(count: int, sections: int, frames: int, every: int = 1) -> list[list[int]]:
    """Frame numbers of each section: the sections' middles are evenly spaced over the clip.

    Args:
        count: Frames of the clip.
        sections: How many sections.
        frames: Of each, fewer where the clip is too short.
        every: Of so many frames one.
    """
    length = (frames - 1) * every + 1
    found = []
    for number in range(sections):
        first = round((number + 0.5) * count / sections - length / 2)
        first = min(max(first, 0), max(count - length, 0))
        found.append([at for at in range(first, first + length, every) if at < count])
    return found


# ---- a transfer, frame by frame ------------------------------------------------------------------------------


def _transfer(figure: Figure, state: ArmState, shown: Scored, clips: Clips, device: str) -> Picture:
    """Sections of frames: the source, the stick figures in the target's place, what is painted, what is right."""
    evaluation, folder = shown.evaluations[state.arm.name], shown.folders[state.arm.name]
    sections = moments(evaluation.frames, figure.sections, figure.frames, figure.every)
    wanted = sorted({number for section in sections for number in section})
    rows: dict[str, dict[int, Picture]] = {}
    if evaluation.source_video:
        rows["source"] = _frames(folder / evaluation.source_video, wanted)
    rows["pose"] = _sticks(Dancer.load(state.run.dancer, device=device), evaluation, clips, shown, wanted)
    rows[state.arm.title] = _frames(folder / str(evaluation.variants[0].video), wanted)
    if evaluation.real_video:
        rows["truth"] = _frames(folder / evaluation.real_video, wanted)
    drawn = []
    for section in sections:
        drawn.append(
            np.concatenate([_row(title, [pictures[n] for n in section]) for title, pictures in rows.items()])
        )
    return stacked(drawn)


def _row(title: str, pictures: Sequence[Picture]) -> Picture:
    """Pictures beside each other, their title in a column at the left."""
    tiles = [_scaled(each, FRAME_HEIGHT) for each in pictures]
    gap = np.full((FRAME_HEIGHT, GAP, 3), 255, np.uint8)
    side = np.full((FRAME_HEIGHT, LABEL, 3), 255, np.uint8)
    text = np.rot90(label(title, FRAME_HEIGHT))
    side[:, : text.shape[1]] = text
    row = [side, *(part for tile in tiles for part in (tile, gap))]
    line = np.full((GAP, sum(part.shape[1] for part in row), 3), 255, np.uint8)
    return np.concatenate([np.concatenate(row, 1), line])


def _sticks(
    dancer: Dancer, evaluation: Evaluation, clips: Clips, shown: Scored, wanted: Sequence[int]
) -> dict[int, Picture]:
    """The condition images of compared frames."""
    if shown.scoring.on == "transfer":
        assert clips.source is not None
        moved, _ = dancer.retarget(dancer.poses_of(clips.source))
        first = 0
    else:
        moved, first = dancer.poses_of(clips.target), _first_held_out(dancer)
    xy = dancer.info.window.to_window(moved.xy)
    return {
        n: dancer.painter.sticks(xy[at], moved.score[at])
        for n, at in _clip_numbers(evaluation, wanted, first)
    }


# ---- arms side by side ---------------------------------------------------------------------------------------


def _side_by_side(
    figure: Figure,
    state: ArmState,
    there: Sequence[str],
    matrix: Matrix,
    shown: Scored,
    clips: Clips,
    device: str,
) -> Picture:
    """A row a frame: the truth, baselines and arms, cut out around the person or the head."""
    first = shown.evaluations[there[0]]
    sections = moments(first.frames, figure.sections, figure.frames, figure.every)
    wanted = sorted({number for section in sections for number in section})
    size = first.size
    if figure.kind == "bodies":
        boxes = _body_boxes(Dancer.load(state.run.dancer, device=device), first, clips, shown, wanted)
        height = BODY_HEIGHT
    else:
        boxes = _face_boxes(first, wanted)
        height = FACE_HEIGHT
    columns: dict[str, dict[int, Picture]] = {}
    if first.real_video:
        columns["truth"] = _frames(shown.folders[there[0]] / first.real_video, wanted)
    for name in figure.baselines:
        for arm in there:
            for variant in shown.evaluations[arm].variants:
                if variant.name == name and variant.video and BASELINE_TITLES[name] not in columns:
                    columns[BASELINE_TITLES[name]] = _frames(shown.folders[arm] / variant.video, wanted)
    for arm in there:
        video = shown.evaluations[arm].variants[0].video
        columns[matrix.arm(arm).title] = _frames(shown.folders[arm] / str(video), wanted)
    fitted = {title: {n: _fit(frame, size) for n, frame in each.items()} for title, each in columns.items()}
    numbers = [n for section in sections for n in section if n in boxes]
    return table_of_crops(fitted, numbers, boxes, height)


def table_of_crops(
    columns: Mapping[str, Mapping[int, Picture]],
    numbers: Sequence[int],
    boxes: Mapping[int, Box],
    height: int,
) -> Picture:
    """Titles above, a row a frame, every picture of a row cut out by the same box.

    Args:
        columns: Pictures by frame number, by title.
        numbers: The frames, top to bottom.
        boxes: (left, top, right, bottom) by frame number, whole pixels, the last ones not in it.
        height: Of each cut-out in the sheet.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    if not numbers:
        return label("nothing to show: nobody is seen in these frames", 400)
    sides = [(boxes[n][2] - boxes[n][0]) / (boxes[n][3] - boxes[n][1]) for n in numbers]
    width = max(1, round(height * max(sides)))
    gap = np.full((height, GAP, 3), 255, np.uint8)
    rows = [np.concatenate([part for title in columns for part in (label(title, width), gap[:LABEL])], 1)]
    for number in numbers:
        left, top, right, bottom = boxes[number]
        parts = []
        for pictures in columns.values():
            cut = _scaled(pictures[number][top:bottom, left:right], height)
            tile = np.full((height, width, 3), 255, np.uint8)
            begin = (width - min(width, cut.shape[1])) // 2
            tile[:, begin : begin + cut.shape[1]] = cut[:, :width]
            parts += [tile, gap]
        row = np.concatenate(parts, 1)
        rows += [row, np.full((GAP, row.shape[1], 3), 255, np.uint8)]
    return np.concatenate(rows)


def _body_boxes(
    dancer: Dancer, evaluation: Evaluation, clips: Clips, shown: Scored, wanted: Sequence[int]
) -> dict[int, Box]:
    """Around the true person's joints, in pixels of the compared frames."""
    if shown.scoring.on == "transfer":
        assert clips.truth is not None
        poses, first = dancer.poses_of(clips.truth), 0
    else:
        poses, first = dancer.poses_of(clips.target), _first_held_out(dancer)
    xy = dancer.info.window.to_window(poses.xy)
    ratio = np.array(evaluation.size) / dancer.info.window.size
    boxes = {}
    for number, at in _clip_numbers(evaluation, wanted, first):
        box = body_box((xy[at] + 0.5) * ratio - 0.5, poses, at, evaluation.size)
        if box is not None:
            boxes[number] = box
    return boxes


def body_box(xy: NDArray[Any], poses: PoseSequence, at: int, size: tuple[int, int]) -> Box | None:
    """Around the joints of one frame with a margin, within the frame; None where nobody is."""
    seen = poses.valid[at]
    if seen.sum() < 2:
        return None
    low, high = xy[seen].min(0), xy[seen].max(0)
    margin = BODY_MARGIN * (high[1] - low[1])
    return _within((low[0] - margin, low[1] - margin, high[0] + margin, high[1] + margin / 2), size)


def _face_boxes(evaluation: Evaluation, wanted: Sequence[int]) -> dict[int, Box]:
    """Around the true head, a little more than what the face's metrics look at."""
    known = evaluation.boxes.get("face", ())
    boxes = {}
    for number in wanted:
        box = known[number] if number < len(known) else None
        if box is not None:
            x, y, w, h = box
            more = FACE_PART * h
            cut = _within((x - more, y - more, x + w + more, y + h + more), evaluation.size)
            if cut is not None:
                boxes[number] = cut
    return boxes


def _within(box: tuple[float, float, float, float], size: tuple[int, int]) -> Box | None:
    left, top = max(0, int(np.floor(box[0]))), max(0, int(np.floor(box[1])))
    right, bottom = min(size[0], int(np.ceil(box[2]))), min(size[1], int(np.ceil(box[3])))
    return (left, top, right, bottom) if right - left > 1 and bottom - top > 1 else None


# ---- frames --------------------------------------------------------------------------------------------------


def _first_held_out(dancer: Dancer) -> int:
    return int(dancer.info.training.get("held_out", [0])[0])


def _clip_numbers(evaluation: Evaluation, wanted: Sequence[int], first: int) -> list[tuple[int, int]]:
    """Compared frame and the frame of the clip that it is."""
    frames = evaluation.protocol["frames"]
    return [(number, first + frames["start"] + number * frames["every"]) for number in wanted]


def _frames(video: Path, wanted: Sequence[int]) -> dict[int, Picture]:
    """Some frames of a video."""
    chosen = set(wanted)
    frames = enumerate(read_frames(video, stop=max(wanted) + 1))
    return {number: frame.rgb for number, frame in frames if number in chosen}


def _fit(picture: Picture, size: tuple[int, int]) -> Picture:
    """H.264 has even sides: the writer may have added a copy of the last row or column."""
    return picture[: size[1], : size[0]]


def _scaled(picture: Picture, height: int) -> Picture:
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    how = cv2.INTER_AREA if height < picture.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=how), np.uint8)


def label(text: str, width: int) -> Picture:
    """A line of black text on white, (LABEL, width, 3), as large as fits."""
    strip = np.full((LABEL, width, 3), 255, np.uint8)
    (needed, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 1)
    size = min(0.5, (width - 6) / max(needed, 1))
    cv2.putText(strip, text, (3, LABEL - 7), cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 1, cv2.LINE_AA)
    return strip


def stacked(pictures: Sequence[Picture]) -> Picture:
    """Below each other, the narrower ones filled up with white."""
    width = max(each.shape[1] for each in pictures)
    return np.concatenate(
        [
            np.pad(each, ((0, GAP), (0, width - each.shape[1]), (0, 0)), constant_values=255)
            for each in pictures
        ]
    )
