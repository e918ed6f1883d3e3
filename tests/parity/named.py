"""Which tensor is what, by its name: the cases' README tells the words, not how they are put together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

WORDS = re.compile(r"[A-Za-z]+\d*[A-Za-z]+|[A-Za-z]+|\d+")


def role_of(name: str, roles: Mapping[str, str]) -> tuple[str, str] | None:
    """The first role whose pattern occurs in a name, and what is left of the name without it.

    Names with the same rest belong together: `none.label.0` and `none.inst.0` have the rest `none 0`.

    Args:
        name: Of a tensor, or of a key.
        roles: Regular expressions, by role.
    """
    for role, pattern in roles.items():
        found = re.search(rf"(?<![A-Za-z])(?:{pattern})(?![A-Za-z])", name, re.I)
        if found:
            rest = " ".join(WORDS.findall(name[: found.start()] + " " + name[found.end() :]))
            return role, rest
    return None


def grouped(tensors: Mapping[str, Any], roles: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Tensors that belong together, by role; those without a role are left out."""
    groups: dict[str, dict[str, Any]] = {}
    for name, value in tensors.items():
        found = role_of(name, roles)
        if found:
            role, rest = found
            assert role not in groups.setdefault(rest, {}), f"{name}: two tensors are its {role}"
            groups[rest][role] = value
    return groups


def values_of(node: Any, *keys: str) -> list[Any]:
    """Everything in nested JSON that stands under one of these keys."""
    found: list[Any] = []
    if isinstance(node, dict):
        for key, value in node.items():
            found += [value] if key in keys else values_of(value, *keys)
    elif isinstance(node, list):
        for value in node:
            found += values_of(value, *keys)
    return found
