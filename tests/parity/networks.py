"""The network that a reference case describes, built from dancekit's parts."""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor, nn

from dancekit.build import create

SIZE = (256, 256)
"""Window for parts that must know one; the networks here do not look at it."""


def norm_of(args: dict[str, Any], default: str) -> str:
    """`instance` or `batch`, from the option or from the class of the layer."""
    text = str(args.get("norm") or args.get("norm_layer") or default).lower()
    return "batch" if "batch" in text else "instance"


def generator(args: dict[str, Any], kind: str, **more: Any) -> nn.Module:
    """A generator of pix2pixHD or EDN (`GlobalGenerator`, `LocalEnhancer`)."""
    channels = {"in_channels": args["input_nc"], "out_channels": args["output_nc"]}
    common = channels | {"ngf": args["ngf"], "norm": norm_of(args, "instance")}
    down = args.get("n_downsample_global", args.get("n_downsampling", 3))
    blocks = args.get("n_blocks_global", args.get("n_blocks", 9))
    if kind == "GlobalGenerator":
        return create("generator", "pix2pixhd", n_down=down, n_blocks=blocks, **common)
    assert kind == "LocalEnhancer", kind
    return create(
        "generator",
        "pix2pixhd_local",
        n_down=down,
        n_blocks=blocks,
        n_enhancers=args.get("n_local_enhancers", 1),
        n_blocks_local=args.get("n_blocks_local", 3),
        **common,
    )


def unet(case: str, args: dict[str, Any]) -> nn.Module:
    """pix2pix's U-Net; EDN's, which has five levels whatever `num_downs` says."""
    name = re.fullmatch(r"unet_(\d+)", args.get("netG", ""))
    if case.startswith("edn"):
        depth = 5
    elif name:
        depth = int(name[1]).bit_length() - 1
    else:
        depth = args["num_downs"]
    return create(
        "generator",
        "unet",
        ngf=args["ngf"],
        depth=depth,
        norm=norm_of(args, "batch"),
        dropout=bool(args.get("use_dropout")),
        in_channels=args["input_nc"],
        out_channels=args["output_nc"],
    )


def resnet(args: dict[str, Any]) -> nn.Module:
    """pix2pix's generator of 6 or 9 blocks."""
    name = re.fullmatch(r"resnet_(\d+)blocks", args.get("netG", ""))
    return create(
        "generator",
        "resnet",
        ngf=args["ngf"],
        n_blocks=int(name[1]) if name else args["n_blocks"],
        norm=norm_of(args, "batch"),
        dropout=bool(args.get("use_dropout")),
        in_channels=args["input_nc"],
        out_channels=args["output_nc"],
    )


def multiscale(args: dict[str, Any]) -> nn.Module:
    """pix2pixHD's discriminator; with features the original loses the sigmoid."""
    features = bool(args["getIntermFeat"])
    return create(
        "discriminator",
        "multiscale",
        ndf=args["ndf"],
        n_layers=args.get("n_layers_D", args.get("n_layers", 3)),
        num_d=args["num_D"],
        norm=norm_of(args, "instance"),
        features=features,
        sigmoid=bool(args.get("use_sigmoid")) and not features,
        in_channels=args["input_nc"],
    )


def patch(case: str, args: dict[str, Any]) -> nn.Module:
    """A PatchGAN: pix2pix's, or EDN's face discriminator."""
    layers = args.get("n_layers_D", args.get("n_layers", 3))
    return create(
        "discriminator",
        "patch",
        ndf=args["ndf"],
        n_layers=3 if args.get("netD") == "basic" else layers,
        norm=norm_of(args, "batch"),
        layout="pix2pix" if case.startswith("p2p_") else "pix2pixhd",
        in_channels=args["input_nc"],
    )


def pixel(args: dict[str, Any]) -> nn.Module:
    """pix2pix's pixel discriminator."""
    return create(
        "discriminator", "pixel", ndf=args["ndf"], norm=norm_of(args, "batch"), in_channels=args["input_nc"]
    )


def network_of(case: str, kind: str, args: dict[str, Any]) -> nn.Module:
    """The network of that class; one that is not known fails."""
    makers = {
        "GlobalGenerator": lambda: generator(args, kind),
        "LocalEnhancer": lambda: generator(args, kind),
        "UnetGenerator": lambda: unet(case, args),
        "UNet": lambda: unet(case, args),
        "ResnetGenerator": lambda: resnet(args),
        "MultiscaleDiscriminator": lambda: multiscale(args),
        "NLayerDiscriminator": lambda: patch(case, args),
        "PixelDiscriminator": lambda: pixel(args),
    }
    assert kind in makers, f"{case}: no network for class {kind!r}"
    return makers[kind]()


def outputs(
    case_tensors: dict[str, Tensor], result: Tensor | list[list[Tensor]], prefix: str
) -> dict[str, Tensor]:
    """What a network gave, under the names of the case's tensors."""
    if isinstance(result, Tensor):
        return {prefix: result}
    if prefix in case_tensors:  # a single map where ours gives the intermediate ones too
        return {prefix: result[0][-1]}
    return {
        f"{prefix}.{scale}.{number}": layer
        for scale, maps in enumerate(result)
        for number, layer in enumerate(maps)
    }
