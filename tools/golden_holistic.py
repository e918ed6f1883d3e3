"""Write tests/golden/holistic: what LiteRT and MediaPipe itself say of hands and faces in frames that ship here.

    python tools/golden_holistic.py frames CLIP...     # in an environment with mediapipe==0.10.21
    python tools/golden_holistic.py networks DIR CLIP  # in dancekit's; DIR holds the .tflite files

tools/README.md says how to make the environment. `frames.npz` holds, per clip and frame, MediaPipe's refined face
mesh and hands in static mode, NaN where it found none; a new graph for every frame, because static mode too takes
the crops of hands and face from the frame before if it finds one there. `networks.npz` holds two uint8 pictures
and, per network and picture, evenly spaced values of every output of LiteRT's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import av
import numpy as np

OUT = Path(__file__).parents[1] / "tests" / "golden" / "holistic"
FRAMES_PER_CLIP = 4
LAST_FRAME = 120  # decoding further would only make the test slow
VALUES_PER_OUTPUT = 1500
PARTS = {"face": 478, "left_hand": 21, "right_hand": 21}
NETWORKS = {  # file, side, smallest value of the input
    "hand_full": ("hand_landmark_full.tflite", 224, 0.0),
    "hand_lite": ("hand_landmark_lite.tflite", 224, 0.0),
    "hand_recrop": ("hand_recrop.tflite", 256, 0.0),
    "face_detector": ("face_detection_short_range.tflite", 128, -1.0),
}


def decode(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def golden_frames(clips: list[Path]) -> dict[str, np.ndarray]:
    import mediapipe

    options = {"static_image_mode": True, "model_complexity": 1, "refine_face_landmarks": True}
    result = {"mediapipe": np.array(mediapipe.__version__), "clips": np.array([clip.name for clip in clips])}
    for clip in clips:
        frames = decode(clip)
        chosen = np.linspace(0, LAST_FRAME, FRAMES_PER_CLIP).round().astype(int)
        result[f"{clip.name}/index"] = chosen
        found: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
        for frame in (frames[index] for index in chosen):
            with mediapipe.solutions.holistic.Holistic(**options) as holistic:
                seen = holistic.process(frame)
            for part, points in PARTS.items():
                marks = getattr(seen, f"{part}_landmarks")
                xy = [(p.x, p.y) for p in marks.landmark] if marks else [(np.nan, np.nan)] * points
                found[part].append(np.array(xy, np.float32))
        result |= {f"{clip.name}/{part}": np.array(values) for part, values in found.items()}
    return result


def golden_networks(folder: Path, clip: Path) -> dict[str, np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    from dancekit.pose.blazepose import BlazePose
    from dancekit.pose.holistic_geometry import face_from_body, hand_from_body

    frame = decode(clip)[0]
    (body,) = BlazePose(tracking=False).look([frame])
    assert body is not None
    regions = hand_from_body(*body.points[[16, 18, 20]]), face_from_body(body.points)
    inputs = np.stack([region.crop(frame, 256, replicate=True) for region in regions])
    result = {"inputs": inputs}
    for network, (name, side, low) in NETWORKS.items():
        interpreter = Interpreter(str(folder / name))
        interpreter.allocate_tensors()
        for number, image in enumerate(inputs):
            picture = to_input(image, side, low)
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture[None])
            interpreter.invoke()
            for output, detail in enumerate(interpreter.get_output_details()):
                values = interpreter.get_tensor(detail["index"]).ravel()
                result[f"{network}/{number}/{output}/values"] = values[
                    :: max(1, len(values) // VALUES_PER_OUTPUT)
                ]
                result[f"{network}/{number}/{output}/largest"] = np.abs(values).max()
    return result


def to_input(image: np.ndarray, side: int, low: float) -> np.ndarray:
    """The middle of a 256x256 picture, or all of it at half the size, as a network's input."""
    edge = (256 - side) // 2
    part = image[::2, ::2] if side == 128 else image[edge : edge + side, edge : edge + side]
    return (part.astype(np.float32) / 255 * (1 - low) + low).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("frames", "networks"))
    parser.add_argument("paths", type=Path, nargs="+")
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    made = golden_frames(arguments.paths) if arguments.what == "frames" else golden_networks(*arguments.paths)
    path = OUT / f"{arguments.what}.npz"
    np.savez_compressed(path, **made)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
