"""Read an XMILE file into the common syntax tree; variables of a module get the name of the module as prefix."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pysd_runner.engine.errors import InvalidModel, Message
from pysd_runner.engine.frontend.builtins import NAMES as NUMBERS
from pysd_runner.engine.frontend.syntax import (
    Budgets,
    Call,
    DefinedVariable,
    Equation,
    Macro,
    MappedTo,
    Name,
    Node,
    Numbered,
    Numeral,
    OperatorCall,
    Range,
    Syntax,
    changed,
)
from pysd_runner.engine.frontend.xmile.allowed import features
from pysd_runner.engine.frontend.xmile.containers import with_containers
from pysd_runner.engine.frontend.xmile.document import (
    child,
    children,
    drawn_in,
    fault_at,
    is_by_stella,
    name_of,
    place_of,
    plain_name,
    read_document,
    text_of,
)
from pysd_runner.engine.frontend.xmile.variables import Habits, dimensions_of, read_expression, read_variable, says_yes
from pysd_runner.engine.ir import HIDDEN, Drawn, Integration, Method, key

Names = tuple[str, ...]
Read = Callable[[Any], list[DefinedVariable]]


# Called with each model and the prefix of its module's names.
Seen = Callable[[Any, str], None]


def flattened(root: Any, read: Read, budgets: Budgets, seen: Seen) -> list[DefinedVariable]:
    """All variables of a file; those of modules have names such as ``module.variable``."""
    models = list(children(root, "model"))
    if not models:
        raise InvalidModel("there is no <model>")
    outermost = next((item for item in models if not item.get("name")), models[0])
    labels = frozenset(key(name_of(item)) for item in root.iter("dim", "elem"))
    found = _Place({key(name_of(item)): item for item in models}, labels, read, seen)
    budgets.check("equations", found.size(outermost, (), {}), Message("modules are expanded into"))
    found.connect(outermost, (), ())
    own = list(found.variables(outermost, ()))
    found.check()
    return [found.placed(*item) for item in own]


class _Place:
    """Recursive traversal of a model and its modules."""

    def __init__(self, models: Mapping[str, Any], labels: frozenset[str], read: Read, seen: Seen) -> None:
        self._models, self._labels, self._read, self._seen = models, labels, read, seen
        self._modules: dict[str, str] = {}  # full name of every module, by its key
        # Source of a connection, its subscripts if there are any, and its element, by the key of its target.
        self._given: dict[str, tuple[str, Any, Any]] = {}
        # Dimensions of each variable, by the key of its full name: those that its modules add, and its own.
        self._dims: dict[str, tuple[Names, Names]] = {}

    def size(self, model: Any, path: Names, sizes: dict[Any, int]) -> int:
        """Number of variables and modules of a model, nested ones included, counted before they are read."""
        if model not in sizes:
            sizes[model] = 0
            for item in within(model, "aux", "flow", "stock", "gf", "module"):
                sizes[model] += 1
                if item.tag == "module":
                    name = name_of(item)
                    sizes[model] += self.size(self._model_of(item, name, path), (*path, name), sizes)
        return sizes[model]

    def connect(self, model: Any, path: Names, above: tuple[Any, ...]) -> None:
        """Collect modules, and then the connections between them."""
        if model in above:
            raise fault_at(model, f"models hold each other: {'.'.join(path)}")
        modules = [(item, name_of(item)) for item in within(model, "module")]
        for _, name in modules:
            self._modules[key(".".join((*path, name)))] = ".".join((*path, name))
        for item, name in modules:
            self.connect(self._model_of(item, name, path), (*path, name), (*above, model))
        for item, name in modules:
            # Stella writes every connection twice; the second copy is for older versions.
            for link in list(children(item, "connect")) or list(children(item, "connect2")):
                to, (source, subscripts) = _path(link.get("to", "")), _source(link)
                if to and source:
                    inward = "." not in to and key(source.split(".")[0]) != key(name)
                    target = self.full(f"{name}.{to}" if inward else to, path)
                    self._given[key(target)] = (self.full(source, path), subscripts, link)

    def full(self, name: str, path: Names) -> str:
        """Full name of a variable that the model at a path calls by a name, which may begin with any module's name."""
        if name.startswith("."):
            return name[1:]
        first, dot, rest = name.partition(".")
        inner = self._module(first, path) if dot else ""
        return f"{inner}.{rest}" if inner else ".".join((*path, name))

    def _module(self, name: str, path: Names) -> str:
        """Full name of a module: the first outwards from a path, or the only one; empty if there is none."""
        outwards = [".".join((*path[:depth], name)) for depth in range(len(path), -1, -1)]
        ends = [found for end, found in self._modules.items() if end.endswith(f".{key(name)}")]
        return next((item for item in outwards if key(item) in self._modules), ends[0] if len(ends) == 1 else "")

    def variables(self, model: Any, path: Names, dims: Names = ()) -> Iterator[tuple[DefinedVariable, Names, Names]]:
        """Variables of a model and of its modules, each with the path of its modules and their dimensions."""
        self._seen(model, "".join(f"{name}." for name in path))
        for item in self._read(model):
            variable = replace(item, name=".".join((*path, item.name)))
            added = tuple(dim for dim in dims if dim not in item.dims)
            self._dims[key(variable.name)] = added, item.dims
            yield variable, path, dims
        for item in within(model, "module"):
            name = name_of(item)
            inner = (*dims, *dimensions_of(item))
            yield from self.variables(self._model_of(item, name, path), (*path, name), inner)

    def check(self) -> None:
        """Refuse connections to variables that no model has."""
        for target, (*_, link) in self._given.items():
            if target not in self._dims:
                raise fault_at(link, f"<connect> to {link.get('to')!r}, which is not defined; correct or remove it")

    def _subscript(self, item: Any, path: Names) -> Any:
        """A subscript, with its full name if it is a variable; ranges and elements have no other."""
        if not isinstance(item, str) or key(item) in self._labels:
            return item
        full = self.full(item, path)
        return full if key(full) in self._dims else item

    def placed(self, variable: DefinedVariable, path: Names, dims: Names) -> DefinedVariable:
        """Variable under its full name, as are those it refers to, or with the value that a connection supplies.

        A module over dimensions adds these to its variables, and to the subscripts with which they are called.
        """
        name = variable.name
        more, _ = self._dims[key(name)]

        def moved(node: Any) -> Any:
            if isinstance(node, Name):
                full, given = called(node.name), node.subscripts
                added, own = self._dims.get(key(full), ((), ()))
                added = added if {*added} <= {*dims} else ()
                given = given and tuple(self._subscript(item, path) for item in given)
                if given is not None and ("." not in node.name or len(given) == len(own)):
                    given = (*added, *given)
                return replace(node, name=full, subscripts=given, outer=added)
            if isinstance(node, Call):
                if key(node.function) == "ismoduleinput" and isinstance(node.arguments[0], Name):
                    return Numeral(float(key(node.arguments[0].name) in self._given))
                return replace(node, function=called(node.function))
            return node

        def called(name: str) -> str:
            full = self.full(name, path)
            known = key(full) in self._dims or self._module(name.rpartition(".")[0], path)
            return full if known else name.removeprefix(".")

        if key(name) in self._given:
            source, subscripts, item = self._given[key(name)]
            if subscripts is None and any(self._dims.get(key(source), ())) and not more:
                subscripts = variable.dims
            expression = Name(source, subscripts)
            equation = Equation(
                subscripts=(*more, *variable.dims),
                expression=expression,
                text=f"{name} = {source}",
                place=place_of(item),
            )
            return replace(variable, equations=(equation,))
        equations = tuple(
            replace(
                item,
                subscripts=(*(() if item.kind == "table" else more), *item.subscripts),
                expression=changed(item.expression, moved),
            )
            for item in variable.equations
        )
        return replace(variable, equations=equations)

    def _model_of(self, module: Any, name: str, path: Names) -> Any:
        wanted = plain_name(module.get("model_name", name))
        for candidate in (".".join((*path, wanted)), wanted):
            if key(candidate) in self._models:
                return self._models[key(candidate)]
        raise fault_at(module, f"there is no <model> for the module {name!r}")


