"""fp16 and int8 storage: how far a weight may move, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dancekit.errors import DancerError
from dancekit.weights.quantize import SCALE, SMALLEST, pack, unpack

floats = st.floats(-1e3, 1e3, width=32, allow_subnormal=False)


def weights(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.float32, st.tuples(st.sampled_from([32, 64]), st.sampled_from([32, 48])), elements=floats)
)
def test_int8_rounds_by_half_a_level_of_its_channel(values: np.ndarray) -> None:
    tensor = torch.from_numpy(values)
    packed = pack({"w": tensor}, "int8")
    scale = packed[SCALE + "w"]
    assert packed["w"].dtype == torch.int8 and int(packed["w"].abs().max()) <= 127
    back = unpack(packed)["w"]
    assert back.dtype == torch.float32
    # half a level, and a little for float32 itself
    assert bool(((back - tensor).abs() <= scale * 0.5001 + 1e-6 * tensor.abs()).all())
    again = pack({"w": back}, "int8")
    assert torch.allclose(unpack(again)["w"], back, rtol=1e-5, atol=1e-7), (
        "what was rounded stays where it is"
    )


@pytest.mark.parametrize("axis", [0, 1])
def test_the_axis_that_rounds_less_is_taken(axis: int) -> None:
    """A convolution's channels lie on the first axis, a transposed one's on the second: the scales tell."""
    gains = torch.logspace(-3, 0, 32)
    tensor = weights((32, 32, 3, 3)) * (
        gains[:, None, None, None] if axis == 0 else gains[None, :, None, None]
    )
    packed = pack({"w": tensor}, "int8")
    assert packed[SCALE + "w"].shape == ((32, 1, 1, 1) if axis == 0 else (1, 32, 1, 1))
    error = (unpack(packed)["w"] - tensor).norm() / tensor.norm()
    one_scale = tensor.abs().max() / 127
    whole = ((tensor / one_scale).round() * one_scale - tensor).norm() / tensor.norm()
    assert error < 0.012 < whole


def test_a_channel_of_zeros_stays_zero() -> None:
    tensor = weights((64, 32))
    tensor[3] = 0
    assert torch.equal(unpack(pack({"w": tensor}, "int8"))["w"][3], tensor[3])
    assert torch.equal(unpack(pack({"w": torch.zeros(64, 32)}, "int8"))["w"], torch.zeros(64, 32))


def test_small_tensors_and_integers_keep_more() -> None:
    tensors = {
        "bias": weights((64,)),
        "small": weights((SMALLEST // 32 - 1, 32)),
        "count": torch.tensor(2**40),
        "flags": torch.ones(4, dtype=torch.bool),
        "levels": torch.arange(4096, dtype=torch.int64).to(torch.int8).reshape(64, 64),
    }
    packed = pack(tensors, "int8")
    assert packed.keys() == tensors.keys()
    assert packed["bias"].dtype == packed["small"].dtype == torch.float16
    back = unpack(packed)
    assert torch.equal(back["count"], tensors["count"]) and torch.equal(back["flags"], tensors["flags"])
    assert torch.equal(back["levels"], tensors["levels"]), "int8 without scales are integers of the network"
    assert torch.allclose(back["bias"], tensors["bias"], rtol=1e-3)


def test_fp32_is_exact_and_fp16_near() -> None:
    tensor = weights((64, 64)).double()
    assert torch.equal(unpack(pack({"w": tensor}, "fp32"))["w"], tensor.float())
    half = unpack(pack({"w": tensor}, "fp16"))["w"]
    assert half.dtype == torch.float32 and torch.allclose(half, tensor.float(), rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("storage", ["fp32", "fp16", "int8"])
def test_weights_that_are_not_finite_are_refused(storage) -> None:
    for bad in (float("nan"), float("inf")):
        tensor = weights((64, 64))
        tensor[5, 5] = bad
        with pytest.raises(DancerError, match="the weights w are not finite"):
            pack({"w": tensor}, storage)
    with pytest.raises(DancerError, match="too large for fp16"):
        pack({"bias": torch.tensor([1e6])}, "fp16")


def test_scales_that_do_not_go_with_their_tensor_are_refused() -> None:
    packed = pack({"w": weights((64, 32))}, "int8")
    bad = {
        "missing": {SCALE + "w": packed[SCALE + "w"]},
        r"do not go with it \(torch.int8": {**packed, SCALE + "w": torch.ones(7, 1)},
        r"torch.float16": {**packed, SCALE + "w": packed[SCALE + "w"].half()},
        r"do not go with it \(torch.float32": {**packed, "w": packed["w"].float()},
        r"\[1\]": {**packed, SCALE + "w": torch.ones(1)},
        r"\[64, 1, 1\]": {**packed, SCALE + "w": torch.ones(64, 1, 1)},
    }
    for words, tensors in bad.items():
        with pytest.raises(DancerError, match=words):
            unpack(tensors)
