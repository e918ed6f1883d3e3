"""The drift protocol: what a dancer with a memory does to a dance that is repeated, with drift that is planted."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from make_dancer import dance, make_dancer

from dancekit.errors import PoseError, UsageError
from dancekit.evaluate.dancers import Inputs, evaluate_dancer
from dancekit.evaluate.loops import one_time_through
from dancekit.evaluate.protocols import Loop, load_protocol
from dancekit.model import Painter

SHORT = load_protocol("drift").model_copy(update={"loop": Loop(seconds=3, period=0.8, hold=1)})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("loops")
    dance((160, 120))[:30].save(folder / "dance.npz")
    dancer = make_dancer(folder / "ava.safetensors", changes=("temporal=single",))
    return Inputs(dancer=dancer, clip=folder / "dance.npz", overrides=("normalizer=identity",))


def scores(files: Inputs) -> dict[tuple[str, str], float]:
    result = evaluate_dancer(files, SHORT, device="cpu")
    return {(each.metric, each.region): each.value for each in result.variants[0].scores}


def test_a_dancer_without_memory_does_not_drift(files: Inputs) -> None:
    got = scores(files)
    assert set(got) == {(f"{m}@1", region) for m in ("drift", "freeze") for region in ("frame", "mask")}
    assert set(got.values()) == {0.0}


def test_drift_and_unrest_are_found(files: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A painter that gets brighter by one grey level in every frame: in the third time through by 2 x 18."""
    paint, grown = Painter.paint, []

    def brighter(self, xy, score, *, cuts=(), seconds=None):
        for number, picture in enumerate(paint(self, xy, score, cuts=cuts, seconds=seconds)):
            grown.append(number)
            yield np.full_like(picture, 20 + number)

    monkeypatch.setattr(Painter, "paint", brighter)
    got = scores(files)
    once, times = one_time_through(dance((160, 120))[:30], SHORT, Fraction(25))
    assert got["drift@1", "frame"] == got["drift@1", "mask"] == pytest.approx(len(once) * (times - 1))
    assert got["freeze@1", "frame"] == pytest.approx(1.0)


def test_a_loop_has_no_jump_and_stays_where_somebody_is_seen() -> None:
    poses = dance((160, 120))[:40]
    gone = poses.score.copy()
    gone[5] = 0
    once, times = one_time_through(poses.replace(score=gone), SHORT, Fraction(25))
    assert once.tolist() == [*range(6, 16), *range(14, 6, -1)]
    assert times == round(3 * 25 / len(once))
    assert np.abs(np.diff(np.tile(once, 2))).max() == 1
    with pytest.raises(PoseError, match="no four frames"):
        one_time_through(poses.replace(score=np.zeros_like(gone)), SHORT, Fraction(25))


def test_metrics_that_need_a_truth_are_refused(files: Inputs, tmp_path: Path) -> None:
    from dancekit.evaluate.protocols import MetricTerm

    wrong = SHORT.model_copy(update={"metrics": [MetricTerm(name="psnr", regions=["frame"])]})
    with pytest.raises(UsageError, match="psnr needs true frames"):
        evaluate_dancer(files, wrong, device="cpu")
    with pytest.raises(UsageError, match="takes the driving video as CLIP"):
        evaluate_dancer(Inputs(dancer=files.dancer), SHORT, device="cpu")
