"""Make `zoo/samples` from clips rendered by the dancefloor program.

    python -m dancefloor.make RENDERED --procedural --only source_dance target_truth --limit 200
    python -m dancefloor.make RENDERED --procedural --only target_train
    python tools/make_samples.py RENDERED

The videos' pictures are copied without re-encoding; the source gets a click track at the dance's 116 beats a
minute, so that everybody can hear whether the sound survived and stayed in time. `truth.npz` keeps of the
renderer's ground truth what scoring needs: keypoints, boxes, masks.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SAMPLES = Path(__file__).parents[1] / "zoo" / "samples"
BEATS_PER_MINUTE = 116
SOUND_RATE = 44100
KEPT_POINTS = 23
"""COCO's 17 joints and the 6 of the feet; the renderer's finger and face vertices are left out."""


def click_track(seconds: float) -> np.ndarray:
    """A short 1 kHz tick on every beat, a higher one on every fourth: (N,) float32."""
    time = np.arange(int(seconds * SOUND_RATE)) / SOUND_RATE
    sound = np.zeros_like(time)
    for number, beat in enumerate(np.arange(0, seconds, 60 / BEATS_PER_MINUTE)):
        since = time - beat
        tone = 1500 if number % 4 == 0 else 1000
        sound += np.where(since >= 0, np.sin(2 * np.pi * tone * since) * np.exp(-since.clip(0) * 60), 0)
    return (0.5 * sound).astype(np.float32)


def copy_video(source: Path, destination: Path, sound: bool) -> None:
    """Copy the picture's packets; add the click track if asked to."""
    with (
        av.open(str(source)) as old,
        av.open(str(destination), "w", options={"movflags": "faststart"}) as new,
    ):
        picture = old.streams.video[0]
        copied = new.add_stream_from_template(picture)
        track = new.add_stream("aac", rate=SOUND_RATE, layout="mono") if sound else None
        if track is not None:
            track.bit_rate = 48_000
        for packet in old.demux(picture):
            if packet.dts is not None:
                packet.stream = copied
                new.mux(packet)
        if track is not None:
            samples = click_track(picture.frames / float(picture.average_rate))
            for start in range(0, len(samples), 1024):
                frame = av.AudioFrame.from_ndarray(
                    samples[None, start : start + 1024], format="fltp", layout="mono"
                )
                frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
                new.mux(track.encode(frame))
            new.mux(track.encode(None))


def slim_truth(source: Path, destination: Path) -> None:
    """Keypoints, visibility, boxes of the masks (pixels: left, top, right, bottom) and packed masks."""
    with np.load(source) as full:
        masks = np.unpackbits(full["mask_bits"], axis=2).astype(bool)
        boxes = np.zeros((len(masks), 4), np.float32)
        for number, mask in enumerate(masks):
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            boxes[number] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        np.savez_compressed(
            destination,
            keypoints=full["keypoints"][:, :KEPT_POINTS],
            visibility=full["visibility"][:, :KEPT_POINTS],
            names=full["names"][:KEPT_POINTS],
            boxes=boxes,
            mask_bits=full["mask_bits"],
        )


def main() -> None:
    """Copy, add sound, slim."""
    rendered = Path(sys.argv[1])
    SAMPLES.mkdir(parents=True, exist_ok=True)
    copy_video(rendered / "source_dance.mp4", SAMPLES / "source.mp4", sound=True)
    copy_video(rendered / "target_train.mp4", SAMPLES / "target.mp4", sound=False)
    copy_video(rendered / "target_truth.mp4", SAMPLES / "truth.mp4", sound=False)
    for rendered_name, name in (("source_dance", "source"), ("target_truth", "truth")):
        slim_truth(rendered / f"{rendered_name}.npz", SAMPLES / f"{name}.npz")
    for path in sorted(SAMPLES.iterdir()):
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
