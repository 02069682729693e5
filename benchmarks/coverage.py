"""How often intervals hold the truth, and whether ranks of the truth are uniform: tables from many simulated panels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVELS = (0.5, 0.8, 0.95)
# What pooled coverage must keep to, level by level.
POOLED = {0.5: (0.48, 0.52), 0.8: (0.78, 0.82), 0.95: (0.94, 0.96)}
# Probability of at least one false alarm over all parameters and levels of a method.
FAMILY = 0.05
BINS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """One parameter, or all of them pooled.

    Attributes
    ----------
    key
        The parameter; ``"pooled"`` for all.
    panels
        Truths that were looked for.
    covered
        Share of truths within the interval, by level.
    binomial
        p-value of the exact two-sided binomial test, by level; NaN where pooled, because parameters of one panel are
        not independent.
    uniform
        p-value of the chi-squared test that the ranks of the truth are uniform, in `BINS` bins; NaN where pooled.
    """

    key: str
    panels: int
    covered: Mapping[float, float]
    binomial: Mapping[float, float]
    uniform: float


def coverage(key: str, ranks: Array) -> Coverage:
    """Look at the ranks of the truths of one parameter.

    A central interval of level c holds the truth when its rank u, the posterior probability below it, keeps
    ``|2u - 1| < c``.

    Parameters
    ----------
    key
        The parameter.
    ranks
        From 0 to 1, shape (panel,).

    Returns
    -------
    Coverage
        Shares and p-values.
    """
    from scipy.stats import binomtest, chisquare

    inside = {level: np.abs(2 * ranks - 1) < level for level in LEVELS}
    counts = np.histogram(ranks, bins=BINS, range=(0.0, 1.0))[0]
    return Coverage(
        key=key,
        panels=len(ranks),
        covered={level: float(found.mean()) for level, found in inside.items()},
        binomial={
            level: float(binomtest(int(found.sum()), len(ranks), level).pvalue) for level, found in inside.items()
        },
        uniform=float(chisquare(counts).pvalue),
    )


def pooled(ranks: Array) -> Coverage:
    """Look at the ranks of all parameters at once, any shape."""
    flat = ranks.ravel()
    return Coverage(
        key="pooled",
        panels=len(flat),
        covered={level: float((np.abs(2 * flat - 1) < level).mean()) for level in LEVELS},
        binomial=dict.fromkeys(LEVELS, np.nan),
        uniform=np.nan,
    )


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
    rejected = [False] * len(values)
    for place, which in enumerate(sorted(range(len(values)), key=lambda item: values[item])):
        if values[which] > FAMILY / (len(values) - place):
            break
        rejected[which] = True
    return rejected


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What the tables of one method say.

    Attributes
    ----------
    rows
        One a parameter, then the pooled one.
    wrong_coverage
        Parameters and levels that Holm's test rejects.
    wrong_ranks
        Parameters whose ranks Holm's test says are not uniform.
    outside
        Levels whose pooled coverage leaves `POOLED`.
    """

    rows: tuple[Coverage, ...]
    wrong_coverage: tuple[tuple[str, float], ...]
    wrong_ranks: tuple[str, ...]
    outside: tuple[float, ...]

    @property
    def holds(self) -> bool:
        """Whether everything passes."""
        return not (self.wrong_coverage or self.wrong_ranks or self.outside)


def judge(keys: Sequence[str], ranks: Array) -> Judgement:
    """Put ranks of the truth to all tests.

    Parameters
    ----------
    keys
        Parameters.
    ranks
        Shape (panel, parameter).

    Returns
    -------
    Judgement
        Rows and what fails.
    """
    rows = [coverage(key, ranks[:, place]) for place, key in enumerate(keys)]
    asked = [(row.key, level) for row in rows for level in LEVELS]
    tested = holm([row.binomial[level] for row in rows for level in LEVELS])
    uniform = holm([row.uniform for row in rows])
    together = pooled(ranks)
    return Judgement(
        rows=(*rows, together),
        wrong_coverage=tuple(item for item, failed in zip(asked, tested, strict=True) if failed),
        wrong_ranks=tuple(row.key for row, failed in zip(rows, uniform, strict=True) if failed),
        outside=tuple(level for level in LEVELS if not POOLED[level][0] <= together.covered[level] <= POOLED[level][1]),
    )


def table(found: Judgement) -> list[str]:
    """The rows as text, and one line for each thing that fails.

    Parameters
    ----------
    found
        What `judge` says.

    Returns
    -------
    list of str
        Lines; a star marks what Holm's test rejects.
    """
    lines = [f"{'parameter':<10}{'panels':>8}" + "".join(f"{100 * level:>9.0f} %" for level in LEVELS) + "   ranks p"]
    for row in found.rows:
        stars = ["*" if (row.key, level) in found.wrong_coverage else " " for level in LEVELS]
        cells = "".join(f"{100 * row.covered[level]:>10.1f}{star}" for level, star in zip(LEVELS, stars, strict=True))
        ranks = "" if np.isnan(row.uniform) else f"{row.uniform:>8.3f}{'*' if row.key in found.wrong_ranks else ''}"
        lines.append(f"{row.key:<10}{row.panels:>8}{cells}  {ranks}".rstrip())
    bounds = ", ".join(f"{100 * low:.0f}-{100 * high:.0f} %" for low, high in POOLED.values())
    verdict = (
        "holds" if not found.outside else "FAILS at " + ", ".join(f"{100 * level:.0f} %" for level in found.outside)
    )
    lines.append(f"pooled coverage within {bounds}: {verdict}")
    count = len(found.rows) - 1
    lines.append(
        f"binomial tests, {count * len(LEVELS)} of them, Holm at {FAMILY:g}: "
        + ("all pass" if not found.wrong_coverage else f"{len(found.wrong_coverage)} FAIL")
    )
    lines.append(
        f"uniform ranks, chi-squared with {BINS} bins, {count} tests, Holm at {FAMILY:g}: "
        + ("all pass" if not found.wrong_ranks else f"FAIL for {', '.join(found.wrong_ranks)}")
    )
    return lines
