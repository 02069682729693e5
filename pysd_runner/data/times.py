"""Times of observations: years, numbers in any unit, or dates converted to numbers in a unit."""

import calendar
import datetime
import re
from collections.abc import Callable, Iterable

import numpy as np

from pysd_runner.core.errors import InvalidInput, Message, suggest
from pysd_runner.core.findings import Finding
from pysd_runner.data.cells import IndexArray, TextArray

UNITS = ("hour", "day", "week", "month", "quarter", "year")
_SPELLED = {
    "h": "hour",
    "hr": "hour",
    "d": "day",
    "wk": "week",
    "mo": "month",
    "mon": "month",
    "qtr": "quarter",
    "yr": "year",
    "a": "year",
    "\u5c0f\u65f6": "hour",
    "\u5929": "day",
    "\u65e5": "day",
    "\u5468": "week",
    "\u6708": "month",
    "\u5b63\u5ea6": "quarter",
    "\u5e74": "year",
}

_DAY = re.compile(
    r"(\d{4})[-/.\u5e74](\d{1,2})[-/.\u6708](\d{1,2})\u65e5?(?:[ T](\d{2}):(\d{2})(?::(\d{2})(?:\.0+)?)?)?"
)
_MONTH = re.compile(r"(\d{4})[-/.\u5e74](\d{1,2})\u6708?")
_QUARTER = re.compile(r"(\d{4})[-/ ]?[Qq\u7b2c]([1-4])(?:\u5b63\u5ea6)?")

FIRST_YEAR, LAST_YEAR = 1800, 2100
_WHOLE_YEAR = re.compile(r"([0-9]{1,4})(?:\.0+)?\s*\u5e74?")
# Two-year spans (2004/05, 2004-2005), and dates (2004-12-31), to which workbooks add a time of day.
_SPAN = re.compile(r"([0-9]{4})\s*[-/–—]\s*([0-9]{2}|[0-9]{4})")
_DATE = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2}[-/.][0-9]{1,2})(?:[ T]00:00:00)?")


def unit_of_time(text: str) -> str:
    """Return the member of `UNITS` that a time unit means, or an empty string if there is none.

    >>> unit_of_time("Months"), unit_of_time("yr"), unit_of_time("tick")
    ('month', 'year', '')
    """
    plain = text.strip().casefold()
    for name in (plain, plain.removesuffix("s")):
        if name in UNITS:
            return name
        if name in _SPELLED:
            return _SPELLED[name]
    return ""


def checked_unit(text: str) -> str:
    """Return the member of `UNITS` that a time unit means; raise `InvalidInput` if there is none."""
    found = unit_of_time(text)
    if not found:
        raise InvalidInput(
            "dates can be counted in {units}; found {text!r}.{suggestion}",
            units=", ".join(UNITS),
            text=text,
            suggestion=suggest(text, UNITS),
        )
    return found


def read_dates(texts: Iterable[str]) -> tuple[list[datetime.datetime], str] | None:
    """Read dates that share one format: days with or without a time of day, months, or quarters.

    The unit in which they are written comes with them; None if they do not share a format.

    >>> read_dates(["2020Q1", "2020Q3"])[1], read_dates(["2020", "2021"])
    ('quarter', None)
    """
    held = list(texts)
    forms: tuple[tuple[re.Pattern[str], str, Callable[[re.Match[str]], datetime.datetime]], ...] = (
        (_DAY, "day", _of_day),
        (_MONTH, "month", lambda found: datetime.datetime(int(found[1]), int(found[2]), 1)),
        (_QUARTER, "quarter", lambda found: datetime.datetime(int(found[1]), 3 * int(found[2]) - 2, 1)),
    )
    for pattern, unit, date in forms:
        found = [pattern.fullmatch(text.strip()) for text in held]
        if held and all(found):
            try:
                return [date(item) for item in found if item is not None], unit
            except ValueError:
                return None
    return None


def _of_day(found: re.Match[str]) -> datetime.datetime:
    hour, minute, second = (int(found[place] or 0) for place in (4, 5, 6))
    return datetime.datetime(int(found[1]), int(found[2]), int(found[3]), hour, minute, second)


