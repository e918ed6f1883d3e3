"""Keypoints, labels, face boxes, smoothing and normalization of the original, number for number."""

from __future__ import annotations

import argparse
import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import Case, checks
from PIL import Image

from dancekit.data.edn import canvas_frame, label_frame
from dancekit.errors import PoseError
from dancekit.faces.edn_boxes import edn_face_boxes, face_centre, grow_box
from dancekit.filters.median import Median, running_median
from dancekit.filters.window_mean import WindowMean
from dancekit.normalizers import edn_compat
from dancekit.normalizers.global_linear import GlobalLinear
from dancekit.pose.openpose import BODIES, body_layout, letterbox, read_openpose
from dancekit.pose.openpose_files import PARTS, concatenated, parse_json, read_people
from dancekit.renderers.edn_figure import blank_canvas, draw_body, draw_face, draw_hand, shrink
from dancekit.renderers.edn_sticks import EDNSticks
from dancekit.types import PoseSequence, get_skeleton
from dancekit.types.canvas import CANVAS, LABEL, Letterbox, from_canvas

Array = np.ndarray


def triples(flat: list[float]) -> Array:
    return np.asarray(flat, np.float64).reshape(-1, 3)


def picture(path: Path) -> Array:
    return np.asarray(Image.open(path).convert("RGB"))


def joined(frame: dict[str, list[float]]) -> Array:
    """(K, 3) in the order of dancekit's skeletons; the parts are those of the reference files."""
    parts = ("pose", "face", "hand_left", "hand_right")
    return np.concatenate([triples(frame[part]) for part in parts])


def skeleton_of(frame: dict[str, list[float]]) -> Any:
    return get_skeleton(f"{BODIES[len(frame['pose']) // 3]}_face_hands")


def by_file(boxes: Array) -> list[list[int]]:
    """Boxes in the order of the original's text files: top, bottom, left, right."""
    return boxes[:, [1, 3, 0, 2]].tolist()


