"""First and last year of a fit to a panel of regions."""

import numpy as np

from calibration.observation.build import share_of
from calibration.observation.estimation import OUTPUT
from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message
from pysd_runner.data import Data
from pysd_runner.data.coverage import MAX_WINDOW
from pysd_runner.engine import validation
from pysd_runner.spec import ModelSpec

# Minimum length of the default window in years: indicators that begin later do not determine where it starts.
MIN_WINDOW = 5
# Step of the differences by which start values are differentiated, as a share of a parameter's prior standard
# deviation. Start values are smooth functions of parameters: fourth-order differences have a relative error of 1e-12.
STEP = 1e-3
_PLACES, _WEIGHTS = (-2, -1, 1, 2), np.array([1, -8, 8, -1]) / 12


def window_of(spec: ModelSpec, panel: Data, start: float | None, until: float | None) -> tuple[int, int]:
    """First and last year of a calibration."""
    # By default, the last year is the latest in which every region has output. The first is the year in which the last
    # of the indicators begins, so that all start values are observed, but at most `MAX_WINDOW` years before the last.
    asked = {name: validation.year(name, at) for name, at in (("start", start), ("until", until)) if at is not None}
    if len(panel.regions) < 2:
        raise InvalidPanel(
            "panel {panel!r} has one region, {region}; a calibration needs at least two, because the model explains "
            "gaps between regions: add others",
            panel=panel.name,
            region=panel.codes[0],
        )
    complete = _complete_years(panel)
    for name, year in asked.items():
        _check_year(panel, complete, name, year)
    last = asked.get("until", complete[-1])
    first = asked["start"] if "start" in asked else _first(spec, panel, complete, last)
    if first >= last:
        raise InvalidInput("start must lie before until; found {first} and {end}", first=first, end=last)
    return first, last


def _complete_years(panel: Data) -> tuple[int, ...]:
    if OUTPUT not in panel:
        raise InvalidPanel("panel {panel!r} has no output per head: {why}", panel=panel.name, why=_lacking(panel))
    full = np.asarray(np.isfinite(panel.array(OUTPUT)).all(axis=0))
    years = tuple(year for year, whole in zip(panel.years, full, strict=True) if whole)
    if len(years) < 2:
        raise InvalidPanel(
            "panel {panel!r}: output per head is there for every region in {count} {years}; a calibration needs at "
            "least two. {why}",
            panel=panel.name,
            count=len(years),
            years="year" if len(years) == 1 else "years",
            why=_incomplete(panel),
        )
    return years


def _lacking(panel: Data) -> str:
    """Advice for a panel without output per head."""
    if "output" in panel:
        heading = dict(panel.provenance.get("headings", {})).get("output", "output")  # type: ignore[call-overload]
        return Message(
            "{heading!r} is read as total output, and there is no population to divide it by; add a population column, "
            "or say that it is output per head, as `{option}` does",
            heading=heading,
            option=f"--map '{heading}=output_per_head'",
        )
    return Message("expected a column output_per_head, or output and population; rename a heading or map it")


def _incomplete(panel: Data) -> str:
    """Advice on regions to exclude: those with the fewest values of output per head."""
    seen = np.isfinite(panel.array(OUTPUT)).sum(axis=1)
    order = [place for place in np.argsort(seen, kind="stable") if seen[place] < len(panel.years)]
    if not order:
        return Message("Add earlier years.")
    codes = ", ".join(f"{panel.codes[place]} ({int(seen[place])} of {len(panel.years)} years)" for place in order[:5])
    return Message("Fill the gaps or leave regions out; fewest values: {regions}.", regions=codes)


def _check_year(panel: Data, complete: tuple[int, ...], name: str, year: int) -> None:
    if year not in panel.years:
        raise InvalidInput(
            "{name} {year} is not in panel {panel!r}, which has {first} to {end}",
            name=name,
            year=year,
            panel=panel.name,
            first=panel.years[0],
            end=panel.years[-1],
        )
    if year not in complete:
        column = panel.array(OUTPUT)[:, panel.years.index(year)]
        missing = [code for code, value in zip(panel.codes, column, strict=True) if not np.isfinite(value)]
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise InvalidInput(
            "{name} {year}: output per head is missing for {regions}; choose another year or leave these regions out",
            name=name,
            year=year,
            regions=shown,
        )


def _first(spec: ModelSpec, panel: Data, complete: tuple[int, ...], last: int) -> int:
    allowed = [year for year in complete if last - MAX_WINDOW <= year < last]
    if not allowed:
        raise InvalidInput(
            "no year before {year} has output for every region in panel {panel!r}", year=last, panel=panel.name
        )
    wanted = max((begin for begin in _beginnings(spec, panel) if last - begin >= MIN_WINDOW), default=allowed[0])
    return next((year for year in allowed if year >= wanted), allowed[-1])


def _beginnings(spec: ModelSpec, panel: Data) -> list[int]:
    """First year of every indicator compared in levels, and of outcomes that the panel observes directly."""
    levels = [item for item in spec.measurements.values() if not item.increments]
    indicators = [name for item in levels for name in (*item.indicators, share_of(spec, item))]
    return [years[0] for name in indicators if name in panel and (years := panel.years_with(name))]
