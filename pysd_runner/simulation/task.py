"""A simulation of a model as the engine takes it, with names as the model file writes them."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import metadata
from typing import Any

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine import Engine, Task
from pysd_runner.engine import prepared as prepared_task
from pysd_runner.model import Model

# Packages whose versions decide the numbers, and the one the compiled engine adds to them.
PACKAGES, COMPILER = ("gapsim", "numpy", "scipy", "pysd"), "llvmlite"


def prepared(
    model: Model, values: Mapping[str, Any] | None, *, outcomes: Sequence[str] | None = None, **settings: Any
) -> Task:
    """Check what a caller asks for; settings are those of `simulate`."""
    given = model.by_variable({} if values is None else values)
    return prepared_task(
        model.ir,
        model.file,
        given,
        outcomes=_wanted(model, outcomes),
        seconds=model.budgets.seconds,
        **settings,
    )


def provenance(model: Model, task: Task) -> dict[str, Any]:
    """How a task was computed: model, hash, engine, bounds and steps."""
    return {
        "model": model.name,
        "model_sha256": model.sha256,
        "engine": task.engine,
        "start": task.clock.start,
        "stop": task.clock.stop,
        "step": task.clock.step,
        "save_every": task.clock.save_every,
        "seed": task.seed,
        "method": task.method,
        **({"moments_not_saved": task.clock.lost} if task.clock.lost else {}),
    }


def _wanted(model: Model, outcomes: Sequence[str] | None) -> list[str]:
    if outcomes is not None:
        if isinstance(outcomes, str) or not isinstance(outcomes, Iterable):
            raise InvalidInput(f"outcomes are a list of names; found {outcomes!r}, write [{outcomes!r}]")
        return list(dict.fromkeys(model.find(name) for name in outcomes))
    return [name for name, item in model.variables.items() if item.kind not in ("lookup", "control")]


def versions(engine: Engine) -> dict[str, str]:
    """Versions of what decides the numbers."""
    packages = (*PACKAGES, COMPILER) if engine == "llvm" else PACKAGES
    return {"python": platform.python_version(), **{name: _version(name) for name in packages}}


@cache
def _version(package: str) -> str:
    """Version of a package; looking it up takes longer than a small ensemble."""
    return metadata.version(package)
