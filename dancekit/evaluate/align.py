"""Bringing painted and true frames together: one length, size and rate, or an error that says what differs.

Nothing is ever cut or scaled silently: what `--align` permits is done and said in a warning, the rest is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

from dancekit.errors import UsageError, VideoError
from dancekit.evaluate.frames import ASSUMED_RATE, Chosen, Resized, Source
from dancekit.evaluate.protocols import Protocol

ALIGNMENTS = ("trim", "resize")
"""`trim`: both end where the shorter one does. `resize`: the true frames take the size of the painted ones."""

RATE_TOLERANCE = 1e-3
"""Relative difference of two rates that are one: 29.97 and 30 are (a frame in 33 s), 25 and 24 are not."""


@dataclass(frozen=True)
class Pair:
    """Painted and true frames that belong together, frame by frame.

    Attributes:
        fake: Painted.
        real: True.
        rate: Frames a second.
        warnings: What was done to them.
    """

    fake: Source
    real: Source
    rate: Fraction
    warnings: tuple[str, ...]


def align(fake: Source, real: Source, protocol: Protocol, allowed: Collection[str] = ()) -> Pair:
    """Check that two sources fit, do what is permitted to make them, and take the protocol's frames and size.

    Args:
        fake: Painted frames.
        real: True frames.
        protocol: Whose `frames`, `size` and `resize` are used.
        allowed: Of `ALIGNMENTS`.

    Raises:
        VideoError: One is empty, or length, size or rate differ and this is not allowed.
        UsageError: An unknown alignment, or the protocol's frames lie beyond the end.
    """
    unknown = [each for each in allowed if each not in ALIGNMENTS]
    if unknown:
        raise UsageError(f"--align {unknown[0]} is unknown", hint=f"there are {', '.join(ALIGNMENTS)}")
    for source in (fake, real):
        if not source.count:
            raise VideoError(f"{source.name} has no frame", hint="choose another file")
    warnings: list[str] = []
    rate = _rate(fake, real, warnings)
    if fake.count != real.count:
        fake, real = _trimmed(fake, real, "trim" in allowed, warnings)
    if fake.size != real.size and protocol.size is None:
        real = _resized(fake, real, "resize" in allowed, protocol.resize, warnings)
    fake, real = (select(source, protocol) for source in (fake, real))
    return Pair(fake, real, rate / protocol.frames.every, tuple(warnings))


def select(source: Source, protocol: Protocol) -> Source:
    """The frames that a protocol looks at, at its size.

    Raises:
        UsageError: They lie beyond the end.
    """
    wanted = protocol.frames
    stop = source.count if wanted.stop is None else wanted.stop
    if stop > source.count or wanted.start >= stop:
        raise UsageError(
            f"{source.name} has {source.count} frames, protocol {protocol.name} looks at {wanted.start} to "
            f"{'the end' if wanted.stop is None else stop}",
            hint="take another protocol, or a longer clip",
        )
    if (wanted.start, stop, wanted.every) != (0, source.count, 1):
        source = Chosen(source, wanted.start, stop, wanted.every)
    if protocol.size is not None and source.size != protocol.size:
        source = Resized(source, protocol.size, protocol.resize)
    return source


def _rate(fake: Source, real: Source, warnings: list[str]) -> Fraction:
    if fake.rate is None and real.rate is None:
        warnings.append(f"no rate is known of two folders: {ASSUMED_RATE} frames a second are assumed")
        return ASSUMED_RATE
    if fake.rate is None or real.rate is None:
        return (fake.rate or real.rate) or ASSUMED_RATE
    if abs(float(fake.rate / real.rate) - 1) > RATE_TOLERANCE:
        raise VideoError(
            f"{fake.name} has {float(fake.rate):.4g} frames a second, {real.name} {float(real.rate):.4g}: "
            "frames of one number are not of one moment",
            hint="bring both to one rate first: ffmpeg -i IN -r RATE OUT.mp4",
        )
    return fake.rate


def _trimmed(fake: Source, real: Source, allowed: bool, warnings: list[str]) -> tuple[Source, Source]:
    counts = f"{fake.name} has {fake.count} frames, {real.name} {real.count}"
    if not allowed:
        raise VideoError(counts, hint="if both begin at one moment: --align trim compares the common part")
    shorter = min(fake.count, real.count)
    longer = max(fake.count, real.count)
    warnings.append(f"{counts}: the last {longer - shorter} of the longer one are left out (--align trim)")
    first, second = (
        Chosen(source, 0, shorter) if source.count > shorter else source for source in (fake, real)
    )
    return first, second


def _resized(fake: Source, real: Source, allowed: bool, resize: str, warnings: list[str]) -> Source:
    sizes = f"{fake.name} is {fake.size[0]}x{fake.size[1]}, {real.name} {real.size[0]}x{real.size[1]}"
    if not allowed:
        raise VideoError(
            sizes,
            hint="--align resize resamples the true frames; what dancekit transfer painted is a window of the "
            "target's frame: dancekit transfer --full-frame, or dancekit evaluate DANCER CLIP --source SOURCE",
        )
    fw, fh = fake.size
    rw, rh = real.size
    if abs(fw * rh - rw * fh) > 0.01 * fw * rh:
        raise VideoError(
            f"{sizes}: their proportions differ, resampling would squash one of them",
            hint="cut both to the same part of the picture first",
        )
    warnings.append(f"{sizes}: the true frames are resampled to the painted size ({resize}, --align resize)")
    return Resized(real, fake.size, resize)
