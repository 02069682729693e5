"""Deprecated functions of earlier versions; the package warns and names their replacements."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pysd_runner.model import Model
from pysd_runner.policy.space import Space
from pysd_runner.policy.spaces import space_of
from pysd_runner.policy.studies import study_of
from pysd_runner.policy.study import Study
from pysd_runner.scenarios import Scenario
from pysd_runner.spec import FittedParameters
from pysd_runner.study.inputs import inputs_of

Array = NDArray[np.float64]
uniform_space = partial(space_of, by="lever")


def model_study(
    model: Model,
    fitted: FittedParameters | None = None,
    *,
    until: float | None = None,
    draws: int | None = None,
    seed: int = 0,
) -> Study:
    """Deprecated: use `study_of`."""
    return study_of(inputs_of(model, None, fitted, until=until, draws=draws, seed=seed))


def lever_space(study: Study) -> Space:
    """Deprecated: use `space_of`."""
    return space_of(study)[0]


def chosen_scenario(
    scenario: Scenario, space: Space, point: Array, *, name: str, labels: Mapping[str, str]
) -> Scenario:
    """Deprecated for regional models: use `Space.scenario`."""
    return replace(space, root=scenario).scenario(None, point, name=name, label=labels)


def space_scenario(study: Study, space: Space, point: Iterable[float], *, name: str, label: str = "") -> Scenario:
    """Deprecated: use `Space.scenario`."""
    return space.scenario(study, point, name=name, label=label)
