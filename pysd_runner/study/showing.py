"""Tables of outcomes (levels and differences by scenario and region), and merging of several projections."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from pysd_runner.core.calendar import is_year, said_time
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.core.numbers import spoken
from pysd_runner.core.types import Array, Record, Texts
from pysd_runner.engine.ir import key
from pysd_runner.indicators.selection import Selection, select
from pysd_runner.spec.design import StudyDesign
from pysd_runner.study.labelling import unknown
from pysd_runner.text import translate

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from pysd_runner.plots.arrays import Quantity

LEVELS = (0.05, 0.5, 0.95)
BETWEEN = ": "
# Axes that every outcome has besides that of time, and those of single entities.
SHARED = ("scenario", "draw")
_LABELS = ("label_en", "label_zh")


def region_code(data: "xr.Dataset", text: str) -> str:
    """Look up the code of a region by code or name."""
    columns = [data[name].to_numpy().astype(str) for name in ("region", "name_en", "name_zh")]
    for column in columns:
        found = np.flatnonzero(np.char.lower(column) == text.casefold())
        if found.size:
            return str(columns[0][found[0]])
    known = [str(name) for column in columns for name in column if name]
    raise UnknownName("the projection has no region {region!r}.{suggestion}", region=text, among=known)


def chosen(
    data: "xr.Dataset",
    design: StudyDesign,
    outcome: str | None,
    region: str | Sequence[str] | None,
    also: Iterable[str] = (),
) -> "list[xr.DataArray]":
    """Select outcomes and regions; by default those shown first, else scalar ones and those in `also`."""
    every = [str(name) for name in data]
    known = {key(name): name for name in every}
    usual = [name for name in every if name in also or data[name].ndim == len((*SHARED, design.time))]
    shown = design.leading if region is None else design.leading_places
    names = [outcome] if outcome else [name for name in shown if name in data] or usual or every[:1]
    regions = None if region is None else [region] if isinstance(region, str) else list(region)
    found = []
    for name in names:
        if key(name) not in known:
            raise UnknownName(unknown(data, name, design))
        values = data[known[key(name)]]
        if not set(SHARED) <= set(values.dims):
            raise InvalidInput("{name} is kept as a mean over draws; read it from `data`", name=name)
        if regions is not None and design.entity in values.dims:
            values = values.sel({design.entity: [region_code(data, item) for item in regions]})
        found.append(values)
    return found


def moments(data: "xr.Dataset", design: StudyDesign, year: int | Sequence[int] | None, time: Any) -> list[Any]:
    """Select saved times: the given years, or the time nearest to a given one; the last by default."""
    known = data[design.time]
    if year is None:
        return [(known[-1] if time is None else known.sel({design.time: time}, method="nearest")).to_numpy()[()]]
    years = list(known.to_numpy())
    wanted = [year] if isinstance(year, int | np.integer) else list(year)
    for item in wanted:
        if item not in years:
            raise InvalidInput(
                "the projection has no year {year}; it has {first} to {end}", year=item, first=years[0], end=years[-1]
            )
    return wanted


def table(
    data: "xr.Dataset", baselines: Texts, outcomes: "Sequence[xr.DataArray]", times: Sequence[Any], axis: str
) -> "pd.DataFrame":
    """Median and 90 % interval of levels and of differences from baselines, by outcome, scenario, time and element."""
    import pandas as pd

    names = [str(name) for name in data["scenario"].to_numpy()]
    rows = [
        row
        for values in outcomes
        for name in names
        for time in times
        for row in _rows(values.sel({axis: time}), name, baselines[name], axis)
    ]
    return pd.DataFrame(rows)


def _rows(values: "xr.DataArray", scenario: str, baseline: str, axis: str) -> list[dict[str, Any]]:
    own = values.sel(scenario=scenario)
    moved = own - values.sel(scenario=baseline, drop=True).drop_vars(list(_LABELS), errors="ignore")
    others = [str(dim) for dim in own.dims if dim != "draw"]
    rows = []
    for place in np.ndindex(*(own.sizes[dim] for dim in others)):
        pick = dict(zip(others, place, strict=True))
        cell = own.isel(pick)
        row: dict[str, Any] = {"outcome": str(values.name), "scenario": scenario, axis: values[axis].to_numpy()[()]}
        row |= {dim: str(own[dim].to_numpy()[at]) for dim, at in pick.items()}
        row |= {"name": str(cell["name_en"].item())} if "region" in pick and "name_en" in cell.coords else {}
        low, median, high = quantiles(cell.to_numpy())
        row |= {"median": median, "low_90": low, "high_90": high}
        if scenario != baseline:
            low, median, high = quantiles(moved.isel(pick).to_numpy())
            row |= {"difference": median, "difference_low_90": low, "difference_high_90": high}
        rows.append({**row, "unit": str(values.attrs.get("units", ""))})
    return rows


def quantiles(values: Array) -> tuple[float, float, float]:
    """Lower end of the 90 % interval, median and upper end, over the finite values."""
    usable = values[np.isfinite(values)]
    if not usable.size:
        return (float("nan"),) * 3
    low, median, high = np.quantile(usable, LEVELS)
    return float(low), float(median), float(high)


def together(runs: Record) -> Any:
    """Merge several projections into one, for common tables and figures.

    Parameters
    ----------
    runs
        Futures of the same regions and years, by name; draws are cut to the smallest number among them.

    Returns
    -------
    Future
        The merged projection; scenarios are called ``name: scenario`` and keep the baseline of their own run.

    Raises
    ------
    InvalidInput
        If there is no projection, or regions or years differ.
    """
    import xarray as xr

    if not runs:
        raise InvalidInput("nothing to put together; give at least one projection by name")
    first = next(iter(runs.values()))
    draws = min(item.data.sizes["draw"] for item in runs.values())
    parts = []
    for name, item in runs.items():
        for dim in sorted(set(map(str, first.data.dims)) - {"scenario", "draw", "lever"}):
            if item.data[dim].to_numpy().tolist() != first.data[dim].to_numpy().tolist():
                raise InvalidInput(
                    "{name!r} has other {dim}s than {other!r}; projections must share them",
                    name=name,
                    dim=dim,
                    other=next(iter(runs)),
                )
        shared = item.data.isel(draw=slice(0, draws)).assign_coords(draw=np.arange(draws))
        known = [key for key in _LABELS if key in shared.coords]
        labels = {key: ("scenario", [f"{name}{BETWEEN}{text}" for text in shared[key].to_numpy()]) for key in known}
        named = [f"{name}{BETWEEN}{text}" for text in shared["scenario"].to_numpy()]
        parts.append(shared.assign_coords(scenario=named, **labels))
    held = set.intersection(*(set(part.data_vars) for part in parts))
    data = xr.concat([part[sorted(map(str, held))] for part in parts], "scenario", combine_attrs="override")
    return replace(
        first,
        data=data,
        cast=(),
        parameters=None,
        baselines={
            f"{name}{BETWEEN}{key}": f"{name}{BETWEEN}{value}"
            for name, item in runs.items()
            for key, value in item.baselines.items()
        },
        warnings=tuple(dict.fromkeys(text for item in runs.values() for text in item.warnings)),
    )


# Distance of the middle of simulations from the last observation, relative to it or to the mean size of all of them,
# from which a reader is warned: the tail of an epidemic is small beside its errors.
MISSED = 0.5
# Minimum ratio of an earlier difference to the one at the end for it to be reported instead.
MORE_BEFORE = 2.0


def quantity_in(future: Any, name: str, lang: str) -> "Quantity":
    """Name and unit of an outcome in sentences: those of figures if it has a label, else its own."""
    from pysd_runner.plots.arrays import quantity_of

    found, attrs = quantity_of(future[name], lang), future[name].attrs
    if "long_name" in attrs:
        return found
    unit = attrs.get("units", "")
    return replace(found, inline=name, unit=unit, short_unit=unit, scale=1.0, lower_is_better=False)


def first_outcome(future: Any) -> str:
    """Outcome of the sentences: the declared one, else the first that is no array, observed ones first."""
    ranked = [future.leading, *future.observed, *future.data]
    single = next((name for name in ranked if future[name].ndim == len((*SHARED, future.axis))), "")
    return future.leading if future.leading in future.design.leading or not single else single


def _element(future: Any, name: str) -> Record:
    """Element of an outcome that a scenario changes most, in absolute terms, or that is largest at the end."""
    values = future.difference(name) if future.policies else future[name].isel({future.axis: [-1]})
    dims = [str(dim) for dim in values.dims if dim not in (*SHARED, future.axis)]
    sizes = abs(values.median("draw")).max(["scenario", future.axis]).transpose(*dims)
    place = np.unravel_index(int(np.nan_to_num(sizes.to_numpy()).argmax()), sizes.shape)
    return {dim: str(values[dim].to_numpy()[at]) for dim, at in zip(dims, place, strict=True)}


def answer_of(future: Any, lang: str) -> tuple[str, ...]:
    """The sentences of `Future.answer`; of an array they are on the element that changes most."""
    name = first_outcome(future)
    place = _element(future, name) if future[name].ndim > len((*SHARED, future.axis)) else {}
    if future.design.entity in place:
        return ()
    axis, quantity = future.axis, quantity_in(future, name, lang)
    shown = f"{quantity.inline}[{', '.join(place.values())}]" if place else quantity.inline
    seen = _seen(future, name, quantity.scale, place)
    times = future[name][axis].to_numpy()
    paths = quantity.scale * future[name].sel(place).sel(scenario=future.scenarios[0]).to_numpy()
    since, first = times[0], quantiles(paths[:, 0])[1]
    if seen is not None:
        # The first observation where the run goes no further than the last one.
        from_first = 0 if seen.index[-1] >= times[-1] else -1
        since, first = seen.index[from_first], seen.iloc[from_first]
    low, last, high = quantiles(paths[:, -1])
    unit = quantity.unit
    spelled = "" if unit.casefold() in ("", "dmnl", name.casefold()) else f" ({unit})"
    when = {"since": _when(future, since, lang), "until": _when(future, times[-1], lang)}
    last = last if abs(last) > abs(first) / 1000 else 0.0
    numbers = {"first": spoken(float(first), lang), "last": spoken(last, lang)}
    found = [translate("own.without", lang, outcome=shown, unit=spelled, **when, **numbers)]
    if place:
        count = int(np.prod([future[name].sizes[dim] for dim in place]))
        kind = "own.element_changed" if future.policies else "own.element_largest"
        found[0] += translate(kind, lang, outcome=quantity.inline, count=count)
    single = future.data.sizes["draw"] == 1
    missed = "" if single or seen is None else _missed(seen, times, paths, lang)
    sure = translate("own.unsure" if single else "own.sure_level", lang, low=spoken(low, lang), high=spoken(high, lang))
    if future.policies:
        moved = quantity.scale * future.difference(name).sel(place).transpose("scenario", "draw", axis)
        usual = np.median(np.nan_to_num(moved.to_numpy()), axis=1)
        most = int(np.abs(usual).max(axis=1).argmax())
        peak = int(np.abs(usual[most]).argmax())
        names = [str(item) for item in moved["scenario"].to_numpy()]
        wanted = "lower" if quantity.lower_is_better else future.better.get(name, "")
        ends = moved.to_numpy()[..., -1].T * (-1.0 if wanted == "lower" else 1.0)
        ends = ends[np.isfinite(ends).all(axis=1)]
        # Without a declared direction no scenario is better than another, nor for one element of several.
        rated = (
            select(names, ends, delta=future.delta) if wanted and not place and len(names) > 1 and len(ends) else None
        )
        # The last time, unless the difference was far larger before.
        at = peak if abs(usual[most, peak]) > MORE_BEFORE * abs(usual[most, -1]) else -1
        if rated is not None and rated.members:
            most, at = names.index(rated.members[0]), -1
        low, middle, high = quantiles(moved[most, :, at].to_numpy())
        way = "more" if middle > 0 else "less" if middle < 0 else "same"
        then = "" if at == -1 else translate("own.largest", lang, time=_when(future, times[at], lang))
        scenario = future.label(str(moved["scenario"].to_numpy()[most]), lang)
        text = translate(f"own.{way}", lang, scenario=scenario, size=spoken(abs(middle), lang), then=then)
        found.append(text + ("" if rated is None else _choice(future, rated, lang)))
        ends = {key: spoken(value, lang, signed=True) for key, value in (("low", low), ("high", high))}
        sure = sure if single else translate("own.sure", lang, **ends)
    return (*found, missed or sure)


def _choice(future: Any, rated: Selection, lang: str) -> str:
    """Sentence on the scenarios to choose."""
    labels = [translate("brief.quoted", lang, text=future.label(name, lang)) for name in rated.members]
    first = translate("answer.comma", lang).join(labels[:-1])
    told = {"delta": spoken(rated.delta, lang), "share": f"{100 * rated.least_within:.0f}"} if labels else {}
    key = "none" if not labels else "any" if first else "best"
    return translate(f"own.choose_{key}", lang, count=len(rated.table), first=first, last="".join(labels[-1:]), **told)


def _seen(future: Any, name: str, scale: float, place: Record) -> Any:
    """Observations of an outcome, or of an element, by time in the units of sentences; None if there are none."""
    seen = future.seen_of(name)
    if place and seen is not None:
        wanted = [item.casefold() for item in place.values()]
        labels = [[str(part).casefold() for part in (item if isinstance(item, tuple) else (item,))] for item in seen]
        seen = seen.iloc[:, labels.index(wanted)].dropna() if wanted in labels else None
    return None if seen is None or seen.empty else scale * seen


def _missed(seen: Any, times: Array, paths: Array, lang: str) -> str:
    """Say that simulations miss the last observation by far; empty otherwise."""
    low, middle, high = quantiles(paths[:, np.abs(times - np.asarray(seen.index)[-1]).argmin()])
    if abs(middle - float(seen.iloc[-1])) <= MISSED * max(abs(float(seen.iloc[-1])), float(seen.abs().mean())):
        return ""
    return translate("own.missed", lang, low=spoken(low, lang), high=spoken(high, lang))


def _when(future: Any, time: Any, lang: str) -> str:
    """A time with its preposition."""
    kind = "on" if isinstance(time, np.datetime64 | datetime) else "in" if is_year(time, future.time_unit) else "at"
    return translate(f"own.{kind}", lang, time=said_time(time, future.time_unit))
