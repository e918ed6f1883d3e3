"""How results show themselves in a notebook: a table of facts and pictures, as HTML that needs nothing from outside."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 360
"""Height of a picture in a notebook, pixels."""


def facts_html(
    title: str, rows: Iterable[tuple[str, Any]], pictures: Iterable[NDArray[np.uint8]] = ()
) -> str:
    """A heading, a line for each fact, and pictures beside each other.

    Args:
        title: Of the whole.
        rows: Name and value of each fact.
        pictures: (H, W, 3) uint8 RGB.
    """
    lines = "".join(
        f"<tr><th>{escape(str(key))}</th><td>{escape(str(value))}</td></tr>" for key, value in rows
    )
    shown = "".join(map(picture_html, pictures))
    return f"<div><b>{escape(title)}</b><table>{lines}</table>{shown}</div>"


def table_html(title: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A heading and a table."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div><b>{escape(title)}</b><table><tr>{top}</tr>{body}</table></div>"


def picture_html(picture: NDArray[np.uint8]) -> str:
    """An (H, W, 3) uint8 RGB picture, shrunk if it is large, within the HTML itself."""
    import cv2

    height, width = picture.shape[:2]
    if height > LARGEST:
        size = (max(1, round(width * LARGEST / height)), LARGEST)
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, encoded = cv2.imencode(".png", cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR))
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(encoded.tobytes()).decode()}">'
