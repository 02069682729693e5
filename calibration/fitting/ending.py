"""Assemble the result of a fit from finished searches: estimates, error models, residuals, findings."""

import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib import metadata
from typing import Any

import numpy as np

from calibration.fitting.comparison import is_growth, standardised
from calibration.fitting.curved import folded
from calibration.fitting.estimates import (
    Laplace,
    LocalOptimum,
    ParameterEstimate,
    RidgeEstimate,
    Search,
    SeriesFit,
    dispersion_findings,
    evidence,
    parameter_findings,
    search_findings,
    series_findings,
    stage_findings,
    twin_findings,
)
from calibration.fitting.payoff_checks import payoff_findings
from calibration.fitting.problem import Problem
from calibration.fitting.results import RESIDUAL_COLUMNS, Fit, ResidualTable
from calibration.fitting.space import prior_median, prior_quantile
from calibration.observation import HUBER_K, HuberLoss, Series, Shocks, summarise_shocks
from calibration.observation.estimation import correlation_of
from calibration.observation.noise import LEAST_COUNT, pearson
from calibration.optimisers import SearchOutcome, Starts, basins
from pysd_runner.core.errors import Message
from pysd_runner.core.findings import Finding
from pysd_runner.core.types import Array, Arrays, Values, frozen
from pysd_runner.evidence.weights import ENTRY as EVIDENCE
from pysd_runner.spec import Beta, FittedParameters, Prior, Uniform

# Standard normal quantile of the limits of a 90 % interval.
NINETY = 1.6448536269514722

# Distance from a bound, in prior standard deviations, below which an estimate counts as at the bound.
AT_BOUND = 1e-3
# Distance from a limit of the prior, as a share of its interval, below which an estimate counts as at the bound, for
# priors on an interval, whose limits are infinite on the unconstrained scale.
AT_END = 1e-4
# Draws that the fit of a payoff keeps.
FOLDED = 1000
# Number of standard deviations of a known error beyond which an observed level is reported as missed by the fit.
MISSED = 2.0


