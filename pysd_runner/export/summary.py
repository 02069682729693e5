"""One row for each scenario: what it changes against the baseline, how surely, and who loses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from pysd_runner.errors import InvalidInput, UnknownName, suggest
from pysd_runner.export.baselines import baselines_of
from pysd_runner.export.layout import in_layout
from pysd_runner.export.words import LANGUAGES, has_word, word
from pysd_runner.indicators import gap_closed, halving_time, indicators_of, probability_of

LEVELS = {"p05": 0.05, "p50": 0.50, "p95": 0.95}

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What each scenario changes against the baseline in one year.

    Attributes
    ----------
    frame
        One row for each scenario, baselines first; columns ``<measure>_p05``, ``_p50``, ``_p95`` for
        ``gap_closed`` and ``class_gap_closed:<class>`` (percentage points, positive = the gap is smaller),
        ``theil_change``, ``sigma_change`` (index points, negative = more equal), ``output_change`` (per cent
        of national output) and ``halving_time`` (years, ``inf`` = the gap does not fall);
        ``probability_gap_below``, ``probability_gap_falls`` (0 to 1) and ``regions_likely_below`` (a number
        of regions). What compares with the baseline is missing in its own row.
    below_baseline
        Probability that output per head of a region (columns, by code) lies below the baseline's, by
        scenario.
    baselines
        Baseline of each scenario that has one.
    year, start
        Year compared, and first year of the results.
    draws, failed
        Paired draws used, and those left out because some number was missing.
    labels
        Printed names of scenarios, regions and classes, by language.
    """

    frame: pd.DataFrame
    below_baseline: pd.DataFrame
    baselines: Mapping[str, str]
    year: int
    start: int
    draws: int
    failed: int
    labels: Mapping[str, Mapping[str, str]]


def summary_table(
    output: xr.DataArray,
    population: xr.DataArray,
    *,
    baseline: str | Mapping[str, str] = "baseline",
    year: int | None = None,
    classes: Sequence[str] | None = None,
) -> Summary:
    r"""Summarise what each scenario changes against the baseline, draw by draw.

    The leader gap is that of the nation, :math:`1 - y / \max_i y_i` with :math:`y` national output per head,
    which equals the population-weighted mean of the regions' gaps.

    Parameters
    ----------
    output
        Output of each region; dims (scenario, draw, region, year), the draws of all scenarios in the same
        order; the coordinate ``group`` of the regions gives their classes.
    population
        People in each region; same dims or fewer.
    baseline
        What is compared with: one scenario, or the baseline of each by name, where assumptions differ.
    year
        Year compared; default: the last.
    classes
        Classes whose gap to the leading class is reported; default: the one with the widest gap under the
        baseline.

    Returns
    -------
    Summary
        Table, probabilities by region, and what is needed to print them.

    Raises
    ------
    UnknownName
        If the baseline or a class is not there.
    InvalidInput
        If the year is not there, or no draw has all numbers.
    """
    full, people = in_layout(output, what="output"), in_layout(population, what="population")
    full, people = xr.broadcast(full, people) if people.sizes == full.sizes else (full, _like(people, full))
    known = [str(name) for name in full["scenario"].to_numpy()]
    pairs = baselines_of(known, baseline)
    full, people, failed = _complete_draws(full, people)
    years = full["year"].to_numpy()
    when = int(years[-1] if year is None else year)
    if when not in years:
        raise InvalidInput(f"year {when} is not in the results, which run from {years[0]:g} to {years[-1]:g}")
    found = indicators_of(full, people)
    references = tuple(dict.fromkeys(pairs.values()))
    chosen = _chosen_classes(found, classes, references[0], when)
    ordered = [*references, *pairs]
    compared = {name: pairs.get(name, name) for name in ordered}
    below = _below(full / people, compared, when)
    frame = pd.DataFrame(
        [_row(found, name, other, when, chosen) for name, other in compared.items()],
        index=pd.Index(ordered, name="scenario"),
    )
    frame["regions_likely_below"] = (below > 0.5).sum(axis=1).astype(float).where(frame.index.isin(list(pairs)))
    return Summary(
        frame=frame,
        below_baseline=below,
        baselines=pairs,
        year=when,
        start=int(years[0]),
        draws=int(full.sizes["draw"]),
        failed=failed,
        labels=_labels(full, chosen),
    )


def _like(people: xr.DataArray, full: xr.DataArray) -> xr.DataArray:
    """Population with the dimensions of output, repeated where it has one scenario or draw."""
    for dim in ("scenario", "draw"):
        if people.sizes[dim] == 1 and full.sizes[dim] > 1:
            people = people.isel({dim: 0}, drop=True)
    return people.broadcast_like(full).transpose(*full.dims)


