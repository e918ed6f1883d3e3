"""Makes the zoo's two indexes and their JSON schema, the cards beside them and the tables of `docs/zoo.md`.

    python tools/zoo_index.py                                   # from the indexes: schema, cards, tables
    python tools/zoo_index.py --networks                        # first the entries of the pose networks again
    python tools/zoo_index.py --demo DIR                        # first the demo's, from its evaluation (docs/evaluate)
    python tools/zoo_index.py --dancer ID DIR... --title TEXT   # first that of ID.safetensors in zoo/weights or
                                                                # zoo/people, wherever it lies

`zoo/index.json` is what ships in the wheel, `zoo/people/index.json` is a zoo of its own, which the repository has and
the wheel has no room for. Run this after a change of an index or of a file of the zoo; `tests/unit/test_zoo_index.py`
fails until then.
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
from dancekit.zoo.index import FILE, Entry, Index, Licences, ZooFile, read_index, schema_text

ROOT = Path(__file__).parents[1]
ZOO = ROOT / "zoo"
PEOPLE = ZOO / "people"

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


def dancer_entry(path: Path, evaluations: Sequence[Path], title: str, limits: str, use: str) -> Entry:
    """A dancer, and the critic beside it; licence and consent stand in the file."""
    entry = entry_of(
        path,
        path.stem,
        title=title,
        evaluations=evaluations,
        sources="file:{name}" if path.parent == PEOPLE else "package:zoo/weights/{name}",
        limits=limits,
    )
    if path.parent == PEOPLE and not use:  # found only where the repository is, and is named
        use = f"`DANCEKIT_ZOO=zoo/people {entry.use.strip('`')}`: Paints its person, in a clone of the repository"
    return entry.model_copy(update={"use": use}) if use else entry


def find_dancer_file(identity: str) -> Path:
    """Where the file of an id lies: in `zoo/people` or `zoo/weights`."""
    for folder in (PEOPLE, ZOO / "weights"):
        if (path := folder / f"{identity}.safetensors").exists():
            return path
    raise SystemExit(f"{identity}.safetensors is neither in zoo/weights nor in zoo/people")


def read_folder(folder: Path) -> Index:
    """The index of a folder; an empty one if it has none yet."""
    path = folder / FILE
    return read_index(path) if path.exists() else Index(entries=[])


def file_of(folder: Path, source: str) -> Path:
    """The file of this repository that a source of an index in `folder` means."""
    if source.startswith("package:"):
        return ROOT / source.removeprefix("package:")
    return folder / source.removeprefix("file:")


def write_docs() -> None:
    """Schema, cards, and the tables between their marks in docs/zoo.md."""
    (ZOO / "index.schema.json").write_text(schema_text())
    for folder in (ZOO, PEOPLE):
        for path, text in cards(folder).items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    page = ROOT / "docs" / "zoo.md"
    page.write_text(with_tables(page.read_text()))


def cards(folder: Path) -> dict[Path, str]:
    """Every card of a folder's index by its path."""
    found = {}
    for entry in read_folder(folder).entries:
        recipe = None
        if entry.kind == "dancer":
            recipe = stored_recipe(file_of(folder, entry.main.sources[0]))
        found[folder / "cards" / f"{entry.id}.md"] = write_card(entry, recipe)
    return found


def with_tables(page: str) -> str:
    """The page with its generated tables renewed."""
    ours = read_folder(ZOO).entries
    for name, table in (
        ("dancers", dancers_table(ours)),
        ("people", dancers_table(read_folder(PEOPLE).entries)),
        ("networks", networks_table(ours)),
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
    parser.add_argument("--use", default="", help="of --dancer: '`COMMAND`: what for', unless it is transfer")
    given = parser.parse_args()
    if given.networks:
        put(ZOO, network_entries())
    if given.demo:
        put(ZOO, [demo_entry(given.demo)])
    if given.dancer:
        identity, *folders = given.dancer
        path = find_dancer_file(identity)
        entry = dancer_entry(path, [Path(each) for each in folders], given.title, given.limits, given.use)
        put(PEOPLE if path.parent == PEOPLE else ZOO, [entry])
    write_docs()


def put(folder: Path, entries: Sequence[Entry]) -> None:
    """Write these entries into a folder's index, in place of those of the same ids."""
    index = read_folder(folder)
    for entry in entries:
        index = index.replaced(entry)
    (folder / FILE).write_text(index.to_text())


if __name__ == "__main__":
    main()
