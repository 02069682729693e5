"""Sensitivity to parameters: numerical and behavioural, of the gaps, and of the ranking of the shipped policies."""

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

import numpy as np
import pandas as pd

from calibration.evaluation.fit import first_columns
from calibration.evaluation.judgement import Judgement, Phrase, Section
from calibration.evaluation.subject import Calibrated, Subject
from calibration.fitting.space import prior_quantile
from calibration.sdeval import RankingSensitivity, Sensitivity, behavioural_sensitivity, morris, ranking_sensitivity
from pysd_runner.core.errors import InvalidInput, Message, SimulationFailed
from pysd_runner.core.types import Array, Arrays, Interval, Numbers, Texts, frozen
from pysd_runner.scenarios import load_scenario, shipped_scenarios, with_comparisons
from pysd_runner.simulation import simulate
from pysd_runner.spec import Parameter
from pysd_runner.study.draws import parameter_draws
from pysd_runner.study.region_inputs import time_step
from pysd_runner.study.values import scenario_values

Path = dict[str, Array]

KEY, RANKING = "sensitivity", "ranking"

# Keys of the analysed outcomes; their units are those of the model.
GAPS = ("gap_to_leader", "sigma", "theil")

# Normal quantile of the bounds of a 90 % interval.
NINETY = 1.6448536269514722

# Relative change of a parameter in the one-at-a-time analysis.
CHANGE = 0.1

# Maximum share of draws with another best policy, and with another order of a pair of policies.
BEST_FLIPS, PAIR_FLIPS = 0.1, 0.25


@frozen
class Effort:
    """Sample sizes of the sensitivity analyses."""

    trajectories: int = 10  # of the Morris design; each has one run more than there are parameters
    draws: int = 200  # of the parameters, for the ranking of policies


QUICK = Effort(trajectories=4, draws=50)


def factor_ranges(calibrated: Calibrated) -> dict[str, Interval]:
    """Parameters to vary, with their lower and upper values."""
    spec = calibrated.model.spec
    fitted = {item.key: (item.low, item.high) for item in calibrated.result.parameters}
    fixed = set(calibrated.result.fitted.fixed)
    found: dict[str, Interval] = {}
    for key, item in ({} if spec is None else spec.parameters).items():
        if key in fixed or item.role == "POL" or not item.variable:
            continue
        ends = fitted[key] if key in fitted else _prior_range(item)
        if ends is not None:
            found[key] = (0.0 if item.role == "ASM" and item.lower == 0 else ends[0], ends[1])
    return {key: ends for key, ends in found.items() if ends[0] < ends[1]}


def _prior_range(item: Parameter) -> Interval | None:
    if item.prior is None:
        return None
    low, high = (
        float(np.clip(prior_quantile(item.prior, score), item.lower, item.upper)) for score in (-NINETY, NINETY)
    )
    return low, high


