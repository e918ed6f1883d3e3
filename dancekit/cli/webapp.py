"""`dancekit app`: the web app, on this computer or for others who have the token."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.interrupt import TERMINATED
from dancekit.cli.options import Device, Quiet, Verbose
from dancekit.errors import UsageError


def webapp(
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", metavar="DIR", help="Uploads and results. [dim]Default: the user's data folder[/]"
        ),
    ] = None,
    dancers: Annotated[
        Path,
        typer.Option("--dancers", metavar="DIR", help="More dancers to choose from: files, and runs."),
    ] = Path("runs"),
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="ADDRESS", help="Listen there; anything but this computer needs a token."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="0 for any that is free.")
    ] = 7860,
    token: Annotated[
        str,
        typer.Option(
            "--token",
            metavar="TEXT",
            envvar="DANCEKIT_TOKEN",
            show_envvar=False,
            help="What a browser has to know; or the variable DANCEKIT_TOKEN. [dim]Default: made, where needed[/]",
        ),
    ] = "",
    max_size: Annotated[
        int, typer.Option("--max-size", metavar="MB", min=1, max=100_000, help="Of an upload.")
    ] = 500,
    max_minutes: Annotated[
        float, typer.Option("--max-minutes", metavar="N", min=0.01, max=1000, help="Of an upload.")
    ] = 10.0,
    show: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    device: Device = "auto",
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Serve the web app: dance, dancer, video; and train a dancer, all in a browser.

    One job runs at a time; others wait in line. Jobs are on the disk: close
    the page and come back. Ctrl-C ends the app and stops the running job,
    which can go on when the app is started again.

    Needs the extra "app"; without it, the error says how to install it.

    Examples:
      dancekit app
      dancekit app --open --dancers my/dancers
      dancekit app --host 0.0.0.0 --port 8000
      dancekit app --max-size 2000 --max-minutes 30
    """
    terminal = Terminal(verbose=verbose, quiet=quiet)
    from dancekit.webapp.clips import Limits
    from dancekit.webapp.server import Options, serve

    if device not in ("auto", "cpu", "mps") and not device.startswith("cuda"):
        raise UsageError(f"--device {device} is no device", hint="cpu, cuda, mps or auto")
    options = Options(
        folder=folder or _data_folder(),
        dancers=dancers,
        host=host,
        port=port,
        token=token,
        limits=Limits(max_size, max_minutes),
        device=device,
    )

    def announce(address: str) -> None:
        terminal.result(address)
        sys.stdout.flush()  # whoever reads it through a pipe waits for it
        terminal.log(f"open it in a browser; Ctrl-C ends the app; its files are in {options.folder}")
        if show:
            typer.launch(address)

    signal.signal(signal.SIGTERM, _terminated)
    serve(options, announce)


def _data_folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_dir("dancekit")) / "app"


def _terminated(number: int, frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)  # unwinds: the running job is told to stop
