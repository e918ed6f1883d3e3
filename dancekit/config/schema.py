"""The recipe, schema 1: pydantic models, frozen, strict, unknown keys forbidden."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML

from dancekit.config.tree import LIST_SLOTS, SLOTS
from dancekit.errors import RecipeError

SCHEMA = 1
"""The version of the recipe's schema that this version reads."""

Side = Annotated[int, Field(ge=32, le=4096, multiple_of=8)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Steps = Annotated[int, Field(gt=0)]
Licence = Literal["permissive", "copyleft", "non-commercial"]
Module = Literal["generator", "face", "discriminator"]
Schedule = Literal["linear", "pix2pixhd", "pix2pix", "pix2pix_early"]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        populate_by_name=True,
    )


class Component(_Model):
    """One component: a text stands for its name alone.

    Attributes:
        name: A name of the registry, never a dotted path.
        params: Recipe parameters; a resolved recipe holds all of them, defaults included.
    """

    name: str
    params: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        return {"name": data} if isinstance(data, str) else data


class LossTerm(Component):
    """One term of the generator's objective.

    Attributes:
        weight: Factor of the term; 0 switches it off.
        every: The term is computed in every n-th step only, with n times the weight: for losses that are dear.
    """

    weight: Annotated[float, Field(ge=0)] = 1.0
    every: Annotated[int, Field(ge=1, le=1000)] = 1


class Optimizer(_Model):
    """Adam for both sides.

    Attributes:
        lr: Learning rate of the generator and the face refiner.
        lr_discriminator: Learning rate of the discriminators.
        betas: Adam's decay rates of the two moments.
        decay_from: Share of a stage after which the learning rates fall linearly to 0.
        schedule: How they fall: `linear` with every step, or once an epoch as `pix2pixhd` and Everybody Dance Now
            or as `pix2pix` do; `pix2pix_early` is what pix2pix's scripts made of it: an epoch too early, so
            that nothing is learnt in the last one.
        epochs: Into how many epochs such a schedule divides a stage.
    """

    lr: Annotated[float, Field(gt=0)] = 2e-4
    lr_discriminator: Annotated[float, Field(gt=0)] = 2e-4
    betas: Annotated[tuple[Beta, Beta], Strict(False)] = (0.5, 0.999)
    decay_from: Share = 0.5
    schedule: Schedule = "linear"
    epochs: Steps = 200


class Stage(_Model):
    """Part of the training in which some modules learn and the others stand still.

    Attributes:
        name: For logs.
        share: Of all steps.
        modules: What learns: generator, face or both, each with its discriminator. `discriminator` beside a face
            that is judged in the frame lets the frames' discriminator learn on.
        judge: What a face is judged by: its `crop` alone, cut from frames of the finished generator; or, as in
            Everybody Dance Now, its crop and the whole `frame` that it is pasted into.
        only: Of the generator only the weights whose names begin with this learn; `model1` is the first local
            enhancer of `pix2pixhd_local`. Empty for all.
        size: (W, H) that frames are scaled to in this stage, of the same shape as the recipe's and no larger: small
            first, then large is learnt sooner. Empty for the recipe's size.
        frames: Frames of a clip, each painted knowing the ones before it; as many as the temporal strategy's view
            needs where it is left out.
        run_up: Frames that are painted before the clip in every second step, without learning from them, so that
            the history looks as it does in the midst of a video.
    """

    name: Annotated[str, Field(min_length=1)]
    share: Annotated[float, Field(gt=0, le=1)]
    modules: Annotated[list[Module], Field(min_length=1)]
    judge: Literal["crop", "frame"] = "crop"
    only: str = ""
    size: Annotated[tuple[Side, Side], Strict(False)] | None = None
    frames: Annotated[int, Field(ge=1, le=64)] | None = None
    run_up: Annotated[int, Field(ge=0, le=64)] = 0

    @field_validator("modules")
    @classmethod
    def _once(cls, modules: list[Module]) -> list[Module]:
        if len(set(modules)) < len(modules):
            raise ValueError("a module stands twice")
        if modules == ["discriminator"]:
            raise ValueError("a discriminator alone has nothing to judge; add generator or face")
        return modules

    @model_validator(mode="after")
    def _judged(self) -> Self:
        if self.judge == "frame" and "face" not in self.modules:
            raise ValueError("judge: frame is about faces, and the face does not learn in this stage")
        if self.only and "generator" not in self.modules:
            raise ValueError("only is about the generator, which does not learn in this stage")
        if "discriminator" in self.modules and self.judge != "frame" and "generator" not in self.modules:
            raise ValueError("the frames' discriminator learns beside a face only with judge: frame")
        if self.size is not None and "face" in self.modules:
            raise ValueError("a face is learnt at the recipe's size; take size or face out of the stage")
        return self


