"""What can be danced, and who can be trained on: what ships, and what was uploaded. Chosen by id, never by path."""

from __future__ import annotations

import json
import math
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from dancekit.data.files import write_whole
from dancekit.errors import DancekitError, UnknownName, VideoError
from dancekit.resources import data_path
from dancekit.video import probe
from dancekit.webapp.jobs import read_facts

LARGEST_SIDE = 4096
"""Pixels."""

SHORTEST = 0.2
"""Seconds."""

_SHIPPED = {
    "sample": ("zoo/samples/source.mp4", "the dance that ships with dancekit"),
    "target": ("zoo/samples/target.mp4", "the person that ships with dancekit (rendered)"),
}
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
_FACTS = "clip.json"


@dataclass(frozen=True)
class Limits:
    """What may be uploaded.

    Attributes:
        megabytes: Of a file.
        minutes: Of a video.
    """

    megabytes: int = 500
    minutes: float = 10.0


@dataclass(frozen=True)
class Clip:
    """A video, or the poses of a dance.

    Attributes:
        id: To choose it by.
        title: For people: an upload's own name.
        path: The file.
        seconds: Its length, where known.
    """

    id: str
    title: str
    path: Path
    seconds: float = math.nan

    @property
    def label(self) -> str:
        """For lists: `dance.mp4, 0:12`."""
        length = "" if math.isnan(self.seconds) else f", {clock(self.seconds)}"
        return f"{self.title}{length}"


class Clips:
    """The clips of a folder, and those that ship.

    Args:
        folder: For uploads; is made.
        limits: What may be uploaded.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder, self.limits = folder, limits
        folder.mkdir(parents=True, exist_ok=True)

    def dances(self) -> list[Clip]:
        """What somebody can dance: uploads, the newest first, the sample, the library."""
        from dancekit.zoo.motions import list_motions

        library = [
            Clip(
                f"motion:{motion.id}",
                f"{motion.id}: {motion.summary}",
                motion.path,
                motion.frames / motion.rate,
            )
            for motion in list_motions()
        ]
        return [*self._uploads(), _shipped("sample"), *library]

    def targets(self) -> list[Clip]:
        """Who can be trained on."""
        return [*self._uploads(), _shipped("target")]

    def find(self, identity: str | None) -> Clip:
        """The clip of an id.

        Raises:
            UnknownName: There is none: whatever a browser sends, it is only compared with what there is.
        """
        for clip in (*self.dances(), *self.targets()):
            if clip.id == identity:
                return clip
        raise UnknownName("this clip is not there any more", hint="choose another one, or upload it again")

    def take(self, upload: Path, name: str) -> Clip:
        """Keep an uploaded file, if it is a video within the limits.

        Args:
            upload: Where the server has put it; it is moved away from there.
            name: What the user called it; only shown.

        Raises:
            DancekitError: It is no video, too large, too long or too short; it is deleted then.
        """
        shown = _safe_name(name)
        try:
            seconds = self._check(upload, shown)
            identity = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
            place = self._folder / identity / f"clip{_suffix(upload)}"
            place.parent.mkdir()
            shutil.move(upload, place)
        finally:
            upload.unlink(missing_ok=True)
        clip = Clip(identity, shown, place, seconds)
        facts = asdict(clip) | {"path": place.name}
        write_whole(place.with_name(_FACTS), json.dumps(facts))
        return clip

    def _check(self, upload: Path, shown: str) -> float:
        size = upload.stat().st_size
        if size > self.limits.megabytes * 1_000_000:
            raise VideoError(
                f"{shown} has {size / 1e6:.0f} MB, {self.limits.megabytes} are allowed",
                hint="cut it or make it smaller; dancekit app --max-size allows more",
            )
        if not _is_film(upload):  # before FFmpeg sees it: it would follow the paths in a playlist
            raise VideoError(f"{shown} is no video", hint="mp4, mov, mkv, webm and avi are taken")
        try:
            info = probe(upload)
        except DancekitError as error:
            raise VideoError(str(error).replace(str(upload), shown)) from None
        seconds = info.duration or (info.frames or 0) / info.rate
        if not seconds:
            raise VideoError(f"{shown} does not say how long it is", hint="export it again as mp4")
        if seconds > 60 * self.limits.minutes:
            raise VideoError(
                f"{shown} is {clock(float(seconds))} long, {clock(60 * self.limits.minutes)} are allowed",
                hint="cut it; dancekit app --max-minutes allows more",
            )
        if seconds < SHORTEST:
            raise VideoError(f"{shown} is only {float(seconds):.2f} s long", hint="a second at least")
        if max(info.size) > LARGEST_SIDE:
            raise VideoError(
                f"{shown} has {info.size[0]}x{info.size[1]} pixels, {LARGEST_SIDE} a side are allowed",
                hint="make it smaller: dancers are painted at a few hundred pixels",
            )
        return float(seconds)

    def _uploads(self) -> Iterator[Clip]:
        for folder in sorted(self._folder.iterdir(), reverse=True):
            facts = read_facts(folder / _FACTS) if _ID.fullmatch(folder.name) else {}
            path = folder / Path(str(facts.get("path", ""))).name
            if facts and path.is_file():
                yield Clip(folder.name, str(facts["title"]), path, float(facts["seconds"]))


def clock(seconds: float) -> str:
    """Seconds as `1:05`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _shipped(identity: str) -> Clip:
    relative, title = _SHIPPED[identity]
    path = data_path(relative)
    return Clip(identity, title, path)


def _safe_name(name: str) -> str:
    """A name that can be shown: its last part, without what is no text, not too long."""
    last = re.split(r"[\\/]", name)[-1]
    return "".join(each for each in last if each.isprintable())[:80] or "the file"


def _suffix(upload: Path) -> str:
    suffix = upload.suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix) else ".mp4"


def _is_film(path: Path) -> bool:
    """Whether the first bytes are those of a container of films, and not of a list of other files."""
    with path.open("rb") as file:
        head = file.read(189)
    return (
        head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # mp4, mov
        or head.startswith(b"\x1a\x45\xdf\xa3")  # mkv, webm
        or (head.startswith(b"RIFF") and head[8:12] == b"AVI ")
        or head.startswith((b"\x00\x00\x01\xba", b"FLV\x01"))  # mpg
        or (head[:1] == b"\x47" and head[188:189] == b"\x47")  # ts
    )