@frozen
class FitSummary:
    """The finished searches of a fit, from which its result is assembled."""

    problem: Problem  # with the error models of the fit
    ends: Starts  # results of the searches
    staged: Array  # end point of the stages, on the unconstrained scale
    curvature: Laplace  # normal approximation at the best end point

    @property
    def point(self) -> Array:
        """The estimate on the unconstrained scale."""
        return self.ends.best.point

    def result(self, *, seed: int, starts: int, optimiser: str, is_settled: bool, seconds: float) -> Fit:
        """Assemble the result of the fit."""
        told = self.problem.fitted(self.point)
        residuals = {item.label: table - item.values for item, table in zip(self.problem.series, told, strict=True)}
        parameters = tuple(self._parameters())
        series = tuple(self._series_fit(item, residuals[item.label]) for item in self.problem.series)
        searches = tuple(self._searches())
        optima = tuple(self._optima())
        apart = np.abs(self.staged - self.point) / self.curvature.spread if len(self.point) else np.zeros(0)
        sizes = self.problem.design.shock_sizes
        shocks = next((self._shocks(residuals, key) for key in sizes), None)
        growth = {name: entry for _ in sizes for name, entry in self._growth_record(residuals).items()}
        return Fit(
            fitted=self._fitted(
                parameters, series, shocks, growth, {"seed": seed, "starts": starts, "optimiser": optimiser}
            ),
            parameters=parameters,
            series=series,
            residuals=self._table(told),
            searches=searches,
            optima=optima,
            ridges=tuple(self._ridges()),
            shocks=shocks,
            description=self.problem.describe(),
            findings=(),
            region_names={item.code: (item.name_en, item.name_zh) for item in self.problem.entities},
            cost=self.ends.best.cost,
            stage_distance=float(apart.max()) if apart.size else 0.0,
            seconds=seconds,
            time_unit=self.problem.time_unit,
        ).with_findings(
            *self._findings(parameters, series, searches, optima, apart, is_settled), *self._dispersion(told)
        )

    def _parameters(self) -> Iterator[ParameterEstimate]:
        """Yield the estimates in the order of the declarations."""
        space = self.problem.space
        slopes, scores = space.value_slopes(self.point), space.prior_residuals(self.point)
        for place, (item, prior) in enumerate(zip(space.parameters, space.priors, strict=True)):
            estimate = float(prior.from_unbounded(self.point[place]))
            contraction = float(self.curvature.contraction[place])
            low, high = space.interval(place, self.point[place], NINETY * self.curvature.spread[place])
            yield ParameterEstimate(
                key=item.key,
                name=item.variable or item.en,
                unit=item.unit,
                role=item.role,
                stage=self.problem.stage_of(item.key).name,
                estimate=estimate,
                standard_error=float(abs(slopes[place]) * self.curvature.spread[place]),
                low=low,
                high=high,
                lower_bound=item.lower,
                upper_bound=item.upper,
                prior_median=prior_median(prior),
                prior_low=prior_quantile(prior, -NINETY),
                prior_high=prior_quantile(prior, NINETY),
                score=float(scores[place]),
                contraction=contraction,
                at_bound=at_bound(prior, estimate),
                words=self._words(contraction, at_bound(prior, estimate)),
                price_basis=item.price_basis,
                en=item.en,
                zh=item.zh,
            )

    def _words(self, contraction: float, side: str) -> str:
        """What an estimate rests on."""
        if self.problem.is_general and side:
            return Message("at its {side} bound", side=Message(side))
        return evidence(contraction, source=self.problem.design.noun)

    def _series_fit(self, series: Series, residuals: Array) -> SeriesFit:
        noise, cells = self.problem.noise[series.label], series.cells
        innovations = standardised(series, residuals, noise)
        table = cells.spread_out(innovations)
        declared = self.problem.spec.measurements.get(series.measurement)
        is_declared, unit = declared is not None, self.problem.time_unit
        bend = HuberLoss().bent
        return SeriesFit(
            measurement=series.measurement,
            indicator=series.indicator,
            relative=series.relative,
            increments=series.increments,
            national=is_declared and series.national,
            observations=len(cells),
            missing=series.missing,
            unusable=series.unusable,
            declared_sd=series.declared_sd,
            sd=0.0 if series.errors.family == "poisson" else noise.sd,
            persistence=noise.persistence,
            total_sd=noise.total_sd,
            rms=float(np.sqrt(np.mean(innovations**2))),
            wild=int((np.abs(innovations) > HUBER_K).sum()),
            leftover=correlation_of(bend(table[:, 1:]), bend(table[:, :-1])),
            errors=series.words,
            region_sds=tuple(noise.sd * ratio for ratio in noise.regional),
            interval=Message("a year") if is_declared else f"{series.spacing:g} {unit}".strip(),
            en=declared.en if declared is not None else series.expression.text,
            zh=declared.zh if declared is not None else series.expression.text,
        )

    def _searches(self) -> Iterator[Search]:
        for number, end in enumerate(self.ends.optima):
            away = np.abs(end.point - self.point) / self.curvature.spread if len(self.point) else np.zeros(1)
            yield Search(
                start=Message("prior draw") if number else Message("staged"),
                cost=end.cost if np.isfinite(end.cost) else float("nan"),
                outcome=end.outcome.word,
                message=end.outcome.value,
                evaluations=end.evaluations,
                distance=float(away.max()),
            )

    def _optima(self) -> Iterator[LocalOptimum]:
        """Yield the distinct optima in ascending order of cost."""
        scale = self.problem.space.scale
        for basin in basins(self.ends.optima, scale):
            away = np.abs(basin.optimum.point - self.point) / scale if len(self.point) else np.zeros(0)
            yield LocalOptimum(
                starts=basin.members,
                cost=basin.optimum.cost,
                rise=basin.optimum.cost - self.ends.best.cost,
                distance=float(away.max(initial=0.0)),
                furthest=self.problem.space.keys[int(away.argmax())] if away.any() else "",
                point={key: float(value) for key, value in self.problem.space.to_values(basin.optimum.point).items()},
            )

    def _ridges(self) -> Iterator[RidgeEstimate]:
        """Yield estimates of the identified combinations of ridges, with variances transformed to their coordinates."""
        change = self.problem.ridges
        if not change.ridges:
            return
        coordinates = change.forward(self.point)
        across = np.linalg.inv(change.slopes(coordinates))
        posterior = np.diag(across @ self.curvature.covariance @ across.T)
        prior = (across / self.problem.space.prior_slopes(self.point)) ** 2 @ np.ones(len(coordinates))
        for ridge in change.ridges:
            for name, place, value in change.known(ridge):
                half = NINETY * float(np.sqrt(posterior[place]))
                centre = coordinates[place]
                yield RidgeEstimate(
                    ridge=ridge.key,
                    name=name,
                    estimate=float(value(centre)),
                    low=float(value(centre - half)),
                    high=float(value(centre + half)),
                    contraction=float(1 - posterior[place] / prior[place]),
                    en=ridge.en,
                    zh=ridge.zh,
                )

    @property
    def _growth(self) -> Series | None:
        """The series of output growth, or None if there is none."""
        return next((item for item in self.problem.series if is_growth(item)), None)

    def _misses(self, residuals: Arrays) -> Iterator[dict[str, Any]]:
        """Yield national levels with known error that differ from the fit by more than `MISSED` standard deviations."""
        for item in self.problem.series:
            if not (item.national and item.errors.known):
                continue
            for place in np.argwhere(item.used & (np.abs(residuals[item.label]) > MISSED * item.declared_sd)):
                row, column = map(int, place)
                observed, apart = (float(values[row, column]) for values in (item.values, residuals[item.label]))
                yield {
                    "measurement": item.measurement,
                    "year": item.years[column],
                    "observed": observed,
                    "fitted": observed + apart,
                }

    def _growth_record(self, residuals: Arrays) -> Values:
        """Provenance entries on growth: share of squared growth explained, and national levels missed."""
        growth, item = {}, self._growth
        if item is not None:
            misses, changes = (np.where(item.used, table, 0.0) for table in (residuals[item.label], item.values))
            growth["explained"] = 1 - float((misses**2).sum() / (changes**2).sum())
        return {"growth": growth, "misses": list(self._misses(residuals))}

    def _shocks(self, residuals: Arrays, key: str) -> Shocks:
        """Summary of regional growth residuals; shocks of the declared size if growth is not observed."""
        item = self._growth
        declared = self.problem.spec.parameters[key].value
        if item is None:
            return Shocks(sd=declared, long_run_sd=declared)
        return summarise_shocks(item, residuals[item.label], prior_sd=declared)

    def _table(self, told: Sequence[Array]) -> ResidualTable:
        import pandas as pd

        parts = []
        for item, fitted in zip(self.problem.series, told, strict=True):
            rows, columns = cells = np.nonzero(item.seen)
            standard = standardised(item, fitted - item.values, self.problem.noise[item.label])
            content = {
                "region": np.array(item.labels, dtype=object)[rows],
                "measurement": item.measurement,
                "indicator": item.indicator,
                "year": item.times.astype(self.problem.design.clock)[columns],
                "used": item.used[cells],
                "observed": item.observed[cells],
                "fitted": item.shown(fitted)[cells],
                "standardised": item.cells.spread_out(standard)[cells],
            }
            parts.append(pd.DataFrame(content))
        if not parts:
            return ResidualTable(**dict.fromkeys(RESIDUAL_COLUMNS, ()))
        table = pd.concat(parts)
        return ResidualTable(**{name: tuple(table[name].tolist()) for name in RESIDUAL_COLUMNS})

    def _findings(
        self,
        parameters: tuple[ParameterEstimate, ...],
        series: tuple[SeriesFit, ...],
        searches: tuple[Search, ...],
        optima: tuple[LocalOptimum, ...],
        apart: Array,
        is_settled: bool,
    ) -> list[Finding]:
        found = [*search_findings(self.ends, searches, self.curvature), *twin_findings(optima)]
        if self.problem.is_general:
            return [
                *found,
                *payoff_findings(self.problem, self.point, self.curvature, parameters),
                *series_findings(series),
            ]
        found += parameter_findings(parameters)
        if apart.size:
            worst = int(apart.argmax())
            found += stage_findings(self.problem.space.keys[worst], float(apart[worst]))
        if not is_settled:
            text = Message(
                "The errors of the series still moved when the last round ended; standard errors are approximate."
            )
            found.append(Finding("errors-moving", text, "warning"))
        return [*found, *series_findings(series)]

    def _dispersion(self, told: Sequence[Array]) -> Iterator[Finding]:
        """Test series with Poisson errors for overdispersion by Pearson's chi-square."""
        problem = self.problem
        share = 1 - len(problem.space) / max(sum(len(item.cells) for item in problem.series), 1)
        for item, fitted in zip(problem.series, told, strict=True):
            if item.errors.family == "poisson":
                expected = np.maximum(item.cells.pick(fitted), LEAST_COUNT)
                statistic = pearson(item.cells.pick(item.values), expected)
                freedom = max(share * len(item.cells), 1.0)
                yield from dispersion_findings(item.measurement, item.indicator, statistic, freedom)

    def _fitted(
        self,
        parameters: tuple[ParameterEstimate, ...],
        series: tuple[SeriesFit, ...],
        shocks: Shocks | None,
        growth: Values,
        settings: Values,
    ) -> FittedParameters:
        problem, best = self.problem, self.ends.best
        sds: dict[str, list[float]] = {}
        for item in series:
            sds.setdefault(item.measurement, []).append(item.total_sd**2)
        return FittedParameters(
            model=problem.model.name,
            model_sha256=problem.model_sha256,
            panel=problem.data.name,
            panel_sha256=problem.data.sha256,
            first_year=problem.first_year,
            last_year=problem.last_year,
            regions=tuple(item.code for item in problem.entities),
            keys=tuple(item.key for item in parameters),
            estimates=tuple(item.estimate for item in parameters),
            standard_errors=tuple(item.standard_error for item in parameters),
            covariance=tuple(tuple(row) for row in self.curvature.covariance.tolist()),
            contraction=tuple(item.contraction for item in parameters),
            at_bound=tuple(item.at_bound for item in parameters),
            status=best.outcome.word,
            message=self._message,
            residual_sd={name: float(np.sqrt(np.mean(squares))) for name, squares in sds.items()},
            shock_sd=0.0 if shocks is None else shocks.sd,
            fixed=dict(problem.fixed),
            draws=self._draws(settings),
            provenance={**_provenance(problem, settings), **growth, **self._payoff_record()},
        )

    @property
    def _message(self) -> str:
        """How the search ended, with the payoff if there is one."""
        told = self.ends.best.outcome.value
        if not self.problem.is_general:
            return told
        if self.ends.best.outcome is SearchOutcome.CONVERGED:
            told = Message("The search converged: no step nearby raises the payoff.")
        return Message("{told} Payoff: {payoff}.", told=told, payoff=f"{self.problem.payoff_at(self.point):.6f}")

    def _draws(self, settings: Values) -> tuple[tuple[float, ...], ...]:
        """Draws of a payoff's posterior, whose flat priors have no scale for the usual normal approximation."""
        if not (self.problem.is_general and len(self.point)):
            return ()
        found = folded(self.problem, self.point, self.curvature, draws=FOLDED, seed=settings["seed"])
        return tuple(map(tuple, found.tolist()))

    def _payoff_record(self) -> Values:
        """Provenance entry of the payoff."""
        return {"payoff": self.problem.payoff_at(self.point)} if self.problem.is_general else {}


