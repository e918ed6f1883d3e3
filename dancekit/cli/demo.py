"""`dancekit demo`: the shipped dance, painted by the shipped dancer, beside the right answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Device, Force, Json, Quiet, Verbose

NAMES = {
    "transfer": "transfer",
    "from_true_poses": "from the truth's own poses",
    "nearest_neighbour": "baseline: nearest training frame",
    "temporal_median": "baseline: median of the training clip",
}


def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the videos and numbers.")
    ] = Path("demo"),
    dancer: Annotated[
        Path | None,
        typer.Option(
            "--dancer", metavar="FILE", help="Another dancer that was trained on the shipped target."
        ),
    ] = None,
    force: Force = False,
    device: Device = "auto",
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    r"""Transfer the shipped dance to the shipped dancer, and measure the result.

    Needs no network. Writes transfer.mp4, compare.mp4 (source, stick figure,
    result and truth side by side) and metrics.json.

    Examples:
      dancekit demo
      dancekit demo --out somewhere --force
      dancekit demo --json
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    from dancekit.cli.progress import show_progress
    from dancekit.demo import run_demo

    with show_progress(terminal) as display:
        report = run_demo(out, dancer_file=dancer, device=device, force=force, progress=display)
    terminal.table(
        ("inside the person's mask", "PSNR dB", "SSIM", "sharpness", "PSNR dB in the box"),
        [_row(NAMES[name], report["scores"][name]) for name in NAMES],
    )
    better = NAMES[report["better_baseline"]].removeprefix("baseline: ")
    terminal.result(f"{report['margin_db']:+.2f} dB against the better baseline ({better})")
    for path in report["files"].values():
        terminal.result(path)
    terminal.json(report)


def _row(name: str, score: dict[str, Any]) -> tuple[str, ...]:
    return (
        name,
        f"{score['psnr_mask']:.2f}",
        f"{score['ssim_mask']:.3f}",
        f"{score['sharpness']:.2f}",
        f"{score['psnr_box']:.2f}",
    )
