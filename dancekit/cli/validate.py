"""`dancekit validate`: all that is wrong with recipes, at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dancekit.cli.console import Terminal, report_failure
from dancekit.cli.options import Json, Quiet, Verbose, is_override
from dancekit.errors import DancekitError, RecipeError, UsageError

if TYPE_CHECKING:
    from dancekit.config import Recipe


def validate(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE... [KEY=VALUE]...", help="Recipes (names or files), and changes to them all."
        ),
    ],
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Check recipes and say all that is wrong, with file and line.

    Examples:
      dancekit validate mine.yaml
      dancekit validate quick tiny generator=unet
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    overrides = [text for text in arguments if is_override(text) and not Path(text).exists()]
    recipes = [text for text in arguments if text not in overrides]
    if not recipes:
        raise UsageError("no recipe is named", hint="dancekit validate RECIPE... [key=value ...]")
    code, report = 0, []
    for name in recipes:
        error = _check(name, overrides)
        if error is not None:
            code = max(code, error.exit_code)
            if not as_json:
                report_failure(error)
        else:
            terminal.result(f"{name}: ok")
        problems = [] if error is None else error.problems if isinstance(error, RecipeError) else [str(error)]
        report.append({"recipe": name, "ok": error is None, "problems": problems})
    terminal.json(report)
    if code:
        raise typer.Exit(code)


def _check(name: str, overrides: list[str]) -> DancekitError | None:
    """What is wrong with a recipe: its keys and values, then whether its parts fit each other."""
    from dancekit.config import load_recipe

    try:
        check_parts(load_recipe(name, overrides))
    except DancekitError as error:
        return error
    return None


def check_parts(recipe: Recipe) -> None:
    """Build what paints without allocating it: the parts' own conditions, such as sizes, are checked by that.

    Of a chain all recipes, and whether each can begin with weights of the one before.

    The pose backend is not built, as that may download its weights; where it is not the embedded one, its
    skeleton is taken to be COCO's, which every renderer draws.

    Raises:
        IncompatibleParts: The parts do not fit.
    """
    from dancekit.build import check_chain
    from dancekit.types import get_skeleton

    check_chain(recipe, get_skeleton("blazepose_33" if recipe.pose.name == "blazepose" else "coco_17"))
