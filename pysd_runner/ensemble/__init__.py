"""Ensembles: designs of parameters, many runs of any loaded model, and statistics of them that need no memory."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers only; reading the names must not load numpy
    from pysd_runner.ensemble.designs import (
        Design,
        UnbalancedDesign,
        fitted_draws,
        grid,
        latin_hypercube,
        prior_draws,
        random_draws,
        rows,
        sobol,
    )
    from pysd_runner.ensemble.job import Job, ensemble_job, load_job
    from pysd_runner.ensemble.recipe import Draws
    from pysd_runner.ensemble.result import Ensemble
    from pysd_runner.ensemble.run import run_ensemble
    from pysd_runner.ensemble.statistics import Statistics

_HOMES = {
    "Design": "designs",
    "Draws": "recipe",
    "Ensemble": "result",
    "Job": "job",
    "Statistics": "statistics",
    "UnbalancedDesign": "designs",
    "ensemble_job": "job",
    "fitted_draws": "designs",
    "grid": "designs",
    "latin_hypercube": "designs",
    "load_job": "job",
    "prior_draws": "designs",
    "random_draws": "designs",
    "rows": "designs",
    "run_ensemble": "run",
    "sobol": "designs",
}

__all__ = [
    "Design",
    "Draws",
    "Ensemble",
    "Job",
    "Statistics",
    "UnbalancedDesign",
    "ensemble_job",
    "fitted_draws",
    "grid",
    "latin_hypercube",
    "load_job",
    "prior_draws",
    "random_draws",
    "rows",
    "run_ensemble",
    "sobol",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
