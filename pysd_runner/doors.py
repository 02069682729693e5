"""Front doors that take the shipped regional model on a panel, and any other model on a table."""

from typing import Any, overload

from pysd_runner.general.future import Future
from pysd_runner.general.scenario_runs import project_any
from pysd_runner.model import Model
from pysd_runner.panel import Panel
from pysd_runner.panel.table import Table
from pysd_runner.regional.projection import Projection
from pysd_runner.regional.projection import project as project_regions
from pysd_runner.spec import FittedParameters


@overload
def project(
    model: Model, data: Panel, scenarios: Any, fitted: FittedParameters | None = None, **settings: Any
) -> Projection: ...


@overload
def project(
    model: Model, data: Table | None, scenarios: Any, fitted: FittedParameters | None = None, **settings: Any
) -> Future: ...


def project(
    model: Model,
    data: Panel | Table | None,
    scenarios: Any,
    fitted: FittedParameters | None = None,
    **settings: Any,
) -> Projection | Future:
    """Run scenarios for draws of what a fit found.

    Parameters
    ----------
    model
        The regional model, or any other.
    data
        A panel of regions, for which `pysd_runner.projection.project` says what else there is; or a table of
        observations, or None, for which `pysd_runner.general.scenario_runs.project_any` does.
    scenarios, fitted
        As for these.
    **settings
        ``until``, ``draws``, ``seed`` and the others of these.

    Returns
    -------
    Projection or Future
        For a panel, or for anything else.
    """
    if isinstance(data, Panel):
        return project_regions(model, data, scenarios, fitted, **settings)
    return project_any(model, data, scenarios, fitted, **settings)
