"""What a recipe needs: every weight file with its sha256 and licence, so that a run can be repeated and audited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dancekit import __version__
from dancekit.config import Recipe
from dancekit.errors import DancekitError
from dancekit.licences import Needed, licence_group, needed_weights
from dancekit.weights.header import file_sha256
from dancekit.zoo.dancers import find_dancer
from dancekit.zoo.index import Zoo


def lock_recipe(recipe: Recipe, *, name: str = "") -> dict[str, Any]:
    """Every weight file that a recipe needs, as plain data.

    A file that ships has its digest from the index, one of the user's is hashed, and one that would be fetched has
    the digest that the fetch checks; where nobody knows it, it is null.

    Raises:
        DancekitError: A local file is missing.
    """
    listed = [file for entry in Zoo().entries for file in entry.files]
    digests = {source: file.sha256 for file in listed for source in file.sources}
    sources = {file.sha256: list(file.sources) for file in listed}
    files: dict[str, dict[str, Any]] = {}
    for needed in needed_weights(recipe, find=find_dancer):
        digest = _digest(needed, digests)
        # where this machine has a file of the zoo is no other machine's business
        places = sources.get(digest or "", list(needed.file.sources))
        row = files.setdefault(
            places[0],
            {
                "name": needed.file.name,
                "sha256": digest,
                "licence": needed.file.licence,
                "sources": places,
                "needed_by": [],
            },
        )
        row["needed_by"].append(f"{needed.place}: {needed.component}")
    return {
        "lock": 1,
        "recipe": name,
        "recipe_sha256": recipe.hash,
        "dancekit": __version__,
        "files": [files[key] for key in sorted(files)],
    }


def _digest(needed: Needed, shipped: dict[str, str]) -> str | None:
    source = needed.file.sources[0]
    if source in shipped:
        return shipped[source]
    if needed.file.is_local:
        path = Path(source)
        if not path.is_file():
            raise DancekitError(f"{needed.place}: there is no file {path}", hint="check the path")
        found = file_sha256(path)
        if needed.file.sha256 and found != needed.file.sha256.lower():
            raise DancekitError(
                f"{needed.place}: {path} has sha256 {found}, the recipe expects {needed.file.sha256}"
            )
        return found
    return needed.file.sha256


def licence_rows(recipe: Recipe) -> list[dict[str, Any]]:
    """Every needed file with its licence, the licence's group, and whether the recipe's policy allows it."""
    allowed = recipe.policy.allow_licences
    rows = []
    for needed in needed_weights(recipe, find=find_dancer):
        said = needed.file.licence
        group = licence_group(said) if said else "unknown"
        rows.append(
            {
                "place": needed.place,
                "component": needed.component,
                "file": needed.file.name,
                "licence": said,
                "group": group,
                "allowed": group in allowed or (not said and needed.file.is_local),
            }
        )
    return rows
