"""What the answer would be under other forms of growth from skills: ``python -m benchmarks.growth_forms``.

Every form is fitted anew to the shipped panel, sampled and weighed by measured effects; all mixes run to 2040.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.commands.calibrate import compared
from calibration.fitting.fit import fit
from calibration.fitting.problem import Problem
from calibration.uncertainty.sampling import sample
from pysd_runner.data import Data, load_data
from pysd_runner.evidence import weigh
from pysd_runner.indicators.relative import mean_log_gap
from pysd_runner.model import Model, load_model
from pysd_runner.policy.effects import HEADLINE
from pysd_runner.policy.objective import ENDS, quantile_error, share_error, tail_effective_size, walkers_of
from pysd_runner.policy.ranking import Ranking, compare, first_error, start_of
from pysd_runner.scenarios import load_scenario, with_comparisons
from pysd_runner.scenarios.crossing import REFERENCE, distinct
from pysd_runner.simulation import simulate
from pysd_runner.spec import FittedParameters, Prior, load_baseline, load_fitted
from pysd_runner.spec.priors import LogNormal, Normal
from pysd_runner.study.draws import CommonDraws, common_draws
from pysd_runner.study.region_inputs import time_step
from pysd_runner.study.values import scenario_values

Array = NDArray[np.float64]

KEY, CENTRING, COSTS = "lam_I", "centring", "cost_index"
UNTIL, DRAWS, SAMPLED = 2040, 1000, 2500
# Size of the term where a search starts.
USUAL = 0.003
BOUNDS = {"lower": -0.05, "upper": 0.2}
CHOSEN, VAGUE = Normal(mean=0.003, sd=0.006, **BOUNDS), Normal(mean=0.0, sd=0.02, **BOUNDS)
# Mixes of the table by their columns, all with money by need.
MIXES = {
    "skills": "only_skills_by_need",
    "zoned": "zoned_by_need",
    "mean mix": f"{REFERENCE}_by_need",
    "sevenths": "uniform_sevenths_by_need",
}
# Channels by which digitalisation acts on output: levels, catch-up, innovation, productivity of the skilled.
CHANNELS = ("th_U", "th_X", "c1", KEY, "eta_S")
LEADER = "Beijing"


@dataclass(frozen=True)
class Form:
    """A form of growth from skills.

    Attributes
    ----------
    prior
        Prior of its size; None for no such term.
    centring
        0 for the own skills of a region, 1 for its lead over the nation.
    costs
        1 for unit costs that follow output per head, 0 for fixed ones.
    """

    prior: Prior | None
    centring: float = 0.0
    costs: float = 1.0


FORMS = {
    "own skills, normal .003 (.006)": Form(CHOSEN),
    "own skills, normal 0 (.02)": Form(VAGUE),
    "no growth term": Form(None),
    "lead over the nation, normal .003 (.006)": Form(CHOSEN, centring=1.0),
    "lead over the nation, lognormal .015, costs fixed": Form(
        LogNormal(median=0.015, sdlog=1.0, lower=0.0, upper=0.2), centring=1.0, costs=0.0
    ),
}


def with_form(model: Model, form: Form) -> Model:
    """The model with the prior of a form; no file is changed.

    Parameters
    ----------
    model
        The shipped model.
    form
        A form of growth.
    """
    assert model.spec is not None  # noqa: S101
    declared = dict(model.spec.parameters)
    for key, value in ((CENTRING, form.centring), (COSTS, form.costs)):
        declared[key] = replace(declared[key], value=value)
    if form.prior is None:
        declared[KEY] = replace(declared[KEY], value=0.0)
    else:
        low, high = form.prior.lower, form.prior.upper
        declared[KEY] = replace(declared[KEY], prior=form.prior, value=USUAL, lower=low, upper=high)
    return replace(model, spec=replace(model.spec, parameters=declared))


def fitted_to(model: Model, panel: Data, form: Form, seed: int) -> FittedParameters:
    """Sampled fit of a form.

    Parameters
    ----------
    model, panel
        As `with_form` gave it; the shipped panel.
    form
        The form.
    seed
        Seed of the sampler.
    """
    fixed = {CENTRING: form.centring, COSTS: form.costs} | ({KEY: 0.0} if form.prior is None else {})
    problem = Problem(model, panel, values=fixed)
    found = fit(problem, starts=1)
    return sample(problem, found, SAMPLED, seed=seed).attached(found).fitted


def drawn_from(
    model: Model, panel: Data, fitted: FittedParameters, folder: Path | None, draws: int
) -> tuple[Ranking, CommonDraws]:
    """All mixes on common draws of a fit, which is weighed by measured effects.

    Parameters
    ----------
    model, panel, fitted
        Model, panel and fit of a form.
    folder
        Folder of a fit with the forecast that runs follow; None lets them run free, without shocks.
    draws
        Number of draws.
    """
    weighed = weigh(model, panel, fitted).fitted
    baseline = None if folder is None else load_baseline(folder)
    bounds = (panel.years[-1], UNTIL)
    common = common_draws(model, panel, weighed, baseline, bounds=bounds, draws=draws, seed=0, shocks=False)
    found = compare(model, panel, common, distinct(with_comparisons(compared(model), model=model)), bounds)
    walkers = ("draw", fitted.walkers(common.parameters))
    return replace(found, effects=found.effects.assign_coords(walker=walkers)), common


def widened(model: Model, panel: Data, common: CommonDraws) -> Array:
    """Gap without policy less what it is without digital channels, points of the mean log gap, shape (draw,).

    Parameters
    ----------
    model, panel, common
        As for `compare`.
    """
    names, bounds = model.bindings.variables, (panel.years[-1], UNTIL)
    values = dict(common.values)
    values |= scenario_values(
        [load_scenario("baseline", model=model)], model, panel.regions, values, bounds, step=time_step(model)
    )
    without = {model.declarations.parameters[key].variable: np.zeros(1) for key in CHANNELS}
    gaps = []
    for each in (values, {**values, **without}):
        run = simulate(
            model, each, start=bounds[0], stop=bounds[1], save_every=1, outcomes=[names.output, names.population]
        )
        made, people = (run[name][0, ..., -1] for name in (names.output, names.population))
        gaps.append(100 * mean_log_gap(made, people, start_of(panel).behind, axis=-1))
    return np.asarray(gaps[0] - gaps[1])


class Cells:
    """Cells of a row with Monte Carlo errors that allow for draws of one walker.

    Parameters
    ----------
    walkers
        Walker of every draw.
    """

    def __init__(self, walkers: NDArray[np.intp]) -> None:
        self.walkers = walkers

    def size(self, values: Array) -> str:
        """Median, 90 % interval and error of the median."""
        low, middle, high = np.quantile(values, (ENDS[0], 0.5, ENDS[1]))
        error = quantile_error(values, 0.5, tail_effective_size(values, self.walkers))
        return f"{middle:.2f} ({low:.1f} to {high:.1f}) ±{error:.2f}"

    def share(self, chosen: NDArray[np.bool_]) -> str:
        """Share of draws and its error."""
        return f"{chosen.mean():.2f} ±{share_error(chosen, self.walkers):.2f}"


def row_of(model: Model, panel: Data, found: Ranking, common: CommonDraws) -> dict[str, str]:
    """Cells of a row by column.

    Parameters
    ----------
    model, panel, common
        As for `compare`.
    found
        What it gave.
    """
    closed, cells = found.effects[HEADLINE], Cells(walkers_of(found.effects))
    row = {f"closed: {head}": cells.size(closed.sel(scenario=name).to_numpy()) for head, name in MIXES.items()}
    more = (closed.sel(scenario=MIXES["mean mix"]) - closed.sel(scenario=REFERENCE)).to_numpy()
    row["need over head"] = cells.size(more)
    allocated = found.by_need()
    assert allocated is not None  # noqa: S101
    row["need is better, least of all mixes"] = f"{allocated.least:.2f}"
    row["output: zoned, %"] = cells.size(found.effects["output_change"].sel(scenario=MIXES["zoned"]).to_numpy())
    first = str(found.first.idxmax())
    row["first of 28"] = f"{first} {found.first[first]:.2f} ±{first_error(closed, first):.2f}"
    row["keep"] = f"{int(found.limits['keeps_constraints'].sum())}"
    row["digitalisation widens"] = cells.share(widened(model, panel, common) > 0)
    code = next(region.code for region in panel.regions if region.name_en == LEADER)
    own = found.regional["own_change"].sel(scenario=MIXES["zoned"], region=code).to_numpy()
    row[f"{LEADER} worse off, zoned"] = f"{cells.share(own < 0)} ({np.median(own):.1f} %)"
    return row


def main(given: Sequence[str] | None = None) -> None:
    """Fit, run and print the table, a row as soon as it is there.

    Parameters
    ----------
    given
        Arguments; None takes those of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth_forms", description=__doc__)
    parser.add_argument("--draws", type=int, default=DRAWS, help=f"draws that are run ({DRAWS})")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sampler (0)")
    parser.add_argument("--keep", type=Path, default=None, help="folder in which fits are kept, and taken up again")
    parser.add_argument("--forecast", type=Path, default=None, metavar="FIT", help="follow the forecast in this folder")
    options = parser.parse_args(given)
    panel = load_data("china", panel=True)
    shipped = load_model("regional_digital", regions=len(panel.regions))
    for number, (name, form) in enumerate(FORMS.items(), 1):
        model = with_form(shipped, form)
        kept = None if options.keep is None else options.keep / f"form{number}_{shipped.sha256[:12]}.json"
        say(f"[{number}/{len(FORMS)}] {name}: fitting and sampling ...")
        if kept is not None and kept.exists():
            fitted = load_fitted(kept)
        else:
            fitted = fitted_to(model, panel, form, options.seed)
            if kept is not None:
                kept.parent.mkdir(parents=True, exist_ok=True)
                fitted.save(kept)
        say(f"[{number}/{len(FORMS)}] {name}: running the mixes ...")
        row = row_of(model, panel, *drawn_from(model, panel, fitted, options.forecast, options.draws))
        if number == 1:
            print("| form |", " | ".join(row), "|")
            print("|---" * (len(row) + 1) + "|")
        print(f"| {name} |", " | ".join(row.values()), "|", flush=True)


def say(text: str) -> None:
    """Tell progress."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
