"""What a fit was made with: a hash for the equation of every variable, so that a change is found and named."""

import hashlib
from collections.abc import Mapping

from pysd_runner.core.errors import InvalidInput
from pysd_runner.model import Model

# Changed variables that a message names.
SHOWN = 5


def equations_of(model: Model) -> dict[str, str]:
    """A hash of the equation of every variable, layout and comments left out."""
    return {
        name: hashlib.sha256(
            f"{' '.join(item.equation.split())} {[model.ir.ranges[dim] for dim in item.dims]}".encode()
        ).hexdigest()[:12]
        for name, item in model.variables.items()
    }


def equations_hash(equations: Mapping[str, str]) -> str:
    """One hash of all equations."""
    return hashlib.sha256(repr(sorted(equations.items())).encode()).hexdigest()


def check_equations(model: Model, kept: Mapping[str, str], where: str) -> None:
    """Refuse what was made with other equations, and name the variables that changed."""
    now = equations_of(model)
    parts = []
    for verb, names in (
        ("changed", [name for name in now if name in kept and now[name] != kept[name]]),
        ("new", [name for name in now if name not in kept]),
        ("gone", [name for name in kept if name not in now]),
    ):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            parts.append(f"{verb}: {', '.join(names[:SHOWN])}{more}")
    if parts:
        raise InvalidInput(
            f"{where} was made with other equations than those of {model.path.name} ({'; '.join(parts)}); "
            "calibrate again"
        )
