"""The contract suites notice: each component here breaks one promise, and the check of that promise says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from broken_networks import (
    Anything,
    Constant,
    CropsNaN,
    Detached,
    Forgets,
    Idle,
    Loud,
    LyingSpec,
    Mixes,
    Net,
    NoVersion,
    Numpy,
    Oblong,
    OneChannelTooMany,
    Overflows,
    PaintsOver,
    Restless,
    SeesGhosts,
    Shares,
    Silent,
    Untraceable,
    Wants,
)

from dancekit.augmentations.geometry import Affine, Flip
from dancekit.backgrounds.plate import Plate
from dancekit.contracts import PoseSpec, RendererSpec
from dancekit.errors import UnknownName
from dancekit.filters.gaps import FillGaps
from dancekit.filters.hold import Hold
from dancekit.losses.adversarial import LSGAN
from dancekit.losses.reconstruction import L1
from dancekit.metrics.image import PSNR
from dancekit.metrics.pose import PoseDistance
from dancekit.metrics.temporal import Drift
from dancekit.normalizers.affine import Affine as AffineNormalizer
from dancekit.references.nearest import Nearest
from dancekit.renderers.sticks import Sticks
from dancekit.temporal.previous_frame import PreviousFrame
from dancekit.testing import BrokenContract, contract_checks
from dancekit.types import Detections, get_skeleton


class DropsAFrame(FillGaps):
    """Loses a frame."""

    def __call__(self, poses):
        return super().__call__(poses)[1:]


class InventsJoints(FillGaps):
    """Puts missing joints at (0, 0)."""

    def __call__(self, poses):
        return poses.replace(xy=np.nan_to_num(poses.xy), score=np.maximum(poses.score, 0.1))


class NeedsTen(FillGaps):
    """Fails for short clips."""

    def __call__(self, poses):
        return poses.replace(xy=poses.xy - poses.xy[9] + poses.xy[9])


class NumpyNumbers(AffineNormalizer):
    """Fitted numbers that JSON does not know."""

    def fit(self, source, target):
        return {**super().fit(source, target), "mean": np.float32(1)}


class KeepsSize(AffineNormalizer):
    """The source's size."""

    def apply(self, fitted, poses):
        return super().apply(fitted, poses).replace(size=poses.size)


class Remembers(AffineNormalizer):
    """Applies what was fitted last."""

    def fit(self, source, target):
        self.last = super().fit(source, target)
        return self.last

    def apply(self, fitted, poses):
        return super().apply(self.last, poses)


class Crashes(AffineNormalizer):
    """IndexError where nobody is."""

    def fit(self, source, target):
        np.flatnonzero(target.found)[0]
        return super().fit(source, target)


class Fills(AffineNormalizer):
    """Joints appear."""

    def apply(self, fitted, poses):
        moved = super().apply(fitted, poses)
        return moved.replace(xy=np.nan_to_num(moved.xy), score=np.maximum(moved.score, 0.1))


class OutOfRange(Sticks):
    """Says [0, 1] and draws [-1, 1]."""

    def __init__(self, *, skeleton, size, device="cpu") -> None:
        super().__init__(skeleton=skeleton, size=size, device=device)
        self.spec = RendererSpec(3, (0.5, 1.0), self.spec.skeletons)


class Smears(Sticks):
    """Frames of a call mix."""

    def __call__(self, xy, score):
        image = super().__call__(xy, score)
        return (image + image.mean(0, keepdim=True)) / 2


class Blind(Sticks):
    """Draws the same for everybody."""

    def __call__(self, xy, score):
        return super().__call__(xy, score)[:, :, :1, :1].expand(-1, -1, 64, 96).contiguous()


class MetaPalette(Sticks):
    """Makes a tensor on whatever device is the default."""

    def __init__(self, *, skeleton, size, device="cpu") -> None:
        super().__init__(skeleton=skeleton, size=size, device=device)
        self.gain = torch.ones(1)

    def __call__(self, xy, score):
        return super().__call__(xy, score) * self.gain


class Nan(L1):
    """Divides by the mask."""

    def __call__(self, view):
        return super().__call__(view) / view.mask.mean()


class PerFrame(L1):
    """No scalar."""

    def __call__(self, view):
        return (view.fake - view.real).abs().mean((1, 2, 3))


class NoGradient(L1):
    """Stops the gradient."""

    def __call__(self, view):
        return super().__call__(replace(view, fake=view.fake.detach()))


