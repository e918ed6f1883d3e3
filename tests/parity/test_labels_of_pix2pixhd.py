"""pix2pixHD's conditions from label maps: one-hot labels, instance edges, encoded features.

These cases are not in the sample. What their README says of them is used; how it names them is guessed at with
some room, and a case in which nothing could be compared fails.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from cases import Case, checks
from named import grouped, values_of
from networks import norm_of
from safetensors.torch import save_file
from torch import Tensor, nn

from dancekit.generators.pix2pixhd_labels import InstanceEncoder, instance_edges, one_hot_labels
from dancekit.weights.state_dict import differences, read_state_dict, without_legacy_statistics

# ---- the encoder


def encoder_of(args: dict[str, Any], state: dict[str, Tensor]) -> InstanceEncoder:
    """The encoder whose widths and depth the weights have, which must be those that the case names."""
    convolutions = [value for key, value in state.items() if key.endswith("weight") and value.ndim == 4]
    first, last = convolutions[0], convolutions[-1]
    facts = {
        "in_channels": first.shape[1],
        "out_channels": last.shape[0],
        "ngf": first.shape[0],
        "n_down": (len(convolutions) - 2) // 2,
    }
    spelt = {
        "in_channels": ("input_nc",),
        "out_channels": ("output_nc", "feat_num"),
        "ngf": ("ngf", "nef"),
        "n_down": ("n_downsampling", "n_downsample_E", "n_downsample_global"),
    }
    for key, names in spelt.items():
        said = {args[name] for name in names if name in args}
        assert not said or facts[key] in said, (key, facts[key], args)
    return InstanceEncoder(norm=norm_of(args, "instance"), **facts)


def encoder_inputs(io: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Image and instance numbers: the second of two inputs, or what is called so."""
    named = grouped(
        io, {"image": r"input[._]?0|real_image|image|input(?![._]?\d)", "instance": r"input[._]?1|inst\w*"}
    )
    found = {role: value for group in named.values() for role, value in group.items()}
    assert {"image", "instance"} <= set(found), f"no image or no instances among {sorted(io)}"
    instances = found["instance"]
    return found["image"], instances.view(len(instances), 1, *instances.shape[-2:])


@checks("p2phd_encoder_*")
def test_encoder(case: Case) -> None:
    files = sorted(case.path.glob("*.pth"))
    assert files, f"{case.path} has no weights"
    for file in files:
        check_encoder(case, read_state_dict(file))


def check_encoder(case: Case, weights: dict[str, Tensor]) -> None:
    io = {key: value for key, value in case.io.items() if not key.startswith(("grad", "output"))}
    network = encoder_of(case.meta["args"], weights)
    state = without_legacy_statistics(weights, network)
    assert not differences(state, network)
    network.load_state_dict(state, strict=False)  # complete: the line above
    limit = max(10 * float(case.meta["self_spread"]["max_abs"]), 1e-6)
    image, instances = encoder_inputs(io)
    leaf = image.clone().requires_grad_()
    result = network.eval()(leaf, instances)
    torch.testing.assert_close(result, case.io["output"], rtol=0, atol=limit)
    result.square().mean().backward()
    for name in ("grad_input", "grad_input.0", "grad_image"):
        if name in case.io and float((leaf.grad - case.io[name]).abs().max()) > limit:
            # in double precision no pixel is rounded over the kink of a ReLU
            precise, twin = image.double().requires_grad_(), copy.deepcopy(network).double()
            twin(precise, instances).square().mean().backward()
            torch.testing.assert_close(precise.grad, case.io[name].double(), rtol=0, atol=limit)
    norms = case.meta.get("grad_param_norms") or {}
    largest = max(norms.values(), default=0.0)
    for key, parameter in network.named_parameters():
        if key in norms:
            assert float(parameter.grad.norm()) == pytest.approx(norms[key], rel=1e-4, abs=1e-5 * largest), (
                key
            )
    if "output_train_mode" in case.io:
        trained = network.train()(image, instances)
        torch.testing.assert_close(trained, case.io["output_train_mode"], rtol=0, atol=limit)


# ---- one-hot labels and edges

