"""Lower expressions of the common syntax tree: a table maps each type of node and each function to its lowering."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from pysd_runner.engine.errors import InvalidModel, Message, UnsupportedFeature, suggest
from pysd_runner.engine.frontend import syntax
from pysd_runner.engine.frontend.lowering import arrays, distributions, library
from pysd_runner.engine.frontend.lowering.arrays import ARRAY_CALLS
from pysd_runner.engine.frontend.lowering.conveyors import read_conveyor, read_part, read_slats
from pysd_runner.engine.frontend.lowering.macros import expanded
from pysd_runner.engine.frontend.lowering.reductions import REDUCTION_CALLS
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.subscripts import selected, transposed
from pysd_runner.engine.frontend.lowering.table_calls import DATA_CALLS, TABLE_CALLS, read_table
from pysd_runner.engine.frontend.syntax import Array, Call, Conveyor, Misplaced, Name, Node, Stock, Text, shortened
from pysd_runner.engine.ir import INITIAL_TIME, SMALL, Expression, Number, Reference, Table, Time, key, operation

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

# Comparison operators for swapped sides.
MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}

# Maximum number of terms of a sum that are added one after another; longer sums are added in pairs.
LONG_SUM = 40


def lower_expression(node: Node, scope: Scope) -> Expression:
    """Lower one node of the common syntax tree."""
    return NODES[type(node)](node, scope)


def _operation(node: syntax.OperatorCall, scope: Scope) -> Expression:
    parts = [scope.lowered(part) for part in node.arguments]
    operators = node.operators
    if operators == ("negative",):
        return _negative(parts[0])
    if operators == (":NOT:",):
        return operation("not", parts[0])
    if operators[0] in LOGIC:
        return _missing(parts, operators) or _in_a_row(parts, [LOGIC[item] for item in operators])
    if operators[0] == "^":
        return _powers(parts)
    if len(parts) > LONG_SUM and set(operators) <= {"+", "-"}:
        return _long_sum(parts, operators)
    return _in_a_row(parts, [ARITHMETIC[item] for item in operators])


def _missing(parts: Sequence[Expression], operators: tuple[str, ...]) -> Expression | None:
    """Comparison with a missing value, :NA:, which is less than every number; None for other operations."""
    places = [place for place, part in enumerate(parts) if isinstance(part, Number) and math.isnan(part.value)]
    if len(parts) != 2 or not places or operators[0] in (":AND:", ":OR:"):
        return None
    if len(places) == 2:
        return operation("equal", 0.0, (0.0 if operators[0] in ("=", "<=", ">=") else 1.0))
    other = parts[1 - places[0]]
    operator = operators[0] if places == [1] else MIRRORED.get(operators[0], operators[0])
    if operator in (">", "<>"):
        return operation("equal", other, other)
    if operator in ("=", "<="):
        return operation("not_equal", other, other)
    return operation("equal", 0.0, (1.0 if operator == "<" else 0.0))


def _in_a_row(parts: Sequence[Expression], names: Sequence[str]) -> Expression:
    result, *rest = parts
    for name, part in zip(names, rest, strict=True):
        result = operation(name, result, part)
    return result


def _negative(part: Expression) -> Expression:
    return Number(-part.value) if isinstance(part, Number) else -part


def _powers(parts: Sequence[Expression]) -> Expression:
    """Right-associative powers: 2^3^2 is 2^9."""
    return reduce(lambda exponent, base: base**exponent, reversed(parts))


def _long_sum(parts: Sequence[Expression], operators: Sequence[str]) -> Expression:
    """Add many terms in pairs, so that generated code is not nested too deeply for Python."""
    terms = [parts[0]]
    for operator, part in zip(operators, parts[1:], strict=True):
        terms.append(part if operator == "+" else -part)
    while len(terms) > 1:
        pairs = [operation("add", *terms[place : place + 2]) for place in range(0, len(terms) - 1, 2)]
        terms = pairs + terms[2 * len(pairs) :]
    return terms[0]


def _reference(node: Name, scope: Scope) -> Expression:
    name = key(node.name)
    if scope.sampled is not None and name == key(scope.owner):
        return scope.sampled
    if name == "self" and name not in scope.names and key(scope.owner) in scope.names:
        return selected(scope.owner, node.subscripts, scope)
    if name not in scope.names and name.endswith("'") and name[:-1] in scope.names:
        node, name = transposed(replace(node, name=node.name[:-1]), scope), name[:-1]
    if name == "time" or scope.names.get(name) == "Time":
        return Time()
    if name not in scope.names:
        return _place(node, scope)
    if name in scope.tables and not scope.tables[name].has_value:
        raise UnsupportedFeature("table function {name!r} used without an argument", name=node.name)
    if name in scope.belts and node.subscripts and len(node.subscripts) == len(scope.dims[name]) + 1:
        return read_slats(node, scope)
    return selected(node.name, node.subscripts, scope)


def _place(node: Name, scope: Scope) -> Expression:
    """Value of a range or element used as a number: its position in the whole range, counted from one."""
    dimension, dot, element = node.name.partition(".")
    if dot and (inside := scope.ranges.name_of(dimension)) is not None and scope.ranges.holds(inside, element):
        return Number(float(scope.ranges.places(element, inside)[0] + 1))
    if node.name.endswith("!") and (marked := scope.ranges.name_of(node.name[:-1])) is not None:
        numbers = scope.ranges.numbers(scope.ranges.keys(marked), marked)
        return Table(numbers, (len(numbers),), (f"{marked}!",))
    name = scope.ranges.name_of(node.name)
    if name is None:
        number = scope.ranges.number(node.name)
        if number is None:
            near = suggest(node.name, scope.names.values())
            raise Misplaced(Message("{name!r} is not defined.{near}", name=shortened(node.name), near=near), node.at)
        return Number(number)
    axis, items = scope.left(name) or (name, scope.ranges.keys(name))
    numbers = scope.ranges.numbers(items, name)
    return Number(numbers[0]) if axis is None else Table(numbers, (len(numbers),), (axis,))


def _call(node: Call, scope: Scope) -> Expression:
    name = key(node.function)
    if name in scope.macros:
        return expanded(scope.macros[name], node, scope)
    if name in scope.tables:
        return read_table(node, scope)
    if name in SPECIAL:
        return SPECIAL[name](node, scope)
    if name not in BUILDERS:
        if name in scope.names and scope.dims[name]:
            return arrays.flat_element(node, scope)
        if name in scope.names:
            raise InvalidModel(
                "{name!r} is called like a function, but holds no table of points.", name=scope.names[name]
            )
        raise UnsupportedFeature("function {name}", name=name.upper())
    count, build = BUILDERS[name]
    if len(node.arguments) != count:
        given = len(node.arguments)
        raise InvalidModel(
            "{name} takes {count} arguments, {given} are given", name=name.upper(), count=count, given=given
        )
    arguments = map(scope.lowered, node.arguments)
    return build(*arguments) if name in FUNCTIONS else build(scope, *arguments)


def _integ(node: Stock, scope: Scope) -> Expression:
    return scope.hide("stock", *map(scope.lowered, (node.flow, node.initial)), non_negative=node.non_negative)


def _sample_if_true(node: Call, scope: Scope) -> Expression:
    """SAMPLE IF TRUE; inside it, a reference to the variable itself is the last sampled value."""
    condition, value, initial = arrays.given(node, 3)
    start = scope.lowered(initial)
    names = [key(part.name) for part in syntax.parts((condition, value)) if isinstance(part, Name)]
    if scope.stock or key(scope.owner) not in names:
        return library.sample_if_true(scope, scope.lowered(condition), scope.lowered(value), start)
    scope.sampled = scope.hide(
        "memory", start, start, over=(scope.table([0.0] * math.prod(scope.ranges.counts(scope.block))),)
    )
    try:
        parts = (scope.lowered(condition), scope.lowered(value), scope.sampled)
        scope.replace_hidden(scope.sampled, operation("where", *parts))
        return operation("where", *parts)
    finally:
        scope.sampled = None


def _refused(what: Message) -> Callable[[Call, Scope], Expression]:
    def refuse(_node: Call, _scope: Scope) -> Expression:
        raise UnsupportedFeature(what)

    return refuse


def _text(node: Text, _scope: Scope) -> Expression:
    raise InvalidModel("the text {value!r} stands where a number is expected.", value=node.value)


def _points(_node: syntax.Points, _scope: Scope) -> Expression:
    raise InvalidModel("a table stands where a number is expected.")


# Functions whose arguments are not all plain numbers, but tables, ranges or strings as well.
SPECIAL: dict[str, Callable[[Call, Scope], Expression]] = {
    **TABLE_CALLS,
    **DATA_CALLS,
    **REDUCTION_CALLS,
    **ARRAY_CALLS,
    "a function of": _refused(Message("A FUNCTION OF, which stands for an equation that is still to be written,")),
    "clocktime": _refused(Message("CLOCKTIME, the clock of the computer, which no run could repeat,")),
    "conveyor part": read_part,
    "history": library.history,
    "sample if true": _sample_if_true,
}

# Type of a node of the common syntax tree -> function that lowers it.
NODES: dict[type, Callable[[Any, Scope], Expression]] = {
    syntax.Numeral: lambda node, _scope: Number(node.value),
    Text: _text,
    Array: lambda node, scope: scope.table(node.values),
    syntax.Points: _points,
    Name: _reference,
    syntax.OperatorCall: _operation,
    Call: _call,
    Stock: _integ,
    Conveyor: read_conveyor,
}

Build = Callable[..., Expression]


def _plain(name: str) -> Build:
    return lambda *arguments: operation(name, *arguments)


def _ramp(slope: Expression, start: Expression, finish: Expression | None = None) -> Expression:
    end = Time() if finish is None else operation("min", finish, Time())
    reached = Time() + SMALL > start
    risen = slope * (end - start)
    return operation("where", reached, risen, 0.0)


# Name -> (number of arguments, function that builds the expression from the arguments).
FUNCTIONS: dict[str, tuple[int, Build]] = {
    **{
        name: (1, _plain(name))
        for name in [
            "abs",
            "exp",
            "sin",
            "cos",
            "tan",
            "arcsin",
            "arccos",
            "arctan",
            "sinh",
            "cosh",
            "tanh",
            "sqrt",
            "ln",
            "integer",
        ]
    },
    **{name: (2, _plain(name)) for name in ["power", "min", "max", "quantum", "modulo", "remainder"]},
    "xidz": (3, _plain("xidz")),
    "log": (2, lambda value, base: operation("ln", value) / operation("ln", base)),
    "if then else": (3, _plain("where")),
    "zidz": (2, lambda numerator, denominator: operation("xidz", numerator, denominator, 0.0)),
    "ramp": (3, _ramp),
    "ramp on": (2, _ramp),
    "pi": (0, lambda: Number(math.pi)),
    "floor": (1, library.floor),
    "round": (1, library.rounded),
    "rootn": (2, lambda value, order: value ** (1.0 / order)),
    "log10": (1, lambda value: operation("ln", value) / math.log(10.0)),
    "percent": (1, lambda value: value * 100.0),
    "sinwave": (2, library.wave("sin")),
    "coswave": (2, library.wave("cos")),
    "normal probability": (4, distributions.probability_between),
    "if missing": (2, lambda value, otherwise: operation("where", operation("equal", value, value), value, otherwise)),
    "gamma ln": (1, library.log_gamma),
    "factorial": (1, library.factorial),
    "permutations": (2, library.permutations),
    "combinations": (2, library.combinations),
    "pmt": (4, library.payment),
    "fv": (4, library.future_value),
    "pv": (4, library.present_value),
    "counter": (2, library.counter),
    "time base": (2, lambda start, slope: start + slope * Time()),
}


def _get_time_value(_scope: Scope, relative: Expression, offset: Expression, measure: Expression) -> Expression:
    if not isinstance(relative, Number) or not isinstance(measure, Number):
        raise UnsupportedFeature("GET TIME VALUE whose first or last argument is not a number")
    if relative.value == 2:
        raise UnsupportedFeature("GET TIME VALUE of the computer's clock, which no run could repeat,")
    if relative.value not in (0, 1) or measure.value != 0:
        raise UnsupportedFeature(
            "GET TIME VALUE({value:g}, ..., {other_value:g}), which asks for a date of a calendar,",
            value=relative.value,
            other_value=measure.value,
        )
    return (Reference(INITIAL_TIME, ()) if relative.value else Time()) + offset


def _seeded(build: Build) -> Build:
    """Ignore the last argument, the seed in the file: random numbers depend on the seed of the run."""
    return lambda scope, *arguments: build(scope, *arguments[:-1])


# Name -> (number of arguments, function that builds the expression from the scope and the arguments).
CALLS: dict[str, tuple[int, Build]] = {
    "initial": (1, lambda scope, value: scope.hide("initial", value)),
    "smooth": (4, library.smooth),
    "smooth n": (4, library.smooth),
    "delay": (4, library.delay),
    "delay n": (4, library.delay_n),
    "delay fixed": (3, library.delay_fixed),
    "delay material": (4, library.delay_material),
    "delay information": (3, library.delay_material),
    "trend": (3, library.trend),
    "forecast": (4, library.forecast),
    "npv": (4, library.net_present_value),
    "cgrowth": (1, library.growth),
    "npve": (4, library.net_present_value_at_ends),
    "derivn": (2, library.derivative),
    "sinteg": (7, library.bounded_integral),
    "previous": (2, library.previous),
    "step": (2, library.step),
    "pulse": (2, library.pulse),
    "pulse train": (4, library.pulse_train),
    "impulse": (2, library.impulse),
    "impulses": (3, library.impulses),
    "active initial": (2, lambda scope, active, initial: scope.hide("auxiliary", active, initial)),
    "get time value": (3, _get_time_value),
    "vector sort order": (2, arrays.sorted_by("vector sort order")),
    "vector rank": (2, arrays.sorted_by("vector rank")),
    "vector reorder": (2, arrays.vector_reorder),
    "vector select": (5, arrays.vector_select),
    "allocate by priority": (4, arrays.allocate_by_priority),
    "random 0 1": (0, distributions.standard),
    "random uniform": (3, _seeded(distributions.uniform)),
    "random normal": (5, _seeded(distributions.normal)),
    "random exponential": (5, _seeded(distributions.exponential)),
    "random triangular": (6, _seeded(distributions.triangular_within)),
    "random gamma": (6, _seeded(distributions.gamma_from_one)),
    "random beta": (7, _seeded(distributions.stretched("beta_quantile", 2))),
    "random weibull": (6, _seeded(distributions.weibull_of_mean_one)),
    "random poisson": (6, _seeded(distributions.stretched("poisson_quantile", 1))),
    "random binomial": (7, _seeded(distributions.binomial_successes)),
    "random negative binomial": (7, _seeded(distributions.trials_for)),
    "random pink noise": (4, _seeded(distributions.pink)),
    "log normal": (4, distributions.log_normal),
    "weibull": (5, distributions.stretched("weibull_quantile", 1)),
    "pareto": (4, distributions.pareto),
    "logistic": (4, distributions.logistic),
    "chance": (1, distributions.chance),
    "uniform": (2, distributions.uniform),
    "gamma": (5, distributions.stretched("gamma_quantile", 1)),
    "beta": (6, distributions.stretched("beta_quantile", 2)),
    "poisson": (5, distributions.stretched("poisson_quantile", 1)),
    "binomial": (6, distributions.stretched("binomial_quantile", 2)),
    "failures": (6, distributions.stretched("failures_quantile", 2)),
    "normal quantile": (1, distributions.normal_quantile),
}

BUILDERS = FUNCTIONS | CALLS
