"""`dancekit doctor`: what this installation can use, for people and for bug reports."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import typer

from dancekit import __version__
from dancekit.cli.console import Terminal
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


def doctor(as_json: Json = False, verbose: Verbose = 0, quiet: Quiet = False) -> None:
    """Say what this installation can use; exit code 1 if something is broken.

    Examples:
      dancekit doctor
      dancekit doctor --json > report.json
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    problems: list[str] = []
    report: dict[str, Any] = {"dancekit": __version__}
    for name, look in SECTIONS.items():
        try:
            report[name] = look(problems)
        except Exception as error:  # whatever is broken is what this command is to find
            problems.append(f"{name}: {type(error).__name__}: {error}")
            report[name] = {}
    report["problems"] = problems
    rows = [["dancekit", "", __version__]]
    for name in SECTIONS:
        rows += [[name, key, _text(value)] for key, value in report[name].items()]
    terminal.table(["what", "", ""], rows)
    terminal.result("")
    for problem in problems:
        terminal.result(f"problem: {problem}")
    terminal.result("something is broken" if problems else "all is well")
    terminal.json(report)
    if problems:
        raise typer.Exit(1)


def _machine(problems: list[str]) -> dict[str, Any]:
    return {"python": platform.python_version(), "system": platform.platform(), "processors": os.cpu_count()}


def _versions(problems: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
            problems.append(f"{name} is not installed (pip install --force-reinstall dancekit)")
    return found


def _devices(problems: list[str]) -> dict[str, Any]:
    import torch

    from dancekit.build import resolve_device

    cuda = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return {
        "auto": resolve_device("auto"),
        "cuda": cuda or False,
        "mps": torch.backends.mps.is_available(),
        "torch threads": torch.get_num_threads(),
    }


def _onnx(problems: list[str]) -> dict[str, Any]:
    import onnxruntime

    return {"providers": onnxruntime.get_available_providers(), "runners": _runners()}


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
    return {"PyAV": av.__version__, "encoders": encoders, "libavcodec": libraries.get("libavcodec")}


def _can_encode(name: str) -> bool:
    import av

    try:
        return bool(av.codec.Codec(name, "w").name)
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

    cache = cache_folder("poses").parent
    size = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
    return {
        "cache": str(cache),
        "cache MB": round(size / 1e6, 1),
        "cache GB free": _free(cache),
        "here GB free": _free(Path.cwd()),
        "offline": os.environ.get("DANCEKIT_OFFLINE", "") not in ("", "0"),
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
    "devices": _devices,
    "onnxruntime": _onnx,
    "video": _video,
    "weights": _weights,
    "disk": _disk,
    "plugins": _plugins,
}
