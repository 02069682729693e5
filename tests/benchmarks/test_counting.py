"""Operations are counted as the rule says, and lines are fitted as they should be."""

import pytest

from benchmarks.counting import operations
from benchmarks.linearity import exponent, fitted_line
from pysd_runner.model import load_model

MODEL = """{UTF-8}
Place: A, B, C
~ ~ |
growth= 0.1 ~ ~ |
Stock[Place]= INTEG(growth * Stock[Place] - total ^ 0.5, 1) ~ ~ |
total= SUM(Stock[Place!]) ~ ~ |
bent= EXP(total) + 1 ~ ~ |
INITIAL TIME= 0 ~ ~ |
FINAL TIME= 10 ~ ~ |
TIME STEP= 1 ~ ~ |
SAVEPER= 1 ~ ~ |
"""


def test_operations_are_counted_by_hand(tmp_path):
    path = tmp_path / "small.mdl"
    path.write_text(MODEL)
    count = operations(load_model(path).ir, ("bent",), frozenset({"growth"}), steps=11)
    # Eleven times: two additions for the sum, an exponential, one more addition.
    moved = 11 * (2 + 34 + 1)
    # Ten times: three products and three differences, one power, and a product and a sum for each stock.
    stepped = 10 * (3 + 3 + 64 + 3 * 2)
    assert count.total == moved + stepped
    assert count.by_name["power"] == 10
    assert count.by_name["exp"] == 11


def test_a_straight_line_is_found():
    line = fitted_line([1, 2, 4], [3.0, 5.0, 9.0])
    assert line.slope == pytest.approx(2)
    assert line.intercept == pytest.approx(1)
    assert line.r_squared == pytest.approx(1)
    assert exponent([1, 2, 4], [1.0, 4.0, 16.0]) == pytest.approx(2)
