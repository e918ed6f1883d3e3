"""What a step looks at: clips painted frame by frame, and the views of them that discriminators and losses judge."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dancekit.build import PaintingParts, TrainingParts
from dancekit.contracts import LossView, MattedBackground, State, WarpingStrategy
from dancekit.layers import at_least_single
from dancekit.training.batch import Batch
from dancekit.training.history_noise import Disturbance
from dancekit.training.regions import region_crops
from dancekit.training.step import Judgement


def paint_clips(
    painting: PaintingParts,
    networks: Mapping[str, nn.Module],
    batch: Batch,
    state: State | None,
    *,
    faces: bool = False,
    disturb: Disturbance | None = None,
) -> tuple[Tensor, dict[str, Tensor], State | None]:
    """Paint all frames of the clips after those of a state.

    Args:
        painting: Temporal strategy, background and reference.
        networks: `generator` and `face`.
        batch: The clips.
        state: None at their beginning.
        faces: Whether faces are refined.
        disturb: What is done to each frame before the next one is told of it.

    Returns:
        (B, T, 3, H, W); what losses may know besides, (B, T, ., H, W): `flow` and `share` of a temporal strategy
        that moves images, `matte` of a background that has one; and the state after the last frame.
    """
    temporal, background = painting.temporal, painting.background
    outputs: dict[int, Tensor] = {}

    def generate(condition: Tensor) -> Tensor:
        seen = None if batch.references is None else batch.references[:, t]
        if seen is not None:
            condition = torch.cat([condition, seen.to(condition.dtype)], 1)
        outputs[t] = at_least_single(networks["generator"](condition))
        if seen is not None:
            outputs[t] = painting.reference.compose(outputs[t], seen)
        return background.compose(outputs[t], batch.plate)

    images, flows, shares, mattes = [], [], [], []
    for t in range(batch.conditions.shape[1]):
        image, state = temporal.step(generate, batch.conditions[:, t], state)
        if isinstance(temporal, WarpingStrategy) and state is not None:
            flow, share = temporal.motion(state)
            flows.append(flow)
            shares.append(share)
        if faces:
            image = networks["face"](image, batch.conditions[:, t], batch.boxes[:, t])
            state = temporal.remember(image, state)
        if disturb is not None:
            state = temporal.remember(disturb(image), state)
        images.append(image)
        if isinstance(background, MattedBackground):
            mattes.append(background.matte(outputs[t]))
    lists = {"flow": flows, "share": shares, "matte": mattes}
    seen = {name: torch.stack(each, 1) for name, each in lists.items() if each}
    return torch.stack(images, 1), seen, state


def frame_judgement(
    painting: PaintingParts, training: TrainingParts, batch: Batch, fake: Tensor, seen: Mapping[str, Tensor]
) -> Judgement:
    """Whole frames: what their discriminator and the losses see of painted clips (B, T, 3, H, W).

    Args:
        painting: What painted them.
        training: Who judges.
        batch: The true ones.
        fake: The painted ones.
        seen: As of `paint_clips`, and what else losses may know.
    """
    temporal = painting.temporal
    plate = batch.plate[:, None].expand_as(batch.real)
    length = temporal.clip_length - temporal.warm_up
    view = LossView(
        fake=fake.flatten(0, 1),
        real=batch.real.flatten(0, 1),
        mask=batch.mask.flatten(0, 1),
        fake_features=[],
        real_features=[],
        view_mask=windows(batch.mask, length).amax(1),
        frames=fake.shape[1],
        **{name: value.flatten(0, 1) for name, value in seen.items()},
        plate=plate.flatten(0, 1),
    )
    conditions, painted, real = (windows(each, length) for each in (batch.conditions, fake, batch.real))
    return Judgement(
        "discriminator",
        training.objective,
        temporal.view(conditions, painted),
        temporal.view(conditions, real),
        view,
    )


def region_judgements(
    painting: PaintingParts,
    training: TrainingParts,
    fake: Tensor,
    real: Tensor,
    conditions: Tensor,
    boxes: Tensor,
    weight: float,
    *,
    last_only: bool,
) -> list[Judgement]:
    """Faces, and hands, of (N, ., H, W) frames with boxes (N, 4) or (N, R, D), as far as there are any."""
    judgements = []
    for kind, views in region_crops(painting.face, fake, real, conditions, boxes).items():
        fake_crop, real_crop, pose = views
        everywhere = torch.ones_like(fake_crop[:, :1])
        view = LossView(
            fake=fake_crop,
            real=real_crop,
            mask=everywhere,
            fake_features=[],
            real_features=[],
            view_mask=everywhere,
        )
        judgements.append(
            Judgement(
                f"{kind}_discriminator",
                training.face_objective,
                torch.cat([pose, fake_crop], 1),
                torch.cat([pose, real_crop], 1),
                view,
                weight=weight,
                prefix=f"{kind}_",
                last_only=last_only,
            )
        )
    return judgements


def windows(clips: Tensor, length: int) -> Tensor:
    """All `length` frames that follow each other: (B, T, ...) to (B * (T - length + 1), length, ...)."""
    if clips.shape[1] == length:
        return clips
    return torch.stack([clips[:, at : at + length] for at in range(clips.shape[1] - length + 1)], 1).flatten(
        0, 1
    )
