"""Front doors that take the shipped regional model on a panel, and any other model on a table."""

from pathlib import Path
from typing import Any, overload

from pysd_runner.model import Model, load_model
from pysd_runner.panel import Panel, Table, load_panel, load_table
from pysd_runner.spec import FittedParameters
from pysd_runner.spec.load import binds
from pysd_runner.study.future import Future
from pysd_runner.study.projection import Projection
from pysd_runner.study.projection import project as project_regions
from pysd_runner.study.scenario_runs import project_any


@overload
def project(
    model: Model | str | Path, data: Panel, scenarios: Any, fitted: FittedParameters | None = None, **settings: Any
) -> Projection: ...


@overload
def project(
    model: Model | str | Path,
    data: Table | None,
    scenarios: Any,
    fitted: FittedParameters | None = None,
    **settings: Any,
) -> Future: ...


@overload
def project(
    model: Model | str | Path, data: Any, scenarios: Any, fitted: FittedParameters | None = None, **settings: Any
) -> Projection | Future: ...


def project(
    model: Model | str | Path,
    data: Any,
    scenarios: Any,
    fitted: FittedParameters | None = None,
    **settings: Any,
) -> Projection | Future:
    """Run scenarios for draws of what a fit found.

    Parameters
    ----------
    model
        The regional model, or any other; loaded, or what `load_model` takes.
    data
        A panel of regions, for which `pysd_runner.projection.project` says what else there is; or a table of
        observations, or None, for which `pysd_runner.study.scenario_runs.project_any` does. A data frame, dictionary
        or file is read as a panel for a model of regions, and as a table for any other.
    scenarios, fitted
        As for these.
    **settings
        ``until``, ``draws``, ``seed`` and the others of these.

    Returns
    -------
    Projection or Future
        For a panel, or for anything else.
    """
    if not (data is None or isinstance(data, Panel | Table)):
        regional = model.is_regional if isinstance(model, Model) else binds(model)
        data = load_panel(data) if regional else load_table(data)
    if isinstance(data, Panel):
        loaded = model if isinstance(model, Model) else load_model(model, regions=len(data.regions))
        return project_regions(loaded, data, scenarios, fitted, **settings)
    loaded = model if isinstance(model, Model) else load_model(model)
    return project_any(loaded, data, scenarios, fitted, **settings)
