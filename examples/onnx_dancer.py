"""Paint by what `dancekit export` wrote: python examples/onnx_dancer.py mira.onnx poses.npz out.mp4

The poses have xy (T, K, 2), pixels of the dancer's clip, and score (T, K), as `dancekit pose` writes them."""

import base64
import json
import sys
from fractions import Fraction

import cv2
import numpy as np
import onnxruntime


def draw(about, xy, score):  # the stick figure of one frame: (1, 3, H, W) in [0, 1]
    column, row = np.meshgrid(*(np.arange(side) for side in about["size"]))
    mixed, covered = np.zeros((2, 3, *row.shape)), np.zeros((2, 1, *row.shape))
    for stroke in about["condition"]["strokes"]:
        if (score[stroke["start"] + stroke["end"]] > 0).all():
            (ax, ay), (bx, by) = xy[stroke["start"]].mean(0), xy[stroke["end"]].mean(0)
            dx, dy = bx - ax, by - ay
            along = (((column - ax) * dx + (row - ay) * dy) / max(dx * dx + dy * dy, 1e-12)).clip(0, 1)
            distance = np.hypot(column - ax - along * dx, row - ay - along * dy)
            cover = (stroke["radius"] + 0.5 - distance).clip(0, 1)
            mixed[int(stroke["dot"])] += cover * np.reshape(stroke["colour"], (3, 1, 1))
            covered[int(stroke["dot"])] += cover
    lines, dots = mixed / covered.clip(1)
    return (lines * (1 - covered[1]).clip(0) + dots).clip(0, 1)[None].astype(np.float32)


def face(about, xy):  # a square around the head, (1, 4); NaN refines nothing
    names, size = about["skeleton"]["joints"], about["face"]
    nose, left, right = (xy[names.index(name)] for name in ("nose", "left_shoulder", "right_shoulder"))
    half = np.hypot(*(left - right)) * size["head_over_shoulders"] * (size["head_widths"] or 0) / 2
    return np.concatenate([nose - half, nose + half])[None].astype(np.float32)


def main(model, poses, out):
    session, found = onnxruntime.InferenceSession(model), np.load(poses)
    about = json.loads(session.get_modelmeta().custom_metadata_map["dancekit"])
    window = about["window"]
    scale = np.array([window["scale"], window.get("scale_y") or window["scale"]])
    points = (found["xy"] + 0.5 - [window["left"], window["top"]]) / scale - 0.5
    plate = cv2.imdecode(np.frombuffer(base64.b64decode(about["plate_png"]), np.uint8), cv2.IMREAD_COLOR_RGB)
    given = {"plate": plate.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1}
    given |= {name: np.zeros((1, *shape), np.float32) for name, shape in about["state"].items()}
    rate, kind = float(Fraction(about["rate"])), cv2.VideoWriter_fourcc(*"mp4v")
    writer = cv2.VideoWriter(out, kind, rate, about["size"])
    for xy, score in zip(points, found["score"], strict=True):
        given |= {"condition": draw(about, xy, score), "face": face(about, xy)}
        outputs = session.run(None, {name: given[name] for name in about["inputs"]})
        painted = dict(zip(about["outputs"], outputs, strict=True))
        given |= {name: painted[name.replace("state", "next", 1)] for name in about["state"]}
        picture = ((painted["image"][0].transpose(1, 2, 0) + 1) * 127.5).round().clip(0, 255)
        writer.write(cv2.cvtColor(picture.astype(np.uint8), cv2.COLOR_RGB2BGR))
    writer.release()


if __name__ == "__main__":
    main(*sys.argv[1:])
