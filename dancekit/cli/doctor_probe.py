"""What a device does when it is asked for two seconds: operations a second, measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

SECONDS = 1.0
"""For each of the two measurements of a device."""

_SIDE = {"cpu": 1024, "cuda": 4096, "mps": 2048}
_CHANNELS = {"cpu": 64, "cuda": 256, "mps": 128}


def measure(
    call: Callable[[], Any], operations: float, seconds: float, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Repeat something for a while.

    Args:
        call: What; it returns when it is done.
        operations: Of a call.
        seconds: For how long; one call at least, after one that does not count.
        clock: Seconds.

    Returns:
        Thousands of millions of operations a second, of the fastest call.
    """
    call()
    began, fastest = clock(), float("inf")
    while True:
        start = clock()
        call()
        end = clock()
        fastest = min(fastest, end - start)
        if end - began >= seconds:
            return operations / fastest / 1e9 if fastest > 0 else float("inf")


def probe(device: str, seconds: float = SECONDS) -> dict[str, float]:
    """GFLOP/s of a matrix product and of a 3x3 convolution in single precision, as networks here use them.

    Args:
        device: cpu, cuda or mps.
        seconds: For each.
    """
    import torch

    kind = device.partition(":")[0]
    side, channels = _SIDE[kind], _CHANNELS[kind]
    wait = {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}.get(kind, lambda: None)
    with torch.inference_mode():
        matrix = torch.rand(side, side, device=device)
        image = torch.rand(1, channels, 128, 128, device=device)
        kernel = torch.rand(channels, channels, 3, 3, device=device)

        def product() -> None:
            torch.mm(matrix, matrix)
            wait()

        def convolution() -> None:
            torch.nn.functional.conv2d(image, kernel, padding=1)
            wait()

        return {
            "matmul GFLOP/s": round(measure(product, 2.0 * side**3, seconds), 1),
            "conv GFLOP/s": round(measure(convolution, 2.0 * 9 * channels**2 * 128 * 128, seconds), 1),
        }
