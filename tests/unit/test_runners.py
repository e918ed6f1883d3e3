"""Runners give torch's numbers, for generators and pose networks, or refuse; a transfer by each is the same."""

from __future__ import annotations

import builtins
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from make_dancer import dance, make_dancer
from torch import nn

from dancekit.build import build_pose, build_runner, create
from dancekit.config import load_recipe
from dancekit.convolutions import has_winograd
from dancekit.errors import DancekitError, IncompatibleParts, MissingExtra, UnknownName, UsageError
from dancekit.layers import use_batch_statistics
from dancekit.pose.blazepose_net import Landmarks
from dancekit.pose.embedded import Prepared
from dancekit.registry import list_components
from dancekit.runners.agreement import checked, difference, one_by_one
from dancekit.runners.graph import _key, graph_of, plain_copy, to_onnx
from dancekit.runners.threads import use_threads
from dancekit.transfer import Dancer
from dancekit.video import read_frames

EXACT = ("onnxruntime", "openvino")
GRAPHS = pytest.mark.parametrize("name", EXACT)


def generator(name: str = "pix2pixhd", **params):
    torch.manual_seed(0)
    network = create("generator", name, in_channels=6, out_channels=4, **params).eval().requires_grad_(False)
    if name != "pix2pixhd" or params.get("norm") != "batch":  # which would saturate
        for value in network.parameters():
            value.mul_(4)  # initial weights hardly do anything
    return network


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Graphs that several tests use."""
    return tmp_path_factory.mktemp("graphs")


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).clamp(-1, 1)


class Broken(nn.Module):
    """Another thing when it is exported."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * (1.01 if torch.compiler.is_compiling() else 1.0)


# ---- agreement with torch


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("pix2pixhd", {"ngf": 4, "n_down": 1, "n_blocks": 1}),
        ("pix2pixhd", {"ngf": 4, "n_down": 1, "n_blocks": 1, "norm": "batch"}),
        ("unet", {"ngf": 4, "depth": 3}),
    ],
)
def test_generators_agree_with_torch(kind: str, params: dict[str, object], graphs: Path) -> None:
    network = generator(kind, **params)
    for name in EXACT:
        run = create("runner", name, threads=1, cache=graphs).prepare(network, noise(1, 6, 64, 48))
        for seed, batch in ((1, 1), (2, 3)):
            given = noise(batch, 6, 64, 48, seed=seed)
            with torch.inference_mode():
                found, expected = run(given), network(given)
            assert expected.std() > 0.02
            assert difference(found, expected) < 1e-4


@pytest.mark.skipif(not has_winograd(), reason="this torch has no NNPACK")
def test_winograd_agrees_and_leaves_the_network_alone() -> None:
    network = generator(ngf=24, n_down=1, n_blocks=1)
    run = build_runner("winograd", threads=1).prepare(network, noise(1, 6, 64, 64))
    given = noise(1, 6, 64, 64, seed=1)
    with torch.inference_mode():
        found, expected = run(given), network(given)
    assert run is not network and 0 < difference(found, expected) < 1e-4
    assert not network.model[7].conv_block[1].winograd and run.model[7].conv_block[1].winograd
    assert run.model[1].weight is network.model[1].weight
    small = generator(ngf=4, n_down=1, n_blocks=1)
    assert build_runner("winograd", threads=1).prepare(small, noise(1, 6, 64, 64)) is small


def test_compiled_agrees() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()).eval().requires_grad_(False)
    run = build_runner("compiled", threads=1).prepare(network, noise(1, 3, 16, 16))
    given = noise(2, 3, 16, 16, seed=1)
    with torch.inference_mode():
        assert difference(run(given), network(given)) < 1e-5


def test_pose_networks_agree(root: Path, graphs: Path) -> None:
    frames = [frame.rgb for frame in read_frames(root / "zoo/samples/source.mp4", stop=4)]
    recipe = load_recipe("quick", ["pose.model=lite"])
    expected = list(build_pose(recipe, "cpu").detect(frames))
    assert all(len(each) for each in expected)
    for name in EXACT:
        backend = build_pose(recipe, "cpu", create("runner", name, threads=1, cache=graphs))
        assert backend.spec.runner == name
        for number, (one, other) in enumerate(zip(backend.detect(frames), expected, strict=True)):
            # places in a crop are rounded to 1/32 pixel, so that frames amplify what differs by a hair's breadth
            np.testing.assert_allclose(one.xy, other.xy, atol=0.25 if number else 0.03)
            np.testing.assert_allclose(one.score, other.score, atol=2e-3)
            assert np.mean((one.mask > 127) != (other.mask > 127)) < 1e-3


