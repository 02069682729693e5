"""Reads an XMILE file into the common tree."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pysd_runner.engine.frontend.syntax import Macro, Range, Syntax, Target, Variable
from pysd_runner.engine.frontend.xmile.allowed import what_is_known
from pysd_runner.engine.frontend.xmile.containers import with_containers
from pysd_runner.engine.frontend.xmile.document import child, children, read_document, text_of
from pysd_runner.engine.frontend.xmile.expressions import plain_name
from pysd_runner.engine.frontend.xmile.functions import NAMES as NUMBERS
from pysd_runner.engine.frontend.xmile.modules import flattened
from pysd_runner.engine.frontend.xmile.specs import NAMES, controls
from pysd_runner.engine.frontend.xmile.variables import Habits, read_variable
from pysd_runner.engine.names import key
from pysd_runner.errors import InvalidModel

CONTROLS = frozenset({"initial time", "final time", "time step", "saveper"})


def read_xmile(path: Path) -> Syntax:
    """Read an XMILE file.

    Parameters
    ----------
    path
        An ``.xmile``, ``.xml``, ``.stmx`` or ``.itmx`` file.

    Returns
    -------
    Syntax
        What it says.

    Raises
    ------
    InvalidModel
        If the file is no whole XMILE document, holds something unknown, or an equation cannot be read; the message says
        where.
    """
    root = read_document(path.read_bytes())
    what_is_known(root)
    ranges = tuple(_ranges(root))
    macros = list(children(root, "macro"))
    habits = _habits(root, ranges, macros)
    variables = flattened(root, lambda item: _variables(item, habits))
    return Syntax(
        ranges=ranges,
        variables=(*variables, *controls(child(root, "sim_specs"))),
        macros=tuple(_macro(item, habits) for item in macros),
        other_names=NAMES,
    )


def _ranges(root: Any) -> Iterator[Range]:
    for group in children(root, "dimensions"):
        for dim in children(group, "dim"):
            name = plain_name(dim.get("name", ""))
            elements = [plain_name(item.get("name", "")) for item in children(dim, "elem")]
            if not name or not all(elements):
                empty = dim if not name else next(item for item in children(dim, "elem") if not item.get("name"))
                raise InvalidModel(f"line {empty.sourceline}: <{empty.tag}> has no name")
            if not elements:
                elements = [str(number + 1) for number in range(_size(dim))]
            targets = tuple(Target(plain_name(text_of(item))) for item in dim if item.tag.endswith("maps_to"))
            yield Range(name=name, elements=tuple(elements), targets=targets)


def _size(dim: Any) -> int:
    text = dim.get("size", "")
    if not text.isdigit() or not int(text):
        raise InvalidModel(f"line {dim.sourceline}: <dim> has neither elements nor a size")
    return int(text)


def _habits(root: Any, ranges: Iterable[Range], macros: Iterable[Any]) -> Habits:
    flows = stocks = False
    for behaviour in children(root, "behavior"):
        both = child(behaviour, "non_negative") is not None
        flows |= both or any(child(item, "non_negative") is not None for item in children(behaviour, "flow"))
        stocks |= both or any(child(item, "non_negative") is not None for item in children(behaviour, "stock"))
    names = {key(plain_name(item.get("name", ""))) for item in macros}
    for item in root.iter("aux", "flow", "stock", "gf"):
        name = key(plain_name(item.get("name", "")))
        if name in NUMBERS or (item.get("name") and (item.tag == "gf" or child(item, "gf") is not None)):
            names.add(name)
    return Habits(flows, stocks, frozenset(names), {item.name.casefold(): item.elements for item in ranges})


def _variables(model: Any, habits: Habits) -> list[Variable]:
    """Variables of one model, in the order of the file, each with its group."""
    groups = {
        key(plain_name(entity.get("name", ""))): plain_name(group.get("name", ""))
        for group in _within(model, "group")
        for entity in children(group, "entity", "var")
    }
    items = list(_within(model, "aux", "flow", "stock", "gf"))
    found = []
    for item in items:
        if key(plain_name(item.get("name", ""))) in CONTROLS:
            continue
        variable = read_variable(item, habits)
        group = groups.get(key(variable.name), "")
        found.append(variable if not group else replace(variable, group=group))
    return with_containers(items, found, habits.defined)


def _within(model: Any, *tags: str) -> Iterator[Any]:
    """Parts of a model, which drafts before the standard list without <variables>."""
    yield from children(model, *tags)
    for group in children(model, "variables"):
        yield from children(group, *tags)


def _macro(item: Any, habits: Habits) -> Macro:
    from pysd_runner.engine.frontend.places import Place
    from pysd_runner.engine.frontend.syntax import Equation
    from pysd_runner.engine.frontend.xmile.expressions import read_expression

    name = plain_name(item.get("name", ""))
    parameters = tuple(plain_name(text_of(part)) for part in children(item, "parm"))
    given = {key(name) for name in parameters}
    variables = [variable for variable in _variables(item, habits) if key(variable.name) not in given]
    eqn = child(item, "eqn")
    source = "" if eqn is None else eqn.text or ""
    place = Place((item if eqn is None else eqn).sourceline or 0, 1, source)
    node = read_expression(source, place, habits.defined)
    if node is not None and key(name) not in {key(variable.name) for variable in variables}:
        equation = Equation(expression=node, text=f"{name} = {' '.join(source.split())}", place=place)
        variables.append(Variable(name=name, equations=(equation,)))
    return Macro(name=name, parameters=parameters, variables=tuple(variables), place=place)
