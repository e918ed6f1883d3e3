"""What a browser may ask for, tried on the guard alone: an ASGI application of a few lines stands behind it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from dancekit.webapp.guard import Guard

TOKEN = "a-token-of-length"
HERE = frozenset({"127.0.0.1", "localhost"})


class Answer:
    """What came back."""

    def __init__(self, parts: list[Any]) -> None:
        self.code = parts[0]["status"]
        self.headers = {key.decode(): value.decode() for key, value in parts[0]["headers"]}
        self.body = parts[1]["body"].decode()


async def behind(scope: Any, receive: Any, send: Any) -> None:
    """The app."""
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"referrer-policy", b"unsafe-url")]}
    )
    await send({"type": "http.response.body", "body": b"the app"})


def ask(
    guard: Guard, path: str = "/", method: str = "GET", query: str = "", body: str = "", **headers: str
) -> Answer:
    given = {"host": "127.0.0.1:7860"} | {key.replace("_", "-"): value for key, value in headers.items()}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(key.encode(), value.encode()) for key, value in given.items()],
        "server": ("127.0.0.1", 7860),
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body.encode(), "more_body": False}

    async def send(part: Any) -> None:
        sent.append(part)

    asyncio.run(guard(scope, receive, send))
    return Answer(sent)


@pytest.fixture
def here(tmp_path: Path) -> Guard:
    """As on this computer: no token."""
    return Guard(behind, uploads=tmp_path / "uploads", hosts=HERE)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Guard:
    """As for others: a token, any name."""
    return Guard(behind, uploads=tmp_path / "uploads", token=TOKEN)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/config",
        "/assets/index-DiEEvXS6.css",
        "/gradio_api/queue/data",
        "/media/20261126-020304-a1b2c3/result.mp4",
    ],
)
def test_what_the_page_needs_is_open(here: Guard, path: str) -> None:
    answer = ask(here, path)
    assert (answer.code, answer.body) == (200, "the app")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/proxy=http://example.com",
        "/gradio_api/run/view",
        "/gradio_api/call/view",
        "/gradio_api/vibe-edit",
        "/gradio_api/process_recording",
        "/gradio_api/stream/a/b/c/playlist.m3u8",
        "/monitoring",
        "/docs",
        "/openapi.json",
        "/media/20261126-020304-a1b2c3/../job.json",
        "/media/x/y/z",
        "//etc/passwd",
        "/login",
        "/\n",
    ],
)
def test_nothing_else_is(here: Guard, path: str) -> None:
    assert ask(here, path).code == 404
    assert ask(here, path, method="POST").code == 404


def test_a_name_that_was_made_to_lead_here_is_refused(here: Guard) -> None:
    assert ask(here, host="evil.example").code == 403
    assert ask(here, host="127.0.0.1.evil.example:7860").code == 403
    assert ask(here, host="").code == 403
    assert ask(here, host="localhost:1").code == 200


def test_a_page_of_another_site_cannot_use_the_app(here: Guard) -> None:
    assert ask(here, "/gradio_api/upload", "POST", origin="https://evil.example").code == 403
    assert ask(here, "/gradio_api/upload", "POST", origin="null").code == 403
    assert ask(here, "/gradio_api/upload", "POST", origin="http://127.0.0.1:7860").code == 200
    embedded = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"}
    assert ask(here, "/media/20261126-020304-a1b2c3/sheet.png", **embedded).code == 403
    framed = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"}
    assert ask(here, **framed).code == 403
    linked = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert ask(here, **linked).code == 200


def test_without_the_token_there_is_only_its_form(elsewhere: Guard) -> None:
    for query in ("", "token=", "token=wrong", f"token={TOKEN}x", f"token={TOKEN[:-1]}", "token=%FF"):
        answer = ask(elsewhere, query=query)
        assert answer.code == 401
        assert "<form" in answer.body and TOKEN not in answer.body
    for path in ("/config", "/gradio_api/upload", "/media/20261126-020304-a1b2c3/sheet.png"):
        assert ask(elsewhere, path, query=f"token={TOKEN}").code == 401, "only the page itself takes it"


def test_the_token_opens_and_is_remembered(elsewhere: Guard, tmp_path: Path) -> None:
    for answer in (
        ask(elsewhere, query=f"token={TOKEN}"),
        ask(elsewhere, "/login", "POST", body=f"token={TOKEN}"),
    ):
        assert answer.code == 303
        assert answer.headers["location"] == "/", "the token goes from the address"
        cookie, _, rest = answer.headers["set-cookie"].partition("; ")
        assert {"HttpOnly", "SameSite=Strict"} <= set(rest.split("; "))
        assert TOKEN not in cookie
        assert ask(elsewhere, "/config", cookie=cookie).body == "the app"
        assert ask(elsewhere, "/gradio_api/file=/etc/passwd", cookie=cookie).code == 404
        assert ask(elsewhere, query=f"token={TOKEN}", cookie=cookie).code == 303
    assert ask(elsewhere, "/config", cookie=f"{cookie}0").code == 401
    assert ask(Guard(behind, uploads=tmp_path, token="another-token"), "/config", cookie=cookie).code == 401
    assert ask(elsewhere, "/config", cookie="\x00;=;").code == 401
    assert ask(elsewhere, "/login", "POST", body="x" * 10_000 + f"&token={TOKEN}").code == 401


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """An app that says what reached it."""
    body = (await receive())["body"]
    assert dict(scope["headers"])[b"content-length"] == str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def call(folder: Path, data: Any) -> Any:
    """What of a call reaches Gradio; the code if it is refused."""
    text = data if isinstance(data, str) else json.dumps(data)
    answer = ask(Guard(echo, uploads=folder), "/gradio_api/queue/join", "POST", body=text)
    return json.loads(answer.body) if answer.code == 200 else answer.code


def test_a_call_names_no_files_but_uploads(tmp_path: Path) -> None:
    folder, secret = tmp_path / "uploads", tmp_path / "secret.mp4"
    upload = folder / "ab12" / "dance.mp4"
    upload.parent.mkdir(parents=True)
    for path in (upload, secret):
        path.write_bytes(b"x")
    (folder / "link.mp4").symlink_to(secret)
    plain = {"data": ["sample", 3, None, True, {"a": ["b"]}], "fn_index": 3, "session_hash": "abc"}
    assert call(folder, plain) == plain

    def naming(path: Any, **more: Any) -> Any:
        meta = {"_type": "gradio.FileData"}
        return {"data": [[{"deep": {"path": path, "meta": meta} | more}]]}

    sent = naming(str(upload), orig_name="dance.mp4", url="http://evil.example", is_stream=True, size=1)
    assert call(folder, sent) == naming(str(upload), orig_name="dance.mp4"), "nothing else is left of it"
    wrong = [
        secret,
        folder / "link.mp4",
        folder,
        folder / "no.mp4",
        folder / ".." / "secret.mp4",
        "/etc/passwd",
    ]
    for path in (*map(str, wrong), "http://evil.example/a.mp4", "", "a\0b", "x" * 9999, None, 3, ["a"]):
        assert call(folder, naming(path)) == 403, path
    assert call(folder, {"data": [{"url": "http://evil.example/a.mp4"}]}) == 403
    for text in ("", "{", "[" * 100_000, '{"a": "' + "x" * 1_000_000 + '"}'):
        assert call(folder, text) == 403
