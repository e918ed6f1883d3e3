"""ONNX files for `RTMLib`: got hold of, opened on the device asked for, checked to be what was asked for."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from dancekit.errors import ChecksumError, DancekitError, IncompatibleParts, UsageError
from dancekit.pose.rtmlib_models import Model, NetworkFile
from dancekit.weights.fetch import bytes_sha256, fetch, read_member

CPU = "CPUExecutionProvider"

_PROVIDERS = {"cpu": CPU, "cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """How files are got and opened.

    Attributes:
        device: `cpu`, `cuda`, `cuda:N` or `mps`.
        threads: Of onnxruntime; 0 lets it choose.
        allow_cpu_fallback: Whether the CPU will do where the device cannot be used.
        trust_first: Whether a download of unknown sha256 is used and its sha256 noted.
    """

    device: str
    threads: int
    allow_cpu_fallback: bool
    trust_first: bool


class Network:
    """An opened ONNX file.

    Attributes:
        name: Of the file, for messages.
        sha256: Of the ONNX data (not of the archive around it).
        size: (W, H) of the input.
        provider: The execution provider in use.
        outputs: Shapes by name; an int where the file fixes a side, else None.
    """

    def __init__(self, path: Path, fallback_size: tuple[int, int], request: Request) -> None:
        content = read_member(path, ".onnx")
        self.name = str(path)
        self.sha256 = bytes_sha256(content)
        self._session, self.provider = _open(content, self.name, request)
        self._input, self._dtype, self._batch, size = self._inspect()
        self.size = size or fallback_size
        self.outputs = {out.name: _sides(out.shape) for out in self._session.get_outputs()}

    def _inspect(self) -> tuple[str, Any, int | None, tuple[int, int] | None]:
        inputs = self._session.get_inputs()
        sides = _sides(inputs[0].shape) if inputs else ()
        if len(inputs) != 1 or len(sides) != 4 or sides[1] not in (3, None) or inputs[0].type not in _TYPES:
            described = ", ".join(f"{entry.name} {entry.shape} {entry.type}" for entry in inputs)
            raise IncompatibleParts(
                f"{self.name} does not take an image: its inputs are [{described}]",
                hint="expected one (B, 3, H, W) float input",
            )
        size = (sides[3], sides[2]) if sides[2] and sides[3] else None
        return inputs[0].name, _TYPES[inputs[0].type], sides[0], size

    def run(self, names: list[str], images: list[NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Run on images, all at once where the file allows it.

        Args:
            names: Of the outputs wanted.
            images: (H, W, 3) each, normalized.

        Returns:
            The outputs, float32, with len(images) as their first side.

        Raises:
            DancekitError: onnxruntime failed.
        """
        batch = np.stack(images).transpose(0, 3, 1, 2).astype(self._dtype)
        step = self._batch or len(batch)
        parts = []
        for start in range(0, len(batch), step):
            chunk = np.ascontiguousarray(batch[start : start + step])
            short = step - len(chunk)
            if short:
                chunk = np.concatenate([chunk, np.zeros((short, *chunk.shape[1:]), self._dtype)])
            try:
                outputs = self._session.run(names, {self._input: chunk})
            except Exception as error:  # onnxruntime's errors share no other base
                raise DancekitError(f"{self.name} failed on {self.provider}: {error}") from error
            parts.append([np.asarray(out)[: step - short] for out in outputs])
        return [np.concatenate(column).astype(np.float32) for column in zip(*parts, strict=True)]


def find_file(
    path: str | None, sha256: str | None, known: NetworkFile, request: Request, *, key: str
) -> Path:
    """The file on this machine: the user's own, or the known one from the cache or the net.

    Args:
        path: A local ONNX file (or zip with one), or None.
        sha256: Expected digest of that file or of the download; overrides the known one.
        known: What to fetch without a path.
        request: How.
        key: Recipe key of the path, for messages.

    Raises:
        UsageError: The path does not exist.
        ChecksumError: The file is not the expected one, or no digest is known for it.
        OfflineError: It has to be downloaded and cannot be.
    """
    if path is None:
        return fetch(
            known.url,
            sha256 or known.sha256,
            filename=known.filename,
            mirrors=[known.mirror],
            trust_first=request.trust_first,
            remedy=_remedy(key, known_digest=bool(sha256 or known.sha256) or request.trust_first),
        )
    local = Path(path).expanduser()
    if not local.is_file():
        raise UsageError(f"pose.{key}={path}: no such file", hint=f"leave it out to fetch {known.filename}")
    if sha256 is not None:
        found = bytes_sha256(local.read_bytes())
        if found != sha256.lower():
            raise ChecksumError(f"{local} has sha256 {found}, expected {sha256.lower()}")
    return local


