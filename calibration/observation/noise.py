"""Size and persistence of the errors of a series."""

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
        """Standard deviation of ``e_t`` in some regions.

        Parameters
        ----------
        regions
            Positions, shape (cell,).

        Returns
        -------
        ndarray
            Shape (cell,).
        """
        if not self.regional:
            return np.full(len(regions), self.sd)
        return self.sd * np.array(self.regional)[regions]


def declared_noise(series: "Series") -> Noise:
    """Independent errors of the declared size.

    Parameters
    ----------
    series
        The observations.

    Returns
    -------
    Noise
        Without persistence.
    """
    return Noise(series.declared_sd)
