"""A job of `dancekit batch`: the command line, in a process that dies with the worker which started it."""

from __future__ import annotations

import os
import signal
import sys
import threading


def die_with_parent() -> None:
    """End at once when standard input breaks: whoever holds its other end is gone, and may be replaced already.

    Everything that is written appears whole or not at all, so that nothing is lost by it but what came after the last
    checkpoint.
    """

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)

    threading.Thread(target=watch, name="dancekit-parent", daemon=True).start()


if __name__ == "__main__":
    die_with_parent()
    from dancekit.cli.app import main

    sys.exit(main())