ROLES = {
    "output": r"input_label|encoded\w*|output|one_?hot\w*|result",
    "edges": r"edges?(?:_map)?|edge_map|inst(?:ance)?_edges?",
    "label": r"label_?maps?|labels?|input[._]?0",
    "instance": r"inst(?:ance)?s?(?:_?maps?)?|input[._]?1",
    "image": r"real_image|image|input[._]?2",
    "features": r"feat(?:ures?)?(?:_map)?|input[._]?3",
}


def check_conditions(found: dict[str, Tensor], what: str) -> int:
    """Every channel of the condition and the edges by themselves; how many things were compared."""
    compared = 0
    edges = instance_edges(found["instance"]) if "instance" in found else None
    if "edges" in found:
        assert edges is not None, f"{what}: edges of no instances"
        assert torch.equal(found["edges"].float().view_as(edges), edges), what
        compared += 1
    if "output" not in found:
        return compared
    true = found["output"].float()
    if edges is not None and ("label" not in found or true.shape[1] == 1):
        assert torch.equal(true, edges), what
        return compared + 1
    labels = found["label"]
    classes = true.shape[1] - (edges is not None)
    plain = labels.shape[1] == classes and labels.shape[1] > 1  # label_nc 0: pictures go in as they are
    planes = labels.float() if plain else one_hot_labels(labels, classes)
    assert torch.equal(true[:, :classes], planes), f"{what}: labels"
    if edges is not None:
        assert torch.equal(true[:, classes:], edges), f"{what}: edges"
    return compared + 1


@checks("p2phd_encode_input*")
def test_label_maps(case: Case) -> None:
    groups = grouped(case.io, ROLES)
    shared = groups.get("", {}) if len(groups) > 1 else {}  # inputs that all its parts have in common
    compared = sum(
        check_conditions({**({} if "output" in group else shared), **shared, **group}, f"{case} {rest}")
        for rest, group in groups.items()
        if group is not shared or "output" in group or "edges" in group
    )
    assert compared, f"{case}: nothing could be compared among {sorted(case.io)}"
    outputs = [name for name in case.io if "output" in name or "input_label" in name]
    assert compared >= len(outputs), f"{case}: {compared} of {outputs} compared"
    no_instance = values_of(case.meta, "no_instance")
    assert not (True in no_instance and len(no_instance) == 1 and any("edge" in name for name in case.io))


# ---- the checks themselves, on cases made here


def original_edges(instances: Tensor) -> Tensor:
    """By loops: a pixel is an edge if a neighbour beside, above or below is of another instance."""
    edges = torch.zeros_like(instances, dtype=torch.float32)
    height, width = instances.shape[-2:]
    for sample in range(len(instances)):
        for y in range(height):
            for x in range(width):
                for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        here, there = (
                            instances[sample, 0, y, x],
                            instances[sample, 0, y + dy, x + dx],
                        )
                        edges[sample, 0, y, x] = max(edges[sample, 0, y, x], float(here != there))
    return edges


def written(folder: Path, io: dict[str, Tensor], meta: dict[str, Any] | None = None) -> Case:
    folder.mkdir(exist_ok=True)
    save_file({key: value.contiguous() for key, value in io.items()}, folder / "io.safetensors")
    (folder / "meta.json").write_text(json.dumps(meta or {"class": "Pix2PixHDModel.encode_input"}))
    return Case(folder.name, folder)


def a_label_map() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(2)
    labels, instances = torch.randint(0, 5, (1, 1, 6, 8)), torch.randint(0, 3, (1, 1, 6, 8))
    planes = torch.stack([(labels[:, 0] == number).float() for number in range(5)], 1)
    return labels, instances, torch.cat([planes, original_edges(instances)], 1)


