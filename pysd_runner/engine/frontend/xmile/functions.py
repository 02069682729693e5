"""Functions of XMILE and Stella in the names and the order of arguments of the common tree."""

import math
from collections.abc import Callable, Mapping

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.syntax import Call, Name, Node, Numeral, OperatorCall

Build = Callable[..., Node]
# None stands for any other number of arguments.
Forms = Mapping[int | None, Build]


def _renamed(name: str, count: int) -> Forms:
    return {count: lambda *arguments: Call(name, arguments)}


def _smooth(order: float) -> Forms:
    return {
        2: lambda value, time: Call("smooth", (value, time, value, Numeral(order))),
        3: lambda value, time, start: Call("smooth", (value, time, start, Numeral(order))),
    }


def _delay(order: float) -> Forms:
    return {
        2: lambda value, time: Call("delay", (value, time, value, Numeral(order))),
        3: lambda value, time, start: Call("delay", (value, time, start, Numeral(order))),
    }


def _extreme(name: str) -> Forms:
    """Of one array, or of several numbers and arrays."""
    return {
        1: lambda values: Call(f"{name} of array", (values,)),
        None: lambda *arguments: Call(f"{name} of several", arguments),
    }


def _random(name: str, count: int) -> Forms:
    """A random function, with the seed that may stand behind what it takes: numbers go by the seed of the run."""
    return {
        count: lambda *arguments: Call(name, arguments),
        count + 1: lambda *arguments: Call(name, arguments[:-1]),
    }


def _bounded(count: int, build: Build) -> Forms:
    """A random function, behind whose parameters a seed, a lower and an upper bound may stand."""

    def made(*arguments: Node) -> Node:
        none = Numeral(math.nan), Numeral(math.nan)
        low, high = (*arguments[count + 1 :], *none)[:2]
        low = Numeral(-math.inf) if _is_absent(low) else low
        high = Numeral(math.inf) if _is_absent(high) else high
        return build(low, high, *arguments[:count])

    return dict.fromkeys(range(count, count + 4), made)


def _law(name: str) -> Build:
    """A distribution that is neither stretched nor shifted."""
    return lambda low, high, *parameters: Call(name, (low, high, *parameters, Numeral(0.0), Numeral(1.0)))


def _gamma(low: Node, high: Node, shape: Node, scale: Node) -> Node:
    return Call("gamma", (low, high, shape, Numeral(0.0), scale))


def _trials(low: Node, high: Node, share: Node) -> Node:
    """Trials until one succeeds."""
    return Call("failures", (low, high, Numeral(1.0), share, Numeral(1.0), Numeral(1.0)))


def _is_absent(node: Node) -> bool:
    return isinstance(node, Numeral) and math.isnan(node.value)


def _mean(*arguments: Node) -> Node:
    total = OperatorCall(("+",) * (len(arguments) - 1), arguments)
    return OperatorCall(("/",), (total, Numeral(float(len(arguments)))))


