"""Pose consistency: a pose network should find the painted person's joints where the true one's are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from dancekit.contracts import LossView, PoseNetwork, WeightFile
from dancekit.errors import UsageError
from dancekit.losses.person import person_crops, person_squares


class PoseConsistency:
    """Distance of the joints that BlazePose finds in painted and true frames, as a share of the person.

    Both frames are cropped to the same square around the person (a quarter larger than the person's mask). The
    loss is the mean over the joints, each weighted by how surely it is seen in the true frame, of
    |x - x'| + |y - y'| over the square's side. The gradient runs through the pose network, which stands still.

    Args:
        model: BlazePose's landmark network: `full`, or `lite`, which is faster and less exact.
        pose_network: Makes a BlazePose by the name of its variant (wired).
    """

    version = 1

    def __init__(
        self,
        *,
        model: Literal["full", "lite"] = "lite",
        pose_network: Callable[[str], PoseNetwork] | None = None,
    ) -> None:
        if pose_network is None:
            raise UsageError("pose_consistency needs pose_network", hint="dancekit.build wires it")
        self.pose = pose_network(model)

    @classmethod
    def weight_files(cls, *, model: str) -> tuple[WeightFile, ...]:
        """BlazePose's landmark network."""
        name = f"blazepose_{model}.safetensors"
        return (WeightFile(name, "Apache-2.0", None, (f"package:zoo/weights/{name}",)),)

    def __call__(self, view: LossView) -> Tensor:
        """A scalar."""
        squares = person_squares(view.mask)
        self.pose.to(view.fake.device)
        fake, real = (
            (person_crops(images, squares, self.pose.size) + 1) / 2 for images in (view.fake, view.real)
        )
        with torch.autocast(fake.device.type, enabled=False):  # places need single precision
            painted, _ = self.pose.keypoints(fake)
            with torch.no_grad():
                true, seen = self.pose.keypoints(real)
        distance = (painted - true).abs().sum(-1) / self.pose.size
        return (distance * seen).sum() / seen.sum().clamp_min(1e-6)
