"""Equations of change files, which replace equations of a model file before it is lowered."""

import re
from collections.abc import Container, Iterable
from dataclasses import replace

from pysd_runner.engine.errors import InvalidInput, Message, UnknownName
from pysd_runner.engine.frontend.syntax import (
    Array,
    Call,
    DefinedVariable,
    Equation,
    Numeral,
    OperatorCall,
    Points,
    SourcePlace,
    Syntax,
    Text,
    parts,
)
from pysd_runner.engine.ir import FINAL_TIME, INITIAL_TIME, SAVEPER, TIME_STEP, key

# An equation, and where it stands, for messages.
Changed = tuple[str, str]

# Definition of a named string, such as a file name.
TEXT = re.compile(r"(.+?):\s*IS\s*:\s*'([^']*)'", re.IGNORECASE | re.DOTALL)

_TABLE, _NO_TABLE = Message("a table function"), Message("no table function")
_COMPUTED = Message("computed by an equation")

_CONTROLS = {key(name) for name in (INITIAL_TIME, FINAL_TIME, TIME_STEP, SAVEPER)}


def with_texts(texts: dict[str, str], changes: Iterable[Changed]) -> dict[str, str]:
    """Named strings of a model by key, with those that changes set; raises for one that the model does not have."""
    found = dict(texts)
    for text, where in changes:
        match = TEXT.fullmatch(text.strip())
        if match is not None:
            if key(match[1]) not in found:
                raise _unknown(match[1].strip(), where, found)
            found[key(match[1])] = match[2]
    return found


def with_changes(syntax: Syntax, changes: Iterable[Changed]) -> Syntax:
    """Copy of a model with equations replaced, in order; those of elements or ranges replace what they name."""
    from pysd_runner.engine.frontend.vensim.equations import read_definition

    known = {key(item.name): item for item in syntax.variables}
    ranges = {key(item.name) for item in syntax.ranges}
    macros = frozenset(key(item.name) for item in syntax.macros)
    for text, where in changes:
        if TEXT.fullmatch(text.strip()):
            continue
        name, equation = read_definition(text, SourcePlace(text=text, where=where), macros)  # type: ignore[misc]
        if key(name) not in known:
            raise _unknown(name.strip('"'), where, [item.name for item in syntax.variables])
        known[key(name)] = _changed(known[key(name)], equation, where, ranges)
    return replace(syntax, variables=tuple(known.values()))


def _unknown(name: str, where: str, known: Iterable[str]) -> UnknownName:
    return UnknownName("{where}: the model has no {name!r}.{suggestion}", where=where, name=name, among=known)


def _changed(defined: DefinedVariable, equation: Equation, where: str, ranges: Container[str]) -> DefinedVariable:
    first = defined.equations[0]
    named, asked = len(first.subscripts), len(equation.subscripts)
    if named != asked:
        raise InvalidInput(
            "{where}: {name!r} has {count} subscripts; {asked} are given",
            where=where,
            name=defined.name,
            count=named,
            asked=asked,
        )
    is_table = any(item.kind == "table" for item in defined.equations)
    if is_table != (equation.kind == "table") or not (is_table or _is_constant(defined, equation, ranges)):
        raise InvalidInput(
            "{where}: {name!r} is {what}; a change file changes constants (one or several numbers), tables (points) "
            "and texts",
            where=where,
            name=defined.name,
            what=_TABLE if is_table else _NO_TABLE if equation.kind == "table" else _COMPUTED,
        )
    if isinstance(first.expression, Points) and isinstance(equation.expression, Points):
        equation = replace(equation, expression=replace(equation.expression, mode=first.expression.mode))
    return replace(defined, equations=(*(defined.equations if asked else ()), equation))


def _is_constant(defined: DefinedVariable, changed: Equation, ranges: Container[str]) -> bool:
    """Whether what is changed consists of numbers, or of numbers read from files, or is a time control."""
    concerned = [item for item in defined.equations if _may_meet(item, changed, ranges)]
    nodes = [part for item in concerned for part in parts(item.expression)]
    return key(defined.name) in _CONTROLS or all(
        node.function.endswith("constants")
        if isinstance(node, Call)
        else isinstance(node, Numeral | Array | OperatorCall | Text)
        for node in nodes
    )


def _may_meet(one: Equation, other: Equation, ranges: Container[str]) -> bool:
    """Whether two equations may define the same element; a range may hold any."""
    pairs = [(key(a), key(b)) for a, b in zip(one.subscripts, other.subscripts, strict=True)]
    return all(a == b or a in ranges or b in ranges for a, b in pairs)
