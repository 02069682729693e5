"""Whether it matters in which order mixes follow each other: schedules of two periods against constant policies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import xarray as xr

from pysd_runner.core.types import Indices, Interval, frozen
from pysd_runner.indicators.selection import TENTH
from pysd_runner.policy.objective import walkers_of
from pysd_runner.policy.sensitivity import draws_of, with_error
from pysd_runner.scenarios import Scenario
from pysd_runner.scenarios.policy import FrozenMapping, Schedule

# Function from policies and places of draws to their effects, dimensions (scenario, draw).
Run = Callable[[Sequence[Scenario], Indices], xr.DataArray]

# Years after which the mix changes; number of draws with which all pairs are screened, number of pairs then kept, and
# maximum number of draws in each half.
CHANGE, SCREENED, KEPT, HALF = 5, 32, 8, 300


@frozen
class Order:
    """The best schedule of two mixes.

    Attributes
    ----------
    first, second
        Names of the policies whose mixes follow each other, chosen on half of the draws.
    constant, mean
        The policy that is best there of those that do not change, and its mean effect in the other half.
    gain
        Mean gain of the schedule over it in the other half, and its standard error.
    delta
        Difference of mean effects within which policies are as good.
    pairs, half
        Number of schedules screened, and of draws in the other half.
    """

    first: str
    second: str
    constant: str
    mean: float
    gain: Interval
    delta: float
    pairs: int
    half: int

    @property
    def matters(self) -> bool:
        """Whether the gain exceeds `delta`, and two standard errors."""
        return self.gain[0] > max(self.delta, 2 * self.gain[1])


def best_order(
    policies: Mapping[str, Scenario], effects: xr.DataArray, run: Run, delta: float | None = None
) -> Order | None:
    """Find the best ordered pair of mixes on half of the draws, and value it on the other half.

    All pairs of mixes that are the same in all regions, with the rule of who gets the money of the best policy, are
    run on a few draws, and the best of them on the whole half. None if there are no two such mixes.

    Parameters
    ----------
    policies
        Compared policies by name.
    effects
        Their effects, dimensions (scenario, draw).
    run
        Runs other policies on some of the draws.
    delta
        Difference of mean effects within which policies are as good; by default a tenth of the best mean effect.
    """
    half = min(effects.sizes["draw"] // 2, HALF)
    chosen, valued = np.arange(half), np.arange(half, 2 * half)
    constant = str(effects.isel(draw=chosen).mean("draw").idxmax("scenario").item())
    before, rule = effects.sel(scenario=constant).to_numpy()[valued], policies[constant].policy.redistribution
    alike = [item for item in policies.values() if item.policy.redistribution == rule]
    mixes = [item for item in alike if isinstance(item.policy.mix, FrozenMapping) and not item.policy.differentiation]
    if len(mixes) < 2:
        return None
    pairs = found = list(permutations(mixes, 2))
    for draws, kept in ((chosen[:SCREENED], KEPT), (chosen, 1)):
        means = run([_followed(*pair) for pair in found], draws).mean("draw").to_numpy()
        found = [found[place] for place in np.argsort(-means, kind="stable")[:kept]]
    gains = run([_followed(*found[0])], valued)[0].to_numpy() - before
    return Order(
        first=found[0][0].name,
        second=found[0][1].name,
        constant=constant,
        mean=float(before.mean()),
        gain=with_error(gains, draws_of(walkers_of(effects)[valued, None], half)),
        delta=TENTH * float(before.mean()) if delta is None else delta,
        pairs=len(pairs),
        half=half,
    )


def _followed(first: Scenario, second: Scenario) -> Scenario:
    """A policy that takes the mix of another after some years."""
    mixes: Any = Schedule(times=(0, CHANGE), values=(first.policy.mix, second.policy.mix), since_start=True)
    return replace(first, name=f"{first.name} > {second.name}", policy=replace(first.policy, mix=mixes))
