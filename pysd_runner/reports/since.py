"""What moved since earlier results, and why: one thing after the other is exchanged, on the same draws."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.numbers import written
from pysd_runner.data import Data
from pysd_runner.data.names import VARIABLES
from pysd_runner.data.update import SAME, observed_in, spans
from pysd_runner.export.files import Tabled
from pysd_runner.model import Model, load_model
from pysd_runner.reports.brief_paths import Paths, paths_of, regions_of
from pysd_runner.reports.document import aligned, filled
from pysd_runner.reports.headline import label_of
from pysd_runner.reports.panels import Area, find_place
from pysd_runner.reports.replay import read_inputs
from pysd_runner.scenarios import Scenario
from pysd_runner.spec import Baseline, FittedParameters
from pysd_runner.study.future import Future
from pysd_runner.study.inputs import last_origin
from pysd_runner.study.labelling import RECORD
from pysd_runner.study.loading import check_files, load_future, read_run_record
from pysd_runner.study.projection import project, recorded_model
from pysd_runner.text import said

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Forecast = Callable[..., Baseline | None]
Progress = Callable[[str, int, int], None]

# Parts of the draws whose medians give the Monte Carlo error of a change, and draws needed for it.
PARTS, LEAST = 10, 50
# Columns that are listed in a table, and draws with which columns are left out one by one.
NAMED = 3
FEW = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Swap:
    """Inputs of which one differs from those of the step before."""

    what: str
    panel: Data
    fitted: FittedParameters | None
    columns: tuple[str, ...] = ()  # columns that this step drops


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """The results of a step for one place."""

    measure: str
    outlook: float
    effects: dict[str, Array]  # by policy, shape (draw,)

    def middle(self, mix: str) -> float:
        """Median effect of a policy."""
        return float(np.median(self.effects[mix]))

    @property
    def best(self) -> str:
        """The policy with the largest median effect."""
        return max(self.effects, key=self.middle)


@dataclass(frozen=True, kw_only=True, slots=True)
class Since(Tabled):
    """How outlook and effects move from the earlier results to the new inputs, step by step."""

    earlier: Future
    places: Sequence[Area]
    steps: Sequence[str]  # what differs from the step before; the first are the earlier results
    seen: Sequence[Sequence[Seen]]  # by place and step
    alone: Mapping[int, Sequence[str]]  # columns of which each turns an answer by itself, by place
    gone: Sequence[str]  # all columns that the panel lacks

    def table(self) -> "pd.DataFrame":
        """One row for each place, step and policy."""
        import pandas as pd

        rows = [
            {
                "place": place.names["en"],
                "measure": now.measure,
                "step": at,
                "what": str(self.steps[at]),
                "policy": mix,
                "outlook": now.outlook,
                "effect": now.middle(mix),
                "change": now.middle(mix) - found[max(at - 1, 0)].middle(mix),
                "change_error": error_of(found[max(at - 1, 0)].effects[mix], now.effects[mix]),
            }
            for place, found in zip(self.places, self.seen, strict=True)
            for at, now in enumerate(found)
            for mix in now.effects
        ]
        return pd.DataFrame(rows)

    def lines(self, lang: str) -> Iterator[str]:
        """A table for each place, and a sentence on every answer that turns round."""
        last = int(self.earlier.data["year"][-1])
        for at, (place, found) in enumerate(zip(self.places, self.seen, strict=True)):
            yield ""
            yield Message(_TITLES[found[0].measure].template, name=place.names[lang], year=last)
            mixes = list(found[0].effects)
            labels = [label_of(self.earlier, None, mix, lang) for mix in mixes]
            rows = [["", said(Message("without policy"), lang), *labels]]
            for step, now in enumerate(found):
                before = found[step - 1] if step else None
                cells = [_cell(None if before is None else before.effects[mix], now.effects[mix]) for mix in mixes]
                rows.append([said(self.steps[step], lang), written(now.outlook, 1), *cells])
            yield from aligned(rows, indent=2)
            for step in range(1, len(found)):
                for text in self._turns(at, step, lang):
                    yield from filled(said(text, lang), indent=2)
        yield ""
        if len(self.gone) > NAMED:
            columns = Message("The columns that the panel lacks: {columns}.", columns=", ".join(self.gone))
            yield from filled(said(columns, lang))
        yield from filled(said(NOTE, lang))

    def _turns(self, at: int, step: int, lang: str) -> Iterator[Message]:
        """Sentences on the answers that a step turns round."""
        before, now = self.seen[at][step - 1 : step + 1]
        alone = self.alone.get(at, []) if step == 1 else []
        cause = Message("{what}; the loss of {columns} alone does it", what=self.steps[step], columns=" / ".join(alone))
        told = {"name": self.places[at].names[lang], "what": cause if alone else self.steps[step]}
        for mix in turned(before, now):
            yield Message(
                "{name}: “{policy}” turns from {before} to {after}; the cause is: {what}.",
                policy=label_of(self.earlier, None, mix, lang),
                before=written(before.middle(mix), 2, signed=True),
                after=written(now.middle(mix), 2, signed=True),
                **told,
            )
        if before.best != now.best:
            yield Message(
                "{name}: best of these is no longer “{before}” but “{after}”; the cause is: {what}.",
                before=label_of(self.earlier, None, before.best, lang),
                after=label_of(self.earlier, None, now.best, lang),
                **told,
            )


NOTE = Message(
    "In brackets: the change from the row above, ± two standard errors due to the number of simulations. A policy that "
    "starts later has less time until the last year."
)
_TITLES = {
    "relative": Message(
        "{name}: output per head in {year}, % of the national mean, and what policies add, percentage points"
    ),
    "leader": Message("{name}: gap to the leading region in {year}, %, and what policies close, percentage points"),
    "laggards": Message("{name}: shortfall below the mean in {year}, %, and what policies close, points"),
}


def moved(
    folder: Path,
    now: Data,
    names: Sequence[str],
    *,
    forecast: Forecast,
    fitted: Callable[[Model], FittedParameters] | None = None,
    progress: Progress,
) -> Since:
    """Exchange the inputs of earlier results for new ones, one thing at a time.

    Parameters
    ----------
    folder
        Folder of results of a run.
    now
        The panel now, with the regions of that run.
    names
        Regions, classes or the nation.
    forecast
        Makes the forecast without policy of a panel and a fit.
    fitted
        Makes the new fit for the model, the last step; None keeps the parameters of the earlier one.
    progress
        Called with what is done, the number of finished steps and of all.

    Raises
    ------
    InvalidInput
        If the panel has other regions than the results, or lacks population that they had.
    """
    record = read_run_record(folder / RECORD)
    check_files(folder, record)
    inputs, earlier = read_inputs(record["inputs"], folder), load_future(folder)
    then = inputs.panel
    if set(then.codes) != set(now.codes):
        raise InvalidInput(
            "{folder} holds results of other regions than panel {panel!r}; give results of the same ones (--since)",
            folder=folder,
            panel=now.name,
        )
    if ("population" in then) != ("population" in now):
        raise InvalidInput(
            "only one of panel {panel!r} and the results in {folder} has population, without which gaps are other "
            "ones: they cannot be compared (--since)",
            panel=now.name,
            folder=folder,
        )
    places = [find_place(name, regions_of(earlier)) for name in names]
    model = load_model(recorded_model(record), regions=len(now.regions))
    seen = now.subset(times=range(now.years[0], last_origin(now) + 1))
    steps = [
        Swap(what=what, panel=panel, fitted=inputs.fitted, columns=gone) for what, panel, gone in between(then, seen)
    ]
    if fitted is not None:
        steps.append(Swap(what=Message("a new fit"), panel=seen, fitted=fitted(model)))
    scenarios = [Scenario.from_dict(item) for item in record["scenarios"]]
    settings = {key: record["settings"][key] for key in ("until", "seed", "yuan_per_unit")}

    def made(step: Swap, draws: int, ahead: Baseline | None) -> list[Seen]:
        found = project(model, step.panel, scenarios, step.fitted, baseline=ahead, draws=draws, **settings)
        return [_seen(paths_of(found, place, earlier.policies)) for place in places]

    draws = int(record["settings"]["draws"])
    results = [[_seen(paths_of(earlier, place, earlier.policies)) for place in places]]
    for count, step in enumerate(steps):
        progress(step.what, count, len(steps))
        ahead = None
        if inputs.baseline is not None:
            ahead = forecast(
                model, step.panel, step.fitted, until=settings["until"], draws=draws, seed=settings["seed"]
            )
        results.append(made(step, draws, ahead))
    by_place = list(zip(*results, strict=True))
    alone: dict[int, list[str]] = {}
    turning = [at for at, found in enumerate(by_place) if steps and steps[0].columns and turned(found[0], found[1])]
    for group in groups_of(steps[0].columns) if turning and len(steps[0].columns) > 1 else ():
        progress(Message("leaving out {columns} alone", columns=", ".join(group)), 1, len(steps))
        single = Swap(what="", panel=without(then, group), fitted=inputs.fitted)
        for at, found in enumerate(made(single, min(FEW, draws), inputs.baseline)):
            if at in turning and turned(by_place[at][0], found):
                alone.setdefault(at, []).append(", ".join(group))
    names_of = [Message("earlier results"), *(step.what for step in steps)]
    return Since(
        earlier=earlier,
        places=places,
        steps=names_of,
        seen=by_place,
        alone=alone,
        gone=steps[0].columns if steps else (),
    )


def between(then: Data, now: Data) -> Iterator[tuple[str, Data, tuple[str, ...]]]:
    """Panels on the way from one to another, what each changes, and the columns that it drops."""
    state = then
    gone = tuple(name for name in observed_in(then) if name not in now.variables)
    gone += tuple(name for name in then.national if name not in now.national)
    if gone:
        state = without(state, gone, now.variables)
        yield _of_columns(Message("without {columns}", columns=", ".join(gone)), gone), state, gone
    years = [year for year in then.years if year in now.years]
    if not years:
        raise InvalidInput("the panel shares no year with the earlier results")
    if len(years) < len(then.years):
        state = state.subset(times=years)
        yield Message("without {years}", years=spans([year for year in then.years if year not in years])), state, ()
    seen = now.subset(entities=then.codes, times=years)
    order = [seen.codes.index(code) for code in state.codes]
    own = {name: seen.array(name)[order] for name in seen.variables}
    fresh = [name for name in observed_in(now) if name not in then.variables]
    fresh += [name for name in now.national if name not in then.national]
    kept = {name: state.array(name) if name in state.variables else array for name, array in own.items()}
    with_columns = state.with_values(kept, {name: seen.units[name] for name in kept})
    with_columns = with_columns.with_national({**now.national, **state.national})
    if fresh:
        state = with_columns
        yield Message("with {columns}", columns=", ".join(fresh)), state, ()
    cells = sum(
        int((~np.isclose(kept[name], own[name], rtol=SAME, atol=0, equal_nan=True)).sum()) for name in observed_in(seen)
    )
    pairs = [(now.national[name], series) for name, series in state.national.items()]
    cells += sum(
        first.get(year) != value for first, series in pairs for year, value in series.items() if year <= years[-1]
    )
    if cells:
        state = with_columns.with_values(own).with_national(now.national)
        yield Message("{count} revised figures", count=cells), state, ()
    later = [year for year in now.years if year not in years]
    if later:
        yield Message("figures of {years}", years=spans(later)), now, ()


def _of_columns(named: Message, gone: Sequence[str]) -> Message:
    return named if len(gone) <= NAMED else Message("without {count} columns", count=len(gone))


def groups_of(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Columns that serve the same computed one, together; each other column by itself."""
    served = [tuple(need for need in item.needs if need in names) for item in VARIABLES.values()]
    groups = [group for group in served if group]
    return groups + [(name,) for name in names if not any(name in group for group in groups)]


