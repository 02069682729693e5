"""Common draws of all scenarios of a projection: parameters, the state at the origin, and shocks to growth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.types import Array, Arrays, Flags, Indices, Values, frozen
from pysd_runner.data import Data
from pysd_runner.engine import Engine, TimePath
from pysd_runner.model import Model
from pysd_runner.simulation import simulate
from pysd_runner.simulation.run import only_draws
from pysd_runner.spec import Baseline, FittedParameters, ModelSpec
from pysd_runner.study.binding import RegionalModel
from pysd_runner.study.region_inputs import RegionInputs, check_money, relative_growth

# Student t degrees of freedom of shocks, as in the forecasts: yearly growth has fatter tails than the normal.
DEGREES_OF_FREEDOM = 5

# Number of last years of the panel from which the size of shocks and their correlation within classes are estimated.
WINDOW = 12

# Yearly standard deviation without a calibration and with too short a panel: typical of provinces, by judgement.
TYPICAL_SD = 0.025
# Tolerance of implied shocks (log points), and maximum number of iterations; draws that do not converge are dropped.
TOLERANCE = 1e-9
MOST_RUNS = 100


@frozen(eq=False)
class ImpliedShocks:
    """Shocks with which the model follows a forecast, for the draws that converged."""

    path: TimePath
    found: Flags  # whether each draw converged, shape (draw,)
    errors: Array  # largest distance from the forecast in each draw, log points, shape (draw,)
    runs: Indices  # number of simulations of each draw, shape (draw,)

    @property
    def systematic(self) -> Array:
        """Mean shock over years and draws, shape (region,), log points a year: systematic deviation from the model."""
        return np.asarray(self.path.values.mean(axis=(0, 1, 2)))


def implied_shocks(
    model: Model,
    values: Values,
    target: Array,
    bounds: tuple[int, int],
    *,
    engine: Engine = "auto",
    progress: Callable[[int], None] | None = None,
) -> ImpliedShocks:
    """Find the shocks with which log relative output of a run follows a target path, by fixed-point iteration."""
    # Update ``x_t += e_t - e_(t-1)`` for all years at once, where ``e`` is the target minus the run, both relative to
    # the mean of the regions, until all ``e`` are within `TOLERANCE`. A shock changes output of its year nearly one for
    # one and that of later years slightly less, so that errors shrink by a factor of four to five per run. Shocks sum
    # to zero over regions: the national mean remains that of the model.
    draws, regions, years = target.shape
    shocks = np.zeros((years, 1, draws, regions))
    errors, runs = np.full(draws, np.inf), np.zeros(draws, dtype=np.intp)
    open_draws = np.arange(draws)
    moments = np.arange(*bounds, dtype=float)
    names = model.bindings.variables
    for _ in range(MOST_RUNS):
        run = simulate(
            model,
            {
                **only_draws(model, values, open_draws),
                names.shock: TimePath(times=moments, values=shocks[:, :, open_draws], interpolate="step"),
            },
            start=bounds[0],
            stop=bounds[1],
            save_every=1,
            outcomes=[names.output_per_head],
            engine=engine,
            throw=False,
        )
        miss = target[open_draws] - _relative(run[names.output_per_head][0, :, :, 1:])
        runs[open_draws] += 1
        errors[open_draws] = np.nan_to_num(np.abs(miss), nan=np.inf).max(axis=(1, 2))
        is_open = (errors[open_draws] > TOLERANCE) & np.isfinite(errors[open_draws])
        steps = np.diff(miss[is_open], axis=2, prepend=0.0)
        open_draws = open_draws[is_open]
        if progress is not None:
            progress(draws - len(open_draws))
        if not len(open_draws):
            break
        shocks[:, 0, open_draws] += steps.transpose(2, 0, 1)
    found = errors <= TOLERANCE
    path = TimePath(times=moments, values=shocks[:, :, found], interpolate="step")
    return ImpliedShocks(path=path, found=found, errors=errors, runs=runs)


def _relative(output: Array) -> Array:
    logs = np.log(output)
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


@dataclass(frozen=True, slots=True)
class ShockLaw:
    """Parameters of the distribution of shocks to regional growth."""

    sd: float  # standard deviation of yearly shocks, log points
    shared: float  # share of the variance that is common to regions of one class


def shock_law(panel: Data, *, sd: float = 0.0) -> ShockLaw:
    """Estimate the size of shocks and the share common to classes from the last years of a panel."""
    growth = relative_growth(panel)[:, np.array(panel.years[1:]) > panel.years[-1] - WINDOW]
    seen = np.isfinite(growth)
    if seen.sum() < 10:
        return ShockLaw(sd or TYPICAL_SD, 0.0)
    groups = [region.group for region in panel.regions]
    return ShockLaw(sd or float(np.sqrt(np.mean(growth[seen] ** 2))), shared_part(growth, groups))


def shared_part(innovations: Array, groups: Sequence[str]) -> float:
    """Share of the variance of innovations that is common to regions of a class, by the method of moments."""
    seen = np.isfinite(innovations)
    if not seen.any():
        return 0.0
    variance = float((innovations[seen] ** 2).mean())
    labels = np.array(groups)
    excess, weight = 0.0, 0.0
    for group in sorted({name for name in groups if name}):
        members = innovations[labels == group]
        members = members[:, np.isfinite(members).all(axis=0)]
        count = len(members)
        if count < 2 or not members.size:
            continue
        excess += count * (float((members.mean(axis=0) ** 2).mean()) - variance / count) / (1 - 1 / count)
        weight += count
    return 0.0 if not weight or variance == 0 else min(max(excess / weight / variance, 0.0), 0.9)


def shock_paths(
    law: ShockLaw, groups: Sequence[str], years: Array, persistence: Array, rng: np.random.Generator
) -> TimePath:
    """Draw AR(1) paths of shocks to yearly growth, common to all scenarios, shape (year, 1, draw, region)."""
    draws, regions, count = persistence.size, len(groups), years.size
    names = sorted({name for name in groups if name})
    scale = np.sqrt((DEGREES_OF_FREEDOM - 2) / DEGREES_OF_FREEDOM)
    own = np.empty((count, draws, regions))
    common = np.empty((count, draws, max(len(names), 1)))
    # One random stream per draw, filled year by year: more draws or years leave the earlier ones unchanged.
    for draw, stream in enumerate(rng.spawn(draws)):
        for shocks, part in zip((own, common), stream.spawn(2), strict=True):
            shocks[:, draw] = scale * part.standard_t(DEGREES_OF_FREEDOM, size=shocks[:, draw].shape)
    member = np.array([names.index(group) if group else -1 for group in groups])
    shared = np.where(member >= 0, law.shared, 0.0)
    innovations = np.sqrt(shared) * common[:, :, np.maximum(member, 0)] + np.sqrt(1 - shared) * own
    size = law.sd * np.sqrt(1 - persistence**2)[:, None]
    paths = np.empty((count, 1, draws, regions))
    state = np.zeros((draws, regions))
    for place in range(count):
        state = persistence[:, None] * state + size * innovations[place]
        paths[place, 0] = state
    return TimePath(times=years, values=paths, interpolate="step")


@frozen(eq=False)
class CommonDraws:
    """Values common to all scenarios, for a set of draws."""

    values: Values  # by model variable, as for `pysd_runner.simulation.simulate`
    parameters: Arrays
    inputs: RegionInputs  # initial values of the regions
    draws: tuple[int, ...]  # number of each draw; draws that could not follow the baseline are dropped
    implied: ImpliedShocks | None  # shocks with which the no-policy run follows the baseline
    sources: tuple[str, ...]  # sources of uncertainty, see `pysd_runner.plots.UNCERTAINTIES`
    yuan_per_unit: float = 1.0  # value of one unit of the panel's currency; money in `values` is in yuan

    def only(self, model: Model, kept: Indices) -> "CommonDraws":
        """Select some of the draws, by their places, with the values that a simulation needs."""
        return replace(self, values=only_draws(model, self.values, kept), draws=tuple(self.draws[at] for at in kept))


def common_draws(  # noqa: PLR0913 - the settings of `project`
    model: Model,
    panel: Data,
    fitted: FittedParameters | None,
    baseline: Baseline | None,
    *,
    bounds: tuple[int, int],
    draws: int,
    seed: int,
    shocks: bool = True,
    yuan_per_unit: float = 1.0,
    engine: Engine = "auto",
    progress: Callable[[int], None] | None = None,
) -> CommonDraws:
    """Draw the parameters, initial values and shocks that all scenarios share."""
    # A draw is one parameter vector with the state that it implies at the origin, and one draw of the baseline, whose
    # growth path determines the shocks. A larger number of draws leaves the first ones unchanged.
    check_rate(fitted, yuan_per_unit)
    parameter_rng, shock_rng, report_rng, start_rng = np.random.default_rng(seed).spawn(4)
    parameters = parameter_draws(model.declarations, fitted, draws, parameter_rng)
    bound = RegionalModel(model=model, panel=panel, parameters=parameters, yuan_per_unit=yuan_per_unit)
    errors = indicator_errors(model.declarations, fitted, (draws, len(panel.regions)), start_rng) if draws > 1 else {}
    inputs = bound.start(bounds[0], None if fitted is None else fitted.first_year, errors)
    values: dict[str, Any] = bound.values(inputs)
    noise = bound.bindings.variables.evaluation_noise
    if draws > 1:
        shape = model.ir.shape(model.ir.variables[noise].dims)
        values[noise] = report_rng.standard_normal((draws, *shape))[None]
    common = CommonDraws(
        values=values,
        parameters=parameters,
        inputs=inputs,
        draws=tuple(range(draws)),
        implied=None,
        sources=("parameters",),
        yuan_per_unit=yuan_per_unit,
    )
    if baseline is not None:
        target = _target(baseline, panel, bounds, draws, seed)
        return _following(
            common, model, implied_shocks(model, values, target, bounds, engine=engine, progress=progress)
        )
    if shocks and draws > 1:
        persistence = np.broadcast_to(bound.memory(), (draws,))
        law = shock_law(panel, sd=0.0 if fitted is None else fitted.shock_sd)
        groups = [region.group for region in panel.regions]
        paths = shock_paths(law, groups, np.arange(*bounds, dtype=float), persistence, shock_rng)
        values[model.bindings.variables.shock] = paths
        return replace(common, values=values, sources=("parameters", "shocks"))
    return common


def _following(common: CommonDraws, model: Model, implied: ImpliedShocks) -> CommonDraws:
    """Keep the draws that can follow the baseline, with their implied shocks."""
    if not implied.found.any():
        raise InvalidInput("no draw of the model can follow the baseline; look at panel, fit and forecast")
    return replace(
        common,
        values={**only_draws(model, common.values, implied.found), model.bindings.variables.shock: implied.path},
        parameters={key: value[implied.found] for key, value in common.parameters.items()},
        draws=tuple(np.flatnonzero(implied.found).tolist()),
        implied=implied,
        sources=("parameters", "forecast"),
    )


def _target(baseline: Baseline, panel: Data, bounds: tuple[int, int], draws: int, seed: int) -> Array:
    """Check the baseline and draw its paths up to the last year, shape (draw, region, year)."""
    origin, until = bounds
    if baseline.origin != origin:
        raise InvalidInput(
            "the baseline starts in {origin}, the projection in {start}; forecast from {start}",
            origin=baseline.origin,
            start=origin,
        )
    if baseline.regions != panel.codes:
        raise InvalidInput(
            "the baseline was made for {count} regions of panel {panel!r}, and panel {other!r} has others; forecast "
            "this panel",
            count=len(baseline.regions),
            panel=baseline.panel,
            other=panel.name,
        )
    if until > baseline.years[-1]:
        raise InvalidInput(
            "the baseline ends in {end}, the projection in {until}; forecast until {until}, or stop earlier",
            end=baseline.years[-1],
            until=until,
        )
    return baseline.drawn(draws, seed)[:, :, : until - origin]


def parameter_draws(spec: ModelSpec, fitted: FittedParameters | None, draws: int, rng: np.random.Generator) -> Arrays:
    """Draws of every parameter that is not a policy choice."""
    free = {name: item for name, item in spec.parameters.items() if item.role != "POL"}
    fit_rng, prior_rng = rng.spawn(2)
    if draws == 1:
        central = {name: np.array([item.value]) for name, item in free.items()}
        estimates = fitted.as_values() if fitted is not None else {}
        return central | {name: np.array([value]) for name, value in estimates.items()}
    found = {}
    # One random stream per parameter, so that a new parameter leaves the draws of the others unchanged.
    for name, item in sorted(free.items()):
        stream = np.random.default_rng([*prior_rng.bit_generator.seed_seq.generate_state(2), *name.encode()])
        found[name] = np.full(draws, item.value) if item.prior is None else item.prior.sample(stream, draws)
    return found if fitted is None else found | fitted.sample(fit_rng, draws, spec=spec)


def indicator_errors(
    spec: ModelSpec, fitted: FittedParameters | None, shape: tuple[int, int], rng: np.random.Generator
) -> Arrays:
    """Draw the errors with which indicators observe start values, log points, by indicator; shape (draw, region)."""
    # Standard deviations are those of the residuals of a fit, else the declared ones. One random stream per indicator,
    # so that a new indicator leaves the errors of the others unchanged; more draws begin with the same ones.
    estimated = {} if fitted is None else fitted.residual_sd
    found, words = {}, rng.bit_generator.seed_seq.generate_state(2)
    read = {name for proxy in spec.proxies for name in proxy.indicators}
    for item in spec.measurements.values():
        for name in read.intersection(item.indicators):
            stream = np.random.default_rng([*words, *name.encode()])
            found[name] = estimated.get(item.key, item.sd) * stream.standard_normal(shape)
    return found


def check_fit(fitted: FittedParameters, model: Model, origin: int) -> None:
    """Raise if a fit is for another version of the model, used data after the origin, or has values out of bounds."""
    if fitted.model_sha256 != model.sha256:
        raise InvalidInput(
            "the fit belongs to another version of the model: {fitted!r}, {hash}; this one is {model!r}, {own}; "
            "calibrate again, or take the model of the fit (--model)",
            fitted=fitted.model,
            hash=fitted.model_sha256[:12],
            model=model.name,
            own=model.sha256[:12],
        )
    if fitted.last_year > origin:
        raise InvalidInput(
            "the fit saw the years to {year}, which lie after the origin {origin}; calibrate again with "
            "until={origin} (--window :{origin}), or take a later origin",
            year=fitted.last_year,
            origin=origin,
        )
    fitted.check_bounds(model.declarations)


def check_rate(fitted: FittedParameters | None, yuan_per_unit: float) -> None:
    """Raise if a fit was made at another exchange rate, since its costs and incomes would not be comparable."""
    check_money(yuan_per_unit)
    made = yuan_per_unit if fitted is None else fitted.provenance.get("yuan_per_unit", yuan_per_unit)
    if made != yuan_per_unit:
        raise InvalidInput(
            "the fit was made at {made:g} yuan for a unit of the panel's currency, not at {asked:g}; take the rate of "
            "the fit, or calibrate again at this one (--yuan-per-unit)",
            made=made,
            asked=yuan_per_unit,
        )


def panel_differences(fitted: FittedParameters, panel: Data) -> list[str]:
    """Describe how a panel differs from the one on which a fit was made."""
    made_on = {"panel": fitted.panel, "years": f"{fitted.first_year}-{fitted.last_year}", "other": panel.name}
    if fitted.regions != panel.codes:
        text = Message(
            "The fit was made on panel '{panel}', {years}, with {count} regions; those of panel '{other}' are others."
        )
        return [Message(text, count=len(fitted.regions), **made_on)]
    until = range(panel.years[0], fitted.last_year + 1)
    known = [panel, panel.subset(times=until)] if until else [panel]
    if fitted.panel_sha256 not in {item.sha256 for item in known}:
        return [
            Message(
                "The fit was made on panel '{panel}', {years}; the values of panel '{other}' are others.", **made_on
            )
        ]
    return []
