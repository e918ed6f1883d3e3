"""Completion by the shell: commands, options and names, as bash asks for them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def complete(words: str, tmp_path: Path) -> list[str]:
    """What bash is told for a line whose last word is being typed."""
    typed = words.split(" ")
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from dancekit.cli.app import main; sys.exit(main())"],
        env={
            **os.environ,
            "_DANCEKIT_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(typed) - 1),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dancekit tra", {"train", "transfer"}),
        ("dancekit zoo ver", {"verify"}),
        ("dancekit train --tar", {"--target"}),
        ("dancekit train --recipe qui", {"quick"}),
        ("dancekit ls aug", {"augmentation"}),
        ("dancekit new-plugin acme --kind dis", {"discriminator"}),
    ],
)
def test_a_word_is_completed(words: str, expected: set[str], tmp_path: Path) -> None:
    assert set(complete(words, tmp_path)) == expected


def test_the_script_for_the_shell(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dancekit", "--show-completion", "bash"],
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "_DANCEKIT_COMPLETE=complete_bash" in done.stdout
