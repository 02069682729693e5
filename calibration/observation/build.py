"""Build observed series from declared measurements and a panel, and the expressions of model variables they observe."""

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from calibration.observation.series import FILLED_IN, Series, in_terms, never_changes, to_scale
from pysd_runner.core.errors import Message
from pysd_runner.core.types import Array, Flags
from pysd_runner.data import Data
from pysd_runner.spec import Measurement, ModelSpec
from pysd_runner.spec.design import DECLARED, ErrorSizes
from pysd_runner.study.equations import variable_itself

# A yearly log change of population is taken for a census revision if it differs from the median of the AROUND years
# before and after by more than RECOUNTED and by more than USUAL_DEPARTURES times the region's median difference:
# births, deaths and migration rarely change a population so much in a single year. Chosen by judgement.
RECOUNTED, USUAL_DEPARTURES, AROUND = 0.015, 5.0, 2
# Dimensions of regional series.
REGIONS = ("region",)


@dataclass(frozen=True, slots=True)
class Absent:
    """A declared measurement that this panel has no usable data for."""

    measurement: str  # key of the measurement
    indicator: str  # name of the panel variable or national series
    why: str  # reason, phrased as a clause

    def __str__(self) -> str:
        return Message(
            "{measurement} ({indicator}): {why}", measurement=self.measurement, indicator=self.indicator, why=self.why
        )


def build_series(
    spec: ModelSpec, panel: Data, *, first_year: int, last_year: int, sizes: ErrorSizes = DECLARED
) -> tuple[tuple[Series, ...], tuple[Absent, ...]]:
    """Build the observed series from the first year, which gives no residual, to the last; list those that are absent.

    Both lists are in the order of the declarations.
    If the panel contains the outcome itself (a variable named like the outcome's key), it is used in addition to its
    indicators, with loading 1 and in levels; its declared error is the measurement's divided by the declared loading.

    Parameters
    ----------
    spec
        Declarations of the model.
    panel
        Panel of regions.
    first_year, last_year
        Years of the fit.
    sizes
        How the sizes of errors are estimated.

    Returns
    -------
    tuple
        The series, and what is absent with the reason.
    """
    window = tuple(range(first_year, last_year + 1))
    found = [item for declared in spec.measurements.values() for item in _of_measurement(spec, declared, panel, window)]
    series = tuple(replace(item, sizes=sizes) for item in found if isinstance(item, Series))
    return series, tuple(item for item in found if isinstance(item, Absent))


def _of_measurement(
    spec: ModelSpec, item: Measurement, panel: Data, window: tuple[int, ...]
) -> Iterator[Series | Absent]:
    known: Container[str] = panel.national if item.national else panel
    gone = Message("no such national series beside the panel") if item.national else Message("not in the panel")
    is_lacking = item.requires and item.requires not in panel
    lacking = Message("needs {what!r}, which the panel lacks", what=item.requires) if is_lacking else ""
    for name in item.indicators or (item.national,):
        found = lacking or (_series(item, name, panel, window) if name in known else gone)
        yield found if isinstance(found, Series) else Absent(item.key, name, found)
    share = share_of(spec, item)
    if share in panel and not lacking:
        sd = item.sd / spec.parameters[item.loading].value
        own = replace(item, loading="", relative=False, increments=False, sd=sd)
        found = _series(own, share, panel, window)
        yield found if isinstance(found, Series) else Absent(item.key, share, found)


def recounts(panel: Data, years: tuple[int, ...]) -> Flags:
    """Find years in which a region's population was revised by a census, shape (region, year)."""
    # A census can revise population, and so output per head, by several percent in one year, but not in the next,
    # which looks like growth that reverses. Such changes are excluded from the comparison. Fast growth, or its end, is
    # not flagged, since the change is close to those of the neighbouring years.
    found = np.zeros((len(panel.regions), len(years)), dtype=bool)
    if "population" not in panel or len(years) < 2:
        return found
    changes = np.diff(to_scale(_columns(panel, "population", years), "log"), axis=1)
    ends = ((0, 0), (AROUND, AROUND))
    near = sliding_window_view(np.pad(changes, ends, constant_values=np.nan), 2 * AROUND + 1, axis=1)
    departures = np.abs(changes - _median(near))
    found[:, 1:] = departures > np.maximum(RECOUNTED, USUAL_DEPARTURES * _median(departures)[:, None])
    return found


def _median(values: Array) -> Array:
    """Median of the finite values along the last axis; NaN where there are none."""
    found = np.full(values.shape[:-1], np.nan)
    known = np.isfinite(values).any(axis=-1)
    found[known] = np.nanmedian(values[known], axis=-1)
    return found


def share_of(spec: ModelSpec, measurement: Measurement) -> str:
    """Name under which a panel would contain the outcome itself: the outcome's key; empty if there is none."""
    if not measurement.loading:
        return ""
    keys = [key for key, outcome in spec.outcomes.items() if outcome.variable == measurement.outcome]
    return keys[0] if keys and keys[0] not in measurement.indicators else ""


def _columns(panel: Data, name: str, window: tuple[int, ...], *, national: bool = False) -> Array:
    """Values of a variable, or of a national series, in the years of a window, shape (region, year)."""
    import pandas as pd

    found = pd.DataFrame([panel.national[name]]) if national else pd.DataFrame(panel.array(name), columns=panel.years)
    return found.reindex(columns=window).to_numpy(dtype=float)


def _series(item: Measurement, name: str, panel: Data, window: tuple[int, ...]) -> Series | str:
    """A series, or the reason why there is none."""
    national = bool(item.national)
    raw = _columns(panel, name, window, national=national)
    logs = raw if national else to_scale(raw, "log")
    joints = np.zeros(raw.shape, dtype=bool)
    seen = np.isfinite(logs)
    if item.increments:
        joints = joints if national else recounts(panel, window)
        seen = seen & np.concatenate([np.zeros_like(seen[:, :1]), seen[:, :-1]], axis=1) & ~joints
    if item.relative:
        # With a single region in a year there is no difference between regions.
        seen = seen & (seen.sum(axis=0) > 1)
    values = in_terms(logs, seen, relative=item.relative, increments=item.increments)
    if not seen[:, 1:].any():
        return Message(
            "no {change} to compare after {year} and until {last}",
            change=Message("change from one year to the next") if item.increments else Message("value"),
            year=window[0],
            last=window[-1],
        )
    if never_changes(logs):
        return FILLED_IN
    if item.relative and not np.nan_to_num(values).any():
        return Message("the regions never differ, so there is nothing to compare")
    return Series(
        measurement=item.key,
        indicator=name,
        expression=variable_itself(item.outcome, () if national else REGIONS),
        scale="level" if national else "log",
        loading=item.loading,
        relative=item.relative,
        increments=item.increments,
        labels=("",) if national else panel.codes,
        declared_sd=item.sd,
        times=np.array(window, dtype=float),
        values=values,
        missing=int((~seen[:, 1:]).sum()),
        errors=item.errors,
        unusable=int((np.isfinite(raw) & ~np.isfinite(logs)).sum()),
        recounted=int(joints[:, 1:].sum()),
    )
