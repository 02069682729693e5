"""Digital shares of members: on an unbounded scale for the update, and in the terms of the series that observe them."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.observation.series import Series, in_terms
from pysd_runner.spec.bindings import VariableNames

Array = NDArray[np.float64]

EDGE = 1e-6


def to_free(stocks: Mapping[str, Array]) -> list[Array]:
    """Logits of access, of skills as a part of access, and of application."""
    access = np.clip(stocks["access"], EDGE, 1 - EDGE)
    return [_logit(access), _logit(stocks["skills"] / access), _logit(stocks["application"])]


def from_free(free: Sequence[Array]) -> dict[str, Array]:
    """The shares back; skills never exceed access."""
    access, part, application = (1 / (1 + np.exp(-item)) for item in free)
    return {"access": access, "skills": access * part, "application": application}


def _logit(share: Array) -> Array:
    inside = np.clip(share, EDGE, 1 - EDGE)
    return np.asarray(np.log(inside / (1 - inside)))


def observed_in(series: Series, year: int, regions: int) -> Array:
    """What a series says in a year, shape (region,), NaN where missing; a national one says it of every region."""
    if year not in series.years:
        return np.full(regions, np.nan)
    column = series.values[:, series.years.index(year)]
    return np.array(np.broadcast_to(column, (regions,)))


def predicted_in(
    series: Series, share: Array, year: int, stocks: Mapping[str, Array], loadings: Mapping[str, Array]
) -> Array:
    """What members say in the same terms of a share, shape (member, region), finite everywhere."""
    if series.national:
        people = stocks["population"]
        level = (share * people).sum(axis=1, keepdims=True) / people.sum(axis=1, keepdims=True)
        return np.array(np.broadcast_to(level, share.shape))
    loading = loadings[series.loading][:, None] if series.loading else 1.0
    seen = series.seen[:, [series.years.index(year)]]
    logs = loading * np.log(np.maximum(share, EDGE))
    return np.nan_to_num(in_terms(logs[..., None], seen, relative=series.relative, increments=False)[..., 0])


def share_of(series: Series, names: VariableNames) -> str:
    """Which share a series observes; empty when it observes something else."""
    known = {
        names.access: "access",
        names.national_access: "access",
        names.skills: "skills",
        names.application: "application",
    }
    return known.get(series.outcome, "")


def relaxed(before: Array, after: Array, part: float) -> Array:
    """Give back a part of the spread an update took away, shape (member, region)."""
    mean = after.mean(axis=0)
    old, new = before.std(axis=0), after.std(axis=0)
    return np.asarray(
        mean + (after - mean) * (1 + part * np.where(new > 0, (old - new) / np.where(new > 0, new, 1), 0))
    )
