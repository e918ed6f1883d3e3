"""Every built-in component runs through the contract suite of its kind, as plugins do."""

from __future__ import annotations

from typing import Any

import pytest

from dancekit.registry import list_components
from dancekit.registry.core import HOME
from dancekit.testing import Check, contract_checks

SMALL: dict[str, dict[str, Any]] = {
    "pose/blazepose": {"model": "lite"},
    "pose/blazepose_holistic": {"model": "lite"},
    "generator/pix2pixhd": {"ngf": 4, "n_down": 2, "n_blocks": 1},
    "generator/pix2pixhd_local": {"ngf": 4, "n_down": 2, "n_blocks": 1, "n_blocks_local": 1},
    "generator/resnet": {"ngf": 4, "n_blocks": 1},
    "generator/unet": {"ngf": 4, "depth": 4},
    "generator/timm_unet": {"width": 4},
    "discriminator/multiscale": {"ndf": 4},
    "discriminator/patch": {"ndf": 4},
    "discriminator/pixel": {"ndf": 4},
    "discriminator/multiscale_temporal": {"ndf": 4, "num_d": 1},
    "temporal/flow_warp": {"ngf": 4, "n_blocks": 1},
    "temporal/recurrent": {"channels": 8},
    "loss/perceptual": {"backbone": "blazepose_lite"},
    "face/residual": {"crop_size": 32, "ngf": 4, "n_down": 1, "n_blocks": 1},
    "generator/separable": {"ngf": 8, "n_blocks": 1},
    "face/landmark": {"crop_size": 32, "ngf": 4, "n_down": 1, "n_blocks": 1},
    "face/edn": {"crop_size": 32, "ngf": 4, "n_down": 1, "n_blocks": 1},
    "augmentation/drop_limbs": {"p": 0.5},
}
"""Parameters that make the checks fast; all else is tried with its defaults."""

WIRED: dict[str, dict[str, Any]] = {"discriminator/multiscale_temporal": {"in_channels": 18, "frames": 3}}
"""What is given in place of the examples."""

ELSEWHERE = {"pose/rtmlib", "metric/lpips", "metric/fid", "runner/compiled", "runner/openvino"}
"""Weights that do not ship, a C++ compiler, an extra: tests/unit/test_rtmlib.py, test_metrics_learned.py and those of
the runners put stand-ins in their place, or take their time."""


def _all() -> list[Any]:
    found = []
    for entry in list_components():
        name = f"{entry.kind}/{entry.name}"
        if entry.distribution == HOME and name not in ELSEWHERE:
            for check in contract_checks(
                entry.kind, entry.name, params=SMALL.get(name), wired=WIRED.get(name)
            ):
                found.append(pytest.param(check, id=f"{name}-{check}"))
    return found


@pytest.mark.parametrize("check", _all())
def test_a_built_in_component_keeps_its_contract(check: Check) -> None:
    check()
