"""ls, show, cp, validate and doctor."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from cli_tools import Cli

from dancekit.config import load_recipe, recipe_names
from dancekit.registry import find, list_components


class TestLs:
    def test_everything_has_a_line(self, cli: Cli) -> None:
        shown = cli("ls")
        assert shown.code == 0
        assert not shown.err
        for entry in list_components():
            assert any(line.split()[:2] == [entry.kind, entry.name] for line in shown.out.splitlines())
        for name in recipe_names():
            assert any(line.split()[0] == name for line in shown.out.splitlines() if line)

    def test_one_kind(self, cli: Cli) -> None:
        lines = cli("ls", "generator").out.splitlines()[1:]
        assert [line.split()[1] for line in lines] == [each.name for each in list_components("generator")]
        assert {"pix2pixhd", "unet"} <= {line.split()[1] for line in lines}

    def test_json_is_stable(self, cli: Cli) -> None:
        found = json.loads(cli("ls", "--json").out)
        assert list(found) == ["components", "recipes", "protocols", "ablations", "motions", "problems"]
        keys = ["kind", "name", "summary", "distribution", "clashes"]
        assert all(list(each) == keys for each in found["components"])
        assert all(list(each) == ["name", "summary"] for each in found["recipes"])
        names = [(each["kind"], each["name"]) for each in found["components"]]
        assert names == [(entry.kind, entry.name) for entry in list_components()]
        silent = [each for each in found["components"] if not each["summary"]]
        assert not [
            each for each in silent if find_spec(find(each["kind"], each["name"]).target.partition(":")[0])
        ]

    def test_json_of_recipes_alone(self, cli: Cli) -> None:
        found = json.loads(cli("ls", "recipes", "--json").out)
        assert found["components"] == []
        assert [each["name"] for each in found["recipes"]] == recipe_names()

    def test_lines_are_not_folded_in_a_pipe(self, cli: Cli) -> None:
        assert max(map(len, cli("ls").out.splitlines())) > 100


class TestShow:
    def test_component(self, cli: Cli) -> None:
        from dancekit.registry import describe

        shown = cli("show", "unet")
        assert shown.code == 0
        for each in describe("generator", "unet").parameters:
            (line,) = [line for line in shown.out.splitlines() if line.startswith(f"{each.name} ")]
            assert each.type in line
            assert each.doc in line
        assert "in_channels" in shown.out
        assert cli("show", "generator/unet").out == shown.out

    @pytest.mark.parametrize(
        "entry", [pytest.param(each, id=f"{each.kind}/{each.name}") for each in list_components()]
    )
    def test_every_component_as_json(self, cli: Cli, entry: object) -> None:
        kind, name = entry.kind, entry.name  # type: ignore[attr-defined]
        try:
            __import__(entry.target.partition(":")[0])  # type: ignore[attr-defined]
        except ModuleNotFoundError as error:
            pytest.skip(str(error))
        found = json.loads(cli("show", f"{kind}/{name}", "--json").out)
        assert (found["kind"], found["name"]) == (kind, name)
        assert found["summary"]
        assert all(each["doc"] for each in found["parameters"]), "a parameter is not documented"

    def test_recipe_resolves_to_itself(self, cli: Cli, tmp_path: Path) -> None:
        shown = cli("show", "tiny")
        assert shown.code == 0
        (tmp_path / "again.yaml").write_text(shown.out)
        assert load_recipe(tmp_path / "again.yaml").hash == load_recipe("tiny").hash
        assert cli("show", "again.yaml").out == shown.out
        assert json.loads(cli("show", "recipes/tiny", "--json").out) == load_recipe("tiny").to_json()

    def test_dancer(self, cli: Cli, dancer: Path) -> None:
        shown = cli("show", dancer)
        assert shown.code == 0
        for text in ("blazepose_33@1", "pix2pixhd@1", "64x64 pixels of a clip of 512x512", "25 fps"):
            assert text in shown.out
        found = json.loads(cli("show", dancer, "--json").out)
        assert found["training"]["steps"] == 3
        assert found["recipe"]["size"] == [64, 64]
        assert set(found["parts"]) == {"generator", "face", "target", "plate"}
        assert found["bytes"] == dancer.stat().st_size

    def test_a_dancer_without_torch(self, dancer: Path) -> None:
        program = (
            "import sys\nfrom dancekit.cli.app import main\n"
            f"assert main(['show', {str(dancer)!r}]) == 0\nassert 'torch' not in sys.modules\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def test_any_safetensors_file(self, cli: Cli, root: Path) -> None:
        shown = cli("show", root / "zoo" / "weights" / "blazepose_lite.safetensors")
        assert shown.code == 0
        assert "Apache-2.0" in shown.out

    def test_a_file_of_another_kind(self, cli: Cli, root: Path) -> None:
        shown = cli("show", root / "zoo" / "samples" / "target.mp4")
        assert shown.code == 2
        assert "none of .safetensors, .yaml, .npz" in shown.err


class TestCp:
    @pytest.mark.parametrize("name", recipe_names())
    def test_a_copy_means_the_same(self, cli: Cli, root: Path, tmp_path: Path, name: str) -> None:
        done = cli("cp", name, "deep/mine.yaml")
        assert (done.code, done.out) == (0, "deep/mine.yaml\n")
        copied = tmp_path / "deep" / "mine.yaml"
        assert copied.read_bytes() == (root / "recipes" / f"{name}.yaml").read_bytes()
        assert load_recipe(copied).hash == load_recipe(name).hash

    def test_into_a_folder_and_over_a_file(self, cli: Cli, tmp_path: Path) -> None:
        assert cli("cp", "quick", ".").code == 0
        (tmp_path / "quick.yaml").write_text("mine")
        assert cli("cp", "quick", ".").code == 2
        assert (tmp_path / "quick.yaml").read_text() == "mine"
        assert cli("cp", "quick", ".", "--force").code == 0
        assert (tmp_path / "quick.yaml").read_text() != "mine"

    def test_a_unit(self, cli: Cli, root: Path, tmp_path: Path) -> None:
        unit = next((root / "recipes" / "units").rglob("*.yaml")).relative_to(root / "recipes").as_posix()
        assert cli("cp", unit, ".").code == 0
        assert (tmp_path / Path(unit).name).exists()


class TestValidate:
    def test_all_packaged_recipes(self, cli: Cli) -> None:
        done = cli("validate", *recipe_names())
        assert done.code == 0
        assert done.out.splitlines() == [f"{name}: ok" for name in recipe_names()]

    def test_all_problems_with_file_and_line(self, cli: Cli, tmp_path: Path) -> None:
        (tmp_path / "mine.yaml").write_text(
            "schema: 1\nsummary: broken\nextends: [base]\nsize: [100, 64]\n"
            "generator: {name: unett}\ntrain:\n  stepps: 4\n"
        )
        done = cli("validate", "tiny", "mine.yaml")
        assert done.code == 2
        assert done.out == "tiny: ok\n"
        lines = done.err.splitlines()
        assert all(line.startswith("error: mine.yaml:") for line in lines)
        assert {line.split(":")[2] for line in lines} == {"4", "5", "7"}
        assert any("did you mean 'unet'?" in line for line in lines)

    def test_overrides_and_json(self, cli: Cli) -> None:
        done = cli("validate", "tiny", "quick", "train.stepps=1", "--json")
        assert done.code == 2
        assert not done.err
        found = json.loads(done.out)
        assert [(each["recipe"], each["ok"]) for each in found] == [("tiny", False), ("quick", False)]
        assert "stepps" in found[0]["problems"][0]


class TestDoctor:
    def test_report(self, cli: Cli, root: Path) -> None:
        from dancekit.weights.header import file_sha256

        done = cli("doctor", "--json")
        found = json.loads(done.out)
        assert done.code == 0, found["problems"]
        weights = root / "zoo" / "weights"
        assert found["weights"] == {
            path.name: file_sha256(path) for path in sorted(weights.glob("*.safetensors"))
        }
        assert found["video"]["encoders"] == {"libx264": True, "aac": True}
        assert "CPUExecutionProvider" in found["onnxruntime"]["providers"]
        assert found["disk"]["offline"] is True
        assert found["devices"]["torch threads"] >= 1

    def test_what_is_broken_is_said(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        from dancekit.cli import doctor

        monkeypatch.setattr(doctor, "_can_encode", lambda name: name != "libx264")
        done = cli("doctor")
        assert done.code == 1
        assert "problem: FFmpeg has no encoder libx264" in done.out
        assert done.out.splitlines()[-1] == "something is broken"

    def test_it_survives_what_it_finds(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        from dancekit.cli import doctor

        def fail(problems: list[str]) -> dict[str, object]:
            raise ImportError("libtorch.so: cannot open")

        monkeypatch.setitem(doctor.SECTIONS, "devices", fail)
        found = json.loads(cli("doctor", "--json").out)
        assert found["problems"] == ["devices: ImportError: libtorch.so: cannot open"]
        assert found["libraries"]["torch"]
