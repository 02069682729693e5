"""Outside the engine nothing is imported past its doors, and the engine imports nothing from outside itself."""

import ast

from pysd_runner import engine
from tests.architecture.checkout import ROOT, source_files

DOORS = {f"pysd_runner.engine{part}" for part in ("", ".ir", ".errors", ".validation", ".memory", ".lazy")}
MOST_NAMES = 21


def _imported(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {item.name for item in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            # `from pysd_runner.engine import llvm` opens a back door as well.
            if node.module == "pysd_runner.engine":
                found |= {f"{node.module}.{item.name}" for item in node.names if item.name not in engine.__all__}
    return found


def test_nobody_goes_past_the_doors() -> None:
    past = {}
    for path in source_files():
        place = path.relative_to(ROOT)
        modules = _imported(ast.parse(path.read_text(encoding="utf-8")))
        wrong = {name for name in modules if name.startswith("pysd_runner.engine.")} - DOORS
        if wrong and place.parts[:2] != ("pysd_runner", "engine"):
            past[place.as_posix()] = sorted(wrong)
    assert past == {}


def test_the_door_is_narrow_and_everything_behind_it_exists() -> None:
    assert len(engine.__all__) <= MOST_NAMES
    for name in engine.__all__:
        assert getattr(engine, name) is not None
