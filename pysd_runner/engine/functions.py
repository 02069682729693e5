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


def _ramp(slope: Expression, start: Expression, finish: Expression | None = None) -> Expression:
    end = Time() if finish is None else operation("min", finish, Time())
    reached = operation("greater", operation("add", Time(), Number(SMALL)), start)
    return _when(reached, operation("multiply", slope, operation("subtract", end, start)))


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
    "ramp": (3, _ramp),
    "Xramp": (2, _ramp),
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
