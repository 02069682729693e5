"""Measured effects: what they were, and what the model implies for the same experiments."""

from pysd_runner.evidence.implied import ExperimentRuns, experiments_of, experiments_of_any, experiments_of_fit
from pysd_runner.evidence.weights import Weighted, is_weighed, terms_of, weigh

__all__ = [
    "ExperimentRuns",
    "Weighted",
    "experiments_of",
    "experiments_of_any",
    "experiments_of_fit",
    "is_weighed",
    "terms_of",
    "weigh",
]
