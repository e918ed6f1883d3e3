"""The component that is being tested, and how it is built."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from dancekit.errors import UsageError
from dancekit.registry import Entry
from dancekit.registry.signature import parameters_of
from dancekit.types import get_skeleton

SKELETON = "blazepose_33"
"""Of example poses: that of the embedded pose backend."""

SIZE = (96, 64)
"""(W, H) of example pictures: not square, so that mixed-up axes are seen."""

FACE_SIZE = (160, 128)
"""The same for faces, which are a small part of a person."""

CHANNELS = 3
"""C of example condition images."""

WIRED: dict[str, tuple[str, ...]] = {
    "pose": ("device", "masks", "runner"),
    "filter": (),
    "normalizer": (),
    "renderer": ("skeleton", "size", "device"),
    "generator": ("in_channels", "out_channels", "size"),
    "discriminator": ("in_channels", "frames"),
    "loss": ("pose_network",),
    "background": (),
    "reference": (),
    "temporal": ("condition_channels",),
    "face": ("condition_channels", "size", "draw"),
    "augmentation": (),
    "metric": ("device", "rate"),
    "runner": ("threads", "cache"),
}
"""What `dancekit.build` (and an evaluation, for metrics) gives to the constructors of each kind."""


@dataclass(frozen=True)
class Subject:
    """A component under test.

    Attributes:
        entry: Its kind and name, and whose it is.
        cls: Its class.
        params: Recipe parameters that it is tried with; what is not named has its default.
        wired: Values in place of the examples that the builder would give.
    """

    entry: Entry
    cls: type[Any]
    params: Mapping[str, Any]
    wired: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The role."""
        return self.entry.kind

    @property
    def parameters(self) -> type[BaseModel]:
        """The model of its recipe parameters.

        Raises:
            PluginError: Its signature is no schema.
        """
        cls: Any = self.cls
        return parameters_of(cls, self.entry)

    def given(self, name: str) -> Any:
        """What a new instance is given for a wired parameter."""
        return {**_examples(self.kind), **self.wired}[name]

    def takes(self, name: str) -> bool:
        """Whether the constructor has a parameter of that name."""
        return name in inspect.signature(self.cls).parameters

    def build(self, **wired: Any) -> Any:
        """A new instance: recipe parameters checked as a recipe's are, the rest given as the builder does.

        Args:
            **wired: Values for this instance; what the constructor does not take is left out.

        Raises:
            UsageError: A recipe parameter is wrong, or a wired one is not among those of the kind.
        """
        model = self.parameters
        try:
            checked = model.model_validate(self.params)
        except ValidationError as error:
            raise UsageError(f"{self.kind} {self.entry.name}: {error}") from None
        given = {**_examples(self.kind), **self.wired, **wired}
        wanted = [
            name
            for name, each in inspect.signature(self.cls).parameters.items()
            if name not in model.model_fields and each.kind is each.KEYWORD_ONLY
        ]
        missing = [name for name in wanted if name not in given]
        if missing:
            raise UsageError(
                f"{self.kind} {self.entry.name} wants {', '.join(missing)}, which no {self.kind} is given",
                hint=f"it is given {', '.join(WIRED[self.kind]) or 'nothing'}; all else needs a default",
            )
        recipe = {key: getattr(checked, key) for key in self.params}
        return self.cls(**recipe, **{name: given[name] for name in wanted})


def _examples(kind: str) -> dict[str, Any]:
    examples: dict[str, Any] = {
        "device": "cpu",
        "skeleton": get_skeleton(SKELETON),
        "size": FACE_SIZE if kind == "face" else SIZE,
        "in_channels": CHANNELS,
        "out_channels": 3,
        "condition_channels": CHANNELS,
        "rate": 25.0,
        "frames": 1,
        "masks": True,
        "runner": None,
        "draw": _draw,
        "threads": 1,
        "cache": None,
        "pose_network": _pose_network,
    }
    return {name: examples[name] for name in WIRED[kind]}


def _draw(size: tuple[int, int]) -> Any:
    from dancekit.build import create

    return create("renderer", "sticks", skeleton=get_skeleton(SKELETON), size=size, device="cpu")


def _pose_network(model: Any) -> Any:
    from dancekit.pose.blazepose_features import BlazePoseFeatures

    return BlazePoseFeatures(model)
