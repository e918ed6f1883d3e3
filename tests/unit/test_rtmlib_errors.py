"""Weights that are missing, unknown or of another kind, devices that are not there; the networks are `make_onnx`'s."""

from __future__ import annotations

import hashlib
import logging
import zipfile
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from make_onnx import Graph, backend, detector, dots, planted_simcc, rtmo, simcc, two_people

from dancekit.errors import ChecksumError, DancekitError, IncompatibleParts, OfflineError, UsageError
from dancekit.pose import rtmlib_session
from dancekit.pose.rtmlib import RTMLib
from dancekit.pose.rtmlib_models import POSES

# ---- files -----------------------------------------------------------------------------------------------


def test_offline_without_weights() -> None:
    with pytest.raises(OfflineError) as caught:
        RTMLib()
    text = str(caught.value)
    assert caught.value.exit_code == 5
    assert "rtmw-dw-x-l_simcc-cocktail14_270e-256x192_20231122.zip is missing" in text
    assert "https://download.openmmlab.com/mmpose/v1/projects/rtmw/onnx_sdk/rtmw-dw-x-l" in text
    assert "pose.name=blazepose, which needs no download" in text and "pose.pose_path=FILE.onnx" in text
    assert "trust_first_download" not in text, "its sha256 is known"


def test_unknown_digest_needs_a_word_of_the_user(monkeypatch) -> None:
    monkeypatch.setenv("DANCEKIT_OFFLINE", "0")
    with pytest.raises(ChecksumError) as caught:
        RTMLib(model="rtmo")
    text = str(caught.value)
    assert caught.value.exit_code == 4
    for part in (
        "no sha256 is known",
        "rtmo-m",
        "pose.pose_path=",
        "pose.pose_sha256=",
        "trust_first_download=true",
        "blazepose",
    ):
        assert part in text


def test_from_the_cache_as_a_zip(tmp_path: Path, monkeypatch) -> None:
    """What a download leaves: a zip with the ONNX file somewhere in it."""
    monkeypatch.setenv("DANCEKIT_CACHE", str(tmp_path))
    folder = tmp_path / "weights"
    folder.mkdir()
    known = POSES["rtmo", "balanced"]
    network = Path(rtmo(tmp_path / "end2end.onnx", 320)).read_bytes()
    with zipfile.ZipFile(folder / known.filename, "w") as archive:
        archive.writestr("20231211/rtmo/end2end.onnx", network)
        archive.writestr("20231211/rtmo/deploy.json", "{}")
    digest = hashlib.sha256((folder / known.filename).read_bytes()).hexdigest()
    with pytest.raises(ChecksumError, match="no sha256 is known"):
        RTMLib(model="rtmo")
    pose = RTMLib(model="rtmo", pose_sha256=digest)
    assert pose.spec.weights["pose"] == hashlib.sha256(network).hexdigest()
    assert RTMLib(model="rtmo", trust_first_download=True).spec == pose.spec
    assert RTMLib(model="rtmo").spec == pose.spec, "noted"
    with pytest.raises(ChecksumError, match=f"{digest}, expected {'0' * 64}"):
        RTMLib(model="rtmo", pose_sha256="0" * 64)
    assert sorted(file.name for file in folder.iterdir()) == [known.filename + ".sha256"], (
        "the bad file is gone"
    )


