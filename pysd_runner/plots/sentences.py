"""One generated sentence for each figure: its alternative text, and the captions below it."""

from collections.abc import Sequence

import xarray as xr

from pysd_runner.core.errors import UnknownName, suggest
from pysd_runner.core.numbers import written
from pysd_runner.export.layout import in_layout
from pysd_runner.plots.arrays import PrintedNames, Quantity, position_of, position_of_year, quantity_of
from pysd_runner.plots.bands import Bands, bands_of, chosen_scenarios, difference_bands
from pysd_runner.text import say

#: What a band may include uncertainty about.
UNCERTAINTIES = ("parameters", "forecast", "start", "shocks", "structure", "data")


def sources_of(includes: Sequence[str] | None, drawn: xr.DataArray | xr.Dataset) -> tuple[str, ...]:
    """What the bands of a figure include uncertainty about."""
    if includes is not None:
        return tuple(includes)
    told = str(getattr(drawn, "attrs", {}).get("includes", "parameters"))
    return tuple(name.strip() for name in told.split(",") if name.strip())


def figure_sentence(
    values: xr.DataArray,
    *,
    region: str | None = None,
    year: int | None = None,
    scenario: str | None = None,
    baseline: str | None = "baseline",
    lang: str = "en",
) -> str:
    """Say in words what a figure shows: region, year, median, interval, difference to the baseline.

    Parameters
    ----------
    values
        A labelled array; dims from (scenario, draw, region, year).
    region
        Code or name of the region; default: the first.
    year
        Default: the last.
    scenario
        Default: the first that is not the baseline.
    baseline
        What is compared with, or ``None``; left out where the array does not hold it.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    str
        One sentence on the level, and one on the paired difference where there is a baseline.

    Raises
    ------
    UnknownName
        If there is no such region or scenario.
    InvalidInput
        If there is no such year.
    """
    full = in_layout(values)
    quantity, names = quantity_of(values, lang), PrintedNames(values=full, lang=lang, is_drawn=False)
    chosen, reference = chosen_scenarios(full, scenario, baseline)
    code = str(full["region"].to_numpy()[0 if region is None else position_of(full, "region", region)])
    place, when = position_of(full, "region", code), position_of_year(full, year)
    position = position_of(full, "scenario", chosen)
    level = bands_of(full, scenario=position, region=place, scale=quantity.scale)
    label = names.scenario(chosen)
    parts = [_level_sentence(level, when, quantity, lang, region=names.region(code), scenario=label)]
    if reference is not None:
        against = position_of(full, "scenario", reference)
        difference = difference_bands(full, scenario=position, baseline=against, region=place, scale=quantity.scale)
        parts.append(_difference_sentence(difference, when, quantity, lang, names.scenario(reference)))
    return say("sentence.separator", lang).join(parts)


def fan_caption(
    all_bands: Sequence[Bands], includes: Sequence[str], lang: str, *, key: str = "caption.frequencies"
) -> str:
    """Caption in natural frequencies, and what the bands do and do not include."""
    for name in includes:
        if name not in UNCERTAINTIES:
            raise UnknownName(
                "includes={name!r} is no source of uncertainty; choose from {known}.{suggestion}",
                name=name,
                known=", ".join(UNCERTAINTIES),
                suggestion=suggest(name, UNCERTAINTIES),
            )
    bands = max(all_bands, key=lambda own: own.failed)
    if bands.is_single:
        return say("caption.single", lang)
    parts = [say(key, lang), say("caption.draws", lang, draws=bands.draws)]
    if bands.failed:
        parts.append(say("caption.failed", lang, failed=bands.failed, draws=bands.draws))
    if includes:
        parts.append(_included(includes, lang))
    return joined_sentences(parts, lang)


def joined_sentences(parts: Sequence[str], lang: str) -> str:
    """Put sentences one after another, as the language does."""
    return say("sentence.separator", lang).join(part for part in parts if part)


def direction(value: float, quantity: Quantity, lang: str) -> str:
    """Word for the direction of a difference."""
    return say(f"direction.{quantity.directions[not value < 0]}", lang)


def _included(includes: Sequence[str], lang: str) -> str:
    """What the bands include, and what they do not."""
    inside = _listed([say(f"uncertainty.{name}", lang) for name in UNCERTAINTIES if name in includes], "and", lang)
    # A forecast holds the shocks to come and what is not known of the present; without one nobody misses it.
    covered = {*includes, "forecast", *(("start", "shocks") if "forecast" in includes else ())}
    outside = _listed([say(f"uncertainty.{name}", lang) for name in UNCERTAINTIES if name not in covered], "or", lang)
    if not outside:
        return say("caption.includes_all", lang, included=inside)
    return say("caption.includes", lang, included=inside, excluded=outside)


def _listed(items: Sequence[str], link: str, lang: str) -> str:
    """Items in a row, the last one linked by a word."""
    first = say("list.separator", lang).join(items[:-1])
    return say(f"list.{link}", lang).join(part for part in (first, *items[-1:]) if part)


def _level_sentence(bands: Bands, when: int, quantity: Quantity, lang: str, *, region: str, scenario: str) -> str:
    """Where the region stands."""
    key = "sentence.level_single" if bands.is_single else "sentence.level"
    text = say(
        key,
        lang,
        region=region,
        scenario=scenario,
        year=int(bands.years[when]),
        quantity=quantity.inline,
        median=written(bands.median[when], quantity.digits),
        low=written(bands.low[when], quantity.digits),
        high=written(bands.high[when], quantity.digits),
        unit=quantity.short_unit,
    )
    return " ".join(text.split())


def _difference_sentence(bands: Bands, when: int, quantity: Quantity, lang: str, baseline: str) -> str:
    """How far the scenario moves it from the baseline, in the direction it moves."""
    key = "sentence.difference_single" if bands.is_single else "sentence.difference"
    middle = float(bands.median[when])
    ends = sorted(float(end[when]) * (-1 if middle < 0 else 1) for end in (bands.low, bands.high))
    return say(
        key,
        lang,
        baseline=baseline,
        size=written(abs(middle), quantity.difference_digits),
        direction=direction(middle, quantity, lang),
        unit=quantity.counted_unit,
        low=written(ends[0], quantity.difference_digits),
        high=written(ends[1], quantity.difference_digits),
    )