class Friends(LSGAN):
    """The discriminator helps the generator."""

    def discriminator(self, real, fake, view_mask):
        return super().discriminator(fake, real, view_mask)


class LooksAtOne(LSGAN):
    """The discriminator never sees what is true."""

    def discriminator(self, real, fake, view_mask):
        return super().discriminator([[m.detach() for m in s] for s in real], fake, view_mask)


class Sprints(Hold):
    """Live it begins anew with every piece."""

    def stream(self):
        return self


class NeedsMatte(L1):
    """Looks at a matte that may not be there."""

    def __call__(self, view):
        return super().__call__(view) + view.matte.mean()


class Greedy(Nearest):
    """Takes what it must not."""

    def choose(self, cost, before):
        return super().choose(np.nan_to_num(cost, posinf=1e6), before)


class Twice(Nearest):
    """Takes the nearest one twice."""

    def choose(self, cost, before):
        return super().choose(cost, before).repeat(2, 1)


class Forgetful(Nearest):
    """Does not look at the frame before."""

    def choose(self, cost, before):
        return super().choose(cost, None)


class Deaf(Nearest):
    """Asks the generator for a share and does not listen."""

    def compose(self, output, references):
        return output[:, : -self.generator_channels]


class TooMany(Nearest):
    """Announces a channel less than it draws."""

    def channels(self, condition_channels):
        return super().channels(condition_channels) - 1


class NoBank(Nearest):
    """Channels without a bank."""

    def __init__(self) -> None:
        super().__init__()
        self.bank = 0


class Nans(Nearest):
    """Lets missing joints through."""

    def draw(self, pictures, there, wanted, edges, renderer):
        return super().draw(pictures, there, wanted, edges, renderer) + float(wanted[0].sum())


class FourOut(Plate):
    """Four channels come out."""

    def compose(self, output, plate):
        return torch.cat([super().compose(output, plate), self.matte(output)], 1)


class IgnoresMatte(Plate):
    """The matte changes nothing."""

    def compose(self, output, plate):
        return output[:, :3] + 0 * plate


class WideMatte(Plate):
    """A matte in [-1, 1]."""

    def matte(self, output):
        return output[:, 3:]


class Miscounts(PreviousFrame):
    """Announces other channels."""

    def generator_channels(self, condition_channels):
        return condition_channels + 6


class Hoards(PreviousFrame):
    """Keeps every frame."""

    def step(self, generator, condition, state):
        last = state and {"image": state["image"][:, -3:]}
        image, _ = super().step(generator, condition, last)
        seen = self.start(condition) if state is None else state
        return image, {"image": torch.cat([seen["image"], image], 1)}

    def remember(self, image, state):
        return state


class AnotherStart(PreviousFrame):
    """The start is not what None stands for."""

    def step(self, generator, condition, state):
        image, after = super().step(generator, condition, state)
        return (image if state is None else image * 0.9), after


class Secret(PreviousFrame):
    """Keeps history beside the state."""

    seen = 0

    def step(self, generator, condition, state):
        self.seen += 1
        return super().step(generator, condition * self.seen, state)


class OneEyed(PreviousFrame):
    """Shows the discriminator the second frame twice."""

    def view(self, conditions, images):
        return super().view(conditions, images[:, [1, 1]])


class Cut(PreviousFrame):
    """No gradient."""

    def step(self, generator, condition, state):
        image, state = super().step(generator, condition, state)
        return image.detach(), state


class ForgetsToSwap(Flip):
    """Mirrors pixels and not joints."""

    def apply(self, clip, parameters):
        return replace(super().apply(clip, parameters), xy=clip.xy, score=clip.score)


class OffByThree(Affine):
    """Keypoints are three pixels off."""

    def apply(self, clip, parameters):
        moved = super().apply(clip, parameters)
        return replace(moved, xy=moved.xy + torch.tensor([3.0, 0.0]))


class Random(Affine):
    """Randomness in `apply`."""

    def apply(self, clip, parameters):
        return super().apply(clip, {**parameters, "angle": float(torch.rand(())), "on": True})


class Brighter(Affine):
    """Leaves the range."""

    def apply(self, clip, parameters):
        return replace(clip, images=clip.images + 1)


class Arrays(Affine):
    """Draws arrays."""

    def draw(self, rng, size):
        return {**super().draw(rng, size), "noise": rng.random(3)}