def within(model: Any, *tags: str) -> Iterator[Any]:
    """Elements of a model with one of the tags, inside <variables> or, in drafts of the standard, outside of it."""
    yield from children(model, *tags)
    for group in children(model, "variables"):
        yield from children(group, *tags)


def _path(text: str) -> str:
    """Name, possibly qualified by modules, without the quotes around its parts."""
    parts, inside, current = [], False, ""
    for character in text.strip():
        inside ^= character == '"'
        if character == "." and not inside:
            parts.append(current)
            current = ""
        else:
            current += character
    return ".".join(plain_name(part) for part in (*parts, current))


def _source(link: Any) -> tuple[str, Any]:
    """Name of the variable that a connection starts from, and its subscripts, None if it has none."""
    text = link.get("from", "")
    node = read_expression(text, place_of(link), frozenset()) if text.rstrip().endswith("]") else None
    return (node.name, node.subscripts) if isinstance(node, Name) else (_path(text), None)


# Maximum number of digits read of the size of a dimension, as more exceed every limit on elements.
_MOST_DIGITS = 18


CONTROLS = frozenset({"initial time", "final time", "time step", "saveper"})


def read_xmile(path: Path, budgets: Budgets) -> Syntax:
    """Read an XMILE file."""
    root = read_document(path.read_bytes())
    asked = features(root)
    ranges = tuple(_ranges(root))
    macros = list(children(root, "macro"))
    habits = _habits(root, ranges, macros)
    drawn: list[Drawn] = []
    variables = flattened(
        root, lambda item: _variables(item, habits), budgets, lambda item, prefix: drawn.extend(drawn_in(item, prefix))
    )
    specs = child(root, "sim_specs")
    repeated = dict.fromkeys(label for item in variables for label in item.dims if HIDDEN in label)
    return Syntax(
        ranges=(*ranges, *(Range(name=label, copy_of=label.split(HIDDEN)[0]) for label in repeated)),
        variables=(*variables, *controls(specs)),
        integration=method_of(specs),
        outflows="same step" if is_by_stella(root) else "next step",
        macros=tuple(_macro(item, habits) for item in macros),
        other_names=NAMES,
        features=tuple(asked),
        sketch=tuple(drawn),
    )


