"""What an evaluation found: plain data that tables, the report and programs read, and that can be kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT = 1
"""Of the JSON that `save` writes; grows when a reader would have to know."""


@dataclass(frozen=True)
class Score:
    """One metric in one region, for one variant.

    Attributes:
        metric: `name@version`, e.g. `psnr@1`.
        region: `frame`, `mask`, `box`, `face`, `hands`, or for poses `body`, `face`, `hands`, `all`.
        value: The mean over frames (or the clip's number); None where it is not available.
        low: Lower end of the 95 % interval by block bootstrap over time; None for a clip's number.
        high: Upper end of it.
        unit: Of the value, "" for a plain number.
        higher_is_better: Which way is good.
        frames: How many frames were measured.
        per_frame: One number a frame, None where there was nothing to measure; empty for a clip's number.
        why: Why the value is not available, or a remark that belongs to it; else "".
    """

    metric: str
    region: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    higher_is_better: bool
    frames: int
    per_frame: tuple[float | None, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Variant:
    """One thing that was scored: the result itself, a baseline, a rung of the ladder.

    Attributes:
        name: `result`, `nearest_neighbour`, `temporal_median`, `previous_frame`, `identity_normalizer`,
            `true_pose`, `pose_of_truth`, `true_source_pose`, ...
        title: What people read.
        kind: `result`, `baseline` or `ladder`.
        scores: All of them.
        video: The frames as a video (a path relative to the JSON file, or absolute); None if none was kept.
    """

    name: str
    title: str
    kind: str
    scores: tuple[Score, ...]
    video: str | None = None

    def score(self, metric: str, region: str) -> Score | None:
        """The score of a metric (`psnr` or `psnr@1`) in a region, or None."""
        for score in self.scores:
            if metric in (score.metric, score.metric.partition("@")[0]) and score.region == region:
                return score
        return None


@dataclass(frozen=True)
class Evaluation:
    """All that one evaluation found.

    Attributes:
        protocol: What was measured and how: `name`, `version` and every setting of the protocol's YAML.
        inputs: Of each file that went in (`fake`, `real`, `dancer`, `source`, ...): `name` and `sha256`.
        frames: Frames compared.
        size: (W, H) of the frames compared.
        rate: Frames a second, as a fraction in text (`30000/1001`).
        variants: The result first, then baselines, then the ladder.
        real_video: The true frames as a video; None if none was kept.
        source_video: What the result was made from; None if there is none.
        warnings: About the whole: alignment, what was not available.
        frame_warnings: Text for single frames, by frame number: pose outside of the training range, ...
        fitted: The normalizer's fitted numbers; empty if none was fitted.
        environment: Versions, machine, commit: what a figure in a document has to name.
        boxes: By region (`face`, `box`, `hands`), for each frame (x, y, w, h) in pixels of `size`, None where
            there is none: what the report cuts out.
    """

    protocol: Mapping[str, Any]
    inputs: Mapping[str, Mapping[str, str]]
    frames: int
    size: tuple[int, int]
    rate: str
    variants: tuple[Variant, ...]
    real_video: str | None = None
    source_video: str | None = None
    warnings: tuple[str, ...] = ()
    frame_warnings: Mapping[int, str] = field(default_factory=dict)
    fitted: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    boxes: Mapping[str, tuple[tuple[float, ...] | None, ...]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data for `json.dumps`; `from_json` reads it."""
        data = asdict(self)
        data["frame_warnings"] = {str(number): text for number, text in self.frame_warnings.items()}
        return {"format": FORMAT, **data}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evaluation:
        """The reverse of `to_json`; keys that it does not know are an error."""
        known = {key: value for key, value in data.items() if key != "format"}
        variants = tuple(
            Variant(
                **{
                    **variant,
                    "scores": tuple(
                        Score(**{**score, "per_frame": tuple(score["per_frame"])})
                        for score in variant["scores"]
                    ),
                }
            )
            for variant in known.pop("variants")
        )
        return cls(
            **{
                **known,
                "variants": variants,
                "size": tuple(known["size"]),
                "warnings": tuple(known["warnings"]),
                "frame_warnings": {int(key): text for key, text in known["frame_warnings"].items()},
                "boxes": {
                    region: tuple(None if box is None else tuple(box) for box in boxes)
                    for region, boxes in known.get("boxes", {}).items()
                },
            }
        )

    def save(self, folder: Path) -> Path:
        """Write `evaluation.json` and both tables of scores into a folder, and return the first.

        Raises:
            OutputExists: There is such a file already.
            DancekitError: The disk is full, or the place cannot be written to.
        """
        from dancekit.errors import OutputExists
        from dancekit.evaluate.output import JSON, write_evaluation

        if (folder / JSON).exists():
            raise OutputExists(folder / JSON)
        folder.mkdir(parents=True, exist_ok=True)
        write_evaluation(self, folder)
        return folder / JSON

    def plot(self, *, metric: str = "psnr") -> NDArray[np.uint8]:
        """A metric of the result, frame by frame: a panel a region, (H, W, 3) uint8 RGB.

        Raises:
            UsageError: It was not measured frame by frame.
        """
        from dancekit.errors import UsageError
        from dancekit.training.curves import draw_curves

        scores = {
            f"{score.metric} {score.region}": score.per_frame
            for score in self.variants[0].scores
            if metric in (score.metric, score.metric.partition("@")[0]) and score.per_frame
        }
        if not scores:
            known = {score.metric.partition("@")[0] for score in self.variants[0].scores if score.per_frame}
            raise UsageError(
                f"there is no {metric} frame by frame", hint=f"there is {', '.join(sorted(known))}"
            )
        records = [
            {"step": frame}
            | {name: values[frame] for name, values in scores.items() if values[frame] is not None}
            for frame in range(self.frames)
        ]
        return draw_curves(records, axis="frame")

    def _repr_html_(self) -> str:
        """What a notebook shows: the table of scores."""
        from dancekit.evaluate.tables import score_table
        from dancekit.types.notebook import table_html

        head, rows = score_table(self)
        title = f"{self.protocol.get('name', '')}: {self.frames} frames of {self.size[0]}x{self.size[1]}"
        return table_html(title, head, rows)

    @classmethod
    def load(cls, path: Path) -> Evaluation:
        """Read what `save` wrote."""
        return cls.from_json(json.loads(path.read_text()))
