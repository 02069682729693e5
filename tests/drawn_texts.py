"""Texts of the product drawn by a seed, for readers new to it: `python -m tests.drawn_texts SEED`.

50 first sentences of docstrings, 25 comments and 25 messages, each with its place. A reader says of each whether it
would puzzle a colleague at another institute.
"""

import ast
import io
import json
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
PACKAGES = ("gapsim", "pysd_runner", "calibration")
WORDS = 3
COUNTS = {"docstring": 50, "comment": 25, "message": 25}


def docstrings(path: Path) -> Iterator[str]:
    """The first paragraph of each docstring of a file, with the name of what it documents."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
            first, *_ = text.split("\n\n")
            yield f"{getattr(node, 'name', path.stem)}: {' '.join(first.split())}"


def comments(path: Path) -> Iterator[str]:
    """Comments of a file, those of adjacent lines as one."""
    lines: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith(("# noqa", "# type:")):
            if lines and token.start[0] != last + 1:
                yield " ".join(lines)
                lines = []
            lines.append(token.string.lstrip("#: "))
            last = token.start[0]
    if lines:
        yield " ".join(lines)


def messages() -> Iterator[str]:
    """Messages to users of three words or more, as they are written in English."""
    for text in json.loads((ROOT / "pysd_runner/text/messages.zh.json").read_text(encoding="utf-8")):
        if len(text.split()) >= WORDS:
            yield f"messages: {text}"


def drawn(seed: int) -> Iterator[str]:
    """The texts of a seed."""
    files = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    pools = {
        kind: [f"{path.relative_to(ROOT)}: {text}" for path in files for text in texts_of(path)]
        for kind, texts_of in (("docstring", docstrings), ("comment", comments))
    }
    pools["message"] = list(messages())
    rng = np.random.default_rng(seed)
    for kind, count in COUNTS.items():
        for place in sorted(rng.choice(len(pools[kind]), count, replace=False)):
            yield f"[{kind}] {pools[kind][place]}"


if __name__ == "__main__":
    lines = [f"{number}. {line}" for number, line in enumerate(drawn(int(sys.argv[1], 0)), 1)]
    sys.stdout.write("\n".join(lines) + "\n")
