"""Measure the normalizers: how far retargeted keypoints are from what the target really would have done.

    python benchmarks/retarget.py --data ../shared/data/dancefloor [--json] [--poses DIR] [--no-blazepose]
    python benchmarks/retarget.py --matrix [--json]
    python benchmarks/retarget.py --samples [--json]

`--data`: pairs in a folder, by their names: `source_X` with the answer `target_X` (`source_dance` has
`target_truth`), each with its `.npz` of exact keypoints. A normalizer is fitted on `source_X` and `target_train`,
never on an answer; `crossed` fits the source on the folder's other source clips instead of the one that is
scored. Error: mean over frames and the 17 COCO joints of the distance, in percent of the standing height
projected at the person's distance; the same from the poses that BlazePose finds in the videos (filters of the
recipe `base`). Foot skating is how far the ankle of a planted foot moves from frame to frame, over how far the
answer's does (1 = as the truth; a heel that rises before a step moves the ankle of either): `skate` with each
clip's own contacts, ours being those of the source; `skate_sole` the same of the stiller of toe and heel;
`skate_both` in frames in which source and answer are planted. The last compares nothing where the two do not step
in time (on `source_rest` their contacts agree in 58 % of the frames: one stands while the other's heel rises).

`--matrix`: synthetic skeletons of people from 1.2 to 1.95 m before cameras from 0.5 to 2.2 m high and 3 to 8 m
away (benchmarks/synthetic_dancer.py): mean and worst cell.

`--samples`: the clips that ship with dancekit, from BlazePose.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.contracts import Normalizer
from dancekit.normalizers.affine import Affine
from dancekit.normalizers.bones import Bones
from dancekit.normalizers.global_linear import GlobalLinear
from dancekit.normalizers.identity import Identity
from dancekit.normalizers.relative import Relative
from dancekit.types import PoseSequence, get_skeleton

sys.path.insert(0, str(Path(__file__).resolve().parent))
from synthetic_dancer import Body, Camera, Dance, film, standing_pixels

Array = NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[1]
ANSWERS = {"source_dance": "target_truth"}
NORMALIZERS: dict[str, Callable[[], Normalizer]] = {
    "identity": Identity,
    "global_linear": GlobalLinear,
    "global_linear ankle=lower": lambda: GlobalLinear(ankle="lower"),
    "global_linear center=track": lambda: GlobalLinear(center="track"),
    "affine": Affine,
    "relative": Relative,
    "bones": Bones,
    "bones keep_in=frame": lambda: Bones(keep_in="frame"),
    "bones keep_in=filmed": lambda: Bones(keep_in="filmed"),
}


class Truth:
    """One clip with exact keypoints."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as data:
            self.data = dict(data)
        self.names = [str(name) for name in self.data["names"]]

    @property
    def poses(self) -> PoseSequence:
        """What a perfect detector finds: joints outside of the picture are missing."""
        skeleton = get_skeleton("halpe_26")
        frames = len(self.data["keypoints"])
        xy, score = np.full((frames, len(skeleton), 2), np.nan), np.zeros((frames, len(skeleton)))
        for number, name in enumerate(self.names):
            if name in skeleton:
                xy[:, skeleton.index(name)] = self.data["keypoints"][:, number]
                score[:, skeleton.index(name)] = self.data["visibility"][:, number] > 0
        rate = Fraction(float(self.data.get("fps", 25.0))).limit_denominator(1001)
        size = int(self.data.get("size", 512))
        return PoseSequence(
            xy=xy,
            score=score,
            pts=np.arange(frames),
            time_base=1 / rate,
            size=(size, size),
            skeleton=skeleton,
        )

    @property
    def heights(self) -> Array:
        """(T,) pixels that the upright person would be tall at their distance."""
        if "camera_eye" not in self.data:  # a sample: from the skeleton; nose to ankle is 0.87 of the height
            points = self.data["keypoints"]
            tall = np.linalg.norm(points[:, 0] - points[:, 15:17].mean(1), axis=-1)
            return np.full(len(tall), float(np.quantile(tall, 0.9)) / 0.87)
        depth = (self.data["keypoints3d"] - self.data["camera_eye"]) @ self.data["camera_R"][2]
        hips = depth[:, [self.names.index("left_hip"), self.names.index("right_hip")]].mean(1)
        return np.asarray(self.data["camera_f"] * self.data["person_height"] / hips)

    def score(self, moved: PoseSequence, source: Truth | None = None) -> dict[str, float]:
        """Error and foot skating of retargeted poses; `source` is None where its contacts are not known."""
        goal = self.data["keypoints"][:, :17].astype(np.float64)
        found = moved.to("coco_17").xy.astype(np.float64)
        heights = self.heights
        error = np.linalg.norm(found - goal, axis=-1) / heights[:, None]
        result = {
            "error": 100 * float(np.nanmean(error)),
            "worst_joint": 100 * float(np.nanmax(np.nanmean(error, axis=0))),
            "missing": float(np.isnan(error).mean()),
        }
        if source is not None and "contact" in self.data:
            result |= self._skating(moved, source)
        return result

    def _skating(self, moved: PoseSequence, source: Truth) -> dict[str, float]:
        """How far planted feet move, over how far the answer's do."""
        ours, theirs = source.data["contact"], self.data["contact"]
        slides = [self._slides(poses) for poses in (moved, self.poses)]
        result = {}
        for name, contacts in (
            ("skate", (ours, theirs)),
            ("skate_both", (ours & theirs, ours & theirs)),
        ):
            planted = [each[1:] & each[:-1] for each in contacts]
            parts = ("ankle", "sole") if name == "skate" else ("ankle",)
            for part in parts:
                mean = [
                    float(np.nanmean(slide[part][where]))
                    for slide, where in zip(slides, planted, strict=True)
                ]
                result[name if part == "ankle" else f"{name}_{part}"] = mean[0] / mean[1]
        return result

    def _slides(self, poses: PoseSequence) -> dict[str, Array]:
        """Per part of the foot: (T - 1, 2) movement from frame to frame of the left and right one, in heights."""
        feet = poses.to("halpe_26")
        steps = {}
        for part in ("ankle", "big_toe", "heel"):
            joints = [feet.skeleton.index(f"{side}_{part}") for side in ("left", "right")]
            apart = np.diff(feet.xy[:, joints].astype(np.float64), axis=0)
            steps[part] = np.linalg.norm(apart, axis=-1) / self.heights[1:, None]
        return {"ankle": steps["ankle"], "sole": np.fmin(steps["big_toe"], steps["heel"])}


