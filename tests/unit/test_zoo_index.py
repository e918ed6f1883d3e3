"""The index that ships: whole, documented, and unable to lead anywhere else."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest

from dancekit.config import load_recipe
from dancekit.errors import ChecksumError, DancekitError, OfflineError, UnknownName
from dancekit.weights.header import file_sha256, read_header
from dancekit.zoo.entry import packaged_recipe
from dancekit.zoo.index import FILE, Entry, Index, Zoo, read_index, schema_text
from dancekit.zoo.locate import cache_folder, find_here, get_entry, get_file

ROOT = Path(__file__).parents[2]
ZOO = ROOT / "zoo"
INDEX = ZOO / "index.json"
PEOPLE = ZOO / "people"
"""A zoo of its own that the repository has; wheel and sdist have no room for it."""
FOLDERS = [folder for folder in (ZOO, PEOPLE) if folder.exists()]
GOLDEN = ROOT / "tests" / "golden" / "dancers"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("zoo_index_tool", ROOT / "tools" / "zoo_index.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entry_data(**changes: Any) -> dict[str, Any]:
    source = GOLDEN / "format-2.safetensors"
    file = {
        "name": "toy.safetensors", "role": "dancer", "bytes": source.stat().st_size,
        "sha256": file_sha256(source), "sources": ["file:toy.safetensors"],
    }  # fmt: skip
    data = {
        "id": "toy", "kind": "dancer", "title": "A toy.", "licence": {"weights": "CC0-1.0"},
        "subject": "rendered", "files": [file | changes.pop("file", {})],
    }  # fmt: skip
    return {**data, **changes}


def written(folder: Path, *entries: dict[str, Any], **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / FILE).write_text(json.dumps({"schema": 1, "entries": list(entries), **changes}))
    return folder


# ---- what ships ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_file_that_ships_is_the_one_that_the_index_says(tool: ModuleType, folder: Path) -> None:
    weights = ZOO / "weights" if folder == ZOO else folder
    named = {}
    for entry in read_index(folder / FILE).entries:
        for file in entry.files:
            path = tool.file_of(folder, file.sources[0])
            assert path.parent == weights
            assert (path.stat().st_size, file_sha256(path)) == (file.bytes, file.sha256), file.name
            assert file.bytes < 50_000_000
            read_header(path)
            named[path.name] = file.sha256
    shipped = {path.name for path in weights.glob("*.safetensors")}
    assert named.keys() == shipped, "no weights without an entry, no entry without weights"


def test_the_notice_tells_where_the_pose_networks_come_from() -> None:
    networks = [entry for entry in read_index(INDEX).entries if entry.kind == "pose"]
    notice = (ZOO / "weights" / "NOTICE.md").read_text()
    told = dict(re.findall(r"^\| (\S+\.safetensors) \| (\w{64}) \|", notice, re.M))
    assert told == {file.name: file.sha256 for entry in networks for file in entry.files}


@pytest.mark.skipif(PEOPLE not in FOLDERS, reason="in the repository, not in the sdist")
def test_people_of_the_repository_are_a_zoo_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel has no room for them; who has the repository names the folder."""
    ours = {entry.id for entry in read_index(PEOPLE / FILE).entries}
    assert ours and not ours & {entry.id for entry in read_index(INDEX).entries}
    monkeypatch.setenv("DANCEKIT_ZOO", str(PEOPLE))
    zoo = Zoo()
    for identity in ours:
        entry = zoo.entry(identity)
        assert find_here(zoo, entry, entry.main) == ("local", PEOPLE / entry.main.name)


def test_dancers_that_ship_have_numbers_by_a_protocol_that_ships() -> None:
    for entry in (entry for folder in FOLDERS for entry in read_index(folder / FILE).entries):
        if entry.kind != "dancer":
            continue
        assert entry.licence.data and entry.recipe and entry.measured
        assert (ROOT / "recipes" / f"{entry.recipe}.yaml").exists()
        for found in entry.measured:
            name, _, version = found.protocol.partition("@")
            protocol = (ROOT / "protocols" / f"{name}.yaml").read_text()
            assert f"version: {version}" in protocol
            assert found.inputs["dancer"] == entry.main.sha256, "measured with this very file"
            assert {(score.metric, score.region) for score in found.scores} >= {
                ("psnr@1", "mask"),
                ("ssim@1", "mask"),
            }


def test_an_entry_names_the_packaged_recipe_whoever_the_teacher_is() -> None:
    teacher = "losses.distillation.teacher=somebody.safetensors"
    assert packaged_recipe(load_recipe("realtime", [teacher])) == "realtime"
    assert packaged_recipe(load_recipe("realtime", [teacher, "train.steps=7"])) == ""


