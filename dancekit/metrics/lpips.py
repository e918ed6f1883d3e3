"""LPIPS of single frames, through torchmetrics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dancekit.errors import DancekitError
from dancekit.metrics.frames import EVERYWHERE, Frames, Mask, check_frames, check_size
from dancekit.metrics.pretrained import Published, find_weights, import_extra, read_state
from dancekit.weights.header import file_sha256

if TYPE_CHECKING:
    from torch import Tensor, nn

_TORCHVISION = "https://download.pytorch.org/models"
BACKBONES = {
    "alex": Published(
        f"{_TORCHVISION}/alexnet-owt-7be5be79.pth",
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    ),
    "squeeze": Published(
        f"{_TORCHVISION}/squeezenet1_1-b8a52dc0.pth",
        "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
    ),
    "vgg": Published(
        f"{_TORCHVISION}/vgg16-397923af.pth",
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    ),
}
"""Weights of torchvision (BSD-3-Clause). The heads on top of them (BSD-2-Clause) are part of torchmetrics."""
_SMALLEST = 64


class LPIPS:
    """Learned perceptual image patch similarity: a distance of deep features, 0 for equal frames.

    Zhang, Isola, Efros, Shechtman and Wang, "The unreasonable effectiveness of deep features as a perceptual
    metric", 2018, version 0.1, as torchmetrics has it; images in [-1, 1]. Everywhere it is the mean of each
    layer's own map; in a mask it is the mean, over the mask, of all layers' maps enlarged to the frame's size
    (`spatial` in the authors' code), so a mask of the whole frame gives nearly but not exactly the same number.

    Args:
        net: The backbone: `alex` (as the authors recommend for measuring), `vgg` or `squeeze`.
        weights: Path of the backbone's weights; None for torchvision's, from torch's cache or downloaded.
        batch: Frames at once.
        device: Where the network runs (wired).

    Attributes:
        weights_sha256: Digest of the backbone's weights.

    Raises:
        MissingExtra: torchmetrics is not installed.
        OfflineError: The weights are not there and cannot be downloaded.
        ChecksumError: They are not the published ones.
        DancekitError: The given file does not hold this backbone.
    """

    version: int = 1
    higher_is_better: bool = False
    unit: str = ""
    context: int = 0

    def __init__(
        self,
        *,
        net: Literal["alex", "vgg", "squeeze"] = "alex",
        weights: str | None = None,
        batch: Annotated[int, Field(ge=1, le=256)] = 8,
        device: str = "cpu",
    ) -> None:
        module = import_extra("torchmetrics.functional.image.lpips")
        path = find_weights(BACKBONES[net], weights, "LPIPS")
        # the public class insists on fetching the backbone by itself, unchecked and even when offline
        network: Any = module._NoTrainLpips(net=net, pnet_rand=True)
        _load_backbone(network.net, read_state(path, "LPIPS"), f"{path} is not a {net} backbone")
        self._network = network.to(device)
        self._device = device
        self._batch = batch
        self.weights_sha256 = file_sha256(path)

    def __call__(self, fake: Frames, real: Frames, mask: Mask | None) -> NDArray[np.float64]:
        """Score every frame.

        Args:
            fake: (T, H, W, 3) uint8, at least 64x64 pixels.
            real: (T, H, W, 3) uint8.
            mask: (T, H, W) bool, where to measure; None for everywhere.

        Returns:
            (T,) distance, NaN where the mask is empty.

        Raises:
            UsageError: Shapes or dtypes do not agree, or the frames are too small.
        """
        return self.regions(fake, real, {EVERYWHERE: mask})[EVERYWHERE]

    def regions(
        self, fake: Frames, real: Frames, masks: Mapping[str, Mask | None]
    ) -> dict[str, NDArray[np.float64]]:
        """The same for several masks at once: one pass through the network for all of them, one for None."""
        check_frames(fake, real, masks)
        check_size(fake, _SMALLEST, "LPIPS")
        result = {region: np.full(len(fake), np.nan) for region in masks}
        for start in range(0, len(fake), self._batch):
            part = slice(start, start + self._batch)
            if any(mask is None for mask in masks.values()):
                whole = self._distance(fake[part], real[part], spatial=False)[:, 0, 0]
            if any(mask is not None for mask in masks.values()):
                local = self._distance(fake[part], real[part], spatial=True)
            for region, mask in masks.items():
                if mask is None:
                    result[region][part] = whole
                else:
                    count = mask[part].sum((1, 2))
                    total = (local * mask[part]).sum((1, 2))
                    result[region][part] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return result

    def _distance(self, fake: Frames, real: Frames, *, spatial: bool) -> NDArray[np.float64]:
        """(T, 1, 1), or (T, H, W) if spatial."""
        import torch

        self._network.spatial = spatial
        with torch.inference_mode():
            found = self._network(_tensor(fake, self._device), _tensor(real, self._device))
        return np.asarray(found[:, 0].double().cpu().numpy())


def _tensor(frames: Frames, device: str) -> Tensor:
    """(T, H, W, 3) uint8 to (T, 3, H, W) float32 in [-1, 1]."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(frames)).to(device).permute(0, 3, 1, 2) / 127.5 - 1.0


def _load_backbone(net: nn.Module, state: Mapping[str, Tensor], problem: str) -> None:
    """Load torchvision's `features.N...`, which torchmetrics cuts into slices but does not renumber."""
    wanted = {key: re.sub(r"^slices?\.?\d+\.", "features.", key) for key in net.state_dict()}
    missing = [name for name in wanted.values() if name not in state]
    if missing:
        raise DancekitError(f"weights of LPIPS: {problem}: it lacks {missing[0]}", hint="give the right file")
    try:
        net.load_state_dict({key: state[name] for key, name in wanted.items()})
    except RuntimeError as error:
        raise DancekitError(f"weights of LPIPS: {problem}: {str(error).splitlines()[-1].strip()}") from None
