"""Differences from earlier results and their causes: inputs are exchanged one at a time, on the same draws."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.numbers import written
from pysd_runner.core.types import Array, frozen
from pysd_runner.data import Data
from pysd_runner.data.update import SAME_FIGURE, observed_in, spans
from pysd_runner.export.files import Tabled
from pysd_runner.model import Model
from pysd_runner.reports.brief_paths import paths_of, regions_of
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
from pysd_runner.study.projection import model_again, project
from pysd_runner.text import translated

if TYPE_CHECKING:
    import pandas as pd

Forecast = Callable[..., Baseline | None]
Progress = Callable[[str, int, int], None]

# Parts of the draws whose medians give the Monte Carlo error of a change, and draws needed for it.
PARTS, LEAST = 10, 50
# Number of columns that are listed in a row of the table.
NAMED = 3


@frozen
class Since(Tabled):
    """Changes of outlook and effects between earlier results and new inputs, step by step."""

    earlier: Future
    places: Sequence[Area]
    steps: Sequence[str]  # change from the step before; the first step holds the earlier results
    found: Sequence["pd.DataFrame"]  # a table for each place
    gone: Sequence[str]  # columns that the panel lacks

    def table(self) -> "pd.DataFrame":
        """One row for each place, step and policy."""
        import pandas as pd

        return pd.concat(self.found, ignore_index=True)

    def lines(self, lang: str) -> Iterator[str]:
        """A table for each place, and a sentence on every result that is reversed."""
        for place, found in zip(self.places, self.found, strict=True):
            yield ""
            title = _TITLES[found["measure"][0]].template
            yield Message(title, name=place.names[lang], year=int(self.earlier.data["year"][-1]))
            labels = [self._label(mix, lang) for mix in found["policy"].unique()]
            rows = [["", translated(Message("without policy"), lang), *labels]]
            for what, (_, now) in zip(self.steps, found.groupby("step"), strict=True):
                cells = map(_cell, now.to_dict("records"))
                rows.append([translated(what, lang), written(now["outlook"].iloc[0], 1), *cells])
            yield from aligned(rows, indent=2)
            for text in self._turns(place.names[lang], found, lang):
                yield from filled(translated(text, lang), indent=2)
        yield ""
        if len(self.gone) > NAMED:
            columns = Message("The columns that the panel lacks: {columns}.", columns=", ".join(self.gone))
            yield from filled(translated(columns, lang))
        yield from filled(translated(NOTE, lang))

    def _turns(self, name: str, found: "pd.DataFrame", lang: str) -> Iterator[Message]:
        """Sentences on the results for a place that are reversed."""
        for row in (item for item in found.to_dict("records") if turned(item)):
            yield Message(
                "{name}: “{policy}” turns from {before} to {after}; the cause is: {what}.",
                name=name,
                policy=self._label(row["policy"], lang),
                before=written(row["effect"] - row["change"], 2, signed=True),
                after=written(row["effect"], 2, signed=True),
                what=self.steps[row["step"]],
            )
        best = found.loc[found.groupby("step")["effect"].idxmax(), "policy"]
        for (before, after), what in zip(pairwise(best), self.steps[1:], strict=True):
            if before != after:
                yield Message(
                    "{name}: best of these is no longer “{before}” but “{after}”; the cause is: {what}.",
                    name=name,
                    before=self._label(before, lang),
                    after=self._label(after, lang),
                    what=what,
                )

    def _label(self, mix: str, lang: str) -> str:
        return label_of(self.earlier, None, mix, lang)


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
    """Exchange the inputs of earlier results for new ones, one at a time.

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
    inputs, earlier = read_inputs(record.get("inputs"), folder), load_future(folder)
    then = inputs.panel
    if then is None:
        raise InvalidInput("{folder} holds results without data; nothing can have changed since", folder=folder)
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
    model = model_again(record, now)
    seen = now.subset(times=range(now.years[0], last_origin(now) + 1))
    steps = [(what, panel, inputs.fitted) for what, panel in between(then, seen)]
    if fitted is not None:
        steps.append((Message("a new fit"), seen, fitted(model)))
    scenarios = [Scenario.from_dict(item) for item in record["scenarios"]]
    settings = {key: record["settings"][key] for key in ("until", "seed", "draws")}
    rate = record["settings"]["yuan_per_unit"]

    def futures() -> Iterator[Future]:
        yield earlier
        for count, (what, panel, fit) in enumerate(steps):
            progress(what, count, len(steps))
            ahead = None if inputs.baseline is None else forecast(model, panel, fit, **settings)
            yield project(model, panel, scenarios, fit, baseline=ahead, yuan_per_unit=rate, **settings)

    whats = [Message("earlier results"), *(what for what, *_ in steps)]
    return Since(
        earlier=earlier, places=places, steps=whats, found=_found(futures(), places, whats), gone=lacking(then, seen)
    )


