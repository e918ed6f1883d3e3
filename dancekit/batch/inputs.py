"""By what a job is known: everything that decides its result, the contents of its inputs among it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from dancekit.batch.manifest import AnyJob, TrainJob
from dancekit.config import load_tree
from dancekit.config.files import is_file_name
from dancekit.errors import RecipeError
from dancekit.weights.header import file_sha256

_NOT_OF_THE_RESULT = {"name", "out", "cpus", "gpus", "retries", "device"}


def job_key(job: AnyJob, folder: Path) -> str:
    """sha256 (hex) of what decides a job's result: its arguments, its resolved recipe, its inputs' contents.

    Neither names of input files nor where and on what it runs are part of it.

    Args:
        job: Its inputs are there.
        folder: Of the manifest.

    Raises:
        RecipeError: Its recipe is wrong.
    """
    facts: dict[str, Any] = job.model_dump(mode="json", exclude=_NOT_OF_THE_RESULT)
    if isinstance(job, TrainJob):
        facts["recipe"] = recipe_of(job, folder)
        del facts["target"], facts["set"]
    else:
        del facts["source"], facts["dancer"]
    facts["inputs"] = [digest(folder / text, text) for text in job.inputs]
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def recipe_of(job: TrainJob, folder: Path) -> dict[str, Any]:
    """The job's recipe with its changes, checked; without what says nothing about the result.

    Raises:
        RecipeError: All that is wrong with it.
    """
    name = folder / job.recipe if is_file_name(job.recipe) else job.recipe
    tree = load_tree(name, job.set)
    return {key: value for key, value in tree.items() if key not in ("summary", "target")}


def digest(path: Path, text: str) -> str:
    """What an input holds: sha256 of a file; of a folder the files' names and sizes; else its name, as of a motion."""
    if path.is_file():
        stat = path.stat()
        return _of_file(path, stat.st_size, stat.st_mtime_ns)
    if path.is_dir():
        files = sorted(
            (str(each.relative_to(path)), each.stat().st_size) for each in path.rglob("*") if each.is_file()
        )
        return hashlib.sha256(json.dumps(files).encode()).hexdigest()
    return text


@cache
def _of_file(path: Path, size: int, changed: int) -> str:
    """One clip is many jobs' input."""
    return file_sha256(path)


def wait_for(jobs: Sequence[AnyJob], folder: Path) -> dict[str, list[str]]:
    """For each job the jobs whose results it reads, by name.

    Raises:
        RecipeError: Some wait for each other in a circle.
    """
    outs = {job.name: (folder / job.out).resolve() for job in jobs}
    found: dict[str, list[str]] = {}
    for job in jobs:
        read = [(folder / text).resolve() for text in job.inputs]
        found[job.name] = [
            name
            for name, out in outs.items()
            if any(each == out or each.is_relative_to(out) for each in read)
        ]
    left = dict(found)
    while ready := [name for name, before in left.items() if not any(each in left for each in before)]:
        for name in ready:
            del left[name]
    if left:
        raise RecipeError([f"jobs that wait for each other's results: {', '.join(left)}"])
    return found
