"""Dimensional analysis of every equation of a model."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pysd_runner.checks.inference import Inference, MaybeUnit, Mismatch
from pysd_runner.checks.units import Synonyms, UnitProduct, parse_unit, with_equivalences
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.types import Texts, frozen
from pysd_runner.engine.ir import (
    HIDDEN,
    ORDER,
    SPAN,
    Block,
    Expression,
    ModelIr,
    Variable,
    children,
    is_literal,
    key,
    references,
)
from pysd_runner.model import Model

Kind = Literal[
    "units differ",
    "unit not readable",
    "no unit given",
    "equation not covered",
    "cannot run",
    "method",
    "not done",
    "slip",
]

FAILURES = ("units differ", "unit not readable", "cannot run")

TIME_WORD = "time"
CLOCK_NAMES = ("time step", "initial time", "final time")
# Settings follow the sketch in a Vensim file; lines of type 22 list equivalent units.
_SETTINGS = "///---\\\\\\"
_EQUIVALENCE = re.compile(r"^22:(.+)$", re.MULTILINE)


@frozen
class EquationProblem:
    """A problem of a model or of one of its equations.

    Parameters
    ----------
    kind
        ``"cannot run"``, ``"units differ"`` and ``"unit not readable"`` are failures. Warnings are ``"no unit given"``:
        the unit is compatible with any other; ``"equation not covered"``: the engine cannot read the equation, so it
        was not checked; ``"method"`` and ``"not done"``: a request of the file is done in another way or not at all;
        ``"slip"``: an equation that is read as it stands and is probably wrong.
    message
        The problem in one sentence: variable, equation and the two units, or advice.
    variable
        Name of the variable; empty if the problem is not of a single variable.
    equation
        The equation in readable notation.
    expected, found
        The two units that differ, or empty.
    """

    kind: Kind
    message: str
    variable: str = ""
    equation: str = ""
    expected: str = ""
    found: str = ""

    @property
    def is_failure(self) -> bool:
        """Whether the problem is a failure rather than a warning."""
        return self.kind in FAILURES

    def __str__(self) -> str:
        return self.message


def check_dimensions(model: Model) -> list[EquationProblem]:
    """Check the units of every equation of a model.

    A literal number is dimensionless, except: zero is compatible with any unit; a right-hand side of only literals is
    in the unit of its variable; and numbers added to or compared with ``Time`` are in units of time. Terms, compared
    values and branches need equal units; arguments of EXP, LN and trigonometric functions and exponents must be
    dimensionless; a quantity with a unit may only be raised to a literal power. The unit of a stock is that of its flow
    times that of time. The content of a smooth, delay or INITIAL has the unit of its arguments. The value of a table
    function is compatible with any unit.

    Parameters
    ----------
    model
        The model, from `load_model`.

    Returns
    -------
    list of EquationProblem
        All problems, in the order of the file; empty if all units are given and consistent.

    Raises
    ------
    UnsupportedFeature
        If the model could not be compiled to the intermediate representation.
    """
    ir = model.ir
    visible = [item for item in ir.variables.values() if not item.hidden]
    synonyms = with_equivalences(unit_equivalences(model.path))
    read = {item.name: _read(item, synonyms) for item in visible}
    units = {name: found if isinstance(found, UnitProduct) else None for name, found in read.items()}
    time = _time_unit(units)
    units = {name: None if unit is None else _in_time(unit, time) for name, unit in units.items()}
    inference = Inference(model=ir, declared=units, time=time)
    owners = _owners(ir)
    problems = [found for found in read.values() if isinstance(found, EquationProblem)]
    problems += [
        _problem(
            "equation not covered",
            item,
            Message("{name}: units not checked: {reason}", name=item.name, reason=item.unassigned),
        )
        for item in visible
        if item.unassigned
    ]
    for variable in ir.variables.values():
        owner = ir.variables[owners.get(variable.name, variable.name)]
        if any(f"{HIDDEN}{label} " in variable.name for label in (ORDER, SPAN)):
            # A delay time, in steps or as a literal, which has the unit of time by construction.
            continue
        for block in variable.blocks:
            problems += _block_problems(inference, variable, owner, block)
    places = {name: place for place, name in enumerate(ir.variables)}
    return sorted(dict.fromkeys(problems), key=lambda problem: places[problem.variable])


def _read(variable: Variable, synonyms: Synonyms) -> UnitProduct | EquationProblem:
    text = variable.unit.split("[", maxsplit=1)[0].strip()
    if not text:
        message = Message("{name}: no unit given: {equation}", name=variable.name, equation=variable.equation)
        return _problem("no unit given", variable, message)
    try:
        return parse_unit(variable.unit, synonyms)
    except InvalidInput as error:
        message = Message("{name}: {error}: {equation}", name=variable.name, error=error, equation=variable.equation)
        return _problem("unit not readable", variable, message, found=variable.unit)


def _time_unit(units: dict[str, MaybeUnit]) -> MaybeUnit:
    names = {key(name): name for name in units}
    candidates = (units[names[name]] for name in CLOCK_NAMES if name in names)
    return next((unit for unit in candidates if unit is not None), None)


def _in_time(unit: UnitProduct, time: MaybeUnit) -> UnitProduct:
    """Replace the word `time` in a unit by the model's time unit, as in Stella's flows per time."""
    power = unit.powers.get(TIME_WORD)
    if power is None or time is None:
        return unit
    return unit / UnitProduct({TIME_WORD: power}) * time**power


def _owners(model: ModelIr) -> Texts:
    """For each hidden variable, the variable of the file from which it was expanded."""
    owners: dict[str, str] = {}
    waiting = [(name, item) for name, item in model.variables.items() if not item.hidden]
    while waiting:
        owner, item = waiting.pop()
        for name in sorted(_referred(item)):
            if model.variables[name].hidden and name not in owners:
                owners[name] = owner
                waiting.append((owner, model.variables[name]))
    return owners


def _referred(variable: Variable) -> frozenset[str]:
    parts = [part for block in variable.blocks for part in (block.expression, block.initial) if part is not None]
    return frozenset(name for part in parts for name in references(part))


def _block_problems(
    inference: Inference, variable: Variable, owner: Variable, block: Block
) -> Iterator[EquationProblem]:
    equation = owner.equation if variable.hidden else block.text
    for side, expected, expression in _sides(inference, variable, block):
        inference.mismatches.clear()
        found = _side_unit(inference, variable, side, expression)
        if not inference.mismatches and expected is not None and found is not None and found != expected:
            reason = Message("the {side} gives {unit}", side=side, unit=found)
            if variable.hidden:
                reason = Message("the {side} inside a delay, smooth or INITIAL gives {unit}", side=side, unit=found)
            inference.mismatches.append(Mismatch(str(expected), str(found), "", reason))
        for mismatch in inference.mismatches:
            yield _from_mismatch(owner, equation, mismatch)


def _sides(inference: Inference, variable: Variable, block: Block) -> Iterator[tuple[Message, MaybeUnit, Expression]]:
    own = inference.variable(variable.name)
    if variable.kind != "stock":
        yield Message("right side"), own, block.expression
    else:
        flow = None if own is None or inference.time is None else own / inference.time
        yield Message("net flow"), flow, block.expression
    # The initial value of a limited flow is part of its equation and is checked with it.
    if block.initial is not None and block.initial not in children(block.expression):
        yield Message("initial value"), own, block.initial


def _side_unit(inference: Inference, variable: Variable, side: str, expression: Expression) -> MaybeUnit:
    if not variable.hidden:
        return None if is_literal(expression) else inference.unit(expression)
    if side == "net flow":
        return inference.flow_of_hidden(variable)
    return inference.start_of_hidden(variable) if side == "initial value" else inference.unit(expression)


def _from_mismatch(owner: Variable, equation: str, mismatch: Mismatch) -> EquationProblem:
    message = Message(
        "{name}: {place}{unit} expected, {reason}: {equation}",
        name=owner.name,
        place=Message("in {part}: ", part=mismatch.place) if mismatch.place else "",
        unit=mismatch.expected,
        reason=mismatch.reason,
        equation=equation,
    )
    return EquationProblem(
        kind="units differ",
        variable=owner.name,
        equation=equation,
        expected=mismatch.expected,
        found=mismatch.found,
        message=message,
    )


def _problem(kind: Kind, variable: Variable, message: str, found: str = "") -> EquationProblem:
    return EquationProblem(kind=kind, variable=variable.name, equation=variable.equation, message=message, found=found)


def unit_equivalences(path: Path) -> list[tuple[str, ...]]:
    """Groups of equivalent units listed in a model file."""
    if not path.is_file():
        return []
    _, _, settings = path.read_bytes().decode("utf-8", errors="replace").replace("\r", "").partition(_SETTINGS)
    groups = [tuple(word.strip() for word in line.split(",")) for line in _EQUIVALENCE.findall(settings)]
    return [tuple(word for word in group if word) for group in groups if any(group)]
