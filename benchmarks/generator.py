"""Time the quick generator with dancekit's instance norm and with torch's, forward and training step.

    python benchmarks/generator.py [--json] [--rounds N] [--threads N]

One process, the variants in turn in every round, CPU time of the process (`time.process_time`, so that other
work on the machine disturbs little), medians over the rounds after a warm-up.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from dancekit.generators.pix2pixhd import Pix2PixHD
from dancekit.layers import InstanceNorm2d

QUICK = {"ngf": 32, "n_down": 3, "n_blocks": 6, "in_channels": 6}
SIZE = 256


def plain(network: Pix2PixHD) -> nn.Module:
    """The same network with `nn.InstanceNorm2d`, run in NCHW."""
    for module in network.modules():
        for name, child in list(module.named_children()):
            if isinstance(child, InstanceNorm2d):
                setattr(module, name, nn.InstanceNorm2d(child.channels))
    return network.model


def milliseconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return 1e3 * (time.process_time() - start)


def measure(batch: int, rounds: int) -> dict[str, dict[str, float]]:
    torch.manual_seed(0)
    variants: dict[str, nn.Module] = {"plain": plain(Pix2PixHD(**QUICK)), "dancekit": Pix2PixHD(**QUICK)}
    x = torch.randn(batch, QUICK["in_channels"], SIZE, SIZE)
    times: dict[str, dict[str, list[float]]] = {name: {"forward": [], "step": []} for name in variants}
    optimizers = {name: torch.optim.Adam(network.parameters()) for name, network in variants.items()}

    def step(name: str) -> None:
        optimizers[name].zero_grad()
        variants[name](x).square().mean().backward()
        optimizers[name].step()

    for number in range(rounds + 1):
        for name, network in variants.items():
            with torch.inference_mode():
                forward = milliseconds(lambda network=network: network(x))
            whole = milliseconds(lambda name=name: step(name))
            if number:  # the first round warms up
                times[name]["forward"].append(forward)
                times[name]["step"].append(whole)
    return {
        name: {f"{what}_ms": round(statistics.median(values), 1) for what, values in parts.items()}
        for name, parts in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--data", help="unused: this benchmark makes its own input")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    result: dict[str, object] = {
        "what": "pix2pixhd generator, quick: " + ", ".join(f"{k} {v}" for k, v in QUICK.items()),
        "size": [SIZE, SIZE],
        "threads": arguments.threads,
        "torch": torch.__version__,
    }
    for batch in (1, 2):
        result[f"batch_{batch}"] = measure(batch, arguments.rounds)
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"{result['what']}, {SIZE}x{SIZE}, {arguments.threads} thread(s), CPU milliseconds")
    for batch in (1, 2):
        times = result[f"batch_{batch}"]
        for what in ("forward_ms", "step_ms"):
            was, now = times["plain"][what], times["dancekit"][what]
            print(
                f"batch {batch} {what[:-3]:8} torch's norm {was:7.1f}  dancekit {now:7.1f}  {was / now:.2f}x"
            )


if __name__ == "__main__":
    main()
