"""What the headline would be in constant prices: python -m benchmarks.real_prices.

The shipped panel is in current prices. Here it is put into prices of one year by official indices of gross regional
product, fitted again, and the same policies are compared. Sources of the indices stand at the head of their file.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from calibration.fitting.fit import fit
from calibration.fitting.problem import Problem
from calibration.forecasting.forecast import baseline_for
from calibration.uncertainty import sample
from pysd_runner.core.errors import InvalidInput
from pysd_runner.data import Data, load_data
from pysd_runner.evidence import weigh
from pysd_runner.indicators.relative import mean_log_gap
from pysd_runner.model import Model, load_model
from pysd_runner.policy.effects import HEADLINE, MEASURES
from pysd_runner.policy.objective import quantile_error, share_error, tail_effective_size
from pysd_runner.policy.ranking import compare, start_of
from pysd_runner.scenarios import load_scenario
from pysd_runner.scenarios.crossing import REFERENCE, crossed
from pysd_runner.spec import FittedParameters
from pysd_runner.spec.baseline import usual_end
from pysd_runner.study.draws import common_draws

Array = NDArray[np.float64]

INDICES = Path(__file__).parent / "output_index_china.csv"
BASE = 2014
MIXES = ("zoned", REFERENCE)
ZONED, HEAD, NEED = "zoned_by_need", REFERENCE, f"{REFERENCE}_by_need"


def indices() -> pd.DataFrame:
    """Official indices of gross regional product at constant prices, preceding year = 100, one row per region."""
    table = pd.read_csv(INDICES, comment="#", dtype={"code": str})
    return table.pivot_table(index="code", columns="year", values="index")


def constant_prices(panel: Data, index: pd.DataFrame, base: int) -> Data:
    r"""A panel in prices of one year; earlier years stay as they are.

    .. math:: Y^{b}_{it} = Y_{ib} \prod_{s = b + 1}^{t} I_{is} / 100

    Parameters
    ----------
    panel
        A panel in current prices.
    index
        Volume indices, preceding year = 100, one row per code and one column per year.
    base
        The year b, whose output is kept.

    Returns
    -------
    Data
        The panel with other output, in currency a year, and output per head.

    Raises
    ------
    InvalidInput
        If an index of a region is missing after the base year.
    """
    years = [year for year in panel.years if year > base]
    chained = index.reindex(index=list(panel.codes), columns=years)
    if missing := [code for code, is_known in chained.notna().all(axis=1).items() if not is_known]:
        raise InvalidInput(
            "volume indices of {years} are missing for {regions}",
            years=f"{years[0]}-{years[-1]}",
            regions=", ".join(map(str, missing)),
        )
    own = {name: panel.array(name) for name in panel.variables}
    place = panel.years.index(base)
    output = own["output"].copy()
    output[:, place + 1 :] = output[:, [place]] * np.cumprod(chained.to_numpy() / 100, axis=1)
    made = panel.with_values({**own, "output": output, "output_per_head": output / own["population"]})
    return replace(made, name=f"{panel.name}_{base}_prices", price_basis=f"constant {base} prices")


def moved(nominal: Data, real: Data, base: int) -> dict[str, float]:
    """How differently relative output per head moved from a year to the last, in points (log x 100), over regions."""
    changes = []
    for panel in (nominal, real):
        heads = np.log(panel.array("output_per_head"))
        relative = heads - heads.mean(axis=0)
        changes.append(100 * (relative[:, -1] - relative[:, panel.years.index(base)]))
    apart = changes[0] - changes[1]
    return {"root mean square": float(np.sqrt((apart**2).mean())), "mean": float(np.abs(apart).mean())}


@dataclass(frozen=True)
class Figure:
    """A figure of the headline and its Monte Carlo error."""

    value: float
    error: float


def sampled(model: Model, panel: Data, *, draws: int, starts: int, seed: int) -> FittedParameters:
    """Fit a model to a panel and sample its posterior, as ``gapsim demo`` does with these settings."""
    problem = Problem(model, panel)
    found = fit(problem, starts=starts, seed=seed, progress=False)
    return sample(problem, found, draws, seed=seed, progress=False).attached(found).fitted


def headline(model: Model, panel: Data, fitted: FittedParameters, *, draws: int, seed: int) -> dict[str, Figure]:
    """Follow a forecast with a fit and compare mixes, as ``gapsim demo`` does.

    Parameters
    ----------
    model, panel, fitted
        The model, the data, and the sampled fit to them.
    draws, seed
        As in ``gapsim demo``.

    Returns
    -------
    dict
        Gap of the last year and of the last simulated one without policy, what mixes close of the latter, in log points
        x 100, and the shares of draws in which money by need does better than per head.
    """
    bounds = (panel.years[-1], usual_end(panel.years[-1]))
    forecast = baseline_for(panel, fitted, until=bounds[1], draws=draws, seed=seed, model=model)
    fitted = weigh(model, panel, fitted, seed=seed).fitted
    common = common_draws(model, panel, fitted, forecast, bounds=bounds, draws=draws, seed=seed)
    mixes = [replace(load_scenario(name, model=model), compare_with=()) for name in MIXES]
    made = compare(model, panel, common, [mixes[0].baseline(), *crossed(mixes)], bounds)
    walkers = fitted.walkers(common.parameters)
    now = start_of(panel)
    closed = {name: made.effects[HEADLINE].sel(scenario=name).to_numpy() for name in (ZONED, HEAD, NEED)}
    share = made.effects["gap_closed_share"].sel(scenario=ZONED).to_numpy()
    figures = {
        f"gap {bounds[0]}": Figure(float(100 * mean_log_gap(now.output, now.population, now.behind, axis=-1)), 0.0),
        f"gap {bounds[1]} without policy": _median(100 * closed[ZONED] / share, walkers),
        **{f"closed by {name}": _median(values, walkers) for name, values in closed.items()},
        "P(need closes more than per head), mean mix": _share(closed[NEED] > closed[HEAD], walkers),
    }
    gains = made.effects.sel(scenario=NEED, drop=True) - made.effects.sel(scenario=HEAD, drop=True)
    better = np.all([gains[key] > 0 for key in MEASURES], axis=0)
    return {**figures, f"P(need better by all {len(MEASURES)} measures), mean mix": _share(better, walkers)}


def _median(values: Array, walkers: NDArray[np.int64]) -> Figure:
    return Figure(float(np.median(values)), quantile_error(values, 0.5, tail_effective_size(values, walkers)))


def _share(is_so: NDArray[np.bool_], walkers: NDArray[np.int64]) -> Figure:
    return Figure(float(is_so.mean()), share_error(is_so, walkers))


def lines(found: Mapping[str, Mapping[str, Figure]]) -> Iterator[str]:
    """A table in Markdown, one column per panel, two Monte Carlo errors in brackets."""
    yield f"| | {' | '.join(found)} |"
    yield f"| --- |{' --- |' * len(found)}"
    for name in next(iter(found.values())):
        cells = (f"{item[name].value:.2f} ({2 * item[name].error:.2f})" for item in found.values())
        yield f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Print the headline under both price bases."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_prices", description=__doc__)
    parser.add_argument("--draws", type=int, default=2500, help="draws (2500)")
    parser.add_argument("--starts", type=int, default=4, help="searches of each fit (4)")
    parser.add_argument("--seed", type=int, default=0, help="seed (0)")
    options = parser.parse_args()
    nominal = load_data("china", panel=True)
    real = constant_prices(nominal, indices(), BASE)
    model = load_model("regional_digital", regions=len(nominal.regions))
    apart = ", ".join(f"{name} {value:.1f}" for name, value in moved(nominal, real, BASE).items())
    print(f"relative output per head, {BASE} to {nominal.years[-1]}, real against nominal, points: {apart}")
    rise = 100 * (nominal.array("output")[:, -1] / real.array("output")[:, -1] - 1)
    told = (f"{nominal.regions[place].name_en} {rise[place]:+.0f}" for place in rise.argsort()[[0, 1, -2, -1]])
    print(f"prices that output in both implies, percent, least and most: {', '.join(told)}\n")
    asked = {"draws": options.draws, "seed": options.seed}
    found = {}
    for panel in (nominal, real):
        fitted = sampled(model, panel, starts=options.starts, **asked)
        found[panel.price_basis] = headline(model, panel, fitted, **asked)
    print("\n".join(lines(found)))


if __name__ == "__main__":
    main()
