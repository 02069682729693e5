"""Count the functions that files of public collections call, by collection, and what became of the files that do.

The collections are those of `survey`, whose manifest says which files run. Run it as::

    python -m tests.validation.functions FOLDER
    python -m tests.validation.functions FOLDER --least 1
"""

import argparse
import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pysd_runner.core.errors import GapsimError
from pysd_runner.engine.frontend.source import read_source
from pysd_runner.engine.frontend.syntax import Call, Syntax
from pysd_runner.engine.names import key
from tests.validation.survey import COLLECTIONS, VENSIM, XMILE, read


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the table; exit code 1 if a function runs in no complete file and is not refused by its name either."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--least", type=int, default=2, help="collections that a function occurs in (2)")
    given = parser.parse_args(arguments)
    entries = {entry.sha256: entry for entry in read()}
    where: dict[str, set[str]] = defaultdict(set)
    verdicts: dict[str, dict[str, str]] = defaultdict(dict)
    reasons: dict[str, str] = {}
    for collection, path in _files(given.folder):
        entry = entries.get(hashlib.sha256(path.read_bytes()).hexdigest())
        if entry is None or entry.verdict not in ("runs", "fails"):
            continue
        for name in called(path):
            where[name].add(collection)
            verdicts[name][entry.sha256] = entry.verdict
            if entry.verdict == "fails":
                reasons.setdefault(name, entry.reason)
    refused, unknown = [], []
    for name in sorted(where, key=lambda item: (-len(where[item]), item)):
        if len(where[name]) < given.least:
            continue
        found = list(verdicts[name].values())
        runs, fails = found.count("runs"), found.count("fails")
        if not runs:
            (refused if f"function {name.upper()} " in reasons[name] else unknown).append(name)
        told = f"   {reasons[name]}" if not runs else ""
        sys.stdout.write(f"{name:<28} {len(where[name])} collections, {runs} files run, {fails} fail{told}\n")
    for kind, names in (("refused by name", refused), ("neither run nor refused by name", unknown)):
        sys.stdout.write(f"{kind}: {len(names)}{': ' if names else ''}{', '.join(names)}\n")
    return 1 if unknown else 0


def called(path: Path) -> set[str]:
    """Functions that a file calls; its own macros and tables are none. Empty for a file that cannot be read."""
    try:
        syntax = read_source(path).syntax
    except (GapsimError, OSError):
        return set()
    names = {key(item.function) for item in _walked(syntax) if isinstance(item, Call)}
    own = {key(item.name) for item in (*syntax.variables, *syntax.macros)}
    own |= {key(item.name) for macro in syntax.macros for item in macro.variables}
    return names - own


def _walked(item: Any) -> Iterator[Any]:
    if isinstance(item, tuple):
        for part in item:
            yield from _walked(part)
    elif is_dataclass(item) and not isinstance(item, type):
        yield item
        parts = ("variables", "macros") if isinstance(item, Syntax) else tuple(part.name for part in fields(item))
        for part in parts:
            yield from _walked(getattr(item, part))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for collection in sorted(COLLECTIONS):
        for path in sorted((folder / collection).rglob("*")):
            if path.suffix.lower() in VENSIM + XMILE and path.is_file():
                yield collection, path


if __name__ == "__main__":
    sys.exit(main())
