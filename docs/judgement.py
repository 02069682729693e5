"""Write the page of everything that rests on judgement: ``python docs/judgement.py``; a test holds it current.

Values, priors and notes come from the declarations of the model, the constants from the modules that use them.
"""

import importlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

import numpy as np

from pysd_runner.core.paths import model_file
from pysd_runner.engine.ir import Table
from pysd_runner.evidence.ledger import unsupported_costs
from pysd_runner.model import Model, load_model
from pysd_runner.spec import Measurement, ModelSpec, Parameter, Prior, RegionInput
from pysd_runner.spec.declarations import PlausibleRange

PAGE = Path(__file__).with_name("judgement.md")
MODEL = "regional_digital"
MIXES = ("Uniform Mix", "Mix by Class")

ROLES = {
    "FREE": "Parameters a panel is asked for first: where their priors are centred",
    "FREE*": "Effects that a panel hardly moves",
    "FIX": "Parameters estimated with them, which mostly keep their priors",
    "COST": "Unit costs: the ranking of levers rests on them",
    "ASM": "Assumptions without any estimate: show results with and without them",
    "POL": "Choices of policy and design: set, never drawn",
}

# Roles whose notes stand on the page: what they declare is decided here and hardly by a panel.
EXPLAINED = ("FREE*", "COST", "ASM")

# Numbers outside the declarations that somebody chose: module, name, what it decides.
CHOSEN = (
    (
        "pysd_runner.study.region_inputs",
        "ACCESS_SHARE_OF_CEILING",
        "access where nothing observes it, as a share of what incomes can afford",
    ),
    (
        "pysd_runner.study.region_inputs",
        "SHARPNESS",
        "how closely an inferred share follows the lower of itself and its ceiling",
    ),
    ("pysd_runner.study.region_inputs", "MOMENTUM_GAIN", "share of last year's extra growth that is taken as momentum"),
    ("pysd_runner.study.region_inputs", "NEAR_YEARS", "years within which an indicator still says how regions differ"),
    ("pysd_runner.study.draws", "DEGREES_OF_FREEDOM", "degrees of freedom of the shocks to regional growth"),
    ("pysd_runner.study.draws", "WINDOW", "years of the panel that speak about the size of shocks"),
    (
        "pysd_runner.study.draws",
        "TYPICAL_SD",
        "yearly standard deviation of shocks where the panel is too short to tell",
    ),
    (
        "pysd_runner.indicators.selection",
        "TENTH",
        "share of the largest mean effect within which policies count as as good",
    ),
    (
        "pysd_runner.indicators.selection",
        "VISIBLE",
        "probability of an effect from which on a policy helps visibly, if its mean is within two errors of none",
    ),
    (
        "pysd_runner.policy.ranking",
        "TOLERANCE",
        "loss of a region's output per head, per cent, tolerated where fewer than three policies keep the constraints",
    ),
    (
        "pysd_runner.reports.headline",
        "MIN_SHARE",
        "share of draws in which money by need must do better by all measures to be said to",
    ),
    ("pysd_runner.data.coverage", "GAIN", "region-years must be multiplied by this before regions are left out"),
    ("pysd_runner.data.coverage", "OLDEST", "years of news that are given up rather than leaving regions out"),
    ("pysd_runner.data.checks", "JUMP", "factor of a yearly change from which on a value is doubted"),
    ("pysd_runner.data.checks", "LEAP", "factor of a yearly change that is taken for another unit"),
    ("pysd_runner.data.checks", "STRANGE", "factor from the middle region that is taken for another unit"),
    ("pysd_runner.data.coverage", "MAX_WINDOW", "years a calibration looks back at most"),
    (
        "calibration.fitting.window",
        "MIN_WINDOW",
        "years below which an indicator does not decide where the window starts",
    ),
    (
        "calibration.observation.build",
        "RECOUNTED",
        "change of log population against the years around it from which on a region may have been counted anew",
    ),
    ("calibration.observation.build", "USUAL_DEPARTURES", "the same in multiples of the region's usual departures"),
    ("calibration.observation.noise", "HUBER_K", "standard deviations beyond which a cell counts less in the fit"),
    (
        "calibration.observation.estimation",
        "PRIOR_OBSERVATIONS",
        "observations the declared error of a series counts for",
    ),
    (
        "calibration.observation.estimation",
        "PRIOR_PAIRS",
        "pairs of years without persistence that are added when the persistence of errors is estimated",
    ),
    (
        "calibration.fitting.estimates",
        "LEAST_SHOWN",
        "contraction from which on tables show a parameter that a panel is not asked for first",
    ),
    ("calibration.fitting.estimates", "EVIDENCE", "contraction from which on a phrase says what an estimate rests on"),
    ("calibration.evaluation.fit", "BIAS", "share of bias in squared errors above which they are systematic"),
    ("calibration.evaluation.fit", "LEVEL", "level of every test of residuals"),
    ("calibration.evaluation.structure", "LEAST_CHANGE", "share of its own variation a loop must move an outcome by"),
    ("calibration.evaluation.evaluate", "TOLERANCE", "integration error, relative to the largest value, that may be"),
    ("calibration.evaluation.sensitivity", "CHANGE", "share by which one parameter at a time is moved"),
)

