"""`dancekit zoo`: the group of commands about dancers and networks that others made, and about giving away yours."""

from __future__ import annotations

import typer

from dancekit.cli.zoo_convert import convert
from dancekit.cli.zoo_get import get, verify
from dancekit.cli.zoo_licences import licences, lock
from dancekit.cli.zoo_look import ls, show
from dancekit.cli.zoo_pack import pack
from dancekit.cli.zoo_publish import card, publish

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)
app.command("ls", short_help="List what the zoo has.")(ls)
app.command("show", short_help="Show one entry: files, licence, consent, numbers.")(show)
app.command("get", short_help="Fetch entries, and print where their files are.")(get)
app.command("verify", short_help="Check files on this machine against their sha256.")(verify)
app.command("licences", short_help="Say under which licences a recipe's weights are.")(licences)
app.command("lock", short_help="List the weight files that a recipe needs, with their sha256.")(lock)
app.command("card", short_help="Write the card of a dancer.")(card)
app.command("publish", short_help="Give a dancer away: a folder, or the Hugging Face Hub.")(publish)
app.command("pack", short_help="Store a dancer smaller: fp16 or int8.")(pack)
app.command("convert", short_help="Official checkpoints become a dancer file, or the reverse.")(convert)


@app.callback()
def zoo() -> None:
    """Dancers and networks: those of others, and yours for others.

    Examples:
      dancekit zoo ls
      dancekit zoo get demo
      dancekit zoo publish runs/toy --to zoo --licence CC0-1.0 --rendered
      dancekit zoo convert latest_net_G.pth --out me.safetensors
    """
