"""`dancekit transfer`: a dance, painted as a dancer."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.dancers import find_dancer
from dancekit.cli.options import Device, Force, Json, Overrides, Quiet, Verbose, check_output, check_overrides
from dancekit.errors import UsageError

WORTH_SAYING = 0.1
"""Share of frames out of the range of poses above which a transfer says so."""


def transfer(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE|POSE.npz|MOTION",
            help="A video, what dancekit pose wrote, or a dance that ships (dancekit ls motions).",
        ),
    ],
    overrides: Overrides = None,
    dancer: Annotated[
        str | None,
        typer.Option("--dancer", metavar="FILE|ID", help="A trained target: a file, or dancekit zoo ls."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The video. [dim]Default: <source>_<dancer>.mp4[/]"),
    ] = None,
    full_frame: Annotated[
        bool, typer.Option("--full-frame", help="Put the window back into the target's whole picture.")
    ] = False,
    force: Force = False,
    device: Device = "auto",
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    r"""Paint a dancer doing the dance of a video.

    Frames, rate and sound are the source's. Beside the video, a .json file
    holds how the poses were fitted to the dancer's body: most surprises are
    explained there.

    Examples:
      dancekit transfer idol.mp4 --dancer runs/me/dancer.safetensors
      dancekit transfer idol.mp4 --dancer demo
      dancekit transfer pop_116 --dancer demo
      dancekit transfer idol.mp4 --dancer me.safetensors --full-frame
      dancekit transfer idol.npz --dancer me.safetensors normalizer=identity
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    changes = check_overrides(overrides)
    if dancer is None:
        raise UsageError("the dancer is missing", hint=f"dancekit transfer {source} --dancer FILE")
    file = find_dancer(dancer)
    destination = check_output(out or Path(f"{source.stem}_{file.stem}.mp4"), force=force)

    from dancekit.dancer import read_info

    read_info(file)  # what is wrong with the file is said before torch is imported

    from dancekit.cli.progress import show_progress
    from dancekit.transfer import Dancer
    from dancekit.video import probe

    source = _find_source(source)
    if source.suffix != ".npz":
        probe(source)
    with show_progress(terminal) as display:
        result = Dancer.load(file, device=device).transfer(
            source, destination, full_frame=full_frame, overrides=changes, force=force, progress=display
        )
    for warning in result.fitted.get("warnings", ()):
        terminal.warn(warning)
    if result.missing:
        terminal.warn(f"nobody was found in {result.missing} of the source's {result.frames} frames")
    if result.coverage.share > WORTH_SAYING:
        terminal.warn(
            f"{result.coverage.share:.0%} of the dance is outside what the dancer was filmed doing and may look "
            f"bad there: which frames is in {result.sidecar}, what to film says dancekit check"
        )
    if result.coverage.share_out_of_place > WORTH_SAYING:
        terminal.warn(
            f"in {result.coverage.share_out_of_place:.0%} of the dance the dancer stands where they were never "
            f"filmed: which frames is in {result.sidecar}"
        )
    terminal.result(str(result.out))
    terminal.json(
        {
            "out": str(result.out),
            "sidecar": str(result.sidecar),
            "frames": result.frames,
            "frames_without_person": result.missing,
            "outside": None if math.isnan(result.coverage.share) else round(result.coverage.share, 4),
            "fitted": dict(result.fitted),
        }
    )


def _find_source(source: Path) -> Path:
    """The file that is named, or else the dance of the motion library."""
    from dancekit.zoo.motions import find_motion

    if source.exists() or source.suffix or len(source.parts) != 1:
        return source
    return find_motion(source.name) or source
