"""Charts over time: fan charts, series of one run and fits, with observations."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from pysd_runner.core.calendar import said_time, unit_of_time
from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.kinds import Record, Texts
from pysd_runner.core.numbers import MINUS, spoken
from pysd_runner.plots.arrays import label_of
from pysd_runner.plots.bands import LEVELS, MEDIAN
from pysd_runner.plots.figure import KeyEntry, ReportFigure, Sheet, open_sheet
from pysd_runner.plots.style import GRID, INK, MUTED, SCENARIO, drawing, figure_of, usable_language
from pysd_runner.text import has_text, say

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

# Colours that colour-blind readers can distinguish, in the order of the lines.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MOST_LINES = len(COLOURS)
# Maximum number of small charts in a figure of draws and in one of a fit, and number of charts per row.
MOST_PANELS, MOST_FITS, COLUMNS = 9, 12, 3
_DOTS: dict[str, Any] = {"color": INK, "linestyle": "none", "marker": "o", "markersize": 2.2, "label": "observed"}


@figure_of
def plot_fan(
    values: "xr.DataArray | Mapping[str, xr.DataArray]",
    observed: "pd.Series[float] | pd.DataFrame | xr.DataArray | None" = None,
    *,
    ax: "Axes | None" = None,
    title: str = "",
    time_unit: str = "",
    lang: str = "en",
) -> "ReportFigure | Axes":
    """Draw a fan chart over time, with one colour per scenario and observations as points.

    Differences (`Future.difference`) are drawn about zero, each in the colour of its scenario.

    Parameters
    ----------
    values
        Dimensions (scenario, draw, ..., time), without ``scenario`` for a single one; or a mapping from names to such
        arrays, of different models or fits.
    observed
        Observed values by time, with a column for each entity where `values` has one more dimension; or a column of
        data, ``data["infected"]``.
    ax
        Axes to draw in, one for each entity; None makes a figure, with a small chart for each entity.
    title
        Title of the figure; empty for the name of the outcome.
    time_unit
        Label of the time axis; empty for the unit of the time coordinate.
    lang
        Language of labels, ``"en"`` or ``"zh"``.

    Returns
    -------
    ReportFigure or Axes
        The figure, or `ax` where one was given.

    Raises
    ------
    InvalidInput
        If there is nothing to draw, or too much for one figure.
    """
    lang = usable_language(lang)
    lines, observed = _lines(values, lang), _by_time(observed)
    first = next(iter(lines.values()))
    unit = time_unit or str(first["time"].attrs.get("units", ""))
    panels = _panels(first, [str(dim) for dim in first.dims if dim not in ("draw", "time")])
    with drawing(ax):
        return _figure(lines, observed, panels, title or str(first.name or ""), unit, lang)


@figure_of
def plot_series(table: pd.DataFrame, units: Texts, *, title: str, time_unit: str = "", ax: Any = None) -> ReportFigure:
    """Draw the series of one run, each in a small chart: the first nine columns of a table by time."""
    names = [str(name) for name in table.columns[:MOST_PANELS]]
    if not names:
        raise InvalidInput("there is nothing to draw")
    height = _height(len(names), 3.0, 1.75)
    with drawing(ax):
        sheet = open_sheet(height=height, title=title)
        for name, axes in zip(names, _charts(sheet, len(names)), strict=True):
            axes.plot(table.index, table[name], color=COLOURS[0], linewidth=1.5)
            unit = _plain(units.get(name, ""))
            axes.set_title(f"{name} ({unit})" if unit else name, fontsize=7.5, loc="left", pad=2)
            _finish(axes, time_unit)
    drawn = table[names].rename_axis("time")
    end = said_time(table.index[-1], time_unit)
    sentence = f"{title} at {end}: {'; '.join(f'{name} {spoken(drawn[name].iloc[-1])}' for name in names)}."
    return sheet.told(drawn.reset_index().melt("time", var_name="series"), sentence)


def _lines(values: Any, lang: str) -> "dict[str, xr.DataArray]":
    found: dict[str, xr.DataArray] = {}
    for label, item in values.items() if isinstance(values, Mapping) else [("", values)]:
        if "time" not in item.dims or "draw" not in item.dims:
            raise InvalidInput("a fan needs dimensions draw and time; found {found}", found=item.dims)
        # The total over an interval has no value where that begins before the run.
        item = item.dropna("time", how="all") if item.isnull().any() else item
        if "scenario" not in item.dims:
            found[str(label) or str(item.name)] = item
            continue
        for scenario in map(str, item["scenario"].to_numpy()):
            named = label_of(item, "scenario", scenario, lang)
            named = f"{named} ({scenario})" if named in found else named
            found[f"{label}: {named}" if label else named] = item.sel(scenario=scenario, drop=True)
    if not found:
        raise InvalidInput("there is nothing to draw")
    if len(found) > MOST_LINES:
        raise InvalidInput("one picture holds {most} fans; found {found}", most=MOST_LINES, found=len(found))
    return found


def _panels(first: "xr.DataArray", entities: Sequence[str]) -> list[dict[str, Any]]:
    places = list(np.ndindex(*(first.sizes[dim] for dim in entities))) if entities else [()]
    return [
        {dim: first[dim].to_numpy()[place] for dim, place in zip(entities, where, strict=True)}
        for where in places[:MOST_PANELS]
    ]


def _figure(
    lines: "dict[str, xr.DataArray]", observed: Any, panels: list[dict[str, Any]], name: str, time_unit: str, lang: str
) -> ReportFigure:
    unit = str(next(iter(lines.values())).attrs.get("units", ""))
    height = _height(len(panels), 3.0, 1.75)
    draws = max(item.sizes["draw"] for item in lines.values())
    several = draws > 1
    caption = say("caption.fan", lang, draws=draws) if several else ""
    first = next(iter(lines.values()))
    caption += " " + say("caption.fitted", lang) if first.attrs.get("fitted") else ""
    if len(panels) < (count := first.size // first.sizes["draw"] // first.sizes["time"]):
        caption += " " + say("caption.first", lang, shown=len(panels), all=count)
    colours = _colours(lines)
    key = [KeyEntry(text=label, colours=(colours[place],)) for place, label in enumerate(lines)]
    mark = KeyEntry(text=say("mark.history", lang), colours=(INK,), style=(0, (1, 1)))
    key += [mark] if observed is not None else []
    sheet = open_sheet(
        height=height, title=name, subtitle=_plain(unit), caption=caption, key=key if len(key) > 1 else ()
    )
    for panel, axes in zip(panels, _charts(sheet, len(panels), unit=_plain(unit)), strict=True):
        picked = {label: item.sel(panel) if panel else item for label, item in lines.items()}
        _draw(axes, picked, _of(observed, panel), time_unit, lang)
        if panel:
            axes.set_title(", ".join(map(str, panel.values())), fontsize=7.5, loc="left", pad=2)
    return sheet.told(_data(lines, unit), _sentence(lines, name, unit, time_unit, lang))


def _by_time(observed: Any) -> Any:
    """Observed values with a row for each time, and a column for each entity where there are any."""
    if observed is None or isinstance(observed, pd.Series | pd.DataFrame):
        return observed
    *entities, time = observed.dims
    if not entities:
        return observed.to_pandas().dropna()
    return (
        observed.stack(entity=entities).transpose(time, "entity").to_pandas()
        if entities[1:]
        else observed.T.to_pandas()
    )


def _of(observed: Any, panel: Record) -> "pd.Series[float] | None":
    if observed is None:
        return None
    if isinstance(observed, pd.Series):
        return pd.Series(observed)
    wanted = tuple(panel.values())
    key = wanted if len(wanted) > 1 else wanted[0] if wanted else None
    for label in observed.columns:
        if str(label).casefold() == str(key).casefold():
            return pd.Series(observed[label].dropna())
    return None


def _colours(lines: "Mapping[str, xr.DataArray]") -> Sequence[str]:
    """Colours of the lines; without that of the run without a scenario where they are differences from it."""
    return COLOURS[1:] if any("against" in item.attrs for item in lines.values()) else COLOURS


def _draw(axes: "Axes", lines: "Mapping[str, xr.DataArray]", observed: Any, time_unit: str, lang: str) -> None:
    colours, top, faint = _colours(lines), -np.inf, 0.17 if len(lines) == 1 else 0.1
    for place, item in enumerate(lines.values()):
        times = item["time"].to_numpy()
        draws = item.transpose("draw", "time").to_numpy()
        usable = draws[np.isfinite(draws).all(axis=1)]
        if not len(usable):
            raise InvalidInput(
                "{name}: none of {count} draws has a number at every time", name=item.name, count=len(draws)
            )
        bands = np.quantile(usable, LEVELS, axis=0)
        colour, top = colours[place % len(colours)], max(top, float(bands.max()))
        for low, high in zip(bands[:MEDIAN], bands[:MEDIAN:-1], strict=True) if len(usable) > 1 else ():
            axes.fill_between(times, low, high, color=colour, alpha=faint, linewidth=0, zorder=1 + place / 10)
        axes.plot(times, bands[MEDIAN], color=colour, linewidth=1.5, zorder=3, label=list(lines)[place])
    if observed is not None:
        axes.plot(observed.index, observed.to_numpy(), zorder=5, **_DOTS)
        top = max(top, float(np.nanmax(observed.to_numpy(), initial=-np.inf)))
    if colours is not COLOURS:
        axes.axhline(0, color=MUTED, linewidth=0.9, zorder=2)
    if 0.5 < top <= 1 < axes.get_ylim()[1]:
        axes.set_ylim(top=1.0)
    _finish(axes, time_unit, lang)


def _height(count: int, alone: float, row: float) -> float:
    """Height of `count` small charts, in inches."""
    return alone if count == 1 else row * -(-count // COLUMNS)


def _charts(
    sheet: Sheet, count: int, *, above: float = 0.12, between: float = 0.55, unit: str = ""
) -> "Iterator[Axes]":
    """Axes of `count` small charts, row by row."""
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    width = (sheet.width - 0.55 * columns) / columns
    for number in range(count):
        row, column = divmod(number, columns)
        left, top = 0.55 + column * (width + 0.55), above + row * sheet.height / rows
        yield sheet.axes(left, top, width, sheet.height / rows - between, unit=unit)


def _finish(axes: "Axes", across: str, lang: str = "en") -> None:
    """Label the horizontal axis, with small tick labels, large numbers in words and a light grid."""
    unit = unit_of_time(across)
    axes.set_xlabel(say(f"axis.{unit}", lang) if has_text(f"axis.{unit}") else across, fontsize=7.5)
    axes.yaxis.set_major_formatter(lambda value, _: spoken(value, lang, digits=6).replace("-", MINUS))
    if not write_dates(axes) and unit == "year":
        axes.locator_params(axis="x", integer=True)
    axes.tick_params(labelsize=7)
    axes.yaxis.grid(visible=True, color=GRID, linewidth=0.6)


def write_dates(axes: "Axes") -> bool:
    """Write the dates of a horizontal axis that has any concisely; return whether it has."""
    locator = axes.xaxis.get_major_locator()
    if has_dates := isinstance(locator, AutoDateLocator):
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    return has_dates


def _plain(unit: str) -> str:
    return "" if unit.casefold() in ("dmnl", "") else unit


def _data(lines: "Mapping[str, xr.DataArray]", unit: str) -> pd.DataFrame:
    parts = []
    for label, item in lines.items():
        found = (
            item.dropna("time", how="all")
            .quantile(list(LEVELS), dim="draw", skipna=True)
            .rename("value")
            .to_series()
            .reset_index()
        )
        parts.append(found.assign(line=label, unit=unit))
    return pd.concat(parts, ignore_index=True)


def _sentence(lines: "Mapping[str, xr.DataArray]", name: str, unit: str, time_unit: str, lang: str) -> str:
    """Alternative text: median and 90 % interval of each line at the last time."""
    said = []
    for label, item in lines.items():
        end = item.isel(time=-1).to_numpy()
        when = said_time(item["time"].to_numpy()[-1], time_unit)
        usable = end[np.isfinite(end)]
        low, median, high = np.quantile(usable, (0.05, 0.5, 0.95))
        text = f"{label}: {spoken(median, lang)}"
        ends = f"{spoken(low, lang)} … {spoken(high, lang)}"
        said.append(f"{text} ({ends})" if usable.size > 1 else text)
    spelled = f" ({_plain(unit)})" if _plain(unit) else ""
    return f"{name}{spelled}, {when}: {'; '.join(said)}."


@figure_of
def plot_fitted(
    frame: pd.DataFrame, *, ax: "Axes | None" = None, time_unit: str = "", lang: str = "en"
) -> "ReportFigure | Axes":
    """Draw fitted and observed values over time, one small chart per series."""
    if frame.empty:
        raise InvalidInput("there is no value to draw")
    lang = usable_language(lang)
    grouped = frame.groupby(["indicator", "region"], sort=False)
    groups = [((str(part["indicator"].iloc[0]), str(part["region"].iloc[0])), part) for _, part in grouped]
    shown = groups[:MOST_FITS]
    height = _height(len(shown), 2.8, 1.8)
    caption = say("caption.fit", lang)
    if len(groups) > len(shown):
        caption += " " + say("caption.first", lang, shown=len(shown), all=len(groups))
    with drawing(ax):
        sheet = open_sheet(
            height=height,
            title=say("fit_chart.title", lang),
            caption=caption,
            key=(
                KeyEntry(text=say("mark.fitted", lang), colours=(SCENARIO,)),
                KeyEntry(text=say("mark.history", lang), colours=(INK,), style=(0, (1, 1))),
            ),
        )
        charts = _charts(sheet, len(shown), above=0.2, between=0.65)
        for ((name, who), part), axes in zip(shown, charts, strict=True):
            _draw_fit(axes, part, time_unit, lang)
            axes.set_title(f"{name}, {who}" if who else str(name), fontsize=7.5, loc="left", pad=2)
    return sheet.told(frame.copy(), _sentence_of_fit(groups, lang))


def _draw_fit(axes: "Axes", part: pd.DataFrame, time_unit: str, lang: str) -> None:
    ordered = part.sort_values("year")
    axes.plot(ordered["year"], ordered["fitted"], color=SCENARIO, linewidth=1.4, zorder=3, label="fitted")
    axes.plot(ordered["year"], ordered["observed"], zorder=4, **_DOTS)
    _finish(axes, time_unit, lang)


def _sentence_of_fit(groups: list[tuple[tuple[str, str], pd.DataFrame]], lang: str) -> str:
    said = []
    for (name, who), part in groups[:MOST_FITS]:
        spread = float(((part["observed"] - part["observed"].mean()) ** 2).sum())
        missed = float(((part["fitted"] - part["observed"]) ** 2).sum())
        share = f"{100 * (1 - missed / spread):.0f}" if spread > 0 else ""
        found = say("fit_chart.explained", lang, share=share) if share else say("fit_chart.constant", lang)
        said.append(
            say("fit_chart.series", lang, name=f"{name}{f', {who}' if who else ''}", count=len(part), found=found)
        )
    return say("fit_chart.sentence", lang, series=say("report.clauses", lang).join(said))


@figure_of
def plot_profile(curves: pd.DataFrame, *, level: float = 0.9, ax: Any = None) -> ReportFigure:
    """Draw profiles of minus the log posterior, the others re-estimated, and the threshold of the interval."""
    from scipy.special import ndtri

    keys = list(dict.fromkeys(curves["key"]))
    limit = 0.5 * float(ndtri(0.5 + 0.5 * level)) ** 2
    with drawing(ax):
        sheet = open_sheet(
            height=_height(len(keys), 3.0, 1.75),
            title="Profiles of the log posterior",
            caption=f"Below the horizontal line lies the {100 * level:.0f} % interval.",
            key=(
                KeyEntry(text="minus the log posterior", colours=(SCENARIO,)),
                KeyEntry(text="the data alone", colours=(COLOURS[1],), style=(0, (3.7, 1.6))),
            ),
        )
        for key, axes in zip(keys, _charts(sheet, len(keys)), strict=True):
            part = curves[curves["key"] == key]
            axes.plot(part["value"], part["rise"], color=SCENARIO, linewidth=1.4)
            axes.plot(part["value"], part["data_rise"], color=COLOURS[1], linewidth=1.0, linestyle="--")
            axes.axhline(limit, color=INK, linewidth=0.6)
            axes.set_ylim(0, 3 * limit)
            axes.set_title(key, fontsize=7.5, loc="left", pad=2)
            _finish(axes, "")
    return sheet.told(
        curves.copy(),
        f"Rise of minus the log posterior (solid) and of the data alone (dashed) along {', '.join(keys)}; below the "
        f"line lies the {100 * level:.0f} % interval.",
    )
