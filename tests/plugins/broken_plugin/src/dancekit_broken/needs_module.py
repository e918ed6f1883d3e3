"""A module that needs something its distribution does not declare."""

import imaginary_module.deep  # noqa: F401
