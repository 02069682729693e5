"""Charts over time: fan charts, series of one run and fits, with observations."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from pysd_runner.core.calendar import said_time, unit_of_time
from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.numbers import MINUS, spoken
from pysd_runner.core.types import Texts
from pysd_runner.plots.arrays import label_of
from pysd_runner.plots.bands import LEVELS, bands_of_draws
from pysd_runner.plots.fan import Multiples, Trace, draw_lines, shaded
from pysd_runner.plots.figure import Canvas, KeyEntry, ReportFigure, open_canvas
from pysd_runner.plots.style import GRID, INK, MUTED, SCENARIO, drawing, figure_of, usable_language
from pysd_runner.text import has_text, translate

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

# Colours that colour-blind readers can distinguish, in the order of the lines.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MOST_LINES = len(COLOURS)
# Maximum number of small charts in a figure of draws and in one of a fit.
MOST_PANELS, MOST_FITS = 9, 12
_SEEN: dict[str, Any] = {"colours": (INK,), "style": (0, (1, 1))}


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
    lines, seen = _lines(values, lang), _observed(observed)
    first = next(iter(lines.values()))
    name, unit = title or str(first.name or ""), str(first.attrs.get("units", ""))
    across = time_unit or str(first["time"].attrs.get("units", ""))
    entities = [str(dim) for dim in first.dims if dim not in ("draw", "time")]
    places = list(np.ndindex(*(first.sizes[dim] for dim in entities)))
    panels = [
        {dim: first[dim].to_numpy()[place] for dim, place in zip(entities, where, strict=True)}
        for where in places[:MOST_PANELS]
    ]
    draws = max(item.sizes["draw"] for item in lines.values())
    caption = [translate("caption.fan", lang, draws=draws)] if draws > 1 else []
    caption += [translate("caption.fitted", lang)] if first.attrs.get("fitted") else []
    caption += [translate("caption.first", lang, shown=MOST_PANELS, all=len(places))] if places[MOST_PANELS:] else []
    # Differences from the run without a scenario are drawn without its colour.
    are_changes = any("against" in item.attrs for item in lines.values())
    colours = COLOURS[1:] if are_changes else COLOURS
    key = [KeyEntry(text=label, colours=(colours[place],)) for place, label in enumerate(lines)]
    key += [KeyEntry(text=translate("mark.history", lang), **_SEEN)] if observed is not None else []

    def draw(axes: "Axes", place: int) -> None:
        panel, share = panels[place], 0.1 if len(lines) > 1 else 0.17
        drawn = [
            Trace(
                bands=_bands(item.sel(panel) if panel else item),
                colour=colour,
                tints=shaded(colour, share),
                name=label,
            )
            for (label, item), colour in zip(lines.items(), colours, strict=False)
        ]
        draw_lines(axes, drawn)
        top = max(float(line.bands.quantiles.max()) for line in drawn)
        who = tuple(str(part).casefold() for part in panel.values())
        points = seen.get((), seen.get(who))
        if points is not None:
            _dots(axes, points.index, points)
            top = max(top, float(points.max()) if len(points) else top)
        if are_changes:
            axes.axhline(0, color=MUTED, linewidth=0.9, zorder=2)
        if 0.5 < top <= 1 < axes.get_ylim()[1]:
            axes.set_ylim(top=1.0)

    headings = [", ".join(map(str, panel.values())) for panel in panels]
    with drawing(ax):
        canvas = _charts(
            headings,
            draw,
            across,
            lang,
            unit=_plain(unit),
            title=name,
            subtitle=_plain(unit),
            caption=" ".join(caption),
            key=key if key[1:] else (),
        )
    return canvas.told(_data(lines, unit), _sentence(lines, panels, name, unit, across, lang))


def _charts(
    names: Sequence[str],
    draw: "Callable[[Axes, int], object]",
    across: str,
    lang: str = "en",
    *,
    unit: str = "",
    is_named: bool = False,
    **told: Any,
) -> Canvas:
    """A figure of small charts with free vertical axes, three a row, each drawn by its number."""
    charts = Multiples(
        names=names,
        columns=min(len(names), 3),
        high=1.2 if names[1:] else 2.45,
        left=0.55,
        gap=0.55,
        below=0.36,
        is_named=is_named,
    )
    canvas = open_canvas(height=charts.height, **told)
    for place, axes in enumerate(charts.axes(canvas, unit=unit)):
        draw(axes, place)
        _finish(axes, across, lang)
    return canvas


def _dots(axes: "Axes", times: Any, values: Any) -> None:
    axes.plot(times, values, color=INK, linestyle="none", marker="o", markersize=2.2, label="observed", zorder=5)


def _bands(item: "xr.DataArray") -> Any:
    draws = item.transpose("draw", "time").to_numpy()
    return bands_of_draws(draws, item["time"].to_numpy(), str(item.name))


@figure_of
def plot_series(table: pd.DataFrame, units: Texts, *, title: str, time_unit: str = "", ax: Any = None) -> ReportFigure:
    """Draw the series of one run, each in a small chart: the first nine columns of a table by time."""
    names = [str(name) for name in table.columns[:MOST_PANELS]]
    if not names:
        raise InvalidInput("there is nothing to draw")
    plain = [_plain(units.get(name, "")) for name in names]
    headings = [f"{name} ({unit})" if unit else name for name, unit in zip(names, plain, strict=True)]
    with drawing(ax):
        canvas = _charts(
            headings,
            lambda axes, place: axes.plot(table.index, table[names[place]], color=COLOURS[0], linewidth=1.5),
            time_unit,
            is_named=True,
            title=title,
        )
    drawn = table[names].rename_axis("time")
    end = said_time(table.index[-1], time_unit)
    sentence = f"{title} at {end}: {'; '.join(f'{name} {spoken(drawn[name].iloc[-1])}' for name in names)}."
    return canvas.told(drawn.reset_index().melt("time", var_name="series"), sentence)


def _lines(values: Any, lang: str) -> "dict[str, xr.DataArray]":
    found: dict[str, xr.DataArray] = {}
    for label, item in values.items() if isinstance(values, Mapping) else [("", values)]:
        if "time" not in item.dims or "draw" not in item.dims:
            raise InvalidInput("a fan needs dimensions draw and time; found {found}", found=item.dims)
        # The total over an interval is missing where the interval begins before the run.
        item = item.dropna("time", how="all") if item.isnull().any() else item
        if not item.size:
            raise InvalidInput("every value of {name!r} is missing; leave it out of the outcomes", name=str(item.name))
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


def _observed(observed: Any) -> "dict[tuple[str, ...], pd.Series[float]]":
    """Observed values over time, by labels of the entity in lower case; a series without entity has the key ()."""
    if observed is None:
        return {}
    if not isinstance(observed, pd.Series | pd.DataFrame):
        *entities, time = observed.dims
        several = observed.stack(entity=entities).transpose(time, "entity") if entities[1:] else observed.T
        observed = several.to_pandas()
    if isinstance(observed, pd.Series):
        return {(): observed.dropna()}
    return {
        tuple(str(part).casefold() for part in (name if isinstance(name, tuple) else (name,))): column.dropna()
        for name, column in observed.items()
    }


def _finish(axes: "Axes", across: str, lang: str = "en") -> None:
    """Label the horizontal axis, with small tick labels, large numbers in words and a light grid."""
    unit = unit_of_time(across)
    axes.set_xlabel(translate(f"axis.{unit}", lang) if has_text(f"axis.{unit}") else across, fontsize=7.5)
    axes.yaxis.set_major_formatter(lambda value, _: spoken(value, lang, digits=6).replace("-", MINUS))
    if not write_dates(axes, lang) and unit == "year":
        axes.locator_params(axis="x", integer=True)
    axes.tick_params(labelsize=7)
    axes.yaxis.grid(visible=True, color=GRID, linewidth=0.6)


def write_dates(axes: "Axes", lang: str) -> bool:
    """Write the dates of a horizontal axis that has any concisely; return whether it has."""
    locator = axes.xaxis.get_major_locator()
    if has_dates := isinstance(locator, AutoDateLocator):
        # Of ticks by year, month, day, hour, minute and second, and of what they share.
        kept = {kind: translate(f"axis.date_{kind}", lang).split("|") for kind in ("formats", "offset_formats")}
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, **kept))  # type: ignore[no-untyped-call]
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


def _sentence(
    lines: "Mapping[str, xr.DataArray]", panels: Sequence[Texts], name: str, unit: str, time_unit: str, lang: str
) -> str:
    """Alternative text: median and 90 % interval of each line at the last time, element by element."""
    spelled = f" ({_plain(unit)})" if _plain(unit) else ""
    times = [item["time"].to_numpy()[-1] for item in lines.values()]
    told = [
        f"{', '.join(map(str, panel.values()))}: {_ends(lines, panel, lang)}" if panel else _ends(lines, panel, lang)
        for panel in panels
    ]
    return f"{name}{spelled}, {said_time(times[-1], time_unit)}: {'. '.join(told)}."


def _ends(lines: "Mapping[str, xr.DataArray]", panel: Texts, lang: str) -> str:
    said = []
    for label, item in lines.items():
        end = item.sel(panel).isel(time=-1).to_numpy()
        usable = end[np.isfinite(end)]
        low, median, high = np.quantile(usable, (0.05, 0.5, 0.95)) if usable.size else (np.nan,) * 3
        text = f"{label}: {spoken(median, lang)}"
        said.append(f"{text} ({spoken(low, lang)} … {spoken(high, lang)})" if usable.size > 1 else text)
    return "; ".join(said)


@figure_of
def plot_fitted(
    frame: pd.DataFrame, *, ax: "Axes | None" = None, time_unit: str = "", lang: str = "en"
) -> "ReportFigure | Axes":
    """Draw fitted and observed values over time, one small chart per series."""
    if frame.empty:
        raise InvalidInput("there is no value to draw")
    lang = usable_language(lang)
    grouped = frame.groupby(["indicator", "region"], sort=False)
    groups = [(", ".join(filter(None, map(str, key))), part) for key, part in grouped]
    shown = groups[:MOST_FITS]
    caption = translate("caption.fit", lang)
    if groups[MOST_FITS:]:
        caption += " " + translate("caption.first", lang, shown=len(shown), all=len(groups))

    def draw(axes: "Axes", place: int) -> None:
        part = shown[place][1].sort_values("year")
        axes.plot(part["year"], part["fitted"], color=SCENARIO, linewidth=1.4, zorder=3, label="fitted")
        _dots(axes, part["year"], part["observed"])

    key = (
        KeyEntry(text=translate("mark.fitted", lang), colours=(SCENARIO,)),
        KeyEntry(text=translate("mark.history", lang), **_SEEN),
    )
    with drawing(ax):
        canvas = _charts(
            [name for name, _ in shown],
            draw,
            time_unit,
            lang,
            is_named=True,
            title=translate("fit_chart.title", lang),
            caption=caption,
            key=key,
        )
    return canvas.told(frame.copy(), _sentence_of_fit(shown, lang))


def _sentence_of_fit(groups: list[tuple[str, pd.DataFrame]], lang: str) -> str:
    said = []
    for name, part in groups:
        spread = float(((part["observed"] - part["observed"].mean()) ** 2).sum())
        missed = float(((part["fitted"] - part["observed"]) ** 2).sum())
        share = f"{100 * (1 - missed / spread):.0f}" if spread > 0 else ""
        found = translate("fit_chart.explained", lang, share=share) if share else translate("fit_chart.constant", lang)
        said.append(translate("fit_chart.series", lang, name=name, count=len(part), found=found))
    return translate("fit_chart.sentence", lang, series=translate("report.clauses", lang).join(said))


@figure_of
def plot_redone(frame: pd.DataFrame, *, ax: Any = None, time_unit: str = "", lang: str = "en") -> ReportFigure:
    """Draw series of a model over those that were published, by the columns series, time, ours and published."""
    if frame.empty:
        raise InvalidInput("there is nothing to draw")
    lang = usable_language(lang)
    parts = dict(list(frame.groupby("series", sort=False)))

    def draw(axes: "Axes", place: int) -> None:
        part = list(parts.values())[place]
        axes.plot(part["time"], part["published"], color=INK, linewidth=2.2, alpha=0.35, zorder=2)
        axes.plot(part["time"], part["ours"], color=SCENARIO, linewidth=1.2, zorder=3)

    key = (
        KeyEntry(text=translate("redone.mark_ours", lang), colours=(SCENARIO,)),
        KeyEntry(text=translate("redone.mark_published", lang), colours=(INK,)),
    )
    title = translate("redone.drawn", lang)
    with drawing(ax):
        canvas = _charts(list(map(str, parts)), draw, time_unit, lang, is_named=True, title=title, caption="", key=key)
    return canvas.told(frame.copy(), f"{title}: {translate('report.clauses', lang).join(map(str, parts))}")


@figure_of
def plot_profile(curves: pd.DataFrame, *, level: float = 0.9, ax: Any = None) -> ReportFigure:
    """Draw profiles of minus the log posterior, the others re-estimated, and the threshold of the interval."""
    from scipy.special import ndtri

    keys = list(dict.fromkeys(curves["key"]))
    limit = 0.5 * float(ndtri(0.5 + 0.5 * level)) ** 2
    share = f"{100 * level:.0f} %"

    def draw(axes: "Axes", place: int) -> None:
        part = curves[curves["key"] == keys[place]]
        axes.plot(part["value"], part["rise"], color=SCENARIO, linewidth=1.4)
        axes.plot(part["value"], part["data_rise"], color=COLOURS[1], linewidth=1.0, linestyle="--")
        axes.axhline(limit, color=INK, linewidth=0.6)
        axes.set_ylim(0, 3 * limit)

    key = (
        KeyEntry(text="minus the log posterior", colours=(SCENARIO,)),
        KeyEntry(text="the data alone", colours=(COLOURS[1],), style=(0, (3.7, 1.6))),
    )
    caption = f"Below the horizontal line lies the {share} interval."
    with drawing(ax):
        canvas = _charts(keys, draw, "", is_named=True, title="Profiles of the log posterior", caption=caption, key=key)
    return canvas.told(
        curves.copy(),
        f"Rise of minus the log posterior (solid) and of the data alone (dashed) along {', '.join(keys)}; below the "
        f"line lies the {share} interval.",
    )
