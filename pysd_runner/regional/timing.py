"""When each lever starts and ends, as numbers a search may choose; the money goes on being spent."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pysd_runner.engine import TimePath
from pysd_runner.policy.space import Knob, Space
from pysd_runner.policy.study import Study
from pysd_runner.regional.policy_spaces import uniform_space
from pysd_runner.regional.projection import ProjectionInputs
from pysd_runner.scenarios import Scenario
from pysd_runner.scenarios.frozen import FrozenMapping
from pysd_runner.scenarios.policy import Schedule
from pysd_runner.text import say

Array = NDArray[np.float64]

# Years in which a lever comes and goes, so that a search feels where it could start earlier.
SOFT = 0.5
# Decimals with which shares are written.
DIGITS = 6
SHARE, START, LENGTH = "share", "start", "years"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TimingSpace(Space):
    r"""Mixes in which each lever has a share, a first year and a length.

    .. math:: m_l(t) = \frac{x_l w_l(t)}{\sum_k x_k w_k(t)}, \quad
        w_l(t) = \sigma\!\left(\frac{t - s_l}{\tau}\right) \sigma\!\left(\frac{s_l + d_l - t}{\tau}\right)

    with the share x, the start s, the length d, the middle t of a year and half a year for the softness of both ends.
    Money of levers that are off goes to the others, so that what is spent does not hang on the timing.

    Attributes
    ----------
    levers
        Keys, in the order of the mix; the first numbers are their shares, starts and lengths.
    mix
        Variable that holds the mix.
    years
        First and last year of the mix.
    """

    levers: tuple[str, ...]
    mix: str
    years: tuple[int, int]

    def policy(self, study: Study, point: Iterable[float]) -> dict[str, Any]:  # noqa: ARG002
        """Values by variable of a policy."""
        numbers = np.asarray(list(point), dtype=float)
        return {**self.base, **self._others(numbers), self.mix: self._path(self.mixes(numbers))}

    def slopes(self, study: Study, point: Array | None = None) -> dict[str, Array | TimePath]:  # noqa: ARG002
        """How values move with each number, at a point."""
        numbers = self.middle() if point is None else np.asarray(point, dtype=float)
        shares, parts = self._windows(numbers)
        total = (shares[:, None] * parts[0]).sum(axis=0)
        mix = shares[:, None] * parts[0] / total
        moved = np.zeros((len(self.levers), len(self._times), len(self)))
        for lever in range(len(self.levers)):
            columns = (parts[0][lever], shares[lever] * parts[1][lever], shares[lever] * parts[2][lever])
            for kind, change in enumerate(columns):
                own = np.zeros_like(mix)
                own[lever] = change
                moved[:, :, kind * len(self.levers) + lever] = (own - mix * change) / total
        found: dict[str, Array | TimePath] = {self.mix: self._path(moved)}
        for place, knob in enumerate(self.knobs):
            if knob.variable != self.mix:
                found[knob.variable] = np.eye(len(self))[place]
        return found

    def mixes(self, point: Array) -> Array:
        """Shares of the levers in each year, shape (lever, year)."""
        shares, parts = self._windows(np.asarray(point, dtype=float))
        money = shares[:, None] * parts[0]
        return np.asarray(money / money.sum(axis=0))

    def order(self, point: Array) -> pd.DataFrame:
        """One row a lever, the earliest first: mean year of its money, its part of all money, first and last year."""
        mix, years = self.mixes(point), self._times - 0.5
        rows = {}
        for lever, own in zip(self.levers, mix, strict=True):
            inside = years[own >= own.max() / 2]
            rows[lever] = {
                "mean_year": float(own @ years / own.sum()),
                "part": float(own.mean()),
                "first": int(inside[0]),
                "last": int(inside[-1]),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("lever").sort_values("mean_year", kind="stable")

    @property
    def _times(self) -> Array:
        """Middles of the years."""
        return np.arange(self.years[0], self.years[1] + 1, dtype=float) + 0.5

    def _windows(self, numbers: Array) -> tuple[Array, tuple[Array, Array, Array]]:
        """Shares; and of each lever and year how far it is on, and how that moves with its start and its length."""
        count = len(self.levers)
        # No lever vanishes altogether, so that some money has somewhere to go in every year.
        shares = np.maximum(numbers[:count], 1e-9)
        start, length = numbers[count : 2 * count, None], numbers[2 * count : 3 * count, None]
        up, down = _logistic((self._times - start) / SOFT), _logistic((start + length - self._times) / SOFT)
        on = np.maximum(up * down, 1e-12)
        longer = on * (1 - down) / SOFT
        return shares, (on, longer - on * (1 - up) / SOFT, longer)

    def _path(self, values: Array) -> TimePath:
        times = np.arange(self.years[0], self.years[1] + 1, dtype=float)
        return TimePath(times=times, values=np.moveaxis(values, 1, 0), interpolate="step")

    def _others(self, numbers: Array) -> dict[str, float]:
        return {
            knob.variable: float(value)
            for knob, value in zip(self.knobs, numbers, strict=True)
            if knob.variable != self.mix
        }


def timing_space(inputs: ProjectionInputs, scenario: Scenario) -> tuple[TimingSpace, Array]:
    """When each lever starts and ends, its share, and who gets the money.

    Parameters
    ----------
    inputs
        Model and regions.
    scenario
        Budget, start and everything that is not chosen.

    Returns
    -------
    space : TimingSpace
        What may be chosen.
    start : ndarray
        The mix of the scenario, every lever from the first to the last year.
    """
    plain, shares = uniform_space(inputs, scenario)
    first, last = inputs.bounds[0] + 1, inputs.bounds[1] - 1
    mix = [knob for knob in plain.knobs if knob.group]
    others = tuple(knob for knob in plain.knobs if not knob.group)
    span = float(last + 1 - first)
    starts = [_when(knob, START, float(first), float(last)) for knob in mix]
    lengths = [_when(knob, LENGTH, 1.0, span + 1) for knob in mix]
    space = TimingSpace(
        knobs=(*mix, *starts, *lengths, *others),
        base=plain.base,
        sums=plain.sums,
        levers=tuple(knob.key for knob in mix),
        mix=mix[0].variable,
        years=(first, last),
    )
    count = len(mix)
    point = np.concatenate([shares[:count], np.full(count, float(first)), np.full(count, span), shares[count:]])
    return space, point


def _when(knob: Knob, kind: str, lower: float, upper: float) -> Knob:
    return replace(
        knob,
        key=f"{knob.key}.{kind}",
        group="",
        lower=lower,
        upper=upper,
        en=say(f"policy_outcome.lever_{kind}", "en", lever=knob.en),
        zh=say(f"policy_outcome.lever_{kind}", "zh", lever=knob.zh),
    )


def timed_scenario(scenario: Scenario, space: TimingSpace, point: Array, labels: dict[str, str]) -> Scenario:
    """The scenario that a point of a space of timing is, with a mix for every year."""
    columns = np.round(space.mixes(point), DIGITS).T
    years = tuple(float(year) for year in range(space.years[0], space.years[1] + 1))
    mixes = tuple(FrozenMapping(zip(space.levers, (column / column.sum()).tolist(), strict=True)) for column in columns)
    others = {knob.key: round(float(value), DIGITS) for knob, value in zip(space.knobs, point, strict=True)}
    policy = replace(
        scenario.policy,
        differentiation=0.0,
        mix=Schedule(times=years, values=mixes),
        redistribution=others.get("redistribution", scenario.policy.redistribution),
    )
    note = FrozenMapping({"en": "", "zh": ""})
    return replace(scenario, name="optimised", label=FrozenMapping(labels), note=note, policy=policy, compare_with=())


def _logistic(values: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -60, 60))))
