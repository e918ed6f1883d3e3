"""The reference bank: filmed frames of the target, spread over its poses, with the person cut out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.arms import FilmedArms, without_arms
from dancekit.data.coverage import distances, medoids, thinned
from dancekit.errors import DancerError
from dancekit.heads import FilmedHeads
from dancekit.references.parts import without_part
from dancekit.types import PoseSequence, Skeleton

if TYPE_CHECKING:
    from torch import Tensor

    from dancekit.contracts import Reference, Renderer
    from dancekit.data.training_set import TrainingSet

RECENT = 12
"""Pictures that are kept as the generator sees them: one stays the reference for many frames."""

MOST_CHOSEN_FROM = 600
"""Frames of the clip, evenly spaced, that a bank is chosen from: comparing all pairs takes about a second."""


@dataclass(frozen=True, eq=False)
class ReferenceBank:
    """What references are chosen from.

    Attributes:
        pictures: (N, h, w, 4) uint8 RGBA windows; where the mask is 0, so is the picture.
        poses: N poses in window pixels; their pts are the frames' numbers in the training clip.
    """

    pictures: NDArray[np.uint8]
    poses: PoseSequence
    _resized: dict[tuple[int, int], ReferenceBank] = field(default_factory=dict, repr=False)
    _recent: dict[tuple[int, tuple[str, ...]], Tensor] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """(N,) the frames' numbers in the training clip."""
        return self.poses.pts

    @cached_property
    def heads(self) -> FilmedHeads:
        """What heads are chosen by."""
        return FilmedHeads(self.poses)

    @cached_property
    def arms(self) -> FilmedArms:
        """What arms are chosen by."""
        return FilmedArms(self.poses)

    def images(self, places: Iterable[int], *, without: Collection[str] = ()) -> Tensor:
        """(k, 4, h, w) float32: pictures in [-1, 1] times their masks, and the masks in [0, 1].

        Args:
            places: Which.
            without: What is taken off: of `head`, `left_arm`, `right_arm`.
        """
        import torch

        found = [self._image(int(place), tuple(without)) for place in places]
        if len(found) == 1:
            return found[0][None]
        return torch.stack(found) if found else torch.zeros(0, 4, *self.pictures.shape[1:3])

    def _image(self, place: int, without: tuple[str, ...]) -> Tensor:
        import torch

        key, known = (place, without), self._recent
        image = known.get(key)
        if image is None:
            image = torch.from_numpy(self.pictures[place]).float()
            image[..., 3:] /= 255
            image[..., :3] = (image[..., :3] / 127.5 - 1) * image[..., 3:]
            image = image.permute(2, 0, 1)  # in memory by pixels: so it is looked up
            pose = self.poses.xy[place], self.poses.score[place]
            for part in without:
                image = without_part(part, image, pose, self.poses.skeleton)
            while len(known) >= RECENT:
                known.pop(next(iter(known)), None)
            known[key] = image
        return image

    def choose(
        self,
        reference: Reference,
        xy: NDArray[np.float32],
        score: NDArray[np.float32],
        *,
        never: Collection[int] = (),
        before: NDArray[np.intp] | None = None,
    ) -> NDArray[np.intp]:
        """Which references belong to consecutive frames.

        Args:
            reference: Chooses.
            xy: (T, K, 2) window pixels.
            score: (T, K).
            never: Numbers of frames of the training clip that must not be taken, nor their neighbours within
                `reference.gap`: in training, those that are painted.
            before: (k,) what the frame before had.

        Returns:
            (T, k) places in the bank, -1 for none; the last are those of `reference.parts`.
        """
        wanted = PoseSequence(
            xy=xy,
            score=score,
            pts=np.arange(len(xy)),
            time_base=Fraction(1),
            size=self.poses.size,
            skeleton=self.poses.skeleton,
        )
        costs = [self._bodies_cost(wanted, reference.parts)]
        costs += [self._part_cost(wanted, part) for part in reference.parts]
        for number in never:
            for cost in costs:
                cost[:, np.abs(self.numbers - number) <= reference.gap] = np.inf
        return reference.choose(costs[0], before, costs[1:])

    def _bodies_cost(self, wanted: PoseSequence, parts: tuple[str, ...]) -> NDArray[np.floating]:
        """(T, N) pixels; arms do not count if they come from elsewhere, but for those that cannot be taken off."""
        if not {"left_arm", "right_arm"} & set(parts):
            return distances(self.poses, wanted)[0]
        return distances(self.arms.bodies, without_arms(wanted))[0] + self.arms.bodies_cost()

    def _part_cost(self, wanted: PoseSequence, part: str) -> NDArray[np.floating]:
        """(T, N) head widths."""
        return (
            self.heads.costs(wanted) if part == "head" else self.arms.costs(wanted, part.removesuffix("_arm"))
        )

    def draw(
        self,
        reference: Reference,
        chosen: NDArray[np.intp],
        xy: NDArray[np.float32],
        score: NDArray[np.float32],
        renderer: Renderer,
    ) -> Tensor:
        """What the generator sees besides the condition image of one frame: (C, h, w) float32 on the CPU.

        Args:
            reference: Draws.
            chosen: (k,) places in the bank.
            xy: (K, 2) window pixels.
            score: (K,).
            renderer: Draws the stick figures.
        """
        bodies, own = np.split(chosen, [len(chosen) - len(reference.parts)])
        parts = {
            part: (self.images([place])[0], (self.poses.xy[place], self.poses.score[place]))
            for part, place in zip(reference.parts, own, strict=True)
            if place >= 0
        }
        there = bodies[bodies >= 0]
        poses = self.poses.xy[there], self.poses.score[there]
        pictures = self.images(there, without=tuple(parts))
        return reference.draw(pictures, poses, (xy, score), self.poses.skeleton, renderer, parts)

    def at(self, size: tuple[int, int]) -> ReferenceBank:
        """The same at (W, H): a window of the same shape in other pixels."""
        if size == self.poses.size:
            return self
        if size not in self._resized:
            ratio = np.float32(size[0] / self.poses.size[0])
            xy = (self.poses.xy + np.float32(0.5)) * ratio - np.float32(0.5)
            how = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
            # what is transparent is black, so that all four channels can be resampled alike
            pictures = np.stack([cv2.resize(each, size, interpolation=how) for each in self.pictures])
            bank = ReferenceBank(np.asarray(pictures, np.uint8), self.poses.replace(xy=xy, size=size))
            self._resized[size] = bank
        return self._resized[size]

    # ---- in a file -----------------------------------------------------------------------------------------

    def png(self) -> bytes:
        """The pictures, one below the other, as an RGBA PNG."""
        count, height, width, _ = self.pictures.shape
        tall = self.pictures.reshape(count * height, width, 4)
        return bytes(cv2.imencode(".png", cv2.cvtColor(tall, cv2.COLOR_RGBA2BGRA))[1].tobytes())

    @classmethod
    def from_png(
        cls,
        data: NDArray[np.uint8],
        xy: NDArray[np.float32],
        score: NDArray[np.float32],
        numbers: NDArray[np.int64],
        *,
        size: tuple[int, int],
        skeleton: Skeleton,
    ) -> ReferenceBank:
        """The reverse of `png`, with the poses beside it.

        Raises:
            DancerError: The picture is damaged or of another size; that is seen before it is decoded.
        """
        count, (width, height) = len(numbers), size
        sides = int.from_bytes(data[16:20].tobytes(), "big"), int.from_bytes(data[20:24].tobytes(), "big")
        if data[:8].tobytes() != b"\x89PNG\r\n\x1a\n" or sides != (width, count * height):
            raise DancerError(f"the reference frames should be a PNG of {width}x{count * height} pixels")
        tall = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        if tall is None or tall.shape != (count * height, width, 4) or tall.dtype != np.uint8:
            raise DancerError("the reference frames cannot be decoded")
        try:
            poses = PoseSequence(
                xy=xy, score=score, pts=numbers, time_base=Fraction(1), size=size, skeleton=skeleton
            )
        except ValueError as error:
            raise DancerError(f"the reference frames' poses are damaged: {error}") from None
        pictures = cv2.cvtColor(tall, cv2.COLOR_BGRA2RGBA).reshape(count, height, width, 4)
        return cls(np.asarray(pictures, np.uint8), poses)


