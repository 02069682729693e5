"""Expand delays, smooths, trends and samples into hidden state variables."""

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

# Maximum order of a delay or smooth; a higher order is assumed to be a mistake.
MOST_LEVELS = 1000


def smooth(scope: Scope, value: Expression, time: Expression, initial: Expression, order: Expression) -> Expression:
    """SMOOTH, SMOOTH3, SMOOTH N: a chain of levels, ``d level = order * (value - level) / time``."""
    known = scope.order(order)
    levels: list[Reference] = []
    for _ in range(whole(known)):
        levels.append(scope.hide("stock", value, initial, over=(time, known)))
        change = (value - levels[-1]) * known
        scope.replace_hidden(levels[-1], change / time)
        value = levels[-1]
    return _last(levels, known)


def delay(scope: Scope, inflow: Expression, time: Expression, initial: Expression, order: Expression) -> Expression:
    """DELAY1, DELAY3, DELAYN: a chain of levels, each of which drains into the next at ``level / time``."""
    known = scope.order(order)
    levels = _drained(scope, inflow, [time] * whole(known), initial, known)
    return _last(levels, known) / time


def delay_n(scope: Scope, inflow: Expression, time: Expression, initial: Expression, order: Expression) -> Expression:
    """DELAY N: as DELAYN, but material in transit keeps the delay time at which it entered."""
    # Level i uses the delay time of i steps ago, and the outflow is divided by the delay time of the previous step, as
    # documented by Vensim and implemented in PySD. Both limit the order to the number of steps in the delay time.
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
    """Chain of levels, each of which drains into the next with its own delay time."""
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
    """Last level of a chain whose length is the order, which may differ between elements."""
    result: Expression = levels[-1]
    if isinstance(order, Number):
        return result
    for place in range(len(levels) - 1, 0, -1):
        result = operation("where", operation("equal", order, float(place)), levels[place - 1], result)
    return result


def delay_fixed(scope: Scope, inflow: Expression, time: Expression, initial: Expression) -> Expression:
    """DELAY FIXED: the input, delayed by a time that is evaluated at the start of the run."""
    return scope.hide("pipe", inflow, initial, delay=time)


def delay_material(
    scope: Scope, inflow: Expression, time: Expression, initial: Expression, _missing: Expression | None = None
) -> Expression:
    """DELAY MATERIAL and DELAY INFORMATION; they equal DELAY FIXED, as varying delay times are not supported."""
    return delay_fixed(scope, inflow, scope.fixed("the delay time", time), initial)


def history(node: Call, scope: Scope) -> Expression:
    """HISTORY: a value at an earlier time, zero as long as there is none."""
    if len(node.arguments) != 2:
        raise UnsupportedFeature("HISTORY of another run")
    value = scope.lowered(node.arguments[0])
    lag = _lag(node.arguments[1])
    if lag is not None:
        return delay_fixed(scope, value, scope.fixed("the lag of HISTORY", scope.lowered(lag)), Number(0.0))
    moment = scope.fixed("the time of HISTORY", scope.lowered(node.arguments[1]))
    return sample_if_true(scope, library.at_moment(scope, moment), value, Number(0.0))


def _lag(time: Node) -> Node | None:
    """Lag before the current time, ``a - b`` in ``TIME - a + b``; None if a time is not written in this form."""
    if not isinstance(time, OperatorCall) or not set(time.operators) <= {"+", "-"}:
        return None
    first, *rest = time.arguments
    if not isinstance(first, Name) or key(first.name) != "time" or time.operators[0] != "-":
        return None
    signs = tuple("+" if sign == "-" else "-" for sign in time.operators[1:])
    return OperatorCall(signs, tuple(rest)) if signs else rest[0]


def trend(scope: Scope, value: Expression, time: Expression, initial: Expression) -> Expression:
    """TREND: relative growth rate of a value compared with its average, ``(value - average) / (time * |average|)``."""
    time = scope.span(time)
    level = _average(scope, value, time, initial)
    return _relative(value, level, time * operation("abs", level))


def forecast(scope: Scope, value: Expression, time: Expression, horizon: Expression, initial: Expression) -> Expression:
    """FORECAST: a value extrapolated with its trend, ``value * (1 + trend * horizon)``."""
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
    """SAMPLE IF TRUE: the value while the condition holds, otherwise the last sampled value."""
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
