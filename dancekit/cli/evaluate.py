"""`dancekit evaluate`: how good is it, by a protocol that says how, beside what costs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Device, Force, Json, Quiet, Verbose, Who, check_person, is_override
from dancekit.errors import UsageError
from dancekit.zoo.dancers import find_dancer, is_zoo_id

if TYPE_CHECKING:
    from dancekit.evaluate.result import Evaluation

Optional = Path | None


def evaluate(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="FAKE REAL | RUN | DANCER CLIP [KEY=VALUE]...",
            help="Two videos or folders of pictures; a run folder; or a dancer (or run, or id of the zoo) and a "
            "video.",
        ),
    ],
    source: Annotated[
        Optional,
        typer.Option(
            "--source", metavar="VIDEO", help="Whose dance the dancer does; CLIP is the right answer."
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            metavar="NAME|FILE",
            help="What to measure (dancekit ls protocols). [dim]Default: paired, or self for a dancer without "
            "--source[/]",
        ),
    ] = None,
    ladder: Annotated[
        bool, typer.Option("--ladder", help="Also paint from better poses: what does each step cost?")
    ] = False,
    baselines: Annotated[
        bool, typer.Option("--baselines/--no-baselines", help="Score what costs nothing, too.")
    ] = True,
    target: Annotated[
        Optional, typer.Option("--target", metavar="VIDEO", help="The training clip, for baselines.")
    ] = None,
    truth_npz: Annotated[
        Optional,
        typer.Option("--truth-npz", metavar="FILE", help="Exact masks and keypoints of the true video."),
    ] = None,
    source_npz: Annotated[
        Optional,
        typer.Option("--source-npz", metavar="FILE", help="Exact keypoints of the source, for --ladder."),
    ] = None,
    align: Annotated[
        list[str] | None,
        typer.Option(
            "--align",
            metavar="trim|resize",
            help="Permit to cut the longer video, or to resample the true one.",
        ),
    ] = None,
    blind: Annotated[
        bool,
        typer.Option(
            "--blind",
            help="A page (--out FILE.html) for a blind choice between two videos; or count answers.",
        ),
    ] = False,
    out: Annotated[
        Optional,
        typer.Option("--out", metavar="DIR", help="Folder for JSON, tables, videos and the report."),
    ] = None,
    person: Who = None,
    source_person: Annotated[
        str | None, typer.Option("--source-person", metavar="WHO", help="The same in --source.")
    ] = None,
    force: Force = False,
    device: Device = "auto",
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    r"""Measure a result against the right answer, by a protocol.

    Two videos are compared frame by frame. A dancer is made to paint first:
    the dance of --source, with CLIP as the right answer; or, without a
    source, the poses of CLIP itself. A run folder is measured on the frames
    that it keeps. With --out DIR, evaluation.json, scores.csv, per_frame.csv,
    the videos and report.html are kept; without, the table is printed only.

    Examples:
      dancekit evaluate painted.mp4 truth.mp4
      dancekit evaluate runs/me --out runs/me/evaluation
      dancekit evaluate runs/me/dancer.safetensors unseen.mp4 --out self
      dancekit evaluate me.safetensors truth.mp4 --source dance.mp4 --ladder
      dancekit evaluate demo dance.mp4 --protocol cross
      dancekit evaluate a.mp4 b.mp4 --blind --out choose.html
      dancekit evaluate answers-1.json answers-2.json --blind
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    if blind:
        from dancekit.cli.blind import choose_blindly

        choose_blindly(terminal, [Path(text) for text in what], out, force=force)
        return
    check_person(person, source_person)
    names = [text for text in what if not is_override(text) or Path(text).exists()]
    overrides = [text for text in what if text not in names]
    dancer, places = _understood(names)
    if dancer is None and (person or source_person):
        raise UsageError("--person is for a dancer's clip", hint="dancekit evaluate DANCER CLIP --person WHO")
    if dancer is None:
        _refuse_dancers_options(source, ladder, source_npz, overrides)
    if out is not None:
        from dancekit.evaluate.output import check_folder

        check_folder(out, force=force)
    from dancekit.cli.progress import show_progress
    from dancekit.evaluate.output import REPORT, output_folder, write_evaluation
    from dancekit.evaluate.protocols import load_protocol

    default = "paired" if dancer is None or source is not None else "self"
    chosen = load_protocol(protocol or default)
    with show_progress(terminal) as display, output_folder(out, force=force) as folder:
        if dancer is None:
            from dancekit.evaluate.videos import evaluate_videos

            evaluation = evaluate_videos(
                places[0],
                places[1],
                chosen,
                align_by=align or (),
                target=target,
                truth_npz=truth_npz,
                baselines=baselines,
                device=device,
                folder=folder,
                progress=display,
            )
        else:
            from dancekit.evaluate.dancers import Inputs, evaluate_dancer

            evaluation = evaluate_dancer(
                Inputs(
                    dancer=dancer,
                    clip=places[0] if places else None,
                    source=source,
                    truth_npz=truth_npz,
                    source_npz=source_npz,
                    target=target,
                    overrides=overrides,
                    person=person,
                    source_person=source_person,
                ),
                chosen,
                ladder=ladder,
                baselines=baselines,
                align_by=align or (),
                device=device,
                folder=folder,
                progress=display,
            )
        if folder is not None:
            from dancekit.evaluate.report import write_report

            write_evaluation(evaluation, folder)
            write_report(evaluation, folder / REPORT, folder=folder)
    _tell(terminal, evaluation, out)


