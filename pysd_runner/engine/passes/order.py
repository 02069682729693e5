"""Evaluation order of the equations of a model, and the variables needed for given outcomes."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.ir import STATEFUL, Block, Expression, ModelIr, reads_time, references
from pysd_runner.engine.kinds import frozen
from pysd_runner.engine.passes.components import Equation, Group, Part, components, split
from pysd_runner.engine.passes.elements import read_undefined


@frozen
class Statement:
    """One equation to evaluate: a block of a variable, by index."""

    variable: str
    block: int


@frozen
class Plan:
    """Equations to evaluate in each phase of a run; variables whose values are given have no statements."""

    model: ModelIr  # the model the statements refer to
    invariant: tuple[Statement, ...]
    starting: tuple[Statement, ...]
    dynamic: tuple[Statement, ...]  # equations evaluated at every step, in order
    stocks: tuple[str, ...]  # needed variables with a state: stocks, memories and delay buffers
    used: frozenset[str]  # every variable that is needed, including those whose values are given

    def check_covered(self, model: ModelIr, given: Collection[str]) -> None:
        """Raise `UnsupportedFeature` if a needed variable could not be lowered or reads what has no equation."""
        needed = self.used.difference(given)
        for name, variable in model.variables.items():
            if name in needed and variable.unassigned:
                raise UnsupportedFeature(variable.unassigned)
        for _, message in read_undefined(model, needed):
            raise UnsupportedFeature(message)


def plan(model: ModelIr, outcomes: Iterable[str], given: frozenset[str], moving: frozenset[str]) -> Plan:
    """Evaluation order for some outcomes.

    Parameters
    ----------
    model
        The lowered model.
    outcomes
        Variables to compute.
    given
        Variables whose values are given.
    moving
        Given variables that change over time.

    Raises
    ------
    InvalidInput
        If variables depend on each other at the same time (an algebraic loop).
    """
    wanted = tuple(outcomes)
    while True:
        found, circles = _planned(model, wanted, given, moving)
        if not circles:
            return found
        variables = dict(model.variables)
        for group, left in circles:
            variables |= split(group, left)
        model = replace(model, variables=variables)


Circles = list[tuple[Group, list[tuple[Equation, ...]]]]


def _planned(
    model: ModelIr, outcomes: Sequence[str], given: frozenset[str], moving: frozenset[str]
) -> tuple[Plan, Circles]:
    """A plan, and the loops that remain in it; the plan is valid only if there are none."""
    reached = _closure(model, outcomes, given)
    stocks = [
        name
        for name in model.variables
        if name in reached and name not in given and model.variables[name].kind in STATEFUL
    ]
    flows = {ref for name in stocks for ref in _needs(model, name, given, flows=True)}
    during = components([*outcomes, *sorted(flows)], lambda name: _needs(model, name, given, flows=False))
    changing = _moved(model, during, given, moving, at_start=False)
    starting = components(
        [*stocks, *(name for group in during for name in group if model.variables[name].kind == "initial")],
        lambda name: _needs_at_start(model, name, given),
    )
    moved = _moved(model, starting, given, moving, changing, at_start=True)
    invariant = [name for group in [*starting, *during] for name in group if name not in moved]
    ordered = components(dict.fromkeys(invariant), lambda name: _needs(model, name, given, flows=False))
    still = frozenset(invariant)
    circles: Circles = []

    def statements(groups: Iterable[tuple[str, ...]], part: Part) -> tuple[Statement, ...]:
        found: list[Equation] = []
        for names in groups:
            equations, left = _equations(model, names, part)
            found += equations
            circles.extend(left)
        return tuple(Statement(*equation) for equation in found)

    plan_found = Plan(
        model=model,
        invariant=statements(_without(ordered, given), running),
        starting=statements(_without(starting, given | still), at_start),
        dynamic=statements((g for g in _without(during, given | frozenset(stocks)) if changing.issuperset(g)), running),
        stocks=tuple(stocks),
        used=frozenset(name for groups in (starting, during, [stocks]) for group in groups for name in group),
    )
    return plan_found, circles


def running(block: Block) -> Expression:
    """The expression of a block that is evaluated during the run."""
    return block.expression


def at_start(block: Block) -> Expression:
    """The expression of a block that is evaluated at the start."""
    return block.at_start


def _without(groups: Iterable[tuple[str, ...]], names: frozenset[str]) -> list[tuple[str, ...]]:
    return [group for group in groups if names.isdisjoint(group)]


def _equations(model: ModelIr, names: tuple[str, ...], part: Part) -> tuple[list[Equation], Circles]:
    """Equations of strongly connected variables in order, and the loops that remain among them."""
    blocks = model.variables[names[0]].blocks
    if len(names) == 1 and not any(names[0] in references(part(block)) for block in blocks):
        return [(names[0], place) for place in range(len(blocks))], []
    group = Group(model, names, part)
    equations, circles = group.equations()
    return equations, [(group, circles)] if circles else []


def needed(model: ModelIr, outcomes: Iterable[str], given: frozenset[str], moving: frozenset[str]) -> tuple[str, ...]:
    """All variables needed for some outcomes, in the order of the model."""
    order = plan(model, outcomes, given, moving)
    return tuple(name for name in model.variables if name in order.used)


def _needs(model: ModelIr, name: str, given: frozenset[str], *, flows: bool) -> list[str]:
    variable = model.variables[name]
    if name in given or (variable.kind in (*STATEFUL, "initial") and not flows):
        return []
    return sorted({ref for block in variable.blocks for ref in references(block.expression)})


def _needs_at_start(model: ModelIr, name: str, given: frozenset[str]) -> list[str]:
    variable = model.variables[name]
    if name in given:
        return []
    parts = [block.at_start for block in variable.blocks]
    parts += [block.delay for block in variable.blocks if block.delay is not None]
    return sorted({ref for part in parts for ref in references(part)})


def _closure(model: ModelIr, outcomes: Iterable[str], given: frozenset[str]) -> set[str]:
    found: set[str] = set()
    waiting = set(outcomes)
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= {*_needs(model, name, given, flows=True), *_needs_at_start(model, name, given)} - found
    return found


def _moved(
    model: ModelIr,
    ordered: list[tuple[str, ...]],
    given: frozenset[str],
    moving: frozenset[str],
    known: frozenset[str] = frozenset(),
    *,
    at_start: bool,
) -> frozenset[str]:
    """Variables of ordered groups that depend on time, stocks or initial values (INITIAL), and those in `known`."""
    # Initial values are computed at the start and constant during the run. If one member of a group changes, all are
    # assumed to.
    moved = set(known)
    for group in ordered:
        if any(_moves(model, name, given, moving, moved, at_start=at_start) for name in group):
            moved.update(group)
    return frozenset(moved)


def _moves(
    model: ModelIr, name: str, given: frozenset[str], moving: frozenset[str], moved: set[str], *, at_start: bool
) -> bool:
    variable = model.variables[name]
    if name in given:
        return name in moving
    if variable.kind in (*STATEFUL, "initial"):
        return at_start or variable.kind != "initial"
    needs = _needs(model, name, given, flows=False)
    return any(block.initial is not None or reads_time(block.expression) for block in variable.blocks) or any(
        ref in moved or model.variables[ref].kind == "initial" for ref in needs
    )
