"""Declared structure tests on a model that is only a callable."""

import numpy as np
import pytest

from calibration.sdeval import (
    ExtremeCondition,
    KnockOut,
    RealityCheck,
    checks_table,
    extreme_conditions,
    knock_out,
    mode_differs,
    reality_checks,
    turning_points,
)
from pysd_runner.core.errors import InvalidInput, SimulationFailed, UnknownName
from tests.calibration.sdeval.models import EPIDEMIC, epidemic


def condition(inputs: dict[str, float], constraint: object) -> ExtremeCondition:
    return ExtremeCondition(name="case", inputs=inputs, constraint=constraint, because="it must be so")


def test_extreme_conditions_that_hold_and_one_that_does_not() -> None:
    found = extreme_conditions(
        epidemic,
        [
            condition({"contacts": 0.0}, lambda run, _: run["susceptible"] == 999),
            condition({"infected": 0.0}, lambda run, _: run["infected"] == 0),
            condition({"contacts": 0.0}, lambda run, _: run["infected"] >= 0.5),
        ],
    )
    assert [item.status for item in found] == ["passed", "passed", "failed"]
    first = int(np.argmax(epidemic({"contacts": 0.0})["infected"] < 0.5))
    assert found[2].first == (first,)
    assert f"first at index ({first},)" in found[2].message
    assert found[0].message == "Holds, because it must be so."


def test_an_extreme_run_must_give_numbers() -> None:
    def overflows(parameters: dict[str, float]) -> dict[str, np.ndarray]:
        return {"level": np.array([1.0, np.inf if parameters else 2.0])}

    (found,) = extreme_conditions(overflows, [condition({"rate": 1e9}, lambda *_: True)])
    assert (found.status, found.first) == ("failed", (1,))
    assert "level is inf" in found.message


def test_reality_checks_compare_with_the_base_run() -> None:
    checks = [
        RealityCheck(
            name="vaccine",
            inputs={"contacts": 0.2},
            constraint=lambda run, base: run["infected"].max() <= base["infected"].max(),
            because="fewer contacts cannot make a higher peak",
        ),
        RealityCheck(
            name="wrong",
            inputs={"contacts": 3.0},
            constraint=lambda run, base: run["infected"] <= base["infected"],
            because="nothing",
        ),
    ]
    found = reality_checks(epidemic, checks)
    assert [item.status for item in found] == ["passed", "failed"]
    assert list(checks_table(found)["kind"]) == ["reality check"] * 2


def test_the_base_is_kept_where_a_test_does_not_set_it() -> None:
    seen = []

    def records(parameters: dict[str, float]) -> dict[str, np.ndarray]:
        seen.append(dict(parameters))
        return {"level": np.ones(3)}

    extreme_conditions(records, [condition({"a": 0.0}, lambda *_: True)], base={"a": 1.0, "b": 2.0})
    assert seen == [{"a": 1.0, "b": 2.0}, {"a": 0.0, "b": 2.0}]


def test_what_cannot_be_run_or_worked_out_is_told() -> None:
    found = extreme_conditions(
        epidemic,
        [
            condition({"recovery": -1.0}, lambda *_: True),
            condition({}, lambda run, _: run["nobody"] > 0),
            condition({}, lambda run, _: run["infected"]),
        ],
    )
    assert {item.status for item in found} == {"not run"}
    told = ["recovery is negative", "KeyError: 'nobody'", "must give truth values"]
    for item, words in zip(found, told, strict=True):
        assert words in item.message


def test_a_base_run_that_fails_stops_everything() -> None:
    def broken(parameters: dict[str, float]) -> dict[str, np.ndarray]:
        raise SimulationFailed("no numbers")

    with pytest.raises(InvalidInput, match="the base run fails"):
        reality_checks(broken, [])


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
