"""What each lever of a policy contributes to its effect, in every draw: alone, last, and by the values of Shapley."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine.counts import whole
from pysd_runner.export.tables import Tabled
from pysd_runner.policy.study import (
    Lever,
    Outcome,
    Study,
    Told,
    Values,
    band,
    counted,
    effects_of,
    end_effects,
    who_and_what,
)

Array = NDArray[np.float64]
# Which levers are on.
Mask = tuple[bool, ...]

# More levers than these are attributed by orders drawn at random.
MOST_EXACT = 10
# Orders drawn where there are more.
ORDERS = 200


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Attribution(Tabled):
    """Contributions of levers to the effect of a policy.

    Attributes
    ----------
    name
        The policy.
    outcome
        What is measured; positive is better.
    levers
        In order.
    years
        Shape (year,); the first is the origin, in which everything is 0.
    total
        Effect of the policy, shape (draw, year).
    alone
        Effect of each lever when the others are off (first in), shape (lever, draw, year).
    left_out
        What is lost when the lever is switched off (last in), same shape.
    shapley
        Mean over all orders in which the levers may come in, same shape; sums to the total in every draw.
    errors
        Standard errors of `shapley` where orders were drawn at random; None where it is exact.
    synergy
        Interaction index of every pair in the last year, shape (lever, lever, draw); None where orders were drawn.
    parts
        Effect in the last year against a reference mix given per head, split into ``who``, ``what``, ``interaction``
        and their ``total``, each of shape (draw,); empty where there is no reference.
    loops
        Effect in the last year less that without a feedback loop, by its name, shape (draw,).
    notes
        What a reader must know.
    """

    name: str
    outcome: Outcome
    levers: tuple[Lever, ...]
    years: NDArray[np.intp]
    total: Array
    alone: Array
    left_out: Array
    shapley: Array
    errors: Array | None = None
    synergy: Array | None = None
    parts: Mapping[str, Array] = field(default_factory=dict)
    loops: Mapping[str, Array] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        levers, draws = self.shapley.shape[:2]
        return f"<Attribution of {self.outcome.key} of {self.name!r}: {levers} levers, {draws} draws>"

    def table(self) -> pd.DataFrame:
        """One row a lever in the last year, the largest contribution first: median and 90 % interval of every way.

        Returns
        -------
        pandas.DataFrame
            In the unit of the outcome. The row ``total`` holds the effect of the policy; medians do not sum to it,
            draws do.
        """
        rows: dict[str, dict[str, float]] = {}
        for number, lever in enumerate(self.levers):
            row: dict[str, float] = {}
            for name, values in self._ways.items():
                row |= band(name, values[number, :, -1])
            if self.errors is not None:
                row["error"] = float(np.median(self.errors[number, :, -1]))
            rows[lever.key] = row
        found = pd.DataFrame.from_dict(rows, orient="index").rename_axis("lever")
        found = found.sort_values("shapley_p50", ascending=False, kind="stable")
        sums: dict[str, float] = {}
        for name, values in self._ways.items():
            sums |= band(name, values.sum(axis=0)[:, -1])
        found.loc["total"] = pd.Series(sums)
        return found

    @property
    def _ways(self) -> dict[str, Array]:
        return {"shapley": self.shapley, "alone": self.alone, "left_out": self.left_out}

    def pairs(self) -> pd.DataFrame:
        """Synergy of every pair in the last year, the largest first: median and 90 % interval.

        Positive: the two do more together. Empty where orders were drawn at random.
        """
        if self.synergy is None:
            return pd.DataFrame()
        pairs = list(combinations(range(len(self.levers)), 2))
        names = [(self.levers[one].key, self.levers[two].key) for one, two in pairs]
        rows = [band("synergy", self.synergy[pair]) for pair in pairs]
        found = pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(names, names=["lever", "other"]))
        return found.sort_values("synergy_p50", key=abs, ascending=False, kind="stable")

    def split(self) -> pd.DataFrame:
        """Who gets the money, what it buys, and their interaction, against the reference: median and 90 % interval."""
        rows = {name: band("change", values) for name, values in self.parts.items()}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("part")

    def loop_table(self) -> pd.DataFrame:
        """What each loop adds to the effect, the largest first: median and 90 % interval."""
        rows = {name: band("change", values) for name, values in self.loops.items()}
        found = pd.DataFrame.from_dict(rows, orient="index").rename_axis("loop")
        return found.sort_values("change_p50", key=abs, ascending=False, kind="stable") if rows else found

    def wedges(self) -> pd.DataFrame:
        """Contributions by year: one row a year, one column a lever, means over draws, which sum to the mean effect."""
        values = self.shapley.mean(axis=1).T
        return pd.DataFrame(values, index=pd.Index(self.years, name="year"), columns=[item.key for item in self.levers])

    def frame(self) -> pd.DataFrame:
        """Everything by lever and year as a long table: lever, year, way, p05, p25, p50, p75, p95, mean."""
        rows = []
        for way, values in self._ways.items():
            for number, lever in enumerate(self.levers):
                rows += _long(lever.key, way, self.years, values[number])
        rows += _long("total", "total", self.years, self.total)
        return pd.DataFrame(rows)


def attribute(  # noqa: PLR0913 - a front door
    study: Study,
    policy: Values,
    *,
    name: str = "policy",
    outcome: str = "",
    none: Values | None = None,
    reference: Mapping[str, Values] | None = None,
    loops: Mapping[str, Values] | None = None,
    orders: int | None = None,
    seed: int = 0,
    progress: Told | None = None,
) -> Attribution:
    """Attribute the effect of a policy to its levers.

    A lever is switched off and its money stays unspent; every subset of levers is run on the same draws.

    Parameters
    ----------
    study
        Model, draws, levers and outcomes.
    policy
        Values by variable of the policy.
    name
        What it is called.
    outcome
        Key of the outcome; empty for the first one.
    none
        Values without policy under the same assumptions; None takes those of the study.
    reference
        Policies ``reference``, ``who`` (its mix with the policy's way of giving money) and ``what`` (the policy's mix
        with its way of giving money), which split the effect further.
    loops
        Values that switch a feedback loop off, by its name.
    orders
        How many orders are drawn at random; None computes up to ten levers exactly and draws 200 orders for more.
    seed
        Decides those orders.
    progress
        Called with what is being done, how much of it is finished and of how much.

    Returns
    -------
    Attribution
        In every draw.

    Raises
    ------
    InvalidInput
        If the study has no levers, or an option is not usable.
    UnknownName
        If there is no such outcome.
    SimulationFailed
        If a case is not finite.

    Notes
    -----
    First in (`alone`) and last in (`left_out`) are what ladders of measures show; where levers support or crowd out
    each other they differ from each other and from the mean over orders, and neither sums to the total.

    References
    ----------
    Shapley, L. S. (1953), A value for n-person games.
    """
    if not study.levers:
        raise InvalidInput("the model declares no levers, so there is nothing to attribute to")
    measured = study.outcome(outcome)
    seed = whole("seed", seed, least=0)
    exact = orders is None and len(study.levers) <= MOST_EXACT
    count = ORDERS if orders is None else whole("orders", orders, least=2)
    levers = tuple(study.levers.values())
    places = range(len(levers))
    alone = [tuple(place == own for place in places) for own in places]
    left_out = [tuple(place != own for place in places) for own in places]
    drawn = [] if exact else orders_of(len(levers), count, np.random.default_rng(seed))
    several = [*(mask for order in drawn for mask in ladders(order)), *alone, *left_out]
    masks = subsets(len(levers)) if exact else list(dict.fromkeys(several))
    tell = counted(progress, "subsets of levers", (len(masks) + 1) * study.draws)
    policies = [study.switched(policy, map(float, mask)) for mask in masks]
    values = effects_of(study, policies, [measured], none=none, progress=tell)[measured.key]
    at = dict(zip(masks, values, strict=True))
    everything, nothing = at[(True,) * len(levers)], at[(False,) * len(levers)]
    worth, errors = (shapley(values), None) if exact else sampled_shapley(at.__getitem__, drawn)
    total = everything - nothing
    return Attribution(
        name=name,
        outcome=measured,
        levers=levers,
        years=study.years,
        total=total,
        alone=np.stack([at[mask] - nothing for mask in alone]),
        left_out=np.stack([everything - at[mask] for mask in left_out]),
        shapley=worth,
        errors=errors,
        synergy=interactions(values[..., -1]) if exact and len(levers) > 1 else None,
        parts=_split(study, policy, measured, none, reference) if reference else {},
        loops=_without_loops(study, policy, measured, none, loops, total[:, -1], progress) if loops else {},
        notes=study.notes,
    )


def _split(
    study: Study, policy: Values, outcome: Outcome, none: Values | None, reference: Mapping[str, Values]
) -> dict[str, Array]:
    """Who, what, interaction and total, in the last year."""
    missing = {"reference", "who", "what"} - set(reference)
    if missing:
        raise InvalidInput(
            "reference needs the policies reference, who and what; {missing} missing",
            missing=", ".join(sorted(missing)),
        )
    names = ("reference", "who", "what")
    policies = [*(reference[name] for name in names), policy]
    values = end_effects(study, policies, [outcome], none=none)[outcome.key]
    return who_and_what(*values)


def _without_loops(
    study: Study,
    policy: Values,
    outcome: Outcome,
    none: Values | None,
    loops: Mapping[str, Values],
    total: Array,
    progress: Told | None,
) -> dict[str, Array]:
    """Effect less the effect where a loop is off in the policy and in the run without one."""
    root = study.none if none is None else none
    changes = {}
    for number, (name, values) in enumerate(loops.items()):
        there = end_effects(study, [{**policy, **values}], [outcome], none={**root, **values})
        changes[name] = total - there[outcome.key][0]
        if progress is not None:
            progress("loops", number + 1, len(loops))
    return changes


def _long(lever: str, way: str, years: NDArray[np.intp], values: Array) -> list[dict[str, Any]]:
    levels = np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95), axis=0)
    names = ("p05", "p25", "p50", "p75", "p95")
    return [
        {
            "lever": lever,
            "way": way,
            "year": int(year),
            **{label: float(levels[place, number]) for place, label in enumerate(names)},
            "mean": float(values[:, number].mean()),
        }
        for number, year in enumerate(years)
    ]


def subsets(players: int) -> list[Mask]:
    """Every subset of some players; bit ``i`` of the position in the list is player ``i``."""
    return [tuple(bool(number >> player & 1) for player in range(players)) for number in range(2**players)]


def shapley(values: Array) -> Array:
    r"""Exact values of Shapley.

    .. math:: \phi_i = \sum_{S \not\ni i} \frac{|S|! (n - |S| - 1)!}{n!} (v(S \cup i) - v(S))

    Parameters
    ----------
    values
        Value of each subset in the order of `subsets`, shape (2**player, ...).

    Returns
    -------
    ndarray
        Shape (player, ...); they sum to the value of all less that of none. A player who never changes a value gets
        exactly 0.

    References
    ----------
    Shapley, L. S. (1953), A value for n-person games.
    """
    players = len(values).bit_length() - 1
    number = np.arange(len(values))
    sizes = np.array([int(item).bit_count() for item in number])
    found = np.zeros((players, *values.shape[1:]))
    for player in range(players):
        out = number[(number >> player & 1) == 0]
        weights = np.array([1 / (players * comb(players - 1, int(size))) for size in sizes[out]])
        found[player] = np.tensordot(weights, values[out | 1 << player] - values[out], axes=1)
    return found


def interactions(values: Array) -> Array:
    r"""Interaction index of Shapley of every pair: what two do together beyond what each does.

    .. math:: I_{ij} = \sum_{S \not\ni i,j} \frac{|S|! (n - |S| - 2)!}{(n - 1)!}
        (v(S \cup ij) - v(S \cup i) - v(S \cup j) + v(S))

    Parameters
    ----------
    values
        Value of each subset in the order of `subsets`, shape (2**player, ...).

    Returns
    -------
    ndarray
        Shape (player, player, ...), symmetric, 0 on the diagonal.

    References
    ----------
    Grabisch, M. and Roubens, M. (1999), An axiomatic approach to the concept of interaction among players in
    cooperative games.
    """
    players = len(values).bit_length() - 1
    number = np.arange(len(values))
    found = np.zeros((players, players, *values.shape[1:]))
    for first in range(players):
        for second in range(first + 1, players):
            one, two = 1 << first, 1 << second
            out = number[(number & (one | two)) == 0]
            weights = np.array([1 / ((players - 1) * comb(players - 2, int(item).bit_count())) for item in out])
            together = values[out | one | two] - values[out | one] - values[out | two] + values[out]
            found[first, second] = found[second, first] = np.tensordot(weights, together, axes=1)
    return found


def orders_of(players: int, count: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Random orders of the players in pairs, each followed by its reverse, which lowers the error."""
    found: list[tuple[int, ...]] = []
    while len(found) < count:
        order = tuple(int(item) for item in rng.permutation(players))
        found += [order, order[::-1]]
    return found


def ladders(order: tuple[int, ...]) -> Iterator[Mask]:
    """Subsets met while the players come in one by one, from none to all."""
    present = [False] * len(order)
    yield tuple(present)
    for player in order:
        present[player] = True
        yield tuple(present)


def sampled_shapley(value: Callable[[Mask], Array], orders: list[tuple[int, ...]]) -> tuple[Array, Array]:
    """Values of Shapley as means over orders, with their errors."""
    gains = []
    for order in orders:
        steps = [value(mask) for mask in ladders(order)]
        found = np.zeros((len(order), *np.shape(steps[0])))
        for place, player in enumerate(order):
            found[player] = steps[place + 1] - steps[place]
        gains.append(found)
    pairs = (np.array(gains[0::2]) + np.array(gains[1::2])) / 2
    errors = pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs)) if len(pairs) > 1 else np.full_like(pairs[0], np.nan)
    return pairs.mean(axis=0), errors
