"""Translate calls of Vensim, XMILE and Stella functions to the names and argument order of the common syntax tree."""

import math
from collections.abc import Callable, Mapping

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.syntax import Call, Name, Node, Numeral, OperatorCall, Points, Stock, Text

Build = Callable[..., Node]
# Function that builds the node of a call, for each number of arguments; None stands for any other number.
Forms = dict[int | None, Build]


def _as(name: str, *taken: int | float) -> Build:
    """Builder of a call: an integer in `taken` selects an argument by its index, a float is a literal argument."""
    return lambda *given: Call(name, tuple(given[at] if isinstance(at, int) else Numeral(at) for at in taken))


def _renamed(name: str, count: int) -> Forms:
    return {count: _as(name, *range(count))}


def _from_value(name: str, order: float) -> Forms:
    """Delay or smooth without an initial value, which starts from its input."""
    return {2: _as(name, 0, 1, 0, order)}


def _from_start(name: str, order: float) -> Forms:
    """Delay or smooth whose third argument is its initial value."""
    return {3: _as(name, 0, 1, 2, order)}


def _external(name: str, count: int) -> Forms:
    def build(*arguments: Node) -> Node:
        if not all(isinstance(item, Text) for item in arguments):
            raise InvalidModel(
                "{name} takes {count} texts in single quotes, such as 'data.xlsx'", name=name.upper(), count=count
            )
        return Call(name, arguments)

    return {count: build}


def _of_set(name: str, count: int) -> Forms:
    """Function that reads a data set: names of the file and of the variable, then `count` numbers."""

    def build(file: Node, variable: Node, *numbers: Node) -> Node:
        texts = isinstance(file, Text) and isinstance(variable, Text)
        if not texts or not all(isinstance(item, Numeral) for item in numbers):
            raise InvalidModel(
                "{name} takes 2 texts in single quotes, of a file and of a variable in it, and then {count} numbers",
                name=name.upper().replace("GET ", "GET VDF "),
                count=count,
            )
        return Call(name, (file, variable, *numbers))

    return {2 + count: build}


def _with_lookup(argument: Node, table: Node) -> Node:
    if not isinstance(table, Points):
        raise InvalidModel("WITH LOOKUP takes a number and a table, ((x, y), (x, y), ...)")
    return Call("with lookup", (argument, table))


# Key of the function name in the format -> number of arguments -> builder of its node. Functions that are in neither
# table have the same name and arguments in the common syntax tree.
VENSIM: Mapping[str, Forms] = {
    "integ": {2: Stock},
    "smooth": _from_value("smooth", 1.0),
    "smoothi": _from_start("smooth", 1.0),
    "smooth3": _from_value("smooth", 3.0),
    "smooth3i": _from_start("smooth", 3.0),
    "delay1": _from_value("delay", 1.0),
    "delay1i": _from_start("delay", 1.0),
    "delay3": _from_value("delay", 3.0),
    "delay3i": _from_start("delay", 3.0),
    "forecast": {3: _as("forecast", 0, 1, 2, 0.0)},
    "game": {1: lambda value: value},
    "reinitial": _renamed("initial", 1),
    "with lookup": {2: _with_lookup},
    # The third argument, the number of elements, is implied by the subscript range.
    "allocate by priority": {5: _as("allocate by priority", 0, 1, 3, 4)},
    "x if missing": _renamed("if missing", 2),
    "pulse train": {4: _as("pulse train", 0, 2, 1, 3)},
    "get xls data": _external("get data", 4),
    "get direct data": _external("get data", 4),
    "get xls lookups": _external("get lookups", 4),
    "get direct lookups": _external("get lookups", 4),
    "get xls constants": _external("get constants", 3),
    "get direct constants": _external("get constants", 3),
    "get vdf data": _of_set("get data", 2),
    "get vdf lookups": _of_set("get lookups", 2),
    "get vdf constants": _of_set("get constants", 1),
}


def _extreme(name: str) -> Forms:
    """MAX or MIN of one array, or of several numbers and arrays."""
    return {1: _as(f"{name} of array", 0), None: lambda *arguments: Call(f"{name} of several", arguments)}


