"""What a job looks like on the page: HTML in which every text of a user's is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from dancekit.webapp.jobs import COMPARE, FACTS, FITTED, PROGRESS, RESULT, RUN, SHEET, Job, JobStore

STATES = {
    "waiting": "waiting",
    "running": "running",
    "stopping": "stopping",
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
}

NOTHING = "<p class='quiet'>Nothing here yet.</p>"

FILES: Mapping[str, str] = {
    SHEET: SHEET,
    FITTED: FITTED,
    RESULT: RESULT,
    COMPARE: COMPARE,
    "curves.png": f"{RUN}/curves.png",
    "dancer.safetensors": f"{RUN}/dancer.safetensors",
}
"""What a browser may have of a job, by the name in the address; and its newest preview, `preview.png`."""

PREVIEW = "preview.png"


def file_of(store: JobStore, job: Job, name: str) -> Path | None:
    """A file of a job that may be seen, if it is there."""
    folder = store.folder(job)
    if name == PREVIEW:
        return max((folder / RUN / "previews").glob("step-*.png"), default=None)
    path = folder / FILES[name] if name in FILES else None
    return path if path is not None and path.is_file() else None


def job_label(job: Job) -> str:
    """For lists: `dance.mp4 as demo (running)`."""
    return f"{job.title} ({STATES[job.state]})"


def message(text: str, *, bad: bool = True) -> str:
    """A sentence that a screen reader says at once."""
    if not text:
        return ""
    first = text.split(maxsplit=1)[0]
    said = (
        text if "." in first or "/" in first else text[:1].upper() + text[1:]
    )  # a file's name stays as it is
    return f"<p class='message {'bad' if bad else 'good'}' role='alert'>{escape(said)}</p>"


def status_of(store: JobStore, job: Job | None, place: int) -> str:
    """Where a job is: a line, and a bar while it is worked on.

    Args:
        store: Its store.
        job: None: there is none.
        place: How many are before it.
    """
    if job is None:
        return NOTHING
    if job.state == "waiting":
        text = "Waiting: it is next" if place == 0 else f"Waiting: {place} before it"
        return _line(job, text)
    if job.state == "failed":
        return _line(job, "Failed") + message(job.error)
    if job.state == "stopped":
        return _line(job, "Stopped; “Go on” goes on where it was")
    if job.state == "finished":
        return _line(job, "Finished")
    progress = store.read(job, PROGRESS)
    what = str(progress.get("what", "starting"))
    done, total = progress.get("done", 0), progress.get("total")
    if job.state == "stopping":
        text = "Stopping: it keeps what it has"
    elif total:
        left = f", {progress['left']} left" if progress.get("left") else ""
        text = f"{what[:1].upper()}{what[1:]}: {done} of {total}{left}"
    else:
        text = f"{what[:1].upper()}{what[1:]}"
    value = f" value='{done}' max='{total}'" if total else ""
    note = f"<p class='quiet'>{escape(str(progress['note']))}</p>" if progress.get("note") else ""
    return _line(job, text) + f"<progress aria-label='{escape(what)}'{value}></progress>{note}"


def result_of(store: JobStore, job: Job | None) -> str:
    """What there is of a job so far: pictures, videos, numbers, files."""
    if job is None:
        return ""
    facts = store.read(job, FACTS)
    warnings = "".join(message(str(each)) for each in facts.get("warnings", ()))
    parts = _of_training(store, job, facts) if job.kind == "train" else _of_dance(store, job, facts)
    return warnings + "".join(parts)


def result_key(store: JobStore, job: Job | None) -> str:
    """Changes when `result_of` does: a video that plays is not touched for nothing."""
    if job is None:
        return ""
    paths = [file_of(store, job, name) for name in (*FILES, PREVIEW)] + [store.folder(job) / FACTS]
    stamps = [f"{path.name}{path.stat().st_mtime_ns}" for path in paths if path is not None and path.exists()]
    return " ".join([job.id, *stamps])


def _of_dance(store: JobStore, job: Job, facts: Mapping[str, Any]) -> list[str]:
    parts = []
    for name, title in ((COMPARE, "Side by side"), (RESULT, "The video")):
        if address := _address(store, job, name):
            parts.append(
                f"<h3>{title}</h3><video controls playsinline preload='auto' data-name='{name}' "
                f"src='{address}'></video>"
            )
    parts.append(_downloads(store, job, {RESULT: "video", COMPARE: "side by side", FITTED: "numbers"}))
    if address := _address(store, job, SHEET):
        parts.append(
            "<h3>How the dance was fitted</h3>"
            f"<div class='wide'><img class='sheet' src='{address}' alt='Three rows of pictures: the dance with the "
            "poses that were found, the dancer’s own poses, and the dance fitted to the dancer'></div>"
        )
    if facts.get("fitted"):
        rows = "".join(
            f"<tr><th scope='row'>{escape(key)}</th><td>{escape(str(value))}</td></tr>"
            for key, value in facts["fitted"].items()
        )
        name = escape(str(facts.get("normalizer", "")))
        parts.append(
            f"<details><summary>Fitted numbers of the normalizer {name}</summary><table>{rows}</table></details>"
        )
    return parts


def _of_training(store: JobStore, job: Job, facts: Mapping[str, Any]) -> list[str]:
    parts = []
    if facts.get("clip"):
        parts.append(f"<p class='quiet'>{escape(str(facts['clip']))}</p>")
    if address := _address(store, job, PREVIEW):
        parts.append(
            "<h3>Preview: stick figure, painted, filmed</h3>"
            f"<img src='{address}' data-name='{PREVIEW}' alt='Moments of the clip, painted by the dancer so far, "
            "above the filmed ones'>"
        )
    parts.append(_downloads(store, job, {"dancer.safetensors": "dancer"}))
    if address := _address(store, job, "curves.png"):
        parts.append(
            f"<details><summary>Losses</summary><div class='wide'><img src='{address}' alt='Curves of the "
            "losses'></div></details>"
        )
    return parts


def _downloads(store: JobStore, job: Job, names: Mapping[str, str]) -> str:
    links = [
        f"<a class='download' href='{address}&amp;save=1' download>{label}</a>"
        for name, label in names.items()
        if (address := _address(store, job, name))
    ]
    return f"<p class='downloads'>Download: {' '.join(links)}</p>" if links else ""


def _address(store: JobStore, job: Job, name: str) -> str:
    path = file_of(store, job, name)
    return "" if path is None else f"media/{job.id}/{name}?v={path.stat().st_mtime_ns}"


def _line(job: Job, text: str) -> str:
    return f"<p class='status' data-state='{job.state}'><strong>{escape(job.title)}</strong><br>{escape(text)}</p>"
