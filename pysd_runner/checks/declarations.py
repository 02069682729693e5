"""Declared checks of a model, in the ``checks.toml`` in its folder: behaviour rules and experiments."""

from dataclasses import field, replace
from pathlib import Path
from typing import Literal, get_args

from pysd_runner.core.errors import InvalidModel, Message
from pysd_runner.core.types import Numbers, frozen
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


@frozen
class BehaviourRule:
    """A condition that must hold in every run.

    Parameters
    ----------
    name
        Name of the rule, unique in its file.
    kind
        ``finite``: no value is NaN or infinite; ``non_negative``: none is below zero; ``at_most``: none is above
        `bound`; ``ordered``: each variable is at most the next; ``sums_to``: the sum over the subscript range `over`
        is `value`; ``conserved``: the sum over all elements does not change over time.
    variables
        Names of the variables; ``"*"`` stands for every saved one.
    tolerance
        Allowed deviation; relative to the largest absolute value of the variable if that is above one.
    bound
        Upper bound, for ``at_most``.
    over
        Subscript range to sum over, for ``sums_to``.
    value
        Value of the sum, for ``sums_to``.
    when
        Values of variables; the rule applies only to cases with these values.
    en, zh
        The rule in words, in English and Chinese.
    """

    name: str
    kind: Kind
    variables: tuple[str, ...] = ()
    tolerance: float = 0.0
    bound: float | None = None
    over: str = ""
    value: float | None = None
    when: Numbers = field(default_factory=dict)
    en: str = ""
    zh: str = ""


@frozen
class Expectation:
    """A condition that a test input must imply."""

    variable: str  # name in the model
    relation: Relation = field(metadata=named("is"))
    over: Over = "every"
    bound: float | None = None  # for ``at most`` and ``at least``, in the unit of the variable
    tolerance: float = 1e-9  # allowed deviation


@frozen
class Pulse:
    """An input that differs from its base value for one year."""

    variable: str
    size: float  # value in that year, in the unit of the input
    highest_of: str = ""  # variable whose largest element selects the pulsed element; empty for all elements


@frozen
class Experiment:
    """A test input and the conditions it must imply.

    Parameters
    ----------
    kind
        ``extreme``: the behaviour rules must hold as well; ``reality``: only the expectations are tested.
    name
        Name of the experiment, unique in its file.
    values
        The test input: inputs and parameters by name or key, one number for all elements.
    given
        Inputs that are also set in the run without the test input.
    pulse
        An input that peaks one year after the start and returns to its base value a year later, or None.
    regions
        Number of regions kept; None for all.
    is_alike
        Whether all regions have the inputs of the first.
    years
        Length of the run.
    expectations
        Conditions that must hold.
    en, zh
        The experiment in words, in English and Chinese.
    """

    kind: Literal["extreme", "reality"] = field(default="extreme", metadata=NOT_READ)
    name: str
    values: Numbers = field(default_factory=dict)
    given: Numbers = field(default_factory=dict)
    pulse: Pulse | None = None
    regions: int | None = None
    is_alike: bool = field(default=False, metadata=named("alike"))
    years: float = YEARS
    expectations: tuple[Expectation, ...] = field(default=(), metadata=named("expect"))
    en: str = ""
    zh: str = ""


@frozen
class SwitchableLoop:
    """A feedback loop that parameters can switch off."""

    name: str  # unique in its file
    # Parameter values that switch the loop off.
    values: Numbers = field(default_factory=dict, metadata=named("off"))
    moves: tuple[str, ...] = ()  # variables that the loop should affect
    given: Numbers = field(default_factory=dict)
    years: float = YEARS  # length of the run
    en: str = ""
    zh: str = ""


@frozen
class Balance:
    """Flows that transfer a conserved quantity, so that total outflow equals total inflow."""

    name: str  # unique in its file
    inflows: tuple[str, ...] = ()
    outflows: tuple[str, ...] = ()
    tolerance: float = 1e-9  # allowed difference, relative to the largest outflow
    en: str = ""
    zh: str = ""


