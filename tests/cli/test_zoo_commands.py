"""`dancekit zoo`: look, fetch, verify, lock, publish; what each prints, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import pytest
from cli_tools import Cli, left_in

from dancekit.critic import critic_path, read_critic
from dancekit.dancer import read_info
from dancekit.weights.header import file_sha256

GOLDEN = Path(__file__).parents[1] / "golden" / "dancers"
CONSENT = "I film myself and agree to every use."


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A dancer file with its critic, as somebody would have it."""
    for path in GOLDEN.glob("format-2.*safetensors"):
        shutil.copy(path, tmp_path / path.name.replace("format-2", "toy"))
    return tmp_path / "toy.safetensors"


@pytest.fixture
def person(toy: Path, tmp_path: Path) -> Path:
    """A dancer of which nobody said anything: of format 1."""
    return Path(shutil.copy(GOLDEN / "format-1.safetensors", tmp_path / "me.safetensors"))


def test_ls_and_show(cli: Cli) -> None:
    listed = cli("zoo", "ls")
    assert listed.code == 0
    assert [line.split()[0] for line in listed.out.splitlines()[1:]] == [
        "anybody",
        "blazepose",
        "demo",
        "face",
        "hands",
    ]
    rows = json.loads(cli("zoo", "ls", "--json").out)
    assert all(row["here"] == "packaged" for row in rows)
    shown = cli("zoo", "show", "demo")
    assert (
        shown.code == 0 and "Apache-2.0" in shown.out and "paired@1" in shown.out and "rendered" in shown.out
    )
    facts = json.loads(cli("zoo", "show", "demo", "--json").out)
    assert facts["files"][0]["sha256"] in shown.out
    assert facts["here"]["demo.safetensors"]["place"] == "packaged"
    wrong = cli("zoo", "show", "dmeo")
    assert wrong.code == 2 and "did you mean 'demo'?" in wrong.err


def test_get_and_verify(cli: Cli, root: Path) -> None:
    got = cli("zoo", "get", "demo", "face")
    assert got.code == 0
    assert [Path(line).name for line in got.out.splitlines()] == [
        "demo.safetensors", "face_detector.safetensors", "face_mesh.safetensors",
    ]  # fmt: skip
    assert json.loads(cli("zoo", "get", "demo", "--json").out) == {
        "demo": [str(root / "zoo/weights/demo.safetensors")]
    }
    assert cli("zoo", "get", "demo", "nope").code == 2
    rows = json.loads(cli("zoo", "verify", "--json").out)
    assert len(rows) == 11 and all(row["state"] == "ok" for row in rows)


def test_lock_licences_and_verify_of_a_lock(cli: Cli, tmp_path: Path) -> None:
    locked = json.loads(cli("zoo", "lock", "quick").out)
    assert [file["name"] for file in locked["files"]] == [
        "anybody.critic.safetensors",
        "anybody.safetensors",
        "blazepose_detector.safetensors",
        "blazepose_full.safetensors",
    ]
    assert all(len(file["sha256"]) == 64 for file in locked["files"])
    assert json.loads(cli("zoo", "lock", "quick", "--json").out) == locked
    assert cli("zoo", "lock", "quick", "--out", "quick.lock.json").out.strip() == "quick.lock.json"
    assert cli("zoo", "lock", "quick", "--out", "quick.lock.json").code == 2
    assert json.loads(Path("quick.lock.json").read_text()) == locked
    assert cli("zoo", "verify", "quick.lock.json").code == 0
    locked["files"][0]["sha256"] = "0" * 64
    Path("quick.lock.json").write_text(json.dumps(locked))
    wrong = cli("zoo", "verify", "quick.lock.json")
    assert wrong.code == 4 and f"expected {'0' * 64}" in wrong.err
    remote = cli("zoo", "lock", "quick", "pose=rtmlib", "--out", "r.json")
    assert remote.code == 0
    missing = cli("zoo", "verify", "r.json")
    assert missing.code == 1 and "not on this machine: " in missing.err and "rtmw" in missing.err

    allowed = cli("zoo", "licences", "quick", "losses=[lsgan, {name: perceptual}]")
    assert allowed.code == 0 and "BSD-3-Clause" in allowed.out
    refused = cli("zoo", "licences", "quick", "policy.allow_licences=[copyleft]")
    assert refused.code == 4
    assert refused.err.strip() == (
        "error: pose: the weights blazepose_detector.safetensors are under Apache-2.0 (permissive) "
        "(policy.allow_licences allows copyleft)"
    )
    rows = json.loads(cli("zoo", "licences", "quick", "policy.allow_licences=[copyleft]", "--json").out)
    assert [row["allowed"] for row in rows] == 4 * [False]


