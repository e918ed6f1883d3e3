"""Transfer: a source's dance, painted as the target."""

from dancekit.transfer.job import TransferResult, run_transfer
from dancekit.transfer.options import TransferOptions
from dancekit.transfer.pipeline import Dancer

__all__ = ["Dancer", "TransferOptions", "TransferResult", "run_transfer"]
