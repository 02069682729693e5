"""The acceptance figures of the model's design, re-measured on this build with the growth and the costs of the design.

What must hold in every run is tried with those of today as well.
"""

from typing import Any

import numpy as np
import pytest

from pysd_runner.engine import TimePath
from tests.validation.four_regions import (
    FOUR_REGIONS as ILLUSTRATIVE,
    NO_POLICY_ASSUMPTIONS,
    NULL,
    OLD_FORM,
    POLICY,
    SIPHON,
    START,
    WEST,
    Array,
    Values,
    loaded,
    one,
    relative_log_output,
    run,
    scenarios,
    twenty_regions,
    west_gap,
)

Figures = dict[str, Any]
FOUR_REGIONS: Values = {**ILLUSTRATIVE, **OLD_FORM}
both_forms = pytest.mark.parametrize("form", [OLD_FORM, {}], ids=["design", "today"])
STEP = 0.25
STOCKS = (
    "Population",
    "Connected People",
    "Skilled People",
    "Application Share",
    "Shared Data",
    "Governance Integration",
    "Platform Linkage",
    "Physical Capital",
    "Digital Infrastructure",
    "Public Recognition",
    "Policy Weight",
    "Perceived Output per Capita",
)
SHARES = (
    "Access Share",
    "Skill Share",
    "Application Share",
    "Shared Data",
    "Governance Integration",
    "Platform Linkage",
    "Coverage",
    "Public Recognition",
    "Policy Weight",
    "Delivered Fraction",
    "Region Budget Share",
)
# Outcomes that `bounds_of` reads.
BOUNDED = sorted({*STOCKS, *SHARES, "Output", "Theil Index"})
_MIGRATION, _INNOVATION = "Base Migration Rate", "Skill Innovation Coefficient"
_CAPITAL, _AGGLOMERATION = "Mobile Investment Share", "Agglomeration Elasticity"
# What is switched off, case by case.
SIPHON_OFF: tuple[tuple[str, ...], ...] = (
    (),
    (_MIGRATION,),
    (_INNOVATION,),
    (_CAPITAL,),
    (_AGGLOMERATION,),
    (_MIGRATION, _CAPITAL, _AGGLOMERATION),
    (_INNOVATION, _CAPITAL, _AGGLOMERATION),
    (_INNOVATION, _CAPITAL),
    (_MIGRATION, _INNOVATION, _AGGLOMERATION),
    (_MIGRATION, _INNOVATION, _CAPITAL, _AGGLOMERATION),
)
# Differentiation, exponent of redistribution (-1: money follows output, 0: per head, 1: need), rolling evaluation.
MIXES = ((0, -1, 0), (0, 0, 0), (1, -1, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1))


def _closed_by(policies: list[Values], base: Values, year: int) -> Array:
    without = {**policies[0], "Policy Budget Share": 0.0}
    gap = west_gap([{**base, **policy} for policy in (without, *policies)], year)[:, year]
    return 100 * (gap[0] - gap[1:])


EXTREMES: tuple[tuple[Values, int], ...] = (
    # Infrastructure decays.
    ({"Initial Digital Investment Growth": -0.12, "Access Innovation Coefficient": 0.0}, 100),
    # A fifth of output.
    ({"Policy Budget Share": 0.2, "Redistribution Exponent": 1.0, "Policy Start Time": START}, 60),
    # Fast evaluation.
    (
        {
            "Policy Budget Share": 0.01,
            "Rolling Evaluation Switch": 1.0,
            "Rolling Adjustment Rate": 2.0,
            "Policy Start Time": START,
        },
        60,
    ),
    # Mass migration.
    ({"Base Migration Rate": 0.2, "Migration Income Elasticity": 3.0, "Skilled Mobility Ratio": 5.0}, 60),
    # From almost nothing.
    (
        {
            "Initial Access Share": np.full(4, 1e-4),
            "Initial Skill Share": np.full(4, 1e-5),
            "Initial Application Share": np.full(4, 1e-6),
            "Initial Shared Data": np.zeros(4),
            "Initial Governance Integration": np.zeros(4),
            "Initial Platform Linkage": np.zeros(4),
            "Policy Budget Share": 0.003,
            "Redistribution Exponent": 1.0,
            "Policy Start Time": START + 5,
        },
        80,
    ),
)


def bounds_of(found: Any) -> Figures:
    """How close a run comes to the bounds that no run may cross."""
    return {
        "least stock": min(float(found[name].min()) for name in STOCKS),
        "largest share": max(float(found[name].max()) for name in SHARES),
        "skilled / connected": float((found["Skilled People"] / found["Connected People"]).max()),
        "connected / population": float((found["Connected People"] / found["Population"]).max()),
        "weights minus one": float(np.abs(found["Policy Weight"].sum(axis=2) - 1).max()),
        "finite": all(bool(np.isfinite(found[name]).all()) for name in BOUNDED),
    }