def at_bound(prior: Prior, estimate: float) -> str:
    """Return "lower" or "upper" if an estimate lies at that bound of its prior, otherwise an empty string."""
    lower, upper = prior.unbounded_bounds
    z = float(prior.to_unbounded(estimate))
    if np.isfinite(lower) or np.isfinite(upper):
        near = AT_BOUND * prior.unbounded_sd
        return "lower" if z - lower < near else "upper" if upper - z < near else ""
    if not isinstance(prior, Beta | Uniform):
        return ""
    share = (estimate - prior.lower) / (prior.upper - prior.lower)
    return "lower" if share < AT_END else "upper" if share > 1 - AT_END else ""


def used_evidence(problem: Problem) -> Values:
    """Provenance entry of the measured effects in the likelihood, if there are any."""
    if problem.experiments is None:
        return {}
    return {EVIDENCE: {"how": "likelihood", "terms": [item.key for item in problem.experiments.terms]}}


def _provenance(problem: Problem, settings: Values) -> Values:
    return {
        **settings,
        **problem.record,
        **problem.data.reading,
        **problem.runs.entering.record(problem.parameters_at(problem.space.centre)),
        **used_evidence(problem),
        "errors": {label: {**asdict(item), "regional": list(item.regional)} for label, item in problem.noise.items()},
        "gapsim": metadata.version("gapsim"),
        "numpy": np.__version__,
        "scipy": metadata.version("scipy"),
        "python": platform.python_version(),
    }
