"""The original's data set: pictures to tensors, pairs of frames, face boxes, and tensors back to pictures.

The case is not in the sample. Its README says what it shows ("PNG to tensors, tensor2im") and, in 3.4, the rules;
whatever pictures and tensors it holds are found by their names and compared, and one that is not understood fails.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cases import Case, checks
from named import role_of, values_of
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from dancekit.data.edn_folder import PICTURES, find_edn_folder, picture_size, read_boxes
from dancekit.data.edn_import import import_edn
from dancekit.data.edn_set import Pictures, attach, check_size
from dancekit.data.training_set import to_conditions, to_images
from dancekit.errors import IncompatibleParts
from dancekit.model import to_uint8

CLOSE = 1e-6
LABELS, FRAMES, TEXTS = "label", r"img|image|frame|real", "facetexts|face"
ROLES = {
    "label": r"label",
    "image": r"image|img|real_image",
    "box": r"face_?coords?|face_?box(?:es)?|facetexts?(?:128)?|face|mc",
    "empty": r"inst|feat",
}

# ---- the pictures of a case


@dataclass(frozen=True)
class DataSet:
    """The files of one phase, in order."""

    labels: tuple[Path, ...]
    frames: tuple[Path, ...]
    texts: tuple[Path, ...]


def sorted_files(folder: Path, suffixes: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes))


def data_sets(case: Case, place: Path) -> dict[str, tuple[Path, DataSet]]:
    """By phase, the data folder and its files; made in `place` of pictures that do not lie as in the original."""
    found: dict[str, tuple[Path, DataSet]] = {}
    for labels in sorted(path for path in case.path.rglob("*_label") if path.is_dir()):
        phase, root = labels.name.removesuffix("_label"), labels.parent
        frames, texts = root / f"{phase}_img", sorted(root.glob(f"{phase}_facetexts*"))
        found[phase] = (
            root,
            DataSet(
                sorted_files(labels, PICTURES),
                sorted_files(frames, PICTURES) if frames.is_dir() else (),
                sorted_files(texts[0], (".txt",)) if texts else (),
            ),
        )
    return found or {"train": gathered(case, place)}


def gathered(case: Case, place: Path) -> tuple[Path, DataSet]:
    """Pictures in one folder, or in folders of other names, or as tensors of uint8: laid out as the original's."""
    targets = {name: place / f"train_{name}" for name in ("label", "img", "facetexts128")}
    for folder in targets.values():
        folder.mkdir(parents=True)
    for path in sorted(case.path.rglob("*")):
        inside = path.relative_to(case.path).as_posix()
        if path.suffix.lower() == ".txt":
            shutil.copy(path, targets["facetexts128"] / path.name)
        elif path.suffix.lower() in PICTURES and "2im" not in inside:
            kind = "label" if re.search(LABELS, inside) else "img" if re.search(FRAMES, inside) else ""
            assert kind, f"{path}: neither a label nor a frame by its name"
            shutil.copy(path, targets[kind] / path.name)
    for name, value in sorted(case.io.items()):
        if value.dtype == torch.uint8 and "2im" not in name and value.ndim >= 3:
            kind = "label" if re.search(LABELS, name) else "img"
            picture = value.reshape(value.shape[-3:]).numpy()
            picture = picture if picture.shape[-1] == 3 else picture.transpose(1, 2, 0)
            Image.fromarray(picture).save(targets[kind] / f"{index_of(name):06d}.png")
    files = {
        name: sorted_files(folder, (".txt",) if name == "facetexts128" else PICTURES)
        for name, folder in targets.items()
    }
    if not files["facetexts128"]:
        targets["facetexts128"].rmdir()
    return place, DataSet(files["label"], files["img"], files["facetexts128"])


def index_of(name: str) -> int:
    """The last number of a name that is not part of a word or size: which item it is; 0 without one."""
    numbers = re.findall(r"(?<![A-Za-z\dx])\d+(?![A-Za-z\dx])", name)
    return int(numbers[-1]) if numbers else 0


# ---- tensors of labels and frames


def chw(value: Tensor) -> Tensor:
    """(C, H, W) of a tensor with or without a batch of one."""
    assert value.ndim == 3 or (value.ndim == 4 and len(value) == 1), tuple(value.shape)
    return value.reshape(value.shape[-3:]).float()


