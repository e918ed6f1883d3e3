"""What a renderer promises: condition images of the shape and range its spec says, whatever is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dancekit.contracts import RendererSpec
from dancekit.testing.checks import require, skip
from dancekit.testing.examples import example_poses
from dancekit.testing.subject import SIZE, Subject
from dancekit.types import PoseSequence, get_skeleton, skeleton_names


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of a renderer."""
    return (
        its_spec_is_true,
        it_draws_every_skeleton_it_names,
        it_repeats_itself,
        its_frames_do_not_touch_each_other,
        it_stands_missing_joints,
        it_stands_joints_outside_of_the_frame,
        poses_can_be_told_apart,
        it_draws_though_weights_are_built_without_memory,
        it_draws_on_the_graphics_card,
    )


def its_spec_is_true(subject: Subject) -> None:
    """`spec` says channels, range, skeletons by name, and a colour a channel unless the image is RGB."""
    spec = _build(subject).spec
    require(isinstance(spec, RendererSpec), f"spec is a {type(spec).__name__}, not a RendererSpec")
    low, high = spec.value_range
    require(low < high, f"spec.value_range is {spec.value_range}")
    unknown = [name for name in spec.skeletons if name not in skeleton_names()]
    require(bool(spec.skeletons) and not unknown, f"spec.skeletons is {spec.skeletons}; unknown: {unknown}")
    if spec.colours:
        require(
            len(spec.colours) == spec.channels, f"{len(spec.colours)} colours for {spec.channels} channels"
        )


def it_draws_every_skeleton_it_names(subject: Subject) -> None:
    """(T, K, 2) and (T, K) become (T, C, H, W) float32 within the range, for each skeleton of its spec."""
    for name in _build(subject).spec.skeletons:
        renderer, poses = _build(subject, name), example_poses(skeleton=name, frames=2, missing=False)
        image = _draw(renderer, poses)
        require(float(image.max()) > float(image.min()), f"a person of {name} leaves no trace")


def it_repeats_itself(subject: Subject) -> None:
    """The same joints give the same picture bit for bit, and are not changed."""
    poses, renderer = example_poses(frames=3, missing=True), _build(subject)
    xy, score = poses.xy.copy(), poses.score.copy()
    one, two = renderer(xy, score), _build(subject)(xy, score)
    require(torch.equal(one, two), "two pictures of the same pose differ")
    require(np.array_equal(xy, poses.xy, equal_nan=True), "the joints that came in were changed")


def its_frames_do_not_touch_each_other(subject: Subject) -> None:
    """A frame is drawn the same alone and within a clip."""
    poses, renderer = example_poses(frames=4, missing=True), _build(subject)
    together = renderer(poses.xy, poses.score)
    alone = torch.cat([renderer(poses.xy[t : t + 1], poses.score[t : t + 1]) for t in range(4)])
    require(torch.equal(together, alone), "a frame depends on the other frames of the call")


def it_stands_missing_joints(subject: Subject) -> None:
    """Missing joints (NaN, score 0) leave finite pictures; with nobody, every frame is the same empty one."""
    poses, renderer = example_poses(frames=10, missing=True), _build(subject)
    _draw(renderer, poses)
    empty = _draw(renderer, poses.replace(score=np.zeros_like(poses.score)))
    require(bool((empty == empty[:1]).all()), "pictures of nobody differ")


def it_stands_joints_outside_of_the_frame(subject: Subject) -> None:
    """Joints far outside of the window are no errors."""
    poses, renderer = example_poses(frames=2), _build(subject)
    for shift in (-60.0, 1e4, -1e6):
        _draw(renderer, poses.replace(xy=poses.xy + np.float32(shift)))


def poses_can_be_told_apart(subject: Subject) -> None:
    """Another pose and another place give another picture: it is all that the generator is told."""
    poses, renderer = example_poses(frames=1), _build(subject)
    there = poses.replace(xy=poses.xy + np.float32(6))
    arm = poses.xy.copy()
    arm[:, poses.skeleton.index("left_wrist")] += (9, -12)
    pictures = [_draw(renderer, each) for each in (poses, there, poses.replace(xy=arm))]
    require(not torch.equal(pictures[0], pictures[1]), "a person who stands elsewhere looks the same")
    require(not torch.equal(pictures[0], pictures[2]), "a person who moves an arm looks the same")


def it_draws_though_weights_are_built_without_memory(subject: Subject) -> None:
    """Built under `torch.device("meta")`, as when a dancer is opened, it draws the same on its own device."""
    poses = example_poses(frames=1)
    with torch.device("meta"):
        renderer = _build(subject)
    one, two = _draw(renderer, poses), _draw(_build(subject), poses)
    require(torch.equal(one, two), "built under the meta device it draws another picture")


def it_draws_on_the_graphics_card(subject: Subject) -> None:
    """Built with `device="cuda"` it draws there what it draws on the CPU, to a hundredth of its range."""
    if not torch.cuda.is_available() or not subject.takes("device"):
        skip("this machine has no CUDA, or the renderer takes no device")
    poses = example_poses(frames=2)
    one, two = _build(subject), _build(subject, device="cuda")
    low, high = one.spec.value_range
    image = two(poses.xy, poses.score)
    require(image.device.type == "cuda", f"the picture is on {image.device}")
    apart = float((image.cpu() - one(poses.xy, poses.score)).abs().mean()) / (high - low)
    require(apart < 0.01, f"pictures differ by {apart:.3f} of the range")


def _build(subject: Subject, skeleton: str = "", **wired: Any) -> Any:
    """Built for a skeleton; without one, for that of the example poses, or the first that it can draw."""
    return subject.build(**({"skeleton": get_skeleton(skeleton)} if skeleton else {}), **wired)


def _draw(renderer: Any, poses: PoseSequence) -> Tensor:
    image: Tensor = renderer(poses.xy, poses.score)
    expected = (len(poses), renderer.spec.channels, SIZE[1], SIZE[0])
    require(tuple(image.shape) == expected, f"pictures have shape {tuple(image.shape)}, expected {expected}")
    require(image.dtype == torch.float32, f"pictures are {image.dtype}")
    low, high = renderer.spec.value_range
    require(bool(image.isfinite().all()), "pictures are not finite")
    inside = low <= float(image.min()) and float(image.max()) <= high
    require(inside, f"pictures leave the range {renderer.spec.value_range}")
    return image