START = """\
# What rests on judgement

A number rests on judgement where nobody has published or measured it as an estimate of this quantity; somebody
weighed what is known and wrote it down. Most of the model is of that kind. This page lists all of it, so that a reader
can disagree: change a value with a scenario's `assumptions`, with `values` of a calibration, or in `model.toml`, and
look at what follows. What each rests on stands here where a panel hardly decides it; the last table has what was read
for each parameter, and `gapsim list q_a` shows its value, bounds and equation.

The page is written by `python docs/judgement.py` from the declarations; nothing here is typed by hand.
"""


def page(model: Model) -> str:
    """The page as Markdown.

    Parameters
    ----------
    model
        A model with declarations.
    """
    spec = model.spec
    assert spec is not None  # noqa: S101
    judged = [item for item in spec.parameters.values() if item.judgement]
    others = [item for item in spec.parameters.values() if not item.judgement]
    parts = [
        START,
        f"Of {len(spec.parameters)} parameters, {len(judged)} are judgement. The others have a published estimate: "
        f"{'; '.join(f'{item.variable or item.en} ({item.value:g})' for item in others)}.\n",
    ]
    for role, title in ROLES.items():
        columns = len(_PARAMETER) if role in EXPLAINED else len(_PARAMETER) - 1
        rows = (_parameter_row(item)[:columns] for item in judged if item.role == role)
        parts.append(_section(title, _PARAMETER[:columns], rows))
    parts.append(_section("Where a panel says nothing: start values of the regions", _INPUT, _input_rows(spec)))
    parts.append(
        _section("How a panel is believed: the declared errors", _ERROR, map(_error_row, spec.measurements.values()))
    )
    parts.append(_section("What a policy may plausibly do", _RANGE, map(_plausible_row, spec.plausible.values())))
    header = ("lever", f"{MIXES[0]}: the same for all", *(f"{MIXES[1]}: {name}" for name in model.ranges["Class"]))
    parts.append(_section("Mixes that stand for a kind of policy", header, _mix_rows(model)))
    parts.append(_section("Numbers of the procedure", ("constant", "value", "what it decides"), _constant_rows()))
    sources = ((f"`{item.key}`", "; ".join(map(cited, item.sources))) for item in spec.parameters.values())
    parts.append(_section("What was read", ("parameter", "sources"), (row for row in sources if row[1])))
    return "\n".join(parts)


_PARAMETER = ("parameter", "value", "prior", "what it rests on")
_INPUT = ("start value", "without an observation", "what that rests on")
_RANGE = ("effect", "range", "what it rests on")
_ERROR = ("observation", "standard deviation", "what it rests on")


