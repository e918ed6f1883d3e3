"""Skips parity tests where the fixtures are absent, and tells reports of their cases."""

from __future__ import annotations

import pytest
from cases import FOLDER, Case
from parity_count import PROPERTY


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """No fixtures: every check is skipped. Fixtures, but none of a kind: there is nothing to run."""
    checks = [item for item in items if item.get_closest_marker("parity")]
    for item in checks:
        case = _case(item)
        item.user_properties.append((PROPERTY, case.name if isinstance(case, Case) else ""))
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
