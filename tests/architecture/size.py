"""How much a newcomer has to hold in mind, counted from the source: ``python -m tests.architecture.size``.

Nodes are those of `ast` without docstrings, so that longer lines do not make them fewer. Imports count wherever they
stand, but for those under ``TYPE_CHECKING``. Texts of models are no source of ours.
"""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tests.architecture.checkout import ROOT, project_files

OUTSIDE = ("tests", "docs", "benchmarks", "models")
TEXTS = (".json", ".toml", ".js", ".css", ".html", ".j2", ".lark", ".yaml", ".yml", ".txt", ".svg", ".c")
MOST_PARAMETERS = 12
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def counts() -> dict[str, int]:
    """Each count by its name."""
    files = [path.relative_to(ROOT) for path in project_files()]
    ours = [path for path in files if len(path.parts) > 1 and path.parts[0] not in OUTSIDE]
    texts = [path for path in ours if path.suffix in TEXTS and path.parts[0][0] != "."]
    sources = {path: (ROOT / path).read_text("utf-8") for path in ours if path.suffix == ".py"}
    trees = {path: ast.parse(text) for path, text in sources.items()}
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    docstrings = [found for node in nodes if (found := docstring(node)) is not None]
    functions = [node for node in nodes if isinstance(node, FUNCTIONS)]
    imports = set(edges(trees))
    return {
        "files": len(sources),
        "lines": sum(text.count("\n") for text in sources.values()),
        "nodes": len(nodes) - 2 * len(docstrings),
        "functions": len(functions),
        "docstring lines": sum((item.end_lineno or 0) - item.lineno + 1 for item in docstrings),
        "lines of other texts": sum(map(lines, texts)),
        "circles": circles(imports),
        "functions of many parameters": sum(parameters(node) > MOST_PARAMETERS for node in functions),
        "classes defined twice": sum(count > 1 for count in classes(trees).values()),
        "imports of the engine from outside": sum(
            "engine" in start.parts[:-1] and "engine" not in end.parts[:-1] for start, end in imports
        ),
        "entries of the largest room": max(entries(list(trees)).values()),
        "lines of tests": sum(lines(path) for path in files if path.parts[0] == "tests" and path.suffix == ".py"),
    }


def lines(path: Path) -> int:
    """Lines of a file of the project."""
    return (ROOT / path).read_text("utf-8").count("\n")


def docstring(node: ast.AST) -> ast.Expr | None:
    """The docstring of a module, class or function."""
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first
    return None


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many parameters a function has, without that of its object."""
    given = node.args
    return sum(item.arg not in ("self", "cls") for item in (*given.posonlyargs, *given.args, *given.kwonlyargs))


def classes(trees: dict[Path, ast.Module]) -> Counter[str]:
    """In how many files each public class name is defined."""
    found: Counter[str] = Counter()
    for tree in trees.values():
        found.update({node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name[0] != "_"})
    return found


def entries(paths: list[Path]) -> dict[Path, int]:
    """Modules and rooms in each room, inside the engine aside."""
    found: dict[Path, set[str]] = defaultdict(set)
    for path in paths:
        for room, inside in pairwise([*reversed(path.parents[:-1]), path]):
            if "engine" not in room.parts and inside.name != "__init__.py":
                found[room].add(inside.name)
    return {room: len(names) for room, names in found.items()}


def edges(trees: dict[Path, ast.Module]) -> Iterator[tuple[Path, Path]]:
    """Which module imports which, doors aside."""
    names = {".".join(path.with_suffix("").parts): path for path in trees if path.name != "__init__.py"}
    for path, tree in trees.items():
        if path.name == "__init__.py":
            continue
        typed = {id(node) for branch in ast.walk(tree) if for_types(branch) for node in ast.walk(branch)}
        for node in ast.walk(tree):
            if id(node) in typed:
                continue
            for name in imported(node):
                if name in names and names[name] != path:
                    yield path, names[name]


def circles(imports: set[tuple[Path, Path]]) -> int:
    """How many groups of modules import each other."""
    places = {path: place for place, path in enumerate({path for edge in imports for path in edge})}
    rows, columns = zip(*((places[start], places[end]) for start, end in imports), strict=True)
    graph = coo_array(([1] * len(rows), (rows, columns)), shape=(len(places), len(places)))
    _, groups = connected_components(graph, connection="strong")
    return sum(count > 1 for count in Counter(groups.tolist()).values())


def for_types(node: ast.AST) -> bool:
    """Whether a branch is taken by a checker of types alone."""
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imported(node: ast.AST) -> list[str]:
    """Modules that a statement may import."""
    if isinstance(node, ast.ImportFrom) and node.module is not None:
        return [node.module, *(f"{node.module}.{item.name}" for item in node.names)]
    return [item.name for item in node.names] if isinstance(node, ast.Import) else []


if __name__ == "__main__":
    for name, count in counts().items():
        print(f"{name:40s}{count:>10,}")
