"""Perceptual loss: painted and true frames should look alike to a network that was trained to see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from dancekit.contracts import LossView, PoseNetwork, WeightFile
from dancekit.convolutions import winograd_used
from dancekit.errors import IncompatibleParts, OfflineError, UsageError
from dancekit.layers import at_least_single, channels_last
from dancekit.losses import vgg
from dancekit.losses.person import cut_squares, person_crops, person_squares
from dancekit.losses.weighting import Background, Mask, weighted_mean
from dancekit.weights.state_dict import check_digest, read_state_dict

Maps = Sequence[Tensor]
POSE_BACKBONES = {"blazepose": "full", "blazepose_lite": "lite"}


class Perceptual:
    """L1 between feature maps of painted and true frames (Johnson et al., ECCV 2016), mean over the frames.

    With VGG19, `normalize: false` and the default layer weights it is the loss of pix2pixHD and Everybody Dance
    Now, which give images in [-1, 1] to VGG19 without the colour statistics that it was trained with. (They
    add up a pair's two frames: twice this mean; and EDN's global stage halves that.)

    Args:
        backbone: `vgg19`, `blazepose` or `blazepose_lite` (the networks that ship with dancekit, looking at the
            person), or the name of a timm model that supports `features_only`.
        weights: A file with the backbone's weights (.safetensors or .pth); "" for torchvision's VGG19 in the
            cache. Not for BlazePose.
        sha256: What the file's sha256 must be, 64 hexadecimal digits; "" for unchecked.
        normalize: Give the backbone the colour statistics that it was trained with.
        layer_weights: Factor of each map, finest first; empty for pix2pixHD's with VGG19, equal ones otherwise.
        layers: Only so many maps, finest first, are compared; 0 for all. VGG19 and timm's networks are
            run no further.
        scale: Frames are shrunk to this share of their size first; a half takes a quarter of the time.
        crop: `person` looks only at the square around the person, unscaled: the time goes with its area. `frame`
            looks at everything. (BlazePose always looks at the person.)
        mask: `none` weighs every place alike; `person` weighs places outside of the person's mask by
            `background`.
        background: That weight, 0 to 1.
        pose_network: Makes a BlazePose by the name of its variant (wired).
    """

    version = 1

    def __init__(
        self,
        *,
        backbone: Annotated[str, Field(min_length=1)] = "vgg19",
        weights: str = "",
        sha256: str = "",
        normalize: bool = True,
        layer_weights: tuple[Annotated[float, Field(ge=0)], ...] = (),
        layers: Annotated[int, Field(ge=0, le=32)] = 0,
        scale: Annotated[float, Field(gt=0, le=1)] = 1.0,
        crop: Literal["frame", "person"] = "frame",
        mask: Mask = "none",
        background: Background = 0.2,
        pose_network: Callable[[str], PoseNetwork] | None = None,
    ) -> None:
        self.mask: Mask = mask
        self.background = background
        self.normalize = normalize
        self.layers = layers
        self.scale = scale
        self.crop: Literal["frame", "person"] = crop
        self.statistics: tuple[tuple[float, ...], tuple[float, ...]] = (vgg.MEAN, vgg.STD)
        self.pose: PoseNetwork | None = None
        self.network: nn.Module | None = None
        usual: tuple[float, ...] = ()
        if backbone in POSE_BACKBONES:
            if weights or sha256:
                raise UsageError(
                    f"perceptual: {backbone} ships with dancekit", hint="remove weights and sha256"
                )
            if pose_network is None:
                raise UsageError(f"perceptual: {backbone} needs pose_network", hint="dancekit.build wires it")
            self.pose = pose_network(POSE_BACKBONES[backbone])
        elif backbone == "vgg19":
            self.network = vgg.load_vgg19(weights, sha256)
            usual = vgg.WEIGHTS
        else:
            self.network, self.statistics = _timm_features(backbone, weights, sha256, layers)
        if self.network is not None:
            self.network.eval().requires_grad_(False)
        self.layer_weights = layer_weights or (usual[:layers] if layers else usual)

    @classmethod
    def weight_files(cls, *, backbone: str, weights: str, sha256: str) -> tuple[WeightFile, ...]:
        """The backbone's."""
        if backbone in POSE_BACKBONES:
            name = f"blazepose_{POSE_BACKBONES[backbone]}.safetensors"
            return (WeightFile(name, "Apache-2.0", None, (f"package:zoo/weights/{name}",)),)
        if backbone == "vgg19" and not weights:
            return (WeightFile(vgg.FILE, vgg.LICENCE, None, (vgg.ADDRESS,)),)
        return (WeightFile(Path(weights).name, "", sha256 or None, (weights,)),) if weights else ()

    def __call__(self, view: LossView) -> Tensor:
        """A scalar.

        Raises:
            IncompatibleParts: `layer_weights` are not as many as the backbone's maps.
        """
        fake, real, mask = view.fake, view.real, view.mask
        if self.pose is not None:
            squares = person_squares(mask)
            size = self.pose.size
            fake, real, mask = (person_crops(images, squares, size) for images in (fake, real, mask))
        else:
            if self.crop == "person":
                squares = person_squares(mask)
                fake, real, mask = (cut_squares(images, squares) for images in (fake, real, mask))
            if self.scale < 1:
                fake, real = (shrink_to(images, self.scale) for images in (fake, real))
        maps = self.features(fake)
        with torch.no_grad():
            truth = self.features(real)
        weights = self.layer_weights or (1.0 / len(maps),) * len(maps)
        if len(weights) != len(maps):
            raise IncompatibleParts(
                f"perceptual has {len(weights)} layer_weights, its backbone {len(maps)} maps",
                hint=f"give {len(maps)} of them, or none",
            )
        total = fake.new_zeros(())
        for weight, painted, true in zip(weights, maps, truth, strict=True):
            error = (painted - true).abs()
            total = total + weight * weighted_mean(error, mask, where=self.mask, background=self.background)
        return total

    def features(self, images: Tensor) -> Maps:
        """The backbone's maps of (N, 3, H, W) images in [-1, 1], finest first; as many as are compared."""
        if self.pose is not None:
            self.pose.to(images.device)
            with torch.autocast(images.device.type, enabled=False):  # made for single precision
                found = self.pose.features((images + 1) / 2)
            return found[: self.layers or None]
        assert self.network is not None
        self.network.to(images.device)
        if self.normalize:
            mean, std = (images.new_tensor(each).view(1, 3, 1, 1) for each in self.statistics)
            images = ((images + 1) / 2 - mean) / std
        # without gradients of weights both layouts are as fast; Winograd's algorithm wants the plain one
        images = images.contiguous() if winograd_used(self.network) else channels_last(images)
        if isinstance(self.network, vgg.VGG19):
            maps: Maps = self.network(images, self.layers)
        else:
            maps = self.network(images)[: self.layers or None]
        return [at_least_single(each) for each in maps]


