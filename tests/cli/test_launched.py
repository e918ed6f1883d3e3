"""What the command line makes of a launcher's environment."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from cli_tools import Cli

from dancekit.cli.interrupt import StopOnInterrupt
from dancekit.cli.progress import NoDisplay
from dancekit.cli.train import with_launchers_precision
from dancekit.errors import UsageError


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """This is the first of two processes."""
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")


def test_a_recipe_names_its_target_or_the_command_line_does(cli: Cli, tmp_path: Path, clips) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("schema: 1\nsummary: mine\nextends: [tiny]\n")
    outcome = cli("run", recipe)
    assert outcome.code == 2 and "names no target" in outcome.err and "--target VIDEO" in outcome.err
    outcome = cli("run", recipe, "target=nothing.mp4")
    assert outcome.code != 0 and "nothing.mp4" in outcome.err and not (tmp_path / "runs").exists()
    outcome = cli(
        "run", recipe, "target=nothing.mp4", "--target", clips[1], "train.steps=1", "--out", "a", "-q"
    )
    assert outcome.code == 0 and outcome.out.strip() == "a/dancer.safetensors"
    assert b"nothing.mp4" not in (tmp_path / "a" / "dancer.safetensors").read_bytes()
    assert "target:" not in (tmp_path / "a" / "recipe.yaml").read_text()


def test_commands_that_nobody_can_share_are_refused(cli: Cli, two: None) -> None:
    outcome = cli("transfer", "a.mp4", "--dancer", "demo")
    assert outcome.code == 2
    assert "2 processes would each run dancekit transfer" in outcome.err


def test_the_launchers_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    assert with_launchers_precision(["a=1"]) == ["a=1"]
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    assert with_launchers_precision(["train.precision=bf16"]) == ["train.precision=bf16"]
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert with_launchers_precision(["a=1"]) == ["a=1", "train.precision=bf16"]
    assert with_launchers_precision(["train.precision=bf16"]) == ["train.precision=bf16"]
    with pytest.raises(UsageError, match=r"train\.precision=fp32 disagree"):
        with_launchers_precision(["train.precision=fp32"])
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp16")
    with pytest.raises(UsageError, match="fp32 or bf16"):
        with_launchers_precision([])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_launchers_copy_of_a_signal_is_no_second_one(two: None, number: int) -> None:
    with StopOnInterrupt(NoDisplay(), lambda text: None) as stop:
        stop.progress("steps", 0, 10)
        for _ in range(3):
            os.kill(os.getpid(), number)
        assert stop.should_stop()


def test_who_only_waits_can_be_ended_before_the_first_step(
    two: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    before = signal.getsignal(signal.SIGTERM)
    with StopOnInterrupt(NoDisplay(), lambda text: None) as stop:
        assert signal.getsignal(signal.SIGTERM) is before, "it may hang where no handler is heard"
        stop.progress("steps", 0, 10)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.should_stop()
    assert signal.getsignal(signal.SIGTERM) is before
