"""Test inputs that jump: steps and pulses.

Vensim compares the middle of the step at hand, ``Time + TIME STEP / 2``, so that rounding of the time is of no account.
Whether an input is on does not change within a step, whatever the method of integration.
"""

from pysd_runner.engine.functions import SMALL, operation, time_step
from pysd_runner.engine.ir import Expression, Number, Time
from pysd_runner.engine.scope import Scope


def step(scope: Scope, height: Expression, start: Expression) -> Expression:
    """STEP: the height from a moment on."""
    return _when(scope.held(operation("greater", _middle(), start)), height)


def pulse(scope: Scope, start: Expression, width: Expression) -> Expression:
    """PULSE: one for a while, for one step at least."""
    return _when(scope.held(_window(start, operation("max", width, time_step()))), Number(1.0))


def pulse_train(
    scope: Scope, start: Expression, interval: Expression, width: Expression, end: Expression
) -> Expression:
    """PULSE TRAIN: pulses again and again until an end, which is included; without a gap if the interval has none."""
    length = operation("max", width, time_step())
    pulses = operation("or", operation("less_equal", interval, length), _repeated(start, interval, length))
    begun = operation("greater", _middle(), start)
    not_over = operation("less_equal", operation("subtract", Time(), Number(SMALL)), end)
    return _when(scope.held(operation("and", pulses, operation("and", begun, not_over))), Number(1.0))


def impulse(scope: Scope, start: Expression, magnitude: Expression) -> Expression:
    """PULSE of XMILE: an amount within one step."""
    return _when(scope.held(_window(start, time_step())), operation("divide", magnitude, time_step()))


def impulses(scope: Scope, start: Expression, interval: Expression, magnitude: Expression) -> Expression:
    """PULSE of XMILE with an interval, which is a single one if the interval is zero."""
    once = operation("and", operation("equal", interval, Number(0.0)), _window(start, time_step()))
    begun = operation("greater", _middle(), start)
    often = operation("and", begun, _repeated(start, interval, time_step()))
    return _when(scope.held(operation("or", once, often)), operation("divide", magnitude, time_step()))


def _middle() -> Expression:
    return operation("add", Time(), operation("divide", time_step(), Number(2.0)))


def _window(start: Expression, width: Expression) -> Expression:
    middle = _middle()
    return operation(
        "and", operation("greater", middle, start), operation("less", middle, operation("add", start, width))
    )


def _repeated(start: Expression, interval: Expression, width: Expression) -> Expression:
    """Whether a pulse is on that comes again and again; never for an interval of zero, which has no remainder."""
    return operation("less", operation("remainder", operation("subtract", _middle(), start), interval), width)


def _when(condition: Expression, value: Expression) -> Expression:
    return operation("where", condition, value, Number(0.0))
