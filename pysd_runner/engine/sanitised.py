"""Replaces every name and text of an abstract model by a generated one.

PySD's builder writes names, units and documentation of a model file into a Python module and runs it, and it does not
escape
them: a documentation text with three quotes runs code (seen in 3.14.3). What the builder is handed therefore holds
generated
names, numbers and the function names of its own table, and nothing else.
"""

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.frontend.lowering.external import place_of
from pysd_runner.engine.frontend.translated.source import Translated
from pysd_runner.engine.frontend.xmile.expressions import plain_name
from pysd_runner.engine.names import key

CONTROLS = {
    "time": "time",
    "initial time": "initial_time",
    "final time": "final_time",
    "time step": "time_step",
    "saveper": "saveper",
}

_FUNCTION = re.compile(r"[A-Za-z][A-Za-z0-9_ ]*\Z")


@dataclass(frozen=True, slots=True)
class Sanitised:
    """An abstract model under generated names."""

    abstract: Any
    variables: Mapping[str, str]  # generated name of each variable, by comparison key of its real name
    ranges: Mapping[str, str]  # generated name of each subscript range, by comparison key
    elements: Mapping[str, str]  # generated name of each subscript element, by comparison key
    series: frozenset[str]  # comparison keys of the variables that read a series from a file


def sanitise(source: Translated, folder: Path) -> Sanitised:
    """Copy an abstract model with nothing of the file's text left in it."""
    source = source.with_listed_ranges()
    macros = {key(item.name): f"gm{place:04d}" for place, item in enumerate(source.abstract.sections[1:])}
    main = _names(source, source.abstract.sections[0], macros, {})
    sections = [_section(source.abstract.sections[0], main, folder / "model.py")]
    for section in source.abstract.sections[1:]:
        names = _names(source, section, macros, main.ranges | main.elements)
        sections.append(_section(section, names, folder / f"{macros[key(section.name)]}.py"))
    abstract = copy.copy(source.abstract)
    abstract.original_path = folder / "model.mdl"
    abstract.sections = tuple(sections)
    elements = _by_plain_name(source.abstract.sections[0].subscripts, main.elements)
    return Sanitised(abstract, main.variables, main.ranges, elements, _series(source))


def _by_plain_name(ranges: Iterable[Any], elements: Mapping[str, str]) -> dict[str, str]:
    """Elements under the names they have here as well: PySD keeps escaped characters as they are written."""
    labels = [label for item in ranges if not isinstance(item.subscripts, str) for label in item.subscripts]
    plain = {key(plain_name(label)): elements[key(label)] for label in labels if key(label) in elements}
    return {**plain, **elements}


def _series(source: Translated) -> frozenset[str]:
    return frozenset(
        key(element.name)
        for element in source.abstract.sections[0].elements
        if type(element.components[0].ast).__name__ == "GetDataStructure"
    )


@dataclass(frozen=True, slots=True)
class _Names:
    path: Path
    files: Mapping[str, Path]
    variables: dict[str, str]
    ranges: dict[str, str]
    elements: dict[str, str]
    macros: dict[str, str]
    listed: dict[str, tuple[str, ...]]

    def label(self, text: str) -> str:
        """Generated name of a subscript, its exclamation mark kept."""
        bare = key(text.replace("!", ""))
        generated = self.ranges.get(bare) or self.elements.get(bare)
        if generated is None:
            raise UnsupportedFeature(f"{self.path}: subscript {text!r} is not defined")
        return generated + ("!" if text.rstrip().endswith("!") else "")


def _names(source: Translated, section: Any, macros: dict[str, str], known: dict[str, str]) -> _Names:
    variables = dict(CONTROLS)
    if key(section.name) in macros:
        # What a macro returns is the variable that bears its name.
        variables[key(section.name)] = macros[key(section.name)]
    for name in [*section.params, *section.returns, *(element.name for element in section.elements)]:
        variables.setdefault(key(name), f"gv{len(variables):05d}")
    ranges = {key(item.name): f"gr{place:04d}" for place, item in enumerate(section.subscripts)}
    elements = dict(known)
    for item in section.subscripts:
        for label in [item.subscripts] if isinstance(item.subscripts, str) else item.subscripts:
            if key(label) not in ranges:
                elements.setdefault(key(label), f"ge{len(elements):05d}")
    listed = {key(item.name): tuple(map(key, item.subscripts)) for item in section.subscripts}
    return _Names(source.path, source.files, variables, ranges, elements, macros, listed)


def _section(found: Any, names: _Names, path: Path) -> Any:
    section = copy.copy(found)
    section.subscripts = [_range(item, names) for item in section.subscripts]
    section.elements = tuple(_element(item, names) for item in section.elements)
    section.constraints = section.test_inputs = ()
    section.params = [names.variables[key(name)] for name in section.params]
    section.returns = [names.variables[key(name)] for name in section.returns]
    section.name = names.macros.get(key(section.name), "__main__")
    section.split, section.views_dict = False, None
    section.path = path
    return section


