"""What `accelerate launch` and torchrun say to the processes they start, by the environment. Imports nothing."""

from __future__ import annotations

import os


def launched() -> int:
    """How many processes were started to share one training; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def leads() -> bool:
    """Whether this is the process that prepares, writes and talks."""
    return launched() == 1 or os.environ["RANK"] == "0"


def wished_precision() -> str:
    """`--mixed_precision` of accelerate launch; `no` where nothing was said."""
    return os.environ.get("ACCELERATE_MIXED_PRECISION", "no")


def on_cpu() -> bool:
    """`--cpu` of accelerate launch."""
    return os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("true", "1", "yes")
