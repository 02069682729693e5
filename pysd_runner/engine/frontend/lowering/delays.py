"""Delays, smooths, trends and samples, expanded into hidden variables that carry a value from step to step."""

from collections.abc import Sequence

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.frontend.lowering import library
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.syntax import Call, Name, Node, OperatorCall
from pysd_runner.engine.ir import (
    ORDER,
    SMALL,
    WITHIN,
    Expression,
    Number,
    Reference,
    Table,
    is_literal,
    key,
    operation,
    time_step,
)

# A chain longer than this is a slip of the pen.
MOST_LEVELS = 1000


def smooth(scope: Scope, value: Expression, time: Expression, initial: Expression, order: Expression) -> Expression:
    """SMOOTH, SMOOTH3, SMOOTH N: levels that follow each other, ``d level = order * (value - level) / time``."""
    known = scope.order(order)
    levels: list[Reference] = []
    for _ in range(whole(known)):
        levels.append(scope.hide("stock", value, initial, over=(time, known)))
        change = (value - levels[-1]) * known
        scope.replace_hidden(levels[-1], change / time)
        value = levels[-1]
    return _last(levels, known)


def delay(scope: Scope, inflow: Expression, time: Expression, initial: Expression, order: Expression) -> Expression:
    """DELAY1, DELAY3, DELAYN: levels that hold material and drain into each other, at ``level / time``."""
    known = scope.order(order)
    levels = _drained(scope, inflow, [time] * whole(known), initial, known)
    return _last(levels, known) / time


def delay_n(scope: Scope, inflow: Expression, time: Expression, initial: Expression, order: Expression) -> Expression:
    """DELAY N: as DELAYN, but what is under way keeps the delay time it came in with."""
    # The delay time of level i is that of i steps ago, and what comes out is divided by the delay time of the step
    # before, as Vensim describes it and PySD does it. Both reduce the order to the steps that the delay time has.
    known = scope.order(order)
    steps = operation("integer", time / time_step() + SMALL)
    within = operation("min", scope.hide("initial", steps, label=WITHIN), known)
    reduced = scope.hide("initial", operation("max", within, 1.0), label=ORDER)
    fixed, time = is_literal(time), scope.span(time)
    times = [time]
    for _ in range(max(whole(known) - 1, 1)):
        times.append(time if fixed else scope.hide("memory", times[-1], time))
    levels = _drained(scope, inflow, times[: whole(known)], initial, reduced)
    return _last(levels, reduced) / times[1]


def _drained(
    scope: Scope, inflow: Expression, times: Sequence[Expression], initial: Expression, order: Expression
) -> list[Reference]:
    """Levels that drain into each other, each with its delay time."""
    levels: list[Reference] = []
    for time in times:
        # A level holds (rate x whole delay time), as in PySD.
        level = scope.hide("stock", inflow, initial * times[0], over=(order,))
        outflow = level / time
        scope.replace_hidden(level, (inflow - outflow) * order)
        levels.append(level)
        inflow = outflow
    return levels


def _last(levels: Sequence[Reference], order: Expression) -> Expression:
    """The level what comes out is taken from: as many as the order says, counted from one."""
    result: Expression = levels[-1]
    if isinstance(order, Number):
        return result
    for place in range(len(levels) - 1, 0, -1):
        result = operation("where", operation("equal", order, float(place)), levels[place - 1], result)
    return result


def delay_fixed(scope: Scope, inflow: Expression, time: Expression, initial: Expression) -> Expression:
    """DELAY FIXED: what flows in comes out after a time that is read at the start."""
    return scope.hide("pipe", inflow, initial, delay=time)


def delay_material(
    scope: Scope, inflow: Expression, time: Expression, initial: Expression, _missing: Expression | None = None
) -> Expression:
    """DELAY MATERIAL and DELAY INFORMATION, which differ from DELAY FIXED where the delay time changes."""
    return delay_fixed(scope, inflow, scope.fixed("the delay time", time), initial)


def history(node: Call, scope: Scope) -> Expression:
    """HISTORY: a value at an earlier time, zero before there was one."""
    if len(node.arguments) != 2:
        raise UnsupportedFeature("HISTORY of another run")
    value = scope.lowered(node.arguments[0])
    lag = _lag(node.arguments[1])
    if lag is not None:
        return delay_fixed(scope, value, scope.fixed("the lag of HISTORY", scope.lowered(lag)), Number(0.0))
    moment = scope.fixed("the time of HISTORY", scope.lowered(node.arguments[1]))
    return sample_if_true(scope, library.at_moment(scope, moment), value, Number(0.0))


def _lag(time: Node) -> Node | None:
    """What is taken from the time at hand, ``a - b`` of ``TIME - a + b``; None if a time is not written like that."""
    if not isinstance(time, OperatorCall) or not set(time.operators) <= {"+", "-"}:
        return None
    first, *rest = time.arguments
    if not isinstance(first, Name) or key(first.name) != "time" or time.operators[0] != "-":
        return None
    signs = tuple("+" if sign == "-" else "-" for sign in time.operators[1:])
    return OperatorCall(signs, tuple(rest)) if signs else rest[0]


def trend(scope: Scope, value: Expression, time: Expression, initial: Expression) -> Expression:
    """TREND: relative growth of a value against its average, ``(value - average) / (time * |average|)``."""
    time = scope.span(time)
    level = _average(scope, value, time, initial)
    return _relative(value, level, time * operation("abs", level))


def forecast(scope: Scope, value: Expression, time: Expression, horizon: Expression, initial: Expression) -> Expression:
    """FORECAST: a value if its trend went on, ``value * (1 + trend * horizon)``."""
    time = scope.span(time)
    level = _average(scope, value, time, initial)
    growth = _relative(value, level, time * level)
    return value * (1.0 + growth * scope.span(horizon))


def _average(scope: Scope, value: Expression, time: Expression, initial: Expression) -> Reference:
    start = value / (1.0 + initial * time)
    level = scope.hide("stock", value, start)
    scope.replace_hidden(level, (value - level) / time)
    return level


def _relative(value: Expression, level: Expression, scale: Expression) -> Expression:
    return operation("xidz", value - level, scale, 0.0)


def sample_if_true(scope: Scope, condition: Expression, value: Expression, initial: Expression) -> Expression:
    """SAMPLE IF TRUE: the value while the condition holds, afterwards the last one sampled."""
    last = scope.hide("memory", value, initial, over=(condition,))
    sampled = operation("where", condition, value, last)
    scope.replace_hidden(last, sampled)
    return sampled


def whole(order: Expression) -> int:
    """Number of levels of a delay or smooth: its order, or the highest where it differs between elements."""
    values = order.values if isinstance(order, Table) else (order.value,) if isinstance(order, Number) else ()
    if not values or not all(1 <= value <= MOST_LEVELS for value in values):
        raise UnsupportedFeature(f"a delay or smooth of order {list(values)}, outside 1 to {MOST_LEVELS},")
    return int(max(values))