@frozen
class GapRuns:
    """Runs a calibrated model for parameter vectors and returns the paths of the gaps."""

    subject: Subject
    known: dict[frozenset[tuple[str, float]], Path | None] = field(default_factory=dict)

    @property
    def calibrated(self) -> Calibrated:
        """The fit."""
        if self.subject.calibrated is None:
            raise InvalidInput("a model without a fit has no parameters to move; evaluate it with Subject.of_fit")
        return self.subject.calibrated

    @property
    def outcomes(self) -> Texts:
        """Model variables of the analysed outcomes, by key."""
        spec = self.subject.model.spec
        declared = {} if spec is None else spec.outcomes
        return {key: declared[key].variable for key in GAPS if key in declared}

    def one(self, parameters: Numbers) -> Path:
        """Gaps for one parameter vector, in every year; cached."""
        place = frozenset(parameters.items())
        if place not in self.known:
            self.known[place] = self._all([parameters])[0]
        found = self.known[place]
        return self._nothing() if found is None else found

    def ahead(self, central: Numbers, change: float) -> None:
        """Run all one-at-a-time changes of parameters in one ensemble and cache the results."""
        rows = [dict(central)]
        for key, value in central.items():
            rows += [{**central, key: value + sign * change * abs(value)} for sign in (-1, 1)]
        self.known.update((frozenset(row.items()), found) for row, found in zip(rows, self._all(rows), strict=True))

    def batch(self, rows: Sequence[Numbers]) -> list[Path | None]:
        """Gaps for many parameter vectors in the last year."""
        return [
            None if item is None else {name: path[..., -1] for name, path in item.items()} for item in self._all(rows)
        ]

    def _all(self, rows: Sequence[Numbers]) -> list[Path | None]:
        """Gaps of all rows from one ensemble; row by row if the initial state of some row cannot be computed."""
        from pysd_runner.ensemble import run_ensemble

        central = self.calibrated.estimates
        keys = list(dict.fromkeys((*central, *(key for row in rows for key in row))))
        arrays = {key: np.array([row.get(key, central.get(key, np.nan)) for row in rows]) for key in keys}
        try:
            values = self.calibrated.values(arrays)
        except SimulationFailed:
            return [None] if len(rows) == 1 else [self._all([row])[0] for row in rows]
        found = run_ensemble(
            self.subject.model,
            {name: _by_draw(value, len(rows)) for name, value in values.items()},
            outcomes=list(self.outcomes.values()),
            start=self.subject.start,
            stop=self.subject.stop,
            save_every=1.0,
        )
        paths = {name: np.asarray(found[variable][0], dtype=float) for name, variable in self.outcomes.items()}
        return [
            None if found.failed[0, draw] else {name: path[draw] for name, path in paths.items()}
            for draw in range(len(rows))
        ]

    def _nothing(self) -> Path:
        base = self.subject.base
        return {name: np.full(base[variable][0, 0].shape, np.nan) for name, variable in self.outcomes.items()}


def _by_draw(value: Any, draws: int) -> Any:
    """Broadcast a value to the layout of an ensemble, with draws as the first axis."""
    array = np.asarray(value, dtype=float)
    if array.ndim < 2:
        return np.broadcast_to(array, (draws,))
    return np.broadcast_to(array[0], (draws, *array.shape[2:]))


def sensitivity_tests(
    subject: Subject, effort: Effort, *, seed: int = 0, progress: Callable[[str], None] | None = None
) -> Section:
    """Analyse the sensitivity of the gaps to the parameters."""
    if subject.calibrated is None or subject.base.failed.any():
        reason = "no_ranges" if subject.calibrated is None else "base_fails"
        found = tuple(Judgement.untested(test, reason) for test in ("draws_fail", "modes"))
        return Section(key=KEY, judgements=found)
    runs = GapRuns(subject=subject)
    ranges = factor_ranges(subject.calibrated)
    tell = progress or (lambda _: None)
    tell(Message("one parameter at a time"))
    central = {key: subject.calibrated.estimates[key] for key in ranges}
    national = [name for name in runs.outcomes if name != GAPS[0]]
    runs.ahead(central, CHANGE)
    modes = behavioural_sensitivity(runs.one, central, change=CHANGE, outcomes=national)
    tell(Message("Morris's elementary effects"))
    screened = morris(runs.one, ranges, trajectories=effort.trajectories, seed=seed, batch=runs.batch)
    tables = {"modes": modes, "morris": _national_table(screened, round(subject.clock["stop"]))}
    return Section(key=KEY, judgements=(_draws_fail(screened), _modes(modes)), tables=tables)


def _draws_fail(found: Sensitivity) -> Judgement:
    note = Phrase("runs_failed", {"failed": found.failed, "runs": found.runs})
    return Judgement.of("draws_fail", "morris", found.failed == 0, value=float(found.failed), bound=0.0, note=note)


def _modes(table: pd.DataFrame) -> Judgement:
    changed = table[table["series_changed"] > 0]
    names = ", ".join(dict.fromkeys(str(name) for name in changed["parameter"]))
    note = Phrase("modes_change", {"names": names}) if names else Phrase("modes_stay", {"percent": f"{100 * CHANGE:g}"})
    return Judgement.of(
        "modes",
        ", ".join(dict.fromkeys(str(name) for name in table["outcome"])),
        not names,
        value=float(changed["parameter"].nunique()),
        bound=0.0,
        note=note,
    )


