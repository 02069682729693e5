"""How much a newcomer has to hold in mind, counted from the source: ``python -m tests.architecture.size``.

Nodes are those of `ast` without docstrings, so that longer lines do not make them fewer. Imports count wherever they
stand, but for those under ``TYPE_CHECKING``. Texts of models are no source of ours. ``--against REVISION`` prints
what has been added since the work left that revision, and how much may be.
"""

import argparse
import ast
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tests.architecture.checkout import ROOT, project_files

OUTSIDE = ("tests", "docs", "benchmarks", "models")
TEXTS = (".json", ".toml", ".js", ".css", ".html", ".j2", ".lark", ".yaml", ".yml", ".txt", ".svg", ".c")
MOST_PARAMETERS = 12
# What a change may add to the product: so many nodes, or this share of the files it touches, whichever is more.
FREE_NODES, FREE_SHARE = 400, 0.01
# A line of a commit message that raises it: "Size: +1,200, why".
RAISED = re.compile(r"^Size: \+([\d,]*\d), \S", re.MULTILINE)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def counts() -> dict[str, int]:
    """Each count by its name."""
    files = [path.relative_to(ROOT) for path in project_files()]
    ours = [path for path in files if is_product(path)]
    texts = [path for path in ours if path.suffix in TEXTS and path.parts[0][0] != "."]
    sources = {path: (ROOT / path).read_text("utf-8") for path in ours if path.suffix == ".py"}
    trees = {path: ast.parse(text) for path, text in sources.items()}
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    docstrings = docstrings_of(nodes)
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


def is_product(path: Path) -> bool:
    """Whether a file, from the root, is part of what is installed."""
    return len(path.parts) > 1 and path.parts[0] not in OUTSIDE


@dataclass(frozen=True)
class Growth:
    """Nodes that a change has added to the product, and how many it may."""

    added: int
    allowed: int


def growth(base: str, root: Path = ROOT) -> Growth:
    """What the working tree adds to a revision, where the commits since then may raise what is allowed."""
    changed = [Path(name) for name in git(root, "diff", "--name-only", "-z", "--no-renames", base).split("\0") if name]
    touched = [path for path in changed if path.suffix == ".py" and is_product(path)]
    before = sum(nodes_of(git(root, "show", f"{base}:{path.as_posix()}", fallback="")) for path in touched)
    after = sum(nodes_of(file.read_text("utf-8") if (file := root / path).is_file() else "") for path in touched)
    raised = sum(int(found.replace(",", "")) for found in RAISED.findall(git(root, "log", "--format=%B", f"{base}..")))
    return Growth(after - before, max(FREE_NODES, int(FREE_SHARE * before)) + raised)


def base_of(trunk: str | None = None, root: Path = ROOT) -> str | None:
    """Where the work left the trunk; on the trunk itself, the commit before the last one; None without a history."""
    for name in (trunk,) if trunk else ("origin/main", "main"):
        found = git(root, "merge-base", "HEAD", name, fallback="").strip()
        if found:
            is_trunk = found == git(root, "rev-parse", "HEAD").strip()
            return git(root, "rev-parse", "--verify", "HEAD^1", fallback="").strip() or None if is_trunk else found
    return None


def git(root: Path, *arguments: str, fallback: str | None = None) -> str:
    """What Git prints; where it cannot, the fallback or its error."""
    try:
        return subprocess.run(
            ["git", *arguments], cwd=root, check=True, capture_output=True, text=True, encoding="utf-8"
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        if fallback is None:
            raise
        return fallback


def nodes_of(text: str) -> int:
    """Nodes of a source without those of its docstrings."""
    nodes = list(ast.walk(ast.parse(text)))
    return len(nodes) - 2 * len(docstrings_of(nodes))


def docstrings_of(nodes: list[ast.AST]) -> list[ast.Expr]:
    """The docstrings among the nodes of trees."""
    return [found for node in nodes if (found := docstring(node)) is not None]


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


def main() -> None:
    """Print the counts, or what has been added since a revision."""
    parser = argparse.ArgumentParser(prog="python -m tests.architecture.size", description=__doc__)
    parser.add_argument("--against", metavar="REVISION", help="print what has been added since the work left REVISION")
    trunk = parser.parse_args().against
    if trunk is None:
        for name, count in counts().items():
            print(f"{name:40s}{count:>10,}")
        return
    base = base_of(trunk)
    if base is None:
        parser.error(f"Git knows no commit that HEAD and {trunk} have in common")
    found = growth(base)
    print(f"nodes since {base[:8]}: {found.added:+,}; allowed: {found.allowed:+,}")


if __name__ == "__main__":
    main()
