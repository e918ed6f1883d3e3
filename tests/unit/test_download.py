"""Sources that stop, drip, lie, send rubbish or lead elsewhere: one clear error each, and no file kept as good."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dancekit.errors import ChecksumError, DancekitError, OfflineError
from dancekit.weights import download
from dancekit.weights.fetch import fetch

CONTENT = bytes(range(256)) * 3000
SHA = hashlib.sha256(CONTENT).hexdigest()
HALF = len(CONTENT) // 2
BOMB = gzip.compress(bytes(len(CONTENT)))


class Source(BaseHTTPRequestHandler):
    """The first word of the path says how it behaves."""

    protocol_version = "HTTP/1.1"
    close_connection = True

    def do_GET(self) -> None:
        way = self.path.split("/")[1]
        self.server.asked.append((way, self.headers.get("Range"), self.headers.get("X-Token")))  # type: ignore[attr-defined]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            getattr(self, f"way_{way}")()
        self.close_connection = True

    def _begin(self, length: int | None, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Connection", "close")
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def way_good(self) -> None:
        """Ranges are honoured."""
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        if start:
            self._begin(
                len(CONTENT) - start, 206, Content_Range=f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
            )
        else:
            self._begin(len(CONTENT))
        self.wfile.write(CONTENT[start:])

    def way_cut(self) -> None:
        self._begin(len(CONTENT))
        self.wfile.write(CONTENT[:HALF])

    def way_norange(self) -> None:
        self._begin(len(CONTENT))
        self.wfile.write(CONTENT)

    def way_wrongrange(self) -> None:
        if "Range" not in self.headers:
            return self.way_cut()
        self._begin(9, 206, Content_Range=f"bytes 7-15/{len(CONTENT)}")
        self.wfile.write(bytes(9))
        return None

    def way_unsatisfiable(self) -> None:
        if "Range" in self.headers:
            self._begin(0, 416)
        else:
            self.way_norange()

    def way_garbage(self) -> None:
        self._begin(len(CONTENT))
        self.wfile.write(os.urandom(len(CONTENT)))

    def way_garbagecut(self) -> None:
        self._begin(len(CONTENT))
        self.wfile.write(os.urandom(HALF))

    def way_drip(self) -> None:
        self._begin(len(CONTENT))
        for _ in range(200):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.02)

    def way_silent(self) -> None:
        self._begin(len(CONTENT))
        self.server.over.wait(10)  # type: ignore[attr-defined]

    def way_endless(self) -> None:
        self._begin(None)
        for _ in range(4000):
            self.wfile.write(bytes(1 << 16))
            self.server.sent += 1 << 16  # type: ignore[attr-defined]

    def way_large(self) -> None:
        self._begin(10 << 30)

    def way_chunked(self) -> None:
        self._begin(None, Transfer_Encoding="chunked")
        for start in range(0, len(CONTENT), 100_000):
            chunk = CONTENT[start : start + 100_000]
            self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def way_bomb(self) -> None:
        self._begin(len(BOMB), Content_Encoding="gzip")
        self.wfile.write(BOMB)

    def way_file(self) -> None:
        self._begin(0, 302, Location=f"file://{Path(__file__)}")

    def way_ftp(self) -> None:
        self._begin(0, 301, Location="ftp://127.0.0.1/x")

    def way_circle(self) -> None:
        self._begin(0, 302, Location="/circle/x")

    def way_login(self) -> None:
        page = b"<html>please log in</html>"
        self._begin(len(page))
        self.wfile.write(page)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.delenv("DANCEKIT_OFFLINE", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(download, "TIMEOUT", 0.5)
    monkeypatch.setattr(download, "SLOWEST", (1000, 0.3))
    with ThreadingHTTPServer(("127.0.0.1", 0), Source) as server:
        server.daemon_threads = True
        server.asked, server.sent, server.over = [], 0, threading.Event()  # type: ignore[attr-defined]
        server.base = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


def get(source, way: str, folder: Path, **options: object) -> Path:
    return fetch(f"{source.base}/{way}/x", SHA, size=len(CONTENT), filename="x", folder=folder, **options)  # type: ignore[arg-type]


def left_in(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir() if path.suffix != ".lock"}


PART = f".x.{SHA[:16]}.part"


@pytest.mark.parametrize(
    ("way", "error", "words", "left"),
    [
        ("cut", OfflineError, f"cut off after {HALF} bytes", {PART: HALF}),
        ("drip", OfflineError, "too slow", {PART: None}),
        ("silent", OfflineError, "cut off after 0 bytes", {}),
        ("garbage", ChecksumError, f"expected {SHA}; it was removed", {}),
        ("endless", ChecksumError, f"sends more than the {len(CONTENT)} bytes expected", {}),
        ("large", ChecksumError, f"has {10 << 30} bytes, expected {len(CONTENT)}", {}),
        ("login", ChecksumError, f"has 26 bytes, expected {len(CONTENT)}", {}),
        ("bomb", ChecksumError, "bytes, expected", {}),
        ("file", DancekitError, "leads to a file address, which is not followed", {}),
        ("ftp", DancekitError, "leads to a ftp address, which is not followed", {}),
        ("circle", DancekitError, "cannot be had: Exceeded 30 redirects", {}),
    ],
)
def test_bad_sources(source, tmp_path: Path, way: str, error: type, words: str, left: dict) -> None:
    (tmp_path / "inside").mkdir()
    with pytest.raises(error, match=re.escape(words)) as caught:
        get(source, way, tmp_path / "inside")
    assert "\n" not in str(caught.value)
    assert f"put it at {tmp_path / 'inside' / 'x'}" in str(caught.value)
    found = left_in(tmp_path / "inside")
    assert found.keys() == left.keys()
    assert all(size is None or found[name] == size for name, size in left.items())
    assert all(size < len(CONTENT) for size in found.values()), "no byte beyond what was expected"
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    if way == "endless":
        assert source.sent < 20 << 20, "given up at once, not after everything was received"


def test_a_download_that_was_cut_off_goes_on_where_it_stopped(source, tmp_path: Path) -> None:
    with pytest.raises(OfflineError):
        get(source, "cut", tmp_path)
    assert get(source, "good", tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked, _ in source.asked] == [None, f"bytes={HALF}-"]
    assert list(left_in(tmp_path)) == ["x"]


def test_progress_is_told(source, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    get(source, "cut", tmp_path, mirrors=[f"{source.base}/good/x"], progress=lambda *each: told.append(each))
    assert {total for _, total in told} == {len(CONTENT)}
    done = [each for each, _ in told]
    assert done == sorted(done) and done[-1] == len(CONTENT) and HALF in done


def test_a_mirror_goes_on_where_the_first_source_stopped(source, tmp_path: Path) -> None:
    path = get(source, "cut", tmp_path, mirrors=[f"{source.base}/good/x"])
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked, _ in source.asked] == [None, f"bytes={HALF}-"]


@pytest.mark.parametrize("way", ["norange", "unsatisfiable", "chunked"])
def test_a_source_that_cannot_resume_begins_again(source, tmp_path: Path, way: str) -> None:
    with pytest.raises(OfflineError):
        get(source, "cut", tmp_path)
    assert get(source, way, tmp_path).read_bytes() == CONTENT


def test_a_part_that_does_not_fit_is_thrown_away(source, tmp_path: Path) -> None:
    """Half of it is of a source that sent rubbish: the digest says so, and the whole is asked for."""
    with pytest.raises(OfflineError):
        get(source, "garbagecut", tmp_path)
    assert get(source, "good", tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked, _ in source.asked] == [None, f"bytes={HALF}-", None]


def test_another_part_than_the_one_asked_for_is_refused(source, tmp_path: Path) -> None:
    with pytest.raises(OfflineError):
        get(source, "wrongrange", tmp_path)
    with pytest.raises(DancekitError, match="sends another part of the file than was asked for"):
        get(source, "wrongrange", tmp_path)
    assert left_in(tmp_path) == {PART: HALF}


def test_a_whole_part_needs_no_request(source, tmp_path: Path) -> None:
    (tmp_path / PART).write_bytes(CONTENT)
    assert get(source, "good", tmp_path).read_bytes() == CONTENT
    assert source.asked == []


def test_a_size_that_nobody_told_has_a_limit(source, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(download, "LARGEST", 1 << 20)
    with pytest.raises(ChecksumError, match=f"sends more than the {1 << 20} bytes expected"):
        fetch(f"{source.base}/endless/x", SHA, folder=tmp_path)
    assert not left_in(tmp_path)


def test_headers_go_to_their_own_address_only(source, tmp_path: Path) -> None:
    first = f"{source.base}/cut/x"
    fetch(first, SHA, folder=tmp_path, mirrors=[f"{source.base}/good/x"], headers={first: {"X-Token": "t"}})
    assert [token for _, _, token in source.asked] == ["t", None]


def test_https_never_leads_to_http() -> None:
    import requests

    answer = requests.Response()
    answer.url, answer.status_code = "https://example.org/a", 302
    answer.headers["Location"] = "http://example.org/a"
    with pytest.raises(DancekitError, match="leads to a http address"):
        download._check_redirect(answer)
    answer.headers["Location"] = "/b"
    download._check_redirect(answer)


def test_two_processes_fetch_once(source, tmp_path: Path) -> None:
    program = (
        "import sys; from dancekit.weights.fetch import fetch;"
        f"print(fetch({source.base + '/good/x'!r}, {SHA!r}, filename='x', folder=__import__('pathlib')."
        f"Path({str(tmp_path)!r})))"
    )
    environment = {**os.environ, "NO_PROXY": "*"}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env=environment,
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for each in running:
        out, _ = each.communicate(timeout=60)
        assert each.returncode == 0
        assert out.strip() == str(tmp_path / "x")
    assert len(source.asked) == 1
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_process_that_dies_does_not_lock_the_others_out(source, tmp_path: Path) -> None:
    program = (
        "import filelock, os, sys; from pathlib import Path;"
        f"filelock.FileLock(Path({str(tmp_path)!r}) / '.x.lock').acquire(); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert get(source, "good", tmp_path).read_bytes() == CONTENT