def scored(
    source: PoseSequence,
    fitted_on: PoseSequence,
    target: PoseSequence,
    truth: Truth,
    make: Callable[[], Normalizer],
    source_truth: Truth | None = None,
) -> dict[str, float]:
    """One normalizer on one pair."""
    normalizer = make()
    fitted = normalizer.fit(fitted_on, target)
    json.dumps(fitted)  # plain data, always
    return truth.score(normalizer.apply(fitted, source), source_truth)


def joined(clips: list[PoseSequence]) -> PoseSequence:
    """Clips one after another, with a second between them."""
    pts, last = [], 0
    for clip in clips:
        steps = clip.pts - clip.pts[0]
        pts.append(steps + last)
        last = int(pts[-1][-1] + round(1 / clip.time_base))
    return clips[0].replace(
        xy=np.concatenate([clip.xy for clip in clips]),
        score=np.concatenate([clip.score for clip in clips]),
        pts=np.concatenate(pts),
    )


def blazepose(video: Path, kept: Path | None) -> PoseSequence:
    """Filtered poses of a video; `kept` holds raw ones under the video's name, if they were found before."""
    from dancekit.build import build_filters
    from dancekit.config import load_recipe
    from dancekit.data.poses import apply_filters, estimate_poses

    recipe = load_recipe("base")
    if kept is not None and (file := kept / f"{video.stem}.npz").exists():
        return apply_filters(PoseSequence.load(file), build_filters(recipe))
    return estimate_poses(video, recipe=recipe)


def measure_pairs(folder: Path, kept: Path | None, *, blaze: bool) -> dict[str, Any]:
    """All pairs of a folder."""
    sources = sorted(path.stem for path in folder.glob("source_*.npz"))
    answers = {name: ANSWERS.get(name, name.replace("source_", "target_", 1)) for name in sources}
    pairs = {name: answer for name, answer in answers.items() if (folder / f"{answer}.npz").exists()}
    if not pairs or not (folder / "target_train.npz").exists():
        raise SystemExit(f"{folder}: source_X.npz, its target_X.npz and target_train.npz are needed")
    truths = {name: Truth(folder / f"{name}.npz") for name in (*sources, *pairs.values(), "target_train")}
    clips: dict[str, dict[str, PoseSequence]] = {"truth": {name: truths[name].poses for name in truths}}
    if blaze:
        seen = [name for name in (*sources, "target_train") if (folder / f"{name}.mp4").exists()]
        clips["blazepose"] = {name: blazepose(folder / f"{name}.mp4", kept) for name in seen}
    result: dict[str, Any] = {}
    for origin, of in clips.items():
        for name, answer in pairs.items():
            others = [of[other] for other in sources if other != name and other in of]
            for kind, fitted_on in (("own", [of[name]]), ("crossed", others)):
                if fitted_on:
                    result[f"{origin} {name} {kind}"] = {
                        label: scored(
                            of[name],
                            joined(fitted_on),
                            of["target_train"],
                            truths[answer],
                            make,
                            truths[name],
                        )
                        for label, make in NORMALIZERS.items()
                    }
    return result