@frozen
class Experiments:
    """All declared checks and experiments of a model.

    Parameters
    ----------
    extremes, realities
        Extreme conditions and reality checks.
    loops
        Loops to switch off.
    balances
        Flows that must balance.
    rules
        Behaviour rules, which must hold in every run.
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
        Rules in the order of the file.

    Raises
    ------
    InvalidModel
        If the file is missing, is not TOML, has another schema, an unknown or missing key or an invalid value. The
        message contains the path inside the file.
    """
    path = Path(path)
    rules = load_experiments(path).rules
    if not rules:
        raise InvalidModel("{name}: rule: is missing; a rule is a table that starts with [[rule]]", name=path.name)
    return rules


def rules_of(model: Model) -> tuple[BehaviourRule, ...]:
    """Behaviour rules declared for a model file.

    Parameters
    ----------
    model
        The model, from `load_model`.

    Returns
    -------
    tuple of BehaviourRule
        From ``<name of the file>.checks.toml`` or else ``checks.toml`` in its folder; empty if there is neither.

    Raises
    ------
    InvalidModel
        If the file is invalid.
    """
    found = checks_file(model)
    return () if found is None else load_rules(found)


def checks_file(model: Model) -> Path | None:
    """File with the rules and experiments of a model, or None."""
    folder = model.path.parent
    candidates = (folder / f"{model.path.stem}.{FILE}", folder / FILE)
    return next((path for path in candidates if path.is_file()), None)


def experiments_of(model: Model) -> Experiments:
    """Experiments declared in the ``checks.toml`` of a model file.

    Parameters
    ----------
    model
        The model, from `load_model`.

    Returns
    -------
    Experiments
        The experiments; empty if there is no such file.

    Raises
    ------
    InvalidModel
        If the file is invalid.
    """
    found = checks_file(model)
    return Experiments() if found is None else load_experiments(found)


def load_experiments(path: str | Path) -> Experiments:
    """Read all declarations of a ``checks.toml``."""
    path = Path(path)
    place = f"{path.name}: "
    content = without_schema(parsed(path, "behaviour rules"), place, SCHEMA)
    found = _READER.read(Experiments, content, place)
    return replace(found, realities=tuple(replace(item, kind="reality") for item in found.realities))


def _check_rule(rule: BehaviourRule, fail: Fail) -> None:
    names, kind = rule.variables, rule.kind
    if not names:
        fail("variables", Message('expected at least one variable, or ["*"] for all'))
    if kind == "ordered" and len(names) < 2:
        fail("variables", Message("expected two or more variables, the smallest first"))
    if EVERYTHING in names and len(names) > 1:
        fail("variables", Message('"*" stands for every variable; expected it alone'))
    if EVERYTHING in names and kind == "sums_to":
        fail("variables", Message("expected names; not every variable has the subscript range of `over`"))
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
        fail(key, Message("unknown key; it goes with {key}", key=of))


def _check_tolerance(item: BehaviourRule | Expectation, fail: Fail) -> None:
    if item.tolerance < 0:
        fail("tolerance", Message("must not be negative, found {found:g}", found=item.tolerance))


def _check_years(item: Experiment | SwitchableLoop, fail: Fail) -> None:
    if item.years <= 0:
        fail("years", Message("must be positive; found {found:g}", found=item.years))


def _check_loop(loop: SwitchableLoop, fail: Fail) -> None:
    _check_years(loop, fail)
    if not loop.values or not loop.moves:
        fail("off" if not loop.values else "moves", Message("is missing; name at least one"))


def _check_balance(balance: Balance, fail: Fail) -> None:
    if not balance.inflows or not balance.outflows:
        fail("inflows" if not balance.inflows else "outflows", Message("is missing; name at least one flow"))


def _check_file(found: Experiments, fail: Fail) -> None:
    for number, item in enumerate(found.realities, start=1):
        if not item.expectations:
            fail(
                f"reality[{number}].expect",
                Message("is missing; a reality check is a test input and what it must imply"),
            )
    for section in ("rules", "extremes", "realities", "loops", "balances"):
        names = [item.name for item in getattr(found, section)]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            fail(section, Message("two are called {name!r}; give each its own name", name=repeated))


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
