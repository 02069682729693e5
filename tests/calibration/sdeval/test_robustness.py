"""One change: of a parameter, of a loop or of the step of time, in models that are only callables."""

import math
from collections.abc import Mapping

import numpy as np
import pytest

from calibration.sdeval import (
    KnockOut,
    behavioural_sensitivity,
    integration_error,
    knock_out,
    mode_differs,
    numerical_sensitivity,
    turning_points,
)
from pysd_runner.core.errors import InvalidInput, SimulationFailed, UnknownName
from tests.calibration.sdeval.models import EPIDEMIC, YEARS, decay, epidemic


def largest(first: float, second: float) -> float:
    """Largest difference of two decays over both levels and all years, in plain loops."""
    return max(
        abs(level * (1 - first * rate) ** (year / first) - level * (1 - second * rate) ** (year / second))
        for level, rate in ((1.0, 1.0), (5.0, 0.5))
        for year in range(YEARS + 1)
    )


@pytest.mark.parametrize("step", [0.5, 0.25, 0.125])
def test_errors_of_euler_in_closed_form(step: float) -> None:
    found = integration_error(decay, step=step).loc["level"]
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
    euler = [integration_error(decay, step=step).loc["level", "order"] for step in (0.25, 0.0625)]
    assert abs(euler[1] - 1) < abs(euler[0] - 1)
    fourth = integration_error(decay, step=0.25, method="rk4", reference=None).loc["level"]
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
    def accepted(model: object, **settings: float) -> bool:
        return bool(integration_error(model, **settings)["acceptable"].all())

    assert not accepted(decay, step=0.5)
    assert accepted(decay, step=0.5, tolerance=0.2)
    found = integration_error(decay, step=0.5).loc["level"]
    between = (found["error_halved"] + found["error_reference"]) / 2
    assert found["error_halved"] < between < found["error_reference"]
    assert not accepted(decay, step=0.5, tolerance=between)
    still = integration_error(lambda *_: {"level": np.zeros(3)}, step=1.0).loc["level"]
    assert still["acceptable"]
    assert np.isnan(still["order"])
    assert not accepted(lambda *_: {"level": np.array([1.0, np.nan])}, step=1.0)


def test_a_base_run_that_fails_stops_everything() -> None:
    def broken(parameters: dict[str, float]) -> dict[str, np.ndarray]:
        raise SimulationFailed("no numbers")

    with pytest.raises(InvalidInput, match="the base run fails"):
        knock_out(broken, [])


def test_a_knocked_out_loop_shows_in_numbers_and_mode() -> None:
    found = knock_out(
        epidemic,
        [
            KnockOut(name="contagion", inputs={"contacts": 0.0}),
            KnockOut(name="none", inputs={}),
            KnockOut(name="bad", inputs={"recovery": -1}),
        ],
        outcomes=["infected"],
    ).set_index("loop")
    whole, without = epidemic({})["infected"], epidemic({"contacts": 0.0})["infected"]
    assert found.loc["contagion", "change"] == pytest.approx(
        np.sqrt(((without - whole) ** 2).mean()) / whole.std(), rel=1e-12
    )
    assert found.loc["contagion", "end_change"] == pytest.approx(without[-1] / whole[-1] - 1, rel=1e-12)
    assert (found.loc["contagion", "turning_points_base"], found.loc["contagion", "turning_points_without"]) == (1, 0)
    assert found.loc["contagion", "mode_changes"] is True
    assert (found.loc["none", "change"], found.loc["none", "mode_changes"]) == (0, False)
    assert found.loc["bad", "status"] == "not run: recovery is negative"


def test_a_loop_over_several_series() -> None:
    def simulate(parameters: dict[str, float]) -> dict[str, np.ndarray]:
        gain = parameters.get("gain", 1.0)
        return {
            "level": np.array([[0.0, gain, 2 * gain], [5, 5, 5]]),
            "broken": np.array([1.0, np.nan if not gain else 2]),
        }

    found = knock_out(simulate, [KnockOut(name="gain", inputs={"gain": 0.0})]).set_index("outcome")
    # Gaps 0, 1, 2 and none; variances 2/3 and none; ends 2 and 5.
    assert found.loc["level", "change"] == pytest.approx(np.sqrt((5 / 6) / (1 / 3)), abs=1e-12)
    assert found.loc["level", "end_change"] == pytest.approx(-2 / 7, abs=1e-12)
    assert found.loc["broken", "status"] == "not run: a value is not finite"


def test_modes() -> None:
    wave = np.array([0.0, 1, 0, 1, 0])
    assert turning_points(np.stack([wave, wave.cumsum()])).tolist() == [3, 0]
    assert turning_points(np.array([1.0, 1 + 1e-15, 1, 2])).item() == 0
    assert mode_differs(wave.cumsum(), 2 + 3 * wave.cumsum()).item() is False
    assert mode_differs(wave.cumsum(), -wave.cumsum()).item() is True
    assert mode_differs(wave, wave.cumsum()).item() is True


def test_an_outcome_that_does_not_exist_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'infected'"):
        knock_out(epidemic, [KnockOut(name="a", inputs={})], outcomes=["infecte"])
    assert set(EPIDEMIC) == {"contacts", "recovery", "infected"}


def test_elasticities_of_a_power() -> None:
    def simulate(parameters: Mapping[str, float]) -> dict[str, np.ndarray]:
        return {"y": np.array([[1.0, 2.0], [0.0, 4.0]]) * parameters["a"] / parameters["b"] + 0 * parameters["zero"]}

    base = {"a": 3.0, "b": 2.0, "zero": 0.0}
    found = numerical_sensitivity(simulate, base).set_index("parameter")
    assert found.loc["a", "elasticity_end"] == pytest.approx(1, abs=1e-12)
    expected = (1 / 1.1 - 1 / 0.9) / 0.2
    assert found.loc["b", "elasticity_end"] == pytest.approx(expected, abs=1e-12)
    assert found.loc["b", "elasticity_largest"] == pytest.approx(-expected, abs=1e-12)
    assert "no fraction" in found.loc["zero", "status"]


def test_the_mode_of_an_epidemic_changes_where_it_dies_out() -> None:
    firm = behavioural_sensitivity(epidemic, EPIDEMIC, outcomes=["infected"])
    assert firm["series_changed"].tolist() == [0.0] * 6
    base = {**EPIDEMIC, "contacts": 0.45}
    found = behavioural_sensitivity(epidemic, base, change=0.2, outcomes=["infected"])
    assert found.set_index(["parameter", "direction"]).loc[("contacts", "lower"), "series_changed"] == 1
    failing = behavioural_sensitivity(
        lambda p: epidemic({**p, "recovery": p["shift"]}), {"shift": 0.0}, outcomes=["infected"]
    )
    assert failing["status"].tolist() == ["not run: recovery is negative", "run"]
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        numerical_sensitivity(epidemic, base, change=1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: integration_error(decay, step=0.0), "must be positive"),
        (lambda: integration_error(lambda step, _: {"a": np.ones(int(8 / step))}, step=1.0), "same moments"),
        (lambda: integration_error(lambda *_: {"a": ["x"]}, step=1.0), "not an array of numbers"),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        call()