def measure_samples(kept: Path | None) -> dict[str, Any]:
    """The clips that ship."""
    folder = ROOT / "zoo/samples"
    source, target = (blazepose(folder / f"{name}.mp4", kept) for name in ("source", "target"))
    truth = Truth(folder / "truth.npz")
    return {
        "blazepose samples own": {
            label: scored(source, source, target, truth, make) for label, make in NORMALIZERS.items()
        }
    }


PEOPLE = (
    Body(1.2, 0.93, 0.95, 1.05),
    Body(1.4, 0.97),
    Body(1.55, 1.03, 0.93, 0.97),
    Body(1.75),
    Body(1.95, 1.05, 1.05),
)
EYES, DISTANCES = (0.5, 1.0, 1.6, 2.2), (3.0, 5.0, 8.0)
DANCES = {"dance": Dance(seed=1), "walk": Dance(seed=5, walk=2.0, reach=(0.2, 0.1), turn=0.4, frames=200)}


def measure_matrix() -> dict[str, Any]:
    """Skeletons: a source of 1.75 m before a camera at 1.4 m, 4.5 m away; every target."""
    train = Dance(seed=2, frames=750).motion()
    result: dict[str, Any] = {}
    for name, dance in DANCES.items():
        motion = dance.motion()
        source = film(motion, Body(1.75), Camera(1.4, 4.5), noise=0.7, seed=3)
        cells: dict[str, dict[str, float]] = {label: {} for label in NORMALIZERS}
        for body, eye, distance in itertools.product(PEOPLE, EYES, DISTANCES):
            camera = Camera(eye, distance)
            target = film(train, body, camera, noise=0.7, seed=4)
            goal = film(motion, body, camera).to("coco_17").xy
            heights = standing_pixels(motion, body, camera)[:, None]
            for label, make in NORMALIZERS.items():
                normalizer = make()
                moved = normalizer.apply(normalizer.fit(source, target), source).to("coco_17").xy
                error = 100 * float(np.mean(np.linalg.norm(moved - goal, axis=-1) / heights))
                cells[label][f"{body.stature} m, eye {eye} m, {distance} m away"] = error
        result[f"matrix {name}"] = {
            label: {
                "error": float(np.mean(list(of.values()))),
                "worst": max(of.values()),
                "worst_cell": max(of, key=lambda cell: of[cell]),
                "cells": of,
            }
            for label, of in cells.items()
        }
    return result


def show(results: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Tables for people."""
    for title, table in results.items():
        sys.stdout.write(f"\n{title}\n")
        for label, row in table.items():
            values = "  ".join(
                f"{key} {value:.2f}" if isinstance(value, float) else f"{key} {value}"
                for key, value in row.items()
                if key != "cells"
            )
            sys.stdout.write(f"  {label:28} {values}\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="a folder of pairs")
    parser.add_argument("--poses", type=Path, help="raw poses of the videos, NAME.npz, found before")
    parser.add_argument("--no-blazepose", action="store_true", help="from the exact keypoints only")
    parser.add_argument("--matrix", action="store_true", help="people and cameras, skeletons only")
    parser.add_argument("--samples", action="store_true", help="the clips that ship")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not (arguments.data or arguments.matrix or arguments.samples):
        parser.error("one of --data, --matrix and --samples is needed")
    began = time.process_time()
    results: dict[str, Any] = {}
    if arguments.data:
        results |= measure_pairs(arguments.data, arguments.poses, blaze=not arguments.no_blazepose)
    if arguments.samples:
        results |= measure_samples(arguments.poses)
    if arguments.matrix:
        results |= measure_matrix()
    if arguments.json:
        sys.stdout.write(
            json.dumps(results | {"cpu_seconds": round(time.process_time() - began, 1)}, indent=1) + "\n"
        )
    else:
        show(results)


if __name__ == "__main__":
    main()