def _range(item: Any, names: _Names) -> Any:
    if isinstance(item.subscripts, str):
        inside: Any = names.label(item.subscripts)
    else:
        inside = [names.label(label) for label in item.subscripts]
    copied = isinstance(item.subscripts, str)
    mapping = [] if copied else [_one_by_one(label, item.name, names) for label in item.mapping]
    return type(item)(names.label(item.name), inside, mapping)


def _one_by_one(target: str, name: str, names: _Names) -> str:
    """Generated name of a range another is mapped to; PySD follows mappings only in the order of the elements."""
    listed = getattr(target, "listed", None)
    if listed is not None and tuple(map(key, listed)) != names.listed.get(key(target)):
        raise UnsupportedFeature(
            f"{names.path}: the mapping of range {name!r} to {str(target)!r} does not follow its order, "
            'which PySD cannot do; run it with engine="numpy"'
        )
    return names.label(target)


def _element(item: Any, names: _Names) -> Any:
    components = [_component(component, names) for component in item.components]
    return replace(
        item,
        name=names.variables[key(item.name)],
        components=components,
        units="",
        limits=(None, None),
        documentation="",
    )


def _component(component: Any, names: _Names) -> Any:
    labels, exceptions = component.subscripts
    if type(component.ast).__name__ == "DataStructure":
        # Its values come from the caller, as those of any other variable do; whoever runs it sees to that.
        from pysd.translators.structures.abstract_model import AbstractComponent

        component = AbstractComponent(component.subscripts, 0)
    safe = ([names.label(label) for label in labels], [[names.label(label) for label in part] for part in exceptions])
    return replace(component, subscripts=safe, ast=_safe(component.ast, names))


def _safe(node: Any, names: _Names) -> Any:
    kind = type(node).__name__
    if kind in ("GetDataStructure", "GetLookupsStructure", "GetConstantsStructure"):
        return _external(node, names)
    if kind == "ReferenceStructure":
        return _reference(node, names)
    if kind == "CallStructure":
        return replace(
            node, function=_function(node.function, names), arguments=tuple(_safe(x, names) for x in node.arguments)
        )
    if kind == "LookupsStructure":
        return _points(node)
    if is_dataclass(node) and not isinstance(node, type):
        return replace(node, **{item.name: _safe(getattr(node, item.name), names) for item in fields(node)})
    if isinstance(node, list | tuple):
        return type(node)(_safe(item, names) for item in node)
    if isinstance(node, np.ndarray | int | float | np.number | bool) or node is None:
        return node
    if isinstance(node, str) and node in _OPERATORS:
        return node
    raise UnsupportedFeature(f"{names.path}: {node!r} cannot be handed to PySD safely")


_OPERATORS = frozenset(["+", "-", "*", "/", "^", "negative", "=", "<>", "<", "<=", ">", ">=", ":AND:", ":OR:", ":NOT:"])


# What may stand in the name of a file, a sheet or a cell: nothing that ends a Python string.
_HARMLESS = re.compile(r"[\w .,;:*/()+-]*\Z")


def _external(node: Any, names: _Names) -> Any:
    texts = {item.name: getattr(node, item.name) for item in fields(node)}
    for place, text in texts.items():
        if place == "file" and text in names.files:
            continue  # a path of the caller stands in for it
        if not isinstance(text, str) or not _HARMLESS.match(text):
            raise UnsupportedFeature(
                f"{names.path}: {place} {text!r} of an external file cannot be handed to PySD safely"
            )
    location = place_of(texts["file"], names.path, names.files).as_posix()
    if not _HARMLESS.match(location):
        raise UnsupportedFeature(f"{names.path}: the path {location!r} cannot be handed to PySD safely")
    return replace(node, file=location)


def _reference(node: Any, names: _Names) -> Any:
    name = key(node.reference)
    generated = names.variables.get(name) or names.ranges.get(name) or names.elements.get(name)
    if generated is None:
        raise UnsupportedFeature(f"{names.path}: {node.reference!r} is not defined")
    labels = node.subscripts
    if labels is not None:
        labels = replace(labels, subscripts=[names.label(label) for label in labels.subscripts])
    return replace(node, reference=generated, subscripts=labels)


def _function(node: Any, names: _Names) -> Any:
    if key(node.reference) in names.macros:
        return replace(node, reference=names.macros[key(node.reference)])
    if key(node.reference) in names.variables:
        return _reference(node, names)
    from pysd.builders.python.python_functions import functionspace

    if node.reference not in functionspace or not _FUNCTION.match(node.reference):
        raise UnsupportedFeature(f"{names.path}: function {node.reference!r} is not known to PySD")
    return node


def _points(node: Any) -> Any:
    x, y = (tuple(float(value) for value in side) for side in (node.x, node.y))
    if node.type not in ("interpolate", "extrapolate", "hold_backward"):
        raise UnsupportedFeature(f"table function of type {node.type!r}")
    limits = (min(x), max(x)), (min(y), max(y))
    return replace(node, x=x, y=y, x_limits=limits[0], y_limits=limits[1])