def options(argv: list[str]) -> argparse.Namespace:
    """What of the original's command line changes numbers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--target_median_frac", type=float, default=0.5)
    parser.add_argument("--source_median_frac", type=float, default=0.5)
    parser.add_argument("--target_shape", type=int, nargs=3, default=[1080, 1920, 3])
    parser.add_argument("--target_spread", type=int, nargs="+")
    parser.add_argument("--source_spread", type=int, nargs="+")
    return parser.parse_known_args([str(word) for word in argv])[0]


def sparse_dots(asked: int) -> int:
    """What the original draws: any number that it does not know is 8."""
    return asked if asked in (9, 22) else 8


# ---- drawing -----------------------------------------------------------------------------------------------


@checks("edn_render*")
def test_drawing(case: Case) -> None:
    width, height = map(int, re.findall(r"\d+", case.meta["canvas"])[:2])
    drawn = 0
    for entry in case.meta["cases"]:
        file = case.path / entry["png"]
        if not file.exists():
            continue
        canvas = blank_canvas((width, height))
        if "pose" in entry:
            pose = triples(entry["pose"])
            draw_body(canvas, pose[:, :2], pose[:, 2], BODIES[len(pose)])
        if "face" in entry:
            face = triples(entry["face"])
            dots = 70 if entry["call"] == "renderface" else sparse_dots(entry.get("numkeypoints", 8))
            draw_face(canvas, face[:, :2], face[:, 2], dots)
        for hand in ("hand", "hand_right", "hand_left"):
            if hand in entry:
                points = triples(entry[hand])
                draw_hand(canvas, points[:, :2], points[:, 2])
        assert np.array_equal(canvas, picture(file)), entry["png"]
        drawn += 1
        for small in case.path.glob(f"{file.stem}_resized_*_lanczos.png"):
            size = tuple(map(int, re.search(r"_(\d+)x(\d+)_", small.name).groups()))
            assert np.array_equal(shrink(canvas, size), picture(small)), small.name
    assert drawn == len(list(case.path.glob("*.png"))) - len(list(case.path.glob("*_resized_*.png")))


def check_label(file: Path, points: Array, skeleton: Any, face: int = 8) -> None:
    """A label drawn from (K, 3) canvas pixels; and what the renderer makes of single-precision window pixels."""
    renderer = EDNSticks(skeleton=skeleton, size=LABEL, face=face)
    true = picture(file)
    assert np.array_equal(renderer.draw(points[:, :2], points[:, 2]), true), file.name
    window = from_canvas(points[:, :2], LABEL).astype(np.float32)
    score = points[:, 2].astype(np.float32)
    rendered = renderer(window[None], score[None])[0].permute(1, 2, 0).numpy() * 255
    if np.array_equal(points[:, :2], points[:, :2].round(3)):  # as OpenPose wrote them
        assert np.array_equal(rendered.round(), true), file.name


# ---- single functions --------------------------------------------------------------------------------------


def check_stats(pose: list[float]) -> list[float] | None:
    points = triples(pose)[None]
    skeleton = get_skeleton(body_layout(points.shape[1], "a list"))
    found = edn_compat.pose_statistics(points[..., :2], points[..., 2], skeleton)
    return [found.height[0], found.higher[0], found.lower[0]] if found.valid[0] else None


def check_centre(pose: list[float]) -> list[float]:
    points = triples(pose)[None]
    return face_centre(points[..., :2], points[..., 2], get_skeleton(BODIES[points.shape[1]]))[0].tolist()


def check_25_to_23(pose: list[float]) -> list[float]:
    names = get_skeleton("body_25")
    return triples(pose)[[names.index(joint) for joint in get_skeleton("body_23").joints]].ravel().tolist()


def check_letterbox(shape: list[int]) -> list[Any] | None:
    size = (int(shape[1]), int(shape[0]))
    box = Letterbox.around(size)
    return None if size == CANVAS else [box.scale, [box.left, box.top]]


def check_rescaling(flat: list[float], scale: float, corner: list[float]) -> list[float]:
    points = triples(flat)
    points[:, :2] = Letterbox(scale, *corner)(points[:, :2])
    return points.ravel().tolist()


def check_medians(frames: list[list[float]]) -> list[float]:
    points = np.stack([triples(frame) for frame in frames])
    xy, score = running_median(points[..., :2], points[..., 2], len(points))
    return np.concatenate([xy[0], score[0][:, None]], 1).ravel().tolist()


def check_movement(row: float, lines: list[list[float]], scales: list[float]) -> list[float]:
    (t_close, t_far), (s_close, s_far) = lines
    text = f"{scales[0]!r} {scales[1]!r}\n{t_close!r} {t_far!r} {s_close!r} {s_far!r}"
    somebody = PoseSequence(
        xy=np.ones((1, 23, 2)), score=np.ones((1, 23)), pts=[0], time_base=Fraction(1), size=CANVAS,
        skeleton=get_skeleton("body_23"),
    )  # fmt: skip
    fitted = edn_compat.from_norm_params(text, somebody, CANVAS)
    return [float(value[0]) for value in edn_compat.shift_and_scale(fitted, np.array([row]))]


def check_transformation(flat: list[float], translation: list[float], scale: float) -> list[float]:
    points = triples(flat)
    shift, where = translation[1], (translation[0] / (1 - scale) if scale != 1 else 0.0, 0.0)
    moved = edn_compat.transform(points[None, :, :2], where, np.array([shift]), np.array([scale]))[0]
    return np.concatenate([moved, points[:, 2:]], 1).ravel().tolist()


def check_scales(target: Any, source: Any, lines: list[list[float]], band: float) -> list[float]:
    assert band == edn_compat.BAND
    heights = []
    for who, table, (close, far) in (("target", target, lines[0]), ("source", source, lines[1])):
        toes = np.array([float(toe) for toe, tall in table.items() for _ in tall])
        tall = np.array([height for entry in table.values() for height in entry])
        heights.append(edn_compat.band_heights(toes, tall, edn_compat.Line(close, far), [], who))
    return [theirs / ours for theirs, ours in zip(*heights, strict=True)]


FUNCTIONS = {
    "get_pose_stats": check_stats,
    # the original takes points 10 and 15 of every layout, which are the ankles of BODY_23 only
    "get_min_point": lambda pose: edn_compat.lower_point(triples(pose)[:, :2], 10, 15).tolist(),
    "aveface": check_centre,
    "makebox128": lambda *box: [*grow_box(*box[:2], 512), *grow_box(*box[2:], 1024)],
    "map_25_to_23": check_25_to_23,
    "scale_resize": check_letterbox,
    "fix_scale_coords": check_rescaling,
    "getmedians_adapt": check_medians,
    "graph_posenorm.calculate_translation": check_movement,
    "graph_posenorm.apply_transformation": check_transformation,
    "graph_posenorm.get_minmax_scales": check_scales,
}


@checks("edn_pose_functions*")
def test_functions(case: Case) -> None:
    assert case.meta["cases"]
    for entry in case.meta["cases"]:
        name = entry["function"]
        assert name in FUNCTIONS, f"no check of {name}"
        assert not entry["kwargs"], f"{name}: keywords {entry['kwargs']}"
        if "raises" in entry:
            with pytest.raises(PoseError, match="a body of"):
                FUNCTIONS[name](*entry["args"])
            continue
        found = FUNCTIONS[name](*entry["args"])
        if entry["result"] is None:
            assert found is None, entry
        else:
            same(found, entry["result"], f"{name}: {str(entry['args'])[:80]}")


def same(found: Any, true: Any, what: str) -> None:
    """Equal nested lists of numbers, to the rounding of double precision."""
    assert found is not None, what
    if isinstance(true, list):
        assert len(found) == len(true), what
        for one, other in zip(found, true, strict=True):
            same(one, other, what)
    else:
        assert found == pytest.approx(true, rel=1e-9, abs=1e-9), what


@checks("edn_read_keypoints*")
def test_reading_keypoints(case: Case, tmp_path: Path) -> None:
    assert case.meta["cases"]
    for number, entry in enumerate(case.meta["cases"]):
        content = entry["file_content"]
        if "people" in content:
            people = parse_json(json.dumps(content), tmp_path / "a")
        else:  # texts of YAML files, by name or part
            folder = tmp_path / str(number)
            folder.mkdir()
            for name, text in content.items():
                part = next(part for part in sorted(PARTS, key=len, reverse=True) if part in name)
                (folder / f"frame_{part}.yml").write_text(text)
            people = read_people(folder, "frame")
        found = concatenated(people)
        assert [found[part] for part in PARTS] == entry["pose_face_handright_handleft"]


# ---- labels from OpenPose files ----------------------------------------------------------------------------


def written(case: Path, folder: Path) -> tuple[dict[str, Any], Path]:
    """`inputs.json` as a folder of OpenPose's files."""
    inputs = json.loads((case / "inputs.json").read_text())
    folder.mkdir()
    for frame in inputs["frames"]:
        (folder / f"{frame['file']}_keypoints.json").write_text(json.dumps(frame["openpose"]))
    return inputs, folder


