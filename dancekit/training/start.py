"""Begin a run with what another one has learnt: global stage to local stage, body to face."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dancekit.build import build_painting
from dancekit.config import Recipe, load_recipe
from dancekit.critic import check_critic, read_critic
from dancekit.dancer import read_info, read_networks
from dancekit.errors import UsageError
from dancekit.training.checkpoint import list_checkpoints
from dancekit.training.run import Run
from dancekit.types import Skeleton
from dancekit.weights.header import read_header, read_tensors
from dancekit.weights.state_dict import copy_matching, widened
from dancekit.zoo.dancers import find_dancer

if TYPE_CHECKING:
    from dancekit.training.state import TrainingState


def find_start(word: str) -> Path:
    """What a `train.start_from` means: a run folder, a dancer file, or an id of the zoo, which is fetched.

    Raises:
        UnknownName: The zoo has no such dancer.
        OfflineError: It has to be fetched and cannot be.
    """
    return Path(word) if Path(word).is_dir() else find_dancer(word, option="train.start_from")


def check_start(path: str) -> None:
    """Refuse a `train.start_from` that is not there, before any work is done; "" is fine.

    Raises:
        UsageError: No such file or run, or a run without a checkpoint.
    """
    if not path:
        return
    place = find_start(path)
    if place.is_dir():
        if not list_checkpoints(Run(place).checkpoints):
            raise UsageError(
                f"train.start_from: {place} holds no checkpoint", hint="name a run that has begun"
            )
    elif place.is_file():
        read_info(place)
        check_critic(place)
    else:
        raise UsageError(f"train.start_from: there is no {place}", hint="name a run folder or a dancer file")


def check_fit(path: str, recipe: Recipe, skeleton: Skeleton) -> None:
    """Refuse a dancer file of which not one tensor fits a recipe's generator, before poses are found; "" is fine.

    Raises:
        UsageError: It is another network.
    """
    if not path or (place := find_start(path)).is_dir():
        return
    with torch.device("meta"):
        generator = build_painting(recipe, skeleton).generator
    theirs = read_header(place).tensors
    if not any(
        (found := theirs.get(f"generator.{key}")) and found.shape == tuple(value.shape)
        for key, value in generator.state_dict().items()
    ):
        raise _unfit(path, recipe)


def _unfit(path: str, recipe: Recipe) -> UsageError:
    return UsageError(
        f"train.start_from: no weight of {path} fits generator {recipe.generator.name}",
        hint="its layers must have the same widths (a local generator: twice the ngf around it); "
        "train.start_from=none begins from nothing",
    )


def start_from(path: str, state: TrainingState) -> dict[str, tuple[int, int]]:
    """Copy every tensor of equal name and shape into the networks of a run, and its averages.

    A generator that is shown more references than the one it begins with takes all of its weights, and zeros for
    what is new.

    Averages begin with the averages of what was trained: a face that is then learnt alone is learnt on, and
    written beside, exactly the body of the run that it comes from.

    Args:
        path: A run folder (its last checkpoint is taken), or a dancer file or an id of the zoo (averages alone); the
            critic beside it is taken along.
        state: A run that has not begun.

    Returns:
        For each network how many of its tensors were copied, and how many it has.

    Raises:
        UsageError: Not one tensor of the generator fits.
    """
    counts = {}
    place = find_start(path)
    averages = _averages(place)
    widens = _same_but_references(place, state.recipe)
    for name, tensors in _networks(place, state).items():
        network, averaged = state.networks[name], averages.get(name, {})
        if name == "generator" and widens:
            tensors = {**tensors, **widened(network, tensors)}
            averaged = {**averaged, **widened(network, averaged)}
        copied, left, _ = copy_matching(network, tensors)
        counts[name] = (len(copied), len(copied) + len(left))
        if name in state.averages:
            whole = {key: value.detach().clone() for key, value in network.state_dict().items()}
            state.averages[name].load(
                {**whole, **{key: averaged[key] for key in copied if key in averaged}}, 0
            )
    if not counts.get("generator", (0, 0))[0]:
        raise _unfit(path, state.recipe)
    return counts


def _same_but_references(path: Path, recipe: Recipe) -> bool:
    """Whether all that decides which channel is which is the same, up to the number of references: they come last."""
    file = Run(path).recipe_file
    if path.is_dir() and not file.exists():
        return False
    theirs = load_recipe(file) if path.is_dir() else read_info(path).recipe
    return all(
        getattr(theirs, part).name == getattr(recipe, part).name
        for part in ("renderer", "temporal", "background", "reference")
    )


def _averages(path: Path) -> dict[str, dict[str, Tensor]]:
    """The averaged weights of a run's last checkpoint; a dancer file holds no others anyway."""
    if not path.is_dir():
        return {}
    end = ".ema.safetensors"
    last = list_checkpoints(Run(path).checkpoints)[-1]
    return {file.name.removesuffix(end): read_tensors(file) for file in last.glob(f"*{end}")}


def _networks(path: Path, state: TrainingState) -> dict[str, dict[str, Tensor]]:
    if path.is_dir():
        last = list_checkpoints(Run(path).checkpoints)[-1]
        files = {name: last / f"{name}.safetensors" for name in state.networks}
        return {name: read_tensors(file) for name, file in files.items() if file.exists()}
    tensors = read_networks(path, state.networks) | read_critic(path)
    found: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        network, _, key = name.partition(".")
        if network in state.networks:  # hands that this recipe does not judge, say
            found.setdefault(network, {})[key] = value
    return found
