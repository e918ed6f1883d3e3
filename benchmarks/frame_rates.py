"""Whether a dancer paints the same picture at 12.5, 25 and 50 frames a second of one movement.

    python benchmarks/frame_rates.py DANCER ... --out OUT [--seconds 4] [--rates 12.5 25 50] [--json]

Renders the target's own dance (`dancekit dancefloor benchmark --only target_truth`: the person whom the shipped
samples and ../shared/data/dancefloor show) at each rate, paints it, and scores the moments that all rates have: PSNR
in the person's exact mask, dB. `exact`: from the rendered poses of the fastest clip, so that poses are the same at
moments that rates share; `found`: from those found in each clip, filtered as for a transfer (filters count frames, not
time); `last frame`: as exact, every frame painted from the one before it, whatever its age.

The same picture: within 0.5 dB between the rates. A dancer that was trained with `train.strides=[1, 2, 3]` should
pass at 12.5; at 50 any dancer should.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dancekit.build import build_pose
from dancekit.data.poses import track_person
from dancekit.evaluate.paired import Truth, score_frames
from dancekit.evaluate.truth import ExactTruth
from dancekit.transfer import Dancer
from dancekit.types import PoseSequence

WITHIN = 0.5
"""Decibels."""


def render(out: Path, rate: Fraction, seconds: float, size: int) -> Path:
    """The target's dance at a rate, if it is not there yet; the folder with its video and truth."""
    from dancekit.dancefloor.clips import benchmark_clips
    from dancekit.dancefloor.render import render_clips
    from dancekit.dancefloor.scene import QUALITIES

    folder = out / f"{float(rate):g}fps-{seconds:g}s-{size}"
    if not (folder / "target_truth.npz").exists():
        (clip,) = benchmark_clips(size=(size, size), quality=QUALITIES["fast"], only=["target_truth"])
        motions = tuple(motion[: round(seconds * 25) + 1] for motion in clip.motions)
        render_clips([dataclasses.replace(clip, motions=motions, rate=rate)], folder, force=True)
    return folder


KINDS = ("exact", "found", "last frame")


def exact_poses(dancer: Dancer, folder: Path) -> PoseSequence:
    """The rendered poses of a clip in the dancer's skeleton, in pixels of the clip."""
    recipe = dancer.info.recipe
    tracked = track_person(folder / "target_truth.mp4", build_pose(recipe, "cpu"), recipe.pose).poses
    return ExactTruth.load(folder / "target_truth.npz").poses(tracked.to(dancer.info.skeleton))[0]


def score(dancer: Dancer, poses: PoseSequence, folder: Path, every: int, *, by_last: bool = False) -> float:
    """Mask PSNR at the common moments: every so many frames."""
    whole = Truth.load(folder / "target_truth.mp4", folder / "target_truth.npz", dancer.info.window)
    seconds = None if by_last else poses.seconds
    painted = dancer.painter.paint(dancer.info.window.to_window(poses.xy), poses.score, seconds=seconds)
    return score_frames(
        np.stack(list(painted)[::every]), Truth(whole.frames[::every], whole.masks[::every])
    ).psnr_mask


def measure(
    dancers: Sequence[Path],
    out: Path,
    rates: Sequence[Fraction],
    seconds: float,
    kinds: Sequence[str] = KINDS,
) -> list[dict[str, Any]]:
    """A row for each dancer and rate."""
    fastest, slowest = max(rates), Fraction(*_common([1 / rate for rate in rates]))
    if any((fastest / rate).denominator > 1 for rate in rates):
        raise SystemExit(f"{float(fastest):g} is no multiple of all rates: poses could not be the same")
    rows = []
    for path in dancers:
        dancer = Dancer.load(path, device="cpu")
        folders = {rate: render(out, rate, seconds, dancer.info.window.frame_size[1]) for rate in rates}
        exact = exact_poses(dancer, folders[fastest])  # the same at moments that rates share
        for rate, folder in folders.items():
            row: dict[str, Any] = {"dancer": str(path), "rate": float(rate)}
            some = exact[slice(None, None, int(fastest / rate))]
            for kind in kinds:
                poses = dancer.poses_of(folder / "target_truth.mp4") if kind == "found" else some
                every, last = int(slowest * rate), kind == "last frame"
                row[kind] = score(dancer, poses, folder, every, by_last=last)
            rows.append(row)
            print(row, file=sys.stderr, flush=True)
    return rows


def _common(gaps: Sequence[Fraction]) -> tuple[int, int]:
    """The shortest time that is a whole number of each."""
    return math.lcm(*(gap.numerator for gap in gaps)), math.gcd(*(gap.denominator for gap in gaps))


def spread(rows: Sequence[dict[str, Any]], dancer: str, kind: str) -> float:
    """Best minus worst rate, dB."""
    values = [row[kind] for row in rows if row["dancer"] == dancer]
    return float(max(values) - min(values))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dancers", nargs="+", type=Path, metavar="DANCER")
    parser.add_argument("--out", type=Path, required=True, help="folder for the clips")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument(
        "--rates", nargs="+", type=Fraction, default=[Fraction(25, 2), Fraction(25), Fraction(50)]
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    rows = measure(args.dancers, args.out, args.rates, args.seconds)
    kinds = [key for key in rows[0] if key not in ("dancer", "rate")]
    spreads = {str(each): {kind: spread(rows, str(each), kind) for kind in kinds} for each in args.dancers}
    if args.json:
        print(json.dumps({"rows": rows, "spread_db": spreads, "within_db": WITHIN}, indent=1))
    else:
        print(f"| dancer | rate | {' | '.join(kinds)} |\n|{'---|' * (2 + len(kinds))}")
        for row in rows:
            values = " | ".join(f"{row[kind]:.2f}" for kind in kinds)
            print(f"| {row['dancer']} | {row['rate']:g} | {values} |")
        for name, each in spreads.items():
            said = ", ".join(f"{kind} {value:.2f} dB" for kind, value in each.items())
            print(f"\n{name}: between the rates {said} (the same picture: {WITHIN} dB)")
    return int(any(each["exact"] > WITHIN or each["found"] > WITHIN for each in spreads.values()))


if __name__ == "__main__":
    raise SystemExit(main())
