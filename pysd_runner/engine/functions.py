"""What each Vensim function becomes: one table, from the abstract model's function names to expressions."""

from collections.abc import Callable

from pysd_runner.engine.ir import Expression, Number, Operation, Reference, Time, joined_axes

# PySD and Vensim treat a denominator this small as zero, and times this close as equal.
SMALL = 1e-6

TIME_STEP = "TIME STEP"

Build = Callable[..., Expression]


def operation(name: str, *arguments: Expression) -> Operation:
    """An element-wise operation over the joined axes of its arguments."""
    return Operation(name, arguments, joined_axes(*arguments))


def _plain(name: str) -> Build:
    return lambda *arguments: operation(name, *arguments)


def _when(condition: Expression, value: Expression) -> Expression:
    return operation("where", condition, value, Number(0.0))


def time_step() -> Expression:
    """The length of one step."""
    return Reference(TIME_STEP, ())


def _step(height: Expression, start: Expression) -> Expression:
    reached = operation("greater", operation("add", Time(), operation("divide", time_step(), Number(2.0))), start)
    return _when(reached, height)


def _ramp(slope: Expression, start: Expression, finish: Expression | None = None) -> Expression:
    end = Time() if finish is None else operation("min", finish, Time())
    reached = operation("greater", operation("add", Time(), Number(SMALL)), start)
    return _when(reached, operation("multiply", slope, operation("subtract", end, start)))


def _pulse(start: Expression, width: Expression) -> Expression:
    begun = operation("less_equal", operation("subtract", start, Number(SMALL)), Time())
    not_over = operation("less", Time(), operation("add", start, width))
    return _when(operation("and", begun, not_over), Number(1.0))


def _pulse_train(start: Expression, interval: Expression, width: Expression, end: Expression) -> Expression:
    return _when(operation("less", Time(), end), _pulses(start, interval, width))


def _pulses(start: Expression, interval: Expression, width: Expression) -> Expression:
    """Pulses without end; a single one where the interval is zero."""
    since = operation("add", operation("subtract", Time(), start), Number(SMALL))
    inside = operation("less", operation("remainder", since, interval), width)
    train = _when(operation("and", operation("less_equal", Number(0.0), since), inside), Number(1.0))
    if isinstance(interval, Number) and interval.value != 0:
        return train
    return operation("where", operation("equal", interval, Number(0.0)), _pulse(start, width), train)


def _half_step() -> Expression:
    return operation("multiply", Number(0.5), time_step())


def _impulse(start: Expression, magnitude: Expression) -> Expression:
    """XMILE's PULSE: a magnitude within one step."""
    return operation("multiply", _pulse(start, _half_step()), operation("divide", magnitude, time_step()))


def _impulses(start: Expression, interval: Expression, magnitude: Expression) -> Expression:
    """XMILE's PULSE with an interval."""
    once = _pulses(start, interval, _half_step())
    return operation("multiply", once, operation("divide", magnitude, time_step()))


def _zidz(numerator: Expression, denominator: Expression) -> Expression:
    return operation("xidz", numerator, denominator, Number(0.0))


def _log(value: Expression, base: Expression) -> Expression:
    return operation("divide", operation("ln", value), operation("ln", base))


# Name in PySD's abstract model -> (number of arguments, how to build it).
FUNCTIONS: dict[str, tuple[int, Build]] = {
    "abs": (1, _plain("abs")),
    "power": (2, _plain("power")),
    "min": (2, _plain("min")),
    "max": (2, _plain("max")),
    "exp": (1, _plain("exp")),
    "sin": (1, _plain("sin")),
    "cos": (1, _plain("cos")),
    "tan": (1, _plain("tan")),
    "arcsin": (1, _plain("arcsin")),
    "arccos": (1, _plain("arccos")),
    "arctan": (1, _plain("arctan")),
    "sinh": (1, _plain("sinh")),
    "cosh": (1, _plain("cosh")),
    "tanh": (1, _plain("tanh")),
    "sqrt": (1, _plain("sqrt")),
    "ln": (1, _plain("ln")),
    "log": (2, _log),
    "integer": (1, _plain("integer")),
    "quantum": (2, _plain("quantum")),
    "modulo": (2, _plain("modulo")),
    "if_then_else": (3, _plain("where")),
    "xidz": (3, _plain("xidz")),
    "zidz": (2, _zidz),
    "step": (2, _step),
    "ramp": (3, _ramp),
    "Xramp": (2, _ramp),
    "pulse": (2, _pulse),
    "pulse_train": (4, _pulse_train),
    "Xpulse": (2, _impulse),
    "Xpulse_train": (3, _impulses),
}

REDUCTIONS = {"sum": "sum", "prod": "product", "vmin": "least", "vmax": "largest"}

ARITHMETIC = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "^": "power"}

LOGIC = {
    ":AND:": "and",
    ":OR:": "or",
    "=": "equal",
    "<>": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}
