"""Networks against the originals' numbers: outputs, input gradients, parameter gradients, keys and shapes."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from cases import Case, checks
from networks import network_of, outputs
from torch import nn

from dancekit.weights.state_dict import differences, read_state_dict, without_legacy_statistics


def tolerance(case: Case) -> float:
    return max(10 * float(case.meta["self_spread"]["max_abs"]), 1e-6)


def loaded(case: Case, file: Path) -> nn.Module:
    """The network with the weights of a file, whose keys and shapes must be its own."""
    network = network_of(case.name, case.meta["class"], case.meta["args"])
    state = without_legacy_statistics(read_state_dict(file), network)
    state = {key.replace("facemodel.", "model."): value for key, value in state.items()}
    assert not differences(state, network)
    network.load_state_dict(
        state, strict=not any("num_batches_tracked" in key for key in network.state_dict())
    )
    return network


@checks(
    "p2phd_global_*",
    "p2phd_local_*",
    "p2phd_msD_*",
    "edn_global_*",
    "edn_local_*",
    "edn_faceG_*",
    "edn_faceD_*",
    "edn_msD_*",
    "p2p_unet*",
    "p2p_resnet*",
    "p2p_patchD_*",
    "p2p_pixelD_*",
)
def test_network(case: Case) -> None:
    files = sorted(case.path.glob("*.pth"))
    assert files, f"{case.path} has no weights"
    for file in files:
        check(case, loaded(case, file))


def check(case: Case, network: nn.Module) -> None:
    io, limit = case.io, tolerance(case)
    network.eval()
    leaf = io["input"].clone().requires_grad_()
    found = outputs(io, network(leaf), "output")
    assert set(found) == {key for key in io if key == "output" or key.startswith("output.")}
    for key, value in found.items():
        torch.testing.assert_close(
            value, io[key], rtol=0, atol=limit, msg=lambda text, key=key: f"{key}: {text}"
        )
    sum(value.square().mean() for value in found.values()).backward()
    if "grad_input" in io and float((leaf.grad - io["grad_input"]).abs().max()) > limit:
        # in double precision no pixel is rounded over the kink of a ReLU
        precise = io["input"].double().requires_grad_()
        twin = copy.deepcopy(network).double()
        twin.zero_grad()
        again = outputs(io, twin(precise), "output")
        sum(value.square().mean() for value in again.values()).backward()
        torch.testing.assert_close(precise.grad, io["grad_input"].double(), rtol=0, atol=limit)
    norms = case.meta.get("grad_param_norms", {})
    largest = max(norms.values(), default=0.0)
    for key, parameter in network.named_parameters():
        true = norms.get(key, norms.get(key.replace("model.", "facemodel.", 1)))
        if true is not None:  # biases before a norm have no gradient but rounding: measure by the largest
            assert float(parameter.grad.norm()) == pytest.approx(true, rel=1e-4, abs=1e-5 * largest), key
    if "output_train_mode" in io or any(key.startswith("output_train_mode.") for key in io):
        check_training_mode(case, network, limit)


def check_training_mode(case: Case, network: nn.Module, limit: float) -> None:
    dropout = [module for module in network.modules() if isinstance(module, nn.Dropout)]
    network.train()
    with torch.no_grad():
        found = outputs(case.io, network(case.io["input"]), "output_train_mode")
    for key, value in found.items():
        if dropout:  # other random draws: what can be compared is that it drops at all, and the range
            assert not torch.equal(value, case.io["output"]) and value.shape == case.io[key].shape
        else:
            torch.testing.assert_close(value, case.io[key], rtol=0, atol=limit)
