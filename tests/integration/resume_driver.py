"""A training that is killed from within, for test_resume.py; it runs in a process of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any


def train_until_killed(
    where: str, target: str, out: str, overrides: list[str], log: str, env: dict[str, str]
) -> None:
    """Train, and die where it is said.

    Args:
        log: Where stdout and stderr go.
        env: The environment, which is otherwise that of the first process of this kind.
    """
    os.environ.clear()
    os.environ.update(env)
    with Path(log).open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)

    import torch

    from dancekit import train
    from dancekit.config import load_recipe
    from dancekit.training import checkpoint

    def die(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if where == "first step":
        torch.optim.Adam.step = die  # type: ignore[method-assign]
    elif where == "writing a checkpoint":
        write, count = checkpoint.write_safetensors, [0]

        def third(path: Path, tensors: Any, metadata: Any) -> Any:
            count[0] += 1
            if count[0] == 3:
                path.write_bytes(b"half")
                die()
            return write(path, tensors, metadata)

        checkpoint.write_safetensors = third

    def progress(what: str, done: int, total: int) -> None:
        if where == "after a stage's end" and what == "steps" and done == 9:
            die()
        if where == "preparing" and what == "frames" and done == 7:
            die()

    train(target, load_recipe("tiny", overrides), out=out, device="cpu", resume=True, progress=progress)
    raise SystemExit("nothing killed it")
