"""Structure: units of every equation, extreme conditions, plausible parameters, reality checks, loops switched off."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd

from calibration.evaluation.experiments import try_experiment
from calibration.evaluation.invariance import invariance_tests
from calibration.evaluation.judgement import Judgement, Section, Verdict
from calibration.evaluation.phrases import NOTHING, Phrase
from calibration.evaluation.subject import Subject
from calibration.fitting.diagnostics import FAR
from calibration.fitting.estimates import ParameterEstimate
from calibration.sdeval import Loop as KnockOut
from calibration.sdeval import knock_out
from pysd_runner.checks import check_behaviour, check_dimensions, experiments_of, rules_of
from pysd_runner.checks.experiments import Experiment, Loop

KEY = "structure"

# A loop that moves what it is there to move by less than this share of the base run's own variation does nothing.
LEAST_CHANGE = 1e-3


def structure_tests(subject: Subject, *, progress: Callable[[int], None] | None = None) -> Section:
    """Test the structure of a model."""
    declared = experiments_of(subject.model)
    judgements = [*_units(subject), *_rules(subject)]
    for key, experiments in (("extreme", declared.extremes), ("reality", declared.realities)):
        if not experiments:
            judgements.append(_absent(key, "not_declared"))
        for item in experiments:
            judgements.append(_experiment(subject, item))
            _ = None if progress is None else progress(1)
    judgements += [*invariance_tests(subject, KEY), *_parameters(subject)]
    loops, table = _loops(subject, declared.loops)
    tables = {"units": _unit_table(subject), "parameters": _parameter_table(subject), "loops": table}
    return Section(
        key=KEY,
        judgements=(*judgements, *loops),
        tables={name: frame for name, frame in tables.items() if len(frame)},
    )


def _absent(test: str, reason: str) -> Judgement:
    return Judgement(section=KEY, test=test, subject="", verdict=Verdict.NOT_TESTED, note=Phrase(reason))


def _units(subject: Subject) -> Iterator[Judgement]:
    """One judgement for each equation whose units do not fit, or one for all of them."""
    problems = check_dimensions(subject.model)
    failures = [item for item in problems if item.is_failure]
    equations = sum(len(item.blocks) for item in subject.model.variables.values())
    silent = [item for item in problems if not item.is_failure]
    if not failures:
        note = Phrase("units_fit", {"equations": equations, "silent": len(silent)})
        yield Judgement(section=KEY, test="units", subject=subject.model.name, verdict=Verdict.PASSED, note=note)
    for item in failures:
        yield Judgement(
            section=KEY,
            test="units",
            subject=item.variable,
            verdict=Verdict.FAILED,
            note=Phrase("verbatim", {"text": item.message}),
        )
    if silent:
        names = ", ".join(dict.fromkeys(item.variable for item in silent))
        yield Judgement(
            section=KEY,
            test="units",
            subject=names,
            verdict=Verdict.NOT_TESTED,
            note=Phrase("units_silent", {"count": len(silent)}),
        )


def _unit_table(subject: Subject) -> pd.DataFrame:
    problems = check_dimensions(subject.model)
    rows = [
        {"kind": item.kind, "variable": item.variable, "expected": item.expected, "found": item.found}
        | {"equation": item.equation}
        for item in problems
    ]
    return pd.DataFrame(rows)


def _rules(subject: Subject) -> Iterator[Judgement]:
    """The behaviour rules beside the model, in its base run."""
    rules = rules_of(subject.model)
    if not rules:
        yield _absent("rule", "no_rules")
    for rule in rules:
        broken = check_behaviour(subject.base, [rule])
        note = Phrase("verbatim", {"text": "; ".join(item.message for item in broken)}) if broken else NOTHING
        value = broken[0].value if broken else None
        verdict = Verdict.of(not broken)
        yield Judgement(section=KEY, test="rule", subject=rule.name, verdict=verdict, value=value, note=note)


def _experiment(subject: Subject, experiment: Experiment) -> Judgement:
    breaches = try_experiment(subject, experiment)
    said = {"en": experiment.en, "zh": experiment.zh}
    note = Phrase("declared", said)
    if breaches:
        text = "; ".join(item.message for item in breaches)
        note = Phrase("declared_broken", {**said, "text": text})
    return Judgement(
        section=KEY,
        test=experiment.kind,
        subject=experiment.name,
        verdict=Verdict.of(not breaches),
        value=breaches[0].value if breaches else None,
        note=note,
    )


def _parameters(subject: Subject) -> Iterator[Judgement]:
    """Estimates inside their bounds and in keeping with their source."""
    if subject.calibrated is None:
        yield _absent("parameter", "no_fit")
        return
    for item in subject.calibrated.result.parameters:
        if not item.is_shown:
            verdict, note = Verdict.NOT_TESTED, Phrase("prior_only")
        else:
            verdict = Verdict.of(not item.at_bound and abs(item.score) <= FAR)
            note = _plausibility(item)
        yield Judgement(
            section=KEY,
            test="parameter",
            subject=f"{item.name} ({item.key})",
            verdict=verdict,
            value=item.estimate,
            note=note,
        )


def _plausibility(item: ParameterEstimate) -> Phrase:
    parts = {
        "low": f"{item.lower_bound:g}",
        "high": f"{item.upper_bound:g}",
        "score": f"{item.score:+.1f}",
        "unit": item.unit,
    }
    return Phrase("at_bound" if item.at_bound else "plausible", parts)


def _parameter_table(subject: Subject) -> pd.DataFrame:
    """Estimates beside their bounds, priors and sources."""
    if subject.calibrated is None or subject.model.spec is None:
        return pd.DataFrame()
    declared = subject.model.spec.parameters
    table = subject.calibrated.result.table()
    kept = ["key", "name", "unit", "estimate", "low_90", "high_90", "lower_bound", "upper_bound", "prior_median"]
    kept += ["prior_low_90", "prior_high_90", "contraction", "words"]
    scores = [item.score for item in subject.calibrated.result.parameters]
    sources = [", ".join(declared[key].sources) or "judgement" for key in table["key"]]
    return table[kept].assign(score=scores, sources=sources)


def _loops(subject: Subject, loops: tuple[Loop, ...]) -> tuple[list[Judgement], pd.DataFrame]:
    """What is lost when a loop is switched off."""
    if not loops:
        return [_absent("loop", "not_declared")], pd.DataFrame()
    judgements, parts = [], []
    for loop in loops:
        names = list(dict.fromkeys(subject.model.find(name) for name in (*loop.moves, *_compared(subject))))
        table = _knocked_out(subject, loop, names)
        parts.append(table)
        moved = table[table["outcome"].isin([subject.model.find(name) for name in loop.moves])]
        judgements.append(_loop(loop, moved))
    return judgements, pd.concat(parts, ignore_index=True)


def _loop(loop: Loop, moved: pd.DataFrame) -> Judgement:
    """Whether a loop moves everything it is there to move."""
    note = Phrase("declared", {"en": loop.en, "zh": loop.zh})
    broken = moved.loc[moved["status"] != "run", "status"]
    if len(broken):
        note = Phrase("verbatim", {"text": str(broken.iloc[0])})
    elif moved["change"].isna().any():
        note = Phrase("undefined")
    else:
        least = float(moved["change"].min())
        verdict = Verdict.of(least > LEAST_CHANGE)
        return Judgement(
            section=KEY, test="loop", subject=loop.name, verdict=verdict, value=least, bound=LEAST_CHANGE, note=note
        )
    verdict = Verdict.FAILED if len(broken) else Verdict.NOT_TESTED
    return Judgement(section=KEY, test="loop", subject=loop.name, verdict=verdict, note=note)


def _compared(subject: Subject) -> tuple[str, ...]:
    """Measures of the gaps and of output, beside which the loss of every loop is shown."""
    spec = subject.model.spec
    keys = ("sigma", "theil", "national_output_per_head")
    return () if spec is None else tuple(spec.outcomes[key].variable for key in keys if key in spec.outcomes)


def _knocked_out(subject: Subject, loop: Loop, names: list[str]) -> pd.DataFrame:
    def simulate(changes: Mapping[str, float]) -> dict[str, np.ndarray]:
        run = subject.run(changes, years=loop.years)
        if run.failed.any():
            raise ArithmeticError(str(run.failures[0]) if run.failures else "values that are not finite")
        return subject.paths(run, names)

    cut = KnockOut(name=loop.name, inputs=dict(loop.values), because=loop.en)
    return knock_out(simulate, [cut], outcomes=names, base=dict(loop.given))
