"""Explorer page of any model: one HTML file that runs it in the browser, with its constants as sliders."""

import base64
import gzip
import html
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.resources import files
from itertools import islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Interval, Record, Texts, frozen
from pysd_runner.data import Data
from pysd_runner.engine import Task, TimePath
from pysd_runner.engine.ir import ModelIr, key
from pysd_runner.model import Model, facts_of
from pysd_runner.simulation.run import constant_values, located
from pysd_runner.simulation.task import prepared
from pysd_runner.spec import DeclaredLever, FittedParameters, Parameter
from pysd_runner.spec.own import Fact
from pysd_runner.study.inputs import inputs_of
from pysd_runner.study.projection import outcomes_of
from pysd_runner.study.values import observed_of
from pysd_runner.text import LANGUAGES, in_both, texts, translate

DIMENSIONLESS = "Dmnl"

# Scripts in the order in which they are loaded; shared ones also run in web workers.
SHARED = ("engine.js", "running.js")
SCRIPTS = ("summaries.js", "drawing.js", "reading.js", "constants.js", "policy.js", "page.js")


@frozen
class Explored:
    """Contents of an explorer page: the task it runs, and the plain data it shows."""

    model: Model
    task: Task
    title: Texts
    seed: int
    draws: int
    times: Sequence[float]
    origin: float | None = None  # time at which observations end and the run begins
    saved: Sequence[str]  # names of the saved outputs, in the order of the task
    outcomes: Sequence[Record]  # outcomes that can be plotted
    constants: Sequence[Record]  # sliders by group
    sections: Record  # optional parts of a page: policies, regions, whether a forecast is followed


@dataclass(slots=True)
class PackedNumbers:
    """Collects arrays of numbers, each identified by its offset and size."""

    parts: list[Array] = field(default_factory=list)
    size: int = 0

    def add(self, values: Any) -> list[int]:
        """Append values; return their offset and size."""
        flat = np.ascontiguousarray(values, dtype="<f8").ravel()
        self.parts.append(flat)
        self.size += flat.size
        return [self.size - flat.size, flat.size]

    def text(self) -> str:
        """All numbers without loss: the first bytes of all, then the second ones and so on, compressed, in base 64."""
        whole = np.concatenate(self.parts) if self.parts else np.zeros(0, dtype="<f8")
        # Signs and exponents of neighbouring numbers are similar, so that they compress much better side by side.
        shuffled = whole.view(np.uint8).reshape(-1, 8).T.tobytes()
        return packed(shuffled)


def page_of(explored: Explored, *, lang: str = "en", command: str = "") -> str:
    """Write a page that opens in language `lang`; `command` is the shell command that runs a scenario saved from it."""
    program, numbers = explored.task.for_browsers(), PackedNumbers()
    inputs = input_records(program.inputs, numbers)
    data = {
        "title": explored.title,
        "command": command,
        "model": {"name": explored.model.name, "sha256": explored.model.sha256},
        "seed": explored.seed,
        "draws": explored.draws,
        "program": dict(program.record),
        "inputs": inputs,
        "times": explored.times,
        "origin": explored.origin,
        "saved": explored.saved,
        "outcomes": explored.outcomes,
        "constants": explored.constants,
        **explored.sections,
        "gapsim": version("gapsim"),
        "lang": lang,
        "texts": {item: dict(texts(item, "explorer")) for item in LANGUAGES},
        "code": packed(program.module.code),
        "numbers": numbers.text(),
    }
    parts = {
        "lang": {"zh": "zh-CN"}.get(lang, lang),
        "title": html.escape(explored.title[lang]),
        "script": translate("page.script", lang),
        "style": _asset("page.css"),
        "data": _inert(json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))),
        "shared": "\n".join(_asset(name) for name in SHARED),
        "scripts": "\n".join(_asset(name) for name in SCRIPTS),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _asset("page.html"))


def packed(data: bytes) -> str:
    """Compress bytes reproducibly, and encode them in base 64."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode("ascii")


def input_records(inputs: Record, numbers: PackedNumbers) -> list[dict[str, Any]]:
    """Records of the inputs of a module, with values in the layout (time, draw, cell)."""
    found: list[dict[str, Any]] = []
    for name, value in inputs.items():
        if isinstance(value, TimePath):
            path = {"times": value.times.tolist(), "interpolate": value.interpolate}
            found.append({"name": name, "values": numbers.add(value.values[:, 0]), "path": path})
        else:
            found.append({"name": name, "values": numbers.add(value[0]), "path": None})
    return found


def _asset(name: str) -> str:
    return files("pysd_runner.reports.explorer").joinpath("assets", name).read_text(encoding="utf-8")


def _inert(text: str) -> str:
    """Escape JSON, so that no name in it can end the script element that contains it."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


# Maximum number of sliders, and of elements of an outcome that can be chosen.
MOST_SLIDERS, MOST_ELEMENTS = 24, 60

# Range of factors for estimated constants, and largest multiple of the value of other constants.
FACTORS, FARTHEST = (0.0, 2.0), 2.0


