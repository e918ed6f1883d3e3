"""A dancer file written again: its weights stored smaller, or a statement in its header changed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dancekit.critic import critic_path, read_critic, save_critic
from dancekit.dancer import read_info, read_networks, read_references, read_target, save_dancer
from dancekit.errors import OutputExists, UsageError
from dancekit.weights.header import file_sha256, read_header, read_tensors
from dancekit.weights.quantize import Storage

STATEMENTS = ("licence", "consent", "subject", "data_licence")
"""Fields of the header that are what somebody says of the dancer, not what was measured."""


def repack(
    source: Path,
    out: Path,
    *,
    dtype: Storage | None = None,
    changes: Mapping[str, Any] | None = None,
    title: str = "",
    force: bool = False,
) -> str:
    """Write a dancer again, in the newest format, and its critic beside it if it has one.

    Args:
        source: A dancer file.
        out: Where to.
        dtype: Storage of the weights; as it is if None. What was rounded stays rounded.
        changes: Statements for the header (`STATEMENTS`).
        title: Name for model browsers; as it is if empty.
        force: Replace what is there.

    Returns:
        The new file's sha256.

    Raises:
        OutputExists: A file is there already.
        UsageError: `out` is the source.
    """
    info = read_info(source)
    stored = dtype or info.storage
    unknown = set(changes or {}) - set(STATEMENTS)
    if unknown:
        raise ValueError(f"{unknown} are no statements")
    for path in (out, critic_path(out)):
        if path.exists() and source.exists() and path.samefile(source):
            raise UsageError(f"{path} is the input", hint="choose another --out")
        if path.exists() and not force:
            raise OutputExists(path)
    new = dataclasses.replace(
        info,
        training={**info.training, "packed_from": file_sha256(source)},
        **(changes or {}),
    )
    title = title or read_header(source).metadata.get("modelspec.title", "")
    plate = read_tensors(source, ["plate.png"])["plate.png"].numpy().tobytes()
    judges = read_critic(source)
    out.parent.mkdir(parents=True, exist_ok=True)
    digest = save_dancer(
        out,
        new,
        read_networks(source),
        target=read_target(source, info),
        plate_png=plate,
        dtype=stored,
        title=title,
        references=read_references(source, info),
    )
    save_critic(out, new, judges, dancer_sha256=digest, dtype=dtype or _critic_storage(source))
    return digest


def _critic_storage(source: Path) -> Storage:
    path = critic_path(source)
    if not path.exists():
        return "fp16"
    storage: Storage = json.loads(read_header(path).metadata["dancekit"])["storage"]
    return storage
