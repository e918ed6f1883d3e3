"""Dancer files made to hurt: one clear error each, before anything large is allocated or any code is run."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from dancekit.dancer import read_info
from dancekit.errors import DancekitError
from dancekit.transfer import Dancer
from dancekit.weights.header import read_header, read_tensors, write_safetensors

GOLDEN = Path(__file__).parents[1] / "golden" / "dancers" / "format-2.safetensors"


class Danger:
    """Unpickled, it leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def forged(out: Path, change: Any) -> Path:
    """The golden dancer with another recipe."""
    metadata = dict(read_header(GOLDEN).metadata)
    data = json.loads(metadata["dancekit"])
    change(data)
    metadata["dancekit"] = json.dumps(data)
    write_safetensors(out, read_tensors(GOLDEN), metadata)
    return out


def raw(path: Path, header: bytes, payload: bytes = b"", length: int | None = None) -> Path:
    path.write_bytes((len(header) if length is None else length).to_bytes(8, "little") + header + payload)
    return path


def test_a_pickle_is_never_unpickled(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    path = tmp_path / "a.safetensors"
    for protocol in range(2, 6):
        path.write_bytes(pickle.dumps(Danger(trace), protocol=protocol))
        with pytest.raises(DancekitError, match="is a pickle or zip archive"):
            Dancer.load(path)
    torch.save({"a": torch.ones(2), "b": Danger(trace)}, path)
    with pytest.raises(DancekitError, match="never unpickles"):
        Dancer.load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(Danger(trace)))
    with pytest.raises(DancekitError, match="never unpickles"):
        Dancer.load(path)
    path.write_bytes(pickle.dumps(Danger(trace), protocol=0))
    with pytest.raises(DancekitError, match="not a safetensors file"):
        Dancer.load(path)
    assert not trace.exists()


def entry(shape: list[int], offsets: list[int]) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": offsets}


GIGABYTES = 10 << 30
Case = tuple[bytes, bytes, int | None, str]


def tensors(payload: int, words: str, **entries: dict[str, Any]) -> Case:
    """A header of these tensors before so many bytes."""
    return json.dumps(entries).encode(), bytes(payload), None, words


