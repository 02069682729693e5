"""Whether effects of training last as long in trials as the model's skilled people.

``python -m benchmarks.persistence FIT``: FIT is the folder ``fit`` of ``gapsim demo``. The rule, and what was said
beforehand, stand in ``docs/persistence.md``.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.policy_predictions import Fit
from pysd_runner.core.paths import model_file
from pysd_runner.evidence.implied import beginning_of, experiments_of
from pysd_runner.study.draws import parameter_draws

Array = NDArray[np.float64]

TERM = "training"
EARLY, LATE = (2, 4), (5, 10)
# Draws of the model; simulated sets of trials for each ratio.
DRAWS, SETS = 2500, 4000
# Spread between trials: scale of the half-normal law of its standard deviation, by judgement.
SPREAD = 0.3
# Ratios among which a pool is sought, evenly spaced in their angle; steps from a pool to the ends of its interval.
SLOPES = np.tan(np.linspace(-np.pi / 2, np.pi / 2, 1003)[1:-1])
STEPS = np.arange(0.0, 4.0, 0.02)
COLUMNS = ("early", "late", "early_error", "late_error")
# One law of noise for all ratios, so that intervals have no ragged ends.
SEED = 0


@dataclass(frozen=True)
class Trial:
    """Effects of one trial on yearly earnings in an early and a late year, with standard errors."""

    name: str
    units: str
    rows: tuple[str, str]
    years: tuple[int, int]
    early: float
    early_error: float
    late: float
    late_error: float
    is_marked: bool  # the late error is the early one in proportion to the effects


def trials() -> list[Trial]:
    """Trials of the ledger with yearly earnings of the same people in an early and a late year, the latest of each."""
    table = pd.read_csv(model_file("regional_digital").parent / "evidence" / "effects.csv")
    table["horizon"] = pd.to_numeric(table["horizon"], errors="coerce")
    table["money"] = table["unit"].str.partition(" (")[0]
    is_asked = (table["lever"] == "skills") & table["size"].notna() & table["horizon"].mod(1).eq(0)
    is_asked &= table["outcome"].str.startswith("yearly earnings") & ~table["outcome"].str.contains("mean of")
    found = []
    for (name, units, _), rows in table[is_asked].groupby(["trial", "units", "money"], sort=False):
        ends = [rows[rows["horizon"].between(*span)].sort_values("horizon").tail(1) for span in (EARLY, LATE)]
        if any(end.empty for end in ends) or not np.isfinite(ends[0]["error"].iloc[0]):
            continue
        early, late = (end.iloc[0] for end in ends)
        is_marked = not np.isfinite(late["error"])
        error = early["error"] * abs(late["size"] / early["size"]) if is_marked else late["error"]
        years = int(early["horizon"]), int(late["horizon"])
        sizes = float(early["size"]), float(early["error"]), float(late["size"]), float(error)
        found.append(Trial(str(name), str(units), (early["id"], late["id"]), years, *sizes, is_marked))
    return found


def pooled(early: Array, late: Array, early_error: Array, late_error: Array) -> Array:
    """Common ratio of late to early effects, both with errors.

    The ``rho`` of least ``sum_i (late_i - rho early_i)^2 / (late_error_i^2 + rho^2 early_error_i^2)``: the likelihood
    of normal errors at the true early effects that fit best; with equal errors the slope of orthogonal regression.

    Parameters
    ----------
    early, late
        Effects, shape (..., trial).
    early_error, late_error
        Their standard errors, shape (trial,).

    Returns
    -------
    array
        Ratios, shape (...,), to a thousandth of their angle and better.
    """
    weights = 1 / (late_error**2 + SLOPES[:, None] ** 2 * early_error**2)
    sums = late**2 @ weights.T - 2 * SLOPES * ((late * early) @ weights.T) + SLOPES**2 * (early**2 @ weights.T)
    place = np.clip(sums.argmin(axis=-1), 1, len(SLOPES) - 2)
    before, least, after = (np.take_along_axis(sums, (place + step)[..., None], -1)[..., 0] for step in (-1, 0, 1))
    curve = before - 2 * least + after
    shift = np.where(curve > 0, 0.5 * (before - after) / np.where(curve > 0, curve, 1.0), 0.0)
    return np.asarray(np.tan(np.arctan(SLOPES[place]) + np.clip(shift, -1, 1) * np.pi / (len(SLOPES) + 1)))


@dataclass(frozen=True)
class Pool:
    """Some trials and the rule by which they are pooled.

    Attributes
    ----------
    early, late, early_error, late_error
        Effects of the trials and their standard errors, shape (trial,).
    spread
        Scale of the half-normal law of the spread between trials.
    """

    early: Array
    late: Array
    early_error: Array
    late_error: Array
    spread: float = SPREAD

    def ratio(self, early: Array, late: Array) -> Array:
        """Pooled ratio of effects, shape (..., trial); late errors are widened by the spread times early effects."""
        return pooled(early, late, self.early_error, np.hypot(self.late_error, self.spread * self.early))

    @property
    def found(self) -> float:
        """Pooled ratio of the trials."""
        return float(self.ratio(self.early, self.late))

    def without(self, place: int) -> "Pool":
        """All trials but one."""
        kept = np.arange(len(self.early)) != place
        return Pool(self.early[kept], self.late[kept], self.early_error[kept], self.late_error[kept], self.spread)

    def simulated(self, ratios: Array, true_early: Array | None = None) -> Array:
        """Pooled ratios of sets of trials drawn about given ratios, shape (set,).

        Parameters
        ----------
        ratios
            Ratio of every trial, shape (trial,) or (set, trial); each trial lies about it by a spread that is drawn.
        true_early
            True early effects, shape (trial,); None takes those that were found.
        """
        true = self.early if true_early is None else true_early
        rng = np.random.default_rng(SEED)
        shape = (SETS, len(true))
        own = ratios + self.spread * np.abs(rng.standard_normal((SETS, 1))) * rng.standard_normal(shape)
        early, late = (error * rng.standard_normal(shape) for error in (self.early_error, self.late_error))
        return self.ratio(true + early, own * true + late)

    def interval(self) -> tuple[float, float]:
        """90 % interval: ratios around the pool under which it is no rare one, with early effects that fit best."""
        precise = 1 / self.early_error**2, 1 / self.late_error**2

        def is_rare(ratio: float) -> bool:
            true = (self.early * precise[0] + ratio * self.late * precise[1]) / (precise[0] + ratio**2 * precise[1])
            below = (self.simulated(np.full(len(true), ratio), true) < self.found).mean()
            return not 0.05 <= below <= 0.95

        low, high = (
            next((self.found + side * step for step in STEPS if is_rare(self.found + side * step)), side * np.inf)
            for side in (-1, 1)
        )
        return low, high


def power(true: Array, supposed: Array) -> float:
    """Chance that a pool under one law lies outside the central 95 % of another; both shape (set,)."""
    low, high = np.quantile(supposed, (0.025, 0.975))
    return float(((true < low) | (true > high)).mean())


def of_model(folder: Path, years: Sequence[int], draws: int = DRAWS) -> dict[int, Array]:
    """Extra skilled people some years after money of one year for training, with measured effects; shape (draw,) each.

    Parameters
    ----------
    folder
        Folder ``fit`` of ``gapsim demo``.
    years
        Years after the end of the year of the money.
    draws
        Number of draws.
    """
    fit = Fit(folder, "evidence")
    term = fit.model.declarations.evidence[TERM]
    assert isinstance(term.scenario, dict)  # noqa: S101
    end = int(term.after[0]) - 1
    asked: dict[str, Any] = {"measure": "difference", "outcome": term.people, "factor": 1.0}
    asked["scenario"] = {**term.scenario, "name": "money_of_one_year"}
    terms = [replace(term, key=str(year), after=(end + year, end + year), **asked) for year in years]
    runs = experiments_of(terms, beginning_of(fit.model, fit.data, fit.fitted))
    drawn = parameter_draws(fit.model.declarations, fit.fitted, draws, np.random.default_rng(SEED))
    return {int(key): values for key, values in runs.implied(drawn, draws).items()}


def shown(values: Array) -> str:
    """Median and 90 % interval."""
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def told_of(pool: Pool) -> str:
    """Pooled ratio and its 90 % interval."""
    low, high = pool.interval()
    return f"{pool.found:.2f} ({low:.2f} to {high:.2f})"


def main(given: Sequence[str] | None = None) -> None:
    """Print the trials, the prediction with its power, and unless asked not to, what the trials give.

    Parameters
    ----------
    given
        Arguments; None takes those of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.persistence", description=__doc__)
    parser.add_argument("fit", type=Path)
    parser.add_argument("--draws", type=int, default=DRAWS, help=f"draws of the model ({DRAWS})")
    parser.add_argument("--prediction", action="store_true", help="print what was said beforehand, and nothing else")
    options = parser.parse_args(given)
    known = trials()
    people = of_model(options.fit, sorted({year for item in known for year in item.years}), options.draws)
    ratios = np.stack([people[item.years[1]] / people[item.years[0]] for item in known], axis=1)
    early, late, *errors = np.array([[getattr(item, name) for item in known] for name in COLUMNS])
    pool = Pool(early, late, errors[0], errors[1])
    for place, item in enumerate(known):
        print(f"{item.name}, {item.units}: rows {' and '.join(item.rows)}, years {item.years[0]} and {item.years[1]}")
        print(f"  model {shown(ratios[:, place])}; early effect {item.early:g} ({item.early_error:g})")
    print(f"model, pooled as the trials: {shown(pool.ratio(pool.early, ratios * pool.early))}")
    drawn = ratios[np.random.default_rng(SEED).integers(len(ratios), size=SETS)]
    laws = {"model": drawn, "1": np.ones(len(known)), "0": np.zeros(len(known))}
    for spread in (0.0, 2 * SPREAD, SPREAD):
        sets = {name: replace(pool, spread=spread).simulated(each) for name, each in laws.items()}
        told = [f"{true} against {other} {power(sets[true], sets[other]):.2f}" for true, other in permutations(laws, 2)]
        print(f"spread {spread:g}, power: {', '.join(told)}")
    print("a pool of such trials, 90 %: " + ", ".join(f"{name} {shown(values)}" for name, values in sets.items()))
    if options.prediction:
        return
    for item in known:
        marked = " (in proportion)" if item.is_marked else ""
        late = f"late effect {item.late:g} ({item.late_error:.0f}{marked})"
        print(f"{item.name}, {item.units}: {late}, ratio {item.late / item.early:.2f}")
    print(f"trials, pooled: {told_of(pool)}")
    for name, values in sets.items():
        print(f"share of pools below it under {name}: {(values < pool.found).mean():.3f}")
    for spread in (0.0, 2 * SPREAD):
        print(f"with spread {spread:g}: {told_of(replace(pool, spread=spread))}")
    for place, item in enumerate(known):
        print(f"without {item.name}, {item.units}: {told_of(pool.without(place))}")


if __name__ == "__main__":
    main()
