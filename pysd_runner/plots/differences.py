"""Effects of policies: paired differences from the baseline over time, and their ranking in the last year."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.core.numbers import written
from pysd_runner.core.types import Interval, Texts, frozen
from pysd_runner.export.layout import in_layout
from pysd_runner.plots.arrays import PrintedNames, Quantity, position_of, position_of_year, quantity_of
from pysd_runner.plots.bands import MEDIAN, Bands, bands_of, rows_of, table_of
from pysd_runner.plots.fan import Multiples, draw_lines, fan
from pysd_runner.plots.figure import (
    DPI,
    LABEL_SIZE,
    Canvas,
    ReportFigure,
    fan_caption,
    joined_sentences,
    open_canvas,
    sources_of,
)
from pysd_runner.plots.marks import draw_intervals, label_room, limits_of, set_values, write_beside
from pysd_runner.plots.style import (
    BASELINE,
    BASELINE_DASHES,
    GRID,
    INK,
    MUTED,
    drawing,
    figure_of,
    heading_style,
    shortened,
    text_width,
    usable_language,
)
from pysd_runner.text import translate

_GAP = 0.16
_HIGH = 1.05
_ROW = 0.205
_NAMES = 2.3


@frozen
class _Effect:
    """Effect of one policy."""

    scenario: str
    name: str
    bands: Bands


@figure_of
def plot_differences(
    values: xr.DataArray,
    *,
    region: str | None = None,
    scenarios: Sequence[str] | None = None,
    baseline: str | Texts = "baseline",
    year: int | None = None,
    includes: Sequence[str] | None = None,
    ax: Any = None,
    lang: str = "en",
) -> ReportFigure:
    """Draw each scenario's difference from the baseline over time, and rank them in the last year.

    For gaps and measures of inequality the reduction is plotted, so that larger values are better.

    Draws are paired: each difference compares a scenario with the baseline under the same parameters, so that
    its band is that of the effect and not that of the level.

    Parameters
    ----------
    values
        Any quantity; dims (scenario, draw, region, year), the draws of all scenarios in the same order.
    region
        Code or name of the region or class; needed when there are several.
    scenarios
        Scenarios to draw, in the order of the panels; default: all but the baseline.
    baseline
        Scenario they are compared with; or a mapping from scenarios to baselines, where assumptions differ.
    year
        Year of the ranking; default: the last.
    includes, ax, lang
        As in `plot_gaps`, with axes for each scenario and for the ranking.

    Returns
    -------
    ReportFigure
        As `plot_gaps` returns it.

    Raises
    ------
    InvalidInput
        If ``values`` has no labels or no scenario besides the baseline, the region is ambiguous, or the year is
        missing.
    UnknownName
        If there is no such scenario or region.
    """
    includes, lang = sources_of(includes, values), usable_language(lang)
    full = in_layout(values)
    quantity, names = quantity_of(values, lang), PrintedNames(values=full, lang=lang)
    place = _region_position(full, region)
    known = [str(name) for name in full["scenario"].to_numpy()]
    pairs = _wanted(full, baselines_of(known, baseline), scenarios)
    effects = [
        _Effect(
            scenario=name,
            name=names.scenario(name),
            bands=bands_of(
                full,
                scenario=position_of(full, "scenario", name),
                baseline=position_of(full, "scenario", other),
                region=place,
                scale=quantity.difference_scale,
            ),
        )
        for name, other in pairs.items()
    ]
    when = position_of_year(full, year)
    references, code = set(pairs.values()), str(full["region"].to_numpy()[place])
    view = _View(
        quantity=quantity,
        when=when,
        ranked=sorted(effects, key=lambda e: float(e.bands.median[when]), reverse=True),
        baseline=names.scenario(references.pop()) if len(references) == 1 else translate("baseline.own", lang),
        where=names.region(code) if {"region", "class"} & set(values.dims) else "",
        lang=lang,
    )
    with drawing(ax):
        canvas = _draw(effects, view, includes)
    labels = {
        "region": code,
        "region_name": names.region(code),
        "variable": f"{quantity.name}_{'closed' if quantity.lower_is_better else 'minus_baseline'}",
        "unit": quantity.difference_unit,
    }
    rows = (rows_of(effect.bands, scenario=effect.scenario, **labels) for effect in effects)
    return canvas.told(table_of(rows), _sentence(view))


@frozen
class _View:
    """Settings and labels shared by all policies."""

    quantity: Quantity
    when: int  # position of the year of the ranking
    ranked: Sequence[_Effect]
    baseline: str
    where: str  # the region; empty for a quantity of the nation
    lang: str

    @property
    def unit(self) -> str:
        """Label of the value axes."""
        text = self.quantity.difference(self.baseline, self.lang)
        return text[:1].upper() + text[1:]


def _region_position(full: xr.DataArray, region: str | None) -> int:
    """Position of the requested region, or of the only one."""
    if region is not None:
        return position_of(full, "region", region)
    if full.sizes["region"] > 1:
        raise InvalidInput(
            "values has {count} regions and a difference is drawn for one; pass region=, or a quantity of the nation "
            "such as national_gap or theil",
            count=full.sizes["region"],
        )
    return 0


def _wanted(full: xr.DataArray, pairs: Texts, scenarios: Sequence[str] | None) -> Texts:
    """Baselines of the requested scenarios, in the requested order."""
    if scenarios is None:
        return pairs
    for name in scenarios:
        position_of(full, "scenario", name)
    wanted = {name: pairs[name] for name in scenarios if name in pairs}
    if not wanted:
        raise InvalidInput("scenarios holds nothing but baselines; name at least one policy to compare")
    return wanted


def _draw(effects: Sequence[_Effect], view: _View, includes: Sequence[str]) -> Canvas:
    """Draw the paths above and the ranking below."""
    years, lang = effects[0].bands.years, view.lang
    limits = limits_of([effect.bands.quantiles for effect in effects] + [np.zeros(1)])
    charts = Multiples(
        names=[effect.name for effect in effects],
        columns=len(effects) if len(effects) <= 3 else 4,
        high=_HIGH,
        left=label_room(ReportFigure(dpi=DPI), [limits], 4),
        gap=_GAP,
        limits=((years[0], years[-1]), limits),
    )
    paths = charts.height + 0.62
    caption = [
        "" if effects[0].bands.is_single else translate("caption.paired", lang, baseline=view.baseline),
        fan_caption([effect.bands for effect in effects], includes, lang),
        translate("caption.conditional", lang),
    ]
    title = "title.differences_of_one" if view.where else "title.differences"
    canvas = open_canvas(
        height=paths + len(effects) * _ROW + 0.78,
        title=translate(title, lang, region=view.where, quantity=view.quantity.inline),
        subtitle=view.unit,
        caption=joined_sentences(caption, lang),
    )
    drawn = list(charts.axes(canvas, across=translate("axis.year", lang), ticks=(3, 4)))
    for effect, axes in zip(effects, drawn, strict=True):
        draw_lines(axes, [fan(effect.bands)])
        axes.axhline(0, color=BASELINE, linewidth=1.1, linestyle=BASELINE_DASHES, zorder=2.5)
    draw_directions(drawn[0], limits, view.quantity, lang)
    _draw_ranking(canvas, view, paths)
    return canvas


def draw_directions(axes: Axes, limits: Interval, quantity: Quantity, lang: str) -> None:
    """Label the directions above and below the baseline, where there is room."""
    low, high = limits
    below, above = quantity.directions[::-1] if quantity.lower_is_better else quantity.directions
    kind = "closed" if quantity.lower_is_better else "arrow"
    for key, height, align, share in ((below, 0.03, "bottom", -low), (above, 0.97, "top", high)):
        if share > 0.2 * (high - low):
            text = translate(f"direction.{kind}_{key}", lang)
            axes.text(0.03, height, text, transform=axes.transAxes, va=align, size=6.5, color=MUTED, zorder=6)


def _draw_ranking(canvas: Canvas, view: _View, top: float) -> None:
    """Draw median and interval of each policy, the best first, with their numbers."""
    ranked, when = view.ranked, view.when
    labels = [shortened(canvas.figure, effect.name, LABEL_SIZE, _NAMES) for effect in ranked]
    left = max(text_width(canvas.figure, label, LABEL_SIZE) for label in labels) + 0.12
    head = translate("title.ranking", view.lang, year=int(ranked[0].bands.years[when]))
    canvas.text(0, top, head, size=8.5, color=INK, **heading_style(head))
    is_single = ranked[0].bands.is_single
    if not is_single:
        canvas.text(0, top + 0.17, translate("mark.interval", view.lang), size=7, color=MUTED)
    texts = [_numbers(effect.bands, view) for effect in ranked]
    numbers = max(text_width(canvas.figure, text, LABEL_SIZE) for text in texts) + 0.12
    axes = canvas.axes(left, top + 0.36, canvas.width - left - numbers, len(ranked) * _ROW)
    axes.yaxis.grid(visible=False)
    axes.xaxis.grid(visible=True, color=GRID, linewidth=0.6)
    at = np.stack([effect.bands.quantiles[:, when] for effect in ranked], axis=1)
    set_values(axes, *limits_of([at, np.zeros(1)]), ticks=6, along="x")
    axes.set_ylim(len(ranked) - 0.5, -0.5)
    axes.axvline(0, color=BASELINE, linewidth=1.1, linestyle=BASELINE_DASHES, zorder=2)
    draw_intervals(axes, at, np.arange(len(ranked), dtype=np.float64), is_single=is_single)
    for position, text in enumerate(texts):
        write_beside(axes, text, position)
    axes.set_yticks(range(len(ranked)), labels)
    axes.tick_params(axis="y", labelcolor=INK, labelsize=LABEL_SIZE, pad=4)
    axes.set_xlabel(view.unit)


def _numbers(bands: Bands, view: _View) -> str:
    """Median and interval of one policy, as text."""
    at = [written(value, view.quantity.difference_digits, signed=True) for value in bands.quantiles[:, view.when]]
    return at[MEDIAN] if bands.is_single else f"{at[MEDIAN]}  ({at[0]} … {at[-1]})"


def _sentence(view: _View) -> str:
    """Sentence on the policy with the best median."""
    best, quantity, lang = view.ranked[0].bands, view.quantity, view.lang
    subject = quantity.title
    if view.where:
        subject = translate("sentence.subject", lang, region=view.where, quantity=quantity.inline)
    ends = {"median": best.median, "low": best.low, "high": best.high}
    return translate(
        f"sentence.best{'_closed' if quantity.lower_is_better else ''}{'_single' if best.is_single else ''}",
        lang,
        subject=subject,
        count=len(view.ranked),
        scenario=view.ranked[0].name,
        baseline=view.baseline,
        year=int(best.years[view.when]),
        unit=quantity.counted_unit,
        **{name: written(end[view.when], quantity.difference_digits, signed=True) for name, end in ends.items()},
    )


def baselines_of(scenarios: Sequence[str], baseline: str | Texts) -> Texts:
    """Baseline of each scenario that has one.

    >>> baselines_of(["baseline", "zoned"], "baseline")
    {'zoned': 'baseline'}
    """
    # Scenarios under other assumptions need a baseline of their own: a policy and its baseline must share everything
    # but the policy.
    found = dict.fromkeys(scenarios, baseline) if isinstance(baseline, str) else dict(baseline)
    lacking = [name for name in scenarios if name not in found]
    if lacking:
        raise InvalidInput(
            "baseline: no entry for {scenarios}; each scenario needs one", scenarios=", ".join(map(repr, lacking))
        )
    pairs = {name: found[name] for name in scenarios}
    for name in pairs.values():
        if name not in scenarios:
            raise UnknownName(
                "no scenario is called {name!r}; there are {known}.{suggestion}", name=name, among=scenarios
            )
    references = set(pairs.values())
    compared = {name: other for name, other in pairs.items() if name not in references}
    if not compared:
        raise InvalidInput(
            "there is no scenario besides {references} to compare with it", references=", ".join(sorted(references))
        )
    return compared