@pytest.mark.parametrize(
    "names",
    [
        ("label", "inst", "input_label"),
        ("label_map", "inst_map", "output"),
        ("input.0", "input.1", "output.0"),
        ("label.0", "inst.0", "input_label.0"),
        ("case0.label", "case0.instance", "case0.encoded"),
    ],
)
@pytest.mark.parametrize("number", [torch.float32, torch.int64, torch.uint8])
def test_label_maps_by_any_of_these_names(tmp_path: Path, names: Any, number: torch.dtype) -> None:
    labels, instances, true = a_label_map()
    label, instance, output = names
    io = {label: labels.to(number), instance: instances.to(number), output: true}
    test_label_maps(written(tmp_path / "good", io))
    for channel in (1, 5):
        wrong = true.clone()
        wrong[0, channel, 2, 3] = 1 - wrong[0, channel, 2, 3]
        with pytest.raises(AssertionError):
            test_label_maps(written(tmp_path / "bad", io | {output: wrong}))


def test_label_maps_without_edges_and_pictures(tmp_path: Path) -> None:
    labels, instances, true = a_label_map()
    test_label_maps(written(tmp_path / "a", {"label": labels, "input_label": true[:, :5]}))
    picture = torch.rand(1, 3, 6, 8)
    both = torch.cat([picture, true[:, 5:]], 1)
    test_label_maps(written(tmp_path / "b", {"label": picture, "inst": instances, "input_label": both}))
    with pytest.raises(AssertionError, match="nothing could be compared"):
        test_label_maps(written(tmp_path / "c", {"label": labels, "inst": instances}))


class OriginalEncoder(nn.Module):
    """Made here from the README's words alone: 7x7, halvings, doublings, 7x7, tanh; then means over instances."""

    def __init__(self, ngf: int, n_down: int, norm: str) -> None:
        super().__init__()

        def normed(width: int) -> nn.Module:
            return nn.BatchNorm2d(width) if norm == "batch" else nn.InstanceNorm2d(width)

        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, ngf, 7), normed(ngf), nn.ReLU()]
        for level in range(n_down):
            width = ngf * 2**level
            layers += [nn.Conv2d(width, 2 * width, 3, 2, 1), normed(2 * width), nn.ReLU()]
        for level in reversed(range(n_down)):
            width = ngf * 2**level
            layers += [
                nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1),
                normed(width),
                nn.ReLU(),
            ]
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(ngf, 3, 7), nn.Tanh())

    def forward(self, image: Tensor, instances: Tensor) -> Tensor:
        features = self.model(image)
        result = features.clone()
        for sample in range(len(image)):
            for number in instances[sample].unique():
                here = instances[sample, 0] == number
                result[sample][:, here] = features[sample][:, here].mean(1, keepdim=True)
        return result


@pytest.mark.parametrize(
    ("args", "norm"),
    [
        ({"input_nc": 3, "output_nc": 3, "ngf": 3, "n_downsampling": 2}, "instance"),
        ({"input_nc": 3, "output_nc": 3, "ngf": 2, "netG": "encoder", "n_downsample_global": 3,
          "norm": "batch"}, "batch"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("names", [("input.0", "input.1", "grad_input.0"), ("input", "inst", "grad_input")])
def test_encoder_by_any_of_these_names(tmp_path: Path, args: Any, norm: str, names: Any) -> None:
    torch.manual_seed(1)
    network = OriginalEncoder(args["ngf"], 2 if args["ngf"] == 3 else 3, norm)
    image, instances = torch.randn(2, 3, 16, 24), torch.randint(0, 4, (2, 1, 16, 24)).float()
    leaf = image.clone().requires_grad_()
    network.eval()
    output = network(leaf, instances)
    output.square().mean().backward()
    meta = {
        "class": "Encoder",
        "args": args,
        "self_spread": {"max_abs": 1e-6},
        "grad_param_norms": {key: float(value.grad.norm()) for key, value in network.named_parameters()},
    }
    io = {names[0]: image, names[1]: instances, "output": output.detach(), names[2]: leaf.grad}
    folder = tmp_path / "p2phd_encoder_x"
    folder.mkdir()
    torch.save(network.state_dict(), folder / "weights.pth")
    test_encoder(written(folder, io, meta))
    with pytest.raises(AssertionError):
        test_encoder(written(folder, io | {"output": output.detach() + 1e-3}, meta))
    with pytest.raises(AssertionError):
        test_encoder(written(folder, io | {names[2]: leaf.grad * 1.5 + 1e-3}, meta))
    with pytest.raises(AssertionError):
        test_encoder(written(folder, io, meta | {"args": args | {"ngf": 7}}))
