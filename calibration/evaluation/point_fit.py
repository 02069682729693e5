"""Point fit of every series, by region and pooled, in the terms of the calibration and in levels."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from calibration.evaluation.judgement import Judgement, Section, Verdict
from calibration.evaluation.observed import Pair
from calibration.evaluation.phrases import NOTHING, Phrase
from calibration.sdeval import BehaviourPatterns, behaviour_patterns, fit_table, point_fit
from pysd_runner.core.errors import InvalidInput

KEY = "fit"

# Theil's share of bias in the mean squared error above which the error is systematic.
BIAS = 0.1

# Of values around zero percentages mean nothing.
PERCENTAGES = ("mape", "rmspe", "mae_over_mean")
PATTERNS_KEY = "patterns"

# Steps with a verdict; the phase is an estimate and has none.
STEPS = ("trend", "period", "mean", "variation", "discrepancy")


def point_fit_tests(fitted: Sequence[Pair], levels: Sequence[Pair], gaps: Sequence[Pair]) -> Section:
    """Test how near the simulation comes to what was observed, moment by moment."""
    judgements = [item for pair in fitted for item in _in_terms(pair)]
    judgements += [item for pair in (*levels, *gaps) for item in _in_levels(pair)]
    tables = {"point_fit": _pooled([*fitted, *levels, *gaps]), "point_fit_regions": _by_region([*fitted, *levels])}
    return Section(key=KEY, judgements=tuple(judgements), tables=tables)


def _in_terms(pair: Pair) -> Iterator[Judgement]:
    found = point_fit(pair.observed.to_numpy(), pair.simulated.to_numpy(), pool=(0,))
    yield _judged("efficiency", pair, float(found.efficiency), above=0.0)
    if pair.is_relative:
        # The mean over regions of every year was taken away on both sides: the mean error is zero whatever the model.
        reason = Phrase("bias_by_construction")
        yield Judgement(section=KEY, test="bias", subject=pair.name, verdict=Verdict.NOT_TESTED, note=reason)
    else:
        yield _judged("bias", pair, float(found.um), most=BIAS)


def _in_levels(pair: Pair) -> Iterator[Judgement]:
    table = point_fit(pair.observed.to_numpy(), pair.simulated.to_numpy())
    pooled = point_fit(pair.observed.to_numpy(), pair.simulated.to_numpy(), pool=(0,))
    yield _judged("bias", pair, float(pooled.um), most=BIAS, note=Phrase("not_fitted"))
    defined = np.isfinite(table.u2)
    if not defined.any():
        note = Phrase("undefined")
        yield Judgement(section=KEY, test="no_change", subject=pair.name, verdict=Verdict.NOT_TESTED, note=note)
        return
    better = float((table.u2[defined] < 1).mean())
    parts = {"better": int((table.u2[defined] < 1).sum()), "all": int(defined.sum())}
    yield Judgement(
        section=KEY,
        test="no_change",
        subject=pair.name,
        verdict=Verdict.of(better > 0.5),
        value=better,
        bound=0.5,
        note=Phrase("better_in", parts),
    )


def _judged(
    test: str,
    pair: Pair,
    value: float,
    *,
    above: float | None = None,
    most: float | None = None,
    note: Phrase = NOTHING,
) -> Judgement:
    if not np.isfinite(value):
        return Judgement(
            section=KEY, test=test, subject=pair.name, verdict=Verdict.NOT_TESTED, note=Phrase("undefined")
        )
    holds = value > above if above is not None else most is not None and value <= most
    bound = above if above is not None else most
    return Judgement(
        section=KEY, test=test, subject=pair.name, verdict=Verdict.of(holds), value=value, bound=bound, note=note
    )


def _pooled(pairs: Sequence[Pair]) -> pd.DataFrame:
    parts = []
    for pair in pairs:
        row = fit_table(pair.observed, pair.simulated, time="year").loc[["pooled"]]
        parts.append(_described(row, pair).assign(series=pair.name))
    return _first_columns(pd.concat(parts, ignore_index=True), ["series", "unit"])


def _by_region(pairs: Sequence[Pair]) -> pd.DataFrame:
    parts = []
    for pair in pairs:
        table = fit_table(pair.observed, pair.simulated, time="year").drop(index="pooled")
        parts.append(_described(table.rename_axis("region").reset_index(), pair).assign(series=pair.name))
    return _first_columns(pd.concat(parts, ignore_index=True), ["series", "unit", "region"])


def _described(table: pd.DataFrame, pair: Pair) -> pd.DataFrame:
    table = table.assign(unit=pair.unit)
    return table.assign(**dict.fromkeys(PERCENTAGES, np.nan)) if pair.is_relative else table


def _first_columns(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    return table[[*names, *(name for name in table.columns if name not in names)]]


def pattern_tests(fitted: Sequence[Pair], gaps: Sequence[Pair]) -> Section:
    """Compare the patterns of simulated and observed paths."""
    judgements: list[Judgement] = []
    rows: list[pd.DataFrame] = []
    for pair in (*gaps, *fitted):
        found, reasons = _compared(pair)
        judgements += [_step(pair, name, found, reasons) for name in STEPS]
        rows += [item.table().assign(series=pair.name, region=region) for region, item in found.items()]
    table = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()
    names = ["series", "region"]
    tables = {"patterns": table[[*names, *(name for name in table.columns if name not in names)]]} if rows else {}
    return Section(key=PATTERNS_KEY, judgements=tuple(judgements), tables=tables)


def _compared(pair: Pair) -> tuple[dict[str, BehaviourPatterns], list[str]]:
    """Patterns of every region, and why there are none of the others."""
    observed, simulated = (values.transpose("region", "year").to_numpy() for values in pair.paths)
    found, reasons = {}, []
    for place, region in enumerate(pair.observed["region"].to_numpy()):
        try:
            found[str(region)] = behaviour_patterns(observed[place], simulated[place])
        except InvalidInput as error:
            reasons.append(str(error))
    return found, reasons


def _step(pair: Pair, name: str, found: Mapping[str, BehaviourPatterns], reasons: Sequence[str]) -> Judgement:
    """One step over all paths that came so far."""
    steps = [step for item in found.values() for step in item.steps if step.name == name]
    done = [step for step in steps if step.status != "skipped"]
    test = f"pattern_{name}"
    if not done:
        said = list(dict.fromkeys([*(step.message for step in steps), *reasons]))
        note = Phrase("verbatim", {"text": said[0] if said else ""})
        return Judgement(section=PATTERNS_KEY, test=test, subject=pair.name, verdict=Verdict.NOT_TESTED, note=note)
    passed = sum(step.status == "passed" for step in done)
    note = Phrase("paths_pass", {"passed": passed, "done": len(done), "skipped": len(found) - len(done)})
    if len(found) == 1:
        note = Phrase("verbatim", {"text": f"{done[0].message} {_numbers(done[0].values)}"})
    share = passed / len(done)
    return Judgement(
        section=PATTERNS_KEY,
        test=test,
        subject=pair.name,
        verdict=Verdict.of(share > 0.5),
        value=share,
        bound=0.5,
        note=note,
    )


def _numbers(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in values.items() if np.isfinite(value))
