"""How a file writes its numbers: which mark is the decimal point, and which one sets thousands apart."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pysd_runner.panel.observations import Observations
from pysd_runner.panel.problems import Problem

DECIMALS = (".", ",")

# Narrow, thin and non-breaking spaces, the full-width comma and the true minus sign.
_SIGNS = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2007": " ", "，": ",", "−": "-"})
_THOUSANDS = {"": "", ",": "commas", ".": "points", " ": "spaces"}


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberStyle:
    """What the marks in a file's numbers mean."""

    decimal: str = "."  # the decimal point: ``"."`` or ``","``
    thousands: str = ""  # what sets thousands apart; empty for nothing

    def fits(self, text: str) -> bool:
        """Whether a text is a number of this style."""
        return _PATTERNS[self].fullmatch(text.translate(_SIGNS)) is not None

    def plain(self, text: str) -> str:
        """A number of this style in plain digits with a point."""
        return text.translate(_SIGNS).replace(self.thousands, "").replace(self.decimal, ".")

    def __str__(self) -> str:
        """In words."""
        apart = f", thousands set apart by {_THOUSANDS[self.thousands]}" if self.thousands else ""
        return f"decimal {'point' if self.decimal == '.' else 'comma'}{apart}"


def _pattern(style: NumberStyle) -> re.Pattern[str]:
    point, mark = re.escape(style.decimal), re.escape(style.thousands)
    # No number begins with a group of zeros: 0.512 is a fraction.
    apart = f"[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{3}})+|" if mark else ""
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
    """Find the one way in which all numbers of a file can be read."""
    # A file whose numbers are all plain is read as it stands: a point is the decimal point. Otherwise the decimal point
    # is the same in the whole file, and thousands are set apart alike in all cells of a variable. Where numbers could
    # be read in two ways that differ, as ``1,234`` alone can, or in none, or one sets thousands apart that others of
    # its variable do not, nothing is guessed: the plain style stays, in which such cells are no numbers.
    texts = {cells.variable: set(map(str, cells.texts)) - missing - {""} for cells in observations.cells}
    if decimal in (None, PLAIN.decimal) and all(PLAIN.fits(text) for found in texts.values() for text in found):
        return dict.fromkeys(texts, PLAIN), []
    marks = DECIMALS if decimal is None else (decimal,)
    ways = [_in_one_way(texts, mark) for mark in marks]
    # A variable that cannot be read in any way is at fault itself and decides nothing for the others.
    fewest = min(len(texts) - len(way) for way in ways)
    ways = [way for way in ways if len(texts) - len(way) == fewest]
    plain = NumberStyle(decimal=marks[0])
    if len({_reading(way, texts) for way in ways}) != 1:
        return dict.fromkeys(texts, plain), []
    found = {
        name: style if decimal is not None or _even(style, filter(style.fits, texts[name])) else plain
        for name, style in ways[0].items()
    }
    styles = dict.fromkeys(texts, plain) | found
    return styles, _told(observations, styles)


def _in_one_way(texts: Mapping[str, set[str]], decimal: str) -> dict[str, NumberStyle]:
    """Styles in which all numbers of a variable can be read with a decimal point; without those that have none."""
    found = {}
    for variable, held in texts.items():
        numbers = {text for text in held if any(style.fits(text) for style in STYLES)}
        fitting = [style for style in STYLES if style.decimal == decimal and all(map(style.fits, numbers))]
        if fitting:
            found[variable] = fitting[0]
    return found


def _reading(way: Mapping[str, NumberStyle], texts: Mapping[str, set[str]]) -> tuple[tuple[float, ...], ...]:
    return tuple(_values(style, filter(style.fits, texts[variable])) for variable, style in way.items())


def _even(style: NumberStyle, held: Iterable[str]) -> bool:
    """Whether thousands are set apart in all numbers or in none; of four digits a space is often left out."""
    least = 5 if style.thousands == " " else 4
    return not style.thousands or not any(re.match(rf"[+-]?[0-9]{{{least}}}", text.translate(_SIGNS)) for text in held)


def _values(style: NumberStyle, numbers: Iterable[str]) -> tuple[float, ...]:
    return tuple(float(style.plain(text)) for text in sorted(numbers))


def _told(observations: Observations, styles: Mapping[str, NumberStyle]) -> list[Problem]:
    """Say for each variable how its numbers are read, with the first for which it matters."""
    problems = []
    for cells in observations.cells:
        if (style := styles[cells.variable]) == PLAIN:
            continue
        odd = [
            (int(observations.keys.rows[take]), str(column), str(text))
            for take, column, text in zip(cells.take, cells.columns, cells.texts, strict=True)
            if style.fits(str(text)) and _read_otherwise(style, str(text))
        ]
        if odd:
            row, column, text = min(odd, key=lambda item: item[0])
            problems.append(
                Problem(
                    rule="number-style",
                    message=f"numbers of {cells.variable} are read with a {style}; if that is wrong, say `decimal` in "
                    "a mapping file",
                    row=row,
                    column=column,
                    found=text,
                    expected=style.plain(text),
                    severity="warning",
                )
            )
    return problems


def _read_otherwise(style: NumberStyle, text: str) -> bool:
    """Whether a number is none in plain style, or another one."""
    return not PLAIN.fits(text) or float(PLAIN.plain(text)) != float(style.plain(text))
