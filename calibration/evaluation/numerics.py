"""Numerical tests: integration error, conservation, non-negativity, and the first non-finite value of a run."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from calibration.evaluation.judgement import NOTHING, Judgement, Phrase, Section
from calibration.evaluation.subject import Subject
from calibration.sdeval import integration_error
from pysd_runner.checks import experiments_of, rules_of
from pysd_runner.checks.declarations import Balance
from pysd_runner.core.errors import InvalidInput, UnknownName

KEY = "numerics"

# Tolerance of integration errors, relative to the largest value of the outcome.
TOLERANCE = 0.01


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
        key=KEY,
        judgements=(*judgements, *_negative_stocks(subject)),
        tables={"integration": table} if len(table) else {},
    )


def _finite(subject: Subject) -> Judgement:
    """Test that the base run is finite, and report where it first is not."""
    run = subject.base
    text = "; ".join(str(item) for item in run.failures)
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
