"""From a recipe to wired components: the only caller of factories.

Parameters come from the recipe, the rest (`in_channels`, `skeleton`, `size`, ...) from the neighbours. Whether
the parts fit is checked before any weight exists.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from dancekit import registry
from dancekit.config import Component, LossTerm, Recipe
from dancekit.config.explain import explain
from dancekit.contracts import (
    AdversarialLoss,
    Augmentation,
    Background,
    Filter,
    GeneratorSpec,
    Loss,
    MattedBackground,
    Normalizer,
    PoseBackend,
    PoseNetwork,
    Reference,
    Renderer,
    Runner,
    TemporalStrategy,
    WarpingStrategy,
)
from dancekit.errors import IncompatibleParts, UsageError
from dancekit.licences import check_licence, check_licences
from dancekit.types import Skeleton

if TYPE_CHECKING:
    from torch import nn

    from dancekit.losses.objective import Objective


def create(kind: str, name: str, **params: Any) -> Any:
    """One component by name, its parameters checked: `create("generator", "unet", in_channels=6, ngf=32)`.

    Args:
        kind: A role of `dancekit.contracts.KINDS`.
        name: A registered name (`list_components(kind)` lists them).
        **params: The constructor's parameters, recipe parameters and wired ones alike.

    Raises:
        UnknownName: No such kind or name.
        UsageError: A parameter that the constructor does not have, lacks, or of a wrong type.
    """
    target = registry.load(kind, name)
    model = registry.parameters(kind, name)
    wired = {key: value for key, value in params.items() if key not in model.model_fields}
    known = inspect.signature(target).parameters
    unknown = [key for key in wired if key not in known]
    missing = [
        key
        for key, parameter in known.items()
        if parameter.default is parameter.empty
        and parameter.kind is parameter.KEYWORD_ONLY
        and key not in params
    ]
    if unknown or missing:
        text = "; ".join(
            [f"no parameter {key!r}" for key in unknown]
            + [f"parameter {key!r} is missing" for key in missing]
        )
        raise UsageError(f"{kind} {name}: {text}", hint=f"it has {', '.join(known)}")
    given = {key: value for key, value in params.items() if key in model.model_fields}
    try:
        checked = model.model_validate(given)
    except ValidationError as error:
        problems = "; ".join(f"{where}: {what}" for where, _, what in explain(error, given, model))
        raise UsageError(f"{kind} {name}: {problems}") from None
    return target(**{key: getattr(checked, key) for key in given}, **wired)


def _make(kind: str, component: Component, **wired: Any) -> Any:
    """A component of a recipe; wired values that its constructor does not take are left out."""
    known = inspect.signature(registry.load(kind, component.name)).parameters
    return create(kind, component.name, **component.params, **{k: v for k, v in wired.items() if k in known})


def resolve_device(device: str = "auto") -> str:
    """The device to use: `auto` takes cuda, then mps, then cpu.

    Raises:
        UsageError: A device that is not there.
    """
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there.get(device.partition(":")[0], False):
        usable = ", ".join(name for name, found in there.items() if found)
        raise UsageError(f"device {device!r} is not available", hint=f"on this machine: {usable}, or auto")
    return device


def build_runner(name: str, *, device: str = "cpu", threads: int | None = None) -> Runner:
    """What computes networks.

    Args:
        name: Of a runner.
        device: Where.
        threads: Of a computation on the CPU; None: as many as torch takes.

    Raises:
        UnknownName: There is no such runner.
        UsageError: It does not work on that device.
        MissingExtra: It needs an extra that is not installed.
    """
    import torch

    from dancekit.data.cache import cache_folder

    wired = {"threads": threads or torch.get_num_threads(), "cache": cache_folder("graphs")}
    runner: Runner = _make("runner", Component(name=name), **wired)
    if device.partition(":")[0] not in runner.devices:
        raise UsageError(
            f"runner {name} does not work on device {device}",
            hint=f"--device {runner.devices[0]}, or --runner torch",
        )
    return runner


def build_pose(
    recipe: Recipe, device: str, runner: Runner | None = None, *, masks: bool = True
) -> PoseBackend:
    """The recipe's pose backend.

    Args:
        recipe: Complete.
        device: Where its networks run.
        runner: What computes them, where they are torch's (`rtmlib` has ONNX Runtime); None: torch.
        masks: Whether masks are wanted; some backends are faster without.

    Raises:
        LicenceError: The licence of its weights is not one that the recipe's policy allows.
    """
    backend: PoseBackend = _make("pose", recipe.pose, device=device, runner=runner, masks=masks)
    check_licence(
        f"the weights of pose backend {recipe.pose.name}", backend.spec.licence, recipe.policy.allow_licences
    )
    return backend


def build_filters(recipe: Recipe) -> list[Filter]:
    """The recipe's filters, in order."""
    return [_make("filter", component) for component in recipe.filters]


