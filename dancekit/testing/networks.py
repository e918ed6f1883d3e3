"""What every network promises: gradients, repeatable results, weights that can be kept, devices, compilation."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dancekit.testing.checks import require, skip
from dancekit.testing.subject import Subject

CLOSE = 1e-4
"""Largest difference of images in [-1, 1] that another order of additions may make."""

BF16 = 0.15
"""Largest mean difference that bfloat16 may make: it has 8 bits."""


@dataclass(frozen=True)
class Probe:
    """How a kind's network is tried.

    Attributes:
        inputs: Makes its inputs, (B, ...) tensors of two samples.
        run: Network and inputs to a flat list of (B, ...) tensors.
        prepare: Done to every new network, for those that begin by doing nothing.
        compiles: Whether what is called is the module itself, which is what `torch.compile` compiles.
    """

    inputs: Callable[[Subject, Any], tuple[Tensor, ...]]
    run: Callable[[Any, Sequence[Tensor]], list[Tensor]]
    prepare: Callable[[Any], None] = lambda network: None
    compiles: bool = True

    def network(self, subject: Subject, *, seed: int = 0) -> Any:
        """A network in eval mode, prepared."""
        network = make(subject, seed=seed)
        self.prepare(network)
        return network

    def outputs(self, subject: Subject, network: Any) -> list[Tensor]:
        """What it gives for the inputs, without gradients."""
        with torch.no_grad():
            return self.run(network, self.inputs(subject, network))


def network_checks(probe: Probe) -> list[Callable[[Subject], None]]:
    """The checks of all networks, for one kind."""
    return [_bound(check, probe) for check in _CHECKS if probe.compiles or check is not it_can_be_compiled]


def make(subject: Subject, *, seed: int = 0, **wired: Any) -> Any:
    """A network in eval mode whose weights were drawn from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = subject.build(**wired)
    require(isinstance(network, nn.Module), f"{type(network).__name__} is no torch.nn.Module")
    return network.eval()


def it_repeats_itself(subject: Subject, probe: Probe) -> None:
    """In eval mode the same input gives the same output bit for bit, and the input is left as it was."""
    network = probe.network(subject)
    inputs = probe.inputs(subject, network)
    before = [each.clone() for each in inputs]
    with torch.no_grad():
        one = probe.run(network, inputs)
        require(_equal(before, inputs), "it changed its input")
        two = probe.run(network, inputs)
    require(_equal(one, two), f"two runs differ by {_difference(one, two):.3g}")


def a_seed_decides_its_weights(subject: Subject, probe: Probe) -> None:
    """Built twice after `torch.manual_seed(n)`, it has the same weights: training can be repeated."""
    one, two = (make(subject, seed=7).state_dict() for _ in range(2))
    wrong = [key for key in one if not torch.equal(one[key], two[key])]
    require(not wrong, f"{', '.join(wrong[:3])} do not follow torch's generator of random numbers")


def its_samples_do_not_touch_each_other(subject: Subject, probe: Probe) -> None:
    """In eval mode each sample of a batch gives what it gives alone."""
    network = probe.network(subject)
    inputs = probe.inputs(subject, network)
    with torch.no_grad():
        together = probe.run(network, inputs)
        alone = [probe.run(network, [each[n : n + 1] for each in inputs]) for n in range(len(inputs[0]))]
    joined = [torch.cat(parts) for parts in zip(*alone, strict=True)]
    require(
        _close(together, joined), f"a batch differs from its samples by {_difference(together, joined):.3g}"
    )


def gradients_reach_everything(subject: Subject, probe: Probe) -> None:
    """In training mode finite gradients reach every trainable parameter, and, if it has any, the first input."""
    network = probe.network(subject).train()
    trainable = [(name, each) for name, each in network.named_parameters() if each.requires_grad]
    if not trainable:
        skip("it has no weights to train")
    first, *rest = probe.inputs(subject, network)
    first = first.clone().requires_grad_()
    torch.autograd.backward(_score(probe.run(network, [first, *rest])))
    idle = [name for name, each in trainable if each.grad is None]
    require(not idle, f"no gradient reaches {', '.join(idle[:3])}: train it, or leave it out")
    broken = [name for name, each in trainable if each.grad is not None and not each.grad.isfinite().all()]
    require(not broken, f"the gradient of {', '.join(broken[:3])} is not finite")
    reached = torch.full_like(first, torch.nan) if first.grad is None else first.grad
    require(bool(reached.isfinite().all()), "no finite gradient reaches the input")
    require(bool(reached.count_nonzero()), "the gradient that reaches the input is zero everywhere")


def its_weights_can_be_kept(subject: Subject, probe: Probe) -> None:
    """Weights survive a safetensors file: another instance that loads them gives the same output."""
    from safetensors.torch import load, save

    network = probe.network(subject, seed=1)
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    other = probe.network(subject, seed=2)
    other.load_state_dict(load(save(state)) if state else {}, strict=True)
    one, two = probe.outputs(subject, network), probe.outputs(subject, other)
    require(_equal(one, two), f"after loading, outputs differ by {_difference(one, two):.3g}")


