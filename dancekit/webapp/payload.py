"""What a browser sends to Gradio's functions: the only files in it are uploads of this app."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Forged(ValueError):
    """Something in it is no upload."""


def only_uploads(data: Any, folder: Path) -> Any:
    """The same data, of whose files nothing is left but the path of an upload.

    Gradio looks after this itself only where it has started its own server (6.31 does not in `mount_gradio_app`), and
    fetches a file whose path is an address wherever it runs.

    Args:
        data: JSON.
        folder: Where Gradio puts uploads.

    Raises:
        Forged: A path leads elsewhere.
    """
    if isinstance(data, list):
        return [only_uploads(each, folder) for each in data]
    if not isinstance(data, dict):
        return data
    if "path" not in data and "url" not in data:
        return {key: only_uploads(each, folder) for key, each in data.items()}
    path = data.get("path")
    if not isinstance(path, str) or not _is_upload(path, folder):
        raise Forged(f"{path!r} is no upload")
    name = data.get("orig_name")
    kept = {"path": path, "meta": {"_type": "gradio.FileData"}}
    return kept | ({"orig_name": name} if isinstance(name, str) else {})


def _is_upload(path: str, folder: Path) -> bool:
    try:
        place = Path(path).resolve(strict=True)
    except (OSError, ValueError):  # it is not there, too long, or no path at all
        return False
    return place.is_file() and place.is_relative_to(folder.resolve())
