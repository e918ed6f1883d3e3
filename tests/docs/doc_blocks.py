"""Code blocks of the documentation: found, checked against the program, and run.

Every fenced block says its language. `bash` and `python` blocks are checked (commands and options exist, overrides
are valid, imports resolve) and run, in a folder that has the clips, the run and the dancer that the pages speak of. A
block that cannot run in a test says why, in a line before it:

    <!-- not run: needs forty minutes -->

A `yaml` block whose first line is `# NAME.yaml` is that file for the blocks after it. Training is run with the recipe
`tiny` for two steps, and `--device cpu`.
"""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LANGUAGES = {"bash", "python", "yaml", "toml", "json", "text", "console", "csv"}
SHELL = {"cd", "cp", "docker", "export", "git", "hf", "lint-imports", "mkdir", "mkdocs", "mypy", "npm"}
SHELL |= {
    ".",
    "python",
    "python3.11",
    "ruff",
    "tar",
    "tensorboard",
    "unzip",
    "curl",
    "towncrier",
    "tools/check_release.sh",
}
"""Programs of which nothing is known here but that they exist."""
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<body>.*?)^(?P=indent)```", re.S | re.M
)
_NOT_RUN = re.compile(r"<!-- not run: (?P<reason>.+?) -->\s*\Z")


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line it begins in, its language, its text, and why it is not run ("" if it is)."""

    page: str
    line: int
    language: str
    text: str
    not_run: str

    @property
    def file(self) -> str:
        """The file that a YAML block is, as its first line says; else ""."""
        named = re.match(r"# ([\w.-]+\.yaml)\n", self.text)
        return named[1] if self.language == "yaml" and named else ""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """What is written for people, generated pages apart: the tests of the program run what stands in those."""
    found = [ROOT / "README.md", ROOT / "recipes" / "README.md", ROOT / "tools" / "README.md"]
    made = "<!-- Made by tools/docs_pages.py"
    found += [page for page in sorted((ROOT / "docs").rglob("*.md")) if made not in page.read_text("utf-8")]
    return found


def blocks(path: Path) -> list[Block]:
    """The blocks of a page, in order."""
    text = path.read_text("utf-8")
    page = path.relative_to(ROOT).as_posix()
    found = []
    for match in _FENCE.finditer(text):
        mark = _NOT_RUN.search(text[: match.start()])
        body = "\n".join(line.removeprefix(match["indent"]) for line in match["body"].splitlines())
        line = text[: match.start()].count("\n") + 1
        found.append(Block(page, line, match["language"], body, mark["reason"] if mark else ""))
    return found


def commands(text: str) -> list[list[str]]:
    """The words of each command of a shell block: lines joined at backslashes, comments gone, split at `&&`."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        words: list[str] = []
        for word in [*shlex.split(line, comments=True), "&&"]:
            if word not in ("&&", ";", "|"):
                words.append(word)
                continue
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):  # variables for this command
                words = words[1:]
            if words:
                found.append(words)
            words = []
    return found


def check_command(words: list[str], folder: Path) -> None:
    """One command of a shell block against what exists.

    Raises:
        AssertionError, SystemExit or an error of the command line: It would not run.
    """
    program, *rest = words
    if program == "dancekit":
        check_dancekit(rest, folder)
    elif program in ("python", "python3.11", "mpvenv/bin/python") and rest[0].endswith(".py"):
        script = ROOT / rest[0]
        assert script.is_file(), f"there is no {rest[0]}"
        source = script.read_text("utf-8")
        unknown = [
            word for word in rest if word.startswith("--") and f'"{word.partition("=")[0]}"' not in source
        ]
        assert not unknown, f"{rest[0]} has no {', '.join(unknown)}"
    elif program == "accelerate":
        at = rest.index("-m")
        assert (rest[0], rest[at + 1]) == ("launch", "dancekit"), "accelerate launch -m dancekit"
        check_dancekit(rest[at + 2 :], folder)
    elif program in ("pip", "mpvenv/bin/pip"):
        named = {
            extra
            for word in rest
            for extra in re.findall(r"\[([\w,]+)\]", word)
            if "mkdocstrings" not in word
        }
        unknown_extras = {each for extras in named for each in extras.split(",")} - extras_of_project()
        assert not unknown_extras, f"there is no extra {', '.join(sorted(unknown_extras))}"
    elif program == "pytest":
        missing = [word for word in rest if word.startswith("tests/") and not (ROOT / word).exists()]
        assert not missing, f"there is no {', '.join(missing)}"
    else:
        assert program in SHELL, f"{program!r} is no command that is known here"


def check_dancekit(words: list[str], folder: Path) -> None:
    """A call of dancekit: command, options, arguments, and what overrides and recipes say."""
    from dancekit.cli.app import COMMANDS, load_command

    if not words or words[0] in ("--help", "--version", "--install-completion"):
        return
    name, *rest = words
    assert name in COMMANDS, f"there is no command {name}"
    command = load_command(name)
    inside = getattr(command, "commands", None)
    if inside:
        if not rest and getattr(command, "invoke_without_command", False):
            return
        assert rest, f"dancekit {name} needs a command of its own"
        name, *rest = rest
        assert name in inside, f"there is no {name} in {command.name}"
        command = inside[name]
    if "--help" in rest:
        return
    given: dict[str, Any] = command.make_context(name, list(rest)).params
    check_overrides(given, folder)


def check_overrides(given: dict[str, Any], folder: Path) -> None:
    """That recipe and overrides of a call go together; a file that the page does not show stands for `quick`."""
    from dancekit.config import load_recipe
    from dancekit.config.files import is_file_name

    overrides = [text for text in given.get("overrides") or () if "=" in text]
    recipe = given.get("recipe")
    names = recipe if isinstance(recipe, (list, tuple)) else [recipe or "quick"]
    for each in map(str, names):
        of_the_reader = is_file_name(each) or ("/" in each and not each.startswith(KNOWN))
        shown = folder / each if (folder / each).is_file() else "quick"
        load_recipe(shown if of_the_reader else each, overrides)


KNOWN = ("edn/", "pix2pix", "toy/")
"""Folders of packaged recipes; any other path is a file of the reader's."""


@cache
def extras_of_project() -> frozenset[str]:
    """The extras that pyproject.toml declares."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return frozenset(project["optional-dependencies"])


def check_python(text: str) -> None:
    """That a Python block compiles and that everything it imports of dancekit exists."""
    tree = ast.parse(text)
    compile(tree, "block", "exec")
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                importlib.import_module(each.name)
                modules[each.asname or each.name] = each.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            for each in node.names:
                assert hasattr(module, each.name), f"{node.module} has no {each.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            module = importlib.import_module(modules[node.value.id])
            assert hasattr(module, node.attr), f"{module.__name__} has no {node.attr}"


def check_yaml(text: str, folder: Path) -> None:
    """That a YAML block can be read; a whole recipe or ablation must be valid."""
    from ruamel.yaml import YAML

    from dancekit.ablation.matrix import load_matrix
    from dancekit.batch.manifest import read_manifest
    from dancekit.config import load_recipe

    data = YAML(typ="safe", pure=True).load(text)
    if not isinstance(data, dict) or "schema" not in data:
        return
    path = folder / f"{data.get('name', 'checked')}.yaml"
    path.write_text(text, "utf-8")
    if "arms" in data:
        load_matrix(path)
    elif "jobs" in data:
        read_manifest(path)
    elif "metrics" not in data:
        load_recipe(path)
