"""The index entry of a dancer: from its header, its files, and the evaluations that were made of it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from dancekit.config import Recipe, load_recipe, recipe_names
from dancekit.critic import critic_path
from dancekit.dancer import DancerInfo, read_info
from dancekit.errors import DancekitError, UsageError
from dancekit.weights.header import file_sha256
from dancekit.zoo.index import Entry, Licences, Measured, Score, ZooFile

SPDX = re.compile(r"(LicenseRef-)?[A-Za-z0-9][A-Za-z0-9.+-]*( (AND|OR|WITH) [A-Za-z0-9.+-]+)*")

LIMITS = (
    "It paints one person, in the clothes, light and room of its training clip, at one size and from one camera. "
    "Poses far from what was filmed are painted badly; `dancekit transfer` says which frames those are."
)
"""What holds for every dancer."""


def check_statements(info: DancerInfo, *, path: Path) -> Literal["person", "rendered"]:
    """Whether a dancer may be published: who is shown, with whose consent, under which licence.

    Nobody needs to consent where nobody real is shown: that is declared (`dancekit train --rendered`, or when
    publishing). Whatever is not declared to be rendered counts as a person.

    Returns:
        The subject.

    Raises:
        UsageError: A statement is missing or is none.
    """
    if not info.licence:
        raise UsageError(f"{path} says no licence", hint="--licence SPDX, such as CC-BY-4.0")
    for what, licence in (("licence", info.licence), ("data licence", info.data_licence)):
        if licence and not SPDX.fullmatch(licence):
            raise UsageError(
                f"{what} {licence!r} is no SPDX identifier",
                hint="such as Apache-2.0, CC-BY-4.0 or LicenseRef-mine",
            )
    if info.subject == "rendered":
        return "rendered"
    if len(info.consent.split()) < 3:  # "yes" is no statement
        said = f"says only {info.consent!r} of" if info.consent else "says nothing of"
        raise UsageError(
            f"{path} shows a person and {said} their consent: it is not published",
            hint="--consent 'what they agreed to, in words', or --rendered if nobody real is shown",
        )
    return "person"


def entry_of(
    dancer: Path,
    identity: str,
    *,
    info: DancerInfo | None = None,
    title: str = "",
    evaluations: Sequence[Path] = (),
    evaluated: Path | None = None,
    sources: str = "file:{id}/{name}",
    limits: str = "",
) -> Entry:
    """The entry of a dancer file, and of the critic beside it.

    Args:
        dancer: The file.
        identity: Its id.
        info: Statements to use instead of the header's.
        title: One line; the recipe's summary if empty.
        evaluations: Folders or files that `dancekit evaluate --out` wrote.
        evaluated: The file they were made with, if that is not `dancer` itself.
        sources: Where its files will be, with `{id}` and `{name}`.
        limits: What it cannot do besides what no dancer can.

    Raises:
        UsageError: A statement is missing, or an evaluation is another dancer's.
    """
    info = info or read_info(dancer)
    subject = check_statements(info, path=dancer)
    digest = file_sha256(evaluated or dancer)
    names: list[tuple[Path, str, Literal["dancer", "critic"]]] = [
        (dancer, f"{identity}.safetensors", "dancer")
    ]
    if critic_path(dancer).exists():
        names.append((critic_path(dancer), f"{identity}.critic.safetensors", "critic"))
    files = [
        ZooFile(
            name=name,
            role=role,
            bytes=path.stat().st_size,
            sha256=file_sha256(path),
            sources=[sources.format(id=identity, name=name)],
        )
        for path, name, role in names
    ]
    return Entry(
        id=identity,
        kind="dancer",
        title=title or info.recipe.summary,
        files=files,
        licence=Licences(weights=info.licence, data=info.data_licence),
        subject=subject,
        consent=info.consent,
        recipe=packaged_recipe(info.recipe),
        training={"recipe_sha256": info.recipe.hash, **info.training},
        measured=[read_evaluation(path, digest) for path in evaluations],
        use="`dancekit transfer dance.mp4 --dancer " + identity + "`",
        limits=" ".join(each for each in (LIMITS, limits) if each),
    )


def packaged_recipe(recipe: Recipe) -> str:
    """The name of the packaged recipe that trains the same; "" if it is one of the publisher's own.

    A teacher does not count: no packaged recipe names one.
    """
    wanted = _untaught(recipe).hash
    for name in recipe_names():
        if _untaught(load_recipe(name)).hash == wanted:
            return name
    return ""


def _untaught(recipe: Recipe) -> Recipe:
    losses = [
        term.model_copy(update={"params": {**term.params, "teacher": ""}})
        if term.name == "distillation"
        else term
        for term in recipe.losses
    ]
    return recipe.model_copy(update={"losses": losses})


def read_evaluation(path: Path, dancer_sha256: str) -> Measured:
    """What `dancekit evaluate --out` found of a dancer.

    Raises:
        UsageError: It is none, or of another dancer.
    """
    file = path / "evaluation.json" if path.is_dir() else path
    try:
        data: dict[str, Any] = json.loads(file.read_text())
        found = data["inputs"].get("dancer", {}).get("sha256", "")
        protocol, facts = data["protocol"], data["environment"]
        measured = Measured(
            protocol=f"{protocol['name']}@{protocol['version']}",
            command=facts["command"],
            commit=facts["commit"] or "",
            machine=f"{facts['processor']}, {facts['device']}",
            inputs={role: each["sha256"] for role, each in data["inputs"].items()},
            frames=data["frames"],
            size=data["size"],
            scores=[
                Score(**{key: score[key] for key in Score.model_fields})
                for score in data["variants"][0]["scores"]
                if score["value"] is not None
            ],
        )
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise DancekitError(
            f"{file} is no evaluation: {type(error).__name__}: {str(error).splitlines()[0]}",
            hint="dancekit evaluate ... --out DIR writes one",
        ) from None
    if found != dancer_sha256:
        raise UsageError(
            f"{file} was measured with another dancer (sha256 {found or 'unknown'}, this one has {dancer_sha256})",
            hint="measure this one: dancekit evaluate DANCER CLIP --out DIR",
        )
    return measured
