"""The README's table of components is whole; that its examples run is seen by tests/docs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "kind", ["pose", "filter", "normalizer", "renderer", "generator", "background", "discriminator"]
)
def test_the_table_lists_what_there_is(kind):
    from dancekit import list_components

    row = next(
        line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith(f"| {kind} |")
    )
    assert {f"`{entry.name}`" for entry in list_components(kind) if entry.distribution == "dancekit"} == set(
        re.findall(r"`\w+`", row.split("|")[2])
    )
