"""Code blocks of README and documentation, run: page by page, in the order in which they stand."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from doc_blocks import ROOT, Block, blocks, commands, pages

FRAMES = 12
CLIPS = {
    "source": ("dance.mp4", "source.mp4", "idol.mp4"),
    "target": ("me.mp4", "target.mp4", "more.mp4"),
    "truth": ("unseen.mp4", "truth.mp4", "painted.mp4"),
}
"""What the pages call the clips: the first frames of the shipped samples."""
SMALL = {"size": "[64,64]", "generator.ngf": "8", "generator.n_blocks": "1", "train.steps": "2"}
"""What recipes are changed to, those of the reader's (`mine.yaml`, a copy of `quick`) too."""
RUNNABLE = {
    page: found
    for page, found in ((page, blocks(page)) for page in pages())
    if any(block.language in ("bash", "python") and not block.not_run for block in found)
}


@pytest.fixture(scope="module")
def known_poses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for all pages, so that the poses of a clip are found once."""
    return tmp_path_factory.mktemp("poses")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, known_poses: Path) -> Path:
    """A folder with what the pages speak of: clips, `runs/me` and dancers."""
    from dancekit.cli.app import main
    from dancekit.video import VideoWriter, probe, read_frames

    folder = tmp_path_factory.mktemp("world")
    for name, names in CLIPS.items():
        given = ROOT / "zoo" / "samples" / f"{name}.mp4"
        info = probe(given)
        sound = given if info.audio else None
        with VideoWriter(
            folder / names[0], size=info.size, time_base=info.time_base, rate=info.rate, sound_from=sound
        ) as writer:
            for frame in read_frames(given, stop=FRAMES):
                writer.write(frame.rgb, frame.pts)
        for other in names[1:]:
            os.link(folder / names[0], folder / other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DANCEKIT_CACHE", str(known_poses))
        patch.setenv("DANCEKIT_OFFLINE", "1")
        patch.chdir(folder)
        training = ["train", "--target", "me.mp4", "--recipe", "tiny", "train.steps=2", "train.hold_out=0.25"]
        assert main([*training, "--out", "runs/me", "--rendered", "--device", "cpu", "-q"]) == 0
        assert main(["pose", "dance.mp4", "--out", "dance.npz", "--device", "cpu", "-q"]) == 0
    for name in ("me", "ava", "ben"):
        shutil.copy(folder / "runs/me/dancer.safetensors", folder / f"{name}.safetensors")
    return folder


@pytest.fixture
def here(
    world: Path, tmp_path: Path, known_poses: Path, monkeypatch: pytest.MonkeyPatch, _own_world: None
) -> Iterator[Path]:
    """A copy of that folder for one page, as the current one."""
    folder = tmp_path / "here"
    shutil.copytree(world, folder)
    monkeypatch.setenv("DANCEKIT_CACHE", str(known_poses))
    monkeypatch.chdir(folder)
    yield folder


def smaller(words: list[str]) -> list[str]:
    """The call with a recipe and a number of steps that a test can wait for."""
    from dancekit.cli.app import load_command

    name, *rest = words
    flags = {flag for each in getattr(load_command(name), "params", ()) for flag in each.opts}
    if name in ("train", "dance", "estimate"):
        rest = [
            "tiny" if word in ("base", "quick", "standard", "best") else word
            for word in rest
            if word.partition("=")[0] not in SMALL
        ]
        rest = ["train.hold_out=0.25" if word.startswith("train.hold_out=") else word for word in rest]
        rest += [f"{key}={value}" for key, value in SMALL.items()]
        if not any(word.startswith("train.start_from=") for word in rest):
            rest += ["train.start_from=none"]  # nothing of anybody fits networks so small
        if "realtime" in rest:
            rest += ["reference=none"]  # as its teacher here
        if "--recipe" in flags and "--recipe" not in rest:
            rest += ["--recipe", "tiny"]
    if name == "live" and "--source" not in rest:
        rest += ["--source", "dance.mp4"]
    if name == "live" and "--headless" not in rest:
        rest += ["--headless"]
    return [name, *rest, *(["--device", "cpu"] if "--device" in flags else [])]


def make_way(words: list[str]) -> None:
    """Remove what a command is going to write: blocks of a page show one name as a result and as something given."""
    if "--resume" in words:
        return
    if "--out" in words:
        out = Path(words[words.index("--out") + 1])
    elif words[0] == "train":
        out = Path("runs") / Path(words[words.index("--target") + 1]).stem
    else:
        return
    if out.is_dir():
        shutil.rmtree(out)
    out.unlink(missing_ok=True)


def run_block(block: Block) -> None:
    """Run it; every command of a shell block has to end well."""
    from dancekit.cli.app import main

    if block.language == "python":
        exec(compile(block.text, block.place, "exec"), {})  # our own text
        return
    for words in commands(block.text):
        assert words[0] == "dancekit", f"{block.place}: {' '.join(words)} is not run here: mark the block"
        make_way(words[1:])
        assert main(smaller(words[1:])) == 0, f"{block.place}: {' '.join(words)}"


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_shows_works(page: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for block in RUNNABLE[page]:
        if block.file:
            (here / block.file).write_text(block.text, "utf-8")
        elif block.language in ("bash", "python") and not block.not_run:
            run_block(block)
    if page == ROOT / "README.md":  # the library's example, of which there is one
        assert [block.language for block in RUNNABLE[page]].count("python") == 1
        said = capsys.readouterr().out
        assert "(256, 256, 3) (1, 3, 256, 256) ['pix2pixhd', " in said and "'unet']" in said


def test_a_block_that_fails_is_noticed(here: Path) -> None:
    with pytest.raises(AssertionError, match="made up:3"):
        run_block(Block("made up", 3, "bash", "dancekit show nothing.npz", ""))
    with pytest.raises(AssertionError, match="mark the block"):
        run_block(Block("made up", 3, "bash", "python benchmarks/metrics.py", ""))


def test_a_reason_stands_where_a_block_is_not_run() -> None:
    given = [block for page in pages() for block in blocks(page)]
    assert all(len(block.not_run.split()) > 1 for block in given if block.not_run)
    run = [block for block in given if block.language in ("bash", "python") and not block.not_run]
    assert len(run) > len([block for block in given if block.not_run]) / 2
