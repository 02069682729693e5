"""Attribute the effect of a policy to its levers in every draw: first in, last in, and Shapley values."""

from collections.abc import Mapping
from dataclasses import field
from math import comb

import numpy as np
import pandas as pd

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.progress import ProgressCallback, callback_of, counted, with_progress
from pysd_runner.core.types import Array, Arrays, Indices, Values, frozen
from pysd_runner.export.files import Tabled
from pysd_runner.policy.study import Lever, Outcome, Study, band, effects_of, end_effects, who_and_what
from pysd_runner.simulation.task import time_unit

# For each lever, whether it is on.
Mask = tuple[bool, ...]

# Maximum number of levers, of which every subset is simulated.
MOST_LEVERS = 10


@frozen(eq=False)
class Attribution(Tabled):
    """Contributions of levers to the effect of a policy.

    Attributes
    ----------
    name
        Name of the policy.
    outcome
        The outcome whose effect is attributed; positive is better.
    levers
        Levers, in the order of the first axis of the arrays.
    years
        Shape (year,); the first is the origin, in which everything is 0.
    total
        Effect of the policy, shape (draw, year).
    alone
        Effect of each lever when the others are off (first in), shape (lever, draw, year).
    left_out
        Loss of effect when the lever alone is switched off (last in), same shape.
    shapley
        Shapley values: marginal effects averaged over all orders of the levers, same shape; they sum to `total`.
    parts
        Effect in the last year relative to a reference mix allocated per head, decomposed into ``who``, ``what``,
        ``interaction`` and their ``total``, each of shape (draw,); empty without a reference.
    loops
        Effect in the last year minus the effect with a feedback loop off, by name of the loop, shape (draw,).
    notes
        Caveats that a reader needs.
    until
        The last year in words, as a date where the model counts others.
    """

    name: str
    outcome: Outcome
    levers: tuple[Lever, ...]
    years: Indices
    total: Array
    alone: Array
    left_out: Array
    shapley: Array
    parts: Arrays = field(default_factory=dict)
    loops: Arrays = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    until: str = ""

    def __repr__(self) -> str:
        levers, draws = self.shapley.shape[:2]
        return f"<Attribution of {self.outcome.key} of {self.name!r}: {levers} levers, {draws} draws>"

    def table(self) -> pd.DataFrame:
        """Median and 90 % interval of each lever's contributions in the last year, the largest first.

        Returns
        -------
        pandas.DataFrame
            One row per lever, in the unit of the outcome, and a row ``total`` with the sum over levers in each draw
            (for Shapley values the effect of the policy); medians do not add up.
        """
        rows: dict[str, dict[str, float]] = {lever.key: {} for lever in self.levers}
        sums: dict[str, float] = {}
        for name, values in self._ways.items():
            for row, own in zip(rows.values(), values[..., -1], strict=True):
                row |= band(name, own)
            sums |= band(name, values[..., -1].sum(axis=0))
        found = pd.DataFrame.from_dict(rows, orient="index").rename_axis("lever")
        found = found.sort_values("shapley_p50", ascending=False, kind="stable")
        found.loc["total"] = pd.Series(sums)
        return found

    @property
    def _ways(self) -> Arrays:
        return {"shapley": self.shapley, "alone": self.alone, "left_out": self.left_out}

    def split(self) -> pd.DataFrame:
        """Median and 90 % interval of the parts of the effect: who is funded, what is bought, and their interaction."""
        rows = {name: band("change", values) for name, values in self.parts.items()}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("part")

    def loop_table(self) -> pd.DataFrame:
        """Median and 90 % interval of each feedback loop's contribution to the effect, sorted by absolute median."""
        rows = {name: band("change", values) for name, values in self.loops.items()}
        found = pd.DataFrame.from_dict(rows, orient="index").rename_axis("loop")
        return found.sort_values("change_p50", key=abs, ascending=False, kind="stable") if rows else found

    def wedges(self) -> pd.DataFrame:
        """Mean Shapley values by year (rows) and lever (columns); they sum to the mean effect of the policy."""
        values = self.shapley.mean(axis=1).T
        return pd.DataFrame(values, index=pd.Index(self.years, name="year"), columns=[item.key for item in self.levers])

    def frame(self) -> pd.DataFrame:
        """All contributions as a long table with the columns lever, way, year, p05, p25, p50, p75, p95 and mean."""
        parts = [
            _long(lever.key, way, self.years, own)
            for way, values in self._ways.items()
            for lever, own in zip(self.levers, values, strict=True)
        ]
        return pd.concat([*parts, _long("total", "total", self.years, self.total)], ignore_index=True)


