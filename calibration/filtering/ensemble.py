"""The filter and the forecast: members step through the years with the data, then go on without them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.filtering.digital import from_free, observed_in, predicted_in, relaxed, share_of, to_free
from calibration.filtering.dynamics import Members, State, advance, drawn, spec_of, start
from calibration.filtering.evidence import Evidence
from calibration.filtering.learning import Laws, learn_laws
from calibration.filtering.made import movements
from calibration.filtering.output import Output, follow_output
from calibration.filtering.settings import FilterSettings
from calibration.filtering.shocks import heavy, left_of_relative, unrest
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
    work = _Work(
        evidence=evidence,
        settings=settings,
        members=members,
        series=tuple(item for item in evidence.series(spec_of(len(evidence.values)), first) if share_of(item)),
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
        seen = [item for item in self.series if state.year in item.years]
        if not seen:
            return state
        shape = state.level.shape
        predicted = np.stack([predicted_in(item, state.year, state.stocks, self.members.parameters) for item in seen])
        observed = np.stack([observed_in(item, state.year, shape[1]) for item in seen])
        noise = np.stack([np.full(shape, item.declared_sd) for item in seen])
        free = to_free(state.stocks)
        after = updated(free, predicted, observed, noise, self.rng)
        kept = [relaxed(old, new, self.settings.relaxation) for old, new in zip(free, after, strict=True)]
        return replace(state, stocks={**state.stocks, **from_free(kept)})


def yearly_cycle(members: Members) -> Array:
    """Standard deviation of what is added in a year to what passes, shape (member, region)."""
    return np.asarray(np.sqrt(1 - members.cycle_memory**2)[:, None] * members.cycle_noise)


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
    away = _centred(unrest(rng, draws, paths.shape[1], settings.unrest)[..., None] * (paths - mean))
    away -= away.mean(axis=1, keepdims=True)
    return np.asarray(mean + learn_widths(filtered.values, filtered.laws, settings, horizon) * away)


def _centred(noise: Array) -> Array:
    return np.asarray(noise - noise.mean(axis=0))
