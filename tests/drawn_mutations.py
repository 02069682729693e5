"""Small errors drawn by a seed, and whether the nearest tests notice: `make mutations` (`SEED=1 COUNT=40`).

Each is one change of a comparison, sign, number, truth or order in the product. The tests are those that are named like
the module or import it, three files at most. Results go to `results/mutations-SEED.json`; the same command resumes.
"""

import ast
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.mutations import COPIED, ROOT, passes

PACKAGES = ("gapsim", "pysd_runner", "calibration")
SWAPPED = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
FILES = 3


def mutated(node: ast.AST) -> ast.AST | None:
    """A node with a small error in it; None where none is made."""
    match node:
        case ast.Compare(left=left, ops=[op], comparators=found) if type(op) in SWAPPED:
            return ast.Compare(left, [SWAPPED[type(op)]()], found)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in SWAPPED and not isinstance(left, ast.JoinedStr):
            return ast.BinOp(left, SWAPPED[type(op)](), right)
        case ast.BoolOp(op=op, values=values):
            return ast.BoolOp(SWAPPED[type(op)](), values)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            return operand
        case ast.Constant(value=bool() as value):
            return ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            return ast.Constant(value + 1)
    return None


def places(path: Path) -> Iterator[tuple[ast.AST, str]]:
    """Expressions inside functions that one error can be put into, with the text that replaces each."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            for node in (node for line in function.body for node in ast.walk(line)):
                if (wrong := mutated(node)) is not None:
                    yield node, f"({ast.unparse(wrong)})"


def replaced(text: str, node: ast.AST, new: str) -> str:
    """Text with a node replaced; its columns count bytes."""
    lines = text.encode().splitlines(keepends=True)
    first, last = (sum(map(len, lines[: line - 1])) for line in (node.lineno, node.end_lineno))  # type: ignore[attr-defined]
    start, stop = first + node.col_offset, last + node.end_col_offset  # type: ignore[attr-defined]
    return (text.encode()[:start] + new.encode() + text.encode()[stop:]).decode()


def nearest(path: Path) -> str:
    """Test files of a module: named like it, then those that import it."""
    module = ".".join(path.with_suffix("").parts)
    every = sorted((ROOT / "tests").rglob("test_*.py"))
    found = [test for test in every if test.stem == f"test_{path.stem}"]
    found += [test for test in every if test not in found and module in test.read_text(encoding="utf-8")]
    if not found:
        package = module.rpartition(".")[0]
        found = [test for test in every if package in test.read_text(encoding="utf-8")]
    return " ".join(str(test.relative_to(ROOT)) for test in found[:FILES])


def main(seed: int, count: int) -> None:
    """Draw the errors, try those that are not tried yet, and print a table of all."""
    kept = ROOT / "results" / f"mutations-{seed}.json"
    done = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    files = [path.relative_to(ROOT) for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]
    all_places = [(file, *place) for file in files for place in places(ROOT / file)]
    drawn = np.random.default_rng(seed).choice(len(all_places), size=count, replace=False)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            take = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            take(ROOT / name, copy / name)
        for number in drawn:
            file, node, new = all_places[number]
            name = f"{file}:{node.lineno}:{node.col_offset} {new}"  # type: ignore[attr-defined]
            if name not in done:
                text, tests = (ROOT / file).read_text(encoding="utf-8"), nearest(file)
                (copy / file).write_text(replaced(text, node, new), encoding="utf-8")
                done[name] = "no tests" if not tests else "SURVIVED" if passes(copy, tests) else "killed"
                (copy / file).write_text(text, encoding="utf-8")
                kept.parent.mkdir(exist_ok=True)
                kept.write_text(json.dumps(done, indent=1, ensure_ascii=False), encoding="utf-8")
            print(f"{done[name]:<9} {name}", flush=True)  # noqa: T201
    print(f"{sum(item == 'killed' for item in done.values())} of {len(done)} were killed")  # noqa: T201


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