def read(inputs: dict[str, Any], folder: Path) -> PoseSequence:
    size = (inputs["frame_width"], inputs["frame_height"])
    poses = read_openpose(folder, size=size, rate=Fraction(30), people="only_one")
    return poses[poses.found]


def exact(inputs: dict[str, Any]) -> tuple[list[str], list[dict[str, list[float]]]]:
    """Names and parts in double precision of the frames that the original uses."""
    names, frames = [], []
    for frame in inputs["frames"]:
        lists = concatenated(parse_json(json.dumps(frame["openpose"]), Path(frame["file"])))
        if len(lists["pose"]) in (54, 69, 75):
            names.append(frame["file"])
            frames.append(lists)
    return names, frames


@checks("edn_graph_train*")
def test_labels_of_graph_train(case: Case, tmp_path: Path) -> None:
    inputs, folder = written(case.path, tmp_path / "keypoints")
    outputs = json.loads((case.path / "outputs.json").read_text())
    assert outputs.get("error") is None
    poses = letterbox(read(inputs, folder))
    names, frames = exact(inputs)
    mapped = inputs.get("map_25_to_23", False)
    if mapped:
        poses = poses.to("body_23_face_hands")
        for frame in frames:
            frame["pose"] = check_25_to_23(frame["pose"])
    assert len(poses) == len(frames)
    box = Letterbox.around((inputs["frame_width"], inputs["frame_height"]))
    face = sparse_dots(int(inputs.get("num_face_keypoints", 8)))
    texts = outputs.get("facetexts_miny_maxy_minx_maxx") or {}
    lengths = [
        [len(values) for values in concatenated(read_people(folder, frame["file"])).values()]
        for frame in inputs["frames"]
    ]
    assert lengths[: len(outputs["lengths_read"])] == outputs["lengths_read"]
    centres = iter(outputs.get("aveface") or [])
    checked = 0
    for number, (name, frame) in enumerate(zip(names, frames, strict=True)):
        if f"{name}.png" not in outputs["outputs"]:  # beyond the spread, or stepped over
            continue
        points, skeleton = joined(frame), skeleton_of(frame)
        points[:, :2] = box(points[:, :2])
        seen = points[:, 2] > 0
        assert np.allclose(poses.xy[number][seen], points[seen, :2], atol=2e-4)
        if f"{name}.txt" in texts:
            found = by_file(edn_face_boxes(points[None, :, :2], points[None, :, 2], skeleton))
            assert found == [texts[f"{name}.txt"]], name
            centre = face_centre(points[None, :, :2], points[None, :, 2], skeleton)[0]
            same(centre.tolist(), next(centres), name)
            checked += 1
        if (label := case.path / f"label_{name}.png").exists():
            check_label(label, points, skeleton, face)
            checked += 1
        if (frame_file := case.path / f"in_{name}.png").exists():
            shown = label_frame(canvas_frame(picture(frame_file)), LABEL)
            assert np.array_equal(shown, picture(case.path / f"img_{name}.png")), name
            checked += 1
    pictures = len(list(case.path.glob("label_*.png"))) + len(list(case.path.glob("img_*.png")))
    assert checked == len(texts) + pictures > 0


