"""One year of the compiled model for all members: states in, states out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.filtering.evidence import Evidence
from calibration.filtering.learning import Laws
from pysd_runner.core.errors import InvalidInput, apart
from pysd_runner.model import Model
from pysd_runner.regional.binding import RegionalModel
from pysd_runner.regional.draws import check_fit, parameter_draws
from pysd_runner.regional.inputs import time_step
from pysd_runner.regional.yearly import (
    SHARES,
    YearStart,
    first_stocks,
    stocks_of,
    year_later,
    year_outcomes,
    year_values,
)
from pysd_runner.simulation import simulate
from pysd_runner.spec import FittedParameters, ModelSpec

Array = NDArray[np.float64]

# Small enough for mean reversion that is linear, large enough for differences of exponentials to keep ten digits.
CURVATURE = 1e-6
# What a share may be above one.
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class State:
    """Where every member stands at the end of a year."""

    year: int
    level: Array  # log output per head of the model, shape (member, region)
    drift: Array  # what momentum adds to the level in the coming year, log points, shape (member, region)
    cycle: Array  # what passes: output is above the level by so much, log points, shape (member, region)
    stocks: Mapping[str, Array]

    def of(self, chosen: NDArray[np.intp]) -> "State":
        """The same for chosen members."""
        stocks = {name: value[chosen] for name, value in self.stocks.items()}
        return replace(
            self, level=self.level[chosen], drift=self.drift[chosen], cycle=self.cycle[chosen], stocks=stocks
        )

    @property
    def output(self) -> Array:
        """Log output per head that is observed: the level and what passes, shape (member, region)."""
        return self.level + self.cycle


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Members:
    """What members are and keep: parameters and inputs that no year changes."""

    model: Model
    parameters: Mapping[str, Array]  # by key of the declarations, shape (member,)
    memory: Array
    cycle_memory: Array
    level_noise: Array
    drift_noise: Array
    cycle_noise: Array
    fixed: Mapping[str, Array]
    first_year: int  # when the ensemble starts

    def of(self, chosen: NDArray[np.intp]) -> "Members":
        """The same for chosen members."""
        return replace(
            self,
            parameters={name: value[chosen] for name, value in self.parameters.items()},
            memory=self.memory[chosen],
            cycle_memory=self.cycle_memory[chosen],
            level_noise=self.level_noise[chosen],
            drift_noise=self.drift_noise[chosen],
            cycle_noise=self.cycle_noise[chosen],
            fixed={name: value[chosen] for name, value in self.fixed.items()},
        )


def declared(model: Model) -> ModelSpec:
    """Declarations of a model that binds its names."""
    assert model.spec is not None  # noqa: S101
    return model.spec


def couplings_of(model: Model) -> tuple[str, ...]:
    """Everything that links regions but the baseline reversion, which is learnt: digital effects, then mobility."""
    return model.bindings.parameters.couplings


def check_fit_of(fit: FittedParameters, model: Model, regions: Collection[str], year: int) -> None:
    """Refuse a fit of another model, of other regions, or one that knows realisations after an origin.

    Parameters
    ----------
    fit
        What a calibration found.
    model
        What forecasts.
    regions
        Codes of those that are forecast.
    year
        The origin.

    Raises
    ------
    InvalidInput
        If the fit does not belong here.
    """
    if set(fit.regions) != set(regions):
        raise InvalidInput(
            f"the fit was made on {len(fit.regions)} regions of panel {fit.panel!r}, and {len(regions)} are forecast; "
            f"{apart(fit.regions, regions)}; calibrate on the panel that is forecast"
        )
    check_fit(fit, model, year)


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """What is drawn of each member before it is put into a year."""

    parameters: Mapping[str, Array]  # by key of the declarations, shape (member,)
    memory: Array
    momentum: Array
    cycle: Array
    cycle_memory: Array
    sd: Array  # yearly standard deviation of shocks to the level, shape (member,)


def drawn(
    evidence: Evidence,
    laws: Laws,
    chosen: NDArray[np.intp],
    strength: float,
    rng: np.random.Generator,
    fit: FittedParameters | None = None,
) -> Drawn:
    """Draw members: everything besides the laws from the priors or a fit, as in a projection, shape (member,)."""
    model, trend = evidence.model, laws.trend.of(chosen)
    parameters = parameter_draws(declared(model), fit, len(chosen), rng)
    parameters |= {key: strength * parameters[key] for key in couplings_of(model)}
    parameters |= _linear(model, trend.memory, trend.reversion, trend.persistence, evidence.growth)
    return Drawn(
        parameters=parameters,
        memory=trend.memory,
        momentum=trend.momentum,
        cycle=trend.cycle,
        cycle_memory=trend.cycle_memory,
        sd=laws.sd[chosen],
    )


def central(evidence: Evidence, couplings: Mapping[str, Array]) -> Drawn:
    """Members with the declared values, without momentum, reversion and noise, that differ by their couplings alone."""
    model, count = evidence.model, len(next(iter(couplings.values())))
    single = parameter_draws(declared(model), None, 1, np.random.default_rng(0))
    parameters = {key: np.repeat(value, count) for key, value in single.items()} | dict(couplings)
    nothing, half = np.zeros(count), np.full(count, 0.5)
    parameters |= _linear(model, half, nothing, nothing, evidence.growth)
    return Drawn(
        parameters=parameters,
        memory=half,
        momentum=nothing,
        cycle=nothing,
        cycle_memory=nothing,
        sd=nothing,
    )


def _linear(model: Model, memory: Array, reversion: Array, persistence: Array, growth: float) -> dict[str, Array]:
    """Parameters of the model for laws of the small filter."""
    step, count, keys = time_step(model), len(memory), model.bindings.parameters
    regions = len(model.ranges[model.region_range])
    return {
        # Partners count equally, and what they do not include is the region itself.
        keys.catch_up: (1 - (1 - reversion) ** step) / step * (regions - 1) / regions,
        keys.gap_persistence: persistence,
        keys.momentum_decay: step / (1 - memory**step),
        keys.trend_growth: np.full(count, growth),
        keys.catch_up_curvature: np.full(count, CURVATURE),
        keys.catch_up_asymmetry: np.zeros(count),
    }


def start(evidence: Evidence, laws: Laws, first_year: int, draw: Drawn) -> tuple[Members, State]:
    """Put members where the panel says they are in the first year."""
    bound = RegionalModel(model=evidence.model, panel=evidence.panel, parameters=draw.parameters)
    output, stocks, fixed = first_stocks(bound, first_year, len(draw.sd))
    sd = draw.sd[:, None] * laws.by_region
    members = Members(
        model=evidence.model,
        parameters=draw.parameters,
        memory=draw.memory,
        cycle_memory=draw.cycle_memory,
        level_noise=sd,
        drift_noise=draw.momentum[:, None] * sd,
        cycle_noise=draw.cycle[:, None] * sd,
        fixed=fixed,
        first_year=first_year,
    )
    nothing = np.zeros(output.shape)
    return members, State(year=first_year, level=np.log(output), drift=nothing, cycle=nothing, stocks=stocks)


def advance(state: State, members: Members, shock: Array, position: Array) -> State:
    """Run every member through one year."""
    ended = _year_later(state, members, shock, position)
    again = np.flatnonzero(_astray(ended, state))
    if len(again):
        # Couplings drawn far out can empty a region. Such members go through the year without them.
        centre = position if position.ndim == 1 else position[again]
        calm = _year_later(state.of(again), uncoupled(members.of(again)), shock[again], centre, throw=True)
        for name, value in calm.items():
            ended[name][again] = value
    return State(
        year=state.year + 1,
        level=np.log(ended["output_per_head"]),
        drift=members.memory[:, None] * state.drift,
        cycle=members.cycle_memory[:, None] * state.cycle,
        stocks=stocks_of(ended),
    )


def _astray(ended: Mapping[str, Array], before: State) -> NDArray[np.bool_]:
    """Members without a value, with a share above one or with a region that lost half its people; shape (member,)."""
    found = ~np.all([np.isfinite(value).all(axis=1) for value in ended.values()], axis=0)
    found |= np.any([(ended[name] > 1 + ROUNDING).any(axis=1) for name in SHARES], axis=0)
    found |= (ended["population"] < before.stocks["population"] / 2).any(axis=1)
    return np.asarray(found)


def uncoupled(members: Members) -> Members:
    """The same with the couplings switched off."""
    nothing = {key: np.zeros_like(members.parameters[key]) for key in couplings_of(members.model)}
    return replace(members, parameters={**members.parameters, **nothing})


def _year_later(
    state: State, members: Members, shock: Array, position: Array, *, throw: bool = False
) -> dict[str, Array]:
    """Outcomes of the model a year later by their meaning, shape (member, region); not finite where none was found."""
    model, parameters = members.model, members.parameters
    relative = state.level - state.level.mean(axis=1, keepdims=True)
    decay = parameters[model.bindings.parameters.momentum_decay]
    begun = YearStart(
        output=np.exp(state.level),
        shift=position - relative,
        momentum=state.drift / (decay[:, None] * (1 - members.memory[:, None])),
        shock=shock,
        stocks=state.stocks,
    )
    run = simulate(
        model,
        year_values(model, parameters, members.fixed, begun, state.year - members.first_year),
        start=state.year,
        stop=state.year + 1,
        save_every=1,
        outcomes=list(year_outcomes(model).values()),
        threads=1,
        throw=throw,
    )
    return year_later(run, model)
