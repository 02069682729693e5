"""Declarations of what policies are for: the parts of an aim, and the outcomes that measure them."""

from typing import Literal

from pysd_runner.core.types import frozen


@frozen
class RegionalOutcome:
    r"""An outcome of policies over all regions: a weighted sum of model variables, or the ratio of two.

    .. math:: z = f \, \frac{\sum_i w_i \sum_{v \in \mathrm{of}} v_i}{\sum_i w_i \, \mathrm{per}_i}

    Attributes
    ----------
    of, per
        Variables with a value for each region: those that are added, and the one they are divided by (empty for 1).
    weights
        :math:`w_i`: ``"sum"`` 1; ``"mean"`` the share in the population of the last observed year; ``"shortfall"`` this
        less 1/n in the n regions with output per head below the national mean in that year, so that the outcome is by
        how much they fall short of the nation.
    factor
        :math:`f`, for instance 100 for percentage points.
    better
        ``"higher"`` or ``"lower"``; an effect is positive if it is an improvement.
    unit, unit_zh
        Unit of the effect in English and Chinese.
    en, zh
        Labels of the effect.
    note
        What it stands for, and what it leaves out.
    """

    key: str
    of: tuple[str, ...]
    per: str = ""
    weights: Literal["sum", "mean", "shortfall"]
    factor: float = 1.0
    better: Literal["higher", "lower"] = "higher"
    unit: str
    unit_zh: str
    en: str
    zh: str
    note: str = ""

    @property
    def sign(self) -> float:
        """1 if higher is better, -1 if lower is."""
        return 1.0 if self.better == "higher" else -1.0

    @property
    def variables(self) -> tuple[str, ...]:
        """All model variables that it is computed from."""
        return (*self.of, *filter(None, [self.per]))


@frozen
class Aim:
    """One part of what policies are for, which improves if all of its outcomes do; without any, nothing stands for it.

    Attributes
    ----------
    outcomes
        Keys of declared outcomes, or of those that are computed from output and population of any regional model.
    en, zh
        Labels.
    """

    key: str
    outcomes: tuple[str, ...] = ()
    en: str
    zh: str
