"""All that changes while training: networks, optimizers, averages, pools. And how one step changes it."""

from __future__ import annotations

import dataclasses
import logging
import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dancekit.build import (
    PaintingParts,
    TrainingParts,
    build_augmentations,
    build_painting,
    build_painting_at,
    build_training,
)
from dancekit.config import Recipe, Stage
from dancekit.contracts import Augmentation, State
from dancekit.convolutions import has_winograd, use_winograd
from dancekit.data.references import ReferenceBank, make_banks
from dancekit.data.sampling import start_weights
from dancekit.data.training_set import TrainingSet, scale_down
from dancekit.errors import DancekitError
from dancekit.model import Painter
from dancekit.training.batch import Batch, Filmed, draw_clips, draw_places, make_batch
from dancekit.training.devices import choose_precision, choose_winograd, compile_generator, save_memory
from dancekit.training.distributed import ALONE, Processes
from dancekit.training.ema import EMA
from dancekit.training.hard import HardFrames, clip_errors
from dancekit.training.history_noise import Disturbance, is_idle
from dancekit.training.plan import ClipPlan, plan_of
from dancekit.training.pool import ImagePool
from dancekit.training.prefetch import Prefetcher
from dancekit.training.schedules import rate_factor
from dancekit.training.step import Critic, Judgement, learn
from dancekit.training.teacher import Teacher, teacher_of
from dancekit.training.views import frame_judgement, paint_clips, region_judgements

_LOG = logging.getLogger(__name__)


