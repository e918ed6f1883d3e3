"""A protocol: which metrics, where, on which frames, against which baselines; results name it, with all of it.

No two papers of this field compute the same numbers, so a number without its protocol says little. A protocol is
a YAML file (the folder `protocols` holds the packaged ones) that is read as strictly as a recipe.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, field_validator, model_validator
from ruamel.yaml import YAML

from dancekit.config.documents import Documents, check_document, read_document
from dancekit.config.schema import Component

PROTOCOLS = Documents("protocols", "protocol")

REGIONS = ("frame", "mask", "box", "face", "hands", "body", "all")
"""Where a metric can look. Frames: all but `body` and `all`; poses: `all`, `body`, `face`, `hands`."""

Region = Literal["frame", "mask", "box", "face", "hands", "body", "all"]
Baseline = Literal["nearest_neighbour", "temporal_median", "previous_frame", "identity_normalizer"]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Side = Annotated[int, Field(ge=16, le=8192)]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True
    )


class MetricTerm(Component):
    """One metric and where it looks.

    Attributes:
        regions: `frame`, `mask`, `box`, `face`, `hands` for frames; `all`, `body`, `face`, `hands` for poses.
    """

    regions: Annotated[list[Region], Field(min_length=1)] = Field(default=["frame"])


class Frames(_Model):
    """Which frames are compared.

    Attributes:
        start: The first one.
        stop: The one after the last; null for the end.
        every: Every Nth; temporal metrics then see frames that lie N apart.
    """

    start: Count = 0
    stop: Positive | None = None
    every: Positive = 1

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(f"stop {self.stop} does not come after start {self.start}")
        return self


class Intervals(_Model):
    """How confidence intervals are made: circular block bootstrap over time.

    Attributes:
        samples: Resampled clips.
        block_seconds: Length of the blocks that are drawn: longer than errors hang together.
        level: Of the intervals.
        seed: Of the draws.
    """

    samples: Annotated[int, Field(ge=100, le=100_000)] = 2000
    block_seconds: Annotated[float, Field(gt=0)] = 1.0
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


class Loop(_Model):
    """A dance that is repeated, for protocols that compare a painting with itself.

    Attributes:
        seconds: How long it is painted.
        period: Seconds of one time through, forwards and backwards, so that no pose jumps.
        hold: Seconds for which one pose is held afterwards.
    """

    seconds: Annotated[float, Field(gt=0)] = 600.0
    period: Annotated[float, Field(gt=0)] = 4.0
    hold: Annotated[float, Field(gt=0)] = 4.0


class Protocol(_Model):
    """What is measured and how.

    Attributes:
        name: The file's name without its suffix.
        version: Grows when the same videos would get other numbers.
        description: What it is for, where it comes from and what is odd about it.
        compare: `frames`: painted frames with true ones; `poses`: only poses, for there are no true frames;
            `loops`: the last time through a repeated dance with the first one.
        metrics: What is measured, where.
        frames: Which frames.
        size: (W, H) to which painted and true frames are both resampled; null for as they are.
        resize: Filter for that, and for `--align resize`.
        colour: 8-bit RGB over the full range, BT.709 or what the file says: the only one there is.
        clip_length: Frames after which a clip's metric (a spectrum, a distance of distributions) starts anew;
            the mean over the clips is given, an incomplete last clip is left out. null for the whole video.
        smallest_head: Pixels of head height below which nothing is claimed of face and hands.
        detectors: Pose backends for pose metrics; the first one at hand that did not draw the sticks is
            taken, else the first one at hand.
        baselines: What costs nothing and has to be beaten.
        intervals: How confidence intervals are made.
        loop: What is repeated, for `compare: loops`.
    """

    schema_version: Annotated[int, Field(alias="schema", ge=1, le=1)]
    name: str
    version: Positive
    description: str
    compare: Literal["frames", "poses", "loops"] = "frames"
    metrics: Annotated[list[MetricTerm], Field(min_length=1)]
    frames: Frames = Frames()
    size: Annotated[tuple[Side, Side], Strict(False)] | None = None
    resize: Literal["area", "bilinear", "bicubic", "lanczos"] = "area"
    colour: Literal["full"] = "full"
    clip_length: Annotated[int, Field(ge=2)] | None = None
    smallest_head: Annotated[int, Field(ge=1)] = 48
    detectors: Annotated[list[Component], Field(min_length=1)] = [
        Component(name="rtmlib"),
        Component(name="blazepose"),
    ]
    baselines: list[Baseline] = []
    intervals: Intervals = Intervals()
    loop: Loop = Loop()

    @field_validator("metrics")
    @classmethod
    def _once(cls, metrics: list[MetricTerm]) -> list[MetricTerm]:
        for number, term in enumerate(metrics):
            if len(set(term.regions)) < len(term.regions):
                raise ValueError(f"{term.name} has a region twice")
            if any(term.name == other.name for other in metrics[:number]):
                raise ValueError(f"{term.name} stands twice")
        return metrics

    def to_json(self) -> dict[str, Any]:
        """Every setting, as plain data."""
        return self.model_dump(mode="json", by_alias=True)

    def to_yaml(self) -> str:
        """A file that reads as the same protocol, without comments."""
        yaml = YAML(typ="safe", pure=True)
        yaml.default_flow_style = None
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        yaml.width = 110
        text = io.StringIO()
        yaml.dump(self.to_json(), text)
        return text.getvalue()


def load_protocol(name_or_path: str | Path) -> Protocol:
    """Read a protocol.

    Args:
        name_or_path: A packaged one's name; anything with a suffix or a slash is a file.

    Raises:
        UnknownName: There is no packaged protocol of that name.
        RecipeError: All that is wrong with the file, each with its line.
    """
    path = PROTOCOLS.locate(name_or_path)
    return check_document(read_document(path), Protocol, path, why_named=": results name it")