def test_local_paths(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pose\.pose_path=.*none\.onnx: no such file"):
        RTMLib(model="rtmo", pose_path=str(tmp_path / "none.onnx"))
    path = rtmo(tmp_path / "r.onnx", 320)
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    RTMLib(model="rtmo", pose_path=path, pose_sha256=digest.upper())
    with pytest.raises(ChecksumError, match=f"{digest}, expected"):
        RTMLib(model="rtmo", pose_path=path, pose_sha256="0" * 64)
    (tmp_path / "t.onnx").write_text("this is no network")
    with pytest.raises(DancekitError, match=r"t\.onnx is not an ONNX file"):
        RTMLib(model="rtmo", pose_path=str(tmp_path / "t.onnx"))
    with pytest.raises(UsageError, match="mean nothing"):
        RTMLib(model="rtmo", pose_path=path, detect_every=2)


def test_input_size_comes_from_the_file(tmp_path: Path) -> None:
    """A 384x288 network works under any mode; a file without fixed sides takes the mode's."""
    size = (640, 360)
    people, boxes = two_people(size, np.random.default_rng(6))
    large = simcc(tmp_path / "p.onnx", 133, (288, 384))
    pose = RTMLib(
        pose_path=large, detector_path=detector(tmp_path / "d.onnx", boxes, size), mode="lightweight"
    )
    (found,) = pose.detect([dots(size, people)])
    assert pose._pose.size == (288, 384)
    assert np.abs(found.xy - people[:, np.arange(133) % 3]).max() < 1.0
    free = detector(tmp_path / "free.onnx", boxes, size, side=416, free=True)
    pose = RTMLib(pose_path=large, detector_path=free, mode="lightweight")
    (found,) = pose.detect([dots(size, people)])
    np.testing.assert_allclose(found.box, boxes, atol=0.01)


def test_wrong_networks_are_named(tmp_path: Path) -> None:
    whole = simcc(tmp_path / "whole.onnx", 133, (192, 256))
    body = simcc(tmp_path / "body.onnx", 17, (192, 256))
    one_stage, finder = rtmo(tmp_path / "rtmo.onnx", 320), detector(tmp_path / "d.onnx", [], (640, 360))
    for model, path, hint in (
        ("body_with_feet", whole, "looks like pose.model=wholebody"),
        ("rtmo", whole, "looks like pose.model=wholebody"),
        ("wholebody", one_stage, "looks like pose.model=rtmo"),
        ("wholebody", body, "pose_path takes RTMW"),
        ("rtmo", finder, "pose_path takes RTMW"),
    ):
        with pytest.raises(IncompatibleParts, match=f"not a network of model={model}.*{hint}") as caught:
            RTMLib(model=model, pose_path=path, **({} if model == "rtmo" else {"detector_path": finder}))
        assert path in str(caught.value)
    for path in (whole, one_stage):
        with pytest.raises(IncompatibleParts, match="is not a YOLOX detector"):
            RTMLib(pose_path=whole, detector_path=path)
    g = Graph()
    g("Identity", "input", to="simcc_x")
    text = g.save(tmp_path / "t.onnx", ["b", 7], {"simcc_x": ["b", 7]})
    with pytest.raises(IncompatibleParts, match="does not take an image"):
        RTMLib(pose_path=text, detector_path=finder)


def test_bins_that_do_not_fit_the_input(tmp_path: Path) -> None:
    """A SimCC network with another split ratio would put every joint wrong: refused when it first answers."""
    size = (640, 360)
    people, boxes = two_people(size, np.random.default_rng(7))
    wrong = planted_simcc(tmp_path / "p.onnx", np.zeros((133, 2), int), (288, 384))
    model = onnx.load(wrong)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 256
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 192
    onnx.save(model, wrong)
    pose = RTMLib(pose_path=wrong, detector_path=detector(tmp_path / "d.onnx", boxes, size))
    with pytest.raises(
        DancekitError, match=r"gave simcc_x of shape \(2, 133, 576\), expected \(2, 133, 384\)"
    ):
        next(pose.detect([dots(size, people)]))


# ---- devices ---------------------------------------------------------------------------------------------


def test_no_silent_fallback(tmp_path: Path, caplog) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime can run on CUDA")
    path = rtmo(tmp_path / "r.onnx", 320)
    for device in ("cuda", "cuda:1"):
        with pytest.raises(DancekitError, match="CUDAExecutionProvider is not part of") as caught:
            RTMLib(model="rtmo", pose_path=path, device=device)
        assert "onnxruntime-gpu" in str(caught.value) and "pose.allow_cpu_fallback=true" in str(caught.value)
    with caplog.at_level(logging.WARNING):
        pose = RTMLib(model="rtmo", pose_path=path, device="cuda", allow_cpu_fallback=True)
    assert pose.provider == "CPUExecutionProvider" and "would run on CPUExecutionProvider" in caplog.text
    with pytest.raises(UsageError, match="'tpu' is unknown"):
        RTMLib(model="rtmo", pose_path=path, device="tpu")


@pytest.mark.parametrize("starts", [True, False])
def test_a_provider_that_fails_to_start_is_noticed(tmp_path: Path, monkeypatch, starts: bool) -> None:
    """onnxruntime with CUDA but no usable GPU gives a CPU session without an error."""
    given = []
    real = onnxruntime.InferenceSession

    class Session:
        def __init__(self, content, options, providers) -> None:
            given.append(providers)
            self._real = real(content, options, providers=["CPUExecutionProvider"])

        def get_providers(self) -> list[str]:
            return [*(["CUDAExecutionProvider"] if starts else []), "CPUExecutionProvider"]

        def __getattr__(self, name: str):
            return getattr(self._real, name)

    monkeypatch.setattr(rtmlib_session.onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(
        rtmlib_session.onnxruntime,
        "get_available_providers",
        lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    path = rtmo(tmp_path / "r.onnx", 320)
    if starts:
        assert RTMLib(model="rtmo", pose_path=path, device="cuda:1").provider == "CUDAExecutionProvider"
        assert given == [[("CUDAExecutionProvider", {"device_id": 1}), "CPUExecutionProvider"]]
    else:
        with pytest.raises(DancekitError, match="CUDAExecutionProvider failed to start"):
            RTMLib(model="rtmo", pose_path=path, device="cuda")


def test_says_nothing_and_keeps_global_state(tmp_path: Path, capfd) -> None:
    threads = cv2.getNumThreads()
    pose = backend(tmp_path, "rtmo", (64, 36))
    list(pose.detect([np.zeros((36, 64, 3), np.uint8)]))
    assert capfd.readouterr() == ("", "") and cv2.getNumThreads() == threads
