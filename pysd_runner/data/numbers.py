"""Convert strings to numbers: detect the number format of a file, and report invalid and impossible cells."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pysd_runner.core.errors import Message
from pysd_runner.core.findings import Finding
from pysd_runner.core.types import Array, Flags, frozen
from pysd_runner.data.cells import Cells, Entries, IndexArray, is_empty, is_typed, text_of
from pysd_runner.data.names import VARIABLES
from pysd_runner.data.units import Measure, scaled

PERCENT = 0.01

_EITHER_WAY = re.compile(r"[+-]?[0-9]{1,3}[,，][0-9]{3}")
DECIMALS = (".", ",")

# Narrow, thin and non-breaking spaces, the full-width comma and the true minus sign.
_SIGNS = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2007": " ", "，": ",", "−": "-"})
_THOUSANDS = {"": "", ",": Message("commas"), ".": Message("points"), " ": Message("spaces")}


@frozen
class NumberStyle:
    """Number format: decimal point and thousands separator."""

    decimal: str = "."  # the decimal point: ``"."`` or ``","``
    thousands: str = ""  # thousands separator; empty for none

    def fits(self, text: str) -> bool:
        """Whether a string is a number of this style."""
        return _PATTERNS[self].fullmatch(text.translate(_SIGNS)) is not None

    def plain(self, text: str) -> str:
        """Convert a number of this style to plain digits with a decimal point."""
        return text.translate(_SIGNS).replace(self.thousands, "").replace(self.decimal, ".")

    def __str__(self) -> str:
        """Describe the style in words."""
        point = Message("decimal point") if self.decimal == "." else Message("decimal comma")
        if not self.thousands:
            return point
        return Message("{point}, thousands set apart by {marks}", point=point, marks=_THOUSANDS[self.thousands])


def _pattern(style: NumberStyle) -> re.Pattern[str]:
    point, mark = re.escape(style.decimal), re.escape(style.thousands)
    # The first group cannot begin with zero: 0.512 is a fraction.
    apart = f"[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{3}})+|" if mark else ""
    return re.compile(rf"[+-]?(?:(?:{apart}[0-9]+)(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?")


# In order of preference among styles that give the same values.
STYLES = tuple(
    NumberStyle(decimal=decimal, thousands=mark) for decimal in DECIMALS for mark in _THOUSANDS if mark != decimal
)
PLAIN = STYLES[0]
_PATTERNS = {style: _pattern(style) for style in STYLES}


def styles_of(
    observed: Sequence[Cells], missing: frozenset[str], decimal: str | None
) -> tuple[dict[str, NumberStyle], list[Finding]]:
    """Determine the number style of each variable of a file."""
    # If all numbers are plain, a point is the decimal point. Otherwise the decimal point must be the same in the whole
    # file, and the thousands separator the same in all cells of a variable. If numbers are ambiguous (``1,234`` alone),
    # fit no style, or use the separator inconsistently, nothing is guessed: in the plain style, which is then used,
    # such cells are reported as not numbers.
    texts = {cells.variable: _written(cells.entries) - missing - {""} for cells in observed}
    if decimal in (None, PLAIN.decimal) and all(PLAIN.fits(text) for found in texts.values() for text in found):
        return dict.fromkeys(texts, PLAIN), []
    marks = DECIMALS if decimal is None else (decimal,)
    ways = [_in_one_way(texts, mark) for mark in marks]
    # A variable that fits no style is reported itself, and does not affect the others.
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
    return styles, _told(observed, styles)


def _written(entries: Entries) -> set[str]:
    """Distinct strings of a column; for a numeric column one number that is not an integer is enough."""
    if is_typed(entries):
        return set(map(text_of, entries[(entries % 1 != 0) & np.isfinite(entries)][:1]))
    return set(map(str, entries))


def _in_one_way(texts: Mapping[str, set[str]], decimal: str) -> dict[str, NumberStyle]:
    """Style of each variable for a given decimal point; variables that fit none are omitted."""
    found = {}
    for variable, held in texts.items():
        numbers = {text for text in held if any(style.fits(text) for style in STYLES)}
        fitting = [style for style in STYLES if style.decimal == decimal and all(map(style.fits, numbers))]
        if fitting:
            found[variable] = fitting[0]
    return found


def _reading(way: Mapping[str, NumberStyle], texts: Mapping[str, set[str]]) -> tuple[tuple[float, ...], ...]:
    return tuple(
        tuple(float(style.plain(text)) for text in sorted(filter(style.fits, texts[variable])))
        for variable, style in way.items()
    )


def _even(style: NumberStyle, held: Iterable[str]) -> bool:
    """Whether the thousands separator is used consistently; four-digit numbers may lack a space."""
    least = 5 if style.thousands == " " else 4
    return not style.thousands or not any(re.match(rf"[+-]?[0-9]{{{least}}}", text.translate(_SIGNS)) for text in held)


def _told(observed: Sequence[Cells], styles: Mapping[str, NumberStyle]) -> list[Finding]:
    """Report the style of each variable that is not plain, at the first number that it affects."""
    problems = []
    for cells in observed:
        if (style := styles[cells.variable]) == PLAIN or is_typed(cells.entries):
            continue
        texts = list(map(str, cells.entries))
        odd = [place for place, text in enumerate(texts) if style.fits(text) and _read_otherwise(style, text)]
        if odd:
            first = min(odd, key=lambda place: int(cells.rows[place]))
            message = Message(
                "numbers of {variable} are read with a {style}; if that is wrong, say `decimal` in a mapping file",
                variable=cells.variable,
                style=style,
            )
            expected = style.plain(texts[first])
            problems.append(cells.problem(first, "number-style", message, expected, severity="warning"))
    return problems


def _read_otherwise(style: NumberStyle, text: str) -> bool:
    """Whether a number cannot be read, or has another value, without thousands separators."""
    return not PLAIN.fits(text) or float(PLAIN.plain(text)) != float(style.plain(text))


def numbers_of(
    cells: Cells, measure: Measure, missing: frozenset[str], style: NumberStyle = PLAIN
) -> tuple[Array, Flags, list[Finding]]:
    """Numbers of the cells of one variable, which of the cells are faulty, and what is wrong with them."""
    raw, bad = _parse(cells, missing, style)
    unclear = np.zeros(len(raw), dtype=bool) if measure.unclear is None else measure.unclear
    raw[unclear] = np.nan
    with np.errstate(over="ignore"):  # overflow is reported as an impossible value
        values = scaled(raw, measure.factor)
    impossible = _impossible(cells, raw, values, measure)
    faulty = unclear.copy()
    faulty[[*bad, *(place for place, _ in impossible)]] = True
    values[faulty] = np.nan
    problems = [*(_not_a_number(cells, place) for place in bad), *(problem for _, problem in impossible)]
    return values, faulty, problems + _fraction_for_percent(cells, raw, measure)


def _parse(cells: Cells, missing: frozenset[str], style: NumberStyle) -> tuple[Array, list[int]]:
    """Numbers, and the indices of cells that are not numbers."""
    empty = is_empty(cells.entries, missing)
    if is_typed(cells.entries):
        numbers = cells.entries.astype(float)
        bad = np.isinf(numbers) & ~empty
    else:
        found = [float(style.plain(text)) if style.fits(text) else np.nan for text in cells.entries]
        numbers = np.array(found, dtype=float)
        bad = np.isnan(numbers) & ~empty
    numbers[empty | bad] = np.nan
    return numbers, np.flatnonzero(bad).tolist()


def _not_a_number(cells: Cells, place: int) -> Finding:
    text = text_of(cells.entries[place])
    if _EITHER_WAY.fullmatch(text):
        advice = Message("is the comma the decimal point? say `decimal: ','` or `decimal: '.'` in a mapping file")
    elif any(style.fits(text) for style in STYLES):
        advice = Message("others are written in another way; write it like them, or say `decimal` in a mapping file")
    elif text.endswith(("%", "％", "‰")):
        advice = Message("write the number alone and give the unit in the heading")
    else:
        advice = Message(
            "leave the cell empty where nothing was observed, or list the text under `missing` in a mapping file"
        )
    message = Message("{variable} is not a number; {advice}", variable=cells.variable, advice=advice)
    return cells.problem(place, "not-a-number", message, Message("a plain number such as 1234.5"))


def _impossible(cells: Cells, raw: Array, values: Array, measure: Measure) -> list[tuple[int, Finding]]:
    known = VARIABLES.get(cells.variable)
    wrong = np.isinf(values)
    if known is not None:
        too_low = values < known.lower if known.lower_allowed else values <= known.lower
        wrong |= too_low | (values > known.upper)
    bad = np.flatnonzero(wrong).tolist()
    expected = known.limits if known is not None else Message("a finite number")
    found = []
    if known is not None and known.upper == 1.0 and measure.factor == 1.0 and _looks_like_percent(raw):
        # The unit is reported once for the column, and values that cannot be percentages one by one.
        above = [place for place in bad if 1 < raw[place] <= 100]
        message = Message(
            "{variable} is read as a fraction but looks like percent ({count} above 1)",
            variable=cells.variable,
            count=len(above),
        )
        meant = Message("a fraction from 0 to 1, or the unit percent")
        found = [(above[0], cells.problem(above[0], "unit-mismatch", message, meant))]
        bad = [place for place in bad if not 1 < raw[place] <= 100]
        expected = Message("a share from 0 to 100 percent")
    message = Message(
        "impossible value of {variable}; leave the cell empty where nothing was observed", variable=cells.variable
    )
    return [*found, *((place, cells.problem(place, "impossible-value", message, expected)) for place in bad)]


def _looks_like_percent(raw: Array) -> bool:
    held = raw[np.isfinite(raw)]
    return len(held) > 0 and float(np.mean(held > 1)) > 0.5 and float(np.mean(held <= 100)) > 0.5


# A share this many times below the median of its column is probably a fraction among percentages.
FAR_BELOW = 30


def _fraction_for_percent(cells: Cells, raw: Array, measure: Measure) -> list[Finding]:
    """Warn of percentages that look like fractions: a spreadsheet shows 8 % where it stores 0.08."""
    held: IndexArray = np.flatnonzero(np.isfinite(raw))
    known = VARIABLES.get(cells.variable)
    if known is None or known.upper != 1.0 or measure.factor != PERCENT or not len(held):
        return []
    if raw[held].max() <= 1:
        first = held[0]
        message = Message(
            "{variable} is given in percent but never exceeds 1; are these fractions?", variable=cells.variable
        )
    else:
        low = held[(raw[held] > 0) & (raw[held] <= 1) & (raw[held] * FAR_BELOW < np.median(raw[held]))]
        if not len(low):
            return []
        first = low[0]
        message = Message(
            "{variable} is given in percent, but {count} of {all} values lie far below the others; are these "
            "fractions?",
            variable=cells.variable,
            count=len(low),
            all=len(held),
        )
    return [cells.problem(first, "unit-doubt", message, Message("percent from 0 to 100"), severity="warning")]
