"""The filter and the forecast: members step through the years with the data, then go on without them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.filtering.couplings import Couplings, learn_couplings
from calibration.filtering.digital import ORDER, from_free, observed_in, predicted_in, relaxed, share_of, to_free
from calibration.filtering.dynamics import Members, State, advance, drawn, spec_of, start
from calibration.filtering.evidence import Evidence
from calibration.filtering.learning import Laws, learn_laws
from calibration.filtering.settings import FilterSettings
from calibration.filtering.shocks import apart_from, balanced, heavy, unrest
from calibration.filtering.trend import positions
from calibration.filtering.update import updated
from calibration.filtering.widths import learn_widths
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
    laws, couplings
        What was learnt about output, and about the strength of the other couplings.
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
    couplings: Couplings
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
        Members draw from it what neither laws nor couplings decide; None for the priors.

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
    couplings = learn_couplings(evidence, laws, settings, max(begin, origin - settings.coupling_years))
    draw = drawn(evidence, laws, count, couplings.draw(count, rng), rng, fit)
    members, state = start(evidence, laws, first, draw)
    series = evidence.series(spec_of(len(evidence.values)), first)
    work = _Work(
        evidence=evidence,
        settings=settings,
        members=members,
        laws=laws,
        series=tuple(item for item in series if share_of(item)),
        centres=positions(evidence.values, settings.memory_years),
        rng=rng,
    )
    state = work.begun(state)
    for year in range(first, origin):
        state = work.corrected(work.forward(state, year))
    return Filtered(
        members=members,
        state=state,
        laws=laws,
        couplings=couplings,
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
    laws: Laws
    series: tuple[Series, ...]
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
        """Spread the members around the first state: error of output, momentum of its long run, unknown shares."""
        level = state.level + self._noise(self.members.seen_noise, state)
        memory = self.members.memory[:, None]
        drift = self._noise(self.members.drift_noise / np.sqrt(1 - memory**2), replace(state, level=level))
        free = [item + 0.3 * self.rng.standard_normal(item.shape) for item in to_free(state.stocks)]
        return replace(state, level=level, drift=drift, stocks={**state.stocks, **from_free(free)})

    def forward(self, state: State, year: int) -> State:
        """One year without data; shocks to the level over the year, to momentum at its end."""
        shock = self._noise(self.members.level_noise, state)
        after = advance(state, self.members, shock, self.position(year))
        drift = after.drift + self._noise(self.members.drift_noise, after)
        free = [
            item + self.settings.share_noise * self.rng.standard_normal(item.shape) for item in to_free(after.stocks)
        ]
        return replace(after, drift=drift, stocks={**after.stocks, **from_free(free)})

    def corrected(self, state: State) -> State:
        """The state after what was observed in its year."""
        place = state.year - self.evidence.years[0]
        known = self.known(state.year)
        # One shift for all members: the mean of regions is no state, so regions stay as independent as they are.
        level = state.level - state.level.mean(axis=0)[known].mean()
        observed = self.evidence.values[:, place]
        seen = np.isfinite(observed)
        if seen.any():
            # Where regions entered, the mean moved for all of them.
            observed = observed - (observed[seen].mean() - level.mean(axis=0)[seen].mean())
        level = self._widened(level, state, observed)
        free = to_free(state.stocks)
        rows = [(level, observed, self.members.seen_noise)]
        for item in self.series:
            if state.year in item.years:
                said = predicted_in(item, state.year, state.stocks, self.members.parameters)
                noise = np.full(level.shape, item.declared_sd)
                rows.append((said, observed_in(item, state.year, level.shape[1]), noise))
        predicted, seen_values, noise = (np.stack(part) for part in zip(*rows, strict=True))
        level, drift, *after = updated([level, state.drift, *free], predicted, seen_values, noise, self.rng)
        kept = [relaxed(old, new, self.settings.relaxation) for old, new in zip(free, after, strict=True)]
        shift = self.evidence.national[place] - level.mean(axis=0)[known].mean()
        shares = from_free(kept)
        return replace(
            state, level=level + shift, drift=drift, stocks={**state.stocks, **{key: shares[key] for key in ORDER}}
        )

    def _widened(self, level: Array, state: State, observed: Array) -> Array:
        """A surprise beyond the clip is a shock to the level: its spread grows until it is none."""
        total = level.var(axis=0) + (self.members.seen_noise**2).mean(axis=0)
        surprise = np.nan_to_num(observed - level.mean(axis=0))
        excess = np.maximum((surprise / self.settings.clip) ** 2 - total, 0.0)
        if not (excess > 0).any():
            return level
        draw = self.rng.standard_normal(level.shape)
        return np.asarray(level + np.sqrt(excess) * _unit(apart_from(draw, level, state.drift)))

    def _noise(self, size: Array, state: State) -> Array:
        """Heavy-tailed noise of a size, (member, region), apart from the states it is added to."""
        draw = heavy(self.rng, len(size), self.evidence.groups, self.laws.shared, self.settings.tails)
        return balanced(size * draw, np.sqrt((size**2).mean(axis=0)), state.level, state.drift)


def _unit(noise: Array) -> Array:
    """Scale to a root mean square of one."""
    size = np.sqrt((noise**2).mean(axis=0))
    return np.asarray(noise / np.where(size > 0, size, 1.0))


def ahead(filtered: Filtered, settings: FilterSettings, *, horizon: int, draws: int, seed: int) -> Array:
    """Run draws of the members on with shocks, without data.

    Parameters
    ----------
    filtered
        What is known at the origin.
    settings
        Tails of the shocks and of how restless regions are.
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
        free of their sampling error; deviations from it are those of calm or restless times, and stretched as past
        errors ask for.
    """
    origin = filtered.state.year
    rng = np.random.default_rng((seed, origin, horizon))
    count = len(filtered.state.level)
    chosen = np.concatenate([rng.permutation(count) for _ in range(-(-draws // count))])[:draws]
    members, state = filtered.members.of(chosen), filtered.state.of(chosen)
    whole = filtered.state
    level = state.level - state.level.mean(axis=0) + whole.level.mean(axis=0)
    drift = state.drift - state.drift.mean(axis=0) + whole.drift.mean(axis=0)
    state = replace(state, level=level, drift=drift)

    def noise() -> Array:
        return heavy(rng, draws, filtered.groups, filtered.laws.shared, settings.tails)

    found = []
    for _ in range(horizon):
        shock = _centred(members.level_noise * noise())
        state = advance(state, members, shock, filtered.position)
        state = replace(state, drift=state.drift + _centred(members.drift_noise * noise()))
        found.append(state.level - state.level.mean(axis=1, keepdims=True))
    paths = np.stack(found, axis=-1)
    mean = paths.mean(axis=0)
    away = _centred(unrest(rng, draws, paths.shape[1], settings.unrest)[..., None] * (paths - mean))
    away -= away.mean(axis=1, keepdims=True)
    return np.asarray(mean + learn_widths(filtered.values, filtered.laws, settings, horizon) * away)


def _centred(noise: Array) -> Array:
    return np.asarray(noise - noise.mean(axis=0))
