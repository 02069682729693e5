"""Compares runs of a model by our engines and PySD with a run of it that Vensim made.

``python -m tests.validation.world3 MODEL RUN``, made for World3-03: the model and Vensim's own run of it are published,
and PySD differs from Vensim where the initial value of a SMOOTH is a whole number. RUN is a table (``.csv``, ``.tab``)
or Vensim's own ``.vdf``, which needs the package pysimlin. Nothing of either stands here.
"""

import argparse
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.validation.canonical import Place, Published, columns_of, matched, read_published, variables_of
from tests.validation.conformance import ENGINES, method_of

# Vensim keeps single precision, so that its sums over hundreds of steps are good to about this, relative to the
# largest value of a variable.
AGREEMENT = 1e-4


@dataclass(frozen=True, slots=True)
class Distance:
    """Largest difference of one column: relative to its largest value, when, and both values."""

    column: str
    relative: float
    time: float
    published: float
    found: float

    def __str__(self) -> str:
        return f"{self.relative:9.2e}  {self.column} at {self.time:g}: {self.published:g} there, {self.found:g} here"


def read_run(path: Path) -> Published:
    """A run of Vensim's from a table or a ``.vdf`` file."""
    if path.suffix.lower() != ".vdf":
        return read_published(path)
    from simlin import load_vdf

    frame = load_vdf(path)
    columns = {str(name): frame[name].to_numpy(dtype=float) for name in frame.columns}
    none = np.zeros(len(frame))
    return Published(frame.index.to_numpy(dtype=float), columns, dict.fromkeys(columns, none))


def distances(
    published: Published, places: Mapping[str, Place], data: Mapping[str, np.ndarray], times: np.ndarray
) -> list[Distance]:
    """Largest difference of every column, the largest first; moments and values one side lacks are left out."""
    rows = matched(published.times, times)
    found = []
    for column, place in places.items():
        theirs = published.columns[column]
        ours = data[place.variable][(0, 0, *place.position)][rows]
        known = (rows >= 0) & np.isfinite(theirs)
        if not known.any():
            continue
        scale = np.abs(theirs[known]).max() or 1.0
        apart = np.where(known, np.abs(ours - theirs) / scale, 0.0)
        row = int(np.argmax(np.where(np.isnan(apart), np.inf, apart)))
        found.append(
            Distance(column, float(apart[row]), float(published.times[row]), float(theirs[row]), float(ours[row]))
        )
    return sorted(found, key=lambda item: -item.relative)


def compare(model_path: Path, run_path: Path, engines: Sequence[str]) -> dict[str, list[Distance]]:
    """Distances of each engine from a published run."""
    model = load_model(model_path)
    published = read_run(run_path)
    places, _ = columns_of(model, published)
    result = {}
    for engine in engines:
        wanted, method = variables_of(places), method_of(engine)
        run = simulate(model, outcomes=wanted, engine=engine, method=method, throw=False)  # type: ignore[arg-type]
        result[engine] = distances(published, places, run.data, run.years)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the largest differences; the exit code says whether our engines agree with the run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--engine", action="append", choices=ENGINES, help="only this one; may be repeated")
    parser.add_argument("--show", type=int, default=5, help="how many differences to print")
    chosen = parser.parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare(chosen.model, chosen.run, chosen.engine or ENGINES)
    for engine, found in result.items():
        beyond = sum(item.relative > AGREEMENT for item in found)
        sys.stdout.write(f"{engine}: {len(found)} columns, {beyond} differ by more than {AGREEMENT:g}\n")
        sys.stdout.writelines(f"  {item}\n" for item in found[: chosen.show])
    ours = [found for engine, found in result.items() if engine != "pysd"]
    return int(any(not item.relative <= AGREEMENT for found in ours for item in found))


if __name__ == "__main__":
    sys.exit(main())
