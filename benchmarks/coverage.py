"""How often intervals hold the truth, in many simulated panels, and how sure that is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVELS = (0.5, 0.8, 0.95)
# What coverage pooled over parameters must keep to, level by level.
POOLED = {0.5: (0.46, 0.54), 0.8: (0.76, 0.84), 0.95: (0.92, 0.97)}
# Probability of at least one false alarm over all parameters and levels.
FAMILY = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """Share of truths within central intervals, for one parameter or for several together.

    Attributes
    ----------
    name
        The parameter, or what the several are.
    panels
        How many.
    covered
        Share of truths within the interval, by level.
    errors
        Standard error of that share, by level: panels are independent, parameters of one panel are not.
    binomial
        p-value of the exact two-sided binomial test, by level; empty for several parameters together.
    """

    name: str
    panels: int
    covered: Mapping[float, float]
    errors: Mapping[float, float]
    binomial: Mapping[float, float]


def coverage(name: str, ranks: Array) -> Coverage:
    """Count truths within central intervals.

    An interval of level c holds the truth when its rank u, the posterior probability below it, keeps
    ``|2u - 1| < c``.

    Parameters
    ----------
    name
        The parameter, or what the several are.
    ranks
        From 0 to 1, shape (panel,) or (panel, parameter).

    Returns
    -------
    Coverage
        Shares, their standard errors clustered by panel, and p-values.
    """
    from scipy.stats import binomtest

    count = len(ranks)
    inside = {level: (np.abs(2 * ranks - 1) < level).reshape(count, -1).mean(axis=1) for level in LEVELS}
    return Coverage(
        name=name,
        panels=count,
        covered={level: float(found.mean()) for level, found in inside.items()},
        errors={level: float(found.std(ddof=1) / np.sqrt(count)) for level, found in inside.items()},
        binomial={level: float(binomtest(int(found.sum()), count, level).pvalue) for level, found in inside.items()}
        if ranks.ndim == 1
        else {},
    )


def outside(found: Coverage) -> list[float]:
    """Levels at which pooled coverage leaves `POOLED`."""
    return [level for level in LEVELS if not POOLED[level][0] <= found.covered[level] <= POOLED[level][1]]


def rejected(rows: Sequence[Coverage]) -> list[tuple[str, float]]:
    """Parameters and levels whose coverage is wrong, by binomial tests with Holm's correction over all of them."""
    asked = [(row.name, level) for row in rows for level in LEVELS]
    tested = holm([row.binomial[level] for row in rows for level in LEVELS])
    return [item for item, failed in zip(asked, tested, strict=True) if failed]


def holm(values: Sequence[float]) -> list[bool]:
    """Which p-values are too small at the level `FAMILY`, all of them counted.

    Parameters
    ----------
    values
        p-values.

    Returns
    -------
    list of bool
        True where the hypothesis is rejected.

    References
    ----------
    Holm, S. (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6(2).

    Examples
    --------
    >>> holm([0.001, 0.04, 0.03])
    [True, False, False]
    """
    found = [False] * len(values)
    for place, which in enumerate(sorted(range(len(values)), key=lambda item: values[item])):
        if values[which] > FAMILY / (len(values) - place):
            break
        found[which] = True
    return found


def table(rows: Sequence[Coverage], wrong: Collection[tuple[str, float]]) -> list[str]:
    """The rows as text; rows of several parameters have standard errors.

    Parameters
    ----------
    rows
        What `coverage` gave.
    wrong
        What `rejected` gave for all parameters; marked by a star.

    Returns
    -------
    list of str
        Lines.
    """
    width = max(len(row.name) for row in rows)
    lines = [f"{'':<{width}}{'panels':>8}" + "".join(f"{100 * level:>15.0f} %" for level in LEVELS)]
    for row in rows:
        cells = []
        for level in LEVELS:
            mark = "*" if (row.name, level) in wrong else "" if row.binomial else f" ({100 * row.errors[level]:.1f})"
            cells.append(f"{100 * row.covered[level]:.1f}{mark}")
        lines.append(f"{row.name:<{width}}{row.panels:>8}" + "".join(f"{cell:>17}" for cell in cells))
    return lines
