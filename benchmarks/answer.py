"""What the policy answer rests on, figure by figure: python -m benchmarks.answer FIT --help.

FIT is the folder ``fit`` of ``gapsim demo``: a sampled fit, one under the other definition of a skill, a forecast.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.forecasting import forecast, target_of
from pysd_runner.data import Data, load_data
from pysd_runner.indicators.events import scenario_chances
from pysd_runner.model import Model, load_model
from pysd_runner.policy.ranking import Ranking, compare
from pysd_runner.scenarios import Scenario, load_scenario
from pysd_runner.scenarios.crossing import crossed, single_levers
from pysd_runner.spec import Baseline, FittedParameters, load_baseline, load_fitted
from pysd_runner.study.draws import CommonDraws, common_draws
from pysd_runner.study.projection import project

Array = NDArray[np.float64]

PANEL, MODEL = "china", "regional_digital"
MIXES = ("uniform_mean_mix", "zoned_need", "frontier_for_all", "transition_for_all", "lagging_for_all")
PROGRAMME = "skills_programme"
EFFECTS = ("gap_closed", "output_change", "benefit_cost_present", "benefit_cost_ratio")
# Year in which widening gaps are counted, and the event whose probability all commands must agree on.
COUNTED = 2035
EVENT = "west closes 10% of its gap by 2035"
# Past origins at which the fan without policy is held to realisations.
ORIGINS, HORIZON, COVERED = (2009, 2014, 2019), 5, (0.5, 0.9)
# An effect that differs by more than this part between the two kinds of run needs an explanation.
ALIKE = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What every figure starts from.

    Attributes
    ----------
    model, panel
        The shipped ones.
    fits
        Sampled fits by definition of a skill, the main one first.
    baseline
        The forecast without policy.
    until, draws, seed
        As for `pysd_runner.project`.
    """

    model: Model
    panel: Data
    fits: Mapping[str, FittedParameters]
    baseline: Baseline
    until: int
    draws: int
    seed: int

    @property
    def main(self) -> FittedParameters:
        """The fit that is quoted."""
        return next(iter(self.fits.values()))

    def common(self, fitted: FittedParameters | None, baseline: Baseline | None) -> CommonDraws:
        """What scenarios share."""
        bounds = (self.panel.years[-1], self.until)
        return common_draws(self.model, self.panel, fitted, baseline, bounds=bounds, draws=self.draws, seed=self.seed)

    def compared(
        self, scenarios: Sequence[Scenario], fitted: FittedParameters | None, baseline: Baseline | None
    ) -> Ranking:
        """Policies against no policy."""
        bounds = (self.panel.years[-1], self.until)
        return compare(self.model, self.panel, self.common(fitted, baseline), scenarios, bounds)

    def scenarios(self) -> tuple[Scenario, ...]:
        """No policy, the mixes and every lever alone, per head and by need."""
        none = load_scenario("baseline", model=self.model)
        mixes = [replace(load_scenario(name, model=self.model), compare_with=()) for name in MIXES]
        budget = mixes[0].policy.budget
        assert isinstance(budget, float)  # noqa: S101
        return (none, *crossed([*mixes, *single_levers(budget, model=self.model)]))


def written(values: Array) -> str:
    """Median and 90 % interval."""
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def skill_lines(ground: Ground) -> Iterator[str]:
    """Who is first under each definition of a skill, and with levels no survey supports."""
    yield "1. The level of skills"
    cases = dict(ground.fits)
    place = ground.main.keys.index("lam_U")
    draws = np.array(ground.main.draws)
    draws[:, place] *= 0.5
    halved = replace(ground.main, draws=tuple(tuple(row) for row in draws))
    for name, fitted in {**cases, "lam_U halved, no anchor": halved}.items():
        found = ground.compared(ground.scenarios(), fitted, ground.baseline)
        closed = found.effects["gap_closed"].sel(scenario="only_skills_by_need").to_numpy()
        firsts = ", ".join(f"{policy} {share:.2f}" for policy, share in found.first.head(3).items())
        yield f"   {name}: skills alone, by need, close {written(closed)}; first in draws: {firsts}"


