"""Compare a model with its observations: predictions, residuals, likelihood, and their derivatives."""

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np

from calibration.fitting.bound import Block, Bound
from calibration.fitting.entering import Parameters, unit
from calibration.observation import Noise, Series, estimate_noise, estimate_spread, loss_of
from calibration.observation.estimation import OUTPUT
from calibration.observation.noise import (
    deviance_residual,
    deviance_slope,
    expected_count,
    fisher_root,
    saturated,
    size_of,
)
from pysd_runner.core.types import Array, Indices

# Minimum degrees of freedom, for which a Student-t still has a variance.
LEAST_FREEDOM = 3.0


class Comparison(Bound):
    """Predictions, residuals and likelihood of the observed series, for many parameter vectors at once."""

    noise: Mapping[str, Noise]  # error model in use, by label of the series

    def parameters_at(self, z: Array) -> dict[str, Array | float]:
        """Values of estimated and fixed parameters by key; arrays of shape (draw,) for the estimated ones."""
        return {**self.fixed, **self.space.to_values(np.atleast_2d(z))}

    def rows(self, stage: Block | None = None) -> Indices:
        """Indices of the data residuals of a block of `stages`, or of all blocks."""
        owner = np.repeat(np.arange(len(self.series)), [len(item.cells) for item in self.series])
        kept = [place for place, item in enumerate(self.series) if stage is None or stage.owns(item)]
        return np.flatnonzero(np.isin(owner, kept))

    def predicted(self, parameters: Parameters, draws: int) -> list[Array]:
        """Model predictions comparable with the values of each series, shape (draw, row, time) each."""
        outcomes = self.runs.batch(parameters, draws)
        found = []
        for item in self.series:
            loading = None
            if item.loading:
                number = np.asarray(self._loading(parameters, item.loading), dtype=float)
                loading = np.broadcast_to(number, (draws,))
            found.append(item.predicted(item.compared(item.expression.value(outcomes)), loading))
        return found

    def _loading(self, parameters: Parameters, key: str) -> Any:
        return parameters.get(key, self.spec.parameters[key].value)

    def estimated_noise(self, z: Array) -> dict[str, Noise]:
        """Estimate the error model of every series from the residuals at a point.

        Parameters
        ----------
        z
            Estimated parameters on the unconstrained scale, shape (parameter,).

        Returns
        -------
        dict
            Error models by label of the series.
        """
        parameters = self.parameters_at(z)
        memory = float(np.ravel(self.runs.entering.memory(parameters))[0])
        found = {}
        for item, table in zip(self.series, self.predicted(parameters, 1), strict=True):
            if item.errors.is_count:
                found[item.label] = estimate_spread(item, table[0], share=self._share)
            else:
                known = memory if has_momentum(item) else None
                missed = table[0] - item.values
                found[item.label] = estimate_noise(item, missed, persistence=known, share=self._share)
        return found

    def _data_residuals(self, z: Array) -> Array:
        """Standardised innovations or deviances of all series, shape (draw, cell)."""
        parameters = self.parameters_at(z)
        memory = np.broadcast_to(self.runs.entering.memory(parameters), (len(z),))
        parts = [
            _residuals(item, table, self.noise[item.label], memory)
            for item, table in zip(self.series, self.predicted(parameters, len(z)), strict=True)
        ]
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(z), 0))

    def _linearised(self, z: Array, *, expected: bool = False) -> tuple[Array, Array, Array]:
        """Data residuals at a point, their Jacobian with respect to parameter values, and derivatives of the values.

        The Jacobian has shape (cell, parameter). If `expected`, its squares are the expected information of counts.
        """
        along = self.space.value_slopes(z)
        if not self.series:
            return np.zeros(0), np.zeros((0, len(z))), along
        parameters = {key: float(np.ravel(value)[0]) for key, value in self.parameters_at(z).items()}
        # Always with respect to all parameters: every stage uses the same compiled program at little extra cost.
        spreads = dict(zip(self.space.keys, (np.abs(along) * self.space.scale).tolist(), strict=True))
        outcomes, moved = self.runs.linearised(parameters, spreads)
        entering = self.runs.entering
        memory = np.broadcast_to(entering.memory(parameters), (1,)), entering.memory_slopes(parameters, spreads)
        residuals, slopes = [], []
        for item in self.series:
            value, slope = item.expression.linearised(outcomes, moved)
            raw, raw_slopes = item.compared(value[None])[0], item.compared_slopes(slope)
            with np.errstate(divide="ignore", invalid="ignore"):
                if item.errors.is_count:
                    found = _counted(item, raw, raw_slopes, self.noise[item.label], expected=expected)
                else:
                    loading, turning = 1.0, None
                    if item.loading:
                        loading = float(self._loading(parameters, item.loading))
                        turning = unit(spreads, item.loading)
                    missed = item.predicted(raw[None], np.array([loading]))[0] - item.values
                    turned = item.slopes(raw, raw_slopes, loading, turning)
                    found = _linearised(item, missed, turned, self.noise[item.label], *memory)
            residuals.append(found[0])
            slopes.append(found[1])
        return np.concatenate(residuals), np.concatenate(slopes, axis=1).T, along

    def _log_likelihood(self, residuals: Array) -> Array:
        """Log density of the observations given residuals of shape (draw, cell)."""
        scales = sum(_log_scale(item, self.noise[item.label]) for item in self.series)
        is_known = np.asarray(np.isfinite(residuals).all(axis=1))
        squares = (np.where(is_known[:, None], residuals, 0.0) ** 2).sum(axis=1)
        return np.where(is_known, -0.5 * squares - scales, -np.inf)

    def _known_sizes(self) -> Array:
        """Weight of the Jacobian in every cell: one if the standard deviation of errors is known, less if estimated."""
        weights = [np.full(len(item.cells), _weight(item, self._share)) for item in self.series]
        return np.concatenate([np.zeros(0), *weights])

    @property
    def _share(self) -> float:
        """Degrees of freedom per cell: one minus the ratio of estimated parameters to cells, at least 0.25."""
        return max(1 - len(self.space) / max(sum(len(item.cells) for item in self.series), 1), 0.25)