def test_schema_cards_and_tables_are_those_of_the_index(tool: ModuleType) -> None:
    """`python tools/zoo_index.py` writes them."""
    assert (ZOO / "index.schema.json").read_text() == schema_text()
    for folder in FOLDERS:
        assert (folder / FILE).read_text() == read_index(folder / FILE).to_text()
        found = {path: path.read_text() for path in (folder / "cards").glob("*.md")}
        assert found == tool.cards(folder)
    page = (ROOT / "docs" / "zoo.md").read_text()
    assert page == tool.with_tables(page) or PEOPLE not in FOLDERS
    assert "`demo`" in page and "`blazepose`" in page


def test_the_committed_schema_accepts_and_refuses_what_we_do() -> None:
    schema = json.loads((ZOO / "index.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    for path in (folder / FILE for folder in FOLDERS):
        assert not list(validator.iter_errors(json.loads(path.read_text())))
    assert list(validator.iter_errors({"schema": 1, "entries": [{"id": "x"}]}))


def test_the_network_entries_are_made_from_the_notice(tool: ModuleType) -> None:
    index = read_index(INDEX)
    for entry in tool.network_entries():
        assert entry == next(each for each in index.entries if each.id == entry.id)
        assert all("mediapipe" in file.origin for file in entry.files)


# ---- what an index may not say ---------------------------------------------------------------------------

BAD_SOURCES = [
    "package:../../etc/passwd",
    "package:/etc/passwd",
    "package:zoo/../../x",
    "package:recipes/quick.yaml",
    "package:zoo//x",
    "package:zoo/weights/..",
    "package:zoo/.hidden",
    "package:zoo\\weights\\x",
    "file:../x.safetensors",
    "file:/etc/passwd",
    "file:a/../../x",
    "file:",
    "file:C:\\x",
    "/etc/passwd",
    "x.safetensors",
    "file:///etc/passwd",
    "ftp://example.org/x",
    "http://example.org/x",
    "http://localhost.example.org/x",
    "http://127.0.0.1.example.org/x",
    "http://127.0.0.1@example.org/x",
    "https://user:secret@example.org/x",
    "https:///x",
    "hf:org/name@main/x.safetensors",
    "hf:org/name/x.safetensors",
    f"hf:org/name@{COMMIT[:39]}/x.safetensors",
    f"hf:org/name@{COMMIT.upper()}/x.safetensors",
    f"hf:org/name@{COMMIT}/../x",
    f"hf:../name@{COMMIT}/x",
    f"hf:org/name@{COMMIT}/",
    "package:zoo/weights/x\n",
    "",
]


@pytest.mark.parametrize("source", BAD_SOURCES)
def test_sources_that_lead_elsewhere_are_refused(source: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "z", entry_data(file={"sources": [source]}))
    with pytest.raises(DancekitError, match=r"entries\.0\.files\.0\.sources: .* is no source") as caught:
        Zoo([folder])
    assert str(folder / FILE) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "package:zoo/weights/demo.safetensors",
        "file:toy/toy.safetensors",
        f"hf:org/name@{COMMIT}/sub/x.safetensors",
        "https://example.org:8443/a/b.safetensors?download=1",
        "http://127.0.0.1:8000/x",
    ],
)
def test_good_sources(source: str) -> None:
    Entry.model_validate(entry_data(file={"sources": [source]}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"file": {"name": "../x.safetensors"}}, "name"),
        ({"file": {"name": "/etc/x.safetensors"}}, "name"),
        ({"file": {"name": "..safetensors"}}, "name"),
        ({"file": {"name": "x.pkl"}}, "name"),
        ({"file": {"name": "a\\b.safetensors"}}, "name"),
        ({"file": {"sha256": "abc"}}, "sha256"),
        ({"file": {"bytes": -1}}, "bytes"),
        ({"file": {"bytes": 1 << 41}}, "bytes"),
        ({"file": {"sources": []}}, "sources"),
        (
            {"file": {"sources": ["https://example.org/x", "file:x"]}},
            "not in the order package, file, hf, https",
        ),
        ({"id": "../up"}, "id"),
        ({"id": "UP"}, "id"),
        ({"id": "a/b"}, "id"),
        ({"id": "a.b.c"}, "id"),
        ({"subject": "person"}, "carries a statement of their consent"),
        ({"subject": "person", "consent": "  "}, "carries a statement of their consent"),
        ({"subject": ""}, "subject is person or rendered"),
        ({"file": {"role": "critic"}}, "a dancer has one dancer file"),
        ({"hook": "x"}, "hook"),
    ],
)
def test_bad_entries(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "z", entry_data(**change))
    with pytest.raises(DancekitError, match=words) as caught:
        Zoo([folder])
    assert "\n" not in str(caught.value)


def test_bad_indexes(tmp_path: Path) -> None:
    cases = {
        "no index: it is not JSON": "{",
        "too large for an index": " " * 10_000_001,
        "has schema 2, this version reads 1": '{"schema": 2, "entries": []}',
        "is no index: entries": '{"schema": 1}',
        "not JSON": "[" * 100_000,
        "is no index": "[]",
    }
    for words, text in cases.items():
        (tmp_path / FILE).write_text(text)
        with pytest.raises(DancekitError, match=words):
            Zoo([tmp_path])
    folder = written(tmp_path / "two", entry_data(), entry_data())
    with pytest.raises(DancekitError, match="an id stands twice"):
        Zoo([folder])
    with pytest.raises(DancekitError, match="which is no folder"):
        Zoo([tmp_path / "nowhere"])


