"""Puts modules in place: variables of a model that another one holds bear the name of the module in front of theirs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.syntax import Budgets, Call, DefinedVariable, Equation, Name, Numeral, changed, parts
from pysd_runner.engine.frontend.xmile.document import children, fault_at, name_of, place_of
from pysd_runner.engine.frontend.xmile.expressions import plain_name
from pysd_runner.engine.ir import key

Read = Callable[[Any], list[DefinedVariable]]
# Told of each model and of the path at which it stands.
Seen = Callable[[Any, str], None]


def flattened(root: Any, read: Read, budgets: Budgets, seen: Seen) -> list[DefinedVariable]:
    """All variables of a file, those of its modules under names such as ``module.variable``."""
    models = {key(name_of(item)): item for item in children(root, "model")}
    outermost = next((item for item in children(root, "model") if not item.get("name")), None)
    if outermost is None:
        outermost = next(iter(children(root, "model")), None)
    if outermost is None:
        raise InvalidModel("there is no <model>")
    found = _Place(models, read, seen)
    budgets.check("equations", found.size(outermost, (), {}), "modules are expanded into")
    return list(found.variables(outermost, (), ()))


class _Place:
    """Walks from a model to the modules it holds."""

    def __init__(self, models: Mapping[str, Any], read: Read, seen: Seen) -> None:
        self._models, self._read, self._seen = models, read, seen

    def size(self, model: Any, path: tuple[str, ...], sizes: dict[Any, int]) -> int:
        """Elements that the variables of a model and of its modules are made of, before they are read."""
        if model not in sizes:
            sizes[model] = 0
            for item in model.iter("aux", "flow", "stock", "gf", "module"):
                sizes[model] += 1
                if item.tag == "module":
                    name = name_of(item)
                    sizes[model] += self.size(self._model_of(item, name, path), (*path, name), sizes)
        return sizes[model]

    def variables(self, model: Any, path: tuple[str, ...], above: tuple[Any, ...]) -> Iterator[DefinedVariable]:
        """Variables of a model that stands at a path of modules."""
        if model in above:
            raise fault_at(model, f"models hold each other: {'.'.join(path)}")
        own = self._read(model)
        self._seen(model, "".join(f"{name}." for name in path))
        modules = [item for group in (model, *children(model, "variables")) for item in children(group, "module")]
        names = {key(item.name) for item in own} | {key(name_of(item)) for item in modules}
        given = _connections(modules)
        for variable in own:
            outer = given.get(f".{key(variable.name)}") if not path else None
            connected = variable if outer is None else _with_source(variable, *outer)
            yield _answered(_renamed(connected, path, names), {}, "")
        for item in modules:
            name = name_of(item)
            inner = self._model_of(item, name, path)
            for variable in self.variables(inner, (*path, name), (*above, model)):
                yield _connected(_answered(variable, given, ".".join(path)), given, path)

    def _model_of(self, module: Any, name: str, path: tuple[str, ...]) -> Any:
        wanted = plain_name(module.get("model_name", name))
        for candidate in (".".join((*path, wanted)), wanted):
            if key(candidate) in self._models:
                return self._models[key(candidate)]
        raise fault_at(module, f"there is no <model> for the module {name!r}")


def _connections(modules: list[Any]) -> dict[str, tuple[str, Any]]:
    """What every input of a module takes, by its name as the model that holds the module sees it."""
    found = {}
    for module in modules:
        own = name_of(module)
        # Stella writes every connection twice, the second time for versions before it.
        for item in list(children(module, "connect")) or list(children(module, "connect2")):
            to, source = _path(item.get("to", "")), _path(item.get("from", ""))
            if not to or not source:
                continue
            if "." not in to:
                outward = key(source.split(".")[0]) == key(own)
                to = f".{to}" if outward else f"{own}.{to}"
            found[f".{key(to[1:])}" if to.startswith(".") else key(to)] = (source, item)
    return found


def _path(text: str) -> str:
    """A name that may go through modules, without quotes around its parts."""
    parts, inside, current = [], False, ""
    for character in text.strip():
        inside ^= character == '"'
        if character == "." and not inside:
            parts.append(current)
            current = ""
        else:
            current += character
    return ".".join(plain_name(part) for part in (*parts, current))


def _connected(
    variable: DefinedVariable, given: Mapping[str, tuple[str, Any]], path: tuple[str, ...]
) -> DefinedVariable:
    """A variable of a module with the equation that a connection gives it."""
    prefix = ".".join(path)
    local = variable.name[len(prefix) + 1 :] if prefix else variable.name
    if key(local) not in given:
        return variable
    source, item = given[key(local)]
    name = source if source.startswith(".") or not prefix else f"{prefix}.{source}"
    return _with_source(variable, name, item)


def _with_source(variable: DefinedVariable, source: str, item: Any) -> DefinedVariable:
    """A variable that takes the value of another one."""
    name = source.removeprefix(".")
    subscripts = variable.equations[0].subscripts
    if len(variable.equations) > 1:
        subscripts = ()
    equation = Equation(
        subscripts=subscripts,
        expression=Name(name, subscripts or None),
        text=f"{variable.name} = {name}",
        place=place_of(item),
    )
    return replace(variable, equations=(equation,))


def _answered(variable: DefinedVariable, given: Mapping[str, Any], prefix: str) -> DefinedVariable:
    """A variable in whose equations it is known whether an input of a module is connected."""

    def answered(node: Any) -> Any:
        if isinstance(node, Call) and key(node.function) == "ismoduleinput" and isinstance(node.arguments[0], Name):
            name = node.arguments[0].name
            local = name[len(prefix) + 1 :] if prefix and name.startswith(f"{prefix}.") else name
            connected = key(local) in given
            return Numeral(1.0) if connected else Numeral(0.0) if not prefix and "." not in local else node
        return node

    equations = variable.equations
    if not any(
        isinstance(part, Call) and key(part.function) == "ismoduleinput"
        for item in equations
        for part in parts(item.expression)
    ):
        return variable
    return replace(
        variable, equations=tuple(replace(item, expression=changed(item.expression, answered)) for item in equations)
    )


def _renamed(variable: DefinedVariable, path: tuple[str, ...], names: set[str]) -> DefinedVariable:
    """A variable with the path of its module in front of its name and of all it refers to in its own model."""
    prefix = ".".join(path)

    def called(name: str) -> str:
        if name.startswith("."):
            return name[1:]
        first = key(name.split(".")[0])
        return f"{prefix}.{name}" if prefix and (key(name) in names or first in names) else name

    def moved(node: Any) -> Any:
        if isinstance(node, Call):
            return replace(node, function=called(node.function))
        return replace(node, name=called(node.name)) if isinstance(node, Name) else node

    equations = tuple(replace(item, expression=changed(item.expression, moved)) for item in variable.equations)
    name = f"{prefix}.{variable.name}" if prefix else variable.name
    return replace(variable, name=name, equations=equations)
