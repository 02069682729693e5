"""Relative scores of loops beside those of simlin: python -m benchmarks.loops MODEL...

simlin counts no loops all of whose stocks are inside of delays and smooths; the second figure is without them as well.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pysd_runner import load_model
from pysd_runner.study.links import link_scores
from pysd_runner.study.loops import MOST, Graph, loops

LARGEST = 10


def main(paths: Sequence[str]) -> None:
    """Print the largest differences, in points of 100, by model."""
    import simlin

    for path in paths:
        model = load_model(path)
        found = loops(model)
        graph = Graph(link_scores(model, None, {}), ())
        stocks = {name for name, item in model.ir.variables.items() if item.kind == "stock"}
        total = np.zeros((2, found.relative.sizes["time"]))
        for loop in graph.every(MOST) or ():
            total[int(any(name in stocks for name, _ in loop))] += np.abs(graph.score(loop))
        scale = 1 + total[0] / total[1]
        ours = {
            frozenset(map(_plain, way)): row
            for ways, row in zip(found.paths.values(), found.relative.to_numpy(), strict=True)
            for way in ways
        }
        theirs = sorted(
            simlin.load(Path(path)).analyze().loops, key=lambda item: -abs(item.average_importance() or 0.0)
        )
        rows = []
        for item in theirs[:LARGEST]:
            own = ours.get(frozenset(name for name in item.variables if not name.startswith("$")))
            if own is None:
                rows.append([np.inf, np.inf])
                continue
            series = np.asarray(item.behavior_time_series)[1 : own.size + 1]
            rows.append([100 * np.nanmax(np.abs(row[3:] - series[3:])) for row in (own, own * scale)])
        print(f"{path}: {found.counted} loops, the {len(rows)} largest differ by at most")
        for title, column in zip(("as they are", "without those"), zip(*rows, strict=True), strict=True):
            print(f"  {title:14s}", *(f"{value:.2g}" for value in column))


def _plain(name: str) -> str:
    return name.lower().replace('"', "").replace(" ", "_")


if __name__ == "__main__":
    main(sys.argv[1:])
