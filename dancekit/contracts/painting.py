"""What draws a pose, paints the person, and hangs frames together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dancekit.types import Skeleton

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class RendererSpec:
    """The condition image.

    Attributes:
        channels: C of the condition image.
        value_range: Smallest and largest value.
        skeletons: Names of the skeletons it can draw.
        colours: RGB in [0, 1] in which each channel is shown to people; empty where the image is RGB.
    """

    channels: int
    value_range: tuple[float, float]
    skeletons: tuple[str, ...]
    colours: tuple[tuple[float, float, float], ...] = ()


@runtime_checkable
class Renderer(Protocol):
    """Draws keypoints as the generator's condition image. Wired: `skeleton`, `size` (W, H), `device`.

    `device` is wired to a constructor that has it: each draws by what is fastest there.
    """

    version: int
    spec: RendererSpec

    def __call__(self, xy: NDArray[np.float32], score: NDArray[np.float32]) -> Tensor:
        """Draw.

        Args:
            xy: (T, K, 2) window pixels, NaN where missing.
            score: (T, K).

        Returns:
            (T, C, H, W) float32 within `spec.value_range`, on its `device` (the CPU if it has none).
        """
        ...


@dataclass(frozen=True)
class GeneratorSpec:
    """The shape of a generator.

    Attributes:
        in_channels: C of its input (condition plus history).
        out_channels: C of its output (3 for an image).
        multiple_of: Height and width must be multiples of this.
    """

    in_channels: int
    out_channels: int
    multiple_of: int


class Generator(Protocol):
    """An `nn.Module` that knows nothing of time. Wired: `in_channels`, `out_channels`.

    A class attribute `only_to_train: tuple[str, ...]` may name parameters that a dancer file's weights make idle, such
    as a file to begin with.
    """

    version: int
    spec: GeneratorSpec

    def __call__(self, condition: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H, W) in [-1, 1]."""
        ...


class Discriminator(Protocol):
    """An `nn.Module` that judges what the temporal strategy shows it.

    Wired: `in_channels`, and `frames`: how many frames a view holds, all conditions before all images.
    """

    version: int

    def __call__(self, view: Tensor) -> list[list[Tensor]]:
        """(B, C, H, W) to, per scale (finest first), the feature maps of each layer; the last one is the logits."""
        ...


class Background(Protocol):
    """Makes the image of a generator's output: what is behind the person."""

    version: int
    generator_channels: int
    """C of the generator's output."""

    def compose(self, output: Tensor, plate: Tensor) -> Tensor:
        """(B, generator_channels, H, W) and the clean plate (B or 1, 3, H, W) to (B, 3, H, W) in [-1, 1]."""
        ...


@runtime_checkable
class MattedBackground(Protocol):
    """A background that knows how much of each pixel is the person: the person can be put before another one."""

    def matte(self, output: Tensor) -> Tensor:
        """(B, generator_channels, H, W) to (B, 1, H, W) in [0, 1], 1 = the person."""
        ...


State: TypeAlias = "Mapping[str, Tensor]"
"""What a temporal strategy remembers from frame to frame: named tensors (B, ...), opaque to all others."""


class Reference(Protocol):
    """Chooses filmed frames of the target that the generator sees besides its condition, and draws them."""

    version: int
    bank: int
    """Filmed frames to choose from, at most; 0: there are no references."""
    gap: int
    """In training, frames to either side of one that is painted which are none of its references."""
    generator_channels: int
    """C that the generator gives for `compose`, after those of the background."""
    parts: tuple[str, ...]
    """What comes from frames of its own, in this order: of `head`, `left_arm`, `right_arm`."""

    def channels(self, condition_channels: int) -> int:
        """C of what it draws, from C of the condition images."""
        ...

    def choose(
        self,
        cost: NDArray[np.floating],
        before: NDArray[np.intp] | None,
        parts: Sequence[NDArray[np.floating]] = (),
    ) -> NDArray[np.intp]:
        """For each of T consecutive frames k of the bank.

        Args:
            cost: (T, N) how far the poses are from those of the bank, pixels; infinite where it must not be taken.
            before: (k,) what the frame before had; None at the start.
            parts: (T, N) the same for each of `self.parts` alone, in head widths.

        Returns:
            (T, k + len(parts)) places in the bank, -1 where there is none; those of the parts come last.
        """
        ...

    def compose(self, output: Tensor, references: Tensor) -> Tensor:
        """What the generator gives, and (B, channels, H, W) that it was shown, to what the background takes.

        (B, background.generator_channels + generator_channels, H, W) to (B, background.generator_channels, H, W), in
        [-1, 1].
        """
        ...

    def draw(
        self,
        pictures: Tensor,
        there: tuple[NDArray[np.float32], NDArray[np.float32]],
        wanted: tuple[NDArray[np.float32], NDArray[np.float32]],
        skeleton: Skeleton,
        renderer: Callable[[NDArray[np.float32], NDArray[np.float32]], Tensor],
        parts: Mapping[
            str, tuple[Tensor, tuple[NDArray[np.float32], NDArray[np.float32]]]
        ] = MappingProxyType({}),
    ) -> Tensor:
        """What the generator sees.

        Args:
            pictures: (k', 4, H, W) float32 persons in [-1, 1], 0 around them, and their masks; k' <= k. Without
                the `parts` that are given.
            there: (k', K, 2) window pixels and (k', K) scores: their poses.
            wanted: (K, 2) and (K,): the pose to be painted.
            skeleton: What the K joints are.
            renderer: Draws stick figures.
            parts: (4, H, W) like `pictures`, and its (K, 2) and (K,) pose, for each of `self.parts` that is taken
                from a frame of its own; what is not in it comes with the body.

        Returns:
            (C, H, W) float32 on the CPU.
        """
        ...