class Named(nn.Module):
    """Gives what the landmark network gives: named outputs."""

    size = 8

    def forward(self, x: torch.Tensor) -> Landmarks:
        return Landmarks(x[:, :1, :2], x.mean((1, 2, 3)), x[:, :1] * 3, x.flip(1), x[:, 0])


@GRAPHS
def test_named_outputs_come_through(name: str, graphs: Path) -> None:
    prepared = Prepared(Named(), create("runner", name, threads=1, cache=graphs))
    given = torch.rand(2, 3, 8, 8)
    found, expected = prepared(given), Named()(given)
    assert type(found) is Landmarks and difference(found, expected) < 1e-6
    assert [each.shape for each in found] == [each.shape for each in expected]


def test_hands_and_faces_are_computed_by_the_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Spy:
        version, name, devices = 1, "spy", ("cpu",)

        def prepare(self, network: nn.Module, example: torch.Tensor) -> nn.Module:
            asked.append(type(network).__name__)
            return network

    backend = build_pose(load_recipe("quick", ["pose=blazepose_holistic"]), "cpu", Spy())
    assert backend.spec.runner == "spy" and not asked
    for finder in (backend._body, backend._hands, backend._face):
        for each in vars(finder).values():
            if isinstance(each, Prepared):
                each(torch.rand(1, 3, each.size, each.size))
    assert sorted(asked) == [
        "BlazePoseDetector", "BlazePoseLandmarks", "FaceDetector", "FaceMesh", "HandLandmarks", "HandRecrop",
    ]  # fmt: skip


# ---- what does not agree, and what cannot be


@GRAPHS
def test_other_numbers_than_torchs_are_refused(name: str) -> None:
    with pytest.raises(DancekitError, match=f"runner {name}: Broken comes out 0.0.* away from torch"):
        build_runner(name, threads=1).prepare(Broken(), torch.ones(1, 3, 8, 8))


def test_differences_are_seen_wherever_they_are() -> None:
    one = (torch.ones(1, 2), torch.full((1, 2), 500.0))
    assert difference(one, one) == 0
    assert difference((one[0], one[1] + 1), one) == pytest.approx(1 / 500)
    assert difference((one[0] + 0.25, one[1]), one) == 0.25
    for wrong in (torch.full((1, 2), float("nan")), torch.ones(1, 3)):
        with pytest.raises(DancekitError):
            checked("x", Constant(one[0]), lambda _, wrong=wrong: wrong, one[0])


class Constant(nn.Module):
    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.value


