"""`dancekit dancefloor`: render dancers with exact ground truth. The renderer is imported when it is used."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Force, Json, Quiet, Verbose, read_size
from dancekit.cli.progress import show_progress
from dancekit.errors import DancekitError, UsageError

if TYPE_CHECKING:
    from dancekit.dancefloor.clips import Clip
    from dancekit.dancefloor.render import Rendered

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)

Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for NAME.mp4 and NAME.npz.")]
Flow = Annotated[bool, typer.Option("--flow", help="Write the exact optical flow too (3 MB a second).")]
Jobs = Annotated[int, typer.Option("--jobs", metavar="N", min=0, help="Processes; 0: as many as cores.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Keep clips that are there already, and render the others.")
]
Rate = Annotated[
    str,
    typer.Option(
        "--rate", metavar="FPS", help="Frames a second: the same movement, looked at more or less often."
    ),
]
Size = Annotated[str, typer.Option("--size", metavar="WxH", help="Of the frames.")]
Quality = Annotated[
    str, typer.Option("--quality", metavar="fine|fast", help="fast: a third of the time, no blur.")
]


@app.callback()
def dancefloor() -> None:
    """Rendered dancers: seeded people, rooms and dances, with exact keypoints, masks, contacts and flow.

    Examples:
      dancekit dancefloor render --seed 7 --out one
      dancekit dancefloor render --pair --out pair
      dancekit dancefloor verify pair
    """


@app.command("render", short_help="Render seeded people, a pair, or people who cross.")
def render(
    out: Out,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="The same seed: the same clips.")
    ] = 0,
    people: Annotated[
        int | None,
        typer.Option(
            "--people", metavar="N", min=1, help="So many people, a clip each: seeds N, N+1, ... (1)."
        ),
    ] = None,
    pair: Annotated[
        bool,
        typer.Option("--pair", help="Source and target of a transfer, with the right answer: five clips."),
    ] = False,
    crossing: Annotated[
        bool, typer.Option("--crossing", help="Two people (or --people) in one clip who change places.")
    ] = False,
    frames: Annotated[
        int,
        typer.Option("--frames", metavar="N", min=2, help="Length, at 25 frames a second (whatever --rate)."),
    ] = 150,
    size: Size = "512x512",
    rate: Rate = "25",
    motion: Annotated[
        str, typer.Option("--motion", metavar="KIND", help="dance, walk, rest, or mixed: all three by turns.")
    ] = "dance",
    quality: Quality = "fast",
    flow: Flow = False,
    jobs: Jobs = 1,
    resume: Resume = False,
    force: Force = False,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Render clips with their ground truth.

    A person, their room and their camera depend on their seed only. With
    --pair, source_dance and target_truth are one motion, face and gaze
    included, by two people: what comes out of a perfect transfer is known.

    Examples:
      dancekit dancefloor render --seed 7 --out one
      dancekit dancefloor render --people 24 --frames 150 --jobs 0 --out many
      dancekit dancefloor render --people 24 --frames 150 --out many --resume
      dancekit dancefloor render --pair --frames 300 --quality fine --out pair
      dancekit dancefloor render --crossing --size 1280x720 --flow --out two
      dancekit dancefloor render --seed 7 --rate 50 --out fast
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    if pair and (crossing or people is not None):
        raise UsageError(
            "--pair goes with neither --crossing nor --people", hint="render them one after the other"
        )
    frame_size, frame_rate = _even_size(size), _frame_rate(rate)
    from dancekit.dancefloor import clips
    from dancekit.dancefloor.choreography import KINDS
    from dancekit.dancefloor.scene import QUALITIES

    if motion not in KINDS:
        raise UsageError(f"--motion {motion} does not exist", hint=f"use one of {', '.join(KINDS)}")
    if quality not in QUALITIES:
        raise UsageError(f"--quality {quality} does not exist", hint=f"use one of {', '.join(QUALITIES)}")
    chosen = QUALITIES[quality]
    if pair:
        made = clips.pair_clips(seed, frames, size=frame_size, kind=motion, quality=chosen)
    elif crossing:
        made = [clips.crossing_clip(seed, frames, size=frame_size, quality=chosen, count=people or 2)]
    else:
        made = clips.people_clips(seed, people or 1, frames, size=frame_size, kind=motion, quality=chosen)
    made = [dataclasses.replace(clip, rate=frame_rate) for clip in made]
    _render(terminal, made, out, flow=flow, resume=resume, force=force, jobs=jobs)


@app.command("benchmark", short_help="Render the benchmark's five clips again.")
def benchmark(
    out: Out,
    mocap: Annotated[
        Path | None,
        typer.Option(
            "--mocap",
            metavar="DIR",
            help="Folder with the CMU recordings that figures were measured with; procedural motion without it.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="CLIP", help="Only this clip; can be repeated.")
    ] = None,
    size: Size = "512x512",
    rate: Rate = "25",
    quality: Quality = "fine",
    flow: Flow = False,
    jobs: Jobs = 1,
    resume: Resume = False,
    force: Force = False,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Render source_rest, source_dance, target_rest, target_truth and target_train.

    Without --mocap they move as in the samples that ship. The recordings
    (cmu_55_01.npz, cmu_07_01.npz) cannot be passed on with dancekit.

    Examples:
      dancekit dancefloor benchmark --out benchmark
      dancekit dancefloor benchmark --mocap recordings --jobs 0 --out benchmark
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    frame_size, frame_rate = _even_size(size), _frame_rate(rate)
    from dancekit.dancefloor.clips import BENCHMARK, benchmark_clips
    from dancekit.dancefloor.scene import QUALITIES

    if quality not in QUALITIES:
        raise UsageError(f"--quality {quality} does not exist", hint=f"use one of {', '.join(QUALITIES)}")
    made = benchmark_clips(mocap=mocap, size=frame_size, quality=QUALITIES[quality], only=only or BENCHMARK)
    made = [dataclasses.replace(clip, rate=frame_rate) for clip in made]
    _render(terminal, made, out, flow=flow, resume=resume, force=force, jobs=jobs)


@app.command("verify", short_help="Check that truth and pixels of rendered clips agree.")
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of rendered clips.")],
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Check keypoints against the camera, masks against pixels, feet against contacts, flow against frames.

    Exit code 1 if anything does not agree.

    Examples:
      dancekit dancefloor verify pair
      dancekit dancefloor verify pair --json
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    from dancekit.dancefloor.verify import verify_folder, worst

    with show_progress(terminal) as progress:
        checks = verify_folder(folder, progress=progress)
    head = [
        "clip",
        "frames",
        "people",
        "reprojection px",
        "joints in mask",
        "pixels missed",
        "slide m/s",
        "flow error",
    ]
    terminal.table(
        head,
        [
            [
                *(check.name, str(check.frames), str(check.people), f"{check.reprojection:.4f}"),
                *(_number(value) for value in (check.in_mask, check.missed, check.slide, check.flow)),
            ]
            for check in checks
        ],
    )
    terminal.json([dataclasses.asdict(check) for check in checks])
    problems = worst(checks)
    if problems:
        raise DancekitError("; ".join(problems), hint="render the clip again")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _even_size(text: str) -> tuple[int, int]:
    width, height = read_size(text)
    if width % 2 or height % 2 or min(width, height) < 32:
        raise UsageError(f"--size {text}: sides must be even and at least 32", hint="such as 512x512")
    return width, height


def _frame_rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"--rate {text} is no number", hint="such as 25, 12.5 or 30000/1001") from None
    if not 1 <= rate <= 240:
        raise UsageError(f"--rate {text} is not between 1 and 240")
    return rate.limit_denominator(1001)


def _render(
    terminal: Terminal, clips: list[Clip], out: Path, *, flow: bool, resume: bool, force: bool, jobs: int
) -> None:
    if resume and force:
        raise UsageError("--resume keeps what is there, --force replaces it", hint="give one of them")
    from dancekit.dancefloor.render import default_jobs, render_clips

    with show_progress(terminal) as progress:
        done = render_clips(
            clips,
            out,
            flow=flow,
            resume=resume,
            force=force,
            jobs=jobs or default_jobs(),
            progress=progress,
        )
    terminal.table(
        ["clip", "frames", "CPU s a frame", "CPU s before", "foot slide m/s"], [_row(each) for each in done]
    )
    terminal.json([dataclasses.asdict(each) for each in done])


def _row(each: Rendered) -> list[str]:
    per_frame = each.seconds / each.frames
    return [each.name, str(each.frames), f"{per_frame:.3f}", f"{each.setup:.1f}", f"{each.slide:.3f}"]