def _ranges(root: Any) -> Iterator[Range]:
    for group in children(root, "dimensions"):
        for dim in children(group, "dim"):
            name = name_of(dim)
            for item in (dim, *children(dim, "elem")):
                if not name_of(item):
                    raise fault_at(item, f"<{item.tag}> has no name")
            elements: list[str | Numbered] = [name_of(item) for item in children(dim, "elem")]
            targets = tuple(MappedTo(plain_name(text_of(item))) for item in dim if item.tag.endswith("maps_to"))
            place = place_of(dim)
            yield Range(name=name, elements=tuple(elements or [_counted(dim, name)]), targets=targets, place=place)


def _counted(dim: Any, name: str) -> Numbered:
    size = dim.get("size", "").strip()
    if not (size.isascii() and size.isdigit()) or int(size[:_MOST_DIGITS]) < 1:
        raise fault_at(dim, f'dimension {name!r} has no elements; expected <elem name="..."/> or size="3"')
    return Numbered("", 1, int(size[:_MOST_DIGITS]))


def _habits(root: Any, ranges: Iterable[Range], macros: Iterable[Any]) -> Habits:
    names = {key(name_of(item)) for item in macros}
    for item in root.iter("aux", "flow", "stock", "gf"):
        name = key(name_of(item))
        if name in NUMBERS or (item.get("name") and (item.tag == "gf" or child(item, "gf") is not None)):
            names.add(name)
    elements = {item.name.casefold(): item.elements for item in ranges}
    return _with_behaviour(root, Habits(defined=frozenset(names), elements=elements))


def _with_behaviour(parent: Any, habits: Habits) -> Habits:
    """Update the defaults for flows and stocks from the <behavior> of a file or model."""
    wishes = {}
    for behaviour in children(parent, "behavior"):
        for kind in ("flow", "stock"):
            for holder in (behaviour, *children(behaviour, kind)):
                wish = child(holder, "non_negative")
                if wish is not None:
                    wishes[kind] = says_yes(wish)
    return replace(habits, flows=wishes.get("flow", habits.flows), stocks=wishes.get("stock", habits.stocks))


def _variables(model: Any, habits: Habits) -> list[DefinedVariable]:
    """Variables of one model, in the order of the file, each with its group."""
    habits = _with_behaviour(model, habits)
    groups = {
        key(name_of(entity)): name_of(group)
        for group in within(model, "group")
        for entity in children(group, "entity", "var")
    }
    items = list(within(model, "aux", "flow", "stock", "gf"))
    habits = replace(habits, multipliers=dict(_multipliers(items, habits)))
    found = []
    for item in items:
        if key(name_of(item)) in CONTROLS:
            continue
        variable = read_variable(item, habits)
        group = groups.get(key(variable.name), "")
        found.append(variable if not group else replace(variable, group=group))
    _check_flows(items)
    return with_containers(items, found, habits.defined)


