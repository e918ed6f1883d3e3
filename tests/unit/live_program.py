"""`python live_program.py SIGNAL WORD...`: `dancekit live WORD...` that gets a signal when its fourth frame is due."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest
from live_stage import Seer

from dancekit.cli.app import main
from dancekit.live.film import FilmSource
from dancekit.live.shots import Shot


def run(number: int, words: list[str]) -> int:
    """The command's exit code; how many frames it asked for is printed."""
    given, newest = 0, FilmSource.newest

    def counted(source: FilmSource) -> Shot | None:
        nonlocal given
        given += 1
        if given == 4:
            os.kill(os.getpid(), number)
        return newest(source)

    # programs that a shell starts in the background ignore Ctrl-C, and this may be one of them
    signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dancekit.transfer.pipeline.build_pose", lambda *_, **__: Seer())
        patch.setattr(FilmSource, "newest", counted)
        code = main(["live", *words])
    print(json.dumps({"given": given, "handler restored": signal.getsignal(signal.SIGTERM) is before}))
    return code


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]), sys.argv[2:]))
