"""A U-Net whose encoder is any timm network that hands out its features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import timm
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from dancekit.contracts import GeneratorSpec, WeightFile
from dancekit.errors import UsageError
from dancekit.layers import Norm, channels_last, init_gan, make_norm
from dancekit.weights.state_dict import check_digest, read_state_dict
from dancekit.weights.timm_names import check_timm_name


class TimmUNet(nn.Module):
    """U-Net (Ronneberger et al., MICCAI 2015) on a timm encoder (`timm.list_models()` names them).

    The encoder's feature maps, at whatever strides it has, are joined from the coarsest to the finest:
    enlarge to the next one's size (nearest), concatenate, two convolutions with normalization and ReLU; then up
    to the image's size, a 3x3 convolution and tanh. Nothing is downloaded: an encoder starts from random
    weights, or from a file of yours.

    Args:
        encoder: The name of a timm model that supports `features_only`.
        weights: A file with the encoder's weights (.safetensors, or .pth that holds a state dict), as timm's
            own; "" for random ones. Needed to train only: a dancer file holds all weights.
        sha256: What the file's sha256 must be, 64 hexadecimal digits; "" for unchecked.
        width: Channels of the finest decoder level; coarser ones have up to eight times as many.
        norm: Of the decoder: `instance` or `batch`. The encoder keeps its own.
        in_channels: C of the input (wired); the encoder's first layer is adapted to it.
        size: (W, H) of the images (wired): transformers need to know it.
        out_channels: C of the output.
    """

    version = 1
    only_to_train = ("weights", "sha256")

    def __init__(
        self,
        *,
        encoder: Annotated[str, Field(min_length=1)] = "resnet18",
        weights: str = "",
        sha256: str = "",
        width: Annotated[int, Field(ge=1, le=512)] = 32,
        norm: Norm = "instance",
        in_channels: int,
        size: tuple[int, int],
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        self.encoder = make_encoder(encoder, in_channels=in_channels, size=size)
        if weights:
            load_encoder(self.encoder, encoder, Path(weights), sha256, in_channels)
        elif sha256:
            raise UsageError("generator timm_unet has a sha256 but no weights", hint="set generator.weights")
        channels, strides = self.encoder.feature_info.channels(), self.encoder.feature_info.reduction()
        self.channels = list(channels)
        self.spec = GeneratorSpec(in_channels, out_channels, multiple_of=max(strides))
        self.decoder = nn.ModuleList()
        below = channels[-1]
        for level in reversed(range(len(channels) - 1)):
            wide = width * min(2**level, 8)
            self.decoder.append(_join(below + channels[level], wide, norm))
            below = wide
        self.finest = _join(below, width, norm)
        self.image = nn.Sequential(nn.Conv2d(width, out_channels, 3, padding=1), nn.Tanh())
        for module in (self.decoder, self.finest, self.image):
            init_gan(module)

    @classmethod
    def weight_files(cls, *, weights: str, sha256: str) -> tuple[WeightFile, ...]:
        """The encoder's, if it does not start from random ones."""
        return (WeightFile(Path(weights).name, "", sha256 or None, (weights,)),) if weights else ()

    def forward(self, condition: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H, W) in [-1, 1]."""
        features = [
            _nchw(each, wide)
            for each, wide in zip(self.encoder(channels_last(condition)), self.channels, strict=True)
        ]
        x = features[-1]
        for join, skip in zip(self.decoder, reversed(features[:-1]), strict=True):
            x = join(torch.cat([F.interpolate(x, skip.shape[-2:]), skip], 1))
        return self.image(self.finest(F.interpolate(x, condition.shape[-2:])))  # type: ignore[no-any-return]


def make_encoder(name: str, *, in_channels: int, size: tuple[int, int]) -> Any:
    """A timm feature extractor with random weights.

    Raises:
        UsageError: timm has no such model, or it hands out no features, or not at this size.
    """
    check_timm_name(name, "generator.encoder")
    fixed = timm.get_pretrained_cfg(name)
    extra = {"img_size": (size[1], size[0])} if fixed is not None and fixed.fixed_input_size else {}
    try:
        return timm.create_model(name, features_only=True, pretrained=False, in_chans=in_channels, **extra)
    except (RuntimeError, AttributeError, TypeError, AssertionError, ValueError) as error:
        raise UsageError(
            f"timm's {name} cannot be an encoder for {size[0]}x{size[1]}: {error}",
            hint="choose another generator.encoder, resnet18 say, or another size",
        ) from None


def load_encoder(encoder: nn.Module, name: str, path: Path, sha256: str, in_channels: int) -> None:
    """Put a file's weights into an encoder.

    Under `torch.device("meta")` the file's presence and digest are checked, and nothing is loaded.

    Raises:
        UsageError: The file is missing, or does not hold this encoder's weights.
        ChecksumError: Its sha256 is not the expected one.
    """
    if not path.is_file():
        raise UsageError(
            f"generator.weights: there is no file {path}",
            hint=f"timm's own weights of {name} come from https://huggingface.co/timm; "
            'or generator.weights="" for random ones',
        )
    check_digest(path, sha256)
    own = encoder.state_dict()
    if any(value.is_meta for value in own.values()):
        return
    found = read_state_dict(path)
    for key, value in own.items():
        given = found.get(key)
        if given is not None and given.shape != value.shape and given.dim() == 4 and given.shape[1] == 3:
            # as timm does: the colours' filters are repeated, at the same overall strength
            repeats = -(-in_channels // 3)
            found[key] = given.repeat(1, repeats, 1, 1)[:, :in_channels] * (3 / in_channels)
    wrong = [key for key, value in own.items() if key not in found or found[key].shape != value.shape]
    if wrong:
        raise UsageError(
            f"{path} does not hold the weights of timm's {name}: {len(wrong)} of {len(own)} tensors are "
            f"missing or of another shape, {wrong[0]} first",
            hint="take the file that timm names for this model",
        )
    encoder.load_state_dict({key: found[key] for key in own})


def _join(channels: int, wide: int, norm: Norm) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number in range(2):
        layers += [nn.Conv2d(wide if number else channels, wide, 3, padding=1), make_norm(norm, wide)]
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def _nchw(x: Tensor, channels: int) -> Tensor:
    """Some transformers hand out (B, H, W, C)."""
    return x if x.shape[1] == channels else x.permute(0, 3, 1, 2)
