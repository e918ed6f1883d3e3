from __future__ import annotations

import errno
import hashlib
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.errors import DancekitError, DancerError
from dancekit.weights import header as module
from dancekit.weights.header import (
    HeaderError,
    TensorInfo,
    file_sha256,
    read_header,
    read_tensors,
    write_safetensors,
)

DTYPES = [
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32, torch.uint32, torch.int64,
    torch.uint64, torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64,
    torch.float8_e4m3fn, torch.float8_e5m2,
]  # fmt: skip


def tensor_of(dtype: torch.dtype, shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    numbers = torch.randint(0, 100, shape, generator=torch.Generator().manual_seed(seed))
    return numbers.to(torch.float32).to(dtype) if dtype.is_floating_point else numbers.to(dtype)


def raw(path: Path, content: object, payload: bytes = b"") -> Path:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + payload)
    return path


def entry(shape: list[object], offsets: list[object], dtype: object = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


# ---- writing: what the official loader reads is what was written -----------------------------------------


def test_the_official_loader_reads_every_dtype_back(tmp_path: Path) -> None:
    tensors = {f"t{n}": tensor_of(dtype, (3, n % 4), n) for n, dtype in enumerate(DTYPES)}
    tensors["scalar"] = torch.tensor(2.5)
    tensors["transposed"] = torch.arange(6).reshape(2, 3).T
    tensors["leaf"] = torch.nn.Parameter(torch.ones(3))
    tensors["conj"] = torch.view_as_complex(torch.ones(2, 2)).conj()
    path = tmp_path / "a.safetensors"
    metadata = {"format": "pt", "modelspec.title": 'größer "x"\n', "a": ""}
    digest = write_safetensors(path, tensors, metadata)

    loaded = safetensors.torch.load_file(path)
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype and loaded[name].shape == tensor.shape
        assert torch.equal(loaded[name].to(torch.complex128), tensor.detach().to(torch.complex128)), name
    with safetensors.safe_open(str(path), framework="pt") as file:
        assert file.metadata() == metadata
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest() == file_sha256(path)
    assert [f.name for f in tmp_path.iterdir()] == ["a.safetensors"]


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=5).filter(lambda t: t != "__metadata__" and t.isprintable()),
        st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 4), max_size=3)),
        max_size=6,
    ),
    st.dictionaries(st.text(max_size=4).filter(str.isprintable), st.text(max_size=4).filter(str.isprintable)),
    st.randoms(use_true_random=False),
)
def test_same_content_same_bytes_and_aligned(tmp_path_factory, content, metadata, random) -> None:
    folder = tmp_path_factory.mktemp("w")
    tensors = {name: tensor_of(dtype, tuple(shape)) for name, (dtype, shape) in content.items()}
    shuffled = list(tensors)
    random.shuffle(shuffled)
    one = write_safetensors(folder / "1", tensors, metadata)
    two = write_safetensors(
        folder / "2", {n: tensors[n] for n in shuffled}, dict(sorted(metadata.items(), reverse=True))
    )
    assert one == two and (folder / "1").read_bytes() == (folder / "2").read_bytes()

    found = read_header(folder / "1")
    assert dict(found.metadata) == metadata
    assert found.tensors.keys() == tensors.keys()
    start = int.from_bytes((folder / "1").read_bytes()[:8], "little") + 8
    assert start % 8 == 0
    for name, info in found.tensors.items():
        assert info.shape == tuple(tensors[name].shape)
        assert (start + info.offsets[0]) % tensors[name].element_size() == 0
    assert found.size == (folder / "1").stat().st_size


def test_reads_what_the_official_writer_wrote(tmp_path: Path) -> None:
    tensors = {"w": torch.randn(2, 3), "b": torch.zeros(4, dtype=torch.float16)}
    safetensors.torch.save_file(tensors, tmp_path / "o", {"x": "1", "y": "2"})
    found = read_header(tmp_path / "o")
    assert dict(found.metadata) == {"x": "1", "y": "2"}
    assert found.tensors["w"].shape == (2, 3) and found.tensors["w"].dtype == "F32"
    assert found.tensors["b"] == TensorInfo("F16", (4,), found.tensors["b"].offsets)


