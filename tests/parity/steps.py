"""The training run that a reference step describes, built as a recipe of dancekit."""

from __future__ import annotations

import dataclasses
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import torch
from cases import Case
from torch import Tensor

from dancekit.config import Recipe, load_recipe
from dancekit.config.schema import Component, LossTerm, Optimizer, Stage, TrainConfig
from dancekit.training.batch import Batch
from dancekit.training.state import TrainingState
from dancekit.types import get_skeleton
from dancekit.zoo.architecture import recognise

ROLES = {"G": "generator", "D": "discriminator", "Gface": "face", "Dface": "face_discriminator"}


def perceptual(case: Case, weight: float) -> list[LossTerm]:
    """VGG as the originals use it, with the narrow net that comes with the case, or with its neighbours."""
    if case.meta["opt"].get("no_vgg_loss", True):
        return []
    files = [*case.path.glob("*vgg*.pth"), *case.path.parent.glob("*vggloss_narrow/weights.pth")]
    assert files, f"{case}: G_VGG without the weights of its VGG19"
    params = {"backbone": "vgg19", "weights": str(files[0]), "normalize": False}
    return [LossTerm(name="perceptual", weight=weight, params=params)]


def losses_of(case: Case) -> tuple[list[LossTerm], list[LossTerm]]:
    """The objectives of frames and faces."""
    opt = case.meta["opt"]
    if case.name.startswith("p2p_"):
        names = {"lsgan": "lsgan", "vanilla": "vanilla", "wgangp": "wgan_gp"}
        params = {"penalty": 0.0} if opt["gan_mode"] == "wgangp" else {}
        gan = LossTerm(name=names[opt["gan_mode"]], params=params)
        return [gan, LossTerm(name="l1", weight=opt["lambda_L1"])], [gan]
    gan = LossTerm(name="lsgan")
    if opt["no_lsgan"]:
        gan = LossTerm(name="vanilla", params={"logits": False})
    frames, faces = [gan], [gan]
    if not opt["no_ganFeat_loss"]:
        frames.append(LossTerm(name="feature_matching", weight=opt["lambda_feat"]))
    edn = case.name.startswith("edn")
    # a mean over the pair where EDN has the sum, which it halves for the global generator alone
    pair = 2.0 if edn and opt["netG"] != "global" else 1.0
    frames += perceptual(case, pair * opt["lambda_feat"])
    faces += perceptual(case, opt["lambda_feat"])
    if opt.get("use_l1"):
        frames.append(LossTerm(name="l1", weight=opt["lambda_A"], params={"frames": "last"}))
    return frames, faces


def component(case: Case, role: str) -> Component:
    """The component whose keys and shapes the case's weights have."""
    architecture, _, differences = recognise(case.weights(f"weights_{role}_before"))
    assert not differences, (case, role, differences)
    params = dict(architecture.params)
    opt = case.meta["opt"]
    if role == "D" and opt.get("no_lsgan") and not params.get("features"):
        params["sigmoid"] = True
    return Component(name=architecture.name, params=params)


def face_of(case: Case) -> Component:
    """The face refiner, as narrow as the case's weights; not clamped, as the original."""
    if not (case.path / "weights_Gface_before.pth").exists():
        return Component(name="none")
    network = component(case, "Gface")
    top, bottom, left, right = case.meta["face_coords"]
    assert bottom - top == right - left, "a box that is no square"
    params: dict[str, Any] = {"crop_size": bottom - top, "clamp": False, "ngf": network.params["ngf"]}
    if network.name == "unet":
        params["network"] = "unet"
    else:
        params |= {"n_down": network.params["n_down"], "n_blocks": network.params["n_blocks"]}
    return Component(name="edn", params=params)


def stage_of(case: Case) -> Stage:
    opt = case.meta["opt"]
    if not opt.get("face_generator"):
        only = f"model{opt['n_local_enhancers']}" if opt.get("niter_fix_global") else ""
        return Stage(name="body", share=1.0, modules=["generator"], only=only)
    modules = ["face"] if opt["niter_fix_main"] else ["face", "discriminator"]
    return Stage(name="face", share=1.0, modules=modules, judge="frame")


