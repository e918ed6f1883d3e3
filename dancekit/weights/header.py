"""Safetensors files: a strict header-only reader, and a writer whose bytes depend on the content alone.

The format is 8 bytes (little endian: the header's length n), n bytes of JSON, then the tensors without holes
(https://github.com/huggingface/safetensors, "Format"). The official writer keeps metadata in a hash map, so
two runs give two files; `write_safetensors` sorts everything, and the official loader reads the result.

Nothing here imports torch until tensors are asked for.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO

from dancekit.errors import DancekitError, DancerError

if TYPE_CHECKING:
    import torch

MAX_HEADER = 100_000_000
"""Longest header in bytes that the format allows (safetensors' own limit)."""

ITEM_SIZE: Mapping[str, int] = MappingProxyType(
    {"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1}
    | {"U16": 2, "I16": 2, "F16": 2, "BF16": 2}
    | {"U32": 4, "I32": 4, "F32": 4}
    | {"U64": 8, "I64": 8, "F64": 8, "C64": 8}
)
"""Bytes of one element of each data type."""

_ALIGN = 8
_MAX_DIMS = 64  # torch's own limit
_CHUNK = 1 << 20
_PICKLE_OR_ZIP = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")


class HeaderError(DancerError):
    """A file that is not a whole, well-formed safetensors file."""


@dataclass(frozen=True)
class TensorInfo:
    """What the header says of one tensor.

    Attributes:
        dtype: Data type as safetensors calls it: `F32`, `BF16`, ...
        shape: The shape; () is a scalar.
        offsets: First and one-past-last byte, counted from the end of the header.
    """

    dtype: str
    shape: tuple[int, ...]
    offsets: tuple[int, int]


@dataclass(frozen=True)
class Header:
    """The header of a safetensors file.

    Attributes:
        metadata: The `__metadata__` entry: text to text.
        tensors: Every tensor by name, in the order of the bytes.
        size: Bytes of the whole file.
    """

    metadata: Mapping[str, str]
    tensors: Mapping[str, TensorInfo]
    size: int


# ---- reading -----------------------------------------------------------------------------------------------


def read_header(path: str | os.PathLike[str]) -> Header:
    """Read and check the header alone: 8 + n bytes, no tensor, no torch.

    Every number that a loader would allocate by is checked against the bytes that are there, so a damaged or
    malicious header is refused before anything is allocated.

    Args:
        path: A safetensors file.

    Returns:
        The header; metadata and tensors are read-only.

    Raises:
        HeaderError: The file is missing, cut off, something else, or its header does not fit its bytes.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            text = _header_bytes(path, file, size)
    except OSError as error:
        raise HeaderError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        content = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise HeaderError(f"{path} is not a safetensors file: its header is not JSON ({error})") from None
    if not isinstance(content, dict):
        raise HeaderError(f"{path} is not a safetensors file: its header is not a JSON object")
    metadata = _metadata(path, content.pop("__metadata__", {}))
    tensors = {name: _tensor_info(path, name, entry) for name, entry in content.items()}
    payload = size - 8 - len(text)
    return Header(metadata, _in_order(path, tensors, payload), size)


def _header_bytes(path: Path, file: BinaryIO, size: int) -> bytes:
    if size == 0:
        raise HeaderError(f"{path} is empty", hint="get the file again")
    first = file.read(8)
    if first.startswith(_PICKLE_OR_ZIP):
        raise HeaderError(
            f"{path} is a pickle or zip archive (a PyTorch .pt/.pth?), not a safetensors file",
            hint="renaming does not convert it, and dancekit never unpickles",
        )
    length = int.from_bytes(first, "little")
    if len(first) < 8 or not 2 <= length <= MAX_HEADER:
        raise HeaderError(f"{path} is not a safetensors file (its first 8 bytes give no header length)")
    if length > size - 8:
        raise HeaderError(
            f"{path} is cut off: its header needs {length + 8} bytes, the file has {size}",
            hint="get the file again",
        )
    text = file.read(length)
    if not text.startswith(b"{"):
        raise HeaderError(f"{path} is not a safetensors file: its header is not a JSON object")
    return text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key appears twice")
    return content


def _metadata(path: Path, entry: Any) -> Mapping[str, str]:
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        raise HeaderError(f"{path}: the header's __metadata__ is not a map from text to text")
    return MappingProxyType(dict(entry))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _tensor_info(path: Path, name: str, entry: Any) -> TensorInfo:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise HeaderError(f"{path}: the header's entry for tensor {name!r} is malformed: {str(entry)[:120]}")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_SIZE:
        raise HeaderError(f"{path}: tensor {name!r} has the unknown data type {str(dtype)[:40]!r}")
    if not isinstance(shape, list) or len(shape) > _MAX_DIMS or not all(_is_count(side) for side in shape):
        raise HeaderError(f"{path}: tensor {name!r} has the impossible shape {str(shape)[:120]}")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(_is_count(place) for place in offsets):
        raise HeaderError(f"{path}: tensor {name!r} has impossible offsets {str(offsets)[:120]}")
    needed, given = math.prod(shape) * ITEM_SIZE[dtype], offsets[1] - offsets[0]
    if needed != given:
        raise HeaderError(
            f"{path}: tensor {name!r} of shape {shape} ({dtype}) needs {needed} bytes, the file holds {given}"
        )
    return TensorInfo(dtype, tuple(shape), (offsets[0], offsets[1]))


def _in_order(path: Path, tensors: dict[str, TensorInfo], payload: int) -> Mapping[str, TensorInfo]:
    ordered = dict(sorted(tensors.items(), key=lambda item: (item[1].offsets, item[0])))
    end = 0
    for name, info in ordered.items():
        if info.offsets[0] != end:
            raise HeaderError(f"{path}: tensor {name!r} begins at byte {info.offsets[0]}, expected {end}")
        end = info.offsets[1]
    if end > payload:
        raise HeaderError(
            f"{path} is cut off: its tensors need {end} bytes, the file holds {payload}",
            hint="get the file again",
        )
    if end < payload:
        raise HeaderError(f"{path} has {payload - end} bytes after its last tensor")
    return MappingProxyType(ordered)


def read_tensors(
    path: str | os.PathLike[str], names: Iterable[str] | None = None, *, device: str = "cpu"
) -> dict[str, torch.Tensor]:
    """Load tensors through safetensors' own loader, after `read_header` has checked the file.

    Args:
        path: A safetensors file.
        names: Which tensors; all if None.
        device: Where to put them.

    Returns:
        The tensors by name, in the order asked for (or of the file).

    Raises:
        HeaderError: The file is damaged, or a name is not in it.
    """
    from safetensors import SafetensorError, safe_open

    header = read_header(path)
    wanted = list(header.tensors) if names is None else list(names)
    absent = [name for name in wanted if name not in header.tensors]
    if absent:
        raise HeaderError(f"{path} has no tensor {', '.join(map(repr, absent[:5]))}")
    try:
        with safe_open(str(path), framework="pt", device=device) as file:
            return {name: file.get_tensor(name) for name in wanted}
    except SafetensorError as error:
        raise HeaderError(f"{path} cannot be loaded: {error}") from None


def file_sha256(path: str | os.PathLike[str]) -> str:
    """The sha256 of a file, 64 hexadecimal digits.

    Raises:
        DancekitError: The file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DancekitError(f"{path} cannot be read: {error.strerror or error}") from None


# ---- writing -----------------------------------------------------------------------------------------------


def write_safetensors(
    path: str | os.PathLike[str], tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]
) -> str:
    """Write a canonical safetensors file: the same content is the same bytes.

    Keys are sorted, tensors lie widest element first and then by name (so each begins at a multiple of its
    element's size), the header is padded with spaces to a multiple of 8. The file is written beside its
    place, flushed to the disk and moved there in one step; on any failure nothing is left behind and a file
    that was there stays as it was.

    Args:
        path: Where to; a file there is replaced.
        tensors: Any device, any layout; written contiguously.
        metadata: Text to text.

    Returns:
        The sha256 of the file.

    Raises:
        DancekitError: The disk is full, or the file cannot be written.
        ValueError: A tensor of a data type that the format lacks, or metadata that is not text.
    """
    path = Path(path)
    header, order = _layout(tensors, metadata)
    needed = 8 + len(header) + sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _check_space(path, needed)
        digest = hashlib.sha256()
        with part.open("wb") as file:
            for block in (len(header).to_bytes(8, "little"), header):
                digest.update(block)
                file.write(block)
            for name in order:
                _write_tensor(file, tensors[name], digest)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _write_error(path, needed, error) from error
    finally:
        part.unlink(missing_ok=True)
    return digest.hexdigest()


def _layout(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> tuple[bytes, list[str]]:
    if not all(isinstance(text, str) for pair in metadata.items() for text in pair):
        raise ValueError("metadata must map text to text")
    codes = {name: _type_code(name, tensor) for name, tensor in tensors.items()}
    order = sorted(tensors, key=lambda name: (-ITEM_SIZE[codes[name]], name))
    content: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name in order:
        tensor = tensors[name]
        begin, end = end, end + tensor.numel() * tensor.element_size()
        content[name] = {"dtype": codes[name], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGN)
    if len(text) > MAX_HEADER:
        raise ValueError(f"the header would be {len(text)} bytes long, the format allows {MAX_HEADER}")
    return text, order


def _type_code(name: str, tensor: torch.Tensor) -> str:
    import torch

    if name == "__metadata__":
        raise ValueError("no tensor can be called __metadata__")
    codes = {
        torch.bool: "BOOL", torch.uint8: "U8", torch.int8: "I8", torch.int16: "I16", torch.uint16: "U16",
        torch.int32: "I32", torch.uint32: "U32", torch.int64: "I64", torch.uint64: "U64",
        torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32", torch.float64: "F64",
        torch.complex64: "C64", torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
    }  # fmt: skip
    if tensor.dtype not in codes or tensor.layout != torch.strided:
        raise ValueError(
            f"tensor {name!r} ({tensor.dtype}, {tensor.layout}) cannot be written to safetensors"
        )
    return codes[tensor.dtype]


def _write_tensor(file: BinaryIO, tensor: torch.Tensor, digest: Any) -> None:
    import torch

    # resolve_conj/neg: views of complex tensors can be lazy about their sign
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    data = plain.reshape(-1).view(torch.uint8).numpy().data if plain.numel() else memoryview(b"")
    for start in range(0, len(data), _CHUNK):
        block = data[start : start + _CHUNK]
        digest.update(block)
        file.write(block)


def _check_space(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _sync_folder(folder: Path) -> None:
    # without it a crash can lose the rename; Windows cannot open folders
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _write_error(path: Path, needed: int, error: OSError) -> DancekitError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(path.parent).free
        return DancekitError(
            f"no space left to write {path}: {needed / 1e6:.1f} MB needed, {free / 1e6:.1f} MB free",
            hint="free some space, or write to another disk",
        )
    return DancekitError(f"{path} cannot be written: {error.strerror or error}")
