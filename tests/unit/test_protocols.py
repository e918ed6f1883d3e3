"""Protocols: the packaged ones can be measured, a file of one's own is checked strictly, results hold every setting."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from dancekit.errors import RecipeError, UnknownName, UsageError
from dancekit.evaluate.measures import make_measures
from dancekit.evaluate.protocols import PROTOCOLS, Protocol, load_protocol

MINE = """schema: 1
name: mine
version: 1
description: Mine.
metrics: [{name: psnr, regions: [frame]}]
"""


@pytest.fixture
def write(tmp_path: Path):
    def written(text: str, name: str = "mine.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return written


def test_the_packaged_ones() -> None:
    names = ["ablation", "cross", "disco-tiktok", "drift", "edn-v1", "paired", "self"]
    assert PROTOCOLS.names() == [*names, "temporal", "temporal-loops"]


@pytest.mark.parametrize("name", ["paired", "cross", "drift", "temporal", "temporal-loops"])
def test_every_metric_of_the_packaged_ones_can_look_where_it_is_told(name: str) -> None:
    protocol = load_protocol(name)
    assert len(protocol.description) > 80
    measures = make_measures(protocol, "cpu", Fraction(25))
    assert [each.term.name for each in measures] == [term.name for term in protocol.metrics]
    lacking = {each.term.name for each in measures if each.why}
    assert lacking <= {"lpips", "fid"}, "only what needs a download may be lacking offline"
    if protocol.compare == "poses":
        assert {each.kind for each in measures} == {"pose"}


def test_the_others_measure_nothing_else() -> None:
    known = {name: load_protocol(name) for name in PROTOCOLS.names()}
    looked_at = {term.name for name in ("paired", "cross", "drift") for term in known[name].metrics}
    assert {term.name for protocol in known.values() for term in protocol.metrics} <= looked_at


def test_the_papers_protocol_is_the_papers() -> None:
    terms = {term.name: term.regions for term in load_protocol("edn-v1").metrics}
    assert terms["ssim"] == terms["lpips"] == ["box", "face"]
    assert terms["pose_distance"] == terms["missed_joints"] == ["body", "face", "hands", "all"]
    assert load_protocol("edn-v1").baselines == ["nearest_neighbour"]


def test_discos_oddities_are_said() -> None:
    text = load_protocol("disco-tiktok").description
    for word in ("height times width", "overflow", "grey", "[0, 1]", "FVD", "first frame"):
        assert word in " ".join(text.split())


def test_every_setting_goes_into_results_and_back(write) -> None:
    for name in PROTOCOLS.names():
        protocol = load_protocol(name)
        path = write(protocol.to_yaml(), f"{name}.yaml")
        assert load_protocol(path) == protocol
        assert Protocol.model_validate(protocol.to_json()) == protocol
        assert protocol.to_json()["intervals"]["samples"] == 2000


def test_unknown_names() -> None:
    with pytest.raises(UnknownName, match=r"did you mean 'paired'.*protocols: ablation, cross, "):
        load_protocol("pared")
    with pytest.raises(RecipeError, match="does not exist"):
        load_protocol("no/such.yaml")


@pytest.mark.parametrize(
    ("line", "place", "what"),
    [
        ("metricss: []", 6, "unknown key"),
        ("size: [8, 256]", 6, "16"),
        ("frames: {start: 9, stop: 3}", 6, "does not come after"),
        ("baselines: [guess]", 6, "nearest_neighbour"),
        ("intervals: {level: 95}", 6, "less than 1"),
        ("version: 2", 6, "twice"),
    ],
)
def test_mistakes_with_file_and_line(write, line: str, place: int, what: str) -> None:
    with pytest.raises(RecipeError) as error:
        load_protocol(write(MINE + line + "\n"))
    assert f"mine.yaml:{place}" in str(error.value)
    assert what in str(error.value)


def test_a_protocol_is_called_as_its_file(write) -> None:
    with pytest.raises(RecipeError, match=r"mine\.yaml:2: name: is 'mine2'"):
        load_protocol(write(MINE.replace("name: mine", "name: mine2")))


@pytest.mark.parametrize(
    ("metric", "what"),
    [
        ("{name: psnr, regions: [body]}", "cannot look at 'body'"),
        ("{name: pck, regions: [mask]}", "cannot look at 'mask'"),
        ("{name: foot_skating, regions: [body]}", "has no parts"),
        ("{name: psnr, params: {peak: 1}}", "no parameter 'peak'"),
    ],
)
def test_regions_that_do_not_suit(write, metric: str, what: str) -> None:
    text = MINE.replace("{name: psnr, regions: [frame]}", metric)
    with pytest.raises(UsageError, match=what):
        make_measures(load_protocol(write(text)), "cpu", Fraction(25))


def test_a_metric_that_does_not_exist(write) -> None:
    with pytest.raises(UnknownName, match="psnrr"):
        make_measures(load_protocol(write(MINE.replace("name: psnr", "name: psnrr"))), "cpu", Fraction(25))
