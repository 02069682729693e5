"""Experiments declared beside a model: extreme inputs, reality checks, loops to switch off, flows that must balance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args

from pysd_runner.checks.rules import declared_tables, rules_file
from pysd_runner.model import Model
from pysd_runner.spec.tables import Table

Kind = Literal["extreme", "reality"]
Relation = Literal[
    "zero", "constant", "rises", "falls", "alike", "as base", "below base", "above base", "at most", "at least"
]
RELATIONS: tuple[Relation, ...] = get_args(Relation)
BOUNDED = ("at most", "at least")

Over = Literal["every", "others", "pulsed", "mean"]
OVERS: tuple[Over, ...] = get_args(Over)

YEARS = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """What a test input must imply."""

    variable: str  # name in the model
    relation: Relation
    over: Over = "every"
    bound: float | None = None  # for ``at most`` and ``at least``, in the unit of the variable
    tolerance: float = 1e-9  # allowed departure


@dataclass(frozen=True, kw_only=True, slots=True)
class Pulse:
    """An input that differs from its value for one year."""

    variable: str
    size: float  # its value in that year, in its own unit
    highest_of: str = ""  # the input of which the element with the highest value is hit; empty hits all elements


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiment:
    """A test input, and what it must imply.

    Parameters
    ----------
    kind
        ``extreme``: the behaviour rules must hold as well; ``reality``: the expectations alone are tested.
    name
        Unique in its file.
    values
        The test input: inputs and parameters by name or key, one number for all elements.
    given
        Inputs that hold in the run without the test input as well.
    pulse
        One input that differs for a year, from one year after the start on; None for none.
    regions
        How many regions are kept; None keeps all.
    is_alike
        Whether every region gets the inputs of the first.
    years
        How long it runs.
    expectations
        What must follow.
    en, zh
        The experiment in words.
    """

    kind: Kind
    name: str
    values: Mapping[str, float]
    given: Mapping[str, float] = field(default_factory=dict)
    pulse: Pulse | None = None
    regions: int | None = None
    is_alike: bool = False
    years: float = YEARS
    expectations: tuple[Expectation, ...] = ()
    en: str = ""
    zh: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loop:
    """A feedback loop that parameters can switch off."""

    name: str  # unique in its file
    values: Mapping[str, float]  # parameters and the values that switch the loop off
    moves: tuple[str, ...]  # variables that the loop is there to move
    given: Mapping[str, float] = field(default_factory=dict)
    years: float = YEARS  # how long it runs
    en: str = ""
    zh: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    """Flows that only move something: what leaves in one place arrives in another."""

    name: str  # unique in its file
    inflows: tuple[str, ...]
    outflows: tuple[str, ...]
    tolerance: float = 1e-9  # allowed difference, relative to the largest outflow
    en: str = ""
    zh: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiments:
    """Everything a model declares to be tried on it.

    Parameters
    ----------
    extremes, realities
        Test inputs.
    loops
        Loops to switch off.
    balances
        Flows that must balance.
    """

    extremes: tuple[Experiment, ...] = ()
    realities: tuple[Experiment, ...] = ()
    loops: tuple[Loop, ...] = ()
    balances: tuple[Balance, ...] = ()


def experiments_of(model: Model) -> Experiments:
    """Experiments that stand in the ``checks.toml`` beside a model file.

    Parameters
    ----------
    model
        What `load_model` returned.

    Returns
    -------
    Experiments
        Empty when there is no such file.

    Raises
    ------
    InvalidModel
        If the file is not usable.
    """
    found = rules_file(model)
    return Experiments() if found is None else load_experiments(found)


def load_experiments(path: str | Path) -> Experiments:
    """Read the experiments of a model."""
    root = declared_tables(path)
    found = Experiments(
        extremes=tuple(_experiment(table, "extreme") for table in root.entries("extreme")),
        realities=tuple(_experiment(table, "reality") for table in root.entries("reality")),
        loops=tuple(_loop(table) for table in root.entries("loop")),
        balances=tuple(_balance(table) for table in root.entries("balance")),
    )
    for section in ("extremes", "realities", "loops", "balances"):
        names = [item.name for item in getattr(found, section)]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            root.fail(section, f"two are called {repeated!r}; give each its own name")
    return found


def _experiment(table: Table, kind: Kind) -> Experiment:
    pulse = table.table("pulse")
    regions = table.optional_number("regions")
    if regions is not None and (regions < 1 or regions != int(regions)):
        table.fail("regions", f"expected a whole number from 1, found {regions:g}")
    found = Experiment(
        kind=kind,
        name=table.text("name"),
        values=table.numbers("values"),
        given=table.numbers("given"),
        pulse=None if pulse is None else _pulse(pulse),
        regions=None if regions is None else int(regions),
        is_alike=table.flag("alike", False),
        years=_years(table),
        expectations=tuple(_expectation(item) for item in table.entries("expect")),
        en=table.text("en", ""),
        zh=table.text("zh", ""),
    )
    if kind == "reality" and not found.expectations:
        table.fail("expect", "is missing; a reality check is a test input and what it must imply")
    table.finish()
    return found


def _pulse(table: Table) -> Pulse:
    found = Pulse(variable=table.text("variable"), size=table.number("size"), highest_of=table.text("highest_of", ""))
    table.finish()
    return found


def _expectation(table: Table) -> Expectation:
    relation = cast("Relation", table.word("is", RELATIONS))
    tolerance = table.number("tolerance", 1e-9)
    if tolerance < 0:
        table.fail("tolerance", f"must not be negative, found {tolerance:g}")
    over = table.text("over", "every")
    if over not in OVERS:
        table.fail("over", f"expected one of {', '.join(OVERS)}, found {over!r}")
    found = Expectation(
        variable=table.text("variable"),
        relation=relation,
        over=over,
        bound=table.number("bound") if relation in BOUNDED else None,
        tolerance=tolerance,
    )
    table.finish()
    return found


def _loop(table: Table) -> Loop:
    found = Loop(
        name=table.text("name"),
        values=table.numbers("off"),
        moves=table.texts("moves"),
        given=table.numbers("given"),
        years=_years(table),
        en=table.text("en", ""),
        zh=table.text("zh", ""),
    )
    if not found.values or not found.moves:
        table.fail("off" if not found.values else "moves", "is missing; name at least one")
    table.finish()
    return found


def _balance(table: Table) -> Balance:
    found = Balance(
        name=table.text("name"),
        inflows=table.texts("inflows"),
        outflows=table.texts("outflows"),
        tolerance=table.number("tolerance", 1e-9),
        en=table.text("en", ""),
        zh=table.text("zh", ""),
    )
    if not found.inflows or not found.outflows:
        table.fail("inflows" if not found.inflows else "outflows", "is missing; name at least one flow")
    table.finish()
    return found


def _years(table: Table) -> float:
    years = table.number("years", YEARS)
    if years <= 0:
        table.fail("years", f"must be positive, found {years:g}")
    return years
