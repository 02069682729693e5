"""Measured effects as experiments that a model can repeat: declarations and densities of evidence terms."""

from dataclasses import field
from typing import Literal

import numpy as np

from pysd_runner.core.types import Array, frozen

# Half-width of a 90 % interval of the normal distribution, in standard deviations.
Z90 = 1.6448536269514722


@frozen
class Raise:
    """An experiment that keeps a variable on its path without policy, raised by part of another variable.

    Attributes
    ----------
    variable, of
        The variable; the variable of which a part is added to it.
    by, most
        Part that is added; part of `of` above which nothing is added.
    """

    variable: str
    of: str
    by: float
    most: float = 1.0


@frozen
class EvidenceTerm:
    """A measured effect: an experiment that the model can repeat, and the distribution of the measured value.

    The posterior is multiplied by the density of what was measured, given the effect ``q`` of the experiment in the
    model: normal about ``q``, or for a lognormal normal about ``log q`` in logarithms. With ``d_t`` the
    difference of the outcome from the run without policy in year ``t``, summed over elements, ``m_t`` the money spent
    and years ``t`` counted from the last year of data:

    * ``difference``: mean of ``d_t``; ``percent``: mean of ``100 d_t / outcome_t``, both for the full raise;
    * ``return``: ``factor`` times mean of ``d_t``, over all money spent up to the last year;
    * ``present_value``: ``factor sum d_t (1 + rate)^-t / sum m_t (1 + rate)^-t``.

    Attributes
    ----------
    key
        Short key.
    scenario
        Name of a scenario, or the content of one; empty for the run without policy.
    raises
        Variable that the experiment raises; None if it only spends money or changes constants.
    outcome, money
        Variables that are read; for regions output and the policy money unless declared.
    measure
        What is computed from them.
    after
        First and last year in which the outcome is read, counted from the last year of data.
    factor, rate
        Factor of the result, such as the share of labour in output; yearly discount rate.
    family, centre, low, high
        Distribution of the measured effect: ``"normal"`` or ``"lognormal"``, centre, and 90 % predictive interval,
        which includes the spread between studies.
    pool, variant, rows
        Quantity and variant of the ledger from which the interval was read; rows that it uses, with nulls beside them.
    direct
        Those of the rows that measure what the model computes for the term; the others measure something near it.
    pooled
        Centre, low and high that the pool of these rows gives by the rule in the note; empty where they are no pool.
    is_used
        Whether the posterior is multiplied by it; otherwise it is only shown.
    lever
        Lever that the experiment is about; empty for a mix.
    people, couplings
        Stock of those whom money of one year reaches, of whom reports tell how many are left; parameters that carry the
        effect beyond them, and are set to zero to show it.
    note
        How the interval was chosen, and the rule by which `pooled` follows from the rows.
    en, zh
        One-line meaning in English and Chinese.
    """

    key: str
    scenario: dict | str = ""  # type: ignore[type-arg]
    raises: Raise | None = None
    outcome: str = ""
    money: str = ""
    measure: Literal["difference", "percent", "return", "present_value"]
    after: tuple[float, ...]
    factor: float = 1.0
    rate: float = 0.03
    family: Literal["normal", "lognormal"]
    centre: float
    low: float
    high: float
    pool: str = ""
    variant: str = ""
    rows: tuple[str, ...] = ()
    direct: tuple[str, ...] = ()
    pooled: tuple[float, ...] = ()
    is_used: bool = field(default=True, metadata={"key": "use"})
    lever: str = ""
    people: str = ""
    couplings: tuple[str, ...] = ()
    note: str = ""
    en: str = ""
    zh: str = ""

    @property
    def spread(self) -> float:
        """Standard deviation of the measured effect, for a lognormal that of its logarithm."""
        low, high = self._scaled(np.array([self.low, self.high]))
        return float((high - low) / (2 * Z90))

    def residuals(self, implied: Array) -> Array:
        """Standardised distance of implied effects from the centre; minus infinity where the density is zero."""
        return (self._scaled(implied) - self._scaled(np.array(self.centre))) / self.spread

    def drawn(self, around: float, rng: np.random.Generator, size: int = 1) -> Array:
        """Draw measured effects around a true one, with the spread of the term."""
        scaled = self._scaled(np.array(around)) + self.spread * rng.standard_normal(size)
        return np.exp(scaled) if self.family == "lognormal" else scaled

    def _scaled(self, values: Array) -> Array:
        if self.family == "normal":
            return np.asarray(values, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(np.asarray(values) > 0, np.log(values), -np.inf)
