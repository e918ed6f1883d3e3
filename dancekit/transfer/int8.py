"""A dancer in 8-bit integers: calibrated on poses that it was trained on, and measured on others of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from dancekit.contracts import GraphRunner
from dancekit.data.framing import crop
from dancekit.errors import DancekitError, PoseError, UsageError
from dancekit.model import to_uint8
from dancekit.types import PoseSequence

if TYPE_CHECKING:
    from dancekit.transfer.pipeline import Dancer

_log = logging.getLogger(__name__)

LEAST_PSNR = 35.0
"""dB between pictures of int8 and of single precision, in the mean: below, the file is refused."""

PLACES, RUN = 16, 3
"""Places of the clip at which pictures are made, and frames in a row at each: a generator with a history begins with
an empty one."""

MEASURED = 4
"""Places whose pictures are compared, none of them seen while calibrating, twice as many frames at each."""

OWN = "the dancer's training poses"

Feed = dict[str, NDArray[np.float32]]


def clips(poses: PoseSequence) -> tuple[list[PoseSequence], list[PoseSequence]]:
    """Short pieces to calibrate on, evenly spaced, and longer ones between them to measure on.

    Raises:
        PoseError: There are too few poses.
    """
    pieces = PLACES + MEASURED
    length = len(poses) // pieces
    if length < RUN:
        raise PoseError(
            f"{len(poses)} poses are too few to calibrate on; at least {RUN * pieces} are needed",
            hint="--calibrate POSES.npz of a longer dance",
        )
    spaced = [poses[n * length : n * length + length] for n in range(pieces)]
    every = pieces // MEASURED
    measured = [piece[: 2 * RUN] for piece in spaced[every // 2 :: every]]
    calibrated = [piece[:RUN] for n, piece in enumerate(spaced) if n % every != every // 2]
    return calibrated, measured


def frames_of(
    dancer: Dancer, pieces: Sequence[PoseSequence]
) -> Iterator[list[tuple[torch.Tensor, NDArray[np.float32], NDArray[np.intp] | None]]]:
    """Of each piece the condition images, face boxes and places; poses are pixels of the dancer's clip."""
    for piece in pieces:
        xy = dancer.info.window.to_window(piece.xy)
        places = dancer.painter.places(xy)
        boxes = dancer.painter.face_boxes(xy, piece.score, places=places)
        yield [
            (condition, boxes[n : n + 1], None if places is None else places[n])
            for n, condition in enumerate(dancer.painter.draw(xy, piece.score, places=places))
        ]


def generator_inputs(dancer: Dancer, pieces: Sequence[PoseSequence]) -> list[Feed]:
    """What the generator sees while these poses are painted, as `x`."""
    seen: list[Feed] = []
    network = dancer.painter.network

    def look(given: torch.Tensor) -> Any:
        seen.append({"x": given.contiguous().numpy().copy()})
        return network(given)

    dancer.painter.network = look
    try:
        paint(dancer, pieces)
    finally:
        dancer.painter.network = network
    return seen


def paint(dancer: Dancer, pieces: Sequence[PoseSequence]) -> list[NDArray[np.uint8]]:
    """All pictures, each piece from an empty history on."""
    pictures = []
    for piece in frames_of(dancer, pieces):
        state = None
        for condition, box, place in piece:
            painted = dancer.painter.step(condition, box, state, place=place)
            state = painted.state
            pictures.append(painted.to_uint8())
    return pictures


