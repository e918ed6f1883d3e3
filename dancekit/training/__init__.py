"""Training: `train(target, recipe)` and what it is made of."""

from dancekit.training.loop import TrainResult, train

__all__ = ["TrainResult", "train"]
