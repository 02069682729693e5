"""Everything a system-dynamics model is put through: what passed, what failed, what could not be tested and why."""

from calibration.evaluation.evaluate import evaluate
from calibration.evaluation.judgement import Evaluation, Judgement, Section, Verdict
from calibration.evaluation.subject import Subject

__all__ = ["Evaluation", "Judgement", "Section", "Subject", "Verdict", "evaluate"]