def comparison_lines(ground: Ground) -> Iterator[str]:
    """Mixes with their money given alike, and whether those ahead lose."""
    yield "2. Mixes with their money given alike; whether regions ahead lose"
    found = ground.compared(ground.scenarios(), ground.main, ground.baseline)
    effects = found.effects
    for name in found.scenarios:
        if not name.startswith("only_"):
            keys = ("gap_closed", "gap_closed_by_laggards", "gap_closed_by_leaders")
            closed, below, above = (written(effects[key].sel(scenario=name).to_numpy()) for key in keys)
            yield f"   {name}: closes {closed}; regions below gain {below}, regions above lose {above}"
    difference = (
        effects["gap_closed"].sel(scenario="zoned_need").to_numpy()
        - effects["gap_closed"].sel(scenario="uniform_mean_mix_by_need").to_numpy()
    )
    yield f"   zoning, by need: {written(difference)}"
    for part, row in found.split("zoned_need").iterrows():
        yield f"   zoned by need, {part}: {row['change_p50']:.3f} ({row['change_p05']:.3f} to {row['change_p95']:.3f})"


def future_lines(ground: Ground) -> Iterator[str]:
    """A run without policy beside the forecast, its path without one, and the probability of an event."""
    yield "3. One future"
    origin = ground.panel.years[-1]
    closed = project(
        ground.model,
        ground.panel,
        ["baseline"],
        ground.main,
        until=ground.until,
        draws=ground.draws,
        seed=ground.seed,
        baseline=ground.baseline,
    )
    alone = project(
        ground.model, ground.panel, ["baseline"], ground.main, until=ground.until, draws=ground.draws, seed=ground.seed
    )
    logs = np.log(closed.data["output_per_head"].isel(scenario=0).transpose("draw", "region", "year").to_numpy())
    relative = (logs - logs.mean(axis=1, keepdims=True))[:, :, 1:]
    paths = ground.baseline.drawn(ground.draws, ground.seed)[:, :, : relative.shape[2]]
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    apart = np.abs(np.quantile(relative, levels, axis=0) - np.quantile(paths, levels, axis=0)).max()
    yield f"   largest difference of a quantile between run and forecast: {apart:.1e} log points"
    for name, item in (("from the forecast", closed), ("the model alone", alone)):
        gap = item.data["gap_to_leader"].isel(scenario=0)
        wider = (gap.sel(year=COUNTED).median("draw") > gap.sel(year=origin).median("draw")).sum().item()
        whole = ground.baseline.paths if item is closed else None
        table = scenario_chances(item.data, [EVENT], reference="baseline", forecast=whole)
        share = float(table.to_numpy()[0, 0])
        yield f"   {name}: the gap to the leader widens by {COUNTED} in {wider} regions; {EVENT}: {share:.2f}"
    record = closed.provenance["baseline"]
    shock = np.array(list(record["systematic_shock"].values()))
    yield f"   systematic shock: {np.sqrt(np.mean(shock**2)):.4f} a year (rms over regions)"
    zoned = load_scenario("zoned_need", model=ground.model)
    nothing = replace(zoned, name="nothing", compare_with=(), policy=replace(zoned.policy, budget=0.0))
    still = project(
        ground.model,
        ground.panel,
        ["baseline", nothing],
        ground.main,
        until=ground.until,
        draws=ground.draws,
        seed=ground.seed,
        baseline=ground.baseline,
    ).data["output"]
    apart = np.abs(still.isel(scenario=1) / still.isel(scenario=0).drop_vars("scenario") - 1).max()
    yield f"   a budget of zero changes output by {float(apart):.1e} of it at most"


def loop_lines(ground: Ground) -> Iterator[str]:
    """Effects of policies from the forecast and along the model's own path."""
    yield "   points closed from the forecast and along the model alone; as part of the gap; * apart by a tenth"
    kinds = [ground.compared(ground.scenarios(), ground.main, item).effects for item in (ground.baseline, None)]
    for name in kinds[0]["scenario"].to_numpy():
        points, shares = (
            [float(item[key].sel(scenario=name).median()) for item in kinds]
            for key in ("gap_closed", "gap_closed_share")
        )
        texts = [
            f"{there:.2f} {alone:.2f}{'' if abs(alone / there - 1) <= ALIKE else ' *'}"
            for there, alone in (points, shares)
        ]
        yield f"   {name}: {texts[0]}; {texts[1]}"


