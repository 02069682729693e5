"""Conversion of arguments: a model, data or a fit may be given as an object, name, path or data frame."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pysd_runner.core.errors import InvalidInput
from pysd_runner.data import Data, load_data
from pysd_runner.model import Model, load_model
from pysd_runner.spec import FittedParameters, load_fitted

if TYPE_CHECKING:
    from pysd_runner.data.sources import AnySource


class HasFit(Protocol):
    """A result of `calibration.fit`."""

    @property
    def fitted(self) -> FittedParameters:
        """The estimated parameters."""


class HasProblem(HasFit, Protocol):
    """A result of `calibration.fit` in the session that computed it, which holds its problem."""

    @property
    def problem(self) -> Any:
        """Its model and data."""


AnyModel = Model | str | Path
AnyFit = FittedParameters | HasFit | str | Path


def loaded(model: AnyModel, data: "Data | AnySource | None") -> tuple[Model, Data | None]:
    """Load the model and data if needed; a model given by name gets as many regions as the panel."""
    if not (data is None or isinstance(data, Data)):
        known = model if isinstance(model, Model) else load_model(model)
        data = load_data(data, panel=known.design.panel)
    if isinstance(model, Model):
        return model, data if data is None else data.for_model(regional=model.design.panel)
    return load_model(model, regions=None if data is None else data.count), data


def parameters_of(fit: AnyFit | None, draws: int | None = None) -> FittedParameters | None:
    """The parameters of a fit, given its result, its parameters, or its folder; one draw needs no posterior."""
    if fit is None or isinstance(fit, FittedParameters):
        return fit
    if isinstance(fit, str | Path):
        return load_fitted(fit)
    found = getattr(fit if draws == 1 else getattr(fit, "drawn", fit), "fitted", None)
    if isinstance(found, FittedParameters):
        return found
    raise InvalidInput(
        "a fit is what `fit` returned, its parameters, or the folder of a calibration; found {found!r}", found=fit
    )


def subject_of(model: Any, data: Any, scenarios: Any, fit: Any) -> tuple[Any, Any, Any, Any]:
    """Arguments of a call in which a fit may stand for its model, its data and itself."""
    problem = getattr(model, "problem", None)
    if isinstance(model, Model | str | Path) or not isinstance(getattr(model, "fitted", None), FittedParameters):
        if scenarios is None:
            raise InvalidInput("name the scenarios, as in project(model, data, {'Contact Rate': 5})")
        return model, data, scenarios, fit
    if problem is None:
        raise InvalidInput("the fit was loaded, so its model and data are not known; give them before the scenarios")
    if scenarios is None:
        data, scenarios = None, data
    return problem.model, problem.data if data is None else data, {} if scenarios is None else scenarios, fit or model


def named(scenarios: Any) -> Any:
    """Scenarios as a list; a mapping gives each a name: ``{"lockdown": {"Contact Rate": 5}, "open": {}}``."""
    from pysd_runner.scenarios import Scenario

    if not isinstance(scenarios, Mapping) or not scenarios:
        return scenarios
    if all(isinstance(item, Scenario) for item in scenarios.values()):
        return [replace(item, name=str(name)) for name, item in scenarios.items()]
    if not all(isinstance(item, Mapping) for item in scenarios.values()):
        return scenarios
    if any(_is_time(key) for item in scenarios.values() for key in item):
        return scenarios
    return [Scenario.of(name, changes) for name, changes in scenarios.items()]


def _is_time(key: Any) -> bool:
    """Whether a key is a time or date in the schedule of a constant, and not the name of a constant."""
    return not isinstance(key, str) or key == "interpolate" or key[:1].isdigit()
