"""What int8 costs: the shipped dancer, stored as fp16 and as int8, painting the shipped dance.

    python benchmarks/storage.py [--json] [--dancer FILE] [--frames N]

Scores are those of the frames as painted (not encoded), against the right answer, inside the person's mask; the last
column is how far the frames are from those of the file as it is.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from dancekit.demo import SOURCE, TRUTH, TRUTH_MASKS
from dancekit.evaluate import Truth, score_frames
from dancekit.resources import data_path
from dancekit.transfer import Dancer
from dancekit.zoo.pack import repack


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--data", help="unused: this benchmark uses the shipped samples")
    parser.add_argument("--dancer", type=Path, default=data_path("zoo/weights/demo.safetensors"))
    parser.add_argument("--frames", type=int, default=200)
    arguments = parser.parse_args()
    rows = []
    first = None
    with tempfile.TemporaryDirectory() as folder:
        for dtype in ("as it is", "fp16", "int8"):
            path = arguments.dancer
            if dtype != "as it is":
                path = Path(folder) / f"{dtype}.safetensors"
                repack(arguments.dancer, path, dtype=dtype)
            dancer = Dancer.load(path, device="cpu")
            moved, _ = dancer.retarget(dancer.poses_of(data_path(SOURCE)))
            part = moved[np.arange(arguments.frames)]
            painted = np.stack(list(dancer.paint(part)))
            first = painted if first is None else first
            truth = Truth.load(data_path(TRUTH), data_path(TRUTH_MASKS), dancer.info.window)
            whole = np.concatenate([painted, truth.frames[arguments.frames :]])
            scores = score_frames(whole, truth).to_json() if arguments.frames == len(truth.frames) else {}
            error = np.square(painted.astype(np.float64) - first).mean()
            rows.append(
                {
                    "storage": dtype,
                    "megabytes": round(path.stat().st_size / 1e6, 2),
                    **scores,
                    "largest_difference": int(np.abs(painted.astype(int) - first).max()),
                    "psnr_to_first_db": round(float(10 * np.log10(255**2 / error)), 1) if error else None,
                }
            )
    if arguments.json:
        print(json.dumps({"frames": arguments.frames, "rows": rows}, indent=2))
    else:
        for row in rows:
            print(row)


if __name__ == "__main__":
    main()
