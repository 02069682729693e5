"""Find equations that are probably mistakes, but run unchanged, such as ramps that end before they start."""

from collections.abc import Iterable, Iterator, Mapping

from pysd_runner.engine.errors import Message
from pysd_runner.engine.frontend.syntax import Call, DefinedVariable, Equation, Name, Node, Numeral, Points, parts
from pysd_runner.engine.ir import key


def slips(variables: Iterable[DefinedVariable]) -> Iterator[Message]:
    """Probable mistakes in a model file, in the order of the file."""
    given = list(variables)
    known = {key(item.name): item.equations[0].expression for item in given if len(item.equations) == 1}
    for variable in given:
        for equation in variable.equations:
            for part in parts(equation.expression):
                if isinstance(part, Points):
                    yield from _repeated(variable, equation, part)
                    if part.odd_limits:
                        yield Message(
                            "{where}: the table of {name!r} has the range {limits}, with a bracket missing. A range "
                            "only says where the table is drawn, and is not used",
                            where=equation.place.at(0),
                            name=variable.name,
                            limits=part.odd_limits,
                        )
                elif isinstance(part, Call) and key(part.function) == "ramp" and len(part.arguments) == 3:
                    yield from _backwards(variable, equation, part, known)


def _repeated(variable: DefinedVariable, equation: Equation, points: Points) -> Iterator[Message]:
    values: dict[float, list[float]] = {}
    for x, y in zip(points.x, points.y, strict=True):
        values.setdefault(x, []).append(y)
    for x, found in values.items():
        if len(set(found)) > 1:
            yield Message(
                "{where}: the table of {name!r} has x = {x:g} more than once, with {first:g} and {last:g}: the last "
                "holds from there on, the first until just before{unused}. Keep one value unless a jump is meant",
                where=equation.place.at(0),
                name=variable.name,
                x=x,
                first=found[0],
                last=found[-1],
                unused=Message(", and those given between them are not used") if len(found) > 2 else "",
            )


def _backwards(
    variable: DefinedVariable, equation: Equation, call: Call, known: Mapping[str, Node | None]
) -> Iterator[Message]:
    start, end = (_number(node, known) for node in call.arguments[1:])
    if start is not None and end is not None and end < start:
        yield Message(
            "{where}: the ramp in {name!r} ends at {end:g}, before it starts at {start:g}: from its start on it is "
            "slope * (end - start). Correct one of them",
            where=equation.place.at(0),
            name=variable.name,
            start=start,
            end=end,
        )


def _number(node: Node | None, known: Mapping[str, Node | None]) -> float | None:
    """Value of a number, or of a constant under its name; None for any other expression."""
    if isinstance(node, Name) and node.subscripts is None:
        node = known.get(key(node.name))
    return node.value if isinstance(node, Numeral) else None