# Key of the name in XMILE -> number of arguments -> what it is in the common tree. Functions that are not here have the
# same name and arguments there.
FUNCTIONS: Mapping[str, Forms] = {
    "init": _renamed("initial", 1),
    "int": _renamed("floor", 1),
    "delay": {
        2: lambda value, time: Call("delay fixed", (value, time, value)),
        3: lambda value, time, start: Call("delay fixed", (value, time, start)),
    },
    "delay1": _delay(1.0),
    "delay3": _delay(3.0),
    "delayn": {
        3: lambda value, time, order: Call("delay", (value, time, value, order)),
        4: lambda value, time, order, start: Call("delay", (value, time, start, order)),
    },
    "smth1": _smooth(1.0),
    "smth3": _smooth(3.0),
    "smthn": {
        3: lambda value, time, order: Call("smooth", (value, time, value, order)),
        4: lambda value, time, order, start: Call("smooth", (value, time, start, order)),
    },
    "trend": {
        2: lambda value, time: Call("trend", (value, time, Numeral(0.0))),
        3: lambda value, time, start: Call("trend", (value, time, start)),
    },
    "forcst": {
        3: lambda value, time, horizon: Call("forecast", (value, time, horizon, Numeral(0.0))),
        4: lambda value, time, horizon, start: Call("forecast", (value, time, horizon, start)),
    },
    "safediv": {
        2: lambda a, b: Call("zidz", (a, b)),
        3: lambda a, b, otherwise: Call("xidz", (a, b, otherwise)),
    },
    "ramp": {
        1: lambda slope: Call("ramp on", (slope, Name("starttime"))),
        2: lambda slope, start: Call("ramp on", (slope, start)),
        3: lambda slope, start, end: Call("ramp", (slope, start, end)),
    },
    "pulse": {
        2: lambda amount, start: Call("impulse", (start, amount)),
        3: lambda amount, start, interval: Call("impulses", (start, interval, amount)),
    },
    "max": _extreme("max"),
    "min": _extreme("min"),
    "mean": {1: lambda values: Call("mean of array", (values,)), None: _mean},
    "size": _renamed("size of array", 1),
    "sum": _renamed("sum of array", 1),
    "prod": _renamed("prod of array", 1),
    "stddev": _renamed("stddev of array", 1),
    "if then else": _renamed("if then else", 3),
    "random": _random("uniform", 2),
    "uniform": _random("uniform", 2),
    "exprnd": _random("free exponential", 1),
    "lognormal": _random("log normal", 2),
    "normal": {
        **_random("free normal", 2),
        5: lambda mean, deviation, seed, low, high: Call("random normal", (low, high, mean, deviation, seed)),
    },
    "triangular": _random("triangular", 3),
    "weibull": _random("weibull", 2),
    "pareto": _random("pareto", 2),
    "logistic": _random("logistic", 2),
    "montecarlo": _random("chance", 1),
    "poisson": _bounded(1, _law("poisson")),
    "binomial": _bounded(2, _law("binomial")),
    "negbinomial": _bounded(2, _law("failures")),
    "geometric": _bounded(1, _trials),
    "beta": _bounded(2, _law("beta")),
    "gamma": {1: lambda shape: _law("gamma")(Numeral(-math.inf), Numeral(math.inf), shape), **_bounded(2, _gamma)},
    "normalcdf": {
        2: lambda low, high: Call("normal probability", (low, high, Numeral(0.0), Numeral(1.0))),
        4: lambda low, high, mean, deviation: Call("normal probability", (low, high, mean, deviation)),
    },
    "invnorm": {
        1: lambda chance: Call("normal quantile", (chance,)),
        3: lambda chance, mean, deviation: OperatorCall(
            ("+",), (mean, OperatorCall(("*",), (deviation, Call("normal quantile", (chance,)))))
        ),
    },
    "gammaln": _renamed("gamma ln", 1),
    "npv": {
        2: lambda stream, rate: Call("npv", (stream, rate, Numeral(0.0), Numeral(1.0))),
        3: lambda stream, rate, start: Call("npv", (stream, rate, start, Numeral(1.0))),
        4: lambda stream, rate, start, factor: Call("npv", (stream, rate, start, factor)),
    },
    # Each run is the first of its session.
    "endval": {1: lambda value: Call("initial", (value,)), 2: lambda _value, start: Call("initial", (start,))},
    "logn": _renamed("ln", 1),
    "mod": _renamed("remainder", 2),
    "switch": {
        2: lambda one, other: Call("if then else", (OperatorCall((">",), (one, other)), Numeral(1.0), Numeral(0.0))),
    },
    "previous": {
        1: lambda value: Call("previous", (value, Numeral(0.0))),
        2: lambda value, start: Call("previous", (value, start)),
    },
}

# Names that stand for a value.
NAMES: Mapping[str, Node] = {
    "inf": Numeral(math.inf),
    "nan": Numeral(math.nan),
    "pi": Numeral(math.pi),
    # Each run is the first of its session.
    "runcount": Numeral(0.0),
    "sensiruncount": Numeral(0.0),
    "clocktime": Call("clocktime", ()),
}


def xmile_name(name: str) -> Node | None:
    """A name that stands for a value, None for any other."""
    return NAMES.get(name)


def xmile_call(name: str, arguments: tuple[Node, ...]) -> Node | None:
    """A function of XMILE in the common tree."""
    if name in ("time", "dt", "starttime", "stoptime") and not arguments:
        return Name(name)
    if name in NAMES and not arguments:
        return NAMES[name]
    if name == "lookup" and len(arguments) == 2 and isinstance(arguments[0], Name):
        table = arguments[0]
        return Call(table.name, arguments[1:], table.subscripts, at=table.at)
    forms = FUNCTIONS.get(name)
    if forms is None:
        return None
    build = forms.get(len(arguments), forms.get(None))
    if build is None or not arguments:
        expected = " or ".join(str(count) for count in forms if count is not None)
        raise InvalidModel(f"{name.upper()} takes {expected} arguments, {len(arguments)} are given")
    return build(*arguments)


def safe_division(numerator: Node, denominator: Node) -> Node:
    """``a // b`` of Stella, which is zero where b is."""
    return Call("zidz", (numerator, denominator))


def remainder(value: Node, divisor: Node) -> Node:
    """``a MOD b``."""
    return Call("remainder", (value, divisor))


def negative(node: Node) -> Node:
    """A node with a minus in front."""
    return Numeral(-node.value) if isinstance(node, Numeral) else OperatorCall(("negative",), (node,))