def without(panel: Data, names: Sequence[str], kept: Collection[str] = ()) -> Data:
    """A panel without some columns, and without those computed from them unless they are to be kept."""
    computed = set(panel.variables) - set(observed_in(panel)) - set(kept)
    left = [
        name
        for name in panel.variables
        if name not in names and not (name in computed and set(VARIABLES[name].needs) & set(names))
    ]
    national = {name: series for name, series in panel.national.items() if name not in names}
    return panel.with_values({name: panel.array(name) for name in left}).with_national(national)


def _seen(paths: Paths) -> Seen:
    last = int(paths.levels["year"][-1])
    outlook = paths.level(paths.ground, last).middle
    return Seen(measure=paths.measure, outlook=outlook, effects={mix: paths.changes(mix, last) for mix in paths.mixes})


def turned(before: Seen, now: Seen) -> list[str]:
    """Policies whose median effect changes its sign, by more than twice its Monte Carlo error."""
    found = []
    for mix in now.effects:
        first, second = before.middle(mix), now.middle(mix)
        size = min(before.effects[mix].size, now.effects[mix].size)
        error = error_of(before.effects[mix][:size], now.effects[mix][:size])
        if first * second < 0 and not abs(second - first) < 2 * error:
            found.append(mix)
    return found


def error_of(before: Array, after: Array) -> float:
    """Monte Carlo standard error of a change of a median, paired by draw; NaN with few draws."""
    if before.size != after.size or before.size < LEAST:
        return np.nan
    parts = zip(np.array_split(before, PARTS), np.array_split(after, PARTS), strict=True)
    return float(np.std([np.median(two) - np.median(one) for one, two in parts], ddof=1) / np.sqrt(PARTS))


def _cell(before: Array | None, now: Array) -> str:
    """A median effect, and how it moved."""
    middle = written(float(np.median(now)), 2, signed=True)
    if before is None:
        return middle
    error = error_of(before, now)
    change = written(float(np.median(now) - np.median(before)), 2, signed=True)
    return f"{middle} ({change}{'' if np.isnan(error) else f' ± {written(2 * error, 2)}'})"
