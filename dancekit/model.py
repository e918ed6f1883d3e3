"""A trained (or half-trained) target that paints: poses in, frames out."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dancekit.build import PaintingParts
from dancekit.contracts import GeneratorSpec, MattedBackground, RendererSpec, Runner, State
from dancekit.data.references import ReferenceBank
from dancekit.history import History
from dancekit.moving import PLACE, edge_of, inserted, moved_state, part_of
from dancekit.types import Following, Skeleton

TRUNK = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")

Network = Callable[[torch.Tensor], torch.Tensor]
"""A generator's forward pass: (B, C, H, W) to (B, C', H, W)."""


@dataclass(frozen=True, eq=False)
class Painted:
    """One painted frame, on the network's device.

    Attributes:
        image: (1, 3, h, w) in [-1, 1], face refined.
        matte: (1, 1, h, w) in [0, 1], how much of each pixel is the person; None where the generator paints the
            background too.
        state: What the temporal strategy is told at the next frame.
    """

    image: torch.Tensor
    matte: torch.Tensor | None
    state: State | None

    def to_uint8(self) -> NDArray[np.uint8]:
        """(h, w, 3) uint8 RGB."""
        return np.asarray(to_uint8(self.image)[0], np.uint8)

    def matte_to_uint8(self) -> NDArray[np.uint8] | None:
        """(h, w) uint8, 255 = the person; None where there is none."""
        if self.matte is None:
            return None
        scaled = self.matte.float().clamp(0, 1).mul(255).round().to(torch.uint8)
        return np.asarray(scaled[0, 0].contiguous().cpu().numpy(), np.uint8)


class Painter:
    """Paints the window of the target, frame by frame, in constant memory.

    Where the window follows the person, all that goes in or comes out is of the canvas that it moves over: poses, plate
    and pictures. The networks see the window alone; outside of it the picture is the plate, and the matte 0.

    Args:
        parts: Renderer, generator, temporal strategy and face refiner; put into eval mode.
        skeleton: What the joints of the poses are.
        plate: (h, w, 3) uint8, the window of the clean plate; where it follows, the canvas of it.
        device: Where the networks are.
        network: Computes what the generator does, in another way; None: the generator itself.
        network_name: What that way is called.
        bank: What references are chosen from; needed by a recipe that has any.
        age: Seconds from one frame to the next in training; None: frames follow each other as in training.
        follow: How the window follows the person; None: it does not.

    Attributes:
        bank: The same.
        network: May be replaced between two clips.
        network_name: May be replaced along with it: a half-painted video is not gone on with by another network.
    """

    def __init__(
        self,
        parts: PaintingParts,
        skeleton: Skeleton,
        plate: NDArray[np.uint8],
        device: str,
        *,
        network: Network | None = None,
        network_name: str = "torch",
        bank: ReferenceBank | None = None,
        age: float | None = None,
        follow: Following | None = None,
    ) -> None:
        self.parts = parts
        self.skeleton = skeleton
        self.device = device
        self.network: Network = network or parts.generator
        self.network_name = network_name
        self.bank = bank
        self.age = age
        self.follow = follow
        self._plate = (
            torch.from_numpy(plate.copy()).permute(2, 0, 1)[None].float().div(127.5).sub(1).to(device)
        )
        self.size: tuple[int, int] = (plate.shape[1], plate.shape[0]) if follow is None else follow.size
        self._empty: torch.Tensor | None = None
        for each in parts.networks.values():
            each.eval()

    def use(self, runner: Runner) -> None:
        """Let a runner compute the generator from now on.

        Raises:
            DancekitError: It gives other numbers than torch, or the machine lacks what it needs.
        """
        self.network = runner.prepare(self.parts.generator, self.example())
        self.network_name = runner.name

    def example(self) -> torch.Tensor:
        """(1, C, h, w) an input of the generator's form, always the same."""
        spec: GeneratorSpec = self.parts.generator.spec  # type: ignore[assignment]
        width, height = self.size
        always = torch.Generator().manual_seed(0)
        noise = torch.randn(1, spec.in_channels, height, width, generator=always)
        return noise.clamp(-1, 1).to(self.device)

    def paint(
        self,
        xy: NDArray[np.float32],
        score: NDArray[np.float32],
        *,
        cuts: Collection[int] = (),
        seconds: NDArray[np.float64] | None = None,
        places: NDArray[np.intp] | None = None,
    ) -> Iterator[NDArray[np.uint8]]:
        """Paint a clip.

        Args:
            xy: (T, K, 2) window pixels, NaN where missing.
            score: (T, K).
            cuts: Frames before which the history is forgotten.
            seconds: (T,) when each frame is shown; None: each is painted from the one before it.
            places: (T, 2) where the window is; None: where it follows the poses to.

        Yields:
            T images (h, w, 3) uint8 RGB.
        """
        places = self.places(xy, cuts=cuts) if places is None else places
        return self.paint_conditions(
            self.draw(xy, score, places=places),
            self.face_boxes(xy, score, places=places),
            cuts=cuts,
            seconds=seconds,
            places=places,
        )

    def places(
        self, xy: NDArray[np.float32], *, cuts: Collection[int] = (), before: NDArray[np.intp] | None = None
    ) -> NDArray[np.intp] | None:
        """Where the window is in each frame.

        Args:
            xy: (T, K, 2) as of `paint`.
            cuts: As of `paint`.
            before: (2,) where it was in the frame before these.

        Returns:
            (T, 2) left and top; None where the window does not follow.
        """
        if self.follow is None:
            return None
        last = None if before is None else (int(before[0]), int(before[1]))
        return self.follow.places(xy, cuts=cuts, before=last)

    def _in_window(self, xy: NDArray[np.float32], places: NDArray[np.intp] | None) -> NDArray[np.float32]:
        if self.follow is None:
            return xy
        if places is None:
            raise ValueError("where is the window?")
        return xy - places[:, None].astype(np.float32)

    def draw(
        self,
        xy: NDArray[np.float32],
        score: NDArray[np.float32],
        *,
        start: int = 0,
        before: NDArray[np.intp] | None = None,
        places: NDArray[np.intp] | None = None,
    ) -> Iterator[torch.Tensor]:
        """What `step` paints from, frame by frame.

        Args:
            xy: As of `paint`.
            score: As of `paint`.
            start: The first frame that is drawn.
            before: What `choose_references` gave for the frame before frame 0; for poses that come one at a time.
            places: What `places` gave.

        Yields:
            (1, C, h, w) condition images, with the references' channels after those of the condition. Of who has
            nothing of the trunk in the window nothing is drawn.
        """
        xy = self._in_window(xy, places)
        score = score * self.in_sight(xy, score)[:, None]
        chosen = self.choose_references(xy, score, before=before)
        for number in range(start, len(xy)):
            condition = self.parts.renderer(xy[number : number + 1], score[number : number + 1])
            if self.bank is not None:
                seen = self.bank.draw(
                    self.parts.reference, chosen[number], xy[number], score[number], self.parts.renderer
                )
                condition = torch.cat([condition, seen[None].to(condition)], 1)
            yield condition

    def in_sight(self, xy: NDArray[np.float32], score: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(T,) whether a shoulder or hip is within the window; an arm that reaches in is nothing to paint from."""
        trunk = [self.skeleton.index(name) for name in TRUNK if name in self.skeleton]
        trunk = trunk or list(range(len(self.skeleton)))
        sides = np.array(self.size)
        known = score[:, trunk] > 0
        points = np.where(known[..., None], xy[:, trunk], -1)
        return np.asarray(((points >= 0) & (points <= sides - 1)).all(-1).any(-1))

    def choose_references(
        self,
        xy: NDArray[np.float32],
        score: NDArray[np.float32],
        *,
        before: NDArray[np.intp] | None = None,
    ) -> NDArray[np.intp]:
        """(T, k) places in the bank for T frames, given those of the frame before; (T, 0) without references."""
        if self.bank is None:
            return np.zeros((len(xy), 0), np.intp)
        return self.bank.choose(self.parts.reference, xy, score, before=before)

    def face_boxes(
        self, xy: NDArray[np.float32], score: NDArray[np.float32], *, places: NDArray[np.intp] | None = None
    ) -> NDArray[np.float32]:
        """(T, 4) window pixels; arguments as of `draw`."""
        xy = self._in_window(xy, places)
        boxes: NDArray[np.float32] = self.parts.face.boxes(xy, score, self.skeleton)  # type: ignore[operator]
        return boxes

    def paint_conditions(
        self,
        conditions: Iterable[torch.Tensor],
        boxes: NDArray[np.float32],
        *,
        cuts: Collection[int] = (),
        seconds: NDArray[np.float64] | None = None,
        places: NDArray[np.intp] | None = None,
    ) -> Iterator[NDArray[np.uint8]]:
        """Paint a clip whose condition images are there already.

        Args:
            conditions: T images (1, C, h, w) as `draw` gives them, lazily.
            boxes: (T, 4) face boxes in window pixels.
            cuts: Frames before which the history is forgotten.
            seconds: (T,) when each frame is shown; None: each is painted from the one before it.
            places: What `places` gave.

        Yields:
            T images (h, w, 3) uint8 RGB.
        """
        forgotten = frozenset(cuts)
        history: History[State | None] = History(None if seconds is None else self.age)
        for number, condition in enumerate(conditions):
            if number in forgotten:
                history.forget()
            now = number if seconds is None else float(seconds[number])
            place = None if places is None else places[number]
            painted = self.step(condition, boxes[number : number + 1], history.recall(now), place=place)
            history.remember(now, painted.state)
            yield painted.to_uint8()

    def step(
        self,
        condition: torch.Tensor,
        box: NDArray[np.float32],
        state: State | None,
        *,
        place: NDArray[np.intp] | None = None,
        observe: Callable[[str, float], None] | None = None,
    ) -> Painted:
        """Paint one frame. Where no figure is drawn there is nobody: the clean plate alone, if there is a matte.

        Args:
            condition: (1, C, h, w) as `draw` gives it.
            box: (1, 4) the face, window pixels.
            state: `Painted.state` of the frame that this one is told of (`dancekit.history`); None at the start of a
                clip and after a cut.
            place: (2,) where the window is, a row of what `places` gave.
            observe: Told ("generate" and "refine", seconds).
        """
        background, drawn = self.parts.background, self.parts.renderer.spec.channels
        condition = condition.to(self.device)
        condition, references = condition[:, :drawn], condition[:, drawn:]
        if isinstance(background, MattedBackground) and torch.equal(condition, self._nobody()):
            # no training clip is without a person: the generator would paint shreds of one
            return Painted(self._plate, torch.zeros_like(self._plate[:, :1]), None)
        plate = self._plate
        if self.follow is not None:
            if place is None:
                raise ValueError("where is the window?")
            plate = part_of(self._plate, place, self.size)
            state = moved_state(state, place, plate, self._nobody())
        raw: list[torch.Tensor] = []

        def generate(condition: torch.Tensor) -> torch.Tensor:
            output = self.network(torch.cat([condition, references], 1))
            raw[:] = [self.parts.reference.compose(output, references)]
            return background.compose(raw[0], plate)

        began = time.perf_counter()
        # around each call and not around a yield: the mode would leak into the caller's code between two frames
        with torch.inference_mode():
            image, state = self.parts.temporal.step(generate, condition, state)
            generated = time.perf_counter()
            face = torch.from_numpy(box).to(self.device)
            image = self.parts.face(image, condition, face)
            state = self.parts.temporal.remember(image, state)
            matte = background.matte(raw[0]) if isinstance(background, MattedBackground) else None
        if observe is not None:
            observe("generate", generated - began)
            observe("refine", time.perf_counter() - generated)
        if place is None:
            return Painted(image, matte, state)
        if state is not None:
            state = {**state, PLACE: torch.from_numpy(np.array(place, np.int64))}
        height, width = self._plate.shape[2:]
        edge = edge_of(self.size, (width, height), place).to(image)
        image = torch.where(edge == 1, image, plate + edge * (image - plate))
        whole = None
        if matte is not None:
            whole = inserted(torch.zeros_like(self._plate[:, :1]), matte * edge, place)
        return Painted(inserted(self._plate, image, place), whole, state)

    def _nobody(self) -> torch.Tensor:
        """(1, C, h, w) the condition image of a frame without a person."""
        if self._empty is None:
            joints = len(self.skeleton)
            nowhere = np.full((1, joints, 2), np.nan, np.float32)
            self._empty = self.parts.renderer(nowhere, np.zeros((1, joints), np.float32)).to(self.device)
        return self._empty

    def sticks(self, xy: NDArray[np.float32], score: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The condition image of one frame as a picture: (K, 2) and (K,) to (h, w, 3) uint8."""
        return condition_picture(self.parts.renderer(xy[None], score[None])[0], self.parts.renderer.spec)


def condition_picture(condition: torch.Tensor, spec: RendererSpec) -> NDArray[np.uint8]:
    """A condition image (C, H, W) as people see it: (H, W, 3) uint8.

    Channels are shown in the renderer's colours, the brightest on top; without colours the first three are
    red, green and blue, and a single one is grey.
    """
    low, high = spec.value_range
    image = ((condition.float().cpu() - low) / (high - low)).clamp(0, 1)
    if spec.colours:
        colours = torch.tensor(spec.colours)
        picture = torch.zeros(3, *image.shape[1:])
        for channel, colour in zip(image, colours, strict=True):
            picture = torch.maximum(picture, channel * colour[:, None, None])
    else:
        picture = image[:3] if len(image) >= 3 else image[:1].expand(3, -1, -1)
    return np.asarray(picture.mul(255).round().permute(1, 2, 0).numpy(), np.uint8)


def to_uint8(images: torch.Tensor) -> NDArray[np.uint8]:
    """(B, 3, H, W) in [-1, 1] to (B, H, W, 3) uint8."""
    scaled = images.float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    result: NDArray[Any] = scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return result
