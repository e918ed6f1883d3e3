"""Skips parity tests where the fixtures are absent, and counts the cases that ran."""

from __future__ import annotations

import pytest
from cases import FOLDER, Case, find_cases

RAN: dict[str, str] = {}
"""Outcome by case."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """No fixtures: every check is skipped. Fixtures, but none of a kind: there is nothing to run."""
    checks = [item for item in items if item.get_closest_marker("parity")]
    if not FOLDER.is_dir():
        for item in checks:
            item.add_marker(pytest.mark.skip(reason=f"no folder {FOLDER}"))
        return
    empty = [item for item in checks if not isinstance(_case(item), Case)]
    if empty:
        config.hook.pytest_deselected(items=empty)
        items[:] = [item for item in items if item not in empty]


def _case(item: pytest.Item) -> object:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("case") if callspec else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    case = _case(item)
    if item.get_closest_marker("parity") and isinstance(case, Case) and report.when == "call":
        RAN[case.name] = report.outcome
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many cases there are, ran and passed."""
    passed = sum(outcome == "passed" for outcome in RAN.values())
    terminalreporter.write_line(
        f"parity: {len(find_cases())} cases in {FOLDER}, {len(RAN)} ran, {passed} passed"
        if FOLDER.is_dir()
        else f"parity: no folder {FOLDER}, skipped"
    )
