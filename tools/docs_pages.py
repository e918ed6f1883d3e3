"""Writes the pages of the documentation that are made from the program and its data, never by hand.

    python tools/docs_pages.py            # write them
    python tools/docs_pages.py --check    # exit code 1, and what would change, if one is not up to date

`docs/reference/cli.md` comes from the Typer commands, `docs/reference/components.md` from the constructors of the
built-in components, `docs/reference/recipe.md` from the recipe's pydantic models, `docs/benchmarks.md` from
`zoo/index.json` and the first lines of `benchmarks/*.py`. They are committed, so that any site generator can read them;
`tests/docs/test_docs_pages.py` fails until they are up to date.
"""

from __future__ import annotations

import argparse
import ast
import html
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from rich.text import Text

from dancekit.cli.app import COMMANDS, load_command
from dancekit.config import schema
from dancekit.registry import describe, kinds
from dancekit.registry.builtin import BUILTIN
from dancekit.registry.signature import _bounds, _type_text, argument_docs

ROOT = Path(__file__).parents[1]
MADE = "<!-- Made by tools/docs_pages.py: change what it is made from, then run it. -->"


def prose(text: str) -> str:
    """Text in which `<name>` is no HTML; what stands between backticks is left alone."""
    pieces = text.split("`")
    pieces[::2] = [piece.replace("<", "&lt;") for piece in pieces[::2]]
    return "`".join(pieces)


def cell(text: str) -> str:
    """Text that a Markdown table can hold: one line, no bar that would end the cell."""
    return prose(" ".join(text.split())).replace("|", "\\|")


def code(text: str) -> str:
    """Text as code in a table's cell; a bar would end it, and is shown with its backslash where it is escaped."""
    line = " ".join(text.split())
    if "|" in line:
        return f"<code>{html.escape(line, quote=False).replace('|', '&#124;')}</code>"
    return f"`{line}`" if line else ""


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# ---- the command line ---------------------------------------------------------------------------------------


def _split_help(text: str) -> tuple[str, list[str]]:
    """A command's help as prose and its lines of examples."""
    said, _, examples = inspect.cleandoc(text).partition("Examples:")
    lines = inspect.cleandoc(examples).splitlines() if examples else []
    shown: list[str] = []
    for line in lines:
        if not line.strip():
            break
        shown.append(line.strip())
    rest = "\n".join(lines[len(shown) :]).strip()
    return "\n\n".join(part for part in (said.strip(), rest) if part), shown


def _argument(each: Any) -> str:
    name = each.metavar or each.name.upper()
    name += "..." if each.nargs == -1 and "=" not in name and not name.endswith("...") else ""
    if each.nargs == -1 and "=" in name and not name.endswith("..."):
        name = f"{name} ..."
    return name if each.required else f"[{name}]"


def _default(each: Any) -> str:
    if each.is_flag or each.count or each.default in (None, (), []) or each.show_default is False:
        return ""
    return str(each.default)


def _command(words: list[str], command: Any, level: str) -> Iterator[str]:
    options = [each for each in command.params if each.opts[0].startswith("-") and not each.hidden]
    arguments = [each for each in command.params if not each.opts[0].startswith("-")]
    said, examples = _split_help(command.help or "")
    usage = " ".join(["dancekit", *words, *map(_argument, arguments), "[OPTIONS]"])
    yield f"{level} dancekit {' '.join(words)}\n"
    yield f"```text\n{usage}\n```\n"
    yield prose(Text.from_markup(said).plain) + "\n"
    if examples:
        yield "```bash\n" + "\n".join(examples) + "\n```\n"
    rows = [[code(_argument(each)), cell(Text.from_markup(each.help or "").plain)] for each in arguments]
    if rows:
        yield table(["argument", "what"], rows) + "\n"
    rows = []
    for each in options:
        value = "" if each.is_flag or each.count else f" {each.metavar or 'VALUE'}"
        names = ", ".join([*each.opts, *each.secondary_opts])
        help_text = Text.from_markup(each.help or "").plain + (" Needed." if each.required else "")
        rows.append([code(names + value), code(_default(each)), cell(help_text)])
    yield table(["option", "default", "what"], rows) + "\n"


