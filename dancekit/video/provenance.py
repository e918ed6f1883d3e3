"""The mark that every painted video carries in its container: that it is synthetic, and what made it."""

from __future__ import annotations

from dancekit import __version__

SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's digital source type for media made by a trained model."""


def synthetic_mark(made: str) -> dict[str, str]:
    """Container tags that say so, for `VideoWriter(metadata=...)`.

    Args:
        made: What made it, such as `dancer ava.safetensors (sha256 12ab...)`.
    """
    return {"comment": f"synthetic video, painted by dancekit {__version__}: {made}; {SYNTHETIC}"}