def lever_lines(ground: Ground) -> Iterator[str]:
    """Each lever alone, prior and posterior, beside what is plausible."""
    yield "5. Each lever alone, per head: prior and posterior beside what is plausible"
    assert ground.model.spec is not None  # noqa: S101
    levers = [item for item in ground.scenarios() if item.name.startswith("only_") and item.policy.redistribution == 0]
    none = load_scenario("baseline", model=ground.model)
    found = {
        "prior": ground.compared([none, *levers], None, ground.baseline).effects,
        "posterior": ground.compared([none, *levers], ground.main, ground.baseline).effects,
    }
    for effect in EFFECTS:
        bounds = ground.model.spec.plausible.get(effect)
        yield f"   {effect}" + ("" if bounds is None else f", plausible {bounds.lower:g} to {bounds.upper:g}")
        for item in levers:
            texts = [
                f"{kind} {written(data[effect].sel(scenario=item.name).to_numpy())}" for kind, data in found.items()
            ]
            middle = float(found["posterior"][effect].sel(scenario=item.name).median())
            mark = "" if bounds is None or bounds.lower <= middle <= bounds.upper else " *"
            yield f"     {item.name}: {', '.join(texts)}{mark}"


def past_lines(ground: Ground) -> Iterator[str]:
    """How often the fan without policy held realisations, from three past origins, beside the forecast it follows."""
    yield "   coverage of runs without policy from past origins, and of the forecast by itself"
    none = load_scenario("baseline", model=ground.model)
    observed = target_of(ground.panel)
    hits: dict[str, list[Array]] = {"run": [], "forecast": []}
    for origin in ORIGINS:
        panel = ground.panel.subset(times=range(ground.panel.years[0], origin + 1))
        until = origin + HORIZON
        made = forecast(panel, until=until, draws=ground.draws, seed=ground.seed, past=False)
        baseline = made.baseline
        common = common_draws(
            ground.model, panel, None, baseline, bounds=(origin, until), draws=ground.draws, seed=ground.seed
        )
        run = project(
            ground.model, panel, [none], None, until=until, draws=ground.draws, seed=ground.seed, baseline=baseline
        )
        logs = np.log(run.data["output_per_head"].isel(scenario=0).transpose("draw", "region", "year").to_numpy())
        kinds = {
            "run": (logs - logs.mean(axis=1, keepdims=True))[:, :, 1:],
            "forecast": baseline.drawn(ground.draws, ground.seed)[list(common.draws)],
        }
        realised = observed.values[:, [observed.position(year) for year in range(origin + 1, until + 1)]]
        realised = realised - realised.mean(axis=0)
        for kind, draws in kinds.items():
            edges = [np.quantile(draws, [(1 - part) / 2, (1 + part) / 2], axis=0) for part in COVERED]
            hits[kind].append(np.array([(low <= realised) & (realised <= high) for low, high in edges]))
    for kind, found in hits.items():
        shares = np.mean(np.concatenate(found, axis=1), axis=(1, 2))
        yield f"   {kind}: " + ", ".join(
            f"{share:.3f} at {part:.0%}" for share, part in zip(shares, COVERED, strict=True)
        )


def main(given: Sequence[str] | None = None) -> int:
    """Measure and print.

    Parameters
    ----------
    given
        Arguments; None takes those of the command line.

    Returns
    -------
    int
        0.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answer", description=__doc__)
    parser.add_argument("fit", type=Path, help="folder of a sampled fit with its forecast")
    parser.add_argument("--until", type=int, default=2040, help="last year (2040)")
    parser.add_argument("--draws", type=int, default=200, help="draws (200)")
    parser.add_argument("--seed", type=int, default=0, help="seed (0)")
    options = parser.parse_args(given)
    panel = load_data(PANEL, panel=True)
    fits = {"main": load_fitted(options.fit / "fitted.json")}
    fits |= {path.parent.name: load_fitted(path) for path in sorted(options.fit.glob("digital_skill_*/fitted.json"))}
    ground = Ground(
        model=load_model(MODEL, regions=len(panel.regions)),
        panel=panel,
        fits=fits,
        baseline=load_baseline(options.fit),
        until=options.until,
        draws=options.draws,
        seed=options.seed,
    )
    for lines in (skill_lines, comparison_lines, future_lines, loop_lines, past_lines, lever_lines):
        for line in lines(ground):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
