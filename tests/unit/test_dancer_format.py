"""Golden dancers of every format load and paint for ever; what another version cannot use is said."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from dancekit.config import load_recipe
from dancekit.critic import critic_path, read_critic
from dancekit.dancer import (
    FORMAT,
    DancerInfo,
    check_versions,
    component_ids,
    read_info,
    read_networks,
    read_target,
    save_dancer,
    stored_recipe,
)
from dancekit.errors import DancerError, IncompatibleParts, OutputExists, UsageError
from dancekit.transfer import Dancer
from dancekit.weights.header import file_sha256, read_header, read_tensors, write_safetensors
from dancekit.zoo.pack import repack

GOLDEN = Path(__file__).parents[1] / "golden" / "dancers"
NAMES = ("format-1", "format-2", "format-2-fp32", "format-2-int8", "format-3")


def changed(source: Path, out: Path, **header: object) -> Path:
    """The same tensors under another header."""
    metadata = dict(read_header(source).metadata)
    metadata["dancekit"] = json.dumps({**json.loads(metadata["dancekit"]), **header})
    write_safetensors(out, read_tensors(source), metadata)
    return out


def test_there_is_one_of_every_format() -> None:
    found = [path for path in GOLDEN.glob("*.safetensors") if ".critic." not in path.name]
    assert sorted(path.stem for path in found) == sorted(NAMES)
    assert {read_info(path).format for path in found} == set(range(1, FORMAT + 1))
    assert {read_info(path).storage for path in found} == {"fp32", "fp16", "int8"}
    assert all(path.stat().st_size < 200_000 for path in GOLDEN.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_dancer_paints_what_it_painted(name: str) -> None:
    dancer = Dancer.load(GOLDEN / f"{name}.safetensors", device="cpu")
    painted = np.stack(list(dancer.paint(dancer.target))).astype(int)
    with np.load(GOLDEN / f"{name}.npz") as file:
        expected = file["frames"].astype(int)
    assert expected.std() > 20, "a picture, not a plane"
    # other processors and thread counts round a pixel to its neighbour
    assert np.abs(painted - expected).max() <= 2
    assert dancer.info.licence == "CC0-1.0"
    assert dancer.info.subject == ("" if name == "format-1" else "rendered")
    assert dancer.plate.shape == (128, 128, 3)


def test_int8_and_fp16_paint_nearly_the_same() -> None:
    frames = {name: np.load(GOLDEN / f"{name}.npz")["frames"].astype(int) for name in NAMES}
    exact = frames["format-2-fp32"]
    assert np.abs(frames["format-2"] - exact).max() <= 1
    assert np.abs(frames["format-1"] - exact).max() <= 1
    assert 0.01 < np.abs(frames["format-2-int8"] - exact).mean() < 1


def payload(path: Path) -> bytes:
    data = path.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little") :]


@pytest.mark.parametrize("name", NAMES)
def test_written_again_it_is_the_same_bytes(name: str, tmp_path: Path) -> None:
    """After load and save; a file of format 1 becomes the same of format 2."""
    source = GOLDEN / f"{name}.safetensors"
    info = read_info(source)
    digests = []
    for number in range(2):
        out = tmp_path / f"{number}.safetensors"
        given = source if number == 0 else tmp_path / "0.safetensors"
        digests.append(
            save_dancer(
                out,
                read_info(given),
                read_networks(given),
                target=read_target(given, info),
                plate_png=read_tensors(given, ["plate.png"])["plate.png"].numpy().tobytes(),
                dtype=info.storage,
                title=name,
            )
        )
    assert digests[0] == digests[1] == file_sha256(tmp_path / "1.safetensors")
    # against the golden file itself only the recipe may have grown: the tensors' bytes are the same
    assert payload(tmp_path / "1.safetensors") == payload(source)


def test_the_header_names_every_component() -> None:
    info = read_info(GOLDEN / "format-2.safetensors")
    own = stored_recipe(GOLDEN / "format-2.safetensors")  # without the roles that came later
    places = {place for place, _, _ in info.recipe.components() if place.partition("[")[0] in own}
    assert info.components.keys() == places
    every = {place for place, _, _ in load_recipe("tiny").components()}
    assert component_ids(load_recipe("tiny")).keys() == every >= {*places, "reference"}
    assert {"generator", "discriminator", "filters[0]", "losses[2]", "augmentations[0]"} <= places
    assert all(name.rpartition("@")[2].isdecimal() for name in info.components.values())


# ---- other versions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("found", [0, FORMAT + 1, 99, "2", None])
def test_other_formats_are_refused(found: object, tmp_path: Path) -> None:
    path = changed(GOLDEN / "format-2.safetensors", tmp_path / "a.safetensors", format=found)
    with pytest.raises(DancerError, match=f"has dancer format {found}, this version reads 1 to {FORMAT}"):
        read_info(path)


def test_a_format_2_without_its_keys_is_damaged(tmp_path: Path) -> None:
    path = changed(GOLDEN / "format-1.safetensors", tmp_path / "a.safetensors", format=2)
    with pytest.raises(DancerError, match="damaged dancekit header: KeyError: 'subject'"):
        read_info(path)


def with_generator(info: DancerInfo, name: str, **changes: object) -> DancerInfo:
    recipe = info.recipe.model_copy(
        update={"generator": info.recipe.generator.model_copy(update={"name": name})}
    )
    components = {**info.components, "generator": f"{name}@3"}
    return dataclasses.replace(info, recipe=recipe, components=components, **changes)  # type: ignore[arg-type]


def test_a_missing_plugin_is_named_with_how_to_install_it() -> None:
    info = read_info(GOLDEN / "format-2.safetensors")
    path = Path("ava.safetensors")
    foreign = with_generator(info, "acme_gan", distributions={"generator": "acme-dance 1.2"})
    with pytest.raises(IncompatibleParts) as caught:
        check_versions(foreign, path)
    assert str(caught.value) == (
        "ava.safetensors needs the generator 'acme_gan' of the plugin acme-dance 1.2, which is not installed "
        "(pip install 'acme-dance==1.2')"
    )
    with pytest.raises(IncompatibleParts, match=r"install the plugin that has it.*dancekit ls generator"):
        check_versions(with_generator(info, "acme_gan"), path)


def test_what_only_training_needs_may_be_missing(caplog: pytest.LogCaptureFixture) -> None:
    info = read_info(GOLDEN / "format-2.safetensors")
    loss = info.recipe.losses[0].model_copy(update={"name": "acme_loss"})
    check_versions(
        dataclasses.replace(
            info,
            recipe=info.recipe.model_copy(update={"losses": [loss]}),
            components={**info.components, "losses[0]": "acme_loss@1", "filters[0]": "savgol@9"},
        ),
        Path("ava.safetensors"),
    )
    assert "trained with filter savgol@9" in caplog.text


def test_other_versions_of_painting_are_refused() -> None:
    info = read_info(GOLDEN / "format-2.safetensors")
    with pytest.raises(IncompatibleParts, match="generator: file pix2pixhd@3, here pix2pixhd@1"):
        check_versions(with_generator(info, "pix2pixhd"), Path("a"))


def test_plugins_are_written_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from dancekit import dancer as module

    source = GOLDEN / "format-2.safetensors"
    real = module.find

    def found(kind: str, name: str):
        entry = real(kind, name)
        return dataclasses.replace(entry, distribution="numpy") if kind == "generator" else entry

    monkeypatch.setattr(module, "find", found)
    repack(source, tmp_path / "a.safetensors")
    assert read_info(tmp_path / "a.safetensors").distributions == {"generator": f"numpy {np.__version__}"}


def test_a_file_to_begin_with_is_not_needed_to_paint() -> None:
    from dancekit.config import load_recipe
    from dancekit.transfer.pipeline import _to_paint

    recipe = load_recipe("tiny", ["generator=timm_unet", "generator.weights=/etc/shadow"])
    painting = _to_paint(recipe)
    assert painting.generator.params == {
        key: value for key, value in recipe.generator.params.items() if key not in ("weights", "sha256")
    }
    assert painting.face == recipe.face


# ---- storage ---------------------------------------------------------------------------------------------


def test_packed_it_is_smaller_and_paints_the_same(tmp_path: Path) -> None:
    source = GOLDEN / "format-2-fp32.safetensors"
    sizes = {}
    for dtype in ("fp32", "fp16", "int8"):
        out = tmp_path / f"{dtype}.safetensors"
        digest = repack(source, out, dtype=dtype)
        assert digest == file_sha256(out)
        info = read_info(out)
        assert info.storage == dtype and info.training["packed_from"] == file_sha256(source)
        sizes[dtype] = sum(
            t.offsets[1] - t.offsets[0] for n, t in read_header(out).tensors.items() if "." in n
        )
        old, new = read_target(source, info), read_target(out, info)
        assert np.array_equal(old.xy, new.xy) and np.array_equal(old.score, new.score)
        assert np.array_equal(old.pts, new.pts) and (old.time_base, old.size) == (new.time_base, new.size)
        assert not critic_path(out).exists()
    assert sizes["int8"] < sizes["fp16"] < sizes["fp32"]
    weights = {dtype: read_networks(tmp_path / f"{dtype}.safetensors") for dtype in ("fp32", "int8")}
    exact = read_networks(source)
    assert all(torch.equal(weights["fp32"][name], value) for name, value in exact.items())
    assert weights["int8"].keys() == exact.keys()
    with pytest.raises(OutputExists):
        repack(source, tmp_path / "int8.safetensors")
    with pytest.raises(UsageError, match="is the input"):
        repack(tmp_path / "int8.safetensors", tmp_path / "int8.safetensors", force=True)


def test_weights_whose_scales_are_gone_are_refused(tmp_path: Path) -> None:
    source = GOLDEN / "format-2-int8.safetensors"
    tensors = read_tensors(source)
    scales = [name for name in tensors if name.startswith("scale.")]
    assert scales
    tensors[scales[0]] = torch.ones(3)
    write_safetensors(tmp_path / "a.safetensors", tensors, read_header(source).metadata)
    with pytest.raises(DancerError, match=r"a\.safetensors: the scales of .* do not go with it"):
        Dancer.load(tmp_path / "a.safetensors", device="cpu")


# ---- the critic ------------------------------------------------------------------------------------------


def copied(name: str, folder: Path) -> Path:
    for path in GOLDEN.glob(f"{name}.*safetensors"):
        shutil.copy(path, folder)
    return folder / f"{name}.safetensors"


def test_the_critic_lies_beside_and_names_its_dancer(tmp_path: Path) -> None:
    dancer = copied("format-2", tmp_path)
    tensors = read_critic(dancer)
    assert {name.partition(".")[0] for name in tensors} == {"discriminator", "face_discriminator"}
    assert all(value.dtype == torch.float32 for value in tensors.values())
    facts = json.loads(read_header(critic_path(dancer)).metadata["dancekit"])
    assert facts["dancer_sha256"] == file_sha256(dancer)
    assert facts["components"] == {
        key: value
        for key, value in component_ids(read_info(dancer).recipe).items()
        if key in ("discriminator", "face_discriminator")
    }
    assert read_critic(GOLDEN / "format-1.safetensors") == {}


def test_another_dancers_critic_is_refused(tmp_path: Path) -> None:
    dancer = copied("format-2", tmp_path)
    shutil.copy(GOLDEN / "format-2-int8.safetensors", dancer)
    with pytest.raises(DancerError, match="belongs to a dancer with sha256") as caught:
        read_critic(dancer)
    assert file_sha256(dancer) in str(caught.value)
    shutil.copy(GOLDEN / "format-2.safetensors", critic_path(dancer))
    with pytest.raises(DancerError, match="is a dancer file, not a critic"):
        read_critic(dancer)
    write_safetensors(critic_path(dancer), {"x": torch.ones(1)}, {"format": "pt"})
    with pytest.raises(DancerError, match="is no critic of a dancer"):
        read_critic(dancer)
    with pytest.raises(DancerError, match="is a critic file, not a dancer"):
        read_info(GOLDEN / "format-2.critic.safetensors")


def test_packing_takes_the_critic_along(tmp_path: Path) -> None:
    repack(GOLDEN / "format-2.safetensors", tmp_path / "a.safetensors", dtype="int8")
    small, large = read_critic(tmp_path / "a.safetensors"), read_critic(GOLDEN / "format-2.safetensors")
    assert small.keys() == large.keys()
    assert all(torch.allclose(small[name], large[name], atol=2e-3) for name in large)
