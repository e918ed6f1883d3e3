"""Combinations of versions and settings that are known to go wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping

OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
"""All of these install the one module cv2."""

LITTLE_SPACE = 2.0
"""GB below which a training is likely to fill the disk."""


def known_bad(
    versions: Mapping[str, str | None],
    *,
    cuda_build: str = "",
    nvidia: bool = False,
    cuda_found: bool = False,
) -> list[str]:
    """One line for each, with the remedy.

    Args:
        versions: Of distributions; None or absent if one is not installed.
        cuda_build: The version of CUDA that torch was built for; "" if for none.
        nvidia: Whether the machine has a driver of NVIDIA.
        cuda_found: Whether torch sees a GPU.
    """
    there = {name: version for name, version in versions.items() if version}
    found = []
    owners = {name: there[name] for name in OPENCV if name in there}
    if len(set(owners.values())) > 1:
        listed = ", ".join(f"{name} {version}" for name, version in owners.items())
        found.append(
            f"{listed} install the same module cv2, in different versions: the one installed last is used "
            "(pip install -U --force-reinstall opencv-python opencv-contrib-python, to one version)"
        )
    if "onnxruntime" in there and "onnxruntime-gpu" in there:
        found.append(
            "onnxruntime and onnxruntime-gpu install the same module: the GPU may be left out "
            "(pip uninstall onnxruntime onnxruntime-gpu, then install the one that is wanted)"
        )
    torch, vision = (_release(there.get(name, "")) for name in ("torch", "torchvision"))
    if torch and vision and torch[0] == 2 and vision[0] == 0 and vision[1] != torch[1] + 15:
        found.append(
            f"torchvision {there['torchvision']} was built for torch 2.{vision[1] - 15}, not for {there['torch']} "
            f"(pip install 'torchvision==0.{torch[1] + 15}.*')"
        )
    if nvidia and not cuda_found:
        build = f"is built for CUDA {cuda_build} and" if cuda_build else "is built for CPUs alone and"
        found.append(
            f"there is a driver of NVIDIA, and torch {build} finds no GPU: everything runs on the CPU "
            "(nvidia-smi shows whether the driver works; pytorch.org says which torch goes with it)"
        )
    return found


def _release(version: str) -> tuple[int, int] | None:
    match = re.match(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else None