def _drawn(count: int, build: Build) -> Forms:
    """Random function with optional arguments: seed, lower and upper bound, and how long a number is kept.

    The seed is ignored: only the seed of the run is used.
    """

    def made(*arguments: Node) -> Node:
        none = Numeral(math.nan)
        low, high, kept = (*arguments[count + 1 :], none, none, none)[:3]
        low = Numeral(-math.inf) if _is_absent(low) else low
        high = Numeral(math.inf) if _is_absent(high) else high
        number = build(low, high, *arguments[:count])
        if _is_absent(kept):
            return number
        step = Name("dt")
        phase = Call("remainder", (OperatorCall(("+",), (Name("time"), _half(step))), Call("max", (kept, step))))
        return Call("sample if true", (OperatorCall(("<",), (phase, step)), number, number))

    return dict.fromkeys(range(count, count + 5), made)


def _half(node: Node) -> Node:
    return OperatorCall(("/",), (node, Numeral(2.0)))


def _law(name: str, count: int) -> Build:
    """Builder of a random function with shift 0 and scale 1."""
    return _as(name, *range(2 + count), 0.0, 1.0)


def _is_absent(node: Node) -> bool:
    return isinstance(node, Numeral) and math.isnan(node.value)


def _mean(*arguments: Node) -> Node:
    total = OperatorCall(("+",) * (len(arguments) - 1), arguments)
    return OperatorCall(("/",), (total, Numeral(float(len(arguments)))))


XMILE: Mapping[str, Forms] = {
    # Vensim and converters of its files leave its own names in XMILE, with its arguments.
    **{name: forms for name, forms in VENSIM.items() if not name.startswith(("get ", "integ", "with "))},
    "init": _renamed("initial", 1),
    "int": _renamed("floor", 1),
    "pow": _renamed("power", 2),
    "delay": {2: _as("delay fixed", 0, 1, 0), 3: _as("delay fixed", 0, 1, 2)},
    "delay1": _from_value("delay", 1.0) | _from_start("delay", 1.0),
    "delay3": _from_value("delay", 3.0) | _from_start("delay", 3.0),
    "delayn": {3: _as("delay", 0, 1, 0, 2), 4: _as("delay", 0, 1, 3, 2)},
    "smth1": _from_value("smooth", 1.0) | _from_start("smooth", 1.0),
    "smth3": _from_value("smooth", 3.0) | _from_start("smooth", 3.0),
    "smthn": {3: _as("smooth", 0, 1, 0, 2), 4: _as("smooth", 0, 1, 3, 2)},
    "trend": {2: _as("trend", 0, 1, 0.0), 3: _as("trend", 0, 1, 2)},
    **{name: {3: _as("forecast", 0, 1, 2, 0.0), 4: _as("forecast", 0, 1, 2, 3)} for name in ("forcst", "forecast")},
    "safediv": {2: _as("zidz", 0, 1), 3: _as("xidz", 0, 1, 2)},
    "ramp": {
        1: lambda slope: Call("ramp on", (slope, Name("starttime"))),
        2: _as("ramp on", 0, 1),
        3: _as("ramp", 0, 1, 2),
    },
    "pulse": {
        # Without a time and an interval, pulses follow each other without gaps.
        1: lambda volume: OperatorCall(("/",), (volume, Name("dt"))),
        2: _as("impulse", 1, 0),
        3: _as("impulses", 1, 2, 0),
    },
    "max": _extreme("max"),
    "min": _extreme("min"),
    "mean": {1: _as("mean of array", 0), None: _mean},
    "size": _renamed("size of array", 1),
    "sum": _renamed("sum of array", 1),
    "prod": _renamed("prod of array", 1),
    "stddev": _renamed("stddev of array", 1),
    "if then else": _renamed("if then else", 3),
    **dict.fromkeys(
        ("random", "uniform"),
        _drawn(
            2, lambda low, high, *ends: Call("uniform", (Call("max", (ends[0], low)), Call("min", (ends[1], high))))
        ),
    ),
    "exprnd": _drawn(1, _as("random exponential", 0, 1, 0.0, 2, 0.0)),
    "lognormal": _drawn(2, _as("log normal", 0, 1, 2, 3)),
    "normal": _drawn(2, _as("random normal", 0, 1, 2, 3, 0.0)),
    "normalpink": _drawn(3, _as("random pink noise", 2, 3, 4, 0.0)),
    "triangular": _drawn(3, _as("random triangular", 0, 1, 2, 3, 4, 0.0)),
    "weibull": _drawn(2, _as("weibull", 0, 1, 2, 0.0, 3)),
    "pareto": _drawn(2, _as("pareto", 0, 1, 2, 3)),
    "logistic": _drawn(2, _as("logistic", 0, 1, 2, 3)),
    "montecarlo": _drawn(1, _as("chance", 2)),
    "poisson": _drawn(1, _law("poisson", 1)),
    "binomial": _drawn(2, _law("binomial", 2)),
    "negbinomial": _drawn(2, _law("failures", 2)),
    # Number of trials up to and including the first success.
    "geometric": _drawn(1, _as("failures", 0, 1, 1.0, 2, 1.0, 1.0)),
    "beta": _drawn(2, _law("beta", 2)),
    "gamma": {1: _as("gamma", -math.inf, math.inf, 0, 0.0, 1.0), **_drawn(2, _as("gamma", 0, 1, 2, 0.0, 3))},
    "normalcdf": {2: _as("normal probability", 0, 1, 0.0, 1.0), 4: _as("normal probability", 0, 1, 2, 3)},
    "invnorm": {
        1: _as("normal quantile", 0),
        3: lambda chance, mean, deviation: OperatorCall(
            ("+",), (mean, OperatorCall(("*",), (deviation, Call("normal quantile", (chance,)))))
        ),
    },
    "gammaln": _renamed("gamma ln", 1),
    # Without kinds of priority, widths are those of rectangles, as in ALLOCATE BY PRIORITY.
    "allocate": {5: _as("allocate", 0, 1, 2, 3, 4, 1.0), 6: _as("allocate", *range(6))},
    "npv": {2: _as("npv", 0, 1, 0.0, 1.0), 3: _as("npv", 0, 1, 2, 1.0), 4: _as("npv", 0, 1, 2, 3)},
    # Every run counts as the first of its session, so there is no previous run to take the final value from.
    "endval": {1: _as("initial", 0), 2: _as("initial", 1)},
    "logn": _renamed("ln", 1),
    "mod": _renamed("remainder", 2),
    "switch": {
        2: lambda one, other: Call("if then else", (OperatorCall((">",), (one, other)), Numeral(1.0), Numeral(0.0))),
    },
    "previous": {1: _as("previous", 0, 0.0), 2: _as("previous", 0, 1)},
}

