"""`dancekit export`."""

from __future__ import annotations

import json
from pathlib import Path

from cli_tools import Cli


def test_what_cannot_be_is_said_first(cli: Cli, tmp_path: Path) -> None:
    assert cli("export", "demo").code == 2
    assert "--onnx is missing" in cli("export", "demo").err
    (tmp_path / "taken.onnx").write_text("x")
    taken = cli("export", "demo", "--onnx", "taken.onnx")
    assert taken.code == 2 and "exists already" in taken.err
    assert cli("export", "demo", "--onnx", "graph.pt").code == 2
    assert (
        "--calibrate is for --int8" in cli("export", "demo", "--onnx", "a.onnx", "--calibrate", "p.npz").err
    )
    assert cli("export", "nobody.safetensors", "--onnx", "a.onnx").code == 1


def test_it_says_what_it_made(cli: Cli, tmp_path: Path, monkeypatch) -> None:
    from dancekit.transfer import export

    def pretend(dancer, out, *, int8, poses):  # the graph is tested elsewhere
        out.write_bytes(b"12345")
        facts = {"psnr_db": 41.2, "worst_psnr_db": 39.9} if int8 else None
        return export.Exported(out, ((256, 256),), 1e-5, ("condition",), ("image",), facts)

    monkeypatch.setattr(export, "export_dancer", pretend)
    plain = cli("export", "demo", "--onnx", "a.onnx")
    assert (plain.code, plain.out) == (0, "a.onnx: condition to image; within 1e-05 of torch at 256x256\n")
    small = cli("export", "demo", "--onnx", "b.onnx", "--int8")
    assert "41.2 dB from single precision (39.9 at worst)" in small.out
    found = json.loads(cli("export", "demo", "--onnx", "a.onnx", "--force", "--json").out)
    assert found["bytes"] == 5 and found["sizes"] == [[256, 256]] and found["int8"] is None
