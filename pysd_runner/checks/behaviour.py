"""Check whether a model can run, and whether its runs satisfy the declared behaviour rules."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from pysd_runner.checks.declarations import EVERYTHING, BehaviourRule, Kind, rules_of
from pysd_runner.checks.dimensions import EquationProblem, check_dimensions
from pysd_runner.core.errors import InvalidInput, InvalidModel, Message, ProbableSlip, UnknownName, suggest
from pysd_runner.core.types import Array, Flags, frozen
from pysd_runner.engine import plan, read_undefined
from pysd_runner.engine.ir import key
from pysd_runner.model import Model
from pysd_runner.simulation import Run
from pysd_runner.simulation.task import prepared


@frozen
class BehaviourProblem:
    """The violation of a rule by a variable; if there are several, the largest.

    Parameters
    ----------
    rule
        Name of the rule.
    variable
        Name of the variable.
    element
        Element of the variable; empty for a variable without subscripts or a sum over all.
    year
        Time of the violation.
    scenario, draw
        Indices of scenario and draw, counted from zero.
    value
        Value found, in the unit of the variable.
    bound
        Value allowed.
    places
        Number of values of the variable that violate the rule.
    message
        Description in one sentence.
    """

    rule: str
    variable: str
    element: str
    year: float
    scenario: int
    draw: int
    value: float
    bound: float
    places: int
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class _Finding:
    """Values of a variable to which a rule applies, the allowed values, and the excess over them."""

    # `values`, `allowed` and `excess` have the axes (scenario, draw, *dims, year); the excess is positive, or NaN,
    # where the rule is violated.

    variable: str
    dims: tuple[str, ...]
    values: Array
    allowed: Array
    excess: Array
    relation: Message


def outcomes_of(rules: Sequence[BehaviourRule]) -> tuple[str, ...]:
    """Variables that a run must save so that rules can be applied to it.

    Parameters
    ----------
    rules
        The rules, from `load_rules`.

    Returns
    -------
    tuple of str
        Names as written in the rules, each once, without ``"*"``.
    """
    named = [name for rule in rules for name in (*rule.variables, *rule.when) if name != EVERYTHING]
    return tuple(dict.fromkeys(named))


def check_behaviour(run: Run, rules: Sequence[BehaviourRule]) -> list[BehaviourProblem]:
    """Apply behaviour rules to a run.

    A NaN value violates every rule that applies to it.

    Parameters
    ----------
    run
        The run, from `simulate`; it must contain the variables of `outcomes_of`.
    rules
        The rules, from `load_rules`.

    Returns
    -------
    list of BehaviourProblem
        At most one per rule and variable, in the order of the rules; empty if all hold.

    Raises
    ------
    UnknownName
        If the run did not save a variable of a rule.
    InvalidModel
        If a rule is inconsistent with the subscripts of its variables.
    """
    problems = []
    for rule in rules:
        applies = _applies(run, rule)
        for finding in _FINDINGS[rule.kind](run, rule):
            problem = _problem(run, rule, finding, applies)
            if problem is not None:
                problems.append(problem)
    return problems


def _saved(run: Run, rule: BehaviourRule, name: str) -> str:
    known = {key(item): item for item in run.data}
    if key(name) not in known:
        raise UnknownName(
            "rule {name!r} needs {other_name!r}, which the run did not save.{suggestion} Save "
            "every variable, or those the rules name (`outcomes_of`)",
            name=rule.name,
            other_name=name,
            suggestion=suggest(name, run.data),
        )
    return known[key(name)]


def _names(run: Run, rule: BehaviourRule) -> list[str]:
    if rule.variables == (EVERYTHING,):
        return list(run.data)
    return [_saved(run, rule, name) for name in rule.variables]


def _applies(run: Run, rule: BehaviourRule) -> Flags:
    """Mask of the cases to which a rule applies, broadcastable to (scenario, draw)."""
    applies = np.ones((1, 1), dtype=bool)
    for name, wanted in rule.when.items():
        values = run.data[_saved(run, rule, name)]
        applies = applies & (values == wanted).all(axis=tuple(range(2, values.ndim)))
    return applies


def _allowance(rule: BehaviourRule, *parts: Array) -> float:
    largest = max((float(np.max(np.abs(part), initial=0.0, where=np.isfinite(part))) for part in parts), default=0.0)
    return rule.tolerance * max(1.0, largest)


def _alone(run: Run, rule: BehaviourRule) -> Iterator[_Finding]:
    """Apply a rule that concerns each value separately."""
    for name in _names(run, rule):
        values = run.data[name]
        if rule.kind == "finite":
            bound, excess, relation = np.nan, np.where(np.isfinite(values), 0.0, np.nan), Message("must be finite")
        elif rule.kind == "non_negative":
            bound, excess, relation = 0.0, -values - _allowance(rule, values), Message("must not be below")
        else:
            bound = _number(rule.bound)
            excess, relation = values - bound - _allowance(rule, values), Message("must not be above")
        yield _Finding(name, run.dims[name], values, np.full_like(values, bound), excess, relation)


def _ordered(run: Run, rule: BehaviourRule) -> Iterator[_Finding]:
    names = _names(run, rule)
    for lower, upper in pairwise(names):
        if run.dims[lower] != run.dims[upper]:
            raise InvalidModel(
                "rule {name!r}: {lower!r} and {upper!r} have different subscripts",
                name=rule.name,
                lower=lower,
                upper=upper,
            )
        values, allowed = np.broadcast_arrays(run.data[lower], run.data[upper])
        excess = values - allowed - _allowance(rule, values, allowed)
        relation = Message("must not be above {other},", other=upper)
        yield _Finding(lower, run.dims[lower], values, allowed, excess, relation)


def _sums_to(run: Run, rule: BehaviourRule) -> Iterator[_Finding]:
    wanted = _number(rule.value)
    for name in _names(run, rule):
        dims = run.dims[name]
        place = next((place for place, dim in enumerate(dims) if key(dim) == key(rule.over)), None)
        if place is None:
            has = ", ".join(dims) or "none"
            raise InvalidModel(
                "rule {name!r}: {other_name!r} has no subscript range {over!r}; it has {known}",
                name=rule.name,
                other_name=name,
                over=rule.over,
                known=has,
            )
        values = run.data[name].sum(axis=place + 2)
        excess = np.abs(values - wanted) - _allowance(rule, values)
        rest = (*dims[:place], *dims[place + 1 :])
        relation = Message("summed over {range} must be", range=rule.over)
        yield _Finding(name, rest, values, np.full_like(values, wanted), excess, relation)


def _conserved(run: Run, rule: BehaviourRule) -> Iterator[_Finding]:
    for name in _names(run, rule):
        values = run.data[name]
        total = values.sum(axis=tuple(range(2, values.ndim - 1)))
        first = np.broadcast_to(total[..., :1], total.shape)
        excess = np.abs(total - first) - _allowance(rule, total)
        yield _Finding(name, (), total, first, excess, Message("summed over all elements must stay"))


def _number(value: float | None) -> float:
    return np.nan if value is None else value


_FINDINGS: Mapping[Kind, Callable[[Run, BehaviourRule], Iterator[_Finding]]] = {
    "finite": _alone,
    "non_negative": _alone,
    "at_most": _alone,
    "ordered": _ordered,
    "sums_to": _sums_to,
    "conserved": _conserved,
}


def _problem(run: Run, rule: BehaviourRule, finding: _Finding, applies: Flags) -> BehaviourProblem | None:
    # Written so that NaN counts as a violation.
    broken = ~(finding.excess <= 0)
    broken = broken & applies.reshape(*applies.shape, *(1,) * (broken.ndim - 2))
    if not broken.any():
        return None
    excess, values, allowed = (
        np.broadcast_to(part, broken.shape) for part in (finding.excess, finding.values, finding.allowed)
    )
    severity = np.where(broken, np.where(np.isnan(excess), np.inf, excess), -np.inf)
    worst = tuple(int(place) for place in np.unravel_index(int(np.argmax(severity)), severity.shape))
    scenario, draw, *inner, moment = worst
    problem = BehaviourProblem(
        rule=rule.name,
        variable=finding.variable,
        element=",".join(run.ranges[dim][place] for dim, place in zip(finding.dims, inner, strict=True)),
        year=float(run.years[moment]),
        scenario=scenario,
        draw=draw,
        value=float(values[worst]),
        bound=float(allowed[worst]),
        places=int(broken.sum()),
        message="",
    )
    return replace(problem, message=_sentence(rule, finding, problem))


def _sentence(rule: BehaviourRule, finding: _Finding, problem: BehaviourProblem) -> str:
    place = f"[{problem.element}]" if problem.element else ""
    bound = "" if rule.kind == "finite" else f" {problem.bound:.10g}"
    return Message(
        "{rule}: {variable} {relation}{bound}, is {value:.10g} in {year:g} (scenario {scenario}, draw {draw}){more}",
        rule=rule.name,
        variable=f"{problem.variable}{place}",
        relation=finding.relation,
        bound=bound,
        value=problem.value,
        year=problem.year,
        scenario=problem.scenario,
        draw=problem.draw,
        more=Message("; the worst of {places} places", places=problem.places) if problem.places != 1 else "",
    )


def check_running(model: Model) -> list[EquationProblem]:
    """Find everything that prevents a model from running, without running it.

    This finds equations not supported by the engine, elements that are read and have no equation, data without a source
    in the file, missing or inconsistent time bounds and steps, and algebraic loops.

    Parameters
    ----------
    model
        The model, from `load_model`.

    Returns
    -------
    list of EquationProblem
        Problems in the order of the file; empty if the model can run.

    Raises
    ------
    UnsupportedFeature
        If the model could not be compiled to the intermediate representation.
    """
    variables = model.ir.variables
    stopped = {name: item.unassigned for name, item in variables.items() if item.unassigned}
    reasons = stopped | dict(read_undefined(model.ir, variables.keys() - stopped))
    found = [
        EquationProblem(kind="cannot run", message=reasons[name], variable=name, equation=variables[name].equation)
        for name in variables
        if name in reasons
    ]
    return found + _of_the_whole(model, frozenset(stopped))


def _of_the_whole(model: Model, stopped: frozenset[str]) -> list[EquationProblem]:
    """Problems of the clock and of the order of equations, treating the unsupported variables as given."""
    found = []
    outcomes = [name for name, item in model.variables.items() if item.kind != "lookup" and name not in stopped]
    ir, method = model.ir, model.ir.integration.method
    for check in (
        lambda: prepared(model, None, outcomes=(), method=method),
        lambda: plan(ir, outcomes, stopped, frozenset()),
    ):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ProbableSlip)  # they are no obstacles
                check()
        except InvalidInput as error:
            if not any(model.variables[name].unassigned in str(error) for name in stopped):
                found.append(EquationProblem(kind="cannot run", message=str(error)))
    return found


@dataclass(slots=True)
class ModelChecks:
    """Applies the declared behaviour rules of a model to simulations, and checks the units of its equations."""

    model: Model
    broken: list[str] = field(default_factory=list)  # failures found so far, one sentence each

    @property
    def rules(self) -> tuple[BehaviourRule, ...]:
        """Declared behaviour rules of the model; may be empty."""
        return rules_of(self.model)

    @property
    def outcomes(self) -> Sequence[str]:
        """Variables that a simulation must save so that the rules can be applied to it."""
        return outcomes_of(self.rules)

    def inspect(self, run: Run) -> None:
        """Apply every rule to a simulation."""
        self.broken += [problem.message for problem in check_behaviour(run, self.rules)]

    def inspect_units(self) -> None:
        """Check the units of every equation."""
        self.broken += [problem.message for problem in check_dimensions(self.model) if problem.is_failure]

    @property
    def verdict(self) -> str:
        """Summary of all checks in one sentence."""
        what = f"{len(self.rules)} behaviour rules in every draw, units of {len(self.model.variables)} variables"
        return f"Checks: {what}: " + (f"{len(self.broken)} broken" if self.broken else "all hold")
