"""Every case is checked by exactly one test; a kind that nobody knows fails."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from cases import CHECKED, FOLDER, Case, checks, find_cases, matching


@pytest.fixture(scope="session")
def checked() -> dict[str, str]:
    """All patterns of all tests in this folder."""
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(file.stem)
    return dict(CHECKED)


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no folder {FOLDER}")
def test_the_folder_holds_cases() -> None:
    assert find_cases()


@pytest.mark.parametrize("case", find_cases(), ids=str)
def test_the_case_has_one_checker(case: Case, checked: dict[str, str]) -> None:
    found = matching(case, checked)
    assert len(found) == 1, (
        f"{case.path} is checked by {[checked[pattern] for pattern in found] or 'no test'}"
    )
    assert case.path.is_file() or (case.path / "meta.json").is_file()


FAMILIES = [
    "p2phd_global_x p2phd_local_x p2phd_encoder_x p2phd_msD_x p2phd_losses edn_losses p2p_losses",
    "p2phd_vggloss_narrow p2phd_step_x edn_step_x p2p_step_x p2phd_lr_schedule edn_lr_schedule p2p_lr_schedule",
    "p2phd_image_pool edn_image_pool p2p_image_pool edn_global_x edn_local_x edn_faceG_global_x edn_faceG_unet_x",
    "edn_faceD_x edn_msD_x edn_inference_sequence edn_inference_sequence_face edn_dataset p2phd_encode_input",
    "edn_load_pretrain p2p_unet128_x p2p_unet256_x p2p_resnet6_x p2p_resnet9_x p2p_patchD_x p2p_pixelD_x",
    "edn_read_keypoints edn_pose_functions edn_render edn_graph_train_x edn_graph_avesmooth edn_posenorm_walk",
    "edn_posenorm_small_source_range edn_posenorm_missing_points edn_posenorm_source_720p",
    "edn_posenorm_json_given_params",
]
"""Every kind that the README of the cases names, those that the sample lacks among them."""


@pytest.mark.parametrize("name", " ".join(FAMILIES).split())
def test_every_kind_has_one_checker(name: str, tmp_path: Path, checked: dict[str, str]) -> None:
    found = matching(Case(name, tmp_path), checked)
    assert len(found) == 1, [checked[pattern] for pattern in found]


def test_cases_are_folders_and_json_files(tmp_path: Path) -> None:
    (tmp_path / "b_net").mkdir()
    (tmp_path / "a_list.json").write_text("{}")
    (tmp_path / "README.md").write_text("")
    assert [case.name for case in find_cases(tmp_path)] == ["a_list", "b_net"]
    assert find_cases(tmp_path / "absent") == []


def test_an_unknown_kind_has_no_checker(tmp_path: Path, checked: dict[str, str]) -> None:
    assert not matching(Case("edn_telepathy", tmp_path), checked)


def test_two_patterns_for_one_case_are_seen(tmp_path: Path) -> None:
    assert matching(Case("edn_render", tmp_path), ("edn_*", "edn_render")) == ["edn_*", "edn_render"]


def test_a_check_names_itself() -> None:
    @checks("nothing_is_called_so_*")
    def test_of_nothing(case: Case) -> None: ...

    assert CHECKED.pop("nothing_is_called_so_*").endswith("test_of_nothing")
