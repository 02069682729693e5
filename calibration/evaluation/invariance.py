"""What must not matter: the unit anything is measured in, and the order of the regions."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from calibration.evaluation.judgement import Judgement, Verdict
from calibration.evaluation.phrases import Phrase
from calibration.evaluation.subject import Subject
from pysd_runner.checks.units import Unit, parse_unit
from pysd_runner.core.errors import InvalidInput
from pysd_runner.model import REGION_RANGE

Array = NDArray[np.float64]

# Any other number would do; rounding alone may remain.
FACTOR, TOLERANCE = 7.0, 1e-9


def invariance_tests(subject: Subject, section: str) -> Iterator[Judgement]:
    """Measure in other units, and put the regions in another order.

    With every input multiplied by :math:`c^p`, :math:`p` the power of a unit in its own unit, every variable must be
    :math:`c^p` times what it was: no number hidden in an equation has a unit. Time is left alone, because the step has
    its unit.

    References
    ----------
    Barenblatt, G. I. (1996), Scaling, Self-similarity, and Intermediate Asymptotics, Cambridge University Press, ch. 1.
    """
    if subject.calibrated is None or subject.base.failed.any():
        note = Phrase("no_fit" if subject.calibrated is None else "base_fails")
        for test in ("unit_of_measure", "order"):
            yield Judgement(section=section, test=test, subject="", verdict=Verdict.NOT_TESTED, note=note)
        return
    units = _units(subject)
    time = _time(units)
    for name in dict.fromkeys(name for unit in units.values() for name in unit.powers if name != time):
        written = next(unit.written.get(name, name) for unit in units.values() if name in unit.powers)
        yield _scaled(subject, section, units, name, written)
    yield _reordered(subject, section)


def _units(subject: Subject) -> dict[str, Unit]:
    """Units of the variables, as far as they can be read."""
    found = {}
    for name, item in subject.model.variables.items():
        try:
            found[name] = parse_unit(item.unit)
        except InvalidInput:
            continue
    return found


def _time(units: Mapping[str, Unit]) -> str:
    return next(iter(units["TIME STEP"].powers), "") if "TIME STEP" in units else ""


def _constants(subject: Subject) -> dict[str, Array]:
    """All inputs of the base run."""
    names = [name for name, item in subject.model.variables.items() if item.kind == "constant"]
    return {name: np.asarray(subject.base[name][0, 0, ..., 0]) for name in names if name in subject.base.data}


def _scaled(subject: Subject, section: str, units: Mapping[str, Unit], name: str, written: str) -> Judgement:
    def factor(variable: str) -> float:
        return FACTOR ** float(units[variable].powers.get(name, 0)) if variable in units else 1.0

    run = subject.run({key: value * factor(key) for key, value in _constants(subject).items()})
    paths, base = (subject.paths(item) for item in (run, subject.base))
    expected = {key: values * factor(key) for key, values in base.items() if key in units}
    return _compared("unit_of_measure", section, written, paths, expected)


def _reordered(subject: Subject, section: str) -> Judgement:
    regions = subject.model.ranges.get(REGION_RANGE, ())
    order = np.roll(np.arange(len(regions))[::-1], 1)

    def turned(variable: str, values: Array) -> Array:
        for axis, dim in enumerate(subject.model.variables[variable].dims):
            if subject.model.ranges[dim] == regions:
                values = np.take(values, order, axis=axis)
        return values

    run = subject.run({key: turned(key, value) for key, value in _constants(subject).items()})
    expected = {key: turned(key, values) for key, values in subject.paths(subject.base).items()}
    return _compared("order", section, REGION_RANGE, subject.paths(run), expected)


def _compared(
    test: str, section: str, subject: str, found: Mapping[str, Array], expected: Mapping[str, Array]
) -> Judgement:
    """The variable that departs most, relative to its largest value."""
    apart = {}
    for name, values in expected.items():
        size = float(np.abs(values).max(initial=0.0)) or 1.0
        gap = float(np.abs(found[name] - values).max(initial=0.0)) / size
        apart[name] = gap if np.isfinite(gap) else np.inf
    wrong = [name for name, gap in apart.items() if gap > TOLERANCE]
    worst = max(apart, key=lambda name: apart[name])
    note = Phrase("departs", {"names": ", ".join(wrong[:5]), "count": len(wrong), "all": len(apart)})
    return Judgement(
        section=section,
        test=test,
        subject=subject,
        verdict=Verdict.of(not wrong),
        value=apart[worst],
        bound=TOLERANCE,
        note=note if wrong else Phrase("departs_not", {"all": len(apart)}),
    )
