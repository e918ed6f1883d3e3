"""The engine gives what the metrics give on the whole clip, however it is cut into chunks, and holds only a chunk."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest

from dancekit.build import create
from dancekit.config import Component
from dancekit.contracts import PoseSpec
from dancekit.errors import OfflineError, VideoError
from dancekit.evaluate import engine
from dancekit.evaluate.detectors import Detector, choose_detector
from dancekit.evaluate.engine import Reference, Stream, score_streams
from dancekit.evaluate.measures import make_measures
from dancekit.evaluate.protocols import Protocol
from dancekit.evaluate.result import Variant
from dancekit.types import Detections, PoseSequence, get_skeleton

T, SIDE, RATE = 23, 48, Fraction(25)
METRICS = [
    {"name": "psnr", "regions": ["frame", "mask", "box"]},
    {"name": "ssim", "regions": ["mask", "frame"]},
    {"name": "frame_difference", "regions": ["frame", "mask"]},
    {"name": "flicker", "regions": ["frame"]},
    {"name": "pose_distance", "regions": ["all", "body"]},
    {"name": "missed_joints", "regions": ["all"]},
]


def protocol(metrics: list[dict[str, Any]] = METRICS, **changes: Any) -> Protocol:
    data = {"schema": 1, "name": "p", "version": 1, "description": "", "metrics": metrics}
    data["intervals"] = {"samples": 100, "block_seconds": 0.2}
    return Protocol.model_validate(data | changes)


@pytest.fixture(scope="module")
def clip() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True frames (a bright square walks over noise), its masks, and painted frames with their own noise."""
    rng = np.random.default_rng(0)
    real = rng.integers(60, 120, (T, SIDE, SIDE, 3), np.uint8)
    masks = np.zeros((T, SIDE, SIDE), bool)
    for number in range(T):
        masks[number, 10 + number % 5 : 30, 4 + number : 16 + number] = True
    real[masks] += 100
    noise = rng.integers(-9, 10, real.shape)
    return real, masks, np.clip(real + noise, 0, 255).astype(np.uint8)


class BrightSquare:
    """Finds the bright square: two joints of COCO at its corners; answers two frames late, as a batch would."""

    version = 1
    spec = PoseSpec(get_skeleton("coco_17"), 1, False, "MIT")
    seen: ClassVar[list[int]] = []

    def detect(self, frames: Iterable[np.ndarray]) -> Iterator[Detections]:
        waiting: list[Detections] = []
        for frame in frames:
            waiting.append(self._find(frame))
            if len(waiting) > 2:
                yield waiting.pop(0)
        yield from waiting

    def _find(self, frame: np.ndarray) -> Detections:
        rows, columns = np.nonzero(cv2.blur(frame[..., 0], (5, 5)) > 145)
        xy = np.full((1, 17, 2), np.nan, np.float32)
        if not len(rows):
            return Detections.nobody(17)
        ends = [(columns.min(), rows.min()), (columns.max(), rows.max())]
        for joint in range(17):
            xy[0, joint] = ends[joint % 2]
        score = np.ones((1, 17), np.float32)
        box = np.array([[*ends[0], *ends[1]]], np.float32)
        return Detections(xy, score, box)


DETECTOR = Detector(BrightSquare(), Component(name="bright"), "a remark")


def score(
    clip: tuple[np.ndarray, np.ndarray, np.ndarray],
    *,
    chosen: Protocol | None = None,
    detector: Detector | None = DETECTOR,
    streams: list[Stream] | None = None,
) -> list[Variant]:
    real, masks, fake = clip
    chosen = chosen or protocol()
    reference = Reference(iter(real), T, (SIDE, SIDE), RATE, mask=lambda number: masks[number])
    streams = streams or [Stream("result", "Result", "result", iter(fake))]
    return score_streams(reference, streams, chosen, make_measures(chosen, "cpu", RATE), detector=detector)


def test_numbers_are_those_of_the_metrics_on_the_whole_clip(clip) -> None:
    real, masks, fake = clip
    (variant,) = score(clip)
    for name in ("psnr", "ssim", "frame_difference"):
        metric = create("metric", name)
        for region, mask in (("frame", None), ("mask", masks)):
            found = variant.score(name, region)
            expected = metric(fake, real, mask)
            got = np.array([np.nan if v is None else v for v in found.per_frame])
            np.testing.assert_allclose(got, expected, rtol=1e-9)
            assert found.value == pytest.approx(np.nanmean(expected))
            assert found.low <= found.value <= found.high
            assert found.frames == np.isfinite(expected).sum()
    flicker = create("metric", "flicker", rate=25.0)
    flicker.update(fake, real, None)
    assert variant.score("flicker", "frame").value == pytest.approx(flicker.result())
    assert [s.metric.partition("@")[0] for s in variant.scores] == [
        term["name"] for term in METRICS for _ in term["regions"]
    ], "in the order of the protocol"


