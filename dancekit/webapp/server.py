"""The server: the page, the files of jobs, and what stands before both."""

from __future__ import annotations

import contextlib
import importlib.util
import ipaddress
import logging
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dancekit.errors import DancekitError, MissingExtra, UsageError
from dancekit.webapp.clips import Clips, Limits
from dancekit.webapp.guard import Guard
from dancekit.webapp.house import House
from dancekit.webapp.jobs import ID, JobStore
from dancekit.webapp.status import file_of
from dancekit.webapp.worker import Worker

PROGRAM = (sys.executable, "-P", "-m", "dancekit.cli.webapp_job")
"""What works on a job. `-P`: a file called like a module, in the current folder, is not imported."""

SHORTEST_TOKEN = 12
"""Characters of a token that somebody chose."""

CLOSE = 1
"""Seconds that open connections have when the server ends: pages keep one open for ever."""


@dataclass(frozen=True)
class Options:
    """How the app is served.

    Attributes:
        folder: For uploads and jobs.
        dancers: A folder of dancers to choose from, or None.
        host: Address that is listened at.
        port: 0: any that is free.
        token: What a browser has to know; empty: one is made for any host but this computer.
        limits: What may be uploaded.
        device: For all work.
    """

    folder: Path
    dancers: Path | None = None
    host: str = "127.0.0.1"
    port: int = 7860
    token: str = ""
    limits: Limits = field(default_factory=Limits)
    device: str = "auto"


def check_app() -> None:
    """Say that the extra is missing.

    Raises:
        MissingExtra: It is.
    """
    # read when gradio is imported: it would report what is used to its makers
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    if importlib.util.find_spec("gradio") is None:
        raise MissingExtra("the web app needs gradio", hint="pip install 'dancekit[app]'")


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def choose_token(host: str, given: str) -> str:
    """The token that is wanted; empty where only this computer can reach the app and nobody asked for one.

    Raises:
        UsageError: It is so short that it can be guessed.
    """
    if given and len(given) < SHORTEST_TOKEN:
        raise UsageError(
            f"--token has {len(given)} characters, so that it can be guessed",
            hint=f"{SHORTEST_TOKEN} at least; without --token a good one is made",
        )
    return given or ("" if is_loopback(host) else secrets.token_urlsafe(24))


def serve(options: Options, announce: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; the job that runs is told to stop and keeps what it has.

    Args:
        options: How.
        announce: Told the address when it can be opened.

    Raises:
        MissingExtra: Gradio is not installed.
        UsageError: The host or port cannot be used, or another app uses the folder.
    """
    token = choose_token(options.host, options.token)
    check_app()
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(contextlib.closing(listen(options.host, options.port)))
        folder = stack.enter_context(_taken(options.folder))
        # where Gradio puts uploads; read when a page is built. What an earlier app left is nobody's any more.
        uploads = folder / "uploads"
        shutil.rmtree(uploads, ignore_errors=True)
        uploads.mkdir()
        os.environ["GRADIO_TEMP_DIR"] = str(uploads)
        store = JobStore(folder / "jobs")
        worker = stack.enter_context(Worker(store, PROGRAM))

        import uvicorn

        house = House(store, worker, Clips(folder / "clips", options.limits), options.dancers, options.device)
        app = make_app(house, token=token, hosts=_names(options.host))
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,  # it would have the token
            server_header=False,
            timeout_graceful_shutdown=CLOSE,
        )
        server = uvicorn.Server(config)
        # in the end, what pages still wait for is cut off: that is no error
        logging.getLogger("uvicorn.error").addFilter(lambda record: not server.should_exit)
        announce(address(options.host, listening.getsockname()[1], token))
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listening])


def make_app(house: House, *, token: str = "", hosts: frozenset[str] = frozenset()) -> Guard:
    """The page and the files, guarded.

    Args:
        house: What is shown.
        token: What a browser has to know; empty: nothing.
        hosts: Names by which the server is called; empty: any.
    """
    import gradio as gr
    from fastapi import FastAPI

    from dancekit.webapp.page import CSS, build_page

    app = FastAPI(openapi_url=None)
    app.add_api_route("/media/{identity}/{name}", _media(house.store), methods=["GET", "HEAD"])
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    theme = gr.themes.Base(
        primary_hue="violet", font=fonts, font_mono=["ui-monospace", "monospace"], radius_size="md"
    )
    page = build_page(house)
    page.queue(api_open=False, max_size=200, default_concurrency_limit=None)
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        theme=theme,
        css=CSS,
        max_file_size=house.clips.limits.megabytes * 1_000_000,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        run_history=False,
        footer_links=[],
    )
    page.has_launched = True  # else Gradio does not look where a file lies: the guard does, and so does this
    return Guard(app, uploads=Path(page.GRADIO_CACHE), token=token, hosts=hosts)


def _media(store: JobStore) -> Callable[..., Any]:
    """Gives a job's files, by names that are known."""
    from fastapi import HTTPException
    from fastapi.responses import FileResponse

    def media(identity: str, name: str, save: int = 0) -> FileResponse:
        try:
            job = store.get(identity if ID.fullmatch(identity) else None)
        except DancekitError:
            raise HTTPException(404) from None
        path = file_of(store, job, name)
        if path is None:
            raise HTTPException(404)
        title = "".join(each if each.isalnum() else "_" for each in job.title).strip("_")
        saved = {"filename": f"{title}_{name}"} if save else {}
        return FileResponse(path, headers={"cache-control": "private, no-cache"}, **saved)

    return media


def listen(host: str, port: int) -> socket.socket:
    """A socket that waits for browsers.

    Raises:
        UsageError: The address is not of this machine, or taken.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":  # elsewhere it would take over a port that is in use
                found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(place)
            found.listen(128)
        except OSError:
            found.close()
            raise
    except OSError as error:
        raise UsageError(
            f"--host {host} --port {port}: {error.strerror}",
            hint="choose another port, or 0 for any that is free",
        ) from None
    return found


def address(host: str, port: int, token: str) -> str:
    """What to open: the token is part of it once, and is remembered by the browser."""
    everywhere = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}  # noqa: S104
    name = everywhere.get(host, host)
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")


def _names(host: str) -> frozenset[str]:
    """By which names a browser of this computer calls it; elsewhere nobody knows them, and the token protects."""
    return frozenset({"127.0.0.1", "localhost", "::1", host}) if is_loopback(host) else frozenset()


@contextlib.contextmanager
def _taken(folder: Path) -> Any:
    """The folder, made, for this process alone.

    Raises:
        UsageError: Another app uses it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "app.lock", blocking=False)
        lock.acquire()
    except Timeout:
        raise UsageError(
            f"{folder} is used by another dancekit app", hint="close it, or choose another --folder"
        ) from None
    except OSError as error:
        raise UsageError(f"--folder {folder}: {error.strerror}", hint="choose another folder") from None
    try:
        yield folder
    finally:
        lock.release()
