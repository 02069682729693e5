"""Inputs shared by all scenarios: model, data, fit, and the forecast without policy, stored with the fit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysd_runner.cli.options import RunOptions
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, Message, of_system

if TYPE_CHECKING:  # slow imports (numpy)
    from pysd_runner.data import Data
    from pysd_runner.model import Model
    from pysd_runner.spec import Baseline, FittedParameters
    from pysd_runner.study.inputs import ProjectionInputs

DRAWS = 2500
FITTED_FILE = "fitted.json"
GROUP = "gapsim.baselines"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStart:
    """Inputs and settings shared by all scenarios."""

    model: "Model"
    data: "Data | None"  # a panel ends at the origin of the projection
    fitted: "FittedParameters | None"  # weighed by measured effects, if the model declares any
    baseline: "Baseline | None"
    settings: Mapping[str, Any]

    def drawn(self, session: Session, title: str) -> "ProjectionInputs":
        """Draw the inputs of a projection."""
        from pysd_runner.study.inputs import inputs_of

        with session.stage(title):
            found = inputs_of(self.model, self.data, self.fitted, baseline=self.baseline, **self.settings)
        if self.fitted is None:
            session.warn(self.model.design.given(self.data).unfitted)
        return found


def read_fit(path: Path) -> "FittedParameters":
    """Read fitted parameters from their file or from the folder that holds it."""
    from pysd_runner.spec import load_fitted

    return load_fitted(path)


def weighed(
    session: Session, model: "Model", data: "Data | None", fitted: "FittedParameters", asked: RunOptions
) -> "FittedParameters":
    """Weigh a fit by the measured effects of the model, unless it used them; warn if too few draws agree."""
    declared = {} if "evidence" in asked.left_out or model.spec is None else model.spec.evidence
    if not any(item.is_used for item in declared.values()):
        return fitted
    from pysd_runner.evidence import is_weighed, weigh

    if is_weighed(fitted):
        return fitted
    with session.stage(Message("Weighing the fit by measured effects")):
        try:
            return weigh(model, data, fitted, seed=asked.seed or 0).fitted
        except InvalidInput as reason:
            session.warn(Message("The fit is not weighed by measured effects: {reason}", reason=reason))
            return fitted


def read_others(path: Path | None) -> "dict[str, FittedParameters]":
    """Read the fits under alternative definitions from the subfolders of a fit."""
    if path is None or not path.is_dir():
        return {}
    found = {file.parent.name: read_fit(file) for file in sorted(path.glob(f"*/{FITTED_FILE}"))}
    return {name: item for name, item in found.items() if name in definitions_of(item)}


def definitions_of(fitted: "FittedParameters") -> tuple[str, ...]:
    """National series that a fit uses for measurements with several alternative series."""
    return tuple(map(str, dict(fitted.provenance.get("definitions") or {}).values()))


def settings_of(
    model: "Model",
    panel: "Data",
    fitted: "FittedParameters | None",
    given: Mapping[str, Any],
    *,
    draws: int = DRAWS,
    scenarios: int = 1,
) -> dict[str, Any]:
    """Requested settings, completed by defaults; invalid ones are rejected before any work is done."""
    from pysd_runner.reports.evidence import money_of
    from pysd_runner.spec.baseline import usual_end
    from pysd_runner.study.draws import check_fit, check_rate
    from pysd_runner.study.inputs import check_projection, last_origin

    last = last_origin(panel)
    settings: dict[str, Any] = {"until": usual_end(last), "draws": draws, "seed": 0}
    settings |= {"yuan_per_unit": money_of(fitted)}
    settings |= given
    if fitted is not None:
        check_fit(fitted, model, last)
    check_rate(fitted, settings["yuan_per_unit"])
    check_projection(model, (last, settings["until"]), settings["draws"], scenarios)
    return settings


def started(
    session: Session,
    model: "Model",
    data: "Data | None",
    fitted: "FittedParameters | None",
    asked: RunOptions,
    *,
    draws: int = DRAWS,
    scenarios: int = 1,
    regions: Sequence[str] = (),
    events: Sequence[str] = (),
) -> RunStart:
    """Prepare the inputs shared by all scenarios; reject invalid requests before regions are forecast."""
    begin = _BEGIN[model.design.given(data).start]
    return begin(session, model, data, fitted, asked, draws, scenarios, regions, events)


def _as_file(
    session: Session,
    model: "Model",
    data: "Data | None",
    fitted: "FittedParameters | None",
    asked: RunOptions,
    *_: Any,
) -> RunStart:
    """Inputs of runs that begin as their file says."""
    settings = {"draws": model.design.draws, "seed": 0, **asked.settings}
    fitted = None if fitted is None else weighed(session, model, data, fitted, asked)
    return RunStart(model=model, data=data, fitted=fitted, baseline=None, settings=settings)


def _in_state(
    session: Session,
    model: "Model",
    data: "Data",
    fitted: "FittedParameters | None",
    asked: RunOptions,
    draws: int,
    scenarios: int,
    regions: Sequence[str],
    events: Sequence[str],
) -> RunStart:
    """Inputs of runs that begin in the state observed at the origin, and follow a forecast from there."""
    from pysd_runner.study.inputs import last_origin

    settings = settings_of(model, data, fitted, asked.settings, draws=draws, scenarios=scenarios)
    # Forecasts start where the projection does.
    seen = data.subset(times=range(data.years[0], last_origin(data) + 1))
    ahead = {name: settings[name] for name in ("until", "draws", "seed")}
    _check_events(seen, ahead["until"], events)
    check_regions(regions, seen, session.lang)
    baseline = None
    if "forecast" not in asked.left_out and ahead["until"] > seen.years[-1]:
        baseline = baseline_of(session, seen, fitted, asked.folder, model=model, **ahead)
    fitted = None if fitted is None else weighed(session, model, seen, fitted, asked)
    return RunStart(model=model, data=seen, fitted=fitted, baseline=baseline, settings=settings)


_BEGIN: Mapping[str, Callable[..., RunStart]] = {"state": _in_state, "file": _as_file}


def check_regions(names: Sequence[str], panel: "Data", lang: str) -> None:
    """Refuse a name that is no single region of a panel."""
    from pysd_runner.reports.panels import find_place

    for name in names:
        if find_place(name, panel.regions, lang).kind != "region":
            raise InvalidInput("figures show single regions; {name!r} is none", name=name)


def _check_events(panel: "Data", until: int, events: Sequence[str]) -> None:
    """Check the events, before any work is done."""
    import numpy as np

    from pysd_runner.indicators.events import chances, event_draws

    places = panel.regions
    names = {place.code: (place.name_en, place.name_zh) for place in places}
    heads = np.log(panel.array("output_per_head")[:, -1])
    years = tuple(range(panel.years[-1] + 1, until + 1))
    draws = np.zeros((1, len(places), len(years)))
    chances(events, event_draws(names, [place.group for place in places], heads - np.nanmean(heads), draws, years))


def baseline_of(
    session: Session,
    panel: "Data",
    fitted: "FittedParameters | None",
    folder: Path | None,
    *,
    model: "Model",
    until: int,
    draws: int,
    seed: int,
) -> "Baseline | None":
    """Read the stored forecast of a panel, or compute it."""
    from pysd_runner.spec.baseline import kept_in

    kept = None if folder is None else kept_in(folder, panel, fitted, until=until, draws=draws, seed=seed)
    if kept is not None:
        return kept
    found = list(entry_points(group=GROUP))
    if not found:
        session.warn(
            Message("No forecast: the package that makes them is not installed; the run follows the model alone.")
        )
        return None
    with session.stage(Message("Forecasting without policy")) as stage:
        try:
            made: Baseline = found[0].load()(
                panel, fitted, until=until, draws=max(draws, DRAWS), seed=seed, model=model, progress=stage.at
            )
        except InvalidInput as reason:
            session.warn(Message("No forecast, because {reason}: the run follows the model alone.", reason=reason))
            return None
    if folder is not None:
        keep(session, made, folder)
    return made


def keep(session: Session, made: "Baseline", folder: Path) -> None:
    """Save a forecast in the folder of a fit; warn if that fails."""
    try:
        path = made.save(folder)
    except OSError as error:
        session.warn(
            Message(
                "The forecast could not be kept in {folder}: {reason}; the next run makes it again.",
                folder=folder,
                reason=of_system(error),
            )
        )
    else:
        session.note(Message("The forecast is kept in {path}.", path=path))
