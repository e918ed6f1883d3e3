"""Every code block of README and documentation: a language, real commands and options, imports that resolve."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from doc_blocks import (
    LANGUAGES,
    ROOT,
    Block,
    blocks,
    check_command,
    check_python,
    check_yaml,
    commands,
    pages,
)

PAGES = pages()
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]


def problems_of(found: list[Block], folder: Path) -> list[str]:
    """What is wrong with blocks, each with its place."""
    problems = []
    for block in found:
        if block.language not in LANGUAGES:
            problems.append(f"{block.place}: {block.language or 'no'} language; one of {sorted(LANGUAGES)}")
        try:
            if block.language == "bash":
                for words in commands(block.text):
                    last = " ".join(words)
                    check_command(words, folder)
            elif block.language == "python":
                last = "import"
                check_python(block.text)
            elif block.language == "yaml":
                last = "yaml"
                check_yaml(block.text, folder)
                if block.file:
                    (folder / block.file).write_text(block.text, "utf-8")
        except (Exception, SystemExit) as error:
            problems.append(f"{block.place}: {last}: {type(error).__name__}: {error}")
    return problems


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_blocks_say_what_is_there(page: Path, tmp_path: Path) -> None:
    problems = problems_of(blocks(page), tmp_path)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_code_in_sentences_names_commands_and_files_that_exist(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.S | re.M)
    problems = []
    for spoken in re.findall(r"`([^`\n]+)`", text):
        words = spoken.split()
        if words[0] == "dancekit" and len(words) > 1:
            problems += unknown_in_sentence(words[1:])
        for path in re.findall(
            r"(?<![\w/.-])(?:docs|tools|benchmarks|tests|recipes|dancekit)/[\w/.-]+\.\w+", spoken
        ):
            if not (ROOT / path).exists():
                problems.append(f"{spoken}: there is no {path}")
    assert not problems, "\n".join(problems)


def unknown_in_sentence(words: list[str]) -> list[str]:
    """Commands and options that do not exist in a call that may lack its arguments."""
    from dancekit.cli.app import COMMANDS, load_command

    if not re.fullmatch(r"[a-z][a-z-]*", words[0]):
        return []  # `dancekit COMMAND --help`
    problems = []
    for name in words[0].split("|"):
        if name not in COMMANDS:
            return [f"dancekit {name}: there is no such command"]
        command = load_command(name)
        rest = words[1:]
        inside = getattr(command, "commands", None)
        if inside and rest and re.fullmatch(r"[a-z|]+", rest[0]):
            problems += [f"dancekit {name} {each}" for each in rest[0].split("|") if each not in inside]
            command = inside.get(rest[0])
        if command is None or getattr(command, "commands", None):
            continue
        options = {opt for each in command.params for opt in (*each.opts, *each.secondary_opts)} | {"--help"}
        given = [word.partition("=")[0] for word in rest if word.startswith("--")]
        problems += [f"dancekit {' '.join(words)}: no {word}" for word in given if word not in options]
    return problems


@pytest.mark.parametrize(
    "text",
    [
        "```bash\ndancekit transfr a.mp4\n```",
        "```bash\ndancekit transfer a.mp4 --dancr b.safetensors\n```",
        "```bash\ndancekit train --target me.mp4 generator.ngff=3\n```",
        "```bash\ndancekit train --target me.mp4 --recipe qick\n```",
        "```bash\ndancekit zoo gett demo\n```",
        "```bash\ndancekit pose --out poses.npz\n```",
        "```bash\npython benchmarks/metrics.py --bytes 3\n```",
        "```bash\npython benchmarks/nothing.py\n```",
        "```bash\npip install 'dancekit[everything]'\n```",
        "```bash\nconda install dancekit\n```",
        "```\ndancekit ls\n```",
        "```python\nfrom dancekit import Dancers\n```",
        "```python\nimport dancekit\ndancekit.paint()\n```",
        "```python\nfor\n```",
        "```yaml\nschema: 1\nsize: [64, 64]\n```",
    ],
)
def test_what_is_wrong_is_found(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, "utf-8")
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("doc_blocks.ROOT", tmp_path)
        found = blocks(page)
    assert len(found) == 1
    assert len(problems_of(found, tmp_path)) == 1


def test_commands_are_cut_as_a_shell_cuts_them() -> None:
    text = "A=1 dancekit ls  # a comment\npip install . && dancekit demo\ndancekit pose 'a b.mp4' \\\n  --out c.npz\n"
    assert commands(text) == [
        ["dancekit", "ls"],
        ["pip", "install", "."],
        ["dancekit", "demo"],
        ["dancekit", "pose", "a b.mp4", "--out", "c.npz"],
    ]
