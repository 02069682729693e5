"""All figures of a projection."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from pysd_runner.errors import UnknownName, suggest
from pysd_runner.plots import ReportFigure, plot_differences, plot_dispersion, plot_gaps, plot_tiles
from pysd_runner.projection import Projection

# What a policy changes is shown for these; all of them are of the nation.
OUTPUT = "national_output"
# A gap takes two.
FEWEST = 2
DIFFERENCES = ("national_gap", "theil", OUTPUT)


class Draw(Protocol):
    """Draws a figure in a language."""

    def __call__(self, *, lang: str) -> ReportFigure:
        """Return the figure."""


Jobs = list[tuple[str, Draw]]


def figure_jobs(projection: Projection, *, kinds: Sequence[str] = (), scenarios: Sequence[str] = ()) -> Jobs:
    """Figures of a projection, each by the name of its files and as a function that draws it.

    Parameters
    ----------
    projection
        What to draw.
    kinds
        From `KINDS`; empty for all that the projection has data for.
    scenarios
        Scenarios that get figures of their own; empty for all policies.

    Returns
    -------
    list
        Name without ending, and the function; call it with ``lang="en"`` or ``lang="zh"``.

    Raises
    ------
    UnknownName
        If there is no such kind or scenario.
    """
    for kind in kinds:
        if kind not in _JOBS:
            raise UnknownName(f"no figure is of kind {kind!r}; choose from {', '.join(KINDS)}.{suggest(kind, KINDS)}")
    for name in scenarios:
        if name not in projection.scenarios:
            known = projection.scenarios
            raise UnknownName(
                f"the results hold no scenario {name!r}; they hold {', '.join(known)}.{suggest(name, known)}"
            )
    shown = list(scenarios or projection.policies or projection.scenarios)
    return [job for kind in kinds or KINDS for job in _JOBS[kind](projection, shown)]


def _differences(projection: Projection, shown: Sequence[str]) -> Jobs:
    """One figure for each quantity and each set of assumptions."""
    by_baseline: dict[str, list[str]] = {}
    for name in shown:
        if projection.baselines[name] != name:
            by_baseline.setdefault(projection.baselines[name], []).append(name)
    jobs: Jobs = []
    for baseline, names in by_baseline.items():
        ending = "" if len(by_baseline) == 1 else f"_{baseline}"
        for quantity in DIFFERENCES:
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


def _as_share(values: Any, baseline: str) -> Any:
    """Output as a share of the baseline's under the same draw: money of one year says little about another."""
    share = values / values.sel(scenario=baseline, drop=True).drop_vars(["label_en", "label_zh"], errors="ignore")
    share.attrs = {
        "includes": values.attrs.get("includes", "parameters"),
        "units": "Dmnl",
        "label_en": "National output, % of the baseline's",
        "label_zh": "全国产出（基准的百分比）",
    }
    return share.rename(f"{OUTPUT}_share")


def _classes(projection: Projection, shown: Sequence[str]) -> Jobs:
    """Gaps by class with the dispersion over all regions, where there are classes to compare."""
    if "class_gap" not in projection.data or projection.data.sizes["class"] < FEWEST:
        return []
    history = projection.history if "class_gap" in projection.history else None
    return [(f"classes_{name}", _of_one(plot_dispersion, projection.data, history, projection, name)) for name in shown]


def _gaps(projection: Projection, shown: Sequence[str]) -> Jobs:
    if projection.gaps.sizes["region"] < FEWEST:
        return []
    history = projection.history.get("gap_to_leader")
    return [(f"gaps_{name}", _of_one(plot_gaps, projection.gaps, history, projection, name)) for name in shown]


def _tiles(projection: Projection, shown: Sequence[str]) -> Jobs:
    if projection.gaps.sizes["region"] < FEWEST:
        return []
    history = projection.history.get("gap_to_leader")
    return [(f"tiles_{name}", _of_one(plot_tiles, projection.gaps, history, projection, name)) for name in shown]


def _of_one(plot: Callable[..., ReportFigure], values: Any, history: Any, projection: Projection, name: str) -> Draw:
    """Figure of one scenario beside its baseline."""
    return partial(
        plot,
        values,
        history,
        origin=projection.origin,
        scenario=name,
        baseline=projection.baselines[name],
    )


_JOBS: dict[str, Callable[[Projection, Sequence[str]], Jobs]] = {
    "differences": _differences,
    "classes": _classes,
    "gaps": _gaps,
    "tiles": _tiles,
}

KINDS = tuple(_JOBS)
