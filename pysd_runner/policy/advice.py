"""Policy choice under deep uncertainty: ranks, regret, switching values, scenario discovery, value of information."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.progress import Told, counted, reporting, teller
from pysd_runner.export.files import Tabled
from pysd_runner.policy.futures import Box, Factor, Futures, prim
from pysd_runner.policy.study import Outcome, Values, losers_of

Array = NDArray[np.float64]

# A policy is recommended if no other policy beats it in more than this share of the futures.
BEATEN = 0.4
# Factors with at most this many values use group means, others a linear spline with half as many pieces.
PARTS = 8
# Number of bootstrap samples of the futures, for standard errors.
RESAMPLED = 100
# Number of grid levels of a cost in the search for switching values, and maximum bisection steps between two.
LEVELS, BISECTIONS = 9, 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Worth:
    """Value of information and its standard error, in the unit of the effect."""

    value: float
    error: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Switch:
    """Switching value: a level of a cost at which the policy with the best mean effect changes."""

    factor: Factor
    level: float
    below: str
    above: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Advice(Tabled):
    """Comparison of policies in many futures.

    Attributes
    ----------
    names
        Names of the policies.
    outcome
        Outcome by which they are compared.
    effects
        Effects on the outcome, shape (policy, future); positive is better.
    others
        Effects on other outcomes, by outcome, shape (policy, future), or (policy, future, element).
    futures
        Futures in which the policies were compared.
    switches
        Switching values of the unit costs.
    box
        Region of the factors in which the leading policy is beaten by the second; see `prim`.
    perfect
        Expected value of perfect information.
    partial
        Expected value of partial perfect information about each factor, by key.
    elements
        Names of the elements (regions) in `others`.
    notes
        Caveats that a reader needs.
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
        """Loss relative to the best policy in each future, shape (policy, future)."""
        return np.asarray(self.effects.max(axis=0) - self.effects)

    @property
    def leading(self) -> str:
        """The policy with the largest mean effect."""
        return self.names[int(self.effects.mean(axis=1).argmax())]

    @property
    def second(self) -> str:
        """The policy that beats the leading one most often; empty if there is no other policy."""
        beaten = self.beaten(self.leading)
        return str(beaten.idxmax()) if len(beaten) else ""

    @property
    def least_regret(self) -> str:
        """The policy with the smallest maximum regret (minimax regret)."""
        return self.names[int(self.regret.max(axis=1).argmin())]

    @property
    def recommended(self) -> str:
        """The leading policy if no other beats it in more than 40 % of the futures, else empty."""
        beaten = self.beaten(self.leading)
        return self.leading if not len(beaten) or float(beaten.max()) <= BEATEN else ""

    def beaten(self, name: str) -> pd.Series:
        """Share of futures in which each other policy has a larger effect.

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
        """Effect, share of futures ranked first, mean rank and regret; one row per policy, best mean effect first."""
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
        """Share of futures in which each element (region) is worse off under a policy, in descending order.

        Parameters
        ----------
        name
            The policy.
        """
        place = self.names.index(name)
        of_elements = [values[place] for values in self.others.values() if values.ndim == 3]
        return losers_of(of_elements, self.elements)

    def worths(self) -> pd.DataFrame:
        """Expected value of partial perfect information for each factor, in descending order, with standard errors."""
        rows = {key: {"value": item.value, "error": item.error} for key, item in self.partial.items()}
        found = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "error"]).rename_axis("factor")
        return found.sort_values("value", ascending=False, kind="stable")


@reporting("Comparing policies")
def advise(
    futures: Futures,
    policies: Mapping[str, Values],
    *,
    outcome: str = "",
    seed: int = 0,
    progress: Told = None,
) -> Advice:
    """Compare policies in many futures and recommend one if its advantage is robust.

    Parameters
    ----------
    futures
        Futures in which the policies are simulated.
    policies
        Policies by name: values by model variable; at least two.
    outcome
        Key of the outcome by which they are compared; empty for the first one.
    seed
        Seed of sample splitting and of the bootstrap for standard errors.
    progress
        Called with the name of the current task, the number of items done and their total.

    Returns
    -------
    Advice
        Ranks, regret, switching values, scenario discovery and values of information.

    Raises
    ------
    InvalidInput
        If there are fewer than two policies.
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
    futures: Futures, policies: Mapping[str, Values], outcome: Outcome, found: Advice, progress: Told
) -> Sequence[Switch]:
    """Find the switching values of every cost, on a grid refined by bisection."""
    order = list(found.table().index)
    # Policies with much lower mean effects are unlikely to become best, so only the best six are run again.
    names = order[: min(len(order), 6)]
    chosen = {name: policies[name] for name in names}
    switches: list[Switch] = []
    factors = {factor.key: factor for factor in futures.factors}
    for number, (key, variable) in enumerate(futures.costs.items()):
        teller(progress)("switching values", number, len(futures.costs))
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
    """The policy with the largest mean effect if a cost has the same level in every future."""
    studies = []
    for study in futures.studies:
        own: Any = study.values[variable]
        studies.append(replace(study, values={**study.values, variable: np.full_like(np.asarray(own), level)}))
    values = replace(futures, studies=tuple(studies)).effects(list(policies.values()), [outcome])[outcome.key]
    return list(policies)[int(values.mean(axis=1).argmax())]