def ours(files: tuple[Path, ...], number: int, size: tuple[int, int], role: str) -> Tensor:
    """What training makes of a picture at (W, H): (3, H, W)."""
    resample = Image.Resampling.NEAREST if role == "label" else Image.Resampling.BICUBIC
    convert = to_conditions if role == "label" else to_images
    return convert(Pictures(files, size, resample)[number : number + 1])[0]


def enlarged(case: Case, files: tuple[Path, ...]) -> list[tuple[int, int]]:
    """Sizes from which a crop may have been taken: of the files, and those that the options make of it."""
    width, height = picture_size(files[0])
    sizes = [(width, height)]
    for side in values_of(case.meta, "loadSize", "load_size"):
        sizes += [(side, side), (side, int(side * height / width))]
    return sizes


def is_part_of(part: Tensor, whole: Tensor) -> bool:
    """Whether a picture is a window of another one, somewhere."""
    height, width = part.shape[1:]
    if whole.shape[1] < height or whole.shape[2] < width:
        return False
    places = whole.unfold(1, height, 1).unfold(2, width, 1)  # (3, y, x, h, w)
    return bool(((places - part[:, None, None]).abs().amax((0, 3, 4)) <= CLOSE).any())


def same_picture(
    case: Case, name: str, true: Tensor, files: tuple[Path, ...], number: int, role: str
) -> bool:
    """Whether a tensor is that picture; mirrored or cut out only where the case's part is called so."""
    size = (true.shape[2], true.shape[1])
    flips = [False, True] if re.search(r"(?<!no_)(?<!no)flip", name) else [False]
    crops = "crop" in name
    for mirrored in flips:
        wanted = true.flip(2) if mirrored else true
        if crops and any(
            is_part_of(wanted, ours(files, number, each, role)) for each in enlarged(case, files)
        ):
            return True
        if float((ours(files, number, size, role) - wanted).abs().max()) <= CLOSE:
            return True
    return False


def check_item(case: Case, name: str, value: Tensor, sets: dict[str, tuple[Path, DataSet]]) -> int:
    """One tensor of the data set; how many things were compared."""
    found = role_of(name, ROLES)
    assert found, f"{case}: what is {name}?"
    role, rest = found
    phase = next((phase for phase in sets if phase in rest.split()), next(iter(sets)))
    _, files = sets[phase]
    number = index_of(name)
    if role == "empty":
        assert not value.any(), f"{case}: {name} is not empty"
        return 0
    if role == "box":
        assert value.flatten().tolist() == by_file(read_boxes(files.texts))[number], name
        return 1
    following = "next" in name.lower()
    pictures = files.labels if role == "label" else files.frames
    if value.numel() <= 1:  # the original says 0 where there is no next frame
        assert following and number + 1 == len(pictures), f"{case}: {name} is empty"
        return 0
    assert same_picture(case, name, chw(value), pictures, number + following, role), f"{case}: {name}"
    return 1


def by_file(boxes: np.ndarray) -> list[list[int]]:
    """Boxes as the text files have them: top, bottom, left, right."""
    return (boxes + 0.5)[:, [1, 3, 0, 2]].astype(int).tolist()


def check_training_set(root: Path, phase: str, size: tuple[int, int], place: Path) -> None:
    """The same pictures through import and training set, as a run reads them."""
    folder = find_edn_folder(root, phase)
    import_edn(root, place / "set", phase=phase)
    try:
        check_size(place / "set", size)
    except IncompatibleParts:  # another shape than the files': a recipe cannot ask for it
        return
    data = attach(place / "set", place / "run", size)
    clip = data.clip(0, len(data))
    for number in range(len(data)):
        assert torch.equal(clip.condition[number], ours(folder.labels, number, size, "label"))
        assert torch.equal(clip.images[number], ours(folder.frames, number, size, "image"))
    if folder.texts:  # in the pixels of the size: the original leaves them as they are
        scale = size[0] / folder.size[0]
        assert np.allclose(clip.boxes + 0.5, (read_boxes(folder.texts) + 0.5) * scale)


# ---- back to pictures


