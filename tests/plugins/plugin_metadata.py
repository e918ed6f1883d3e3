"""Plugins on the path without pip: the metadata that it would write of their entry points."""

from __future__ import annotations

import tomllib
from pathlib import Path


def register(package: Path, into: Path) -> None:
    """Write what tells importlib of a package; its code stays where it is, in `src`.

    Args:
        package: A folder with a pyproject.toml.
        into: A folder that is, or will be, on the path.
    """
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    info = into / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}"]
    lines += [f"Requires-Dist: {each}" for each in project["dependencies"]]
    for extra, needs in project.get("optional-dependencies", {}).items():
        lines += [f"Provides-Extra: {extra}"]
        lines += [f"Requires-Dist: {each}; extra == '{extra}'" for each in needs]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    points = project["entry-points"]["dancekit.plugins"]
    text = "".join(f"{key} = {value}\n" for key, value in points.items())
    (info / "entry_points.txt").write_text(f"[dancekit.plugins]\n{text}")
