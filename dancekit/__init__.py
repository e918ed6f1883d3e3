"""dancekit: a video of somebody dancing becomes a video of somebody else doing that dance.

Importing this package imports no torch; each public name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from dancekit.build import create as create
    from dancekit.data.poses import estimate_poses as estimate_poses
    from dancekit.errors import DancekitError as DancekitError
    from dancekit.registry import list_components as list_components
    from dancekit.training import train as train
    from dancekit.transfer import Dancer as Dancer
    from dancekit.types import PoseSequence as PoseSequence

_LAZY = {
    "Dancer": "dancekit.transfer",
    "DancekitError": "dancekit.errors",
    "PoseSequence": "dancekit.types",
    "create": "dancekit.build",
    "estimate_poses": "dancekit.data.poses",
    "list_components": "dancekit.registry",
    "train": "dancekit.training",
}
__all__ = [*sorted(_LAZY), "__version__"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'dancekit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
