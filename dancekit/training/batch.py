"""What a step trains on: clips of the target, drawn by seed and step, as tensors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dancekit.build import PaintingParts
from dancekit.contracts import Augmentation, Clip, FaceRefiner, Reference
from dancekit.data.references import ReferenceBank
from dancekit.data.training_set import TrainingSet
from dancekit.training.given import condition_of, face_boxes_of
from dancekit.training.plan import ClipPlan


@dataclass(frozen=True, eq=False)
class Batch:
    """Clips of T consecutive frames.

    Attributes:
        conditions: (B, T, C, H, W) condition images.
        real: (B, T, 3, H, W) true frames in [-1, 1].
        mask: (B, T, 1, H, W) 1 = the person.
        plate: (B, 3, H, W) clean plates.
        boxes: (B, T, 4) face boxes, NaN where no face is seen; or (B, T, R, D), see `FaceRefiner.boxes`.
        references: (B, T, R, H, W) what the generator sees besides; None without references.
        taught: The same for the teacher's generator; None where it sees none.
        run_up: So many of the frames, the first of each clip, are painted for history alone.
    """

    conditions: Tensor
    real: Tensor
    mask: Tensor
    plate: Tensor
    boxes: Tensor
    references: Tensor | None = None
    taught: Tensor | None = None
    run_up: int = 0

    def __getitem__(self, frames: slice) -> Batch:
        """Some frames of every clip, all to be learnt from."""
        conditions, real, mask = (each[:, frames] for each in (self.conditions, self.real, self.mask))
        references, taught = (
            None if each is None else each[:, frames] for each in (self.references, self.taught)
        )
        return Batch(conditions, real, mask, self.plate, self.boxes[:, frames], references, taught)


@dataclass(frozen=True, eq=False)
class Filmed:
    """What references come from.

    Attributes:
        reference: Chooses and draws them.
        banks: What it chooses from, one for each person; none without references.
    """

    reference: Reference
    banks: Sequence[ReferenceBank] = ()


def draw_clips(
    data: TrainingSet,
    augmentations: Sequence[Augmentation],
    plan: ClipPlan,
    *,
    starts: Callable[[int], tuple[NDArray[np.intp], NDArray[np.float64] | None]],
    batch: int,
    seed: int,
    step: int,
    wanted: Collection[int] | None = None,
) -> list[Clip]:
    """Clips of a step: every draw is a function of seed and step alone.

    Args:
        data: The target.
        augmentations: Applied in order, one draw a clip.
        plan: What clips of the step's stage are like; the frames before them come first in each.
        starts: First frames that a clip which spans so many frames of the video may have, and how probable each of
            them is; None: all alike.
        batch: B.
        seed: The recipe's.
        step: Number of the step.
        wanted: Only these of them, by number; they are the same as in all of them.
    """
    clips = []
    for number, each in enumerate(
        draw_places(augmentations, plan, starts=starts, batch=batch, seed=seed, step=step)
    ):
        if wanted is not None and number not in wanted:
            continue
        clip = data.clip(each.start, each.length, stride=each.stride, size=plan.size)
        for augmentation, parameters in zip(augmentations, each.parameters, strict=True):
            clip = augmentation.apply(clip, parameters)
        clips.append(clip)
    return clips


@dataclass(frozen=True, eq=False)
class Drawn:
    """A clip before it is cut out.

    Attributes:
        start: Its first frame.
        length: How many it has.
        stride: Frames of the video from one to the next.
        parameters: Of each augmentation.
    """

    start: int
    length: int
    stride: int
    parameters: Sequence[Mapping[str, Any]]

    @property
    def frames(self) -> NDArray[np.intp]:
        """Their numbers."""
        return np.arange(self.length) * self.stride + self.start


def draw_places(
    augmentations: Sequence[Augmentation],
    plan: ClipPlan,
    *,
    starts: Callable[[int], tuple[NDArray[np.intp], NDArray[np.float64] | None]],
    batch: int,
    seed: int,
    step: int,
) -> list[Drawn]:
    """All draws of a step; arguments as of `draw_clips`."""
    rng = np.random.default_rng([seed, step])
    length = plan.before(step) + plan.frames
    found = []
    for _ in range(batch):
        stride = (
            plan.strides[int(rng.integers(len(plan.strides)))] if len(plan.strides) > 1 else plan.strides[0]
        )
        possible, weights = starts((length - 1) * stride + 1)
        place = rng.integers(len(possible)) if weights is None else rng.choice(len(possible), p=weights)
        drawn = [augmentation.draw(rng, plan.size) for augmentation in augmentations]
        found.append(Drawn(int(possible[place]), length, stride, drawn))
    return found


def make_batch(
    clips: Sequence[Clip],
    painting: PaintingParts,
    device: str,
    filmed: Filmed | None = None,
    *,
    taught: Filmed | None = None,
    run_up: int = 0,
) -> Batch:
    """Draw the condition images and references, find the face boxes, and put all of it on the device.

    Args:
        clips: Of one length and size.
        painting: Its renderer draws at that size.
        device: Where to.
        filmed: Where the generator's references come from; None without any.
        taught: Where its teacher's come from; None without a teacher.
        run_up: See `Batch`.
    """
    drawn = [condition_of(clip, painting.renderer) for clip in clips]
    face = cast("FaceRefiner", painting.face)
    boxes = [torch.from_numpy(face_boxes_of(clip, face)) for clip in clips]

    def shown(source: Filmed | None) -> Tensor | None:
        if source is None or not source.banks:
            return None
        drawn = [references_of(clip, painting, source) for clip in clips]
        return torch.stack(drawn).to(device)

    references = shown(filmed)
    return Batch(
        conditions=torch.stack(drawn).to(device),
        real=torch.stack([clip.images for clip in clips]).to(device),
        mask=torch.stack([clip.mask for clip in clips]).to(device),
        plate=torch.cat([clip.plate for clip in clips]).to(device),
        boxes=torch.stack(boxes).to(device),
        references=references,
        taught=references if taught is filmed else shown(taught),
        run_up=run_up,
    )


def references_of(clip: Clip, painting: PaintingParts, filmed: Filmed) -> Tensor:
    """(T, R, H, W) of a clip: never its own frames, nor their neighbours in time."""
    assert clip.numbers is not None
    bank = filmed.banks[clip.person].at((clip.images.shape[-1], clip.images.shape[-2]))
    xy, score = clip.xy.numpy(), clip.score.numpy()
    chosen = bank.choose(filmed.reference, xy, score, never=clip.numbers.tolist())
    drawn = [
        bank.draw(filmed.reference, *each, painting.renderer) for each in zip(chosen, xy, score, strict=True)
    ]
    return torch.stack(drawn)
