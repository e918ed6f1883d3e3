"""One training in several processes, on one machine or many, as `accelerate launch` and torchrun start them.

A step's `batch` times `accumulate` clips are what the recipe says, whatever the number of processes: they are
shared out, gradients are averaged before each optimizer's step, and the same is learnt but for rounding. The main
process (number 0) prepares, writes and talks; the others learn along. The process group, its backend and each
process's device are accelerate's.

Gradients are averaged here, after the last backward pass, as in StyleGAN2-ADA's training loop, and not by hooks of
torch's DistributedDataParallel: a GAN's step runs its networks several times, in several backward passes, some
without gradients of the weights, and where nobody's face is seen one process has nothing to say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor

from dancekit.build import resolve_device
from dancekit.config.schema import TrainConfig
from dancekit.errors import DancekitError, UsageError
from dancekit.launch import launched, on_cpu

T = TypeVar("T")

WAIT = timedelta(days=1)
"""How long processes wait for each other: the main one may be finding poses for hours. One that has died is noticed
by the launcher, and by its closed connections, long before."""

BUCKET = 2**23
"""Numbers (32 MB) that are averaged in one message: few enough to need little memory, enough to keep a network busy."""


class FailedElsewhere(DancekitError):
    """The main process failed, and has said why; `exit_code` is its exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(f"the main process failed: {message}")
        self.exit_code = exit_code


class Processes:
    """The processes of one training; a single one if nobody launched more.

    Args:
        index: Which one this is.
        count: How many there are.
    """

    def __init__(self, index: int = 0, count: int = 1) -> None:
        self.index, self.count = index, count

    @property
    def is_main(self) -> bool:
        """Whether this one prepares, writes and talks."""
        return self.index == 0

    def shares(self, batch: int, accumulate: int) -> list[list[int]]:
        """Which clips of a step are this process's, batch by batch; no clip is two processes'.

        Whole batches are dealt out first, and a batch is cut only if there are more processes than batches.

        Args:
            batch: Clips of a batch.
            accumulate: Batches of a step.

        Raises:
            UsageError: They cannot be shared out evenly.
        """
        dealt = math.gcd(accumulate, self.count)
        pieces = self.count // dealt
        if batch % pieces:
            raise UsageError(
                f"{self.count} processes cannot share out train.batch={batch} x train.accumulate={accumulate} "
                "clips evenly",
                hint=f"train.accumulate={self.count} (a step then learns from {self.count * batch} clips), "
                "or another number of processes",
            )
        first, piece = divmod(self.index, pieces)
        size = batch // pieces
        return [
            [number * batch + piece * size + clip for clip in range(size)]
            for number in range(first, accumulate, dealt)
        ]

    def check(self, settings: TrainConfig) -> None:
        """Refuse what several processes cannot do.

        Raises:
            UsageError: Clips that cannot be shared out evenly, or a pool: each process would have one of its own.
        """
        self.shares(settings.batch, settings.accumulate)
        if settings.pool and self.count > 1:
            raise UsageError(
                f"{self.count} processes cannot share train.pool={settings.pool}",
                hint="train.pool=0, or one process",
            )

    # ---- who does what -------------------------------------------------------------------------------------

    def on_main(self, work: Callable[[], T]) -> T | None:
        """Let the main process do something that the others wait for; where it fails, all of them end.

        Returns:
            What `work` returned, None in the other processes.

        Raises:
            FailedElsewhere: In the other processes, if it failed.
        """
        if self.count == 1:
            return work()
        failed: tuple[str, int] | None = None
        if self.is_main:
            try:
                result = work()
            except BaseException as error:
                code = error.code if isinstance(error, SystemExit) else getattr(error, "exit_code", 1)
                self.from_main((str(error) or type(error).__name__, code if isinstance(code, int) else 1))
                raise
            self.from_main(None)
            return result
        if (failed := self.from_main(None)) is not None:
            raise FailedElsewhere(*failed)
        return None

    def from_main(self, value: T) -> T:
        """The main process's value, in all of them: plain data."""
        if self.count == 1:
            return value
        from accelerate.utils import broadcast_object_list

        with _connected():
            found: list[T] = broadcast_object_list([value])
        return found[0]

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        return flag if self.count == 1 else any(self._gather(flag))

    # ---- numbers -------------------------------------------------------------------------------------------

    def mean_record(self, record: Mapping[str, float]) -> dict[str, float]:
        """The mean of every loss term; a process that has not got it counts as 0, as a batch without a face does."""
        if self.count == 1:
            return dict(record)
        found = self._gather(dict(record))
        names = dict.fromkeys(name for each in found for name in each)
        return {name: sum(each.get(name, 0.0) for each in found) / self.count for name in names}

    def together(self, values: dict[int, float]) -> dict[int, float]:
        """What every process knows of its own numbers, in all of them."""
        if self.count == 1:
            return values
        return {number: value for each in self._gather(values) for number, value in each.items()}

    def average_gradients(self, optimizers: Iterable[torch.optim.Optimizer]) -> None:
        """Replace the gradients of all weights by their mean over the processes.

        A weight without a gradient counts as 0 where another process has one, and stays without where nobody has:
        Adam does not move it then.

        Args:
            optimizers: The same ones, in the same order, in every process.
        """
        if self.count == 1:
            return
        from accelerate.utils import reduce

        weights: list[Tensor] = [
            weight for each in optimizers for group in each.param_groups for weight in group["params"]
        ]
        held = self._gather([number for number, weight in enumerate(weights) if weight.grad is not None])
        for bucket in _buckets([weights[number] for number in sorted({n for each in held for n in each})]):
            gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in bucket]
            with _connected():
                mean: Tensor = reduce(torch.cat([each.reshape(-1) for each in gradients]), "mean")
            pieces = torch.split(mean, [each.numel() for each in bucket])
            for weight, gradient, piece in zip(bucket, gradients, pieces, strict=True):
                weight.grad = gradient.copy_(piece.view(weight.shape))

    @torch.no_grad()
    def same_tensors(self, tensors: Iterable[Tensor]) -> None:
        """Give all processes the main one's numbers, in place."""
        if self.count == 1:
            return
        from accelerate.utils import broadcast

        for tensor in tensors:
            with _connected():
                tensor.copy_(broadcast(tensor.detach().contiguous().clone()))

    def _gather(self, value: T) -> list[T]:
        """Every process's value, in order: plain data."""
        from accelerate.utils import gather_object

        with _connected():
            found: list[T] = gather_object([value])
        return found


