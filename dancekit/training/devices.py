"""How the networks run on a device: precision, compilation, memory. None of it changes what is learnt by more
than rounding.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from dancekit.config.schema import TrainConfig
from dancekit.convolutions import has_winograd, use_winograd, winograd_pays
from dancekit.errors import DancekitError, IncompatibleParts, UsageError
from dancekit.layers import at_least_single, use_gradient_checkpointing

_LOG = logging.getLogger(__name__)

CLOSE = 1e-3
"""Largest difference of compiled and uncompiled pictures and gradients, of the largest value."""


@dataclass(frozen=True)
class Precision:
    """In which numbers the networks run.

    Attributes:
        device: `cpu`, `cuda` or `mps`.
        half: bfloat16 where it does not hurt; else single precision.
    """

    device: str
    half: bool

    def autocast(self) -> AbstractContextManager[object]:
        """The forward passes of a step belong into this."""
        if not self.half:
            return nullcontext()
        return torch.autocast(self.device.partition(":")[0], dtype=torch.bfloat16)


def choose_precision(wanted: str, device: str) -> Precision:
    """What `train.precision` means on a device.

    bfloat16 gains where there are units for it: a GPU of compute capability 8.0 or a CPU with AMX. On other
    CPUs it is emulated, or runs at half the speed of single precision (docs/training.md has figures).
    """
    there = has_bfloat16_units(device)
    if wanted == "bf16" and not there:
        _LOG.warning("train.precision=bf16 is slower than fp32 here: %s has no units for it", device)
    return Precision(device, wanted == "bf16" or (wanted == "auto" and there))


def has_bfloat16_units(device: str) -> bool:
    """Whether the device multiplies matrices of bfloat16 in hardware."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device != "cpu":
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "amx_bf16" in flags


def choose_winograd(wanted: str, device: str, networks: Iterable[nn.Module]) -> bool:
    """What `train.winograd` means on a device: `auto` measures, if there is a convolution that it suits.

    Raises:
        UsageError: `on`, and it is not there.
    """
    if wanted == "off" or device != "cpu":
        return False
    if wanted == "on" and not has_winograd():
        raise UsageError("train.winograd=on, but this torch has no NNPACK", hint="train.winograd=auto")
    suits = sum(use_winograd(network, False) for network in networks)
    return bool(suits) and (wanted == "on" or winograd_pays())


def save_memory(generator: nn.Module, name: str) -> None:
    """Switch gradient checkpointing on.

    Raises:
        IncompatibleParts: The generator cannot do it.
    """
    try:
        possible = use_gradient_checkpointing(generator)
    except ValueError as error:
        raise IncompatibleParts(
            f"gradient_checkpointing does not suit generator {name}: {error}", hint="generator.norm=instance"
        ) from None
    if not possible:
        raise IncompatibleParts(
            f"generator {name} has no gradient checkpointing",
            hint="train.gradient_checkpointing=false, or generator=pix2pixhd",
        )


def compile_generator(
    generator: nn.Module,
    settings: TrainConfig,
    probe: Tensor,
    *,
    compile_network: Callable[[nn.Module], None] | None = None,
) -> bool:
    """Compile a generator in place and check picture and gradients against the uncompiled one.

    Args:
        generator: In training mode, on its device.
        settings: `compile` says whether, and what becomes of a failure.
        probe: (B, in_channels, H, W) to check it with, as training will give it.
        compile_network: How; by torch.compile.

    Returns:
        Whether it is compiled now.

    Raises:
        DancekitError: It cannot be compiled, or computes something else, and `compile` is `on`.
    """
    if settings.compile == "off":
        return False
    try:
        expected = _picture_and_gradients(generator, probe)
        (compile_network or _by_torch)(generator)
        found = _picture_and_gradients(generator, probe)
        problem = _difference(expected, found)
    except Exception as error:  # whatever the compiler or the C++ compiler behind it say
        problem = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    if not problem:
        return True
    generator._compiled_call_impl = None
    torch.compiler.reset()
    if settings.compile == "on":
        raise DancekitError(
            f"the generator cannot be compiled: {problem}",
            hint="train.compile=auto goes on without, train.compile=off does not try; on a CPU torch.compile "
            "needs a C++ compiler (g++)",
        )
    _LOG.warning("train.compile=auto: the generator runs uncompiled: %s", problem)
    return False


def _by_torch(network: nn.Module) -> None:
    network.compile(dynamic=False)


def _picture_and_gradients(network: nn.Module, probe: Tensor) -> list[Tensor]:
    """What a network paints and the gradients of its weights; the weights' own are untouched."""
    state = torch.get_rng_state()
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    torch.manual_seed(0)  # dropout
    picture = at_least_single(network(probe))
    # a fixed pattern of signs: a mean would be blind to what cancels out
    pattern = torch.linspace(-1, 1, picture.numel(), device=picture.device).view_as(picture).sin()
    gradients = torch.autograd.grad((picture * pattern).sum(), weights)
    torch.set_rng_state(state)
    return [picture.detach(), *(gradient.detach() for gradient in gradients)]


def _difference(expected: list[Tensor], found: list[Tensor]) -> str:
    """What is wrong with the compiled network, "" if nothing is."""
    largest = max(float(gradient.abs().max()) for gradient in expected[1:])
    for number, (true, got) in enumerate(zip(expected, found, strict=True)):
        # before a norm a bias has no gradient but rounding: measured against the largest of all
        scale = float(true.abs().max()) if number == 0 else largest
        worst = float((true - got).abs().max())
        if not worst <= CLOSE * max(scale, 1e-12):
            what = "its picture differs" if number == 0 else "its gradients differ"
            return f"{what} by {worst:.2g} (the largest value is {scale:.2g})"
    return ""
