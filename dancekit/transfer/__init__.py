"""Transfer: a source's dance, painted as the target."""

from dancekit.transfer.pipeline import Dancer, TransferResult

__all__ = ["Dancer", "TransferResult"]