def build_normalizer(component: Component) -> Normalizer:
    """A normalizer."""
    normalizer: Normalizer = _make("normalizer", component)
    return normalizer


def build_augmentations(recipe: Recipe) -> list[Augmentation]:
    """The recipe's augmentations, in order."""
    return [_make("augmentation", component) for component in recipe.augmentations]


@dataclass(frozen=True, eq=False)
class PaintingParts:
    """What paints a frame: the parts whose weights a dancer file holds, and what feeds them."""

    renderer: Renderer
    generator: nn.Module
    background: Background
    temporal: TemporalStrategy
    face: nn.Module
    reference: Reference

    @property
    def networks(self) -> dict[str, nn.Module]:
        """What learns, by its name in a dancer file; a temporal strategy only if it has weights."""
        from torch import nn

        found = {"generator": self.generator, "face": self.face}
        return found | ({"temporal": self.temporal} if isinstance(self.temporal, nn.Module) else {})


def build_painting(recipe: Recipe, skeleton: Skeleton, device: str = "cpu") -> PaintingParts:
    """Renderer, temporal strategy, generator, background and face refiner, checked against each other.

    Weights are initialized, on the CPU; under `torch.device("meta")` nothing is allocated.

    Args:
        recipe: Complete.
        skeleton: Of the poses.
        device: Where the renderer draws.

    Raises:
        IncompatibleParts: The renderer cannot draw the skeleton, or the size does not suit the generator.
    """
    renderer: Renderer = _make(
        "renderer", recipe.renderer, skeleton=skeleton, size=recipe.size, device=device
    )
    if skeleton.name not in renderer.spec.skeletons:
        raise IncompatibleParts(
            f"renderer {recipe.renderer.name} cannot draw {skeleton.id}",
            hint=f"it draws {', '.join(renderer.spec.skeletons)}",
        )
    channels = renderer.spec.channels
    temporal: TemporalStrategy = _make("temporal", recipe.temporal, condition_channels=channels)
    background: Background = _make("background", recipe.background)
    reference: Reference = _make("reference", recipe.reference)
    generator = _make(
        "generator",
        recipe.generator,
        in_channels=temporal.generator_channels(channels) + reference.channels(channels),
        out_channels=background.generator_channels + reference.generator_channels,
        size=recipe.size,
    )
    wrong = [side for side in recipe.size if side % generator.spec.multiple_of]
    if wrong:
        raise IncompatibleParts(
            f"size {list(recipe.size)} does not suit generator {recipe.generator.name}",
            hint=f"both sides must be multiples of {generator.spec.multiple_of}",
        )
    face = _make(
        "face",
        recipe.face,
        condition_channels=channels,
        size=recipe.size,
        draw=lambda size: _make("renderer", recipe.renderer, skeleton=skeleton, size=size, device=device),
    )
    return PaintingParts(renderer, generator, background, temporal, face, reference)


def window_step(recipe: Recipe, skeleton: Skeleton) -> int:
    """Pixels that a window which follows the person moves by: at every place the networks see the same grid."""
    if not recipe.person_height:
        return 1
    import torch

    with torch.device("meta"):
        parts = build_painting(recipe, skeleton)
    spec: GeneratorSpec = parts.generator.spec  # type: ignore[assignment]
    return math.lcm(spec.multiple_of, 2 ** int(getattr(parts.temporal, "n_down", 0)))


