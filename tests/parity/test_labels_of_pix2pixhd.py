"""pix2pixHD's conditions from label maps. These cases are not in the sample: names are those of its README."""

from __future__ import annotations

import torch
from cases import Case, checks
from torch import Tensor

from dancekit.generators.pix2pixhd_labels import InstanceEncoder, instance_edges, one_hot_labels
from dancekit.weights.state_dict import differences, without_legacy_statistics


def first(io: dict[str, Tensor], *names: str) -> Tensor:
    """The first of these tensors that is there."""
    found = next((name for name in names if name in io), None)
    assert found is not None, f"none of {names} among {sorted(io)}"
    return io[found]


@checks("p2phd_encoder_*")
def test_encoder(case: Case) -> None:
    args, io = case.meta["args"], case.io
    network = InstanceEncoder(
        in_channels=args["input_nc"],
        out_channels=args["output_nc"],
        ngf=args.get("ngf", args.get("nef", 16)),
        n_down=args.get("n_downsampling", args.get("n_downsample_E", 4)),
        norm="batch" if "batch" in str(args.get("norm", args.get("norm_layer", ""))).lower() else "instance",
    )
    state = without_legacy_statistics(case.weights(), network)
    assert not differences(state, network)
    network.load_state_dict(state)
    leaf = first(io, "input.0", "input", "image").clone().requires_grad_()
    result = network.eval()(leaf, first(io, "input.1", "inst", "instance"))
    limit = max(10 * float(case.meta["self_spread"]["max_abs"]), 1e-6)
    torch.testing.assert_close(result, io["output"], rtol=0, atol=limit)
    if "grad_input" in io or "grad_input.0" in io:
        result.square().mean().backward()
        torch.testing.assert_close(leaf.grad, first(io, "grad_input", "grad_input.0"), rtol=0, atol=limit)


@checks("p2phd_encode_input*")
def test_label_maps(case: Case) -> None:
    io = case.io
    labels, instances = (
        first(io, "label", "label_map", "input.0", "label.0"),
        first(io, "inst", "inst_map", "input.1", "inst.0"),
    )
    true = first(io, "input_label", "output", "output.0")
    edges = instance_edges(instances)
    assert torch.equal(true[:, :-1].float(), one_hot_labels(labels, true.shape[1] - 1))
    assert torch.equal(true[:, -1:].float(), edges)
    for name in ("edge", "edges", "edge_map"):
        assert name not in io or torch.equal(io[name].float(), edges)
