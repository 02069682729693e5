"""How a file writes its numbers: which mark is the decimal point, and which one sets thousands apart."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pysd_runner.panel.observations import Observations
from pysd_runner.panel.problems import Problem

DECIMALS = (".", ",")

# Narrow, thin and non-breaking spaces, typographic apostrophes, the full-width comma and the true minus sign.
_SIGNS = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'", "‘": "'", "，": ",", "−": "-"})
_THOUSANDS = {"": "", ",": "commas", ".": "points", " ": "spaces", "'": "apostrophes"}


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberStyle:
    """What the marks in a file's numbers mean.

    Attributes
    ----------
    decimal
        The decimal point: ``"."`` or ``","``.
    thousands
        What sets thousands apart; empty for nothing.
    """

    decimal: str = "."
    thousands: str = ""

    def fits(self, text: str) -> bool:
        """Whether a text is a number of this style."""
        return _PATTERNS[self].fullmatch(text.translate(_SIGNS)) is not None

    def plain(self, text: str) -> str:
        """A number of this style in plain digits with a point."""
        whole = text.translate(_SIGNS).replace(self.thousands, "") if self.thousands else text.translate(_SIGNS)
        return whole.replace(self.decimal, ".")

    def __str__(self) -> str:
        """In words."""
        apart = f", thousands set apart by {_THOUSANDS[self.thousands]}" if self.thousands else ""
        return f"decimal {'point' if self.decimal == '.' else 'comma'}{apart}"


def _pattern(style: NumberStyle) -> re.Pattern[str]:
    point, mark = re.escape(style.decimal), re.escape(style.thousands)
    # In India a comma comes after every two digits but the last three.
    inner = "{2,3}" if style.thousands == "," else "{3}"
    apart = f"[0-9]{{1,3}}(?:{mark}[0-9]{inner})*{mark}[0-9]{{3}}|" if mark else ""
    return re.compile(rf"[+-]?(?:(?:{apart}[0-9]+)(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?")


# In the order of preference among those that read every number alike.
STYLES = tuple(
    NumberStyle(decimal=decimal, thousands=mark) for decimal in DECIMALS for mark in _THOUSANDS if mark != decimal
)
PLAIN = STYLES[0]
_PATTERNS = {style: _pattern(style) for style in STYLES}


def styles_of(
    observations: Observations, missing: frozenset[str], decimal: str | None
) -> tuple[dict[str, NumberStyle], list[Problem]]:
    """Find the one way in which all numbers of a file can be read.

    The decimal point is the same in the whole file, thousands are set apart alike in all cells of a variable. Where
    numbers could be read in two ways that differ, as ``1,234`` alone can, or in none, or one sets thousands apart that
    others do not, nothing is guessed: the plain style stays, in which such cells are no numbers.

    Parameters
    ----------
    observations
        The cells as text.
    missing
        Texts that stand for a missing value.
    decimal
        The decimal point if the user names it; None to find it.

    Returns
    -------
    tuple[dict[str, NumberStyle], list[Problem]]
        Style by variable, and a warning that says how numbers are read where they are not plain.
    """
    texts = {cells.variable: set(map(str, cells.texts)) - missing - {""} for cells in observations.cells}
    if decimal in (None, PLAIN.decimal) and all(PLAIN.fits(text) for found in texts.values() for text in found):
        return dict.fromkeys(texts, PLAIN), []
    marks = DECIMALS if decimal is None else (decimal,)
    ways = [way for mark in marks if (way := _in_one_way(texts, mark)) is not None]
    even = decimal is not None or all(_even(style, texts[name]) for way in ways for name, style in way.items())
    if len({_reading(way, texts) for way in ways}) != 1 or not even:
        return dict.fromkeys(texts, NumberStyle(decimal=marks[0])), []
    return ways[0], _told(observations, ways[0])


def _in_one_way(texts: Mapping[str, set[str]], decimal: str) -> dict[str, NumberStyle] | None:
    """The styles in which all numbers can be read with a decimal point; None where there is none, or no single one."""
    found = {}
    for variable, held in texts.items():
        numbers = {text for text in held if any(style.fits(text) for style in STYLES)}
        fitting = [style for style in STYLES if style.decimal == decimal and all(map(style.fits, numbers))]
        if len({_values(style, numbers) for style in fitting}) != 1:
            return None
        found[variable] = fitting[0]
    return found


def _reading(way: Mapping[str, NumberStyle], texts: Mapping[str, set[str]]) -> tuple[tuple[float, ...], ...]:
    return tuple(_values(style, filter(style.fits, texts[variable])) for variable, style in way.items())


def _even(style: NumberStyle, held: Iterable[str]) -> bool:
    """Whether thousands are set apart in all numbers or in none; of four digits a space is often left out."""
    least = 5 if style.thousands == " " else 4
    return not style.thousands or not any(re.match(rf"[+-]?[0-9]{{{least}}}", text) for text in held)


def _values(style: NumberStyle, numbers: Iterable[str]) -> tuple[float, ...]:
    return tuple(float(style.plain(text)) for text in sorted(numbers))


def _told(observations: Observations, way: Mapping[str, NumberStyle]) -> list[Problem]:
    """Say how numbers are read, with the first of the file for which it matters."""
    odd = [
        (int(observations.keys.rows[take]), str(column), str(text), way[cells.variable])
        for cells in observations.cells
        for take, column, text in zip(cells.take, cells.columns, cells.texts, strict=True)
        if way[cells.variable].fits(str(text)) and not PLAIN.fits(str(text))
    ]
    if not odd:
        return []
    row, column, text, style = min(odd, key=lambda item: item[0])
    return [
        Problem(
            rule="number-style",
            message=f"numbers are read with a {style}; if that is wrong, say `decimal` in a mapping file",
            row=row,
            column=column,
            found=text,
            expected=style.plain(text),
            severity="warning",
        )
    ]
