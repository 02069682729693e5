"""All figures of a projection."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from pysd_runner.core.errors import UnknownName
from pysd_runner.plots import ReportFigure, plot_differences, plot_dispersion, plot_gaps, plot_tiles
from pysd_runner.plots.mixes import MOST_MIXES
from pysd_runner.reports.brief_paths import chart_of, check_scenarios, regions_of
from pysd_runner.reports.panels import find_place
from pysd_runner.study.future import Future
from pysd_runner.study.showing import first_outcome
from pysd_runner.text import in_both

# National output, drawn as a share of the baseline's.
OUTPUT = "national_output"
# Minimum number of regions or classes for figures of gaps.
MIN_ROWS = 2
DIFFERENCES = ("laggard_gap", "theil_between", OUTPUT)
# Number of regions drawn by default, spread evenly over their ranks in the last observed year.
REGIONS_DRAWN = 6


class Draw(Protocol):
    """Draws a figure in a language."""

    def __call__(self, *, lang: str) -> ReportFigure:
        """Return the figure."""


Jobs = list[tuple[str, Draw]]


def figure_jobs(
    projection: Future, *, kinds: Sequence[str] = (), scenarios: Sequence[str] = (), regions: Sequence[str] = ()
) -> Jobs:
    """Figures of a projection: for each, the name of its files and a function that draws it."""
    known = [name for name, kind in KINDS.items() if kind.needs in ("", *projection.data)]
    for kind in kinds:
        if kind not in known:
            raise UnknownName("no figure is of kind {kind!r}; choose from {known}.{suggestion}", kind=kind, among=known)
    check_scenarios(projection, scenarios)
    for name in regions:
        find_place(name, regions_of(projection))
    shown = list(scenarios or projection.policies or projection.scenarios)
    several = kinds or scenarios
    return [
        job
        for kind in kinds or projection.design.figures
        for job in KINDS[kind].jobs(projection, shown if several or KINDS[kind].of_all else shown[:1], list(regions))
    ]


def spread_regions(projection: Future) -> list[str]:
    """Regions spread evenly over their ranks by output per head in the last observed year, without the first."""
    last = projection.history["output_per_head"].isel(year=-1)
    codes = [str(code) for code in last["region"].to_numpy()[np.argsort(-last.to_numpy(), kind="stable")]]
    if len(codes) <= REGIONS_DRAWN + 1:
        return codes
    return [codes[place] for place in np.round(np.linspace(0, len(codes) - 1, REGIONS_DRAWN + 1)[1:]).astype(int)]


def _differences(
    projection: Future, shown: Sequence[str], _: Sequence[str], quantities: Sequence[str] = DIFFERENCES
) -> Jobs:
    """One figure for each quantity and each set of assumptions."""
    by_baseline: dict[str, list[str]] = {}
    for name in shown:
        if projection.baselines[name] != name:
            by_baseline.setdefault(projection.baselines[name], []).append(name)
    jobs: Jobs = []
    for baseline, names in by_baseline.items():
        ending = "" if len(by_baseline) == 1 else f"_{baseline}"
        for quantity in quantities:
            if quantity in projection.data:
                values = projection.data[quantity]
                draw = partial(
                    plot_differences,
                    _as_share(values, baseline) if quantity == OUTPUT else values,
                    scenarios=names,
                    baseline=baseline,
                )
                jobs.append((f"differences_{quantity}{ending}", draw))
    return jobs


def _mixes(projection: Future, shown: Sequence[str], regions: Sequence[str]) -> Jobs:
    """Figures of all mixes over time, for the nation and each requested region."""
    mixes = _policies(projection, shown)
    nation = ["nation"] if "laggard_gap" in projection.data else []
    places = [find_place(name, regions_of(projection)) for name in (*nation, *regions)] if mixes else []
    return [(f"mixes_{place.file_name}", partial(chart_of, projection, place, mixes)) for place in places]


def _policies(projection: Future, shown: Sequence[str]) -> list[str]:
    """Policies to draw, as many as fit into one figure."""
    return [name for name in shown if projection.baselines[name] != name][:MOST_MIXES]


def _as_share(values: Any, baseline: str) -> Any:
    """Output as a share of the baseline's in the same draw, since amounts of different years are not comparable."""
    share = values / values.sel(scenario=baseline, drop=True).drop_vars(["label_en", "label_zh"], errors="ignore")
    share.attrs = {
        "includes": values.attrs.get("includes", "parameters"),
        "units": "Dmnl",
        **{f"label_{lang}": text for lang, text in in_both("report.output_share").items()},
    }
    return share.rename(f"{OUTPUT}_share")