def _check_following(recipe: Recipe, painting: PaintingParts) -> None:
    """A window that follows the person is laid over the plate through the matte, in pixels of one size."""
    if not recipe.person_height:
        return
    if not isinstance(painting.background, MattedBackground):
        raise IncompatibleParts(
            f"person_height needs a matte, and background {recipe.background.name} has none",
            hint="background=plate, or person_height=0",
        )
    sized = [stage.name for stage in recipe.train.stages if stage.size not in (None, recipe.size)]
    if sized:
        raise IncompatibleParts(
            f"stage {sized[0]!r} has a size of its own, which a window that follows cannot have",
            hint="leave size away from train.stages, or person_height=0",
        )


def build_painting_at(
    recipe: Recipe, skeleton: Skeleton, device: str, size: tuple[int, int]
) -> PaintingParts:
    """The parts of `build_painting` at another size, without weights: its renderer draws, its networks are empty.

    Args:
        recipe: Complete.
        skeleton: Of the poses.
        device: Where the renderer draws.
        size: (W, H).

    Raises:
        IncompatibleParts: The size does not suit the generator, or its weights would be others at that size.
    """
    import torch

    with torch.device("meta"):
        there = build_painting(recipe.model_copy(update={"size": size}), skeleton, device)
        here = build_painting(recipe, skeleton)
    shapes = [{k: v.shape for k, v in each.generator.state_dict().items()} for each in (here, there)]
    if shapes[0] != shapes[1]:
        raise IncompatibleParts(
            f"generator {recipe.generator.name} has other weights at size {list(size)} than at {list(recipe.size)}",
            hint="leave size away from train.stages, or take a convolutional generator such as pix2pixhd",
        )
    return there


@dataclass(frozen=True, eq=False)
class TrainingParts:
    """What only training needs."""

    discriminator: nn.Module
    objective: Objective
    face_discriminator: nn.Module
    face_objective: Objective
    hand_discriminator: nn.Module | None = None


def build_training(recipe: Recipe, painting: PaintingParts) -> TrainingParts:
    """Discriminators and objectives.

    Raises:
        IncompatibleParts: A loss that needs a discriminator where there is none.
    """
    channels = painting.renderer.spec.channels
    view_channels = painting.temporal.discriminator_channels(channels)
    discriminator = _make(
        "discriminator",
        recipe.discriminator,
        in_channels=view_channels,
        frames=painting.temporal.clip_length - painting.temporal.warm_up,
    )
    objective = build_objective(recipe.losses)
    if recipe.discriminator.name == "none" and (objective.adversarial or objective.matches_features):
        needing = [
            name for name, _, loss in objective.terms if is_adversarial(loss) or matches_features(loss)
        ]
        raise IncompatibleParts(
            f"losses {', '.join(needing)} need a discriminator and the recipe has none",
            hint="discriminator=multiscale, or take them out of losses",
        )
    if objective.matches_features and recipe.discriminator.params.get("features") is False:
        raise IncompatibleParts(
            "losses match features and the discriminator hands out none",
            hint="discriminator.features=true, or take feature_matching out of losses",
        )
    if not isinstance(painting.temporal, WarpingStrategy):
        _without_flow(recipe.losses, objective, f"temporal={recipe.temporal.name}")
    face_objective = build_objective(recipe.face_losses)
    _without_flow(recipe.face_losses, face_objective, "a face")
    face_discriminator = _make("discriminator", recipe.face_discriminator, in_channels=channels + 3, frames=1)
    hands = set(getattr(painting.face, "regions", ())) - {"face"}
    return TrainingParts(
        discriminator,
        objective,
        face_discriminator,
        face_objective,
        _make("discriminator", recipe.face_discriminator, in_channels=channels + 3, frames=1)
        if hands
        else None,
    )


def _without_flow(terms: Sequence[LossTerm], objective: Objective, where: str) -> None:
    """Refuse losses that look at a predicted flow where there is none."""
    for term, (_, _, loss) in zip(terms, objective.terms, strict=True):
        if getattr(loss, "needs_flow", False):
            raise IncompatibleParts(
                f"loss {term.name} needs a temporal strategy that predicts a flow, and {where} does not",
                hint=f"temporal=flow_warp, or take {term.name} out of the losses",
            )


