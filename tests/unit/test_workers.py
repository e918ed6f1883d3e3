"""The suite in several processes: what a crash leaves, which file comes first, what is counted, when it is worth it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import workers
from workers import HEAVY, UNITS, number_of_workers

TESTS = Path(__file__).parents[1]
CONFTEST = """
from conftest_of_the_suite import *
def pytest_collection_modifyitems(items):
    for item in items:
        item.user_properties.append(("parity", item.name if "case" in item.name else ""))
"""
CRASHES = """
import ctypes, pathlib, pytest
@pytest.mark.parametrize("number", range(6))
def test_case(number):
    with pathlib.Path("ran.txt").open("a") as file:
        file.write(f"{number}\\n")
    if number == 2:
        ctypes.string_at(0)
    assert number != 4
"""


def run_suite(folder: Path) -> subprocess.CompletedProcess[str]:
    """pytest with two workers and this suite's hooks, on the tests in a folder."""
    (folder / "conftest_of_the_suite.py").write_text((TESTS / "conftest.py").read_text())
    (folder / "conftest.py").write_text(CONFTEST)
    path = os.pathsep.join(map(str, (TESTS, TESTS / "parity", TESTS / "plugins", folder)))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "OMP_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", "-n", "2", "-p", "no:cacheprovider", "-rA"],
        cwd=folder,
        env={
            **kept,
            "PYTHONPATH": path,
            "DANCEKIT_FIXTURES": str(folder),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_crash_is_a_failure_that_names_the_test_and_the_rest_runs(tmp_path: Path) -> None:
    (tmp_path / "test_crashes.py").write_text(CRASHES)
    (tmp_path / "test_other.py").write_text(
        "import os\ndef test_one_thread():\n    assert os.environ['OMP_NUM_THREADS'] == '1'\n"
    )
    done = run_suite(tmp_path)
    assert done.returncode == 1, done.stdout
    assert "crashed while running 'test_crashes.py::test_case[2]'" in done.stdout
    assert "FAILED test_crashes.py::test_case[4]" in done.stdout
    assert "2 failed, 5 passed" in done.stdout
    assert sorted((tmp_path / "ran.txt").read_text().split()) == list("012345"), "each once, the crash too"
    assert "Segmentation fault" in done.stderr and "test_crashes.py" in done.stderr, (
        "where, from faulthandler"
    )
    assert f"cases in {tmp_path}, 5 ran, 4 passed" in done.stdout, "of all workers, but for what crashed"


def test_long_files_exist_and_come_first() -> None:
    files = {path.name for path in TESTS.rglob("test_*.py")}
    assert set(UNITS) <= files
    assert set(HEAVY) <= files and len(set(HEAVY)) == len(HEAVY)
    given = ["test_a.py", *reversed(HEAVY), "test_b.py", HEAVY[0]]
    items = [SimpleNamespace(path=Path("tests") / name, number=n) for n, name in enumerate(given)]
    workers.longest_first(items)  # type: ignore[arg-type]
    names = [item.path.name for item in items]
    assert names == [HEAVY[0], *HEAVY, "test_a.py", "test_b.py"]
    assert [item.number for item in items if item.path.name == HEAVY[0]] == sorted(
        item.number for item in items if item.path.name == HEAVY[0]
    ), "the order within a file is kept"


@pytest.mark.parametrize(
    ("args", "options", "cores", "expected"),
    [
        ([""], {}, 4, 4),
        ([""], {}, 1, 0),
        ([""], {}, 64, 8),
        (["unit/test_workers.py"], {}, 4, 0),
        (["unit/test_workers.py::test_x", "conftest.py"], {}, 4, 0),
        (["unit/test_workers.py", "cli"], {}, 4, 4),
        ([""], {"keyword": "sticks"}, 4, 0),
        ([""], {"lf": True}, 4, 0),
        ([""], {"usepdb": True}, 4, 0),
        ([""], {"capture": "no"}, 4, 0),
    ],
)
def test_workers_where_they_pay(
    args: list[str], options: dict[str, object], cores: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    option = SimpleNamespace(**{"capture": "fd", "keyword": "", "usepdb": False, **options})
    monkeypatch.setattr(workers, "usable_cores", lambda: cores)
    monkeypatch.setattr(workers, "MEMORY", 1 << 20)
    config = SimpleNamespace(option=option, args=[str(TESTS / name) for name in args])
    assert number_of_workers(config) == expected  # type: ignore[arg-type]
