"""A regional model tied to a panel: what it observes, and how parameters enter it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from calibration.fitting.bound import Bound
from calibration.fitting.description import FIRST_YEAR, line_of, notes_on, notes_on_errors
from calibration.fitting.panel_values import PanelValues
from calibration.fitting.runs import Runs
from calibration.fitting.stages import declarations, stages_of
from calibration.fitting.window import window_of
from calibration.observation import build_series
from calibration.parameters import ParameterSpace, chosen, overrides
from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message, UnknownName, joined, suggest
from pysd_runner.model import Model
from pysd_runner.panel import Panel
from pysd_runner.spec import ErrorModel, ModelSpec
from pysd_runner.study.binding import RegionalModel


def bound_panel(  # noqa: PLR0913 - the settings of a front door
    model: Model,
    panel: Panel,
    *,
    first_year: int | None = None,
    last_year: int | None = None,
    free: Iterable[str] | None = None,
    values: Mapping[str, float] | None = None,
    errors: Mapping[str, ErrorModel] | None = None,
    definitions: Mapping[str, str] | None = None,
    yuan_per_unit: float = 1.0,
) -> Bound:
    """Tie a model to a panel; see `calibration.CalibrationProblem`."""
    spec = _with_errors(_with_definitions(declarations(model), definitions or {}), errors or {})
    fixed = overrides(spec, values)
    space = ParameterSpace.of(chosen(spec, free=free, fixed=fixed))
    first, last = window_of(spec, panel, first_year, last_year)
    seen, whole = panel.until(last), _with_regions(model, len(panel.regions))
    observed = build_series(spec, seen, first_year=first, last_year=last)
    if not observed.series:
        told = [item for item in observed.absent if item.indicator in panel] or observed.absent
        raise InvalidPanel(
            "panel {panel!r} says nothing the model can be compared with: {why}",
            panel=panel.name,
            why=joined([str(item) for item in told], "; "),
        )
    names = dict.fromkeys(item.outcome for item in observed.series)
    tied = RegionalModel(model=whole, panel=seen, yuan_per_unit=yuan_per_unit)
    return Bound(
        model=whole,
        data=seen,
        spec=spec,
        fixed=fixed,
        space=space,
        window=(first, last),
        stages=stages_of(whole),
        observed=observed,
        runs=Runs(PanelValues(tied, first), outcomes=list(names), start=first, stop=last, save_every=1),
        codes=seen.codes,
        names={item.code: (item.name_en, item.name_zh) for item in seen.regions},
        lines=tuple(line_of(item) for item in observed.series),
        said=(*notes_on(seen, yuan_per_unit), *notes_on_errors(observed.series)),
        record={
            "yuan_per_unit": yuan_per_unit,
            "currency": seen.currency,
            "price_basis": seen.price_basis,
            "first_year_treatment": FIRST_YEAR,
            "definitions": {key: item.national for key, item in spec.measurements.items() if item.alternatives},
            "absent": [str(item) for item in observed.absent],
            "likelihood": {item.label: item.errors.words for item in observed.series},
        },
    )


def _with_errors(spec: ModelSpec, errors: Mapping[str, ErrorModel]) -> ModelSpec:
    """The declarations with other errors."""
    measurements = dict(spec.measurements)
    for key, item in errors.items():
        if key not in measurements:
            raise UnknownName(
                "the model declares no measurement {name!r}.{suggestion}",
                name=key,
                suggestion=suggest(key, measurements),
            )
        if measurements[key].national and item.scale == "region":
            raise InvalidInput("measurement {name!r} is a national series and has one scale", name=key)
        if item.is_count:
            raise InvalidInput(
                "measurement {name!r} compares logarithms or shares; {kind} is for counts", name=key, kind=item.family
            )
        if item.memory == "momentum" and not measurements[key].increments:
            raise InvalidInput(
                "measurement {name!r} compares levels; momentum is the memory of yearly changes", name=key
            )
        measurements[key] = replace(measurements[key], errors=item)
    return replace(spec, measurements=measurements)


def _with_definitions(spec: ModelSpec, definitions: Mapping[str, str]) -> ModelSpec:
    """The declarations with other national series."""
    measurements = dict(spec.measurements)
    for key, series in definitions.items():
        if key not in measurements:
            raise UnknownName(
                "the model declares no measurement {name!r}.{suggestion}",
                name=key,
                suggestion=suggest(key, measurements),
            )
        item = measurements[key]
        if series not in (item.national, *item.alternatives):
            known = [name for name in (item.national, *item.alternatives) if name]
            raise UnknownName(
                "measurement {name!r} cannot be read from {series!r}; {what}",
                name=key,
                series=series,
                what=Message("expected {known}", known=" or ".join(known))
                if known
                else Message("expected nothing else"),
            )
        measurements[key] = replace(item, national=series)
    return replace(spec, measurements=measurements)


def _with_regions(model: Model, count: int) -> Model:
    """The model with as many regions as the panel."""
    if model.region_range not in model.ranges:
        raise InvalidInput("{model} has no range of regions, so a panel cannot be tied to it", model=model.path.name)
    if len(model.ranges[model.region_range]) == count:
        return model
    return model.with_regions(count)
