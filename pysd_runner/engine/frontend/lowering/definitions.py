"""Refuses a file that defines a name twice, or a name that stands for something else."""

from collections.abc import Iterable
from typing import Any

from pysd_runner.engine.names import key, tidy
from pysd_runner.errors import InvalidModel, suggest


def check_definitions(section: Any) -> None:
    """See that every name of a section means one thing.

    Parameters
    ----------
    section
        PySD's abstract section.

    Raises
    ------
    InvalidModel
        If a variable or a subscript range is defined twice, a range is a copy of one that does not exist, or a
        variable is called Time.
    """
    _unique("subscript range", (item.name for item in section.subscripts))
    _unique("variable", (element.name for element in section.elements))
    ranges = {key(item.name): item.name for item in section.subscripts}
    for item in section.subscripts:
        if isinstance(item.subscripts, str) and key(item.subscripts) not in ranges:
            raise InvalidModel(
                f"subscript range {tidy(item.name)!r} is a copy of {item.subscripts!r}, which is no subscript range."
                f"{suggest(item.subscripts, ranges.values())}"
            )
    for element in section.elements:
        if key(element.name) == "time":
            raise InvalidModel("Time is the current time and cannot be defined; give the variable another name")
        if len(element.components) > 1 and not any(part.subscripts[0] for part in element.components):
            raise InvalidModel(f"variable {tidy(element.name)!r} is defined {len(element.components)} times")


def _unique(kind: str, names: Iterable[str]) -> None:
    known: dict[str, str] = {}
    for name in names:
        if key(name) in known:
            raise InvalidModel(f"{kind} {tidy(name)!r} is defined twice, first as {tidy(known[key(name)])!r}")
        known[key(name)] = name
