"""Which policy to take when much is not known: ranks, regret, switching values, what would change the answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.tables import Tabled
from pysd_runner.policy.futures import Box, Factor, Futures, prim
from pysd_runner.policy.study import Outcome, Told, Values, counted, losers_of

Array = NDArray[np.float64]

# A policy is recommended when no other beats it in more than this share of the futures.
BEATEN = 0.4
# Parts into which futures are divided by a factor; many enough to bend, large enough to average.
PARTS = 8
# Samples of futures with replacement, for the standard error.
RESAMPLED = 100
# Levels of a cost looked at for switches, and steps of bisection between two of them.
LEVELS, BISECTIONS = 9, 12
# A policy is no more than this part of its mean effect ahead: the two are called alike.
ALIKE = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class Worth:
    """Value of knowing something before choosing, in the unit of the effect."""

    value: float
    error: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Switch:
    """A level of a cost at which another policy becomes best on average."""

    factor: Factor
    level: float
    below: str
    above: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Advice(Tabled):
    """Policies compared in many futures.

    Attributes
    ----------
    names
        Of the policies.
    outcome
        By what they are compared.
    effects
        Shape (policy, future); positive is better.
    others
        Other effects by outcome, shape (policy, future), or (policy, future, element).
    futures
        The futures.
    switches
        Switching values of costs.
    box
        Futures in which the first choice is beaten by the second.
    perfect
        Value of knowing the future.
    partial
        Value of knowing each factor, by key.
    elements
        Names of the elements of other effects.
    notes
        What a reader must know.
    """

    names: tuple[str, ...]
    outcome: Outcome
    effects: Array
    others: Mapping[str, Array]
    futures: Futures
    switches: tuple[Switch, ...] = ()
    box: Box | None = None
    perfect: Worth | None = None
    partial: Mapping[str, Worth] = field(default_factory=dict)
    elements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def regret(self) -> Array:
        """Loss against the best policy of each future, shape (policy, future)."""
        return np.asarray(self.effects.max(axis=0) - self.effects)

    @property
    def leading(self) -> str:
        """The policy with the largest mean effect."""
        return self.names[int(self.effects.mean(axis=1).argmax())]

    @property
    def second(self) -> str:
        """The policy that beats the leading one most often; empty when there is one alone."""
        beaten = self.beaten(self.leading)
        return str(beaten.idxmax()) if len(beaten) else ""

    @property
    def least_regret(self) -> str:
        """The policy whose largest regret is least."""
        return self.names[int(self.regret.max(axis=1).argmin())]

    @property
    def recommended(self) -> str:
        """The leading policy where no other beats it in more than 40 % of the futures; empty when none is robust."""
        beaten = self.beaten(self.leading)
        return self.leading if not len(beaten) or float(beaten.max()) <= BEATEN else ""

    def beaten(self, name: str) -> pd.Series:
        """Share of the futures in which each other policy is better.

        Parameters
        ----------
        name
            The policy.
        """
        own = self.effects[self.names.index(name)]
        return pd.Series(
            {
                other: float((values > own).mean())
                for other, values in zip(self.names, self.effects, strict=True)
                if other != name
            },
            dtype=float,
        )

    def table(self) -> pd.DataFrame:
        """One row a policy, the best on average first: effect, share of futures first, mean rank, regret."""
        best = self.effects.max(axis=0)
        ranks = (-self.effects).argsort(axis=0, kind="stable").argsort(axis=0, kind="stable") + 1
        rows = {}
        for place, name in enumerate(self.names):
            low, middle, high = np.quantile(self.effects[place], (0.05, 0.5, 0.95))
            rows[name] = {
                "mean": float(self.effects[place].mean()),
                "p05": low,
                "p50": middle,
                "p95": high,
                "share_first": float((self.effects[place] == best).mean()),
                "mean_rank": float(ranks[place].mean()),
                "mean_regret": float(self.regret[place].mean()),
                "p95_regret": float(np.quantile(self.regret[place], 0.95)),
                "largest_regret": float(self.regret[place].max()),
            }
        found = pd.DataFrame.from_dict(rows, orient="index").rename_axis("policy")
        return found.sort_values("mean", ascending=False, kind="stable")

    def losers(self, name: str) -> pd.DataFrame:
        """Share of futures in which each element is worse off under a policy, the most frequent first.

        Parameters
        ----------
        name
            The policy.
        """
        place = self.names.index(name)
        of_elements = [values[place] for values in self.others.values() if values.ndim == 3]
        return losers_of(of_elements, self.elements)

    def worths(self) -> pd.DataFrame:
        """Value of knowing each factor, the largest first, with its standard error."""
        rows = {key: {"value": item.value, "error": item.error} for key, item in self.partial.items()}
        found = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "error"]).rename_axis("factor")
        return found.sort_values("value", ascending=False, kind="stable")


def advise(
    futures: Futures,
    policies: Mapping[str, Values],
    *,
    outcome: str = "",
    seed: int = 0,
    progress: Told | None = None,
) -> Advice:
    """Compare policies in many futures and say what to do, or that nothing is robust.

    Parameters
    ----------
    futures
        Where they are compared.
    policies
        Values by variable, by name; at least two.
    outcome
        Key of what they are compared by; empty for the first one.
    seed
        Decides the resampling behind standard errors.
    progress
        Called with what is being done, how much of it is finished and of how much.

    Returns
    -------
    Advice
        With ranks, regret, switching values, scenario discovery and values of information.

    Raises
    ------
    InvalidInput
        If there is one policy alone.
    """
    if len(policies) < 2:
        raise InvalidInput(
            "there is nothing to choose between; give at least two policies, found {count}", count=len(policies)
        )
    study = futures.studies[0]
    measured = study.outcome(outcome)
    outcomes = {measured.key: measured, **study.outcomes, **study.watched}
    tell = counted(progress, "policies in futures", (len(policies) + 1) * len(futures))
    values = futures.effects(list(policies.values()), list(outcomes.values()), tell)
    found = Advice(
        names=tuple(policies),
        outcome=measured,
        effects=values[measured.key],
        others={key: item for key, item in values.items() if key != measured.key},
        futures=futures,
        elements=study.elements,
        notes=study.notes,
    )
    if found.second:
        first, second = (found.effects[found.names.index(name)] for name in (found.leading, found.second))
        found = replace(found, box=prim(futures.levels, second > first))
    partial = {
        factor.key: partial_information(found.effects, futures.levels[:, place], seed=seed)
        for place, factor in enumerate(futures.factors)
    }
    found = replace(found, perfect=perfect_information(found.effects, seed=seed), partial=partial)
    return replace(found, switches=tuple(_switches(futures, policies, measured, found, progress)))


def _switches(
    futures: Futures, policies: Mapping[str, Values], outcome: Outcome, found: Advice, progress: Told | None
) -> Sequence[Switch]:
    """Switching values of every cost: looked for on a grid, and narrowed down by bisection."""
    order = list(found.table().index)
    # Policies that are far behind on average at every cost need not be run again and again.
    names = order[: min(len(order), 6)]
    chosen = {name: policies[name] for name in names}
    switches: list[Switch] = []
    factors = {factor.key: factor for factor in futures.factors}
    for number, (key, variable) in enumerate(futures.costs.items()):
        if progress is not None:
            progress("switching values", number, len(futures.costs))
        known = futures.column(key)
        middle = float(np.median(known))
        grid = np.exp(np.linspace(np.log(middle / 2), np.log(middle * 2), LEVELS))
        best = [_best_at(futures, chosen, outcome, variable, level) for level in grid]
        for place in range(LEVELS - 1):
            if best[place] != best[place + 1]:
                low, high = float(grid[place]), float(grid[place + 1])
                below, above = best[place], best[place + 1]
                for _ in range(BISECTIONS):
                    level = float(np.sqrt(low * high))
                    here = _best_at(futures, chosen, outcome, variable, level)
                    if here == below:
                        low = level
                    else:
                        high, above = level, here
                    if high / low < 1.005:
                        break
                switches.append(Switch(factor=factors[key], level=float(np.sqrt(low * high)), below=below, above=above))
    return switches


def _best_at(futures: Futures, policies: Mapping[str, Values], outcome: Outcome, variable: str, level: float) -> str:
    """The policy with the largest mean effect when a cost has one level in every future."""
    studies = []
    for study in futures.studies:
        own: Any = study.values[variable]
        studies.append(replace(study, values={**study.values, variable: np.full_like(np.asarray(own), level)}))
    values = replace(futures, studies=tuple(studies)).effects(list(policies.values()), [outcome])[outcome.key]
    return list(policies)[int(values.mean(axis=1).argmax())]


def perfect_information(effects: Array, *, seed: int = 0) -> Worth:
    r"""Value of knowing the future itself.

    .. math:: E[\max_p e_p] - \max_p E[e_p]

    Parameters
    ----------
    effects
        Shape (policy, future).
    seed
        Decides the resampling.

    References
    ----------
    Raiffa, H. and Schlaifer, R. (1961), Applied Statistical Decision Theory.
    """

    def value(kept: NDArray[np.intp]) -> float:
        return float(effects[:, kept].max(axis=0).mean() - effects[:, kept].mean(axis=1).max())

    return _with_error(effects, value, seed)


def partial_information(effects: Array, levels: Array, *, seed: int = 0) -> Worth:
    r"""Value of knowing one factor.

    .. math:: E_x[\max_p E[e_p \mid x]] - \max_p E[e_p]

    The conditional means are fitted: a straight line in each of eight parts of the futures ordered by the factor for a
    number, means for a factor of few values. The policy is chosen on one half of the futures and valued on the other,
    so that chance does not count as knowledge.

    Parameters
    ----------
    effects
        Shape (policy, future).
    levels
        The factor, shape (future,).
    seed
        Decides halves and resampling.

    References
    ----------
    Strong, M., Oakley, J. E. and Brennan, A. (2014), Estimating multiparameter partial expected value of perfect
    information from a probabilistic sensitivity analysis sample.
    """
    halves = np.random.default_rng(seed).permutation(len(levels)) % 2

    def value(kept: NDArray[np.intp]) -> float:
        gains = []
        for half in (0, 1):
            learn, judge = kept[halves[kept] == half], kept[halves[kept] != half]
            if len(learn) and len(judge):
                gains.append(_gain(effects, levels, learn, judge))
        return float(np.mean(gains)) if gains else 0.0

    found = _with_error(effects, value, seed)
    return Worth(value=max(0.0, found.value), error=found.error)


def _with_error(effects: Array, value: Callable[[NDArray[np.intp]], float], seed: int) -> Worth:
    count = effects.shape[1]
    whole = np.arange(count)
    rng = np.random.default_rng([seed, 1])
    again = [value(np.asarray(rng.integers(0, count, count))) for _ in range(RESAMPLED)]
    return Worth(value=float(value(whole)), error=float(np.std(again, ddof=1)))


def _gain(effects: Array, levels: Array, learn: NDArray[np.intp], judge: NDArray[np.intp]) -> float:
    """How much better the choice by the factor is than the choice without, learnt on some futures, judged on others."""
    fitted = _conditional(effects[:, learn], levels[learn], levels[judge])
    chosen = fitted.argmax(axis=0)
    fixed = int(effects[:, learn].mean(axis=1).argmax())
    return float((effects[chosen, judge] - effects[fixed, judge]).mean())


def _conditional(effects: Array, levels: Array, wanted: Array) -> Array:
    """Conditional means of the effects at some levels, shape (policy, level)."""
    kinds = np.unique(levels)
    if len(kinds) <= PARTS:
        means = np.stack([effects[:, levels == kind].mean(axis=1) for kind in kinds], axis=1)
        return np.asarray(means[:, np.abs(wanted[:, None] - kinds).argmin(axis=1)])
    # Linear splines with knots at quantiles, fitted by least squares.
    knots = np.quantile(levels, np.linspace(0, 1, PARTS // 2 + 1)[1:-1])
    scale = max(float(np.ptp(levels)), 1e-300)

    def basis(values: Array) -> Array:
        columns = [np.ones_like(values), values / scale, *(np.maximum(values - knot, 0) / scale for knot in knots)]
        return np.stack(columns, axis=1)

    weights, *_ = np.linalg.lstsq(basis(levels), effects.T, rcond=None)
    return np.asarray((basis(wanted) @ weights).T)
