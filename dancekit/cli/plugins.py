"""`dancekit plugins`: which plugins are installed, and whether they keep their contracts."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Json, Quiet, Verbose

if TYPE_CHECKING:
    from dancekit.plugins.installed import Installed

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=False)


@app.callback(invoke_without_command=True)
def plugins(
    ctx: typer.Context,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Installed plugins: what each registers, and what is broken or clashes; exit code 1 if something is.

    Examples:
      dancekit plugins
      dancekit plugins check dancekit-acme
      dancekit new-plugin acme --kind generator
    """
    if ctx.invoked_subcommand is not None:
        return
    from dancekit.plugins.installed import installed_plugins

    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    found = installed_plugins()
    if found:
        rows = [row for plugin in found for row in _rows(plugin)]
        terminal.table(["plugin", "version", "kind", "name", "state"], [row[:5] for row in rows])
        for row in rows:
            if row[5]:
                terminal.result(f"{row[0]}, {row[2]} {row[3]}: {row[5]}")
        for plugin in found:
            for problem in plugin.problems:
                terminal.result(f"{plugin.distribution}: {problem}")
    else:
        terminal.result("no plugin is installed; dancekit new-plugin NAME --kind KIND writes one")
    terminal.json({"plugins": [_facts(plugin) for plugin in found]})
    if not all(plugin.usable for plugin in found):
        raise typer.Exit(1)


@app.command("check", short_help="Run the contract tests on all components of a plugin.")
def check(
    distribution: Annotated[
        str, typer.Argument(metavar="DIST", help="A distribution, as pip calls it: dancekit-acme.")
    ],
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Run the contract tests of dancekit on all components of a plugin; exit code 1 if a promise is not kept.

    Components are tried with the defaults of their parameters. -v lists every
    check.

    Examples:
      dancekit plugins check dancekit-acme
      dancekit plugins check dancekit-acme -v
      dancekit plugins check dancekit-acme --json
    """
    from dancekit.plugins.installed import check_plugin, find_plugin

    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    plugin = find_plugin(distribution)
    tried = check_plugin(plugin)
    shown = [each for each in tried if verbose or each.outcome == "broken"]
    if shown:
        rows = [[each.component, each.check, each.outcome, " ".join(each.why.split())] for each in shown]
        terminal.table(["component", "check", "", "why"], rows)
    for problem in plugin.problems:
        terminal.result(f"{plugin.distribution}: {problem}")
    count = {name: sum(each.outcome == name for each in tried) for name in ("kept", "broken", "not tried")}
    what = ", ".join(f"{number} {name}" for name, number in count.items() if number) or "nothing to check"
    terminal.result(f"{plugin.distribution} {plugin.version}: {what}")
    terminal.json(
        {
            "distribution": plugin.distribution,
            "version": plugin.version,
            "problems": list(plugin.problems),
            "checks": [dataclasses.asdict(each) for each in tried],
        }
    )
    if count["broken"] or plugin.problems:
        raise typer.Exit(1)


def _rows(plugin: Installed) -> list[list[str]]:
    return [
        [plugin.distribution, plugin.version, each.entry.kind, each.entry.name, each.state, each.why]
        for each in plugin.components
    ]


def _facts(plugin: Installed) -> dict[str, Any]:
    return {
        "distribution": plugin.distribution,
        "version": plugin.version,
        "usable": plugin.usable,
        "problems": list(plugin.problems),
        "components": [
            {
                "kind": each.entry.kind,
                "name": each.entry.name,
                "target": each.entry.target,
                "state": each.state,
                "why": each.why,
            }
            for each in plugin.components
        ],
    }