DRAWS, CHUNK = 2000, 250


def random_draws(rng: np.random.Generator, count: int) -> dict[str, Array]:
    """Draws far outside what a calibration would call plausible, shape (1, draw)."""
    uniform = {
        "Trend Growth of Output per Worker": (0, 0.05),
        "Industrial Synergy Share": (0, 0.7),
        "Baseline Catch Up Rate": (0, 0.04),
        "Digital Absorptive Catch Up Rate": (0, 0.08),
        "Catch Up Asymmetry": (0, 1),
        "Skill Innovation Coefficient": (0, 0.08),
        "Structural Gap Persistence": (0, 1),
        "Catch Up Curvature": (0.001, 1),
        "Agglomeration Elasticity": (0, 0.05),
        "Mobile Investment Share": (0, 0.8),
        "Access Imitation Coefficient": (0.02, 0.7),
        "Application Imitation Coefficient": (0.02, 0.8),
        "Learning by Using Rate": (0.01, 0.2),
        "Learning with Application Rate": (0, 1),
        "Skill Obsolescence Rate": (0.01, 0.2),
        "Initial Digital Investment Growth": (-0.05, 0.1),
        "Reference Infrastructure Growth": (0, 0.05),
        "Base Migration Rate": (0, 0.05),
        "Migration Income Elasticity": (0, 3),
        "Skilled Mobility Ratio": (1, 5),
        "Data Network Coefficient": (0, 1.5),
        "Data Share of Mobility": (0, 1),
        "Data Governance Coefficient": (0, 0.3),
        "Policy Budget Share": (0, 0.02),
        "Elimination Threshold": (0, 1),
        "Minimum Delivery Time": (1, 4),
        "Redistribution Exponent": (-1, 2),
        "Differentiation": (0, 1),
    }
    found = {name: rng.uniform(low, high, (1, count)) for name, (low, high) in uniform.items()}
    found["Application Output Effect"] = rng.lognormal(np.log(0.10), 0.7, (1, count))
    found["Rolling Evaluation Switch"] = rng.integers(0, 2, (1, count)).astype(float)
    return found


def forms(rng: np.random.Generator, count: int) -> dict[str, Array]:
    """Growth that skills raise or lower, from own skills or a lead, and costs that follow output or not."""
    uniform = {"Skill Innovation Coefficient": (-0.05, 0.08), "Innovation Centring": (0, 1), "Cost Indexation": (0, 1)}
    return {name: rng.uniform(low, high, (1, count)) for name, (low, high) in uniform.items()}


def _pull(change: Values) -> Figures:
    relative = relative_log_output({**twenty_regions(alike=True), **NULL, **change}, 1)
    level, growth = relative[:, 0], np.diff(relative)[:, 0]
    order = np.argsort(level)
    thirds = [order[:7], order[7:13], order[13:]]
    return {
        "thirds": np.array([np.polyfit(level[part], growth[part], 1)[0] for part in thirds]),
        "all": np.polyfit(level, growth, 1)[0],
        "r2": np.corrcoef(level, growth)[0, 1] ** 2,
    }


OBSERVED: dict[str, str] = {
    "Initial Population": "Population",
    "Initial Output per Capita": "Output per Capita",
    "Initial Access Share": "Access Share",
    "Initial Skill Share": "Skill Share",
    "Initial Application Share": "Application Share",
    "Initial Shared Data": "Shared Data",
    "Initial Governance Integration": "Governance Integration",
    "Initial Platform Linkage": "Platform Linkage",
}


def stated(*figures: float, digits: int) -> object:
    """Figures that were rounded to so many digits after the point."""
    return pytest.approx(figures, abs=0.5 * 10.0**-digits * (1 + 1e-9), rel=0)


def test_a1_relative_output_is_a_random_walk_when_every_coupling_is_off() -> None:
    values = {**twenty_regions(), **NULL}
    relative = relative_log_output(values, 35)
    shock = np.zeros((2, 20))
    shock[0, 3] = 0.01 / STEP
    path = TimePath(times=np.array([START, START + STEP]), values=shock)
    shocked = {**values, "Technology Shock": path}
    change = np.log(one(shocked, 35, "Output per Capita") / one(values, 35, "Output per Capita"))
    assert np.abs(relative - relative[:, :1]).max() < 1e-12
    assert np.abs(change[3, 1:] / 0.01 - 1).max() < 1e-11
    assert np.abs(np.delete(change, 3, axis=0)).max() < 1e-13


