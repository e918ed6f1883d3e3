"""`dancekit zoo`: the group of commands about weights of others."""

from __future__ import annotations

import typer

from dancekit.cli.zoo_convert import convert

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)
app.command("convert", short_help="Official checkpoints become a dancer file, or the reverse.")(convert)


@app.callback()
def zoo() -> None:
    """Weights of others.

    Examples:
      dancekit zoo convert latest_net_G.pth --out me.safetensors
    """
