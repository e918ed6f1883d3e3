"""The one door to numba: compiled functions, or one clear error where the extra is not installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from dancekit.errors import MissingExtra

try:
    from numba import njit
except ImportError:
    raise MissingExtra(
        "the dancefloor needs numba, which is not installed", hint="pip install 'dancekit[dancefloor]'"
    ) from None

Floats = NDArray[np.float64]
"""Everything is computed in double precision: the same seed gives the same truth on any machine."""
Singles = NDArray[np.float32]
Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]

Function = TypeVar("Function", bound=Callable[..., Any])


def jit(function: Function) -> Function:
    """Compile when first called; the machine code is kept beside the source, or in the user's cache folder."""
    return cast(Function, njit(cache=True)(function))


def inlined(function: Function) -> Function:
    """As `jit`, for small helpers that are called in the innermost loops."""
    return cast(Function, njit(cache=True, inline="always")(function))