def test_a_policy_is_enforced_before_training(cli: Cli, clips: tuple[Path, Path]) -> None:
    refused = cli(
        "train", "--target", clips[1], "--recipe", "tiny", "--out", "run", "policy.allow_licences=[copyleft]"
    )
    assert refused.code == 4 and "Apache-2.0 (permissive)" in refused.err
    assert left_in(Path()) == []


def test_publish_to_a_folder_and_use_it(
    cli: Cli, toy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = cli(
        "zoo",
        "publish",
        toy,
        "--to",
        "shelf",
        "--id",
        "mira.toy_64",
        "--limits",
        "It is a toy.",
        "--device",
        "cpu",
    )
    assert done.code == 0, done.err
    files = ["README.md", "mira.toy_64.critic.safetensors", "mira.toy_64.safetensors", "picture-1.png"]
    assert left_in(Path("shelf")) == ["index.json", "mira.toy_64", *(f"mira.toy_64/{name}" for name in files)]
    assert done.out.split() == [f"shelf/mira.toy_64/{name}" for name in files] + ["shelf/index.json"]
    published = Path("shelf/mira.toy_64/mira.toy_64.safetensors")
    assert published.read_bytes() == toy.read_bytes(), "what was said already is not written again"
    assert read_critic(published)
    card = Path("shelf/mira.toy_64/README.md").read_text()
    for words in (
        "license: cc0-1.0",
        "Nobody real",
        file_sha256(toy),
        "It is a toy.",
        "![mira.toy_64](picture-1.png)",
    ):
        assert words in card
    again = cli("zoo", "publish", toy, "--to", "shelf", "--id", "mira.toy_64", "--device", "cpu")
    assert again.code == 2 and "exists already" in again.err
    assert (
        cli("zoo", "publish", toy, "--to", "shelf", "--id", "mira.toy_64", "--force", "--device", "cpu").code
        == 0
    )

    monkeypatch.setenv("DANCEKIT_ZOO", "shelf")
    assert "mira.toy_64" in cli("zoo", "ls").out
    assert cli("zoo", "verify", "mira.toy_64").code == 0
    poses = tmp_path / "dance.npz"
    from dancekit.dancer import read_target

    read_target(toy, read_info(toy)).save(poses)
    painted = cli(
        "transfer",
        poses,
        "--dancer",
        "mira.toy_64",
        "--out",
        "out.mp4",
        "--device",
        "cpu",
        "normalizer=identity",
    )
    assert painted.code == 0, painted.err
    facts = json.loads(Path("out.json").read_text())
    said = facts["provenance"]
    assert said["synthetic"] is True and said["dropped_frames"] == 0
    assert said["model"]["sha256"] == file_sha256(toy) and said["model"]["licence"] == "CC0-1.0"
    assert said["post_processing"]["retargeting"] == "identity"
    with av.open("out.mp4") as video:
        comment = video.metadata["comment"]
    assert comment.startswith("synthetic video") and file_sha256(toy) in comment
    assert "trainedAlgorithmicMedia" in comment
    published.write_bytes(published.read_bytes()[:-1] + b"x")
    spoiled = cli("transfer", poses, "--dancer", "mira.toy_64", "--out", "b.mp4")
    assert spoiled.code == 4 and f"expected {file_sha256(toy)}" in spoiled.err and not Path("b.mp4").exists()
    assert cli("zoo", "verify").code == 4


def test_a_person_without_consent_is_not_published(cli: Cli, person: Path) -> None:
    before = left_in(Path())
    for more in ((), ("--consent", "yes"), ("--consent", "   ")):
        refused = cli("zoo", "publish", person, "--to", "shelf", *more)
        assert refused.code == 2
        assert "shows a person and says" in refused.err and "not published" in refused.err
    assert cli("zoo", "card", person).code == 2
    both = cli("zoo", "publish", person, "--to", "shelf", "--rendered", "--consent", CONSENT)
    assert both.code == 2 and "contradict" in both.err
    assert left_in(Path()) == before

    done = cli(
        "zoo", "publish", person, "--to", "shelf", "--consent", CONSENT, "--dtype", "int8", "--device", "cpu"
    )
    assert done.code == 0, done.err
    info = read_info("shelf/me/me.safetensors")
    assert (info.consent, info.subject, info.storage, info.format) == (CONSENT, "person", "int8", 2)
    assert info.training["packed_from"] == file_sha256(person)
    assert CONSENT in Path("shelf/me/README.md").read_text()


def test_a_dancer_without_a_licence_is_not_published(cli: Cli, tmp_path: Path, run_folder: Path) -> None:
    refused = cli("zoo", "publish", run_folder, "--to", "shelf", "--rendered")
    assert refused.code == 2 and "says no licence" in refused.err
    refused = cli(
        "zoo", "publish", run_folder, "--to", "shelf", "--rendered", "--licence", "do what you like!"
    )
    assert refused.code == 2 and "no SPDX identifier" in refused.err
    assert not Path("shelf").exists()
    card = cli("zoo", "card", run_folder, "--rendered", "--licence", "CC-BY-4.0", "--data-licence", "CC0-1.0")
    assert card.code == 0
    assert (
        "license: cc-by-4.0" in card.out
        and "training clip: CC0-1.0" in card.out
        and "- steps: `3`" in card.out
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("zoo", "publish", "toy.safetensors"), "where to is missing"),
        (("zoo", "publish", "toy.safetensors", "--to", "hf:x"), "is no repository"),
        (("zoo", "publish", "toy.safetensors", "--to", "toy.safetensors"), "is a file"),
        (("zoo", "publish", "toy.safetensors", "--to", "d", "--private"), "are for hf:ORG/NAME"),
        (("zoo", "publish", "toy.safetensors", "--to", "d", "--id", "../x"), "is no id"),
        (
            ("zoo", "publish", "toy.safetensors", "--to", "d", "--dtype", "int4"),
            "--dtype int4 does not exist",
        ),
        (("zoo", "publish", "nope.safetensors", "--to", "d"), "nope.safetensors does not exist"),
        (("zoo", "publish", "toy.safetensors", "--to", "d", "--evaluation", "nope"), "cannot be read"),
        (("zoo", "pack", "toy.safetensors", "--dtype", "fp8"), "--dtype fp8 does not exist"),
        (("zoo", "pack", "blazepose"), "is no dancer"),
        (("zoo", "lock", "nope"), "there is no recipe"),
        (("zoo", "verify", "nope.json"), "there is no file nope.json"),
        (("transfer", "a.npz", "--dancer", "dmeo"), "did you mean 'demo'?"),
        (("evaluate", "demo"), "the clip is missing"),
        (("evaluate", "dmeo", "toy.safetensors"), "dmeo does not exist"),
    ],
)
def test_mistakes_are_one_line(cli: Cli, toy: Path, arguments: tuple[str, ...], words: str) -> None:
    before = left_in(Path())
    found = cli(*arguments)
    assert found.code == 2 and words in found.err
    assert found.err.count("\n") == 1 and not found.out
    assert left_in(Path()) == before


