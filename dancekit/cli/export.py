"""`dancekit export`: a dancer as an ONNX file, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Force, Json, Quiet, Threads, Verbose, check_output
from dancekit.errors import UsageError
from dancekit.zoo.dancers import find_dancer


def export(
    dancer: Annotated[
        str, typer.Argument(metavar="DANCER", help="A trained target: a file, or dancekit zoo ls.")
    ],
    onnx: Annotated[
        Path | None, typer.Option("--onnx", metavar="FILE", help="Where the graph goes, an .onnx file.")
    ] = None,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Compute in 8-bit integers, calibrated on the dancer's training poses."),
    ] = False,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            "--calibrate", metavar="POSES.npz", help="With --int8: calibrate on these poses instead."
        ),
    ] = None,
    threads: Threads = None,
    force: Force = False,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Write a dancer as one ONNX graph, for programs without torch.

    Stick figure in, picture out; batch and size may be any, and what the
    dancer remembers of its last frame goes in and comes out. The metadata says
    how to draw the figure. Before the file is kept it is compared with torch
    at several sizes. examples/onnx_dancer.py paints with it in 60 lines.

    Examples:
      dancekit export demo --onnx mira.onnx
      dancekit export runs/me/dancer.safetensors --onnx me.onnx
      dancekit export demo --onnx mira8.onnx --int8
      dancekit export demo --onnx mira8.onnx --int8 --calibrate dance.npz
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    if onnx is None:
        raise UsageError("--onnx is missing", hint=f"dancekit export {dancer} --onnx FILE.onnx")
    if calibrate is not None and not int8:
        raise UsageError("--calibrate is for --int8", hint="add --int8")
    path = find_dancer(dancer)
    out = check_output(onnx, force=force, suffixes=(".onnx",))

    from dancekit.dancer import read_info

    read_info(path)  # what is wrong with the file is said before torch is imported

    from dancekit.runners.threads import use_threads
    from dancekit.transfer import Dancer
    from dancekit.transfer.export import export_dancer
    from dancekit.types import PoseSequence

    use_threads(threads)
    poses = None if calibrate is None else PoseSequence.load(calibrate)
    terminal.log("making the graph, and comparing it with torch ...")
    made = export_dancer(Dancer.load(path, device="cpu"), out, int8=int8, poses=poses)
    sizes = ", ".join(f"{width}x{height}" for width, height in made.sizes)
    if made.int8 is None:
        said = f"within {made.difference:.1g} of torch at {sizes}"
    else:
        said = (
            f"{made.int8['psnr_db']:.1f} dB from single precision ({made.int8['worst_psnr_db']:.1f} at worst)"
        )
    terminal.result(f"{out}: {', '.join(made.inputs)} to {', '.join(made.outputs)}; {said}")
    terminal.json(
        {
            "out": str(out),
            "bytes": out.stat().st_size,
            "inputs": list(made.inputs),
            "outputs": list(made.outputs),
            "sizes": [list(size) for size in made.sizes],
            "difference": made.difference,
            "int8": made.int8,
        }
    )
