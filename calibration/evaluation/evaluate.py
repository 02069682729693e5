"""The complete evaluation of a model, section by section."""

import platform
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from calibration.evaluation.fit import (
    fitted_pairs,
    gap_pairs,
    level_pairs,
    pattern_tests,
    point_fit_tests,
    residual_tests,
)
from calibration.evaluation.judgement import Evaluation, Judgement, Section
from calibration.evaluation.numerics import numerical_tests
from calibration.evaluation.sensitivity import QUICK, Effort, ranking_tests, sensitivity_tests
from calibration.evaluation.structure import structure_tests
from calibration.evaluation.subject import Subject
from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.progress import Tell, Told, reporting, teller

# Packages whose versions affect the results.
PACKAGES = ("gapsim", "numpy", "scipy", "pysd", "SALib")

# Progress callback: current task, number of finished steps, total number of steps.


@reporting("Evaluating")
def evaluate(subject: Subject, *, seed: int = 0, quick: bool = False, progress: Told = None) -> Evaluation:
    """Apply every test to a model.

    Parameters
    ----------
    subject
        A calibrated model, or a model alone, without the tests that need observations or declared parameters.
    seed
        Seed of designs and draws, a non-negative integer.
    quick
        Whether to use smaller designs, for a first look.
    progress
        Called with the current task, the number of finished steps and their total number.

    Returns
    -------
    Evaluation
        Every test with its verdict, and the tables they are based on.

    Raises
    ------
    InvalidInput
        If the seed is not a non-negative integer.
    UnsupportedFeature
        If the engine does not support the model.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InvalidInput("seed must be a whole number from 0; found {found!r}", found=seed)
    effort = QUICK if quick else Effort()
    made = _provenance(subject, effort, seed, quick)
    sections = tuple(_sections(subject, effort, seed, _Steps(teller(progress))))
    return Evaluation(sections=sections, title=_title(subject), provenance=made)


class _Steps:
    """Counts finished steps and reports the progress."""

    TOTAL = 8

    def __init__(self, tell: Tell) -> None:
        self._tell, self._done = tell, 0

    def __call__(self, what: str) -> None:
        self._tell(what, min(self._done, self.TOTAL), self.TOTAL)
        self._done += 1


def _sections(subject: Subject, effort: Effort, seed: int, tell: _Steps) -> Iterator[Section]:
    tell("comparing with what was observed")
    yield from _observed(subject)
    tell("structure: units, extremes, reality checks, loops")
    yield structure_tests(subject)
    tell("numerics: steps, methods, balances")
    yield numerical_tests(subject)
    yield sensitivity_tests(subject, effort, seed=seed, progress=tell)
    tell("ranking of policies")
    yield ranking_tests(subject, effort.draws, seed=seed)
    yield Section(key="forecasts", judgements=(Judgement.untested("back_test", "back_tests"),))


def _observed(subject: Subject) -> Iterator[Section]:
    """The sections that need observations."""
    if subject.calibrated is None:
        tests = {"fit": "efficiency", "residuals": "autocorrelation", "patterns": "pattern_trend"}
        for key, test in tests.items():
            yield Section(key=key, judgements=(Judgement.untested(test, "no_fit"),))
        return
    fitted = list(fitted_pairs(subject.calibrated.result))
    levels = list(level_pairs(subject.calibrated))
    gaps = list(gap_pairs({item.name: item for item in levels}))
    yield point_fit_tests(fitted, levels, gaps)
    yield residual_tests(fitted)
    yield pattern_tests(fitted, gaps)


def _title(subject: Subject) -> str:
    if subject.calibrated is None:
        return subject.model.name
    return f"{subject.model.name}, {subject.calibrated.panel.name}"


def _provenance(subject: Subject, effort: Effort, seed: int, quick: bool) -> dict[str, Any]:
    made = dict(subject.base.provenance)
    found: dict[str, Any] = {
        "model": subject.model.name,
        "model_sha256": subject.model.sha256,
        "run": {name: made[name] for name in ("start", "stop", "step", "save_every", "method", "engine")},
        "seed": seed,
        "quick": quick,
        "effort": {name: getattr(effort, name) for name in effort.__slots__},
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}},
        "panel": None,
        "fit": None,
    }
    if subject.calibrated is not None:
        fitted = subject.calibrated.result.fitted
        found["panel"] = {"name": fitted.panel, "sha256": fitted.panel_sha256, "regions": len(fitted.regions)}
        found["fit"] = {
            "first_year": fitted.first_year,
            "last_year": fitted.last_year,
            "status": fitted.status,
            "settings": {key: value for key, value in fitted.provenance.items() if key != "errors"},
        }
    return found
