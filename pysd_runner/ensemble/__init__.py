"""Ensembles: parameter designs, many runs of any loaded model, and statistics in bounded memory."""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.ensemble.designs import (
        Design as Design,
        UnbalancedDesign as UnbalancedDesign,
        grid as grid,
        latin_hypercube as latin_hypercube,
        random_draws as random_draws,
        rows as rows,
        sobol as sobol,
    )
    from pysd_runner.ensemble.job import EnsembleJob as EnsembleJob, ensemble_job as ensemble_job, load_job as load_job
    from pysd_runner.ensemble.result import Ensemble as Ensemble
    from pysd_runner.ensemble.run import run_ensemble as run_ensemble
    from pysd_runner.ensemble.statistics import Statistics as Statistics
    from pysd_runner.ensemble.store import Draws as Draws
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
