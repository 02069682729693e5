"""From policy to the variables of the model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from pysd_runner.core.errors import InvalidScenario
from pysd_runner.engine.values import TimePath
from pysd_runner.scenarios import Policy, Scenario, Schedule, load_scenario
from pysd_runner.scenarios.policy import FrozenMapping
from pysd_runner.spec import DeclaredLever
from tests.scenarios.places import CLASSES, LEVERS, REGIONS, SPEC, SmallModel, loaded

MODEL = SmallModel()
LABEL = {"en": "x", "zh": "x"}


def values_of(policy: Policy, start: float = 2025, **options: object) -> dict[str, object]:
    scenario = Scenario(name="x", label=LABEL, policy=policy)
    return scenario.values(MODEL, REGIONS, default_start=start, **options)  # type: ignore[arg-type,return-value]


def path_of(policy: Policy, variable: str, start: float = 2025) -> TimePath:
    value = values_of(policy, start)[variable]
    assert isinstance(value, TimePath)
    return value


def test_every_setting_has_its_variable() -> None:
    values = load_scenario("zoned_rolling").values(MODEL, REGIONS, default_start=2025)
    assert values["Policy Start Time"] == 2025
    assert values["Policy Budget Share"] == 0.003
    assert values["Differentiation"] == 1
    assert values["Redistribution Exponent"] == 1
    assert values["Rolling Evaluation Switch"] == 1
    assert np.shape(values["Uniform Mix"]) == (len(LEVERS),)
    assert np.shape(values["Mix by Class"]) == (len(LEVERS), len(CLASSES))
    assert np.array_equal(values["Region Target"], np.ones(len(REGIONS)))  # type: ignore[arg-type]
    assert np.array_equal(values["Class Target"], np.ones(len(CLASSES)))  # type: ignore[arg-type]
    assert len(values) == 9


def test_the_baseline_needs_no_start() -> None:
    values = load_scenario("baseline").values(MODEL, REGIONS)
    assert values["Policy Budget Share"] == 0
    assert "Policy Start Time" not in values


def test_a_policy_without_a_year_to_start_in_is_refused() -> None:
    with pytest.raises(InvalidScenario, match=r"policy\.start: no year to start in"):
        load_scenario("zoned").values(MODEL, REGIONS)


def test_levers_follow_the_order_of_the_model() -> None:
    turned = replace(MODEL, ranges={**MODEL.ranges, "Lever": LEVERS[::-1], "Class": CLASSES[::-1]})
    scenario = load_scenario("zoned")
    straight = scenario.values(MODEL, REGIONS, default_start=2025)
    reverse = scenario.values(turned, REGIONS, default_start=2025)
    assert np.array_equal(reverse["Uniform Mix"], np.flip(straight["Uniform Mix"]))  # type: ignore[arg-type]
    assert np.array_equal(reverse["Mix by Class"], np.flip(straight["Mix by Class"]))  # type: ignore[arg-type]


shares = st.lists(st.floats(0, 1), min_size=len(LEVERS), max_size=len(LEVERS)).filter(lambda found: sum(found) > 1e-3)


@st.composite
def mixes(draw: st.DrawFn) -> FrozenMapping[float]:
    weights = draw(shares)
    return FrozenMapping((lever.lower(), weight / sum(weights)) for lever, weight in zip(LEVERS, weights, strict=True))


@st.composite
def years(draw: st.DrawFn) -> tuple[float, ...]:
    found = draw(st.lists(st.integers(0, 160), min_size=1, max_size=6, unique=True))
    return tuple(2000 + quarter / 4 for quarter in sorted(found))


@given(mixes())
def test_a_lowered_mix_sums_to_one_and_keeps_its_shares(mix: FrozenMapping[float]) -> None:
    lowered = np.asarray(values_of(Policy(budget=0.003, mix=mix))["Uniform Mix"])
    assert lowered.sum() == pytest.approx(1, abs=1e-12)
    assert lowered == pytest.approx(np.array(list(mix.values())), abs=1e-12)


@given(mixes(), st.floats(-9e-7, 9e-7))
@example(FrozenMapping((lever.lower(), float(lever == LEVERS[-1])) for lever in LEVERS), 1e-9)
def test_a_rounded_mix_sums_to_one_when_it_is_run(mix: FrozenMapping[float], slip: float) -> None:
    rounded = FrozenMapping((lever, share * (1 + slip)) for lever, share in mix.items())
    lowered = np.asarray(values_of(Policy(budget=0.003, mix=rounded))["Uniform Mix"])
    assert lowered.sum() == pytest.approx(1, abs=1e-12)


def budget_by_hand(schedule: Schedule[float], year: float) -> float:
    """Slow twin: the budget of a schedule in calendar years."""
    if year < schedule.times[0]:
        return 0.0
    past = [position for position, time in enumerate(schedule.times) if time <= year]
    last = past[-1]
    if schedule.interpolate == "step" or last + 1 == len(schedule.times):
        return schedule.values[last]
    share = (year - schedule.times[last]) / (schedule.times[last + 1] - schedule.times[last])
    return (1 - share) * schedule.values[last] + share * schedule.values[last + 1]


@given(years(), st.data(), st.sampled_from(["step", "linear"]))
def test_a_budget_schedule_is_zero_before_its_first_year(
    times: tuple[float, ...], data: st.DataObject, interpolate: str
) -> None:
    amounts = tuple(data.draw(st.floats(0, 0.1)) for _ in times)
    schedule = Schedule(times=times, values=amounts, interpolate=interpolate)  # type: ignore[arg-type]
    path = path_of(Policy(budget=(schedule), start=1990), "Policy Budget Share")
    for year in np.arange(1990, 2045, 0.25):
        assert float(path.at(year)) == pytest.approx(budget_by_hand(schedule, year), abs=1e-15)


@given(years(), st.data(), st.sampled_from(["step", "linear"]))
def test_a_mix_schedule_sums_to_one_in_every_year(
    times: tuple[float, ...], data: st.DataObject, interpolate: str
) -> None:
    entries = tuple(data.draw(mixes()) for _ in times)
    schedule = Schedule(times=times, values=entries, interpolate=interpolate)  # type: ignore[arg-type]
    path = path_of(Policy(budget=0.003, mix=schedule), "Uniform Mix")
    for year in np.arange(1990, 2045, 0.25):
        assert path.at(year).sum() == pytest.approx(1, abs=1e-12)
    assert path.at(1990) == pytest.approx(np.array(list(entries[0].values())), abs=1e-12)


@given(years(), st.data(), st.sampled_from([1995.0, 2025.0, 2030.5]))
def test_years_since_the_start_move_with_the_start(times: tuple[float, ...], data: st.DataObject, start: float) -> None:
    amounts = tuple(data.draw(st.floats(0, 0.1)) for _ in times)
    offsets = tuple(time - 2000 for time in times)
    relative = Schedule(times=offsets, values=amounts, since_start=True)
    calendar = Schedule(times=tuple(start + offset for offset in offsets), values=amounts)
    first = path_of(Policy(budget=relative, start=start), "Policy Budget Share")
    second = path_of(Policy(budget=calendar, start=start), "Policy Budget Share")
    assert np.array_equal(first.times, second.times)
    assert np.array_equal(first.values, second.values)


def test_years_of_a_schedule_may_stand_in_any_order(tmp_path: Path) -> None:
    ordered, mixed = (
        loaded(tmp_path, f"policy: {{budget: {{{years}}}}}").values(MODEL, REGIONS, default_start=2025)
        for years in ("2026: 0.001, 2030: 0.004, 2035: 0.002", "2035: 0.002, 2026: 0.001, 2030: 0.004")
    )
    first, second = ordered["Policy Budget Share"], mixed["Policy Budget Share"]
    assert list(second.times) == sorted(second.times)
    np.testing.assert_array_equal(first.times, second.times)
    np.testing.assert_array_equal(first.values, second.values)


STARTS = [
    ("policy: {budget: 0.003}", 2025),
    ("policy: {budget: 0.003, start: 2028}", 2028),
    ("policy: {budget: 0.003, start: 2028.5}", 2028.5),
    ("policy: {budget: {2030: 0.003}}", 2030),
    ("policy: {budget: {2030: 0.003}, start: 2027}", 2027),
    ("policy: {budget: {2010: 0.001, 2030: 0.003}}", 2025),
    ("policy: {budget: {start+3: 0.003}}", 2025),
]


@pytest.mark.parametrize(("body", "expected"), STARTS)
def test_when_a_policy_starts(body: str, expected: float, tmp_path: Path) -> None:
    values = loaded(tmp_path, body).values(MODEL, REGIONS, default_start=2025)
    assert values["Policy Start Time"] == expected


TARGETS = [
    ("regions: [Gansu]", [0, 1, 0, 0, 0, 0]),
    ("regions: [gansu, 北京, 150000]", [1, 1, 1, 0, 0, 0]),
    ("regions: [甘肃省, 内蒙古自治区, 北京市]", [1, 1, 1, 0, 0, 0]),
    ("groups: [west]", [0, 1, 1, 0, 0, 0]),
    ("groups: [West], regions: [Beijing]", [1, 1, 1, 0, 0, 0]),
    ("groups: [North, East]", [1, 0, 0, 1, 1, 0]),
    ("regions: [ INNER mongolia ]", [0, 0, 1, 0, 0, 0]),
]


def test_pilots_are_regions_and_all_takes_them_back(tmp_path: Path) -> None:
    first, second = REGIONS[0], REGIONS[1]
    text = f"policy: {{budget: 0.003, targets: {{pilots: [{first.code}, {second.name_en}]}}}}\n"
    scenario = loaded(tmp_path, text, regions=REGIONS)
    assert scenario.policy.pilots == (first.code, second.name_en)
    pilots = scenario.values(MODEL, REGIONS, default_start=2025)["Pilot Region"]
    assert np.asarray(pilots).tolist() == [1.0, 1.0, *[0.0] * (len(REGIONS) - 2)]
    plain = loaded(tmp_path, "policy: {budget: 0.003, targets: {pilots: all}}\n", regions=REGIONS)
    assert "Pilot Region" not in plain.values(MODEL, REGIONS, default_start=2025)


@pytest.mark.parametrize(("targets", "expected"), TARGETS)
def test_regions_and_groups_add_up(targets: str, expected: list[int], tmp_path: Path) -> None:
    scenario = loaded(tmp_path, f"policy: {{budget: 0.003, targets: {{{targets}}}}}\n", regions=REGIONS)
    values = scenario.values(MODEL, REGIONS, default_start=2025)
    assert list(values["Region Target"]) == expected  # type: ignore[arg-type]
    assert list(values["Class Target"]) == [1, 1, 1]  # type: ignore[arg-type]


def test_classes_are_targeted_by_any_of_their_names(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, "policy: {budget: 0.003, targets: {classes: [Lagging, 转型地区]}}\n")
    assert scenario.policy.classes == ("lagging", "transition")
    values = scenario.values(MODEL, REGIONS, default_start=2025)
    assert list(values["Class Target"]) == [0, 1, 1]  # type: ignore[arg-type]


def test_names_that_the_panel_lacks_are_all_reported_when_it_is_known() -> None:
    policy = Policy(budget=0.003, regions=("Gansoo", "Beijing"), groups=("Wst",), classes=("fronter",))
    with pytest.raises(InvalidScenario) as caught:
        values_of(policy)
    assert "3 problems" in str(caught.value)
    for part in ("Did you mean 'Gansu'?", "Did you mean 'West'?", "Did you mean 'frontier'?"):
        assert part in str(caught.value)


def test_two_regions_of_one_name_are_told_apart_by_code() -> None:
    twins = (*REGIONS[:-1], replace(REGIONS[-1], name_en="Gansu"))
    scenario = Scenario(name="x", label=LABEL, policy=Policy(budget=0.003, regions=("Gansu",)))
    with pytest.raises(InvalidScenario, match="2 regions are called 'Gansu'; write the code instead: 620000, on"):
        scenario.values(MODEL, twins, default_start=2025)


def test_the_number_of_regions_must_fit_the_model() -> None:
    scenario = Scenario(name="x", label=LABEL, policy=Policy(budget=0.003, regions=("Gansu",)))
    with pytest.raises(InvalidScenario, match="the model has 6 regions, but 5 are named"):
        scenario.values(MODEL, REGIONS[:5], default_start=2025)


def test_a_policy_that_never_acts_in_the_run_is_refused() -> None:
    run = np.arange(2024, 2041)
    assert values_of(Policy(budget=0.003, start=2040), times=run)
    with pytest.raises(InvalidScenario, match="no money is spent in the years of the run, 2024 to 2040"):
        values_of(Policy(budget=0.003, start=2041), times=run)
    late = Schedule(times=(2026.0, 2050.0), values=(0.0, 0.003))
    with pytest.raises(InvalidScenario, match="no money is spent"):
        values_of(Policy(budget=late), times=run)
    assert values_of(Policy(budget=replace(late, interpolate="linear")), times=run)
    assert values_of(Policy(budget=0.0, start=2041), times=run)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variables": {"Output": MODEL.variables["Output"]}}, "has no variable 'Policy Budget Share'"),
        ({"spec": None}, r"policy.budget: the model .* declares no variable for it"),
    ],
)
def test_a_model_without_the_variables_refuses_money_but_not_the_baseline(change: Any, message: str) -> None:
    bare = replace(MODEL, **change)
    assert load_scenario("baseline").values(bare, REGIONS) == {}
    with pytest.raises(InvalidScenario, match=message):
        load_scenario("zoned").values(bare, REGIONS, default_start=2025)


def test_another_model_brings_its_own_levers(tmp_path: Path) -> None:
    levers = {key: DeclaredLever(key=key, element=key.title(), en=key, zh=key) for key in ("roads", "schools")}
    own = SmallModel(
        name="own",
        path=tmp_path / "own.mdl",
        spec=replace(SPEC, levers=levers, classes={}),
        ranges={"Region": ("R001",), "Lever": ("Roads", "Schools"), "Class": ()},
    )
    scenario = loaded(tmp_path, "policy: {budget: 0.003, mix: {roads: 0.25, SCHOOLS: 0.75}}\n", model=own)
    assert scenario.model == "own"
    assert scenario.reference is None
    assert list(scenario.values(own, REGIONS[:1], default_start=2025)["Uniform Mix"]) == [0.25, 0.75]  # type: ignore[arg-type]
    with pytest.raises(InvalidScenario, match="Did you mean 'schools'"):
        loaded(tmp_path, "policy: {mix: {school: 1}}\n", model=own)
    with pytest.raises(InvalidScenario, match="the model has no lever 'data'; known: roads, schools"):
        load_scenario("data_market").values(own, REGIONS[:1], default_start=2025)


def test_a_class_without_a_mix_is_refused() -> None:
    policy = Policy(budget=0.003, class_mixes=FrozenMapping({"lagging": FrozenMapping({"access": 1.0})}))
    with pytest.raises(InvalidScenario) as caught:
        values_of(policy)
    assert "class 'Frontier' has no mix" in str(caught.value)
    assert "class 'Transition' has no mix" in str(caught.value)


def test_assumptions_fill_the_shape_of_their_variable(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, "assumptions: {Initial Access Share: 1, h_hom: 0}\n")
    values = scenario.values(MODEL, REGIONS)
    assert np.array_equal(values["Initial Access Share"], np.ones(len(REGIONS)))  # type: ignore[arg-type]
    assert values["Homogenisation Sensitivity"] == 0.0


def test_unknown_assumptions_are_refused_when_the_model_is_known(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, "assumptions: {Homogenization Sensitivity: 0, Output: 1}\n")
    with pytest.raises(InvalidScenario) as caught:
        scenario.values(MODEL, REGIONS)
    assert "Did you mean 'Homogenisation Sensitivity'?" in str(caught.value)
    assert "'Output' is not a constant" in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"budget": 0.5}, "budget is 0.5, expected 0 to 0.1"),
        ({"budget": float("nan")}, "budget is nan"),
        ({"budget": Schedule(times=(0.0,), values=(-1.0,))}, "budget is -1"),
        ({"mix": {"access": 0.5}}, "mix sums to 0.5, expected 1"),
        ({"mix": {"access": 1.5, "data": -0.5}}, "mix.data is -0.5"),
        ({"mix": Schedule(times=(0.0,), values=({"access": 0.9},))}, "mix sums to 0.9"),
        ({"class_mixes": {"lagging": {"access": 0.9}}}, "class_mixes.lagging sums to 0.9"),
        ({"differentiation": 2.0}, "differentiation is 2, expected 0 to 1"),
        ({"redistribution": -4.0}, "redistribution is -4, expected -3 to 3"),
        ({"regions": ()}, "regions is empty"),
    ],
)
def test_a_policy_made_in_python_obeys_the_same_rules(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidScenario) as caught:
        Policy(**settings)
    assert message in str(caught.value)


def test_everything_wrong_with_a_policy_is_said_at_once() -> None:
    with pytest.raises(InvalidScenario) as caught:
        Policy(budget=1.0, differentiation=-1.0, classes=())
    assert str(caught.value).count(";") == 2


def test_plain_mappings_become_part_of_the_policy() -> None:
    mix = {"access": 1.0}
    policy = Policy(budget=0.003, mix=mix, class_mixes={"lagging": mix})  # type: ignore[arg-type]
    mix["access"] = 0.0
    assert policy.mix == policy.class_mixes["lagging"] == {"access": 1.0}
    assert hash(policy) == hash(replace(policy))


@pytest.mark.parametrize(
    ("times", "values", "message"),
    [
        ((), (), "at least one year"),
        ((2026.0,), (1.0, 2.0), "one value per year"),
        ((2026.0, 2026.0), (1.0, 2.0), "increase"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(
    times: tuple[float, ...], values: tuple[float, ...], message: str
) -> None:
    with pytest.raises(InvalidScenario, match=message):
        Schedule(times=times, values=values)


def test_levers_are_switched_off_and_on() -> None:
    policy = Policy(
        budget=0.003,
        levers=FrozenMapping(
            {"data": False, "skills": Schedule(times=(2.0, 10.0), values=(True, False), since_start=True)}
        ),
    )
    path = path_of(policy, "Lever Active")
    for year, active in ((2025, 0.0), (2026.75, 0.0), (2027, 1.0), (2034.75, 1.0), (2035, 0.0), (2050, 0.0)):
        expected = [active if name == "Skills" else float(name != "Data") for name in LEVERS]
        assert path.at(year).tolist() == expected
    off = values_of(Policy(budget=0.003, levers=FrozenMapping({"data": False})))["Lever Active"]
    assert np.array_equal(off, [float(name != "Data") for name in LEVERS])  # type: ignore[arg-type]