class HistoryNoise(_Model):
    """How the painted frame that the generator is shown next is disturbed in training, and in training only.

    In a transfer each frame is painted from the last one, errors and all; a generator that has only seen clean
    histories adds to them. Strengths are drawn anew for each frame, up to what stands here.

    Attributes:
        p: Share of the frames that are disturbed.
        blur: Standard deviation of a Gaussian blur, pixels of the recipe's window.
        shift: To each side, pixels of the recipe's window.
        noise: Standard deviation of white noise, of images in [-1, 1].
    """

    p: Share = 1.0
    blur: Annotated[float, Field(ge=0, le=16)] = 0.0
    shift: Annotated[float, Field(ge=0, le=32)] = 0.0
    noise: Annotated[float, Field(ge=0, le=1)] = 0.0


class Keep(_Model):
    """Which checkpoints stay.

    Attributes:
        last: So many of the newest.
        best: Also the best one by PSNR in the person's mask on a few fixed frames: held-out ones if
            `train.hold_out` holds any out, else frames that training has seen. Its dancer is `best.safetensors`.
    """

    last: Annotated[int, Field(ge=1, le=1000)] = 2
    best: bool = False


class TrainConfig(_Model):
    """How long and how.

    Attributes:
        steps: Optimizer steps of all stages together.
        batch: Clips a step.
        accumulate: Batches whose gradients are averaged before a step: `batch` times `accumulate` clips in the
            memory of `batch`.
        seed: Of every random draw.
        checkpoint_every: Steps between checkpoints.
        preview_every: Steps between previews.
        log_every: Steps between lines of metrics.jsonl.
        ema: Decay of the weights' moving average a step; 0 switches it off.
        order: `together`: generator and discriminator learn from the same forward pass, as in pix2pixHD and
            Everybody Dance Now. `discriminator_first`: the generator learns from the new discriminator, as in
            pix2pix.
        pool: Views of earlier steps that the discriminators are shown as well; 0 for none.
        compat: `edn` repeats what the published code of Everybody Dance Now does and its paper does not: where
            the generator alone learns each of its gradients is applied twice; the face's adversarial loss looks
            at the last sample of a batch only; and one face box serves all frames of a batch. `none` does it
            right.
        hold_out: Share of the clip, at its end, that training never shows the networks, for `dancekit evaluate RUN`;
            0 for none. (Window and clean plate are measured on the whole clip.)
        rare: How much more often clips in rare poses are drawn: 0 all alike, 1 by how rare the poses are, at most
            `data.sampling.MOST_OFTEN` times as often as the usual ones.
        hard: How much more often clips are drawn that are painted badly so far: 0 all alike, 1 by their running error
            in the person's mask, at most `data.sampling.MOST_OFTEN` times as often as the usual ones.
        start_from: A run folder, a dancer file or an id of the zoo to begin with: every tensor of equal name and
            shape is taken, from a global generator into a local one, say. `none` (or empty) for random weights.
        precision: `fp32`; `bf16` runs the networks in bfloat16 (weights, losses and optimizers stay in single
            precision); `auto` takes bf16 where the device has units for it. Without them bf16 is slower.
        winograd: On a CPU, 3x3 convolutions by Winograd's algorithm, which rounds a little more: `auto` where it is
            faster on this machine (measured once, at the beginning of a run), `on`, `off`.
        compile: `on` compiles the generator by torch.compile and checks it against the uncompiled one first;
            `auto` goes on without, with a warning, where that fails; `off`.
        gradient_checkpointing: Less memory for more time: the generator's inner results are computed again for
            the backward pass. The numbers are the same.
        prefetch: Batches that are made ready in another thread while a step runs; 0 makes each when it is due.
            The numbers are the same.
        keep: Which checkpoints stay.
        loggers: Who is told besides metrics.jsonl: `tensorboard` (the extra of that name).
        strides: A clip's frames are so many frames of the video apart, one of these drawn for each clip. With
            [1, 2, 3] a source of another frame rate does not change the picture.
        history_noise: How the generator's own past is disturbed, so that errors do not add up in a transfer.
        optimizer: Learning rates and their course.
        stages: One after the other; their shares sum to 1.
    """

    steps: Steps
    batch: Steps = 1
    accumulate: Annotated[int, Field(ge=1, le=1024)] = 1
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    checkpoint_every: Steps = 500
    preview_every: Steps = 500
    log_every: Steps = 20
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.999
    order: Literal["together", "discriminator_first"] = "together"
    pool: Annotated[int, Field(ge=0, le=1000)] = 0
    compat: Literal["none", "edn"] = "none"
    hold_out: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    rare: Share = 0.0
    hard: Share = 0.0
    start_from: str = ""
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    winograd: Literal["off", "on", "auto"] = "auto"
    compile: Literal["off", "on", "auto"] = "off"
    gradient_checkpointing: bool = False
    prefetch: Annotated[int, Field(ge=0, le=64)] = 2
    keep: Keep = Keep()
    loggers: list[Literal["tensorboard"]] = []
    strides: Annotated[list[Annotated[int, Field(ge=1, le=16)]], Field(min_length=1)] = [1]
    history_noise: HistoryNoise = HistoryNoise()
    optimizer: Optimizer = Optimizer()
    stages: Annotated[list[Stage], Field(min_length=1)] = [
        Stage(name="body", share=1.0, modules=["generator"])
    ]

    @field_validator("start_from")
    @classmethod
    def _none_is_nothing(cls, value: str) -> str:
        return "" if value == "none" else value

    @field_validator("strides")
    @classmethod
    def _ascending(cls, strides: list[int]) -> list[int]:
        if any(a >= b for a, b in pairwise(strides)):
            raise ValueError("strides should ascend, as in [1, 2, 3]")
        return strides

    @field_validator("stages")
    @classmethod
    def _whole(cls, stages: list[Stage]) -> list[Stage]:
        names = [stage.name for stage in stages]
        if len(set(names)) < len(names):
            raise ValueError(f"two stages have one name: {', '.join(names)}")
        total = sum(stage.share for stage in stages)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the shares of the stages should sum to 1, not {total:g}")
        return stages

    @model_validator(mode="after")
    def _accumulates(self) -> Self:
        if self.accumulate > 1 and self.order == "discriminator_first":
            raise ValueError(
                "accumulate > 1 needs order: together (discriminator_first would have to paint everything twice)"
            )
        return self


