"""Years a calibration runs over, when the user does not say."""

import numpy as np

from calibration.observation.build import share_of
from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message
from pysd_runner.panel import Panel
from pysd_runner.spec import ModelSpec

OUTPUT = "output_per_head"

# Parameters that hold for longer than this are hard to believe.
LONGEST = 25
# An indicator that would leave fewer years than this does not decide where the window starts.
SHORTEST = 5


def window_of(spec: ModelSpec, panel: Panel, first_year: int | None, last_year: int | None) -> tuple[int, int]:
    """First and last year of a calibration."""
    # By default the last year is the last in which every region has output, and the first is the one in which the last
    # of the indicators begins, so that every start value is observed; never more than `LONGEST` years before the last.
    if len(panel.regions) < 2:
        raise InvalidPanel(
            "panel {panel!r} has one region, {region}; a calibration needs at least two, because the model explains "
            "gaps between regions: add others",
            panel=panel.name,
            region=panel.codes[0],
        )
    complete = _complete_years(panel)
    for name, year in (("first_year", first_year), ("last_year", last_year)):
        if year is not None:
            _check_year(panel, complete, name, year)
    last = complete[-1] if last_year is None else last_year
    first = _first(spec, panel, complete, last) if first_year is None else first_year
    if first >= last:
        raise InvalidInput("first_year must lie before last_year; found {first} and {end}", first=first, end=last)
    return first, last


def _complete_years(panel: Panel) -> tuple[int, ...]:
    if OUTPUT not in panel:
        raise InvalidPanel("panel {panel!r} has no output per head: {why}", panel=panel.name, why=_lacking(panel))
    full = np.asarray(np.isfinite(panel[OUTPUT]).all(axis=0))
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


def _lacking(panel: Panel) -> str:
    """What to do about output per head that is not there."""
    if "output" in panel:
        heading = dict(panel.provenance.get("headings", {})).get("output", "output")  # type: ignore[call-overload]
        return Message(
            "{heading!r} is read as total output, and there is no population to divide it by; add a population column, "
            "or say that it is output per head, as `{option}` does",
            heading=heading,
            option=f"--map '{heading}=output_per_head'",
        )
    return Message("expected a column output_per_head, or output and population; rename a heading or map it")


def _incomplete(panel: Panel) -> str:
    """Which regions to leave out, the emptiest first."""
    seen = np.isfinite(panel[OUTPUT]).sum(axis=1)
    order = [place for place in np.argsort(seen, kind="stable") if seen[place] < len(panel.years)]
    if not order:
        return Message("Add earlier years.")
    codes = ", ".join(f"{panel.codes[place]} ({int(seen[place])} of {len(panel.years)} years)" for place in order[:5])
    return Message("Fill the gaps or leave regions out; fewest values: {regions}.", regions=codes)


def _check_year(panel: Panel, complete: tuple[int, ...], name: str, year: int) -> None:
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
        column = panel[OUTPUT][:, panel.years.index(year)]
        missing = [code for code, value in zip(panel.codes, column, strict=True) if not np.isfinite(value)]
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise InvalidInput(
            "{name} {year}: output per head is missing for {regions}; choose another year or leave these regions out",
            name=name,
            year=year,
            regions=shown,
        )


def _first(spec: ModelSpec, panel: Panel, complete: tuple[int, ...], last: int) -> int:
    allowed = [year for year in complete if last - LONGEST <= year < last]
    if not allowed:
        raise InvalidInput(
            "no year before {year} has output for every region in panel {panel!r}", year=last, panel=panel.name
        )
    begins = sorted({begin for begin in _beginnings(spec, panel) if last - begin >= SHORTEST})
    wanted = begins[-1] if begins else allowed[0]
    return next((year for year in allowed if year >= wanted), allowed[-1])


def _beginnings(spec: ModelSpec, panel: Panel) -> list[int]:
    """First year of every indicator of a level, and of every share that the panel holds itself."""
    levels = [item for item in spec.measurements.values() if not item.increments]
    indicators = [name for item in levels for name in (*item.indicators, share_of(spec, item))]
    return [years[0] for name in indicators if name in panel and (years := panel.years_with(name))]
