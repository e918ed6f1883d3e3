"""One training step: order, doubled updates, faces in the frame, what stands still, pools and penalties."""

from __future__ import annotations

import dataclasses
import itertools
import random
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from dancekit.build import check_parts
from dancekit.config import load_recipe
from dancekit.config.schema import Stage
from dancekit.errors import IncompatibleParts, RecipeError, UsageError
from dancekit.training.batch import Batch
from dancekit.training.checkpoint import load_checkpoint, save_checkpoint
from dancekit.training.distributed import ALONE, Processes
from dancekit.training.pool import ImagePool
from dancekit.training.start import check_start, start_from
from dancekit.training.state import TrainingState
from dancekit.training.step import last_sample
from dancekit.types import get_skeleton
from dancekit.weights.state_dict import widened

SKELETON = get_skeleton("blazepose_33")
FACE = ["face=edn", "face.ngf=2", "face.n_down=1", "face.n_blocks=0", "face.crop_size=16"]
BODY = Stage(name="body", share=1.0, modules=["generator"])


def state_of(*overrides: str, processes: Processes = ALONE) -> TrainingState:
    """A run of the tiny recipe without a video: painted background, losses of the originals."""
    recipe = load_recipe(
        "tiny",
        [
            "size=[32, 32]",
            "background=painted",
            "generator.ngf=4",
            "losses.lsgan.mask=none",
            "train.ema=0",
            *overrides,
        ],
    )
    data = SimpleNamespace(target=SimpleNamespace(skeleton=SKELETON), starts=lambda length, **_: [0])
    return TrainingState(recipe, data, "cpu", processes)


def batch_of(size: int = 2, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    boxes = torch.tensor([[4.0, 8, 20, 24], [6, 8, 22, 24]]) - 0.5
    return Batch(
        conditions=noise(size, 2, 3, 32, 32),
        real=noise(size, 2, 3, 32, 32) * 2 - 1,
        mask=torch.ones(size, 2, 1, 32, 32),
        plate=torch.zeros(size, 3, 32, 32),
        boxes=boxes.expand(size, 2, 4).clone(),
    )


def weights(state: TrainingState, name: str) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in state.networks[name].state_dict().items()}


def moved(state: TrainingState, name: str, before: dict[str, torch.Tensor]) -> bool:
    return any(
        not torch.equal(value, before[key]) for key, value in state.networks[name].state_dict().items()
    )


def test_compat_edn_applies_each_gradient_of_the_generator_twice() -> None:
    plain, twice = state_of(), state_of("train.compat=edn")
    before = weights(plain, "generator")
    batch = batch_of()
    for state in (plain, twice):
        state.learn(BODY, batch)
    for key, value in weights(twice, "generator").items():
        once = weights(plain, "generator")[key] - before[key]
        # Adam's first updates are its rate times the sign of the gradient, unless that is tiny
        torch.testing.assert_close(value - before[key], 2 * once, rtol=2e-2, atol=1e-6)
    counts = {float(entry["step"]) for entry in twice.optimizers["generator"].state.values()}
    assert counts == {2.0}
    assert all(
        torch.equal(weights(plain, "discriminator")[k], v) for k, v in weights(twice, "discriminator").items()
    )


def test_the_discriminator_learns_first_where_the_recipe_says_so() -> None:
    """Against the plain loop of pix2pix, written out."""
    given = [
        "temporal=single",
        "losses=[{name: lsgan}, {name: l1, weight: 100}]",
        "train.order=discriminator_first",
    ]
    state, plain = state_of(*given), state_of(*given)
    pair = batch_of(1)
    batch = Batch(pair.conditions[:, :1], pair.real[:, :1], pair.mask[:, :1], pair.plate, pair.boxes[:, :1])
    g, d = plain.networks["generator"], plain.networks["discriminator"]
    before = weights(plain, "generator")
    optimizers = {
        name: torch.optim.Adam(plain.networks[name].parameters(), rate, betas=(0.5, 0.999))
        for name, rate in (("generator", 4e-4), ("discriminator", 2e-4))
    }
    record = state.learn(BODY, batch)
    a, b = batch.conditions[:, 0], batch.real[:, 0]
    fake = g(a)
    real_loss = sum((maps[-1] - 1).square().mean() for maps in d(torch.cat([a, b], 1)))
    fake_loss = sum(maps[-1].square().mean() for maps in d(torch.cat([a, fake.detach()], 1)))
    (0.5 * (real_loss + fake_loss)).backward()
    optimizers["discriminator"].step()
    adversarial = sum((maps[-1] - 1).square().mean() for maps in d(torch.cat([a, fake], 1)))
    (adversarial + 100 * F.l1_loss(fake, b)).backward()
    optimizers["generator"].step()
    assert record["lsgan"] == pytest.approx(float(adversarial.detach()), rel=1e-5)
    assert record["d_lsgan"] == pytest.approx(float((real_loss + fake_loss).detach()) / 2, rel=1e-5)
    for key, value in weights(state, "generator").items():
        if key.endswith("weight"):
            torch.testing.assert_close(value, g.state_dict()[key], rtol=0, atol=2e-5)
            assert not torch.equal(value, before[key])


