"""Functions of Vensim and Stella composed of others and of hidden stocks: test inputs, delays, smooths, trends."""

import math
from collections.abc import Callable, Sequence

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.syntax import Call, Name, Node, OperatorCall
from pysd_runner.engine.ir import (
    INITIAL_TIME,
    ORDER,
    SMALL,
    WITHIN,
    Expression,
    Number,
    Reference,
    Table,
    Time,
    is_literal,
    key,
    operation,
    time_step,
)

Build = Callable[..., Expression]

ONE, ZERO = Number(1.0), Number(0.0)

# Maximum order of a derivative; a higher order is assumed to be a mistake.
MOST_ORDER = 20

# Lanczos approximation (1964) with g = 7 and nine coefficients, accurate to about 1e-15 for arguments above 1/2.
_LANCZOS = (
    0.99999999999980993,
    676.5203681218851,
    -1259.1392167224028,
    771.32342877765313,
    -176.61502916214059,
    12.507343278686905,
    -0.13857109526572012,
    9.9843695780195716e-6,
    1.5056327351493116e-7,
)


def floor(value: Expression) -> Expression:
    """INT of XMILE: the largest integer not above a value."""
    cut = operation("integer", value)
    return cut - operation("where", cut > value, ONE, ZERO)


def rounded(value: Expression) -> Expression:
    """ROUND: the nearest whole number, halves away from zero."""
    half = operation("where", value < ZERO, -0.5, 0.5)
    return operation("integer", value + half)


def wave(name: str) -> Build:
    """SINWAVE and COSWAVE: ``amplitude * sin(2 pi time / period)``."""

    def build(amplitude: Expression, period: Expression) -> Expression:
        angle = (2.0 * math.pi) * Time() / period
        return amplitude * operation(name, angle)

    return build


def log_gamma(value: Expression) -> Expression:
    """GAMMA LN: the logarithm of the gamma function, for arguments above zero."""
    # ln G(x) = ln G(x + 1) - ln x brings every argument above 1/2.
    series: Expression = Number(_LANCZOS[0])
    for place, factor in enumerate(_LANCZOS[1:]):
        term = factor / (value + float(place + 1))
        series = series + term
    shifted = value + 7.5
    first = (value + 0.5) * operation("ln", shifted)
    start = first + (0.5 * math.log(2.0 * math.pi)) - shifted
    return start + operation("ln", series) - operation("ln", value)


def factorial(value: Expression) -> Expression:
    """FACTORIAL of a whole number."""
    return rounded(operation("exp", log_gamma(value + ONE)))


def permutations(count: Expression, chosen: Expression) -> Expression:
    """PERMUTATIONS: ways to choose some of several things in order, ``n! / (n - r)!``."""
    rest = count - chosen + ONE
    ways = operation("exp", log_gamma(count + ONE) - log_gamma(rest))
    return operation("where", rest < ONE, ZERO, rounded(ways))


def combinations(count: Expression, chosen: Expression) -> Expression:
    """COMBINATIONS: ways to choose some of several things, ``n! / (r! (n - r)!)``."""
    every = permutations(count, chosen)
    return rounded(every / factorial(chosen))


def net_present_value(
    scope: Scope, stream: Expression, rate: Expression, initial: Expression, factor: Expression
) -> Expression:
    """NPV: net present value of the payments so far, each discounted by the compounded rates before it."""
    discount = scope.hide("stock", ZERO, ONE, over=(rate,))
    grown = ONE + rate * time_step()
    loss = -discount * rate / grown
    scope.replace_hidden(discount, loss)
    worth = scope.hide("stock", stream * discount, initial)
    now = stream * time_step() * discount
    return (worth + now) * factor


def net_present_value_at_ends(
    scope: Scope, stream: Expression, rate: Expression, initial: Expression, factor: Expression
) -> Expression:
    """NPVE: as NPV, but each payment counts from the end of its step, as in a spreadsheet."""
    late = stream / (ONE + rate * time_step())
    return net_present_value(scope, late, rate, initial, factor)


def growth(scope: Scope, percent: Expression) -> Expression:
    """CGROWTH: the growth rate that compounds, step by step, to `percent` percent in a unit of time."""
    share = time_step() / scope.span(ONE)
    whole = (ONE + percent / 100.0) ** share
    return (whole - ONE) / time_step()


def _compounded(rate: Expression, periods: Expression) -> tuple[Expression, Expression]:
    """Future value of a unit amount after some periods, and of unit payments at the end of each period."""
    grown = (ONE + rate) ** periods
    total = (grown - ONE) / rate
    return grown, operation("where", operation("equal", rate, ZERO), periods, total)


# Present and future value and payments balance: pv (1 + r)^n + pmt ((1 + r)^n - 1) / r + fv = 0.


def payment(rate: Expression, periods: Expression, present: Expression, future: Expression) -> Expression:
    """PMT: the payment of each period."""
    grown, total = _compounded(rate, periods)
    owed = present * grown + future
    return -(owed / total)


def future_value(rate: Expression, periods: Expression, paid: Expression, present: Expression) -> Expression:
    """FV: the future value of payments and a present value."""
    grown, total = _compounded(rate, periods)
    return -(present * grown + paid * total)


