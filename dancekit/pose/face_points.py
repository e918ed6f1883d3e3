"""OpenPose's 70 points of the face, out of the 478 of MediaPipe's mesh.

The 68 points are those of iBUG (300-W), the other two are the pupils. The mesh has a vertex for each; where
several would do, as along the jaw, those that lie at equal distances were taken.
"""

from __future__ import annotations

from dancekit.pose.face_net import IRIS, POINTS

FACE_70: tuple[int, ...] = (
    # jaw, from the subject's right ear to the left one, the chin in the middle
    *(234, 93, 132, 58, 172, 136, 150, 176, 152, 400, 379, 365, 397, 288, 361, 323, 454),
    *(70, 63, 105, 66, 107),  # right brow, from the temple inwards
    *(336, 296, 334, 293, 300),  # left brow, from the nose outwards
    *(6, 195, 5, 4),  # bridge of the nose, downwards to the tip
    *(98, 97, 2, 326, 327),  # below the nose
    *(33, 160, 158, 133, 153, 144),  # right eye, from the outer corner over the upper lid
    *(362, 385, 387, 263, 373, 380),  # left eye, from the inner corner over the upper lid
    *(61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91),  # outer edge of the lips, from the right corner
    *(78, 81, 13, 311, 308, 402, 14, 178),  # inner edge of the lips
    *(POINTS, POINTS + IRIS),  # right and left pupil: the centres of the irises
)
"""Per point of the face, its number in the mesh."""
