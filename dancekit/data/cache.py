"""Where results that can be computed again are kept: by content hash, in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs

from dancekit.weights.header import file_sha256


def cache_folder(kind: str) -> Path:
    """`$DANCEKIT_CACHE/<kind>`, or the platform's user cache folder; it may not exist yet."""
    root = os.environ.get("DANCEKIT_CACHE") or platformdirs.user_cache_dir("dancekit")
    return Path(root) / kind


def content_key(path: Path, settings: Mapping[str, Any]) -> str:
    """A name for what comes of a file under some settings: changes when either does."""
    text = json.dumps({"file": file_sha256(path), "settings": settings}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
