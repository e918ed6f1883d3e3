"""Motion capture: the CMU recordings of the benchmark's original clips, if their files are at hand.

They are not part of dancekit: the CMU Graphics Lab's database may be used in products, but not resold or passed on
as data. The asked-for words: "The data used in this project was obtained from mocap.cs.cmu.edu. The database was
created with funding from NSF EIA-0196217."
"""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from dancekit.dancefloor.jit import Floats
from dancekit.dancefloor.joints import FPS, JOINTS, J, Z, align, between, power, turn
from dancekit.dancefloor.motion import Motion, face_camera, resample
from dancekit.dancefloor.walk import u_turn
from dancekit.errors import UsageError

FILES = ("cmu_55_01.npz", "cmu_07_01.npz")
"""A whirling dance and a walk: world matrices of each bone and frame, z up, at rest a T-pose."""

_LEFT = {
    "pelvis": "Hips",
    "chest": "Spine1",
    "neck": "Neck1",
    "head": "Head",
    "clav.L": "LeftShoulder",
    "uarm.L": "LeftArm",
    "farm.L": "LeftForeArm",
    "hand.L": "LeftHand",
    "thigh.L": "LeftUpLeg",
    "shin.L": "LeftLeg",
    "foot.L": "LeftFoot",
    "toe.L": "LeftToeBase",
}
CMU_BONES = _LEFT | {
    name[:-1] + "R": bone.replace("Left", "Right") for name, bone in _LEFT.items() if name.endswith(".L")
}
"""The recordings' bone for each canonical joint."""

_CHILD = {"uarm": "farm", "farm": "hand", "thigh": "shin", "shin": "foot", "hand": "hand"}


def read_recording(path: str | os.PathLike[str], *, smooth: float = 0.6) -> Motion:
    """A recording as a motion.

    Args:
        path: `.npz` with `names` (N,), `rest` (N, 4, 4), `world` (T, N, 4, 4) and `fps`.
        smooth: Sigma in frames.

    Raises:
        UsageError: There is no such file, or it is something else.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            names = data["names"].tolist()
            rest, world = data["rest"].astype(float), data["world"].astype(float)
            rate = float(data["fps"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"{Path(path)} is no recording ({type(error).__name__}: {error})",
            hint=f"--mocap names a folder with {' and '.join(FILES)}; without it all motion is procedural",
        ) from None
    index = {joint: names.index(CMU_BONES[joint]) for joint in JOINTS}
    rotations = _from_t_pose(index, rest, world)
    places = rest[:, :3, 3]
    leg = np.mean([_leg_length(places, index, side) for side in "LR"])
    root = 0.5 * (world[:, index["thigh.L"], :3, 3] + world[:, index["thigh.R"], :3, 3]) / leg
    rotations, root = resample(rotations, root, rate)
    root = gaussian_filter1d(root, smooth, axis=0)
    blurred = gaussian_filter1d(rotations.reshape(len(rotations), -1, 9), smooth, axis=0)
    u, _, vt = np.linalg.svd(blurred.reshape(rotations.shape))
    return Motion.of_body(u @ vt, root)


def _leg_length(places: Floats, index: dict[str, int], side: str) -> float:
    hip, knee, ankle = (places[index[f"{name}.{side}"]] for name in ("thigh", "shin", "foot"))
    return float(np.linalg.norm(hip - knee) + np.linalg.norm(knee - ankle))


def _from_t_pose(index: dict[str, int], rest: Floats, world: Floats) -> Floats:
    """(T, 20, 3, 3) rotations from an exact T-pose; the recording's own rest pose is only nearly one."""
    at_rest = rest[:, :3, :3] / np.linalg.norm(rest[:, :3, :3], axis=1, keepdims=True)
    moving = world[:, :, :3, :3] / np.linalg.norm(world[:, :, :3, :3], axis=2, keepdims=True)
    rotations = np.zeros((len(world), len(JOINTS), 3, 3))
    for joint, number in J.items():
        rotation = moving[:, index[joint]] @ at_rest[index[joint]].T
        part, _, side = joint.partition(".")
        if part in _CHILD:
            bone = "farm" if part == "hand" else part
            begin, end = (rest[index[f"{name}.{side}"], :3, 3] for name in (bone, _CHILD[bone]))
            out = np.array([1.0 if side == "L" else -1.0, 0, 0])
            ideal = out if bone in ("uarm", "farm") else np.array([0, 0, -1.0])
            rotation = rotation @ align(end - begin, ideal).T
        rotations[:, number] = rotation
    return rotations


def walk_along(recording: Motion, seconds: float, *, near: float, far: float) -> Motion:
    """Loop one stride of a straight walk along `u_turn`; the gait advances with the distance."""
    recording = face_camera(recording)
    way = recording.root[-1, :2] - recording.root[0, :2]
    recording = face_camera(recording, -math.atan2(way[0], -way[1]))
    a, b = _stride(recording)
    n = b - a
    mismatch = np.swapaxes(recording.rotations[b], 1, 2) @ recording.rotations[a]
    cycle = np.stack([recording.rotations[a + i] @ power(mismatch, i / n) for i in range(n + 1)])
    distance = -(recording.root[a : b + 1, 1] - recording.root[a, 1])
    progress, length = distance / distance[-1], float(distance[-1])
    sway = recording.root[a : b + 1, 0] - np.linspace(recording.root[a, 0], recording.root[b, 0], n + 1)
    rise = recording.root[b, 2] - recording.root[a, 2]
    lift = recording.root[a : b + 1, 2] - np.linspace(0, rise, n + 1)
    path, total = u_turn(near, far, 0.0, 0.22)
    rotations, root = [], []
    for q in np.linspace(0, total, int(seconds * FPS)):
        place, yaw = path(float(q))
        phase = (q / length) % 1.0
        i = min(max(int(np.searchsorted(progress, phase, side="right")) - 1, 0), n - 1)
        f = (phase - progress[i]) / max(progress[i + 1] - progress[i], 1e-6)
        facing = turn(Z, float(yaw))
        rotations.append(facing @ between(cycle[i], cycle[i + 1], f))
        aside = facing @ np.array([sway[i] * (1 - f) + sway[i + 1] * f, 0, 0])
        root.append([place[0] + aside[0], place[1] + aside[1], lift[i] * (1 - f) + lift[i + 1] * f])
    return Motion.of_body(np.array(rotations), np.array(root))


def _stride(recording: Motion) -> tuple[int, int]:
    """First and last frame of the most alike pair 18 to 35 frames apart."""
    parts = [J[name] for name in ("thigh.L", "thigh.R", "shin.L", "shin.R", "uarm.L")]
    pose = recording.rotations[:, parts].reshape(len(recording), -1)
    best = (math.inf, 0, 0)
    for a in range(2, len(recording) - 20):
        for b in range(a + 18, min(a + 36, len(recording) - 1)):
            apart = float(((pose[a : a + 2] - pose[b : b + 2]) ** 2).sum())
            best = min(best, (apart, a, b))
    return best[1], best[2]
