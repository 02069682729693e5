"""Times as numbers, years and dates, and the calendar of a model whose time starts at any date."""

import calendar
import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pysd_runner.core.errors import InvalidInput, Message, suggest

UNITS = ("hour", "day", "week", "month", "quarter", "year")
_HOURS = {"hour": 1, "day": 24, "week": 168}
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
_SLASHED = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")
_NUMERALS = "\u4e00\u4e8c\u4e09\u56db"
_QUARTER = re.compile(rf"(\d{{4}})[-/ :\u5e74]?[Qq\u7b2c]([1-4{_NUMERALS}])(?:\u5b63\u5ea6)?")
# Ratio of the unevenness of dates read day first to that of dates read month first, from which the latter are taken.
UNEVEN = 2.0


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

    The unit in which they are written comes with them; None if they do not share a format. Of 01/02/2020 the day comes
    first, unless there is no such month or the dates are far more evenly spaced the other way round.

    >>> read_dates(["2020Q1", "2020Q3"])[1], read_dates(["2020", "2021"])
    ('quarter', None)
    >>> read_dates(["31/12/2019", "01/01/2020"])[0][1].isoformat()
    '2020-01-01T00:00:00'
    """
    held = list(texts)
    forms: tuple[tuple[re.Pattern[str], str, Callable[[re.Match[str]], datetime.datetime]], ...] = (
        (_DAY, "day", _of_day),
        (_MONTH, "month", lambda found: datetime.datetime(int(found[1]), int(found[2]), 1)),
        (_QUARTER, "quarter", _of_quarter),
    )
    for pattern, unit, date in forms:
        found = [pattern.fullmatch(text.strip()) for text in held]
        if held and all(found):
            try:
                return [date(item) for item in found if item is not None], unit
            except ValueError:
                return None
    slashed = [_SLASHED.fullmatch(text.strip()) for text in held]
    if not held or not all(slashed):
        return None
    orders = [read for day in (1, 2) if (read := _in_order([item for item in slashed if item], day)) is not None]
    if len(orders) > 1 and _unevenness(orders[0]) > UNEVEN * _unevenness(orders[1]):
        orders = orders[1:]
    return (orders[0], "day") if orders else None


def _in_order(found: Iterable[re.Match[str]], day: int) -> list[datetime.datetime] | None:
    """Dates whose day is the first or second number; None if some do not exist."""
    try:
        return [datetime.datetime(int(item[3]), int(item[3 - day]), int(item[day])) for item in found]
    except ValueError:
        return None


def _unevenness(dates: Iterable[datetime.datetime]) -> float:
    """Ratio of the longest to the shortest distance of successive dates."""
    gaps = [later - earlier for earlier, later in pairwise(sorted(set(dates)))]
    return max(gaps) / min(gaps) if gaps else 1.0


def _of_quarter(found: re.Match[str]) -> datetime.datetime:
    number = _NUMERALS.find(found[2]) + 1 or int(found[2])
    return datetime.datetime(int(found[1]), 3 * number - 2, 1)


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
    return [(item - since).total_seconds() / 3600 / _HOURS[unit] for item in dates]


def _month(date: datetime.datetime) -> float:
    days = calendar.monthrange(date.year, date.month)[1]
    passed = date - datetime.datetime(date.year, date.month, 1)
    return 12 * date.year + date.month + passed / datetime.timedelta(days=days)


def _year(date: datetime.datetime) -> float:
    return date.year + (date - datetime.datetime(date.year, 1, 1)) / datetime.timedelta(days=_days_of(date.year))


def _days_of(year: int) -> int:
    return 366 if calendar.isleap(year) else 365


def time_of(text: str | float) -> float:
    """A time as written by a user: a number, or a date as a decimal year.

    >>> time_of("40"), time_of("2040-07-01"), time_of("2040-01")
    (40.0, 2040.4972677595629, 2040.0)
    """
    try:
        return float(text)
    except ValueError:
        found = read_dates([str(text)])
    if found is None:
        raise InvalidInput("expected a number, a year or a date such as 2040-06-01; found {text!r}", text=text)
    return _year(found[0][0])


def date_of(year: float) -> datetime.datetime:
    """Date of a decimal year, to the second."""
    start = datetime.datetime(int(year), 1, 1)
    return start + datetime.timedelta(seconds=round((year - start.year) * _days_of(start.year) * 86400))


def said_time(time: Any, unit: str = "") -> str:
    """Format a time for readers: as a date, a year, or a number with its unit.

    >>> said_time(np.datetime64("2020-03-01", "ns")), said_time(2040.0, "Year"), said_time(28.0, "Year")
    ('2020-03-01', '2040', '28 Year')
    """
    if isinstance(time, np.datetime64 | datetime.datetime):
        text = str(np.array(time, "datetime64[m]")).replace("T", " ")
        return text.removesuffix(" 00:00")
    return f"{time:g}" if is_year(time, unit) or not unit else f"{time:g} {unit}"


def is_year(time: float, unit: str) -> bool:
    """Whether a number is a calendar year."""
    return time >= CALENDAR and unit_of_time(unit) == "year"


def said_date(time: float) -> str:
    """Format a time read by `time_of` for readers.

    >>> said_date(2026.0), said_date(time_of("2026-06-01")), said_date(10.5)
    ('2026', '2026-06-01', '10.5')
    """
    return f"{time:g}" if time < CALENDAR or time == int(time) else f"{date_of(time):%Y-%m-%d}"


# Times from this one on are calendar years; years within this distance of a date belong to its calendar.
CALENDAR, REACH = 1000.0, 500


@dataclass(frozen=True, slots=True)
class Calendar:
    """Conversion between model times and dates, for a model that does not count calendar years.

    Attributes
    ----------
    unit
        Unit of the model's time, a member of `UNITS`.
    moment, since
        A model time and its date; without a date, no conversion is made.
    """

    unit: str = ""
    moment: float = 0.0
    since: datetime.datetime | None = None

    @classmethod
    def of(cls, record: Mapping[str, Any] | None) -> "Calendar":
        """Restore a calendar from `record`."""
        if not record:
            return cls()
        return cls(str(record["unit"]), float(record["moment"]), datetime.datetime.fromisoformat(record["since"]))

    @property
    def record(self) -> dict[str, Any]:
        """Content as plain data, empty without a date."""
        if self.since is None:
            return {}
        return {"unit": self.unit, "moment": self.moment, "since": self.since.isoformat()}

    def moment_of(self, time: float) -> float:
        """Model time of a time read by `time_of`; numbers that cannot be calendar years are taken as model times."""
        if self.since is None or time < CALENDAR:
            return time
        if self.unit == "year":
            return self.moment + time - _year(self.since)
        return time if abs(time - self.since.year) > REACH else self.moment_of_date(date_of(time))

    def moment_of_date(self, date: datetime.datetime) -> float:
        """Model time of a date, in units other than years."""
        assert self.since is not None  # noqa: S101
        return self.moment + counted([date], self.unit, self.since)[0]

    def year_of(self, moment: float) -> float:
        """Decimal year of a model time, the inverse of `moment_of`; without a date, the model time."""
        shown = self.shown(moment)[()]
        return float(shown) if self.since is None or self.unit == "year" else _year(self._date(moment))

    def shown(self, moments: ArrayLike) -> NDArray[Any]:
        """Years (numbers) or dates (``datetime64``) of model times; without a date, the model times."""
        if self.since is None:
            return np.asarray(moments)
        numbers = np.asarray(moments, dtype=float)
        if self.unit == "year":
            return np.round(numbers - self.moment + _year(self.since), 9)
        return np.array([self._date(float(item)) for item in numbers.ravel()], "datetime64[ns]").reshape(numbers.shape)

    def _date(self, moment: float) -> datetime.datetime:
        assert self.since is not None  # noqa: S101
        ahead = moment - self.moment
        if self.unit not in ("month", "quarter"):
            return self.since + datetime.timedelta(seconds=round(3600 * _HOURS[self.unit] * ahead))
        months = round(_month(self.since) + ahead * (1 if self.unit == "month" else 3), 9)
        year, month = divmod(int(months) - 1, 12)
        days = calendar.monthrange(year, month + 1)[1]
        return datetime.datetime(year, month + 1, 1) + datetime.timedelta(seconds=round(86400 * days * (months % 1)))

    def unit_of(self, unit: str) -> str:
        """Unit of the values that `shown` returns, given the unit of the model; empty for dates."""
        return unit if self.since is None else "year" if self.unit == "year" else ""

    def axis(self, moments: ArrayLike, unit: str, *, name: str = "time") -> tuple[str, NDArray[Any], dict[str, str]]:
        """Coordinate of model times for an xarray data set; an axis called ``"year"`` has whole numbers and no unit."""
        if name == "year":
            return name, np.round(np.asarray(moments, dtype=float)).astype(int), {}
        spelled = self.unit_of(unit)
        return name, self.shown(moments), {"units": spelled} if spelled else {}

    def said(self, moment: float, unit: str = "") -> str:
        """Format a model time for readers, as a date or year if the calendar is known."""
        return said_time(self.shown(moment)[()], self.unit_of(unit))

    @property
    def told(self) -> list[str]:
        """Note that states which model time the reference date is; empty without a date."""
        if self.since is None:
            return []
        return [Message("{date} is moment {moment:g} of the model.", date=self.said(self.moment), moment=self.moment)]


# No conversion: times are shown as the model counts them.
PLAIN = Calendar()
