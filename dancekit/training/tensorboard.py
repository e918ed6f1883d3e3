"""TensorBoard as a logger: `train.loggers=[tensorboard]`, the extra `dancekit[tensorboard]`."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.errors import MissingExtra


def check_tensorboard() -> None:
    """Whether it is installed.

    Raises:
        MissingExtra: It is not.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise MissingExtra(
            "train.loggers names tensorboard, which is not installed",
            hint="pip install 'dancekit[tensorboard]', or train.loggers=[]",
        )


class TensorBoard:
    """Writes scalars and previews into a folder for `tensorboard --logdir`.

    Args:
        folder: Where.
        step: The step that training goes on from: what an undone future wrote is hidden.
    """

    def __init__(self, folder: Path, step: int) -> None:
        check_tensorboard()
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder), purge_step=step + 1)

    def record(self, record: Mapping[str, Any]) -> None:
        """A line of metrics.jsonl."""
        for name, value in record.items():
            if name != "step" and isinstance(value, int | float):
                group = (
                    "run" if name in ("seconds_per_step", "frames_per_second", "memory_mb", "lr") else "loss"
                )
                self._writer.add_scalar(f"{group}/{name}", value, record["step"])

    def picture(self, rgb: NDArray[np.uint8], step: int) -> None:
        """A preview, (H, W, 3)."""
        self._writer.add_image("preview", rgb, step, dataformats="HWC")

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
