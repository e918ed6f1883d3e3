"""`dancekit zoo convert`: official checkpoints become a dancer file, or the reverse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import (
    Device,
    Force,
    Json,
    Quiet,
    RecipeName,
    Verbose,
    check_output,
    check_overrides,
    is_override,
)
from dancekit.errors import UsageError


def convert(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH.pth... [KEY=VALUE...]",
            help="Checkpoints of one training run, and what they cannot tell, such as size=[1024,512]; with "
            "--to-official a dancer file.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The dancer file, .safetensors.")
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option("--target", metavar="CLIP", help="What it was trained on: normalizers need its poses."),
    ] = None,
    to_official: Annotated[
        Path | None,
        typer.Option(
            "--to-official", metavar="FOLDER", help="Write latest_net_*.pth of a dancer file there."
        ),
    ] = None,
    recipe: RecipeName = "quick",
    licence: Annotated[
        str, typer.Option("--licence", metavar="SPDX", help="Written into the dancer file.")
    ] = "",
    consent: Annotated[
        str,
        typer.Option(
            "--consent", metavar="TEXT", help="What the person shown agreed to; written into the file."
        ),
    ] = "",
    force: Force = False,
    device: Device = "auto",
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Turn official checkpoints into a dancer file, or a dancer file into them.

    Reads what pix2pixHD, Everybody Dance Now and pix2pix save
    (<epoch>_net_G.pth, _D, _Gface, _Dface) as data, never as code. The
    architecture is told by keys and shapes. All of it fits, or every tensor
    that does not is listed and nothing is written. Without --target only
    normalizer=identity can be used.

    Examples:
      dancekit zoo convert latest_net_G.pth --out me.safetensors
      dancekit zoo convert latest_net_G.pth --out me.safetensors size=[256,256]
      dancekit zoo convert latest_net_G.pth --out me.safetensors --target me.mp4
      dancekit zoo convert me.safetensors --to-official checkpoints/me
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    files = [Path(text) for text in inputs if not is_override(text) or Path(text).exists()]
    changes = check_overrides([text for text in inputs if is_override(text) and not Path(text).exists()])
    for file in files:
        if not file.is_file():
            raise UsageError(f"there is no file {file}", hint="give .pth files, or key=value")
    if to_official is not None:
        _write_back(terminal, files, to_official, out=out, target=target, changes=changes, force=force)
        return
    if out is None:
        raise UsageError("where to is missing", hint="--out FILE.safetensors, or --to-official FOLDER")
    if not files:
        raise UsageError("no checkpoint is named", hint="dancekit zoo convert latest_net_G.pth --out FILE")
    destination = check_output(out, force=force, suffixes=(".safetensors",))

    from dancekit.cli.progress import show_progress
    from dancekit.video import probe
    from dancekit.zoo.convert import convert as convert_files

    if target is not None:
        probe(target)
    with show_progress(terminal) as display:
        result = convert_files(
            files,
            destination,
            target=target,
            recipe=recipe,
            overrides=changes,
            licence=licence,
            consent=consent,
            device=device,
            force=force,
            progress=display,
        )
    for role, told in result.networks.items():
        terminal.log(f"{role}: {told}")
    if target is None:
        terminal.log("no target: transfers use normalizer=identity (--target CLIP allows others)")
    terminal.result(str(result.out))
    if result.critic is not None:
        terminal.log(f"discriminators, for training on: {result.critic}")
    terminal.json(
        {
            "out": str(result.out),
            "critic": str(result.critic) if result.critic else None,
            "sha256": result.sha256,
            "networks": dict(result.networks),
            "normalizer": result.normalizer,
        }
    )


def _write_back(
    terminal: Terminal,
    files: list[Path],
    folder: Path,
    *,
    out: Path | None,
    target: Path | None,
    changes: list[str],
    force: bool,
) -> None:
    if len(files) != 1 or out is not None or target is not None or changes:
        raise UsageError(
            "--to-official takes one dancer file and nothing else",
            hint="dancekit zoo convert me.safetensors --to-official FOLDER",
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--to-official {folder} is a file", hint="name a folder")

    from dancekit.zoo.official import write_official

    written = write_official(files[0], folder, force=force)
    for path in written:
        terminal.result(str(path))
    terminal.json({"files": [str(path) for path in written]})