def cli_page() -> str:
    """Every command, from what Typer knows of it."""
    parts = [
        "# The command line\n",
        MADE + "\n",
        "`dancekit COMMAND --help` prints the same. Results go to stdout, all else to stderr; `--json` prints "
        "the result for programs. Exit codes: 0 ok, 1 failed, 2 usage or recipe, 3 missing extra, 4 checksum or "
        "licence, 5 offline, 130 stopped by Ctrl-C, 143 by SIGTERM. `dancekit --install-completion` installs the "
        "completion of your shell.\n",
    ]
    rows = [[f"[`{name}`](#dancekit-{name})", entry.panel, entry.help] for name, entry in COMMANDS.items()]
    parts.append(table(["command", "", "what it does"], rows) + "\n")
    for name, entry in COMMANDS.items():
        command = load_command(name)
        inside = getattr(command, "commands", None)
        if not inside:
            parts += _command([name], command, "##")
            continue
        parts.append(f"## dancekit {name}\n\n{entry.help}\n")
        for each, found in inside.items():
            parts += _command([name, each], found, "###")
    return "\n".join(parts)


# ---- components ---------------------------------------------------------------------------------------------


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, default=str)


def components_page() -> str:
    """Every built-in component with its parameters, from the constructors."""
    parts = [
        "# Components\n",
        MADE + "\n",
        "What ships, by role; `dancekit ls` lists plugins as well, `dancekit show KIND/NAME` prints an entry. A "
        "parameter goes under `params` in a recipe, or `PLACE.NAME=VALUE` on the command line. `name@version` "
        "stands in every dancer file: a new version means other numbers for the same parameters.\n",
    ]
    for kind in kinds():
        parts.append(f"## {kind}\n")
        for name in BUILTIN[kind]:
            facts = describe(kind, name)
            parts.append(f"### {kind}/{name}\n\n{facts.summary}\n")
            given = f" The rest of the recipe gives {', '.join(facts.wired)}." if facts.wired else ""
            parts.append(f"Version {facts.version}, `{facts.target}`.{given}\n")
            if facts.parameters:
                rows = [
                    [code(each.name), code(each.type), code(_value(each.default)), cell(each.doc)]
                    for each in facts.parameters
                ]
                parts.append(table(["parameter", "type", "default", "what it does"], rows) + "\n")
    return "\n".join(parts)


# ---- the recipe ---------------------------------------------------------------------------------------------

_MODELS = (
    ("Recipe", "", "The whole file"),
    ("Component", "", "A component"),
    ("LossTerm", "losses[], face_losses[]", "A loss"),
    ("TrainConfig", "train", "train"),
    ("Keep", "train.keep", "train.keep"),
    ("Optimizer", "train.optimizer", "train.optimizer"),
    ("Stage", "train.stages[]", "train.stages"),
    ("Policy", "policy", "policy"),
)


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """What the docstrings of a model and its bases say of each attribute."""
    docs: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each.__module__ == schema.__name__:
            docs |= argument_docs(inspect.cleandoc(each.__doc__ or "").replace("\nAttributes:", "\nArgs:"))
    return docs


def _field_type(info: FieldInfo) -> str:
    hint = info.annotation
    if get_origin(hint) is Literal:
        return " | ".join(map(str, get_args(hint)))
    return ", ".join([_type_text(hint), *(text for piece in info.metadata for text in _bounds(piece))])


def _field_default(info: FieldInfo) -> str:
    if info.default is PydanticUndefined:
        return "must be given"
    value = info.default
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", by_alias=True)
    elif isinstance(value, list):
        value = [each.model_dump(mode="json") if isinstance(each, BaseModel) else each for each in value]
    return code(_value(value))


