"""Element-wise operations, and what all who build them have in common."""

from pysd_runner.engine.ir import Expression, Operation, Reference, joined_axes

# PySD and Vensim treat a denominator this small as zero, and times this close as equal.
SMALL = 1e-6

TIME_STEP = "TIME STEP"


def operation(name: str, *arguments: Expression) -> Operation:
    """An element-wise operation over the joined axes of its arguments."""
    return Operation(name, arguments, joined_axes(*arguments))


def time_step() -> Expression:
    """The length of one step."""
    return Reference(TIME_STEP, ())
