"""The mechanisms of the claim table, each switched on or off in a small simulation and its sign read.

Inputs are the four illustrative regions, values the central ones, unless a test says otherwise. Where the structure
acts against the paper the test says so in its name and holds the sign that is found, so that the claim table
cannot drift away from the model. What depends on growth by skills is held under other forms of it too.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pysd_runner.core.paths import model_folder
from pysd_runner.data import load_data
from pysd_runner.engine import TimePath
from pysd_runner.model import load_model
from pysd_runner.simulation import Run, simulate
from pysd_runner.study.binding import RegionalModel
from pysd_runner.study.loops import loops
from tests.validation.four_regions import (
    DESIGN,
    EQUAL_MIX,
    FOUR_REGIONS,
    MIX_BY_CLASS,
    NAMES,
    NO_POLICY_ASSUMPTIONS,
    NULL,
    OLD_FORM,
    POLICY,
    SHARES,
    SIPHON,
    START,
    UNIFORM_MIX,
    WEST,
    Array,
    loaded,
    mix,
    one,
    run,
)

EAST = 0
LEVERS = loaded(4).ranges["Lever"]
CLASSES = loaded(4).ranges["Class"]
GAP = "Gap to Leader"
PER_HEAD = "Output per Capita"
# One percent more output per head, one point of a share, one point of the gap.
PERCENT = POINT = 0.01

CAPACITY = "Implementation Capacity"
NEED = {"Differentiation": 1.0, "Redistribution Exponent": 1.0}
ROLLING = {**NEED, "Rolling Evaluation Switch": 1.0}

# Hardly anybody connected, skilled or digital, and no way to get connected but by policy.
WILDERNESS = {
    "Initial Access Share": np.full(4, 1e-4),
    "Initial Skill Share": np.full(4, 1e-5),
    "Initial Application Share": np.full(4, 1e-6),
    "Access Innovation Coefficient": 0.0,
    "Access Imitation Coefficient": 0.0,
}

# Every way in which digitalisation reaches output, by what carries it.
LEVELS_OFF = {"Application Output Effect": 0.0, "Data Output Effect": 0.0}
DIFFUSION_OFF = {"Digital Absorptive Catch Up Rate": 0.0}
SKILLS_OFF = {"Skill Innovation Coefficient": 0.0, "Digital Skill Productivity Premium": 0.0}
CHANNELS_OFF = {**LEVELS_OFF, **DIFFUSION_OFF, **SKILLS_OFF}

GROWTH = "Skill Innovation Coefficient"
# Skills raise the level of output and no growth; also the central value of a wide prior around zero.
NO_GROWTH = {GROWTH: 0.0}
today_and_none = pytest.mark.parametrize("form", [{}, NO_GROWTH], ids=["today", "no growth"])

ZONED = {**POLICY, "Differentiation": 1.0}
GOVERNANCE_ON = {"Governance Capacity Switch": 1.0}
DIAGNOSIS_ON = {"Diagnosis Switch": 1.0}
# Verdicts about execution and needs hold whether or not these mechanisms are switched on.
off_and_on = pytest.mark.parametrize(
    "extra", [{}, GOVERNANCE_ON, DIAGNOSIS_ON, {**GOVERNANCE_ON, **DIAGNOSIS_ON}], ids=["off", "gov", "diag", "both"]
)
OUTPUT_MONEY = {**POLICY, "Redistribution Exponent": -1.0}
EAST_ONLY = {
    **POLICY,
    "Policy Start Time": START,
    "Uniform Mix": mix(application=1.0),
    "Region Target": np.array([1.0, 0, 0, 0]),
}


def simulated(changes: dict[str, Any], outcomes: list[str], years: float = 15) -> Run:
    """The four regions with some values changed."""
    return run({**FOUR_REGIONS, **changes}, years, outcomes)


def lever(name: str, **changes: Any) -> dict[str, Any]:
    """All money on one lever from the first year on, by need, without the assumptions about policy."""
    return {
        **NO_POLICY_ASSUMPTIONS,
        "Policy Budget Share": 0.003,
        "Policy Start Time": START,
        "Redistribution Exponent": 1.0,
        "Uniform Mix": mix(**{name: 1.0}),
        **changes,
    }


def effect(policy: dict[str, Any], outcome: str, *, year: int = 15) -> Array:
    """What the money of a policy changes: outcome with it minus outcome without it, by region."""
    both = {**policy, "Policy Budget Share": np.array([[policy["Policy Budget Share"]], [0.0]])}
    with_it, without_it = simulated(both, [outcome], year)[outcome][:, 0, ..., -1]
    difference: Array = with_it - without_it
    return difference


def final(changes: dict[str, Any], outcome: str, years: float = 35) -> Array:
    """An outcome at the end of a run."""
    found: Array = one({**FOUR_REGIONS, **changes}, years, outcome)[..., -1]
    return found


@cache
def baseline(outcome: str, years: float = 35) -> Array:
    """An outcome at the end of the baseline."""
    return final({}, outcome, years)


def widening(changes: dict[str, Any], form: dict[str, float] | None = None) -> float:
    """How much a change widens the gap of the West in 35 years, under a form of growth by skills."""
    reference = final(form, GAP) if form else baseline(GAP)
    return float(final({**(form or {}), **changes}, GAP)[WEST] - reference[WEST])


def closed(changes: dict[str, Any], assumptions: dict[str, float] | None = None) -> float:
    """How much of the gap of the West a policy from year 10 on closes by year 25."""
    extra = assumptions or {}
    return -float(effect({**POLICY, **extra, **changes}, GAP, year=25)[WEST])


# ------------------------------------------------------------------------- frame and literature, C0 to C10


def test_equal_regions_have_no_gap() -> None:
    alike = {name: np.full(3, value[WEST]) for name, value in FOUR_REGIONS.items()}
    found = run(alike, 10, [GAP, "Theil Index", "Sigma Dispersion", "Public Service Reach"])
    for name in (GAP, "Theil Index", "Sigma Dispersion"):
        assert found[name] == pytest.approx(0, abs=1e-12)
    assert found["Public Service Reach"].min() > 0


def test_data_break_administrative_barriers() -> None:
    data = lever("data")
    assert (effect(data, "Governance Integration") > 5 * POINT).all()
    assert (effect(data, "Mobility") > 5 * POINT).all()
    assert (effect(data, "Openness") > 0).all()
    switched_off = lever("data", **{"Data Governance Coefficient": 0.0})
    assert effect(switched_off, "Governance Integration") == pytest.approx(0, abs=1e-12)


def test_application_raises_output() -> None:
    application = lever("application")
    assert (effect(application, "Digital Effect") > 0).all()
    assert (effect(application, PER_HEAD) > 0).all()
    assert effect(lever("application", **CHANNELS_OFF), PER_HEAD)[WEST] < 0  # only its cost is left


def test_governance_reform_raises_links_mobility_and_service_reach() -> None:
    reform = lever("governance")
    for outcome in ("Governance Integration", "Mobility", "Public Service Reach", "Partner Data"):
        assert (effect(reform, outcome) > 0).all(), outcome
    assert (effect(reform, "Openness") > 0).all()


def test_digitalisation_by_itself_widens_the_gap_only_by_growth_from_a_lead_in_skills() -> None:
    for form in ({}, NO_GROWTH, OLD_FORM):
        assert widening(DIFFUSION_OFF, form) > POINT  # without it the gap is wider: diffusion narrows
        assert widening(LEVELS_OFF, form) < 0
        assert widening({**DIFFUSION_OFF, **LEVELS_OFF}, form) > 0
    # Skills widen by a little today, narrow without growth from them, and widened by much.
    assert -POINT < widening(SKILLS_OFF) < 0 < widening(SKILLS_OFF, NO_GROWTH)
    assert widening(SKILLS_OFF, OLD_FORM) < -3 * POINT
    assert 0 < widening(CHANNELS_OFF) < widening(CHANNELS_OFF, NO_GROWTH)
    assert widening(CHANNELS_OFF, OLD_FORM) < -2 * POINT


def test_low_integration_blocks_links_and_movement() -> None:
    low = {"Initial Governance Integration": FOUR_REGIONS["Initial Governance Integration"] / 2}
    for outcome in ("Mobility", "Application Spillover", "Emigration Rate", "National Output"):
        assert (final(low, outcome) < baseline(outcome)).all(), outcome
    assert widening(low) > 0


def test_a_gap_is_the_sum_of_its_sources() -> None:
    found = simulated({}, ["Log Gap to Nation", "Initial Log Technology", "Initial Digital Effect", "Skill Share"], 1)
    gap, technology, digital, skills = (values[0, 0, :, 0] for values in found.data.values())
    capital_output, elasticity, premium = FOUR_REGIONS["Initial Capital Output Ratio"], 0.45, 0.08
    sources = (
        technology
        + elasticity / (1 - elasticity) * np.log(capital_output)
        + digital / (1 - elasticity)
        + np.log1p(premium * skills)
    )
    assert gap - gap.mean() == pytest.approx(sources - sources.mean(), abs=1e-12)
    segmented = {"Initial Governance Integration": np.full(4, 1e-9)}
    assert (final(segmented, "Initial Digital Effect", 1) < digital).all()


def test_shared_data_narrow_the_gap() -> None:
    campaign = {"Data Opening Programme": np.full(4, 0.15)}
    assert widening(campaign) < -0.5 * POINT
    assert effect(lever("data"), GAP)[WEST] < -0.2 * POINT
    assert (effect(lever("data"), "Accessible Data") > 0).all()
    # The level effect alone favours those who have more networks and data.
    assert widening({"Data Output Effect": 0.0}) < 0


def test_a_technology_gain_of_the_leader_pulls_the_others_after_it() -> None:
    shock = TimePath(times=(START, START + 0.25), values=np.array([[0.04, 0, 0, 0], [0.0, 0, 0, 0]]))
    with_it = one({**FOUR_REGIONS, "Technology Shock": shock}, 35, PER_HEAD)
    response = np.log(with_it) - np.log(one(FOUR_REGIONS, 35, PER_HEAD))
    assert response[EAST, 1] == pytest.approx(PERCENT, rel=0.02)
    assert (np.diff(response[WEST]) > 0).all()
    assert response[WEST, -1] > 0.2 * PERCENT
    assert response[EAST, -1] > response[WEST, -1]  # a part of the lead stays


def test_application_funded_in_the_east_spills_over_and_hardly_moves_output_in_the_west() -> None:
    def gained(form: dict[str, float], crowding: dict[str, float]) -> float:
        east_only = lever("application", **{"Region Target": np.array([1.0, 0, 0, 0])}, **form, **crowding)
        for outcome in ("Application Spillover", "Digital Effect", "Application Share"):
            assert effect(east_only, outcome)[WEST] > 0, outcome
        return float(
            effect(east_only, PER_HEAD)[WEST] / final({**east_only, "Policy Budget Share": 0.0}, PER_HEAD, 15)[WEST]
        )

    free_of_charge = {"Crowding Out Share": 0.0}
    # What is paid for it costs the West more than spills over; under the old form a lead in skills did as well.
    for form in ({}, NO_GROWTH):
        assert -0.1 * PERCENT < gained(form, {}) < 0 < gained(form, free_of_charge) < 0.2 * PERCENT
    assert gained(OLD_FORM, {}) < gained(OLD_FORM, free_of_charge) < 0


@pytest.mark.parametrize("name", ["governance", "application", "access", "skills", "data"])
def test_each_side_of_digitalisation_raises_output(name: str) -> None:
    assert effect(lever(name), "National Output") > 0
    assert (effect(lever(name), PER_HEAD) > 0).all()


# ------------------------------------------------------------------- three-dimensional mechanism, C11 to C27


def test_data_and_governance_reinforce_each_other() -> None:
    data = lever("data", **{"Redistribution Exponent": 0.0, "Region Target": np.array([1.0, 0, 0, 0])})
    joined = effect(data, "Partner Data")[WEST]
    parted = effect({**data, "Data Governance Coefficient": 0.0}, "Partner Data")[WEST]
    assert joined > parted > 0
    assert effect(data, "Mobility")[WEST] > 0
    assert effect(data, "Shared Data")[WEST] > 0


def test_agglomeration_concentrates_output() -> None:
    strong, none = {"Agglomeration Elasticity": 0.05}, {"Agglomeration Elasticity": 0.0}
    assert final(strong, "Output Share")[EAST] > baseline("Output Share")[EAST] > final(none, "Output Share")[EAST]
    assert final(none, "Output Share")[EAST] > final(none, "Output Share", 1)[EAST]
    assert widening(none) < 0 < widening(strong)


def test_friction_blocks_movement() -> None:
    for friction, sign in ((0.0, 1), (1.0, -1)):
        changes = {"Mobility Friction Share": friction}
        for outcome in ("Mobility", "Emigration Rate", "Mobile Funds"):
            assert (sign * (final(changes, outcome, 5) - baseline(outcome, 5)) > 0).all(), outcome
        assert sign * widening(changes) < 0


def test_data_feed_back_into_industry() -> None:
    more = {"Initial Shared Data": FOUR_REGIONS["Initial Shared Data"] + 0.2}
    for outcome in ("Mobility", "Accessible Data"):
        assert (final(more, outcome, 5) > baseline(outcome, 5)).all(), outcome
    assert (effect(lever("application"), "Data Opening", year=10) > 0).all()
    no_network_effect = lever("application", **{"Data Network Coefficient": 0.0})
    assert (effect(no_network_effect, "Data Opening", year=10) <= 0).all()


def test_matching_moves_people_and_funds_and_narrows_the_gap() -> None:
    matching_only = lever("data", **{"Data Governance Coefficient": 0.0, "Data Output Effect": 0.0})
    assert (effect(matching_only, "Emigration Rate") > 0).all()
    assert (effect(matching_only, "Mobile Funds") > 0).all()
    assert effect(matching_only, GAP)[WEST] < 0


def test_digital_absorption_narrows_the_technology_gap() -> None:
    fast = {"Digital Absorptive Catch Up Rate": 0.03}
    assert widening(fast) < 0 < widening(DIFFUSION_OFF)
    technology = final(fast, "Log Technology")
    assert technology[EAST] - technology[WEST] < np.subtract(*baseline("Log Technology")[[EAST, WEST]])
    knowledge = lever("knowledge")
    assert (effect(knowledge, "Catch Up Rate") > 0).all()
    assert effect(knowledge, GAP)[WEST] < 0


def test_needs_follow_the_bottleneck() -> None:
    skills = LEVERS.index("Skills")
    unskilled = {"Initial Skill Share": FOUR_REGIONS["Initial Skill Share"] * 0.5}
    assert (final(unskilled, "Need Share", 1)[skills] > baseline("Need Share", 1)[skills]).all()
    assert (baseline("Need Share", 1).argmax(axis=0) == LEVERS.index("Skills")).any()


def test_open_data_improve_the_diagnosis_where_it_is_switched_on() -> None:
    more = {"Initial Shared Data": FOUR_REGIONS["Initial Shared Data"] + 0.2}

    def mistaken(changes: dict[str, Any]) -> Array:
        found = simulated({**ZONED, **changes}, ["Diagnosed Need", "Need Share"], 1)
        return np.asarray(np.abs(found["Diagnosed Need"] - found["Need Share"])[0, 0, :, :, -1].sum(axis=0))

    assert mistaken({}).max() == 0
    assert (mistaken(DIAGNOSIS_ON) > mistaken({**DIAGNOSIS_ON, **more})).all()
    assert mistaken({**DIAGNOSIS_ON, **more}).min() > 0


def test_a_better_diagnosis_is_worth_no_more_where_zoning_is_worth_nothing() -> None:
    def by_error(policy: dict[str, float], form: dict[str, float]) -> list[float]:
        values = [closed(policy, {**form, **DIAGNOSIS_ON, "Diagnosis Error": error}) for error in (0.0, 0.5, 1.0)]
        assert values[0] == closed(policy, form)
        return values

    for policy in ({"Differentiation": 1.0}, ROLLING):
        for form in ({}, NO_GROWTH):
            assert by_error(policy, form) == sorted(by_error(policy, form))  # errors mix the mixes, which is better
        assert by_error(policy, OLD_FORM) == sorted(by_error(policy, OLD_FORM), reverse=True)
    assert closed({}, DIAGNOSIS_ON) == closed({})  # and it is worth nothing to one mix for all


def test_with_open_data_for_a_diagnosis_zoning_is_worth_no_more_than_the_frontier_mix() -> None:
    frontier_for_all = {"Uniform Mix": MIX_BY_CLASS[:, 0]}
    assert closed({"Differentiation": 1.0}, DIAGNOSIS_ON) < closed(frontier_for_all, DIAGNOSIS_ON)
    assert closed({"Differentiation": 1.0}, DIAGNOSIS_ON) > closed({}, DIAGNOSIS_ON)


def test_the_diagnosis_does_not_depend_on_open_data() -> None:
    more = {"Initial Shared Data": FOUR_REGIONS["Initial Shared Data"] + 0.2}
    others = [index for index, name in enumerate(LEVERS) if name != "Data"]
    before, after = final({}, "Need Share", 0.25), final(more, "Need Share", 0.25)
    ratio = after[others] / np.where(before[others] > 0, before[others], 1)
    present = before[others] > 0
    for region in range(4):
        kept = ratio[present[:, region], region]
        assert kept == pytest.approx(kept[0], rel=0.02)


def test_the_net_of_the_loops_has_no_fixed_sign() -> None:
    start = baseline(GAP, 1)[WEST]
    assert baseline(GAP)[WEST] < start - 5 * POINT
    assert final(SIPHON, GAP)[WEST] > start + 10 * POINT


def test_synergy_lifts_followers_more_than_leaders() -> None:
    alone, close = {"Industrial Synergy Share": 0.0}, {"Industrial Synergy Share": 0.6}
    assert widening(close) < 0 < widening(alone)
    gain = final(close, PER_HEAD) / baseline(PER_HEAD) - 1
    assert gain[WEST] > gain[EAST] > 0
    assert (final(close, "Application Share", 10) > baseline("Application Share", 10)).all()


def test_the_data_effect_raises_output() -> None:
    strong = {"Data Output Effect": 0.06}
    assert (final(strong, PER_HEAD) > baseline(PER_HEAD)).all()
    assert widening(strong) > 0  # those with more networks and data gain more


def test_the_application_effect_raises_output() -> None:
    strong = {"Application Output Effect": 0.2}
    assert (final(strong, PER_HEAD) > baseline(PER_HEAD)).all()


def test_remote_services_hold_people_and_so_widen_the_gap_a_little() -> None:
    strong, none = {"Public Service Attraction": 0.3}, {"Public Service Attraction": 0.0}
    assert final(strong, "Emigration Rate", 10)[WEST] < final(none, "Emigration Rate", 10)[WEST]
    assert final(strong, "Attractiveness", 10)[WEST] > final(none, "Attractiveness", 10)[WEST]
    assert final(strong, "Population")[WEST] > final(none, "Population")[WEST]
    assert widening(none) < 0 < widening(strong) < 0.1 * POINT


def uniform_mixes(form: dict[str, float]) -> dict[str, float]:
    """What one mix for all closes, money per head."""
    mixes = {"usual": UNIFORM_MIX, "sevenths": EQUAL_MIX, **dict(zip(CLASSES, MIX_BY_CLASS.T, strict=True))}
    return {name: closed({"Uniform Mix": each}, form) for name, each in mixes.items()}


@today_and_none
def test_zoning_closes_more_than_the_mix_for_lagging_regions_and_than_no_other(form: dict[str, float]) -> None:
    zoned, uniform = closed({"Differentiation": 1.0}, form), uniform_mixes(form)
    assert zoned > uniform.pop("Lagging")
    assert zoned < min(uniform.values())
    assert max(uniform, key=lambda name: uniform[name]) == "Frontier"
    assert max(uniform.values()) - zoned < 0.3 * POINT


def test_zoning_beat_all_but_the_frontier_mix_under_the_old_form() -> None:
    zoned, uniform = closed({"Differentiation": 1.0}, OLD_FORM), uniform_mixes(OLD_FORM)
    assert zoned == pytest.approx(uniform.pop("Frontier"), abs=0.01 * POINT)
    assert 0 < zoned - max(uniform.values()) < 0.1 * POINT


# ----------------------------------------------------------------------------------- difficulties, C28 to C42


def opened(staleness: float, year: int) -> float:
    """Shared data of the West that a ten-year campaign leaves behind."""
    campaign = TimePath(times=(START, START + 10), values=np.array([np.full(4, 0.15), np.zeros(4)]))
    rate = {"Data Staleness Rate": staleness}
    with_it = final({**rate, "Data Opening Programme": campaign}, "Shared Data", year)
    return float(with_it[WEST] - final(rate, "Shared Data", year)[WEST])


def test_stale_data_lose_what_a_campaign_opened() -> None:
    assert opened(0.1, 25) < opened(0.05, 25) < opened(0.03, 25)
    assert opened(0.1, 25) < 0.5 * opened(0.1, 10)


def test_weak_governance_blunts_execution_only_where_it_is_switched_on() -> None:
    weak = {"Initial Governance Integration": FOUR_REGIONS["Initial Governance Integration"] / 5}

    def capacity(changes: dict[str, Any]) -> Array:
        return np.asarray(simulated({**POLICY, **changes}, ["Implementation Capacity"], 10).data[CAPACITY][0, 0, :, 0])

    np.testing.assert_array_equal(capacity({}), capacity(weak))
    strong, poor = capacity(GOVERNANCE_ON), capacity({**GOVERNANCE_ON, **weak})
    assert (poor < strong).all()
    assert (strong < capacity({})).all()
    ratio = 1 - 0.25 * (1 - FOUR_REGIONS["Initial Governance Integration"])
    assert strong / capacity({}) == pytest.approx(ratio, rel=1e-12)
    # Money does less, and reform does more than open borders: it makes other money work.
    assert closed(NEED, GOVERNANCE_ON) < closed(NEED)
    reform = {"Initial Governance Integration": FOUR_REGIONS["Initial Governance Integration"] + 0.2}
    gained = [closed(NEED, {**on, **reform}) / closed(NEED, on) for on in (GOVERNANCE_ON, {})]
    assert gained[0] > gained[1]


def test_the_access_divide_follows_income_and_closes() -> None:
    access = one(FOUR_REGIONS, 25, "Access Share")
    assert (access[EAST] > access[1:]).all()
    poor = {"Initial Output per Capita": FOUR_REGIONS["Initial Output per Capita"] / 4}
    assert (final(poor, "Access Share", 10) < baseline("Access Share", 10)).all()
    spread = np.log(access).std(axis=0)
    assert spread[-1] < 0.3 * spread[0]


def test_the_rural_shortfall_of_access_follows_the_national_series() -> None:
    panel = load_data("china")
    model = load_model("regional_digital", regions=len(panel.regions))
    assert model.spec is not None
    total, rural = (panel.national[name] for name in ("internet_penetration", "internet_penetration_rural"))
    place = panel.years.index(2016)
    town, village = (panel.array(name)[:, place].sum() for name in ("urban_population", "rural_population"))
    urban = (total[2016] * (town + village) - rural[2016] * village) / town
    known = model.spec.parameters
    assert known["s_r"].value == pytest.approx(1 - rural[2016] / urban, abs=0.01)
    behind = [1 - rural[year] / total[year] for year in (2016, 2024)]
    assert known["k_r"].value == pytest.approx(np.log(behind[0] / behind[1]) / 8, abs=0.005)
    parameters = {key: np.array([item.value]) for key, item in known.items()}
    bound = RegionalModel(model=model, panel=panel, parameters=parameters)
    start = bound.values(RegionalModel(model=model, panel=panel).inputs(2014))
    outcome = "National Rural Access Share"
    found = simulate(model, start, start=2014, stop=2024, save_every=1, outcomes=[outcome])[outcome][0, 0]
    for year, value in rural.items():
        assert found[year - 2014] == pytest.approx(value, abs=0.025), year


def test_the_south_drew_ahead_of_the_north_until_2020_and_only_inputs_by_region_tell_them_apart() -> None:
    panel = load_data("china")
    is_south = np.array([dict(region.groupings)["north_south"] == "South" for region in panel.regions])
    assert (is_south.sum(), (~is_south).sum()) == (16, 15)

    def lead(output: Array, population: Array) -> Array:
        south, north = (output[part].sum(0) / population[part].sum(0) for part in (is_south, ~is_south))
        return np.asarray(100 * (south / north - 1))

    observed = dict(zip(panel.years, lead(panel.array("output"), panel.array("population")), strict=True))
    expected = {2000: 4.3, 2013: 12.0, 2019: 24.4, 2020: 25.6, 2024: 23.7}
    assert {year: round(float(observed[year]), 1) for year in expected} == expected
    assert max(observed, key=observed.__getitem__) == 2020
    # The model starts with the lead of the data, and does not read which region is in the South.
    model = load_model("regional_digital", regions=len(panel.regions))
    swapped = {"South": "North", "North": "South"}
    regions = [replace(item, groupings=(("north_south", swapped[item.groupings[0][1]]),)) for item in panel.regions]
    own, other = (
        RegionalModel(model=model, panel=data).values(RegionalModel(model=model, panel=data).inputs(2024))
        for data in (panel, replace(panel, entities={"region": tuple(regions)}))
    )
    assert own.keys() == other.keys()
    for name, values in own.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)
    found = simulate(model, own, start=2024, stop=2025, save_every=1, outcomes=["Output", "Population"])
    assert lead(found["Output"][0, 0], found["Population"][0, 0])[0] == pytest.approx(observed[2024], rel=1e-6)


def test_rural_access_and_urban_access_make_up_access() -> None:
    names = ["Rural Access Share", "Access Share", "Rural Shortfall", "Urban Population Share"]
    rural, access, shortfall, town = (simulated({}, names, 20)[name][0, 0] for name in names)
    town = town if town.ndim == 2 else np.broadcast_to(town, access.shape)
    urban = rural / (1 - shortfall)
    assert town * urban + (1 - town) * rural == pytest.approx(access, rel=1e-12)
    assert (rural < urban).all()


def test_rural_broadband_reaches_villages_and_fades_as_they_catch_up() -> None:
    def reached(share: float, outcome: str, year: int) -> float:
        return float(effect(lever("access", **{"Rural Broadband Share": share}), outcome, year=year)[WEST])

    assert reached(0.5, "Rural Access Share", 5) > reached(0.0, "Rural Access Share", 5) + 10 * POINT
    assert reached(0.5, "Access Share", 5) > reached(0.0, "Access Share", 5)
    assert reached(0.5, "Rural Access Share", 15) < 0.5 * reached(0.5, "Rural Access Share", 5)
    # It connects more people and closes less of the gap than networks that last: villages catch up by themselves.
    assert -0.5 * POINT < reached(0.5, GAP, 15) < 0
    assert abs(reached(0.5, GAP, 15)) < abs(reached(0.0, GAP, 15))
    dear = {"Cost per Village Connection": 3200.0, "Rural Broadband Share": 0.5}
    assert effect(lever("access", **dear), "Rural Access Share", year=3)[WEST] < reached(0.5, "Rural Access Share", 3)
    networks = lever("access", **{"Connection Subsidy Share": 0.0})
    alone = final({**networks, "Rural Broadband Share": 1.0}, "Digital Investment")
    assert (alone < final(networks, "Digital Investment")).all()


def test_towns_only_have_no_villages_to_reach() -> None:
    towns = lever("access", **{"Rural Broadband Share": 0.5, "Urban Population Share": np.ones(4)})
    assert final(towns, "Rural Opening", 10) == pytest.approx(1)


def test_basic_courses_take_money_from_skills_and_give_output_only_where_they_have_a_premium() -> None:
    def changed(share: float, outcome: str, **values: float) -> Array:
        return effect(lever("skills", **{"Basic Training Share": share}, **values), outcome)

    assert (changed(0.5, "Skill Share") < changed(0.0, "Skill Share")).all()
    assert (changed(0.5, "Access Share") <= changed(0.0, "Access Share")).all()
    all_basic = {score: changed(1.0, PER_HEAD, **{"Basic Course Score": score}) for score in (-0.04, 0.0, 0.04)}
    np.testing.assert_array_equal(all_basic[-0.04], all_basic[0.0])
    assert (all_basic[0.04] > all_basic[0.0]).all()
    names = ["Basic Course Share", "Funded Basic Courses", "Trainee Time", "Funded Training", "Trainable Pool"]
    found = simulated(lever("skills", **{"Basic Training Share": 0.5}), names)
    share, funded, time, trained, pool = (found[name][0, 0] for name in names)
    assert 0.5 < share[WEST, -1] < 1
    assert time == pytest.approx(0.17 * trained / 0.56 + 0.01 * funded * pool / 0.57, rel=1e-12)
    # Half the cost of a place, or twice the part that pass, reach the same people.
    cheap = changed(0.5, names[0], **{"Cost per Basic Place": 170.0, "Basic Completion Share": 0.4})
    assert cheap == pytest.approx(changed(0.5, names[0], **{"Basic Completion Share": 0.8}))


def test_skills_lag_access_and_grow_with_application() -> None:
    found = simulated({}, ["Skilled People", "Connected People", "Learning by Using"], 25)
    assert (found["Skilled People"] < found["Connected People"]).all()
    no_ladder = {"Learning with Application Rate": 0.0}
    assert (final(no_ladder, "Learning by Using", 5) < baseline("Learning by Using", 5)).all()
    assert (effect(lever("application"), "Skill Share") > POINT).all()


def test_application_needs_access_and_skills() -> None:
    application = effect(lever("application"), "Application Share", year=5)[WEST]
    assert application > 3 * POINT
    assert effect(lever("application", **WILDERNESS), "Application Share", year=5)[WEST] < 0.01 * application
    found = simulated({}, ["Application Share", "Application Ceiling"], 35)
    assert (found["Application Share"] <= found["Application Ceiling"]).all()


def test_divides_reinforce_each_other() -> None:
    def application(**factors: float) -> float:
        names = {"access": "Initial Access Share", "skills": "Initial Skill Share"}
        changes = {names[key]: FOUR_REGIONS[names[key]] * factor for key, factor in factors.items()}
        return float(final(changes, "Application Ceiling", 1)[WEST])

    both = application(access=1.2, skills=1.2) - application()
    apart = application(access=1.2) + application(skills=1.2) - 2 * application()
    assert both > apart
    skills = one(FOUR_REGIONS, 35, "Skill Share")
    no_ladder = {"Learning with Application Rate": 0.0, "Learning by Using Rate": 0.0825}
    without = one({**FOUR_REGIONS, **no_ladder}, 35, "Skill Share")
    assert (skills[EAST] / skills[WEST])[10] > (without[EAST] / without[WEST])[10]
    assert widening({"Structural Gap Persistence": 1.0}) > 5 * POINT


def test_the_skill_divide_heals_itself_in_the_long_run() -> None:
    skills = one(FOUR_REGIONS, 35, "Skill Share")
    ratio = skills[EAST] / skills[WEST]
    assert ratio[35] < ratio[20] < ratio[10] < ratio[0]


def test_local_protection_eats_what_reform_gained() -> None:
    def gained(rate: float) -> float:
        reform = lever("governance", **{"Governance Erosion Rate": rate})
        return float(effect(reform, "Governance Integration")[WEST])

    assert gained(0.1) < gained(0.05) < gained(0.02)
    alone = one({**FOUR_REGIONS, "Data Governance Coefficient": 0.0}, 25, "Governance Integration")
    assert alone[:, -1] == pytest.approx(alone[:, 0], rel=1e-12)  # without change the initial level is held


def test_a_uniform_mix_fits_the_needs_less_at_first() -> None:
    uniform = simulated({**POLICY}, ["Regional Fit"], 25)["Regional Fit"][0, 0]
    zoned = simulated({**POLICY, "Differentiation": 1.0}, ["Regional Fit"], 25)["Regional Fit"][0, 0]
    assert (zoned[:, 12] > uniform[:, 12]).all()
    assert zoned[WEST, 25] < uniform[WEST, 25]  # access is nearly complete by then


def test_talent_concentrates_only_when_innovation_and_selection_are_strong() -> None:
    start = final({}, "Skilled People Share", 0.25)[EAST]
    assert baseline("Skilled People Share")[EAST] < start
    assert final(SIPHON, "Skilled People Share")[EAST] > start + 20 * POINT


@off_and_on
def test_weak_finances_blunt_execution(extra: dict[str, float]) -> None:
    effects = [closed(NEED, {**extra, "Fiscal Capacity Sensitivity": value}) for value in (0.0, 0.3, 0.5)]
    assert effects[0] > effects[1] > effects[2] > 0
    capacity = final({**POLICY, **extra}, CAPACITY, 15)
    assert capacity[WEST] < capacity[EAST]
    assert capacity[EAST] == pytest.approx(1.0) or GOVERNANCE_ON.items() <= extra.items()


def test_data_centres_without_networks_do_nothing() -> None:
    data = lever("data")
    assert effect(data, "Shared Data", year=5)[WEST] > 20 * POINT
    nowhere = lever("data", **WILDERNESS)
    assert effect(nowhere, "Shared Data", year=5)[WEST] < 0.1 * POINT
    assert effect(nowhere, "Accessible Data", year=5)[WEST] < 1e-6
    assert effect(nowhere, PER_HEAD)[WEST] < 0  # the money is lost


def test_misfit_blunts_a_differentiated_policy_as_much_as_a_uniform_one() -> None:
    def lost(differentiation: float) -> float:
        zoned = {"Differentiation": differentiation}
        return 1 - closed(zoned, {"Misfit Sensitivity": 0.3}) / closed(zoned)

    assert lost(0.0) > 0.05
    assert lost(1.0) == pytest.approx(lost(0.0), abs=0.02)
    assert closed({}, {"Misfit Sensitivity": 0.0}) == closed({})  # at the central value it does not act


def test_sameness_costs_output_and_narrows_the_gap_a_little() -> None:
    same, free = {"Homogenisation Sensitivity": 0.3}, {"Homogenisation Sensitivity": 0.0}
    output = [final({**POLICY, **case}, "National Output", 25) for case in (same, free)]
    assert output[0] / output[1] - 1 == pytest.approx(-0.0048, abs=2e-4)
    gain = [final({**POLICY, **case}, PER_HEAD, 25) for case in (same, free)]
    lost = gain[0] / gain[1] - 1
    assert lost[EAST] < lost[WEST] < 0
    gaps = [final({**POLICY, **case}, GAP, 25)[WEST] for case in (same, free)]
    assert gaps[0] < gaps[1]


@off_and_on
def test_money_that_follows_output_spreads_gains_least(extra: dict[str, float]) -> None:
    effects = [closed({"Redistribution Exponent": value}, extra) for value in (-1.0, 0.0, 1.0)]
    assert 0 < effects[0] < effects[1] < effects[2]
    assert effects[0] < 0.2 * POINT
    lagging_for_all = {"Uniform Mix": MIX_BY_CLASS[:, 2], "Redistribution Exponent": -1.0}
    assert 0 < closed(lagging_for_all, extra) < 0.1 * POINT
    assert closed(lagging_for_all, {**OLD_FORM, **extra}) < 0  # then this one widened the gap


# ------------------------------------------------------------------------------------------ paths, C43 to C56


def test_each_lever_moves_what_it_pays_for() -> None:
    pays_for = {
        "access": "Access Share",
        "skills": "Skill Share",
        "application": "Application Share",
        "data": "Shared Data",
        "governance": "Governance Integration",
        "knowledge": "Platform Linkage",
    }
    for name, outcome in pays_for.items():
        assert (effect(lever(name), outcome) > 0).all(), name
    assert effect(lever("compensation"), "Physical Capital")[WEST] > 0


@off_and_on
@pytest.mark.parametrize("name", SHARES)
def test_each_lever_narrows_the_gap_when_money_follows_need(name: str, extra: dict[str, float]) -> None:
    for form in ({}, NO_GROWTH, OLD_FORM):
        assert effect(lever(name, **extra, **form), GAP)[WEST] < -0.14 * POINT


@off_and_on
def test_skills_are_the_second_lever_and_were_the_first_under_the_old_form(extra: dict[str, float]) -> None:
    def strongest(form: dict[str, float]) -> list[str]:
        effects = {name: effect(lever(name, **extra, **form), GAP)[WEST] for name in SHARES}
        return sorted(effects, key=lambda name: effects[name])[:2]

    assert strongest({}) == strongest(NO_GROWTH) == ["application", "skills"]
    assert strongest(OLD_FORM) == ["skills", "application"]


def test_a_security_law_keeps_data_usable() -> None:
    assert opened(0.03, 25) > opened(0.05, 25)


def test_rough_terrain_makes_village_networks_less_effective() -> None:
    def connected(terrain: float) -> float:
        land = FOUR_REGIONS["Terrain Cost Factor"].copy()
        land[WEST] = terrain
        return float(effect(lever("access", **{"Terrain Cost Factor": land}), "Access Share")[WEST])

    assert connected(1.0) > connected(1.5) > connected(3.0) > 0


def test_the_chain_from_connection_to_skill_to_application() -> None:
    assert effect(lever("access"), "Skill Share")[WEST] > POINT
    assert effect(lever("access"), "Application Share")[WEST] > POINT
    assert effect(lever("skills"), "Application Share")[WEST] > POINT
    half = {"Policy Budget Share": 0.0015}
    apart = sum(effect(lever(name, **half), "Application Share")[WEST] for name in ("access", "skills"))
    joined = lever("access", **{"Uniform Mix": mix(access=0.5, skills=0.5)})
    assert effect(joined, "Application Share")[WEST] > apart


def test_the_siphon_is_talent_with_innovation_and_not_capital() -> None:
    quiet = {"Skill Innovation Coefficient": 0.0, "Base Migration Rate": 0.0, "Agglomeration Elasticity": 0.0}
    nothing = {**SIPHON, **quiet, "Mobile Investment Share": 0.0}
    gap = final(nothing, GAP)[WEST]
    innovation = {**nothing, "Skill Innovation Coefficient": 0.07}
    assert final(innovation, GAP)[WEST] > gap + 15 * POINT
    capital = {**nothing, "Mobile Investment Share": 0.5}
    assert final(capital, GAP)[WEST] == pytest.approx(gap, abs=0.1 * POINT)
    migration = {**nothing, "Base Migration Rate": 0.012}
    assert final(migration, GAP)[WEST] < gap - 5 * POINT
    assert final(migration, "Output Share")[EAST] > final(nothing, "Output Share")[EAST] + 10 * POINT


def test_compensation_holds_people_and_costs_the_nation_output() -> None:
    compensation = lever("compensation")
    assert effect(compensation, GAP)[WEST] < 0
    assert effect(compensation, "Output Share")[WEST] > 0.2 * POINT
    assert effect(compensation, "Population")[WEST] > 0
    assert effect(compensation, "National Output") < 0


def test_integration_alone_narrows_the_gap_while_the_west_loses_share() -> None:
    integration = lever("governance")
    assert effect(integration, GAP)[WEST] < 0
    assert effect(integration, "Output Share")[WEST] < -0.1 * POINT
    assert effect(integration, "Population")[WEST] < 0


def test_the_index_is_the_geometric_mean_of_five_dimensions() -> None:
    names = ["Coverage", "Access Share", "Skill Share", "Application Share"]
    found = simulated({}, [*names, "Shared Data", "Governance Integration", "Digital Index"], 20)
    parts = [found[name] for name in names]
    parts.append((found["Shared Data"] + found["Governance Integration"]) / 2)
    assert found["Digital Index"] == pytest.approx(np.prod(parts, axis=0) ** (1 / 5), rel=1e-12)
    assert (found["Digital Index"][0, 0, EAST] > found["Digital Index"][0, 0, 1:]).all()


def exchanged(class_name: str, other: str) -> dict[str, Any]:
    """Zoned policy per head in which one class gets the mix of another."""
    mixes = MIX_BY_CLASS.copy()
    mixes[:, CLASSES.index(class_name)] = MIX_BY_CLASS[:, CLASSES.index(other)]
    return {"Differentiation": 1.0, "Mix by Class": mixes}


def gap_closed_when(class_name: str, other: str, form: dict[str, float] | None = None) -> float:
    """Gap of the West that such a policy closes."""
    return closed(exchanged(class_name, other), form)


def east_gains_when(other: str, form: dict[str, float]) -> float:
    """Output per head of the East with another mix than that of frontier regions, relative to its own."""
    own, others = (
        final({**policy, **form}, PER_HEAD, 25)[EAST] for policy in (ZONED, {**POLICY, **exchanged("Frontier", other)})
    )
    return float(others / own - 1)


@today_and_none
def test_the_class_mixes_of_the_paper_are_not_the_best_for_their_classes(form: dict[str, float]) -> None:
    own = closed({"Differentiation": 1.0}, form)
    assert gap_closed_when("Frontier", "Lagging", form) < own < gap_closed_when("Frontier", "Transition", form)
    assert gap_closed_when("Transition", "Frontier", form) > own
    assert gap_closed_when("Lagging", "Frontier", form) > gap_closed_when("Lagging", "Transition", form) > own
    # The frontier mix is best for the output of the East itself.
    assert east_gains_when("Transition", form) < east_gains_when("Lagging", form) < 0


def test_what_the_class_mixes_did_under_the_old_form() -> None:
    own = closed({"Differentiation": 1.0}, OLD_FORM)
    assert max(gap_closed_when("Frontier", other, OLD_FORM) for other in ("Transition", "Lagging")) < own
    assert gap_closed_when("Transition", "Frontier", OLD_FORM) > own
    assert min(gap_closed_when("Lagging", other, OLD_FORM) for other in ("Transition", "Frontier")) > own
    assert east_gains_when("Transition", OLD_FORM) > 0


def test_subsidies_connect_people_early_and_networks_connect_more_later() -> None:
    def connected(subsidy: float, year: int) -> float:
        access = lever("access", **{"Connection Subsidy Share": subsidy})
        return float(effect(access, "Access Share", year=year)[WEST])

    assert connected(0.6, 2) > connected(0.0, 2)
    assert connected(0.6, 15) < connected(0.0, 15) + 0.01
    assert connected(0.3, 5) > connected(0.0, 5)


def test_reversion_to_the_plan_keeps_pilots_alive() -> None:
    rolling = {**POLICY, "Differentiation": 1.0, "Rolling Evaluation Switch": 1.0}
    access = LEVERS.index("Access")
    kept = final(rolling, "Policy Weight")[access, WEST]
    lost = final({**rolling, "Plan Reversion Rate": 0.0}, "Policy Weight")[access, WEST]
    assert kept > 2 * lost > 0


def piloted(*names: str, **changes: Any) -> dict[str, Any]:
    """A zoned policy by need, tried in some regions first."""
    return {**POLICY, **NEED, "Pilot Region": np.isin(NAMES, names).astype(float), **changes}


def test_money_reaches_pilots_first_and_the_others_after_the_report() -> None:
    names = ["Region Budget Share", "Allocated Budget", "Policy Budget", "Spent Budget Share"]
    found = simulated(piloted("West"), names, 25)
    share, start, spread = found["Region Budget Share"][0, 0], 10, 12
    money, whole = found["Allocated Budget"][0, 0].sum(axis=0), found["Policy Budget"][0, 0]
    others = [place for place in range(4) if place != WEST]
    assert not money[others, start:spread].any()
    assert (money[others, spread:] > 0).all()
    # The money of others does not go to pilots: these get their share, and the rest stays unspent.
    assert money[WEST, start:] == pytest.approx((share[WEST] * whole)[start:], rel=1e-12)
    assert money[:, -1].sum() == pytest.approx(whole[-1], rel=1e-12)
    spent = found["Spent Budget Share"][0, 0, start:]
    assert spent == pytest.approx(0.003 * money[:, start:].sum(axis=0) / whole[start:], rel=1e-12)


def test_what_pilots_taught_is_spread_to_regions_like_them_and_the_rest_dropped() -> None:
    names = ["Piloted Mix", "Regional Mix", "Planned Mix", "Late Score", "Class Membership", "Trial Weight"]
    found = simulated(piloted("West", "East", **{"Elimination Threshold": 0.7}), names, 25)
    mix, plan, score, member = (found[name][0, 0][..., -1] for name in ("Regional Mix", "Planned Mix", *names[3:5]))
    pilots = [EAST, WEST]
    for region in range(4):
        # A slow twin: the mean report of the pilots of a class, mixed by how far the region belongs to each class.
        if region in pilots:
            expected = score[:, region]
        else:
            learnt = [(member[c, pilots] * score[:, pilots]).sum(axis=1) / member[c, pilots].sum() for c in range(3)]
            expected = sum(member[c, region] * learnt[c] for c in range(3))
        mean = (plan[:, region] * expected).sum() / plan[:, region].sum()
        weight = plan[:, region] * np.where(expected < 0.7 * mean, 0.0, expected)
        assert mix[:, region] == pytest.approx(weight / weight.sum(), abs=1e-12)
    access = LEVERS.index("Access")
    assert mix[access, WEST] == 0 < plan[access, WEST]  # access is nearly complete, so that pilots advise against it
    assert mix.sum(axis=0) == pytest.approx(1, abs=1e-12)


def test_reports_on_pilots_are_late_and_wrong() -> None:
    noise = np.random.default_rng(0).standard_normal((1, 200, len(LEVERS), 4))

    def gained(**changes: Any) -> Array:
        policy = piloted("West", **{"Evaluation Noise": noise, **changes})
        both = [run({**FOUR_REGIONS, **policy, **part}, 25, [GAP])[GAP] for part in ({"Policy Budget Share": 0.0}, {})]
        return np.asarray((both[0] - both[1])[0, :, WEST, -1])

    right, wrong = gained(**{"Evaluation Error": 0.0}), gained(**{"Evaluation Error": 0.6})
    assert np.ptp(right) < 1e-15
    assert wrong.std() > 0.05 * POINT
    assert wrong.mean() < right.mean()
    early, late = (final(piloted("East", **{"Evaluation Delay": delay}), GAP, 25)[WEST] for delay in (1.0, 4.0))
    assert early < late  # the West waits for what the East teaches
    scores = simulated(piloted("West"), ["Late Score", "Evaluation Score"], 25)
    behind = [scores[name][0, 0, LEVERS.index("Access"), WEST] for name in ("Late Score", "Evaluation Score")]
    assert behind[0][-1] > behind[1][-1]  # a falling score is reported late


def test_pilots_close_more_where_they_are_and_less_where_others_wait() -> None:
    whole = closed(NEED)
    assert closed({**NEED, "Pilot Region": np.array([0, 0, 1.0, 0])}) > whole + 0.1 * POINT
    assert closed({**NEED, "Pilot Region": np.array([0, 1.0, 0, 0])}) < whole
    assert closed({**ROLLING, "Pilot Region": np.array([0, 0, 1.0, 0])}) > closed(ROLLING)


@off_and_on
def test_rolling_evaluation_moves_money_to_what_scores_well(extra: dict[str, float]) -> None:
    assert closed(ROLLING, extra) > closed(NEED, extra) + 0.05 * POINT
    assert extra or closed(ROLLING) > closed(NEED) + 0.1 * POINT
    found = simulated({**POLICY, **ROLLING, **extra}, ["Policy Weight", "Evaluation Score", "Planned Mix"], 25)
    weight, score, plan = (values[0, 0, :, WEST, -1] for values in found.data.values())
    worst = score.argmin()
    assert LEVERS[worst] == "Access"
    assert weight[worst] < 0.5 * plan[worst]
    strict = {**ROLLING, **extra, "Elimination Threshold": 0.9}
    assert final({**POLICY, **strict}, "Policy Weight", 25)[worst, WEST] < weight[worst]


def test_a_knowledge_platform_is_useless_without_skills() -> None:
    knowledge, nowhere = lever("knowledge"), lever("knowledge", **WILDERNESS)
    assert effect(nowhere, "Platform Linkage", year=5)[WEST] > 0.5
    assert effect(nowhere, "Catch Up Rate")[WEST] < 0.01 * effect(knowledge, "Catch Up Rate")[WEST]
    assert effect(nowhere, PER_HEAD)[WEST] < 0 < effect(knowledge, PER_HEAD)[WEST]


# ------------------------------------------------------------------- the same signs over draws from the priors

DRAWS = 300
YEARS = 25


@cache
def prior_draws() -> dict[str, Array]:
    """Every parameter with a prior, drawn independently; catch-up one-sided in 30 percent of the draws."""
    spec = loaded(4).spec
    assert spec is not None
    uncertain = [item for item in spec.parameters.values() if item.prior is not None and item.variable]
    rng = np.random.default_rng(0)
    drawn = {item.variable: item.prior.sample(rng, DRAWS)[None, :] for item in uncertain if not item.switch}
    drawn["Catch Up Asymmetry"] = (rng.random(DRAWS) < 0.3).astype(float)[None, :]
    # What acts where it is switched on alone comes last, so that the draws of the others stay as they are.
    return drawn | {item.variable: item.prior.sample(rng, DRAWS)[None, :] for item in uncertain if item.switch}


def growth(form: str) -> dict[str, Any]:
    """Growth by skills in the same draws: as shipped, around zero, none, or from the lead over the nation of before."""
    spec = loaded(4).spec
    prior = spec.parameters["lam_I"].prior if spec is not None else None
    assert prior is not None
    score = prior.normal_score(prior_draws()[GROWTH])
    forms: dict[str, dict[str, Any]] = {
        "shipped": {},
        "wide": {GROWTH: 0.02 * score},
        "none": NO_GROWTH,
        "old": {**OLD_FORM, GROWTH: 0.015 * np.exp(score)},
    }
    return forms[form]


def drawn(changes: dict[str, Any], outcome: str = GAP, form: str = "shipped", place: int = WEST) -> Array:
    """An outcome of a region at the end, by draw."""
    values = {**FOUR_REGIONS, **prior_draws(), **growth(form), **changes}
    found: Array = run(values, YEARS, [outcome], engine="llvm")[outcome][0, :, place, -1]
    return found


def share_that_widens(change: dict[str, Any], reference: dict[str, Any], form: str = "shipped") -> float:
    """Share of draws in which the gap is wider with the change than with the reference."""
    return float((drawn(change, form=form) > drawn(reference, form=form)).mean())


def share_that_gains(cost: dict[str, float], form: str = "shipped") -> float:
    """Share of draws in which application funded in the East raises output per head in the West."""
    return float((drawn({**EAST_ONLY, **cost}, PER_HEAD, form) > drawn(cost, PER_HEAD, form)).mean())


def share_that_ends_wider(form: str = "shipped") -> float:
    """Share of draws in which the gap is wider at the end than at the start, without policy."""
    return float((drawn({}, form=form) > baseline(GAP, 0.25)[WEST]).mean())


@cache
def share_first(form: str) -> dict[str, float]:
    """Share of draws in which a lever alone, by need, closes most."""
    gaps = np.stack([drawn(lever(name), form=form) for name in SHARES])
    return {name: float((gaps.argmin(axis=0) == place).mean()) for place, name in enumerate(SHARES)}


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("Digital Absorptive Catch Up Rate", 0.0, 0.01),
        ("Industrial Synergy Share", 0.0, 0.03),
        ("Base Migration Rate", 0.0, 0.01),
        (GROWTH, 0.6, 0.75),
        ("Public Service Attraction", 0.99, 1.0),
        ("Data Output Effect", 0.97, 1.0),
        ("Mobility Friction Share", 0.97, 1.0),
        ("Agglomeration Elasticity", 0.92, 1.0),
        ("Mobile Investment Share", 0.97, 1.0),
        ("Application Output Effect", 0.8, 0.95),
    ],
)
def test_sign_of_a_mechanism_over_prior_draws(name: str, low: float, high: float) -> None:
    assert low <= share_that_widens({}, {name: 0.0}) <= high


@pytest.mark.parametrize(
    ("form", "low", "high"), [("shipped", 0.48, 0.63), ("wide", 0.38, 0.52), ("none", 0.38, 0.54), ("old", 0.8, 0.97)]
)
def test_whether_digital_channels_together_widen_the_gap_depends_on_the_form(
    form: str, low: float, high: float
) -> None:
    assert low < share_that_widens({}, CHANNELS_OFF, form) < high
    assert 0.3 < share_that_widens({}, {**LEVELS_OFF, **DIFFUSION_OFF}, form) < 0.55


def test_gap_without_policy_narrows_in_nearly_all_draws_and_not_under_the_old_form() -> None:
    assert max(share_that_ends_wider(form) for form in ("shipped", "wide", "none")) < 0.12
    assert 0.2 < share_that_ends_wider("old") < 0.36


def test_uniform_policy_seldom_widens_the_gap_and_did_so_more_under_the_old_form() -> None:
    for form in ("shipped", "wide", "none"):
        assert 0.12 < share_that_widens(OUTPUT_MONEY, {}, form) < 0.3
        assert share_that_widens(OUTPUT_MONEY, POLICY, form) > 0.95  # per head spreads more
    assert 0.12 < share_that_widens({**OUTPUT_MONEY, **NO_POLICY_ASSUMPTIONS}, NO_POLICY_ASSUMPTIONS) < 0.3
    assert 0.3 < share_that_widens(OUTPUT_MONEY, {}, "old") < 0.5
    assert share_that_widens(POLICY, {}) < 0.05


def test_differentiated_against_uniform_over_prior_draws() -> None:
    frontier_for_all = {**POLICY, "Uniform Mix": MIX_BY_CLASS[:, 0]}
    for form in ("shipped", "wide", "none"):
        assert 0.42 < share_that_widens(POLICY, ZONED, form) < 0.66
        assert 0.2 < share_that_widens(frontier_for_all, ZONED, form) < 0.42
    assert 0.7 < share_that_widens(POLICY, ZONED, "old") < 0.87
    assert 0.48 < share_that_widens(frontier_for_all, ZONED, "old") < 0.68


def test_weak_governance_costs_policy_in_nearly_all_draws_and_a_diagnosis_from_open_data_in_fewer() -> None:
    zoned = {**POLICY, **NEED}
    assert share_that_widens({**zoned, **GOVERNANCE_ON}, zoned) > 0.9
    assert 0.25 < share_that_widens({**ZONED, **DIAGNOSIS_ON}, ZONED) < 0.48
    assert 0.5 < share_that_widens({**ZONED, **DIAGNOSIS_ON}, ZONED, "old") < 0.7


def test_skills_are_first_in_a_third_of_draws_and_in_more_under_the_old_form() -> None:
    for form in ("shipped", "wide", "none"):
        assert 0.2 < share_first(form)["skills"] < share_first(form)["application"] < 0.5
    assert share_first("old")["skills"] > 0.5


def share_in_which_frontier_regions_do_best_with_their_mix(form: str = "shipped") -> float:
    """Share of draws in which output per head of the East is higher with the frontier mix than the transition mix."""
    transition = {**POLICY, **exchanged("Frontier", "Transition")}
    return float((drawn(ZONED, PER_HEAD, form, EAST) > drawn(transition, PER_HEAD, form, EAST)).mean())


def test_whether_frontier_regions_do_best_with_the_frontier_mix_is_a_coin_toss() -> None:
    for form in ("shipped", "wide", "none"):
        assert 0.4 < share_in_which_frontier_regions_do_best_with_their_mix(form) < 0.65
    assert 0.2 < share_in_which_frontier_regions_do_best_with_their_mix("old") < 0.45


def test_sameness_hardly_ever_widens_the_gap_over_prior_draws() -> None:
    same = {**POLICY, "Homogenisation Sensitivity": 0.3}
    assert share_that_widens(same, {**POLICY, "Homogenisation Sensitivity": 0.0}) < 0.02


def test_application_funded_in_the_east_seldom_raises_output_in_the_west() -> None:
    for form in ("shipped", "wide", "none"):
        assert 0.05 < share_that_gains({}, form) < 0.17
        assert 0.2 < share_that_gains({"Crowding Out Share": 0.0}, form) < 0.4
    assert share_that_gains({}, "old") < 0.05
    assert share_that_gains({"Crowding Out Share": 0.0}, "old") < 0.15


def test_a_transition_mix_suits_lagging_regions_better_in_most_draws() -> None:
    for form in ("shipped", "wide", "none", "old"):
        assert 0.5 < share_that_widens(ZONED, {**POLICY, **exchanged("Lagging", "Transition")}, form) < 0.78


# ----------------------------------------------------------------------------- the figures of the claim table


def output_lost_by_sameness() -> float:
    """Loss of national output by year 25 under a uniform policy."""
    same, free = (final({**POLICY, "Homogenisation Sensitivity": value}, "National Output", 25) for value in (0.3, 0.0))
    return float(1 - same / free)


@pytest.mark.parametrize(
    ("claim", "text", "measure"),
    [
        ("C4", "56 %", lambda: share_that_widens({}, CHANNELS_OFF)),
        ("C4", "45 % with a wide prior", lambda: share_that_widens({}, CHANNELS_OFF, "wide")),
        ("C4", "46 % without", lambda: share_that_widens({}, CHANNELS_OFF, "none")),
        ("C4", "87 % under", lambda: share_that_widens({}, CHANNELS_OFF, "old")),
        ("C4", "0.5 points", lambda: widening(CHANNELS_OFF)),
        ("C4", "1.2 without", lambda: widening(CHANNELS_OFF, NO_GROWTH)),
        ("C4", "2.4 under", lambda: -widening(CHANNELS_OFF, OLD_FORM)),
        ("C9", "10 %", lambda: share_that_gains({})),
        ("C9", "32 %", lambda: share_that_gains({"Crowding Out Share": 0.0})),
        ("C9", "2 and", lambda: share_that_gains({}, "old")),
        ("C9", "5 % under", lambda: share_that_gains({"Crowding Out Share": 0.0}, "old")),
        ("C18", "45.1", lambda: baseline(GAP, 0.25)[WEST]),
        ("C18", "35.8 %", lambda: baseline(GAP)[WEST]),
        ("C18", "3 %", share_that_ends_wider),
        ("C18", "8 % with", lambda: share_that_ends_wider("wide")),
        ("C18", "25 % under", lambda: share_that_ends_wider("old")),
        ("C17", "0.47 points", lambda: closed({"Differentiation": 1.0}, DIAGNOSIS_ON)),
        ("C17", "0.44 with", lambda: closed({"Differentiation": 1.0})),
        ("C54", "0.73", lambda: closed(NEED)),
        ("C54", "0.88 points", lambda: closed({**NEED, "Pilot Region": np.eye(4)[WEST]})),
        ("C54", "0.64 with", lambda: closed({**NEED, "Pilot Region": np.eye(4)[1]})),
        ("C29", "0.61 points", lambda: closed(NEED, GOVERNANCE_ON)),
        ("C29", "0.73", lambda: closed(NEED)),
        ("C36", "0.44 points", lambda: closed({"Differentiation": 1.0})),
        ("C36", "0.44 for the usual", lambda: closed({})),
        ("C36", "0.65 for the frontier", lambda: closed({"Uniform Mix": MIX_BY_CLASS[:, 0]})),
        ("C36", "58 %", lambda: share_that_widens(POLICY, ZONED)),
        ("C36", "33 %", lambda: share_that_widens({**POLICY, "Uniform Mix": MIX_BY_CLASS[:, 0]}, ZONED)),
        ("C36", "82 and", lambda: share_that_widens(POLICY, ZONED, "old")),
        ("C36", "58 % under", lambda: share_that_widens({**POLICY, "Uniform Mix": MIX_BY_CLASS[:, 0]}, ZONED, "old")),
        ("C41", "0.5 %", output_lost_by_sameness),
        ("C42", "0.12 points", lambda: closed({"Redistribution Exponent": -1.0})),
        ("C42", "0.44 per head", lambda: closed({})),
        ("C42", "22 %", lambda: share_that_widens(OUTPUT_MONEY, {})),
        (
            "C42",
            "20 % without",
            lambda: share_that_widens({**OUTPUT_MONEY, **NO_POLICY_ASSUMPTIONS}, NO_POLICY_ASSUMPTIONS),
        ),
        ("C42", "39 % under", lambda: share_that_widens(OUTPUT_MONEY, {}, "old")),
        ("C47", "0.83 points", lambda: -effect(lever("skills"), GAP)[WEST]),
        ("C47", "1.00", lambda: -effect(lever("application"), GAP)[WEST]),
        ("C47", "31 %", lambda: share_first("shipped")["skills"]),
        ("C47", "38 %", lambda: share_first("shipped")["application"]),
        ("C47", "27 % without", lambda: share_first("none")["skills"]),
        ("C47", "59 % under", lambda: share_first("old")["skills"]),
        ("C51", "0.45 points", lambda: gap_closed_when("Frontier", "Transition")),
        ("C51", "0.44", lambda: closed({"Differentiation": 1.0})),
        ("C51", "51 %", share_in_which_frontier_regions_do_best_with_their_mix),
        ("C51", "33 % under", lambda: share_in_which_frontier_regions_do_best_with_their_mix("old")),
        ("C52", "0.52 points", lambda: gap_closed_when("Transition", "Frontier")),
        ("C52", "80 %", lambda: share_that_widens(ZONED, {**POLICY, **exchanged("Transition", "Frontier")})),
        ("C53", "0.51", lambda: gap_closed_when("Lagging", "Transition")),
        ("C53", "68 %", lambda: share_that_widens(ZONED, {**POLICY, **exchanged("Lagging", "Transition")})),
        ("C53", "0.59", lambda: gap_closed_when("Lagging", "Frontier")),
    ],
)
def test_figures_of_the_claim_table_are_those_of_this_build(
    claim: str, text: str, measure: Callable[[], float]
) -> None:
    table = (model_folder("regional_digital") / "claims.md").read_text(encoding="utf-8")
    (row,) = (line for line in table.splitlines() if line.startswith(f"| {claim} |"))
    assert text in row
    figure = text.split()[0]
    decimals = len(figure.partition(".")[2])
    assert f"{100 * measure():.{decimals}f}" == figure


ACTIVE = np.ones(len(LEVERS))


def without(*names: str) -> Array:
    """All levers but some."""
    return np.array([float(name.casefold() not in names) for name in LEVERS])


def test_a_lever_that_is_off_leaves_its_money_unspent() -> None:
    budget = {**FOUR_REGIONS, **POLICY, "Lever Active": without("skills")}
    found = run(budget, 15, ["Allocated Budget", "Policy Budget", "Delivered Fraction", "Spent Budget Share"])
    place = LEVERS.index("Skills")
    assert not found["Allocated Budget"][0, 0, place].any()
    assert not found["Delivered Fraction"][0, 0, place].any()
    spent, whole = found["Allocated Budget"][0, 0].sum(axis=(0, 1))[-1], found["Policy Budget"][0, 0, -1]
    assert spent == pytest.approx((1 - UNIFORM_MIX[place]) * whole, rel=1e-12)
    assert found["Spent Budget Share"][0, 0, -1] == pytest.approx(spent / whole * 0.003, rel=1e-12)


@pytest.mark.parametrize("rolling", [0.0, 1.0])
@pytest.mark.parametrize("off", ["levers", "mix", "column"])
def test_money_nobody_may_spend_changes_nothing(rolling: float, off: str) -> None:
    policy = {**POLICY, **NEED, "Rolling Evaluation Switch": rolling}
    changes = {
        "levers": {"Lever Active": np.zeros(len(LEVERS))},
        "mix": {"Mix by Class": np.zeros_like(MIX_BY_CLASS)},
        "column": {"Mix by Class": MIX_BY_CLASS * [0.0, 1.0, 1.0]},
    }[off]
    names = ["Output", "Population", "Synergy Weight", "Physical Capital"]
    found = simulated({**policy, **changes}, names, 25)
    none = simulated({**policy, "Policy Budget Share": 0.0}, names, 25)
    for name in names:
        assert np.isfinite(found[name]).all()
        assert off == "column" or (found[name] == none[name]).all()


def test_crowding_out_takes_from_savings_only_what_is_spent() -> None:
    def taken(active: Array) -> float:
        policy = {**POLICY, "Lever Active": active, "Crowding Out Share": 1.0}
        names = ["Investable Funds", "Output", "Investment Rate"]
        found = simulated(policy, names, 15)
        saved, output, rate = (found[name][0, 0, WEST, -1] for name in names)
        return float(rate - saved / output)

    assert taken(ACTIVE) == pytest.approx(0.003, rel=1e-9)
    assert taken(without("skills", "access")) == pytest.approx(0.003 * 0.6, rel=1e-9)


def test_sameness_is_that_of_the_money_that_is_spent() -> None:
    own = np.transpose([mix(access=share, compensation=1 - share) for share in (0.5, 0.1, 0.1)])
    policy = {**POLICY, "Differentiation": 1.0, "Mix by Class": own}
    homogeneity = final({**policy, "Lever Active": without("compensation")}, "Policy Homogeneity")
    assert homogeneity.max() == pytest.approx(homogeneity.min(), rel=1e-9)
    assert np.ptp(final(policy, "Policy Homogeneity")) > 0.1


def test_rolling_evaluation_leaves_the_share_of_an_inactive_lever_unspent() -> None:
    names = ["Policy Weight", "Spent Mix"]
    policy = {**POLICY, **ROLLING, "Policy Start Time": START, "Lever Active": without("skills")}
    found = simulated(policy, names, 25)
    place = LEVERS.index("Skills")
    weight = found["Policy Weight"][0, 0]
    assert weight[place] == pytest.approx(np.broadcast_to(weight[place, :, :1], weight[place].shape), abs=1e-15)
    assert weight.sum(axis=0) == pytest.approx(np.ones(weight.shape[1:]), abs=1e-12)
    assert np.abs(weight[..., -1] - weight[..., 0]).max() > 0.01
    assert found["Spent Mix"][0, 0].sum(axis=0) == pytest.approx(np.ones(weight.shape[1:]), abs=1e-12)


def stripped(text: str, undo: dict[str, str]) -> str:
    """The model file without some terms."""
    for term, without_it in undo.items():
        assert term in text, term
        text = text.replace(term, without_it)
    return text


# Every place where an optional mechanism enters, and what stood there before it.
UNDONE = {
    "(1 - Rural Broadband Share)\n\t\t\t* ": "",
    "MIN(1, Coverage[Region] * Rural Opening[Region])": "Coverage[Region]",
    " * Governance Capacity[Region]": "",
    "Diagnosed Class[Class!,Region]": "Class Membership[Class!,Region]",
    "Diagnosed Need[Lever,Region])": "Need Share[Lever,Region])",
    " * Region Open[Region!]": "",
    " * Region Open[Region]": "",
    """((1 - Pilots Judged) * Planned Mix[Lever,Region]
					+ Pilots Judged * Piloted Mix[Lever,Region])""": "Planned Mix[Lever,Region]",
    "Judged Score[Lever!,Region])": "Evaluation Score[Lever!,Region])",
    "(Judged Score[Lever,Region]\n": "(Evaluation Score[Lever,Region]\n",
    "\tJudged Score[Lever,Region] <": "\tEvaluation Score[Lever,Region] <",
}


@pytest.mark.parametrize("rolling", [0.0, 1.0])
def test_with_every_switch_at_zero_the_model_is_the_one_without_the_mechanisms(rolling: float, tmp_path: Path) -> None:
    text = (model_folder("regional_digital") / "model.mdl").read_text(encoding="utf-8")
    file = tmp_path / "stripped.mdl"
    file.write_text(stripped(text, UNDONE), encoding="utf-8")
    plain = load_model(file, regions=4)
    policy = {**POLICY, **NEED, "Misfit Sensitivity": 0.2, "Rolling Evaluation Switch": rolling}
    names = ["Output", "Population", "Access Share", "Policy Weight", "Allocated Budget", "Evaluation Score"]
    found = simulated(policy, names, 25)
    span = {"start": START, "stop": START + 25, "outcomes": names, "engine": "numpy"}
    expected = simulate(plain, {**DESIGN, **FOUR_REGIONS, **policy}, **span)
    for name in names:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("place", [EAST, WEST])
def test_named_loops_are_reinforcing_or_balancing_as_their_names_say(place: int) -> None:
    model = loaded(4)
    found = loops(model, {**FOUR_REGIONS, **DESIGN}, focus={"Region": model.ranges["Region"][place]}, find="named")
    means = dict(zip(found.paths, found.relative.mean("time").to_numpy(), strict=True))
    assert {name[0] for name, mean in means.items() if mean > 1e-6} == {"R"}
    assert {name[0] for name, mean in means.items() if mean < -1e-6} == {"B"}
    # Catch-up is stronger than talent, and talent acts by technology, not by capital.
    assert -means["B1"] > means["R1"] > 10 * means["R1 capital"]
    early, late = (found.relative.isel(time=part).mean("time") for part in (slice(40), slice(-40, None)))
    # Imitation of access gives way to saturation.
    shares = [-float(part.sel(loop="R7 access") / part.sel(loop="B3 access")) for part in (early, late)]
    assert shares[1] < shares[0]
    assert found.held < 0.3


# Growth by skills alone: nothing else moves technology, and nobody pays for what others get.
ALONE = {**NULL, **NO_POLICY_ASSUMPTIONS, "Crowding Out Share": 0.0}


@pytest.mark.parametrize("trained", range(4))
@pytest.mark.parametrize("rate", [0.003, 0.07])
def test_training_one_region_slows_no_other_unless_growth_is_that_of_a_lead(trained: int, rate: float) -> None:
    def gained(centring: float) -> Array:
        training = {**lever("skills"), **ALONE, "Region Target": np.eye(4)[trained]}
        return effect({**training, GROWTH: rate, "Innovation Centring": centring}, "Log Technology")

    others = np.arange(4) != trained
    own, lead = gained(0.0), gained(1.0)
    assert own[trained] > lead[trained] > 0
    assert (own[others] > -1e-12).all()
    assert (lead[others] < -1e-6).all()


def test_growth_from_a_lead_sums_to_zero_over_people_and_own_skills_add_growth() -> None:
    names = ["Relative Growth", "Skill Share", "Population"]
    for centring in (0.0, 1.0):
        form = {**ALONE, "Structural Gap Persistence": 1.0, GROWTH: 0.015, "Innovation Centring": centring}
        rate, skills, people = (simulated(form, names, 25)[name][0, 0] for name in names)
        added = (rate * people).sum(axis=0) / people.sum(axis=0)
        nation = (skills * people).sum(axis=0) / people.sum(axis=0)
        assert added == pytest.approx((1 - centring) * 0.015 * (nation - nation[0]), abs=1e-12)


def test_with_the_same_skills_everywhere_growth_from_a_lead_does_nothing() -> None:
    alike = {name: np.full(4, value[WEST]) for name, value in FOUR_REGIONS.items()}
    policy = {**alike, **POLICY, "Policy Start Time": START}

    def technology(rate: float, centring: float) -> Array:
        return final({**policy, GROWTH: rate, "Innovation Centring": centring}, "Log Technology", 25)

    assert technology(0.07, 1.0) == pytest.approx(technology(0.0, 1.0), abs=1e-12)
    assert (technology(0.07, 0.0) > technology(0.0, 0.0) + PERCENT).all()


def test_unit_costs_follow_national_output_per_head_from_the_first_year_on() -> None:
    names = [
        "Unit Cost Index",
        "National Output per Capita",
        "Missing Cost",
        "Missing Village Cost",
        "Missing Basic Cost",
    ]
    fixed, indexed = (simulated({"Cost Indexation": value}, names, 25) for value in (0.0, 1.0))
    index, output = indexed["Unit Cost Index"][0, 0], indexed["National Output per Capita"][0, 0]
    assert index[0] == 1
    assert index == pytest.approx(output / output[0], rel=1e-12)
    assert index[-1] > 1.5
    assert (fixed["Unit Cost Index"] == 1).all()
    # Without money nothing but the costs differs: those in yuan follow the index, those in shares of output do not.
    in_yuan = [LEVERS.index(name) for name in ("Access", "Skills")]
    others = [place for place in range(len(LEVERS)) if place not in in_yuan]
    before, after = fixed["Missing Cost"][0, 0], indexed["Missing Cost"][0, 0]
    assert after[in_yuan] == pytest.approx(before[in_yuan] * index, rel=1e-12)
    np.testing.assert_array_equal(after[others], before[others])
    for name in names[3:]:
        assert indexed[name][0, 0] == pytest.approx(fixed[name][0, 0] * index, rel=1e-12)