def recipe_of(case: Case) -> Recipe:
    opt = case.meta["opt"]
    frames, faces = losses_of(case)
    rebuilt = len(case.meta.get("state_dict", {}).get("G", [])) == case.meta.get("optimizer_G_param_count")
    image = case.io["A.0" if case.name.startswith("p2p_") else "label.0"]
    stage = stage_of(case)
    doubled = case.name.startswith("edn") and not (rebuilt and stage.modules == ["generator"])
    face = face_of(case)
    return load_recipe("tiny").model_copy(
        update={
            "size": tuple(-(-side // 32) * 32 for side in (image.shape[3], image.shape[2])),
            "generator": component(case, "G"),
            "discriminator": component(case, "D"),
            "face_discriminator": component(case, "Dface")
            if face.name != "none"
            else Component(name="patch"),
            "background": Component(name="painted"),
            "temporal": Component(name="previous_frame" if case.name.startswith("edn") else "single"),
            "face": face,
            "losses": frames,
            "face_losses": faces,
            "train": TrainConfig(
                steps=100,
                ema=0.0,
                order="discriminator_first" if case.name.startswith("p2p_") else "together",
                pool=opt.get("pool_size", 0),
                compat="edn" if doubled else "none",
                optimizer=Optimizer(lr=opt["lr"], lr_discriminator=opt["lr"], betas=(opt["beta1"], 0.999)),
                stages=[stage],
            ),
        }
    )


def state_of(case: Case) -> TrainingState:
    """A run with the case's weights."""
    skeleton = get_skeleton("blazepose_33")
    data = SimpleNamespace(target=SimpleNamespace(skeleton=skeleton), starts=lambda length, **_: [0])
    state = TrainingState(recipe_of(case), data, "cpu")
    for role, name in ROLES.items():
        if (case.path / f"weights_{role}_before.pth").exists():
            weights = renamed(case.weights(f"weights_{role}_before"))
            state.networks[name].load_state_dict(weights)
    for name, average in state.averages.items():
        average.load({k: v.clone() for k, v in state.networks[name].state_dict().items()}, 0)
    return state


def renamed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.replace("facemodel.", "model.", 1): value for key, value in weights.items()}


def batch_of(case: Case, step: int) -> Batch:
    """What the original was given in a step."""
    io = case.io
    if case.name.startswith("p2p_"):
        first, second = ("A", "B") if case.meta["opt"].get("direction", "AtoB") == "AtoB" else ("B", "A")
        conditions, images = [io[f"{first}.{step}"]], [io[f"{second}.{step}"]]
    else:
        conditions, images = [io[f"label.{step}"]], [io[f"image.{step}"]]
        if case.name.startswith("edn"):
            conditions.append(io[f"next_label.{step}"])
            images.append(io[f"next_image.{step}"])
    real = torch.stack(images, 1)
    boxes = torch.full((*real.shape[:2], 4), torch.nan)
    if case.meta.get("face_coords"):
        top, bottom, left, right = case.meta["face_coords"]
        boxes[:] = torch.tensor([left, top, right, bottom]) - 0.5
    return Batch(
        conditions=torch.stack(conditions, 1),
        real=real,
        mask=torch.ones_like(real[:, :, :1]),
        plate=torch.zeros_like(real[:, 0]),
        boxes=boxes,
    )


def put_in_double(state: TrainingState) -> None:
    """Put a run into double precision.

    In single precision the number of threads decides on which side of a ReLU's kink a pixel falls that is zero
    but for rounding, and in networks as small as these one pixel is a hundredth of a gradient.
    """
    for network in state.networks.values():
        network.double()
    for average in state.averages.values():
        average.shadow = {k: v.double() if v.is_floating_point() else v for k, v in average.shadow.items()}
    for objective in (state.training.objective, state.training.face_objective):
        for _, _, loss in objective.terms:
            if (network := getattr(loss, "network", None)) is not None:
                network.double()


def like(state: TrainingState, batch: Batch) -> Batch:
    """The batch in the precision of a run."""
    dtype = next(state.networks["generator"].parameters()).dtype
    given = {each.name: getattr(batch, each.name) for each in fields(batch)}
    tensors = {name: value.to(dtype) for name, value in given.items() if isinstance(value, torch.Tensor)}
    return dataclasses.replace(batch, **tensors)