def shrink_to(images: Tensor, scale: float) -> Tensor:
    """(N, C, H, W) to that share of the size, smoothed."""
    height, width = (max(1, round(side * scale)) for side in images.shape[-2:])
    return F.interpolate(images, (height, width), mode="bilinear", antialias=True, align_corners=False)


def _timm_features(
    name: str, weights: str, sha256: str, layers: int
) -> tuple[nn.Module, tuple[tuple[float, ...], tuple[float, ...]]]:
    """A timm feature extractor with the weights of a file, and the colour statistics it was trained with.

    Raises:
        UsageError: timm has no such model, it hands out no features, or the file does not hold its weights.
        OfflineError: No file was named, or it is not there.
    """
    import timm

    from dancekit.weights.timm_names import check_timm_name

    check_timm_name(name, "losses.perceptual.backbone")
    path = Path(weights) if weights else None
    if path is None or not path.is_file():
        raise OfflineError(
            f"the loss perceptual needs the weights of timm's {name}, and "
            + (f"there is no file {path}" if path else "no file is named"),
            hint="download them from https://huggingface.co/timm and set losses.perceptual.weights, or use "
            "losses.perceptual.backbone=blazepose, which ships with dancekit",
        )
    check_digest(path, sha256)
    try:
        wanted: dict[str, Any] = {"out_indices": tuple(range(layers))} if layers else {}
        network: Any = timm.create_model(name, features_only=True, pretrained=False, **wanted)
    except (RuntimeError, AttributeError, TypeError, IndexError, AssertionError) as error:
        raise UsageError(f"perceptual: timm's {name} hands out no features: {error}") from None
    found, own = read_state_dict(path), network.state_dict()
    wrong = [key for key in own if key not in found or found[key].shape != own[key].shape]
    if wrong:
        raise UsageError(
            f"{path} does not hold the weights of timm's {name}: {len(wrong)} of {len(own)} tensors are "
            f"missing or of another shape, {wrong[0]} first"
        )
    if not any(value.is_meta for value in own.values()):
        network.load_state_dict({key: found[key] for key in own})
    config = timm.get_pretrained_cfg(name)
    return network, (config.mean, config.std) if config else (vgg.MEAN, vgg.STD)
