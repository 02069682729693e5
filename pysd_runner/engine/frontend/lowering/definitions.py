"""Refuses a file that defines a name twice, or a name that stands for something else."""

from collections.abc import Iterable, Sequence

from pysd_runner.engine.errors import InvalidModel, suggest
from pysd_runner.engine.frontend.budgets import Budgets
from pysd_runner.engine.frontend.syntax import Range, Variable
from pysd_runner.engine.names import key, tidy


def check_definitions(
    ranges: Sequence[Range], variables: Sequence[Variable], macros: Sequence[str], budgets: Budgets
) -> None:
    """See that every name of a model or macro means one thing."""
    for name in (*(item.name for item in ranges), *(item.name for item in variables)):
        budgets.check_name(name)
    for item in ranges:
        for label in item.elements:
            budgets.check_name(label if isinstance(label, str) else label.prefix)
    _unique("macro", macros)
    _unique("subscript range", (item.name for item in ranges))
    _unique("variable", (item.name for item in variables))
    known = {key(item.name): item.name for item in ranges}
    for item in ranges:
        if item.copy_of is not None and key(item.copy_of) not in known:
            raise InvalidModel(
                f"{item.place.at(0)}: subscript range {item.name!r} is a copy of {item.copy_of!r}, which is no "
                f"subscript range.{suggest(item.copy_of, known.values())}"
            )
    for variable in variables:
        place = variable.equations[-1].place.at(0)
        if key(variable.name) == "time":
            raise InvalidModel(
                f"{place}: Time is the current time and cannot be defined; give the variable another name"
            )
        if len(variable.equations) > 1 and not any(part.subscripts for part in variable.equations):
            raise InvalidModel(f"{place}: variable {variable.name!r} is defined {len(variable.equations)} times")


def _unique(kind: str, names: Iterable[str]) -> None:
    known: dict[str, str] = {}
    for name in names:
        if key(name) in known:
            raise InvalidModel(f"{kind} {tidy(name)!r} is defined twice, first as {tidy(known[key(name)])!r}")
        known[key(name)] = name
