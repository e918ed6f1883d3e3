"""`dancekit dancefloor`: what it writes and says, and what it says without its extra."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


def test_people_are_rendered_and_verified(cli, tmp_path):
    done = cli(
        *(
            "dancefloor",
            "render",
            "--seed",
            4,
            "--people",
            2,
            "--frames",
            4,
            "--size",
            "64x64",
            "--out",
            "out",
        ),
        "--json",
    )
    assert done.code == 0, done.err
    assert [each["name"] for each in json.loads(done.out)] == ["person_0004", "person_0005"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("person_0004.mp4", "person_0004.npz", "person_0005.mp4", "person_0005.npz")
    ]
    again = cli("dancefloor", "render", "--seed", 4, "--frames", 4, "--size", "64x64", "--out", "out")
    assert again.code == 2 and "exists already" in again.err
    checked = cli("dancefloor", "verify", "out", "--json")
    found = json.loads(checked.out)
    assert [each["frames"] for each in found] == [4, 4]
    assert checked.code == (1 if any(each["problems"] for each in found) else 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--pair", "--crossing"), "--pair goes with neither"),
        (("--motion", "waltz"), "waltz does not exist"),
        (("--quality", "best"), "best does not exist"),
        (("--size", "63x64"), "even"),
        (("--resume", "--force"), "--resume keeps what is there, --force replaces it"),
    ],
)
def test_what_cannot_be_rendered_is_refused(cli, arguments, words):
    done = cli("dancefloor", "render", "--out", "out", *arguments)
    assert done.code == 2 and words in done.err and done.err.count("\n") == 1


def test_recordings_that_are_not_there_are_named(cli):
    done = cli("dancefloor", "benchmark", "--out", "out", "--mocap", "nowhere")
    assert done.code == 2 and "cmu_07_01.npz" in done.err and "procedural" in done.err


def test_a_clip_that_the_benchmark_lacks_is_named(cli):
    done = cli("dancefloor", "benchmark", "--out", "out", "--only", "source_waltz")
    assert done.code == 2 and "source_waltz" in done.err and "target_truth" in done.err


def test_without_numba_the_extra_is_named():
    script = (
        "import sys; sys.modules['numba'] = None\n"
        "from dancekit.cli.app import main\n"
        "sys.exit(main(['dancefloor', 'render', '--out', 'never']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "pip install 'dancekit[dancefloor]'" in done.stderr and done.stdout == ""


def test_help_imports_no_numba():
    script = (
        "import sys\nfrom dancekit.cli.app import main\n"
        "code = main(['dancefloor', 'render', '--help'])\nsys.exit(10 if 'numba' in sys.modules else code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "--crossing" in done.stdout
