"""When a run of an XMILE file starts and stops, how long a step is, and how it is integrated."""

from typing import Any

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.syntax import DefinedVariable, Equation, Name, Node, Numeral, OperatorCall
from pysd_runner.engine.frontend.xmile.document import child, fault_at, place_of, text_of
from pysd_runner.engine.frontend.xmile.expressions import read_expression
from pysd_runner.engine.ir import Integration, Method

# What XMILE calls the time controls.
NAMES = {"dt": "TIME STEP", "starttime": "INITIAL TIME", "stoptime": "FINAL TIME"}


# Methods of the specification that others stand in for, as it allows.
_STAND_INS = frozenset({"rk2", "rk45", "rk2_auto", "rk4_auto"})


def integration(text: str) -> Integration:
    """How a file wants its stocks integrated: the first method of its list that is known here."""
    names = [part.strip().lower() for part in text.split(",") if part.strip()] or ["euler"]
    known: dict[str, Method] = {"euler": "euler", "rk4": "rk4"}
    method = next((known[name] for name in names if name in known), None)
    if method is None and _STAND_INS.intersection(names):
        method = "rk4"
    return Integration(method, "" if method == names[0] else f"method {text[:40]!r}")


def method_of(specs: Any) -> Integration:
    """How the ``<sim_specs>`` want stocks integrated; drafts before the standard have a tag for it."""
    older = child(specs, "method")
    return integration(specs.get("method", "") or ("" if older is None else text_of(older)))


def controls(specs: Any) -> list[DefinedVariable]:
    """The four time controls."""
    if specs is None or any(child(specs, tag) is None or not text_of(child(specs, tag)) for tag in ("start", "stop")):
        raise InvalidModel("there is no <sim_specs> with <start> and <stop>")
    unit = specs.get("time_units", "")
    step = child(specs, "dt")
    length: Node = Numeral(1.0) if step is None else _value(step)
    if step is not None and step.get("reciprocal", "").lower() == "true":
        length = OperatorCall(("/",), (Numeral(1.0), length))
    saved: Node = Name("TIME STEP")
    if specs.get("isee.save_interval"):
        saved = _number(specs, specs.get("isee.save_interval"))
    elif child(specs, "savestep") is not None:
        saved = _value(child(specs, "savestep"))
    found = {
        "INITIAL TIME": _value(child(specs, "start")),
        "FINAL TIME": _value(child(specs, "stop")),
        "TIME STEP": length,
        "SAVEPER": saved,
    }
    return [_control(name, node, unit, specs) for name, node in found.items()]


def _value(item: Any) -> Node:
    return _number(item, text_of(item))


def _number(item: Any, text: str) -> Node:
    found = read_expression(text, place_of(item), frozenset())
    if found is None:
        raise fault_at(item, f"<{item.tag}> is no number: {text!r}")
    return found


def _control(name: str, node: Node, unit: str, specs: Any) -> DefinedVariable:
    place = place_of(specs)
    equation = Equation(expression=node, text=f"{name} = <sim_specs>", place=place)
    return DefinedVariable(name=name, equations=(equation,), unit=unit)
