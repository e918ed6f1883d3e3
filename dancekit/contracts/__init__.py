"""What each role promises: Protocols and spec dataclasses. Read this first.

A component is config-free: `UNet(in_channels=6)` works with no recipe. **The constructor's signature is its
schema**: keyword-only parameters with a default are recipe parameters (validated from their annotations);
those without one (`in_channels`, `skeleton`, `size`, ...) are wired by `dancekit.build`. Every component class
has a class attribute `version: int`; it grows when the same parameters would give other numbers, and
`name@version` is stored in every dancer file.

Letters: B batch, T time, P person, C channel, H W image, K joint. Images inside networks are float32 RGB in
[-1, 1]; keypoints are pixels of the image they go with, NaN where missing (score 0).
"""

from dancekit.contracts.learning import (
    AdversarialLoss,
    Augmentation,
    Clip,
    Loss,
    LossView,
    PenalizedLoss,
    PoseNetwork,
)
from dancekit.contracts.measuring import ClipMetric, Metric, PoseMetric
from dancekit.contracts.painting import (
    Background,
    Discriminator,
    FaceRefiner,
    Generator,
    GeneratorSpec,
    MattedBackground,
    Reference,
    RegionRefiner,
    Renderer,
    RendererSpec,
    State,
    TemporalStrategy,
    WarpingStrategy,
)
from dancekit.contracts.poses import CausalFilter, Filter, FindsPeople, Normalizer, PoseBackend, PoseSpec
from dancekit.contracts.running import Animator, GraphRunner, Runner
from dancekit.contracts.weights import WeightFile

KINDS = (
    "pose",
    "filter",
    "normalizer",
    "renderer",
    "generator",
    "discriminator",
    "loss",
    "background",
    "reference",
    "temporal",
    "face",
    "augmentation",
    "metric",
    "runner",
)

__all__ = [
    "AdversarialLoss",
    "Animator",
    "Augmentation",
    "Background",
    "CausalFilter",
    "Clip",
    "ClipMetric",
    "Discriminator",
    "FaceRefiner",
    "Filter",
    "FindsPeople",
    "Generator",
    "GeneratorSpec",
    "GraphRunner",
    "KINDS",
    "Loss",
    "LossView",
    "MattedBackground",
    "Metric",
    "Normalizer",
    "PenalizedLoss",
    "PoseBackend",
    "PoseMetric",
    "PoseNetwork",
    "PoseSpec",
    "Reference",
    "RegionRefiner",
    "Renderer",
    "RendererSpec",
    "Runner",
    "State",
    "TemporalStrategy",
    "WarpingStrategy",
    "WeightFile",
]
