"""The calibration problem, from model, data, parameters and error models: residuals, Jacobian and log posterior."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.fitting.bind import bind, line_of, with_free
from calibration.fitting.bound import Block, Bound, Choices, Description, ModelRuns, whole_steps
from calibration.fitting.bound_series import bound_table
from calibration.fitting.comparison import Comparison
from calibration.fitting.screening import selected
from calibration.fitting.space import RidgeChange, applying
from calibration.observation import Noise
from pysd_runner.core.errors import InvalidInput, UnsupportedFeature
from pysd_runner.core.types import Array, Values
from pysd_runner.data import Data
from pysd_runner.evidence import ExperimentRuns, experiments_of, terms_of
from pysd_runner.model import Model
from pysd_runner.spec import FittedParameters, Observation, Prior
from pysd_runner.spec.design import studied
from pysd_runner.spec.priors import Flat, Uniform
from pysd_runner.study.arguments import loaded

if TYPE_CHECKING:
    from pysd_runner.data.sources import AnySource

# Step of finite differences, in prior standard deviations. Rounding errors of a run are about 1e-14 relative to a
# residual, truncation errors proportional to the square of the step: both give relative errors of about 1e-7.
STEP = 1e-3
# Step of finite differences for models with discontinuities.
WIDE_STEP = 0.1
Observations = Mapping[str, Observation | Values] | Iterable[Observation]


class Problem(Comparison):
    """A model to be calibrated to data: residuals of observations and priors, their derivatives and the log posterior.

    With a panel of regions, output is compared in yearly changes of log output per head relative to the mean of the
    regions, so that the national trend has no influence; shares are compared through their indicators. With a table,
    each column is compared with the variable of the same name, or the one given in `observations`, on its own scale;
    counts enter by their deviances. Residuals are fitted minus observed, standardised by error models whose standard
    deviation and persistence are estimated unless given.

    Parameters
    ----------
    model
        Any model that the engine supports, loaded or an argument of `load_model`; for a panel, one with declarations,
        with the regions of the panel.
    data
        A panel of regions and years, or a table, with times in the model's unit of time or dates; a data frame,
        dictionary or file is read as by `project`. None if the model reads the data of its declared measurements, or
        computes its own log posterior (``[objective]``); then uniform priors do not move the mode.
    free
        Parameters to estimate, by key or model name: constants, elements of them, or stocks for their initial value.
        None selects all parameters that have a prior and are not policy choices, including those about which only the
        prior is informative; if none are declared, at most ten that the data can distinguish. With a list, the other
        parameters are fixed at the centre of their priors or at their values. A mapping gives bounds,
        ``{"Contact Rate": (1, 20)}``, between which the prior is uniform; for tables only.
    values
        Values at which parameters are fixed, for instance ``{"alpha": 0.33}``.
    priors
        Priors by name, which replace declared or weak ones; for tables only.
    observations
        How data observe the model. For a table, columns by key or in a list, see `pysd_runner.spec.Observation`. For a
        panel, changes to declared measurements by key: their error models, as in
        ``{"skills": {"errors": ErrorModel(...)}}``, or which of the declared alternatives is the national series, as in
        ``{"skill_level": {"national": "digital_skill_basic"}}``.
    start
        Start of the simulation: a year of the panel, which gives no residual (None for the first year in which all
        start values are observed), or a time in the model's unit (None for that of the model file).
    until
        The last year, date or time that is fitted. Later observations of a table are held out and scored.
    yuan_per_unit
        Value of one unit of the panel's currency in yuan, the currency of the model's cost parameters.
    evidence
        Whether measured effects are part of the likelihood, or the evidence terms that are, by key.
    seed
        Seed for the selection of parameters if `free` is None.

    Raises
    ------
    InvalidInput
        If the model has no declarations, or arguments are inconsistent; the message says what to do.
    UnknownName
        If there is no such parameter, measurement, variable, element or column.
    InvalidPanel
        If the data contain no usable observation of the model.

    Examples
    --------
    >>> from pysd_runner.model import load_model
    >>> from pysd_runner.data import load_data
    >>> problem = Problem(load_model("regional_digital"), load_data("china"), start=2019)
    >>> problem.first_year, problem.last_year, len(problem.data.regions)
    (2019, 2024, 31)
    """

    def __init__(  # noqa: PLR0913 - a public entry point
        self,
        model: Model | str | Path,
        data: "Data | AnySource | None",
        *,
        free: str | Iterable[str] | Mapping[str, tuple[float, float]] | None = None,
        values: Values | None = None,
        priors: Mapping[str, Prior] | None = None,
        observations: Observations | None = None,
        start: float | None = None,
        until: float | None = None,
        yuan_per_unit: float = 1.0,
        evidence: bool | Iterable[str] = False,
        seed: int = 0,
    ) -> None:
        model, found = loaded(model, data)
        is_own = found is None
        if is_own and model.declarations.observations:
            # The model reads the data itself: it is fitted to their points, with every number that is declared free.
            found, own = bound_table(model)
            observations = own if observations is None else observations
            free = free or [key for key, item in model.declarations.parameters.items() if item.role == "FREE"] or None
        if found is None and model.declarations.objective is None:
            raise InvalidInput("{model} is fitted to data; give them too, as in fit(model, data)", model=model.name)
        if isinstance(free, Mapping):
            priors = {name: Uniform(lower=float(low), upper=float(high)) for name, (low, high) in free.items()} | dict(
                priors or {}
            )
        design = model.design
        if found is not None:
            found, design = studied(found, design)
        asked = Choices(
            free=free,
            values=values or {},
            priors=priors or {},
            observations=observations or {},
            start=start,
            until=until,
            yuan_per_unit=yuan_per_unit,
            seed=seed,
            is_own=is_own,
        )
        self.experiments: ExperimentRuns | None = None
        bound = bind(model, found, design, asked)
        self._hold(bound)
        if bound.is_open:
            self._hold(with_free(bound, *selected(self, seed=seed)))
        self.experiments = self._experiments(evidence)

    def _hold(self, bound: Bound) -> None:
        super().__init__(**vars(bound))
        self._step = STEP
        self.noise = {item.label: Noise(item.declared_sd) for item in self.series}

    def _experiments(self, asked: bool | Iterable[str]) -> ExperimentRuns | None:
        """ExperimentRuns of the evidence terms that are part of the likelihood; None if there are none."""
        if asked is False:
            return None
        terms = terms_of(self.model, None if asked is True else tuple(asked))
        return experiments_of(terms, self.runs.entering.beginning(self.runs.bounds["start"], self.last_year))

    def with_experiments(self, experiments: ExperimentRuns | None) -> "Problem":
        """Copy of the problem with other measured effects in its likelihood; None for none."""
        other = copy(self)
        other.experiments = experiments
        return other

    def __repr__(self) -> str:
        cells = sum(len(item.cells) for item in self.series)
        noun = "parameter" if len(self.space) == 1 else "parameters"
        what = f"{self.model.name!r} on {self.data.name!r}"
        return f"<Problem of {what}: {len(self.space)} {noun}, {cells} observations>"

    def _repr_html_(self) -> str:
        """The description of the problem, as given by `describe`."""
        told = escape(str(self.describe()))
        return f'<pre style="white-space: pre-wrap; max-height: 30em; overflow: auto">{told}</pre>'

    def with_noise(self, noise: Mapping[str, Noise]) -> "Problem":
        """Copy of the problem with other error models.

        Parameters
        ----------
        noise
            Error models by label, for all series.

        Returns
        -------
        Problem
            A copy that shares everything else with this problem.

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

    def copied(self) -> "Problem":
        """Copy with its own working memory, for another thread: a problem is not thread-safe."""
        other = copy(self)
        other.runs = self.runs.copied()
        other.payoff = None if self.payoff is None else self.payoff.copied()
        return other

    @property
    def model_sha256(self) -> str:
        """Hash that identifies the model of a fit."""
        return self.runs.entering.model_sha256

    @property
    def alternatives(self) -> tuple[dict[str, str], ...]:
        """Alternative definitions of measurements: one entry for each alternative national series in the panel."""
        return tuple(
            {key: series}
            for key, item in self.spec.measurements.items()
            for series in item.alternatives
            if series in self.data.national
        )

    def digest(self, *settings: object) -> str:
        """Hash of everything on which a fit depends, and of further settings."""
        entering = self.runs.entering
        held = [
            (name, getattr(value, "values", np.asarray(value)).tolist())
            for name, value in sorted(entering.held.items())
        ]
        parts = (
            self.model_sha256,
            self.spec,
            self.data.sha256,
            (self.first_year, self.last_year),
            self.space.keys,
            sorted(self.fixed.items()),
            held,
            float(self.record.get("yuan_per_unit", 1.0)),
            None if self.experiments is None else self.experiments.terms,
            None if self.payoff is None else (self.payoff.objective, self.payoff.runs.bounds),
            sorted(self.noise.items()),
            [(item.label, item.scale, item.kind, item.errors, item.sd) for item in self.series],
            version("gapsim"),
            settings,
        )
        return sha256("\n".join(repr(part) for part in parts).encode("utf-8")).hexdigest()

    @cached_property
    def ridges(self) -> RidgeChange:
        """Coordinates along and across those declared ridges whose parameters are all estimated."""
        return RidgeChange(space=self.space, ridges=applying(self.space, tuple(self.spec.ridges.values())))

    def stage_of(self, key: str) -> Block:
        """Return the block to which a parameter belongs."""
        return next((stage for stage in self.stages if key in stage.parameters), self.stages[-1])

    def fitted(self, z: Array) -> list[Array]:
        """Model predictions comparable with the values of each series, shape (region, year) each.

        Parameters
        ----------
        z
            Estimated parameters on the unconstrained scale, shape (parameter,).

        Returns
        -------
        list of ndarray
            Predictions; NaN where nothing was observed.
        """
        return [item[0] for item in self.predicted(self.parameters_at(z), 1)]

    def fitted_batch(self, z: Array) -> list[Array]:
        """Model predictions for many parameter vectors, shape (draw, region, year) for each series.

        Parameters
        ----------
        z
            Parameter vectors on the unconstrained scale, shape (draw, parameter).

        Returns
        -------
        list of ndarray
            Predictions; NaN where nothing was observed, not finite where a simulation fails.
        """
        return self.predicted(self.parameters_at(z), len(z))

    def raw_residuals(self, z: Array) -> list[Array]:
        """Fitted minus observed values of each series, not standardised, shape (region, year) each."""
        return [fitted - item.values for fitted, item in zip(self.fitted(z), self.series, strict=True)]

    def residuals(self, z: Array) -> Array:
        """Deviance residuals of series, residuals of priors and of measured effects; half their squares are the losses.

        Parameters
        ----------
        z
            Estimated parameters on the unconstrained scale, shape (parameter,).

        Returns
        -------
        ndarray
            Dimensionless, shape (cell + parameter + term,); NaN where the simulation fails.
        """
        return np.asarray(self.residual_batch(np.atleast_2d(z))[0], dtype=float)

    def residual_batch(self, z: Array) -> Array:
        """Residuals for many parameter vectors from one batch of simulations.

        Parameters
        ----------
        z
            Parameter vectors on the unconstrained scale, shape (draw, parameter).

        Returns
        -------
        ndarray
            Residuals, shape (draw, cell + parameter + term).
        """
        parts = [self._data_residuals(z), self.space.prior_residuals(z), self._evidence_residuals(z)]
        return np.concatenate(parts, axis=1)

    def _evidence_residuals(self, z: Array) -> Array:
        """Standardised distances from measured effects, shape (draw, term)."""
        if self.experiments is None:
            return np.zeros((len(z), 0))
        return self.experiments.residuals(self.parameters_at(z), len(z))

    def jacobian(self, z: Array) -> Array:
        """Jacobian of the residuals: the second result of `linearised`."""
        return self.linearised(z)[1]

    def curvature_jacobian(self, z: Array) -> Array:
        """Jacobian ``J`` for standard errors: ``J'J`` is the information of data and priors.

        Counts contribute their expected information. If the standard deviation of errors was estimated, parameters have
        a Student-t distribution, with the variance of the normal distribution times ``freedom / (freedom - 2)``.
        """
        found = self._information_jacobian(z)
        factors = self._known_sizes()
        found[: len(factors)] *= factors[:, None]
        return found

    def _information_jacobian(self, z: Array) -> Array:
        if not any(item.errors.is_count for item in self.series):
            return np.array(self.jacobian(z))
        try:
            _, slopes, along = self._linearised(z, expected=True)
        except UnsupportedFeature:
            return self.jacobian(z)
        beside = self._evidence_slopes(z, range(len(self.space)))[1]
        return np.concatenate([slopes * along, np.diag(self.space.prior_slopes(z)), beside], axis=0)

    def linearised(self, z: Array, *, columns: Sequence[int] | None = None) -> tuple[Array, Array]:
        """Residuals and their Jacobian, exact to rounding, from one simulation.

        For a model that the engine cannot differentiate, central differences of many runs are used; they are one-sided
        at a bound.

        Parameters
        ----------
        z
            Estimated parameters on the unconstrained scale, shape (parameter,).
        columns
            Indices of the parameters of differentiation; None for all.

        Returns
        -------
        residuals : ndarray
            Residuals, shape (cell + parameter + term,).
        jacobian : ndarray
            Derivatives, shape (cell + parameter + term, column).
        """
        wanted = list(range(len(self.space)) if columns is None else columns)
        centre, slopes = self._slopes(z, wanted)
        priors = np.diag(self.space.prior_slopes(z))[:, wanted]
        apart, moved = self._evidence_slopes(z, wanted)
        residuals = np.concatenate([centre, self.space.prior_residuals(z), apart])
        return residuals, np.concatenate([slopes, priors, moved], axis=0)

    def log_posterior_batch(self, z: Array) -> Array:
        """Log posterior density (not normalised) of many parameter vectors on the unconstrained scale.

        ``log p(z, panel) = log p(panel | z) + sum_k log p_k(z_k) - 1/2 sum_j e_j(z)^2``. The likelihood is that of
        `log_likelihood_batch`; ``p_k`` is the prior density of a parameter on the unconstrained scale, where it is
        normal;
        ``e_j`` is the standardised distance of what the model implies from a measured effect, if these are in use. Up
        to a constant this is ``-1/2 sum r(z)^2`` with the residuals ``r`` of `residuals`, which searches maximise. A
        payoff that the model computes is added.

        Parameters
        ----------
        z
            Parameter vectors on the unconstrained scale, shape (draw, parameter).

        Returns
        -------
        ndarray
            Log densities, shape (draw,); minus infinity where the simulation fails or a parameter exceeds a bound.
        """
        prior = self.space.log_density(z)
        found = np.where(np.isneginf(prior), -np.inf, prior + self.log_likelihood_batch(z) - self.beside_batch(z))
        apart = self._evidence_residuals(z)
        return np.where(np.isfinite(apart).all(axis=1), found - 0.5 * (apart**2).sum(axis=1), -np.inf)

    def log_likelihood_batch(self, z: Array) -> Array:
        """Log-likelihood of many parameter vectors.

        ``log p(panel | z) = -sum_i (1/2 r_i(z)^2 + log s_i + log C_i)`` over the cells ``i``: ``r_i`` is the residual,
        ``s_i`` the standard deviation of its innovation, and ``C_i`` the integral of ``exp(-r^2 / 2)`` over the
        standardised innovation. The error models in `noise` are fixed.

        Parameters
        ----------
        z
            Parameter vectors on the unconstrained scale, shape (draw, parameter).

        Returns
        -------
        ndarray
            Log-likelihoods, shape (draw,); minus infinity where the simulation fails.
        """
        return self._log_likelihood(self._data_residuals(z))

    def gradient(self, z: Array) -> Array:
        """Gradient of the log posterior at one parameter vector, exact to rounding, from one simulation.

        ``d log p / dz = -J' r + sum_k d log p_k / dz_k`` with the Jacobian ``J`` of the data residuals ``r``: ``dr/dz =
        (dr/de) (de/dz)``, the derivative of the deviance residual times that of the standardised innovation ``e``.

        Parameters
        ----------
        z
            Estimated parameters on the unconstrained scale, shape (parameter,).

        Returns
        -------
        ndarray
            Gradient with respect to `z`, shape (parameter,); NaN where the density is zero.
        """
        residuals, slopes = self._slopes(z, range(len(self.space)))
        less, turned = self.beside(z)
        value = self.space.log_density(z) + self._log_likelihood(residuals[None])[0] - less
        if not np.isfinite(value):
            return np.full(len(z), np.nan)
        apart, moved = self._evidence_slopes(z, range(len(self.space)))
        return self.space.scores(z) - slopes.T @ residuals - moved.T @ apart - turned

    @property
    def is_general(self) -> bool:
        """Whether the log posterior is more than residuals: with a payoff, or flat priors that do not move its mode."""
        return self.payoff is not None or any(isinstance(prior, Flat) for prior in self.space.priors)

    def payoff_at(self, z: Array) -> float:
        """The payoff of Vensim at a point: that of the model, less the squared residuals of data that it reads."""
        squares = (self._data_residuals(z[None]) ** 2).sum() if self.asked.is_own else 0.0
        return -float(self.beside_batch(z[None])[0]) - float(squares)

    @property
    def start(self) -> Array:
        """Values of the file or its declarations on the unconstrained scale, within the bounds, shape (parameter,)."""
        values = {item.key: item.value for item in self.space.parameters}
        return np.clip(self.space.to_vector(values), *self.space.bounds)

    def beside(self, z: Array) -> tuple[float, Array]:
        """Minus the payoff that the model computes, which is no sum of squares, and its gradient; zero without one.

        Parameters
        ----------
        z
            Estimated parameters on the unconstrained scale, shape (parameter,).

        Returns
        -------
        value : float
            Minus the payoff; infinite or not a number where the simulation fails.
        gradient : ndarray
            Derivatives with respect to `z`, shape (parameter,); from one simulation if the engine has them.
        """
        if self.payoff is None:
            return 0.0, np.zeros(len(z))
        if self._step == STEP:
            along = self.space.value_slopes(z)
            spreads = dict(zip(self.space.keys, (np.abs(along) * self.space.scale).tolist(), strict=True))
            at = {key: float(np.ravel(value)[0]) for key, value in self.parameters_at(z).items()}
            with suppress(UnsupportedFeature):
                value, slopes = self.payoff.linearised(at, spreads)
                return -value, -slopes * along
        centre, moved = self._differences(z, range(len(z)), lambda points: self.beside_batch(points)[:, None])
        return float(centre[0]), moved[0]

    def beside_batch(self, z: Array) -> Array:
        """Minus the payoff of many parameter vectors, shape (draw,); infinite where a simulation fails."""
        if self.payoff is None:
            return np.zeros(len(z))
        found = -self.payoff.values(self.parameters_at(z), len(z))
        return np.where(np.isfinite(found), found, np.inf)

    def _slopes(self, z: Array, columns: Sequence[int]) -> tuple[Array, Array]:
        """Data residuals at a point, shape (cell,), and their derivatives, shape (cell, column)."""
        if not len(self.space) or self._step != STEP:
            return self._differences(z, columns)
        try:
            residuals, slopes, along = self._linearised(z)
        except UnsupportedFeature:
            return self._differences(z, columns)
        return residuals, slopes[:, columns] * along[list(columns)]

    def _evidence_slopes(self, z: Array, columns: Sequence[int]) -> tuple[Array, Array]:
        """Distances from measured effects at a point, shape (term,), and their derivatives, shape (term, column)."""
        if self.experiments is None:
            return np.zeros(0), np.zeros((0, len(columns)))
        return self._differences(z, columns, self._evidence_residuals)

    def _differences(
        self, z: Array, columns: Sequence[int], function: Callable[[Array], Array] | None = None
    ) -> tuple[Array, Array]:
        """Data residuals (or another function) at a point, shape (cell,), and their differences, (cell, column)."""
        lower, upper = self.space.bounds
        step = self._step * self.space.scale
        places = np.array(columns, dtype=int)
        ends = np.stack([np.minimum(z + step, upper), np.maximum(z - step, lower)], axis=1)[places]
        points = np.repeat(z[None, :], ends.size + 1, axis=0)
        points[np.arange(ends.size), np.repeat(places, 2)] = ends.ravel()
        values = (function or self._data_residuals)(points)
        slopes = (values[:-1:2] - values[1:-1:2]) / (ends[:, 0] - ends[:, 1])[:, None]
        return values[-1], np.asarray(slopes.T, dtype=float)

    def with_wide_steps(self) -> "Problem":
        """Copy of the problem that uses finite differences with wide steps, for models with discontinuities."""
        other = copy(self)
        other._step = WIDE_STEP
        return other

    def again(self, *, until: float | None, free: Iterable[str]) -> "Problem":
        """Build the problem again with another last fitted time and other parameters to estimate."""
        seen = {item.label: item.observation for item in self.series}
        terms = () if self.experiments is None else [item.key for item in self.experiments.terms]
        asked = replace(self.asked, free=free, until=until, observations=seen)
        settings = {name: value for name, value in vars(asked).items() if name != "is_own"}
        return Problem(self.model, None if asked.is_own else self.data, evidence=terms or False, **settings)

    def with_noise_of(self, fitted: FittedParameters) -> "Problem":
        """Copy of the problem with the error models estimated by a fit."""
        kept = {
            label: Noise(**{**item, "regional": tuple(item["regional"])})
            for label, item in fitted.provenance["errors"].items()
        }
        return self.with_noise({**self.noise, **kept})

    def runs_to(self, stop: float) -> tuple[ModelRuns, float]:
        """Runs that end at or just after a given time, and their time step."""
        entering = self.runs.entering
        start, end, step = whole_steps(self.model, entering.held, start=self.first_year, last=stop)
        return ModelRuns(entering, outcomes=self.runs.outcomes, start=start, stop=end, save_every=step), step

    def describe(self) -> Description:
        """Describe, before the fit, which parameters are estimated from which observations."""
        estimated = {
            stage.name: tuple(key for key in self.space.keys if key in stage.parameters) for stage in self.stages
        }
        observed = {
            stage.name
            for stage in self.stages
            if self.payoff is not None or any(stage.owns(item) for item in self.series)
        }
        imputed = self.runs.entering.imputed(self.parameters_at(self.space.centre))
        return Description(
            panel=self.data.name,
            regions=len(self.entities),
            first_year=self.first_year,
            last_year=self.last_year,
            series=tuple(map(line_of, self.series)),
            absent=self.absent,
            estimated={name: keys for name, keys in estimated.items() if keys and name in observed},
            unobserved={name: keys for name, keys in estimated.items() if keys and name not in observed},
            fixed=self.fixed,
            imputed=imputed,
            notes=(*self.notes, *self._cut_ridges()),
            opening=self.opening,
        )

    def _cut_ridges(self) -> list[str]:
        """Notes on ridges of which only some parameters are estimated, one sentence each."""
        found = []
        for ridge in self.spec.ridges.values():
            held = [key for key in ridge.keys if key not in self.space.keys]
            if held and len(held) < len(ridge.keys):
                found.append(
                    f"The ridge {ridge.key} ({', '.join(ridge.keys)}) is cut because {' and '.join(held)} "
                    f"{'is' if len(held) == 1 else 'are'} not moved: what the others are found to be hangs on that."
                )
        return found


def problem_of(model: Model | str | Path | Problem, data: "Data | AnySource | None", **settings: Any) -> Problem:
    """The problem of a model and data, or the one that was given."""
    if not isinstance(model, Problem):
        return Problem(model, data, **settings)
    if given := [name for name, value in settings.items() if value is not None]:
        raise InvalidInput("a problem has its settings; give {names} to it", names=", ".join(given))
    return model
