"""What a model declares to be checked, in the ``checks.toml`` beside it: behaviour rules and experiments."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from pysd_runner.core.errors import InvalidModel, Message
from pysd_runner.model import Model
from pysd_runner.spec.load import parsed, without_schema
from pysd_runner.spec.reader import NOT_READ, Fail, Reader, named

SCHEMA = 1
EVERYTHING = "*"
FILE = "checks.toml"

Kind = Literal["finite", "non_negative", "at_most", "ordered", "sums_to", "conserved"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Relation = Literal[
    "zero", "constant", "rises", "falls", "alike", "as base", "below base", "above base", "at most", "at least"
]
BOUNDED = ("at most", "at least")
Over = Literal["every", "others", "pulsed", "mean"]

YEARS = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class BehaviourRule:
    """One thing that must hold in every run.

    Parameters
    ----------
    name
        What the rule is called, unique in its file.
    kind
        ``finite``: no value is NaN or infinite; ``non_negative``: none is below zero; ``at_most``: none is above
        `bound`; ``ordered``: each variable is at most the next; ``sums_to``: the sum over the subscript range `over`
        is `value`; ``conserved``: the sum over all elements does not change over time.
    variables
        Names of the variables; ``"*"`` stands for every saved one.
    tolerance
        Allowed departure; relative to the largest magnitude of the variable where that is above one.
    bound
        For ``at_most``.
    over
        For ``sums_to``, a subscript range.
    value
        For ``sums_to``.
    when
        The rule is applied only where these variables have these values.
    en, zh
        The rule in words.
    """

    name: str
    kind: Kind
    variables: tuple[str, ...] = ()
    tolerance: float = 0.0
    bound: float | None = None
    over: str = ""
    value: float | None = None
    when: Mapping[str, float] = field(default_factory=dict)
    en: str = ""
    zh: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """What a test input must imply."""

    variable: str  # name in the model
    relation: Relation = field(metadata=named("is"))
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

    kind: Literal["extreme", "reality"] = field(default="extreme", metadata=NOT_READ)
    name: str
    values: Mapping[str, float] = field(default_factory=dict)
    given: Mapping[str, float] = field(default_factory=dict)
    pulse: Pulse | None = None
    regions: int | None = None
    is_alike: bool = field(default=False, metadata=named("alike"))
    years: float = YEARS
    expectations: tuple[Expectation, ...] = field(default=(), metadata=named("expect"))
    en: str = ""
    zh: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SwitchableLoop:
    """A feedback loop that parameters can switch off."""

    name: str  # unique in its file
    # Parameters and the values that switch the loop off.
    values: Mapping[str, float] = field(default_factory=dict, metadata=named("off"))
    moves: tuple[str, ...] = ()  # variables that the loop is there to move
    given: Mapping[str, float] = field(default_factory=dict)
    years: float = YEARS  # how long it runs
    en: str = ""
    zh: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    """Flows that only move something: what leaves in one place arrives in another."""

    name: str  # unique in its file
    inflows: tuple[str, ...] = ()
    outflows: tuple[str, ...] = ()
    tolerance: float = 1e-9  # allowed difference, relative to the largest outflow
    en: str = ""
    zh: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiments:
    """Everything a model declares to be checked and tried on it.

    Parameters
    ----------
    extremes, realities
        Test inputs.
    loops
        Loops to switch off.
    balances
        Flows that must balance.
    rules
        What must hold in every run.
    """

    extremes: tuple[Experiment, ...] = field(default=(), metadata=named("extreme"))
    realities: tuple[Experiment, ...] = field(default=(), metadata=named("reality"))
    loops: tuple[SwitchableLoop, ...] = field(default=(), metadata=named("loop"))
    balances: tuple[Balance, ...] = field(default=(), metadata=named("balance"))
    rules: tuple[BehaviourRule, ...] = field(default=(), metadata=named("rule"))


def load_rules(path: str | Path) -> tuple[BehaviourRule, ...]:
    """Read the behaviour rules of a model.

    Parameters
    ----------
    path
        A ``checks.toml``, schema 1.

    Returns
    -------
    tuple of BehaviourRule
        In the order of the file.

    Raises
    ------
    InvalidModel
        If the file is missing, is not TOML, has another schema, an unknown or missing key or a wrong value. The message
        carries the path inside the file.
    """
    path = Path(path)
    rules = load_experiments(path).rules
    if not rules:
        raise InvalidModel(f"{path.name}: rule: is missing; a rule is a table that starts with [[rule]]")
    return rules


def rules_of(model: Model) -> tuple[BehaviourRule, ...]:
    """Behaviour rules that stand beside a model file.

    Parameters
    ----------
    model
        What `load_model` returned.

    Returns
    -------
    tuple of BehaviourRule
        From ``<name of the file>.checks.toml`` or else ``checks.toml`` in its folder; empty when there is neither.

    Raises
    ------
    InvalidModel
        If the file is not usable.
    """
    found = checks_file(model)
    return () if found is None else load_rules(found)


def checks_file(model: Model) -> Path | None:
    """File that holds the rules and experiments of a model."""
    folder = model.path.parent
    candidates = (folder / f"{model.path.stem}.{FILE}", folder / FILE)
    return next((path for path in candidates if path.is_file()), None)


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
    found = checks_file(model)
    return Experiments() if found is None else load_experiments(found)


def load_experiments(path: str | Path) -> Experiments:
    """Read everything that a ``checks.toml`` declares."""
    path = Path(path)
    place = f"{path.name}: "
    content = without_schema(parsed(path, "behaviour rules"), place, SCHEMA)
    found = _READER.read(Experiments, content, place)
    return replace(found, realities=tuple(replace(item, kind="reality") for item in found.realities))


def _check_rule(rule: BehaviourRule, fail: Fail) -> None:
    names, kind = rule.variables, rule.kind
    if not names:
        fail("variables", 'expected at least one variable, or ["*"] for all')
    if kind == "ordered" and len(names) < 2:
        fail("variables", "expected two or more variables, the smallest first")
    if EVERYTHING in names and len(names) > 1:
        fail("variables", '"*" stands for every variable; expected it alone')
    if EVERYTHING in names and kind == "sums_to":
        fail("variables", "expected names; not every variable has the subscript range of `over`")
    _check_tolerance(rule, fail)
    for key, needs in (("bound", "at_most"), ("over", "sums_to"), ("value", "sums_to")):
        _check_goes_with(key, getattr(rule, key), kind == needs, f'kind = "{needs}"', fail)


def _check_expectation(item: Expectation, fail: Fail) -> None:
    _check_tolerance(item, fail)
    _check_goes_with("bound", item.bound, item.relation in BOUNDED, f"is = {' or '.join(BOUNDED)}", fail)


def _check_goes_with(key: str, value: object, is_wanted: bool, of: str, fail: Fail) -> None:
    has = value not in (None, "")
    if is_wanted and not has:
        fail(key, Message("is missing"))
    if has and not is_wanted:
        fail(key, f"unknown key; it goes with {of}")


def _check_tolerance(item: BehaviourRule | Expectation, fail: Fail) -> None:
    if item.tolerance < 0:
        fail("tolerance", f"must not be negative, found {item.tolerance:g}")


def _check_years(item: Experiment | SwitchableLoop, fail: Fail) -> None:
    if item.years <= 0:
        fail("years", f"must be positive, found {item.years:g}")


def _check_loop(loop: SwitchableLoop, fail: Fail) -> None:
    _check_years(loop, fail)
    if not loop.values or not loop.moves:
        fail("off" if not loop.values else "moves", "is missing; name at least one")


def _check_balance(balance: Balance, fail: Fail) -> None:
    if not balance.inflows or not balance.outflows:
        fail("inflows" if not balance.inflows else "outflows", "is missing; name at least one flow")


def _check_file(found: Experiments, fail: Fail) -> None:
    for number, item in enumerate(found.realities, start=1):
        if not item.expectations:
            fail(f"reality[{number}].expect", "is missing; a reality check is a test input and what it must imply")
    for section in ("rules", "extremes", "realities", "loops", "balances"):
        names = [item.name for item in getattr(found, section)]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            fail(
                section, f"two {'rules ' if section == 'rules' else ''}are called {repeated!r}; give each its own name"
            )


_READER = Reader(
    checks={
        Balance: _check_balance,
        Expectation: _check_expectation,
        Experiment: _check_years,
        SwitchableLoop: _check_loop,
        BehaviourRule: _check_rule,
        Experiments: _check_file,
    }
)
