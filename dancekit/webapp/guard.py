"""What a browser may ask for: pages of this app, with the token, from an address that is meant. All else is refused."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dancekit.webapp.payload import only_uploads

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = re.compile(
    r"/|/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt)/?"
    r"|/(assets|static|svelte)/[\w./~@+-]+"
    r"|/gradio_api/(info|queue/join|queue/data|upload|upload_progress|startup-events|app_id|cancel|reset|theme\.css)/?"
    r"|/gradio_api/heartbeat/\w+"
    r"|/media/[0-9a-f-]+/\w[\w.]*"
)
"""Paths that exist. Gradio has more: files by their path, proxies, functions by their name. None of them is needed."""

LOGIN, CALL = "/login", "/gradio_api/queue/join"
LARGEST_LOGIN, LARGEST_CALL = 4096, 1_000_000
"""Bytes."""

HEADERS = (
    # nothing is fetched from elsewhere, whatever a page asks for; Gradio's scripts and styles are inline in part
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; connect-src 'self'; "
        b"object-src 'none'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>dancekit</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>body{font:1rem system-ui,sans-serif;max-width:24rem;margin:4rem auto;padding:0 1rem}
input,button{font:inherit;width:100%;padding:.6rem;margin:.4rem 0;box-sizing:border-box}</style>
<h1>dancekit</h1><p role="alert">SAID</p>
<form method="post" action="login"><label>Token <input name="token" type="password" autofocus
autocomplete="current-password"></label><button>Open</button></form></html>"""


class Guard:
    """Stands before the app: host, origin, token, path, headers.

    Args:
        app: What is guarded.
        token: Everybody has to know it; empty: nobody is asked.
        hosts: Names this server is called by, without the port; empty: any (the token is what protects then). A page
            of another site whose name was made to lead here is refused by this.
        uploads: Where Gradio puts uploads: no other file can be named.
    """

    def __init__(
        self, app: App, *, uploads: Path, token: str = "", hosts: frozenset[str] = frozenset()
    ) -> None:
        self._app, self._token, self._hosts, self._uploads = app, token, hosts, uploads
        self._proof = hmac.new(token.encode(), b"dancekit app", hashlib.sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no websockets: nothing here uses them
            return
        headers = {key.decode("latin1").lower(): value.decode("latin1") for key, value in scope["headers"]}
        host = headers.get("host", "")
        if self._hosts and urlsplit(f"//{host}").hostname not in self._hosts:
            await _answer(send, 403, "This address is not the app's own.")
        elif not _same_origin(headers, host):
            await _answer(send, 403, "Another page may not use this app.")
        elif self._token and not await self._known(scope, receive, send, headers):
            return
        elif not OPEN.fullmatch(scope["path"]):
            await _answer(send, 404, "There is nothing here.")
        elif scope["path"].rstrip("/") == CALL:
            await self._call(scope, receive, send)
        else:
            await self._app(scope, receive, _with_headers(send))

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call of a function on, if it names no files but uploads."""
        try:
            data = json.loads(await _body(receive, LARGEST_CALL))
            whole = json.dumps(only_uploads(data, self._uploads)).encode()
        except (ValueError, RecursionError):
            await _answer(send, 403, "This is not what the page sends.")
            return
        parts = iter([{"type": "http.request", "body": whole, "more_body": False}])

        async def checked() -> MutableMapping[str, Any]:
            return next(parts, None) or await receive()

        headers = [pair for pair in scope["headers"] if pair[0].lower() != b"content-length"]
        length = (b"content-length", str(len(whole)).encode())
        await self._app({**scope, "headers": [*headers, length]}, checked, _with_headers(send))

    async def _known(self, scope: Scope, receive: Receive, send: Send, headers: dict[str, str]) -> bool:
        """Whether the browser has shown the token before; if not, it is answered here."""
        if self._matches(_cookie(headers.get("cookie", ""), self._cookie_name(scope)), self._proof):
            if scope["path"] != LOGIN and "token=" not in scope["query_string"].decode("latin1"):
                return True
            await self._welcome(scope, send)
            return False
        given = ""
        if scope["path"] == LOGIN and scope["method"] == "POST":
            given = _first(await _body(receive, LARGEST_LOGIN), "token")
        elif scope["path"] == "/" and scope["method"] == "GET":
            given = _first(scope["query_string"].decode("latin1"), "token")
        if self._matches(given, self._token):
            await self._welcome(scope, send)
        elif scope["path"] in ("/", LOGIN):
            said = (
                "This is not the token."
                if given
                else "This app wants its token: it was printed when it began."
            )
            await _answer(send, 401, _PAGE.replace("SAID", said), kind="text/html")
        else:
            await _answer(send, 401, "This app wants its token.")
        return False

    @staticmethod
    def _matches(given: str, wanted: str) -> bool:
        return bool(given) and hmac.compare_digest(given.encode(), wanted.encode())

    @staticmethod
    def _cookie_name(scope: Scope) -> str:
        """Cookies are a host's, whatever its port: several apps of one host do not take each other's."""
        return f"dancekit_{(scope.get('server') or ('', 0))[1]}"

    async def _welcome(self, scope: Scope, send: Send) -> None:
        """To the page, without the token in its address."""
        cookie = (
            f"{self._cookie_name(scope)}={self._proof}; HttpOnly; SameSite=Strict; Path=/; Max-Age=2592000"
        )
        more = ((b"location", b"/"), (b"set-cookie", cookie.encode()))
        await _answer(send, 303, "", more=more)


def _same_origin(headers: dict[str, str], host: str) -> bool:
    """Whether a request comes from a page of this app, or from no page: an address that was typed."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return False
    return headers.get("sec-fetch-site", "none") in ("same-origin", "none") or (
        headers.get("sec-fetch-mode") == "navigate"  # a link from elsewhere
        and headers.get("sec-fetch-dest") == "document"
    )


def _cookie(text: str, name: str) -> str:
    try:
        found = SimpleCookie(text).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _first(query: str, name: str) -> str:
    return parse_qs(query).get(name, [""])[0]


async def _body(receive: Receive, largest: int) -> str:
    """What was sent; nothing if that is more than it may be."""
    received = b""
    while True:
        part = await receive()
        received += bytes(part.get("body", b""))
        if len(received) > largest:
            return ""
        if not part.get("more_body"):
            return received.decode("utf-8", "replace")


async def _answer(
    send: Send, code: int, text: str, *, kind: str = "text/plain", more: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    body = text.encode()
    head = [
        (b"content-type", f"{kind}; charset=utf-8".encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *HEADERS,
        *more,
    ]
    await send({"type": "http.response.start", "status": code, "headers": head})
    await send({"type": "http.response.body", "body": body})


def _with_headers(send: Send) -> Send:
    ours = {name for name, _ in HEADERS}

    async def sent(part: MutableMapping[str, Any]) -> None:
        if part["type"] == "http.response.start":
            kept = [pair for pair in part.get("headers", ()) if pair[0].lower() not in ours]
            part = {**part, "headers": [*kept, *HEADERS]}
        await send(part)

    return sent
