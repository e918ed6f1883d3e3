"""A module that needs an optional dependency of its distribution."""

import imaginary_kernels  # noqa: F401