def _residuals(series: Series, predicted: Array, noise: Noise, memory: Array) -> Array:
    cells = series.cells
    if series.errors.is_count:
        expected = expected_count(cells.pick(predicted))
        return deviance_residual(cells.pick(series.values), expected, size_of(noise, series.errors.family))
    persistence = noise.tempered(memory) if has_momentum(series) else None
    return loss_of(series.errors).bent(cells.standardised(predicted - series.values, noise, persistence=persistence))


def _linearised(
    series: Series, missed: Array, turned: Array, noise: Noise, memory: Array, memory_slopes: Array | None
) -> tuple[Array, Array]:
    cells, loss, fades = series.cells, loss_of(series.errors), has_momentum(series)
    memory, along = noise.tempered(memory), sqrt(noise.independent)
    raw = cells.standardised(missed[None], noise, persistence=memory if fades else None)[0]
    slopes = cells.slopes(
        missed,
        turned,
        noise,
        persistence=float(memory[0]) if fades else None,
        persistence_slopes=along * memory_slopes if fades and memory_slopes is not None else None,
    )
    return loss.bent(raw), loss.slope(raw) * slopes


def _counted(series: Series, raw: Array, raw_slopes: Array, noise: Noise, *, expected: bool) -> tuple[Array, Array]:
    size, cells = size_of(noise, series.errors.family), series.cells
    mean, counts = expected_count(cells.pick(raw)), cells.pick(series.values)
    along = fisher_root(mean, size) if expected else deviance_slope(counts, mean, size)
    return deviance_residual(counts, mean, size), along * cells.pick(raw_slopes)


def standardised(series: Series, residuals: Array, noise: Noise) -> Array:
    """Standardised innovations (for counts: deviance residuals), shape (cell,), from the residuals of a series."""
    cells = series.cells
    if not series.errors.is_count:
        return cells.standardised(residuals, noise)
    counts = cells.pick(series.values)
    expected = np.maximum(counts + cells.pick(residuals), 1e-9)
    return deviance_residual(counts, expected, size_of(noise, series.errors.family))


def _log_scale(series: Series, noise: Noise) -> float:
    cells = series.cells
    if series.errors.is_count:
        return -saturated(cells.pick(series.values), size_of(noise, series.errors.family))
    return cells.log_scale(noise) + len(cells) * loss_of(series.errors).log_mass


def _weight(series: Series, share: float) -> float:
    """Root of ``(freedom - 2) / freedom`` if the standard deviation of errors was estimated, otherwise one."""
    if series.is_given or series.errors.family == "poisson" or not series.sizes.by_parameters:
        return 1.0
    freedom = max(share * len(series.cells), LEAST_FREEDOM)
    return float(np.sqrt((freedom - 2) / freedom))


def is_growth(series: Series) -> bool:
    """Whether a series is growth of output, whose residuals give the size of the shocks in projections."""
    return series.increments and series.indicator == OUTPUT


def has_momentum(series: Series) -> bool:
    """Whether the errors of a series decay with the same time constant as the model's momentum of growth."""
    # Momentum is extra growth that persists, whether initial or due to a shock: one decay time applies to both, and to
    # the shocks of projections.
    return series.errors.memory == "momentum"
