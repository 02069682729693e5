"""Evaluate a system dynamics model: the tests passed and failed, and those not possible, with reasons."""

from calibration.evaluation.evaluate import evaluate
from calibration.evaluation.judgement import Evaluation, Judgement, Section, Verdict
from calibration.evaluation.subject import Subject

__all__ = ["Evaluation", "Judgement", "Section", "Subject", "Verdict", "evaluate"]
