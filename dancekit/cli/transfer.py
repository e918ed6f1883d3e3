"""`dancekit transfer`: a dance, painted as a dancer, or as several."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import (
    Device,
    Force,
    Int8,
    Json,
    Overrides,
    Quiet,
    Runner,
    Threads,
    Verbose,
    Who,
    check_output,
    check_overrides,
    check_person,
    read_seconds,
    read_size,
)
from dancekit.errors import UsageError
from dancekit.zoo.dancers import find_dancer

if TYPE_CHECKING:
    from dancekit.transfer import TransferResult

WORTH_SAYING = 0.1
"""Share of frames out of the range of poses above which a transfer says so."""

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".gif", "")


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
        list[str] | None,
        typer.Option(
            "--dancer",
            metavar="FILE|ID",
            help="A trained target: a file, or dancekit zoo ls; may be given again.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="A video, a .gif, or without a suffix a folder of PNG pictures. [dim]Default: "
            "<source>_<dancer>.mp4[/]",
        ),
    ] = None,
    background: Annotated[
        str | None,
        typer.Option(
            "--background",
            metavar="WHAT",
            help="Put the person into a whole picture: target, source, transparent, FILE.png or #rrggbb. "
            "[dim]Default: only the window that was painted[/]",
        ),
    ] = None,
    full_frame: Annotated[
        bool, typer.Option("--full-frame", help="The same as --background target.")
    ] = False,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="WxH", help="Of the result; bars where the shape differs."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--start", metavar="TIME", help="Where in the source to begin: 12.5 or 1:05."),
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", metavar="TIME", help="How much of the source is wanted.")
    ] = None,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="The source to the left of the result.")
    ] = False,
    codec: Annotated[
        str | None,
        typer.Option(
            "--codec", metavar="NAME", help="h264, h265 or vp9. [dim]Default: h264, in .webm vp9[/]"
        ),
    ] = None,
    crf: Annotated[
        int | None,
        typer.Option(
            "--crf", metavar="N", help="Quality: 0 is lossless. [dim]Default: 18, h265 22, vp9 24[/]"
        ),
    ] = None,
    person: Who = None,
    force: Force = False,
    device: Device = "auto",
    runner: Runner = "torch",
    int8: Int8 = False,
    threads: Threads = None,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    r"""Paint a dancer doing the dance of a video.

    Frames, rate and sound are the source's. Beside the video, a .json file
    holds how the poses were fitted to the dancer's body: most surprises are
    explained there.

    A transfer that was stopped goes on where it was when it is called again.
    With several dancers, --out shows them all in a row beside the source, and
    each has a file of its own beside it.

    Examples:
      dancekit transfer idol.mp4 --dancer runs/me/dancer.safetensors
      dancekit transfer idol.mp4 --dancer demo
      dancekit transfer pop_116 --dancer demo
      dancekit transfer idol.mp4 --dancer me.safetensors --background target
      dancekit transfer a.mp4 --dancer demo --background transparent --out a.webm
      dancekit transfer idol.mp4 --dancer a --dancer b --out both.mp4
      dancekit transfer idol.npz --dancer me.safetensors normalizer=identity
      dancekit transfer idol.mp4 --dancer demo --runner openvino
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    changes = check_overrides(overrides)
    check_person(person)
    if not dancer:
        raise UsageError("the dancer is missing", hint=f"dancekit transfer {source} --dancer FILE")
    dancers = [find_dancer(word) for word in dancer]
    if full_frame and background not in (None, "target"):
        raise UsageError(f"--full-frame is --background target, not {background}", hint="give one of them")
    stems = "_".join(path.stem for path in dancers)
    destination = check_output(out or Path(f"{source.stem}_{stems}.mp4"), force=force, suffixes=SUFFIXES)
    sides = None if size is None else read_size(size)
    begin, length = (
        None if text is None else read_seconds(option, text)
        for option, text in (("--start", start), ("--duration", duration))
    )

    from dancekit.dancer import read_info

    for path in dancers:
        read_info(path)  # what is wrong with the file is said before torch is imported

    from dancekit.cli.progress import show_progress
    from dancekit.runners.threads import use_threads
    from dancekit.transfer import Dancer, TransferOptions, run_transfer
    from dancekit.video import probe

    source = _find_source(source)
    if source.suffix != ".npz":
        probe(source)
    options = TransferOptions(
        background=background or ("target" if full_frame else None),
        size=sides,
        start=begin,
        duration=length,
        codec=codec,
        crf=crf,
        side_by_side=side_by_side,
        person=person,
        overrides=tuple(changes),
        force=force,
    )
    options.check()
    cores = use_threads(threads)
    with show_progress(terminal) as display:
        loaded = [
            Dancer.load(path, device=device, runner=runner, threads=cores, int8=int8) for path in dancers
        ]
        results = run_transfer(loaded, source, destination, options, display)
    _warn(terminal, results)
    terminal.result(str(destination))
    made = [_facts(result) for result in results]
    terminal.json(made[0] if len(made) == 1 else {"out": str(destination), "dancers": made})


def _warn(terminal: Terminal, results: list[TransferResult]) -> None:
    for result in results:
        whose = f"{result.sidecar.stem}: " if len(results) > 1 else ""
        for warning in result.fitted.get("warnings", ()):
            terminal.warn(f"{whose}{warning}")
        if result.missing:
            terminal.warn(
                f"{whose}nobody was found in {result.missing} of the source's {result.frames} frames"
            )
        if result.coverage.share > WORTH_SAYING:
            terminal.warn(
                f"{whose}{result.coverage.share:.0%} of the dance is outside what the dancer was filmed doing and "
                f"may look bad there: which frames is in {result.sidecar}, what to film says dancekit check"
            )
        if result.coverage.share_out_of_place > WORTH_SAYING:
            terminal.warn(
                f"{whose}in {result.coverage.share_out_of_place:.0%} of the dance the dancer stands where they were "
                f"never filmed: which frames is in {result.sidecar}"
            )


def _facts(result: TransferResult) -> dict[str, object]:
    return {
        "out": str(result.out),
        "sidecar": str(result.sidecar),
        "frames": result.frames,
        "frames_without_person": result.missing,
        "outside": None if math.isnan(result.coverage.share) else round(result.coverage.share, 4),
        "fitted": dict(result.fitted),
    }


def _find_source(source: Path) -> Path:
    """The file that is named, or else the dance of the motion library."""
    from dancekit.zoo.motions import find_motion

    if source.exists() or source.suffix or len(source.parts) != 1:
        return source
    return find_motion(source.name) or source
