"""One rounding for people."""

import math

import pytest
from hypothesis import given, strategies as st

from pysd_runner.core.numbers import interval, percent, written


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.645, 2, "0.65"), (-0.645, 2, "−0.65"), (2.5, 0, "3"), (-0.004, 2, "0.00"), (1234567.0, 0, "1,234,567")],
)
def test_halves_go_away_from_zero(value, digits, text):
    assert written(value, digits) == text


def test_what_is_no_number():
    assert written(math.nan) == "–"
    assert (written(math.inf), written(-math.inf)) == ("∞", "−∞")


@given(st.floats(-1e9, 1e9), st.integers(0, 4))
def test_it_is_within_half_a_digit(value, digits):
    text = written(value, digits).replace("−", "-").replace(",", "")
    assert abs(float(text) - value) <= 0.5 * 10**-digits + 1e-6


@given(st.integers(0, 1000), st.integers(1, 1000))
def test_shares_are_per_cent(count, draws):
    assert 0 <= float(percent(min(count, draws) / draws)) <= 100


def test_intervals():
    assert interval(-1.26, 2, 1) == "−1.3 … 2.0"
