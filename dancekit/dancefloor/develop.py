"""From light to a picture: floor reflections, exposure, filmic curve, the lens's blur, the sensor's noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.dancefloor.jit import Floats, Singles
from dancekit.dancefloor.rooms import Room

REFERENCE = 512
"""Side of the frame for which lengths in pixels are given; they scale with the frame."""


def soften(shadow: Singles, on_wall: Singles, size: tuple[int, int]) -> Singles:
    """The half-size shadow ratio at full size: soft on walls, where the few lights of the sky would show.

    Args:
        shadow: (h, w, 3) from `shade_room`.
        on_wall: (h, w, 3) 1 where the surface is upright.
        size: (W, H) of the frame.
    """
    k = max(size) / REFERENCE
    wall = np.maximum(cv2.GaussianBlur(on_wall, (0, 0), 7 * k), 1e-3)
    soft = cv2.GaussianBlur(shadow * on_wall, (0, 0), 7 * k) / wall
    near = cv2.GaussianBlur(shadow, (0, 0), 0.8 * k)
    mixed = near * (1 - on_wall) + soft * on_wall
    return np.asarray(cv2.resize(mixed, size, interpolation=cv2.INTER_LINEAR))


def mirror_on_floor(image: Floats, room: Room, middle: Floats, colour: Floats, alpha: Floats) -> None:
    """Add a blurred mirror image of a person to a glossy floor, in place.

    Args:
        image: (H, W, 3) the room's light.
        room: Whose floor.
        middle: (2,) where the person stands, x and y in metres: the mirror's line.
        colour: (H, W, 3) their premultiplied light.
        alpha: (H, W) their coverage.
    """
    rows, columns = np.flatnonzero(alpha.max(1) > 0), np.flatnonzero(alpha.max(0) > 0)
    if room.spec.gloss <= 0 or not len(rows):
        return
    top, left, right = int(rows[0]), int(columns[0]), int(columns[-1]) + 1
    k = max(room.camera.size) / REFERENCE
    height = int(rows[-1]) + 1 - top
    line = round(float(room.camera.project(np.array([[*middle, 0.0]]))[0][0, 1] + 0.5))
    line = min(max(line, top + 1), len(image) - 1)
    source = line - 1 - np.arange(min(height, len(image) - line, round(120 * k)))
    source = source[(source >= top) & (source < top + height)]
    if len(source) < 4:
        return
    blur = 2.5 * k
    light = cv2.GaussianBlur(np.ascontiguousarray(colour[source, left:right]), (0, 0), blur, sigmaY=2 * blur)
    cover = cv2.GaussianBlur(np.ascontiguousarray(alpha[source, left:right]), (0, 0), blur, sigmaY=2 * blur)
    onto = slice(line, line + len(source)), slice(left, right)
    strength = room.spec.gloss * np.linspace(1, 0.1, len(source))[:, None]
    strength = strength * (room.normals[(*onto, 2)] > 0.5)
    image[onto] = image[onto] * (1 - (strength * cover)[..., None]) + light * strength[..., None]


def develop(light: Floats, room: Room, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light (H, W, 3) to an sRGB picture (H, W, 3); the curve is Narkowicz's fit of ACES."""
    x: Floats = np.asarray(light * room.spec.exposure, np.float32)
    x = (x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14)
    x = np.clip(x, 0, 1) ** np.float32(1 / 2.2)
    x = cv2.GaussianBlur(x, (0, 0), 0.45)
    sigma = np.float32(room.spec.noise / 255)
    noise = rng.standard_normal((*x.shape[:2], 4), np.float32) * sigma
    grain = noise[..., :1] + 0.5 * noise[..., 1:]  # grey, and half as much colour
    return np.asarray(np.clip(x + grain * (1.2 - 0.5 * x), 0, 1) * 255 + 0.5).astype(np.uint8)
