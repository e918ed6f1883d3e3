"""Every command explains itself, with examples that parse, and without importing torch."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
from typing import Any

import pytest
from cli_tools import Cli

from dancekit.cli.app import COMMANDS, load_command

WRITTEN = [
    name for name, entry in COMMANDS.items() if importlib.util.find_spec(entry.target.partition(":")[0])
]


def each_command(name: str) -> list[tuple[list[str], Any]]:
    """A command with the words that call it; of a group, every one in it."""
    command = load_command(name)
    inside = getattr(command, "commands", None)
    return [([name, each], found) for each, found in inside.items()] if inside else [([name], command)]


def examples(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("dancekit ")]


def test_every_command_of_the_table_exists() -> None:
    assert set(COMMANDS) - set(WRITTEN) <= {"demo"}
    for name in WRITTEN:
        assert load_command(name).name == name


@pytest.mark.parametrize("name", WRITTEN)
def test_help_has_examples_that_parse(cli: Cli, name: str) -> None:
    for called, command in each_command(name):
        shown = cli(*called, "--help")
        assert shown.code == 0
        assert not shown.err
        written = examples(command.help)
        assert written
        for line in written:
            assert line in shown.out, "an example is broken over two lines"
            words = shlex.split(line.partition(">")[0])[1:]
            if words[: len(called)] == called:
                # raises on an unknown option or a missing argument
                command.make_context(called[-1], words[len(called) :])


def test_the_overview_lists_every_command(cli: Cli) -> None:
    shown = cli("--help")
    assert shown.code == 0
    for name, entry in COMMANDS.items():
        assert any(name in line and entry.help in line for line in shown.out.splitlines())
    assert cli().out.strip() == shown.out.strip(), "no arguments at all: the overview"


def test_the_version(cli: Cli) -> None:
    from dancekit import __version__

    assert cli("--version").out == f"dancekit {__version__}\n"


def test_help_and_looking_things_up_import_no_torch() -> None:
    calls = [["--help"], *([name, "--help"] for name in WRITTEN)]
    calls += [["ls"], ["ls", "generator", "--json"], ["ls", "recipes"]]
    program = (
        "import sys\n"
        "from dancekit.cli.app import main\n"
        "assert not any(name.startswith('dancekit.cli.') for name in sys.modules"
        " if name not in ('dancekit.cli.app', 'dancekit.cli.console'))\n"
        f"assert [main(call) for call in {calls!r}] == [0] * {len(calls)}\n"
        "heavy = {'torch', 'cv2', 'kornia', 'onnxruntime', 'av'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dancekit", "nope"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no command 'nope'")
    assert not done.stdout


@pytest.mark.parametrize("name", WRITTEN)
def test_shared_options_mean_the_same(name: str) -> None:
    from dancekit.cli import options

    kinds = {"force": "--force", "as_json": "--json", "device": "--device", "seed": "--seed"}
    helps = {options.Device.__metadata__[0].help, options.Json.__metadata__[0].help}
    for _, command in each_command(name):
        found = {each.name: each for each in command.params}
        assert found["verbose"].opts == ["--verbose", "-v"]
        assert found["quiet"].opts == ["--quiet", "-q"]
        for key, flag in kinds.items():
            assert key not in found or found[key].opts == [flag]
        assert {found[key].help for key in ("device", "as_json") if key in found} <= helps
