"""How a run of the tests is shared out among processes (pytest-xdist): to how many, which file first, what a crash is.

`pytest` and `pytest tests/cli` use as many workers as there are cores; a run of named files or tests, of `-k`, `--lf`,
`-s` or `--pdb` stays in one process, and so does `-n 0`. Files stay whole, so that what a module's fixture has trained
is trained once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

MOST = 8
"""Workers; more would wait for the longest file."""
MEMORY = 2 << 30
"""Bytes that each may need."""
TOGETHER = {
    "graphs": ("test_export.py", "test_runners.py", "test_export_command.py"),
    "people": (
        "test_dancefloor.py",
        "test_dancefloor_render.py",
        "test_dancefloor_motion.py",
        "test_dancefloor_people.py",
    ),
}
"""Files for one worker: two of them would both wait ten seconds for torch's exporter, or half a minute for numba."""
UNITS = {file: unit for unit, files in TOGETHER.items() for file in files}
IN_ONE_PROCESS = ("keyword", "lf", "failedfirst", "stepwise", "usepdb", "trace", "collectonly")
"""Options with which few tests run, or somebody looks on."""
HEAVY = (
    "test_doc_runs.py",
    "test_demo.py",
    *TOGETHER["graphs"],
    "test_contracts.py",
    *TOGETHER["people"],
    "test_webapp_browser.py",
    "test_plugin_kit.py",
    "test_evaluate.py",
    "test_many_processes.py",
    "test_distributed.py",
    "test_toy_recipes.py",
    "test_ablation.py",
    "test_resume.py",
    "test_quality_benchmark.py",
    "test_batch_command.py",
    "test_ray_batch.py",
    "test_temporal_ablation.py",
    "test_way_through.py",
)
"""The longest files (over 10 s by `pytest -n 0 --durations=60`), the longest first; others follow as collected."""


def usable_cores() -> int:
    """Those that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def number_of_workers(config: pytest.Config) -> int:
    """As many as pay for their start; 0: all in this process."""
    asked = vars(config.option)
    folders = [name for name in config.args if Path(name).is_dir()]
    if not folders or asked.get("capture") == "no" or any(asked.get(name) for name in IN_ONE_PROCESS):
        return 0
    memory = (
        os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else MOST * MEMORY
    )
    workers = min(usable_cores(), MOST, memory // MEMORY)
    return workers if workers > 1 else 0


def choose_workers(config: pytest.Config) -> None:
    """Set `-n` where it was not given, whole files as what is shared out where `--dist` was not, and threads."""
    option = config.option
    if hasattr(config, "workerinput") or not config.pluginmanager.hasplugin("xdist"):
        return
    if option.numprocesses is None and not option.tx:
        option.numprocesses = number_of_workers(config)
    if option.numprocesses and option.dist == "no":
        option.dist = "loadfile"
    # before anything imports numpy or torch, and inherited by workers: more threads than cores are slower
    os.environ.setdefault("OMP_NUM_THREADS", "1" if option.numprocesses else "2")
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")


class WholeFiles(LoadFileScheduling):
    """File by file, the longest first; a test that killed its worker is not tried again.

    xdist puts the test back in the queue and would kill every worker with it in turn.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = (
            False  # by number of tests, which says little about how long they take
        )

    def remove_node(self, node: Any) -> str | None:
        """Take a worker out that has ended.

        Returns:
            The test that it died in; None: it had done all of its work.
        """
        files = self.assigned_work.pop(node)
        left = [(file, test) for file, tests in files.items() for test, done in tests.items() if not done]
        if not left:
            return None
        file, crashed = left[0]
        files[file][crashed] = True
        self.workqueue.update({name: tests for name, tests in files.items() if not all(tests.values())})
        for other in self.nodes:
            self._reschedule(other)
        return crashed


def longest_first(items: list[pytest.Item]) -> None:
    """Bring the long files forward, so that none is left alone at the end."""
    place = {name: number for number, name in enumerate(HEAVY)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))
