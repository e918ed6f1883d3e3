"""Pages that work offline: the report of an evaluation, and the blind choice between two results."""

from dancekit.evaluate.report.blind import Tally, sum_answers, write_blind
from dancekit.evaluate.report.write import write_report

__all__ = ["Tally", "sum_answers", "write_blind", "write_report"]
