"""Set up a regional model for a panel: calibration window, observed series, and inputs that depend on parameters."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from calibration.fitting.entering import FromState
from calibration.fitting.space import ParameterSpace, chosen, overrides
from calibration.fitting.tying import (
    FIRST_YEAR,
    ModelRuns,
    Tied,
    outcomes_of,
    stages_of,
)
from calibration.observation import Series, build_series
from calibration.observation.build import share_of
from calibration.observation.estimation import OUTPUT
from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message, UnknownName, joined
from pysd_runner.core.types import Numbers, Values
from pysd_runner.data import Data
from pysd_runner.data.checks import JUMPED
from pysd_runner.data.coverage import LEFT_OUT
from pysd_runner.data.names import CURRENCY
from pysd_runner.engine import validation
from pysd_runner.model import Model
from pysd_runner.spec import Measurement, ModelSpec, Prior
from pysd_runner.spec.design import StudyDesign
from pysd_runner.spec.load import check_measurement
from pysd_runner.spec.reader import fail_at
from pysd_runner.study.binding import RegionalModel

# Maximum length of the default window in years: parameters are unlikely to be constant for longer.
LONGEST = 25
# Minimum length of the default window in years: indicators that begin later do not determine where it starts.
SHORTEST = 5
# Step of the differences by which start values are differentiated, as a share of a parameter's prior standard
# deviation. Start values are smooth functions of parameters: fourth-order differences have a relative error of 1e-12.
STEP = 1e-3
_PLACES, _WEIGHTS = (-2, -1, 1, 2), np.array([1, -8, 8, -1]) / 12


def tied_to_panel(  # noqa: PLR0913 - the arguments of a public entry point
    model: Model,
    panel: Data,
    design: StudyDesign,
    *,
    free: Iterable[str] | None,
    values: Numbers | None,
    priors: Mapping[str, Prior] | None,
    observations: Mapping[str, Values] | None,
    start: float | None,
    until: float | None,
    yuan_per_unit: float,
    seed: int,  # noqa: ARG001
) -> Tied:
    """Set up a model for a panel; see `calibration.Problem`."""
    if priors:
        raise InvalidInput("priors do not apply to a panel: those of the model are declared beside it")
    spec = with_observations(model.spec or ModelSpec(name=model.name), observations or {})
    fixed = overrides(spec, values)
    space = ParameterSpace.of(chosen(spec, free=free, fixed=fixed))
    first, last = (
        None if at is None else validation.year(name, at) for name, at in (("start", start), ("until", until))
    )
    first, last = window_of(spec, panel, first, last)
    count = len(panel.regions)
    whole = model if len(model.ranges[model.design.ranges.region]) == count else model.with_regions(count)
    seen = panel.until(last)
    series, absent = build_series(spec, seen, first_year=first, last_year=last, sizes=design.errors)
    if not series:
        told = [item for item in absent if item.indicator in panel] or absent
        raise InvalidPanel(
            "panel {panel!r} says nothing the model can be compared with: {why}",
            panel=panel.name,
            why=joined(map(str, told), "; "),
        )
    entering = FromState(RegionalModel(model=whole, panel=seen, yuan_per_unit=yuan_per_unit), first)
    return Tied(
        model=whole,
        data=seen,
        design=design,
        spec=spec,
        fixed=fixed,
        space=space,
        first_year=first,
        last_year=last,
        stages=stages_of(whole),
        series=series,
        runs=ModelRuns(entering, outcomes=outcomes_of(series), start=first, stop=last, save_every=1),
        codes=seen.codes,
        names={item.code: (item.name_en, item.name_zh) for item in seen.regions},
        lines=tuple(map(line_of, series)),
        absent=tuple(map(str, absent)),
        notes=(*notes_on(seen, yuan_per_unit), *notes_on_errors(series)),
        record={
            "yuan_per_unit": yuan_per_unit,
            "currency": seen.currency,
            "price_basis": seen.price_basis,
            "first_year_treatment": FIRST_YEAR,
            "definitions": {key: item.national for key, item in spec.measurements.items() if item.alternatives},
            "absent": list(map(str, absent)),
            "likelihood": {item.label: item.errors.words for item in series},
        },
    )


def with_observations(spec: ModelSpec, changes: Mapping[str, Values]) -> ModelSpec:
    """Copy of the declarations with other error models or national series for some measurements."""
    measurements = dict(spec.measurements)
    for key, fields in changes.items():
        if key not in measurements:
            raise UnknownName("the model declares no measurement {name!r}.{suggestion}", name=key, among=measurements)
        for name in fields:
            if name not in _SETTABLE:
                raise UnknownName(
                    "{name!r} of measurement {measurement!r} cannot be set.{suggestion}",
                    measurement=key,
                    name=name,
                    among=_SETTABLE,
                )
        _check_national(measurements[key], fields.get("national", measurements[key].national))
        measurements[key] = replace(measurements[key], **fields)
        check_measurement(measurements[key], fail_at(f'measurements["{key}"]'))
    return replace(spec, measurements=measurements)


def _check_national(item: Measurement, series: str) -> None:
    if series not in (item.national, *item.alternatives):
        known = [name for name in (item.national, *item.alternatives) if name]
        raise UnknownName(
            "measurement {name!r} cannot be read from {series!r}; {what}",
            name=item.key,
            series=series,
            what=Message("expected {expected}", expected=" or ".join(known))
            if known
            else Message("expected nothing else"),
        )


# Entries of a declared measurement that a caller may change.
_SETTABLE = ("errors", "national")


def window_of(spec: ModelSpec, panel: Data, first_year: int | None, last_year: int | None) -> tuple[int, int]:
    """First and last year of a calibration."""
    # By default, the last year is the latest in which every region has output. The first is the year in which the last
    # of the indicators begins, so that all start values are observed, but at most `LONGEST` years before the last.
    if len(panel.regions) < 2:
        raise InvalidPanel(
            "panel {panel!r} has one region, {region}; a calibration needs at least two, because the model explains "
            "gaps between regions: add others",
            panel=panel.name,
            region=panel.codes[0],
        )
    complete = _complete_years(panel)
    for name, year in (("start", first_year), ("until", last_year)):
        if year is not None:
            _check_year(panel, complete, name, year)
    last = complete[-1] if last_year is None else last_year
    first = _first(spec, panel, complete, last) if first_year is None else first_year
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
    allowed = [year for year in complete if last - LONGEST <= year < last]
    if not allowed:
        raise InvalidInput(
            "no year before {year} has output for every region in panel {panel!r}", year=last, panel=panel.name
        )
    begins = sorted({begin for begin in _beginnings(spec, panel) if last - begin >= SHORTEST})
    wanted = begins[-1] if begins else allowed[0]
    return next((year for year in allowed if year >= wanted), allowed[-1])


def _beginnings(spec: ModelSpec, panel: Data) -> list[int]:
    """First year of every indicator compared in levels, and of outcomes that the panel contains themselves."""
    levels = [item for item in spec.measurements.values() if not item.increments]
    indicators = [name for item in levels for name in (*item.indicators, share_of(spec, item))]
    return [years[0] for name in indicators if name in panel and (years := panel.years_with(name))]


def line_of(series: Series) -> str:
    """Describe a series in one line."""
    cells = int(series.used.sum())
    values = {"count": cells, "s": "" if cells == 1 else "s"}
    changes = Message("{count} change{s}", **values) if series.increments else Message("{count} value{s}", **values)
    parts = [
        Message(
            "{measurement} from {indicator}: {values}, {errors}",
            measurement=series.measurement,
            indicator=series.indicator,
            values=changes,
            errors=series.errors.words,
        )
    ]
    if series.missing > series.recounted:
        parts.append(Message(", {count} missing and left out", count=series.missing - series.recounted))
    if series.recounted:
        parts.append(Message(", {count} left out because population was counted anew", count=series.recounted))
    if series.unusable:
        parts.append(Message(", {count} without a logarithm (zero or less) and left out", count=series.unusable))
    return joined(parts, "")


def notes_on_errors(series: Sequence[Series]) -> tuple[str, ...]:
    """Notes on levels whose errors are declared independent."""
    return tuple(
        Message(
            "Errors of {measurement} ({indicator}) are declared independent although levels are compared: if they "
            "persist, every year is treated as independent information and standard errors are too small.",
            measurement=item.measurement,
            indicator=item.indicator,
        )
        for item in series
        if item.errors.memory == "independent" and not item.increments and (item.used.sum(axis=1) > 1).any()
    )


def notes_on(panel: Data, yuan_per_unit: float) -> tuple[str, ...]:
    """Notes on currency, prices and omitted regions of a panel."""
    notes: list[str] = []
    if "constant" not in panel.price_basis:
        basis = (
            Message("is in {basis}", basis=Message(panel.price_basis))
            if panel.price_basis
            else Message("may be in current prices; the file does not say")
        )
        notes.append(
            Message(
                "Output {basis}: relative prices between regions count as output, and the trend is not read.",
                basis=basis,
            )
        )
    if "yuan" not in panel.currency.casefold() and yuan_per_unit == 1:
        notes.append(
            Message(
                "Output is in {currency}, and the model's costs and affordable income in yuan: pass yuan_per_unit "
                "(--yuan-per-unit) if access is to be read.",
                currency=Message("a currency the file does not name") if panel.currency == CURRENCY else panel.currency,
            )
        )
    told = [item.message for item in panel.problems if item.rule in (LEFT_OUT, JUMPED)]
    notes += [f"{text.removesuffix('?')}." if text.endswith("?") else Message("{said}.", said=text) for text in told]
    return tuple(notes)
