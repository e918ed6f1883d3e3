from __future__ import annotations

import hashlib
import io
import struct
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dancekit.errors import ChecksumError, DancekitError, OfflineError
from dancekit.weights.fetch import bytes_sha256, fetch, offline, read_member, weights_folder

CONTENT = bytes(range(256)) * 5000
SHA = hashlib.sha256(CONTENT).hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/good.onnx")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        half = self.path.startswith("/cut")
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if half else CONTENT)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.delenv("DANCEKIT_OFFLINE", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.asked = []  # type: ignore[attr-defined]
        server.base = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_downloads_once_and_checks_every_time(server, tmp_path: Path) -> None:
    url = f"{server.base}/moved/model.onnx"
    path = fetch(url, SHA.upper(), folder=tmp_path / "deep" / "er")
    assert path == tmp_path / "deep" / "er" / "model.onnx" and path.read_bytes() == CONTENT
    assert fetch(url, SHA, folder=path.parent) == path
    assert server.asked == ["/moved/model.onnx", "/good.onnx"]

    path.write_bytes(CONTENT[:-1] + b"x")  # a bit has rotted
    with pytest.raises(ChecksumError) as caught:
        fetch(url, SHA, folder=path.parent)
    assert caught.value.exit_code == 4
    assert SHA in str(caught.value) and file_digest(CONTENT[:-1] + b"x") in str(caught.value)
    assert str(path) in str(caught.value) and not path.exists()
    assert fetch(url, SHA, folder=path.parent).read_bytes() == CONTENT


def left_in(folder: Path) -> list[str]:
    """What is there but the locks."""
    return [path.name for path in folder.iterdir() if path.suffix != ".lock"]


def file_digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_download_with_another_digest_never_gets_its_name(server, tmp_path: Path) -> None:
    with pytest.raises(ChecksumError, match=f"{SHA}, expected {OTHER}"):
        fetch(f"{server.base}/good.onnx", OTHER, folder=tmp_path)
    assert not left_in(tmp_path)


def test_default_folder_follows_the_environment(server, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DANCEKIT_CACHE", str(tmp_path))
    assert weights_folder() == tmp_path / "weights"
    assert fetch(f"{server.base}/a?x=1", SHA, filename="b.onnx") == tmp_path / "weights" / "b.onnx"
    monkeypatch.delenv("DANCEKIT_CACHE")
    assert weights_folder().name == "weights" and "dancekit" in str(weights_folder())


def test_cut_off_and_missing(server, tmp_path: Path) -> None:
    with pytest.raises(OfflineError, match=r"cut\.onnx is missing and cannot be downloaded"):
        fetch(f"{server.base}/cut.onnx", SHA, folder=tmp_path)
    with pytest.raises(DancekitError, match="cannot be had: 404") as caught:
        fetch(f"{server.base}/missing.onnx", SHA, folder=tmp_path, remedy="or use blazepose")
    assert caught.value.exit_code == 1
    assert f"put it at {tmp_path / 'missing.onnx'}; or use blazepose" in str(caught.value)
    assert left_in(tmp_path) == [f".cut.onnx.{SHA[:16]}.part"], (
        "kept to go on from, never under the file's name"
    )


def test_mirrors_are_tried_in_order(server, tmp_path: Path) -> None:
    bad, cut, good = (f"{server.base}/{name}.onnx" for name in ("missing", "cut", "good"))
    assert fetch(bad, SHA, folder=tmp_path, mirrors=[cut, good]).name == "missing.onnx"
    assert server.asked == ["/missing.onnx", "/cut.onnx", "/good.onnx"]
    with pytest.raises(DancekitError, match=f"{bad} cannot be had"):
        fetch(bad, SHA, folder=tmp_path, filename="x", mirrors=[cut])


def test_no_server(server, tmp_path: Path) -> None:
    server.shutdown()
    server.server_close()
    url = f"{server.base}/good.onnx"
    with pytest.raises(OfflineError, match="no connection") as caught:
        fetch(url, SHA, folder=tmp_path, remedy="or pose.name=blazepose")
    text = str(caught.value)
    assert caught.value.exit_code == 5
    assert url in text and f"put it at {tmp_path / 'good.onnx'}" in text and "or pose.name=blazepose" in text


@pytest.mark.parametrize(
    ("value", "means"), [("1", True), ("true", True), ("0", False), ("", False), ("no", False)]
)
def test_offline_variable(monkeypatch, value: str, means: bool) -> None:
    monkeypatch.setenv("DANCEKIT_OFFLINE", value)
    assert offline() is means


def test_offline_asks_nobody_but_uses_what_is_there(server, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DANCEKIT_OFFLINE", "1")
    with pytest.raises(OfflineError, match="DANCEKIT_OFFLINE is set"):
        fetch(f"{server.base}/good.onnx", SHA, folder=tmp_path)
    (tmp_path / "good.onnx").write_bytes(CONTENT)
    assert fetch(f"{server.base}/good.onnx", SHA, folder=tmp_path).read_bytes() == CONTENT
    assert server.asked == []


def test_unknown_digest_is_refused_unless_trusted_and_then_remembered(
    server, monkeypatch, tmp_path: Path
) -> None:
    url = f"{server.base}/good.onnx"
    with pytest.raises(ChecksumError, match=r"no sha256 is known for good\.onnx") as caught:
        fetch(url, None, folder=tmp_path, remedy="set trust_first_download=true")
    assert url in str(caught.value) and "set trust_first_download=true" in str(caught.value)
    assert server.asked == [] and not list(tmp_path.iterdir())

    path = fetch(url, None, folder=tmp_path, trust_first=True)
    assert (tmp_path / "good.onnx.sha256").read_text().strip() == SHA
    assert fetch(url, None, folder=tmp_path) == path, "a noted digest is a known one"
    path.write_bytes(b"changed")
    with pytest.raises(ChecksumError, match=f"expected {SHA}"):
        fetch(url, None, folder=tmp_path, trust_first=True)
    (tmp_path / "good.onnx.sha256").write_text("hello")
    with pytest.raises(ChecksumError, match="does not hold a sha256"):
        fetch(url, None, folder=tmp_path, trust_first=True)


def test_a_file_put_there_by_hand_without_a_digest(monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(CONTENT)
    with pytest.raises(ChecksumError, match="no sha256 is known"):
        fetch("http://localhost/a.onnx", None, folder=tmp_path)
    fetch("http://localhost/a.onnx", None, folder=tmp_path, trust_first=True)
    assert (tmp_path / "a.onnx.sha256").read_text().strip() == SHA


def test_full_disk(server, monkeypatch, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    real = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, mode="r", **k: real(Path("/dev/full") if "w" in mode else self, mode, **k)
    )
    with pytest.raises(DancekitError, match="No space left"):
        fetch(f"{server.base}/good.onnx", SHA, folder=tmp_path)
    assert not left_in(tmp_path)


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc/x"])
def test_names_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a file name"):
        fetch("http://localhost/a", SHA, filename=name, folder=tmp_path)
    with pytest.raises(ValueError, match="not a file name"):
        fetch("http://localhost/", SHA, folder=tmp_path)


# ---- archives --------------------------------------------------------------------------------------------


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_reads_the_only_onnx_wherever_it_lies(tmp_path: Path) -> None:
    members = {"x/": b"", "x/deploy.json": b"{}", "../../etc/end2end.onnx": CONTENT}
    assert read_member(archive(tmp_path / "a.zip", members), ".onnx") == CONTENT
    assert [file.name for file in tmp_path.iterdir()] == ["a.zip"], "nothing is unpacked"
    (tmp_path / "plain.onnx").write_bytes(CONTENT)
    assert read_member(tmp_path / "plain.onnx", ".onnx") == CONTENT
    assert bytes_sha256(CONTENT) == SHA


def test_bad_archives(tmp_path: Path) -> None:
    for members, found in (({"a.txt": b""}, 0), ({"a.onnx": b"", "b.onnx": b""}, 2)):
        with pytest.raises(DancekitError, match=f"holds {found} files that end in .onnx"):
            read_member(archive(tmp_path / "a.zip", members), ".onnx")
    with pytest.raises(DancekitError, match=r"a\.onnx is too large \(1280000 bytes\)"):
        read_member(archive(tmp_path / "a.zip", {"a.onnx": CONTENT}), ".onnx", limit=1000)
    whole = archive(tmp_path / "a.zip", {"a.onnx": CONTENT}, zipfile.ZIP_STORED).read_bytes()
    (tmp_path / "b.zip").write_bytes(whole.replace(CONTENT[1000:2000], bytes(1000), 1))
    with pytest.raises(DancekitError, match="damaged archive"):
        read_member(tmp_path / "b.zip", ".onnx")
    with pytest.raises(DancekitError, match="cannot be read"):
        read_member(tmp_path / "none.zip", ".onnx")


def test_a_bomb_that_lies_about_its_size_is_not_inflated(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.onnx", bytes(50_000_000))
    content = bytearray(buffer.getvalue())
    place = content.rindex(b"PK\x01\x02")
    content[place + 24 : place + 28] = struct.pack("<I", 1000)
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DancekitError, match="damaged archive"):
        read_member(tmp_path / "a.zip", ".onnx", limit=10_000)