def _complete_draws(full: xr.DataArray, people: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray, int]:
    """Draws that have every number under every scenario, and how many have not."""
    whole = np.isfinite(full.to_numpy() * people.to_numpy()).all(axis=(0, 2, 3))
    if not whole.any():
        raise InvalidInput(f"none of the {whole.size} draws has all numbers under all scenarios; nothing to compare")
    return full.isel(draw=whole), people.isel(draw=whole), int((~whole).sum())


def _chosen_classes(found: xr.Dataset, classes: Sequence[str] | None, baseline: str, year: int) -> tuple[str, ...]:
    """Classes reported: those asked for, or all behind the leading one, the widest gap first."""
    if "class_gap" not in found:
        if classes:
            raise UnknownName("no classes: output has no coordinate `group`; add one value for each region")
        return ()
    known = [str(name) for name in found["class"].to_numpy()]
    for name in classes or ():
        if name not in known:
            raise UnknownName(f"no class is called {name!r}; there are {', '.join(known)}.{suggest(name, known)}")
    if classes is not None:
        return tuple(classes)
    gaps = found["class_gap"].sel(scenario=baseline, year=year).median("draw").to_numpy()
    return tuple(known[place] for place in np.argsort(-gaps, kind="stable") if gaps[place] > 0)


def _row(found: xr.Dataset, scenario: str, baseline: str, year: int, classes: Sequence[str]) -> dict[str, float]:
    """Measures of one scenario."""
    own, reference = found.sel(scenario=scenario), found.sel(scenario=baseline)
    at, against = own.sel(year=year), reference.sel(year=year)
    changes = {"gap_closed": gap_closed(against["national_gap"], at["national_gap"])}
    for name in classes:
        changes[f"class_gap_closed:{name}"] = gap_closed(
            against["class_gap"].sel({"class": name}), at["class_gap"].sel({"class": name})
        )
    changes["theil_change"] = (at["theil"] - against["theil"]).to_numpy()
    changes["sigma_change"] = (at["sigma"] - against["sigma"]).to_numpy()
    changes["output_change"] = (100 * (at["national_output"] / against["national_output"] - 1)).to_numpy()
    is_baseline = scenario == baseline
    row: dict[str, float] = {}
    for name, values in changes.items():
        row |= _quantiles(name, np.full_like(values, np.nan) if is_baseline else values)
    smaller = probability_of(changes["gap_closed"] > 0, axis=0)
    path = own["national_gap"].transpose("draw", "year").to_numpy()
    until = path[:, : int(np.flatnonzero(found["year"].to_numpy() == year)[0]) + 1]
    row["probability_gap_below"] = np.nan if is_baseline else float(smaller)
    row["probability_gap_falls"] = float(probability_of(until[:, -1] < until[:, 0], axis=0))
    return row | _quantiles("halving_time", _halving(until, found["year"].to_numpy()[: until.shape[1]]))


def _halving(path: FloatArray, years: FloatArray) -> FloatArray:
    """Halving times, missing when there is only one year."""
    return halving_time(path, years) if len(years) > 1 else np.full(len(path), np.nan)


def _quantiles(name: str, values: FloatArray) -> dict[str, float]:
    """Three quantiles of a measure; the order statistics beside them where some values are infinite."""
    method = "linear" if np.isfinite(values).all() else "inverted_cdf"
    return {f"{name}_{key}": float(np.quantile(values, level, method=method)) for key, level in LEVELS.items()}  # type: ignore[call-overload]


def _below(per_head: xr.DataArray, compared: Mapping[str, str], year: int) -> pd.DataFrame:
    """Probability that output per head lies below the baseline's, by scenario and region."""
    at = per_head.sel(year=year).transpose("scenario", "draw", "region")
    rows = {
        name: probability_of(at.sel(scenario=name).to_numpy() < at.sel(scenario=other).to_numpy(), axis=0)
        for name, other in compared.items()
    }
    columns = pd.Index([str(code) for code in per_head["region"].to_numpy()], name="region")
    frame = pd.DataFrame(list(rows.values()), index=pd.Index(list(rows), name="scenario"), columns=columns)
    frame.loc[[name for name, other in compared.items() if name == other]] = np.nan
    return frame


def _labels(full: xr.DataArray, classes: Sequence[str]) -> dict[str, dict[str, str]]:
    """Printed names by language."""
    labels: dict[str, dict[str, str]] = {}
    for lang in LANGUAGES:
        own = {name: word(f"class.{name}", lang) if has_word(f"class.{name}") else name for name in classes}
        for dim, column in (("scenario", f"label_{lang}"), ("region", f"name_{lang}")):
            codes = [str(code) for code in full[dim].to_numpy()]
            names = np.atleast_1d(full[column].to_numpy()) if column in full.coords else codes
            own |= {code: str(name) for code, name in zip(codes, names, strict=True)}
        labels[lang] = own
    return labels
