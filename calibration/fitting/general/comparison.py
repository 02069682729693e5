"""Runs of any model in the terms of a table: residuals, their slopes, and errors estimated from them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.general.counts import (
    deviance_residual,
    deviance_slope,
    fisher_root,
    saturated,
    size_of,
    spread_of,
)
from calibration.fitting.general.forward import Forward
from calibration.fitting.general.series import LEAST_COUNT, ObservedSeries
from calibration.observation import MOST_PERSISTENT, Noise, loss_of

Array = NDArray[np.float64]
Parameters = Mapping[str, Any]

# A persistence of zero counts as this many pairs.
PRIOR_PAIRS = 4.0
# Student's distribution has a variance from here on.
LEAST_FREEDOM = 3.0
# Least size of errors in units of the spread of a column.
EXACT = 1e-3


class TableComparison:
    """Compares runs with the columns of a table."""

    def __init__(self, forward: Forward, keys: Sequence[str], series: tuple[ObservedSeries, ...]) -> None:
        self._forward, self._keys, self.series = forward, tuple(keys), series

    def copied(self) -> "TableComparison":
        """The same with memory of its own."""
        return TableComparison(self._forward.copied(), self._keys, self.series)

    def declared_noise(self) -> dict[str, Noise]:
        """Independent errors of the declared size, by label."""
        return {item.label: Noise(item.declared_sd) for item in self.series}

    def rows(self, stage: object = None) -> NDArray[np.intp]:  # noqa: ARG002
        """Positions of the data residuals: all of them are one block."""
        return np.arange(sum(len(item.cells) for item in self.series))

    def predicted(self, parameters: Parameters, draws: int) -> list[Array]:
        """What the model says on the scale of each series, shape (draw, row, time) each, NaN where nothing was seen."""
        outcomes = self._forward.batch(self._vectors(parameters, draws))
        found = []
        for item in self.series:
            raw = item.compared(item.expression.value(outcomes))
            found.append(np.where(item.seen, item.scaled(raw), np.nan))
        return found

    def residuals(self, parameters: Parameters, draws: int, noise: Mapping[str, Noise]) -> Array:
        """Standardised innovations or deviances of all series, shape (draw, cell)."""
        predicted = self.predicted(parameters, draws)
        parts = [_residuals(item, table, noise[item.label]) for item, table in zip(self.series, predicted, strict=True)]
        return np.concatenate(parts, axis=1)

    def linearised(
        self,
        parameters: Mapping[str, float],
        spreads: Mapping[str, float],  # noqa: ARG002
        noise: Mapping[str, Noise],
    ) -> tuple[Array, Array]:
        """Residuals of one vector, shape (cell,), and their derivatives, shape (cell, parameter)."""
        return self._moved(parameters, noise, expected=False)

    def information(self, parameters: Mapping[str, float], noise: Mapping[str, Noise]) -> Array:
        """Derivatives whose squares are the expected information of counts, shape (cell, parameter)."""
        return self._moved(parameters, noise, expected=True)[1]

    def _moved(
        self, parameters: Mapping[str, float], noise: Mapping[str, Noise], *, expected: bool
    ) -> tuple[Array, Array]:
        vector = self._vectors(parameters, 1)[0]
        outcomes, moved = self._forward.linearised(vector)
        residuals, slopes = [], []
        for item in self.series:
            value, slope = item.expression.linearised(outcomes, moved)
            raw, raw_slopes = item.compared(value[None])[0], item.slopes(slope)
            with np.errstate(divide="ignore", invalid="ignore"):
                found = _linearised(item, raw, raw_slopes, noise[item.label], expected=expected)
            residuals.append(found[0])
            slopes.append(found[1])
        return np.concatenate(residuals), np.concatenate(slopes, axis=1).T

    def log_likelihood(self, residuals: Array, noise: Mapping[str, Noise]) -> Array:
        """Log density of the table given residuals of shape (draw, cell); minus infinity where one is not finite."""
        scales = sum(_log_scale(item, noise[item.label]) for item in self.series)
        is_known = np.asarray(np.isfinite(residuals).all(axis=1))
        squares = (np.where(is_known[:, None], residuals, 0.0) ** 2).sum(axis=1)
        return np.where(is_known, -0.5 * squares - scales, -np.inf)

    def estimated_noise(self, parameters: Parameters) -> dict[str, Noise]:
        """Errors of every series from the residuals at a point; parameters cost degrees of freedom in proportion."""
        share = self._share()
        predicted = self.predicted(parameters, 1)
        return {
            item.label: _estimated(item, table[0], share) for item, table in zip(self.series, predicted, strict=True)
        }

    def known_sizes(self) -> Array:
        """Weight of the slopes of every cell: one where the size of errors is known, less where it was estimated."""
        share = self._share()
        return np.concatenate([np.full(len(item.cells), _weight(item, share)) for item in self.series])

    def _share(self) -> float:
        """Degrees of freedom of a cell."""
        return max(1 - len(self._keys) / sum(len(item.cells) for item in self.series), 0.25)

    def _vectors(self, parameters: Parameters, draws: int) -> Array:
        columns = [np.broadcast_to(np.ravel(parameters[key]), (draws,)) for key in self._keys]
        return np.stack(columns, axis=1).astype(float) if columns else np.zeros((draws, 0))


def _residuals(series: ObservedSeries, predicted: Array, noise: Noise) -> Array:
    if series.errors.is_count:
        expected = _expected(series.cells.pick(predicted))
        counts = series.cells.pick(series.raw)
        return deviance_residual(counts, expected, size_of(noise, series.errors.family))
    innovations = series.cells.standardised(predicted - series.values, noise)
    return loss_of(series.errors).bent(innovations)


def _linearised(
    series: ObservedSeries, raw: Array, raw_slopes: Array, noise: Noise, *, expected: bool
) -> tuple[Array, Array]:
    cells = series.cells
    if series.errors.is_count:
        size = size_of(noise, series.errors.family)
        mean, counts = _expected(cells.pick(raw)), cells.pick(series.raw)
        residuals = deviance_residual(counts, mean, size)
        along = fisher_root(mean, size) if expected else deviance_slope(counts, mean, size)
        return residuals, along * cells.pick(raw_slopes)
    missed = np.where(series.seen, series.scaled(raw) - series.values, np.nan)
    turned = np.where(series.seen, series.scaled_slopes(raw, raw_slopes), np.nan)
    innovations = cells.standardised(missed, noise)
    slopes = cells.slopes(missed, turned, noise)
    loss = loss_of(series.errors)
    return loss.bent(innovations), loss.slope(innovations) * slopes


def _expected(raw: Array) -> Array:
    """What a model expects to be counted; a negative number is no expectation."""
    with np.errstate(invalid="ignore"):
        return np.where(raw < 0, np.nan, np.maximum(raw, LEAST_COUNT))


def _log_scale(series: ObservedSeries, noise: Noise) -> float:
    if series.errors.is_count:
        return -saturated(series.cells.pick(series.raw), size_of(noise, series.errors.family))
    return series.cells.log_scale(noise) + len(series.cells) * loss_of(series.errors).log_mass


def _weight(series: ObservedSeries, share: float) -> float:
    """Root of ``(freedom - 2) / freedom``, or one."""
    if series.observation.is_given or series.errors.family == "poisson":
        return 1.0
    freedom = max(share * len(series.cells), LEAST_FREEDOM)
    return float(np.sqrt((freedom - 2) / freedom))


def _estimated(series: ObservedSeries, predicted: Array, share: float) -> Noise:
    """Size and persistence of the errors of one series; `share` of its cells are degrees of freedom."""
    cells, errors = series.cells, series.errors
    if errors.family == "poisson":
        return Noise(series.declared_sd)
    freedom = max(share * len(cells), 1.0)
    if errors.is_count:
        if series.observation.is_given:
            return Noise(series.declared_sd)
        return Noise(spread_of(cells.pick(series.raw), _expected(cells.pick(predicted)), freedom))
    missed = predicted - series.values
    persistence = 0.0
    if errors.memory == "ar1":
        now, before = cells.pick(missed)[cells.follows], cells.pick_previous(missed)[cells.follows]
        squares = float((before**2).sum())
        if squares > 0:
            slope = float((now * before).sum()) / (squares * (1 + PRIOR_PAIRS / now.size))
            persistence = float(np.clip(slope, 0.0, MOST_PERSISTENT))
    if series.observation.is_given:
        return Noise(series.declared_sd * float(np.sqrt(1 - persistence**2)), persistence)
    innovations = cells.innovations(missed, Noise(1.0, persistence))
    sd = loss_of(errors).sd(innovations, freedom=freedom, declared=series.declared_sd, weight=0.0)
    # What is met exactly, such as a column that never changes, must not rule all others.
    seen = series.values[np.isfinite(series.values)]
    least = EXACT * (float(seen.std()) or float(np.abs(seen).max()) or 1.0)
    return Noise(max(sd, least), persistence)