NESTED = b'{"__metadata__":' + b"[" * 1000 + b"]" * 1000 + b"}"
BAD: dict[str, Case] = {
    "a header of 10 GB": (b"{}", b"", GIGABYTES, "give no header length"),
    "a header of nearly 100 MB": (b"{}", b"", 99_000_000, "is cut off: its header needs 99000008 bytes"),
    "a tensor of 10 GB": tensors(64, "cut off: its tensors need", x=entry([GIGABYTES // 4], [0, GIGABYTES])),
    "a shape of 10 GB in few bytes": tensors(8, "the file holds 8", x=entry([GIGABYTES], [0, 8])),
    "a shape that overflows": tensors(0, "the file holds 0", x=entry([2**32, 2**32], [0, 0])),
    "overlapping offsets": tensors(
        24, "begins at byte 8, expected 16", x=entry([4], [0, 16]), y=entry([4], [8, 24])
    ),
    "two names for one tensor": tensors(
        16, "begins at byte 0, expected 16", x=entry([4], [0, 16]), y=entry([4], [0, 16])
    ),
    "offsets behind the end": tensors(16, "begins at byte 1000, expected 0", x=entry([4], [1000, 1016])),
    "offsets before the start": tensors(16, "impossible offsets", x=entry([4], [-16, 0])),
    "metadata of 1000 nested lists": (NESTED, b"", None, "not JSON|not a map from text to text"),
}


@pytest.mark.parametrize("name", BAD)
def test_headers_that_lie(name: str, tmp_path: Path) -> None:
    header, payload, length, words = BAD[name]
    path = raw(tmp_path / "a.safetensors", header, payload, length)
    with pytest.raises(DancekitError, match=words) as caught:
        Dancer.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))


def test_memory_stays_bounded(tmp_path: Path) -> None:
    """All of them in a process that may not have 300 MB."""
    resource = pytest.importorskip("resource")
    files = [raw(tmp_path / f"{n}", h, p, length) for n, (h, p, length, _) in enumerate(BAD.values())]
    sparse = raw(tmp_path / "sparse", json.dumps({"x": entry([GIGABYTES // 4], [0, GIGABYTES])}).encode())
    with sparse.open("r+b") as file:
        file.truncate(
            sparse.stat().st_size + GIGABYTES
        )  # 10 GB that are really there, for read_header to accept
    program = (
        "import resource, sys; from dancekit.errors import DancekitError;"
        "from dancekit.weights.header import read_header\n"
        "resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))\n"
        "for path in sys.argv[2:]:\n"
        "    try: read_header(path)\n"
        "    except DancekitError: continue\n"
        "    raise SystemExit(f'{path} was taken')\n"
        "assert read_header(sys.argv[1]).size > 10 << 30\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, sparse, *files],
        capture_output=True, text=True, check=False, timeout=60, cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert resource is not None


def set_param(part: str, name: str, value: Any) -> Any:
    def change(data: dict[str, Any]) -> None:
        data["recipe"][part]["params"][name] = value

    return change


FORGED = {
    "10^4 blocks": (set_param("generator", "n_blocks", 10**4), "n_blocks: should be less than or equal to 64"),
    "10^9 blocks": (set_param("generator", "n_blocks", 10**9), "n_blocks: should be less than or equal to 64"),
    "64 blocks that the file lacks": (set_param("generator", "n_blocks", 64), "do not fit its own recipe"),
    "10^6 channels": (set_param("generator", "ngf", 10**6), "ngf: should be less than or equal to 512"),
    "512 channels": (set_param("generator", "ngf", 512), "do not fit its own recipe"),
    "40 halvings": (set_param("generator", "n_down", 40), "n_down: should be less than or equal to"),
    "10^4 blocks of the face": (set_param("face", "n_blocks", 10**4), "n_blocks: should be less than or equal to 32"),
    "a face of 10^6 pixels": (set_param("face", "crop_size", 10**6), "crop_size"),
    "a frame of 10^6 pixels": (lambda d: d["recipe"].update(size=[10**6, 10**6]), "size"),
    "a dotted path": (lambda d: d["recipe"]["generator"].update(name="os.system"), "needs the generator 'os.system'"),
    "an unknown parameter": (set_param("generator", "hook", "x"), "hook"),
    "a recipe that is a list": (lambda d: d.update(recipe=[1]), "a recipe that this version cannot read"),
    "no recipe": (lambda d: d.pop("recipe"), "KeyError: 'recipe'"),
    "a window of nowhere": (lambda d: d["window"].update(size="x"), "damaged dancekit header"),
    "a rate of zero": (lambda d: d.update(rate="1/0"), "damaged dancekit header"),
    "an unknown skeleton": (lambda d: d.update(skeleton="octopus@1"), "octopus"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_recipes_that_lie(name: str, tmp_path: Path) -> None:
    change, words = FORGED[name]
    path = forged(tmp_path / "a.safetensors", change)
    began = time.process_time()
    with pytest.raises(DancekitError, match=words.replace("(", r"\(")) as caught:
        Dancer.load(path, device="cpu")
    assert "\n" not in str(caught.value)
    # no timing of a machine: building 10^4 blocks would take minutes
    assert time.process_time() - began < 30


@pytest.mark.parametrize("name", ["resnet", "pix2pixhd_local", "unet", "timm_unet"])
def test_other_generators_are_bounded_too(name: str, tmp_path: Path) -> None:
    from dancekit.config import load_recipe

    params = load_recipe("tiny", [f"generator={name}"]).generator.params

    def change(data: dict[str, Any]) -> None:
        data["recipe"]["generator"] = {"name": name, "params": params}
        data["components"]["generator"] = f"{name}@1"

    path = forged(tmp_path / "a.safetensors", change)
    with pytest.raises(DancekitError):
        Dancer.load(path, device="cpu")
    for key, value in params.items():
        if isinstance(value, int) and not isinstance(value, bool):
            wide = forged(
                tmp_path / "b.safetensors",
                lambda d, key=key: (change(d), d["recipe"]["generator"]["params"].update({key: 10**5})),
            )
            with pytest.raises(DancekitError, match=f"{key}: should be less than or equal to"):
                Dancer.load(wide, device="cpu")


def test_a_header_alone_builds_nothing(tmp_path: Path) -> None:
    path = forged(tmp_path / "a.safetensors", set_param("generator", "n_blocks", 10**9))
    assert read_info(path).recipe.generator.params["n_blocks"] == 10**9
