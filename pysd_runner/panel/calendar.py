"""Times of a table: numbers in any unit, or dates that are counted in one."""

import calendar
import datetime
import re
from collections.abc import Callable, Iterable

from pysd_runner.core.errors import InvalidInput, suggest

Date = datetime.date

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


def unit_of_time(text: str) -> str:
    """One of `UNITS` for a unit of time as people write it; empty where it is none of them.

    Parameters
    ----------
    text
        For instance ``"Days"`` or ``"Year"``.

    Examples
    --------
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
    """One of `UNITS`."""
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
    """Read dates of one form: days with or without the hour, months, or quarters.

    Parameters
    ----------
    texts
        For instance ``2020-03-01``, ``2020-03`` or ``2020Q1``.

    Returns
    -------
    tuple or None
        The dates, and the unit in which they are written: ``"day"``, ``"month"`` or ``"quarter"``; None where not all
        of them are of one form.

    Examples
    --------
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
    """Dates as numbers.

    Parameters
    ----------
    dates
        The dates.
    unit
        One of `UNITS`. Years are those of the calendar, 2020.5 in the middle of one; everything else is counted from
        `since`, months and quarters by the calendar.
    since
        Where counting starts.

    Returns
    -------
    list of float
        In that unit.

    Examples
    --------
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
