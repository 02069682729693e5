"""Lines of the text files of a study, with the file and line of each, and names of variables in them."""

import re
from collections.abc import Iterator
from pathlib import Path

from pysd_runner.core.errors import InvalidInput, of_system
from pysd_runner.core.types import frozen

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
# A name, which may be quoted, and its subscripts in brackets.
NAME = r'("(?:\\.|[^"\\])*"|[^"=<>|\[(\]]+?)\s*(?:\[([^\]]*)\])?'
_COMMENT, _NAME = re.compile(r"\{[^}]*\}"), re.compile(rf"\s*{NAME}\s*")


@frozen(kw_only=False)
class Place:
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@frozen(kw_only=False)
class Item:
    """A piece of text of a file: one line, or several that belong together, and where it begins."""

    text: str
    place: Place


@frozen(kw_only=False)
class Target:
    """A variable of a model, or a part of it, as a file names it; subscripts are elements or ranges."""

    name: str
    subscripts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}[{', '.join(self.subscripts)}]" if self.subscripts else self.name


def text_of(path: Path) -> str:
    """Text of a file in UTF-8, or else in the code page of Western Windows."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput("{path}: {reason}", path=path, reason=of_system(error)) from error
    if b"\0" in data:
        raise InvalidInput("{path} is no text file", path=path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def items_of(path: Path, *, joins: bool = False) -> Iterator[Item]:
    """Lines of a file that are not empty, without comments in braces.

    A line that ends in a backslash goes on; if `joins`, so does one that ends in a comma or within a bracket.
    """
    text = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text_of(path))
    begun, whole = 0, ""
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        begun = begun if whole else number
        whole = f"{whole.removesuffix(chr(92))} {line.strip()}".strip()
        is_open = joins and (whole.count("(") > whole.count(")") or whole.endswith(","))
        is_last = not line.strip() or whole.startswith(":")
        if whole and (is_last or not (is_open or whole.endswith("\\"))):
            yield Item(whole, Place(path.name, begun))
            whole = ""


def target_of(text: str) -> Target | None:
    """The variable, and its subscripts, that a text names; None if it is no name."""
    found = _NAME.fullmatch(text)
    if found is None:
        return None
    subscripts = (part.strip() for part in (found[2] or "").split(","))
    return Target(found[1].strip().strip('"'), tuple(filter(None, subscripts)))


def number_of(text: str) -> float | None:
    """The number that a text is; None for any other text."""
    return float(text) if re.fullmatch(rf"\s*{NUMBER}\s*", text) else None
