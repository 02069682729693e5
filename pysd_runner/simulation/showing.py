"""How results are shown: one line for a prompt, and their axis of time."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.ir import FINAL_TIME, INITIAL_TIME, TIME_STEP
from pysd_runner.model import Model


def one_line(
    kind: str, outcomes: Collection[str], cases: tuple[int, int], years: NDArray[np.float64], made: Mapping[str, Any]
) -> str:
    """Say what results are, on one line."""
    names = next(iter(outcomes)) if len(outcomes) == 1 else f"{len(outcomes)} outcomes"
    scenarios, draws = (
        f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in zip(cases, _NOUNS, strict=True)
    )
    moments = f"{years.size} moments from {years[0]:g} to {years[-1]:g}" if years.size else "no moments"
    source = f" of {made['model']!r}" if "model" in made else ""
    engine = f", engine {made['engine']}" if "engine" in made else ""
    return f"<{kind}{source}: {names}, {scenarios} x {draws}, {moments}{engine}>"


_NOUNS = ("scenario", "draw")


def time_unit(model: Model) -> str:
    """Unit of time of a model, as its controls give it."""
    units = (model.ir.variables[name].unit for name in (TIME_STEP, INITIAL_TIME, FINAL_TIME))
    return next((unit for unit in units if unit), "")


def labels(model: Model, names: Iterable[str]) -> dict[str, Any]:
    """What every result says of its variables: subscript ranges, units, elements of the ranges, unit of time."""
    known = {name: model.ir.variables[name] for name in names}
    return {
        "dims": {name: item.dims for name, item in known.items()},
        "units": {name: item.unit for name, item in known.items()},
        "ranges": model.ir.ranges,
        "time_unit": time_unit(model),
    }


def time_axis(years: NDArray[np.float64], unit: str) -> tuple[str, NDArray[np.float64], dict[str, str]]:
    """The coordinate of saved moments for a labelled data set."""
    return "year", years, {"units": unit} if unit else {}
