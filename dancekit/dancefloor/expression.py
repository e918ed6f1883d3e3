"""The face's part of a motion: blinks, smile, brows, jaw, gaze; and how the fingers curl."""

from __future__ import annotations

import numpy as np

from dancekit.dancefloor.jit import Floats
from dancekit.dancefloor.joints import FPS
from dancekit.dancefloor.motion import Motion

ACTIONS = (
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "jawOpen",
    "browInnerUp",
    "browDownLeft",
    "browDownRight",
    "mouthPucker",
)
"""Facial actions by their ARKit names; a face track has one strength in [0, 1] for each."""

_BLINK = (0.5, 1.0, 0.8, 0.3)


def simple_face(frames: int, seed: int) -> Floats:
    """(T, A) blinks, a slight smile, small movements of brow and jaw: the face of the benchmark's clips."""
    rng = np.random.default_rng(seed)
    face = np.zeros((frames, len(ACTIONS)))
    start = int(rng.integers(20, 70))
    while start < frames:
        _blink(face, start)
        start += int(rng.integers(45, 130))
    time = np.arange(frames) / FPS
    face[:, 2] = face[:, 3] = 0.35 + 0.25 * np.sin(0.7 * time + seed)
    face[:, 4] = 0.05 + 0.05 * np.sin(0.9 * time + 2 * seed)
    face[:, 5] = 0.25 + 0.25 * np.sin(0.5 * time + 3 * seed)
    return face


def _blink(face: Floats, start: int) -> None:
    for k, closed in enumerate(_BLINK):
        if start + k < len(face):
            face[start + k, :2] = closed


def lively_face(frames: int, seed: int) -> tuple[Floats, Floats]:
    """A face track (T, A) with expressions that come and go, and a gaze (T, 2) that jumps as eyes do.

    Eyes rest on a place for 0.4 to 2 seconds and reach the next in 2 frames; large jumps come with a blink.
    """
    rng = np.random.default_rng(seed)
    face = simple_face(frames, int(rng.integers(1000)))
    time = np.arange(frames) / FPS
    for action, most in (((2, 3), 0.75), ((4,), 0.45), ((5,), 0.7), ((6, 7), 0.6), ((8,), 0.5)):
        rate, phase = rng.uniform(0.12, 0.3), rng.uniform(0, 2 * np.pi)
        wave = np.sin(2 * np.pi * rate * time + phase) * np.sin(2 * np.pi * 0.37 * rate * time + 2 * phase)
        face[:, action] = np.maximum(face[:, action], most * np.clip(wave, 0, 1)[:, None])
    gaze, now, start = np.zeros((frames, 2)), np.zeros(2), 0
    while start < frames:
        to = np.clip(rng.normal(0, [0.18, 0.09]), [-0.4, -0.2], [0.4, 0.2])
        if np.abs(to - now).max() > 0.3:
            _blink(face, start)
        gaze[start : start + 1] = (now + to) / 2
        gaze[start + 1 :] = to
        now = to
        start += int(rng.integers(10, 50))
    return face, gaze


def curl(frames: int) -> Floats:
    """(T, 2) slowly varying curl of the fingers of the left and the right hand."""
    time = np.arange(frames) / FPS
    left = 0.38 + 0.28 * np.sin(1.1 * time + 0.5) * np.sin(0.43 * time)
    right = 0.38 + 0.28 * np.sin(0.9 * time + 2.1) * np.sin(0.37 * time + 1)
    return np.stack([left, right], 1)


def with_face(motion: Motion, seed: int, *, lively: bool = True) -> Motion:
    """The motion with a face track, gaze and fingers.

    Args:
        motion: Of any length.
        seed: The same seed gives the same face, whoever performs the motion.
        lively: Expressions and a wandering gaze; otherwise `simple_face` and a gaze straight ahead.
    """
    frames = len(motion)
    if not lively:
        return motion.replace(
            face=simple_face(frames, seed), gaze=np.zeros((frames, 2)), fingers=curl(frames)
        )
    face, gaze = lively_face(frames, seed)
    return motion.replace(face=face, gaze=gaze, fingers=curl(frames))