def test_a2_momentum_is_a_damped_trend() -> None:
    values = {**twenty_regions(), **NULL}
    momentum = np.zeros(20)
    momentum[5] = 0.01
    change = np.log(
        one({**values, "Initial Growth Momentum": momentum}, 35, "Output per Capita")
        / one(values, 35, "Output per Capita")
    )
    phi = (1 - STEP / 1.4) ** (1 / STEP)
    assert phi == pytest.approx(0.4553, abs=5e-5)
    assert np.abs(change[5] - 0.01 * 1.4 * (1 - phi ** np.arange(36))).max() < 1e-12
    assert change[5, -1] == pytest.approx(0.014, abs=5e-4)


def test_a3_access_follows_an_s_and_the_ladder_comes_later() -> None:
    values = {
        **FOUR_REGIONS,
        "Initial Access Share": np.full(4, 0.02),
        "Initial Skill Share": np.full(4, 0.004),
        "Initial Application Share": np.full(4, 0.001),
        "Access Innovation Coefficient": 0.005,
        "Access Imitation Coefficient": 0.5,
    }
    found = run(values, 40, ["Access Share", "Skill Share", "Application Share"])
    access, skills, application = (found[name][0, 0] for name in ("Access Share", "Skill Share", "Application Share"))
    fastest = np.diff(access).argmax(axis=1)
    assert fastest[WEST] == 10
    assert set(fastest) <= {9, 10}
    for later in (skills, application):
        assert set(np.diff(later).argmax(axis=1)) == {39}
    assert tuple(access[WEST, [15, 40]]) == stated(0.61, 0.82, digits=2)


def test_a4_innovation_and_talent_widen_the_gap() -> None:
    cases = [{**FOUR_REGIONS, **SIPHON, **dict.fromkeys(off, 0.0)} for off in SIPHON_OFF]
    gap = west_gap(cases, 35)
    assert gap[0, 0] == pytest.approx(0.451, abs=5e-4)
    expected = (0.613, 0.650, 0.400, 0.595, 0.574, 0.651, 0.348, 0.382, 0.451, 0.451)
    assert tuple(gap[:, 35]) == stated(*expected, digits=3)


def test_a5_policy_mixes_close_the_gap() -> None:
    names = ("Differentiation", "Redistribution Exponent", "Rolling Evaluation Switch")
    policies: list[Values] = [{**POLICY, **dict(zip(names, mix, strict=True))} for mix in MIXES]
    central = _closed_by(policies, FOUR_REGIONS, 25)
    assert tuple(central) == stated(0.08, 0.53, 0.29, 0.80, 1.29, 1.55, digits=2)
    without_assumptions = _closed_by(policies, {**FOUR_REGIONS, **NO_POLICY_ASSUMPTIONS}, 25)
    assert tuple(without_assumptions) == stated(0.11, 0.59, 0.36, 0.90, 1.41, 1.72, digits=2)


def test_a6_one_lever_at_a_time() -> None:
    base = {**FOUR_REGIONS, **NO_POLICY_ASSUMPTIONS}
    levers = ("Access", "Skills", "Application", "Data", "Governance", "Knowledge", "Compensation")
    assert loaded(4).ranges["Lever"] == levers
    # Knowledge is 0.5247: the 0.53 of the design is not reproduced (models/regional_digital/acceptance.md).
    expected = {0: (0.22, 1.56, 1.17, 0.34, 0.44, 0.33, 0.68), 10: (0.18, 1.82, 0.96, 0.45, 0.59, 0.52, 0.60)}
    for start, figures in expected.items():
        policies: list[Values] = [
            {**POLICY, "Policy Start Time": START + start, "Redistribution Exponent": 1.0, "Uniform Mix": mix}
            for mix in np.eye(len(levers))
        ]
        assert tuple(_closed_by(policies, base, start + 15)) == stated(*figures, digits=2)


def assert_within_bounds(figures: Figures) -> None:
    assert figures["finite"]
    assert figures["least stock"] >= 0
    assert figures["largest share"] <= 1
    assert figures["skilled / connected"] <= 1
    assert figures["connected / population"] <= 1
    assert figures["weights minus one"] < 1e-12


@pytest.mark.slow
def test_a7_extreme_settings_cross_no_bound() -> None:
    figures = [bounds_of(run({**FOUR_REGIONS, **change}, years, BOUNDED)) for change, years in EXTREMES]
    for found in figures:
        assert_within_bounds(found)
    assert max(found["skilled / connected"] for found in figures) == pytest.approx(0.93, abs=0.005)


