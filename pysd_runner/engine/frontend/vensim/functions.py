"""Functions of Vensim in the names and the order of arguments of the common tree."""

from collections.abc import Callable, Mapping

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.syntax import Call, Node, Number, Points, Stock, Text

Build = Callable[..., Node]


def _smooth(order: float) -> Mapping[int, Build]:
    return {2: lambda value, time: Call("smooth", (value, time, value, Number(order)))}


def _smooth_from(order: float) -> Mapping[int, Build]:
    return {3: lambda value, time, start: Call("smooth", (value, time, start, Number(order)))}


def _delay(order: float) -> Mapping[int, Build]:
    return {2: lambda value, time: Call("delay", (value, time, value, Number(order)))}


def _delay_from(order: float) -> Mapping[int, Build]:
    return {3: lambda value, time, start: Call("delay", (value, time, start, Number(order)))}


def _external(name: str, count: int) -> Mapping[int, Build]:
    def build(*arguments: Node) -> Node:
        if not all(isinstance(item, Text) for item in arguments):
            raise InvalidModel(f"{name.upper()} takes {count} texts in single quotes, such as 'data.xlsx'")
        return Call(name, arguments)

    return {count: build}


def _with_lookup(argument: Node, table: Node) -> Node:
    if not isinstance(table, Points):
        raise InvalidModel("WITH LOOKUP takes a number and a table, ((x, y), (x, y), ...)")
    return Call("with lookup", (argument, table))


# Key of the name in Vensim -> number of arguments -> what it is in the common tree. Functions that are not here have
# the same name and arguments there.
FUNCTIONS: Mapping[str, Mapping[int, Build]] = {
    "integ": {2: Stock},
    "smooth": _smooth(1.0),
    "smoothi": _smooth_from(1.0),
    "smooth3": _smooth(3.0),
    "smooth3i": _smooth_from(3.0),
    "delay1": _delay(1.0),
    "delay1i": _delay_from(1.0),
    "delay3": _delay(3.0),
    "delay3i": _delay_from(3.0),
    "forecast": {3: lambda value, time, horizon: Call("forecast", (value, time, horizon, Number(0.0)))},
    "game": {1: lambda value: value},
    "reinitial": {1: lambda value: Call("initial", (value,))},
    "with lookup": {2: _with_lookup},
    # The third argument is the number of elements, which the subscript tells.
    "allocate by priority": {
        5: lambda request, priority, _size, width, supply: Call(
            "allocate by priority", (request, priority, width, supply)
        )
    },
    "x if missing": {2: lambda value, otherwise: Call("if missing", (value, otherwise))},
    "pulse train": {4: lambda start, width, interval, end: Call("pulse train", (start, interval, width, end))},
    "get xls data": _external("get data", 4),
    "get direct data": _external("get data", 4),
    "get xls lookups": _external("get lookups", 4),
    "get direct lookups": _external("get lookups", 4),
    "get xls constants": _external("get constants", 3),
    "get direct constants": _external("get constants", 3),
}


def vensim_call(name: str, arguments: tuple[Node, ...]) -> Node | None:
    """A function of Vensim in the common tree."""
    forms = FUNCTIONS.get(name)
    if forms is None:
        return None
    if len(arguments) not in forms:
        expected = " or ".join(map(str, forms))
        raise InvalidModel(f"{name.upper()} takes {expected} arguments, {len(arguments)} are given")
    return forms[len(arguments)](*arguments)
