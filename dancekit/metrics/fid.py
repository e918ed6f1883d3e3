"""FID of all frames of a clip, through torchmetrics and torch-fidelity."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from dancekit.errors import DancekitError
from dancekit.metrics.frames import EVERYWHERE, Frames, Mask, around, check_frames
from dancekit.metrics.pretrained import Published, find_weights, import_extra, read_state
from dancekit.weights.header import file_sha256

INCEPTION = Published(
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
"""The Inception of the TensorFlow release of 2015-12-05 (Apache-2.0), which FID is defined with."""


class FID:
    """Fréchet inception distance between all painted frames and all true ones.

    Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter, "GANs trained by a two time-scale update rule
    converge to a local Nash equilibrium", 2017: of the Gaussians that fit the features of the last pooling
    layer. Frames are resized to 299x299 with antialiasing, as torchmetrics does by default (the original does
    without; the numbers differ, so compare only with numbers made the same way). A mask is measured in its
    bounding box, painted and true alike; frames in which it is empty are left out.

    With fewer frames than features the covariances are singular and the distance is biased upwards: it
    compares two results of the same clip, not two clips.

    Args:
        features: Which pooling layer: 2048 is FID as published.
        weights: Path of the Inception's weights; None for the published ones, from torch's cache or downloaded.
        batch: Frames at once.
        device: Where the network runs (wired).

    Attributes:
        weights_sha256: Digest of the Inception's weights.

    Raises:
        MissingExtra: torchmetrics or torch-fidelity is not installed.
        OfflineError: The weights are not there and cannot be downloaded.
        ChecksumError: They are not the published ones.
        DancekitError: The given file does not hold this network.
    """

    version: int = 1
    higher_is_better: bool = False
    unit: str = ""

    def __init__(
        self,
        *,
        features: Literal[64, 192, 768, 2048] = 2048,
        weights: str | None = None,
        batch: Annotated[int, Field(ge=1, le=256)] = 16,
        device: str = "cpu",
    ) -> None:
        import_extra("torch_fidelity")
        module = import_extra("torchmetrics.image.fid")
        path = find_weights(INCEPTION, weights, "FID")
        self._metric: Any = _make(module, features, path).to(device)
        self._device = device
        self._batch = batch
        self.weights_sha256 = file_sha256(path)

    def update(self, fake: Frames, real: Frames, mask: Mask | None) -> None:
        """See the next frames: (T, H, W, 3), (T, H, W, 3), (T, H, W) whose bounding box is measured, or None.

        Raises:
            UsageError: Shapes or dtypes do not agree.
        """
        check_frames(fake, real, {EVERYWHERE: mask})
        if mask is None:
            for start in range(0, len(fake), self._batch):
                self._see(fake[start : start + self._batch], real[start : start + self._batch])
            return
        for frame in np.flatnonzero(mask.any((1, 2))):
            rows, columns = around([mask[frame]], fake.shape[1:3], 0)
            self._see(fake[frame : frame + 1, rows, columns], real[frame : frame + 1, rows, columns])

    def result(self) -> float:
        """The distance; NaN if fewer than two frames were seen."""
        if int(self._metric.real_features_num_samples) < 2:
            return float("nan")
        return float(self._metric.compute())

    def _see(self, fake: Frames, real: Frames) -> None:
        import torch

        with torch.no_grad():
            for frames, true in ((fake, False), (real, True)):
                tensor = torch.from_numpy(np.ascontiguousarray(frames)).to(self._device)
                self._metric.update(tensor.permute(0, 3, 1, 2), real=true)


def _make(module: Any, features: int, path: Path) -> Any:
    """The metric of torchmetrics with these weights.

    torch-fidelity unpickles the file it is given, which could run code: it gets a copy of the bare tensors.
    """
    import torch

    state = read_state(path, "FID")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "inception.pth"
        torch.save(state, copy)
        try:
            return module.FrechetInceptionDistance(feature=features, feature_extractor_weights_path=str(copy))
        except RuntimeError as error:
            raise DancekitError(
                f"weights of FID: {path} is not the Inception: {str(error).splitlines()[-1].strip()}",
                hint=f"get them from {INCEPTION.url}",
            ) from None
