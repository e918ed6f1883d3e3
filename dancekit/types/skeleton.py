"""What the joints of a pose are: names, edges, left/right pairs and parts of each skeleton.

A skeleton is versioned (`body_25@1`), because a change of order or edges silently ruins a trained model.
The tables are in `skeleton_tables.py`, maps between skeletons in `conversion.py`.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dancekit.errors import UnknownName

# The 68 face points are numbered along the face (jaw, brows, nose, eyes, lips; iBUG order), not by side.
_FACE_68 = (
    *((n, 16 - n) for n in range(8)),
    *((n, 43 - n) for n in range(17, 22)),
    (31, 35),
    (32, 34),
    *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),
    *((48, 54), (49, 53), (50, 52), (55, 59), (56, 58)),
    *((60, 64), (61, 63), (65, 67)),
)

MIRRORED_FACE: dict[str, tuple[tuple[int, int], ...]] = {
    name: tuple((offset + first, offset + second) for first, second in _FACE_68)
    for name, offset in (
        ("wholebody_133", 23),
        ("body_18_face_hands", 18),
        ("body_23_face_hands", 23),
        ("body_25_face_hands", 25),
        ("blazepose_33_face_hands", 33),
    )
}
"""Joints that are numbered rather than named by side: pairs of indices that swap under `Skeleton.mirror`."""


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """A named set of joints.

    Attributes:
        name: `coco_17`, `body_25`, ...
        version: Increases when order, edges or meaning change.
        joints: K unique joint names in snake case, `left_`/`right_` for the subject's sides.
        edges: Limbs as pairs of joint indices, in drawing order.
        parts: Joint indices of `body`, and of `feet`, `face`, `left_hand`, `right_hand` where there are any.
        source: Where the layout comes from.
    """

    name: str
    version: int
    joints: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    parts: dict[str, tuple[int, ...]]
    source: str

    def __post_init__(self) -> None:
        if len(set(self.joints)) != len(self.joints):
            raise ValueError(f"{self.name}: joint names are not unique")
        for pair in self.edges:
            if not all(0 <= joint < len(self.joints) for joint in pair):
                raise ValueError(f"{self.name}: edge {pair} outside of {len(self.joints)} joints")

    def __len__(self) -> int:
        return len(self.joints)

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Skeleton) and other.id == self.id

    @property
    def id(self) -> str:
        """`name@version`, as stored in files."""
        return f"{self.name}@{self.version}"

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.joints)}

    def __contains__(self, joint: object) -> bool:
        return joint in self._index

    def index(self, joint: str) -> int:
        """The index of a joint.

        Raises:
            UnknownName: The skeleton has no such joint.
        """
        try:
            return self._index[joint]
        except KeyError:
            raise UnknownName(
                f"{self.id} has no joint {joint!r}", hint=f"it has {', '.join(self.joints)}"
            ) from None

    def side(self, joint: int) -> str | None:
        """`left`, `right` or None for a joint in the middle."""
        name = self.joints[joint]
        for side in ("left", "right"):
            if name.startswith(f"{side}_"):
                return side
        return None

    @cached_property
    def mirror(self) -> NDArray[np.intp]:
        """(K,) an involution: the index of each joint's counterpart on the other side."""
        swap = {"left_": "right_", "right_": "left_"}
        order = np.arange(len(self.joints))
        for number, name in enumerate(self.joints):
            for prefix, other in swap.items():
                if name.startswith(prefix):
                    order[number] = self._index[other + name.removeprefix(prefix)]
        for i, j in MIRRORED_FACE.get(self.name, ()):
            order[i], order[j] = j, i
        return order


def get_skeleton(name: str) -> Skeleton:
    """The skeleton of that name (`body_25`) or id (`body_25@1`).

    Raises:
        UnknownName: No such skeleton, or another version of it.
    """
    from dancekit.types.skeleton_tables import SKELETONS

    plain, _, version = name.partition("@")
    if plain not in SKELETONS:
        near = difflib.get_close_matches(plain, SKELETONS, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UnknownName(f"unknown skeleton {name!r}", hint=f"{hint}there are {', '.join(SKELETONS)}")
    found = SKELETONS[plain]
    if version and version != str(found.version):
        raise UnknownName(
            f"this version of dancekit has {found.id}, not {name}", hint="install the version that wrote it"
        )
    return found


def skeleton_names() -> tuple[str, ...]:
    """Names of all skeletons."""
    from dancekit.types.skeleton_tables import SKELETONS

    return tuple(SKELETONS)
