"""In which order the variables of a model can be computed, and which are needed at all."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pysd_runner.engine.ir import STATEFUL, ModelIr, Time, Variable, references, walk
from pysd_runner.errors import InvalidModel


@dataclass(frozen=True, slots=True)
class Statement:
    """One equation to compute: a block of a variable, by number."""

    variable: str
    block: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compute, and when; values from outside are in none of the lists of statements.

    Parameters
    ----------
    model
        The model the statements refer to.
    invariant
        Equations that depend on neither time nor what is carried from step to step, in order of computation.
    starting
        Equations in order of computation at the start, those of stocks and of what is frozen among them; where a block
        has an initial value, that is what is computed.
    dynamic
        Equations computed again at every step, in order.
    stocks
        Variables that carry a value from step to step and are needed.
    used
        Every variable that is needed, those from outside among them.
    """

    model: ModelIr
    invariant: tuple[Statement, ...]
    starting: tuple[Statement, ...]
    dynamic: tuple[Statement, ...]
    stocks: tuple[str, ...]
    used: frozenset[str]


def plan(model: ModelIr, outcomes: Iterable[str], given: frozenset[str], moving: frozenset[str]) -> Plan:
    """Order of computation for some outcomes.

    Parameters
    ----------
    model
        The lowered model.
    outcomes
        Variables that will be read.
    given
        Variables whose values come from outside, so that their equations are not used.
    moving
        Those among `given` that change over time.

    Returns
    -------
    Plan
        Only what the outcomes need.

    Raises
    ------
    InvalidModel
        If variables depend on each other at the same moment; the message names the circle.
    """
    reached = _closure(model, outcomes, given)
    stocks = [name for name in model.variables if name in reached and _is_stock(model, name, given)]
    flows = {ref for name in stocks for ref in _needs(model, name, given, flows=True)}
    during = _sorted(model, [*outcomes, *flows], lambda name: _needs(model, name, given, flows=False))
    changing = _moved(model, during, given, moving, at_start=False)
    starting = _sorted(
        model,
        [*stocks, *(name for name in during if _frozen(model, name))],
        lambda name: _needs_at_start(model, name, given),
    )
    moved = _moved(model, starting, given, moving, changing, at_start=True)
    invariant = [name for name in dict.fromkeys([*starting, *during]) if name not in moved]
    ordered = _sorted(model, invariant, lambda name: _needs(model, name, given, flows=False))

    def statements(names: Iterable[str]) -> tuple[Statement, ...]:
        computed = (name for name in names if name not in given)
        return tuple(Statement(name, block) for name in computed for block in range(len(model.variables[name].blocks)))

    return Plan(
        model=model,
        invariant=statements(ordered),
        starting=statements(name for name in starting if name not in invariant),
        dynamic=statements(name for name in during if name in changing and name not in stocks),
        stocks=tuple(stocks),
        used=frozenset({*starting, *during, *stocks}),
    )


def needed(model: ModelIr, outcomes: Iterable[str], given: frozenset[str], moving: frozenset[str]) -> tuple[str, ...]:
    """Everything that is computed for some outcomes, in the order of the model.

    Parameters
    ----------
    model, outcomes, given, moving
        As for `plan`.

    Returns
    -------
    tuple of str
        Names.
    """
    order = plan(model, outcomes, given, moving)
    return tuple(name for name in model.variables if name in order.used)


def _is_stock(model: ModelIr, name: str, given: frozenset[str]) -> bool:
    return name not in given and model.variables[name].kind in STATEFUL


def _frozen(model: ModelIr, name: str) -> bool:
    return model.variables[name].kind == "initial"


def _needs(model: ModelIr, name: str, given: frozenset[str], *, flows: bool) -> list[str]:
    variable = model.variables[name]
    if name in given or (variable.kind in (*STATEFUL, "initial") and not flows):
        return []
    return sorted({ref for block in variable.blocks for ref in references(block.expression)})


def _needs_at_start(model: ModelIr, name: str, given: frozenset[str]) -> list[str]:
    variable = model.variables[name]
    if name in given:
        return []
    parts = [block.expression if block.initial is None else block.initial for block in variable.blocks]
    parts += [block.delay for block in variable.blocks if block.delay is not None]
    return sorted({ref for part in parts for ref in references(part)})


def _closure(model: ModelIr, outcomes: Iterable[str], given: frozenset[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(outcomes)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += [*_needs(model, name, given, flows=True), *_needs_at_start(model, name, given)]
    return found


def _reads_time(variable: Variable) -> bool:
    return any(isinstance(part, Time) for block in variable.blocks for part in walk(block.expression))


def _moved(
    model: ModelIr,
    ordered: list[str],
    given: frozenset[str],
    moving: frozenset[str],
    known: frozenset[str] = frozenset(),
    *,
    at_start: bool,
) -> frozenset[str]:
    """Variables of an ordered list that depend on time, stocks or what is frozen at the start, with those `known` to.

    What is frozen is computed at the start and does not change while the run goes on.
    """
    moved = set(known)
    for name in ordered:
        variable = model.variables[name]
        if name in given:
            moves = name in moving
        elif variable.kind in (*STATEFUL, "initial"):
            moves = at_start or variable.kind != "initial"
        else:
            switched = any(block.initial is not None for block in variable.blocks)
            needs = _needs(model, name, given, flows=False)
            moves = switched or _reads_time(variable) or any(ref in moved or _frozen(model, ref) for ref in needs)
        if moves:
            moved.add(name)
    return frozenset(moved)


def _sorted(model: ModelIr, wanted: Iterable[str], needs: Callable[[str], list[str]]) -> list[str]:
    """Depth-first order in which everything comes after what it needs."""
    done: dict[str, None] = {}
    open_path: dict[str, None] = {}
    for start in wanted:
        stack: list[tuple[str, list[str]]] = [(start, needs(start))] if start not in done else []
        if stack:
            open_path[start] = None
        while stack:
            name, rest = stack[-1]
            pending = next((item for item in rest if item not in done), None)
            if pending is None:
                stack.pop()
                open_path.pop(name)
                done[name] = None
            elif pending in open_path:
                raise InvalidModel(_circle(model, list(open_path), pending))
            else:
                open_path[pending] = None
                stack.append((pending, needs(pending)))
    return list(done)


def _circle(model: ModelIr, path: list[str], again: str) -> str:
    circle = [*path[path.index(again) :], again]
    equation = model.variables[again].equation
    return (
        "variables depend on each other at the same moment: "
        + " -> ".join(repr(name) for name in circle)
        + f"; put a stock or a delay in between. Equation: {equation}"
    )
