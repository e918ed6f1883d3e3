"""LPIPS and FID with random weights against torchmetrics with the same; and no number without the right ones."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import linalg, ndimage

from dancekit import registry
from dancekit.build import create
from dancekit.errors import ChecksumError, DancekitError, MissingExtra, OfflineError, UsageError
from dancekit.metrics import fid, lpips
from dancekit.metrics.fid import FID
from dancekit.metrics.lpips import BACKBONES, LPIPS
from dancekit.metrics.pretrained import Published

Video = np.ndarray
# what torch-fidelity and torchmetrics warn of is their own affair
pytestmark = pytest.mark.filterwarnings("ignore")
MODELS = {"alex": "alexnet", "squeeze": "squeezenet1_1"}


@pytest.fixture(autouse=True)
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANCEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("DANCEKIT_OFFLINE", "1")


@pytest.fixture(scope="module")
def pair() -> tuple[Video, Video, Video]:
    rng = np.random.default_rng(0)
    real = ndimage.gaussian_filter(rng.normal(size=(5, 80, 96, 3)), (0, 2, 2, 0))
    real = (255 * (real - real.min()) / np.ptp(real)).astype(np.uint8)
    fake = (real + rng.normal(0, 20, real.shape)).clip(0, 255).astype(np.uint8)
    mask = np.zeros(real.shape[:3], bool)
    mask[:, 20:50, 30:70] = True
    mask[2] = False
    return fake, real, mask


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """State dicts as torchvision publishes them, of random networks."""
    import torchvision

    folder, files = tmp_path_factory.mktemp("backbones"), {}
    for net, name in MODELS.items():
        torch.manual_seed(0)
        state = getattr(torchvision.models, name)(weights=None).state_dict()
        files[net] = folder / f"{net}.pth"
        torch.save({key: value for key, value in state.items() if key.startswith("features.")}, files[net])
    return files


def tensors(frames: Video) -> torch.Tensor:
    return torch.from_numpy(frames).permute(0, 3, 1, 2)


# ---- LPIPS -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("net", list(MODELS))
def test_lpips_is_that_of_torchmetrics(
    net: str, pair: tuple[Video, Video, Video], backbones: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torchvision
    from torchmetrics.functional.image import learned_perceptual_image_patch_similarity
    from torchmetrics.functional.image import lpips as theirs

    fake, real, mask = pair
    found = LPIPS(net=net, weights=str(backbones[net]), batch=2).regions(  # type: ignore[arg-type]
        fake, real, {"frame": None, "mask": mask}
    )

    def published(name: str, pretrained: bool = False) -> torch.nn.Module:
        assert pretrained  # the public function asks for them, and gets these
        model = getattr(torchvision.models, name)(weights=None)
        model.load_state_dict(torch.load(backbones[net], weights_only=True), strict=False)
        return model.features  # type: ignore[no-any-return]

    monkeypatch.setattr(theirs, "_get_tv_model_features", published)
    for t in range(len(fake)):
        x, y = (tensors(frames[t : t + 1]) / 127.5 - 1 for frames in (fake, real))
        expected = float(learned_perceptual_image_patch_similarity(x, y, net_type=net))  # type: ignore[arg-type]
        assert found["frame"][t] == pytest.approx(expected, rel=1e-4)
    assert (found["frame"] > 0).all()
    assert np.isnan(found["mask"]).tolist() == [False, False, True, False, False]


def test_lpips_in_a_mask_is_about_what_is_in_it(
    pair: tuple[Video, Video, Video], backbones: dict[str, Path]
) -> None:
    fake, real, mask = pair
    metric = LPIPS(weights=str(backbones["alex"]))
    everywhere, full = metric(fake, real, None), metric(fake, real, np.ones_like(mask))
    np.testing.assert_allclose(full, everywhere, rtol=0.1)
    far = real.copy()
    far[:, 60:] = fake[:, 60:]
    found = metric.regions(
        far,
        real,
        {"near": mask, "far": np.repeat((np.arange(80) > 65)[None, :, None], 5, 0) & np.ones_like(mask)},
    )
    assert (found["near"][[0, 1, 3, 4]] < 0.3 * found["far"][[0, 1, 3, 4]]).all()
    np.testing.assert_allclose(metric(real, real, None), 0, atol=1e-7)
    with pytest.raises(UsageError, match="64x64"):
        metric(fake[:, :63], real[:, :63], None)


def test_lpips_takes_the_published_weights_from_the_cache_of_torch(
    backbones: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = backbones["squeeze"].read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    cached = tmp_path / "torch/hub/checkpoints" / BACKBONES["squeeze"].name
    cached.parent.mkdir(parents=True)
    cached.write_bytes(content)
    with pytest.raises(ChecksumError, match="b8a52dc0"):
        LPIPS(net="squeeze")  # not what torchvision published
    assert cached.exists()  # it is not ours to delete
    monkeypatch.setitem(lpips.BACKBONES, "squeeze", Published(BACKBONES["squeeze"].url, digest))
    assert LPIPS(net="squeeze").weights_sha256 == digest


def test_without_weights_there_is_an_error_that_says_how_to_get_them() -> None:
    for make, name in (
        (LPIPS, "alexnet-owt-7be5be79.pth"),
        (FID, "weights-inception-2015-12-05-6726825d.pth"),
    ):
        with pytest.raises(OfflineError, match="DANCEKIT_OFFLINE") as caught:
            make()
        assert name in str(caught.value) and "https://" in str(caught.value) and caught.value.exit_code == 5
        with pytest.raises(UsageError, match="nowhere"):
            make(weights="nowhere.pth")


@pytest.mark.parametrize("name", ["lpips", "fid"])
def test_without_torchmetrics_there_is_an_error_that_names_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [m for m in sys.modules if m.startswith("torchmetrics")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    registry.load("metric", name)  # listing and describing it needs nothing
    with pytest.raises(MissingExtra, match=r"dancekit\[evaluate\]") as caught:
        create("metric", name)
    assert caught.value.exit_code == 3


def test_a_foreign_file_is_no_backbone(backbones: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(DancekitError, match="not a squeeze backbone"):
        LPIPS(net="squeeze", weights=str(backbones["alex"]))
    torch.save({"weights": [1, 2]}, tmp_path / "list.pth")
    with pytest.raises(DancekitError, match="no tensors by name"):
        LPIPS(weights=str(tmp_path / "list.pth"))
    (tmp_path / "bad.pth").write_bytes(b"not torch at all")
    with pytest.raises(DancekitError, match="cannot be read"):
        FID(weights=str(tmp_path / "bad.pth"))
    with pytest.raises(DancekitError, match="not the Inception"):
        FID(weights=str(backbones["alex"]))


def test_weights_cannot_run_code(tmp_path: Path) -> None:
    import os
    import pickle

    class Evil:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "ran"),)

    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Evil()))
    for make in (LPIPS, FID):
        with pytest.raises(DancekitError, match="cannot be read"):
            make(weights=str(tmp_path / "evil.pth"))
    assert not (tmp_path / "ran").exists()


# ---- FID ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state dict of a random Inception, as a file."""
    import torch_fidelity.feature_extractor_inceptionv3 as theirs

    patch = pytest.MonkeyPatch()
    patch.setattr(theirs, "load_state_dict_from_url", lambda *args, **kwargs: {})
    patch.setattr(theirs.FeatureExtractorInceptionV3, "load_state_dict", lambda *args, **kwargs: None)
    torch.manual_seed(0)
    network = theirs.FeatureExtractorInceptionV3("inception-v3-compat", ["64"])
    patch.undo()
    path = tmp_path_factory.mktemp("inception") / "random.pth"
    torch.save(network.state_dict(), path)
    return path


