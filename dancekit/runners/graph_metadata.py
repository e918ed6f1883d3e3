"""Facts in an ONNX file: its metadata, key `dancekit`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def add_metadata(model: Any, facts: Mapping[str, Any]) -> None:
    """Facts as the model's metadata, key `dancekit`."""
    for entry in list(model.metadata_props):
        if entry.key == "dancekit":
            model.metadata_props.remove(entry)
    entry = model.metadata_props.add()
    entry.key, entry.value = "dancekit", json.dumps(facts, sort_keys=True)


def read_metadata(model: Any) -> dict[str, Any]:
    """What `add_metadata` wrote."""
    found: dict[str, Any] = json.loads({entry.key: entry.value for entry in model.metadata_props}["dancekit"])
    return found