def psnrs(found: Sequence[NDArray[np.uint8]], expected: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """DB of each picture; 99 where nothing differs."""
    errors = np.array(
        [np.mean((one.astype(float) - other) ** 2) for one, other in zip(found, expected, strict=True)]
    )
    return np.asarray(10 * np.log10(255**2 / np.maximum(errors, 1e-5)).clip(max=99.0))


def measured(
    found: Sequence[NDArray[np.uint8]], expected: Sequence[NDArray[np.uint8]], calibrated: int, poses: str
) -> dict[str, Any]:
    """What quantizing changed, for a file's header.

    Raises:
        DancekitError: Too much.
    """
    each = psnrs(found, expected)
    if not each.mean() >= LEAST_PSNR:
        raise DancekitError(
            f"in int8 the pictures are {each.mean():.1f} dB from those in single precision "
            f"(at least {LEAST_PSNR:g} dB are asked for)",
            hint="calibrate on a dance more like the one to paint (--calibrate), or leave --int8 away",
        )
    return {
        "psnr_db": round(float(each.mean()), 2),
        "worst_psnr_db": round(float(each.min()), 2),
        "frames": len(each),
        "calibration_frames": calibrated,
        "calibrated_on": poses,
    }


def use_int8(dancer: Dancer, runner: object) -> dict[str, Any]:
    """Let a dancer's generator be computed in 8-bit integers from now on, calibrated on its own training poses.

    Args:
        dancer: Its painter computes in single precision.
        runner: Opens graphs.

    Returns:
        What it changed.

    Raises:
        UsageError: The runner does not open graphs.
        PoseError: The dancer's file holds too few poses.
        DancekitError: The pictures differ too much from those in single precision.
    """
    if not isinstance(runner, GraphRunner):
        raise UsageError("int8 needs a runner that opens graphs", hint="--runner openvino or onnxruntime")
    from dancekit.runners.graph import graph_of
    from dancekit.runners.int8 import quantize

    painter = dancer.painter
    calibrated, others = clips(dancer.target)
    examples = generator_inputs(dancer, calibrated)
    expected = paint(dancer, others)
    example, generator = painter.example(), painter.parts.generator
    before = painter.network
    painter.network = runner.open(quantize(graph_of(generator, example, None), examples), generator, example)
    try:
        facts = measured(paint(dancer, others), expected, len(examples), OWN)
    except DancekitError:
        painter.network = before
        raise
    painter.network_name = f"{painter.network_name} int8"
    _log.info("int8: %.1f dB from single precision (%.1f at worst)", facts["psnr_db"], facts["worst_psnr_db"])
    return facts


# ---- exported graphs


def quantize_exported(dancer: Dancer, file: Path, model: Any, poses: PoseSequence | None) -> dict[str, Any]:
    """Replace an exported graph by one that computes in 8-bit integers, if its pictures are good enough.

    Args:
        dancer: Whose it is.
        file: The graph.
        model: The same, read.
        poses: What to calibrate on, pixels of the dancer's clip; None: the dancer's training poses.

    Returns:
        What it changed; it stands in the file's metadata too.
    """
    import onnx

    from dancekit.runners.graph_metadata import add_metadata, read_metadata
    from dancekit.runners.int8 import quantize

    calibrated, others = clips(dancer.target if poses is None else poses)
    plate = _plate(dancer)
    exact = session_of(file)
    feeds = [feed for feed, _ in _play(exact, dancer, calibrated, plate)]
    expected = [picture for _, picture in _play(exact, dancer, others, plate)]
    quick = onnx.load_from_string(quantize(model.SerializeToString(), feeds))
    said = OWN if poses is None else "other poses"
    file.write_bytes(quick.SerializeToString())
    found = [picture for _, picture in _play(session_of(file), dancer, others, plate)]
    facts = measured(found, expected, len(feeds), said)
    add_metadata(quick, read_metadata(model) | {"int8": facts})
    file.write_bytes(quick.SerializeToString())
    return facts


def _play(
    session: Any, dancer: Dancer, pieces: Sequence[PoseSequence], plate: NDArray[np.float32]
) -> Iterator[tuple[Feed, NDArray[np.uint8]]]:
    """Paint with an exported graph: what went in and the picture, frame by frame; each piece begins anew."""
    channels = dancer.painter.parts.renderer.spec.channels
    names = [each.name for each in session.get_inputs()]
    outputs = [each.name for each in session.get_outputs()]
    for piece in frames_of(dancer, pieces):
        start = dancer.painter.parts.temporal.start(piece[0][0][:, :channels])
        state = {f"state_{name}": value.numpy() for name, value in start.items()}
        for condition, box, _ in piece:
            drawn, references = condition[:, :channels].numpy(), condition[:, channels:].numpy()
            given = {"condition": drawn, "references": references, "plate": plate, "face": box, **state}
            feed = {name: given[name] for name in names}
            painted = dict(zip(outputs, session.run(None, feed), strict=True))
            state = {name: painted[name.replace("state", "next", 1)] for name in state}
            yield feed, to_uint8(torch.from_numpy(painted["image"]))[0]


def session_of(file: Path) -> Any:
    """Open a graph by ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def _plate(dancer: Dancer) -> NDArray[np.float32]:
    """(1, 3, h, w) the window of the clean plate in [-1, 1]."""
    plate = crop(dancer.plate, dancer.info.window).astype(np.float32) / 127.5 - 1
    return np.ascontiguousarray(plate.transpose(2, 0, 1)[None])
