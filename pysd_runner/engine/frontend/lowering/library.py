"""Functions of Vensim and Stella that are made of others, test inputs that jump among them."""

import math
from collections.abc import Callable

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.ir import INITIAL_TIME, SMALL, Expression, Number, Reference, Time, operation, time_step

Build = Callable[..., Expression]

ONE, ZERO = Number(1.0), Number(0.0)

# A derivative of a higher order is a slip of the pen.
MOST_ORDER = 20

# Lanczos (1964) with g = 7 and nine coefficients, good to about 1e-15 for arguments above 1/2.
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
    """INT of XMILE: the next whole number at or below."""
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
    """NPV: what a stream of payments has been worth, each discounted by what the rates before it compound to."""
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
    """CGROWTH: the fraction that compounds, step by step, to so many percent in a unit of time."""
    share = time_step() / scope.span(ONE)
    whole = (ONE + percent / 100.0) ** share
    return (whole - ONE) / time_step()


def _compounded(rate: Expression, periods: Expression) -> tuple[Expression, Expression]:
    """What one becomes over some periods, and what one paid at the end of each adds up to."""
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
    """FV: what payments and a present value come to."""
    grown, total = _compounded(rate, periods)
    return -(present * grown + paid * total)


def present_value(rate: Expression, periods: Expression, paid: Expression, future: Expression) -> Expression:
    """PV: what payments and a future value are worth today."""
    grown, total = _compounded(rate, periods)
    return -((paid * total + future) / grown)


def counter(start: Expression, end: Expression) -> Expression:
    """COUNTER: goes up with time from a start, which it takes again in place of the end."""
    # A time that rounding leaves just below the end is the end.
    little = SMALL * time_step()
    passed = Time() - Reference(INITIAL_TIME, ()) + little
    turn = operation("remainder", passed, end - start)
    return start + (turn - little)


def derivative(scope: Scope, value: Expression, order: Expression) -> Expression:
    """DERIVN: the derivative of some order by differences of steps, zero until there are enough of them."""
    if not isinstance(order, Number) or order.value not in range(MOST_ORDER + 1):
        raise UnsupportedFeature(f"DERIVN of an order that is no whole number from 0 to {MOST_ORDER}")
    found, passed = value, Time() - Reference(INITIAL_TIME, ())
    for _ in range(int(order.value)):
        found = scope.hide("auxiliary", found)
        found = (found - previous(scope, found, found)) / time_step()
    begun = passed > (order.value - 0.5) * time_step()
    return operation("where", begun, found, ZERO)


def bounded_integral(scope: Scope, rate: Expression, initial: Expression, *more: Expression) -> Expression:
    """SINTEG: an integral within bounds, drawn to a special value when it comes near."""
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
    """STEP: the height from a moment on."""
    return _when(scope.held(_begun(start)), height)


def pulse(scope: Scope, start: Expression, width: Expression) -> Expression:
    """PULSE: one for a while, for one step at least."""
    return _when(scope.held(_begun(start) & _within(_since(start), width)), Number(1.0))


def pulse_train(
    scope: Scope, start: Expression, interval: Expression, width: Expression, end: Expression
) -> Expression:
    """PULSE TRAIN: pulses again and again until an end, which is included; without a gap if the interval has none."""
    on = operation("equal", interval, 0.0) | _within(_phase(start, interval), width)
    not_over = Time() - SMALL <= end
    return _when(scope.held(on & (_begun(start) & not_over)), Number(1.0))


def impulse(scope: Scope, start: Expression, magnitude: Expression) -> Expression:
    """PULSE of XMILE: an amount within one step."""
    return _when(at_moment(scope, start), magnitude / time_step())


def at_moment(scope: Scope, moment: Expression) -> Expression:
    """Whether a moment lies in the step at hand."""
    return scope.held(_begun(moment) & (_since(moment) < time_step()))


def impulses(scope: Scope, start: Expression, interval: Expression, magnitude: Expression) -> Expression:
    """PULSE of XMILE with an interval, which is a single one if the interval is zero."""
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
    """How long ago the last pulse of many began; no number for an interval of zero."""
    return operation("remainder", _since(start), interval)


def _within(since: Expression, width: Expression) -> Expression:
    """Whether a pulse that began a while ago is on; each lasts one step at least."""
    return (since < width) | (since < time_step())


def _when(condition: Expression, value: Expression) -> Expression:
    return operation("where", condition, value, 0.0)