def perfect_information(effects: Array, *, seed: int = 0) -> Worth:
    r"""Expected value of perfect information.

    .. math:: E[\max_p e_p] - \max_p E[e_p]

    Parameters
    ----------
    effects
        Effects of the policies, shape (policy, future).
    seed
        Seed of the bootstrap.

    References
    ----------
    Raiffa, H. and Schlaifer, R. (1961), Applied Statistical Decision Theory.
    """

    def value(kept: NDArray[np.intp]) -> float:
        return float(effects[:, kept].max(axis=0).mean() - effects[:, kept].mean(axis=1).max())

    return _with_error(effects, value, seed)


def partial_information(effects: Array, levels: Array, *, seed: int = 0) -> Worth:
    r"""Expected value of partial perfect information about one factor.

    .. math:: E_x[\max_p E[e_p \mid x]] - \max_p E[e_p]

    The conditional means are estimated by regression: a linear spline with knots at the quartiles of the factor, or
    group means for a factor with at most eight values. The policy is chosen on one half of the futures and evaluated on
    the other (and vice versa), so that overfitting does not count as information.

    Parameters
    ----------
    effects
        Effects of the policies, shape (policy, future).
    levels
        Levels of the factor, shape (future,).
    seed
        Seed of the split into halves and of the bootstrap.

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
    """Gain from choosing by the factor, relative to one fixed choice: estimated on `learn`, evaluated on `judge`."""
    fitted = _conditional(effects[:, learn], levels[learn], levels[judge])
    chosen = fitted.argmax(axis=0)
    fixed = int(effects[:, learn].mean(axis=1).argmax())
    return float((effects[chosen, judge] - effects[fixed, judge]).mean())


def _conditional(effects: Array, levels: Array, wanted: Array) -> Array:
    """Estimated conditional means of the effects at the levels `wanted`, shape (policy, level)."""
    kinds = np.unique(levels)
    if len(kinds) <= PARTS:
        means = np.stack([effects[:, levels == kind].mean(axis=1) for kind in kinds], axis=1)
        return np.asarray(means[:, np.abs(wanted[:, None] - kinds).argmin(axis=1)])
    # Linear spline with knots at quantiles, fitted by least squares.
    knots = np.quantile(levels, np.linspace(0, 1, PARTS // 2 + 1)[1:-1])
    scale = max(float(np.ptp(levels)), 1e-300)

    def basis(values: Array) -> Array:
        columns = [np.ones_like(values), values / scale, *(np.maximum(values - knot, 0) / scale for knot in knots)]
        return np.stack(columns, axis=1)

    weights, *_ = np.linalg.lstsq(basis(levels), effects.T, rcond=None)
    return np.asarray((basis(wanted) @ weights).T)
