"""The filter and the forecast: members step through the years with the data, then go on without them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma

from calibration.filtering.digital import from_free, observed_in, predicted_in, relaxed, share_of, to_free
from calibration.filtering.dynamics import Members, State, advance, drawn, start
from calibration.filtering.evidence import Evidence
from calibration.filtering.learning import Laws, learn_laws
from calibration.filtering.output import Output, follow_output, movements
from calibration.filtering.settings import FilterSettings
from calibration.filtering.shocks import apart_from, heavy, left_of_relative, volatility
from calibration.filtering.trend import forecasts, positions
from calibration.observation import Series
from pysd_runner.spec import FittedParameters

Array = NDArray[np.float64]

LARGE = 60
FEWEST = 96


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Filtered:
    """What is known at the origin.

    Attributes
    ----------
    members, state
        The ensemble.
    laws
        What was learnt about output.
    position
        Mean log relative output of the years up to the origin, shape (region,).
    values
        Log relative output up to the origin, shape (region, year).
    groups
        Class of each region.
    """

    members: Members
    state: State
    laws: Laws
    position: Array
    values: Array
    groups: tuple[str, ...]


def estimate(
    evidence: Evidence, settings: FilterSettings, *, seed: int, fit: FittedParameters | None = None
) -> Filtered:
    """Filter the years up to the origin.

    Parameters
    ----------
    evidence
        What was observed.
    settings
        Grids, priors and the size of the ensemble.
    seed
        Decides every random number.
    fit
        Members draw from it what laws do not decide; None for the priors.

    Returns
    -------
    Filtered
        States at the origin.
    """
    rng = np.random.default_rng((seed, evidence.years[-1]))
    laws = learn_laws(evidence.values, evidence.groups, settings)
    begin, origin = evidence.years[0], evidence.years[-1]
    first = max(begin, origin - settings.window)
    count = _count(settings.members, len(evidence.values))
    chosen = laws.members(count, rng)
    draw = drawn(evidence, laws, chosen, settings.couplings, rng, fit)
    members, state = start(evidence, laws, first, draw)
    names = evidence.model.bindings.variables
    work = _Work(
        evidence=evidence,
        settings=settings,
        members=members,
        series=tuple((item, share) for item in evidence.series(first) if (share := share_of(item, names))),
        centres=positions(evidence.values, settings.memory_years),
        rng=rng,
    )
    values = evidence.values if settings.window else evidence.last[:, None]
    output = follow_output(values, laws, chosen, settings)
    state = work.begun(state)
    for year in range(first, origin):
        state = work.forward(work.with_output(state, output.expected(year - begin)), year)
    state = work.with_output(state, output.drawn(movements(evidence, laws, draw, first), evidence.groups, rng))
    return Filtered(
        members=members,
        state=state,
        laws=laws,
        position=work.position(origin),
        values=evidence.values,
        groups=evidence.groups,
    )


def _count(members: int, regions: int) -> int:
    """Fewer members for very many regions, whose partners cost their square."""
    return members if regions <= LARGE else max(FEWEST, int(members * (LARGE / regions) ** 2))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Work:
    """A filter under way."""

    evidence: Evidence
    settings: FilterSettings
    members: Members
    series: tuple[tuple[Series, str], ...]  # with the share that each observes
    centres: Array
    rng: np.random.Generator

    def position(self, year: int) -> Array:
        """Mean relative level of the years up to one, shape (region,); the first level where there is none yet."""
        place = year - self.evidence.years[0]
        seen = np.isfinite(self.evidence.values)
        first = self.evidence.values[np.arange(len(seen)), seen.argmax(axis=1)]
        return np.where(np.isfinite(self.centres[:, place]), self.centres[:, place], first)

    def known(self, year: int) -> NDArray[np.bool_]:
        """Regions seen in a year or before; the others do not enter the mean yet."""
        place = year - self.evidence.years[0]
        found: NDArray[np.bool_] = np.asarray(np.isfinite(self.evidence.values[:, : place + 1]).any(axis=1))
        return found if found.any() else np.ones(len(found), dtype=bool)

    def begun(self, state: State) -> State:
        """Spread the members around the first state: unknown shares."""
        free = [item + 0.3 * self.rng.standard_normal(item.shape) for item in to_free(state.stocks)]
        return replace(state, stocks={**state.stocks, **from_free(free)})

    def with_output(self, state: State, output: Output) -> State:
        """The state with the output that was filtered; regions not seen yet stay where they are to the others."""
        place = state.year - self.evidence.years[0]
        known = self.known(state.year)
        level = state.level - state.output.mean(axis=0)[known].mean()
        level, drift, cycle = (
            np.where(known, new, old)
            for new, old in ((output.level, level), (output.drift, state.drift), (output.cycle, state.cycle))
        )
        shift = self.evidence.national[place] - (level + cycle).mean(axis=0)[known].mean()
        return replace(state, level=level + shift, drift=drift, cycle=cycle)

    def forward(self, state: State, year: int) -> State:
        """The year after, with what was observed of digital shares in it."""
        state = advance(state, self.members, np.zeros(state.level.shape), self.position(year))
        free = [
            item + self.settings.share_noise * self.rng.standard_normal(item.shape) for item in to_free(state.stocks)
        ]
        state = replace(state, stocks={**state.stocks, **from_free(free)})
        seen = [(item, share) for item, share in self.series if state.year in item.years]
        if not seen:
            return state
        shape, stocks, loadings = state.level.shape, state.stocks, self.members.parameters
        predicted = np.stack([predicted_in(item, stocks[share], state.year, stocks, loadings) for item, share in seen])
        observed = np.stack([observed_in(item, state.year, shape[1]) for item, _ in seen])
        noise = np.stack([np.full(shape, item.declared_sd) for item, _ in seen])
        free = to_free(state.stocks)
        after = updated(free, predicted, observed, noise, self.rng)
        kept = [relaxed(old, new, self.settings.relaxation) for old, new in zip(free, after, strict=True)]
        return replace(state, stocks={**state.stocks, **from_free(kept)})


def yearly_cycle(members: Members) -> Array:
    """Standard deviation of what is added in a year to what passes, shape (member, region)."""
    return np.asarray(np.sqrt(1 - members.cycle_memory**2)[:, None] * members.cycle_noise)


def ahead(filtered: Filtered, settings: FilterSettings, *, horizon: int, draws: int, seed: int) -> Array:
    """Forecast sample paths from the ensemble, with shocks.

    Parameters
    ----------
    filtered
        What is known at the origin.
    settings
        Tails of the shocks and of how volatile regions are.
    horizon
        Number of years.
    draws
        Number of paths.
    seed
        Decides every random number.

    Returns
    -------
    Array
        Log relative output, shape (draw, region, horizon). Shocks have mean zero over the draws, so that the mean is
        free of their sampling error; deviations from it are those of low or high volatility, and stretched as past
        errors ask for.
    """
    origin = filtered.state.year
    rng = np.random.default_rng((seed, origin, horizon))
    count = len(filtered.state.level)
    chosen = np.concatenate([rng.permutation(count) for _ in range(-(-draws // count))])[:draws]
    members, state = filtered.members.of(chosen), filtered.state.of(chosen)
    whole = filtered.state
    state = replace(
        state,
        level=_centred(state.level) + whole.level.mean(axis=0),
        drift=_centred(state.drift) + whole.drift.mean(axis=0),
        cycle=_centred(state.cycle) + whole.cycle.mean(axis=0),
    )

    shared = filtered.laws.shared
    left = left_of_relative(filtered.groups, shared)

    def noise() -> Array:
        return heavy(rng, draws, filtered.groups, shared, settings.tails) / left

    found = []
    for _ in range(horizon):
        shock = _centred(members.level_noise * noise())
        state = advance(state, members, shock, filtered.position)
        drift = state.drift + _centred(members.drift_noise * noise())
        cycle = state.cycle + _centred(yearly_cycle(members) * noise())
        state = replace(state, drift=drift, cycle=cycle)
        found.append(state.output - state.output.mean(axis=1, keepdims=True))
    paths = np.stack(found, axis=-1)
    mean = paths.mean(axis=0)
    away = _centred(volatility(rng, draws, paths.shape[1], settings.volatility)[..., None] * (paths - mean))
    away -= away.mean(axis=1, keepdims=True)
    return np.asarray(mean + learn_widths(filtered.values, filtered.laws, settings, horizon) * away)


def _centred(noise: Array) -> Array:
    return np.asarray(noise - noise.mean(axis=0))


def updated(
    states: Sequence[Array], predicted: Array, observed: Array, noise: Array, rng: np.random.Generator
) -> list[Array]:
    r"""Ensemble Kalman update with perturbed observations, one region at a time and all regions at once.

    :math:`x_k \leftarrow x_k + C_{xh} (C_{hh} + R)^{-1} (y + e_k - h_k)`, covariances over members, :math:`e_k` free
    of sampling error. Evensen (2003), Ocean Dynamics 53: 343-367; localisation by domain as in Hunt et al. (2007),
    Physica D 230: 112-126.
    """
    seen = np.isfinite(observed)
    members = predicted.shape[1]
    spread = np.where(seen[:, None, :], predicted - predicted.mean(axis=1, keepdims=True), 0.0)
    variance = np.where(seen, (noise**2).mean(axis=1), 1.0)
    perturbed: list[Array] = []
    for size in noise:
        draw = apart_from(size * rng.standard_normal(size.shape), *states, *perturbed)
        now = np.sqrt((draw**2).mean(axis=0))
        perturbed.append(draw * np.sqrt((size**2).mean(axis=0)) / np.where(now > 0, now, 1.0))
    cross = np.stack(
        [np.einsum("mr,omr->ro", state - state.mean(axis=0), spread) / members for state in states], axis=1
    )
    inner = np.einsum("omr,pmr->rop", spread, spread) / members
    diagonal = np.arange(len(observed))
    inner[:, diagonal, diagonal] += variance.T
    # What is known without error and does not vary between members says nothing.
    certain = inner[:, diagonal, diagonal] <= 1e-18
    inner[:, diagonal, diagonal] = np.where(certain, 1.0, inner[:, diagonal, diagonal])
    gain = np.linalg.solve(inner, np.swapaxes(cross, 1, 2))  # (region, observation, state)
    surprise = np.where(seen[:, None, :], np.nan_to_num(observed)[:, None, :] + np.stack(perturbed) - predicted, 0.0)
    moved = np.einsum("ros,omr->smr", gain, surprise)
    return [state + change for state, change in zip(states, moved, strict=True)]


def learn_widths(values: Array, laws: Laws, settings: FilterSettings, horizon: int) -> Array:
    r"""Factor on the width of the forecast at each horizon.

    The small filter forecasts from every earlier year; the mean absolute error is set against the one its law expects.
    The ratio counts as many origins as do not overlap, and is shrunk to the law by `width_weight`:
    :math:`\log f_h = \frac{n_h}{n_h + n_0} \log (\overline{|e|} / \overline{E|e|})`.
    """
    likely = laws.likely
    trend, weight, sd = likely.trend, likely.weight, likely.sd[:, None] * laws.by_region
    centres = positions(values, settings.memory_years)
    years = values.shape[1]
    found, expected, origins = np.zeros(horizon), np.zeros(horizon), np.zeros(horizon)
    for ahead in forecasts(values, centres, trend, sd, settings, horizon):
        place, known = ahead.step - 1, ahead.known
        error, size = _error(ahead.at.output, ahead.at.var_output * sd**2, weight, values[:, ahead.year])
        counts = 0.5 ** ((years - 1 - ahead.year) / settings.width_half_life)
        found[place] += counts * np.abs(error[known] - error[known].mean()).mean()
        expected[place] += counts * _mean_of_unit(settings.tails, ahead.step) * size[known].mean()
        origins[place] += counts
    apart = origins / np.arange(1, horizon + 1)
    held = (found > 0) & (expected > 0)
    ratio = np.divide(found, expected, out=np.ones(horizon), where=held)
    return np.asarray(np.exp(apart / (apart + settings.width_weight) * np.log(ratio)))


def _mean_of_unit(tails: float, years: int) -> float:
    """Mean absolute value at unit variance: of Student's t after a year, ever nearer to the normal after more."""
    normal = np.sqrt(2 / np.pi)
    heavy = 2 * np.sqrt(tails - 2) * gamma((tails + 1) / 2) / (np.sqrt(np.pi) * gamma(tails / 2) * (tails - 1))
    return float(normal + (heavy - normal) / years)


def _error(output: Array, variance: Array, weight: Array, observed: Array) -> tuple[Array, Array]:
    """Error of the mixture's mean and its standard deviation, shape (region,)."""
    mean = weight @ output
    spread = weight @ (variance + (output - mean) ** 2)
    return mean - observed, np.sqrt(spread)
