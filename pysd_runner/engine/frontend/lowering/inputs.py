"""Test inputs that jump: steps and pulses.

Vensim compares the middle of the step at hand, ``Time + TIME STEP / 2``, so that rounding of the time is of no account.
Whether an input is on does not change within a step, whatever the method of integration.
"""

from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.function_table import SMALL, operation, time_step
from pysd_runner.engine.ir import Expression, Number, Time


def step(scope: Scope, height: Expression, start: Expression) -> Expression:
    """STEP: the height from a moment on."""
    return _when(scope.held(_begun(start)), height)


def pulse(scope: Scope, start: Expression, width: Expression) -> Expression:
    """PULSE: one for a while, for one step at least."""
    return _when(scope.held(operation("and", _begun(start), _within(_since(start), width))), Number(1.0))


def pulse_train(
    scope: Scope, start: Expression, interval: Expression, width: Expression, end: Expression
) -> Expression:
    """PULSE TRAIN: pulses again and again until an end, which is included; without a gap if the interval has none."""
    on = operation("or", operation("equal", interval, Number(0.0)), _within(_phase(start, interval), width))
    not_over = operation("less_equal", operation("subtract", Time(), Number(SMALL)), end)
    return _when(scope.held(operation("and", on, operation("and", _begun(start), not_over))), Number(1.0))


def impulse(scope: Scope, start: Expression, magnitude: Expression) -> Expression:
    """PULSE of XMILE: an amount within one step."""
    return _when(at_moment(scope, start), operation("divide", magnitude, time_step()))


def at_moment(scope: Scope, moment: Expression) -> Expression:
    """Whether a moment lies in the step at hand."""
    return scope.held(operation("and", _begun(moment), operation("less", _since(moment), time_step())))


def impulses(scope: Scope, start: Expression, interval: Expression, magnitude: Expression) -> Expression:
    """PULSE of XMILE with an interval, which is a single one if the interval is zero."""
    first = operation("less", _since(start), time_step())
    once = operation("and", operation("equal", interval, Number(0.0)), first)
    often = operation("less", _phase(start, interval), time_step())
    return _amount(scope, operation("and", _begun(start), operation("or", once, often)), magnitude)


def _amount(scope: Scope, on: Expression, magnitude: Expression) -> Expression:
    return _when(scope.held(on), operation("divide", magnitude, time_step()))


def _middle() -> Expression:
    return operation("add", Time(), operation("divide", time_step(), Number(2.0)))


def _since(start: Expression) -> Expression:
    return operation("subtract", _middle(), start)


def _begun(start: Expression) -> Expression:
    return operation("greater", _middle(), start)


def _phase(start: Expression, interval: Expression) -> Expression:
    """How long ago the last pulse of many began; no number for an interval of zero."""
    return operation("remainder", _since(start), interval)


def _within(since: Expression, width: Expression) -> Expression:
    """Whether a pulse that began a while ago is on; each lasts one step at least."""
    return operation("or", operation("less", since, width), operation("less", since, time_step()))


def _when(condition: Expression, value: Expression) -> Expression:
    return operation("where", condition, value, Number(0.0))