class TrainingState:
    """The state of a run after `step` steps; `advance` makes it `step + 1`.

    Every random draw is a function of the recipe's seed and the number of the step, so a run that was killed
    and resumed draws what an uninterrupted one would have drawn.

    Args:
        recipe: What to build.
        data: The target.
        device: `cpu`, `cuda` or `mps`.
        processes: Those that share every step.
    """

    def __init__(self, recipe: Recipe, data: TrainingSet, device: str, processes: Processes = ALONE) -> None:
        torch.manual_seed(recipe.train.seed)
        self.recipe = recipe
        self.data = data
        self.device = device
        self.processes = processes
        self._disturbs: Disturbance | None = None
        self._shares = processes.shares(recipe.train.batch, recipe.train.accumulate)
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
        if "temporal" in self.painting.networks:
            self.networks["temporal"] = self.painting.networks["temporal"].to(device)
        if self.training.hand_discriminator is not None:
            self.networks["hand_discriminator"] = self.training.hand_discriminator.to(device)
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
        self.pools = {
            name: ImagePool(recipe.train.pool) for name in self.networks if name.endswith("discriminator")
        }
        if recipe.train.gradient_checkpointing:
            save_memory(self.networks["generator"], recipe.generator.name)
        self.winograd = False
        winograd = choose_winograd(recipe.train.winograd, device, self._by_convolutions())
        self.use_winograd(processes.from_main(winograd))
        self.precision = choose_precision(recipe.train.precision, device)
        self.share_pass = True
        taught_by = teacher_of(recipe)
        generator = self.networks["generator"]
        self.teacher = Teacher(Path(taught_by), recipe, generator, device) if taught_by else None
        self.averages = {name: EMA(each, recipe.train.ema) for name, each in self.painting.networks.items()}
        self._filmed = self._film(self.painting)
        self._taught = self._film_for_teacher()
        self.bank: ReferenceBank | None = self._filmed.banks[0] if self._filmed.banks else None
        self._paintings = {recipe.size: self.painting} | {
            stage.size: build_painting_at(recipe, data.target.skeleton, device, stage.size)
            for stage in recipe.train.stages
            if stage.size is not None and stage.size != recipe.size
        }
        self.hard = HardFrames.of(data, recipe.train.hard) if recipe.train.hard else None
        self._errors: list[Tensor] = []
        self._starts: dict[int, tuple[NDArray[np.intp], NDArray[np.float64] | None]] = {}
        # a clip that is too short for one of the stages is refused now
        self._starts_of(max(self.plan(stage).longest for stage in recipe.train.stages))
        self._batches = Prefetcher(self._make_batches, depth=recipe.train.prefetch, end=recipe.train.steps)

    def use_winograd(self, wanted: bool) -> None:
        """Run 3x3 convolutions by Winograd's algorithm or by torch's; a resumed run goes on as it began."""
        if wanted and not has_winograd():
            _LOG.warning(
                "this run began with Winograd's algorithm, which this torch has not: it rounds otherwise"
            )
        self.winograd = wanted
        for network in self._by_convolutions():
            use_winograd(network, wanted)

    def _by_convolutions(self) -> list[nn.Module]:
        """All networks, those of the losses too."""
        objectives = (self.training.objective, self.training.face_objective)
        looked_through = [getattr(loss, "network", None) for each in objectives for _, _, loss in each.terms]
        return [*self.networks.values(), *(each for each in looked_through if isinstance(each, nn.Module))]

    # ---- where we are --------------------------------------------------------------------------------------

    def stage(self, step: int | None = None) -> tuple[Stage, float]:
        """The stage that the next step (or that one) belongs to, and how far through it it is, in [0, 1)."""
        step = self.step if step is None else step
        start = 0
        for stage, length in zip(self.recipe.train.stages, stage_lengths(self.recipe), strict=True):
            if step < start + length:
                return stage, (step - start) / length
            start += length
        raise DancekitError(f"step {step} is beyond the last stage")

    def plan(self, stage: Stage) -> ClipPlan:
        """What the clips of a stage are like."""
        return plan_of(self.recipe, stage, self.painting.temporal.clip_length)

    # ---- one step ------------------------------------------------------------------------------------------

    def advance(self) -> dict[str, float]:
        """One optimization step.

        Returns:
            Every loss term by name, unweighted, and `lr`.
        """
        stage, progress = self.stage()
        self._set_rates(progress)
        self.processes.same_tensors(each for network in self.networks.values() for each in network.buffers())
        torch.manual_seed(self.recipe.train.seed * 1_000_003 + self.step)
        record = self.learn(stage, *self._batches.get(self.step))
        self._note_errors()
        self.step += 1
        painter = self.optimizers.get("generator") or next(iter(self.optimizers.values()))
        return record | {"lr": painter.param_groups[0]["lr"]}

    def compile(self) -> None:
        """Compile the generator, if the recipe wishes it and the weights are those that training begins with.

        The discriminators stay as they are: a compiled backward pass cannot run in two parts, and judging the
        painted view once for both sides saves more.

        Raises:
            DancekitError: It cannot be compiled, and the recipe insists.
        """
        settings, (width, height) = self.recipe.train, self.recipe.size
        generator = self.networks["generator"].train()
        channels = self.painting.temporal.generator_channels(self.painting.renderer.spec.channels)
        channels += self.painting.reference.channels(self.painting.renderer.spec.channels)
        shape = (settings.batch, channels, height, width)
        probe = torch.linspace(-1e3, 1e3, math.prod(shape)).sin().view(shape).to(self.device)
        with self.precision.autocast():
            compile_generator(generator, settings, probe)

    @contextmanager
    def painter(self, size: tuple[int, int] | None = None) -> Iterator[Painter]:
        """Within the block a painter with the averaged weights, at the recipe's size or at that of a stage."""
        with self._averaged(*self.averages):
            plate = self.data.canvas
            parts = self.painting
            if size is not None and size != self.recipe.size:
                plate = scale_down(plate[None], size)[0]
                parts = dataclasses.replace(parts, renderer=self._paintings[size].renderer)
            bank = None if self.bank is None else self.bank.at(size or self.recipe.size)
            yield Painter(
                parts, self.data.target.skeleton, plate, self.device, bank=bank, follow=self.data.follow
            )

    def broken(self) -> str:
        """The name of a network with a weight that is not finite; "" if all are well."""
        for name, network in self.networks.items():
            if not all(bool(torch.isfinite(weight).all()) for weight in network.state_dict().values()):
                return name
        return ""

    def synchronize(self) -> None:
        """Give all processes the main one's weights and averages: what they begin with must be the same bits."""
        shadows = (average.shadow.values() for average in self.averages.values())
        weights = (network.state_dict().values() for network in self.networks.values())
        for tensors in (*weights, *shadows):
            self.processes.same_tensors(tensors)

    def close(self) -> None:
        """End what works in the background."""
        self._batches.close()

    def _film(self, painting: PaintingParts) -> Filmed:
        reference = painting.reference
        return Filmed(reference, make_banks(self.data, reference, hold_out=self.recipe.train.hold_out))

    def _film_for_teacher(self) -> Filmed | None:
        """The student's own references, unless the teacher has learnt with others."""
        if self.teacher is None:
            return None
        return self._film(self.teacher.parts) if self.teacher.sees_others else self._filmed

    def _make_batches(self, step: int) -> list[Batch]:
        """What a step trains on, `accumulate` batches or this process's share of them; a function of the seed and the
        step, in any thread.
        """
        settings = self.recipe.train
        plan = self.plan(self.stage(step)[0])
        size = len(self._shares[0])
        clips = draw_clips(
            self.data,
            self.augmentations,
            plan,
            starts=partial(self._starts_at, step),
            batch=settings.batch * settings.accumulate,
            seed=settings.seed,
            step=step,
            wanted=[number for share in self._shares for number in share],
        )
        painting, before = self._paintings[plan.size], plan.before(step)
        return [
            make_batch(
                clips[start : start + size],
                painting,
                self.device,
                self._filmed,
                taught=self._taught,
                run_up=before,
            )
            for start in range(0, len(clips), size)
        ]

    def _starts_of(self, span: int) -> tuple[NDArray[np.intp], NDArray[np.float64] | None]:
        """First frames of clips that span so many frames of the video, and how probable each is."""
        if span not in self._starts:
            settings = self.recipe.train
            found = self.data.starts(span, hold_out=settings.hold_out)
            rare = settings.rare
            self._starts[span] = (found, start_weights(self.data, found, span, rare) if rare else None)
        return self._starts[span]

    def _starts_at(self, step: int, span: int) -> tuple[NDArray[np.intp], NDArray[np.float64] | None]:
        """As `_starts_of`, in that step: what is painted badly by then is drawn more often, if so wished."""
        found, weights = self._starts_of(span)
        factors = None if self.hard is None else self.hard.weights(step, found, span)
        if factors is None:
            return found, weights
        weights = factors if weights is None else weights * factors
        return found, weights / weights.sum()

    def _note_errors(self) -> None:
        """How badly the clips of this step were painted, of all processes."""
        measured, self._errors = self._errors, []
        if self.hard is None:
            return
        settings = self.recipe.train
        own = [number for share in self._shares for number in share]
        values = torch.cat(measured).tolist() if measured else []
        errors = self.processes.together(dict(zip(own, values, strict=False)))
        drawn = draw_places(
            self.augmentations,
            self.plan(self.stage()[0]),
            starts=partial(self._starts_at, self.step),
            batch=settings.batch * settings.accumulate,
            seed=settings.seed,
            step=self.step,
        )
        self.hard.note(self.step, {number: (drawn[number].frames, error) for number, error in errors.items()})

    def _measure(self, batch: Batch, fake: Tensor) -> None:
        if self.hard is not None:
            self._errors.append(clip_errors(fake, batch.real, batch.mask))

    def learn(self, stage: Stage, *batches: Batch) -> dict[str, float]:
        """Paint and learn; `advance` without the drawing of clips and the course of the rates.

        Args:
            stage: Who learns.
            batches: One, or several whose gradients are averaged.

        Returns:
            Every loss term by name, unweighted.
        """
        for module in self.networks.values():
            module.train()
        if self.recipe.train.compat == "edn":  # one box for both frames and the whole batch
            batches = tuple(
                dataclasses.replace(batch, boxes=batch.boxes[:1, :1].expand_as(batch.boxes))
                for batch in batches
            )
        with self._only(stage.only), self.precision.autocast():
            if stage.judge == "frame":
                return self._frames_with_faces(stage, batches)
            record: dict[str, float] = {}
            if "generator" in stage.modules:
                record |= self._frames(batches)
            if "face" in stage.modules:
                record |= self._face_crops(batches)
            return record

    @contextmanager
    def _only(self, prefix: str) -> Iterator[None]:
        """Within the block all weights of the generator but those that begin so stand still."""
        still = [
            weight
            for name, weight in self.networks["generator"].named_parameters()
            if not name.startswith(prefix)
        ]
        for weight in still:
            weight.requires_grad_(False)
        try:
            yield
        finally:
            for weight in still:
                weight.requires_grad_(True)

    def _set_rates(self, progress: float) -> None:
        settings = self.recipe.train.optimizer
        factor = rate_factor(settings, progress)
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                rate = settings.lr_discriminator if name.endswith("discriminator") else settings.lr
                group["lr"] = rate * factor

    # ---- painting ------------------------------------------------------------------------------------------

    @property
    def _body(self) -> list[str]:
        """The networks that paint a frame before its face is refined."""
        return [name for name in ("generator", "temporal") if name in self.averages]

    @contextmanager
    def _averaged(self, *names: str) -> Iterator[None]:
        """Within the block these networks have their averaged weights."""
        with ExitStack() as stack:
            for name in names:
                stack.enter_context(self.averages[name].applied(self.networks[name]))
            yield

    def _paint(self, batch: Batch, *, faces: bool = False) -> Tensor:
        """Paint all frames of the clips, (B, T, 3, H, W); with faces each goes into the next frame refined."""
        return self._paint_on(batch, None, faces=faces)[0]

    def _warmed(
        self, batch: Batch, disturb: Disturbance | None = None, *, faces: bool = False
    ) -> tuple[Batch, State | None]:
        """The frames of the clips that are judged, and the state after those before them."""
        count = batch.run_up + self.painting.temporal.warm_up
        if not count:
            return batch, None
        with torch.no_grad():
            _, _, state = self._paint_on(batch[:count], None, faces=faces, disturb=disturb)
        torch.clear_autocast_cache()  # it holds weights that were cast without gradient
        return batch[count:], state

    def _paint_on(
        self,
        batch: Batch,
        state: State | None,
        *,
        faces: bool = False,
        disturb: Disturbance | None = None,
    ) -> tuple[Tensor, dict[str, Tensor], State | None]:
        """Paint all frames of the clips after those of a state.

        Args:
            batch: The clips.
            state: None at their beginning.
            faces: Whether faces are refined.
            disturb: What is done to each frame before the next one is told of it.

        Returns:
            (B, T, 3, H, W); what losses may know besides, (B, T, ., H, W): `flow` and `share` of a temporal strategy
            that moves images, `matte` of a background that has one; and the state after the last frame.
        """
        return paint_clips(self.painting, self.networks, batch, state, faces=faces, disturb=disturb)

    def _disturbance(self, batches: Sequence[Batch]) -> Disturbance | None:
        """History noise for this step; None if there is none."""
        settings = self.recipe.train
        if is_idle(settings.history_noise):
            return None
        scale = batches[0].conditions.shape[-1] / self.recipe.size[0]
        self._disturbs = Disturbance(settings.history_noise, seed=settings.seed, step=self.step, scale=scale)
        return self._disturbs

    # ---- what is judged ------------------------------------------------------------------------------------

    def _frames(self, batches: Sequence[Batch]) -> dict[str, float]:
        """Train the generator on whole frames."""
        disturb = self._disturbance(batches)

        def judge(batch: Batch) -> list[Judgement]:
            batch, state = self._warmed(batch, disturb)
            fake, seen, _ = self._paint_on(batch, state, disturb=disturb)
            self._measure(batch, fake)
            seen |= self.teacher.look(batch) if self.teacher else {}
            return [frame_judgement(self.painting, self.training, batch, fake, seen)]

        return self._learn(judge, batches, self._learners(self._body), ["discriminator"])

    def _learners(self, names: Sequence[str]) -> list[str]:
        """Those of these networks that have weights."""
        return [name for name in names if name in self.optimizers]

    def _face_crops(self, batches: Sequence[Batch]) -> dict[str, float]:
        """Train the face refiner on what the finished (averaged, frozen) generator paints, faces alone."""
        if "face" not in self.optimizers:
            return {}

        def judge(batch: Batch) -> list[Judgement]:
            with torch.no_grad(), self._averaged(*self._body):
                painted = self._paint(batch)[:, batch.run_up :].flatten(0, 1)
            batch = batch[batch.run_up :]
            boxes, conditions = batch.boxes.flatten(0, 1), batch.conditions.flatten(0, 1)
            seen = boxes[..., :4].isfinite().all(-1).view(len(boxes), -1).any(1)
            if not seen.any():
                return []
            refined = self.networks["face"](painted[seen], conditions[seen], boxes[seen])
            real = batch.real.flatten(0, 1)[seen]
            return self._of_regions(refined, real, conditions[seen], boxes[seen], 1.0)

        return self._learn(judge, batches, ["face"], self._region_critics)

    @property
    def _region_critics(self) -> list[str]:
        return [name for name in ("face_discriminator", "hand_discriminator") if name in self.networks]

    def _frames_with_faces(self, stage: Stage, batches: Sequence[Batch]) -> dict[str, float]:
        """Train the face refiner inside of the frames, as Everybody Dance Now does.

        The refined face is pasted before the next frame is painted, the whole frames are judged, and so are the
        faces, frame by frame. A generator that does not learn stands still with its averaged weights.
        """
        learns = "generator" in stage.modules
        painters = self._learners(
            [*(self._body if learns else []), *(["face"] if "face" in stage.modules else [])]
        )
        critics = ["discriminator"] if {"generator", "discriminator"} & set(stage.modules) else []
        critics += self._region_critics if "face" in stage.modules else []
        with ExitStack() as stack:
            if not learns:
                stack.enter_context(self._averaged(*self._body))
                for name in self._body:
                    self.networks[name].requires_grad_(False)
                    stack.callback(self.networks[name].requires_grad_, True)
            judge = partial(
                self._judge_frames_and_faces, disturb=self._disturbance(batches) if learns else None
            )
            return self._learn(judge, batches, painters, critics)

    def _judge_frames_and_faces(self, batch: Batch, disturb: Disturbance | None) -> list[Judgement]:
        batch, state = self._warmed(batch, disturb, faces=True)
        fake, known, _ = self._paint_on(batch, state, faces=True, disturb=disturb)
        self._measure(batch, fake)
        known |= self.teacher.look(batch) if self.teacher else {}
        judgements = [frame_judgement(self.painting, self.training, batch, fake, known)]
        length = fake.shape[1]
        for t in range(length):
            judgements += self._of_regions(
                fake[:, t], batch.real[:, t], batch.conditions[:, t], batch.boxes[:, t], 1 / length
            )
        return judgements

    def _of_regions(
        self, fake: Tensor, real: Tensor, conditions: Tensor, boxes: Tensor, weight: float
    ) -> list[Judgement]:
        last_only = self.recipe.train.compat == "edn"
        return region_judgements(
            self.painting, self.training, fake, real, conditions, boxes, weight, last_only=last_only
        )

    # ---- learning ------------------------------------------------------------------------------------------

    def _seeded(
        self, judge: Callable[[Batch], list[Judgement]], number: int, batch: Batch
    ) -> list[Judgement]:
        """Judge one batch of a step; random draws (dropout, noise) do not depend on which process it is in."""
        if first := self._shares[min(number, len(self._shares) - 1)][0] % 2048:
            torch.manual_seed(self.recipe.train.seed * 1_000_003 + self.step + (first << 53))
            if self._disturbs is not None:
                self._disturbs.begin(first)
        return judge(batch)

    def _learn(
        self,
        judge: Callable[[Batch], list[Judgement]],
        batches: Sequence[Batch],
        painters: Sequence[str],
        critics: Sequence[str],
    ) -> dict[str, float]:
        """One step of the painters named, and of the critics named among those that judge."""
        settings = self.recipe.train
        judges = {
            name: Critic(
                self.networks[name], self.optimizers.get(name), self.pools[name], learns=name in critics
            )
            for name in self.pools
        }
        record = learn(
            [partial(self._seeded, judge, *numbered) for numbered in enumerate(batches)],
            [self.optimizers[name] for name in painters],
            judges,
            order=settings.order,
            # the original lists the generator's weights twice where it trains nothing else
            updates=2 if settings.compat == "edn" and list(painters) == ["generator"] else 1,
            rng=random.Random(settings.seed * 1_000_003 + self.step),  # noqa: S311  # not for secrets
            step=self.step,
            share_pass=self.share_pass,
            processes=self.processes,
        )
        if record:
            for name in painters:
                self.averages[name].update(self.networks[name])
        return record


def stage_lengths(recipe: Recipe) -> list[int]:
    """Steps of each stage; they add up to `train.steps`."""
    ends = np.cumsum([stage.share for stage in recipe.train.stages])
    ends = np.rint(ends / ends[-1] * recipe.train.steps).astype(int)
    return [int(n) for n in np.diff(np.concatenate([[0], ends]))]