def test_faces_are_judged_in_the_frame_and_what_is_not_named_stands_still() -> None:
    state = state_of(*FACE)
    stage = Stage(name="face", share=1.0, modules=["face"], judge="frame")
    before = {name: weights(state, name) for name in state.networks}
    record = state.learn(stage, batch_of())
    assert {name for name in state.networks if moved(state, name, before[name])} == {
        "face",
        "face_discriminator",
    }
    assert {"lsgan", "feature_matching", "d_lsgan", "face_lsgan", "face_d_lsgan"} <= set(record)
    assert all(parameter.requires_grad for parameter in state.networks["generator"].parameters())
    both = Stage(name="face", share=1.0, modules=["face", "discriminator"], judge="frame")
    before = {name: weights(state, name) for name in state.networks}
    state.learn(both, batch_of())
    still = [name for name in state.networks if not moved(state, name, before[name])]
    assert still == ["generator"]


def test_the_refined_face_goes_into_the_next_frame() -> None:
    state = state_of(*FACE)
    batch = batch_of(1)
    plain, refined = state._paint(batch), state._paint(batch, faces=True)
    outside = torch.ones(32, 32, dtype=torch.bool)
    outside[8:24, 4:22] = False
    assert torch.equal(plain[:, 0][..., outside], refined[:, 0][..., outside])
    assert not torch.equal(plain[:, 1][..., outside], refined[:, 1][..., outside])


def test_frames_without_a_face_are_judged_all_the_same() -> None:
    state = state_of(*FACE)
    stage = Stage(name="face", share=1.0, modules=["generator", "face"], judge="frame")
    batch = batch_of(2)
    batch.boxes[0] = torch.nan
    batch.boxes[1, 1] = torch.nan
    assert "face_lsgan" in state.learn(stage, batch)
    batch.boxes[:] = torch.nan
    record = state.learn(stage, batch)
    assert "lsgan" in record and "face_lsgan" not in record


def test_compat_edn_shares_a_box_and_looks_at_the_last_face() -> None:
    stage = Stage(name="face", share=1.0, modules=["face"], judge="frame")
    one, other = batch_of(2), batch_of(2)
    other.boxes[0, 1] += 3  # of no account: the first box of the first sample serves all
    other.boxes[1] += 5
    records = []
    for batch in (one, other):
        records.append(state_of(*FACE, "train.compat=edn").learn(stage, batch))
    assert records[0] == records[1]
    right = [state_of(*FACE).learn(stage, batch)["face_lsgan"] for batch in (one, other)]
    assert right[0] != right[1] and right[0] != records[0]["face_lsgan"]
    maps = [[torch.arange(3.0).view(3, 1, 1, 1)]]
    assert last_sample(maps)[0][0].flatten().tolist() == [2.0]


