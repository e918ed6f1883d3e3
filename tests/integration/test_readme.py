"""The README's library example runs as it stands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_library_example(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 1
    names: dict[str, object] = {}
    exec(compile(blocks[0], "README.md", "exec"), names)  # our own text
    said = capsys.readouterr().out
    assert "(256, 256, 3) (1, 3, 256, 256) ['pix2pixhd', " in said and "'unet']" in said


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
