"""HDR to SDR: published numbers, an independent forward transform, and 10-bit clips."""

from __future__ import annotations

from pathlib import Path

import av
import make_video as mv
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dancekit.video import probe, read_frames
from dancekit.video.tonemap import (
    REFERENCE_WHITE,
    ToneMapper,
    hlg_to_light,
    pq_to_light,
    primaries_matrix,
    to_sdr,
    tone_mapper_for,
)

HLG = {"colorspace": 9, "color_primaries": 9, "color_trc": 18, "color_range": 1}
PQ = {"colorspace": 9, "color_primaries": 9, "color_trc": 16, "color_range": 1}
HEVC = {"codec": "libx265", "codec_options": {"crf": "4", "x265-params": "log-level=none"}}


def test_reference_levels_of_bt2408() -> None:
    # ITU-R BT.2408 table 1: a grey card is 38 % HLG, 38 % PQ, 26 cd/m2; white is 75 %, 58 %, 203 cd/m2.
    for transfer, grey, white in ((hlg_to_light, 0.38, 0.75), (pq_to_light, 0.38, 0.58)):
        light = transfer(np.array([[grey] * 3, [white] * 3]))[:, 1] * REFERENCE_WHITE
        assert light == pytest.approx([26, 203], rel=0.03)
    assert hlg_to_light(np.ones((1, 3)))[0, 0] * REFERENCE_WHITE == pytest.approx(1000, rel=1e-3)
    assert pq_to_light(np.ones((1, 3)))[0, 0] * REFERENCE_WHITE == pytest.approx(10_000, rel=1e-6)


def test_primaries_are_those_of_bt2087() -> None:
    assert np.abs(np.linalg.inv(primaries_matrix("bt2020")) - mv.BT709_TO_BT2020).max() < 1e-4
    assert primaries_matrix("bt709") == pytest.approx(np.eye(3))


@pytest.mark.parametrize(("transfer", "forward"), [("hlg", mv.sdr_to_hlg), ("pq", mv.sdr_to_pq)])
def test_sdr_put_into_hdr_comes_back(transfer: str, forward) -> None:
    sdr = np.random.default_rng(0).uniform(0.03, 0.85, (5000, 3))
    assert np.abs(to_sdr(forward(sdr), transfer, "bt2020") - sdr).max() < 1 / 255


@pytest.mark.parametrize(("transfer", "forward"), [("hlg", mv.sdr_to_hlg), ("pq", mv.sdr_to_pq)])
def test_white_is_bright_and_highlights_keep_their_order(transfer: str, forward) -> None:
    assert to_sdr(forward(np.ones((1, 3))), transfer, "bt2020")[0] == pytest.approx([0.92] * 3, abs=0.01)
    ramp = to_sdr(np.linspace(0, 1, 500)[:, None].repeat(3, 1), transfer, "bt2020")
    steps = np.diff(ramp[:, 0])
    assert (steps > -1e-12).all()
    assert ramp[0, 0] == 0
    assert ramp[-1] == pytest.approx([1] * 3, abs=1e-3)
    if transfer == "hlg":
        assert (steps > 0).all()
    assert np.ptp(ramp, axis=1).max() < 1e-6  # grey stays grey


@given(st.tuples(*[st.floats(0, 1)] * 3), st.sampled_from(["hlg", "pq", "sdr"]))
def test_anything_maps_into_range(rgb: tuple[float, float, float], transfer: str) -> None:
    got = to_sdr(np.array([rgb]), transfer, "bt2020")
    assert np.isfinite(got).all()
    assert got.min() >= 0
    assert got.max() <= 1


@pytest.mark.parametrize("transfer", ["hlg", "pq", "sdr"])
def test_table_agrees_with_the_formula(transfer: str) -> None:
    rng = np.random.default_rng(0)
    sdr = rng.uniform(0, 0.84, (64, 64, 3))
    forward = {"hlg": mv.sdr_to_hlg, "pq": mv.sdr_to_pq, "sdr": lambda x: x}[transfer]
    signal = np.rint(forward(sdr) * 65535).astype(np.uint16)
    mapper = ToneMapper(transfer, "bt2020")
    for _ in range(3):  # the second frame goes through the same graph
        got = mapper(av.VideoFrame.from_ndarray(signal, format="rgb48le"))
    error = np.abs(got - to_sdr(signal / 65535, transfer, "bt2020") * 255)
    assert got.dtype == np.uint8
    assert np.percentile(error, 99) < 3.5
    assert error.mean() < 0.5


def test_bt709_needs_no_mapping() -> None:
    for transfer, primaries in ((1, 1), (2, 2), (6, 6), (13, 1), (1, 2)):
        assert tone_mapper_for(transfer, primaries) is None
    assert tone_mapper_for(18, 2).primaries == "bt2020"
    assert tone_mapper_for(1, 12).primaries == "p3"


@pytest.mark.parametrize(
    ("tags", "forward", "name"), [(HLG, mv.sdr_to_hlg, "arib-std-b67"), (PQ, mv.sdr_to_pq, "smpte2084")]
)
def test_ten_bit_hevc_is_not_washed_out(tmp_path: Path, tags: dict[str, int], forward, name: str) -> None:
    picture = forward(mv.patch_picture(mv.SDR_PATCHES) / 255)
    frames = [mv.frame_420(picture, "bt2020", depth=10)] * 3
    path = mv.write_frames(tmp_path / "a.mp4", frames, tags=tags, **HEVC)
    assert (probe(path).codec, probe(path).transfer) == ("hevc", name)
    got = [mv.read_patches(f.rgb) for f in read_frames(path)]
    assert len(got) == 3
    assert np.abs(got[0] - mv.SDR_PATCHES).max() < 5
    # Without mapping, saturation is what suffers first: HLG looks grey on an SDR screen.
    saturation = np.ptp(got[0], axis=1) / np.ptp(mv.SDR_PATCHES.astype(float), axis=1).clip(1)
    assert (saturation[4:] > 0.95).all()


def test_turned_hdr_clip(tmp_path: Path) -> None:
    picture = mv.sdr_to_hlg(mv.patch_picture(mv.SDR_PATCHES) / 255)
    frame = mv.frame_420(picture, "bt2020", depth=10)
    path = mv.write_frames(tmp_path / "a.mov", [frame] * 3, tags=HLG, rotation=(90, False, False), **HEVC)
    got = np.rot90(next(read_frames(path)).rgb, -1)
    assert np.abs(mv.read_patches(got) - mv.SDR_PATCHES).max() < 5
