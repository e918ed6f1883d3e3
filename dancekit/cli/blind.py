"""`dancekit evaluate --blind`: people choose between two results without knowing which is which."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from dancekit.cli.console import Terminal
from dancekit.cli.options import check_output
from dancekit.errors import UsageError


def choose_blindly(terminal: Terminal, files: list[Path], out: Path | None, *, force: bool) -> None:
    """Write the page for two videos, or add up the answers that people saved.

    Args:
        terminal: Where to print.
        files: Two videos, or the answers' JSON files.
        out: The page; None for answers.
        force: Replace the page.

    Raises:
        UsageError: Neither two videos with `--out`, nor answers without.
    """
    answers = bool(files) and all(path.suffix == ".json" for path in files)
    if answers:
        if out is not None:
            raise UsageError(
                "answers are counted and printed: there is nothing for --out", hint="leave it out"
            )
        from dancekit.evaluate.report import sum_answers

        tally = sum_answers(files)
        terminal.result(tally.sentence())
        terminal.json(asdict(tally) | {"sentence": tally.sentence()})
        return
    if len(files) != 2 or out is None:
        raise UsageError(
            "--blind needs two videos and --out, or the answers of people",
            hint="dancekit evaluate A.mp4 B.mp4 --blind --out choose.html",
        )
    check_output(out, force=force, suffixes=(".html",))
    from dancekit.evaluate.report import write_blind

    labels = (
        (files[0].stem, files[1].stem) if files[0].stem != files[1].stem else (str(files[0]), str(files[1]))
    )
    write_blind(files[0], files[1], out, labels=labels, force=force)
    terminal.result(str(out))
    terminal.json({"out": str(out), "labels": list(labels)})
