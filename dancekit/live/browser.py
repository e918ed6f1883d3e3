"""The live picture on a page of this computer (MJPEG): for machines without a window, and headless builds of OpenCV."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.errors import UsageError

Image = NDArray[np.uint8]

KEYS = ("q", "r", "s")
QUALITY = 85
"""Of the JPEGs."""

_IDLE = 1.0
_PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>dancekit live</title>
<style>body{margin:0;background:#111;color:#eee;font:16px sans-serif;text-align:center}
img{max-width:100vw;max-height:90vh;display:block;margin:auto}button{font:inherit;margin:.4em;padding:.3em 1em}</style>
<img src="stream" alt="what the dancer does">
<button data-key="r">calibrate again (r)</button><button data-key="s">snapshot (s)</button>
<button data-key="q">quit (q)</button>
<script>
const press = key => fetch("key/" + key, {method: "POST"}).catch(() => 0);
document.querySelectorAll("button").forEach(b => b.onclick = () => press(b.dataset.key));
addEventListener("keydown", e => "qrs".includes(e.key) && press(e.key));
</script></html>"""


class BrowserScreen:
    """A page on 127.0.0.1 that shows the newest picture. Its address has a secret: other users, and pages of other
    origins, cannot see it or press keys.

    Args:
        port: 0 for any that is free.

    Attributes:
        address: To open.

    Raises:
        UsageError: The port is taken.
    """

    def __init__(self, port: int = 0) -> None:
        self._changed = threading.Condition()
        self._picture: Image | None = None
        self._number = self._watchers = 0
        self._closed = False
        self._keys: deque[str] = deque()
        secret = secrets.token_urlsafe(16)
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self, f"/{secret}/"))
        except OSError as error:
            raise UsageError(
                f"--serve {port}: {error.strerror}", hint="choose another port, or 0 for any"
            ) from error
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}/{secret}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="dancekit-serve", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def show(self, picture: Image) -> str:
        """Show to whoever watches."""
        with self._changed:
            self._picture = picture
            self._number += 1
            self._changed.notify_all()
            return self._keys.popleft() if self._keys else ""

    def press(self, key: str) -> None:
        """A key was pressed on the page."""
        with self._changed:
            self._keys.append(key)

    def after(self, number: int) -> tuple[int, bytes] | None:
        """The first picture that is newer than this one, as a JPEG; None when the show is over."""
        with self._changed:
            while self._number <= number and not self._closed:
                self._changed.wait(_IDLE)
            if self._closed or self._picture is None:
                return None
            number, picture = self._number, self._picture
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        return number, data.tobytes()


def _handler(screen: BrowserScreen, root: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers under the secret root alone."""

        def do_GET(self) -> None:
            if self.path == root:
                self._answer(200, "text/html; charset=utf-8", _PAGE)
            elif self.path == f"{root}stream":
                self._stream()
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            key = self.path.removeprefix(f"{root}key/")
            if key in KEYS:
                screen.press(key)
                self._answer(204, "text/plain", b"")
            else:
                self.send_error(404)

        def _answer(self, code: int, kind: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Referrer-Policy", "no-referrer")
            self.end_headers()
            self.wfile.write(body)

        def _stream(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            number = 0
            try:
                while (found := screen.after(number)) is not None:
                    number, jpeg = found
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    self.wfile.write(head.encode() + jpeg + b"\r\n")
            except OSError:
                pass  # the page was closed

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: the log would have the secret."""

    return Handler
