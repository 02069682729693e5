"""The years of a file's rows: whole years, years that span two, and dates."""

import datetime
import re

import numpy as np

from pysd_runner.panel.observations import IndexArray, TextArray
from pysd_runner.panel.problems import Problem

FIRST_YEAR, LAST_YEAR = 1800, 2100

_WHOLE_YEAR = re.compile(r"([0-9]{1,4})(?:\.0+)?\s*年?")
# 2004/05 or 2004-2005, and 2004-12-31, as workbooks give it with the hour.
_SPAN = re.compile(r"([0-9]{4})\s*[-/–—]\s*([0-9]{2}|[0-9]{4})")
_DATE = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2}[-/.][0-9]{1,2})(?:[ T]00:00:00)?")
_NO_YEAR = -1


def years_of(texts: TextArray, rows: IndexArray, heading: str) -> tuple[IndexArray, list[Problem]]:
    """Read the year column."""
    # A column of years that span two, such as 2004/05, is read as the year each begins in; a column of dates of one day
    # of the year as their years. Both are said. A column that mixes forms is not read.
    forms, told = _form(texts)
    years = np.array([_NO_YEAR if (match := forms.fullmatch(text)) is None else int(match[1]) for text in texts])
    problems = [_as_years(told, texts, rows, heading)] if told else []
    out_of_range = (years < FIRST_YEAR) | (years > LAST_YEAR)
    for position in np.flatnonzero(out_of_range):
        text, is_year = str(texts[position]), years[position] != _NO_YEAR
        problems.append(
            Problem(
                rule="year-range" if is_year else "not-a-year",
                message="the year is out of range" if is_year else _no_year(text),
                row=int(rows[position]),
                column=heading,
                found=text,
                expected=f"a whole year from {FIRST_YEAR} to {LAST_YEAR}",
            )
        )
    years[out_of_range] = _NO_YEAR
    return years, problems


def _no_year(text: str) -> str:
    if not text:
        return "the year is empty"
    if _SPAN.fullmatch(text) or _DATE.fullmatch(text):
        return "not a whole year; years that span two, or dates of one day of the year, must fill the whole column"
    return "not a whole year"


def _form(texts: TextArray) -> tuple[re.Pattern[str], str]:
    """The form in which all cells can be read, and what is to be said of it."""
    held = {str(text) for text in texts} - {""}
    spans = [match for text in held if (match := _SPAN.fullmatch(text))]
    # 2010-11 and 2011-12 could be months; of three years, or where no month has that number, they are not.
    years = len(spans) > 2 or any(len(span[2]) == 4 or not 1 <= int(span[2]) <= 12 for span in spans)
    if years and len(spans) == len(held) > 1 and all(map(_consecutive, spans)):
        return _SPAN, "years that span two are read as the one they begin in"
    dates = [match for text in held if (match := _DATE.fullmatch(text))]
    if len(dates) == len(held) > 0 and all(map(_is_date, dates)) and len({_day(date) for date in dates}) == 1:
        return _DATE, "dates are read as their years"
    return _WHOLE_YEAR, ""


def _consecutive(span: re.Match[str]) -> bool:
    return str(int(span[1]) + 1).endswith(span[2])


def _day(date: re.Match[str]) -> tuple[int, int]:
    month, day = map(int, re.split(r"[-/.]", date[2]))
    return month, day


def _is_date(date: re.Match[str]) -> bool:
    try:
        datetime.date(int(date[1]), *_day(date))
    except ValueError:
        return False
    return True


def _as_years(told: str, texts: TextArray, rows: IndexArray, heading: str) -> Problem:
    first = int(np.flatnonzero(texts != "")[0])
    return Problem(
        rule="year-form",
        message=told,
        row=int(rows[first]),
        column=heading,
        found=str(texts[first]),
        expected=str(texts[first])[:4],
        severity="warning",
    )
