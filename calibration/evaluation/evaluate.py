"""The whole evaluation of a model, section by section."""

import platform
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any

from calibration.evaluation.guidelines import guideline_tests
from calibration.evaluation.judgement import Evaluation, Judgement, Section, Verdict
from calibration.evaluation.numerics import numerical_tests
from calibration.evaluation.observed import fitted_pairs, gap_pairs, level_pairs
from calibration.evaluation.patterns import pattern_tests
from calibration.evaluation.phrases import Phrase
from calibration.evaluation.point_fit import point_fit_tests
from calibration.evaluation.ranking import ranking_tests
from calibration.evaluation.residuals import residual_tests
from calibration.evaluation.sensitivity import QUICK, Effort, sensitivity_tests
from calibration.evaluation.structure import structure_tests
from calibration.evaluation.subject import Subject
from pysd_runner.core.errors import InvalidInput

# Packages whose versions decide the numbers.
PACKAGES = ("gapsim", "numpy", "scipy", "pysd", "SALib")

# What is told of the progress: what is being done, steps done, steps in all.
Progress = Callable[[str, int, int], None]


def evaluate(subject: Subject, *, seed: int = 0, quick: bool = False, progress: Progress | None = None) -> Evaluation:
    """Apply every test to a model.

    Parameters
    ----------
    subject
        A calibrated model, or a model by itself: then what needs observations or declared parameters is not tested.
    seed
        Decides the designs and draws, a whole number from 0.
    quick
        Whether designs are smaller, for a first look.
    progress
        Called with what is being done.

    Returns
    -------
    Evaluation
        Every test with its verdict, and the tables behind them.

    Raises
    ------
    InvalidInput
        If the seed is no whole number from 0.
    UnsupportedFeature
        If the engine does not cover the model.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InvalidInput(f"seed must be a whole number from 0; found {seed!r}")
    effort = QUICK if quick else Effort()
    made = _provenance(subject, effort, seed, quick)
    sections = tuple(_sections(subject, effort, seed, _Steps(progress)))
    return Evaluation(sections=(*sections, guideline_tests(subject, made)), title=_title(subject), provenance=made)


class _Steps:
    """Tells how far the work is."""

    TOTAL = 9

    def __init__(self, progress: Progress | None) -> None:
        self._progress, self._done = progress, 0

    def __call__(self, what: str) -> None:
        if self._progress is not None:
            self._progress(what, min(self._done, self.TOTAL), self.TOTAL)
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
    note = Phrase("back_tests")
    later = Judgement(section="forecasts", test="back_test", subject="", verdict=Verdict.NOT_TESTED, note=note)
    yield Section(key="forecasts", judgements=(later,))


def _observed(subject: Subject) -> Iterator[Section]:
    """What needs observations."""
    if subject.calibrated is None:
        tests = {"fit": "efficiency", "residuals": "autocorrelation", "patterns": "pattern_trend"}
        for key, test in tests.items():
            note = Phrase("no_fit")
            judgement = Judgement(section=key, test=test, subject="", verdict=Verdict.NOT_TESTED, note=note)
            yield Section(key=key, judgements=(judgement,))
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
