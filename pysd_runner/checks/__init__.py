"""Checks of a model and of its runs: what stops it, units, behaviour rules and experiments declared beside a model."""

from pysd_runner.checks.behaviour import BehaviourProblem, check_behaviour, outcomes_of
from pysd_runner.checks.dimensions import DimensionProblem, check_dimensions
from pysd_runner.checks.experiments import Experiment, Experiments, experiments_of
from pysd_runner.checks.rules import Rule, load_rules, rules_of
from pysd_runner.checks.running import Obstacle, check_running

__all__ = [
    "BehaviourProblem",
    "DimensionProblem",
    "Experiment",
    "Experiments",
    "Obstacle",
    "Rule",
    "check_behaviour",
    "check_dimensions",
    "check_running",
    "experiments_of",
    "load_rules",
    "outcomes_of",
    "rules_of",
]
