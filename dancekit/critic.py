"""The critic file: the discriminators of a dancer's training, beside it, so that training can begin where it ended.

`ava.safetensors` has its critic in `ava.critic.safetensors`. It is not needed to paint. A warm start without it
begins with a discriminator that knows nothing, which drives the generator away from what it has learnt.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dancekit.dancer import DancerInfo, check_format, file_metadata
from dancekit.errors import DancerError
from dancekit.weights.header import file_sha256, read_header, read_tensors, write_safetensors
from dancekit.weights.quantize import Storage, pack, unpack

if TYPE_CHECKING:
    from torch import Tensor

KEYS = ("discriminator", "face_discriminator")
"""Recipe keys of its networks."""

NETWORKS = (*KEYS, "hand_discriminator")
"""Prefixes of its tensors; the hands' is a second one of the faces' kind."""


def critic_path(dancer: str | os.PathLike[str]) -> Path:
    """`ava.critic.safetensors` of `ava.safetensors`; it may not exist."""
    path = Path(dancer)
    return path.with_name(f"{path.stem}.critic.safetensors")


def save_critic(
    dancer: str | os.PathLike[str],
    info: DancerInfo,
    networks: Mapping[str, Tensor],
    *,
    dancer_sha256: str,
    dtype: Storage = "fp16",
) -> Path | None:
    """Write the critic beside a dancer; the same content gives the same bytes.

    Args:
        dancer: The dancer file.
        info: Its header.
        networks: Tensors named `discriminator.<key>`, `face_discriminator.<key>`, `hand_discriminator.<key>`.
        dancer_sha256: Of the dancer file, so that no critic is ever taken for another dancer's.
        dtype: As for `save_dancer`.

    Returns:
        The file; None if there are no discriminators, and then none is left there.
    """
    path = critic_path(dancer)
    if not networks:
        path.unlink(missing_ok=True)
        return None
    header = {
        "format": info.written_format,
        "kind": "critic",
        "dancer_sha256": dancer_sha256,
        "components": {key: value for key, value in info.components.items() if key in KEYS},
        "parameters": {key: getattr(info.recipe, key).params for key in KEYS},
        "storage": dtype,
        "licence": info.licence,
        "version": info.version,
    }
    write_safetensors(path, pack(networks, dtype), file_metadata(info, header, title=path.stem))
    return path


def read_critic(dancer: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The discriminators' tensors of a dancer, float32; empty if it has no critic.

    Raises:
        DancerError: The file beside it is damaged, or another dancer's.
    """
    path = critic_path(dancer)
    if not path.exists():
        return {}
    check_critic(dancer)
    return unpack(read_tensors(path))


def check_critic(dancer: str | os.PathLike[str]) -> None:
    """Refuse a critic beside a dancer that is not its own; none is fine.

    Raises:
        DancerError: It is damaged, or another dancer's.
    """
    path = critic_path(dancer)
    if not path.exists():
        return
    text = read_header(path).metadata.get("dancekit", "null")
    try:
        data = json.loads(text)
        check_format(path, data, kind="critic")
        trained_with = str(data["dancer_sha256"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DancerError(f"{path} is no critic of a dancer: {type(error).__name__}: {error}") from error
    if trained_with != (found := file_sha256(dancer)):
        raise DancerError(
            f"{path} belongs to a dancer with sha256 {trained_with}, {dancer} has {found}",
            hint="get both files again, or delete the critic to begin without it",
        )