def _national_table(found: Sensitivity, year: int) -> pd.DataFrame:
    """Indices of each outcome in the last year, averaged over regions."""
    parts = []
    for name, indices in found.indices.items():
        national = indices.drop_vars("used")
        regions = [dim for dim in national.dims if dim != "parameter"]
        frame = national.mean(regions).to_dataframe().reset_index()
        parts.append(frame.assign(outcome=f"{name}, mean of regions" if regions else name, year=year))
    return first_columns(pd.concat(parts, ignore_index=True), ["outcome", "parameter", "year"])


def ranking_tests(subject: Subject, draws: int, *, seed: int = 0) -> Section:
    """Rank the shipped policies by the national gap they close in the last year, draw by draw."""
    if subject.calibrated is None or subject.model.spec is None or subject.base.failed.any():
        reason = "no_scenarios" if subject.calibrated is None else "base_fails"
        return Section(key=RANKING, judgements=(Judgement.untested("best_policy", reason),))
    rng = np.random.default_rng(seed)
    parameters = parameter_draws(subject.model.spec, subject.calibrated.result.fitted, draws, rng)
    scores = policy_scores(subject, parameters)
    found = ranking_sensitivity(scores)
    tables = {"ranking": _order_table(scores, found), "ranking_flips": found.flips}
    return Section(key=RANKING, judgements=tuple(_judged(found)), tables=tables)


def policy_scores(subject: Subject, parameters: Arrays) -> Arrays:
    """Reduction of the national gap to the leading region in the last year by each policy, against its own baseline."""
    calibrated = subject.calibrated
    if calibrated is None:
        return {}
    model = subject.model
    cast = with_comparisons([load_scenario(name, model=model) for name in shipped_scenarios(model)], model=model)
    values = calibrated.values(parameters)
    start, stop = (round(subject.clock[name]) for name in ("start", "stop"))
    values |= scenario_values(cast, model, calibrated.panel.regions, values, (start, stop), step=time_step(model))
    names = model.bindings.variables
    read = [names.national_output_per_head, names.leader_output_per_head]
    run = simulate(model, values, start=start, stop=stop, save_every=stop - start, outcomes=read, throw=False)
    nation, leader = (run[name][..., -1] for name in read)
    gap = 100 * (1 - nation / leader)
    gap = np.where(run.failed, np.nan, gap)
    place = {item.name: number for number, item in enumerate(cast)}
    return {
        item.name: gap[place[item.baseline_name]] - gap[place[item.name]]
        for item in cast
        if item.baseline_name != item.name
    }


def _judged(found: RankingSensitivity) -> list[Judgement]:
    pairs = found.flips
    worst = pairs.sort_values("share", ascending=False, kind="stable").iloc[0]
    unsure = int((pairs["share"] > PAIR_FLIPS).sum())
    return [
        Judgement.of(
            "best_policy",
            str(found.order[0]),
            found.best_flips <= BEST_FLIPS,
            value=float(found.best_flips),
            bound=BEST_FLIPS,
            note=Phrase("best_flips", {"used": found.used, "failed": found.failed, "kendall": f"{found.kendall:.2f}"}),
        ),
        Judgement.of(
            "policy_order",
            f"{worst['better']}, {worst['worse']}",
            unsure == 0,
            value=float(worst["share"]),
            bound=PAIR_FLIPS,
            note=Phrase("pairs_flip", {"unsure": unsure, "all": len(pairs)}),
        ),
    ]


def _order_table(scores: Arrays, found: RankingSensitivity) -> pd.DataFrame:
    rows = [
        {
            "rank": place,
            "policy": name,
            "mean": float(np.nanmean(scores[name])),
            "p05": float(np.nanquantile(scores[name], 0.05)),
            "p95": float(np.nanquantile(scores[name], 0.95)),
            "probability_best": float(found.probability_best[name]),
        }
        for place, name in enumerate(found.order, start=1)
    ]
    return pd.DataFrame(rows)
