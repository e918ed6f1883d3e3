"""Paint with an exported dancer, by ONNX Runtime and OpenCV alone: no torch, no dancekit.

    dancekit export demo --onnx mira.onnx
    python examples/onnx_dancer.py mira.onnx poses.npz out.mp4

`poses.npz` has xy (T, K, 2) and score (T, K), pixels of the dancer's own clip, as `dancekit pose` writes them.
"""

import base64
import json
import sys
from fractions import Fraction

import cv2
import numpy as np
import onnxruntime


def draw(about, xy, score):
    """The stick figure of one frame: (1, 3, H, W) in [0, 1]."""
    width, height = about["size"]
    column, row = np.meshgrid(np.arange(width), np.arange(height))
    mixed, covered = np.zeros((2, 3, height, width)), np.zeros((2, 1, height, width))
    for stroke in about["condition"]["strokes"]:
        if (score[stroke["start"] + stroke["end"]] <= 0).any():
            continue
        (ax, ay), (bx, by) = xy[stroke["start"]].mean(0), xy[stroke["end"]].mean(0)
        along = ((column - ax) * (bx - ax) + (row - ay) * (by - ay)) / max((bx - ax) ** 2 + (by - ay) ** 2, 1e-12)
        along = along.clip(0, 1)
        distance = np.hypot(column - ax - along * (bx - ax), row - ay - along * (by - ay))
        cover = (stroke["radius"] + 0.5 - distance).clip(0, 1)
        mixed[int(stroke["dot"])] += cover * np.reshape(stroke["colour"], (3, 1, 1))
        covered[int(stroke["dot"])] += cover
    lines, dots = mixed / covered.clip(1)
    return (lines * (1 - covered[1]).clip(0) + dots).clip(0, 1)[None].astype(np.float32)


def face(about, xy):
    """A square around the head, (1, 4), from nose and shoulders; NaN, and nothing is refined, without them."""
    joints = about["skeleton"]["joints"]
    nose, left, right = (xy[joints.index(name)] for name in ("nose", "left_shoulder", "right_shoulder"))
    half = np.hypot(*(left - right)) * about["face"]["head_over_shoulders"] * about["face"]["head_widths"] / 2
    return np.concatenate([nose - half, nose + half])[None].astype(np.float32)


def main(model, poses, out):
    session = onnxruntime.InferenceSession(model)
    about = json.loads(session.get_modelmeta().custom_metadata_map["dancekit"])
    window, found = about["window"], np.load(poses)
    scale = np.array([window["scale"], window.get("scale_y") or window["scale"]])
    points = (found["xy"] + 0.5 - [window["left"], window["top"]]) / scale - 0.5
    plate = cv2.imdecode(np.frombuffer(base64.b64decode(about["plate_png"]), np.uint8), cv2.IMREAD_COLOR_RGB)
    given = {"plate": plate.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1}
    given |= {name: np.zeros((1, *shape), np.float32) for name, shape in about["state"].items()}
    writer = cv2.VideoWriter(out, cv2.VideoWriter_fourcc(*"mp4v"), float(Fraction(about["rate"])), about["size"])
    for xy, score in zip(points, found["score"]):
        given |= {"condition": draw(about, xy, score), "face": face(about, xy)}
        painted = dict(zip(about["outputs"], session.run(None, {name: given[name] for name in about["inputs"]})))
        given |= {name: painted[name.replace("state", "next", 1)] for name in about["state"]}
        picture = ((painted["image"][0].transpose(1, 2, 0) + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    writer.release()


if __name__ == "__main__":
    main(*sys.argv[1:])
