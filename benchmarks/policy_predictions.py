"""What the model predicts for the designs of `policy_tests`, by draw."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.policy_tests import CUTOFF, PERIODS, Period, broadband
from pysd_runner.data import Data, load_data
from pysd_runner.evidence.implied import beginning_of, experiments_of
from pysd_runner.evidence.weights import weigh
from pysd_runner.model import Model, load_model
from pysd_runner.scenarios import Scenario, load_scenario
from pysd_runner.scenarios.crossing import REFERENCE, single_levers
from pysd_runner.simulation import simulate
from pysd_runner.spec import Baseline, FittedParameters, load_baseline, load_fitted
from pysd_runner.study.inputs import inputs_of
from pysd_runner.study.values import scenario_values

Array = NDArray[np.float64]

DRAWS = 1000
# Evidence terms whose experiments the studies repeat.
TERMS = ("access", "training")
# Output per head, of the nation's, below which a region gets money; money in percent of the output of these regions.
BELOW, DOSE = 0.75, 1.0


class Fit:
    """A fit with its model, panel and forecast.

    Parameters
    ----------
    folder
        Folder ``fit`` of ``gapsim demo``.
    basis
        ``"prior"``, ``"posterior"``, or ``"evidence"``: the posterior weighed by the evidence terms of the model.
    """

    def __init__(self, folder: Path, basis: str) -> None:
        self.data: Data = load_data("china", panel=True)
        self.model: Model = load_model("regional_digital", regions=len(self.data.regions))
        self.baseline: Baseline = load_baseline(folder)
        fitted: FittedParameters = load_fitted(folder / "fitted.json")
        self.sampled = fitted
        if basis == "evidence":
            fitted = weigh(self.model, self.data, fitted).fitted
        self.fitted = None if basis == "prior" else fitted

    def implied(self, draws: int = DRAWS) -> dict[str, Array]:
        """Effects of the experiments of evidence terms in draws of the posterior that has not used them.

        Parameters
        ----------
        draws
            Number of draws.
        """
        assert self.model.spec is not None  # noqa: S101
        fitted = self.sampled
        drawn = fitted.sample(np.random.default_rng(0), draws, spec=self.model.spec)
        runs = experiments_of(
            [self.model.spec.evidence[key] for key in TERMS], beginning_of(self.model, self.data, fitted)
        )
        return runs.implied({**dict(fitted.fixed), **drawn}, draws)


def funded(fit: Fit, lever: str, years: int, draws: int = DRAWS) -> Array:
    """Growth of output per head in funded regions less that of the others, per percent of output a year, by draw.

    Regions below `BELOW` of the national average get `DOSE` percent of their output a year, each the same share of it,
    and no other region anything: the rule of the structural funds.

    Parameters
    ----------
    fit
        The model with its parameters.
    lever
        Lever on which everything is spent; empty for the mean mix.
    years
        Years of money, after which output is read.
    draws
        Number of draws.

    Returns
    -------
    array
        Percent, shape (draw,).
    """
    data, names, origin = fit.data, fit.model.bindings.variables, fit.baseline.origin
    inputs = inputs_of(fit.model, data, fit.fitted, baseline=fit.baseline, until=origin + years + 1, draws=draws)
    head, people = (data.array(name)[:, data.years.index(origin)] for name in ("output_per_head", "population"))
    output = head * people
    poor = head < BELOW * output.sum() / people.sum()
    policy = _policy(fit.model, lever)
    scenario = replace(
        policy,
        compare_with=(),
        policy=replace(
            policy.policy,
            budget=DOSE / 100 * float(output[poor].sum() / output.sum()),
            redistribution=-1.0,
            regions=tuple(region.name_en for region, is_poor in zip(data.regions, poor, strict=True) if is_poor),
        ),
    )
    common, bounds = inputs.common.values, inputs.years
    runs = [
        simulate(
            fit.model,
            {**common, **scenario_values([item], fit.model, data.regions, common, bounds, step=inputs.step)},
            outcomes=[names.output_per_head],
            start=bounds[0],
            stop=bounds[1],
            save_every=1,
        )[names.output_per_head][0][..., -1]
        for item in (load_scenario("baseline", model=fit.model), scenario)
    ]
    gained = 100 * np.log(runs[1] / runs[0])
    return np.asarray((gained[:, poor].mean(axis=1) - gained[:, ~poor].mean(axis=1)) / DOSE)


def _policy(model: Model, lever: str) -> Scenario:
    if not lever:
        return load_scenario(REFERENCE, model=model)
    return next(item for item in single_levers(0.003, model=model) if item.name == f"only_{lever}")


# Name, kind, meaning in English and Chinese, unit.
TESTS = (
    ("funds_2007_13", "blind", "Structural funds 2007-13: output per head at the cut-off, 2006 to 2013",
     "结构基金 2007–13：阈值处人均产出，2006 至 2013 年", "%"),
    ("funds_2014_19", "blind", "Structural funds 2014-19: output per head at the cut-off, 2013 to 2019",
     "结构基金 2014–19：阈值处人均产出，2013 至 2019 年", "%"),
    ("broadband_china", "consistency", "Broadband China 2014-16: output of a province, all places listed",
     "“宽带中国”2014–16：省级产出（全部城市入选）", "%"),
    ("year_up", "consistency", "Year Up: earnings a year per unit of one year's training money",
     "Year Up：每单位一年培训资金的年收入增量", "1/Year"),
    ("job_corps", "consistency", "Job Corps: earnings a year per unit of one year's training money",
     "Job Corps：每单位一年培训资金的年收入增量", "1/Year"),
    ("german_counties", "consistency", "German counties: output per 10 points more of broadband",
     "德国县：宽带提高十个百分点的产出变化", "%"),
    ("oecd_broadband", "consistency", "OECD countries: output per 10 points more of broadband",
     "经合组织国家：宽带提高十个百分点的产出变化", "%"),
)  # fmt: skip


def funds(fit: Fit, period: Period, lever: str = "", draws: int = DRAWS) -> Array:
    """Growth at the cut-off of a programming period in percent, by draw.

    The effect of a percent of output a year times the money that a region below the cut-off gets more than one above
    it, drawn evenly between the least and the most of what is published.

    Parameters
    ----------
    fit, lever, draws
        As for `funded`.
    period
        Programming period.
    """
    cutoff = CUTOFF if period.cutoff is None else period.cutoff
    money = np.random.default_rng(1).uniform(*period.money(cutoff), draws)
    return funded(fit, lever, period.last - period.before, draws) * money


def predictions(folder: Path, basis: str, draws: int = DRAWS) -> list[dict[str, object]]:
    """Rows of the table with predictions and without estimates.

    Parameters
    ----------
    folder
        Folder ``fit`` of ``gapsim demo``.
    basis
        As for `Fit`, for the structural funds. The others take the posterior without evidence, which has used them.
    draws
        Number of draws.
    """
    fit = Fit(folder, basis)
    implied = fit.implied(draws)
    # Output of a province all of whose places are listed: that of its change in mobile internet, whatever that is.
    reached = broadband(fit.data)["mobile internet"][0]
    listed = implied["access"] / 10 * np.random.default_rng(2).normal(reached.value, reached.error, draws)
    found = {period.name: (basis, funds(fit, period, draws=draws)) for period in PERIODS}
    found |= {"broadband_china": ("posterior", listed)}
    found |= dict.fromkeys(("year_up", "job_corps"), ("posterior", implied["training"]))
    found |= dict.fromkeys(("german_counties", "oecd_broadband"), ("posterior", implied["access"]))
    rows = []
    for name, kind, en, zh, unit in TESTS:
        used, values = found[name]
        low, median, high = np.percentile(values, [5, 50, 95])
        rows.append(
            {"name": name, "kind": kind, "basis": used, "en": en, "zh": zh, "unit": unit}
            | {"median": median, "low": low, "high": high, "width": (high - low) / abs(median)}
        )
    return rows
