"""Makes `zoo/index.json` and its JSON schema, the cards in `zoo/cards/` and the tables of `docs/zoo.md`.

    python tools/zoo_index.py                                   # from zoo/index.json: schema, cards, tables
    python tools/zoo_index.py --networks                        # first the entries of the pose networks again
    python tools/zoo_index.py --demo DIR                        # first the demo's, from its evaluation (docs/evaluate)
    python tools/zoo_index.py --dancer ID DIR... --title TEXT   # first that of zoo/weights/ID.safetensors

Run it after a change of the index or of a file in `zoo/weights`; `tests/unit/test_zoo_index.py` fails until then.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from dancekit.dancer import read_info, stored_recipe
from dancekit.weights.header import file_sha256
from dancekit.zoo.card import dancers_table, networks_table, write_card
from dancekit.zoo.entry import entry_of
from dancekit.zoo.index import Entry, Index, Licences, ZooFile, read_index, schema_text

ROOT = Path(__file__).parents[1]
ZOO = ROOT / "zoo"
INDEX = ZOO / "index.json"

NETWORKS = {
    "blazepose": (
        "BlazePose (MediaPipe): finds one person, 33 joints and a mask.",
        ("blazepose_detector", "blazepose_full", "blazepose_lite"),
        "`pose: {name: blazepose}`, the default of every recipe; model `full` or `lite`.",
        "One person a frame; joints that the body hides are guesses. What to expect: docs/poses.md.",
    ),
    "hands": (
        "Hand landmarks (MediaPipe): 21 joints a hand.",
        ("hand_recrop", "hand_full", "hand_lite"),
        "`pose: {name: blazepose_holistic}`.",
        "Finds 61 % of the hands that are seen where heads are 35 to 48 pixels high, 85 % of larger ones.",
    ),
    "face": (
        "Face landmarks (MediaPipe): 70 points.",
        ("face_detector", "face_mesh"),
        "`pose: {name: blazepose_holistic}`.",
        "The face must be turned to the camera. What to expect: docs/poses.md.",
    ),
}


def network_entries() -> list[Entry]:
    """Entries of the networks that NOTICE.md lists, with what each was made from."""
    rows = re.findall(
        r"^\| (\S+\.safetensors) \| (\w{64}) \| (\S+) \| (\w{64}) \| (.+) \|$",
        (ZOO / "weights" / "NOTICE.md").read_text(),
        re.M,
    )
    origins = {
        name: f"{made} (sha256 {digest}) of the {found.split(',')[0]}"
        for name, _, made, digest, found in rows
    }
    entries = []
    for identity, (title, names, use, limits) in NETWORKS.items():
        paths = [ZOO / "weights" / f"{name}.safetensors" for name in names]
        files = [
            ZooFile(
                name=path.name,
                role="weights",
                bytes=path.stat().st_size,
                sha256=file_sha256(path),
                sources=[f"package:zoo/weights/{path.name}"],
                origin=origins[path.name],
            )
            for path in paths
        ]
        entries.append(
            Entry(
                id=identity,
                kind="pose",
                title=title,
                files=files,
                licence=Licences(weights="Apache-2.0"),
                use=use,
                limits=limits,
            )
        )
    return entries


def demo_entry(evaluation: Path) -> Entry:
    """The shipped dancer: its file is of format 1, which cannot say what is said here."""
    path = ZOO / "weights" / "demo.safetensors"
    info = dataclasses.replace(read_info(path), subject="rendered", data_licence="Apache-2.0", consent="")
    entry = entry_of(
        path,
        "demo",
        info=info,
        title="The shipped dancer: a rendered person, pix2pixHD at 256x256, previous frame, face refiner.",
        evaluations=[evaluation],
        limits="Trained for 3000 steps on one clip of 1000 frames: hands and face are soft.",
    )
    file = entry.files[0].model_copy(
        update={"name": path.name, "sources": [f"package:zoo/weights/{path.name}"]}
    )
    measured = [
        found.model_copy(update={"command": re.sub(r"--out \S+", "--out demo/evaluation", found.command)})
        for found in entry.measured
    ]
    return entry.model_copy(update={"files": [file], "measured": measured})


def dancer_entry(identity: str, evaluations: Sequence[Path], title: str, limits: str) -> Entry:
    """A dancer of `zoo/weights`, and the critic beside it; licence and consent stand in the file."""
    return entry_of(
        ZOO / "weights" / f"{identity}.safetensors",
        identity,
        title=title,
        evaluations=evaluations,
        sources="package:zoo/weights/{name}",
        limits=limits,
    )


def write_docs(index: Index) -> None:
    """Schema, cards, and the tables between their marks in docs/zoo.md."""
    (ZOO / "index.schema.json").write_text(schema_text())
    for path, text in cards(index).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    page = ROOT / "docs" / "zoo.md"
    page.write_text(with_tables(page.read_text(), index))


def cards(index: Index) -> dict[Path, str]:
    """Every card by its path."""
    found = {}
    for entry in index.entries:
        recipe = None
        if entry.kind == "dancer":
            recipe = stored_recipe(ROOT / entry.main.sources[0].removeprefix("package:"))
        found[ZOO / "cards" / f"{entry.id}.md"] = write_card(entry, recipe)
    return found


def with_tables(page: str, index: Index) -> str:
    """The page with its generated tables renewed."""
    for name, table in (
        ("dancers", dancers_table(index.entries)),
        ("networks", networks_table(index.entries)),
    ):
        start, end = f"<!-- {name}: tools/zoo_index.py -->", f"<!-- end {name} -->"
        before, _, rest = page.partition(start)
        _, found, after = rest.partition(end)
        if not found:
            raise SystemExit(f"docs/zoo.md has no place for the table {name}")
        page = f"{before}{start}\n\n{table}\n\n{end}{after}"
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", action="store_true")
    parser.add_argument("--demo", type=Path, metavar="DIR")
    parser.add_argument(
        "--dancer", nargs="+", metavar="ID|DIR", help="an id, and folders of evaluations of it"
    )
    parser.add_argument("--title", default="", help="of --dancer; its recipe's summary if it is not given")
    parser.add_argument("--limits", default="", help="of --dancer, besides those that every dancer has")
    given = parser.parse_args()
    index = read_index(INDEX) if INDEX.exists() else Index(entries=[])
    changed = network_entries() if given.networks else []
    changed += [demo_entry(given.demo)] if given.demo else []
    if given.dancer:
        identity, *folders = given.dancer
        changed.append(dancer_entry(identity, [Path(each) for each in folders], given.title, given.limits))
    for entry in changed:
        index = index.replaced(entry)
    INDEX.write_text(index.to_text())
    write_docs(index)


if __name__ == "__main__":
    main()
