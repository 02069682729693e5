"""Size and persistence of the errors of a series, and residuals turned into independent ones of size one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput

if TYPE_CHECKING:
    from calibration.observation.series import Series

MOST_PERSISTENT = 0.97


@dataclass(frozen=True, slots=True)
class Noise:
    """Errors of one series: ``r_t = persistence * r_{t-1} + e_t``.

    Attributes
    ----------
    sd
        Standard deviation of ``e_t`` in the terms of the series.
    persistence
        Dimensionless, from 0 (independent) to `MOST_PERSISTENT`.
    regional
        Standard deviation of each region in units of ``sd``, shape (region,); empty where all are one.

    Raises
    ------
    InvalidInput
        If a standard deviation is not positive and finite or ``persistence`` is out of range.
    """

    sd: float
    persistence: float = 0.0
    regional: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not (np.isfinite(self.sd) and self.sd > 0):
            raise InvalidInput(
                "the standard deviation of an error must be positive and finite; found {found}", found=self.sd
            )
        if not 0 <= self.persistence <= MOST_PERSISTENT:
            raise InvalidInput(
                "persistence must lie in [0, {most_persistent}]; found {found}",
                most_persistent=MOST_PERSISTENT,
                found=self.persistence,
            )

        if not all(np.isfinite(ratio) and ratio > 0 for ratio in self.regional):
            raise InvalidInput(
                "regional standard deviations must be positive and finite; found {found}", found=self.regional
            )

    @property
    def total_sd(self) -> float:
        """Standard deviation of the residuals themselves, ``sd / sqrt(1 - persistence^2)``, of a typical region."""
        return float(self.sd / np.sqrt(1 - self.persistence**2))

    def cell_sds(self, regions: NDArray[np.intp]) -> NDArray[np.float64]:
        """Standard deviation of ``e_t`` in regions at some positions, shape (cell,)."""
        if not self.regional:
            return np.full(len(regions), self.sd)
        return self.sd * np.array(self.regional)[regions]


Array = NDArray[np.float64]


class Whitening:
    """Standardised innovations of the residuals of one series.

    Residuals of a row follow ``r_t = rho r_{t-1} + e_t`` with sd ``s`` of ``e_t``, ``t`` counted in usual distances of
    the series; a cell ``k`` of them after the last seen one has ``r_t - rho^k r_{t-k}`` of variance
    ``s^2 (1 - rho^{2k}) / (1 - rho^2)``. Where the first moment gives no residual, that residual is taken as given; a
    cell without a predecessor has the stationary variance ``s^2 / (1 - rho^2)``. With ``rho = 0`` this is the residual
    divided by ``s``.

    Parameters
    ----------
    series
        The observations.
    """

    def __init__(self, series: "Series") -> None:
        self.shape = series.values.shape
        row, moment = np.nonzero(series.used)
        self.region: NDArray[np.intp] = row
        self.year: NDArray[np.intp] = moment
        before = np.where(series.seen, np.arange(series.values.shape[1]), -1)
        last = np.maximum.accumulate(before, axis=1)
        previous = np.concatenate([np.full_like(last[:, :1], -1), last[:, :-1]], axis=1)
        self.previous: NDArray[np.intp] = previous[row, moment]
        self.has_previous: NDArray[np.bool_] = self.previous >= 0
        apart = series.times[moment] - series.times[np.maximum(self.previous, 0)]
        self._distance: Array = np.where(self.has_previous, apart, 0.0) / series.spacing

    def __len__(self) -> int:
        return len(self.region)

    @property
    def follows(self) -> NDArray[np.bool_]:
        """Cells whose predecessor is about the usual distance away, shape (cell,)."""
        return np.asarray(self.has_previous & (self._distance < 1.5), dtype=bool)

    def pick(self, table: Array) -> Array:
        """Take the used cells, shape (..., cell), of a table (..., row, time)."""
        return np.asarray(table[..., self.region, self.year])

    def pick_previous(self, table: Array) -> Array:
        """Take the last seen cell before each used one, 0 where there is none, shape (..., cell)."""
        return np.where(self.has_previous, table[..., self.region, np.maximum(self.previous, 0)], 0.0)

    def spread_out(self, cells: Array) -> Array:
        """The reverse of `pick`: a table of shape (row, time), NaN where no cell is used."""
        table = np.full(self.shape, np.nan)
        table[self.region, self.year] = cells
        return table

    def innovations(self, residuals: Array, noise: Noise, *, persistence: Array | None = None) -> Array:
        """Innovations (..., cell) of residuals (..., row, time), of the standard deviation of each row's error.

        Where a parameter of the model decides persistence, shape (draw,), standard deviations still follow `noise`.
        """
        rho = noise.persistence if persistence is None else persistence[:, None]
        weight = np.where(self.has_previous, rho**self._distance, 0.0)
        return (self.pick(residuals) - weight * self.pick_previous(residuals)) / self._spread(noise)

    def standardised(self, residuals: Array, noise: Noise, *, persistence: Array | None = None) -> Array:
        """Innovations divided by their standard deviation, dimensionless, shape (..., cell)."""
        return self.innovations(residuals, noise, persistence=persistence) / noise.cell_sds(self.region)

    def slopes(
        self,
        residuals: Array,
        residual_slopes: Array,
        noise: Noise,
        *,
        persistence: float | None = None,
        persistence_slopes: Array | None = None,
    ) -> Array:
        """Derivatives of `standardised`, shape (parameter, cell); residual slopes have (parameter, row, time).

        `persistence_slopes`, shape (parameter,), are those of the persistence where a parameter decides it.
        """
        rho = noise.persistence if persistence is None else persistence
        weight = np.where(self.has_previous, rho**self._distance, 0.0)
        moved = self.pick(residual_slopes) - weight * self.pick_previous(residual_slopes)
        if persistence_slopes is not None:
            power = np.where(self.has_previous, self._distance * rho ** np.maximum(self._distance - 1, 0), 0.0)
            moved = moved - persistence_slopes[:, None] * power * self.pick_previous(residuals)
        return moved / (self._spread(noise) * noise.cell_sds(self.region))

    def log_scale(self, noise: Noise) -> float:
        """Sum of the logarithms of all standard deviations: the part of the likelihood that the errors alone decide."""
        return float(np.log(noise.cell_sds(self.region) * self._spread(noise)).sum())

    def _spread(self, noise: Noise) -> Array:
        """Standard deviation of each cell given its predecessor, in units of its row's."""
        rho = noise.persistence
        if rho == 0:
            return np.ones(len(self))
        known = np.where(self.has_previous, 1 - rho ** (2 * self._distance), 1.0)
        return np.asarray(np.sqrt(known / (1 - rho**2)))
