"""`dancekit doctor`: what it measures, and the combinations that it knows to go wrong."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import numpy as np
import pytest
from cli_tools import Cli

from dancekit.cli import doctor
from dancekit.cli.doctor_bad import known_bad
from dancekit.cli.doctor_probe import measure, probe


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_fastest_call_counts_and_the_first_does_not() -> None:
    clock, lasting = Clock(), iter([100.0, 0.5, 0.25, 0.4, 9.0])

    def work() -> None:
        clock.now += next(lasting)

    # the first is a warm-up; 0.5 + 0.25 + 0.4 s are over 1 s
    assert measure(work, 1e9, 1.0, clock) == 4.0
    assert next(lasting) == 9.0


def test_a_probe_counts_its_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    from dancekit.cli import doctor_probe

    seen: list[float] = []
    monkeypatch.setattr(
        doctor_probe, "measure", lambda call, operations, seconds: seen.append(operations) or 1.0
    )
    assert probe("cpu") == {"matmul GFLOP/s": 1.0, "conv GFLOP/s": 1.0}
    assert seen == [2 * 1024**3, 2 * 64 * 64 * 9 * 128 * 128]


def test_speed_is_measured_unless_it_is_not_wanted(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from dancekit.cli import doctor_probe

    monkeypatch.setattr(doctor_probe, "SECONDS", 0.01)
    monkeypatch.setattr(doctor_probe, "_SIDE", {"cpu": 64})
    monkeypatch.setattr(doctor_probe.probe, "__defaults__", (0.01,))
    measured = json.loads(cli("doctor", "--json").out)["speed"]["cpu"]
    assert measured["matmul GFLOP/s"] > 0 and measured["conv GFLOP/s"] > 0
    assert "speed" not in json.loads(cli("doctor", "--no-probe", "--json").out)


def test_what_is_really_used_is_said(cli: Cli) -> None:
    import cv2

    found = json.loads(cli("doctor", "--no-probe", "--json").out)
    assert found["onnxruntime"]["in use"][-1] == "CPUExecutionProvider"
    assert found["cv2"]["used"] == cv2.__version__
    assert found["cv2"]["opencv-python"] == found["libraries"]["opencv-python"]
    assert found["video"]["more encoders"]["libvpx-vp9"] and found["video"]["decoders"]["h264"]
    assert found["machine"]["processors"] >= 1 and "processor" in found["machine"]
    assert found["disk"]["cache GB free"] >= 0


def test_the_tiny_network_is_what_it_is_said_to_be() -> None:
    """Against ONNX's own reference evaluator."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    model = onnx.load_from_string(base64.b64decode(doctor._TINY_ONNX))
    onnx.checker.check_model(model)
    image = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    (doubled,) = ReferenceEvaluator(model).run(None, {"x": image})
    np.testing.assert_array_equal(doubled, 2 * image)


@pytest.mark.parametrize(
    ("versions", "more", "words"),
    [
        ({"opencv-python": "4.10.0", "opencv-contrib-python": "4.12.0"}, {}, "the same module cv2"),
        ({"onnxruntime": "1.20", "onnxruntime-gpu": "1.20"}, {}, "the GPU may be left out"),
        ({"torch": "2.6.0+cpu", "torchvision": "0.20.1"}, {}, r"built for torch 2.5, not for 2.6.0\+cpu"),
        ({"torch": "2.6.0"}, {"cuda_build": "12.4", "nvidia": True}, "built for CUDA 12.4 and finds no GPU"),
        ({"torch": "2.6.0"}, {"nvidia": True}, "built for CPUs alone"),
    ],
)
def test_known_bad(versions: dict[str, str | None], more: dict[str, Any], words: str) -> None:
    (line,) = known_bad(versions, **more)
    assert re.search(words, line) and line.endswith(")")


def test_what_is_fine_is_not_complained_of() -> None:
    versions = {
        "opencv-python": "4.12.0.88",
        "opencv-contrib-python": "4.12.0.88",
        "opencv-python-headless": None,
        "onnxruntime": "1.20",
        "torch": "2.6.0+cu124",
        "torchvision": "0.21.0+cu124",
    }
    assert known_bad(versions, cuda_build="12.4", nvidia=True, cuda_found=True) == []
    assert known_bad(versions, cuda_build="12.4") == []


def test_a_warning_is_no_failure(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "known_bad", lambda versions, **more: ["two things do not go together (fix)"])
    done = cli("doctor", "--no-probe")
    assert done.code == 0
    assert "known to go wrong: two things do not go together (fix)" in done.out
    monkeypatch.setattr(doctor, "_free", lambda folder: 0.5)
    warned = json.loads(cli("doctor", "--no-probe", "--json").out)["warnings"]
    assert any("0.5 GB are free (cache)" in line for line in warned)
