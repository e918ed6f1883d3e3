"""All that changes while training: networks, optimizers, averages, the step. And how one step changes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from dancekit.build import PaintingParts, TrainingParts, build_augmentations, build_painting, build_training
from dancekit.config import Recipe, Stage
from dancekit.contracts import Augmentation, Clip, LossView
from dancekit.data.training_set import TrainingSet
from dancekit.errors import DancekitError
from dancekit.training.ema import EMA

if TYPE_CHECKING:
    from dancekit.losses.objective import Objective


class TrainingState:
    """The state of a run after `step` steps; `advance` makes it `step + 1`.

    Every random draw is a function of the recipe's seed and the number of the step, so a run that was killed
    and resumed draws what an uninterrupted one would have drawn.

    Args:
        recipe: What to build.
        data: The target.
        device: `cpu`, `cuda` or `mps`.
    """

    def __init__(self, recipe: Recipe, data: TrainingSet, device: str) -> None:
        torch.manual_seed(recipe.train.seed)
        self.recipe = recipe
        self.data = data
        self.device = device
        self.step = 0
        self.painting: PaintingParts = build_painting(recipe, data.target.skeleton, device)
        self.training: TrainingParts = build_training(recipe, self.painting)
        self.augmentations: list[Augmentation] = build_augmentations(recipe)
        self.networks: dict[str, nn.Module] = {
            "generator": self.painting.generator.to(device),
            "discriminator": self.training.discriminator.to(device),
            "face": self.painting.face.to(device),
            "face_discriminator": self.training.face_discriminator.to(device),
        }
        settings = recipe.train.optimizer
        self.optimizers = {
            name: torch.optim.Adam(
                module.parameters(),
                lr=settings.lr_discriminator if name.endswith("discriminator") else settings.lr,
                betas=settings.betas,
                fused=True,
            )
            for name, module in self.networks.items()
            if any(True for _ in module.parameters())
        }
        self.averages = {name: EMA(self.networks[name], recipe.train.ema) for name in ("generator", "face")}
        self._starts = data.starts(self.painting.temporal.clip_length)

    # ---- where we are --------------------------------------------------------------------------------------

    def stage(self) -> tuple[Stage, float]:
        """The stage that the next step belongs to, and how far through it that step is, in [0, 1)."""
        start = 0
        for stage, length in zip(self.recipe.train.stages, stage_lengths(self.recipe), strict=True):
            if self.step < start + length:
                return stage, (self.step - start) / length
            start += length
        raise DancekitError(f"step {self.step} is beyond the last stage")

    # ---- one step ------------------------------------------------------------------------------------------

    def advance(self) -> dict[str, float]:
        """One optimization step.

        Returns:
            Every loss term by name, unweighted, and `lr`.
        """
        stage, progress = self.stage()
        self._set_rates(progress)
        torch.manual_seed(self.recipe.train.seed * 1_000_003 + self.step)
        clips = self._draw_clips()
        for module in self.networks.values():
            module.train()
        record: dict[str, float] = {}
        if "generator" in stage.modules:
            record |= self._body_step(clips)
        if "face" in stage.modules:
            record |= self._face_step(clips)
        self.step += 1
        for name, value in record.items():
            if not np.isfinite(value):
                raise DancekitError(
                    f"step {self.step}: {name} is {value}: training has diverged",
                    hint="lower train.optimizer.lr; the last checkpoint is untouched",
                )
        return record

    def _set_rates(self, progress: float) -> None:
        settings = self.recipe.train.optimizer
        left = 1.0 if progress <= settings.decay_from else (1 - progress) / (1 - settings.decay_from)
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                rate = settings.lr_discriminator if name.endswith("discriminator") else settings.lr
                group["lr"] = rate * left

    def _draw_clips(self) -> list[Clip]:
        rng = np.random.default_rng([self.recipe.train.seed, self.step])
        clips = []
        for _ in range(self.recipe.train.batch):
            start = int(self._starts[rng.integers(len(self._starts))])
            clip = self.data.clip(start, self.painting.temporal.clip_length)
            for augmentation in self.augmentations:
                clip = augmentation.apply(clip, augmentation.draw(rng, self.recipe.size))
            clips.append(clip)
        return clips

    def _conditions(self, clips: Sequence[Clip]) -> Tensor:
        """(B, T, C, H, W) condition images."""
        drawn = [self.painting.renderer(clip.xy.numpy(), clip.score.numpy()) for clip in clips]
        return torch.stack(drawn).to(self.device)

    def _unroll(self, conditions: Tensor, plate: Tensor) -> Tensor:
        """Paint all frames of the clips: (B, T, C, H, W) and (B, 3, H, W) to (B, T, 3, H, W)."""

        def generate(condition: Tensor) -> Tensor:
            return self.painting.background.compose(self.networks["generator"](condition), plate)

        images, state = [], None
        for t in range(conditions.shape[1]):
            image, state = self.painting.temporal.step(generate, conditions[:, t], state)
            images.append(image)
        return torch.stack(images, 1)

    def _body_step(self, clips: Sequence[Clip]) -> dict[str, float]:
        conditions = self._conditions(clips)
        real = torch.stack([clip.images for clip in clips]).to(self.device)
        mask = torch.stack([clip.mask for clip in clips]).to(self.device)
        fake = self._unroll(conditions, _plates(clips, self.device))
        temporal = self.painting.temporal
        view = LossView(
            fake=fake.flatten(0, 1),
            real=real.flatten(0, 1),
            mask=mask.flatten(0, 1),
            fake_features=[],
            real_features=[],
            view_mask=mask.amax(1),
        )
        return self._optimize(
            "generator",
            "discriminator",
            self.training.objective,
            temporal.view(conditions, fake),
            temporal.view(conditions, real),
            view,
        )

    def _face_step(self, clips: Sequence[Clip]) -> dict[str, float]:
        """Train the face refiner on what the finished (averaged, frozen) generator paints."""
        face = self.painting.face
        if "face" not in self.optimizers:
            return {}
        conditions = self._conditions(clips)
        generator = self.networks["generator"]
        with torch.no_grad(), self.averages["generator"].applied(generator):
            painted = self._unroll(conditions, _plates(clips, self.device)).flatten(0, 1)
        boxes = np.concatenate(
            [face.boxes(clip.xy.numpy(), clip.score.numpy(), clip.skeleton) for clip in clips]  # type: ignore[operator]
        )
        seen = torch.from_numpy(np.isfinite(boxes).all(1)).to(self.device)
        if not seen.any():
            return {}
        box = torch.from_numpy(boxes).to(self.device)[seen]
        condition = conditions.flatten(0, 1)[seen]
        real = torch.cat([clip.images for clip in clips]).to(self.device)[seen]
        crop = face.crop
        fake_face = crop(face(painted[seen], condition, box), box)  # type: ignore[operator]
        real_face = crop(real, box)  # type: ignore[operator]
        sticks = crop(condition, box)  # type: ignore[operator]
        everywhere = torch.ones_like(fake_face[:, :1])
        view = LossView(
            fake=fake_face,
            real=real_face,
            mask=everywhere,
            fake_features=[],
            real_features=[],
            view_mask=everywhere,
        )
        record = self._optimize(
            "face",
            "face_discriminator",
            self.training.face_objective,
            torch.cat([sticks, fake_face], 1),
            torch.cat([sticks, real_face], 1),
            view,
        )
        return {f"face_{name}": value for name, value in record.items()}

    def _optimize(
        self,
        painter: str,
        critic: str,
        objective: Objective,
        fake_view: Tensor,
        real_view: Tensor,
        view: LossView,
    ) -> dict[str, float]:
        """Step the painter and its critic from one forward pass of the painter, both from the old weights.

        The critic is not differentiated with respect to its weights in the painter's pass, and its view of the
        real frames is computed once for its own loss and for feature matching.

        Args:
            painter: Name of the network that made `view.fake`.
            critic: Name of the network that judges it.
            objective: The weighted losses.
            fake_view: (B, C, H, W) what the critic sees of the painted frames, with gradient.
            real_view: (B, C, H, W) the same of the true frames.
            view: All else; its features are filled in here.
        """
        network, optimizer = self.networks[critic], self.optimizers.get(critic)
        record: dict[str, float] = {}
        critic_loss = None
        if optimizer is not None:
            real_features = network(real_view)
            if objective.adversarial:  # else it stays as it was made
                critic_loss, terms = objective.discriminator(
                    real_features, network(fake_view.detach()), view.view_mask
                )
                record |= {f"d_{key}": float(value.detach()) for key, value in terms.items()}
            network.requires_grad_(False)
            view = dataclasses.replace(
                view,
                fake_features=network(fake_view),
                real_features=[[layer.detach() for layer in scale] for scale in real_features],
            )
        total, terms = objective.generator(view)
        record |= {key: float(value.detach()) for key, value in terms.items()}
        self.optimizers[painter].zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        self.optimizers[painter].step()
        network.requires_grad_(True)
        if optimizer is not None and critic_loss is not None:
            optimizer.zero_grad(set_to_none=True)
            critic_loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        self.averages[painter].update(self.networks[painter])
        return record


def _plates(clips: Sequence[Clip], device: str) -> Tensor:
    """(B, 3, H, W) clean plates, moved as their clips were."""
    return torch.cat([clip.plate for clip in clips]).to(device)


def stage_lengths(recipe: Recipe) -> list[int]:
    """Steps of each stage; they add up to `train.steps`."""
    ends = np.cumsum([stage.share for stage in recipe.train.stages])
    ends = np.rint(ends / ends[-1] * recipe.train.steps).astype(int)
    return [int(n) for n in np.diff(np.concatenate([[0], ends]))]
