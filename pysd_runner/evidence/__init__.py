"""Measured effects, and the effects that the model implies for the same experiments."""

from pysd_runner.evidence.implied import Beginning, ExperimentRuns, beginning_of, experiments_of, in_state
from pysd_runner.evidence.weights import Reweighted, is_weighed, terms_of, weigh

__all__ = [
    "Beginning",
    "ExperimentRuns",
    "Reweighted",
    "beginning_of",
    "experiments_of",
    "in_state",
    "is_weighed",
    "terms_of",
    "weigh",
]