def truncated(value: Tensor) -> np.ndarray:
    """(C, H, W) in [-1, 1] to (H, W, C) uint8 by the README's rule: (x + 1) / 2 * 255, clipped, truncated."""
    scaled = (value.numpy().transpose(1, 2, 0) + 1) / 2.0 * 255.0
    return np.clip(scaled, 0, 255).astype(np.uint8)


def check_back(value: Tensor, picture: np.ndarray, what: str) -> None:
    """The original truncates, dancekit rounds: the same level, or the next one where that is nearer."""
    true = np.asarray(picture).reshape(-1)
    plain = truncated(value)
    if plain.size != true.size:  # a single channel, or the first of many
        value, plain = value[:1], plain[..., :1]
    assert np.array_equal(plain.reshape(-1), true), f"{what}: not truncated"
    exact = np.clip((value.double().numpy().transpose(1, 2, 0) + 1) * 127.5, 0, 255).reshape(-1)
    rounded = to_uint8(value[None])[0].reshape(-1).astype(int)
    assert set(np.unique(rounded - true)) <= {0, 1}, what
    assert (np.abs(rounded - exact) <= 0.5 + 1e-3).all(), what


def number_pairs(node: Any) -> list[tuple[Any, Any]]:
    """What a list or mapping in JSON says: pairs of numbers, or of equally long lists."""
    if isinstance(node, dict):
        keys = {key.lower(): value for key, value in node.items()}
        for before in ("input", "in", "x", "value", "values", "tensor"):
            for after in ("output", "out", "y", "result", "image", "uint8"):
                if before in keys and after in keys:
                    return [(keys[before], keys[after])]
        try:
            return [(float(key), value) for key, value in node.items() if isinstance(value, int)]
        except ValueError:
            return [pair for value in node.values() for pair in number_pairs(value)]
    if isinstance(node, list) and node and all(is_pair(v) for v in node):
        return [(v[0], v[1]) for v in node]
    if isinstance(node, list):
        return [pair for value in node for pair in number_pairs(value)]
    return []


def is_pair(value: Any) -> bool:
    """Two numbers, or two pictures: lists of lists."""
    if not isinstance(value, list) or len(value) != 2:
        return False
    deep = [isinstance(side, list) and bool(side) and isinstance(side[0], list) for side in value]
    return all(deep) or all(isinstance(side, int | float) for side in value)


def check_tensor2im(case: Case) -> tuple[int, set[str]]:
    """Everything that is called so, among the tensors, the pictures and the facts; how much, and which tensors."""
    compared, used = 0, set[str]()
    told = {name: value for name, value in case.io.items() if "2im" in name}
    floats = {name: value for name, value in case.io.items() if value.is_floating_point() and value.ndim >= 3}
    for name, value in told.items():
        used.add(name)
        if value.is_floating_point():
            continue
        source = source_of(name, value.numel(), floats)
        used.add(source)
        check_back(chw(floats[source]), value.numpy(), name)
        compared += 1
    for path in sorted(case.path.rglob("*")):
        if "2im" in path.relative_to(case.path).as_posix() and path.suffix.lower() in PICTURES:
            picture = np.asarray(Image.open(path))
            source = source_of(path.stem, picture.size, floats)
            used.add(source)
            check_back(chw(floats[source]), picture, path.name)
            compared += 1
    for before, after in number_pairs(
        values_of(case.meta, *[key for key in keys_of(case.meta) if "2im" in key])
    ):
        value = torch.tensor(before, dtype=torch.float32)
        picture = np.array(after)
        value = value.reshape(1, 1, -1) if value.ndim < 3 else chw(value)
        check_back(value, picture.astype(np.uint8), "tensor2im")
        compared += 1
    return compared, used


def keys_of(node: Any) -> set[str]:
    if isinstance(node, dict):
        return set(node).union(*(keys_of(value) for value in node.values()))
    return set().union(*(keys_of(value) for value in node)) if isinstance(node, list) else set()


