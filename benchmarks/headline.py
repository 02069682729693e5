"""Where the true effects of a policy lie in posteriors of simulated panels, without measured effects and with them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.coverage import LEVELS, coverage, table
from pysd_runner.data import Data
from pysd_runner.evidence import experiments_of, in_state, terms_of
from pysd_runner.model import Model
from pysd_runner.policy.ranking import compare
from pysd_runner.scenarios import load_scenario
from pysd_runner.spec import FittedParameters
from pysd_runner.study.binding import RegionalModel
from pysd_runner.study.draws import CommonDraws

Array = NDArray[np.float64]

POLICY, YEARS = "zoned_need", 16
# The first is the headline; how often central intervals of it have to hold the truth once measured effects are used.
EFFECTS = ("gap_closed", "output_change")
BOUNDS = {0.5: (0.44, 0.56), 0.8: (0.75, 0.85), 0.95: (0.92, 0.98)}
WITH = "with evidence"
# Draws of the normal approximation.
DRAWS = 1000


def effect_ranks(
    model: Model,
    start: Data,
    panel: Data,
    fitted: FittedParameters,
    truth: Mapping[str, float],
    rng: np.random.Generator,
) -> dict[str, float]:
    """Probability below the true effects of a policy, and what is left of the draws under measured effects.

    What was measured is drawn around what the model implies for each experiment at the true parameters, with the spread
    of its term; draws of the normal approximation are weighed by it. True effects are those of the simulation that gave
    the panel, continued with the policy and without: a posterior starts from what was observed of its state.

    Parameters
    ----------
    model, start, panel
        The model, the panel from whose last year on the simulation runs, and the one that came of it.
    fitted
        The fit, without measured effects.
    truth
        Parameters the panel was simulated with, by key; all that were estimated.
    rng
        Source of draws and of what was measured.

    Returns
    -------
    dict
        Effect to probability, ``"... with evidence"`` for the weighed draws, and ``"effective"``: number of draws that
        are left. The latter are missing if nothing can be measured at the truth: a lognormal term is below zero there.
    """
    assert model.spec is not None  # noqa: S101
    last, first = fitted.last_year, fitted.first_year
    drawn = fitted.sample(rng, DRAWS, spec=model.spec)
    known = {key: np.array([truth.get(key, values[0])]) for key, values in drawn.items()}
    everything = {key: np.append(known[key], values) for key, values in drawn.items()}
    true = _effects(RegionalModel(model=model, panel=start, parameters=known), start.years[-1], None, last)
    found = _effects(RegionalModel(model=model, panel=panel, parameters=drawn), last, first, last)
    ranks = {name: float((values < true[name]).mean()) for name, values in found.items()}
    terms = terms_of(model)
    implied = experiments_of(terms, in_state(model, panel, last, first_year=first)).implied(everything, DRAWS + 1)
    measured = [replace(item, centre=float(item.drawn(implied[item.key][0], rng)[0])) for item in terms]
    if not all(item.centre > 0 for item in measured if item.family == "lognormal"):
        return ranks
    apart = np.array([item.residuals(implied[item.key][1:]) for item in measured])
    logs = -0.5 * (apart**2).sum(axis=0)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    reweighted = {f"{name} {WITH}": float(weights[values < true[name]].sum()) for name, values in found.items()}
    return {**ranks, **reweighted, "effective": float(1 / (weights**2).sum())}


def _effects(bound: RegionalModel, origin: int, first: int | None, last: int) -> dict[str, Array]:
    """Effects of the policy in its last year without shocks, shape (draw,), of runs that start at an origin."""
    inputs = bound.inputs(origin) if first is None else bound.start(origin, first)
    common = CommonDraws(
        values=bound.values(inputs),
        parameters=bound.parameters,
        inputs=inputs,
        draws=tuple(range(len(next(iter(bound.parameters.values()))))),
        implied=None,
        sources=("parameters",),
        yuan_per_unit=1.0,
    )
    policy = load_scenario(POLICY, model=bound.model)
    policy = replace(policy, compare_with=(), policy=replace(policy.policy, start=float(last + 1)))
    scenarios = [load_scenario("baseline", model=bound.model), policy]
    found = compare(bound.model, bound.panel, common, scenarios, (origin, last + YEARS)).effects
    return {name: found[name].sel(scenario=POLICY).to_numpy() for name in EFFECTS}


def effect_lines(panels: Sequence[Mapping[str, float]]) -> list[str]:
    """Coverage of the true effects, with two standard errors, and whether the headline keeps its limits.

    Parameters
    ----------
    panels
        What `effect_ranks` gave, of every panel.

    Returns
    -------
    list of str
        Lines.
    """
    names = [f"{name}{end}" for end in ("", f" {WITH}") for name in EFFECTS]
    ranks = {name: np.array([item[name] for item in panels if name in item]) for name in names}
    rows = [coverage(name, ranks[name]) for name in names]
    lines = [
        f"effects of {POLICY} in year {YEARS}, percent of truths within central intervals; measured effects could be "
        f"drawn for {rows[-1].panels} of {len(panels)} panels",
        *table(rows, ()),
    ]
    for row in rows:
        noise = ", ".join(f"{200 * row.errors[level]:.1f}" for level in LEVELS)
        place = ranks[row.name]
        error = place.std(ddof=1) / np.sqrt(len(place))
        lines.append(
            f"{row.name}: two standard errors {noise}; mean rank {place.mean():.3f} ({2 * error:.3f}); above the 95 % "
            f"quantile {100 * (place > 0.95).mean():.1f} %, below the 5 % quantile {100 * (place < 0.05).mean():.1f} %"
        )
    headline = next(row for row in rows if row.name == f"{EFFECTS[0]} {WITH}")
    within = all(
        low - 2 * headline.errors[level] <= headline.covered[level] <= high + 2 * headline.errors[level]
        for level, (low, high) in BOUNDS.items()
    )
    left = np.array([item["effective"] for item in panels if "effective" in item])
    bounds = ", ".join(f"{100 * low:.0f}-{100 * high:.0f}" for low, high in BOUNDS.values())
    lines.append(f"{headline.name}, within {bounds} % at two standard errors: {'kept' if within else 'MISSED'}")
    lines.append(f"effective number of {DRAWS} draws {WITH}: median {np.median(left):.0f}, least {left.min():.0f}")
    return lines
