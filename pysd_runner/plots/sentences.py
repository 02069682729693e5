"""Generated texts of figures: the sentence used as alternative text, and the caption."""

from collections.abc import Sequence

import xarray as xr

from pysd_runner.core.errors import UnknownName, suggest
from pysd_runner.core.numbers import written
from pysd_runner.export.layout import in_layout
from pysd_runner.plots.arrays import PrintedNames, Quantity, position_of, position_of_year, quantity_of
from pysd_runner.plots.bands import Bands, bands_of, chosen_scenarios, difference_bands
from pysd_runner.text import say

#: Sources of uncertainty that a band may include.
UNCERTAINTIES = ("parameters", "forecast", "start", "shocks", "structure", "data")


def sources_of(includes: Sequence[str] | None, drawn: xr.DataArray | xr.Dataset) -> tuple[str, ...]:
    """Sources of uncertainty that the bands of a figure include."""
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
    """Describe a figure in words: region, year, median, interval, difference from the baseline.

    Parameters
    ----------
    values
        A labelled array; dims from (scenario, draw, region, year).
    region
        Code or name of the region; default: the first.
    year
        Year to describe; default: the last.
    scenario
        Scenario to describe; default: the first that is not the baseline.
    baseline
        Scenario to compare with, or ``None``; ignored if the array does not contain it.
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
    """Caption that explains the bands as natural frequencies, and names the uncertainty they include and exclude."""
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
    """Join sentences with the separator of the language."""
    return say("sentence.separator", lang).join(part for part in parts if part)


def direction(value: float, quantity: Quantity, lang: str) -> str:
    """Word for the direction of a difference."""
    return say(f"direction.{quantity.directions[not value < 0]}", lang)


def _included(includes: Sequence[str], lang: str) -> str:
    """Sentence on the sources of uncertainty that the bands include and exclude."""
    inside = _listed([say(f"uncertainty.{name}", lang) for name in UNCERTAINTIES if name in includes], "and", lang)
    # A forecast covers future shocks and the uncertain initial state; without one, it is not listed as excluded.
    covered = {*includes, "forecast", *(("start", "shocks") if "forecast" in includes else ())}
    outside = _listed([say(f"uncertainty.{name}", lang) for name in UNCERTAINTIES if name not in covered], "or", lang)
    if not outside:
        return say("caption.includes_all", lang, included=inside)
    return say("caption.includes", lang, included=inside, excluded=outside)


def _listed(items: Sequence[str], link: str, lang: str) -> str:
    """Items as a list in words, the last one joined by "and" or "or"."""
    first = say("list.separator", lang).join(items[:-1])
    return say(f"list.{link}", lang).join(part for part in (first, *items[-1:]) if part)


def _level_sentence(bands: Bands, when: int, quantity: Quantity, lang: str, *, region: str, scenario: str) -> str:
    """Sentence on the level of a region."""
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
    """Sentence on the size and direction of the difference from the baseline."""
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