def test_an_evaluation_of_another_dancer_is_refused(cli: Cli, toy: Path) -> None:
    score = {
        "metric": "psnr@1", "region": "mask", "value": 20.0, "low": 19.0, "high": 21.0, "unit": "dB",
        "higher_is_better": True, "frames": 9, "per_frame": [], "why": "",
    }  # fmt: skip
    data = {
        "inputs": {"dancer": {"name": "x", "sha256": file_sha256(toy)}},
        "protocol": {"name": "self", "version": 1}, "frames": 9, "size": [64, 64],
        "environment": {"command": "dancekit evaluate", "commit": "abc", "processor": "p", "device": "cpu"},
        "variants": [{"scores": [score, {**score, "metric": "lpips@1", "value": None}]}],
    }  # fmt: skip
    folder = Path("evaluation")
    folder.mkdir()
    (folder / "evaluation.json").write_text(json.dumps(data))
    good = cli("zoo", "card", toy, "--evaluation", folder)
    assert good.code == 0 and "| psnr@1 (dB, higher is better) | mask | 20 | [19, 21] |" in good.out
    assert "lpips" not in good.out
    data["inputs"]["dancer"]["sha256"] = "0" * 64
    (folder / "evaluation.json").write_text(json.dumps(data))
    refused = cli("zoo", "publish", toy, "--to", "shelf", "--evaluation", folder, "--device", "cpu")
    assert refused.code == 2 and "was measured with another dancer" in refused.err
    assert not Path("shelf").exists()
    (folder / "evaluation.json").write_text("{}")
    assert left_in(Path()) == [
        "evaluation",
        "evaluation/evaluation.json",
        "toy.critic.safetensors",
        "toy.safetensors",
    ]
    assert "is no evaluation: KeyError" in cli("zoo", "card", toy, "--evaluation", folder).err


