"""Several processes that share each step learn what one process learns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from shared_steps import CASES, STEPS, learn

from dancekit.config import load_recipe
from dancekit.errors import DancekitError, UsageError
from dancekit.training.distributed import ALONE, FailedElsewhere, Processes, join
from dancekit.training.estimate import made_up_target
from dancekit.training.state import TrainingState
from dancekit.types import get_skeleton

CLOSE = 1e-8
"""Adam makes steps of rounding where a bias before a norm has no gradient; all else agrees to 1e-12."""


class Pretended(Processes):
    """One of several processes, the others are not there."""

    def from_main(self, value: Any) -> Any:
        return value


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """What two processes, joined by gloo, have learnt."""
    out = tmp_path_factory.mktemp("shared")
    script = Path(__file__).with_name("shared_steps.py")
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"),
            *("--rdzv_backend", "c10d", "--rdzv_endpoint", "127.0.0.1:0", str(script), str(out)),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return out


@pytest.mark.parametrize("case", CASES)
def test_two_processes_learn_what_one_learns(case: str, shared: Path) -> None:
    """The same losses, weights, averages and moments of Adam as one process with all the clips, in double precision."""
    expected, records = learn(case)
    for index in range(2):
        everything = load_file(shared / f"{index}.safetensors")
        found = {
            key: v for name, v in everything.items() for at, _, key in [name.partition("/")] if at == case
        }
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(
                found[key], value, rtol=0, atol=CLOSE, msg=lambda m, k=key: f"{k}: {m}"
            )
        told = json.loads((shared / f"{index}.json").read_text())[case]
        assert [each.keys() for each in told] == [each.keys() for each in records]
        for theirs, ours in zip(told, records, strict=True):
            assert theirs == pytest.approx(ours, abs=CLOSE)
    idle = {"only one process sees a face": 1, "a loss now and then": 2}.get(case, 0)
    assert sum(map(bool, records)) == STEPS - idle, "else there was nothing to share"


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 12))
def test_every_clip_of_a_step_is_one_processs(batch: int, accumulate: int, count: int) -> None:
    try:
        shares = [Processes(index, count).shares(batch, accumulate) for index in range(count)]
    except UsageError:
        assert batch * accumulate % count or batch % count, "refused though it can be shared out"
        return
    clips = [number for share in shares for piece in share for number in piece]
    assert sorted(clips) == list(range(batch * accumulate))
    sizes = {tuple(map(len, share)) for share in shares}
    assert len(sizes) == 1, "all have the same work"
    for share in shares:
        assert all(len({number // batch for number in piece}) == 1 for piece in share), "within one batch"
        assert share == sorted(share)


def test_the_processes_draw_the_clips_that_one_process_draws() -> None:
    recipe = load_recipe("tiny", ["train.batch=2", "train.accumulate=3", "augmentations.affine.p=1"])
    data = made_up_target(recipe.size, get_skeleton("blazepose_33"), 12)
    drawn = {}
    for count in (1, 2, 6):
        clips: dict[int, torch.Tensor] = {}
        for index in range(count):
            processes = Pretended(index, count)
            state = TrainingState(recipe, data, "cpu", processes)
            for share, batch in zip(processes.shares(2, 3), state._make_batches(4), strict=True):
                clips |= dict(zip(share, batch.real, strict=True))
            state.close()
        drawn[count] = torch.stack([clips[number] for number in range(6)])
    assert torch.equal(drawn[1], drawn[2]) and torch.equal(drawn[1], drawn[6])
    assert len({each.sum().item() for each in drawn[1]}) == 6


def test_what_cannot_be_shared_is_refused() -> None:
    with pytest.raises(UsageError, match=r"2 processes cannot share out .*train.accumulate=2 "):
        Processes(0, 2).check(load_recipe("tiny").train)
    with pytest.raises(UsageError, match=r"2 processes cannot share train\.pool=3"):
        Processes(0, 2).check(load_recipe("tiny", ["train.pool=3", "train.batch=2"]).train)
    ALONE.check(load_recipe("tiny", ["train.pool=3"]).train)


def test_alone_nothing_is_joined_and_a_failure_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    assert join("cpu") == (ALONE, "cpu")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert join("auto") == (ALONE, "cpu")

    def fail() -> None:
        raise DancekitError("no")

    with pytest.raises(DancekitError, match=r"^no$"):
        ALONE.on_main(fail)
    assert ALONE.on_main(lambda: 3) == 3


@pytest.mark.parametrize("error", [UsageError("wrong"), SystemExit(143), KeyboardInterrupt()])
def test_where_the_main_process_fails_the_others_end_with_its_exit_code(error: BaseException) -> None:
    said: list[Any] = []

    class Main(Processes):
        def from_main(self, value: Any) -> Any:
            said.append(value)
            return value

    class Other(Processes):
        def from_main(self, value: Any) -> Any:
            return said[0]

    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        Main(0, 2).on_main(fail)
    with pytest.raises(FailedElsewhere) as ended:
        Other(1, 2).on_main(lambda: pytest.fail("the others do no work"))
    assert ended.value.exit_code == {UsageError: 2, SystemExit: 143, KeyboardInterrupt: 1}[type(error)]
