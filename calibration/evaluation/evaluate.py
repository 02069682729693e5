"""The complete evaluation of a model, section by section, and its numerical tests."""

import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

import numpy as np
import pandas as pd

from calibration.evaluation.fit import fitted_pairs, point_fit_tests, residual_tests
from calibration.evaluation.judgement import NOTHING, Evaluation, Judgement, Phrase, Section
from calibration.evaluation.sensitivity import QUICK, TRAJECTORIES, sensitivity_tests
from calibration.evaluation.structure import structure_tests
from calibration.evaluation.subject import Subject
from calibration.sdeval import integration_error
from pysd_runner.checks import experiments_of, rules_of
from pysd_runner.checks.declarations import Balance
from pysd_runner.core.errors import InvalidInput, Message, UnknownName, joined
from pysd_runner.core.progress import Callback, ProgressCallback, callback_of, with_progress
from pysd_runner.core.types import Record, Texts

# Packages whose versions affect the results.
PACKAGES = ("gapsim", "numpy", "scipy", "pysd", "SALib")

# Tolerance of integration errors, relative to the largest value of the outcome.
TOLERANCE = 0.01


@with_progress("Evaluating")
def evaluate(subject: Subject, *, seed: int = 0, quick: bool = False, progress: ProgressCallback = None) -> Evaluation:
    """Apply every test to a model.

    Parameters
    ----------
    subject
        A fitted model, or a model alone, without the tests that need observations or ranges of parameters.
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
    trajectories = QUICK if quick else TRAJECTORIES
    made = _provenance(subject, trajectories, seed, quick)
    sections = tuple(_sections(subject, trajectories, seed, _Steps(callback_of(progress))))
    return Evaluation(sections=sections, title=_title(subject), provenance=made, names=_names(subject))


class _Steps:
    """Counts finished steps and reports the progress."""

    TOTAL = 5

    def __init__(self, tell: Callback) -> None:
        self._tell, self._done = tell, 0

    def __call__(self, what: str) -> None:
        self._tell(what, min(self._done, self.TOTAL), self.TOTAL)
        self._done += 1


def _sections(subject: Subject, trajectories: int, seed: int, tell: _Steps) -> Iterator[Section]:
    tell(Message("comparing with what was observed"))
    yield from _observed(subject)
    tell(Message("structure: units, extremes, reality checks, loops"))
    yield structure_tests(subject)
    tell(Message("numerics: steps, methods, balances"))
    yield numerical_tests(subject)
    yield sensitivity_tests(subject, trajectories, seed=seed, progress=tell)
    yield Section(key="forecasts", judgements=(Judgement.untested("back_test", "back_tests"),))


def _observed(subject: Subject) -> Iterator[Section]:
    """The sections that need observations."""
    if subject.fit is None:
        for key, test in {"fit": "efficiency", "residuals": "autocorrelation"}.items():
            yield Section(key=key, judgements=(Judgement.untested(test, "no_fit"),))
        return
    fitted = list(fitted_pairs(subject.fit))
    yield point_fit_tests(fitted)
    yield residual_tests(fitted)


def _title(subject: Subject) -> str:
    return subject.model.name if subject.fit is None else f"{subject.model.name}, {subject.fit.fitted.panel}"


def _names(subject: Subject) -> Texts:
    """Chinese names of what is tested, by its name in the results."""
    model, declared = subject.model, experiments_of(subject.model)
    items: tuple[Any, ...] = (
        *declared.extremes,
        *declared.realities,
        *declared.loops,
        *declared.balances,
        *rules_of(model),
    )
    # A title states the test input before the colon and the expected behaviour after it.
    found = {item.name: item.zh.partition("：")[0].rstrip("。") for item in items} | {"morris": "Morris"}
    if model.spec is None or subject.fit is None:
        return found
    found |= {name: item.zh for key, item in model.spec.outcomes.items() for name in (key, item.variable)}
    for key, item in model.spec.parameters.items():
        name = item.variable or item.en
        found |= {name: item.zh, f"{name} ({key})": f"{item.zh}（`{key}`）"}
    return found


def _provenance(subject: Subject, trajectories: int, seed: int, quick: bool) -> Record:
    made = dict(subject.base.provenance)
    found: dict[str, Any] = {
        "model": subject.model.name,
        "model_sha256": subject.model.sha256,
        "run": {name: made[name] for name in ("start", "stop", "step", "save_every", "method", "engine")},
        "seed": seed,
        "quick": quick,
        "effort": {"trajectories": trajectories},
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}},
        "panel": None,
        "fit": None,
    }
    if subject.fit is not None:
        fitted = subject.fit.fitted
        found["panel"] = {"name": fitted.panel, "sha256": fitted.panel_sha256, "regions": len(fitted.regions)}
        found["fit"] = {
            "first_year": fitted.first_year,
            "last_year": fitted.last_year,
            "status": fitted.status,
            "settings": {
                key: value for key, value in fitted.provenance.items() if isinstance(value, str | int | float)
            },
        }
    return found


def numerical_tests(subject: Subject) -> Section:
    """Test the numerical accuracy of a model."""
    judgements = [_finite(subject)]
    table = pd.DataFrame()
    if subject.base.failed.any():
        judgements.append(Judgement.untested("halving", "base_fails"))
    else:
        steps, table = _integration(subject)
        judgements += steps
    # Declared balances, such as transfers between stocks, which must conserve a total.
    balances = [_balance(subject, item) for item in experiments_of(subject.model).balances]
    judgements += balances or [Judgement.untested("balance", "not_declared")]
    return Section(
        key="numerics",
        judgements=(*judgements, *_negative_stocks(subject)),
        tables={"integration": table} if len(table) else {},
    )


def _finite(subject: Subject) -> Judgement:
    """Test that the base run is finite, and report where it first is not."""
    run = subject.base
    text = joined((item.message for item in run.failures), "; ") if run.failures else ""
    note = Phrase("verbatim", {"text": text}) if text else NOTHING
    return Judgement.of("finite", subject.model.name, not run.failed.any(), note=note)


def _integration(subject: Subject) -> tuple[list[Judgement], pd.DataFrame]:
    """Compare half the time step with the step of the model."""
    names = list(dict.fromkeys((*subject.outcomes, *subject.stocks)))

    def integrate(step: float) -> Mapping[str, np.ndarray]:
        return subject.paths(subject.integrated(step), names)

    step = subject.clock["step"]
    try:
        table = integration_error(integrate, step=step).reset_index()
    except UnknownName:
        raise
    except InvalidInput as error:
        # A model may not support half its step; this is not a failure.
        note = Phrase("verbatim", {"text": str(error)})
        return [Judgement.of("halving", "", None, note=note)], pd.DataFrame()
    return list(_against_tolerance(table, step)), table


def _against_tolerance(table: pd.DataFrame, step: float) -> Iterator[Judgement]:
    """One failure per outcome that changes too much, or else the outcome that changes most."""
    errors = table["error_halved"].fillna(np.inf)
    wrong = table[errors > TOLERANCE]
    rows = wrong if len(wrong) else table.loc[[errors.idxmax()]]
    for _, row in rows.iterrows():
        yield Judgement.of(
            "halving",
            str(row["outcome"]),
            not len(wrong),
            value=float(row["error_halved"]),
            bound=TOLERANCE,
            note=Phrase("worst_of", {"count": len(table), "wrong": len(wrong), "step": f"{step:g}"}),
        )


def _balance(subject: Subject, balance: Balance) -> Judgement:
    into, out_of = (
        sum(subject.base[name][0, 0].reshape(-1, subject.base.years.size).sum(axis=0) for name in names)
        for names in (balance.inflows, balance.outflows)
    )
    # Cumulative net flow, so that a small leak is detected.
    moved = np.cumsum(np.asarray(into) - np.asarray(out_of))
    scale = float(np.abs(out_of).max(initial=0.0)) or 1.0
    drift = float(np.abs(moved).max()) / scale
    return Judgement.of(
        "balance",
        balance.name,
        drift <= balance.tolerance,
        value=drift,
        bound=balance.tolerance,
        note=Phrase("declared", {"en": balance.en, "zh": balance.zh}),
    )


def _negative_stocks(subject: Subject) -> Iterator[Judgement]:
    """Report stocks that start non-negative and become negative; skipped if the model declares behaviour rules."""
    if rules_of(subject.model):
        return
    run = subject.base
    paths = {name: values for name, values in subject.paths(run, subject.stocks).items() if values[..., 0].min() >= 0}
    negative = {name: below for name, values in paths.items() if len(below := np.argwhere(values < -1e-12))}
    if not negative:
        note = Phrase("stocks_positive", {"count": len(paths), "all": len(subject.stocks)})
        yield Judgement.of("non_negative", subject.model.name, True, note=note)
    for name, below in negative.items():
        first = tuple(below[0])
        note = Phrase("stock_negative", {"year": f"{float(run.years[first[-1]]):g}"})
        yield Judgement.of("non_negative", name, False, value=float(paths[name][first]), bound=0.0, note=note)
