"""Sensitivity of the outcomes of a fitted model to its parameters: of their modes of behaviour and of their numbers."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from calibration.evaluation.fit import first_columns
from calibration.evaluation.judgement import Judgement, Phrase, Section
from calibration.evaluation.subject import Subject
from calibration.fitting.space import prior_quantile
from calibration.sdeval import Sensitivity, behavioural_sensitivity, morris
from pysd_runner.core.errors import InvalidInput, Message, SimulationFailed
from pysd_runner.core.types import Array, Interval, Numbers, Texts, frozen
from pysd_runner.simulation import simulate
from pysd_runner.spec import Parameter
from pysd_runner.study.inputs import declared_in, values_at

Path = dict[str, Array]

KEY = "sensitivity"

# Normal quantile of the bounds of a 90 % interval.
NINETY = 1.6448536269514722

# Relative change of a parameter in the one-at-a-time analysis.
CHANGE = 0.1

# Numbers of trajectories of the Morris design; each has one run more than there are parameters.
TRAJECTORIES, QUICK = 10, 4


def factor_ranges(subject: Subject) -> dict[str, Interval]:
    """Parameters to vary, with their lower and upper values."""
    if subject.fit is None:
        return {}
    estimated = {item.key: (item.low, item.high) for item in subject.fit.parameters}
    fixed = set(subject.fit.fitted.fixed)
    found: dict[str, Interval] = {}
    for key, item in declared_in(subject.fit.fitted, subject.model).parameters.items():
        if key in fixed or item.role == "POL" or not item.variable:
            continue
        ends = estimated[key] if key in estimated else _prior_range(item)
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
class OutcomeRuns:
    """Runs a fitted model for parameter vectors and returns the paths of its outcomes."""

    subject: Subject

    @property
    def outcomes(self) -> Texts:
        """Variables of the analysed outcomes by key: those shown first of all results, or else the stocks."""
        design = self.subject.model.design
        keys = (*design.leading, *design.leading_places)
        shown = {key: design.outcomes[key].variable for key in keys if key in design.outcomes}
        return shown or {name: name for name in self.subject.outcomes}

    def one(self, parameters: Numbers) -> Path:
        """Outcomes for one parameter vector at every saved time."""
        (found,) = self._all([parameters])
        if found is None:
            raise SimulationFailed("values that are not finite")
        return found

    def batch(self, rows: Sequence[Numbers]) -> list[Path | None]:
        """Outcomes for many parameter vectors at the last time; None for each run that fails."""
        return [
            None if item is None else {name: path[..., -1] for name, path in item.items()} for item in self._all(rows)
        ]

    def _all(self, rows: Sequence[Numbers]) -> list[Path | None]:
        """Paths of all rows from one run; row by row if the initial state of some row cannot be computed."""
        subject = self.subject
        if subject.inputs is None:
            raise InvalidInput("a model without a fit has no parameters to move; evaluate it with Subject.of_fit")
        central = subject.estimates
        arrays = {key: np.array([row.get(key, value) for row in rows]) for key, value in central.items()}
        try:
            values = values_at(subject.inputs, arrays)
        except SimulationFailed:
            return [None] if len(rows) == 1 else [self._all([row])[0] for row in rows]
        run = simulate(
            subject.model,
            values,
            start=subject.start,
            stop=subject.stop,
            save_every=subject.save_every,
            outcomes=list(self.outcomes.values()),
            throw=False,
        )
        return [
            None if run.failed[0, draw] else {name: run[variable][0, draw] for name, variable in self.outcomes.items()}
            for draw in range(len(rows))
        ]


def sensitivity_tests(
    subject: Subject, trajectories: int, *, seed: int = 0, progress: Callable[[str], None] | None = None
) -> Section:
    """Analyse the sensitivity of the outcomes to the parameters."""
    if subject.fit is None or subject.base.failed.any():
        reason = "no_ranges" if subject.fit is None else "base_fails"
        found = tuple(Judgement.untested(test, reason) for test in ("draws_fail", "modes"))
        return Section(key=KEY, judgements=found)
    runs = OutcomeRuns(subject=subject)
    ranges = factor_ranges(subject)
    tell = progress or (lambda _: None)
    tell(Message("one parameter at a time"))
    estimates = subject.estimates
    # A change of mode in one of many elements is not informative: if there are scalar outcomes, only these are tested.
    totals = [name for name, variable in runs.outcomes.items() if not subject.model.variables[variable].dims]
    central = {key: estimates[key] for key in ranges}
    modes = behavioural_sensitivity(runs.one, central, change=CHANGE, outcomes=totals or None)
    tell(Message("Morris's elementary effects"))
    screened = morris(runs.one, ranges, trajectories=trajectories, seed=seed, batch=runs.batch)
    tables = {"modes": modes, "morris": _averaged(screened, subject.clock["stop"])}
    return Section(key=KEY, judgements=(_draws_fail(screened), *_modes(modes)), tables=tables)


def _draws_fail(found: Sensitivity) -> Judgement:
    note = Phrase("runs_failed", {"failed": found.failed, "runs": found.runs})
    return Judgement.of("draws_fail", "morris", found.failed == 0, value=float(found.failed), bound=0.0, note=note)


def _modes(table: pd.DataFrame) -> Iterator[Judgement]:
    """One judgement per outcome: which parameters change its mode of behaviour."""
    for outcome, rows in table.groupby("outcome", sort=False):
        names = list(dict.fromkeys(rows.loc[rows["series_changed"] > 0, "parameter"]))
        yield Judgement.of(
            "modes",
            str(outcome),
            not names,
            value=float(len(names)),
            bound=0.0,
            note=Phrase("modes_change", {"names": ", ".join(names)})
            if names
            else Phrase("modes_stay", {"percent": f"{100 * CHANGE:g}"}),
        )


def _averaged(found: Sensitivity, time: float) -> pd.DataFrame:
    """Indices of each outcome at the last time, averaged over its elements."""
    parts = []
    for name, indices in found.indices.items():
        whole = indices.drop_vars("used")
        elements = [dim for dim in whole.dims if dim != "parameter"]
        frame = whole.mean(elements).to_dataframe().reset_index()
        parts.append(frame.assign(outcome=f"{name}, mean" if elements else name, time=time))
    return first_columns(pd.concat(parts, ignore_index=True), ["outcome", "parameter", "time"])
