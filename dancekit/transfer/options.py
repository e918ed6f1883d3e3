"""How a transfer is made and shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from dancekit.data.poses import WHOLE, Span
from dancekit.errors import UsageError
from dancekit.transfer.background import check_background
from dancekit.transfer.stages import AHEAD, Observer


@dataclass(frozen=True, kw_only=True)
class TransferOptions:
    """How a transfer is made and shown.

    Attributes:
        background: `target`, `source`, `transparent`, a picture file or `#rrggbb`: the person in a whole picture.
            None: only the window that the dancer paints.
        size: (W, H) of the result, with bars where the shape differs; None: the window's, or the background's.
        start: Seconds into the source; None: its beginning.
        duration: Seconds; None: to its end.
        codec: `h264`, `h265`, `vp9`; None: H.264, or VP9 for .webm.
        crf: Quality, smaller is better and larger; None: the codec's usual one.
        side_by_side: The source to the left of the result.
        cuts: Frames of the (trimmed) source before which the dancer's memory of the last frame is erased, beside
            the cuts that were found.
        person: Whose dance, if there are several people: see `dancekit.data.poses.track_person`.
        overrides: `key=value` for the recipe's pose, filters and normalizer.
        force: Replace what is there.
        ahead: Results that wait between two stages at most; 0: one thread does everything.
        observe: Told (stage, seconds) for every item.
    """

    background: str | None = None
    size: tuple[int, int] | None = None
    start: Fraction | None = None
    duration: Fraction | None = None
    codec: str | None = None
    crf: int | None = None
    side_by_side: bool = False
    cuts: Sequence[int] = ()
    person: str | None = None
    overrides: Sequence[str] = ()
    force: bool = False
    ahead: int = AHEAD
    observe: Observer | None = field(default=None, compare=False)

    @property
    def span(self) -> Span:
        """The part of the source that is wanted."""
        if self.start is None and self.duration is None:
            return WHOLE
        since = self.start or Fraction(0)
        return Span(since, None if self.duration is None else since + self.duration)

    def check(self) -> None:
        """Refuse values that cannot be.

        Raises:
            UsageError: Which one.
        """
        if self.start is not None and self.start < 0:
            raise UsageError(f"--start {float(self.start):g} is before the source begins")
        if self.duration is not None and self.duration <= 0:
            raise UsageError(f"--duration {float(self.duration):g} is not above 0")
        if self.size is not None and not 16 <= min(self.size) <= max(self.size) <= 16384:
            raise UsageError(f"--size {self.size[0]}x{self.size[1]}: sides are 16 to 16384 pixels")
        check_background(self.background)
