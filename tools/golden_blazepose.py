"""Write tests/golden/blazepose: what LiteRT and MediaPipe itself say of frames that ship with dancekit.

    python tools/golden_blazepose.py frames CLIP...     # in an environment with mediapipe==0.10.21
    python tools/golden_blazepose.py networks DIR CLIP  # in dancekit's; DIR holds the three .tflite files

tools/README.md says how to make the environment. `frames.npz` holds, per model, clip and frame, MediaPipe's
landmarks in static mode and its mask averaged over blocks. `networks.npz` holds, per network, two uint8
inputs and evenly spaced values of every output of LiteRT's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import av
import numpy as np

OUT = Path(__file__).parents[1] / "tests" / "golden" / "blazepose"
FRAMES_PER_CLIP = 8
MASK_BLOCK = 8
VALUES_PER_OUTPUT = 1500
NETWORKS = {  # file, side, smallest and largest value of the input
    "detector": ("pose_detection.tflite", 224, -1.0, 1.0),
    "full": ("pose_landmark_full.tflite", 256, 0.0, 1.0),
    "lite": ("pose_landmark_lite.tflite", 256, 0.0, 1.0),
}


def decode(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def golden_frames(clips: list[Path]) -> dict[str, np.ndarray]:
    import mediapipe

    result = {"mediapipe": np.array(mediapipe.__version__), "clips": np.array([clip.name for clip in clips])}
    for clip in clips:
        frames = decode(clip)
        chosen = np.linspace(0, len(frames) - 1, FRAMES_PER_CLIP).round().astype(int)
        result[f"{clip.name}/index"] = chosen
        for model, complexity in (("full", 1), ("lite", 0)):
            landmarks, masks = [], []
            options = {"static_image_mode": True, "model_complexity": complexity, "enable_segmentation": True}
            with mediapipe.solutions.pose.Pose(**options) as pose:
                for frame in (frames[index] for index in chosen):
                    found = pose.process(frame)
                    landmarks.append([(p.x, p.y, p.visibility) for p in found.pose_landmarks.landmark])
                    height, width = (side // MASK_BLOCK for side in found.segmentation_mask.shape)
                    blocks = found.segmentation_mask.reshape(height, MASK_BLOCK, width, MASK_BLOCK)
                    masks.append((blocks.mean((1, 3)) * 255).round().astype(np.uint8))
            result[f"{clip.name}/{model}/landmarks"] = np.array(landmarks, np.float32)
            result[f"{clip.name}/{model}/mask"] = np.array(masks)
    return result


def golden_networks(folder: Path, clip: Path) -> dict[str, np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    frames = decode(clip)
    result = {}
    for network, (name, side, low, high) in NETWORKS.items():
        edge = (len(frames[0]) - 2 * side) // 2
        part = slice(edge, edge + 2 * side, 2)
        # people, not noise: LiteRT's mask of noise is off by 1e-3 from what float64 gives
        inputs = np.stack((frames[0][part, part], np.rot90(frames[-1][part, part])))
        interpreter = Interpreter(str(folder / name))
        interpreter.allocate_tensors()
        result[f"{network}/inputs"] = inputs
        for number, image in enumerate(inputs):
            tensor = image[None].astype(np.float32) / 255 * (high - low) + low
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor.astype(np.float32))
            interpreter.invoke()
            for output, detail in enumerate(interpreter.get_output_details()):
                values = interpreter.get_tensor(detail["index"]).ravel()
                step = max(1, len(values) // VALUES_PER_OUTPUT)
                result[f"{network}/{number}/{output}/values"] = values[::step]
                result[f"{network}/{number}/{output}/largest"] = np.abs(values).max()
    return result


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