def _classes(projection: Future, shown: Sequence[str], _: Sequence[str]) -> Jobs:
    """Figures of gaps by class and of dispersion over all regions, if there are classes to compare."""
    if "class_gap" not in projection.data or projection.data.sizes["class"] < MIN_ROWS:
        return []
    history = projection.history if "class_gap" in projection.history else None
    return _of_each(plot_dispersion, projection, projection.data, history, "classes", shown)


def _gaps(projection: Future, shown: Sequence[str], regions: Sequence[str]) -> Jobs:
    codes = list(regions) or spread_regions(projection)
    return _compared(partial(plot_gaps, regions=codes), projection, "gaps", shown)


def _tiles(projection: Future, shown: Sequence[str], regions: Sequence[str]) -> Jobs:
    return _compared(partial(plot_tiles, told=(regions or spread_regions(projection))[0]), projection, "tiles", shown)


def _compared(plot: Callable[..., ReportFigure], projection: Future, kind: str, shown: Sequence[str]) -> Jobs:
    """Figures of gaps by region, if there are regions to compare."""
    if projection.gaps.sizes["region"] < MIN_ROWS:
        return []
    return _of_each(plot, projection, projection.gaps, projection.history.get("gap_to_leader"), kind, shown)


def _of_each(
    plot: Callable[..., ReportFigure], projection: Future, values: Any, history: Any, kind: str, shown: Sequence[str]
) -> Jobs:
    """One figure per scenario, with its baseline."""
    draw = partial(plot, values, history, origin=projection.origin)
    return [(f"{kind}_{name}", partial(draw, scenario=name, baseline=projection.baselines[name])) for name in shown]


def _outcomes(projection: Future, shown: Sequence[str], _: Sequence[str]) -> Jobs:
    """Differences of observed outcomes, or of the first one, from the baseline; then all outcomes, observed first.

    Of arrays are drawn those that are observed, shown first or have a better direction.
    """
    future = of_scenarios(projection, shown)
    first = first_outcome(future)
    drawn = {*future.observed, *future.better, first}
    names = [name for name in future.outcomes if future[name].ndim == 3 or name in drawn]
    names.sort(key=lambda name: (name != first, name not in future.observed))
    changes = [name for name in names if name == first or (future[name].ndim == 3 and name in future.observed)]
    return [
        *(
            (f"{_plain(name)}_difference", partial(future.plot, name, difference=True))
            for name in changes
            if future.policies
        ),
        *((_plain(name), partial(future.plot, name)) for name in names),
    ]


def of_scenarios(projection: Future, shown: Sequence[str]) -> Future:
    """The results of some scenarios, with all baselines."""
    kept = [name for name in projection.scenarios if name in shown or projection.baselines[name] == name]
    return replace(projection, data=projection.data.sel(scenario=kept))


def _plain(name: str) -> str:
    return "".join(sign if sign.isalnum() else "_" for sign in name).strip("_").casefold() or "outcome"


@dataclass(frozen=True, slots=True)
class FigureKind:
    """A kind of figure that reports draw, with the function that draws it."""

    jobs: Callable[[Future, Sequence[str], Sequence[str]], Jobs]  # arguments: projection, scenarios and regions
    of_all: bool = False  # shows all policies at once
    needs: str = ""  # outcome without which there is none


# The design of a study states which are drawn by default.
KINDS = {
    "mixes": FigureKind(_mixes, of_all=True, needs="gap_to_leader"),
    "output": FigureKind(partial(_differences, quantities=(OUTPUT,)), of_all=True, needs=OUTPUT),
    "differences": FigureKind(_differences, of_all=True, needs="gap_to_leader"),
    "classes": FigureKind(_classes, needs="gap_to_leader"),
    "gaps": FigureKind(_gaps, needs="gap_to_leader"),
    "tiles": FigureKind(_tiles, needs="gap_to_leader"),
    "outcomes": FigureKind(_outcomes, of_all=True),
}
