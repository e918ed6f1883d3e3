"""Print an evaluation as Markdown tables for the documentation, with command, commit and machine.

    dancekit evaluate zoo/weights/demo.safetensors zoo/samples/truth.mp4 --source zoo/samples/source.mp4 \
        --truth-npz zoo/samples/truth.npz --source-npz zoo/samples/source.npz --ladder \
        --out demo/evaluation
    python tools/evaluation_table.py demo/evaluation >> docs/evaluate.md
"""

from __future__ import annotations

import sys
from pathlib import Path

from dancekit.evaluate.compare import load_evaluation
from dancekit.evaluate.tables import cost_table, ladder_table, markdown, missing_notes, score_table


def main() -> None:
    """Print the tables of the folder named."""
    evaluation = load_evaluation(Path(sys.argv[1]))
    facts = evaluation.environment
    protocol = evaluation.protocol
    print(
        f"Protocol `{protocol['name']}`, version {protocol['version']}: {evaluation.frames} frames of "
        f"{evaluation.size[0]}x{evaluation.size[1]}, `{facts['command']}`, commit {facts['commit'][:12]}, dancekit "
        f"{facts['dancekit']}, torch {facts['torch']}, {facts['processor']}, {facts['device']}.\n"
    )
    for table in (score_table(evaluation), ladder_table(evaluation), cost_table(evaluation)):
        if table is not None:
            print(markdown(table) + "\n")
    for text in (*missing_notes(evaluation), *evaluation.warnings):
        print(f"- {text}")


if __name__ == "__main__":
    main()
