"""Painting a sequence: each frame is told of the one before, as the original's inference does."""

from __future__ import annotations

import torch
from cases import Case, checks
from torch import nn

from dancekit.build import create
from dancekit.temporal.previous_frame import PreviousFrame
from dancekit.zoo.architecture import recognise


def face_of(case: Case, size: tuple[int, int], side: int) -> nn.Module:
    """The face refiner of the case, or none."""
    if not (case.path / "weights_Gface.pth").exists():
        return create("face", "none", condition_channels=3)
    architecture, state, differences = recognise(case.weights("weights_Gface"))
    assert not differences
    params = {"network": "unet"} if architecture.name == "unet" else {}
    params |= {
        key: value for key, value in architecture.params.items() if key in ("ngf", "n_down", "n_blocks")
    }
    refiner = create("face", "edn", crop_size=side, clamp=False, condition_channels=3, size=size, **params)
    refiner.load_state_dict(state)
    return refiner


def face_box(case: Case, frame: int, frames: int) -> tuple[int, int, int, int] | None:
    """top, bottom, left, right of a frame's face: one for all frames, or one for each."""
    found = next(
        (case.meta[key] for key in case.meta if key.startswith("face_coord") and case.meta[key]), None
    )
    if found is None:
        found = [
            tuple(int(x) for x in value.flatten()) for key, value in sorted(case.io.items()) if "face" in key
        ]
    if not found:
        return None
    return tuple(found[frame] if isinstance(found[0], list | tuple) else found)


@checks("edn_inference_sequence*")
def test_sequence(case: Case) -> None:
    io = case.io
    frames = sum(key.startswith("label.") for key in io)
    height, width = io["label.0"].shape[-2:]
    architecture, state, differences = recognise(case.weights("weights_G"))
    assert not differences and frames
    generator = architecture.build()
    generator.load_state_dict(state)
    boxes = [face_box(case, frame, frames) for frame in range(frames)]
    side = boxes[0][1] - boxes[0][0] if boxes[0] else 0
    face = face_of(case, (width, height), side)
    assert (side > 0) == any(True for _ in face.parameters()), (
        f"{case}: a face network and no box, or the reverse"
    )
    temporal, history = PreviousFrame(), None
    for module in (generator, face):
        module.eval()
    with torch.inference_mode():
        for frame in range(frames):
            image, history = temporal.step(generator, io[f"label.{frame}"], history)
            if boxes[frame]:
                top, bottom, left, right = boxes[frame]
                box = torch.tensor([[left, top, right, bottom]]) - 0.5
                image = face(image, io[f"label.{frame}"], box)
                history = temporal.remember(image, history)
            true = io[f"output.{frame}"]
            assert (image - true).abs().max() <= 1e-4 * true.abs().max(), frame