def source_of(name: str, count: int, floats: dict[str, Tensor]) -> str:
    """The tensor that a picture was made of: of what is left of its name, or the only one that is called so."""
    plain = re.sub(r"tensor_?2im", "", name)
    words = [
        word for word in re.findall(r"[a-z]+|\d+", plain.lower()) if word not in ("out", "output", "result")
    ]
    fits = {}
    for key, value in floats.items():
        if count in (value.numel(), value[..., :1, :, :].numel()):
            own = re.findall(r"[a-z]+|\d+", key.lower())
            common = sum(word in own for word in words)
            fits[key] = common - 0.1 * (len(own) - common) + ("2im" in key)
    assert fits, f"no tensor of the size of {name}"
    chosen = [key for key, score in fits.items() if score == max(fits.values())]
    assert len(chosen) == 1, f"{name}: made of which of {chosen}?"
    return chosen[0]


# ---- the check


@checks("edn_dataset*")
def test_data_set(case: Case, tmp_path: Path) -> None:
    sets = data_sets(case, tmp_path / "gathered")
    back, used = check_tensor2im(case)
    compared, sizes = {"label": 0, "image": 0}, set()
    for name, value in case.io.items():
        named = role_of(name, ROLES)
        if (name in used and not (named and named[0] in compared)) or value.dtype == torch.uint8:
            continue
        done = check_item(case, name, value, sets)
        if named and named[0] in compared:
            compared[named[0]] += done
            if done and named[0] == "label":
                sizes.add((value.shape[-1], value.shape[-2]))
    assert all(compared.values()), f"{case}: nothing compared of {[k for k, v in compared.items() if not v]}"
    claimed = any("2im" in key for key in (*case.io, *keys_of(case.meta)))
    assert back or not claimed, f"{case}: tensor2im is there and was not compared"
    for phase, (root, files) in sets.items():
        if len(files.frames) == len(files.labels):
            for number, size in enumerate(sorted(sizes)):
                check_training_set(root, phase, size, tmp_path / f"{phase}{number}")
    for listed in values_of(case.meta, "order", "sorted", "paths", "label_paths"):
        if isinstance(listed, list) and all(isinstance(path, str) and "label" in path for path in listed):
            names = [Path(path).name for path in listed]
            assert any(names == [path.name for path in files.labels] for _, files in sets.values())


# ---- the check itself, on cases made here


def original_tensor(path: Path, size: tuple[int, int], role: str) -> Tensor:
    """By the README's words: 0 to 1 and nearest, or -1 to 1 and bicubic."""
    with Image.open(path) as file:
        picture = file.convert("RGB")
    if picture.size != size:
        picture = picture.resize(size, Image.NEAREST if role == "label" else Image.BICUBIC)
    value = torch.from_numpy(np.array(picture).transpose(2, 0, 1)).float().div(255)
    return value if role == "label" else (value - 0.5) / 0.5


FULL, HALF = (64, 32), (32, 16)


def made(place: Path, *, folders: bool, batch: bool = True) -> tuple[Case, dict[str, Tensor]]:
    """Three frames, with all pairs at two sizes, boxes, and the last frame back to a picture."""
    case = Case("edn_dataset", place / "edn_dataset")
    rng, io = np.random.default_rng(4), {}
    for number in range(3):
        for kind in ("label", "img"):
            folder = case.path / "data" / f"train_{kind}" if folders else case.path
            folder.mkdir(parents=True, exist_ok=True)
            picture = rng.integers(0, 256, (FULL[1], FULL[0], 3), dtype=np.uint8)
            name = f"frame{number:06d}.png" if folders else f"{kind}_frame{number:06d}.png"
            Image.fromarray(picture).save(folder / name)
        if folders:
            texts = case.path / "data" / "train_facetexts128"
            texts.mkdir(exist_ok=True)
            (texts / f"frame{number:06d}.txt").write_text(f"{number} {number + 16} 4 20")
            io[f"none.face_coords.{number}"] = torch.tensor([number, number + 16, 4, 20])
    files = {
        role: sorted(case.path.rglob(f"train_{kind}/*.png" if folders else f"{kind}_*.png"))
        for role, kind in (("label", "label"), ("image", "img"))
    }
    for config, size in (("none", FULL), ("scale_width", HALF)):
        for number in range(2):
            for role in ("label", "image"):
                for prefix, step in (("", 0), ("next_", 1)):
                    value = original_tensor(files[role][number + step], size, role)
                    io[f"{config}.{prefix}{role}.{number}"] = value[None] if batch else value
    io["none.inst.0"] = torch.zeros(1)
    whole = io["none.image.0"].reshape(3, FULL[1], FULL[0]).numpy()
    io["tensor2im.none.image.0"] = torch.from_numpy(
        (np.clip((whole.transpose(1, 2, 0) + 1) / 2.0 * 255.0, 0, 255)).astype(np.uint8)
    )
    return case, io