def _section(title: str, header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A heading and a table; nothing without rows."""
    lines = [_line(row) for row in rows]
    names = list(header)
    return "\n".join([f"## {title}\n", _line(names), _line(["---"] * len(names)), *lines, ""]) if lines else ""


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _parameter_row(item: Parameter) -> tuple[str, ...]:
    sources = f" Read: {', '.join(f'`{key}`' for key in item.sources)}." if item.sources else ""
    prior = prior_words(item.prior)
    marked = " No evidence: fewer than two sources in this unit." if item.key in unsupported_costs(MODEL) else ""
    return (
        f"{item.variable or item.en} (`{item.key}`)",
        f"{item.value:g} {item.unit}",
        prior,
        item.note + sources + marked,
    )


def _input_rows(spec: ModelSpec) -> Iterator[tuple[str, ...]]:
    for item in spec.inputs.values():
        if item.rule != "required":
            yield (f"{item.variable} (`{item.key}`)", _filling(item), item.note)


def _filling(item: RegionInput) -> str:
    if item.proxy is not None:
        level = f"`{item.proxy.level}`" if isinstance(item.proxy.level, str) else f"{item.proxy.level:g}"
        level += f" of `{item.proxy.of}`" if item.proxy.of else ""
        return f"{level}, spread by {', '.join(f'`{name}`' for name in item.proxy.indicators)}"
    return "equal shares" if item.fallback is None else f"{item.fallback:g} {item.unit}"


def _error_row(item: Measurement) -> tuple[str, ...]:
    size = f"{item.sd:g}, not estimated again" if item.errors.known else f"{item.sd:g}"
    return (f"{item.en} (`{item.key}`)", size, item.note)


def _plausible_row(item: PlausibleRange) -> tuple[str, ...]:
    return (f"{item.en} (`{item.key}`)", f"{item.lower:g} to {item.upper:g}", item.note)


def _mix_rows(model: Model) -> Iterator[tuple[str, ...]]:
    """A row a lever: its share in the uniform mix and in that of each class."""
    uniform, by_class = (np.array(_table(model, name)) for name in MIXES)
    for lever, same, shares in zip(model.ranges["Lever"], uniform, by_class, strict=True):
        yield (lever, f"{same:g}", *(f"{share:g}" for share in shares))


def _table(model: Model, name: str) -> np.ndarray:
    expression = model.variables[name].blocks[0].expression
    assert isinstance(expression, Table)  # noqa: S101
    return np.reshape(expression.values, expression.shape)


def _constant_rows() -> Iterator[tuple[str, ...]]:
    for module, name, text in CHOSEN:
        value = getattr(importlib.import_module(module), name)
        if isinstance(value, int | float):
            shown = f"{value:g}"
        else:
            shown = "; ".join(f"{at:g} {words.format(source='panel')}" for at, words in value)
        yield (f"`{module}.{name}`", shown, text)


def prior_words(prior: Prior | None) -> str:
    """A prior in words, as in ``lognormal: median 0.35, sdlog 0.5``."""
    if prior is None:
        return "none: compared, not drawn"
    family = type(prior).__name__.lower()
    shown = [item.name for item in fields(prior) if family == "uniform" or item.name not in ("lower", "upper")]  # type: ignore[arg-type]
    return f"{family}: {', '.join(f'{name} {getattr(prior, name):g}' for name in shown)}"


_ENTRY = re.compile(r"^@\w+\{(?P<key>[^,\s]+),(?P<body>.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s*(?P<name>\w+)\s*=\s*\{(?P<text>.*)\},?\s*$", re.MULTILINE)


def cited(key: str) -> str:
    """One-line citation of a reference."""
    entry = _entries().get(key, {})
    authors = _authors(entry.get("author", ""))
    dated = " ".join(part for part in (authors, f"({entry['year']})" if "year" in entry else "") if part)
    text = ": ".join(part for part in (dated, entry.get("title", "")) if part)
    return f"{key}: {text}" if text else key


@cache
def _entries() -> dict[str, dict[str, str]]:
    text = (model_file(MODEL).parent / "references.bib").read_text(encoding="utf-8")
    return {
        match["key"]: {field["name"].lower(): _plain(field["text"]) for field in _FIELD.finditer(match["body"])}
        for match in _ENTRY.finditer(text)
    }


def _plain(text: str) -> str:
    return " ".join(text.replace("{", "").replace("}", "").replace("--", "-").split())


def _authors(text: str) -> str:
    names = [name.partition(",")[0].strip() for name in text.split(" and ") if name.strip()]
    return f"{names[0]} et al." if len(names) > 2 else " and ".join(names)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(load_model(MODEL)), encoding="utf-8")


if __name__ == "__main__":
    main()
