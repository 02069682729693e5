"""One change: of a parameter, of a loop or of the step of time, in models that are only callables."""

import numpy as np
import pytest

from calibration.sdeval import (
    KnockOut,
    behavioural_sensitivity,
    integration_error,
    knock_out,
    mode_differs,
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


def test_no_change_is_no_error_and_no_number_is_none() -> None:
    for values, error in (([0.0, 0.0], 0.0), ([1.0, np.nan], np.nan)):
        found = integration_error(lambda _, given=values: {"level": np.array(given)}, step=1.0)
        assert found["error_halved"].tolist() == pytest.approx([error], nan_ok=True)


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
        behavioural_sensitivity(epidemic, base, change=1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: integration_error(decay, step=0.0), "must be positive"),
        (lambda: integration_error(lambda step: {"a": np.ones(int(8 / step))}, step=1.0), "same moments"),
        (lambda: integration_error(lambda _: {"a": ["x"]}, step=1.0), "not an array of numbers"),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        call()