def counted(dates: Iterable[datetime.datetime], unit: str, since: datetime.datetime) -> list[float]:
    """Convert dates to times in a unit of `UNITS`, counted from `since`, months and quarters by the calendar.

    Years are calendar years, with 2020.5 in the middle of one.

    >>> start = datetime.datetime(2020, 1, 1)
    >>> counted([datetime.datetime(2020, 3, 1)], "month", start), counted([datetime.datetime(2020, 3, 1)], "day", start)
    ([2.0], [60.0])
    """
    if unit == "year":
        return [_year(item) for item in dates]
    if unit in ("month", "quarter"):
        months = [_month(item) - _month(since) for item in dates]
        return months if unit == "month" else [item / 3 for item in months]
    hours = {"hour": 1, "day": 24, "week": 168}[unit]
    return [(item - since).total_seconds() / 3600 / hours for item in dates]


def _share_of_day(date: datetime.datetime) -> float:
    return (date.hour + date.minute / 60 + date.second / 3600) / 24


def _month(date: datetime.datetime) -> float:
    days = calendar.monthrange(date.year, date.month)[1]
    return 12 * date.year + date.month + (date.day - 1 + _share_of_day(date)) / days


def _year(date: datetime.datetime) -> float:
    start = datetime.datetime(date.year, 1, 1)
    length = (datetime.datetime(date.year + 1, 1, 1) - start).total_seconds() if date.year < datetime.MAXYEAR else 1.0
    return date.year + (date - start).total_seconds() / length


def years_of(texts: TextArray, rows: IndexArray, heading: str) -> tuple[IndexArray, list[Finding]]:
    """Read the year column of a panel; -1 for cells without a valid year."""
    # A column of two-year spans such as 2004/05 is read as the first years, and a column of dates on one day of the
    # year as their years, both with a warning. A column of mixed formats is not read.
    import pandas as pd

    codes, found = pd.factorize(texts)
    form, told = _form(found)
    matches = [form.fullmatch(text) for text in found]
    years = np.array([-1 if match is None else int(match[1]) for match in matches], dtype=np.int64)[codes]
    problems = []
    if told:
        first = int(np.flatnonzero(texts != "")[0])
        text = str(texts[first])
        problems.append(
            Finding("year-form", told, "warning", row=int(rows[first]), column=heading, found=text, expected=text[:4])
        )
    expected = Message("a whole year from {first} to {last}", first=FIRST_YEAR, last=LAST_YEAR)
    out_of_range = (years < FIRST_YEAR) | (years > LAST_YEAR)
    for place in np.flatnonzero(out_of_range):
        text, is_year = str(texts[place]), years[place] >= 0
        rule, message = (
            ("year-range", Message("the year is out of range")) if is_year else ("not-a-year", _no_year(text))
        )
        problems.append(Finding(rule, message, row=int(rows[place]), column=heading, found=text, expected=expected))
    years[out_of_range] = -1
    return years, problems


def _no_year(text: str) -> str:
    if not text:
        return Message("the year is empty")
    if _SPAN.fullmatch(text) or _DATE.fullmatch(text):
        return Message(
            "not a whole year; years that span two, or dates of one day of the year, must fill the whole column"
        )
    return Message("not a whole year")


def _form(texts: TextArray) -> tuple[re.Pattern[str], str]:
    """Pattern that reads all cells, and the warning that it needs (empty for none)."""
    held = {str(text) for text in texts} - {""}
    spans = [match for text in held if (match := _SPAN.fullmatch(text))]
    # 2010-11 and 2011-12 could be months; three or more spans, or numbers that are not months, are years.
    years = len(spans) > 2 or any(len(span[2]) == 4 or not 1 <= int(span[2]) <= 12 for span in spans)
    if years and len(spans) == len(held) > 1 and all(str(int(span[1]) + 1).endswith(span[2]) for span in spans):
        return _SPAN, "years that span two are read as the one they begin in"
    days = {_day(match) for text in held if (match := _DATE.fullmatch(text))} if held else set()
    if len(days) == 1 and days != {None} and all(map(_DATE.fullmatch, held)):
        return _DATE, "dates are read as their years"
    return _WHOLE_YEAR, ""


def _day(date: re.Match[str]) -> tuple[int, int] | None:
    """Month and day of a date; None if there is no such day."""
    month, day = map(int, re.split(r"[-/.]", date[2]))
    try:
        datetime.date(int(date[1]), month, day)
    except ValueError:
        return None
    return month, day