def test_read_tensors(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_safetensors(path, {"x": torch.arange(3), "y": torch.ones(2)}, {})
    assert list(read_tensors(path, ["y"])) == ["y"]
    assert read_tensors(path)["x"].tolist() == [0, 1, 2]
    with pytest.raises(HeaderError, match="no tensor 'z'"):
        read_tensors(path, ["x", "z"])


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        ({"x": torch.ones(2, dtype=torch.complex128)}, {}, "complex128"),
        ({"x": torch.ones(2).to_sparse()}, {}, "sparse"),
        ({"__metadata__": torch.ones(2)}, {}, "__metadata__"),
        ({"x": torch.ones(2)}, {"step": 3}, "text to text"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, tensors, metadata, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_safetensors(tmp_path / "a", tensors, metadata)
    assert not list(tmp_path.iterdir())


# ---- writing: nothing half-written -----------------------------------------------------------------------


def test_full_disk_says_how_much_and_leaves_the_old_file(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"old")
    usage = module.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    with pytest.raises(DancekitError, match=r"4\.0 MB needed, 1\.0 MB free") as caught:
        write_safetensors(path, {"x": torch.zeros(1_000_000)}, {})
    assert caught.value.exit_code == 1 and caught.value.hint
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("call", ["fsync", "replace", "write"])
def test_a_failure_at_any_point_leaves_nothing(tmp_path: Path, monkeypatch, call: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if call == "fsync":
        monkeypatch.setattr(module.os, "fsync", fail)
    elif call == "replace":
        monkeypatch.setattr(module.Path, "replace", fail)
    else:
        monkeypatch.setattr(module, "_write_tensor", fail)
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(DancekitError, match="no space left to write"):
        write_safetensors(path, {"x": torch.zeros(9)}, {})
    assert path.read_bytes() == b"old" and [f.name for f in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_the_kernels_own_enospc(tmp_path: Path, monkeypatch) -> None:
    real = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, mode="r", **k: real(Path("/dev/full") if "w" in mode else self, mode, **k)
    )
    with pytest.raises(DancekitError, match="no space left"):
        write_safetensors(tmp_path / "a", {"x": torch.zeros(1_000_000)}, {})
    assert not list(tmp_path.iterdir())


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DancekitError, match=r"nowhere/a cannot be written: No such file"):
        write_safetensors(tmp_path / "nowhere" / "a", {"x": torch.zeros(9)}, {})


# ---- reading: bad files, one clear line each -------------------------------------------------------------

BAD_HEADERS: list[tuple[object, bytes, str]] = [
    ({"x": entry([2], [0, 8])}, bytes(9), "1 bytes after its last tensor"),
    ({"x": entry([2], [0, 8])}, bytes(7), "cut off"),
    ({"x": entry([10**6, 3, 3, 3], [0, 8])}, bytes(8), "needs 108000000 bytes, the file holds 8"),
    ({"x": entry([10**6], [0, 4 * 10**6])}, bytes(8), "cut off"),
    ({"x": entry([2], [8, 16])}, bytes(16), "begins at byte 8, expected 0"),
    ({"x": entry([2], [0, 8]), "y": entry([2], [4, 12])}, bytes(12), "begins at byte 4, expected 8"),
    ({"x": entry([2], [0, 8]), "y": entry([2], [16, 24])}, bytes(24), "begins at byte 16, expected 8"),
    ({"x": entry([-1, -2], [0, 8])}, bytes(8), "impossible shape"),
    ({"x": entry([True], [0, 4])}, bytes(4), "impossible shape"),
    ({"x": entry([2.0], [0, 8])}, bytes(8), "impossible shape"),
    ({"x": entry([1] * 65, [0, 4])}, bytes(4), "impossible shape"),
    ({"x": entry([2], [8, 0])}, bytes(8), "needs 8 bytes, the file holds -8"),
    ({"x": entry([2], [0])}, bytes(8), "impossible offsets"),
    ({"x": entry([2], [0, 8], "F31")}, bytes(8), "unknown data type 'F31'"),
    ({"x": entry([2], [0, 8], ["F32"])}, bytes(8), "unknown data type"),
    ({"x": [2]}, b"", "malformed"),
    ({"x": {"dtype": "F32", "shape": [2]}}, bytes(8), "malformed"),
    ({"__metadata__": {"a": 1}}, b"", "text to text"),
    ({"__metadata__": [1]}, b"", "text to text"),
    ([1, 2], b"", "not a JSON object"),
    (b'{"x": ', b"", "not JSON"),
    (b'{"a\xff": 1}', b"", "not JSON"),
    ('{"x": 1}'.encode("utf-16-le"), b"", "not JSON"),
    (b'{"__metadata__": {}, "__metadata__": {"a": "b"}}', b"", "appears twice"),
    (b'{"a":' + b"[" * 100_000, b"", "not JSON"),
]


@pytest.mark.parametrize(("content", "payload", "message"), BAD_HEADERS)
def test_a_bad_header_is_named(tmp_path: Path, content: object, payload: bytes, message: str) -> None:
    path = raw(tmp_path / "bad.safetensors", content, payload)
    with pytest.raises(HeaderError, match=message) as caught:
        read_header(path)
    assert str(path) in str(caught.value) and isinstance(caught.value, DancerError)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500 + len(str(path))
    with pytest.raises(HeaderError):
        read_tensors(path)


def test_not_safetensors_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(HeaderError, match=r"x.safetensors cannot be read: No such file"):
        read_header(path)
    with pytest.raises(HeaderError, match="cannot be read"):
        read_header(tmp_path)
    cases: list[tuple[bytes, str]] = [
        (b"", "is empty"),
        (b"abc", "no header length"),
        (pickle.dumps({"a": 1}, protocol=4), "pickle or zip"),
        (pickle.dumps({"a": 1}, protocol=2), "pickle or zip"),
        (b"hello, this is a text file\n", "no header length"),
        ((2**63).to_bytes(8, "little") + b"{}", "no header length"),
        ((100_000_001).to_bytes(8, "little") + b"{}", "no header length"),
        ((50_000_000).to_bytes(8, "little") + b"{}", "cut off"),
        ((0).to_bytes(8, "little"), "no header length"),
    ]
    for content, message in cases:
        path.write_bytes(content)
        with pytest.raises(HeaderError, match=message):
            read_header(path)
    torch.save({"a": torch.ones(2)}, path)
    with pytest.raises(HeaderError, match="never unpickles"):
        read_header(path)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    write_safetensors(whole, {"x": torch.randn(5), "y": torch.randn(3)}, {"a": "b"})
    data = whole.read_bytes()
    cut = tmp_path / "cut"
    for length in range(len(data)):
        cut.write_bytes(data[:length])
        with pytest.raises(HeaderError):
            read_header(cut)
        if length > 8:
            with pytest.raises(HeaderError, match="cut off"):
                read_header(cut)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_accepts_nothing_that_the_official_loader_refuses(tmp_path_factory, data: st.DataObject) -> None:
    """The oracle is safetensors itself: one byte changed in the header, same verdict or a stricter one."""
    path = tmp_path_factory.mktemp("f") / "x"
    write_safetensors(path, {"x": torch.arange(6.0).reshape(2, 3), "y": torch.ones(2)}, {"k": "v"})
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 33))
    content[place] = data.draw(st.integers(0, 255) | st.sampled_from(list(b'0123456789,:[]{}"')))
    path.write_bytes(content)
    try:
        found = read_header(path)
    except HeaderError:
        return
    official = safetensors.torch.load_file(path)
    assert {n: i.shape for n, i in found.tensors.items()} == {n: tuple(t.shape) for n, t in official.items()}


def test_reads_the_header_only_and_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "sparse.safetensors"
    size = 8 << 30
    raw(path, {"x": entry([size], [0, size], "U8")})
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + size)
    code = (
        "import sys, resource; from dancekit.weights.header import read_header;"
        f"h = read_header({str(path)!r}); assert h.tensors['x'].shape == ({size},);"
        "assert not {'torch', 'numpy', 'safetensors'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30, cwd=Path(__file__).parents[2])


def test_frozen(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "a", {"x": torch.ones(1)}, {"a": "b"})
    found = read_header(tmp_path / "a")
    with pytest.raises(TypeError):
        found.metadata["a"] = "c"  # type: ignore[index]
    with pytest.raises(TypeError):
        found.tensors["x"] = found.tensors["x"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        found.size = 0  # type: ignore[misc]


def test_file_sha256(tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(3_000_001)
    (tmp_path / "a").write_bytes(content)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    with pytest.raises(DancekitError, match="cannot be read"):
        file_sha256(tmp_path / "b")
