"""Steps that several processes share: run here by one, and by torchrun in two (`python shared_steps.py OUT`)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from test_training_step import BODY, FACE, batch_of, state_of
from torch import Tensor

from dancekit.config.schema import Stage
from dancekit.training.batch import Batch
from dancekit.training.distributed import ALONE, Processes, join

FIELDS = ("conditions", "real", "mask", "plate", "boxes")
IN_FRAME = Stage(name="face", share=1.0, modules=["generator", "face"], judge="frame")
CROPS = Stage(name="face", share=1.0, modules=["face"])

CASES: dict[str, tuple[list[str], Stage]] = {
    "a batch is cut": (["train.batch=2"], BODY),
    "batches are dealt out": (["train.batch=1", "train.accumulate=2", "train.ema=0.9"], BODY),
    "some of both": (["train.batch=2", "train.accumulate=2"], BODY),
    "discriminator first": (["train.batch=2", "train.order=discriminator_first"], BODY),
    "dropout": (["train.accumulate=2", "generator=unet", "generator.depth=4", "generator.ngf=4"], BODY),
    "history noise": (
        ["train.accumulate=2", "train.history_noise={blur: 2, shift: 3, noise: 0.2}"],
        BODY,
    ),
    "batch norm": (["train.accumulate=2", "generator.norm=batch"], BODY),
    "a loss now and then": (
        [
            "train.accumulate=2",
            "losses=[{name: l1, every: 2}]",
        ],
        BODY,
    ),
    "faces in the frame": ([*FACE, "train.accumulate=2"], IN_FRAME),
    "only one process sees a face": ([*FACE, "train.accumulate=2"], CROPS),
}
STEPS = 4


def clips(step: int, count: int, *, half_unseen: bool) -> Batch:
    """All clips of a step, in double precision."""
    batch = batch_of(count, seed=step)
    if half_unseen:
        batch.boxes[0 if step % 2 else 1] = torch.nan
    if half_unseen and step == 2:
        batch.boxes[:] = torch.nan
    return Batch(**{name: getattr(batch, name).double() for name in FIELDS})


def learn(case: str, processes: Processes = ALONE) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
    """Take a few steps; weights, averages and moments afterwards, and the records."""
    overrides, stage = CASES[case]
    state = state_of("face_discriminator={name: patch, params: {ndf: 2}}", *overrides, processes=processes)
    settings = state.recipe.train
    for network in state.networks.values():
        network.double()
    for average in state.averages.values():
        average.shadow = {key: value.double() for key, value in average.shadow.items()}
    records = []
    for state.step in range(STEPS):
        torch.manual_seed(state.step)
        whole = clips(
            state.step, settings.batch * settings.accumulate, half_unseen=case.startswith("only one")
        )
        mine = [
            Batch(**{name: getattr(whole, name)[share] for name in FIELDS})
            for share in processes.shares(settings.batch, settings.accumulate)
        ]
        records.append(state.learn(stage, *mine))
    found = {
        f"{name}.{key}": value
        for name, network in state.networks.items()
        for key, value in network.state_dict().items()
    }
    for name, average in state.averages.items():
        found |= {f"{name}.ema.{key}": value for key, value in average.shadow.items()}
    for name, optimizer in state.optimizers.items():
        for number, moments in optimizer.state_dict()["state"].items():
            found |= {f"{name}.adam.{number}.{key}": value for key, value in moments.items()}
    # batch norm's statistics are of each process's own batches, as with torch's DistributedDataParallel
    found = {key: value for key, value in found.items() if "running" not in key and "tracked" not in key}
    return found, records


def main(out: Path) -> None:
    processes, device = join("cpu")
    assert (processes.count, device) == (2, "cpu")
    found, records = {}, {}
    for case in CASES:
        weights, records[case] = learn(case, processes)
        found |= {f"{case}/{key}": value for key, value in weights.items()}
    save_file(
        {key: value.contiguous() for key, value in found.items()}, out / f"{processes.index}.safetensors"
    )
    (out / f"{processes.index}.json").write_text(json.dumps(records))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
