"""What measured effects change: headline without them, by weights and by a sampled refit, and what the prior implies.

python -m benchmarks.evidence FIT [REFIT]
FIT is a folder of `gapsim calibrate china --sample 2500`, REFIT one of the same with `--evidence`.
"""

import argparse
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from calibration.commands.calibrate import compared
from pysd_runner import load_data, load_model
from pysd_runner.data import Data
from pysd_runner.evidence import experiments_of, in_state, terms_of, weigh
from pysd_runner.evidence.weights import importance
from pysd_runner.model import Model
from pysd_runner.policy.effects import HEADLINE
from pysd_runner.policy.ranking import Ranking, compare
from pysd_runner.scenarios import load_scenario, with_comparisons
from pysd_runner.scenarios.crossing import distinct, two_by_two
from pysd_runner.spec import FittedParameters, load_baseline, load_fitted
from pysd_runner.study.draws import common_draws, parameter_draws

UNTIL, DRAWS, PRIOR = 2040, 2500, 4000
POLICIES = {"zoned": "zoned_need", "skills": "skills_programme"}
USUAL = (-1.0, 5.0)


def ranked(model: Model, panel: Data, fitted: FittedParameters, folder: Path) -> Ranking:
    """Compare the policies of the demonstration with the draws of a fit."""
    asked = [load_scenario(name, model=model) for name in POLICIES.values()]
    several = [*asked, *two_by_two(asked[0], model=model), *compared(model)]
    bounds = (panel.years[-1], UNTIL)
    common = common_draws(model, panel, fitted, load_baseline(folder), bounds=bounds, draws=DRAWS, seed=0)
    found = compare(model, panel, common, distinct(with_comparisons(several, model=model)), bounds)
    walkers = ("draw", fitted.walkers(common.parameters))
    return replace(found, effects=found.effects.assign_coords(walker=walkers))


def lines(found: Ranking) -> Iterator[str]:
    """Headline of a ranking, with Monte Carlo errors of the ends of its intervals."""
    rows = found.table().to_dict("index")
    for label, name in POLICIES.items():
        row = rows[name]
        errors = " and ".join(f"{row[f'{HEADLINE}_{end}_error']:.2f}" for end in ("p05", "p95"))
        yield f"  {label:7} {shown(row, HEADLINE)}, errors of the ends {errors}"
    split = found.split("zoned_need")["change_p50"].to_dict()
    yield f"  who     {split['who']:.2f}"
    yield f"  what    {split['what']:.2f}"
    yield f"  output  {shown(rows['zoned_need'], 'output_change')} %"
    yield f"  skills first in {100 * found.first['skills_programme']:.0f} % of draws"
    for ratio in ("benefit_cost_ratio", "present_ratio"):
        if ratio in found.effects:
            medians = np.array([row[f"{ratio}_p50"] for row in rows.values()])
            outside = f"{(medians > USUAL[1]).sum()} above, {(medians < USUAL[0]).sum()} below"
            yield f"  {ratio}: of {len(medians)} medians {outside} {USUAL}"


def shown(row: Mapping[Hashable, float], name: str) -> str:
    """Median and 90 % interval of an effect."""
    return f"{row[f'{name}_p50']:.2f} ({row[f'{name}_p05']:.2f} to {row[f'{name}_p95']:.2f})"


def of_prior(model: Model, panel: Data) -> Iterator[str]:
    """What the prior implies for every experiment, alone and weighed by the first term."""
    spec = model.spec
    assert spec is not None  # noqa: S101
    drawn = parameter_draws(spec, None, PRIOR, np.random.default_rng(0))
    runs = experiments_of(spec.evidence.values(), in_state(model, panel, panel.years[-1]))
    implied = runs.implied(drawn, PRIOR)
    first = terms_of(model)[0]
    weights, effective = importance((first,), implied)
    for key, values in implied.items():
        order = np.argsort(values)
        at = [np.interp(level, np.cumsum(weights[order]), values[order]) for level in (0.5, 0.05, 0.95)]
        plain = np.quantile(values, (0.5, 0.05, 0.95))
        told = [f"{middle:.2f} ({low:.2f} to {high:.2f})" for middle, low, high in (plain, at)]
        yield f"  {key}: prior {told[0]}, with {first.key} {told[1]}"
    yield f"  effective draws {effective:.0f} of {PRIOR}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fit", type=Path)
    parser.add_argument("refit", type=Path, nargs="?")
    asked = parser.parse_args(arguments)
    panel = load_data("china", panel=True)
    model = load_model("regional_digital", regions=len(panel.regions))
    print("prior", *of_prior(model, panel), sep="\n")
    plain = load_fitted(asked.fit / "fitted.json")
    print("without", *lines(ranked(model, panel, plain, asked.fit)), sep="\n")
    chosen = [[item.key] for item in terms_of(model)]
    for terms in (*chosen, [key for keys in chosen for key in keys]):
        made = weigh(model, panel, plain, terms)
        print(f"weights by {', '.join(terms)}, {made.effective:.0f} of {len(plain.draws)} draws")
        print(*lines(ranked(model, panel, made.fitted, asked.fit)), sep="\n")
    if asked.refit is not None:
        print(
            "sampled refit", *lines(ranked(model, panel, load_fitted(asked.refit / "fitted.json"), asked.fit)), sep="\n"
        )


if __name__ == "__main__":
    main()