def _understood(names: list[str]) -> tuple[Path | None, list[Path]]:
    """The dancer, or None for two videos, and the rest."""
    places = [Path(name) for name in names]
    if is_zoo_id(names[0]):
        places[0] = find_dancer(names[0])
    for place in places:
        if not place.exists():
            raise UsageError(f"{place} does not exist", hint="check the path")
    first = places[0]
    dancer = first / "dancer.safetensors" if first.is_dir() else first
    is_dancer = dancer.suffix == ".safetensors" and dancer.exists()
    if is_dancer and len(places) <= 2 and (first.is_dir() or len(places) == 2):
        return dancer, places[1:]
    if is_dancer and len(places) == 1:
        raise UsageError("the clip is missing", hint=f"dancekit evaluate {first} CLIP")
    if not is_dancer and len(places) == 2:
        return None, places
    if len(places) == 1:
        what = (
            f"{first} is no run folder: it holds no dancer.safetensors"
            if first.is_dir()
            else f"{first} alone"
        )
        raise UsageError(f"{what}", hint="dancekit evaluate FAKE REAL, RUN, or DANCER CLIP")
    raise UsageError(
        f"{len(places)} files are too many", hint="dancekit evaluate FAKE REAL, RUN, or DANCER CLIP"
    )


def _refuse_dancers_options(
    source: Path | None, ladder: bool, source_npz: Path | None, overrides: list[str]
) -> None:
    given = [
        name
        for name, there in (
            ("--source", source is not None),
            ("--ladder", ladder),
            ("--source-npz", source_npz is not None),
            (overrides[0] if overrides else "", bool(overrides)),
        )
        if there
    ]
    if given:
        raise UsageError(
            f"{given[0]} needs a dancer that paints; two videos are only compared",
            hint="dancekit evaluate DANCER CLIP",
        )


def _tell(terminal: Terminal, evaluation: Evaluation, out: Path | None) -> None:
    from dancekit.evaluate.tables import cost_table, ladder_table, missing_notes, score_table

    protocol = evaluation.protocol
    terminal.result(
        f"{protocol['name']}, version {protocol['version']}: {evaluation.frames} frames of "
        f"{evaluation.size[0]}x{evaluation.size[1]}"
    )
    for table in (score_table(evaluation), ladder_table(evaluation), cost_table(evaluation)):
        if table is not None:
            terminal.table(*table)
            terminal.result("")
    for note in missing_notes(evaluation):
        terminal.log(f"not measured: {note}")
    for warning in evaluation.warnings:
        terminal.warn(warning)
    outside = len(evaluation.frame_warnings)
    if outside:
        terminal.warn(f"in {outside} of {evaluation.frames} frames the pose is outside of the training range")
    if out is not None:
        for path in sorted(out.iterdir()):
            terminal.result(str(path))
    terminal.json(evaluation.to_json())
