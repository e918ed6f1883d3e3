"""VGG19 up to relu5_1, as the perceptual losses of pix2pixHD and Everybody Dance Now use it.

Source of the layout: Simonyan & Zisserman (ICLR 2015), configuration E, in the numbering of torchvision's
`vgg19().features`; the slices are pix2pixHD's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from dancekit.convolutions import Conv2d
from dancekit.errors import ChecksumError, DancekitError, OfflineError
from dancekit.weights.fetch import weights_folder
from dancekit.weights.header import file_sha256
from dancekit.weights.state_dict import check_digest, read_state_dict

FILE, PREFIX = "vgg19-dcbb9e9d.pth", "dcbb9e9d"
"""torchvision's file: the name ends in the first digits of its sha256."""
LICENCE = "BSD-3-Clause"
"""Of torchvision, which trained and publishes them; ImageNet, which they learned from, has terms of its own."""
ADDRESS = f"https://download.pytorch.org/models/{FILE}"
SLICES = ((0,), (2, 5), (7, 10), (12, 14, 16, 19), (21, 23, 25, 28))
"""Convolutions of each slice; a slice ends with the ReLU after its last one: relu1_1 ... relu5_1."""
POOLS = (4, 9, 18, 27)
WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
"""pix2pixHD's weights of the five maps."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours, which VGG19 was trained with."""


class VGG19(nn.Module):
    """Feature maps after relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1.

    Args:
        widths: Output channels of the 13 convolutions by their number; narrower nets of the same layout work.
    """

    def __init__(self, widths: Mapping[int, int]) -> None:
        super().__init__()
        channels = 3
        for number, convolutions in enumerate(SLICES, 1):
            piece = nn.Sequential()
            for index in range(convolutions[0], convolutions[-1] + 2):
                if index in convolutions:
                    piece.add_module(str(index), Conv2d(channels, widths[index], 3, padding=1))
                    channels = widths[index]
                else:
                    pool = index in POOLS
                    piece.add_module(str(index), nn.MaxPool2d(2) if pool else nn.ReLU(inplace=True))
            self.add_module(f"slice{number}", piece)

    def forward(self, images: Tensor, layers: int = 0) -> list[Tensor]:
        """(N, 3, H, W) to five maps, finest first, each half the size of the one before; or to the first so many."""
        maps = []
        for number in range(1, min(layers or len(SLICES), len(SLICES)) + 1):
            images = self.get_submodule(f"slice{number}")(images)
            maps.append(images)
        return maps


def load_vgg19(weights: str, sha256: str) -> VGG19:
    """VGG19 with weights from a file: torchvision's, or a state dict of slices.

    Args:
        weights: The file; "" for torchvision's in the cache of weights.
        sha256: Its expected digest; "" for unchecked (torchvision's own carries it in its name).

    Raises:
        OfflineError: It is not there; the message says where it comes from and where to put it.
        ChecksumError: It is not the expected file.
        DancekitError: It does not hold a VGG19.
    """
    path = Path(weights) if weights else weights_folder() / FILE
    if not path.is_file():
        raise OfflineError(
            f"the loss perceptual needs the weights of VGG19, and there is no file {path}",
            hint=f"download {ADDRESS} to it, set losses.perceptual.weights, or use "
            "losses.perceptual.backbone=blazepose, which ships with dancekit",
        )
    check_digest(path, sha256)
    if not weights and not (found := file_sha256(path)).startswith(PREFIX):
        raise ChecksumError(f"{path} has sha256 {found}, expected {PREFIX}...", hint=f"get it from {ADDRESS}")
    return vgg19_of(read_state_dict(path), path)


def vgg19_of(state: Mapping[str, Tensor], source: Path | str) -> VGG19:
    """VGG19 with the tensors of a state dict: `features.N.weight`, `N.weight` or `sliceK.N.weight`.

    Raises:
        DancekitError: A convolution is missing, or one does not fit the next.
    """
    tensors = {".".join(key.split(".")[-2:]): value for key, value in state.items()}
    wanted = [index for piece in SLICES for index in piece]
    absent = [f"{n}.{k}" for n in wanted for k in ("weight", "bias") if f"{n}.{k}" not in tensors]
    if absent:
        raise DancekitError(f"{source} does not hold a VGG19: {', '.join(absent[:5])} missing")
    network = VGG19({index: tensors[f"{index}.weight"].shape[0] for index in wanted})
    own = network.state_dict()
    given = {key: tensors[".".join(key.split(".")[-2:])] for key in own}
    wrong = [key for key in own if own[key].shape != given[key].shape]
    if wrong:
        raise DancekitError(
            f"{source} does not hold a VGG19: {wrong[0]} is {list(given[wrong[0]].shape)}, "
            f"not {list(own[wrong[0]].shape)}"
        )
    if not any(value.is_meta for value in own.values()):  # meta: only looked at, before training
        network.load_state_dict(given)
    return network