@checks("edn_graph_avesmooth*")
def test_windows_of_graph_avesmooth(case: Case, tmp_path: Path) -> None:
    outputs = json.loads((case.path / "outputs.json").read_text())
    last = outputs["last_window_averages"]
    parts = {
        "pose": "ave_posepts",
        "face": "ave_facepts",
        "hand_right": "ave_rhand",
        "hand_left": "ave_lhand",
    }
    averages = {part: last[name] for part, name in parts.items()}
    boxes = outputs["facetexts_miny_maxy_minx_maxx"]
    boxes = list(boxes.values()) if isinstance(boxes, dict) else boxes
    # the last window can be checked by itself: its means are given
    points, skeleton = joined(averages), skeleton_of(averages)
    labels = sorted(case.path.glob("label_*.png"))
    check_label(labels[-1], points, skeleton)
    assert by_file(edn_face_boxes(points[None, :, :2], points[None, :, 2], skeleton)) == [boxes[-1]]
    origin = inputs_of(case, outputs["inputs"])
    if origin is None:
        return
    window = int(re.search(r"window (\d+)", outputs["inputs"])[1])
    inputs, folder = written(origin, tmp_path / "keypoints")
    poses = letterbox(read(inputs, folder))
    first, end = map(int, re.search(r"--spread (\d+) (\d+)", outputs["inputs"]).groups())
    used = poses[: len(poses) - len(poses) % window]
    filtered = WindowMean(window=window)(used)[window // 2 :: window]
    assert len(filtered) == len(outputs["outputs"]) == len(boxes), (first, end)
    seen = points[:, 2] > 0
    assert np.array_equal(filtered.valid[-1], seen)
    assert np.allclose(filtered.xy[-1][seen], points[seen, :2], atol=2e-4)
    assert np.allclose(filtered.score[-1], points[:, 2] * seen, atol=1e-6)
    assert by_file(edn_face_boxes(filtered.xy, filtered.score, skeleton)) == boxes


def inputs_of(case: Case, said: str) -> Path | None:
    """The folder whose keypoints were smoothed, or one with the same people; None if the sample has neither."""
    named = said.partition("/")[0]
    for folder in (named, f"{named}_mapped23"):
        if (case.path.parent / folder / "inputs.json").exists():
            return case.path.parent / folder
    return None


# ---- normalization -----------------------------------------------------------------------------------------


def clip(data: dict[str, Any], shape: list[int]) -> tuple[list[int], Array, PoseSequence]:
    """Frame numbers, (T, K, 3) in double precision, and the same as poses; empty where a frame is not used."""
    first, last = data["spread"][:2]
    numbers = list(range(first, last + 1))
    skeleton = get_skeleton("body_23_face_hands")
    points = np.zeros((len(numbers), len(skeleton), 3))
    for row, number in enumerate(numbers):
        frame = data["frames"].get(str(number))
        if frame is not None and len(frame.get("pose", ())) == 69:
            points[row] = joined(frame)
    poses = PoseSequence(
        xy=points[..., :2], score=points[..., 2], pts=numbers, time_base=Fraction(1, 30),
        size=(shape[1], shape[0]), skeleton=skeleton,
    )  # fmt: skip
    return numbers, points, poses


@checks("edn_posenorm_*")
def test_normalization(case: Case) -> None:
    inputs = json.loads((case.path / "inputs.json").read_text())
    files = sorted(case.path.glob("outputs*.json"))
    assert files
    for file in files:
        outputs = json.loads(file.read_text())
        given = options(outputs.get("argv", []))
        source = clip(inputs["source"], inputs["source_shape"])
        target = None
        if "frames" in inputs.get("target", {}):
            target = clip(inputs["target"], inputs["target_shape"])
        if outputs.get("error"):  # what it died of must not hurt here
            fitted = GlobalLinear(mode="edn_compat").fit(source[2][:-1], target[2][:-1])
            assert min(fitted["c_close"], fitted["c_far"]) > 0, outputs["error"]
            continue
        fitted = fit(outputs, inputs, given, source, target)
        if "per_used_source_frame" in outputs:
            check_movements(case, outputs, fitted, source)


def fit(outputs: Any, inputs: Any, given: Any, source: Any, target: Any) -> dict[str, Any]:
    """Statistics, lines and scales; then what applies to the frames."""
    size = (inputs["target_shape"][1], inputs["target_shape"][0])
    if not outputs.get("source_stats") or target is None:  # ready parameters
        text = outputs.get("norm_params_txt") or inputs["norm_params_txt"]
        return edn_compat.from_norm_params(text, source[2], size)
    skeleton = source[2].skeleton
    lines, measured = {}, {}
    drawn = iter(outputs.get("frames_drawn") or [])
    for who, (numbers, points, _), fraction in (
        ("source", source, given.source_median_frac),
        ("target", target, given.target_median_frac),
    ):
        found = edn_compat.pose_statistics(points[..., :2], points[..., 2], skeleton)
        usable = np.flatnonzero(found.valid[:-1])  # the end frame is never drawn
        frames = edn_compat.each_frame_once(usable, len(numbers) - 1)
        if outputs["mode"] != "each_frame_once":
            frames = as_drawn(drawn, numbers, found.valid)
        measured[who] = found.drawn(frames)
        check_statistics(measured[who], outputs[f"{who}_stats"])
        lines[who] = edn_compat.ground_line(measured[who].lower, fraction)
    far = edn_compat.guard_range(lines["source"], lines["target"])
    key = "translation_target(maxtoe,horizon)_source(maxtoe,horizon)"
    same([[far.close, far.far], [lines["source"].close, lines["source"].far]], outputs[key], key)
    warnings: list[str] = []
    heights = [
        edn_compat.band_heights(measured[who].lower, measured[who].height, line, warnings, who)
        for who, line in (("target", far), ("source", lines["source"]))
    ]
    scales = [theirs / ours for theirs, ours in zip(*heights, strict=True)]
    for ours, theirs in zip(scales, outputs["scale"], strict=True):
        if theirs > 0:
            assert ours == pytest.approx(theirs, rel=1e-12)
        else:  # an empty band: the original's figure collapses
            assert ours > 0 and warnings
    if outputs["mode"] == "each_frame_once":
        check_component(outputs, given, source, target)
    scales = outputs["scale"]  # checked above; those of a collapsed figure are followed, too
    text = f"{scales[0]!r} {scales[1]!r}\n{far.close!r} {far.far!r} {lines['source'].close!r} {lines['source'].far!r}"
    return edn_compat.from_norm_params(text, source[2], size)


def as_drawn(drawn: Any, numbers: list[int], valid: Array) -> Array:
    """The next frames of the original's random draws, until there are as many usable ones as it wants."""
    frames: list[int] = []
    while len(frames) < len(numbers) - 1:
        index = next(drawn) - numbers[0]
        if valid[index]:
            frames.append(index)
    return np.array(frames)


def check_statistics(found: Any, true: dict[str, Any]) -> None:
    assert np.array_equal(found.lower, true["tiptoes"])
    for name, value in (
        ("average_max_toe", found.lower.mean()),
        ("maxheight", found.height.max()),
        ("maxtoe", found.lower.max()),
        ("median_tiptoe", np.median(found.lower)),
        ("min_of_max_toe", found.lower.min()),
        ("mintoe", found.higher.min()),
    ):
        assert value == pytest.approx(true[name], rel=1e-12), name
    table: dict[float, list[float]] = {}
    for toe, height in zip(found.lower.tolist(), found.height.tolist(), strict=True):
        table.setdefault(toe, []).append(height)
    true_table = {float(toe): heights for toe, heights in true["tiptoe_to_heights"].items()}
    assert set(table) == set(true_table)
    for toe, heights in table.items():
        assert heights == pytest.approx(true_table[toe], rel=1e-12)


def check_component(outputs: Any, given: Any, source: Any, target: Any) -> None:
    """The same through the normalizer, on poses in single precision."""
    if given.source_median_frac != given.target_median_frac:
        return
    normalizer = GlobalLinear(mode="edn_compat", median_fraction=given.source_median_frac)
    fitted = normalizer.fit(source[2][:-1], target[2][:-1])
    (t_close, t_far), (s_close, s_far) = outputs["translation_target(maxtoe,horizon)_source(maxtoe,horizon)"]
    for key, true in (("t_close", t_close), ("t_far", t_far), ("s_close", s_close), ("s_far", s_far)):
        assert fitted[key] == pytest.approx(true, abs=1e-3), key
    for key, true in zip(("c_close", "c_far"), outputs["scale"], strict=True):
        assert fitted[key] == pytest.approx(true, rel=1e-6) or true <= 0 < fitted[key], key
    if min(outputs["scale"]) <= 0:
        return
    moved = normalizer.apply(fitted, source[2])
    moved = moved[moved.found]
    assert len(moved) == len(outputs["per_used_source_frame"])
    filtered = Median(window=7)(moved)[3:-3]
    for number, true in enumerate(outputs["outputs_median_of_7"]):
        points = joined(true)
        seen = points[:, 2] > 0
        assert np.array_equal(filtered.valid[number], seen)
        assert np.allclose(filtered.xy[number][seen], points[seen, :2], atol=2e-3)


def check_movements(case: Case, outputs: Any, fitted: dict[str, Any], source: Any) -> None:
    """Every used frame, its median, its face box and some labels, in double precision."""
    _, points, poses = source
    found = edn_compat.pose_statistics(points[..., :2], points[..., 2], poses.skeleton)
    first = int(np.flatnonzero(found.valid)[0])
    used = [row for row in range(first, len(points)) if poses.found[row]]
    assert len(used) == len(outputs["per_used_source_frame"])
    moved = np.empty((len(used), *points.shape[1:]))
    last = first
    feet = [poses.skeleton.index(joint) for joint in ("right_ankle", "left_ankle")]
    exact_row = edn_compat.lower_point(points[first, :, :2], *feet)[1]
    assert fitted["anchor"] == [fitted["target_size"][0] // 2, pytest.approx(exact_row, abs=1e-4)]
    where = (fitted["anchor"][0], exact_row)  # poses are in single precision
    for number, (row, true) in enumerate(zip(used, outputs["per_used_source_frame"], strict=True)):
        if found.valid[row]:
            last = row
            stats = [found.height[row], found.higher[row], found.lower[row]]
            same(stats, true["pose_stats(height,min_tip_toe,max_tip_toe)"], f"frame {row}")
        else:
            assert true["pose_stats(height,min_tip_toe,max_tip_toe)"] is None
        shift, scale = edn_compat.shift_and_scale(fitted, found.lower[[last]])
        if true["diff_scale"] is not None:  # of its own; else those of the last frame are used
            same([shift[0], scale[0]], true["diff_scale"], f"frame {row}")
        xy = edn_compat.transform(points[[row], :, :2], where, shift, scale)[0]
        moved[number] = np.concatenate([xy, points[row, :, 2:]], 1)
        assert np.allclose(moved[number], joined(true["transformed"]), rtol=0, atol=1e-9)
    xy, score = running_median(moved[..., :2], moved[..., 2], 7)
    medians = np.concatenate([xy, score[..., None]], -1)
    assert len(medians) == outputs["n_output_frames"] == len(outputs["outputs_median_of_7"])
    for number, true in enumerate(outputs["outputs_median_of_7"]):
        assert np.allclose(medians[number], joined(true), rtol=0, atol=1e-9)
    boxes = edn_face_boxes(xy, score, poses.skeleton)
    assert by_file(boxes) == outputs["facetexts_miny_maxy_minx_maxx"]
    for label in case.path.glob("label_frame*.png"):
        check_label(label, medians[int(label.stem.removeprefix("label_frame"))], poses.skeleton)
