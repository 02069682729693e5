"""One observed series: what was measured, and what the model says in the same terms."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pysd_runner.spec import USUAL_ERRORS, ErrorModel

Array = NDArray[np.float64]

# Of a series that `never_changes`.
FILLED_IN = "no region's value ever changes: that looks filled in, not observed"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Series:
    """One indicator as an observation of one variable of the model.

    ``log indicator = c_t + loading * log outcome + e``. The year's effect ``c_t`` goes out with the mean over the
    regions observed in that year; yearly changes are compared where levels carry persistent errors. A national series
    compares levels without logarithms.

    Attributes
    ----------
    measurement, indicator
        Key of the declared measurement; name of the panel variable or national series.
    outcome
        Name of the observed variable in the model file.
    loading
        Key of the parameter the log outcome is multiplied with; empty for 1.
    relative, increments, national
        Whether the year's mean is removed; whether yearly changes are compared; whether it is a national series.
    declared_sd
        Standard deviation of the error as declared.
    years
        Years of the window, ascending, shape (year,).
    values
        What was observed in the terms above, shape (region, year), one row for a national series; NaN where missing.
    errors
        How the errors are distributed.
    missing, unusable, recounted
        Cells of the later years of the window without an observation; cells whose value has no logarithm; changes that
        join two counts of the population. The last are among the missing.
    """

    measurement: str
    indicator: str
    outcome: str
    loading: str
    relative: bool
    increments: bool
    national: bool
    declared_sd: float
    years: tuple[int, ...]
    values: Array
    missing: int
    unusable: int
    errors: ErrorModel = USUAL_ERRORS
    recounted: int = 0

    @property
    def label(self) -> str:
        """Measurement and indicator, unique in a problem."""
        return f"{self.measurement}:{self.indicator}"

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Cells with an observation, the first year among them, shape (region, year)."""
        return np.isfinite(self.values)

    @property
    def used(self) -> NDArray[np.bool_]:
        """Cells that give a residual, shape (region, year).

        The first year gives none: start values come from the same indicators in that year, so the model meets them by
        construction. Its residual still conditions the next one (see `Whitening`).
        """
        used = self.seen.copy()
        used[:, 0] = False
        return used

    def predicted(self, outcome: Array, loading: Array) -> Array:
        """Say what the model gives in the terms of the observation.

        Parameters
        ----------
        outcome
            The observed variable, shape (draw, region, year); (draw, year) for a national series.
        loading
            Shape (draw,).

        Returns
        -------
        ndarray
            Shape (draw, region, year), NaN where nothing was observed.
        """
        if self.national:
            return np.where(self.seen, outcome[:, None, :], np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            logs = loading[:, None, None] * np.log(outcome)
        return in_terms(logs, self.seen, relative=self.relative, increments=self.increments)

    def slopes(self, outcome: Array, loading: float, outcome_slopes: Array, loading_slopes: Array) -> Array:
        """How what the model gives in the terms of the observation moves.

        Parameters
        ----------
        outcome
            The observed variable, shape (region, year); (year,) for a national series.
        loading
            What its logarithm is multiplied with.
        outcome_slopes, loading_slopes
            Their derivatives, shape (parameter, region, year) or (parameter, year), and (parameter,).

        Returns
        -------
        ndarray
            Derivatives of `predicted`, shape (parameter, region, year), NaN where nothing was observed.
        """
        if self.national:
            return np.where(self.seen, outcome_slopes[:, None, :], np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            logs = loading_slopes[:, None, None] * np.log(outcome) + loading * outcome_slopes / outcome
        return in_terms(logs, self.seen, relative=self.relative, increments=self.increments)


def in_terms(logs: Array, seen: NDArray[np.bool_], *, relative: bool, increments: bool) -> Array:
    """Yearly changes if asked for, then less the mean of the year over the cells that are seen."""
    if increments:
        logs = np.concatenate([np.full_like(logs[..., :1], np.nan), np.diff(logs, axis=-1)], axis=-1)
    if relative:
        count = np.maximum(seen.sum(axis=0), 1)
        logs = logs - np.where(seen, logs, 0.0).sum(axis=-2, keepdims=True) / count
    return np.where(seen, logs, np.nan)


def never_changes(values: Array) -> bool:
    """Whether every region that is seen more than once has the same value each time."""
    often = values[np.isfinite(values).sum(axis=1) > 1]
    return len(often) > 0 and bool((np.nanmax(often, axis=1) == np.nanmin(often, axis=1)).all())
