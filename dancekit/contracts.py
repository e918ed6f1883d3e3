"""What each role promises: Protocols and spec dataclasses. Read this first.

A component is config-free: `UNet(in_channels=6)` works with no recipe. **The constructor's signature is its
schema**: keyword-only parameters with a default are recipe parameters (validated from their annotations);
those without one (`in_channels`, `skeleton`, `size`, ...) are wired by `dancekit.build`. Every component class
has a class attribute `version: int`; it grows when the same parameters would give other numbers, and
`name@version` is stored in every dancer file.

Letters: B batch, T time, P person, C channel, H W image, K joint. Images inside networks are float32 RGB in
[-1, 1]; keypoints are pixels of the image they go with, NaN where missing (score 0).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dancekit.types import Detections, PoseSequence, Skeleton

if TYPE_CHECKING:
    from torch import Tensor, nn

KINDS = (
    "pose",
    "filter",
    "normalizer",
    "renderer",
    "generator",
    "discriminator",
    "loss",
    "background",
    "reference",
    "temporal",
    "face",
    "augmentation",
    "metric",
    "runner",
)


@dataclass(frozen=True)
class WeightFile:
    """A file of weights that a component loads, said by its classmethod `weight_files(**recipe_parameters)`.

    The method is optional, needs no file to be there, and lets `dancekit zoo lock` and `dancekit zoo licences` tell
    what a recipe needs before anything is fetched.

    Attributes:
        name: Of the file.
        licence: SPDX identifier of the weights, "" if unknown.
        sha256: Its digest; None if the file ships with dancekit (the zoo's index has it) or nobody knows.
        sources: `package:zoo/weights/NAME`, https addresses, or the path of a local file.
    """

    name: str
    licence: str
    sha256: str | None
    sources: tuple[str, ...]

    @property
    def is_local(self) -> bool:
        """Whether it is a file that the user named."""
        return not any(source.startswith(("package:", "https://")) for source in self.sources)


# ---- poses -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PoseSpec:
    """What a pose backend gives.

    Attributes:
        skeleton: The joints it finds.
        max_people: How many people per frame, None for any number.
        gives_mask: Whether `Detections.mask` is filled.
        licence: SPDX identifier of the weights.
        weights: sha256 (or name) of each weight file, for caching and provenance.
        runner: What computes the networks: the name of a runner, or "torch", also where they are not torch's.
    """

    skeleton: Skeleton
    max_people: int | None
    gives_mask: bool
    licence: str
    weights: Mapping[str, str] = field(default_factory=dict)
    runner: str = "torch"


@runtime_checkable
class PoseBackend(Protocol):
    """Finds people in frames.

    Recipe parameters that all backends have: `threshold` (joints below it are missing).
    Wired: `device: str` ("cpu", "cuda", "mps").
    """

    version: int
    spec: PoseSpec

    def detect(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[Detections]:
        """Find the people of each frame, lazily and in order; tracking state lives for one call.

        Args:
            frames: (H, W, 3) uint8 RGB frames of one clip.

        Yields:
            One `Detections` a frame (`len() == 0` if nobody was found).
        """
        ...


@runtime_checkable
class FindsPeople(Protocol):
    """A pose backend whose `detect` follows one person (`spec.max_people` 1), and that can find everybody too."""

    def detect_people(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[Detections]:
        """As `PoseBackend.detect`, with everybody in each `Detections`, in any order."""
        ...


@runtime_checkable
class Filter(Protocol):
    """Cleans a pose sequence: same frames, same skeleton. Never invents a joint without saying so in its docs."""

    version: int

    def __call__(self, poses: PoseSequence) -> PoseSequence:
        """Return the filtered sequence."""
        ...


@runtime_checkable
class CausalFilter(Filter, Protocol):
    """A filter of which a frame depends on itself and on earlier frames only: it can run live."""

    def stream(self) -> Callable[[PoseSequence], PoseSequence]:
        """A filter for one clip that is still being filmed.

        Returns:
            A function that takes the clip's frames in order, in pieces of any length, and returns them filtered:
            together the same as `self(clip)`.
        """
        ...


@runtime_checkable
class Normalizer(Protocol):
    """Moves poses of the source to the body and place of the target (retargeting)."""

    version: int

    def fit(self, source: PoseSequence, target: PoseSequence) -> Mapping[str, Any]:
        """Measure both clips (deterministic, all frames).

        Returns:
            Plain JSON data: the fitted numbers, written beside every result. Keys ending in `_px` are pixels.

        Raises:
            PoseError: Too little was seen to fit; the message says what.
        """
        ...

    def apply(self, fitted: Mapping[str, Any], poses: PoseSequence) -> PoseSequence:
        """Move poses (frame pixels of the source) into frame pixels of the target.

        The result has the source's pts and the target's `size`.
        """
        ...


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


# ---- networks ----------------------------------------------------------------------------------------------


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

    def channels(self, condition_channels: int) -> int:
        """C of what it draws, from C of the condition images."""
        ...

    def choose(self, cost: NDArray[np.floating], before: NDArray[np.intp] | None) -> NDArray[np.intp]:
        """For each of T consecutive frames k of the bank.

        Args:
            cost: (T, N) how far the poses are from those of the bank, pixels; infinite where it must not be taken.
            before: (k,) what the frame before had; None at the start.

        Returns:
            (T, k) places in the bank, -1 where there is none.
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
        edges: tuple[tuple[int, int], ...],
        renderer: Callable[[NDArray[np.float32], NDArray[np.float32]], Tensor],
    ) -> Tensor:
        """What the generator sees.

        Args:
            pictures: (k', 4, H, W) float32 persons in [-1, 1], 0 around them, and their masks; k' <= k.
            there: (k', K, 2) window pixels and (k', K) scores: their poses.
            wanted: (K, 2) and (K,): the pose to be painted.
            edges: The skeleton's.
            renderer: Draws stick figures.

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


# ---- training ----------------------------------------------------------------------------------------------


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
        numbers: (T,) which frames of the target's clip they are.
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


class Metric(Protocol):
    """Compares painted frames with true ones, frame by frame.

    A long clip is scored in chunks: a metric sees each frame together with the `context` frames before it, so
    that memory does not grow with the clip.

    Optional: `regions(fake, real, masks: Mapping[str, mask | None]) -> dict[str, (T,)]`, the same numbers for
    several masks at once, for a metric that can look at each frame once for all of them.
    """

    version: int
    higher_is_better: bool
    unit: str
    """"dB", "px", "%", ... or "" for a plain number."""
    context: int
    """Frames before the one scored that it must see: 0 for images, 1 for differences of frames."""

    def __call__(
        self, fake: NDArray[np.uint8], real: NDArray[np.uint8], mask: NDArray[np.bool_] | None
    ) -> NDArray[np.float64]:
        """Score every frame.

        Args:
            fake: (T, H, W, 3) uint8.
            real: (T, H, W, 3) uint8.
            mask: (T, H, W) where to measure; None for everywhere.

        Returns:
            (T,) one number a frame, NaN where there is nothing to measure (the first `context` frames too).
        """
        ...


class ClipMetric(Protocol):
    """One number for a whole clip (a spectrum over time, a distance of distributions), seen chunk by chunk.

    An instance measures one clip: make a new one for the next.
    """

    version: int
    higher_is_better: bool
    unit: str

    def update(
        self, fake: NDArray[np.uint8], real: NDArray[np.uint8], mask: NDArray[np.bool_] | None
    ) -> None:
        """See the next frames: (T, H, W, 3), (T, H, W, 3), (T, H, W) or None; in constant memory."""
        ...

    def result(self) -> float:
        """The number; NaN where nothing could be measured."""
        ...


class PoseMetric(Protocol):
    """Compares the poses found in painted frames with those found (or known) in the true ones."""

    version: int
    higher_is_better: bool
    unit: str

    def __call__(self, fake: PoseSequence, real: PoseSequence) -> NDArray[np.float64]:
        """(T,) one number a frame, NaN where there is nothing to compare; both in pixels of the same frame."""
        ...


# ---- speed -------------------------------------------------------------------------------------------------


class Runner(Protocol):
    """Another program than plain torch that computes a network's forward pass, with the same numbers.

    Chosen for a machine, not by a recipe. Wired: `threads: int`, and `cache: Path | None`, a folder for what is made
    once a network.
    """

    version: int
    name: str
    """What it is registered as."""
    devices: tuple[str, ...]
    """Where it works: cpu, cuda, mps."""

    def prepare(self, network: nn.Module, example: Tensor) -> Callable[[Tensor], Any]:
        """Make a forward pass ready.

        Args:
            network: In eval mode, on a device of `devices`; takes one tensor, and gives one or a (named) tuple.
            example: (B, C, H, W) an input; the sides of later ones are the same, their batches may differ.

        Returns:
            What computes the same, each number within 1e-3 of torch's (of the output's largest, if that is above 1).

        Raises:
            DancekitError: It does not, or the machine lacks what it needs.
        """
        ...


@runtime_checkable
class GraphRunner(Protocol):
    """A runner that opens graphs, an int8 one too."""

    def open(self, graph: bytes, network: nn.Module, example: Tensor) -> Callable[[Tensor], Any]:
        """A forward pass by a serialized ONNX graph with one input.

        Args:
            graph: What `network` computes, or about that.
            network: Gives outputs of the wanted form.
            example: (1, C, H, W).
        """
        ...
