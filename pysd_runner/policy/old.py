"""Deprecated functions of earlier versions; each warns and names its replacement."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pysd_runner.model import Model
from pysd_runner.policy.space import Space
from pysd_runner.policy.spaces import space_of
from pysd_runner.policy.studies import study_of
from pysd_runner.policy.study import Study
from pysd_runner.scenarios import Scenario
from pysd_runner.spec import FittedParameters
from pysd_runner.study.inputs import ProjectionInputs, inputs_of

Array = NDArray[np.float64]


def _warn(old: str, new: str) -> None:
    warnings.warn(f"pysd_runner.policy.{old} is now {new}", DeprecationWarning, stacklevel=3)


def model_study(
    model: Model,
    fitted: FittedParameters | None = None,
    *,
    until: float | None = None,
    draws: int | None = None,
    seed: int = 0,
) -> Study:
    """Deprecated: use `study_of`."""
    _warn("model_study", "study_of(inputs_of(model, None, fitted))")
    return study_of(inputs_of(model, None, fitted, until=until, draws=draws, seed=seed))


def lever_space(study: Study) -> Space:
    """Deprecated: use `space_of`."""
    _warn("lever_space", "space_of(study)")
    return space_of(study)[0]


def uniform_space(
    inputs: ProjectionInputs,
    scenario: Scenario,
    *,
    who: bool = True,
    periods: Sequence[float] = (),
    budget: bool = False,
) -> tuple[Space, Array | None]:
    """Deprecated: use `space_of` with ``by="lever"``."""
    _warn("uniform_space", 'space_of(study, scenario, by="lever")')
    return space_of(inputs, scenario, by="lever", who=who, periods=periods, budget=budget)


def chosen_scenario(
    scenario: Scenario, space: Space, point: Array, *, name: str, labels: Mapping[str, str]
) -> Scenario:
    """Deprecated for regional models: use `Space.scenario`."""
    _warn("chosen_scenario", "space.scenario(study, point)")
    return replace(space, root=scenario).scenario(None, point, name=name, label=labels)


def space_scenario(study: Study, space: Space, point: Iterable[float], *, name: str, label: str = "") -> Scenario:
    """Deprecated: use `Space.scenario`."""
    _warn("space_scenario", "space.scenario(study, point)")
    return space.scenario(study, point, name=name, label=label)
