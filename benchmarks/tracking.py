"""Identity switches on rendered clips of two people crossing, with exact truth.

    python benchmarks/tracking.py --data ../shared/data/dancefloor [--json] [--keep DIR] [kind ...]

Clips are composed of the rendered dancers of --data (`source_dance`, `target_train`), whose masks and keypoints are
exact (`crossing.py`): two people pass, one hides the other, they meet and turn back, both go behind a pillar; each
once by two different people and once by one person and their mirror image (`twin`: the same clothes).

`switches`: how often the person found upon a true person has another number than the last time. `missed`: share of
the frames in which at least half of a person is to be seen and nobody is found there. `false`: share of the frames
with somebody where nobody is. Somebody is found if the mean distance of COCO-17 is below 15 % of their height.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from crossing import Scene, crossing, load, plate_of
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from dancekit.config import Component
from dancekit.data.people import People, find_people
from dancekit.pose.blazepose import BlazePose
from dancekit.types import get_skeleton

KINDS = ("pass", "hidden", "return", "pillar")
FRAMES = 100
STARTS = ((0, 60), (150, 330), (190, 700))
"""First frames of the front and the back person's clips: three different crossings of each kind."""
FOUND = 0.15
SEEN = 0.5


def score(scene: Scene, people: People) -> dict[str, Any]:
    """Switches, missed frames and false people of what was found in a scene."""
    coco = get_skeleton("coco_17")
    found = np.stack([person.poses.to(coco).xy for person in people.persons])
    return count(scene, found)


def count(scene: Scene, found: NDArray[np.float32]) -> dict[str, Any]:
    """The same for (P, T, 17, 2) poses, one person each."""
    last: list[int | None] = [None] * len(scene.keypoints)
    switches = missed = seen = false = 0
    for frame in range(found.shape[1]):
        there = np.flatnonzero(np.isfinite(found[:, frame]).all(-1).any(-1))
        away = np.full((len(scene.keypoints), len(there)), np.inf)
        for true, place in np.ndindex(away.shape):
            points = scene.keypoints[true, frame]
            distance = np.linalg.norm(found[there[place], frame] - points, axis=-1)
            away[true, place] = np.nanmean(distance) / np.ptp(points[:, 1])
        pairs = [
            (true, place)
            for true, place in zip(*linear_sum_assignment(np.minimum(away, 9)), strict=True)
            if away[true, place] < FOUND
        ]
        for true, place in pairs:
            number = int(there[place])
            switches += last[true] is not None and last[true] != number
            last[true] = number
        matched = {true for true, _ in pairs}
        visible = scene.visible[:, frame] >= SEEN
        seen += int(visible.sum())
        missed += sum(bool(visible[true]) and true not in matched for true in range(len(visible)))
        false += len(there) - len(pairs)
    return {
        "switches": switches,
        "missed": round(missed / max(seen, 1), 4),
        "false": round(false / found.shape[1], 4),
        "people": len(found),
        "hidden_frames": int((scene.visible.min(0) < SEEN).sum()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=KINDS, metavar="kind", help=", ".join(KINDS))
    parser.add_argument("--data", type=Path, required=True, help="folder with the rendered clips")
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--starts", type=int, default=len(STARTS), help="how many crossings of each kind")
    parser.add_argument("--keep", type=Path, help="write the clips there")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    rows = []
    backend, component = BlazePose(), Component(name="blazepose")
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for start in STARTS[: options.starts]:
            names = ("source_dance", "target_train")
            one, other = (
                load(options.data / f"{name}.mp4", options.data / f"{name}.npz", options.frames, first)
                for name, first in zip(names, start, strict=True)
            )
            plate = plate_of(other)
            for kind in options.kinds:
                for twin in (False, True):
                    name = f"{kind}{'_twin' if twin else ''}_{start[0]}"
                    scene = crossing(kind, one, one.mirrored() if twin else other, plate, options.frames)
                    began = time.process_time()
                    path = scene.write(folder / f"{name}.mp4")
                    found = find_people(path, backend, component, cache=False)
                    took = (time.process_time() - began) / options.frames
                    rows.append({"clip": name, **score(scene, found), "cpu_ms": round(1000 * took)})
                    if not options.json:
                        print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    total = {"switches": sum(row["switches"] for row in rows), "clips": len(rows)}
    total |= {
        key: round(float(np.mean([row[key] for row in rows])), 4) for key in ("missed", "false", "cpu_ms")
    }
    print(json.dumps({"clips": rows, "total": total}, indent=2) if options.json else f"total {total}")


if __name__ == "__main__":
    main()
