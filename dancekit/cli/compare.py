"""`dancekit compare`: which result is better, and is the difference more than chance?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Json, Quiet, Verbose

if TYPE_CHECKING:
    from dancekit.evaluate.compare import Difference


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN RUN...", help="Folders that dancekit evaluate made, runs that hold one, or its JSON."
        ),
    ],
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Compare results that were measured by one protocol on the same frames.

    Every result is set against the first one, frame by frame: the interval of
    a difference is much narrower than those of two values side by side.

    Examples:
      dancekit compare runs/a runs/b
      dancekit compare before/evaluation.json after/evaluation.json --json
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    from dancekit.evaluate.compare import compare as compared
    from dancekit.evaluate.compare import load_evaluation

    names = [str(run) for run in runs]
    found = compared(names, [load_evaluation(run) for run in runs])
    for each in found:
        terminal.table(
            ["metric", "where", each.first, each.other, "difference", "interval", ""],
            [_row(difference) for difference in each.differences],
        )
        terminal.result(f"\n{each.sentence}\n")
    terminal.json([asdict(each) for each in found])


def _row(each: Difference) -> list[str]:
    unit = f", {each.unit}" if each.unit else ""
    verdict = {True: "better", False: "worse", None: ""}[each.better]
    interval = "" if each.low is None or each.high is None else f"[{each.low:+.3g}, {each.high:+.3g}]"
    return [
        each.metric + unit,
        each.region,
        f"{each.first:.4g}",
        f"{each.other:.4g}",
        f"{each.other - each.first:+.3g}",
        interval,
        verdict,
    ]