class TemporalStrategy(Protocol):
    """Gives a generator its history, and a discriminator its view of consecutive frames.

    One that learns is an `nn.Module` as well: its weights are trained with the generator's, and stand in the dancer
    file as `temporal.<key>`. Wired: `condition_channels`.
    """

    version: int
    clip_length: int
    """T of a training clip."""
    warm_up: int
    """Of these, frames that are painted first, without gradient, and judged by nobody: where a history comes from."""

    def generator_channels(self, condition_channels: int) -> int:
        """C of the generator's input."""
        ...

    def discriminator_channels(self, condition_channels: int) -> int:
        """C of the discriminator's view."""
        ...

    def start(self, condition: Tensor) -> State:
        """The state that None stands for at a frame with this condition (B, C, H, W): zeros.

        Its names and shapes are those of every state that `remember` gives, so that a compiled or exported step can
        have the state as inputs and outputs.
        """
        ...

    def step(
        self, generator: Callable[[Tensor], Tensor], condition: Tensor, state: State | None
    ) -> tuple[Tensor, State | None]:
        """Paint one frame.

        Args:
            generator: The network and the background behind it: (B, C', H, W) to images (B, 3, H, W).
            condition: (B, C, H, W).
            state: What the last step returned; None at the start of a clip and after a cut.

        Returns:
            The image (B, 3, H, W) and the new state. A caller that changes the image (a face refiner) passes the
            changed one on through `remember`.
        """
        ...

    def remember(self, image: Tensor, state: State | None) -> State | None:
        """The state after the final image of a step is known (face pasted)."""
        ...

    def view(self, conditions: Tensor, images: Tensor) -> Tensor:
        """What the discriminator sees of the T frames after the warm-up: (B, T, C, H, W) and (B, T, 3, H, W) to
        (B, C', H, W).
        """
        ...


@runtime_checkable
class WarpingStrategy(Protocol):
    """A temporal strategy that moves its last image along: losses may look at how."""

    def motion(self, state: State) -> tuple[Tensor, Tensor]:
        """What a step did, from the state that it returned.

        Returns:
            (B, 2, H, W) flow: what is at p was at p + flow[p] in the frame before, pixels x and y. And (B, 1, H, W)
            the share in [0, 1] of the moved image in the result.
        """
        ...


class FaceRefiner(Protocol):
    """An `nn.Module` that sharpens the face of a painted image.

    Wired: `condition_channels`, `size`, and `draw`, which makes the recipe's renderer for pictures of a size (W, H).
    A class attribute `needs_joints = True` says that it does nothing with boxes that were found elsewhere.
    """

    version: int
    crop_size: int
    """Side of the square crop that its network sees, pixels."""

    def boxes(
        self, xy: NDArray[np.float32], score: NDArray[np.float32], skeleton: Skeleton
    ) -> NDArray[np.float32]:
        """Face boxes from keypoints.

        Args:
            xy: (T, K, 2) window pixels.
            score: (T, K).
            skeleton: What the joints are.

        Returns:
            (T, 4) float32 square boxes left, top, right, bottom in window pixels; NaN where no face is seen. Or, of a
            `RegionRefiner`, (T, R, D): a row a region, in which the first four numbers are the box, the fifth is how
            surely it is seen, 0 to 1, and the rest is its own.
        """
        ...

    def crop(self, images: Tensor, boxes: Tensor) -> Tensor:
        """(B, C, H, W) and (B, 4) to (B, C, crop_size, crop_size)."""
        ...

    def __call__(self, image: Tensor, condition: Tensor, boxes: Tensor) -> Tensor:
        """Refine, paste and clamp: (B, 3, H, W), (B, C, H, W), (B, 4) or (B, R, D) to (B, 3, H, W); NaN boxes change
        nothing, and nothing changes outside of the boxes.
        """
        ...


@runtime_checkable
class RegionRefiner(Protocol):
    """A face refiner that knows hands, too."""

    regions: tuple[str, ...]
    """Of its R rows: `face`, `left_hand`, `right_hand`."""

    def region_condition(self, condition: Tensor, boxes: Tensor) -> Tensor:
        """What discriminators are told of the pose: (B, C, H, W), (B, D) rows of one region to
        (B, C, crop_size, crop_size).
        """
        ...