# XMILE names that are replaced by a number or a call without arguments.
NAMES: Mapping[str, Node] = {
    "inf": Numeral(math.inf),
    "nan": Numeral(math.nan),
    "pi": Numeral(math.pi),
    # Every run counts as the first of its session.
    "runcount": Numeral(0.0),
    "sensiruncount": Numeral(0.0),
    "clocktime": Call("clocktime", ()),
}


def vensim_call(name: str, arguments: tuple[Node, ...]) -> Node | None:
    """Translate a call of a Vensim function; None if the common syntax tree has the same function and arguments."""
    return _built(VENSIM, name, arguments)


def xmile_call(name: str, arguments: tuple[Node, ...]) -> Node | None:
    """Translate a call of an XMILE function; None if the common syntax tree has it with the same name and arguments."""
    if name in ("time", "dt", "starttime", "stoptime") and not arguments:
        return Name(name)
    if name in NAMES and not arguments:
        return NAMES[name]
    if name == "lookup" and len(arguments) == 2 and isinstance(arguments[0], Name):
        table = arguments[0]
        return Call(table.name, arguments[1:], table.subscripts, at=table.at)
    return _built(XMILE, name, arguments)


def _built(table: Mapping[str, Forms], name: str, arguments: tuple[Node, ...]) -> Node | None:
    forms = table.get(name)
    if forms is None:
        return None
    build = forms.get(len(arguments), forms.get(None))
    if build is None or not arguments:
        expected = " or ".join(str(count) for count in forms if count is not None)
        given = len(arguments)
        raise InvalidModel(
            "{name} takes {count} arguments, {given} are given", name=name.upper(), count=expected, given=given
        )
    return build(*arguments)