def test_the_card_of_an_entry_is_the_committed_one(cli: Cli, root: Path) -> None:
    for name in ("demo", "hands"):
        assert cli("zoo", "card", name).out == (root / "zoo" / "cards" / f"{name}.md").read_text()
    assert cli("zoo", "card", "demo", "--out", "card.md").code == 0
    assert cli("zoo", "card", "demo", "--out", "card.md").code == 2


def test_pack(cli: Cli, toy: Path) -> None:
    done = json.loads(cli("zoo", "pack", toy, "--json").out)
    assert done["out"] == "toy-int8.safetensors" and done["critic"] == "toy-int8.critic.safetensors"
    assert done["sha256"] == file_sha256(done["out"]) and done["bytes"] < done["bytes_before"]
    assert read_info(done["out"]).storage == "int8" and read_critic(done["out"])
    assert cli("zoo", "pack", toy).code == 2
    assert cli("zoo", "pack", toy, "--force").code == 0


def test_training_writes_the_critic_and_a_warm_start_takes_it(
    cli: Cli, clips: tuple[Path, Path], run_folder: Path, cached: None, tmp_path: Path
) -> None:
    dancer = run_folder / "dancer.safetensors"
    judges = read_critic(dancer)
    assert {name.partition(".")[0] for name in judges} == {"discriminator", "face_discriminator"}
    given = Path(shutil.copy(dancer, tmp_path / "warm.safetensors"))
    shutil.copy(critic_path(dancer), critic_path(given))
    tiny = ("--recipe", "tiny", "--device", "cpu", "train.steps=1", "train.optimizer.lr_discriminator=1e-12")
    done = cli(
        "train",
        "--target",
        clips[1],
        *tiny,
        "train.start_from=warm.safetensors",
        "--out",
        "run",
        "--rendered",
    )
    assert done.code == 0, done.err
    info = read_info("run/dancer.safetensors")
    assert info.subject == "rendered"
    import torch

    after = read_critic("run/dancer.safetensors")
    assert all(torch.allclose(after[name], value, atol=1e-4) for name, value in judges.items())
    critic_path(given).write_bytes(critic_path(given).read_bytes()[:-9])
    broken = cli("train", "--target", clips[1], *tiny, "train.start_from=warm.safetensors", "--out", "run2")
    assert broken.code == 1 and "critic.safetensors is cut off" in broken.err and not Path("run2").exists()
