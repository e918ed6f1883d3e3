"""Which codec goes into which container, and how each is set up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dancekit.errors import UsageError

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""Suffix to FFmpeg's name of the container."""

PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)


@dataclass(frozen=True)
class Codec:
    """How a picture is coded.

    Attributes:
        encoder: FFmpeg's name.
        pixels: Its pixel format.
        suffixes: Containers that it goes into.
        crf: Quality where nobody asked for another: about the same to the eye for all codecs.
        worst: The largest crf.
        has_preset: Whether it takes x264's names of speeds.
        options: What else it is told.
        alpha: Pixel format with transparency, or "".
    """

    encoder: str
    pixels: str
    suffixes: tuple[str, ...]
    crf: int = 18
    worst: int = 51
    has_preset: bool = True
    options: Mapping[str, str] | None = None
    alpha: str = ""

    def encoder_options(self, crf: int, preset: str, *, alpha: bool) -> dict[str, str]:
        """What FFmpeg's encoder is opened with."""
        options = dict(self.options or {})
        if self.worst:
            options["crf"] = str(crf)
        if self.has_preset:
            options["preset"] = preset
        if alpha and self.encoder == "libvpx-vp9":
            options["auto-alt-ref"] = "0"  # hidden frames would have no alpha of their own
        return options


_ISO = (".mp4", ".m4v", ".mov", ".mkv")
CODECS = {
    "h264": Codec("libx264", "yuv420p", _ISO),
    # its own log goes to stderr past FFmpeg's
    "h265": Codec("libx265", "yuv420p", _ISO, crf=22, options={"x265-params": "log-level=none"}),
    # constant quality needs b=0; cpu-used 4 is five times as fast as the default of 1, for 2 % of the size
    "vp9": Codec(
        "libvpx-vp9",
        "yuv420p",
        (".webm", ".mkv"),
        crf=24,
        worst=63,
        has_preset=False,
        options={"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
        alpha="yuva420p",
    ),
    # lossless: what a GIF is made of at the end
    "ffv1": Codec("ffv1", "bgr0", (".mkv",), crf=0, worst=0, has_preset=False),
}


def choose_codec(
    path: Path, codec: str | None, *, crf: int | None = None, alpha: bool = False
) -> tuple[str, Codec]:
    """The codec for a file: the one asked for, or the usual one of its container.

    Args:
        path: Its suffix says the container.
        codec: A key of `CODECS`, or None.
        crf: Quality that is wanted, or None.
        alpha: Whether transparency is to be kept.

    Returns:
        The name and what it is.

    Raises:
        UsageError: No such container, codec or quality, or they do not go together.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise UsageError(
            f"{path}: no video format has the suffix {path.suffix!r}", hint=f"use one of {', '.join(FORMATS)}"
        )
    name = codec or ("vp9" if suffix == ".webm" else "h264")
    if name not in CODECS:
        raise UsageError(f"codec {name!r} does not exist", hint="use one of h264, h265, vp9")
    chosen = CODECS[name]
    if suffix not in chosen.suffixes:
        raise UsageError(
            f"{path}: {name} does not go into {suffix}", hint=f"use one of {', '.join(chosen.suffixes)}"
        )
    if crf is not None and not 0 <= crf <= chosen.worst:
        raise UsageError(f"crf {crf} is not between 0 (lossless) and {chosen.worst} (worst) for {name}")
    if alpha and not chosen.alpha:
        raise UsageError(
            f"{path}: {name} cannot be transparent", hint="name a .webm, or a folder for PNG pictures"
        )
    return name, chosen