def test_only_part_of_the_generator_learns() -> None:
    local = ["generator=pix2pixhd_local", "generator.ngf=2", "generator.n_down=1", "generator.n_blocks=1",
             "generator.n_blocks_local=1"]  # fmt: skip
    state = state_of(*local)
    before = weights(state, "generator")
    state.learn(BODY.model_copy(update={"only": "model1"}), batch_of(1))
    for key, value in weights(state, "generator").items():
        if key.endswith("weight"):
            assert torch.equal(value, before[key]) is not key.startswith("model1"), key
    recipe = load_recipe("tiny", ["train.stages=[{name: a, share: 1, modules: [generator], only: model7}]"])
    with pytest.raises(
        IncompatibleParts, match=r"no weight of generator pix2pixhd begins with 'model7'.*model"
    ):
        check_parts(recipe, SKELETON)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("{name: a, share: 1, modules: [discriminator]}", "has nothing to judge"),
        ("{name: a, share: 1, modules: [generator], judge: frame}", "the face does not learn"),
        ("{name: a, share: 1, modules: [face, discriminator]}", "only with judge: frame"),
        ("{name: a, share: 1, modules: [face], only: model}", "does not learn in this stage"),
    ],
)
def test_stages_that_make_no_sense(stage: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("tiny", [f"train.stages=[{stage}]"])


def test_without_a_face_its_stage_falls_away() -> None:
    stages = "train.stages=[{name: a, share: 0.5, modules: [generator]}, "
    stages += "{name: b, share: 0.5, modules: [face, discriminator], judge: frame}]"
    found = load_recipe("tiny", [stages, "face=none"]).train.stages
    assert [(stage.name, stage.share, stage.judge) for stage in found] == [("a", 1.0, "crop")]


@pytest.mark.parametrize("loss", ["vanilla", "wgan_gp"])
def test_other_adversaries_train(loss: str) -> None:
    state = state_of(f"losses=[{{name: {loss}}}, {{name: l1}}]")
    before = weights(state, "discriminator")
    record = state.learn(BODY, batch_of(1))
    assert moved(state, "discriminator", before)
    assert ("d_wgan_gp_penalty" in record) is (loss == "wgan_gp")


def test_a_run_with_pools_and_faces_in_frames_resumes_exactly(tmp_path) -> None:
    given = [*FACE, "train.pool=2", "train.optimizer.schedule=pix2pixhd", "train.optimizer.epochs=4"]
    stage = Stage(name="face", share=1.0, modules=["generator", "face"], judge="frame")

    def run(state: TrainingState, steps: range) -> list[dict[str, float]]:
        records = []
        for step in steps:
            state.step = step
            records.append(state.learn(stage, batch_of(1, seed=step)))
        state.step = steps.stop
        return records

    whole, first, second = state_of(*given), state_of(*given), state_of(*given)
    records = run(whole, range(5))
    assert run(first, range(3)) == records[:3]
    assert len(first.pools["discriminator"].images) == 2
    load_checkpoint(save_checkpoint(tmp_path, first), second)
    assert run(second, range(3, 5)) == records[3:]
    for name in whole.networks:
        assert all(
            torch.equal(value, weights(second, name)[key]) for key, value in weights(whole, name).items()
        )
    unlike = state_of(*[text.replace("pool=2", "pool=0") for text in given])
    assert run(unlike, range(5)) != records


def test_a_pool_returns_every_view_once_or_keeps_it() -> None:
    pool, rng = ImagePool(5), random.Random(0)
    given, shown = [], []
    for number in range(40):
        views = torch.full((3, 1, 1, 1), 0.0) + torch.arange(3).view(3, 1, 1, 1) + 3 * number
        given += views.flatten().tolist()
        shown += pool.query(views, rng).flatten().tolist()
    kept = [float(image) for image in pool.images]
    assert shown[:5] == given[:5] and len(kept) == 5
    # what was shown after it was full, and what is left, are all that came in, the first five twice
    assert sorted(shown + kept) == sorted(given + given[:5])
    assert shown != given


def test_a_local_run_begins_with_a_global_one(tmp_path: Path) -> None:
    """As the originals: equal names and shapes; the inner generator is twice as wide as the enhancer."""
    small = state_of("generator.n_down=2", "generator.n_blocks=1", "discriminator.num_d=1", "train.ema=0.9")
    for _ in range(2):
        small.learn(BODY, batch_of(1))
    save_checkpoint(tmp_path / "run" / "checkpoints", small)
    given = ["generator=pix2pixhd_local", "generator.ngf=2", "generator.n_down=2", "generator.n_blocks=1"]
    state = state_of(*given, "discriminator.num_d=2")
    fresh = {name: weights(state, name) for name in state.networks}
    counts = start_from(str(tmp_path / "run"), state)
    own, learnt = weights(state, "generator"), weights(small, "generator")
    inner = {key for key in own if key.startswith("model.")}
    assert counts["generator"] == (len(inner), len(own)) and inner < set(learnt)
    for key, value in own.items():
        assert torch.equal(value, learnt[key] if key in inner else fresh["generator"][key]), key
    for key, value in state.averages["generator"].shadow.items():  # averages begin with averages
        assert torch.equal(value, small.averages["generator"].shadow[key] if key in inner else own[key]), key
    critic, before = weights(state, "discriminator"), weights(small, "discriminator")
    for key, value in critic.items():
        coarse = key.startswith("scale0_")  # the new finest scale stays fresh
        assert torch.equal(value, before[key] if coarse else fresh["discriminator"][key]), key
    with pytest.raises(UsageError, match=r"no weight of .* fits generator unet"):
        start_from(str(tmp_path / "run"), state_of("generator=unet", "generator.depth=3"))
    for place, said in ((tmp_path, "holds no checkpoint"), (tmp_path / "nope", "there is no")):
        with pytest.raises(UsageError, match=said):
            check_start(str(place))


def test_a_run_with_more_references_begins_with_one_that_has_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of its weights, also of the first and the last layer; what is new begins at zero, and does nothing."""
    monkeypatch.setattr("dancekit.training.state.make_banks", lambda *_, **__: ())
    one = state_of("reference=nearest", "train.ema=0.9")
    for _ in range(2):
        one.learn(BODY, dataclasses.replace(batch_of(1), references=torch.rand(1, 2, 7, 32, 32)))
    save_checkpoint(tmp_path / "run" / "checkpoints", one)
    (tmp_path / "run" / "recipe.yaml").write_text(one.recipe.to_yaml())
    more = ("reference=nearest", "reference.frames=2", "reference.residual_flow=0.02")
    two = state_of(*more)
    copied, all_of_it = start_from(str(tmp_path / "run"), two)["generator"]
    assert copied == all_of_it
    known, new = torch.rand(1, 6 + 7, 32, 32), torch.rand(1, 7, 32, 32)
    old = one.networks["generator"].eval()
    with torch.no_grad():
        given, shown = old(known), two.networks["generator"].eval()(torch.cat([known, new], 1))
        torch.testing.assert_close(shown[:, : given.shape[1]], given)
        assert shown.shape[1] == 3 + 2 * 3 and not shown[:, given.shape[1] :].any()
        averaged = two.averages["generator"].shadow
    for key, value in one.averages["generator"].shadow.items():
        part = averaged[key][tuple(slice(side) for side in value.shape)]
        assert torch.equal(part, value), key
    other = state_of(*more, "temporal=single")  # whose inputs are others: what is common fits by chance
    copied, all_of_it = start_from(str(tmp_path / "run"), other)["generator"]
    assert copied < all_of_it


def test_a_network_is_widened_only_at_its_ends() -> None:
    def network(*channels: int) -> torch.nn.Sequential:
        return torch.nn.Sequential(*(torch.nn.Conv2d(a, b, 3) for a, b in itertools.pairwise(channels)))

    narrow = network(3, 4, 4, 2).state_dict()
    assert set(widened(network(5, 4, 4, 6), narrow)) == {"0.weight", "2.weight", "2.bias"}
    for other in ((3, 6, 6, 2), (2, 4, 4, 2), (3, 4, 4, 1), (3, 4, 4, 2, 2)):
        assert not widened(network(*other), narrow), other


def test_a_start_that_cannot_fit_is_refused_before_poses_are_found(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dancekit
    from dancekit.training import ready

    def never(*_: object, **__: object) -> None:
        raise AssertionError("poses are found")

    monkeypatch.setattr(ready, "track_person", never)
    target, out = root / "zoo/samples/target.mp4", tmp_path / "run"
    other = load_recipe("standard", ["generator=unet", "generator.depth=7"])
    with pytest.raises(UsageError, match="no weight of anybody fits generator unet") as caught:
        dancekit.train(target, other, out=out, device="cpu")
    assert "train.start_from=none begins from nothing" in str(caught.value.hint)
    assert not out.exists()
    for fits in ([], ["train.start_from=none", "generator=unet", "generator.depth=7"]):
        with pytest.raises(AssertionError, match="poses are found"):
            dancekit.train(target, load_recipe("standard", fits), out=out, device="cpu")