class Policy(_Model):
    """What may be used.

    Attributes:
        allow_licences: Licences of weights that may be loaded.
    """

    allow_licences: list[Licence] = ["permissive"]


class Recipe(_Model):
    """Which components, with which parameters, trained how.

    Attributes:
        schema_version: Key `schema`, 1.
        summary: What it is for, in a line.
        size: (W, H) of the window, pixels.
        person_height: Painted pixels that a standing person has at least: where one window around the whole dance would
            paint them smaller, a window of that size follows them. 0 for one window, always.
        pose: Finds people in frames.
        filters: Clean the poses, in order.
        normalizer: Moves the source's poses to the target's body.
        renderer: Draws the condition image.
        generator: Paints.
        discriminator: Judges.
        face_discriminator: Judges faces.
        background: What is behind the person.
        reference: Gives the generator filmed frames to copy from.
        temporal: Gives the generator its history.
        face: Sharpens the face.
        losses: The body's objective.
        face_losses: The face refiner's objective, on the crop.
        augmentations: Change training clips, in order.
        train: How long and how.
        policy: What may be used.
        before: Whole recipes that are trained first on the same clip, one after the other; each begins with what
            the one before it has learnt (every tensor of equal name and shape), and this one comes last. A file
            names them, or writes one out where it stands.
        target: The clip to train on, for `dancekit run`: a path from the current folder. It is no part of what is
            trained: neither a run's recipe nor a dancer file has it.
    """

    schema_version: Annotated[int, Field(alias="schema", ge=SCHEMA, le=SCHEMA)]
    summary: str
    size: Annotated[tuple[Side, Side], Strict(False)]
    person_height: Annotated[int, Field(ge=0, le=4096)] = 0
    pose: Component
    filters: list[Component] = []
    normalizer: Component
    renderer: Component
    generator: Component
    discriminator: Component
    face_discriminator: Component = Component(name="patch", params={"ndf": 32})
    background: Component = Component(name="painted")
    reference: Component = Component(name="none")
    temporal: Component
    face: Component
    losses: Annotated[list[LossTerm], Field(min_length=1)]
    face_losses: list[LossTerm] = [LossTerm(name="lsgan"), LossTerm(name="l1", weight=10.0)]
    augmentations: list[Component] = []
    train: TrainConfig
    policy: Policy = Policy()
    before: list[Recipe] = []
    target: str = ""

    @model_validator(mode="after")
    def _chained(self) -> Self:
        if self.before and self.train.start_from:
            raise ValueError(
                "with `before` there is nothing left to start from; the first one may: before[0].train.start_from"
            )
        for number, recipe in enumerate(self.before):
            if recipe.target:
                raise ValueError(f"before[{number}].target: all recipes of a chain have one target")
            if recipe.before:
                raise ValueError(
                    f"before[{number}] has a `before` of its own; write them one after the other"
                )
            if number and recipe.train.start_from:
                raise ValueError(f"before[{number}].train.start_from: it begins with before[{number - 1}]")
            if recipe.train.hold_out != self.train.hold_out:
                raise ValueError(
                    f"train.hold_out is {self.train.hold_out:g} and before[{number}]'s {recipe.train.hold_out:g}: "
                    "what is held out must be the same for all"
                )
        return self

    @model_validator(mode="after")
    def _something_to_train(self) -> Self:
        if self.face.name == "none":
            idle = [stage.name for stage in self.train.stages if "face" in stage.modules]
            if idle:
                raise ValueError(f"stage {idle[0]!r} trains the face, but face is 'none'")
        return self

    @model_validator(mode="after")
    def _stage_sizes(self) -> Self:
        width, height = self.size
        for stage in self.train.stages:
            if stage.size is None:
                continue
            if stage.size[0] * height != stage.size[1] * width or stage.size[0] > width:
                raise ValueError(
                    f"stage {stage.name!r}: size {list(stage.size)} should have the shape of the recipe's size "
                    f"{list(self.size)} and be no larger"
                )
        return self

    @property
    def chain(self) -> list[Recipe]:
        """What is trained, in order: `before`, then this."""
        return [*self.before, self]

    def components(self) -> Iterator[tuple[str, str, Component]]:
        """Every component: its path in the recipe (`losses[1]`), its kind and itself."""
        for key, kind in SLOTS.items():
            yield key, kind, getattr(self, key)
        for key, kind in LIST_SLOTS.items():
            for index, component in enumerate(getattr(self, key)):
                yield f"{key}[{index}]", kind, component

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data, complete; `from_json` reads it."""
        data = self.model_dump(mode="json", by_alias=True)
        for each in (data, *data["before"]):
            for key in ("target", "person_height"):
                if not each[key]:
                    del each[key]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Check plain data against the schema; the registry is not asked.

        Raises:
            RecipeError: It is no recipe of this schema.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            from dancekit.config.explain import explain

            raise RecipeError([f"{where}: {what}" for where, _, what in explain(error, data)]) from error

    def to_yaml(self) -> str:
        """A recipe file without comments that resolves to the same recipe."""
        yaml = YAML(typ="safe", pure=True)
        yaml.default_flow_style = None
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        yaml.width = 110
        text = io.StringIO()
        yaml.dump(self.to_json(), text)
        return text.getvalue()

    @property
    def hash(self) -> str:
        """sha256 (hex) of the canonical JSON without `summary` and `target`: equal hashes mean equal training."""
        data = {key: value for key, value in self.to_json().items() if key not in ("summary", "target")}
        data.pop("before")
        # recipes that say nothing of a key keep the hash that they had before there was such a key
        if self.reference.name == "none":
            del data["reference"]
        if not self.train.rare:
            del data["train"]["rare"]
        data["normalizer"]["params"].pop("keep_in", None)  # training does not look at it
        _forget_new_keys(data["train"])
        if self.before:  # recipes without keep the hash that they had before there was such a key
            data["before"] = [recipe.hash for recipe in self.before]
        text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


def _forget_new_keys(train: dict[str, Any]) -> None:
    """Recipes that say nothing of a key keep the hash that they had before there was such a key."""
    later = {"hard": 0.0, "strides": [1], "history_noise": HistoryNoise().model_dump(mode="json")}
    for key, value in later.items():
        if train[key] == value:
            del train[key]
    for stage in train["stages"]:
        for key in [key for key in ("size", "frames", "run_up") if not stage[key]]:
            del stage[key]