def recipe_page() -> str:
    """Every key of a recipe, from the pydantic models that read it."""
    parts = [
        "# The recipe's schema\n",
        MADE + "\n",
        f"Schema {schema.SCHEMA}. Every key that a resolved recipe has; a file may leave out what has a default or "
        "comes from `extends`. Unknown keys are errors. How files are put together, and what `key=value` does: "
        "[Write a recipe](../recipes.md). What `params` may hold: [Components](components.md).\n",
    ]
    for name, place, title in _MODELS:
        model: type[BaseModel] = getattr(schema, name)
        docs = _attributes(model)
        summary = inspect.cleandoc(model.__doc__ or "").partition("\n\n")[0]
        parts.append(
            f"## {title}\n\n{summary}\n" + (f"\nAt `{place}`.\n" if place and place != title else "")
        )
        rows = []
        for key, info in model.model_fields.items():
            missing = f"{name}.{key}"
            rows.append(
                [code(info.alias or key), code(_field_type(info)), _field_default(info), cell(docs[key])]
            )
            assert docs[key], missing
        parts.append(table(["key", "type", "default", "what"], rows) + "\n")
    return "\n".join(parts)


# ---- benchmarks ---------------------------------------------------------------------------------------------


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _measured(entry: dict[str, Any]) -> Iterator[str]:
    for run in entry["measured"]:
        yield f"### `{entry['id']}`, protocol `{run['protocol']}`\n"
        width, height = run["size"]
        yield (
            f"{run['frames']} frames of {width}x{height}, {run['machine']}, commit {run['commit'][:12]}:\n\n"
            f"```bash\n{run['command']}\n```\n"
        )
        rows = [
            [
                code(score["metric"]),
                score["region"],
                _number(score["value"]),
                f"[{_number(score['low'])}, {_number(score['high'])}]"
                if score.get("low") is not None
                else "",
                score.get("unit", ""),
                {True: "higher", False: "lower"}.get(score.get("higher_is_better"), "near 1"),
            ]
            for score in run["scores"]
        ]
        yield table(["metric", "where", "value", "95 % interval", "unit", "better is"], rows) + "\n"


def benchmarks_page() -> str:
    """The zoo's numbers and the programs that measure speed, from the index and the programs themselves."""
    index = json.loads((ROOT / "zoo" / "index.json").read_text(encoding="utf-8"))
    parts = [
        "# Benchmarks\n",
        MADE + "\n",
        "## Quality\n",
        "Numbers of dancers of [the zoo](zoo.md), as they stand in `zoo/index.json`, each measured with the very file "
        "that the entry names. [Evaluate a result](evaluate.md) explains the protocols and the intervals, "
        "[Metrics](metrics.md) the metrics. Baselines stand beside them [there](evaluate.md#the-shipped-demo).\n",
    ]
    for entry in index["entries"]:
        if entry.get("measured"):
            parts += _measured(entry)
    parts.append("## Speed and accuracy\n")
    parts.append(
        "Programs in `benchmarks/` of the repository. Each prints what it measured (most take `--json`); figures and "
        "the machines they were measured on stand in the page of what they are about, not here, because they are "
        "those of one machine.\n"
    )
    rows = []
    for path in sorted((ROOT / "benchmarks").glob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        calls = re.findall(rf"^ *(python benchmarks/{path.name}.*)$", text, re.M)
        if calls:
            rows.append(
                [f"`{path.name}`", cell(text.partition("\n\n")[0]), "<br>".join(code(each) for each in calls)]
            )
    parts.append(table(["program", "what it measures", "how"], rows) + "\n")
    return "\n".join(parts)


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/cli.md": cli_page,
    "docs/reference/components.md": components_page,
    "docs/reference/recipe.md": recipe_page,
    "docs/benchmarks.md": benchmarks_page,
}


def main() -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing, say what is not up to date")
    check = parser.parse_args().check
    stale = []
    for name, make in PAGES.items():
        path, text = ROOT / name, make().rstrip() + "\n"
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, encoding="utf-8", newline="\n")
    print(*(f"{name} {'is not up to date' if check else 'written'}" for name in stale), sep="\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