@both_forms
def test_a8_identical_regions_stay_identical(form: Values) -> None:
    values = {name: np.repeat(value[1], 5) for name, value in ILLUSTRATIVE.items()}
    found = run({**values, **form, **POLICY, "Policy Start Time": START + 5}, 40, BOUNDED)
    growth = 1 + FOUR_REGIONS["Natural Population Growth Rate"][1] * STEP
    alone = FOUR_REGIONS["Initial Population"][1] * growth ** (np.arange(41) / STEP)
    apart = [np.ptp(found[name], axis=-2).max() / np.abs(found[name]).max() for name in STOCKS]
    assert max(apart) < 1e-13
    assert np.abs(found["Population"][0, 0] / alone - 1).max() < 1e-12


@both_forms
def test_a9_people_are_conserved(form: Values) -> None:
    values = {**ILLUSTRATIVE, **form, **POLICY, "Natural Population Growth Rate": np.zeros(4)}
    total = one(values, 50, "Population").sum(axis=0)
    assert np.abs(total / total[0] - 1).max() < 1e-12


def test_a10_the_step_hardly_matters() -> None:
    values = {**FOUR_REGIONS, **POLICY, "Differentiation": 1.0, "Redistribution Exponent": 1.0}
    reference = one(values, 25, "Output per Capita")
    for step, bound in {1.0: 3.0e-3, 0.5: 1.0e-3, 0.125: 4.8e-4, 0.03125: 8.4e-4}.items():
        apart = np.abs(one(values, 25, "Output per Capita", step=step) / reference - 1).max()
        assert 0.9 * bound < apart < 1.01 * bound, step


@both_forms
def test_a11_the_order_of_regions_does_not_matter(form: Values) -> None:
    policy = {**POLICY, "Redistribution Exponent": 1.0, "Rolling Evaluation Switch": 1.0}
    order = np.array([2, 0, 3, 1])
    straight = run({**ILLUSTRATIVE, **form, **policy}, 35)
    turned = run({**{name: value[order] for name, value in ILLUSTRATIVE.items()}, **form, **policy}, 35)
    apart = [
        np.abs(turned[name] - straight[name][..., order, :]).max() / np.abs(straight[name]).max() for name in STOCKS
    ]
    assert max(apart) < 1e-12


@both_forms
def test_a12_the_currency_does_not_matter(form: Values) -> None:
    policy = {**POLICY, "Redistribution Exponent": 1.0}
    money = {
        "Initial Output per Capita": FOUR_REGIONS["Initial Output per Capita"],
        "Affordability Half Income": 4000.0,
        "Reference Infrastructure per Person": 600.0,
        "Cost per Subsidised Connection": 600.0,
        "Cost per Training Place": 4480.0,
    }
    dear = {name: 7 * value for name, value in money.items()}
    output = one({**ILLUSTRATIVE, **form, **policy, **money}, 35, "Output per Capita")
    seven = one({**ILLUSTRATIVE, **form, **policy, **dear}, 35, "Output per Capita")
    assert np.abs(seven / output / 7 - 1).max() < 1e-12


