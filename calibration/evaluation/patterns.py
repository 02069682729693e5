"""Behaviour patterns in Barlas's order: trend, period, phase, mean, variation, discrepancy."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from calibration.evaluation.judgement import Judgement, Section, Verdict
from calibration.evaluation.observed import Pair
from calibration.evaluation.phrases import Phrase
from calibration.sdeval import BehaviourPatterns, behaviour_patterns
from pysd_runner.core.errors import InvalidInput

KEY = "patterns"

# Steps with a verdict; the phase is an estimate and has none.
STEPS = ("trend", "period", "mean", "variation", "discrepancy")


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
    return Section(key=KEY, judgements=tuple(judgements), tables=tables)


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
        return Judgement(section=KEY, test=test, subject=pair.name, verdict=Verdict.NOT_TESTED, note=note)
    passed = sum(step.status == "passed" for step in done)
    note = Phrase("paths_pass", {"passed": passed, "done": len(done), "skipped": len(found) - len(done)})
    if len(found) == 1:
        note = Phrase("verbatim", {"text": f"{done[0].message} {_numbers(done[0].values)}"})
    share = passed / len(done)
    return Judgement(
        section=KEY, test=test, subject=pair.name, verdict=Verdict.of(share > 0.5), value=share, bound=0.5, note=note
    )


def _numbers(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in values.items() if np.isfinite(value))