def constants_explored(
    model: Model,
    data: Data | None = None,
    fitted: FittedParameters | None = None,
    *,
    until: float | None = None,
    draws: int = 32,
    seed: int = 0,
    outcomes: Sequence[str] | None = None,
) -> Explored:
    """Contents of the page of any model: its constants as sliders, and its outcomes with the data."""
    inputs = inputs_of(model, data, fitted, until=until, draws=draws, seed=seed)
    run_model, common, (start, stop) = inputs.run_model, inputs.common.values, inputs.bounds
    observed = observed_of(model, data, fitted)
    names = outcomes_of(model, outcomes, observed, inputs.design)
    if outcomes is None:
        names = [*(name for name in inputs.design.leading if name in names), *names]
    names = list(dict.fromkeys(names))
    if not names:
        raise InvalidInput("{model} has no stock to draw; name outcomes with --outcome", model=model.path.name)
    sliders = list(islice(_sliders(model, common), MOST_SLIDERS))
    levers = {item.element for item in model.declarations.levers.values()}
    values = {**{item["variable"]: constant_values(model, item["variable"]) for item in sliders}, **common}
    task = prepared(run_model, values, start=start, stop=stop, outcomes=names)
    shown = inputs.calendar.shown(task.clock.saved_times)
    if task.failed_cases(task.compute()).all():
        raise InvalidInput(
            "{model} gives no numbers with the values it starts from; try `gapsim run` first", model=model.path.name
        )
    note = "" if fitted is None else "constants_fitted"
    return Explored(
        model=model,
        task=task,
        title=in_both("explorer.title_own", model=model.name),
        seed=seed,
        draws=1 if fitted is None else draws,
        times=_plain_times(shown),
        saved=list(names),
        outcomes=[_outcome(run_model.ir, model, name) for name in names],
        constants=[
            {"title": title, "note": note if title == "constants" else "", "folded": False, "entries": entries}
            for title in ("levers", "constants")
            for entries in [[item for item in sliders if (item["name"] in levers) == (title == "levers")]]
            if entries
        ],
        sections={
            "history": list(_history(model, inputs.seen, {name: observed[name] for name in names if name in observed})),
            "dated": shown.dtype.kind == "M",
        },
    )


def _sliders(model: Model, common: Record) -> Iterator[dict[str, Any]]:
    """Sliders for the levers, then for the declared parameters, or else for the constants of the model file."""
    facts = facts_of(model.ir)
    levers = {item.element: item for item in model.declarations.levers.values() if item.element in facts}
    declared = {item.variable or key: item for key, item in model.declarations.parameters.items()}
    names = [name for name in declared if name in facts] or list(facts)
    for name in dict.fromkeys([*levers, *names]):
        fact = facts[name]
        if model.ir.variables[fact.variable].kind != "constant" or fact.value is None:
            continue
        if isinstance(common.get(fact.variable), TimePath):
            continue
        slider = _slider(model, fact, levers.get(name) or declared.get(name), common.get(fact.variable))
        if slider is not None:
            yield slider


def _slider(model: Model, fact: Fact, declared: Parameter | DeclaredLever | None, given: Any) -> dict[str, Any] | None:
    variable, position = located(model, fact.name)
    shape = model.ir.shape(model.ir.variables[variable].dims)
    relative = given is not None and np.ndim(given) > len(shape)
    lower, upper = FACTORS if relative else _range(fact, declared)
    if not lower < upper:
        return None
    label = (declared.en if declared is not None else fact.label) or fact.name
    shown = label if label == fact.name else f"{label} ({fact.name})"
    return {
        "name": fact.name,
        "variable": variable,
        "cell": None
        if position is None
        else int(np.ravel_multi_index(position, constant_values(model, variable).shape)),
        "relative": relative,
        **dict.fromkeys(LANGUAGES, shown),
        "drawn": False,
        "unit": "" if fact.unit == DIMENSIONLESS else fact.unit,
        "value": float(fact.value or 0.0),
        "lower": lower,
        "upper": upper,
    }


def _range(fact: Fact, declared: Parameter | DeclaredLever | None) -> Interval:
    """Ends of a slider: off and full on, the limits in the file, or multiples of the value within declared bounds."""
    value = float(fact.value or 0.0)
    if isinstance(declared, DeclaredLever) and declared.to is not None:
        return min(declared.off, declared.to, value), max(declared.off, declared.to, value)
    if len(fact.limits) == 2 and np.isfinite(fact.limits).all() and fact.limits[0] <= value <= fact.limits[1]:
        return float(fact.limits[0]), float(fact.limits[1])
    lower, upper = min(0.0, FARTHEST * value), max(0.0, FARTHEST * value)
    if isinstance(declared, Parameter):
        lower, upper = max(lower, declared.lower), min(upper, declared.upper)
    return lower, upper


def _outcome(ir: ModelIr, model: Model, name: str) -> Record:
    variable = ir.variables[name]
    labels = [", ".join(item) for item in product(*(ir.ranges[dim] for dim in variable.dims))]
    declared = {item.variable: item for item in model.declarations.outcomes.values()}
    label = declared[name].en if name in declared and declared[name].en else name
    elements = labels[:MOST_ELEMENTS] or [""]
    return {"key": name, **dict.fromkeys(LANGUAGES, label), "unit": variable.unit, "elements": elements}


def _plain_times(times: NDArray[Any]) -> list[float]:
    """Times as numbers, dates as days since 1970."""
    if times.dtype.kind == "M":
        times = (times - np.datetime64(0, "ns")) / np.timedelta64(1, "D")
    return [float(time) for time in np.round(times, 9)]


def _history(model: Model, table: Data | None, observed: Texts) -> Iterator[dict[str, Any]]:
    """Observations of outcomes, element by element."""
    if table is None:
        return
    times = _plain_times(table.moments)
    for name, column_name in observed.items():
        column = table.column(column_name)
        dims = model.ir.variables[name].dims
        if len(column.axes) != len(dims):
            continue
        known = [{key(item): place for place, item in enumerate(table.labels[axis])} for axis in column.axes]
        for cell, labels in enumerate(product(*(model.ir.ranges[dim] for dim in dims))):
            if not all(key(label) in places for label, places in zip(labels, known, strict=True)):
                continue
            where = tuple(places[key(label)] for label, places in zip(labels, known, strict=True))
            values = [float(value) if np.isfinite(value) else None for value in column.values[where]]
            yield {"outcome": name, "cell": cell, "times": times, "values": values}
