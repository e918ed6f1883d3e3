"""Every case is checked by exactly one test; a kind that nobody knows fails."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from cases import CHECKED, FOLDER, Case, checks, find_cases, matching


@pytest.fixture(scope="session")
def checked() -> dict[str, str]:
    """All patterns of all tests in this folder."""
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(file.stem)
    return dict(CHECKED)


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no folder {FOLDER}")
def test_the_folder_holds_cases() -> None:
    assert find_cases()


@pytest.mark.parametrize("case", find_cases(), ids=str)
def test_the_case_has_one_checker(case: Case, checked: dict[str, str]) -> None:
    found = matching(case, checked)
    assert len(found) == 1, (
        f"{case.path} is checked by {[checked[pattern] for pattern in found] or 'no test'}"
    )
    assert case.path.is_file() or (case.path / "meta.json").is_file()


def test_cases_are_folders_and_json_files(tmp_path: Path) -> None:
    (tmp_path / "b_net").mkdir()
    (tmp_path / "a_list.json").write_text("{}")
    (tmp_path / "README.md").write_text("")
    assert [case.name for case in find_cases(tmp_path)] == ["a_list", "b_net"]
    assert find_cases(tmp_path / "absent") == []


def test_an_unknown_kind_has_no_checker(tmp_path: Path, checked: dict[str, str]) -> None:
    assert not matching(Case("edn_telepathy", tmp_path), checked)


def test_two_patterns_for_one_case_are_seen(tmp_path: Path) -> None:
    assert matching(Case("edn_render", tmp_path), ("edn_*", "edn_render")) == ["edn_*", "edn_render"]


def test_a_check_names_itself() -> None:
    @checks("nothing_is_called_so_*")
    def test_of_nothing(case: Case) -> None: ...

    assert CHECKED.pop("nothing_is_called_so_*").endswith("test_of_nothing")