def test_fid_is_that_of_torchmetrics_and_of_its_formula(
    pair: tuple[Video, Video, Video], inception: Path
) -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    fake, real, _ = pair
    mine = FID(features=64, weights=str(inception), batch=2)
    mine.update(fake[:3], real[:3], None)
    mine.update(fake[3:], real[3:], None)
    theirs = FrechetInceptionDistance(feature=64, feature_extractor_weights_path=str(inception))
    theirs.update(tensors(fake), real=False)
    theirs.update(tensors(real), real=True)
    assert mine.result() == pytest.approx(float(theirs.compute()), rel=1e-5)

    features = [theirs.inception(tensors(frames)).double().numpy() for frames in (fake, real)]
    means = [f.mean(0) for f in features]
    covariances = [np.cov(f, rowvar=False) + 1e-12 * np.eye(64) for f in features]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = ((means[0] - means[1]) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert mine.result() == pytest.approx(float(expected), rel=1e-3)


def test_fid_of_a_copy_is_nothing_and_of_a_mask_is_in_its_box(
    pair: tuple[Video, Video, Video], inception: Path
) -> None:
    fake, real, mask = pair
    found = {}
    for name, (one, other, where) in {
        "copy": (real, real, None),
        "mask": (fake, real, mask),
        "crop": (fake[[0, 1, 3, 4], 20:50, 30:70], real[[0, 1, 3, 4], 20:50, 30:70], None),
    }.items():
        metric = FID(features=64, weights=str(inception))
        metric.update(one, other, where)
        found[name] = metric.result()
    assert found["copy"] == pytest.approx(0, abs=1e-3 * found["mask"])
    assert found["mask"] == pytest.approx(found["crop"], rel=1e-4)
    one = FID(features=64, weights=str(inception))
    one.update(fake[:1], real[:1], None)
    assert np.isnan(one.result())


def test_the_published_files_are_named_after_their_digests() -> None:
    for published in (*BACKBONES.values(), fid.INCEPTION):
        assert published.name.endswith(f"-{published.sha256[:8]}.pth") and len(published.sha256) == 64