def saved(case: Case, io: dict[str, Tensor], **meta: Any) -> Case:
    save_file({key: value.contiguous() for key, value in io.items()}, case.path / "io.safetensors")
    (case.path / "meta.json").write_text(json.dumps({"class": "AlignedDataset", **meta}))
    return Case(case.name, case.path)


@pytest.mark.parametrize("folders", [True, False])
@pytest.mark.parametrize("batch", [True, False])
def test_a_data_set_however_it_lies(tmp_path: Path, folders: bool, batch: bool) -> None:
    case, io = made(tmp_path, folders=folders, batch=batch)
    test_data_set(saved(case, io), tmp_path / "work")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("none.label.0", lambda x: x * 2 - 1),  # in the range of images
        ("none.image.1", lambda x: (x + 1) / 2),  # in the range of labels
        ("none.next_image.1", lambda x: x.flip(3)),  # mirrored
        ("scale_width.label.0", lambda x: x + 2e-6),
        ("none.face_coords.1", lambda x: x[[2, 3, 0, 1]]),
        ("tensor2im.none.image.0", lambda x: x.clamp(max=254) + 1),
        ("none.inst.0", lambda x: x + 1),
        ("what.is.this", lambda x: torch.zeros(3)),
    ],
)
def test_a_data_set_with_something_wrong(tmp_path: Path, name: str, wrong: Any) -> None:
    case, io = made(tmp_path, folders=True)
    with pytest.raises(AssertionError):
        test_data_set(saved(case, io | {name: wrong(io.get(name))}), tmp_path / "work")


def test_labels_that_were_smoothed_and_images_that_were_not_are_seen(tmp_path: Path) -> None:
    case, io = made(tmp_path, folders=True)
    path = sorted(case.path.rglob("train_label/*.png"))[0]
    with Image.open(path) as file:
        smooth = torch.from_numpy(np.array(file.resize(HALF, Image.BICUBIC)).transpose(2, 0, 1)).float() / 255
    with pytest.raises(AssertionError):
        test_data_set(saved(case, io | {"scale_width.label.0": smooth[None]}), tmp_path / "work")


def test_flips_and_crops_only_where_they_are_named(tmp_path: Path) -> None:
    case, io = made(tmp_path, folders=True)
    image = io["none.image.0"]
    good = {"flip.image.0": image.flip(3), "crop.image.0": image[..., 5:21, 7:31]}
    test_data_set(saved(case, io | good), tmp_path / "a")
    for name, value in (("no_flip.image.0", image.flip(3)), ("crop.image.0", image[..., 5:21, 7:31] * 0.9)):
        with pytest.raises(AssertionError):
            test_data_set(saved(case, io | {name: value}), tmp_path / name)


def test_nothing_to_compare_fails(tmp_path: Path) -> None:
    case, io = made(tmp_path, folders=True)
    with pytest.raises(AssertionError, match="nothing compared"):
        test_data_set(saved(case, {key: io[key] for key in io if "image" not in key}), tmp_path / "a")
    with pytest.raises(AssertionError):
        test_data_set(
            saved(case, io | {"none.next_label.2": torch.zeros(1), "none.label.2": torch.zeros(1)}),
            tmp_path / "b",
        )


@pytest.mark.parametrize(
    "facts",
    [
        {"0.0": 127, "-1.0": 0, "1.0": 255, "1.5": 255, "-3": 0},
        [[0.0, 127], [0.999, 254]],
        {"input": [[[0.0, 0.5]]], "output": [[[127], [191]]]},
    ],
)
def test_tensor2im_as_numbers(tmp_path: Path, facts: Any) -> None:
    case, io = made(tmp_path, folders=True)
    test_data_set(saved(case, io, tensor2im=facts), tmp_path / "a")
    with pytest.raises(AssertionError):
        test_data_set(saved(case, io, tensor2im=[[0.0, 128]]), tmp_path / "b")
