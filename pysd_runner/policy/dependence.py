"""A table of what the answer depends on: every prior, the data and each measured effect, against three statements."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pysd_runner.core.types import Array, Arrays, Flags, Indices, Numbers, frozen
from pysd_runner.export.files import Tabled
from pysd_runner.indicators.selection import select
from pysd_runner.policy.sensitivity import (
    LEAST_EFFECTIVE,
    LEAST_KNOWN,
    POWERS,
    Draws,
    carried,
    draws_of,
    ends_of,
    explained,
    power_sensitivity,
    scaled,
    shift,
    value_of_all,
    value_of_knowing,
)
from pysd_runner.spec.priors import Prior

# Statements: money by need does more than per head, a policy is within delta of the best, its effect is above a number.
STATEMENTS = ("need", "within", "size")
# Share of the mean effect of the policy that the effect is asked to exceed.
HALF = 0.5


@frozen(eq=False)
class Dependence(Tabled):
    """What statements on policies depend on.

    Attributes
    ----------
    policy
        The candidate with the largest mean effect, of which the statements speak.
    delta
        Difference in effects that does not count, in their unit.
    number
        Number that the effect of the policy exceeds in the last statement, in the same unit.
    shares
        Probability of each statement, by its name.
    members
        Members of the set of the best, as calibrated.
    value, value_error
        Value of knowing everything (EVPI) and its standard error, in the unit of the effects; NaN if not computed.
    sources
        A row for each prior, the likelihood and each measured effect: ``kind``; ``effective``, the smaller effective
        number of draws at both ends; by statement its probability at the ends (``low``, ``high``: the prior moved down
        and up by one standard deviation, the density at the powers .8 and 1.25), the ``share`` of its variance that
        the parameter explains and the share that permuted draws give (``chance``); ``value`` and ``value_error`` of
        knowing the parameter (EVPPI); ``psense`` of the effect; and the members of the set of the best at both ends.
    """

    policy: str
    delta: float
    number: float
    shares: Numbers
    members: tuple[str, ...]
    value: float
    value_error: float
    sources: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """The sources, one row each."""
        return self.sources

    def carrying(self, statement: str) -> str:
        """Key of the prior that moves a statement most, of those that carry it into another word; empty for none."""
        if statement not in self.shares:
            return ""
        share = self.shares[statement]
        ends = self.sources.loc[self.sources["kind"] == "prior", [f"{statement}_low", f"{statement}_high"]]
        moved = ends[[carried(share, (low, high)) for low, high in ends.to_numpy()]].sub(share).abs().max(axis=1)
        return str(moved.idxmax()) if len(moved) else ""


def dependence(  # noqa: PLR0913 - the ingredients of three statements
    names: Sequence[str],
    effects: Array,
    parameters: Arrays,
    priors: Mapping[str, Prior],
    *,
    own: Array | None = None,
    need: Flags | None = None,
    densities: Arrays | None = None,
    rows: Array | None = None,
    walkers: Indices | None = None,
    digit: float = 0.0,
    delta: float | None = None,
    seed: int = 0,
) -> Dependence | None:
    """Find what statements on policies depend on, from the draws that are there.

    Parameters
    ----------
    names
        Names of the policies.
    effects
        Effects in the last year, shape (draw, policy); positive is better.
    parameters
        Draws of parameters by key, shape (draw,).
    priors
        Their priors; parameters without one are left out.
    own, walkers, digit, delta
        As for `select`.
    need
        Whether money by need does more than per head, shape (draw,); None if it was not compared.
    densities
        Log densities of the data and of measured effects, shape (draw,).
    rows
        Values that tell apart independent draws, shape (draw, value); None if all are.
    seed
        Seed of permutations and folds.

    Returns
    -------
    Dependence or None
        None with fewer than `LEAST_EFFECTIVE` draws, if no parameter with a prior was drawn, or if no policy helps.
    """
    drawn = {key: values for key, values in parameters.items() if priors.get(key) is not None and np.ptp(values) > 0}
    draws = draws_of(rows, len(effects))
    if not drawn or draws.effective() < LEAST_EFFECTIVE:
        return None

    def members(factors: Array | None = None) -> str:
        found = select(names, effects, own=own, weights=factors, walkers=walkers, delta=chosen.delta)
        return " ".join(found.members)

    chosen = select(names, effects, own=own, walkers=walkers, digit=digit, delta=delta)
    if chosen.delta <= 0:
        return None
    means = chosen.table["mean"].where(chosen.table["is_candidate"], -np.inf)
    first = int(means.to_numpy().argmax())
    number = HALF * float(means.iloc[first])
    number = digit * round(number / digit) if digit else number
    candidates = effects[:, chosen.table["is_candidate"].to_numpy()].T
    holds: dict[str, Flags] = {} if need is None else {"need": need}
    if len(names) > 1:
        holds["within"] = effects[:, first] >= effects.max(axis=1) - chosen.delta
    holds["size"] = effects[:, first] > number
    found: list[dict[str, Any]] = [
        {"source": key, "kind": "prior"}
        | _at_ends(holds, [shift(priors[key].normal_score(values), by) for by in (-1.0, 1.0)], draws, members)
        | _of_parameter(holds, candidates, values, draws, np.random.default_rng([seed, place]))
        for place, (key, values) in enumerate(sorted(drawn.items()))
    ]
    found += [
        {"source": key, "kind": "likelihood" if key == "likelihood" else "evidence"}
        | _at_ends(holds, [scaled(values, power) for power in POWERS], draws, members)
        | {"psense": power_sensitivity(effects[:, first], values, draws)}
        for key, values in (densities or {}).items()
    ]
    value, error = value_of_all(candidates, draws) if len(effects) >= LEAST_KNOWN else (np.nan, np.nan)
    return Dependence(
        policy=str(names[first]),
        delta=chosen.delta,
        number=number,
        shares={name: float(draws.mean(values)) for name, values in holds.items()},
        members=chosen.members,
        value=value,
        value_error=error,
        sources=pd.DataFrame(found).set_index("source"),
    )


def _at_ends(
    holds: Mapping[str, Flags], factors: Sequence[Array], draws: Draws, members: Callable[[Array], str]
) -> dict[str, Any]:
    """Probabilities of the statements, and members of the set of the best, under both factors of the weights."""
    found: dict[str, Any] = {"effective": min(map(draws.effective, factors))}
    for name, values in holds.items():
        found[f"{name}_low"], found[f"{name}_high"] = ends_of(values, factors, draws)
    for end, item in zip(("low", "high"), factors, strict=True):
        found[f"members_{end}"] = members(item) if draws.effective(item) >= LEAST_EFFECTIVE else ""
    return found


def _of_parameter(
    holds: Mapping[str, Flags], candidates: Array, values: Array, draws: Draws, rng: np.random.Generator
) -> dict[str, float]:
    """Shares of the variance of the statements that a parameter explains, and the value of knowing it."""
    shares, chances = explained(np.array(list(holds.values()), dtype=float), values, draws, rng)
    gain, error = value_of_knowing(candidates, values, draws, rng)
    found = {f"{name}_share": float(share) for name, share in zip(holds, shares, strict=True)}
    found |= {f"{name}_chance": float(chance) for name, chance in zip(holds, chances, strict=True)}
    return {**found, "value": gain, "value_error": error}