def _check_flows(items: list[Any]) -> None:
    """Refuse stocks without dimensions whose flows have some."""
    dims = {key(name_of(item)): dimensions_of(item) for item in items}
    for item in items:
        for flow in () if item.tag != "stock" or dimensions_of(item) else children(item, "inflow", "outflow"):
            name = plain_name(text_of(flow))
            if over := dims.get(key(name)):
                raise InvalidModel(
                    "{where}: the stock {stock!r} is one number and its flow {flow!r} an array over {dims}; let a flow "
                    "without dimensions, SUM({name}[{stars}]), take its place",
                    where=place_of(flow).at(0),
                    stock=name_of(item),
                    flow=name,
                    name=name,
                    dims=", ".join(over),
                    stars=", ".join("*" for _ in over),
                )


def _multipliers(items: Iterable[Any], habits: Habits) -> Iterator[tuple[str, Node]]:
    for item in items:
        factor = child(item, "multiplier")
        if factor is not None:
            node = read_expression(factor.text or "", place_of(factor), habits.defined)
            if node is None:
                raise fault_at(factor, "<multiplier> is empty")
            yield key(name_of(item)), node


def _macro(item: Any, habits: Habits) -> Macro:
    name = name_of(item)
    parameters = tuple(plain_name(text_of(part)) for part in children(item, "parm"))
    given = {key(name) for name in parameters}
    variables = [variable for variable in _variables(item, habits) if key(variable.name) not in given]
    eqn = child(item, "eqn")
    source = "" if eqn is None else eqn.text or ""
    place = place_of(item if eqn is None else eqn)
    node = read_expression(source, place, habits.defined)
    if node is not None and key(name) not in {key(variable.name) for variable in variables}:
        equation = Equation(expression=node, text=f"{name} = {' '.join(source.split())}", place=place)
        variables.append(DefinedVariable(name=name, equations=(equation,)))
    return Macro(name=name, parameters=parameters, variables=tuple(variables))


# Names of the time controls in XMILE.
NAMES = {"dt": "TIME STEP", "starttime": "INITIAL TIME", "stoptime": "FINAL TIME"}


# Methods of the specification that are replaced by RK4, which it allows.
_STAND_INS = frozenset({"rk2", "rk45", "rk2_auto", "rk4_auto"})


def integration(text: str) -> Integration:
    """Integration method: the first supported one of the file's list."""
    names = [part.strip().lower() for part in text.split(",") if part.strip()] or ["euler"]
    known: dict[str, Method] = {"euler": "euler", "rk4": "rk4"}
    method = next((known[name] for name in names if name in known), None)
    if method is None and _STAND_INS.intersection(names):
        method = "rk4"
    return Integration(method, "" if method == names[0] else f"method {text[:40]!r}")


def method_of(specs: Any) -> Integration:
    """Integration method that ``<sim_specs>`` requests, in an attribute or, in drafts of the standard, in a tag."""
    older = child(specs, "method")
    return integration(specs.get("method", "") or ("" if older is None else text_of(older)))


def controls(specs: Any) -> list[DefinedVariable]:
    """Definitions of the four time controls."""
    if specs is None or any(child(specs, tag) is None or not text_of(child(specs, tag)) for tag in ("start", "stop")):
        raise InvalidModel("there is no <sim_specs> with <start> and <stop>")
    unit = specs.get("time_units", "")
    step = child(specs, "dt")
    length: Node = Numeral(1.0) if step is None else _value(step)
    if step is not None and step.get("reciprocal", "").lower() == "true":
        length = OperatorCall(("/",), (Numeral(1.0), length))
    saved: Node = Name("TIME STEP")
    if specs.get("isee.save_interval"):
        saved = _number(specs, specs.get("isee.save_interval"))
    elif child(specs, "savestep") is not None:
        saved = _value(child(specs, "savestep"))
    found = {
        "INITIAL TIME": _value(child(specs, "start")),
        "FINAL TIME": _value(child(specs, "stop")),
        "TIME STEP": length,
        "SAVEPER": saved,
    }
    place = place_of(specs)
    return [
        DefinedVariable(
            name=name, equations=(Equation(expression=node, text=f"{name} = <sim_specs>", place=place),), unit=unit
        )
        for name, node in found.items()
    ]


# Vensim writes TIME_STEP=0.5 into <dt>.
_ASSIGNED = re.compile(r"(?:INITIAL[ _]TIME|FINAL[ _]TIME|TIME[ _]STEP|SAVEPER)\s*=", re.IGNORECASE)


def _value(item: Any) -> Node:
    return _number(item, _ASSIGNED.sub("", text_of(item), count=1))


def _number(item: Any, text: str) -> Node:
    found = read_expression(text, place_of(item), frozenset())
    if found is None:
        raise fault_at(item, f"<{item.tag}> is no number: {text!r}")
    return found
