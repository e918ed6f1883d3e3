"""`dancekit pose VIDEO --people`: everybody in a video, with the numbers that `--person` takes."""

from __future__ import annotations

from pathlib import Path

from dancekit.cli.console import Terminal
from dancekit.cli.options import check_output
from dancekit.errors import UsageError


def list_people(
    terminal: Terminal,
    video: Path,
    recipe: str,
    changes: list[str],
    device: str,
    sheet: Path | None,
    *,
    force: bool,
    asked: tuple[Path | None, str | None] = (None, None),
) -> None:
    """List them, and write a picture of them all.

    Args:
        terminal: Where the listing goes.
        video: The clip.
        recipe: Whose pose backend finds them.
        changes: Overrides of it.
        device: Where it runs.
        sheet: The picture; None for one in the cache folder.
        force: Replace the picture.
        asked: `--out` and `--person`, which do not go with it.

    Raises:
        VideoError: The video cannot be read.
        PoseError: Nobody is in it.
        UsageError: The backend finds one person only, or `asked` holds something.
    """
    if any(each is not None for each in asked):
        raise UsageError(
            "--people only lists: --out and --person do not go with it",
            hint=f"dancekit pose {video} --people; then --out FILE.npz --person ID",
        )
    if sheet is not None:
        check_output(sheet, force=force, suffixes=(".png",))

    from dancekit.video import probe

    probe(video)  # first: it needs no torch

    from dancekit.build import build_pose, resolve_device
    from dancekit.cli.progress import show_progress
    from dancekit.config import load_recipe
    from dancekit.data.files import write_png
    from dancekit.data.people import find_people
    from dancekit.data.people_sheet import keep_sheet, people_sheet

    settings = load_recipe(recipe, changes)
    backend = build_pose(settings, resolve_device(device))
    with show_progress(terminal) as display:
        found = find_people(video, backend, settings.pose, progress=display)
    place: Path | None = sheet
    if sheet is None:
        place = keep_sheet(video, found.persons)
    else:
        write_png(sheet, people_sheet(video, found.persons))
    facts = [person.to_json() for person in found.persons]
    terminal.table(
        ("ID", "frames", "from", "to", "length"),
        [
            (
                str(each["id"]),
                f"{each['frames']} ({each['share']:.0%})",
                f"{each['first_seconds']:.1f} s",
                f"{each['last_seconds']:.1f} s",
                f"{each['length_px']:.0f} px",
            )
            for each in facts
        ],
    )
    rivals = [person.number for person in found.rivals()]
    if rivals:
        terminal.result(
            f"without --person ID, 1 is taken; {', '.join(map(str, rivals))} could be meant as well"
        )
    if place is not None:
        terminal.result(str(place))
    terminal.json(
        {
            "video": str(video),
            "people": facts,
            "ambiguous": bool(rivals),
            "cuts": list(found.persons[0].poses.cuts),
            "sheet": None if place is None else str(place),
        }
    )
