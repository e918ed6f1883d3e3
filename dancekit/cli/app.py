"""The entry point: a table of commands that are imported when they run, and what becomes of errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command as build_command

from dancekit import __version__
from dancekit.cli.console import INTERRUPTED, forget_verbosity, report_failure
from dancekit.errors import UnknownName, UsageError
from dancekit.launch import launched


@dataclass(frozen=True)
class Lazy:
    """A command that is not imported yet.

    Attributes:
        target: `module:function`, the function's signature is the command's; or `module:app`, a group.
        help: One line for the list of commands.
        panel: The heading it stands under.
    """

    target: str
    help: str
    panel: str


_START, _WORK, _LOOK = "First steps", "Step by step", "Look things up"

COMMANDS: dict[str, Lazy] = {
    "demo": Lazy(
        "dancekit.cli.demo:demo", "Transfer the shipped dance to the shipped dancer, and measure.", _START
    ),
    "dance": Lazy("dancekit.cli.dance:dance", "All in one: TARGET dances what SOURCE dances.", _START),
    "app": Lazy(
        "dancekit.cli.webapp:webapp", "All of it in a browser: dance, dancer, video; training.", _START
    ),
    "train": Lazy("dancekit.cli.train:train", "Train a dancer on a video of the target.", _WORK),
    "run": Lazy(
        "dancekit.cli.run:run", "Train what a recipe says: the form for scripts and clusters.", _WORK
    ),
    "transfer": Lazy("dancekit.cli.transfer:transfer", "Paint a dancer doing the dance of a video.", _WORK),
    "live": Lazy("dancekit.cli.live:live", "A camera's dance, painted while it is danced.", _WORK),
    "export": Lazy(
        "dancekit.cli.export:export", "Write a dancer as an ONNX graph, for other programs.", _WORK
    ),
    "check": Lazy(
        "dancekit.cli.check:check", "Say whether a video will do as a target, and what else to film.", _WORK
    ),
    "pose": Lazy("dancekit.cli.pose:pose", "Find the poses in a video and write them to a file.", _WORK),
    "evaluate": Lazy(
        "dancekit.cli.evaluate:evaluate", "Measure a result against the right answer, by a protocol.", _WORK
    ),
    "compare": Lazy(
        "dancekit.cli.compare:compare", "Say which of two results is better, and by what.", _WORK
    ),
    "ablate": Lazy(
        "dancekit.cli.ablate:ablate", "Train the arms of a matrix on one clip, and compare them.", _WORK
    ),
    "import-edn": Lazy(
        "dancekit.cli.import_edn:import_edn", "Take a data folder of Everybody Dance Now to train on.", _WORK
    ),
    "zoo": Lazy("dancekit.cli.zoo:app", "Dancers of others to use, and yours to give away.", _WORK),
    "dancefloor": Lazy(
        "dancekit.cli.dancefloor:app", "Render dancers with exact ground truth, by seed.", _WORK
    ),
    "retarget": Lazy(
        "dancekit.cli.retarget:retarget", "Show how a dance is fitted to the target's body and place.", _WORK
    ),
    "estimate": Lazy(
        "dancekit.cli.estimate:estimate", "Say what a training needs in time, memory and disk.", _WORK
    ),
    "batch": Lazy(
        "dancekit.cli.batch:batch", "Run many trainings and transfers, on this machine or a cluster.", _WORK
    ),
    "ls": Lazy("dancekit.cli.ls:ls", "List components, recipes, protocols and ablations.", _LOOK),
    "show": Lazy(
        "dancekit.cli.show:show", "Show a component, a recipe, a dancer, a pose file or a run.", _LOOK
    ),
    "cp": Lazy("dancekit.cli.cp:cp", "Copy a packaged recipe, to change it.", _LOOK),
    "validate": Lazy("dancekit.cli.validate:validate", "Check recipes and say all that is wrong.", _LOOK),
    "cache": Lazy("dancekit.cli.cache:app", "What is kept from being computed again: list, clear.", _LOOK),
    "plugins": Lazy(
        "dancekit.cli.plugins:app", "What plugins register, and whether they keep their contracts.", _LOOK
    ),
    "new-plugin": Lazy(
        "dancekit.cli.new_plugin:new_plugin", "Write a package with a component of your own.", _LOOK
    ),
    "doctor": Lazy("dancekit.cli.doctor:doctor", "Say what this installation can use.", _LOOK),
}

SHARED = ("run", "train")
"""Commands whose work several processes of a launcher share."""


class LazyGroup(TyperGroup):
    """Lists commands from the table; imports the one that is run."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A placeholder with the command's name and help: enough for lists and suggestions."""
        entry = COMMANDS.get(cmd_name)
        return entry and TyperCommand(cmd_name, help=entry.help, rich_help_panel=entry.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The real command, imported now."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise _unknown_command(args[0])
        if args and args[0] in COMMANDS and args[0] not in SHARED and launched() > 1:
            raise UsageError(
                f"{launched()} processes would each run dancekit {args[0]}",
                hint="accelerate launch is for dancekit run and train; dancekit batch runs many jobs",
            )
        name, _, rest = super().resolve_command(ctx, args)
        return name, load_command(str(name)), rest


def load_command(name: str) -> Any:
    """Import a command of the table and make it runnable."""
    import importlib

    entry = COMMANDS[name]
    module, _, function = entry.target.partition(":")
    found = getattr(importlib.import_module(module), function)
    if isinstance(found, typer.Typer):
        group = build_command(found)
        group.name = name
        return group
    app = typer.Typer(add_completion=False, rich_markup_mode="rich")
    app.command(name, short_help=entry.help)(found)
    return build_command(app)


def _unknown_command(word: str) -> UnknownName:
    from dancekit.registry.core import did_you_mean

    return UnknownName(
        f"there is no command {word!r}{did_you_mean(word, list(COMMANDS))}",
        hint=f"the commands are {', '.join(COMMANDS)}; see: dancekit --help",
    )


app = typer.Typer(
    cls=LazyGroup,
    add_completion=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"dancekit {__version__}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """A video of somebody dancing becomes a video of somebody else doing that dance.

    Examples:
      dancekit demo                     see what comes out
      dancekit dance idol.mp4 me.mp4    me.mp4 dances what idol.mp4 dances
      dancekit train --target me.mp4    the same, step by step
      dancekit transfer idol.mp4 --dancer runs/me/dancer.safetensors

    Results go to stdout, all else to stderr. Exit codes: 0 ok, 1 failed,
    2 usage or recipe, 3 missing extra, 4 checksum or licence, 5 offline,
    130 stopped by Ctrl-C, 143 by SIGTERM.
    """
    if ctx.invoked_subcommand is None:
        # Typer prints the help itself when rich draws it, and returns it where rich is switched off.
        if text := ctx.get_help():
            sys.stdout.write(f"{text}\n")
        raise typer.Exit


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments without the program's name; those of the process if None.

    Returns:
        The exit code.
    """
    forget_verbosity()
    # Read when torch loads OpenMP. Its threads otherwise spin for so long while they wait that a machine with
    # anything else to do paints ten times slower (2 cores, one busy: 3.0 s a frame, so 0.4 s; idle: no slower).
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
    try:
        code = build_command(app).main(
            args=list(sys.argv[1:] if argv is None else argv), prog_name="dancekit", standalone_mode=False
        )
    except SystemExit as error:  # shell completion, a pipe that was closed, training stopped by Ctrl-C
        return error.code if isinstance(error.code, int) else 0
    except BaseException as error:  # every way out of the program ends here, in one line
        return report_failure(error)
    if code == INTERRUPTED:  # what Typer makes of Ctrl-C
        return report_failure(KeyboardInterrupt())
    return code if isinstance(code, int) else 0