@with_progress("Attributing the effect")
def attribute(
    study: Study,
    policy: Values,
    *,
    name: str = "policy",
    outcome: str = "",
    none: Values | None = None,
    reference: Mapping[str, Values] | None = None,
    loops: Mapping[str, Values] | None = None,
    progress: ProgressCallback = None,
) -> Attribution:
    """Attribute the effect of a policy to its levers.

    The money of a lever that is switched off stays unspent. Subsets of the levers are simulated on the same draws.

    Parameters
    ----------
    study
        Model, draws, levers and outcomes.
    policy
        Values of the policy by model variable.
    name
        Name of the policy.
    outcome
        Key of the outcome; empty for the first one.
    none
        Values of the no-policy run under the same assumptions; None for those of the study.
    reference
        Policies ``reference``, ``who`` (the reference mix with the policy's allocation rule) and ``what`` (the policy's
        mix with the reference's allocation rule), which decompose the effect further.
    loops
        Values that switch off a feedback loop, by its name.
    progress
        Called with the name of the current task, the number of items done and their total.

    Returns
    -------
    Attribution
        Contributions in every draw.

    Raises
    ------
    InvalidInput
        If the study has no levers or more than ten, or an option is invalid.
    UnknownName
        If there is no such outcome.
    SimulationFailed
        If a simulation gives values that are not finite.

    Notes
    -----
    If levers reinforce or crowd out each other, first-in (`alone`) and last-in (`left_out`) contributions differ from
    each other and from the Shapley values, and neither sums to the total.

    References
    ----------
    Shapley, L. S. (1953), A value for n-person games.
    """
    if not study.levers:
        raise InvalidInput("the model declares no levers, so there is nothing to attribute to")
    if len(study.levers) > MOST_LEVERS:
        raise InvalidInput(
            "the model declares {count} levers; an effect can be attributed to at most {most}, as every subset is run",
            count=len(study.levers),
            most=MOST_LEVERS,
        )
    measured = study.outcome(outcome)
    levers = tuple(study.levers.values())
    places = range(len(levers))
    alone = [tuple(place == own for place in places) for own in places]
    left_out = [tuple(place != own for place in places) for own in places]
    masks = subsets(len(levers))
    tell = counted(progress, Message("subsets of levers"), (len(masks) + 1) * study.draws)
    policies = [study.switched(policy, map(float, mask)) for mask in masks]
    values = effects_of(study, policies, [measured], none=none, progress=tell)[measured.key]
    at = dict(zip(masks, values, strict=True))
    everything, nothing = at[(True,) * len(levers)], at[(False,) * len(levers)]
    total = everything - nothing
    return Attribution(
        name=name,
        outcome=measured,
        levers=levers,
        years=study.years,
        total=total,
        alone=np.stack([at[mask] - nothing for mask in alone]),
        left_out=np.stack([everything - at[mask] for mask in left_out]),
        shapley=shapley(values),
        parts=_split(study, policy, measured, none, reference) if reference else {},
        loops=_without_loops(study, policy, measured, none, loops, total[:, -1], progress) if loops else {},
        notes=study.notes,
        until=study.calendar.said(float(study.years[-1]), time_unit(study.model)),
    )


def _split(
    study: Study, policy: Values, outcome: Outcome, none: Values | None, reference: Mapping[str, Values]
) -> Arrays:
    """Decompose the effect in the last year into allocation (who is funded), mix (what is bought) and interaction."""
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
    progress: ProgressCallback,
) -> Arrays:
    """Effect minus the effect with a loop switched off, both in the policy run and in the no-policy run."""
    root = study.none if none is None else none
    changes = {}
    for number, (name, values) in enumerate(loops.items()):
        there = end_effects(study, [{**policy, **values}], [outcome], none={**root, **values})
        changes[name] = total - there[outcome.key][0]
        callback_of(progress)(Message("loops"), number + 1, len(loops))
    return changes


def _long(lever: str, way: str, years: Indices, values: Array) -> pd.DataFrame:
    levels = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
    quantiles = dict(zip(levels, np.quantile(values, list(levels.values()), axis=0), strict=True))
    return pd.DataFrame({"lever": lever, "way": way, "year": years, **quantiles, "mean": values.mean(axis=0)})


def subsets(players: int) -> list[Mask]:
    """Every subset of some players; bit ``i`` of the index in the list tells whether player ``i`` is in it."""
    return [tuple(bool(number >> player & 1) for player in range(players)) for number in range(2**players)]


def shapley(values: Array) -> Array:
    r"""Compute exact Shapley values.

    .. math:: \phi_i = \sum_{S \not\ni i} \frac{|S|! (n - |S| - 1)!}{n!} (v(S \cup i) - v(S))

    Parameters
    ----------
    values
        Value of each subset in the order of `subsets`, shape (2**player, ...).

    Returns
    -------
    ndarray
        Shape (player, ...); they sum to the value of the full set minus that of the empty set. A player who never
        changes a value gets exactly 0.

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
