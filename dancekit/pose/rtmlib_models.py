"""The network files that `RTMLib` can fetch: where they are, what goes into them, what their sha256 is.

The sets are rtmlib's own (its `Wholebody`, `BodyWithFeet` and `Body` modes). OpenMMLab publishes no digests
of these archives. Those below were recorded by independent projects after downloading, and nearly all by
several that agree; none was checked by us, for want of a network. A wrong one would refuse a good file, never
accept a bad one. Where none was found there is None, and the file is not used unless the user vouches for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dancekit.contracts import WeightFile

Model = Literal["wholebody", "body_with_feet", "rtmo"]
Mode = Literal["lightweight", "balanced", "performance"]

_SOURCE = "https://download.openmmlab.com/mmpose/v1/projects/"
_MIRROR = "https://huggingface.co/Tau-J/RTMPose/resolve/main/"

LICENCE = "Apache-2.0"
"""Of MMPose, which publishes all of these weights; the data they learned from have terms of their own."""


@dataclass(frozen=True)
class NetworkFile:
    """A zip archive with one ONNX file.

    Attributes:
        place: Path below OpenMMLab's project folder (and below rtmlib's mirror).
        size: (W, H) of the network's input.
        sha256: Digest of the archive, or None if nobody is known to have recorded it.
    """

    place: str
    size: tuple[int, int]
    sha256: str | None = None

    @property
    def url(self) -> str:
        """The address."""
        return _SOURCE + self.place

    @property
    def mirror(self) -> str:
        """The same file at the mirror of rtmlib's author."""
        return _MIRROR + self.place

    @property
    def filename(self) -> str:
        """Name in the cache."""
        return self.place.rpartition("/")[2]


def local_or_known(path: str | None, sha256: str | None, known: NetworkFile) -> WeightFile:
    """The user's own file, else the known one."""
    if path:
        return WeightFile(Path(path).name, "", sha256, (path,))
    return WeightFile(known.filename, LICENCE, sha256 or known.sha256, (known.url, known.mirror))


def _yolox(name: str, side: int, sha256: str | None = None) -> NetworkFile:
    return NetworkFile(f"rtmposev1/onnx_sdk/yolox_{name}.zip", (side, side), sha256)


def _rtmpose(name: str, size: tuple[int, int], sha256: str | None = None) -> NetworkFile:
    return NetworkFile(f"rtmposev1/onnx_sdk/rtmpose-{name}.zip", size, sha256)


def _rtmw(name: str, size: tuple[int, int], sha256: str | None = None) -> NetworkFile:
    return NetworkFile(f"rtmw/onnx_sdk/rtmw-dw-{name}_20231122.zip", size, sha256)


def _rtmo(name: str, sha256: str | None = None) -> NetworkFile:
    return NetworkFile(f"rtmo/onnx_sdk/rtmo-{name}_20231211.zip", (640, 640), sha256)


_YOLOX_TINY = _yolox(
    "tiny_8xb8-300e_humanart-6f3252f9",
    416,
    "36e09ca555916253fa1b5d51bec01e48e98e1f0af966c51ce3e844d8c8fc4cfc",
)
_YOLOX_M = _yolox(
    "m_8xb8-300e_humanart-c2c7a14a", 640, "a000224fd8ba283202bc62d4a5fcdfe353adb9f468777dbac1ea2ada2093adde"
)
_YOLOX_X = _yolox(
    "x_8xb8-300e_humanart-a39d44ed", 640, "1c6fccc5cd450eb563b1fe4eba13c9bdf9ea8263b6ae1cb3ada765aa4ebea2c7"
)

DETECTORS: dict[tuple[Model, Mode], NetworkFile] = {
    ("wholebody", "lightweight"): _YOLOX_TINY,
    ("wholebody", "balanced"): _YOLOX_M,
    ("wholebody", "performance"): _YOLOX_M,
    ("body_with_feet", "lightweight"): _YOLOX_TINY,
    ("body_with_feet", "balanced"): _YOLOX_M,
    ("body_with_feet", "performance"): _YOLOX_X,
}
"""Who finds the people, for the models that look at one person at a time."""

POSES: dict[tuple[Model, Mode], NetworkFile] = {
    ("wholebody", "lightweight"): _rtmw(
        "l-m_simcc-cocktail14_270e-256x192",
        (192, 256),
        "a6d08a575c9d8b8da7ce6c13e1c7341047fca35594a6d35de04b739eba51139c",
    ),
    ("wholebody", "balanced"): _rtmw(
        "x-l_simcc-cocktail14_270e-256x192",
        (192, 256),
        "1e3e77558dfc199129bfff1c583e51b4ee190914de6ae30688243c20163c148c",
    ),
    ("wholebody", "performance"): _rtmw(
        "x-l_simcc-cocktail14_270e-384x288",
        (288, 384),
        "a87e1af41a0a067776dba7d46e1c21c8f6e9f18e247e0e606718dd1f31e96ffd",
    ),
    ("body_with_feet", "lightweight"): _rtmpose(
        "s_simcc-body7_pt-body7-halpe26_700e-256x192-7f134165_20230605", (192, 256)
    ),
    ("body_with_feet", "balanced"): _rtmpose(
        "m_simcc-body7_pt-body7-halpe26_700e-256x192-4d3e73dd_20230605",
        (192, 256),
        "55b81170e236040b59fc792ad0a8315301ac4c079a3bdb1095d838aad3088d18",
    ),
    ("body_with_feet", "performance"): _rtmpose(
        "x_simcc-body7_pt-body7-halpe26_700e-384x288-7fb6e239_20230606", (288, 384)
    ),
    ("rtmo", "lightweight"): _rtmo(
        "s_8xb32-600e_body7-640x640-dac2bf74",
        "3da7ad88b209f9da8be87ba5c325610639af04de3b5c8a96649b98cd9e2848a2",
    ),
    ("rtmo", "balanced"): _rtmo("m_16xb16-600e_body7-640x640-39e78cc4"),
    ("rtmo", "performance"): _rtmo(
        "l_16xb16-600e_body7-640x640-b37118ce",
        "17b361174d759d974879f9fb46d564ae658d004bfa070e6f1c9ad275d3fd6b87",
    ),
}
"""Who finds the joints."""

SKELETONS: dict[Model, str] = {
    "wholebody": "wholebody_133",
    "body_with_feet": "halpe_26",
    "rtmo": "coco_17",
}
"""What joints each model gives."""
