"""Where the true effects of a policy lie in posteriors of simulated panels, without measured effects and with them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.coverage import LEVELS, coverage, table
from calibration.fitting.curved import objective_of
from calibration.fitting.point import FittedPoint, point_at
from calibration.optimisers import LeastSquares
from calibration.uncertainty import importance, sample_at, weighted_at
from calibration.uncertainty.importance import FOR_INTERVALS, FOR_RANKS
from calibration.uncertainty.sampling import MOST_STEPS
from pysd_runner.data import Data
from pysd_runner.evidence import ExperimentRuns, experiments_of, in_state, terms_of
from pysd_runner.evidence.weights import systematic
from pysd_runner.model import Model
from pysd_runner.policy.ranking import compare
from pysd_runner.scenarios import load_scenario
from pysd_runner.study.binding import RegionalModel
from pysd_runner.study.draws import CommonDraws

Array = NDArray[np.float64]

POLICY, YEARS = "zoned_need", 16
# The first is the headline; how often central intervals of it have to hold the truth once measured effects are used.
EFFECTS = ("gap_closed", "output_change")
BOUNDS = {0.5: (0.43, 0.57), 0.8: (0.74, 0.86), 0.95: (0.92, 0.98)}
# How far its mean rank may be from one half, bins of ranks, and the level of their test against equal shares.
APART, BINS, LEVEL = 0.045, 10, 0.01
# How far ranks may be from those of the sampler, in the mean and at most.
MEAN_APART, MOST_APART = 0.04, 0.12
WITH, SAMPLER, TRUE_START = "with evidence", "by the sampler", "from the true start"
# With measured effects in the density every draw runs every experiment, and the sampler makes hundreds of thousands:
# tolerance of the search for the mode, draws of each stage from there, and steps of the sampler if these do not do.
SEARCHED = 1e-6
STAGES = (*importance.STAGES, *[8000] * 6)
STEPS = 1000
# Draws of which effects are computed.
DRAWS = 2000


def effect_ranks(  # noqa: C901 - one posterior after another
    model: Model,
    start: Data,
    panel: Data,
    at: FittedPoint,
    truth: Mapping[str, float],
    rng: np.random.Generator,
    *,
    seed: int,
    sampled: Array | None = None,
) -> dict[str, float]:
    """Probability below the true effects of a policy, and what is left of the draws under measured effects.

    What was measured is drawn around what the model implies for each experiment at the true parameters, with the spread
    of its term; weighted draws of the posterior are weighed by it. True effects are those of the simulation that gave
    the panel, continued with the policy and without: a posterior starts from what was observed of its state. Where
    fewer than `FOR_RANKS` draws are left after all stages, the sampler draws from the same density.

    Parameters
    ----------
    model, start, panel
        The model, the panel from whose last year on the simulation runs, and the one that came of it.
    at
        End of the fit, without measured effects.
    truth
        Parameters the panel was simulated with, by key; all that were estimated.
    rng
        Source of what was measured.
    seed
        Seed of the draws.
    sampled
        Draws of the sampler on the unconstrained scale, whose ranks are given too; None for none.

    Returns
    -------
    dict
        Effect to probability, ``"... with evidence"`` for the weighed draws, ``"... by the sampler"`` for those of
        the sampler, ``"... from the true start"`` for the draws in runs that start where the simulation did;
        ``"effective"``, the effective number of draws behind the ranks, and ``"fell"``, 1 if they are
        the sampler's; both also with evidence. The latter are missing if nothing can be measured at the truth: a
        lognormal term is below zero there.
    """
    last, first = at.problem.last_year, at.problem.first_year
    true_values = {key: np.array([value]) for key, value in {**at.problem.fixed, **truth}.items()}

    def from_truth(parameters: Mapping[str, Array]) -> dict[str, Array]:
        bound = RegionalModel(model=model, panel=start, parameters=parameters)
        return _effects(bound, start.years[-1], None, last)

    true = from_truth(true_values)
    terms = terms_of(model)
    beginning = in_state(model, panel, last, first_year=first)
    implied = experiments_of(terms, beginning).implied(true_values, 1)
    measured = [replace(item, centre=float(item.drawn(implied[item.key][0], rng)[0])) for item in terms]
    can_measure = all(item.centre > 0 for item in measured if item.family == "lognormal")
    runs = experiments_of(measured, beginning) if can_measure else None

    def effects(parameters: Mapping[str, Array]) -> dict[str, Array]:
        return _effects(RegionalModel(model=model, panel=panel, parameters=parameters), last, first, last)

    def ranked(points: Array, weights: Array, ending: str = "") -> dict[str, float]:
        """Ranks, and effective numbers of draws, without and with what was measured."""
        parameters = _values(at, points)
        found = effects(parameters)
        ranks = {f"{name}{ending}": float(weights[values < true[name]].sum()) for name, values in found.items()}
        if not ending:
            started = from_truth(parameters)
            ranks |= {f"{name} {TRUE_START}": float(weights[started[name] < true[name]].sum()) for name in started}
        if runs is not None:
            weighed = weights * _likelihood(runs, parameters, len(points))
            weighed /= weighed.sum()
            for name, values in found.items():
                ranks[f"{name} {WITH}{ending}"] = float(weighed[values < true[name]].sum())
            ranks[f"effective {WITH}{ending}"] = float(1 / (weighed**2).sum())
        return ranks

    found: dict[str, float] = {}
    for least in (FOR_INTERVALS, np.inf):
        draws = weighted_at(at, least=least, seed=seed)
        if draws.effective >= FOR_RANKS:
            found = {**ranked(*_fewer(draws.points, draws.weights, seed)), "effective": draws.effective, "fell": 0.0}
        left = min(found.get("effective", 0.0), found.get(f"effective {WITH}", np.inf))
        if left >= FOR_RANKS:
            break
    if found.get("effective", 0.0) < FOR_RANKS:
        points = _chains(at, seed)
        found = {**ranked(points, np.full(len(points), 1 / len(points))), "fell": 1.0}
        found["effective"] = float(len(points))
    if runs is not None:
        found[f"fell {WITH}"] = 0.0
        if found[f"effective {WITH}"] < FOR_RANKS:
            found |= _with_evidence(replace(at, problem=at.problem.with_experiments(runs)), effects, true, seed)
    if sampled is not None:
        found |= ranked(sampled, np.full(len(sampled), 1 / len(sampled)), f" {SAMPLER}")
    return found


def _with_evidence(
    at: FittedPoint, effects: Callable[[Mapping[str, Array]], dict[str, Array]], true: Mapping[str, Array], seed: int
) -> dict[str, float]:
    """Ranks in a posterior that has what was measured in its density, of weighted draws or of the sampler's."""
    best = LeastSquares(tolerance=SEARCHED).minimise(objective_of(at.problem), at.point).point
    at = point_at(at.problem, best)
    draws = weighted_at(at, least=FOR_RANKS, seed=seed, stages=STAGES)
    falls = draws.effective < FOR_RANKS
    if falls:
        points, weights = _chains(at, seed, STEPS), np.full(DRAWS, 1 / DRAWS)
    else:
        points, weights = _fewer(draws.points, draws.weights, seed)
    found = effects(_values(at, points))
    ranks = {f"{name} {WITH}": float(weights[values < true[name]].sum()) for name, values in found.items()}
    effective = float(len(points)) if falls else draws.effective
    return {**ranks, f"effective {WITH}": effective, f"fell {WITH}": float(falls)}


