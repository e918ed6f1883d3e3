"""A runner is made in the main thread and dropped in another one; then a signal comes. Prints what was heard."""

from __future__ import annotations

import gc
import os
import signal
import threading
from pathlib import Path

import torch
from torch import nn

from dancekit.build import build_runner

heard: list[int] = []
signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
held = [build_runner("openvino").prepare(nn.Conv2d(3, 3, 3), torch.zeros(1, 3, 8, 8))]


def drop() -> None:
    held.clear()
    gc.collect()


thread = threading.Thread(target=drop)
thread.start()
thread.join()
os.kill(os.getpid(), signal.SIGINT)
print(Path(__file__).stem, heard)