def make_banks(data: TrainingSet, reference: Reference, *, hold_out: float = 0.0) -> list[ReferenceBank]:
    """`make_bank` of everybody in a training set; nothing if there are no references."""
    if not reference.bank:
        return []
    made = (make_bank(member, reference, hold_out=hold_out) for member, _ in data.members())
    return [bank for bank in made if bank is not None]


def make_bank(data: TrainingSet, reference: Reference, *, hold_out: float = 0.0) -> ReferenceBank | None:
    """Choose the frames of a training set that stand best for all of its poses: their k-medoids.

    Args:
        data: Of which frames.
        reference: How many.
        hold_out: The share at the end that is never shown.

    Returns:
        The bank, in the order of time; None if there are no references.
    """
    if not reference.bank:
        return None
    found = np.flatnonzero(data.target.found[: data.shown(hold_out)])
    numbers = thinned(found, MOST_CHOSEN_FROM)
    part = data.target[numbers]
    cost = distances(part, part)[0].astype(np.float64)
    cost = np.maximum(cost, cost.T)  # infinite one way only, where one has joints the other lacks
    finite = cost[np.isfinite(cost)]
    cost[~np.isfinite(cost)] = 2 * finite.max(initial=1.0)
    chosen = numbers[np.sort(medoids(cost, reference.bank, 0.0))]
    masks = np.stack([np.asarray(data.masks[int(number)]) for number in chosen])
    frames = np.stack([np.asarray(data.frames[int(number)]) for number in chosen])
    pictures = np.concatenate([frames * (masks > 0)[..., None], masks[..., None]], -1).astype(np.uint8)
    target = data.target
    xy = data.window.to_window(target.xy[chosen])
    if data.places is not None:
        xy = xy - data.places[chosen][:, None].astype(np.float32)
    poses = PoseSequence(
        xy=xy,
        score=target.score[chosen],
        pts=chosen,
        time_base=Fraction(1),
        size=data.size,
        skeleton=target.skeleton,
    )
    return ReferenceBank(pictures, poses)
