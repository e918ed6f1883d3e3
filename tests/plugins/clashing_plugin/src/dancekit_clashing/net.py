"""A component that must never be loaded under a name that is taken."""


class Net:
    """An impostor."""

    version = 1
