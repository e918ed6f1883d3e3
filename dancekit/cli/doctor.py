"""`dancekit doctor`: what this installation can use, for people and for bug reports."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from dancekit import __version__
from dancekit.cli.console import Terminal
from dancekit.cli.doctor_bad import LITTLE_SPACE, OPENCV, known_bad
from dancekit.cli.options import Json, Quiet, Verbose

_LIBRARIES = (
    "torch",
    "torchvision",
    "kornia",
    "timm",
    "numpy",
    "opencv-python",
    "av",
    "onnxruntime",
    "rtmlib",
    "safetensors",
    "accelerate",
    "pydantic",
    "ruamel.yaml",
    "typer",
    "rich",
    "huggingface-hub",
)
_ALSO = ("onnxruntime-gpu", "onnxruntime-openvino", "openvino", "numba", "tensorboard", "gradio", "ray")
"""Of extras: said where they are."""
_ENCODERS = ("libx265", "libvpx-vp9", "libopus", "png", "gif")
_DECODERS = ("h264", "hevc", "vp9", "av1", "prores")


# A 1x1 convolution that doubles (1, 1, 4, 4), opset 13: what ONNX Runtime really runs is seen in a session only.
_TINY_ONNX = (
    "CAgSCGRhbmNla2l0On4KJgoBeAoBdxIBeSIEQ29udioVCgxrZXJuZWxfc2hhcGVAAUABoAEHEgVwcm9iZSoTCAEIAQgBCAEQASIEAAAAQEIBd1ob"
    "CgF4EhYKFAgBEhAKAggBCgIIAQoCCAQKAggEYhsKAXkSFgoUCAESEAoCCAEKAggBCgIIBAoCCARCBAoAEA0="
)


def doctor(
    probe: Annotated[
        bool, typer.Option("--probe/--no-probe", help="Measure for two seconds what each device does.")
    ] = True,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Say what this installation can use; exit code 1 if something is broken.

    Versions, devices and what a short measurement shows them to do, ONNX
    Runtime's provider that is really used, codecs, weights, cache, plugins;
    and combinations that are known to go wrong.

    Examples:
      dancekit doctor
      dancekit doctor --no-probe
      dancekit doctor --json > report.json
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    problems: list[str] = []
    report: dict[str, Any] = {"dancekit": __version__}
    sections = {name: look for name, look in SECTIONS.items() if probe or name != "speed"}
    for name, look in sections.items():
        try:
            report[name] = look(problems)
        except Exception as error:  # whatever is broken is what this command is to find
            problems.append(f"{name}: {type(error).__name__}: {error}")
            report[name] = {}
    report["problems"] = problems
    report["warnings"] = warnings = _warnings(report)
    rows = [["dancekit", "", __version__]]
    for name in sections:
        rows += [[name, key, _text(value)] for key, value in report[name].items()]
    terminal.table(["what", "", ""], rows)
    terminal.result("")
    for warning in warnings:
        terminal.result(f"known to go wrong: {warning}")
    for problem in problems:
        terminal.result(f"problem: {problem}")
    terminal.result("something is broken" if problems else "all is well")
    terminal.json(report)
    if problems:
        raise typer.Exit(1)


def _machine(problems: list[str]) -> dict[str, Any]:
    from dancekit.evaluate.environment import processor

    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": processor(),
        "processors": os.cpu_count(),
    }


def _versions(problems: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
            problems.append(f"{name} is not installed (pip install --force-reinstall dancekit)")
    return found | {name: version for name in _ALSO if (version := _version(name))}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cv2(problems: list[str]) -> dict[str, Any]:
    """Several distributions install the one module cv2; rtmlib asks for two of them."""
    import cv2

    found: dict[str, Any] = {name: version for name in OPENCV if (version := _version(name))}
    return {"used": cv2.__version__, **found}


def _speed(problems: list[str]) -> dict[str, Any]:
    import torch

    from dancekit.cli.doctor_probe import probe

    devices = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return {name: probe(name) for name, there in devices.items() if there}


def _devices(problems: list[str]) -> dict[str, Any]:
    import torch

    from dancekit.build import resolve_device

    cuda = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return {
        "auto": resolve_device("auto"),
        "cuda": cuda or False,
        "cuda build": torch.version.cuda or False,
        "mps": torch.backends.mps.is_available(),
        "torch threads": torch.get_num_threads(),
    }


def _onnx(problems: list[str]) -> dict[str, Any]:
    import base64

    import numpy as np
    import onnxruntime

    offered = onnxruntime.get_available_providers()
    session = onnxruntime.InferenceSession(base64.b64decode(_TINY_ONNX), providers=offered)
    (doubled,) = session.run(None, {"x": np.full((1, 1, 4, 4), 1.5, np.float32)})
    if not (doubled == 3).all():
        problems.append("ONNX Runtime computes a convolution wrongly (pip install -U onnxruntime)")
    used = session.get_providers()
    if "CUDAExecutionProvider" in offered and "CUDAExecutionProvider" not in used:
        problems.append("ONNX Runtime offers CUDA and falls back to the CPU (its CUDA is not the machine's)")
    return {"providers": offered, "in use": used, "runners": _runners()}


def _runners() -> list[str]:
    """Runners whose extras are installed."""
    from importlib.util import find_spec

    needed = {"openvino": ("openvino", "onnx", "onnxscript"), "onnxruntime": ("onnx", "onnxscript")}
    there = ("torch", "winograd", "onnxruntime", "openvino", "compiled")
    return [name for name in there if all(map(find_spec, needed.get(name, ())))]


def _video(problems: list[str]) -> dict[str, Any]:
    import av

    encoders = {name: _can_encode(name) for name in ("libx264", "aac")}
    problems += [
        f"FFmpeg has no encoder {name} (pip install -U av)" for name, there in encoders.items() if not there
    ]
    libraries = {name: ".".join(map(str, version)) for name, version in av.library_versions.items()}
    decoders = {name: _can_decode(name) for name in _DECODERS}
    return {
        "PyAV": av.__version__,
        "encoders": encoders,
        "more encoders": {name: _can_encode(name) for name in _ENCODERS},
        "decoders": decoders,
        "libavcodec": libraries.get("libavcodec"),
    }


def _can_encode(name: str) -> bool:
    return _codec(name, "w")


def _can_decode(name: str) -> bool:
    return _codec(name, "r")


def _codec(name: str, mode: Literal["r", "w"]) -> bool:
    import av

    try:
        return bool(av.codec.Codec(name, mode).name)
    except (ValueError, av.FFmpegError):  # UnknownCodecError is a ValueError
        return False


def _weights(problems: list[str]) -> dict[str, Any]:
    """Embedded weights: each must be a whole safetensors file."""
    from dancekit.errors import DancekitError
    from dancekit.resources import data_path
    from dancekit.weights.header import file_sha256, read_header

    found = {}
    for path in sorted(data_path("zoo/weights").glob("*.safetensors")):
        try:
            read_header(path)
            found[path.name] = file_sha256(path)
        except DancekitError as error:
            problems.append(str(error))
            found[path.name] = "broken"
    expected = [f"blazepose_{name}.safetensors" for name in ("detector", "full", "lite")]
    problems += [f"the embedded weights {name} are missing" for name in expected if name not in found]
    return found


def _disk(problems: list[str]) -> dict[str, Any]:
    from dancekit.data.cache import cache_folder
    from dancekit.weights.fetch import offline

    cache = cache_folder("poses").parent
    size = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
    return {
        "cache": str(cache),
        "cache MB": round(size / 1e6, 1),
        "cache GB free": _free(cache),
        "here GB free": _free(Path.cwd()),
        "offline": offline(),
    }


def _plugins(problems: list[str]) -> dict[str, Any]:
    from dancekit.registry import list_components, plugin_problems

    problems += plugin_problems()
    foreign = [entry for entry in list_components() if entry.distribution != "dancekit"]
    return {f"{entry.kind}.{entry.name}": entry.distribution for entry in foreign}


def _free(folder: Path) -> float:
    while not folder.exists():  # the cache, before anything was kept in it
        folder = folder.parent
    return round(shutil.disk_usage(folder).free / 1e9, 1)


def _warnings(report: Mapping[str, Any]) -> list[str]:
    """What works and is known to make trouble."""
    devices, disk = report.get("devices", {}), report.get("disk", {})
    versions = {**report.get("libraries", {}), **report.get("cv2", {})}
    build = devices.get("cuda build") or ""
    found = known_bad(
        versions,
        cuda_build=build,
        nvidia=shutil.which("nvidia-smi") is not None,
        cuda_found=bool(devices.get("cuda")),
    )
    for place in ("cache", "here"):
        free = disk.get(f"{place} GB free")
        if free is not None and free < LITTLE_SPACE:
            found.append(f"{free:g} GB are free ({place}): dancekit cache clear, or set DANCEKIT_CACHE")
    return found


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    words = {True: "yes", False: "no", None: "missing"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


SECTIONS: dict[str, Callable[[list[str]], dict[str, Any]]] = {
    "machine": _machine,
    "libraries": _versions,
    "cv2": _cv2,
    "devices": _devices,
    "speed": _speed,
    "onnxruntime": _onnx,
    "video": _video,
    "weights": _weights,
    "disk": _disk,
    "plugins": _plugins,
}