def _values(at: FittedPoint, points: Array) -> dict[str, Array]:
    """Parameters by key, the fixed ones too, shape (draw,) each."""
    fixed = {key: np.full(len(points), value) for key, value in at.problem.fixed.items()}
    return {**fixed, **at.problem.space.to_values(points)}


def _fewer(points: Array, weights: Array, seed: int) -> tuple[Array, Array]:
    """The draws that systematic resampling takes, each once, and the share of the times that it takes each."""
    places, times = np.unique(systematic(weights, DRAWS, np.random.default_rng(seed)), return_counts=True)
    return points[places], times / DRAWS


def _chains(at: FittedPoint, seed: int, steps: int = MOST_STEPS) -> Array:
    """Draws of the sampler on the unconstrained scale, thinned evenly."""
    chains = sample_at(at, DRAWS, seed=seed, steps=steps).chains.reshape(-1, len(at.point))
    return chains[np.arange(DRAWS) * len(chains) // DRAWS]


def _likelihood(runs: ExperimentRuns, parameters: Mapping[str, Array], count: int) -> Array:
    """Likelihood of what was measured in proportion to the largest, shape (draw,)."""
    logs = -0.5 * (runs.residuals(parameters, count) ** 2).sum(axis=1)
    return np.asarray(np.nan_to_num(np.exp(logs - np.nanmax(logs))))


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
    names = [f"{name}{end}" for end in ("", f" {WITH}", f" {TRUE_START}") for name in EFFECTS]
    ranks = {name: np.array([item[name] for item in panels if name in item]) for name in names}
    rows = [coverage(name, ranks[name]) for name in names]
    lines = [
        f"effects of {POLICY} in year {YEARS}, percent of truths within central intervals; measured effects could be "
        f"drawn for {len(ranks[f'{EFFECTS[0]} {WITH}'])} of {len(panels)} panels",
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
    place = ranks[headline.name]
    within = all(low <= headline.covered[level] <= high for level, (low, high) in BOUNDS.items())
    bounds = ", ".join(f"{100 * low:.0f}-{100 * high:.0f}" for low, high in BOUNDS.values())
    counts = np.bincount(np.minimum((BINS * place).astype(int), BINS - 1), minlength=BINS)
    lines += [
        f"{headline.name}, within {bounds} %: {'kept' if within else 'MISSED'}",
        f"mean rank within {APART} of .5: {'kept' if abs(place.mean() - 0.5) <= APART else 'MISSED'}",
        f"panels in {BINS} bins of ranks: {' '.join(map(str, counts))}; chi-square p {_chi_square(counts):.3f}: "
        f"{'kept' if _chi_square(counts) >= LEVEL else 'MISSED'}",
    ]
    for end in ("", f" {WITH}"):
        left = np.array([item[f"effective{end}"] for item in panels if f"effective{end}" in item])
        fell = sum(item.get(f"fell{end}", 0.0) for item in panels)
        lines.append(
            f"effective number of draws{end}: median {np.median(left):.0f}, least {left.min():.0f}; {fell:.0f} of "
            f"{len(left)} panels fell to the sampler"
        )
    return lines + [line for name in names for line in _beside_sampler(name, panels)]


def _beside_sampler(name: str, panels: Sequence[Mapping[str, float]]) -> list[str]:
    """How far ranks of an effect are from those of the sampler, of panels that have both."""
    both = [item for item in panels if name in item and f"{name} {SAMPLER}" in item]
    if not both:
        return []
    apart = np.array([abs(item[name] - item[f"{name} {SAMPLER}"]) for item in both])
    is_near = apart.mean() <= MEAN_APART and apart.max() <= MOST_APART
    return [
        f"{name}, rank less that of the sampler, {len(both)} panels: mean {apart.mean():.3f}, "
        f"at most {apart.max():.3f}; limits {MEAN_APART} and {MOST_APART}: {'kept' if is_near else 'MISSED'}"
    ]


def _chi_square(counts: NDArray[np.intp]) -> float:
    """Probability of counts at least as uneven as these if all bins are equally likely."""
    from scipy.stats import chisquare

    return float(chisquare(counts).pvalue)
