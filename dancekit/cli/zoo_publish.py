"""`dancekit zoo card` and `dancekit zoo publish`: a dancer for others, with everything they should know."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Device, Force, Json, Quiet, Verbose, check_output
from dancekit.cli.zoo_pack import check_dtype
from dancekit.errors import UsageError
from dancekit.zoo.dancers import find_dancer, is_zoo_id

if TYPE_CHECKING:
    from dancekit.zoo.publish import Publication

Dancer = Annotated[str, typer.Argument(metavar="RUN|DANCER|ID", help="A run folder, a dancer file, an id.")]
Identity = Annotated[
    str,
    typer.Option(
        "--id", metavar="ID", help="person.generator_size. [dim]Default: the name of run or file[/]"
    ),
]
Title = Annotated[str, typer.Option("--title", metavar="TEXT", help="One line.")]
Licence = Annotated[
    str, typer.Option("--licence", metavar="SPDX", help="Of the weights; else what the file says.")
]
DataLicence = Annotated[
    str, typer.Option("--data-licence", metavar="SPDX", help="Of the training clip; else what the file says.")
]
Consent = Annotated[
    str, typer.Option("--consent", metavar="TEXT", help="What the person shown agreed to, in words.")
]
Rendered = Annotated[bool, typer.Option("--rendered", help="Nobody real is shown: no consent is needed.")]
Evaluations = Annotated[
    list[Path] | None,
    typer.Option("--evaluation", metavar="DIR", help="What dancekit evaluate --out wrote of it; repeatable."),
]
Limits = Annotated[str, typer.Option("--limits", metavar="TEXT", help="What it cannot do, for the card.")]


def card(
    dancer: Dancer,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A .md file. [dim]Default: stdout[/]")
    ] = None,
    identity: Identity = "",
    title: Title = "",
    licence: Licence = "",
    data_licence: DataLicence = "",
    consent: Consent = "",
    rendered: Rendered = False,
    evaluation: Evaluations = None,
    limits: Limits = "",
    force: Force = False,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Write the card of a dancer: what it is, who is shown, what it learnt from, its numbers and limits.

    Of an id of the zoo the card is made from the index. Of a dancer of yours it
    is the card that dancekit zoo publish would write, without the picture.

    Examples:
      dancekit zoo card demo
      dancekit zoo card runs/me --licence CC-BY-4.0 --consent "I film myself"
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    destination = None if out is None else check_output(out, force=force, suffixes=(".md",))
    from dancekit.dancer import stored_recipe
    from dancekit.zoo.card import write_card

    if is_zoo_id(dancer):
        from dancekit.zoo.index import Zoo
        from dancekit.zoo.locate import get_file

        zoo = Zoo()
        entry = zoo.entry(dancer)
        recipe = None
        if entry.kind == "dancer":
            recipe = stored_recipe(get_file(zoo, entry, entry.main))
    else:
        from dancekit.zoo.entry import entry_of

        publication = _publication(
            dancer, identity, title, _statements(licence, data_licence, consent, rendered), evaluation, limits
        )
        info = publication.check()
        recipe = stored_recipe(publication.dancer)
        entry = entry_of(
            publication.dancer,
            publication.id,
            info=info,
            title=title,
            evaluations=publication.evaluations,
            limits=limits,
        )
    text = write_card(entry, recipe)
    if destination is None:
        terminal.result(text.rstrip())
    else:
        from dancekit.data.files import write_whole

        write_whole(destination, text)
        terminal.result(str(destination))
    terminal.json({"id": entry.id, "card": text, "out": str(destination) if destination else None})


def publish(
    dancer: Dancer,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="DIR|hf:ORG/NAME", help="A folder, or a repository of the Hub."),
    ] = None,
    identity: Identity = "",
    title: Title = "",
    licence: Licence = "",
    data_licence: DataLicence = "",
    consent: Consent = "",
    rendered: Rendered = False,
    evaluation: Evaluations = None,
    limits: Limits = "",
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype", metavar="fp32|fp16|int8", help="Store the weights so. [dim]Default: as they are[/]"
        ),
    ] = None,
    index: Annotated[
        Path | None,
        typer.Option("--index", metavar="DIR", help="With hf: put the entry into DIR/index.json."),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="With hf: a private repository.")] = False,
    force: Force = False,
    device: Device = "auto",
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Give a dancer away: its file, its critic, a card with a picture, and an entry for an index.

    A dancer of a person is published with a statement of their consent, or not
    at all; --rendered says that nobody real is shown. With DANCEKIT_ZOO=DIR
    everybody who has the folder can say --dancer ID.

    Examples:
      dancekit zoo publish runs/me --to z --licence MIT --consent "I film myself"
      dancekit zoo publish runs/toy --to hf:me/toy --licence CC0-1.0 --rendered
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    if to is None:
        raise UsageError("where to is missing", hint="--to DIR or --to hf:ORG/NAME")
    hub = to.startswith("hf:")
    if not hub and (index is not None or private):
        raise UsageError("--index and --private are for hf:ORG/NAME", hint="a folder has its own index.json")
    if not hub and Path(to).exists() and not Path(to).is_dir():
        raise UsageError(f"--to {to} is a file", hint="name a folder, or hf:ORG/NAME")
    from dancekit.zoo.publish import hub_name, publish_folder, publish_hub

    if hub:
        hub_name(to)
        if terminal.silent:
            from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

            disable_progress_bars()
    stored = check_dtype(dtype) if dtype else None
    statements = _statements(licence, data_licence, consent, rendered)
    given = _publication(dancer, identity, title, statements, evaluation, limits)
    given.check()  # before a picture is painted
    with tempfile.TemporaryDirectory(prefix="dancekit-card-") as temporary:
        import dataclasses

        picture = _picture(given.dancer, Path(temporary), device)
        given = dataclasses.replace(given, dtype=stored, pictures=[picture])
        entry = (
            publish_hub(given, to, private=private) if hub else publish_folder(given, Path(to), force=force)
        )
    written = []
    if hub and index is not None:
        written.append(str(_add_to(index, entry)))
    elif not hub:
        written = [str(path) for path in sorted((Path(to) / entry.id).iterdir())] + [
            str(Path(to) / "index.json")
        ]
    for path in written:
        terminal.result(path)
    if hub:
        for file in entry.files:
            terminal.result(file.sources[0])
    terminal.json({"entry": entry.model_dump(mode="json"), "written": written})


def _statements(licence: str, data_licence: str, consent: str, rendered: bool) -> dict[str, Any]:
    if consent and rendered:
        raise UsageError(
            "--consent and --rendered contradict each other", hint="nobody consents where nobody is shown"
        )
    given = {"licence": licence, "data_licence": data_licence, "consent": consent}
    changes: dict[str, Any] = {key: value for key, value in given.items() if value}
    if rendered:
        changes["subject"] = "rendered"
    elif consent:
        changes["subject"] = "person"
    return changes


def _publication(
    dancer: str,
    identity: str,
    title: str,
    changes: dict[str, Any],
    evaluations: list[Path] | None,
    limits: str,
) -> Publication:
    from dancekit.zoo.publish import Publication

    run = Path(dancer)
    path = run / "dancer.safetensors" if run.is_dir() else find_dancer(dancer, option="the dancer")
    if not path.is_file():
        what = "is no run: it holds no dancer.safetensors" if run.is_dir() else "does not exist"
        raise UsageError(f"{dancer} {what}", hint="name a run, a dancer file, or an id: dancekit zoo ls")
    name = identity or re.sub(r"[^a-z0-9_.]+", "_", (run.name if run.is_dir() else path.stem).lower())
    return Publication(
        dancer=path, id=name, title=title, changes=changes, evaluations=evaluations or (), limits=limits
    )


def _picture(dancer: Path, folder: Path, device: str) -> Path:
    """Paint what the card shows: never a frame of the training clip itself."""
    from dancekit.data.files import write_png
    from dancekit.transfer import Dancer as Loaded
    from dancekit.transfer.picture import dancer_picture

    path = folder / "picture.png"
    write_png(path, dancer_picture(Loaded.load(dancer, device=device)))
    return path


def _add_to(folder: Path, entry: Any) -> Path:
    from dancekit.data.files import write_whole
    from dancekit.zoo.index import FILE, Index, read_index

    path = folder / FILE
    known = read_index(path) if path.exists() else Index(entries=[])
    write_whole(path, known.replaced(entry).to_text())
    return path
