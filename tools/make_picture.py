"""Make `docs/images/demo.jpg`, the README's picture, from what `dancekit demo` wrote.

dancekit demo --out demo && python tools/make_picture.py demo/compare.mp4
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from dancekit.video import read_frames

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "demo.jpg"
MOMENTS = (0.3, 0.62)
"""Where in the clip, as shares of its length."""


def main() -> None:
    """One row a moment."""
    frames = [frame.rgb for frame in read_frames(Path(sys.argv[1]))]
    rows = [frames[int(moment * len(frames))] for moment in MOMENTS]
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(
        str(PICTURE), cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90]
    )


if __name__ == "__main__":
    main()
