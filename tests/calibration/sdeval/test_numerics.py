"""Numerical tests: closed forms of the decay, conservation of people, and the origin of a NaN."""

import math

import numpy as np
import pytest

from calibration.sdeval import conservation, first_nan, integration_error, non_negativity
from pysd_runner.core.errors import InvalidInput, UnknownName
from tests.calibration.sdeval.models import YEARS, decay, epidemic


def largest(first: float, second: float) -> float:
    """Largest difference of two decays over both levels and all years, in plain loops."""
    return max(
        abs(level * (1 - first * rate) ** (year / first) - level * (1 - second * rate) ** (year / second))
        for level, rate in ((1.0, 1.0), (5.0, 0.5))
        for year in range(YEARS + 1)
    )


@pytest.mark.parametrize("step", [0.5, 0.25, 0.125])
def test_errors_of_euler_in_closed_form(step: float) -> None:
    found = integration_error(decay, step=step).table.loc["level"]
    assert found["error_halved"] == pytest.approx(largest(step, step / 2) / 5, rel=1e-12)
    order = math.log2(largest(step, step / 2) / largest(step / 2, step / 4))
    assert found["order"] == pytest.approx(order, rel=1e-12)
    assert found["order"] == pytest.approx(1, abs=0.3)
    exact = max(
        abs(level * (1 - step * rate) ** (year / step) - level * math.exp(-rate * year))
        for level, rate in ((1.0, 1.0), (5.0, 0.5))
        for year in range(YEARS + 1)
    )
    assert found["error_reference"] == pytest.approx(exact / 5, rel=0.01)


def test_observed_orders_approach_those_of_the_methods() -> None:
    euler = [integration_error(decay, step=step).table.loc["level", "order"] for step in (0.25, 0.0625)]
    assert abs(euler[1] - 1) < abs(euler[0] - 1)
    fourth = integration_error(decay, step=0.25, method="rk4", reference=None).table.loc["level"]
    assert fourth["order"] == pytest.approx(4, abs=0.3)
    assert np.isnan(fourth["error_reference"])
    assert fourth["acceptable"]


def test_the_step_is_halved_twice_and_the_reference_has_half_of_it() -> None:
    asked = []

    def records(step: float, method: str) -> dict[str, np.ndarray]:
        asked.append((step, method))
        return decay(step, method)

    integration_error(records, step=0.5)
    assert asked == [(0.5, "euler"), (0.25, "euler"), (0.125, "euler"), (0.25, "rk4")]


def test_the_verdict_goes_by_the_tolerance() -> None:
    assert not integration_error(decay, step=0.5).passed
    assert integration_error(decay, step=0.5, tolerance=0.2).passed
    found = integration_error(decay, step=0.5).table.loc["level"]
    between = (found["error_halved"] + found["error_reference"]) / 2
    assert found["error_halved"] < between < found["error_reference"]
    assert not integration_error(decay, step=0.5, tolerance=between).passed
    still = integration_error(lambda *_: {"level": np.zeros(3)}, step=1.0)
    assert still.passed
    assert np.isnan(still.table.loc["level", "order"])
    assert not integration_error(lambda *_: {"level": np.array([1.0, np.nan])}, step=1.0).passed


def test_people_are_conserved_and_a_leak_is_seen() -> None:
    run = epidemic({})
    people = run["susceptible"] + run["infected"] + run["recovered"]
    found = conservation(people)
    assert float(found.relative) < 1e-14
    flow = -0.25 * np.arange(161) / 160
    leaking = people + 0.25 * np.concatenate([[0], flow.cumsum()[:-1]])
    assert float(conservation(leaking, net_inflow=flow, step=0.25).relative) < 1e-14
    assert float(conservation(leaking).drift) == pytest.approx(-0.25 * flow[:-1].sum(), rel=1e-9)
    by_region = conservation([[1.0, 1.0, 1.5], [2.0, 2.0, 2.0]])
    assert by_region.drift.tolist() == [0.5, 0.0]
    assert np.isnan(conservation([1.0, np.nan]).drift)


def test_negative_values_are_named_and_placed() -> None:
    run = {"stock": np.array([[1.0, 0.0], [2.0, -1e-12]]), "rate": np.array([1.0, -3.0])}
    assert [(item.name, item.index, item.value) for item in non_negativity(run)] == [
        ("stock", (1, 1), -1e-12),
        ("rate", (1,), -3.0),
    ]
    assert [item.name for item in non_negativity(run, tolerance=1e-9)] == ["rate"]
    assert non_negativity(epidemic({})) == ()
    with pytest.raises(UnknownName, match="Did you mean 'stock'"):
        non_negativity(run, names=["stok"])


def test_the_first_nan_is_the_earliest_and_then_the_first_computed() -> None:
    run = {
        "stock": np.array([[1.0, 1.0, 1.0, np.nan], [1.0, 1.0, 1.0, 1.0]]),
        "outflow": np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, np.inf, np.nan]]),
        "inflow": np.array([[1.0, 1.0, np.nan, 1.0], [1.0, 1.0, 1.0, 1.0]]),
    }
    found = first_nan(run, order=["inflow", "outflow", "stock"])
    assert (found.name, found.moment, found.index, found.also) == ("inflow", 2, (0, 2), ("outflow",))
    assert first_nan(run).name == "outflow"
    transposed = {name: array.T for name, array in run.items()}
    assert first_nan(transposed, time=0).index == (2, 1)
    assert first_nan({"stock": np.ones(3)}) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: integration_error(decay, step=0.0), "must be positive"),
        (lambda: integration_error(lambda step, _: {"a": np.ones(int(8 / step))}, step=1.0), "same moments"),
        (lambda: conservation([1.0, 2.0], net_inflow=[1.0]), "must be the same"),
        (lambda: integration_error(lambda *_: {"a": ["x"]}, step=1.0), "not an array of numbers"),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        call()
