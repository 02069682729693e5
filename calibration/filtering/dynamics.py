"""One year of the compiled model for all members: states in, states out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from calibration.filtering.evidence import Evidence
from calibration.filtering.learning import Laws
from pysd_runner.core.errors import InvalidInput, apart
from pysd_runner.model import Model, load_model
from pysd_runner.regional.draws import check_fit, parameter_draws
from pysd_runner.regional.inputs import as_values, region_inputs, time_step
from pysd_runner.simulation import simulate
from pysd_runner.spec import FittedParameters, ModelSpec

Array = NDArray[np.float64]

MODEL = "regional_digital"
SHARES = {"a": "Access Share", "s": "Skill Share", "u": "Application Share"}
CARRIED = {
    "P": "Population",
    "X": "Shared Data",
    "G": "Governance Integration",
    "N": "Platform Linkage",
    "D": "Digital Infrastructure",
}
# Everything that links regions but the baseline pull c0, which is learnt: digital effects, then mobility.
COUPLINGS = ("lam_I", "c1", "th_U", "th_X", "eta_S", "m0", "mu_K", "eta_A")
# Small enough for a pull that is linear, large enough for differences of exponentials to keep ten digits.
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


@cache
def model_of(regions: int) -> Model:
    """The shipped model with some regions."""
    return load_model(MODEL, regions=regions)


def spec_of(regions: int) -> ModelSpec:
    """Its declarations."""
    spec = model_of(regions).spec
    if spec is None:
        raise InvalidInput(f"model {MODEL!r} has no declarations, so a panel cannot be tied to it")
    return spec


def check_fit_of(fit: FittedParameters, regions: Collection[str], year: int) -> None:
    """Refuse a fit of another model, of other regions, or one that knows realisations after an origin.

    Parameters
    ----------
    fit
        What a calibration found.
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
    check_fit(fit, model_of(len(regions)), year)


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
    regions = len(evidence.values)
    trend = laws.trend.of(chosen)
    parameters = parameter_draws(spec_of(regions), fit, len(chosen), rng)
    parameters |= {key: strength * parameters[key] for key in COUPLINGS}
    parameters |= _linear(regions, trend.memory, trend.pull, trend.persistence, evidence.growth)
    return Drawn(
        parameters=parameters,
        memory=trend.memory,
        momentum=trend.momentum,
        cycle=trend.cycle,
        cycle_memory=trend.cycle_memory,
        sd=laws.sd[chosen],
    )


def central(evidence: Evidence, couplings: Mapping[str, Array]) -> Drawn:
    """Members with the declared values, without momentum, pull and noise, that differ by their couplings alone."""
    regions, count = len(evidence.values), len(couplings[COUPLINGS[0]])
    single = parameter_draws(spec_of(regions), None, 1, np.random.default_rng(0))
    parameters = {key: np.repeat(value, count) for key, value in single.items()} | dict(couplings)
    nothing, half = np.zeros(count), np.full(count, 0.5)
    parameters |= _linear(regions, half, nothing, nothing, evidence.growth)
    return Drawn(
        parameters=parameters,
        memory=half,
        momentum=nothing,
        cycle=nothing,
        cycle_memory=nothing,
        sd=nothing,
    )


def _linear(regions: int, memory: Array, pull: Array, persistence: Array, growth: float) -> dict[str, Array]:
    """Parameters of the model for laws of the small filter."""
    step, count = time_step(model_of(regions)), len(memory)
    return {
        # Partners count equally, and what they do not include is the region itself.
        "c0": (1 - (1 - pull) ** step) / step * (regions - 1) / regions,
        "pi": persistence,
        "tau_m": step / (1 - memory**step),
        "g0": np.full(count, growth),
        "curv": np.full(count, CURVATURE),
        "omega": np.zeros(count),
    }


