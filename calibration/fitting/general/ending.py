"""From a finished search to a result, for any model."""

import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.assembly import Ending, correlation_of
from calibration.fitting.diagnostics import Finding, dispersion_findings
from calibration.fitting.estimates import ParameterEstimate, SeriesFit
from calibration.fitting.general.counts import deviance_residual, pearson, size_of
from calibration.fitting.general.series import LEAST_COUNT, ObservedSeries
from calibration.fitting.general.table_problem import TableProblem
from calibration.fitting.results import FitResult, ResidualTable
from calibration.observation import BEND, Shocks, bounded
from pysd_runner.engine import TimePath
from pysd_runner.general.equations import equations_of
from pysd_runner.spec import ErrorModel, FittedParameters, Observation
from pysd_runner.spec.weak import record_of

Array = NDArray[np.float64]


class TableEnding(Ending):
    """A finished search of a `TableProblem`, and what it says."""

    problem: TableProblem

    @property
    def source(self) -> str:
        """What the data are called."""
        return "data"

    def _region_names(self) -> dict[str, tuple[str, str]]:
        return {}

    def _time_unit(self) -> str:
        return self.problem.time_unit

    def _series_fit(self, series: ObservedSeries, residuals: Array) -> SeriesFit:  # type: ignore[override]
        noise = self.problem.noise[series.label]
        standard = self._standard(series, residuals)
        table = _spread_out(series, standard)
        return SeriesFit(
            measurement=series.measurement,
            indicator=series.indicator,
            relative=False,
            increments=False,
            national=False,
            observations=len(series.cells),
            missing=int((~series.seen).sum()),
            unusable=series.unusable,
            declared_sd=series.declared_sd,
            sd=noise.sd,
            persistence=noise.persistence,
            total_sd=noise.total_sd,
            rms=float(np.sqrt(np.mean(standard**2))),
            wild=int((np.abs(standard) > BEND).sum()),
            leftover=correlation_of(bounded(table[:, 1:]), bounded(table[:, :-1])),
            errors=f"{series.errors.words}, scale {series.observation.scale}",
            region_sds=(),
            interval=_interval(series, self.problem.time_unit),
            en=series.expression.text,
            zh=series.expression.text,
        )

    def _standard(self, series: ObservedSeries, residuals: Array) -> Array:
        """Standardised innovations (counts: deviance residuals), shape (cell,)."""
        noise = self.problem.noise[series.label]
        if series.errors.is_count:
            counts = series.cells.pick(series.raw)
            expected = np.maximum(counts + series.cells.pick(residuals), 1e-9)
            return deviance_residual(counts, expected, size_of(noise, series.errors.family))
        return series.cells.standardised(residuals, noise)

    def _findings(self, *args: Any) -> list[Finding]:
        found = [*super()._findings(*args), *self._dispersion()]
        return sorted(found, key=lambda item: item.severity)

    def _dispersion(self) -> Iterator[Finding]:
        """Test Poisson errors by Pearson's chi-square."""
        problem = self.problem
        share = 1 - len(problem.space) / sum(len(item.cells) for item in problem.observations)
        for item, fitted in zip(problem.observations, problem.fitted(self.point), strict=True):
            if item.errors.family == "poisson":
                statistic = pearson(item.cells.pick(item.raw), np.maximum(item.cells.pick(fitted), LEAST_COUNT))
                freedom = max(share * len(item.cells), 1.0)
                yield from dispersion_findings(item.measurement, item.indicator, statistic, freedom)

    def _growth(self, residuals: Mapping[str, Array]) -> dict[str, float]:  # noqa: ARG002
        return {}

    def _shocks(self, residuals: Mapping[str, Array]) -> Shocks | None:  # noqa: ARG002
        return None

    def _table(self) -> ResidualTable:
        rows: list[tuple[Any, ...]] = []
        for item, fitted in zip(self.problem.observations, self.problem.fitted(self.point), strict=True):
            standard = _spread_out(item, self._standard(item, fitted - item.values))
            model = item.unscaled(fitted)
            for place, column in np.argwhere(item.seen):
                rows.append(
                    (
                        item.labels[place],
                        item.measurement,
                        item.indicator,
                        float(item.times[column]),
                        True,
                        float(item.raw[place, column]),
                        float(model[place, column]),
                        float(standard[place, column]),
                    )
                )
        columns = zip(*rows, strict=True)
        names = ("region", "measurement", "indicator", "year", "used", "observed", "fitted", "standardised")
        return ResidualTable(**dict(zip(names, columns, strict=True)))

    def _fitted(
        self,
        parameters: tuple[ParameterEstimate, ...],
        series: tuple[SeriesFit, ...],  # noqa: ARG002
        shocks: Shocks | None,  # noqa: ARG002
        residuals: Mapping[str, Array],  # noqa: ARG002
        settings: Mapping[str, Any],
    ) -> FittedParameters:
        problem, best = self.problem, self.ends.best
        return FittedParameters(
            model=problem.model.name,
            model_sha256=problem.model_sha256,
            panel=problem.table.name,
            panel_sha256=problem.table.sha256,
            first_year=problem.first_year,
            last_year=problem.last_year,
            regions=(),
            keys=tuple(item.key for item in parameters),
            estimates=tuple(item.estimate for item in parameters),
            standard_errors=tuple(item.standard_error for item in parameters),
            covariance=tuple(tuple(row) for row in self.curvature.covariance.tolist()),
            contraction=tuple(item.contraction for item in parameters),
            at_bound=tuple(item.at_bound for item in parameters),
            status=best.outcome.word,
            message=best.outcome.value,
            residual_sd={item.label: problem.noise[item.label].total_sd for item in problem.observations},
            fixed=dict(problem.fixed),
            provenance={**settings, **_provenance(problem)},
        )


def _interval(series: ObservedSeries, unit: str) -> str:
    return f"{series.spacing:g} {unit}".strip()


def _spread_out(series: ObservedSeries, values: Array) -> Array:
    table = np.full(series.values.shape, np.nan)
    table[series.cells.region, series.cells.year] = values
    return table


def _provenance(problem: TableProblem) -> dict[str, Any]:
    return {
        "equations": equations_of(problem.model),
        "declarations": [record_of(item) for item in problem.space.parameters],
        "measurements": {item.label: _observation(item) for item in problem.observations},
        "errors": {label: {**asdict(item), "regional": []} for label, item in problem.noise.items()},
        "start": problem.first_year,
        "held": {name: _held(value) for name, value in problem.held.items()},
        "notes": list(problem.notes),
        "chosen": list(problem.chosen),
        "time_unit": problem.time_unit,
        "until": problem.until,
        "gapsim": metadata.version("gapsim"),
        "numpy": np.__version__,
        "scipy": metadata.version("scipy"),
        "python": platform.python_version(),
    }


def _observation(series: ObservedSeries) -> dict[str, Any]:
    return {**asdict(series.observation), "errors": asdict(series.errors)}


def measurements_of(result: FitResult) -> dict[str, Observation]:
    """How columns observe the model in a fit, by key."""
    return {
        key: Observation(**{**record, "errors": ErrorModel(**record["errors"])})
        for key, record in result.fitted.provenance["measurements"].items()
    }


def _held(value: Any) -> Any:
    """A set value or a path as JSON can hold it."""
    if isinstance(value, TimePath):
        return {"times": value.times.tolist(), "values": value.values.tolist(), "interpolate": value.interpolate}
    return np.asarray(value).tolist()