def test_an_id_stands_in_one_index_only(tmp_path: Path) -> None:
    folder = written(tmp_path / "z", entry_data(id="demo"))
    with pytest.raises(DancekitError, match=r"the id demo stands in .* and in"):
        Zoo([folder])


def test_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "z", entry_data())
    outside = tmp_path / "outside.safetensors"
    outside.write_bytes((GOLDEN / "format-2.safetensors").read_bytes())
    (folder / "toy.safetensors").symlink_to(outside)
    zoo = Zoo([folder])
    with pytest.raises(DancekitError, match=r"toy\.safetensors leads out of"):
        get_entry(zoo, zoo.entry("toy"))
    (folder / "toy.safetensors").unlink()
    cache = cache_folder(zoo.entry("toy"))
    cache.parent.mkdir(parents=True)
    cache.mkdir()
    (cache / "toy.safetensors").symlink_to(outside)
    with pytest.raises(DancekitError, match="leads out of"):
        get_entry(zoo, zoo.entry("toy"))
    assert outside.exists()


# ---- where files are found -------------------------------------------------------------------------------


def test_packaged_local_cached_remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = "https://example.org/toy.safetensors"
    folder = written(tmp_path / "z", entry_data(file={"sources": ["file:toy.safetensors", address]}))
    monkeypatch.setenv("DANCEKIT_ZOO", str(folder))
    zoo = Zoo()
    assert {entry.id for entry in zoo.entries} == {"anybody", "blazepose", "demo", "face", "hands", "toy"}
    demo = zoo.entry("demo")
    assert find_here(zoo, demo, demo.main) == ("packaged", ROOT / "zoo/weights/demo.safetensors")
    toy = zoo.entry("toy")
    assert find_here(zoo, toy, toy.main) == ("remote", None)
    with pytest.raises(OfflineError, match="DANCEKIT_OFFLINE is set") as caught:
        get_file(zoo, toy, toy.main)
    assert caught.value.exit_code == 5 and address in str(caught.value)
    cached = cache_folder(toy) / "toy.safetensors"
    cached.parent.mkdir(parents=True)
    cached.write_bytes((GOLDEN / "format-2.safetensors").read_bytes())
    assert get_file(zoo, toy, toy.main) == cached
    local = folder / "toy.safetensors"
    local.write_bytes(cached.read_bytes())
    assert get_file(zoo, toy, toy.main) == local, "before the cache"
    with pytest.raises(UnknownName, match="the zoo has no 'dem'; did you mean 'demo'"):
        zoo.entry("dem")


def test_other_folders_are_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = "https://example.org/toy.safetensors"
    index = written(tmp_path / "index", entry_data(file={"sources": [address]}))
    files = tmp_path / "files"
    (files / "toy").mkdir(parents=True)
    data = (GOLDEN / "format-2.safetensors").read_bytes()
    (files / "toy" / "toy.safetensors").write_bytes(data)
    monkeypatch.setenv("DANCEKIT_ZOO", os.pathsep.join([str(index), str(files)]))
    zoo = Zoo()
    assert get_entry(zoo, zoo.entry("toy")) == [files / "toy" / "toy.safetensors"]


def test_a_wrong_file_is_refused_wherever_it_lies(tmp_path: Path) -> None:
    data = bytearray((GOLDEN / "format-2.safetensors").read_bytes())
    data[-1] ^= 1
    folder = written(tmp_path / "z", entry_data(file={"sources": ["file:toy.safetensors"]}))
    zoo = Zoo([folder])
    toy = zoo.entry("toy")
    local = folder / "toy.safetensors"
    local.write_bytes(data)
    with pytest.raises(ChecksumError, match=f"expected {toy.main.sha256}") as caught:
        get_file(zoo, toy, toy.main)
    assert file_sha256(local) in str(caught.value) and local.exists(), "a file of the user's is not deleted"
    local.unlink()
    with pytest.raises(OfflineError, match="no address is known"):
        get_file(zoo, toy, toy.main)
    cached = cache_folder(toy) / "toy.safetensors"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(data)
    with pytest.raises(ChecksumError, match=f"expected {toy.main.sha256}; it was removed"):
        get_file(zoo, toy, toy.main)
    assert not cached.exists()


def test_an_entry_replaces_the_one_of_its_id() -> None:
    index = Index(entries=[])
    for name in ("b", "a", "b"):
        index = index.replaced(Entry.model_validate(entry_data(id=name, title=f"{name}!")))
    assert [entry.id for entry in index.entries] == ["a", "b"]
    assert Index.model_validate(json.loads(index.to_text())) == index
