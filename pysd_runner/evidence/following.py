"""Inputs of runs: data up to the origin, a fit reweighted by measured effects, and the forecast that runs follow."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from pysd_runner.core.errors import InvalidInput, Message, of_system
from pysd_runner.core.types import Record, frozen
from pysd_runner.data import Data
from pysd_runner.evidence.weights import is_weighed, weigh
from pysd_runner.export.files import published
from pysd_runner.model import Model
from pysd_runner.spec import Baseline, FittedParameters
from pysd_runner.spec.baseline import kept_in, usual_end
from pysd_runner.study.draws import check_fit, check_rate
from pysd_runner.study.inputs import ProjectionInputs, check_projection, inputs_of, last_origin
from pysd_runner.study.projection import HasBaseline

# Draws of runs that follow a forecast, as many as that has.
DRAWS = 2500
GROUP = "gapsim.baselines"


class Audience(Protocol):
    """Receiver of progress, warnings and notes: the session of a command, or a script."""

    def stage(self, title: str, /) -> AbstractContextManager[Any]:
        """Show a step of the work, and its progress by ``at``."""

    def warn(self, text: str, /) -> None:
        """Show or store a warning."""

    def note(self, text: str, /) -> None:
        """Show or store a note."""


@frozen(eq=False)
class RunStart:
    """Inputs and settings shared by all scenarios."""

    model: Model
    data: Data | None  # a panel ends at the origin of the projection
    fitted: FittedParameters | None  # reweighted by measured effects, if the model declares any
    baseline: Baseline | None
    settings: Mapping[str, Any]

    def drawn(self, audience: Audience, title: str) -> ProjectionInputs:
        """Draw the inputs of a projection."""
        with audience.stage(title):
            found = inputs_of(self.model, self.data, self.fitted, baseline=self.baseline, **self.settings)
        if self.fitted is None:
            audience.warn(self.model.design.given(self.data).unfitted)
        return found


@frozen(eq=False)
class Following:
    """How runs start, by the start of a design.

    Attributes
    ----------
    forecast
        The forecast that the run without policy follows; ``"auto"`` reads or makes one, None lets the model run free.
    evidence
        Whether the fit is weighed by the measured effects that the model declares.
    folder
        Folder of the fit, in which the forecast may be kept.
    keeps
        Whether a forecast that is made is kept there.
    is_whole
        Whether one is made as far as a calibration makes it, since draws depend on how far they go.
    draws, scenarios
        Number of draws of runs that follow a forecast, if none is given; number of scenarios.
    check
        Called with the data up to the origin and the last year before a forecast is made.
    """

    forecast: Baseline | HasBaseline | str | None = "auto"
    evidence: bool = True
    folder: Path | None = None
    keeps: bool = False
    is_whole: bool = False
    draws: int = DRAWS
    scenarios: int = 1
    check: Callable[[Data, int], None] = lambda _data, _until: None


def started(
    audience: Audience,
    model: Model,
    data: Data | None,
    fitted: FittedParameters | None,
    given: Record,
    how: Following,
) -> RunStart:
    """Prepare the inputs shared by all scenarios; invalid requests are rejected before regions are forecast."""
    return _BEGIN[model.design.given(data).start](audience, model, data, fitted, given, how)


def _as_file(
    audience: Audience,
    model: Model,
    data: Data | None,
    fitted: FittedParameters | None,
    given: Record,
    how: Following,
) -> RunStart:
    """Inputs of runs that start from the values in the model file, and do not follow a forecast."""
    if how.forecast not in (None, "auto"):
        raise InvalidInput("{model} follows no forecast; leave `forecast` out", model=model.name)
    settings = {"draws": model.design.draws, "seed": 0, **given}
    if fitted is not None and how.evidence:
        fitted = reweighted(audience, model, data, fitted, settings["seed"])
    return RunStart(model=model, data=data, fitted=fitted, baseline=None, settings=settings)


def _in_state(
    audience: Audience, model: Model, data: Data, fitted: FittedParameters | None, given: Record, how: Following
) -> RunStart:
    """Inputs of runs that start in the state observed at the origin, and follow a forecast from there."""
    settings = settings_of(model, data, fitted, given, draws=how.draws, scenarios=how.scenarios)
    until = settings["until"]
    # Forecasts start where the projection does.
    seen = data.subset(times=range(data.years[0], last_origin(data) + 1))
    how.check(seen, until)
    baseline: Any = how.forecast
    if baseline == "auto":
        last = max(until, usual_end(seen.years[-1])) if how.is_whole else until
        ahead = {"until": last, "draws": settings["draws"], "seed": settings["seed"]}
        make = forecast_of if until > seen.years[-1] else _none
        baseline = make(audience, seen, fitted, how.folder, model, ahead, keeps=how.keeps)
    elif not isinstance(baseline, Baseline | None):
        baseline = baseline.baseline
    if fitted is not None and how.evidence:
        fitted = reweighted(audience, model, seen, fitted, settings["seed"])
    return RunStart(model=model, data=seen, fitted=fitted, baseline=baseline, settings=settings)


def _none(*_: Any, **__: Any) -> None:
    """No forecast: the run ends before the origin of a forecast."""


_BEGIN: Mapping[str, Callable[..., RunStart]] = {"state": _in_state, "file": _as_file}


def settings_of(
    model: Model,
    panel: Data,
    fitted: FittedParameters | None,
    given: Record,
    *,
    draws: int = DRAWS,
    scenarios: int = 1,
) -> dict[str, Any]:
    """Requested settings, completed by defaults; invalid ones are rejected before any work is done."""
    last = last_origin(panel)
    rate = 1.0 if fitted is None else float(fitted.provenance.get("yuan_per_unit", 1.0))
    settings: dict[str, Any] = {"until": usual_end(last), "draws": draws, "seed": 0, "yuan_per_unit": rate, **given}
    if fitted is not None:
        check_fit(fitted, model, last)
    check_rate(fitted, settings["yuan_per_unit"])
    check_projection(model, (last, settings["until"]), settings["draws"], scenarios)
    return settings


def reweighted(
    audience: Audience, model: Model, data: Data | None, fitted: FittedParameters, seed: int
) -> FittedParameters:
    """Reweight a fit by the measured effects of the model, unless the fit used them; warn if too few draws agree."""
    declared = model.declarations.evidence
    if is_weighed(fitted) or not any(item.is_used for item in declared.values()):
        return fitted
    with audience.stage(Message("Weighing the fit by measured effects")):
        try:
            return weigh(model, data, fitted, seed=seed).fitted
        except InvalidInput as reason:
            audience.warn(Message("The fit is not weighed by measured effects: {reason}", reason=reason))
            return fitted


def forecast_of(
    audience: Audience,
    panel: Data,
    fitted: FittedParameters | None,
    folder: Path | None,
    model: Model,
    ahead: Mapping[str, int],
    *,
    keeps: bool = True,
) -> Baseline | None:
    """Read the forecast that is kept in the folder of a fit, or make it with ``until``, ``draws`` and ``seed``."""
    kept = None if folder is None else kept_in(folder, panel, fitted, **ahead)
    if kept is not None:
        return kept
    found = list(entry_points(group=GROUP))
    if not found:
        audience.warn(
            Message("No forecast: the package that makes them is not installed; the run follows the model alone.")
        )
        return None
    with audience.stage(Message("Forecasting without policy")) as stage:
        try:
            more = {**ahead, "draws": max(ahead["draws"], DRAWS)}
            made: Baseline = found[0].load()(panel, fitted, **more, model=model, progress=stage.at)
        except InvalidInput as reason:
            audience.warn(Message("No forecast, because {reason}: the run follows the model alone.", reason=reason))
            return None
    if folder is not None and keeps:
        keep(audience, made, folder)
    return made


def keep(audience: Audience, made: Baseline, folder: Path) -> None:
    """Save a forecast in the folder of a fit; warn if that fails."""
    try:
        path = made.save(folder)
    except OSError as error:
        audience.warn(
            Message(
                "The forecast could not be kept in {folder}: {reason}; the next run makes it again.",
                folder=published(folder),
                reason=of_system(error),
            )
        )
    else:
        audience.note(Message("The forecast is kept in {path}.", path=published(path)))
