"""Model, data, parameters and errors joined: residuals, their Jacobian and the log posterior."""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.comparison import Comparison
from calibration.fitting.description import Description
from calibration.fitting.panel_binding import bound_panel
from calibration.fitting.runs import Runs
from calibration.fitting.stages import Stage
from calibration.fitting.table_binding import bound_table
from calibration.observation import Noise, Observed, Series
from calibration.parameters import ParameterSpace, RidgeChange, applying
from pysd_runner.core.errors import InvalidInput, UnsupportedFeature
from pysd_runner.model import Model
from pysd_runner.panel import Panel, Table
from pysd_runner.simulation.task import prepared
from pysd_runner.spec import ErrorModel, FittedParameters, ModelSpec, Observation, Prior

Array = NDArray[np.float64]

# Step of the differences in prior standard deviations. Rounding in a run is about 1e-14 of a residual's size and the
# truncation of central differences goes with the square of the step; both stay near 1e-7 of a derivative here.
STEP = 1e-3
# The same along a model that jumps.
WIDE_STEP = 0.1


class CalibrationProblem:
    """What fits a model to a panel: residuals of the measurement equations and of the priors.

    Output is compared in yearly changes of log output per head relative to the mean of the regions, so that the
    national trend is not interpreted; shares are compared through their indicators (`calibration.observation.Series`).
    Residuals are fitted less observed.

    Parameters
    ----------
    model
        A model with declarations; regions are taken from the panel.
    panel
        Observations.
    first_year, last_year
        Years of the window; None lets `calibration.fitting.window.window_of` choose. The first year is where the
        simulation starts and gives no residual.
    free
        Parameters to estimate, by key or model name. None takes all that have a prior and are no policy choice, so that
        one posterior holds what the panel says and what only the priors say. With a list the others stay at the centre
        of their priors.
    values
        Values to set instead, for instance ``{"alpha": 0.33}``.
    errors
        How the errors of a measurement are distributed instead of as declared, by key of the measurement.
    definitions
        National series that a measurement reads instead of the declared one, by key of the measurement: one of its
        declared alternatives.
    yuan_per_unit
        Value of one unit of the panel's currency in yuan, the money of the model's cost parameters.

    Raises
    ------
    InvalidInput
        If the model has no declarations or a choice does not fit it.
    UnknownName
        If there is no such parameter or measurement.
    InvalidPanel
        If the panel says nothing that could be compared.

    Examples
    --------
    >>> from pysd_runner.model import load_model
    >>> from pysd_runner.panel import load_panel
    >>> problem = CalibrationProblem(load_model("regional_digital"), load_panel("china"), first_year=2019)
    >>> problem.first_year, problem.last_year, len(problem.panel.regions)
    (2019, 2024, 31)
    """

    def __init__(  # noqa: PLR0913 - a front door
        self,
        model: Model,
        data: Panel | Table,
        *,
        free: Iterable[str] | None = None,
        values: Mapping[str, Any] | None = None,
        first_year: int | None = None,
        last_year: int | None = None,
        errors: Mapping[str, ErrorModel] | None = None,
        definitions: Mapping[str, str] | None = None,
        yuan_per_unit: float = 1.0,
        priors: Mapping[str, Prior] | None = None,
        measurements: Mapping[str, Observation] | Iterable[Observation] | None = None,
        start: float | None = None,
        until: float | None = None,
        seed: int = 0,
    ) -> None:
        if isinstance(data, Table):
            own: dict[str, Any] = {"priors": priors, "measurements": measurements, "start": start, "until": until}
            self.bound = bound_table(model, data, free=free, values=values, seed=seed, **own)
        else:
            self.bound = bound_panel(
                model,
                data,
                first_year=first_year,
                last_year=last_year,
                free=free,
                values=values,
                errors=errors,
                definitions=definitions,
                yuan_per_unit=yuan_per_unit,
            )
        self._step = STEP
        self._comparison = Comparison(self.bound.runs, self.series, free=len(self.space))
        self.noise: Mapping[str, Noise] = self._comparison.declared_noise()

    def __repr__(self) -> str:
        cells = sum(len(item.cells) for item in self.series)
        noun = "parameter" if len(self.space) == 1 else "parameters"
        what = f"{self.model.name!r} on {self.panel.name!r}"
        return f"<CalibrationProblem of {what}: {len(self.space)} {noun}, {cells} observations>"

    @property
    def model(self) -> Model:
        """The model, with as many entities as the data."""
        return self.bound.model

    @property
    def data(self) -> Any:
        """The observations."""
        return self.bound.data

    panel = data  # the name that scripts use

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of how model and data were tied."""
        return tuple(self.bound.record.get("notes", ()))

    @property
    def spec(self) -> ModelSpec:
        """Declarations, with what the caller changed."""
        return self.bound.spec

    @property
    def space(self) -> ParameterSpace:
        """The parameters that are estimated."""
        return self.bound.space

    @property
    def fixed(self) -> Mapping[str, float]:
        """Values that are set, by key."""
        return self.bound.fixed

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Blocks that are fitted one after the other."""
        return self.bound.stages

    @property
    def observed(self) -> Observed:
        """The observations, and what is absent and why."""
        return self.bound.observed

    @property
    def first_year(self) -> Any:
        """Where the simulation starts."""
        return self.bound.window[0]

    @property
    def last_year(self) -> Any:
        """Where it ends."""
        return self.bound.window[1]

    @property
    def years(self) -> tuple[int, ...]:
        """Years of the window."""
        return tuple(range(int(self.first_year), int(self.last_year) + 1))

    @property
    def until(self) -> float | None:
        """The last moment that is fitted, where later ones are held out."""
        return self.bound.until

    @property
    def series(self) -> tuple[Series, ...]:
        """The observations, in the order of the residuals."""
        return self.observed.series

    def with_noise(self, noise: Mapping[str, Noise]) -> "CalibrationProblem":
        """The same problem with other errors.

        Parameters
        ----------
        noise
            By label of the series, every one of them.

        Returns
        -------
        CalibrationProblem
            Shares everything else with this one.

        Raises
        ------
        InvalidInput
            If a series is missing.
        """
        for item in self.series:
            if item.label not in noise:
                raise InvalidInput("no noise is given for series {series!r}", series=item.label)
        other = copy(self)
        other.noise = {item.label: noise[item.label] for item in self.series}
        return other

    def copied(self) -> "CalibrationProblem":
        """The same problem with working memory of its own: a problem serves one thread at a time."""
        other = copy(self)
        other._comparison = self._comparison.copied()
        return other

    @property
    def model_sha256(self) -> str:
        """What a fit is bound to: the hash of the model file, or of all equations."""
        return self.bound.model_sha256 or self.model.sha256

    @property
    def alternatives(self) -> tuple[dict[str, str], ...]:
        """Other definitions that this panel could be fitted with, one for each national series it has."""
        national = getattr(self.panel, "national", {})
        return tuple(
            {key: series}
            for key, item in self.spec.measurements.items()
            for series in item.alternatives
            if series in national
        )

    def digest(self, *settings: object) -> str:
        """Fingerprint of everything that decides a fit, and of further settings.

        Parameters
        ----------
        *settings
            Anything with a ``repr`` that is the same in every process.

        Returns
        -------
        str
            Hexadecimal SHA-256 of model, declarations, panel, window, parameters, errors, money and settings.
        """
        entering = self.runs.entering
        held = [
            (name, getattr(value, "values", np.asarray(value)).tolist())
            for name, value in sorted(entering.held.items())
        ]
        parts = (
            self.model_sha256,
            self.spec,
            self.panel.sha256,
            self.bound.window,
            self.space.keys,
            sorted(self.fixed.items()),
            held,
            self.bound.record.get("yuan_per_unit", 1.0),
            sorted(self.noise.items()),
            [(item.label, item.scale, item.kind, item.errors, item.sd) for item in self.series],
            version("gapsim"),
            settings,
        )
        return sha256("\n".join(repr(part) for part in parts).encode("utf-8")).hexdigest()

    @cached_property
    def ridges(self) -> RidgeChange:
        """Coordinates along and across the declared ridges all of whose parameters are moved."""
        return RidgeChange(space=self.space, ridges=applying(self.space, tuple(self.spec.ridges.values())))

    def stage_of(self, key: str) -> Stage:
        """Give the block a parameter belongs to.

        Parameters
        ----------
        key
            Key of the declarations.

        Returns
        -------
        Stage
            One of `stages`.
        """
        return next((stage for stage in self.stages if key in stage.parameters), self.stages[-1])

    def fitted(self, z: Array) -> list[Array]:
        """What the model says in the terms of each series, shape (region, year) each.

        Parameters
        ----------
        z
            Moved parameters on the unbounded scale, shape (parameter,).

        Returns
        -------
        list of ndarray
            NaN where nothing was observed.
        """
        return [item[0] for item in self._comparison.predicted(self.parameters_at(z), 1)]

    def fitted_batch(self, z: Array) -> list[Array]:
        """What the model says in the terms of each series for many vectors, shape (draw, region, year) each.

        Parameters
        ----------
        z
            Shape (draw, parameter).

        Returns
        -------
        list of ndarray
            NaN where nothing was observed; not finite where a simulation fails.
        """
        return self._comparison.predicted(self.parameters_at(z), len(z))

    def raw_residuals(self, z: Array) -> list[Array]:
        """Fitted less observed of each series, in its own terms, shape (region, year) each."""
        return [fitted - item.values for fitted, item in zip(self.fitted(z), self.series, strict=True)]

    def residuals(self, z: Array) -> Array:
        """Standardised residuals of all series, then those of the priors; half their squares are Huber's loss.

        Parameters
        ----------
        z
            Moved parameters on the unbounded scale, shape (parameter,).

        Returns
        -------
        ndarray
            Dimensionless, shape (cell + parameter,); NaN where the simulation fails.
        """
        return np.asarray(self.residual_batch(np.atleast_2d(z))[0], dtype=float)

    def residual_batch(self, z: Array) -> Array:
        """Residuals of many vectors from one simulation.

        Parameters
        ----------
        z
            Shape (draw, parameter).

        Returns
        -------
        ndarray
            Shape (draw, cell + parameter).
        """
        return np.concatenate([self._data_residuals(z), self.space.prior_residuals(z)], axis=1)

    def jacobian(self, z: Array, *, columns: Sequence[int] | None = None) -> Array:
        """Derivatives of the residuals; see `linearised`, of which this is the second part."""
        return self.linearised(z, columns=columns)[1]

    def curvature_jacobian(self, z: Array) -> Array:
        """Derivatives whose squares are the information of data and priors, by which uncertainty is told.

        Counts give what is expected of them. Where the size of errors was estimated, parameters have Student's
        distribution, whose variance is that of the normal one times ``freedom / (freedom - 2)``.
        """
        found = self._information_jacobian(z)
        factors = self._comparison.known_sizes()
        found[: len(factors)] *= factors[:, None]
        return found

    def _information_jacobian(self, z: Array) -> Array:
        if not any(item.errors.is_count for item in self.series):
            return np.array(self.jacobian(z))
        along = self.space.value_slopes(z)
        try:
            _, slopes = self._comparison.linearised(self._numbers(z), self._spreads(along), self.noise, expected=True)
        except UnsupportedFeature:
            return self.jacobian(z)
        return np.concatenate([slopes * along, np.diag(self.space.prior_slopes(z))], axis=0)

    def linearised(self, z: Array, *, columns: Sequence[int] | None = None) -> tuple[Array, Array]:
        """Residuals and their derivatives, exact to rounding, from one simulation.

        A model that the engine cannot differentiate is run many times instead, for central differences; these are
        one-sided at a bound.

        Parameters
        ----------
        z
            Moved parameters on the unbounded scale, shape (parameter,).
        columns
            Positions of the parameters wanted; None for all.

        Returns
        -------
        residuals : ndarray
            Shape (cell + parameter,).
        jacobian : ndarray
            Shape (cell + parameter, column).
        """
        wanted = list(range(len(self.space)) if columns is None else columns)
        centre, slopes = self._slopes(z, wanted)
        priors = np.diag(self.space.prior_slopes(z))[:, wanted]
        residuals = np.concatenate([centre, self.space.prior_residuals(z)])
        return residuals, np.concatenate([slopes, priors], axis=0)

    def estimated_noise(self, z: Array) -> dict[str, Noise]:
        """Estimate the errors of every series from the residuals at a point.

        Parameters
        ----------
        z
            Moved parameters on the unbounded scale, shape (parameter,).

        Returns
        -------
        dict
            By label of the series.
        """
        return self._comparison.estimated_noise(self.parameters_at(z))

    def log_posterior(self, z: Array) -> float:
        """Log density of one vector and the panel; see `log_posterior_batch`."""
        return float(self.log_posterior_batch(np.atleast_2d(z))[0])

    def log_posterior_batch(self, z: Array) -> Array:
        """Log density of many vectors and the panel, per unit of the unbounded scale, from one simulation.

        ``log p(z, panel) = log p(panel | z) + sum_k log p_k(z_k)``. The likelihood is that of `log_likelihood_batch`;
        ``p_k`` is the prior density of a parameter on its unbounded scale, where it is normal. With the residuals ``r``
        of `residuals` it is ``-1/2 sum r(z)^2`` up to a constant, which is what searches maximise.

        Parameters
        ----------
        z
            Shape (draw, parameter).

        Returns
        -------
        ndarray
            Shape (draw,); minus infinity where the simulation fails or a parameter is past a bound.
        """
        prior = self.space.log_density(z)
        return np.where(np.isneginf(prior), -np.inf, prior + self.log_likelihood_batch(z))

    def log_likelihood_batch(self, z: Array) -> Array:
        """Log density of the panel given many vectors, from one simulation.

        ``log p(panel | z) = -sum_i (1/2 r_i(z)^2 + log s_i + log C_i)`` over the cells ``i``: ``r_i`` the residual,
        ``s_i`` the standard deviation of its innovation, ``C_i`` the integral of ``exp(-r^2 / 2)`` over the innovation
        in standard deviations. Errors are given (`noise`).

        Parameters
        ----------
        z
            Shape (draw, parameter).

        Returns
        -------
        ndarray
            Shape (draw,); minus infinity where the simulation fails.
        """
        return self._comparison.log_likelihood(self._data_residuals(z), self.noise)

    def gradient(self, z: Array) -> Array:
        """Derivatives of the log posterior; see `log_posterior_with_gradient`, of which this is the second part."""
        return self.log_posterior_with_gradient(z)[1]

    def log_posterior_with_gradient(self, z: Array) -> tuple[float, Array]:
        """Log posterior of one vector and its derivatives, exact to rounding, from one simulation.

        ``d log p / dz = -J' r + sum_k d log p_k / dz_k``, where ``J`` holds the derivatives of the residuals ``r`` of
        the cells: ``dr/dz = (dr/de) (de/dz)``, the bend of a wild residual times the slope of its innovation ``e``.

        Parameters
        ----------
        z
            Moved parameters on the unbounded scale, shape (parameter,).

        Returns
        -------
        value : float
            As `log_posterior`.
        gradient : ndarray
            Per unit of the unbounded scale, shape (parameter,); NaN where the value is minus infinity.
        """
        prior = float(self.space.log_density(z))
        residuals, slopes = self._slopes(z, range(len(self.space)))
        value = prior + float(self._comparison.log_likelihood(residuals[None], self.noise)[0])
        if not np.isfinite(value):
            return -np.inf, np.full(len(z), np.nan)
        return value, self.space.scores(z) - slopes.T @ residuals

    def rows(self, stage: Stage | None = None) -> NDArray[np.intp]:
        """Positions of the data residuals of a block of `stages`, or of all of them."""
        return self._comparison.rows(stage)

    def parameters_at(self, z: Array) -> dict[str, Array | float]:
        """Values of estimated and set parameters by key; arrays of shape (draw,) for the estimated ones."""
        return {**self.fixed, **self.space.to_values(np.atleast_2d(z))}

    def _data_residuals(self, z: Array) -> Array:
        return self._comparison.residuals(self.parameters_at(z), len(z), self.noise)

    def _numbers(self, z: Array) -> dict[str, float]:
        return {key: float(np.ravel(value)[0]) for key, value in self.parameters_at(z).items()}

    def _spreads(self, along: Array) -> dict[str, float]:
        # Always of all of them, so that one program serves every stage; directions cost little.
        spreads = np.abs(along) * self.space.scale
        return dict(zip(self.space.keys, spreads.tolist(), strict=True))

    def _slopes(self, z: Array, columns: Sequence[int]) -> tuple[Array, Array]:
        """Data residuals at a point, shape (cell,), and their slopes, shape (cell, column)."""
        if not len(self.space) or self._step != STEP:
            return self._differences(z, columns)
        try:
            along = self.space.value_slopes(z)
            residuals, slopes = self._comparison.linearised(self._numbers(z), self._spreads(along), self.noise)
        except UnsupportedFeature:
            return self._differences(z, columns)
        return residuals, slopes[:, columns] * along[list(columns)]

    def _differences(self, z: Array, columns: Sequence[int]) -> tuple[Array, Array]:
        """Data residuals at a point, shape (cell,), and their slopes, shape (cell, column)."""
        lower, upper = self.space.bounds
        step = self._step * self.space.scale
        points = np.repeat(z[None, :], 2 * len(columns) + 1, axis=0)
        for place, column in enumerate(columns):
            points[2 * place, column] = min(z[column] + step[column], upper[column])
            points[2 * place + 1, column] = max(z[column] - step[column], lower[column])
        values = self._data_residuals(points)
        above, below = values[:-1:2], values[1:-1:2]
        widths = np.array([points[2 * k, column] - points[2 * k + 1, column] for k, column in enumerate(columns)])
        return values[-1], np.asarray(((above - below) / widths[:, None]).T, dtype=float)

    def with_wide_steps(self) -> "CalibrationProblem":
        """The same problem with slopes from wide differences, for a model that jumps."""
        other = copy(self)
        other._step = WIDE_STEP
        return other

    def again(self, *, until: float | None, free: Iterable[str]) -> "CalibrationProblem":
        """The same problem with another last moment and these parameters.

        Parameters
        ----------
        until
            The last moment that is fitted.
        free
            Parameters.
        """
        asked = {name: value for name, value in self.bound.asked.items() if name != "binding"}
        seen = {item.label: item.observation for item in self.series}
        return CalibrationProblem(self.model, self.panel, free=free, until=until, measurements=seen, **asked)

    def with_noise_of(self, fitted: FittedParameters) -> "CalibrationProblem":
        """The same problem with the errors that a fit settled on.

        Parameters
        ----------
        fitted
            Of this problem.
        """
        kept = {
            label: Noise(item["sd"], item["persistence"], tuple(item["regional"]))
            for label, item in fitted.provenance["errors"].items()
        }
        return self.with_noise({**self.noise, **kept})

    @property
    def runs(self) -> Runs:
        """Runs of the model over the window."""
        return self._comparison.runs

    def runs_to(self, stop: float) -> tuple[Runs, float]:
        """Runs that go on to a later moment, and their step.

        Parameters
        ----------
        stop
            The last moment, in the model's unit of time; the end of a step at or after it is taken.
        """
        entering, first = self.runs.entering, self.first_year
        step = prepared(self.model, entering.held, start=first, outcomes=[]).clock.step
        end = first + max(int(np.ceil((stop - first) / step - 1e-6)), 1) * step
        return Runs(entering, outcomes=self.runs.outcomes, start=first, stop=end, save_every=step), step

    def describe(self) -> Description:
        """Say what can be estimated from what is there, before anything is fitted."""
        estimated = {
            stage.name: tuple(key for key in self.space.keys if key in stage.parameters) for stage in self.stages
        }
        observed = {stage.name for stage in self.stages if any(stage.owns(item) for item in self.series)}
        imputed = self.runs.entering.imputed(self.parameters_at(self.space.centre))
        return Description(
            panel=self.panel.name,
            regions=len(self.bound.codes),
            first_year=self.first_year,
            last_year=self.last_year,
            series=self.bound.lines,
            absent=tuple(str(item) for item in self.observed.absent),
            estimated={name: keys for name, keys in estimated.items() if keys and name in observed},
            unobserved={name: keys for name, keys in estimated.items() if keys and name not in observed},
            fixed=dict(self.fixed),
            imputed=imputed,
            notes=(*self.bound.said, *self._cut_ridges()),
            opening=self.bound.opening,
        )

    def _cut_ridges(self) -> list[str]:
        """One sentence for each ridge of which some parameters are moved and others not."""
        found = []
        for ridge in self.spec.ridges.values():
            held = [key for key in ridge.keys if key not in self.space.keys]
            if held and len(held) < len(ridge.keys):
                found.append(
                    f"The ridge {ridge.key} ({', '.join(ridge.keys)}) is cut because {' and '.join(held)} "
                    f"{'is' if len(held) == 1 else 'are'} not moved: what the others are found to be hangs on that."
                )
        return found
