"""Whether to learn before acting: what knowing is worth, what waiting costs, and what a pilot would see."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from pysd_runner.core.types import Array, Arrays, Interval, Numbers, frozen
from pysd_runner.policy.effects import HEADLINE, OWN, Start
from pysd_runner.policy.objective import walkers_of
from pysd_runner.policy.ordering import Run
from pysd_runner.policy.sensitivity import Draws, draws_of, value_of_all, value_of_knowing, with_error
from pysd_runner.scenarios import Scenario
from pysd_runner.spec import ModelSpec
from pysd_runner.study.draws import CommonDraws

# Function from policies with their baseline, and first and last year, to ``skills`` and ``heads`` (output per head),
# dimensions (scenario, draw, region, year).
Paths = Callable[[Sequence[Scenario], tuple[int, int]], xr.Dataset]

# Aims for which the value of knowing is computed.
AIMS = (HEADLINE, OWN, "output_change", "welfare_change")
# Groups of parameters, by what would tell them, and their roles.
GROUPS = {"cost": ("COST",), "panel": ("FREE", "FREE*"), "literature": ("FIX",), "assumed": ("ASM",)}
# Years by which a policy is put off; years of a pilot, and numbers of its regions.
WAIT, YEARS, PILOTS = 5, 4, (4, 8, 15)
# By judgement: people asked in each region before and after a pilot, design effect of the survey, standard deviation of
# the trends of regions in the share of skilled people over its years, and that of effects relative to their mean.
SURVEYED, DESIGN, TREND, SPREAD = 1000, 1.5, 0.02, 0.3


@frozen(eq=False)
class Learning:
    """Whether to learn first.

    Attributes
    ----------
    worth
        One row for each aim: ``best``, the policy with the largest mean effect, and this ``mean``; what choosing gains
        beyond it if ``everything`` or a group of `GROUPS` is known, each with its standard error.
    waiting
        What putting off the best policy by the gap costs, and its standard error; NaN if it has a year of
        its own to begin, or a budget that changes.
    pilots
        One row for each number of regions, see `pilot`; empty for the same reasons.
    """

    worth: pd.DataFrame
    waiting: Interval
    pilots: pd.DataFrame


def learned(
    spec: ModelSpec,
    common: CommonDraws,
    policies: Mapping[str, Scenario],
    effects: xr.Dataset,
    run: Run,
    paths: Paths,
    start: Start,
    shock: float,
) -> Learning:
    """Value learning from the effects of compared policies, by name, and from runs of the best of them.

    Parameters
    ----------
    spec, common
        Declarations of the parameters, and their draws.
    policies, effects
        Compared policies, and their effects.
    run, paths
        Run other policies.
    start
        The regions in the year of origin.
    shock
        Standard deviation of yearly shocks to the growth of regions, log points.
    """
    draws = draws_of(walkers_of(effects)[:, None], len(common.draws))
    worth = worth_of(spec, common.parameters, effects, draws)
    best, gaps = policies[str(worth.loc[HEADLINE, "best"])], effects[HEADLINE].transpose("scenario", "draw")
    if best.policy.start is not None or not isinstance(best.policy.budget, float):
        return Learning(worth=worth, waiting=(np.nan, np.nan), pilots=pd.DataFrame())
    begins = common.inputs.year + 1
    late = replace(best, policy=replace(best.policy, start=begins + WAIT))
    lost = gaps.sel(scenario=best.name).to_numpy() - run([late], np.arange(len(common.draws)))[0].to_numpy()
    ended = paths([best.baseline(), best], (begins - 1, begins + YEARS)).isel(year=-1, region=start.behind)
    levels = {"skills": ended["skills"].to_numpy(), "output": np.log(ended["heads"].to_numpy())}
    changes = {key: (item[1] - item[0]).mean(axis=-1) for key, item in levels.items()}
    noise = {"skills": np.sqrt(2 * DESIGN * 0.25 / SURVEYED + TREND**2), "output": shock * np.sqrt(YEARS)}
    pilots = {
        size: pilot(gaps.to_numpy(), changes, noise, size, start.behind.size - size, draws)
        for size in PILOTS
        if size <= start.behind.sum()
    }
    return Learning(worth=worth, waiting=with_error(lost, draws), pilots=pd.DataFrame.from_dict(pilots, orient="index"))


def worth_of(spec: ModelSpec, parameters: Arrays, effects: xr.Dataset, draws: Draws) -> pd.DataFrame:
    """What knowing everything, and each group of parameters alone, is worth for each aim; see `Learning`."""
    known = {
        name: np.stack([item for key, item in parameters.items() if spec.parameters[key].role in roles], axis=-1)
        for name, roles in GROUPS.items()
    }
    rows = {}
    for aim in AIMS:
        values = effects[aim].transpose("scenario", "draw").to_numpy()
        means = draws.mean(values)
        best = str(effects["scenario"].to_numpy()[means.argmax()])
        gains = {name: value_of_knowing(values, own, draws, np.random.default_rng(0)) for name, own in known.items()}
        rows[aim] = {"best": best, "mean": means.max(), "everything": value_of_all(values, draws), **gains}
    return pd.DataFrame.from_dict(rows, orient="index")


def power(effect: Array, error: Array) -> Array:
    r"""Chance that a normal estimate is told from 0 by a two-sided test at 5 %, from true effect and standard error.

    .. math:: \Phi(d/s - 1.96) + \Phi(-d/s - 1.96)
    """
    from scipy.special import ndtr

    return np.asarray(ndtr(effect / error - 1.96) + ndtr(-effect / error - 1.96))


def pilot_error(effect: Array, noise: float, piloted: int, others: int) -> Array:
    r"""Standard error of the difference of mean changes between piloted and other regions.

    .. math:: s^2 = \sigma^2 (1/n + 1/m) + (0.3 d)^2 / n

    The change of a region without policy has the standard deviation :math:`\sigma`, with the error of measuring it;
    the effect differs between regions by `SPREAD` of its mean :math:`d`.
    """
    return np.sqrt(noise**2 * (1 / piloted + 1 / others) + (SPREAD * effect) ** 2 / piloted)


def pilot(
    values: Array, effects: Arrays, noise: Numbers, piloted: int, others: int, draws: Draws, seed: int = 0
) -> dict[str, float | Interval]:
    """What a pilot of a policy sees, and what it teaches: results are drawn, and the choice regressed on them.

    Parameters
    ----------
    values
        Effects of the policies to choose from, shape (policy, draw).
    effects, noise
        Effects in the pilot by quantity, shape (draw,), and noise of the change of one region.
    piloted, others
        Numbers of regions.
    draws
        Weights and clusters.
    seed
        Seed of the results and of the cross-fit.

    Returns
    -------
    dict
        For each quantity the median effect, its standard error there (key followed by ``_error``) and the mean `power`
        (``_power``); ``taught``, the gain of choosing by all results, and its standard error.
    """
    rng, results = np.random.default_rng(seed), []
    found: dict[str, float | Interval] = {}
    for key, effect in effects.items():
        error = pilot_error(effect, noise[key], piloted, others)
        results.append(effect + error * rng.standard_normal(effect.size))
        numbers = (np.median(effect), np.median(error), power(effect, error).mean())
        found |= dict(zip((key, f"{key}_error", f"{key}_power"), map(float, numbers), strict=True))
    return found | {"taught": value_of_knowing(values, np.stack(results, axis=-1), draws, rng)}