class Context(PSNR):
    """Says that it needs a frame before, and scores the first one."""

    context = 1


class WholeClip(PSNR):
    """Depends on the whole clip."""

    def __call__(self, fake, real, mask):
        values = super().__call__(fake, real, mask)
        return values - values.mean()


class Zero(PSNR):
    """Zero where nothing is."""

    def __call__(self, fake, real, mask):
        return np.nan_to_num(super().__call__(fake, real, mask))


class OtherRegions(PSNR):
    """Regions disagree."""

    def regions(self, fake, real, masks):
        found = super().regions(fake, real, masks)
        return {name: values + (name == "frame") for name, values in found.items()}


class Chunky(Drift):
    """Depends on how the clip is cut."""

    def update(self, fake, real, mask):
        self.calls = getattr(self, "calls", 0) + 1
        super().update(fake, real, mask)

    def result(self):
        return super().result() + self.calls


class Single(PoseDistance):
    """float32."""

    def __call__(self, fake, real):
        return super().__call__(fake, real).astype(np.float32)


class Ghost:
    """A pose backend that is broken on demand."""

    version = 1
    broken = ""

    def __init__(self, *, device: str = "cpu") -> None:
        self.spec = PoseSpec(get_skeleton("coco_17"), 1, False, "" if self.broken == "licence" else "MIT")
        self.calls = 0

    def detect(self, frames):
        if self.broken == "eager":
            frames = list(frames)
            return iter([self.one(frame) for frame in frames])
        return (self.one(frame) for frame in frames)

    def one(self, frame):
        self.calls += 1
        height, width = frame.shape[:2]
        xy = np.full((1, 17, 2), (width / 2, height / 2), np.float32)
        score = np.full((1, 17), 0.5, np.float32)
        if self.broken == "history":
            xy += self.calls
        if self.broken == "zero":
            score[0, 3], xy[0, 3] = 0, 0
        box = np.array([[0, 0, width - 1, height - 1]], np.float32)
        return Detections.nobody(17) if self.broken == "blind" else Detections(xy, score, box)


def ghost(broken: str) -> type[Ghost]:
    return type(f"Ghost{broken.title()}", (Ghost,), {"broken": broken})


