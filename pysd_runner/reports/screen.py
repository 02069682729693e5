"""Tables and sentences for a terminal, where Chinese characters take two columns."""

import textwrap
import unicodedata
from collections.abc import Container, Sequence

LINE = 90
_GAP = 2


def aligned(rows: Sequence[Sequence[str]], *, words: Container[int] = frozenset({0}), indent: int = 0) -> list[str]:
    """Columns as wide as they must be: words to the left, numbers to the right."""
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = []
        for column, cell in enumerate(row):
            room = " " * (widths[column] - width(cell))
            cells.append(cell + room if column in words else room + cell)
        lines.append((" " * indent + (" " * _GAP).join(cells)).rstrip())
    return lines


def width(text: str) -> int:
    """Columns a text takes in a terminal."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def filled(text: str, *, indent: int = 0) -> list[str]:
    """A sentence in lines of the screen; scripts without spaces are left to the terminal."""
    room = " " * indent
    if any(unicodedata.east_asian_width(character) == "W" for character in text):
        return [room + text]
    return textwrap.wrap(text, LINE, initial_indent=room, subsequent_indent=room)
