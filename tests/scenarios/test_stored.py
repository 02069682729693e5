"""Scenarios kept in a run replay exactly, without the files they came from."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from pysd_runner.core.errors import InvalidScenario
from pysd_runner.scenarios import Policy, Scenario, Schedule, load_scenario, shipped_scenarios
from pysd_runner.scenarios.policy import FrozenMapping
from pysd_runner.scenarios.schema import parse_year, write_year
from tests.scenarios.test_values import mixes

moments = st.integers(0, 400).map(lambda quarter: quarter / 4) | st.floats(0, 3000, allow_subnormal=False)
interpolations = st.sampled_from(["step", "linear"])


@st.composite
def schedules(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> Schedule[Any]:
    since_start = draw(st.booleans())
    times = draw(st.lists(moments, min_size=1, max_size=4, unique=True).map(sorted))
    return Schedule(
        times=tuple(times),
        values=tuple(draw(values) for _ in times),
        since_start=since_start,
        interpolate=draw(interpolations),
    )


words = st.lists(st.text(min_size=1, max_size=5).filter(str.strip), min_size=1, max_size=3).map(tuple)
amounts = st.floats(0, 0.1)
policies = st.builds(
    Policy,
    start=st.none() | st.floats(1900, 2100),
    budget=st.none() | amounts | schedules(amounts),
    mix=st.none() | mixes() | schedules(mixes()),
    differentiation=st.none() | st.floats(0, 1),
    class_mixes=st.dictionaries(st.sampled_from(["frontier", "lagging"]), mixes()).map(FrozenMapping),
    levers=st.dictionaries(
        st.sampled_from(["skills", "data"]),
        st.booleans() | schedules(st.booleans()).map(lambda item: replace(item, interpolate="step")),
    ).map(FrozenMapping),
    redistribution=st.none() | st.floats(-3, 3),
    rural_broadband=st.sampled_from([None, 0.3]),
    basic_training=st.sampled_from([None, 0.2]),
    rolling_evaluation=st.none() | st.booleans(),
    regions=st.none() | words,
    groups=st.none() | words,
    classes=st.none() | words,
    pilots=st.sampled_from([None, ("Gansu", "0110")]),
)
texts = st.fixed_dictionaries({"en": st.text(min_size=1), "zh": st.text(min_size=1)}).map(FrozenMapping)
plain = st.builds(
    Scenario,
    name=st.sampled_from(["own", "情景", "a-1.b"]),
    label=texts,
    note=texts,
    policy=policies,
    assumptions=st.dictionaries(st.text(min_size=1), st.floats(allow_nan=False, allow_infinity=False)).map(
        FrozenMapping
    ),
    assumption_set=st.text(),
    written=st.lists(st.text()).map(tuple),
    compare_with=st.lists(st.text()).map(tuple),
    model=st.text(min_size=1),
)
scenarios = st.builds(
    lambda scenario, reference: Scenario(**{**_fields(scenario), "reference": reference}), plain, st.none() | plain
)


def _fields(scenario: Scenario) -> dict[str, Any]:
    return {name: getattr(scenario, name) for name in Scenario.__slots__}


@given(scenarios)
def test_a_scenario_survives_json_exactly(scenario: Scenario) -> None:
    assert Scenario.from_dict(json.loads(json.dumps(scenario.to_dict()))) == scenario


@pytest.mark.parametrize("name", shipped_scenarios())
def test_shipped_scenarios_survive_json_exactly(name: str) -> None:
    scenario = load_scenario(name)
    again = Scenario.from_dict(json.loads(json.dumps(scenario.to_dict())))
    assert again == scenario
    assert again.describe("zh") == scenario.describe("zh")
    assert again.baseline() == scenario.baseline()


@given(st.floats(-3000, 3000, allow_subnormal=False), st.booleans())
def test_a_year_is_read_as_it_was_written(time: float, since_start: bool) -> None:
    time = abs(time) if since_start else time
    year = parse_year(write_year(time, since_start))
    assert year is not None
    assert (year.time, year.since_start) == (time, since_start)


@pytest.mark.parametrize(
    "text",
    ["", "year", "20x5", "start+", "start-5", "start5", "+5", "2025-01-01", "1e3", "٢٠٢٥", "２０２５", "9" * 400],
)
def test_other_texts_are_no_years(text: str) -> None:
    assert parse_year(text) is None


@pytest.mark.parametrize("text", ["start", "Start", "start + 5", "start+2.5", " 2025 ", "2025.25", "-400"])
def test_years_may_be_written_loosely(text: str) -> None:
    assert parse_year(text) is not None


def damaged(**changes: object) -> dict[str, Any]:
    return {**load_scenario("zoned").to_dict(), **changes}


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (damaged(schema=7), "schema: unknown version"),
        (damaged(polcy={}), "Did you mean 'policy'"),
        (damaged(policy={"budget": 0.003, "mix": {"access": 0.9}}), "sum to 0.9"),
        (damaged(name=None), "name"),
        (damaged(reference={"schema": 1}), "name: the key is missing"),
        ([], "a stored scenario is a mapping"),
    ],
)
def test_a_damaged_record_is_refused(stored: Any, message: str) -> None:
    with pytest.raises(InvalidScenario) as caught:
        Scenario.from_dict(stored)
    assert message in str(caught.value)