def check_parts(recipe: Recipe, skeleton: Skeleton) -> None:
    """Build everything but the pose backend, without allocating a weight, and throw it away.

    Args:
        recipe: Complete.
        skeleton: Of the poses.

    Raises:
        IncompatibleParts: Two parts cannot work together.
        UsageError: A part refuses its parameters.
        LicenceError: It needs weights that its policy does not allow.
    """
    import torch

    check_licences(recipe)
    build_filters(recipe)
    build_normalizer(recipe.normalizer)
    build_augmentations(recipe)
    with torch.device("meta"):
        painting = build_painting(recipe, skeleton)
        build_training(recipe, painting)
    _check_following(recipe, painting)
    names = [name for name, _ in painting.generator.named_parameters()]
    learns = any(True for _ in painting.face.parameters())
    for stage in recipe.train.stages:
        if (
            "face" in stage.modules
            and not learns
            and (stage.judge, "generator" in stage.modules) != ("frame", True)
        ):
            raise IncompatibleParts(
                f"stage {stage.name!r} trains the face, but face {recipe.face.name} has no weights: it judges the "
                "generator",
                hint="modules: [generator, face] and judge: frame",
            )
        if not any(name.startswith(stage.only) for name in names):
            heads = sorted({name.partition(".")[0] for name in names})
            raise IncompatibleParts(
                f"stage {stage.name!r}: no weight of generator {recipe.generator.name} begins with {stage.only!r}",
                hint=f"its parts are {', '.join(heads)}",
            )
        if stage.size is not None and stage.size != recipe.size:
            build_painting_at(recipe, skeleton, "cpu", stage.size)
        least = painting.temporal.clip_length
        if stage.frames is not None and stage.frames < least:
            raise IncompatibleParts(
                f"stage {stage.name!r}: frames is {stage.frames}, temporal {recipe.temporal.name} needs {least}",
                hint=f"frames: {least} or more",
            )


def check_chain(recipe: Recipe, skeleton: Skeleton) -> None:
    """Whether each recipe of a chain can begin with weights of the one before it; nothing is allocated.

    Args:
        recipe: Complete, with the recipes that are trained before it.
        skeleton: Of the poses.

    Raises:
        IncompatibleParts: Two parts of a recipe cannot work together, or the generators of two that follow one
            another have no tensor in common.
    """
    import torch

    shapes: dict[str, Any] = {}
    for number, each in enumerate(recipe.chain):
        with torch.device("meta"):
            generator = build_painting(each, skeleton).generator
        own = {key: value.shape for key, value in generator.state_dict().items()}
        if number and not any(shapes.get(key) == shape for key, shape in own.items()):
            raise IncompatibleParts(
                f"generator {each.generator.name} ({each.summary}) can take over no weight of before[{number - 1}]",
                hint="their layers must have the same widths (a local generator: twice the ngf around it)",
            )
        shapes = own


def build_objective(terms: tuple[LossTerm, ...] | list[LossTerm]) -> Objective:
    """Weighted losses, summed and logged by name."""
    from dancekit.losses.objective import Objective

    return Objective(
        [(term.name, term.weight, _loss(term)) for term in terms], {term.name: term.every for term in terms}
    )


def _loss(term: LossTerm) -> Loss:
    """A loss; those that look through a pose network get one, because roles do not import each other."""

    def pose_network(model: Any) -> PoseNetwork:
        from dancekit.pose.blazepose_features import BlazePoseFeatures

        return BlazePoseFeatures(model)

    loss: Loss = _make("loss", term, pose_network=pose_network)
    return loss


def is_adversarial(loss: object) -> bool:
    """Whether a loss also trains the discriminator."""
    return isinstance(loss, AdversarialLoss)


def matches_features(loss: object) -> bool:
    """Whether a loss compares the discriminator's maps of painted and true frames."""
    return bool(getattr(loss, "needs_real_features", False))


def component_id(backend: PoseBackend, component: Component) -> Mapping[str, Any]:
    """What decides a backend's output, for caching: name, version, parameters, weights; the runner, but for torch."""
    runner = {} if backend.spec.runner == "torch" else {"runner": backend.spec.runner}
    return runner | {
        "name": component.name,
        "version": backend.version,
        "params": dict(component.params),
        "weights": dict(backend.spec.weights),
    }
