"""The nearest filmed frames by pose, moved limb by limb into the pose that is wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dancekit.references.morph import joints_shift, morph, shifted
from dancekit.references.parts import ARMS, bent_with_body, put_part

if TYPE_CHECKING:
    from torch import Tensor

    from dancekit.types import Skeleton

Pose = tuple[NDArray[np.float32], NDArray[np.float32]]
"""(..., K, 2) window pixels, NaN where missing, and (..., K) scores."""


class Nearest:
    """Shows the generator the filmed frames whose poses are nearest, cut out and brought into place.

    Of each reference the generator sees the person's picture, the mask (4 channels), and the stick figure of the
    pose that it was taken in, shifted into place: it tells how far the picture can be trusted. The idea is that of
    reference-conditioned generators (Balakrishnan et al. 2018; few-shot vid2vid, Wang et al. 2019): clothes, prints
    and hair are copied from a picture, not remembered by weights. Ours are found by pose, frame by frame.

    The reference changes only for one that is clearly nearer, so that the picture does not flicker between two.

    Args:
        frames: References at a time.
        bank: Filmed frames to choose from, spread over the poses; the dancer file holds them.
        gap: In training a frame's own neighbours in time are no references: so many frames to either side.
        hysteresis: How much nearer another frame must be before it takes over, 0 to 1.
        align: `shift` brings the middle of the joints together; `limbs` also moves every limb onto its place by
            field morphing (Beier and Neely 1992).
        copy_pixels: The generator also says, pixel by pixel, what share of the person is the reference's own picture;
            the rest it paints.
        head: `same`: of the same frame as the body; `nearest`: of the frame whose head looks the same way and is not
            hidden by a hand. It is put on by a similarity, not bent; the body's forearms and hands stay before it.
        arms: `same`, or `nearest`: each arm from the frame in which it is most alike and not before the body, laid on
            like a paper doll's, upper arm and forearm with hand.
        residual_flow: How far the generator may move the pixels that it copies, in picture heights, along a smooth
            flow: so it learns what bending limbs alone cannot know, bodies that turn and clothes that swing. 0: not
            at all.

    Raises:
        ValueError: A `residual_flow` without `copy_pixels`: there is nothing to move.
    """

    version = 1

    def __init__(
        self,
        *,
        frames: Annotated[int, Field(ge=1, le=4)] = 1,
        bank: Annotated[int, Field(ge=1, le=512)] = 64,
        gap: Annotated[int, Field(ge=0, le=10_000)] = 12,
        hysteresis: Annotated[float, Field(ge=0, lt=1)] = 0.3,
        align: Literal["shift", "limbs"] = "limbs",
        copy_pixels: bool = True,
        head: Literal["same", "nearest"] = "same",
        arms: Literal["same", "nearest"] = "same",
        residual_flow: Annotated[float, Field(ge=0, le=0.1)] = 0.0,
    ) -> None:
        self.frames, self.bank, self.gap = frames, bank, gap
        self.hysteresis = hysteresis
        self.align: Literal["shift", "limbs"] = align
        if residual_flow and not copy_pixels:
            raise ValueError(
                f"residual_flow {residual_flow} moves the pixels that are copied, and copy_pixels is off"
            )
        self.residual_flow = residual_flow
        self.generator_channels = frames * (3 if residual_flow else 1) if copy_pixels else 0
        self.parts = (("head",) if head == "nearest" else ()) + (ARMS if arms == "nearest" else ())

    def channels(self, condition_channels: int) -> int:
        """C of what the generator sees besides: picture, mask and stick figure of each reference."""
        return self.frames * (4 + condition_channels)

    def choose(
        self,
        cost: NDArray[np.floating],
        before: NDArray[np.intp] | None,
        parts: Sequence[NDArray[np.floating]] = (),
    ) -> NDArray[np.intp]:
        """Which references belong to consecutive frames.

        Args:
            cost: (T, N) how far each frame of the bank is; infinite where it must not be taken.
            before: (k,) what the frame before had; None at the start.
            parts: (T, N) the same for each of the parts alone.

        Returns:
            (T, k + len(parts)) places in the bank, -1 where there is none. A reference that stays keeps its place
            among the k; those of the parts come last.
        """
        counts = [self.frames, *[1] * len(parts)]
        ends = np.cumsum(counts)[:-1]
        held = [None] * len(counts) if before is None else np.split(before, ends)
        chosen = [self._choose(*each) for each in zip((cost, *parts), held, counts, strict=True)]
        return np.concatenate(chosen, 1)

    def _choose(
        self, cost: NDArray[np.floating], before: NDArray[np.intp] | None, count: int
    ) -> NDArray[np.intp]:
        chosen = np.full((len(cost), count), -1, np.intp)
        held = np.full(count, -1, np.intp) if before is None else before
        for row, own in zip(chosen, cost, strict=True):
            favoured = np.array(own, np.float64)
            kept = held[held >= 0]
            favoured[kept] *= 1 - self.hysteresis
            order = np.argsort(favoured, kind="stable")[:count]
            best = order[np.isfinite(favoured[order])]
            stays = np.isin(held, best)
            row[stays] = held[stays]
            new = best[~np.isin(best, held)]
            row[np.flatnonzero(~stays)[: len(new)]] = new
            held = row
        return chosen

    def compose(self, output: Tensor, references: Tensor) -> Tensor:
        """Take from the references what the generator says.

        Args:
            output: (B, C + generator_channels, H, W) in [-1, 1]: the picture first, then the share of each reference,
                from -1 for nothing to 1 for all of it; more than all in all is scaled down to all. With
                `residual_flow` how each is to be moved comes last, x and y.
            references: (B, channels, H, W) as `draw` gives them.

        Returns:
            (B, C, H, W).
        """
        import torch

        from dancekit.references.residual_flow import moved

        if not self.generator_channels:
            return output
        painted, said, flow = output.tensor_split(
            [
                output.shape[1] - self.generator_channels,
                output.shape[1] - self.generator_channels + self.frames,
            ],
            1,
        )
        batch, channels, height, width = references.shape
        seen = references.reshape(batch, self.frames, channels // self.frames, height, width)[:, :, :4]
        if self.residual_flow:
            both = seen.flatten(0, 1), flow.reshape(batch * self.frames, 2, height, width)
            seen = moved(*both, self.residual_flow).reshape(seen.shape).to(output.dtype)
        share = (said + 1) / 2
        share = share / (share * seen[:, :, 3]).sum(1, keepdim=True).clamp_min(1)
        kept = 1 - (share * seen[:, :, 3]).sum(1, keepdim=True)  # the pictures are times their masks already
        colours = kept * painted[:, :3] + (share[:, :, None] * seen[:, :, :3]).sum(1)
        return torch.cat([colours.to(painted.dtype), painted[:, 3:]], 1)

    def draw(
        self,
        pictures: Tensor,
        there: Pose,
        wanted: Pose,
        skeleton: Skeleton,
        renderer: Callable[[NDArray[np.float32], NDArray[np.float32]], Tensor],
        parts: Mapping[str, tuple[Tensor, Pose]] = MappingProxyType({}),
    ) -> Tensor:
        """What the generator sees of a frame's references.

        Args:
            pictures: (k', 4, H, W) float32: the persons in [-1, 1], 0 around them, and their masks; k' <= `frames`.
                Without the `parts` that are given.
            there: (k', K, 2) and (k', K): their poses.
            wanted: (K, 2) and (K,): the pose to be painted.
            skeleton: What the K joints are.
            renderer: Draws the stick figures: (T, K, 2) and (T, K) to (T, C, H, W).
            parts: (4, H, W) and its pose: the frame that each part is taken from; what is not given comes with the
                body.

        Returns:
            (channels, H, W) float32 on the CPU; zeros in place of references that are lacking.
        """
        import torch

        drawn = []
        for picture, xy, score in zip(pictures, *there, strict=True):
            score = bent_with_body(score, parts, skeleton)
            shift = joints_shift(xy, score, *wanted)
            if self.align == "limbs":
                moved = morph(picture, (xy, score), wanted, skeleton.edges, shift)
            else:
                moved = shifted(picture, shift)
            colours, mask = moved[:3], moved[3:].clamp_(0, 1)
            # no colour may outshine what its mask allows: resampling overshoots
            torch.minimum(torch.maximum(colours, -mask, out=colours), mask, out=colours)
            taken = xy + shift
            for part, (filmed, pose) in parts.items():
                own, known = put_part(part, moved, filmed, pose, wanted, skeleton)
                taken, score = np.where(known[:, None] > 0, own, taken), np.where(known > 0, known, score)
            figure = renderer(taken[None].astype(np.float32), score[None].astype(np.float32))[0]
            drawn += [moved, figure.cpu()]
        lacking = self.frames - len(pictures)
        if lacking:
            channels = renderer(wanted[0][None], np.zeros_like(wanted[1])[None]).shape[1]
            drawn.append(pictures.new_zeros(lacking * (4 + channels), *pictures.shape[-2:]))
        return torch.cat(drawn)
