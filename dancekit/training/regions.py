"""What discriminators of face and hands see: crops of painted and true frames, weighted by how surely they are seen."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dancekit.contracts import RegionRefiner

Crops = tuple[Tensor, Tensor, Tensor]


def region_crops(
    face: nn.Module, fake: Tensor, real: Tensor, conditions: Tensor, boxes: Tensor
) -> dict[str, Crops]:
    """Cut out the regions of a refiner.

    Args:
        face: The refiner.
        fake: (N, 3, H, W) painted frames, with gradient.
        real: (N, 3, H, W) true frames.
        conditions: (N, C, H, W).
        boxes: (N, 4) of faces, or (N, R, D) as `RegionRefiner` gives them.

    Returns:
        By kind, `face` and `hand`, if any is seen: painted, true and what is told of the pose, (M, ., S, S) each. A
        hand is as good as another: left and right ones lie together.
    """
    found: dict[str, list[Crops]] = {}
    refiner: Any = face
    for region, rows in _by_region(face, boxes):
        seen = rows[:, :4].isfinite().all(1)
        if not seen.any():
            continue
        rows = rows[seen]
        painted = refiner.crop(fake[seen], rows)
        if rows.shape[1] > 4:
            painted = less_sure(painted, rows[:, 4])
        tell = refiner.region_condition if isinstance(face, RegionRefiner) else refiner.crop
        crops = (painted, refiner.crop(real[seen], rows), tell(conditions[seen], rows))
        found.setdefault("face" if region == "face" else "hand", []).append(crops)
    return {
        kind: (
            torch.cat([each[0] for each in several]),
            torch.cat([each[1] for each in several]),
            torch.cat([each[2] for each in several]),
        )
        for kind, several in found.items()
    }


def less_sure(crops: Tensor, confidence: Tensor) -> Tensor:
    """The same crops; what a loss says of each reaches the painters times its confidence, whatever the loss.

    Args:
        crops: (N, 3, S, S).
        confidence: (N,) in [0, 1].
    """
    still = crops.detach()
    return still + confidence.view(-1, 1, 1, 1).to(crops.dtype) * (crops - still)


def _by_region(face: nn.Module, boxes: Tensor) -> list[tuple[str, Tensor]]:
    if boxes.ndim == 2 or not isinstance(face, RegionRefiner):
        return [("face", boxes)]
    return [(region, boxes[:, number]) for number, region in enumerate(face.regions)]
