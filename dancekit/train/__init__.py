"""Training: `train(target, recipe)` and what it is made of."""

from dancekit.train.loop import TrainResult, train

__all__ = ["TrainResult", "train"]