@pytest.mark.slow
def test_a14_no_random_draw_crosses_a_bound() -> None:
    rng = np.random.default_rng(0)
    largest = 0.0
    for _ in range(DRAWS // CHUNK):
        values = {**FOUR_REGIONS, "Policy Start Time": START + 10, **random_draws(rng, CHUNK)}
        found = bounds_of(run(values, 50, BOUNDED, engine="llvm"))
        assert_within_bounds(found)
        largest = max(largest, found["skilled / connected"])
    assert largest == pytest.approx(0.994, abs=0.005)


@pytest.mark.slow
def test_a14_no_form_of_growth_or_costs_crosses_a_bound() -> None:
    rng = np.random.default_rng(1)
    values = {**ILLUSTRATIVE, "Policy Start Time": START + 10, **random_draws(rng, CHUNK), **forms(rng, CHUNK)}
    assert_within_bounds(bounds_of(run(values, 50, BOUNDED, engine="llvm")))


def test_a15_the_baseline_pull_is_pooled_convergence() -> None:
    pull = {"Baseline Catch Up Rate": 0.02, "Structural Gap Persistence": 0.0}
    plain, persistent = _pull(pull), _pull({**pull, "Structural Gap Persistence": 0.6})
    one_sided = _pull({**pull, "Catch Up Asymmetry": 1.0})
    assert tuple(plain["thirds"]) == stated(-0.0207, -0.0204, -0.0227, digits=4)
    assert plain["all"] == pytest.approx(-0.0213, abs=5e-5)
    assert plain["r2"] == pytest.approx(0.998, abs=5e-4)
    assert persistent["all"] == pytest.approx(-0.0085, abs=5e-5)
    assert tuple(one_sided["thirds"]) == stated(-0.0171, -0.0121, -0.0060, digits=4)


def test_a16_a_lower_position_pulls_down() -> None:
    deviation = np.zeros(20)
    deviation[:3] = -0.3
    for asymmetry, expected in ((0.0, (-0.070, -0.172)), (1.0, (-0.014, -0.045))):
        values = {
            **twenty_regions(alike=True),
            **NULL,
            "Baseline Catch Up Rate": 0.03,
            "Structural Gap Persistence": 1.0,
            "Structural Deviation": deviation,
            "Catch Up Asymmetry": asymmetry,
        }
        relative = relative_log_output(values, 35)
        assert tuple((relative[:3] - relative[:3, :1]).mean(axis=0)[[10, 35]]) == stated(*expected, digits=3)


def test_a17_a_vanishing_budget_has_a_vanishing_effect_and_sameness_never_helps() -> None:
    budgets = run(
        scenarios([{**FOUR_REGIONS, **POLICY, "Policy Budget Share": share} for share in (0.0, 1e-9)]), 35, ["Output"]
    )["Output"][:, 0]
    sameness: list[Values] = [
        {**FOUR_REGIONS, **POLICY, "Fiscal Capacity Sensitivity": 0.0, "Homogenisation Sensitivity": sensitivity}
        for sensitivity in (0.0, 0.3, 0.5)
    ]
    output = run(scenarios(sameness), 25, ["National Output"])["National Output"][:, 0, 25]
    assert np.abs(np.log(budgets[1] / budgets[0])).max() == pytest.approx(2e-8, abs=0.5e-8)
    assert tuple(output / output[0]) == stated(1.0, 0.9952, 0.9920, digits=4)


def test_a18_evaluation_leaves_the_regional_shares_alone() -> None:
    policy = {**FOUR_REGIONS, **POLICY, "Differentiation": 1.0, "Redistribution Exponent": 1.0}
    cases: list[Values] = [{**policy, "Rolling Evaluation Switch": switch} for switch in (0.0, 1.0)]
    share = run(scenarios(cases), 25, ["Region Budget Share"])["Region Budget Share"][:, 0, :, 25]
    assert np.abs(share[1] - share[0]).max() < 0.002
    assert tuple(share[:, 0]) == stated(0.306, 0.307, digits=3)
    assert tuple(share[:, 2]) == stated(0.328, 0.327, digits=3)


def test_a19_ten_points_more_application() -> None:
    here = [0.1 * np.eye(4)[region] for region in range(4)]
    cases: list[Values] = [
        {**FOUR_REGIONS, "Initial Application Share": FOUR_REGIONS["Initial Application Share"] + more}
        for more in (np.zeros(4), *here, np.full(4, 0.1))
    ]
    effect = run(scenarios(cases), 1, ["Digital Effect"])["Digital Effect"][:, 0, :, 0]
    gain = 100 * (effect[1:] - effect[0])
    own, everywhere = np.diag(gain[:4]), gain[4]
    assert (own.min(), own.max()) == stated(1.06, 1.10, digits=2)
    assert (everywhere.min(), everywhere.max()) == stated(1.18, 1.20, digits=2)


def test_a20_a_run_can_start_again_from_what_is_observed() -> None:
    whole = run(
        FOUR_REGIONS, 26, [*OBSERVED.values(), "Physical Capital", "Output", "Log Technology", "Investment Rate"]
    )
    at_stop = {name: whole[outcome][0, 0, :, 10] for name, outcome in OBSERVED.items()}
    at_stop["Initial Capital Output Ratio"] = whole["Physical Capital"][0, 0, :, 10] / whole["Output"][0, 0, :, 10]
    technology = whole["Log Technology"][0, 0] - whole["Log Technology"][0, 0].mean(axis=0)
    log_output = np.log(whole["Output per Capita"][0, 0])
    expected = (log_output - log_output.mean(axis=0))[:, 10:]
    shift = {"Reference Technology Shift": technology[:, 0] - technology[:, 10]}
    rate = {"Observed Investment Rate": whole["Investment Rate"][0, 0, :, 10]}

    def apart(change: Values) -> float:
        values = {**FOUR_REGIONS, **at_stop, **change}
        return float(np.abs(relative_log_output(values, 16, start=START + 10) - expected).max())

    assert apart(shift) < 0.011
    assert apart({}) == pytest.approx(0.012, abs=5e-4)
    assert apart(shift | rate) < 0.0025