BROKEN = [
    ("generator", NoVersion, "it_has_a_version"),
    ("generator", Anything, "its_signature_is_a_schema"),
    ("generator", Silent, "its_parameters_are_documented"),
    ("generator", Wants, "it_asks_for_nothing_that_is_not_given"),
    ("generator", Wants, "it_can_be_built"),
    ("generator", LyingSpec, "its_spec_is_true"),
    ("generator", Loud, "it_paints_images"),
    ("generator", Restless, "it_repeats_itself"),
    ("generator", Numpy, "a_seed_decides_its_weights"),
    ("generator", Mixes, "its_samples_do_not_touch_each_other"),
    ("generator", Idle, "gradients_reach_everything"),
    ("generator", Detached, "gradients_reach_everything"),
    ("generator", Forgets, "its_weights_can_be_kept"),
    ("generator", Constant, "it_can_be_built_without_memory"),
    ("generator", Shares, "it_can_be_copied"),
    ("generator", Untraceable, "it_can_be_compiled"),
    ("generator", Overflows, "it_works_in_half_precision"),
    ("discriminator", OneChannelTooMany, "it_gives_maps_by_scale_and_layer"),
    ("face", PaintsOver, "it_changes_its_boxes_alone"),
    ("face", Oblong, "its_boxes_are_square"),
    ("face", SeesGhosts, "without_a_face_there_is_no_box"),
    ("face", CropsNaN, "it_crops"),
    ("filter", DropsAFrame, "it_keeps_frames_and_skeleton"),
    ("filter", InventsJoints, "it_stands_missing_joints"),
    ("filter", NeedsTen, "it_takes_clips_of_any_length"),
    ("normalizer", NumpyNumbers, "its_numbers_are_json"),
    ("normalizer", KeepsSize, "it_moves_into_the_targets_frame"),
    ("normalizer", Remembers, "it_repeats_itself"),
    ("normalizer", Crashes, "it_says_when_too_little_was_seen"),
    ("normalizer", Fills, "it_stands_missing_joints"),
    ("renderer", OutOfRange, "it_draws_every_skeleton_it_names"),
    ("renderer", Smears, "its_frames_do_not_touch_each_other"),
    ("renderer", Blind, "poses_can_be_told_apart"),
    ("renderer", MetaPalette, "it_draws_though_weights_are_built_without_memory"),
    ("loss", Nan, "it_stands_an_empty_mask"),
    ("loss", PerFrame, "it_is_a_finite_scalar"),
    ("loss", NoGradient, "its_gradient_reaches_what_was_painted"),
    ("loss", Friends, "generator_and_discriminator_pull_apart"),
    ("loss", LooksAtOne, "it_trains_the_discriminator"),
    ("background", FourOut, "it_makes_images"),
    ("background", IgnoresMatte, "its_gradient_reaches_the_generator"),
    ("background", IgnoresMatte, "its_matte_is_a_share"),
    ("background", WideMatte, "its_matte_is_a_share"),
    ("temporal", Miscounts, "it_paints_a_clip"),
    ("temporal", Hoards, "its_state_keeps_its_shape"),
    ("temporal", AnotherStart, "its_state_keeps_its_shape"),
    ("temporal", Secret, "a_new_start_forgets"),
    ("filter", Sprints, "live_it_does_the_same"),
    ("loss", NeedsMatte, "it_says_what_it_cannot_do_without"),
    ("reference", Greedy, "it_takes_nothing_that_is_forbidden"),
    ("reference", Twice, "it_chooses_from_the_bank"),
    ("reference", Forgetful, "it_goes_on_from_the_frame_before"),
    ("reference", Deaf, "its_gradient_reaches_the_generator"),
    ("reference", TooMany, "it_draws_what_it_announced"),
    ("reference", NoBank, "it_announces_what_it_needs"),
    ("reference", Nans, "it_stands_missing_joints"),
    ("temporal", OneEyed, "its_view_is_for_the_discriminator"),
    ("temporal", Cut, "its_gradient_reaches_the_generator"),
    ("augmentation", ForgetsToSwap, "pixels_and_keypoints_move_together"),
    ("augmentation", OffByThree, "pixels_and_keypoints_move_together"),
    ("augmentation", Random, "all_randomness_is_drawn"),
    ("augmentation", Brighter, "it_keeps_shapes_and_ranges"),
    ("augmentation", Arrays, "its_draws_are_plain_data"),
    ("metric", Context, "it_scores_every_frame"),
    ("metric", WholeClip, "chunks_make_no_difference"),
    ("metric", Zero, "it_stands_an_empty_mask"),
    ("metric", OtherRegions, "its_regions_are_those_of_single_masks"),
    ("metric", Chunky, "chunks_make_no_difference_to_a_clip"),
    ("metric", Single, "it_scores_every_pose"),
    ("pose", ghost("licence"), "its_spec_is_true"),
    ("pose", ghost("blind"), "it_finds_people"),
    ("pose", ghost("zero"), "it_stands_frames_without_people"),
    ("pose", ghost("eager"), "it_is_lazy_and_leaves_frames_alone"),
    ("pose", ghost("history"), "it_forgets_between_two_calls"),
]


@pytest.mark.parametrize(("kind", "cls", "name"), BROKEN, ids=lambda each: getattr(each, "__name__", each))
def test_a_broken_promise_is_noticed(kind: str, cls: type, name: str) -> None:
    (check,) = [each for each in contract_checks(kind, cls) if each.name == name]
    with pytest.raises(BrokenContract) as caught:
        check()
    assert len(str(caught.value)) > 10


@pytest.mark.parametrize(("kind", "cls"), [("generator", Net), ("pose", Ghost)])
def test_what_keeps_its_contract_passes_unregistered(kind: str, cls: type) -> None:
    for check in contract_checks(kind, cls):
        if "graphics_card" not in check.name:
            check()


def test_a_failure_says_the_promise_and_what_was_raised() -> None:
    (check,) = [each for each in contract_checks("normalizer", Crashes) if "too_little" in each.name]
    with pytest.raises(
        BrokenContract, match=r"Where too little was seen.*Instead it raised IndexError"
    ) as caught:
        check()
    assert isinstance(caught.value.__cause__, IndexError)
    assert all(each.promise.endswith(".") for each in contract_checks("generator", Net))


def test_a_kind_that_does_not_exist() -> None:
    with pytest.raises(UnknownName, match="generatr"):
        contract_checks("generatr", Net)
