"""The same content is the same bytes: in other processes, in another order, and after load and save."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.weights.header import file_sha256, read_header, read_tensors, write_safetensors

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "dancers" / "format-2-int8.safetensors"

PROGRAM = """
import sys
from dancekit.dancer import read_info, read_networks, read_target, save_dancer
from dancekit.critic import read_critic, save_critic
from dancekit.weights.header import read_tensors
source, out = sys.argv[1:]
names = {each for each in ("generator", "face")}
info = read_info(source)
weights = read_networks(source, names)
shuffled = {name: weights[name] for name in sorted(weights, key=hash)}
plate = read_tensors(source, ["plate.png"])["plate.png"].numpy().tobytes()
digest = save_dancer(out, info, shuffled, target=read_target(source, info), plate_png=plate, dtype="int8", title="t")
critic = read_critic(source)
save_critic(out, info, {name: critic[name] for name in sorted(critic, key=hash)}, dancer_sha256=digest, dtype="int8")
print([name for name in shuffled][:3])
"""


def test_three_processes_write_the_same_bytes(tmp_path: Path) -> None:
    digests, orders = set(), set()
    for seed in ("1", "2", "3"):
        folder = tmp_path / seed
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, GOLDEN, folder / "a.safetensors"],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        orders.add(done.stdout)
        digests.add((file_sha256(folder / "a.safetensors"), file_sha256(folder / "a.critic.safetensors")))
    assert len(orders) > 1, "the processes really ordered their tensors differently"
    assert len(digests) == 1


text = st.text(st.characters(codec="utf-8"), max_size=12)
names = text.filter(lambda name: name and name != "__metadata__")
dtypes = st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.int8, torch.int64, torch.bool])


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        names, st.tuples(dtypes, st.lists(st.integers(0, 3), max_size=3), st.integers(0, 99)), max_size=5
    ),
    st.dictionaries(text, text, max_size=4),
)
def test_after_load_and_save(tmp_path_factory, content, metadata) -> None:
    folder = tmp_path_factory.mktemp("c")
    tensors = {name: torch.full(shape, value).to(dtype) for name, (dtype, shape, value) in content.items()}
    first = write_safetensors(folder / "1", tensors, metadata)
    header = read_header(folder / "1")
    assert dict(header.metadata) == metadata
    second = write_safetensors(folder / "2", read_tensors(folder / "1"), header.metadata)
    assert first == second == file_sha256(folder / "2")
    # and through the official writer, whose own bytes may differ: what it says is what is written
    if tensors:
        safetensors.torch.save_file(safetensors.torch.load_file(folder / "1"), folder / "3", metadata or None)
        again = read_header(folder / "3")
        assert write_safetensors(folder / "4", read_tensors(folder / "3"), again.metadata) == first