def test_batches_are_run_one_by_one() -> None:
    seen = []

    def single(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(len(x))
        return x + 1, x * 2

    plus, times = one_by_one(single)(torch.tensor([[1.0], [2.0]]))
    assert seen == [1, 1] and plus.tolist() == [[2], [3]] and times.tolist() == [[2], [4]]


def test_a_network_that_looks_at_the_whole_batch_has_no_graph() -> None:
    network = generator(ngf=4, n_down=1, n_blocks=1, norm="batch")
    use_batch_statistics(network)
    with pytest.raises(IncompatibleParts, match="batch_statistics"):
        plain_copy(network)


def test_unknown_runners_and_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match=r"unknown runner 'openvin'; did you mean 'openvino'"):
        build_runner("openvin")
    with pytest.raises(UsageError, match="runner openvino does not work on device cuda:1"):
        build_runner("openvino", device="cuda:1")
    assert build_runner("torch", device="mps").name == "torch"
    for entry in list_components("runner"):
        assert build_runner(entry.name).name == entry.name
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(UsageError, match="needs a C\\+\\+ compiler"):
        build_runner("compiled").prepare(Broken(), torch.ones(1, 3, 8, 8))


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    real = builtins.__import__

    def fail(name: str, *args: object, **more: object) -> object:
        if name == "openvino":
            raise ModuleNotFoundError("No module named 'openvino'", name="openvino")
        return real(name, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", fail)
    monkeypatch.delitem(sys.modules, "dancekit.runners.openvino_model", raising=False)
    with pytest.raises(MissingExtra, match=r"runner 'openvino' needs the module 'openvino'.*openvino"):
        build_runner("openvino")


# ---- graphs


def test_graphs_are_kept_and_made_anew_when_anything_changes(tmp_path: Path) -> None:
    network, example = generator(ngf=4, n_down=1, n_blocks=0), noise(1, 6, 16, 16)
    graph = graph_of(network, example, tmp_path)
    (kept,) = tmp_path.iterdir()
    assert kept.read_bytes() == graph
    kept.write_bytes(b"read from here")
    assert graph_of(network, example, tmp_path) == b"read from here"
    network.model[1].bias.data[0] += 1
    assert _key(network, example) != kept.stem != _key(network, noise(1, 6, 16, 32))


def test_graphs_tell_nothing_of_this_machine(capfd: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger("torch.onnx").level
    model = to_onnx(plain_copy(generator(ngf=4, n_down=1, n_blocks=0)), {"x": noise(1, 6, 16, 16)}, ("y",))
    text = model.SerializeToString()
    assert (
        b"site-packages" not in text and b"/dancekit/" not in text and str(Path.home()).encode() not in text
    )
    assert [each.name for each in (*model.graph.input, *model.graph.output)] == ["x", "y"]
    assert {node.op_type for node in model.graph.node} >= {"Conv", "InstanceNormalization", "Pad", "Tanh"}
    assert capfd.readouterr() == ("", "") and logging.getLogger("torch.onnx").level == before


# ---- threads


def test_one_number_of_threads_for_all() -> None:
    import cv2

    before = torch.get_num_threads(), cv2.getNumThreads()
    try:
        assert use_threads() == before[0]
        assert use_threads(1) == torch.get_num_threads() == 1
        assert cv2.getNumThreads() == 1
        assert build_runner("openvino").threads == 1 and build_runner("openvino", threads=3).threads == 3
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


# ---- dancers


@pytest.fixture(scope="module")
def dancer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dancer(tmp_path_factory.mktemp("dancer") / "dancer.safetensors")


@GRAPHS
def test_a_dancer_paints_the_same(dancer: Path, name: str) -> None:
    poses = dance((160, 120))[:4]
    plain, quick = (
        Dancer.load(dancer, device="cpu"),
        Dancer.load(dancer, device="cpu", runner=name, threads=1),
    )
    assert quick.painter.network_name == name
    expected, found = (np.array(list(each.paint(poses)), np.int16) for each in (plain, quick))
    assert expected.std() > 10
    assert np.abs(found[0] - expected[0]).max() <= 1  # rounding to bytes
    # weights at random amplify what differs, from frame to frame
    assert np.abs(found - expected).mean() < 0.2


def test_a_transfer_by_another_runner(dancer: Path, tmp_path: Path) -> None:
    source = tmp_path / "dance.npz"
    dance((160, 120))[:12].save(source)
    loaded = Dancer.load(dancer, device="cpu", runner="openvino", threads=1)
    result = loaded.transfer(source, tmp_path / "out.mp4", overrides=["normalizer=identity"])
    assert len(list(read_frames(result.out))) == 12
    made_by = json.loads(result.sidecar.read_text())["provenance"]
    assert (made_by["runner"], made_by["int8"]) == ("openvino", None)


def test_a_stopped_transfer_is_not_gone_on_with_by_another_runner(
    dancer: Path, tmp_path: Path, monkeypatch
) -> None:
    from dancekit.transfer import resume

    monkeypatch.setattr(resume, "SEGMENT", 5)
    source = tmp_path / "dance.npz"
    dance((160, 120))[:12].save(source)

    def stop(what: str, done: int, total: int | None) -> None:
        if done == 8:
            raise KeyboardInterrupt

    loaded = Dancer.load(dancer, device="cpu")
    out = tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt):
        loaded.transfer(source, out, overrides=["normalizer=identity"], progress=stop)
    first = []
    Dancer.load(dancer, device="cpu", runner="onnxruntime", threads=1).transfer(
        source, out, overrides=["normalizer=identity"], progress=lambda what, done, total: first.append(done)
    )
    assert first[0] == 0


def test_signals_are_heard_after_a_runner_has_ended_in_another_thread(root: Path) -> None:
    """OpenVINO's plugin took the main thread's stack for signals along: Ctrl-C was a segmentation fault."""
    program = Path(__file__).with_name("openvino_signal.py")
    env = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, program], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[-1:]) == (0, ["[2]"]), done.stderr