def _found(futures: Iterator[Future], places: Sequence[Area], whats: Sequence[str]) -> "list[pd.DataFrame]":
    """Outlook and effects in the last year at every step, a table for each place."""
    import pandas as pd

    rows: list[list[dict[str, Any]]] = [[] for _ in places]
    known: dict[tuple[int, str], Array] = {}
    for step, future in enumerate(futures):
        for at, place in enumerate(places):
            paths = paths_of(future, place, future.policies)
            last = paths.years[-1]
            for mix in paths.mixes:
                now = paths.changes(mix, last)
                before, known[at, mix] = known.get((at, mix), now), now
                rows[at].append(
                    {
                        "place": place.names["en"],
                        "measure": paths.measure,
                        "step": step,
                        "what": str(whats[step]),
                        "policy": mix,
                        "outlook": paths.level(paths.ground, last).middle,
                        "effect": float(np.median(now)),
                        "change": float(np.median(now) - np.median(before)),
                        "change_error": error_of(before, now),
                    }
                )
    return list(map(pd.DataFrame, rows))


def between(then: Data, now: Data) -> Iterator[tuple[str, Data]]:
    """Intermediate panels between an earlier and a new one, with the change made in each."""
    years = [year for year in then.years if year in now.years]
    if not years:
        raise InvalidInput("the panel shares no year with the earlier results")
    if gone := lacking(then, now):
        then = then.with_values({name: then.array(name) for name in then.variables if name in now.variables})
        then = then.with_national({name: series for name, series in then.national.items() if name in now.national})
        few = Message("without {columns}", columns=", ".join(gone))
        yield few if len(gone) <= NAMED else Message("without {count} columns", count=len(gone)), then
    if left := [year for year in then.years if year not in years]:
        then = then.subset(times=years)
        yield Message("without {years}", years=spans(left)), then
    seen = now.subset(entities=then.codes, times=years)
    order = [then.codes.index(code) for code in seen.codes]
    known = {name: then.array(name)[order] for name in then.variables if name in now.variables}
    old = seen.with_values({**seen.values, **known}).with_national({**now.national, **then.national})
    if fresh := lacking(now, then):
        yield Message("with {columns}", columns=", ".join(fresh)), old
    pairs = [(old.array(name), seen.array(name)) for name in observed_in(seen)]
    revised = sum(int((~np.isclose(*pair, rtol=SAME_FIGURE, atol=0, equal_nan=True)).sum()) for pair in pairs)
    revised += sum(
        now.national[name].get(year) != value
        for name, series in then.national.items()
        for year, value in series.items()
        if year <= years[-1]
    )
    if revised:
        yield Message("{count} revised figures", count=revised), seen
    if later := [year for year in now.years if year not in years]:
        yield Message("figures of {years}", years=spans(later)), now


def lacking(one: Data, other: Data) -> list[str]:
    """Observed columns and national series of a panel that another lacks."""
    columns = [name for name in observed_in(one) if name not in other.variables]
    return columns + [name for name in one.national if name not in other.national]


def turned(row: Mapping[Any, Any]) -> bool:
    """Whether a median effect changed its sign, by more than twice its Monte Carlo error."""
    effect, change = row["effect"], row["change"]
    return effect * (effect - change) < 0 and not abs(change) < 2 * row["change_error"]


def error_of(before: Array, after: Array) -> float:
    """Monte Carlo standard error of a change of a median, paired by draw; NaN with few draws."""
    count = min(before.size, after.size)
    if count < LEAST:
        return np.nan
    parts = zip(np.array_split(before[:count], PARTS), np.array_split(after[:count], PARTS), strict=True)
    return float(np.std([np.median(two) - np.median(one) for one, two in parts], ddof=1) / np.sqrt(PARTS))


def _cell(row: Mapping[Any, Any]) -> str:
    """A median effect, and its change from the step before."""
    middle = written(row["effect"], 2, signed=True)
    if not row["step"]:
        return middle
    error = "" if np.isnan(row["change_error"]) else f" ± {written(2 * row['change_error'], 2)}"
    return f"{middle} ({written(row['change'], 2, signed=True)}{error})"
