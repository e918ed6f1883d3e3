"""Uploads are kept if they are videos within the limits, and everything is chosen by an id that exists."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dancekit.errors import DancekitError, UnknownName
from dancekit.webapp.clips import Clips, Limits
from dancekit.webapp.dancers import describe, find_choice, list_dancers
from dancekit.webapp.jobs import JobStore


@pytest.fixture
def clips(tmp_path: Path) -> Clips:
    return Clips(tmp_path / "clips", Limits(megabytes=1, minutes=0.1))


def upload(tmp_path: Path, content: bytes | Path) -> Path:
    path = tmp_path / "upload.mp4"
    path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    return path


def test_a_video_is_kept_under_its_own_name(
    clips: Clips, tmp_path: Path, short_clips: dict[str, Path]
) -> None:
    clip = clips.take(upload(tmp_path, short_clips["source"]), "../../C:\\my\x00 <dance>.mov")
    assert clip.title == "my <dance>.mov" and clip.label == "my <dance>.mov, 0:01"
    assert clip.path.is_relative_to(tmp_path / "clips") and clip.path.name == "clip.mp4"
    assert not (tmp_path / "upload.mp4").exists()
    again = Clips(tmp_path / "clips", Limits())
    assert again.dances()[0] == again.targets()[0] == again.find(clip.id) == clip


def test_a_facts_file_cannot_lead_elsewhere(
    clips: Clips, tmp_path: Path, short_clips: dict[str, Path]
) -> None:
    clip = clips.take(upload(tmp_path, short_clips["source"]), "a.mp4")
    facts = clip.path.with_name("clip.json")
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {"path": "../../../secret.mp4"}))
    (tmp_path / "secret.mp4").write_bytes(b"x")
    assert clip.id not in {each.id for each in clips.dances()}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no video"),
        (b"hello", "is no video"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "is no video"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "is no video"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is no video"),
        (b"\x00\x00\x00\x18ftypisom" + bytes(100), "dance.mp4"),
        (b"\x00\x00\x00\x18ftypisom" + bytes(1_000_001), "dance.mp4 has 1 MB, 1 are allowed"),
    ],
)
def test_what_is_no_video_is_refused_and_deleted(
    clips: Clips, tmp_path: Path, content: bytes, said: str
) -> None:
    given = upload(tmp_path, content)
    with pytest.raises(DancekitError) as error:
        clips.take(given, "dance.mp4")
    assert said in str(error.value) and str(tmp_path) not in str(error.value)
    assert not given.exists() and not list((tmp_path / "clips").iterdir())


def test_a_long_video_is_refused(clips: Clips, tmp_path: Path, root: Path) -> None:
    with pytest.raises(DancekitError, match=r"a\.mp4 is 0:08 long, 0:06 are allowed"):
        clips.take(upload(tmp_path, root / "zoo/samples/source.mp4"), "a.mp4")


def test_an_id_is_compared_never_opened(clips: Clips) -> None:
    assert clips.find("sample").path.name == "source.mp4"
    assert clips.find("motion:pop_116").path.suffix == ".npz"
    for identity in ("/etc/passwd", "../clips", "motion:../../etc", "", None):
        with pytest.raises(UnknownName):
            clips.find(identity)


def test_dancers_are_those_that_are_here(tmp_path: Path, root: Path) -> None:
    store = JobStore(tmp_path / "jobs")
    own, run = tmp_path / "own", tmp_path / "own" / "me"
    run.mkdir(parents=True)
    demo = root / "zoo/weights/demo.safetensors"
    shutil.copy(demo, own / "ava.safetensors")
    shutil.copy(demo, run / "dancer.safetensors")
    shutil.copy(root / "zoo/weights/hand_lite.safetensors", own / "hand.safetensors")
    (own / "broken.safetensors").write_bytes(b"no")
    job = store.add("train", "Mia", {})
    (store.folder(job) / "run").mkdir()
    shutil.copy(demo, store.folder(job) / "run" / "dancer.safetensors")
    found = list_dancers(own, store)
    assert [each.label for each in found[:3]] == ["Mia (trained here)", "ava (own)", "me (own)"]
    assert [each.id for each in found if each.id.startswith("zoo:")] == ["zoo:demo"]
    assert all(str(tmp_path) not in each.id + each.label for each in found)
    assert find_choice(found[1].id, found).path == own / "ava.safetensors"
    assert describe(found[1]).startswith("256x256 pixels · ")
    for identity in (str(own / "ava.safetensors"), "zoo:../x", None):
        with pytest.raises(UnknownName):
            find_choice(identity, found)
    assert [each.id for each in list_dancers(None, JobStore(tmp_path / "no"))] == ["zoo:demo"]
