"""Scalars of a model that can be estimated: their priors, and which of them are known or off."""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from calibration.fitting.entering import Target, targets_of
from calibration.observation import Series
from pysd_runner.core.errors import InvalidInput, Message, UnknownName
from pysd_runner.core.numbers import three_digits
from pysd_runner.core.types import Texts, Values
from pysd_runner.engine.ir import references
from pysd_runner.model import Model, facts_of
from pysd_runner.simulation.run import constant_values
from pysd_runner.spec import Parameter, Prior
from pysd_runner.spec.own import DECLARED, is_off, left_out, weak_parameter, with_prior


def parameters_of(model: Model, targets: Iterable[Target], priors: Mapping[str, Prior]) -> tuple[Parameter, ...]:
    """Parameter declarations of scalars: priors from the caller, the model's declarations, or weak default priors."""
    wanted = tuple(targets)
    facts = facts_of(model.ir)
    own = {target.name: prior for name, prior in priors.items() for target in targets_of(model, [name])}
    for name in own:
        if name not in {item.name for item in wanted}:
            raise UnknownName(
                "a prior is given for {name!r}, which is not estimated.{suggestion}",
                name=name,
                among=[item.name for item in wanted],
            )
    found = []
    for target in wanted:
        fact = facts[target.name]
        declared = model.declarations.parameters.get(target.name)
        value = fact.value if fact.value is not None else _computed(model, target)
        label = fact.label or (f"Starting value of {target.name}" if target.is_start else target.name)
        if target.name in own:
            # A placeholder value is used since a weak prior cannot be built for every value; the prior is replaced.
            base = replace(weak_parameter(target.name, value=1.0, unit=fact.unit, label=label), value=value)
            found.append(with_prior(base, own[target.name]))
        elif declared is not None:
            found.append(declared)
        else:
            weak = weak_parameter(target.name, value=value, unit=fact.unit, limits=fact.limits, label=label)
            found.append(weak)
    return tuple(found)


def _computed(model: Model, target: Target) -> float:
    """Value of a constant that is computed from other constants."""
    if target.is_start:
        raise InvalidInput(
            "the starting value of {variable!r} is computed from other numbers in the model file; estimate those, or "
            "declare its value and prior beside the model",
            variable=target.variable,
        )
    return float(np.asarray(constant_values(model, target.variable))[target.position])


# Words in a name that indicate an administered dose, which is known.
_DOSE = re.compile(r"\b(?:dose|dosage)s?\b|\u5242\u91cf", re.IGNORECASE)
# Largest ratio of an initial value in the file to the first observation at which it is assumed to be that observation.
ALIKE = 1.25


def known_numbers(model: Model, series: Sequence[Series], start: float) -> Texts:
    """Constants that are known, with the reason: doses, and initial values that equal the first observation."""
    initial: dict[str, set[str]] = {}
    elsewhere: set[str] = set()
    for variable in model.ir.variables.values():
        for block in variable.blocks:
            elsewhere |= references(block.expression)
            for name in references(block.initial) if block.initial is not None else ():
                initial.setdefault(name, set()).add(variable.name)
    first = {
        item.outcome: float(item.observed[0, 0])
        for item in series
        if item.kind == "level" and item.expression.text == item.outcome and item.times[0] <= start
    }
    declared = model.declarations.parameters
    wanted = {key for key, item in declared.items() if item.note.startswith(DECLARED)}
    found = {}
    for name, fact in facts_of(model.ir).items():
        if model.ir.variables[fact.variable].kind != "constant" or not fact.value or name in wanted:
            continue
        seen = [stock for stock in initial.get(name, ()) if first.get(stock, 0.0) / fact.value > 0]
        if _DOSE.search(name.replace("_", " ")):
            found[name] = Message(
                "{name} stays at {value}: a dose is known; named with --free it is estimated.",
                name=name,
                value=three_digits(fact.value),
            )
        elif name not in elsewhere and any(1 / ALIKE <= first[stock] / fact.value <= ALIKE for stock in seen):
            found[name] = Message(
                "{name} stays at {value}: it only starts {stock}, which is observed then; named with --free it is "
                "estimated.",
                name=name,
                value=three_digits(fact.value),
                stock=seen[0],
            )
    return found


def candidates(
    model: Model, held: Values, own: Mapping[str, Prior], known: Container[str]
) -> tuple[list[str], list[str]]:
    """Scalars that could be estimated, those with priors from the caller first, and notes on what is off."""
    declared = model.declarations.parameters
    facts = facts_of(model.ir)
    if declared:
        names = [key for key, item in declared.items() if item.role.startswith("FREE") and item.prior is not None]
    else:
        names = [
            name
            for name, item in model.variables.items()
            if item.kind == "constant" and not item.dims and facts[name].value is not None
        ]
    given = {item.name for item in targets_of(model, own)}
    found = [item for item in targets_of(model, names) if item.variable not in held]
    found = [item for item in found if item.name in given or item.name not in known]
    weak = {item.name: _parameter(model, item) for item in found}
    levers = {item.element for item in model.declarations.levers.values()}
    off = {
        name: facts[name].value or 0.0
        for name, item in weak.items()
        if name not in given and item is not None and (name in levers or is_off(item))
    }
    bare = [name for name, item in weak.items() if item is None and name not in given and facts[name].value == 0]
    left = [name for name, item in weak.items() if (item is not None or name in given) and name not in off]
    if not left:
        listed = ", ".join([*off, *bare])
        raise InvalidInput(
            "{model} has no constant that could be estimated{why}; name some with free (--free)",
            model=model.path.name,
            why=Message(": each is a lever, 0 or an end of its bounds ({listed})", listed=listed) if listed else "",
        )
    return sorted(left, key=lambda name: name not in given), left_out(off, bare)


def _parameter(model: Model, target: Target) -> Parameter | None:
    """Declaration of a scalar; None if there is nothing to build a prior from."""
    try:
        (found,) = parameters_of(model, [target], {})
    except InvalidInput:
        return None
    return found