def test_poses_are_those_that_the_detector_finds(clip) -> None:
    real, _, fake = clip
    (variant,) = score(clip)
    found = variant.score("pose_distance", "all")
    ends = [np.concatenate([d.xy for d in BrightSquare().detect(iter(frames))]) for frames in (fake, real)]
    expected = np.linalg.norm(ends[0] - ends[1], axis=-1).mean(1)
    np.testing.assert_allclose(np.array(found.per_frame), expected, rtol=1e-6)
    assert found.why == "a remark"


@pytest.mark.parametrize("step", [1, 2, 7, 16, 100])
def test_chunks_change_nothing(clip, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    whole = score(clip)
    monkeypatch.setattr(engine, "LARGEST_CHUNK", step)
    for one, other in zip(whole[0].scores, score(clip)[0].scores, strict=True):
        assert (one.metric, one.region, one.frames) == (other.metric, other.region, other.frames)
        # the flicker's filter runs in single precision: its sums differ in the last digits
        assert other.value == pytest.approx(one.value, rel=1e-6)
        np.testing.assert_allclose(
            np.array(one.per_frame, float), np.array(other.per_frame, float), rtol=1e-9
        )


def test_the_frame_before(clip) -> None:
    real, _, _ = clip
    (variant,) = score(clip, streams=[Stream("previous_frame", "", "baseline", None, skip=1)])
    expected = create("metric", "psnr")(real[:-1], real[1:], None)
    found = variant.score("psnr", "frame")
    assert found.per_frame[0] is None
    np.testing.assert_allclose(np.array(found.per_frame[1:], float), expected, rtol=1e-9)
    assert variant.score("pose_distance", "all").per_frame[0] is None
    assert variant.score("pose_distance", "all").value > 0


def test_perfect_frames_score_perfectly(clip) -> None:
    real, _, _ = clip
    (variant,) = score(clip, streams=[Stream("result", "", "result", iter(real))])
    assert variant.score("psnr", "mask").value == 100
    assert variant.score("ssim", "frame").value == pytest.approx(1)
    assert variant.score("pose_distance", "all").value == 0
    assert variant.score("flicker", "frame").value == pytest.approx(0, abs=1e-9)


def test_a_clip_metric_starts_anew_after_each_clip(clip) -> None:
    real, _, fake = clip
    (variant,) = score(clip, chosen=protocol([{"name": "flicker"}], clip_length=8), detector=None)
    values = []
    for start in (0, 8):
        metric = create("metric", "flicker", rate=25.0)
        metric.update(fake[start : start + 8], real[start : start + 8], None)
        values.append(metric.result())
    found = variant.score("flicker", "frame")
    assert (found.value, found.frames) == (pytest.approx(np.mean(values)), 16)


def test_nothing_is_claimed_where_nobody_is(clip) -> None:
    real, masks, fake = clip
    chosen = protocol([{"name": "psnr", "regions": ["frame", "mask", "face"]}])
    (variant,) = score((real, np.zeros_like(masks), fake), chosen=chosen)
    assert variant.score("psnr", "frame").value is not None
    assert variant.score("psnr", "mask").value is None
    assert variant.score("psnr", "mask").why == "no person is known in any true frame"
    assert "less than 48 px" in variant.score("psnr", "face").why


def test_poses_are_not_looked_for_where_nobody_is(clip) -> None:
    still = (np.zeros((SIDE, SIDE, 3), np.uint8) for _ in range(T))
    (variant,) = score(clip, streams=[Stream("m", "", "baseline", still, has_person=False)])
    assert variant.score("pose_distance", "all").why == engine.NO_PERSON


def test_poses_that_were_asked_for(clip) -> None:
    """Without true frames, the painted poses are compared with those that were asked for."""
    _, _, fake = clip
    found = np.concatenate([d.xy for d in BrightSquare().detect(iter(fake))])
    asked = PoseSequence(
        xy=found + 3,
        score=np.ones(found.shape[:2], np.float32),
        pts=np.arange(T) * 512,
        time_base=Fraction(1, 12800),
        size=(SIDE, SIDE),
        skeleton=get_skeleton("coco_17"),
    )
    chosen = protocol([{"name": "pose_distance", "regions": ["all"]}], compare="poses")
    reference = Reference(None, T, (SIDE, SIDE), RATE)
    stream = Stream("result", "", "result", iter(fake), asked=asked)
    (variant,) = score_streams(
        reference, [stream], chosen, make_measures(chosen, "cpu", RATE), detector=DETECTOR
    )
    assert variant.score("pose_distance", "all").value == pytest.approx(3 * np.sqrt(2), rel=1e-5)


def test_a_stream_that_ends_early_or_changes_its_size(clip) -> None:
    _, _, fake = clip
    with pytest.raises(VideoError, match=r"Short: 20 frames could be read, 23 were promised"):
        score(clip, streams=[Stream("s", "Short", "result", iter(fake[:20]))])
    wide = (np.zeros((SIDE, SIDE + 2, 3), np.uint8) for _ in range(T))
    with pytest.raises(VideoError, match="Wide: a frame is 50x48, not 48x48"):
        score(clip, streams=[Stream("s", "Wide", "result", wide)])


def test_only_a_chunk_of_frames_is_held(clip) -> None:
    """However long the clip: of 400 frames that went through, no more than some chunks were alive at once."""

    class Frame(np.ndarray):
        """Arrays of their own class can be watched."""

    alive: dict[int, weakref.ref[Frame]] = {}
    most = 0

    def endless(count: int) -> Iterator[np.ndarray]:
        nonlocal most
        for number in range(count):
            frame = np.full((16, 16, 3), number % 200, np.uint8).view(Frame)
            key = id(frame)
            alive[key] = weakref.ref(frame, lambda _, key=key: alive.pop(key, None))
            most = max(most, len(alive))
            yield frame

    gc.collect()
    count = 400
    chosen = protocol([{"name": "psnr"}, {"name": "frame_difference"}])
    score_streams(
        Reference(endless(count), count, (16, 16), RATE),
        [Stream("result", "", "result", endless(count))],
        chosen,
        make_measures(chosen, "cpu", RATE),
    )
    assert most <= 4 * engine.LARGEST_CHUNK + 4


def test_videos_are_kept_on_the_way(clip, tmp_path) -> None:
    from dancekit.video import read_frames

    fake = np.stack([cv2.GaussianBlur(frame, (0, 0), 4) for frame in clip[2]])  # what H.264 can hold
    stream = Stream("result", "", "result", iter(fake), video=tmp_path / "result.mp4")
    (variant,) = score(clip, streams=[stream])
    assert variant.video == "result.mp4"
    kept = np.stack([frame.rgb for frame in read_frames(tmp_path / "result.mp4")])
    assert kept.shape == fake.shape
    assert np.abs(kept.astype(int) - fake).mean() < 3


def test_a_metric_without_its_weights_is_not_available(clip, monkeypatch: pytest.MonkeyPatch) -> None:
    from dancekit.evaluate import measures

    real_create = measures.create

    def offline(kind: str, name: str, **params: Any) -> Any:
        if name == "ssim":
            raise OfflineError("no weights", hint="go online")
        return real_create(kind, name, **params)

    monkeypatch.setattr(measures, "create", offline)
    (variant,) = score(clip)
    missing = variant.score("ssim", "mask")
    assert (missing.value, missing.per_frame) == (None, ())
    assert missing.why == "not available: no weights (go online)"
    assert variant.score("psnr", "mask").value is not None


def test_frames_too_small_for_a_metric(clip) -> None:
    (variant,) = score(clip, chosen=protocol([{"name": "ms_ssim"}, {"name": "psnr"}]), detector=None)
    assert "too small" in variant.score("ms_ssim", "frame").why
    assert variant.score("psnr", "frame").value is not None


def test_a_rate_too_low_for_a_metric() -> None:
    flicker, psnr = make_measures(protocol([{"name": "flicker"}, {"name": "psnr"}]), "cpu", Fraction(5))
    assert flicker.why.startswith("not available: flicker above 4 Hz cannot be seen at 5")
    assert not psnr.why


class TestDetector:
    def test_another_than_drew_the_sticks_if_it_is_at_hand(self) -> None:
        chosen = protocol(detectors=[{"name": "blazepose"}, {"name": "rtmlib"}])
        found = choose_detector(chosen, drew="blazepose", device="cpu")
        assert found.component.name == "blazepose", "rtmlib's weights are not in the cache of the tests"
        assert "forgive its own mistakes" in found.remark
        assert choose_detector(chosen, drew="rtmlib", device="cpu").remark == ""
        assert "not known" in choose_detector(chosen, drew=None, device="cpu").remark

    def test_weights_at_hand_are_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from dancekit.evaluate import detectors

        monkeypatch.setattr(detectors, "_is_at_hand", lambda component, reasons: True)
        monkeypatch.setattr(detectors, "_build", lambda component, device: BrightSquare())
        found = choose_detector(protocol(), drew="blazepose", device="cpu")
        assert (found.component.name, found.remark) == ("rtmlib", "")
        assert choose_detector(protocol(), drew="rtmlib", device="cpu").component.name == "blazepose"

    def test_none_at_hand(self) -> None:
        from dancekit.errors import PoseError

        with pytest.raises(PoseError, match=r"none of its detectors.*\.zip.*blazepose"):
            choose_detector(protocol(detectors=[{"name": "rtmlib"}]), drew=None, device="cpu")
