"""Publishing a dancer: a folder that others can use as a zoo, or a repository of the Hugging Face Hub."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dancekit.critic import critic_path
from dancekit.dancer import DancerInfo, read_info, stored_recipe
from dancekit.data.files import appearing_folder, write_whole
from dancekit.errors import DancekitError, OfflineError, OutputExists, UsageError
from dancekit.weights.fetch import offline
from dancekit.weights.header import file_sha256
from dancekit.weights.quantize import Storage
from dancekit.zoo.card import write_card
from dancekit.zoo.entry import check_statements, entry_of, read_evaluation
from dancekit.zoo.index import FILE, Entry, Index, read_index
from dancekit.zoo.pack import repack

CARD = "README.md"
"""The card's name: what the Hub shows."""

ENTRY = "dancekit.json"
"""The entry beside the files in a Hub repository."""

_HUB = re.compile(r"hf:([A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*)")
_ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9][a-z0-9_]*)?")


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What is to be published.

    Attributes:
        dancer: The dancer file; a critic beside it goes along.
        id: In the index.
        title: One line; the recipe's summary if empty.
        changes: Statements that replace the header's (`dancekit.zoo.pack.STATEMENTS`).
        dtype: Storage of the weights; as it is if None.
        evaluations: What `dancekit evaluate --out` wrote of the dancer.
        pictures: For the card.
        limits: What it cannot do besides what no dancer can.
    """

    dancer: Path
    id: str
    title: str = ""
    changes: Mapping[str, Any]
    dtype: Storage | None = None
    evaluations: Sequence[Path] = ()
    pictures: Sequence[Path] = ()
    limits: str = ""

    def check(self) -> DancerInfo:
        """Refuse what must not be published; returns the header as it will be.

        Raises:
            UsageError: No licence, a person without a statement of their consent, a wrong id, or an evaluation of
            another dancer.
        """
        if not _ID.fullmatch(self.id):
            raise UsageError(
                f"{self.id!r} is no id", hint="small letters, digits and _, such as mira.unet_256: --id ID"
            )
        info = replace(read_info(self.dancer), **self.changes)
        check_statements(info, path=self.dancer)
        digest = file_sha256(self.dancer)
        for evaluation in self.evaluations:
            read_evaluation(evaluation, digest)
        for picture in self.pictures:
            if not picture.is_file():
                raise UsageError(f"there is no picture {picture}", hint="check the path")
        return info


def publish_folder(publication: Publication, folder: Path, *, force: bool = False) -> Entry:
    """Write `folder/<id>/` (files, card, pictures) and the entry into `folder/index.json`.

    `DANCEKIT_ZOO=folder` then makes `--dancer <id>` work for everybody who has the folder.

    Raises:
        OutputExists: The id is there already.
        UsageError: As `Publication.check`.
    """
    publication.check()
    index = read_index(folder / FILE) if (folder / FILE).exists() else Index(entries=[])
    place = folder / publication.id
    if not force:
        if place.exists():
            raise OutputExists(place)
        if any(each.id == publication.id for each in index.entries):
            raise UsageError(
                f"{folder / FILE} has an entry {publication.id} already", hint="--force replaces it"
            )
    with appearing_folder(place) as part:
        entry = _fill(part, publication, sources="file:{id}/{name}")
    write_whole(folder / FILE, index.replaced(entry).to_text())
    return entry


def publish_hub(publication: Publication, repository: str, *, private: bool = False) -> Entry:
    """Upload files and card as one commit; the entry names that commit, so what it means never changes.

    Args:
        publication: What.
        repository: `hf:organization/name`; made if it does not exist.
        private: Make it private.

    Returns:
        The entry, for an index.

    Raises:
        OfflineError: `DANCEKIT_OFFLINE` is set, or there is no connection.
        DancekitError: The Hub refuses.
        UsageError: As `Publication.check`, or no such name of a repository.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError

    name = hub_name(repository)
    publication.check()
    if offline():
        raise OfflineError(f"{repository} cannot be reached: DANCEKIT_OFFLINE is set", hint="--to DIR")
    api = HfApi(endpoint=constants.ENDPOINT, library_name="dancekit")
    with tempfile.TemporaryDirectory(prefix="dancekit-publish-") as temporary:
        folder = Path(temporary) / "upload"
        folder.mkdir()
        entry = _fill(folder, publication, sources="file:{name}")
        write_whole(folder / ENTRY, Index(entries=[entry]).to_text())
        try:
            api.create_repo(name, repo_type="model", private=private, exist_ok=True)
            done = api.upload_folder(
                repo_id=name, folder_path=folder, commit_message=f"{entry.id}, by dancekit zoo publish"
            )
        except (HfHubHTTPError, RuntimeError) as error:  # RuntimeError: an upload among several failed
            first = str(error).strip().partition("\n")[0]
            raise DancekitError(
                f"{repository}: the Hub refuses: {first}", hint="hf auth login, with a token that may write"
            ) from error
        except Exception as error:
            # without a connection: its http client is httpx in one version and requests in another
            if not type(error).__module__.startswith(("httpx", "requests")):
                raise
            raise OfflineError(
                f"{repository} cannot be reached ({type(error).__name__})", hint="go online, or --to DIR"
            ) from error
    if not re.fullmatch(r"[0-9a-f]{40}", done.oid):
        raise DancekitError(f"{repository}: the Hub names no commit ({done.oid!r})")
    files = [
        file.model_copy(update={"sources": [f"hf:{name}@{done.oid}/{file.name}"]}) for file in entry.files
    ]
    return Entry.model_validate(entry.model_copy(update={"files": files}).model_dump())


def hub_name(repository: str) -> str:
    """`org/name` of `hf:org/name`.

    Raises:
        UsageError: It is of another form.
    """
    match = _HUB.fullmatch(repository)
    if match is None:
        raise UsageError(f"--to {repository} is no repository", hint="hf:organization/name")
    return match[1]


def _fill(folder: Path, publication: Publication, *, sources: str) -> Entry:
    """Files, card and pictures of a publication in an empty folder."""
    source, info = publication.dancer, publication.check()
    file = folder / f"{publication.id}.safetensors"
    if info == read_info(source) and publication.dtype in (None, info.storage):
        shutil.copyfile(source, file)  # byte for byte what was evaluated
        if critic_path(source).exists():
            shutil.copyfile(critic_path(source), critic_path(file))
    else:
        repack(source, file, dtype=publication.dtype, changes=publication.changes, title=publication.id)
    entry = entry_of(
        file,
        publication.id,
        title=publication.title,
        evaluations=publication.evaluations,
        evaluated=source,
        sources=sources,
        limits=publication.limits,
    )
    pictures = []
    for number, picture in enumerate(publication.pictures, 1):
        name = f"picture-{number}{picture.suffix.lower()}"
        shutil.copyfile(picture, folder / name)
        pictures.append(name)
    write_whole(folder / CARD, write_card(entry, stored_recipe(file), pictures))
    return entry
