"""`dancekit import-edn`: a data folder of Everybody Dance Now becomes what `dancekit train` takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Force, Json, Quiet, Verbose, read_rate, read_size
from dancekit.errors import UsageError

if TYPE_CHECKING:
    from dancekit.types import PoseSequence


def import_edn(
    dataroot: Annotated[
        Path, typer.Argument(metavar="DATAROOT", help="Holds train_label, train_img, train_facetexts128.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="SET", help="The folder to train on; it is small.")
    ] = None,
    phase: Annotated[
        str, typer.Option("--phase", metavar="NAME", help="Which part: train_label, or test_label.")
    ] = "train",
    rate: Annotated[
        str, typer.Option("--rate", metavar="FPS", help="Of the clip it was made from: the folder has none.")
    ] = "30",
    keypoints: Annotated[
        Path | None,
        typer.Option(
            "--keypoints",
            metavar="FOLDER",
            help="OpenPose files of the same frames, to fit other dances to this body.",
        ),
    ] = None,
    size: Annotated[
        str, typer.Option("--size", metavar="WxH", help="Of the frames that the keypoints are of.")
    ] = "1920x1080",
    layout: Annotated[
        str,
        typer.Option("--layout", metavar="NAME", help="What the labels show, where there are no keypoints."),
    ] = "body_23",
    force: Force = False,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Take a data folder of Everybody Dance Now to train on.

    The labels are trained on as they are. The pictures stay where they are
    and are read while training. Without --keypoints nothing is known of the
    target's body: the dancer then takes poses with normalizer=identity only.

    Examples:
      dancekit import-edn ava --out sets/ava
      dancekit import-edn ava --out sets/ava --keypoints ava/keypoints
      dancekit train --target sets/ava --recipe mine.yaml
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    if out is None:
        raise UsageError(
            "--out is missing", hint=f"dancekit import-edn {dataroot} --out sets/{dataroot.name}"
        )
    if phase not in ("train", "test"):
        raise UsageError(f"--phase {phase}", hint="train or test")
    if layout not in ("body_18", "body_23", "body_25"):
        raise UsageError(f"--layout {layout}", hint="body_18, body_23 or body_25")
    exact, frame_size = read_rate(rate), read_size(size)

    from dancekit.cli.progress import show_progress
    from dancekit.data import edn_import

    target: PoseSequence | None = None
    if keypoints is not None:
        from dancekit.pose.openpose import letterbox, read_openpose

        target = letterbox(read_openpose(keypoints, size=frame_size, rate=exact))
        target = target.to(f"{target.skeleton.name.removesuffix('_face_hands')}_face_hands")
    with show_progress(terminal) as display:
        facts = edn_import.import_edn(
            dataroot,
            out,
            phase=phase,
            rate=exact,
            target=target,
            skeleton=f"{layout}_face_hands",
            force=force,
            progress=display,
        )
    terminal.result(
        f"{out}: {len(facts['labels'])} labels and frames of {facts['size'][0]}x{facts['size'][1]}, "
        f"{'with' if facts['face_boxes'] else 'without'} face boxes, "
        f"{'with' if facts['keypoints'] else 'without'} keypoints"
    )
    if not facts["keypoints"]:
        terminal.warn("without --keypoints, a dancer trained on it needs normalizer=identity for transfers")
    shown = {key: facts[key] for key in ("root", "phase", "rate", "size", "face_boxes", "keypoints")}
    terminal.json(shown | {"out": str(out), "frames": len(facts["frames"])})
