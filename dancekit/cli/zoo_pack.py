"""`dancekit zoo pack`: a dancer stored smaller."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Force, Json, Quiet, Verbose, check_output
from dancekit.errors import UsageError
from dancekit.weights.quantize import Storage
from dancekit.zoo.dancers import find_dancer

Dtype = Annotated[
    str,
    typer.Option(
        "--dtype", metavar="fp32|fp16|int8", help="How weights are stored; they are used as float32."
    ),
]


def check_dtype(dtype: str) -> Storage:
    """A storage by its name.

    Raises:
        UsageError: There is none of that name.
    """
    if dtype not in get_args(Storage):
        raise UsageError(f"--dtype {dtype} does not exist", hint=f"one of {', '.join(get_args(Storage))}")
    return cast("Storage", dtype)


def pack(
    dancer: Annotated[str, typer.Argument(metavar="DANCER|ID", help="A dancer file, or an id of the zoo.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="[dim]Default: <dancer>-<dtype>.safetensors[/]"),
    ] = None,
    dtype: Dtype = "int8",
    force: Force = False,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Store a dancer smaller, its critic too. int8: one scale a channel, about half of fp16.

    What that costs is measured in docs/zoo.md. Rounding is for good: keep the
    larger file if you want to train on.

    Examples:
      dancekit zoo pack me.safetensors --dtype int8
      dancekit zoo pack me.safetensors --dtype fp16 --out small.safetensors
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    stored = check_dtype(dtype)
    source = find_dancer(dancer, option="the dancer")
    destination = check_output(
        out or Path(f"{source.stem}-{stored}.safetensors"), force=force, suffixes=(".safetensors",)
    )
    from dancekit.critic import critic_path
    from dancekit.zoo.pack import repack

    digest = repack(source, destination, dtype=stored, force=force)
    before, after = source.stat().st_size, destination.stat().st_size
    terminal.log(f"{before / 1e6:.1f} MB became {after / 1e6:.1f} MB")
    terminal.result(str(destination))
    critic = critic_path(destination)
    if critic.exists():
        terminal.result(str(critic))
    terminal.json(
        {
            "out": str(destination),
            "sha256": digest,
            "bytes": after,
            "bytes_before": before,
            "critic": str(critic) if critic.exists() else None,
        }
    )
