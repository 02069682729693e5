"""Size and persistence of the errors of a series."""

from dataclasses import dataclass

import numpy as np

from calibration.observation.series import Series
from pysd_runner.errors import InvalidInput

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

    Raises
    ------
    InvalidInput
        If ``sd`` is not positive and finite or ``persistence`` is out of range.
    """

    sd: float
    persistence: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.sd) and self.sd > 0):
            raise InvalidInput(f"the standard deviation of an error must be positive and finite; found {self.sd}")
        if not 0 <= self.persistence <= MOST_PERSISTENT:
            raise InvalidInput(f"persistence must lie in [0, {MOST_PERSISTENT}]; found {self.persistence}")

    @property
    def total_sd(self) -> float:
        """Standard deviation of the residuals themselves, ``sd / sqrt(1 - persistence^2)``."""
        return float(self.sd / np.sqrt(1 - self.persistence**2))


def declared_noise(series: Series) -> Noise:
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