def start(evidence: Evidence, laws: Laws, first_year: int, draw: Drawn) -> tuple[Members, State]:
    """Put members where the panel says they are in the first year."""
    model = model_of(len(evidence.values))
    inputs = region_inputs(model, evidence.panel, first_year, parameters=draw.parameters, momentum_gain=0.0)
    values = as_values(inputs, draw.parameters, model)
    run = simulate(
        model,
        values,
        start=first_year,
        stop=first_year + time_step(model),
        save_every=time_step(model),
        outcomes=["Digital Infrastructure", "Private Digital Investment Rate", "Investment Rate"],
        threads=1,
    )
    shape = (len(draw.sd), len(evidence.values))

    def of_first(name: str) -> Array:
        return np.array(np.broadcast_to(run[name][0, ..., 0], shape))

    known = {key: item.variable for key, item in spec_of(len(evidence.values)).inputs.items()}
    given = {key: np.array(np.broadcast_to(inputs.values[variable][0], shape)) for key, variable in known.items()}
    stocks = {key: given[key] for key in ("P", "a", "s", "u", "X", "G", "N", "KY")}
    stocks["D"] = of_first("Digital Infrastructure")
    fixed = {known[key]: given[key] for key in ("school", "nat", "terrain", "fdev")}
    fixed["Private Digital Investment Rate"] = of_first("Private Digital Investment Rate")
    fixed["Observed Investment Rate"] = of_first("Investment Rate")
    sd = draw.sd[:, None] * laws.by_region
    members = Members(
        parameters=draw.parameters,
        memory=draw.memory,
        cycle_memory=draw.cycle_memory,
        level_noise=sd,
        drift_noise=draw.momentum[:, None] * sd,
        cycle_noise=draw.cycle[:, None] * sd,
        fixed=fixed,
        first_year=first_year,
    )
    nothing = np.zeros(shape)
    return members, State(year=first_year, level=np.log(given["y"]), drift=nothing, cycle=nothing, stocks=stocks)


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
    stocks = {key: ended[name] for key, name in {**SHARES, **CARRIED}.items()}
    stocks["KY"] = ended["Physical Capital"] / ended["Output"]
    return State(
        year=state.year + 1,
        level=np.log(ended["Output per Capita"]),
        drift=members.memory[:, None] * state.drift,
        cycle=members.cycle_memory[:, None] * state.cycle,
        stocks=stocks,
    )


def _astray(ended: Mapping[str, Array], before: State) -> NDArray[np.bool_]:
    """Members without a value, with a share above one or with a region that lost half its people; shape (member,)."""
    found = ~np.all([np.isfinite(value).all(axis=1) for value in ended.values()], axis=0)
    found |= np.any([(ended[name] > 1 + ROUNDING).any(axis=1) for name in SHARES.values()], axis=0)
    found |= (ended["Population"] < before.stocks["P"] / 2).any(axis=1)
    return np.asarray(found)


def uncoupled(members: Members) -> Members:
    """The same with the `COUPLINGS` switched off."""
    nothing = {key: np.zeros_like(members.parameters[key]) for key in COUPLINGS}
    return replace(members, parameters={**members.parameters, **nothing})


def _year_later(
    state: State, members: Members, shock: Array, position: Array, *, throw: bool = False
) -> dict[str, Array]:
    """Outcomes of the model a year later by variable, shape (member, region); not finite where it found no value."""
    run = simulate(
        model_of(state.level.shape[1]),
        _values(state, members, shock, position),
        start=state.year,
        stop=state.year + 1,
        save_every=1,
        outcomes=["Output per Capita", "Output", "Physical Capital", *SHARES.values(), *CARRIED.values()],
        threads=1,
        throw=throw,
    )
    return {name: np.array(values[0, ..., -1]) for name, values in run.data.items()}


def _values(state: State, members: Members, shock: Array, position: Array) -> dict[str, Array]:
    """Values for the compiled model, shape (1, member, region)."""
    regions = state.level.shape[1]
    spec = spec_of(regions)
    parameters = dict(members.parameters)
    growth = parameters["g_ref"]
    # The reference of coverage grows from the first year on, not from each year anew.
    parameters["d_ref"] = parameters["d_ref"] * np.exp(growth * (state.year - members.first_year))
    values = {
        spec.parameters[key].variable: value[None, :]
        for key, value in parameters.items()
        if spec.parameters[key].variable
    }
    names = {key: item.variable for key, item in spec.inputs.items()}
    memory = members.memory[:, None]
    relative = state.level - state.level.mean(axis=1, keepdims=True)
    by_region = {
        names["y"]: np.exp(state.level),
        **{names[key]: state.stocks[key] for key in ("P", "a", "s", "u", "X", "G", "N", "KY")},
        names["tref"]: np.broadcast_to(position - relative, state.level.shape),
        names["mom"]: state.drift / (parameters["tau_m"][:, None] * (1 - memory)),
        "Initial Digital Infrastructure": state.stocks["D"],
        "Technology Shock": shock,
        **members.fixed,
    }
    values |= {name: value[None] for name, value in by_region.items()}
    equal = np.full((regions, regions), 1 / max(regions - 1, 1))
    np.fill_diagonal(equal, 0.0)
    values["Given Partner Weight"] = equal
    return values
