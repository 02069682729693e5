"""Small models built node by node, without a file."""

from pysd_runner.engine.ir import Block, ModelIr, Number, Operation, Reference, Variable, joined_axes


def variable(name, kind, dims, *blocks):
    """A variable with no more than what runs."""
    return Variable(name=name, unit="", dims=dims, kind=kind, doc="", group="", blocks=blocks)


def constant(name, number):
    """A number."""
    return variable(name, "constant", (), Block((), Number(number), None, ""))


def scalar(name, expression):
    """An auxiliary without dimensions."""
    return variable(name, "auxiliary", (), Block((), expression, None, ""))


def value(name):
    """The value of a variable without dimensions."""
    return Reference(name, ())


def operation(name, *parts):
    """An element-wise operation."""
    return Operation(name, parts, joined_axes(*parts))


def times(left, right):
    """A product."""
    return operation("multiply", left, right)


def model_of(*variables, ranges=None):
    """A model of some variables, with the four controls; its fingerprint is what it holds."""
    controls = ("INITIAL TIME", "FINAL TIME", "TIME STEP", "SAVEPER")
    found = {item.name: item for item in variables}
    for name in controls:
        found.setdefault(name, variable(name, "control", (), Block((), Number(1.0), None, "")))
    ranges = ranges or {}
    return ModelIr(ranges=ranges, variables=found, fingerprint=repr((sorted(ranges.items()), found)))
