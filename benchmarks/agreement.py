"""Whether two engines give the same numbers: a ratio of speeds means nothing where they do not."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.engines import Array, Prepared

TOLERANCE = 1e-9

INTEGERS = (
    "as released it cuts off the fraction of smooths and delays whose initial value is written as an integer; with "
    "that mended it agrees"
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far an engine is from the first one.

    Parameters
    ----------
    difference
        Largest difference, relative to the largest value of its series.
    same
        Whether that is within `TOLERANCE`.
    note
        What explains a difference, empty if nothing must be said.
    """

    difference: float
    same: bool
    note: str = ""


def difference(found: Array, expected: Array) -> float:
    """Largest difference, relative to the largest absolute value of the series; infinite where a value is missing.

    Parameters
    ----------
    found, expected
        Shape (draw, series, year).
    """
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    scale = np.abs(expected).max(axis=-1, keepdims=True)
    return float((np.abs(found - expected) / np.where(scale > 0, scale, 1)).max())


def agreement(prepared: Prepared, draws: Array, expected: Array) -> Agreement:
    """Compare an engine with expected numbers.

    Parameters
    ----------
    prepared
        The engine with its model.
    draws
        Shape (draw, parameter).
    expected
        Shape (draw, series, year).

    Returns
    -------
    Agreement
        For PySD also whether a difference is its known fault, by running it with that fault mended.
    """
    gap = difference(prepared.series(prepared.ensemble(draws)), expected)
    if gap <= TOLERANCE:
        return Agreement(gap, same=True)
    if hasattr(prepared, "mended"):
        return _mended(prepared, draws, expected, gap)
    return Agreement(gap, same=False, note="gives other numbers, so no ratio is shown")


def _mended(prepared: Any, draws: Array, expected: Array, gap: float) -> Agreement:
    prepared.mended = True
    try:
        rest = difference(prepared.series(prepared.ensemble(draws)), expected)
    finally:
        prepared.mended = False
    if rest <= TOLERANCE:
        return Agreement(gap, same=True, note=f"{INTEGERS} to {rest:.0e}")
    return Agreement(gap, same=False, note=f"gives other numbers even when mended ({rest:.0e}), so no ratio is shown")
