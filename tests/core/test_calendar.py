"""Dates and moments of a model are each other's inverse, and months are those of the calendar."""

import datetime

import numpy as np
import pytest
from hypothesis import given, strategies as st

from pysd_runner.core.calendar import Calendar, date_of, time_of

days = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 12, 31)).map(
    lambda date: date.replace(microsecond=0)
)


@pytest.mark.parametrize("unit", ["hour", "day", "week", "month", "quarter"])
@given(since=days, date=days)
def test_a_date_comes_back_from_its_moment(unit, since, date):
    held = Calendar(unit=unit, moment=7.0, since=since)
    shown = held.shown(held.moment_of_date(date))[()]
    # Months are kept to nine digits, that is to some milliseconds.
    assert abs(shown - np.datetime64(date, "ns")) <= np.timedelta64(1, "s")


@given(since=days, date=days)
def test_a_decimal_year_is_read_back_as_its_date_and_its_moment(since, date):
    year = time_of(date.isoformat(" "))
    assert abs(date_of(year) - date) <= datetime.timedelta(seconds=1)
    held = Calendar(unit="year", moment=7.0, since=since)
    assert held.moment_of(float(time_of(since.isoformat(" ")))) == pytest.approx(7.0)
    assert held.moment_of(held.year_of(9.5)) == pytest.approx(9.5)
    assert held.moment_of(year) - 7.0 == pytest.approx(year - time_of(since.isoformat(" ")))


@given(since=days, first=days, second=days)
def test_moments_come_in_the_order_of_their_dates(since, first, second):
    for unit in ("day", "month", "quarter"):
        held = Calendar(unit=unit, since=since)
        early, late = sorted((first, second))
        assert early == late or held.moment_of_date(early) < held.moment_of_date(late)


def test_first_days_of_months_are_those_of_numpy():
    held = Calendar(unit="month", since=datetime.datetime(2019, 1, 1))
    assert (held.shown(np.arange(48.0)) == np.arange("2019-01", "2023-01", dtype="datetime64[M]")).all()
    quarters = Calendar(unit="quarter", since=datetime.datetime(2019, 1, 1))
    thirds = np.arange(48.0) / 3
    assert (quarters.shown(thirds) == held.shown(np.arange(48.0))).all()
