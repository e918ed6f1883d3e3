"""What training looks at: clips, augmentations, losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dancekit.types import Skeleton

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Clip:
    """Consecutive frames of the target as augmentations receive them (torch, CPU or device).

    Attributes:
        images: (T, 3, H, W) float32 in [-1, 1].
        mask: (T, 1, H, W) float32 in [0, 1]: 1 = the person.
        xy: (T, K, 2) float32 pixels of the images, NaN where missing.
        score: (T, K) float32.
        plate: (1, 3, H, W) float32 in [-1, 1]: the clean plate behind the person, moved and coloured alike.
        skeleton: What the joints are.
        condition: (T, C, H, W) condition images that were drawn elsewhere; None to draw them from `xy`.
        boxes: (T, 4) face boxes that go with them; None to find them from `xy`.
        numbers: (T,) which frames of the person's clip they are.
        person: Whose; 0 is the target, others are only learnt from.
    """

    images: Tensor
    mask: Tensor
    xy: Tensor
    score: Tensor
    plate: Tensor
    skeleton: Skeleton
    condition: Tensor | None = None
    boxes: NDArray[np.float32] | None = None
    numbers: NDArray[np.intp] | None = None
    person: int = 0


class Augmentation(Protocol):
    """Changes a clip; one draw for all of its frames, geometry for pixels and keypoints alike."""

    version: int

    def draw(self, rng: np.random.Generator, size: tuple[int, int]) -> Mapping[str, Any]:
        """Draw the parameters for a clip of (W, H) frames; the only randomness there is."""
        ...

    def apply(self, clip: Clip, parameters: Mapping[str, Any]) -> Clip:
        """Apply them; the same shapes come back."""
        ...


@dataclass(frozen=True, eq=False)
class LossView:
    """All that a loss may look at. N = B * T frames.

    Attributes:
        fake: (N, 3, H, W) painted frames, with gradient.
        real: (N, 3, H, W) true frames.
        mask: (N, 1, H, W) 1 = the person.
        fake_features: Per scale and layer, what the discriminator says of the painted view; last is logits.
        real_features: The same of the true view, detached.
        view_mask: (B, 1, H, W) the person's mask over the frames of a view.
        frames: T, consecutive frames of one clip lie together.
        flow: (N, 2, H, W) where the temporal strategy says that each pixel was in the frame before; None if it does
            not say.
        share: (N, 1, H, W) how much of each pixel it took from there.
        matte: (N, 1, H, W) how much of each pixel the generator holds for the person, with gradient; None where it
            paints the background too.
        plate: (N, 3, H, W) the clean plate behind the person; None where there is none.
        taught: (N, 3, H, W) what a teacher paints; None without one.
        attention: (N, 1, h, w) the generator's own at an eighth of the size, with gradient (see `distillation`).
        taught_attention: (N, 1, h', w') the teacher's.
    """

    fake: Tensor
    real: Tensor
    mask: Tensor
    fake_features: Sequence[Sequence[Tensor]]
    real_features: Sequence[Sequence[Tensor]]
    view_mask: Tensor
    frames: int = 1
    flow: Tensor | None = None
    share: Tensor | None = None
    matte: Tensor | None = None
    plate: Tensor | None = None
    taught: Tensor | None = None
    attention: Tensor | None = None
    taught_attention: Tensor | None = None


class Loss(Protocol):
    """One term of the generator's objective, unweighted: weights and schedules live in the recipe."""

    version: int

    def __call__(self, view: LossView) -> Tensor:
        """A scalar tensor."""
        ...


@runtime_checkable
class AdversarialLoss(Protocol):
    """A loss that also trains the discriminator."""

    version: int

    def __call__(self, view: LossView) -> Tensor:
        """The generator's side."""
        ...

    def discriminator(
        self, real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]], view_mask: Tensor
    ) -> Tensor:
        """The discriminator's side: a scalar tensor."""
        ...


@runtime_checkable
class PenalizedLoss(Protocol):
    """An adversarial loss that also constrains the discriminator itself (a gradient penalty)."""

    def penalty(self, critic: Callable[[Tensor], list[list[Tensor]]], real: Tensor, fake: Tensor) -> Tensor:
        """A scalar for the discriminator's objective, from the true and painted views, (B, C, H, W) each."""
        ...


class PoseNetwork(Protocol):
    """A frozen, differentiable pose network as losses see it; `dancekit.build` wires one from the pose role.

    Images are (N, 3, size, size) float RGB in [0, 1], each a crop around one person.
    """

    size: int
    """Side of its input, pixels."""

    def to(self, device: Any) -> Any:
        """Move its weights."""
        ...

    def features(self, images: Tensor) -> Sequence[Tensor]:
        """Feature maps, finest first."""
        ...

    def keypoints(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, K, 2) pixels of the crop, and (N, K) how surely each joint is seen, 0 to 1."""
        ...