ALONE = Processes()


def join(device: str = "auto") -> tuple[Processes, str]:
    """Join the other processes, if this one was launched with others; once joined it stays so.

    Args:
        device: `cpu`, `cuda`, `mps` or `auto`.

    Returns:
        The processes, and this one's device: with several, each on a machine has a GPU of its own.

    Raises:
        UsageError: A device that is not there, or that several processes cannot use.
    """
    place = resolve_device("cpu" if device == "auto" and on_cpu() else device)
    if launched() == 1:
        return ALONE, place
    if place not in ("cpu", "cuda"):
        raise UsageError(
            f"{launched()} processes cannot train on --device {place}",
            hint="--device auto gives each a GPU of its own, --device cpu works anywhere",
        )
    from accelerate import PartialState

    try:
        state: Any = PartialState(cpu=place == "cpu", timeout=WAIT)
    except (RuntimeError, ValueError) as error:
        raise DancekitError(
            f"the processes cannot reach each other: {' '.join(str(error).split())[:200]}",
            hint="check --main_process_ip, --main_process_port and --num_machines of accelerate launch",
        ) from None
    return Processes(state.process_index, state.num_processes), "cpu" if place == "cpu" else str(state.device)


def leave() -> None:
    """Leave the other processes, at the program's end."""
    if launched() > 1:
        from accelerate import PartialState

        PartialState().destroy_process_group()


def _buckets(weights: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Weights in order, `BUCKET` numbers together (more only if one weight alone has more)."""
    bucket: list[Tensor] = []
    size = 0
    for weight in weights:
        if bucket and size + weight.numel() > BUCKET:
            yield bucket
            bucket, size = [], 0
        bucket.append(weight)
        size += weight.numel()
    if bucket:
        yield bucket


@contextmanager
def _connected() -> Iterator[None]:
    """A lost connection is somebody's death: their own message says why."""
    try:
        yield
    except RuntimeError as error:  # torch's own for this (DistBackendError, ...) are kinds of it
        raise DancekitError(
            f"another process of this training has ended ({' '.join(str(error).split())[:120]})",
            hint="its own message says why; --resume goes on from the last checkpoint",
        ) from None
