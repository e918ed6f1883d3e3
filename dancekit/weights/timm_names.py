"""Names of timm's models, with help for misspelt ones."""

from __future__ import annotations

import difflib

import timm

from dancekit.errors import UsageError


def check_timm_name(name: str, where: str) -> None:
    """Refuse a name that timm does not know; names that would make timm reach for the network among them.

    Args:
        name: Of a timm model, with or without the tag of its weights (`resnet18.a1_in1k`).
        where: What asks for it, for the message.

    Raises:
        UsageError: With the nearest names.
    """
    if name.startswith(("hf-hub:", "hf_hub:", "local-dir:")) or not timm.is_model(name):
        near = difflib.get_close_matches(name.partition(".")[0], timm.list_models(), 3)
        raise UsageError(
            f"{where}: timm has no model {name!r}",
            hint=f"did you mean {' or '.join(near)}?" if near else "timm.list_models() names them",
        )
