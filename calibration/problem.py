"""Model, panel, parameters and errors joined: residuals, their Jacobian and the log posterior."""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from calibration.comparison import Comparison
from calibration.description import Description, line_of, notes_on, notes_on_errors
from calibration.forward import Forward
from calibration.observation import Noise, Observed, Series, build_series
from calibration.parameters import ParameterSpace, RidgeChange, applying, chosen, overrides
from calibration.stages import Stage, declarations, stages_of
from calibration.window import window_of
from pysd_runner.errors import InvalidInput, InvalidPanel, UnknownName, UnsupportedFeature, suggest
from pysd_runner.model import REGION_RANGE, Model, load_model
from pysd_runner.panel import Panel
from pysd_runner.spec import ErrorModel, ModelSpec, Parameter

Array = NDArray[np.float64]

# Step of the differences in prior standard deviations. Rounding in a run is about 1e-14 of a residual's size and the
# truncation of central differences goes with the square of the step; both stay near 1e-7 of a derivative here.
STEP = 1e-3

# A parameter is moved if the residuals of its own block, taken together, change by this many error sds over one prior
# sd: the square is the gain in precision relative to the prior, so less is worth under one percent of its variance.
LEAST_SENSITIVITY = 0.1

_HELD_WITHOUT_SERIES = "no series of this panel observes the block {stage!r}"
_HELD_WITHOUT_WORD = "{series} say next to nothing about it"


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
        Years of the window; None lets `calibration.window.window_of` choose. The first year is where the simulation
        starts and gives no residual.
    free
        Parameters to move, by key or model name. None takes all that the model declares as calibrated and that series
        of their own block inform; the others stay at the centre of their prior and keep its spread.
    values
        Values to set instead, for instance ``{"alpha": 0.33}``.
    errors
        How the errors of a measurement are distributed instead of as declared, by key of the measurement.
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

    def __init__(
        self,
        model: Model,
        panel: Panel,
        *,
        first_year: int | None = None,
        last_year: int | None = None,
        free: Iterable[str] | None = None,
        values: Mapping[str, float] | None = None,
        errors: Mapping[str, ErrorModel] | None = None,
        yuan_per_unit: float = 1.0,
    ) -> None:
        self.spec = _with_errors(declarations(model), errors or {})
        self.fixed = overrides(self.spec, values)
        self.candidates = chosen(self.spec, panel.variables, free=free, fixed=self.fixed)
        self.is_chosen = free is not None
        self.first_year, self.last_year = window_of(self.spec, panel, first_year, last_year)
        self.panel = _until(panel, self.last_year)
        self.model = _with_regions(model, len(panel.regions))
        self.stages = stages_of(self.model)
        self.observed: Observed = build_series(
            self.spec, self.panel, first_year=self.first_year, last_year=self.last_year
        )
        if not self.observed.series:
            told = [item for item in self.observed.absent if item.indicator in panel] or self.observed.absent
            reasons = "; ".join(str(item) for item in told)
            raise InvalidPanel(f"panel {panel.name!r} says nothing the model can be compared with: {reasons}")
        self._forward = Forward(
            model=self.model,
            panel=self.panel,
            first_year=self.first_year,
            last_year=self.last_year,
            yuan_per_unit=yuan_per_unit,
        )
        self._comparison = Comparison(self._forward, self.series)
        self.noise: Mapping[str, Noise] = self._comparison.declared_noise()

    @property
    def series(self) -> tuple[Series, ...]:
        """The observations, in the order of the residuals."""
        return self.observed.series

    @property
    def years(self) -> tuple[int, ...]:
        """Years of the window."""
        return tuple(range(self.first_year, self.last_year + 1))

    @property
    def yuan_per_unit(self) -> float:
        """Value of one unit of the panel's currency in yuan."""
        return self._forward.yuan_per_unit

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
                raise InvalidInput(f"no noise is given for series {item.label!r}")
        # What is held is decided once, with the declared errors.
        _ = self.space
        other = copy(self)
        other.noise = {item.label: noise[item.label] for item in self.series}
        return other

    def copied(self) -> "CalibrationProblem":
        """The same problem with working memory of its own: a problem serves one thread at a time."""
        other = copy(self)
        other._comparison = Comparison(self._forward, self.series)
        return other

    def with_effects(self, effects: Mapping[str, Array]) -> "CalibrationProblem":
        """The same problem with values for each region of inputs that are declared as pooled.

        Parameters
        ----------
        effects
            By key of the input, shape (draw, region).

        Returns
        -------
        CalibrationProblem
            Shares everything else with this one.

        Raises
        ------
        UnknownName
            If the model declares no such pooled input.
        InvalidInput
            If there are not as many values as regions.
        """
        _ = self.space
        other = copy(self)
        other._forward = replace(self._forward, effects=effects)
        other._comparison = Comparison(other._forward, self.series)
        return other

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
        parts = (
            self.model.sha256,
            self.spec,
            self.panel.sha256,
            self.years,
            [item.key for item in self.candidates],
            self.is_chosen,
            sorted(self.fixed.items()),
            self.yuan_per_unit,
            sorted(self.noise.items()),
            [(name, values.tolist()) for name, values in sorted(self._forward.effects.items())],
            version("gapsim"),
            settings,
        )
        return sha256("\n".join(repr(part) for part in parts).encode("utf-8")).hexdigest()

    @cached_property
    def space(self) -> ParameterSpace:
        """The parameters that are moved, in the order of ``z``."""
        return ParameterSpace.of(item for item in self.candidates if item.key not in self.held_reasons)

    @cached_property
    def held(self) -> ParameterSpace:
        """The parameters that stay at the centre of their prior."""
        return ParameterSpace.of(item for item in self.candidates if item.key in self.held_reasons)

    @cached_property
    def held_reasons(self) -> Mapping[str, str]:
        """Why a parameter is held, by key."""
        if self.is_chosen:
            return {}
        reasons: dict[str, str] = {}
        watched: list[Parameter] = []
        for item in self.candidates:
            stage = self.stage_of(item.key)
            if any(stage.owns(series) for series in self.series):
                watched.append(item)
            else:
                reasons[item.key] = _HELD_WITHOUT_SERIES.format(stage=stage.name)
        for key, size in self._own_sensitivity(ParameterSpace.of(watched)).items():
            # FREE* parameters are declared to say little; they move as far as the panel lets them.
            if size < LEAST_SENSITIVITY and self.spec.parameters[key].role != "FREE*":
                own = [item.measurement for item in self.series if self.stage_of(key).owns(item)]
                reasons[key] = _HELD_WITHOUT_WORD.format(series=_listed(own))
        return reasons

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

    def _own_sensitivity(self, space: ParameterSpace) -> dict[str, float]:
        """Change of the residuals of a parameter's own block over one prior standard deviation, by key."""
        if not len(space):
            return {}
        centre = space.centre
        table = self._slopes(space, centre, range(len(space)))[1] / space.prior_slopes(centre)
        return {
            key: float(np.sqrt((table[self.rows(self.stage_of(key)), column] ** 2).sum()))
            for column, key in enumerate(space.keys)
        }

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
        return np.concatenate([self._data_residuals(self.space, z), self.space.prior_residuals(z)], axis=1)

    def jacobian(self, z: Array, *, columns: Sequence[int] | None = None) -> Array:
        """Derivatives of the residuals; see `linearised`, of which this is the second part."""
        return self.linearised(z, columns=columns)[1]

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
        centre, slopes = self._slopes(self.space, z, wanted)
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
        ``p_k`` is the prior density of a parameter on its unbounded scale. With the residuals ``r`` of `residuals`, ::

            log p(z, panel) = -1/2 sum r(z)^2 + sum_k log |dr_k / dz_k| + constant,

        the middle sum over the residuals of the priors. It is constant for normal and lognormal priors. Searches
        minimise ``1/2 sum r^2`` alone, which is the mode in the priors' normal scores and does not hang on the scale
        of a prior on an interval; draws must follow the whole density.

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
        return self._comparison.log_likelihood(self._data_residuals(self.space, z), self.noise)

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
        residuals, slopes = self._slopes(self.space, z, range(len(self.space)))
        value = prior + float(self._comparison.log_likelihood(residuals[None], self.noise)[0])
        if not np.isfinite(value):
            return -np.inf, np.full(len(z), np.nan)
        return value, self.space.scores(z) - slopes.T @ residuals

    def rows(self, stage: Stage | None = None) -> NDArray[np.intp]:
        """Positions of the data residuals of a block of `stages`, or of all of them."""
        return self._comparison.rows(stage)

    def parameters_at(self, z: Array) -> dict[str, Array | float]:
        """Values of moved, held and set parameters by key; arrays of shape (draw,) for the moved ones."""
        return self._parameters(self.space, np.atleast_2d(z))

    def _parameters(self, space: ParameterSpace, z: Array) -> dict[str, Array | float]:
        central = ParameterSpace.of(item for item in self.candidates if item.key not in space.keys)
        held = dict(zip(central.keys, central.medians.tolist(), strict=True))
        return {**held, **self.fixed, **space.to_values(z)}

    def _data_residuals(self, space: ParameterSpace, z: Array) -> Array:
        return self._comparison.residuals(self._parameters(space, z), len(z), self.noise)

    def _slopes(self, space: ParameterSpace, z: Array, columns: Sequence[int]) -> tuple[Array, Array]:
        """Data residuals at a point, shape (cell,), and their slopes, shape (cell, column)."""
        parameters = {key: float(np.ravel(value)[0]) for key, value in self._parameters(space, z[None, :]).items()}
        # Always along all of them, so that one program serves every stage; directions cost little.
        everything = ParameterSpace.of(self.candidates)
        spreads = np.abs(everything.value_slopes(everything.to_vector(parameters))) * everything.scale
        moved = dict(zip(everything.keys, spreads.tolist(), strict=True))
        if not moved:
            return self._differences(space, z, columns)
        try:
            residuals, slopes = self._comparison.linearised(parameters, moved, self.noise)
        except UnsupportedFeature:
            return self._differences(space, z, columns)
        wanted = [everything.keys.index(space.keys[column]) for column in columns]
        return residuals, slopes[:, wanted] * space.value_slopes(z)[list(columns)]

    def _differences(self, space: ParameterSpace, z: Array, columns: Sequence[int]) -> tuple[Array, Array]:
        """Data residuals at a point, shape (cell,), and their slopes, shape (cell, column)."""
        lower, upper = space.bounds
        step = STEP * space.scale
        points = np.repeat(z[None, :], 2 * len(columns) + 1, axis=0)
        for place, column in enumerate(columns):
            points[2 * place, column] = min(z[column] + step[column], upper[column])
            points[2 * place + 1, column] = max(z[column] - step[column], lower[column])
        values = self._data_residuals(space, points)
        above, below = values[:-1:2], values[1:-1:2]
        widths = np.array([points[2 * k, column] - points[2 * k + 1, column] for k, column in enumerate(columns)])
        return values[-1], np.asarray(((above - below) / widths[:, None]).T, dtype=float)

    def describe(self) -> Description:
        """Say what can be estimated from what is there, before anything is fitted."""
        estimated = {
            stage.name: tuple(key for key in self.space.keys if key in stage.parameters) for stage in self.stages
        }
        return Description(
            panel=self.panel.name,
            regions=len(self.panel.regions),
            first_year=self.first_year,
            last_year=self.last_year,
            series=tuple(line_of(item) for item in self.series),
            absent=tuple(str(item) for item in self.observed.absent),
            estimated={name: keys for name, keys in estimated.items() if keys},
            held=dict(self.held_reasons),
            fixed=dict(self.fixed),
            imputed=tuple(str(item) for item in self._forward.imputed(self.parameters_at(self.space.centre))),
            notes=(*notes_on(self.panel, self.yuan_per_unit), *notes_on_errors(self.series), *self._cut_ridges()),
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


def _with_errors(spec: ModelSpec, errors: Mapping[str, ErrorModel]) -> ModelSpec:
    """The declarations with other errors."""
    measurements = dict(spec.measurements)
    for key, item in errors.items():
        if key not in measurements:
            raise UnknownName(f"the model declares no measurement {key!r}.{suggest(key, measurements)}")
        if measurements[key].national and item.scale == "region":
            raise InvalidInput(f"measurement {key!r} is a national series and has one scale")
        if item.memory == "momentum" and not measurements[key].increments:
            raise InvalidInput(f"measurement {key!r} compares levels; momentum is the memory of yearly changes")
        measurements[key] = replace(measurements[key], errors=item)
    return replace(spec, measurements=measurements)


def _listed(measurements: Sequence[str]) -> str:
    return "the observations of " + " and ".join(dict.fromkeys(measurements))


def _until(panel: Panel, last_year: int) -> Panel:
    """The panel without anything after a year."""
    national = {
        name: {year: value for year, value in series.items() if year <= last_year}
        for name, series in panel.national.items()
    }
    return replace(panel.subset(years=range(panel.years[0], last_year + 1)), national=national)


def _with_regions(model: Model, count: int) -> Model:
    """The model with as many regions as the panel."""
    if REGION_RANGE not in model.ranges:
        raise InvalidInput(f"{model.path.name} has no range of regions, so a panel cannot be tied to it")
    if len(model.ranges[REGION_RANGE]) == count:
        return model
    return load_model(model.name, regions=count)
