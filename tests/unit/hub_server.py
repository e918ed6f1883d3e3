"""A server on loopback that speaks enough of the Hugging Face Hub: create, preupload, LFS, commit, resolve."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_of_a_test"


class Hub(ThreadingHTTPServer):
    """Repositories as {commit: {path: bytes}}, and what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.created: list[str] = []
        self.commits: dict[str, dict[str, bytes]] = {}
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.refuse = False


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def _answer(self, status: int, body: Any = None, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _allowed(self) -> bool:
        self.server.asked.append(f"{self.command} {self.path.partition('?')[0]}")
        return not self.server.refuse and self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def do_POST(self) -> None:
        body = self._body()
        if not self._allowed():
            self._answer(401, {"error": "Invalid username or password."})
        elif self.path == "/api/repos/create":
            asked = json.loads(body)
            self.server.created.append(f"{asked.get('organization') or ''}/{asked['name']}")
            self._answer(200, {"url": f"{self.server.base}/{self.server.created[-1]}"})
        elif self.path == "/api/validate-yaml":
            self._answer(200, {"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            files = json.loads(body)["files"]
            told = [
                {
                    "path": each["path"],
                    "uploadMode": "lfs" if each["path"].endswith((".safetensors", ".png")) else "regular",
                    "shouldIgnore": False,
                }
                for each in files
            ]
            self._answer(200, {"files": told})
        elif self.path.endswith("/info/lfs/objects/batch"):
            objects = [
                {
                    **each,
                    "actions": {"upload": {"href": f"{self.server.base}/lfs/{each['oid']}", "header": {}}},
                }
                for each in json.loads(body)["objects"]
            ]
            self._answer(200, {"transfer": "basic", "objects": objects})
        elif "/commit/" in self.path:
            self._commit(body)
        else:
            self._answer(404, {"error": self.path})

    def do_PUT(self) -> None:
        body = self._body()
        oid = self.path.rpartition("/")[2]
        good = hashlib.sha256(body).hexdigest() == oid
        self.server.objects[oid] = body
        self._answer(200 if good else 400)

    def _commit(self, body: bytes) -> None:
        files: dict[str, bytes] = {}
        for line in body.splitlines():
            told = json.loads(line)
            value = told["value"]
            if told["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif told["key"] == "lfsFile":
                files[value["path"]] = self.server.objects[value["oid"]]
        oid = hashlib.sha1(body).hexdigest()
        self.server.commits[oid] = files
        repo = self.path.removeprefix("/api/models/").partition("/commit/")[0]
        url = f"{self.server.base}/{repo}/commit/{oid}"
        self._answer(
            200,
            {"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": "", "pullRequestUrl": None},
        )

    def do_GET(self) -> None:
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([0-9a-f]{40})/(.+)", self.path)
        if not self._allowed():
            self._answer(401, {"error": "Invalid username or password."})
        elif found:
            data = self.server.commits.get(found[2], {}).get(found[3])
            self._answer(200 if data is not None else 404, data)
        elif self.path.startswith("/api/models/"):
            self._answer(
                200, {"id": self.path.removeprefix("/api/models/"), "siblings": [], "private": False}
            )
        else:
            self._answer(404, {"error": self.path})

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None: ...


@contextmanager
def running_hub() -> Iterator[Hub]:
    with Hub() as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
