"""Measures the acceptance figures of the shipped model.

``python -m tests.validation.acceptance A5`` prints what A5 gives on this build; without a name, all of them.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pysd_runner.engine import TimePath
from tests.validation.four_regions import (
    FOUR_REGIONS,
    NO_POLICY_ASSUMPTIONS,
    NULL,
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


def a1_random_walk() -> Figures:
    """Nothing moves relative output, and a shock moves it one for one and for ever."""
    values = {**twenty_regions(), **NULL}
    relative = relative_log_output(values, 35)
    shock = np.zeros((2, 20))
    shock[0, 3] = 0.01 / STEP
    path = TimePath(times=np.array([START, START + STEP]), values=shock)
    shocked = {**values, "Technology Shock": path}
    change = np.log(one(shocked, 35, "Output per Capita") / one(values, 35, "Output per Capita"))
    return {
        "largest change of log relative output": np.abs(relative - relative[:, :1]).max(),
        "response of the region minus one": np.abs(change[3, 1:] / 0.01 - 1).max(),
        "response of the others": np.abs(np.delete(change, 3, axis=0)).max(),
    }


def a2_damped_trend() -> Figures:
    """Momentum departs by a damped trend."""
    values = {**twenty_regions(), **NULL}
    momentum = np.zeros(20)
    momentum[5] = 0.01
    change = np.log(
        one({**values, "Initial Growth Momentum": momentum}, 35, "Output per Capita")
        / one(values, 35, "Output per Capita")
    )
    phi = (1 - STEP / 1.4) ** (1 / STEP)
    return {
        "phi": phi,
        "largest error": np.abs(change[5] - 0.01 * 1.4 * (1 - phi ** np.arange(36))).max(),
        "departure in the end": change[5, -1],
    }


def a3_s_shape() -> Figures:
    """Access follows an S; skills and application come later."""
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
    return {
        "year of the largest gain of access, by region": np.diff(access).argmax(axis=1),
        "year of the largest gain of skills": np.diff(skills).argmax(axis=1),
        "year of the largest gain of application": np.diff(application).argmax(axis=1),
        "access of the West in years 15 and 40": access[WEST, [15, 40]],
    }


_MIGRATION, _INNOVATION = "Base Migration Rate", "Skill Innovation Coefficient"
_CAPITAL, _AGGLOMERATION = "Mobile Investment Share", "Agglomeration Elasticity"
SIPHON_OFF: dict[str, tuple[str, ...]] = {
    "all": (),
    "no migration": (_MIGRATION,),
    "no innovation": (_INNOVATION,),
    "no mobile capital": (_CAPITAL,),
    "no agglomeration": (_AGGLOMERATION,),
    "innovation only": (_MIGRATION, _CAPITAL, _AGGLOMERATION),
    "migration only": (_INNOVATION, _CAPITAL, _AGGLOMERATION),
    "migration and agglomeration": (_INNOVATION, _CAPITAL),
    "capital only": (_MIGRATION, _INNOVATION, _AGGLOMERATION),
    "none": (_MIGRATION, _INNOVATION, _CAPITAL, _AGGLOMERATION),
}


def a4_siphon() -> Figures:
    """What widens the gap of the West after 35 years, one part switched off at a time."""
    cases = [{**FOUR_REGIONS, **SIPHON, **dict.fromkeys(off, 0.0)} for off in SIPHON_OFF.values()]
    gap = west_gap(cases, 35)
    return {"start": gap[0, 0], **dict(zip(SIPHON_OFF, gap[:, 35], strict=True))}


MIXES: dict[str, tuple[float, float, float]] = {
    "uniform, follows output": (0, -1, 0),
    "uniform, per head": (0, 0, 0),
    "differentiated, follows output": (1, -1, 0),
    "differentiated, per head": (1, 0, 0),
    "differentiated, need": (1, 1, 0),
    "differentiated, need, rolling": (1, 1, 1),
}


def _closed_by(policies: list[Values], base: Values, year: int) -> Array:
    without = {**policies[0], "Policy Budget Share": 0.0}
    gap = west_gap([{**base, **policy} for policy in (without, *policies)], year)[:, year]
    return 100 * (gap[0] - gap[1:])


def a5_policy_mixes() -> Figures:
    """West gap closed in year 25, percentage points."""
    policies: list[Values] = [
        {
            **POLICY,
            "Differentiation": differentiation,
            "Redistribution Exponent": exponent,
            "Rolling Evaluation Switch": rolling,
        }
        for differentiation, exponent, rolling in MIXES.values()
    ]
    return {
        "central": _closed_by(policies, FOUR_REGIONS, 25),
        "policy assumptions at zero": _closed_by(policies, {**FOUR_REGIONS, **NO_POLICY_ASSUMPTIONS}, 25),
    }


def a6_single_levers() -> Figures:
    """West gap closed 15 years after all the money went to one lever, percentage points."""
    base = {**FOUR_REGIONS, **NO_POLICY_ASSUMPTIONS}
    levers = loaded(4).ranges["Lever"]
    found: Figures = {"levers": levers}
    for start in (0, 10):
        policies: list[Values] = [
            {**POLICY, "Policy Start Time": START + start, "Redistribution Exponent": 1.0, "Uniform Mix": mix}
            for mix in np.eye(len(levers))
        ]
        found[f"start in year {start}"] = _closed_by(policies, base, start + 15)
    return found


EXTREMES: dict[str, tuple[Values, int]] = {
    "infrastructure decays": (
        {"Initial Digital Investment Growth": -0.12, "Access Innovation Coefficient": 0.0},
        100,
    ),
    "a fifth of output": (
        {"Policy Budget Share": 0.2, "Redistribution Exponent": 1.0, "Policy Start Time": START},
        60,
    ),
    "fast evaluation": (
        {
            "Policy Budget Share": 0.01,
            "Rolling Evaluation Switch": 1.0,
            "Rolling Adjustment Rate": 2.0,
            "Policy Start Time": START,
        },
        60,
    ),
    "mass migration": (
        {"Base Migration Rate": 0.2, "Migration Income Elasticity": 3.0, "Skilled Mobility Ratio": 5.0},
        60,
    ),
    "from almost nothing": (
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
}


def bounds_of(found: Any) -> Figures:
    """How close a run comes to the bounds that no run may cross."""
    names = sorted({*STOCKS, *SHARES, "Output", "Theil Index"})
    return {
        "least stock": min(float(found[name].min()) for name in STOCKS),
        "largest share": max(float(found[name].max()) for name in SHARES),
        "skilled / connected": float((found["Skilled People"] / found["Connected People"]).max()),
        "connected / population": float((found["Connected People"] / found["Population"]).max()),
        "weights minus one": float(np.abs(found["Policy Weight"].sum(axis=2) - 1).max()),
        "finite": all(bool(np.isfinite(found[name]).all()) for name in names),
    }


def bounded_outcomes() -> list[str]:
    """Outcomes that `bounds_of` reads."""
    return sorted({*STOCKS, *SHARES, "Output", "Theil Index"})


def a7_extremes() -> Figures:
    """Bounds under extreme settings."""
    return {
        name: bounds_of(run({**FOUR_REGIONS, **change}, years, bounded_outcomes()))
        for name, (change, years) in EXTREMES.items()
    }


def a8_identical_regions() -> Figures:
    """Five copies of one region stay alike, and nobody moves on balance."""
    values = {name: np.repeat(value[1], 5) for name, value in FOUR_REGIONS.items()}
    found = run({**values, **POLICY, "Policy Start Time": START + 5}, 40, bounded_outcomes())
    growth = 1 + FOUR_REGIONS["Natural Population Growth Rate"][1] * STEP
    alone = FOUR_REGIONS["Initial Population"][1] * growth ** (np.arange(41) / STEP)
    apart = [np.ptp(found[name], axis=-2).max() / np.abs(found[name]).max() for name in STOCKS]
    return {
        "largest difference between regions": max(apart),
        "net migration": np.abs(found["Population"][0, 0] / alone - 1).max(),
    }


def a9_conservation() -> Figures:
    """People are conserved when nobody is born or dies."""
    values = {**FOUR_REGIONS, **POLICY, "Natural Population Growth Rate": np.zeros(4)}
    total = one(values, 50, "Population").sum(axis=0)
    return {"change of total population": np.abs(total / total[0] - 1).max()}


def a10_step() -> Figures:
    """Output per head in year 25 under other steps."""
    values = {**FOUR_REGIONS, **POLICY, "Differentiation": 1.0, "Redistribution Exponent": 1.0}
    reference = one(values, 25, "Output per Capita")
    return {
        f"step {step:g}": np.abs(one(values, 25, "Output per Capita", step=step) / reference - 1).max()
        for step in (1.0, 0.5, 0.125, 0.03125)
    }


def a11_order_of_regions() -> Figures:
    """The order of the regions does not matter."""
    policy = {**POLICY, "Redistribution Exponent": 1.0, "Rolling Evaluation Switch": 1.0}
    order = np.array([2, 0, 3, 1])
    straight = run({**FOUR_REGIONS, **policy}, 35)
    turned = run({**{name: value[order] for name, value in FOUR_REGIONS.items()}, **policy}, 35)
    apart = [
        np.abs(turned[name] - straight[name][..., order, :]).max() / np.abs(straight[name]).max() for name in STOCKS
    ]
    return {"largest difference": max(apart)}


def a12_currency() -> Figures:
    """A currency worth a seventh changes nothing but the numbers in front of it."""
    policy = {**POLICY, "Redistribution Exponent": 1.0}
    money = {
        "Initial Output per Capita": FOUR_REGIONS["Initial Output per Capita"],
        "Affordability Half Income": 4000.0,
        "Reference Infrastructure per Person": 600.0,
        "Cost per Subsidised Connection": 600.0,
        "Cost per Person Trained": 8000.0,
    }
    dear = {name: 7 * value for name, value in money.items()}
    output = one({**FOUR_REGIONS, **policy, **money}, 35, "Output per Capita")
    seven = one({**FOUR_REGIONS, **policy, **dear}, 35, "Output per Capita")
    return {"largest difference": np.abs(seven / output / 7 - 1).max()}


DRAWS = 2000
CHUNK = 250


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


def a14_random_draws() -> Figures:
    """Bounds over many random draws, batched in chunks."""
    rng = np.random.default_rng(0)
    chunks = [
        bounds_of(
            run(
                {**FOUR_REGIONS, "Policy Start Time": START + 10, **random_draws(rng, CHUNK)},
                50,
                bounded_outcomes(),
            )
        )
        for _ in range(DRAWS // CHUNK)
    ]
    return {
        "draws": DRAWS,
        "least stock": min(chunk["least stock"] for chunk in chunks),
        "finite": all(chunk["finite"] for chunk in chunks),
        **{
            name: max(chunk[name] for chunk in chunks)
            for name in (
                "largest share",
                "skilled / connected",
                "connected / population",
                "weights minus one",
            )
        },
    }


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


def a15_pull() -> Figures:
    """Slope of first-year growth on the level of log relative output, bottom, middle and top third."""
    return {
        "pi 0": _pull({"Baseline Catch Up Rate": 0.02, "Structural Gap Persistence": 0.0}),
        "pi 0.6": _pull({"Baseline Catch Up Rate": 0.02, "Structural Gap Persistence": 0.6}),
        "omega 1": _pull(
            {"Baseline Catch Up Rate": 0.02, "Structural Gap Persistence": 0.0, "Catch Up Asymmetry": 1.0}
        ),
    }


def a16_position() -> Figures:
    """Mean departure, after 10 and 35 years, of three regions that are meant to end lower."""
    deviation = np.zeros(20)
    deviation[:3] = -0.3
    found: Figures = {}
    for asymmetry in (0.0, 1.0):
        values = {
            **twenty_regions(alike=True),
            **NULL,
            "Baseline Catch Up Rate": 0.03,
            "Structural Gap Persistence": 1.0,
            "Structural Deviation": deviation,
            "Catch Up Asymmetry": asymmetry,
        }
        relative = relative_log_output(values, 35)
        found[f"omega {asymmetry:g}"] = (relative[:3] - relative[:3, :1]).mean(axis=0)[[10, 35]]
    return found


def a17_small_budget_and_sameness() -> Figures:
    """A vanishing budget has a vanishing effect; sameness never raises output."""
    budgets = run(
        scenarios([{**FOUR_REGIONS, **POLICY, "Policy Budget Share": share} for share in (0.0, 1e-9)]),
        35,
        ["Output"],
    )["Output"][:, 0]
    sameness: list[Values] = [
        {
            **FOUR_REGIONS,
            **POLICY,
            "Fiscal Capacity Sensitivity": 0.0,
            "Homogenisation Sensitivity": sensitivity,
        }
        for sensitivity in (0.0, 0.3, 0.5)
    ]
    output = run(scenarios(sameness), 25, ["National Output"])["National Output"][:, 0, 25]
    return {
        "effect of a vanishing budget": np.abs(np.log(budgets[1] / budgets[0])).max(),
        "national output": output / output[0],
    }


def a18_regional_shares() -> Figures:
    """Evaluation within a region leaves the regional shares of money alone."""
    cases: list[Values] = [
        {
            **FOUR_REGIONS,
            **POLICY,
            "Differentiation": 1.0,
            "Redistribution Exponent": 1.0,
            "Rolling Evaluation Switch": r,
        }
        for r in (0.0, 1.0)
    ]
    share = run(scenarios(cases), 25, ["Region Budget Share"])["Region Budget Share"][:, 0, :, 25]
    return {"planned": share[0], "rolling": share[1]}


def a19_size_of_application() -> Figures:
    """Log points of output per head at fixed capital from ten points more application."""
    here = [0.1 * np.eye(4)[region] for region in range(4)]
    cases: list[Values] = [
        {**FOUR_REGIONS, "Initial Application Share": FOUR_REGIONS["Initial Application Share"] + more}
        for more in (np.zeros(4), *here, np.full(4, 0.1))
    ]
    effect = run(scenarios(cases), 1, ["Digital Effect"])["Digital Effect"][:, 0, :, 0]
    gain = 100 * (effect[1:] - effect[0])
    return {"own region only": np.diag(gain[:4]), "all regions": gain[4]}


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


def a20_restart() -> Figures:
    """Error of log relative output when a run stops in year 10 and starts again from what is observed."""
    whole = run(
        FOUR_REGIONS,
        26,
        [*OBSERVED.values(), "Physical Capital", "Output", "Log Technology", "Investment Rate"],
    )
    at_stop = {name: whole[outcome][0, 0, :, 10] for name, outcome in OBSERVED.items()}
    at_stop["Initial Capital Output Ratio"] = whole["Physical Capital"][0, 0, :, 10] / whole["Output"][0, 0, :, 10]
    technology = whole["Log Technology"][0, 0] - whole["Log Technology"][0, 0].mean(axis=0)
    log_output = np.log(whole["Output per Capita"][0, 0])
    expected = (log_output - log_output.mean(axis=0))[:, 10:]
    shift = {"Reference Technology Shift": technology[:, 0] - technology[:, 10]}
    rate = {"Observed Investment Rate": whole["Investment Rate"][0, 0, :, 10]}
    return {
        name: np.abs(relative_log_output({**FOUR_REGIONS, **at_stop, **change}, 16, start=START + 10) - expected).max()
        for name, change in {
            "with the reference shift": shift,
            "without": {},
            "with the reference shift and the investment rate": shift | rate,
        }.items()
    }


ACCEPTANCE: Mapping[str, Callable[[], Figures]] = {
    "A1": a1_random_walk,
    "A2": a2_damped_trend,
    "A3": a3_s_shape,
    "A4": a4_siphon,
    "A5": a5_policy_mixes,
    "A6": a6_single_levers,
    "A7": a7_extremes,
    "A8": a8_identical_regions,
    "A9": a9_conservation,
    "A10": a10_step,
    "A11": a11_order_of_regions,
    "A12": a12_currency,
    "A14": a14_random_draws,
    "A15": a15_pull,
    "A16": a16_position,
    "A17": a17_small_budget_and_sameness,
    "A18": a18_regional_shares,
    "A19": a19_size_of_application,
    "A20": a20_restart,
}


def _lines(figures: Figures, indent: str = "  ") -> list[str]:
    found: list[str] = []
    for name, value in figures.items():
        if isinstance(value, dict):
            found += [f"{indent}{name}", *_lines(value, indent + "  ")]
        elif isinstance(value, np.ndarray):
            found.append(f"{indent}{name}: {' '.join(f'{item:.4g}' for item in value)}")
        elif isinstance(value, float):
            found.append(f"{indent}{name}: {value:.4g}")
        else:
            found.append(f"{indent}{name}: {value}")
    return found


def main(names: list[str]) -> None:
    """Print the figures of the named acceptance tests."""
    for name in names or list(ACCEPTANCE):
        sys.stdout.write("\n".join([name, *_lines(ACCEPTANCE[name]())]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
