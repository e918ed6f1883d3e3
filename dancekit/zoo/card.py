"""Model cards: Markdown with the Hugging Face Hub's front matter, made from an entry of the index and a recipe."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML

from dancekit.zoo.index import Entry, Measured, Score

HEADLINES = (
    ("psnr", "mask"),
    ("ssim", "mask"),
    ("sharpness", "mask"),
    ("lpips", "box"),
    ("warping_error", "mask"),
    ("pck", "all"),
)
"""Numbers of the short table, where they were measured."""


def write_card(entry: Entry, recipe: Mapping[str, Any] | None = None, pictures: Sequence[str] = ()) -> str:
    """The card.

    Args:
        entry: What it is about.
        recipe: Of a dancer, as it is stored in its file (`dancekit.dancer.stored_recipe`).
        pictures: Addresses relative to the card.
    """
    parts = [_front_matter(entry), f"# {entry.id}", entry.title]
    parts += [f"![{entry.id}]({picture})" for picture in pictures]
    parts += ["## Use", _use(entry)]
    if entry.kind == "dancer":
        parts += ["## Who is shown", _who(entry), "## Trained on", _trained(entry)]
    parts += ["## Files", files_table(entry)]
    if entry.measured:
        parts.append("## Measured")
        parts += [
            text for found in entry.measured for text in (_conditions(found), scores_table(found.scores))
        ]
    else:
        parts += ["## Measured", "Nothing was measured by a protocol."]
    parts += ["## Limits", entry.limits or "None are known."]
    if recipe is not None:
        parts += ["## Recipe", f"```yaml\n{_yaml(recipe)}\n```"]
    return "\n\n".join(parts) + "\n"


def _yaml(recipe: Mapping[str, Any]) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 110
    text = io.StringIO()
    yaml.dump(dict(recipe), text)
    return text.getvalue().rstrip()


def _front_matter(entry: Entry) -> str:
    lines = ["---", f"license: {entry.licence.weights.lower()}", "library_name: dancekit", "tags:"]
    lines += ["- dancekit", "- motion-transfer" if entry.kind == "dancer" else "- pose-estimation"]
    return "\n".join([*lines, "---"])


def _use(entry: Entry) -> str:
    if entry.kind != "dancer":
        return entry.use
    command, colon, told = entry.use.partition(": ")  # "`command`: what for", or "`command`" alone
    what = told if colon else "Paints its person doing the dance of any video"
    return (
        f"{what}:\n\n```bash\npip install dancekit\n{command.strip('`')}\n```\n\n"
        "The result is synthetic and says so in its metadata. Do not present it as a recording."
    )


def _who(entry: Entry) -> str:
    if entry.subject == "rendered":
        return "Nobody real: the person is rendered." + (f" ({entry.consent})" if entry.consent else "")
    return f"A real person. Their consent, as the publisher states it: {entry.consent}"


def _trained(entry: Entry) -> str:
    licence = entry.licence.data or "not said"
    lines = [
        f"- Licence of the training clip: {licence}",
        f"- Licence of the weights: {entry.licence.weights}",
    ]
    lines.append(f"- Recipe: {f'`{entry.recipe}`' if entry.recipe else 'of its own'}, in full below")
    for key, value in sorted(entry.training.items()):
        if key == "inputs":
            lines += [f"- sha256 of the {role}: `{digest}`" for role, digest in sorted(value.items())]
        else:
            lines.append(f"- {key.replace('_', ' ')}: `{value}`")
    return "\n".join(lines)


def files_table(entry: Entry) -> str:
    """Name, role, size and sha256 of every file."""
    rows = [
        [f"`{file.name}`", file.role, f"{file.bytes / 1e6:.1f}", f"`{file.sha256}`"] for file in entry.files
    ]
    made = [f"- `{file.name}` was made from {file.origin}" for file in entry.files if file.origin]
    return "\n\n".join(
        [markdown_table(["file", "what", "MB", "sha256"], rows), *(["\n".join(made)] if made else [])]
    )


def _conditions(found: Measured) -> str:
    size = "x".join(str(side) for side in found.size)
    commit = f", commit {found.commit[:12]}" if found.commit else ""
    return (
        f"Protocol `{found.protocol}`: {found.frames} frames of {size}, {found.machine}{commit}. Again by:\n\n"
        f"```bash\n{found.command}\n```"
    )


def scores_table(scores: Sequence[Score]) -> str:
    """Every number with its interval."""
    rows = [
        [
            f"{score.metric} ({', '.join(each for each in (score.unit, _direction(score)) if each)})",
            score.region,
            f"{score.value:.4g}",
            "" if score.low is None or score.high is None else f"[{score.low:.4g}, {score.high:.4g}]",
        ]
        for score in scores
    ]
    return markdown_table(["metric", "where", "value", "95 % interval"], rows)


def _direction(score: Score) -> str:
    if score.metric.startswith("sharpness"):
        return "best near 1"
    return "higher is better" if score.higher_is_better else "lower is better"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def dancers_table(entries: Sequence[Entry]) -> str:
    """The results table of the documentation: one row a dancer and protocol."""
    rows = []
    for entry in entries:
        if entry.kind != "dancer":
            continue
        start = [f"`{entry.id}`", entry.title, f"{entry.main.bytes / 1e6:.0f} MB", _trained_for(entry)]
        for found in entry.measured:
            by_name = {(score.metric.partition("@")[0], score.region): score for score in found.scores}
            cells = [f"{by_name[key].value:.4g}" if key in by_name else "-" for key in HEADLINES]
            rows.append([*start, entry.licence.weights, f"`{found.protocol}`", *cells])
    head = [
        "id",
        "what",
        "size",
        "trained",
        "licence",
        "protocol",
        *(f"{name} ({region})" for name, region in HEADLINES),
    ]
    return markdown_table(head, rows)


def _trained_for(entry: Entry) -> str:
    seconds = entry.training.get("seconds")
    return f"{float(seconds) / 60:.0f} min" if seconds else "-"


def networks_table(entries: Sequence[Entry]) -> str:
    """Pose networks of the documentation."""
    rows = [
        [
            f"`{entry.id}`",
            entry.title,
            str(len(entry.files)),
            f"{sum(file.bytes for file in entry.files) / 1e6:.1f} MB",
            entry.licence.weights,
        ]
        for entry in entries
        if entry.kind == "pose"
    ]
    return markdown_table(["id", "what", "files", "size", "licence"], rows)