def it_can_be_built_without_memory(subject: Subject, probe: Probe) -> None:
    """Under `torch.device("meta")` nothing is allocated, and weights that are then assigned work.

    That is how a dancer file is opened: what a constructor computes outside of its state dict is lost.
    """
    network = probe.network(subject, seed=1)
    with torch.device("meta"):
        empty = subject.build().eval()
    placed = [name for name, each in empty.named_parameters() if each.device.type != "meta"]
    require(not placed, f"{', '.join(placed[:3])} ignore the meta device")
    own, its = ({k: tuple(v.shape) for k, v in each.state_dict().items()} for each in (network, empty))
    require(own == its, "on the meta device the state dict has other keys or shapes")
    empty.load_state_dict(network.state_dict(), strict=True, assign=True)
    lost = [
        name
        for name, each in [*empty.named_parameters(), *empty.named_buffers()]
        if each.device.type == "meta"
    ]
    require(not lost, f"{', '.join(lost[:3])} are not in the state dict, so a dancer file does not hold them")
    one, two = probe.outputs(subject, network), probe.outputs(subject, empty)
    require(
        _equal(one, two),
        f"built on the meta device and loaded, outputs differ by {_difference(one, two):.3g}",
    )


def it_can_be_copied(subject: Subject, probe: Probe) -> None:
    """`copy.deepcopy` gives an independent twin, which the moving average of weights needs."""
    network = probe.network(subject)
    twin = copy.deepcopy(network)
    one = probe.outputs(subject, network)
    require(_equal(one, probe.outputs(subject, twin)), "the copy gives another output")
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.add_(1.0)
    require(
        _equal(one, probe.outputs(subject, network)),
        "changing the copy's weights changed the original's output",
    )


def it_can_be_compiled(subject: Subject, probe: Probe) -> None:
    """`torch.compile` can trace it (no compiler is run here), and the traced network gives the same output."""
    import torch._dynamo

    network = probe.network(subject)
    one = probe.outputs(subject, network)
    log = logging.getLogger("torch._dynamo")
    level = log.level
    log.setLevel(logging.ERROR)  # where a graph breaks is nothing that a contract says anything of
    torch._dynamo.reset()
    try:
        two = probe.outputs(subject, torch.compile(network, backend="eager", dynamic=False))
    finally:
        torch._dynamo.reset()
        log.setLevel(level)
    require(_close(one, two), f"compiled, outputs differ by {_difference(one, two):.3g}")


def it_works_in_half_precision(subject: Subject, probe: Probe) -> None:
    """Under `torch.autocast` to bfloat16 outputs are finite and near those in single precision."""
    network = probe.network(subject)
    one = probe.outputs(subject, network)
    with torch.autocast("cpu", torch.bfloat16):
        two = [each.float() for each in probe.outputs(subject, network)]
    require(all(bool(each.isfinite().all()) for each in two), "outputs in bfloat16 are not finite")
    apart = max((_mean_difference(a, b) for a, b in zip(one, two, strict=True)), default=0.0)
    require(apart < BF16, f"in bfloat16 outputs differ by {apart:.3g} on average")


def it_works_on_the_graphics_card(subject: Subject, probe: Probe) -> None:
    """Moved to CUDA or MPS, it gives what it gives on the CPU."""
    device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else ""
    if not device:
        skip("this machine has neither CUDA nor MPS")
    network = probe.network(subject)
    inputs = probe.inputs(subject, network)
    with torch.no_grad():
        one = probe.run(network, inputs)
        moved = network.to(device)
        two = probe.run(moved, [each.to(device) for each in inputs])
    require(all(each.device.type == device for each in two), f"outputs are not on {device}")
    found = [each.cpu() for each in two]
    apart = max((_mean_difference(a, b) for a, b in zip(one, found, strict=True)), default=0.0)
    require(apart < 1e-2, f"on {device} outputs differ by {apart:.3g} on average")


_CHECKS = (
    it_repeats_itself,
    a_seed_decides_its_weights,
    its_samples_do_not_touch_each_other,
    gradients_reach_everything,
    its_weights_can_be_kept,
    it_can_be_built_without_memory,
    it_can_be_copied,
    it_can_be_compiled,
    it_works_in_half_precision,
    it_works_on_the_graphics_card,
)


def _bound(check: Callable[[Subject, Probe], None], probe: Probe) -> Callable[[Subject], None]:
    def run(subject: Subject) -> None:
        check(subject, probe)

    run.__name__, run.__doc__ = check.__name__, check.__doc__
    return run


def _score(outputs: Sequence[Tensor]) -> Tensor:
    """A scalar in which every number counts, each with another weight."""
    total = torch.zeros(())
    for each in outputs:
        if each.numel():
            weights = torch.linspace(0.5, 1.5, each.numel()).reshape(each.shape)
            total = total + (each * weights).mean() + (each * each).mean()
    require(total.requires_grad, "its output has no gradient")
    return total


def _equal(one: Sequence[Tensor], two: Sequence[Tensor]) -> bool:
    pairs = zip(one, two, strict=True)
    return len(one) == len(two) and all(torch.equal(a.nan_to_num(9.0), b.nan_to_num(9.0)) for a, b in pairs)


def _close(one: Sequence[Tensor], two: Sequence[Tensor]) -> bool:
    pairs = zip(one, two, strict=True)
    return all(torch.allclose(a, b, rtol=CLOSE, atol=CLOSE) for a, b in pairs)


def _difference(one: Sequence[Tensor], two: Sequence[Tensor]) -> float:
    return max((float((a - b).abs().max()) for a, b in zip(one, two, strict=True) if a.numel()), default=0.0)


def _mean_difference(one: Tensor, two: Tensor) -> float:
    return float((one - two).abs().mean() / (1 + one.abs().mean())) if one.numel() else 0.0
