"""Files import each other without circles, and no import block names two modules that are called alike."""

import ast
from collections import defaultdict
from pathlib import Path

from tests.architecture.checkout import ROOT, source_files


def _modules() -> dict[str, Path]:
    found = {}
    for path in source_files():
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _imported(path: Path, known: dict[str, Path]) -> set[str]:
    """Modules that a file imports when it is imported itself."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for item in node.names:
                whole = f"{node.module}.{item.name}"
                found.add(whole if whole in known else node.module)
    return found & known.keys()


def test_no_import_block_names_two_modules_that_are_called_alike() -> None:
    known = _modules()
    alike = {}
    for name, path in known.items():
        called = defaultdict(set)
        for module in _imported(path, known) - {name}:
            called[module.rpartition(".")[2]].add(module)
        if twice := {word: sorted(modules) for word, modules in called.items() if len(modules) > 1}:
            alike[name] = twice
    assert alike == {}
