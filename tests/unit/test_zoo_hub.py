"""Publishing to the Hugging Face Hub, and fetching from it, against a server on loopback."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import TOKEN, Hub, running_hub

from dancekit.errors import DancekitError, OfflineError, UsageError
from dancekit.weights.header import file_sha256
from dancekit.zoo.index import Entry, Index, Zoo
from dancekit.zoo.locate import cache_folder, get_entry
from dancekit.zoo.publish import Publication, publish_hub

# the Hub's library still calls its http client the old way
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

GOLDEN = Path(__file__).parents[1] / "golden" / "dancers"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    monkeypatch.delenv("DANCEKIT_OFFLINE")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with running_hub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.base)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.base + "/{repo_id}/resolve/{revision}/{filename}"
        )
        yield server


def publication(**changes: object) -> Publication:
    given = {"dancer": GOLDEN / "format-2.safetensors", "id": "toy.unet_64", "changes": {}}
    return Publication(**{**given, **changes})  # type: ignore[arg-type]


def zoo_with(entry: Entry, folder: Path) -> Zoo:
    folder.mkdir()
    (folder / "index.json").write_text(Index(entries=[entry]).to_text())
    return Zoo([folder])


def test_published_and_fetched_again(hub: Hub, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"picture")
    entry = publish_hub(publication(pictures=[picture]), "hf:somebody/toy")
    assert hub.created == ["somebody/toy"]
    ((commit, files),) = hub.commits.items()
    assert files.keys() == {
        "README.md", "dancekit.json", "picture-1.png", "toy.unet_64.safetensors", "toy.unet_64.critic.safetensors",
    }  # fmt: skip
    assert files["toy.unet_64.safetensors"] == (GOLDEN / "format-2.safetensors").read_bytes()
    card = files["README.md"].decode()
    assert card.startswith("---\nlicense: cc0-1.0\nlibrary_name: dancekit\n")
    assert "![toy.unet_64](picture-1.png)" in card and file_sha256(GOLDEN / "format-2.safetensors") in card
    assert json.loads(files["dancekit.json"])["entries"][0]["id"] == "toy.unet_64"
    assert [file.sources for file in entry.files] == [
        [f"hf:somebody/toy@{commit}/{file.name}"] for file in entry.files
    ]

    zoo = zoo_with(entry, tmp_path / "zoo")
    hub.asked.clear()
    paths = get_entry(zoo, entry)
    assert [path.parent for path in paths] == [cache_folder(entry)] * 2
    assert paths[0].read_bytes() == files["toy.unet_64.safetensors"]
    assert hub.asked == [f"GET /somebody/toy/resolve/{commit}/{file.name}" for file in entry.files]
    from dancekit.transfer import Dancer

    assert Dancer.load(paths[0], device="cpu").info.licence == "CC0-1.0"
    hub.asked.clear()
    assert get_entry(zoo, entry) == paths
    assert hub.asked == [], "what is here is not asked for"


def test_a_file_that_the_hub_changed_is_refused(hub: Hub, tmp_path: Path) -> None:
    from dancekit.errors import ChecksumError

    entry = publish_hub(publication(), "hf:somebody/toy")
    (files,) = hub.commits.values()
    good = files["toy.unet_64.safetensors"]
    files["toy.unet_64.safetensors"] = good[:-1] + bytes([good[-1] ^ 1])
    with pytest.raises(ChecksumError, match=f"expected {entry.main.sha256}; it was removed"):
        get_entry(zoo_with(entry, tmp_path / "zoo"), entry)
    assert not [path for path in cache_folder(entry).iterdir() if path.suffix != ".lock"]


def test_without_a_token_or_a_connection(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    hub.refuse = True
    with pytest.raises(DancekitError, match=re.escape("hf:somebody/toy: the Hub refuses: ")) as caught:
        publish_hub(publication(), "hf:somebody/toy")
    assert "hf auth login" in str(caught.value) and "\n" not in str(caught.value)
    monkeypatch.setenv("DANCEKIT_OFFLINE", "1")
    hub.asked.clear()
    with pytest.raises(OfflineError, match="DANCEKIT_OFFLINE is set"):
        publish_hub(publication(), "hf:somebody/toy")
    monkeypatch.delenv("DANCEKIT_OFFLINE")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # where nobody listens
    with pytest.raises(OfflineError, match="cannot be reached"):
        publish_hub(publication(), "hf:somebody/toy")
    assert hub.asked == [] and hub.commits == {}


@pytest.mark.parametrize("name", ["hf:alone", "hf:a/b/c", "hf:../x", "hf:a/b@main", "hf:"])
def test_names_that_are_no_repository(hub: Hub, name: str) -> None:
    with pytest.raises(UsageError, match="is no repository"):
        publish_hub(publication(), name)
    assert hub.asked == []


def test_a_person_without_consent_never_leaves(hub: Hub) -> None:
    with pytest.raises(UsageError, match="shows a person and says nothing of their consent"):
        publish_hub(publication(changes={"subject": "person"}), "hf:somebody/toy")
    assert hub.asked == []
