"""Messages of errors as the source writes them, with a dummy in each place that is filled in."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count, product
from pathlib import Path

# A variable or function that may say more than this is filled in by a dummy.
MOST_FORMS, DEEPEST = 24, 12
# Those of a finding that are texts.
PARTS = ("message", "found", "expected", "remedy")


@dataclass(frozen=True)
class Blank:
    """What is filled in."""

    source: str
    dummy: str


Form = tuple["str | Blank", ...]


def shown(form: Form) -> str:
    """The message with its dummies."""
    return "".join(part if isinstance(part, str) else part.dummy for part in form)


def dummies(form: Form) -> list[str]:
    """What stands in the places that are filled in."""
    return [part.dummy for part in form if isinstance(part, Blank)]


def messages(path: Path, errors: frozenset[str]) -> Iterator[tuple[int, list[Form]]]:
    """Line and forms of each error that a module raises with a message of its own."""
    module = Module(ast.parse(path.read_text(encoding="utf-8")))
    for function, call in raised(module.tree, errors):
        yield call.lineno, module.forms(call.args[0], function)


def raised(tree: ast.AST, errors: frozenset[str]) -> Iterator[tuple[ast.AST | None, ast.Call]]:
    """Each error that is raised with a message, with the function that does so."""
    for function, node in _inside(tree):
        call = node.exc if isinstance(node, ast.Raise) else None
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in errors and call.args:
            yield function, call


def findings(path: Path, reporters: frozenset[str]) -> Iterator[tuple[int, dict[str, list[Form]]]]:
    """Line and parts of each finding that a module reports: by a call, or as a dictionary with a message."""
    module = Module(ast.parse(path.read_text(encoding="utf-8")))
    for function, node in _inside(module.tree):
        given: dict[str, ast.AST] = {}
        if isinstance(node, ast.Call) and _called(node) in reporters:
            given = dict(zip(("path", "message", "remedy"), node.args, strict=False))
            given |= {item.arg: item.value for item in node.keywords if item.arg}
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            given = {str(key.value): value for key, value in pairs if isinstance(key, ast.Constant)}
        if "message" in given:
            parts = (part for part in PARTS if part in given)
            yield node.lineno, {part: module.forms(given[part], function) for part in parts}


def _called(node: ast.Call) -> str:
    return str(getattr(node.func, "attr", "") or getattr(node.func, "id", ""))


def _inside(tree: ast.AST, function: ast.AST | None = None) -> Iterator[tuple[ast.AST | None, ast.AST]]:
    """Each node with the function it stands in."""
    for node in ast.iter_child_nodes(tree):
        yield function, node
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from _inside(node, node if is_function else function)


class Module:
    """A module, whose variables and functions are looked into."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        self._count = count(1)

    def forms(self, node: ast.AST, function: ast.AST | None, depth: int = 0) -> list[Form]:
        """What an expression may say."""
        found = self._forms(node, function, depth)
        return [_merged(form) for form in found] if found else [(self._blank(node),)]

    def _blank(self, node: ast.AST, spec: str = "", conversion: int = -1) -> Blank:
        number = next(self._count)
        is_number = spec.endswith(("g", "d", "f", "%", ",")) or isinstance(node, ast.BinOp)
        dummy = str(100 + number) if is_number else f"Q{number}"
        return Blank(ast.unparse(node), f"'{dummy}'" if conversion == ord("r") and not is_number else dummy)

    def _forms(self, node: ast.AST, function: ast.AST | None, depth: int) -> list[Form]:
        if depth > DEEPEST:
            return []
        match node:
            case ast.Constant(value=str(text)):
                return [(text,)]
            case ast.JoinedStr(values=values):
                return self._product([self._part(value, function, depth) for value in values])
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._product([self.forms(part, function, depth + 1) for part in (left, right)])
            case ast.IfExp(body=body, orelse=other):
                return [*self.forms(body, function, depth + 1), *self.forms(other, function, depth + 1)]
            case ast.BoolOp(op=ast.Or(), values=values):
                return list(chain.from_iterable(self.forms(value, function, depth + 1) for value in values))
            case ast.Name(id=name):
                return self._named(name, function, depth)
            case ast.Call(func=ast.Name(id="suggest") | ast.Attribute(attr="join")) if "suggest" in _names(node):
                return [("",), (" Did you mean ", Blank("suggest", "'Q0'"), "?")]
            case ast.Call(func=ast.Name(id=name)) if name in self.functions:
                return self._returned(self.functions[name], depth)
        return []

    def _product(self, parts: list[list[Form]]) -> list[Form]:
        return [tuple(chain.from_iterable(chosen)) for chosen in product(*parts)][:MOST_FORMS]

    def _part(self, node: ast.AST, function: ast.AST | None, depth: int) -> list[Form]:
        if not isinstance(node, ast.FormattedValue):
            return self.forms(node, function, depth + 1)
        spec = ast.unparse(node.format_spec).strip("f'\"") if node.format_spec else ""
        if node.conversion == -1 and not spec and (found := self._forms(node.value, function, depth + 1)):
            return found
        return [(self._blank(node.value, spec, node.conversion),)]

    def _named(self, name: str, function: ast.AST | None, depth: int) -> list[Form]:
        """What a variable may hold; nothing where it is not put together in place."""
        values = [] if function is None else list(_assigned(name, function))
        if not values and (function is None or name not in _parameters(function)):
            values = [value for node in self.tree.body for value in _assigned(name, node, deep=False)]
        found = [self._forms(value, function, depth + 1) for value in values if value is not None]
        return list(chain.from_iterable(found)) if found and all(found) and None not in values else []

    def _returned(self, function: ast.FunctionDef, depth: int) -> list[Form]:
        values = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None]
        found = [self._forms(value, function, depth + 1) for value in values]
        return list(chain.from_iterable(found))[:MOST_FORMS] if found and all(found) else []


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _parameters(function: ast.AST) -> set[str]:
    return {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}


def _assigned(name: str, tree: ast.AST, *, deep: bool = True) -> Iterator[ast.AST | None]:
    """Values a variable is given; None for one that is taken from something else."""
    for node in ast.walk(tree) if deep else [tree]:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id == name:
                    yield node.value
                elif isinstance(target, ast.Tuple):
                    yield from _of_tuple(name, target, node.value)
        elif isinstance(node, ast.AugAssign | ast.For | ast.comprehension):
            targets = ast.walk(node.target)
            if any(isinstance(item, ast.Name) and item.id == name for item in targets):
                yield None


def _of_tuple(name: str, target: ast.Tuple, value: ast.AST) -> Iterator[ast.AST | None]:
    for place, item in enumerate(target.elts):
        if isinstance(item, ast.Name) and item.id == name:
            yield value.elts[place] if isinstance(value, ast.Tuple) else None


def _merged(form: Form) -> Form:
    parts: list[str | Blank] = []
    for part in form:
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        else:
            parts.append(part)
    return tuple(parts)