def present_value(rate: Expression, periods: Expression, paid: Expression, future: Expression) -> Expression:
    """PV: the present value of payments and a future value."""
    grown, total = _compounded(rate, periods)
    return -((paid * total + future) / grown)


def counter(start: Expression, end: Expression) -> Expression:
    """COUNTER: increases with time from a start, to which it returns instead of reaching the end."""
    # A time just below the end because of rounding counts as the end.
    little = SMALL * time_step()
    passed = Time() - Reference(INITIAL_TIME, ()) + little
    turn = operation("remainder", passed, end - start)
    return start + (turn - little)


def derivative(scope: Scope, value: Expression, order: Expression) -> Expression:
    """DERIVN: derivative of a given order by backward differences, zero until there are enough steps."""
    if not isinstance(order, Number) or order.value not in range(MOST_ORDER + 1):
        raise UnsupportedFeature("DERIVN of an order that is no whole number from 0 to {most}", most=MOST_ORDER)
    found, passed = value, Time() - Reference(INITIAL_TIME, ())
    for _ in range(int(order.value)):
        found = scope.hide("auxiliary", found)
        found = (found - previous(scope, found, found)) / time_step()
    begun = passed > (order.value - 0.5) * time_step()
    return operation("where", begun, found, ZERO)


def bounded_integral(scope: Scope, rate: Expression, initial: Expression, *more: Expression) -> Expression:
    """SINTEG: an integral clipped to bounds, and set to a special value when it is close to it."""
    low, high, quantum, special, near = more
    if not all(isinstance(item, Number) for item in more) or not _is_missing(quantum):
        raise UnsupportedFeature("SINTEG with a quantum, or with bounds that are no numbers,")

    def kept(value: Expression) -> Expression:
        value = value if _is_missing(low) else operation("max", value, low)
        value = value if _is_missing(high) else operation("min", value, high)
        if _is_missing(special) or _is_missing(near):
            return value
        close = operation("abs", value - special) < near
        return operation("where", close, special, value)

    level = scope.hide("stock", rate, kept(initial))
    moved = level + rate * time_step()
    scope.replace_hidden(level, (kept(moved) - level) / time_step())
    return level


def _is_missing(value: Expression) -> bool:
    return isinstance(value, Number) and math.isnan(value.value)


def previous(scope: Scope, value: Expression, initial: Expression) -> Expression:
    """PREVIOUS: the value one step ago."""
    return scope.hide("memory", value, initial)


def step(scope: Scope, height: Expression, start: Expression) -> Expression:
    """STEP: zero before a time, the height from then on."""
    return _when(scope.held(_begun(start)), height)


def pulse(scope: Scope, start: Expression, width: Expression) -> Expression:
    """PULSE: one during the width of the pulse, but for one step at least; otherwise zero."""
    return _when(scope.held(_begun(start) & _within(_since(start), width)), Number(1.0))


def pulse_train(
    scope: Scope, start: Expression, interval: Expression, width: Expression, end: Expression
) -> Expression:
    """PULSE TRAIN: repeated pulses until an end, which is included; without gaps if the interval is zero."""
    on = operation("equal", interval, 0.0) | _within(_phase(start, interval), width)
    not_over = Time() - SMALL <= end
    return _when(scope.held(on & (_begun(start) & not_over)), Number(1.0))


def impulse(scope: Scope, start: Expression, magnitude: Expression) -> Expression:
    """PULSE of XMILE: an amount that flows within one step."""
    return _when(at_moment(scope, start), magnitude / time_step())


def at_moment(scope: Scope, moment: Expression) -> Expression:
    """Whether the current step contains a time."""
    return scope.held(_begun(moment) & (_since(moment) < time_step()))


def impulses(scope: Scope, start: Expression, interval: Expression, magnitude: Expression) -> Expression:
    """PULSE of XMILE with an interval; a single pulse if the interval is zero."""
    first = _since(start) < time_step()
    once = operation("equal", interval, 0.0) & first
    often = _phase(start, interval) < time_step()
    return _when(scope.held(_begun(start) & (once | often)), magnitude / time_step())


def _middle() -> Expression:
    return Time() + time_step() / 2.0


def _since(start: Expression) -> Expression:
    return _middle() - start


def _begun(start: Expression) -> Expression:
    return _middle() > start


def _phase(start: Expression, interval: Expression) -> Expression:
    """Time since the last of the repeated pulses began; NaN for an interval of zero."""
    return operation("remainder", _since(start), interval)


def _within(since: Expression, width: Expression) -> Expression:
    """Whether a pulse that began `since` ago is still on; it lasts one step at least."""
    return (since < width) | (since < time_step())


def _when(condition: Expression, value: Expression) -> Expression:
    return operation("where", condition, value, 0.0)


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
    return sample_if_true(scope, at_moment(scope, moment), value, Number(0.0))


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
        raise UnsupportedFeature(
            "a delay or smooth of order {values}, outside 1 to {most},",
            values=list(values),
            most=MOST_LEVELS,
        )
    return int(max(values))
