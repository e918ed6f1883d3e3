"""How many reference cases there are, ran and passed, said once at the end, wherever their tests ran."""

from __future__ import annotations

import pytest
from cases import FOLDER, find_cases

PROPERTY = "parity"
"""What a report carries from the process in which a test ran: the name of its case, or nothing where it has none."""


class ParityCount:
    """Counts reports: with several workers, they come together in the process that prints the summary."""

    def __init__(self) -> None:
        self.asked_for = False
        self.outcome: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep how a case ended."""
        for name, case in report.user_properties:
            if name == PROPERTY:
                self.asked_for = True
                if case and report.when == "call":
                    self.outcome[str(case)] = report.outcome

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line, where tests of cases were asked for."""
        if not self.asked_for:
            return
        passed = sum(outcome == "passed" for outcome in self.outcome.values())
        terminalreporter.write_line(
            f"parity: {len(find_cases())} cases in {FOLDER}, {len(self.outcome)} ran, {passed} passed"
            if FOLDER.is_dir()
            else f"parity: no folder {FOLDER}, skipped"
        )