def _remedy(key: str, *, known_digest: bool) -> str:
    ways = [f"name a local file with pose.{key}=FILE.onnx"]
    if not known_digest:
        stem = key.removesuffix("_path")
        ways.append(f"vouch for the download with pose.{stem}_sha256=DIGEST")
        ways.append("accept the first download and be told of changes with pose.trust_first_download=true")
    return "or ".join(f"{way}, " for way in ways) + "or use pose.name=blazepose, which needs no download"


def _sides(shape: list[Any]) -> tuple[int | None, ...]:
    return tuple(side if isinstance(side, int) and side > 0 else None for side in shape)


def _open(content: bytes, name: str, request: Request) -> tuple[onnxruntime.InferenceSession, str]:
    kind, _, number = request.device.partition(":")
    if kind not in _PROVIDERS or (number and not number.isdecimal()):
        raise UsageError(
            f"device {request.device!r} is unknown to rtmlib", hint=f"one of {', '.join(_PROVIDERS)}"
        )
    wanted = _PROVIDERS[kind]
    available = onnxruntime.get_available_providers()
    if wanted == "CUDAExecutionProvider" and wanted in available:
        import torch  # noqa: F401  # brings the CUDA libraries that onnxruntime-gpu looks for

    providers: list[Any] = [CPU]
    if wanted != CPU and wanted in available:
        providers.insert(0, (wanted, {"device_id": int(number)}) if number else wanted)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = request.threads
    try:
        session = onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # onnxruntime's errors share no other base
        line = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise DancekitError(f"{name} is not an ONNX file that onnxruntime can open: {line[:300]}") from error
    # onnxruntime turns to the CPU on its own when a provider cannot be started: look, and forbid it later
    session.disable_fallback()
    used = session.get_providers()[0]
    if used != wanted:
        _refuse_fallback(name, wanted, used, available, request)
    return session, used


def _refuse_fallback(name: str, wanted: str, used: str, available: list[str], request: Request) -> None:
    why = "failed to start" if wanted in available else "is not part of the installed onnxruntime"
    text = f"device={request.device} was asked for, but {wanted} {why}; {name} would run on {used}"
    if not request.allow_cpu_fallback:
        package = "pip install onnxruntime-gpu, " if request.device.startswith("cuda") else ""
        raise DancekitError(text, hint=f"{package}pose.allow_cpu_fallback=true, or --device cpu")
    _LOG.warning("%s, as allowed", text)


def check_pose(network: Network, model: Model, joints: int) -> None:
    """Refuse a file whose outputs are not those of `model`.

    Raises:
        IncompatibleParts: With what the file seems to be.
    """
    outputs = network.outputs
    top_down, one_stage = {"simcc_x", "simcc_y"} <= outputs.keys(), {"dets", "keypoints"} <= outputs.keys()
    if model == "rtmo":
        right, wanted = one_stage, f"dets (1, N, 5) and keypoints (1, N, {joints}, 3)"
        shape, rank, axis = outputs.get("keypoints", ()), 4, 2
    else:
        right, wanted = top_down, f"simcc_x and simcc_y (B, {joints}, bins)"
        shape, rank, axis = outputs.get("simcc_x", ()), 3, 1
    found = shape[axis] if len(shape) == rank else None
    if right and len(shape) == rank and found in (joints, None):
        return
    if top_down and len(outputs["simcc_x"]) == 3:
        found = outputs["simcc_x"][1]
    described = ", ".join(f"{name} {list(sides)}" for name, sides in outputs.items())
    raise IncompatibleParts(
        f"{network.name} is not a network of model={model}: its outputs are {described}; expected {wanted}",
        hint=_likely(top_down, one_stage, found),
    )


def _likely(top_down: bool, one_stage: bool, joints: int | None) -> str:
    names = {133: "wholebody", 26: "body_with_feet"}
    if top_down and joints in names:
        return f"it looks like pose.model={names[joints]}"
    if one_stage:
        return "it looks like pose.model=rtmo"
    return "pose_path takes RTMW, RTMPose with 26 joints, or RTMO, as exported by MMDeploy"


def check_detector(network: Network) -> None:
    """Refuse a file whose outputs are not those of YOLOX.

    Raises:
        IncompatibleParts: With what its outputs are.
    """
    outputs = network.outputs
    boxes = outputs["dets"] if "dets" in outputs else next(iter(outputs.values()), ())
    others = outputs.keys() - {"dets", "labels"} if "dets" in outputs else list(outputs)[1:]
    if len(boxes) == 3 and (boxes[2] is None or boxes[2] >= 5) and not others:
        return
    described = ", ".join(f"{name} {list(sides)}" for name, sides in outputs.items())
    raise IncompatibleParts(
        f"{network.name} is not a YOLOX detector: its outputs are {described}; expected dets and labels",
        hint="detector_path takes YOLOX as exported by MMDeploy, or without NMS",
    )
