"""A model tied to data: everything a problem of calibration is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from calibration.fitting.runs import Runs
from calibration.fitting.stages import Stage
from calibration.observation import Observed
from calibration.parameters import ParameterSpace
from pysd_runner.model import Model
from pysd_runner.spec import ModelSpec


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Bound:
    """A model tied to data.

    Attributes
    ----------
    model, data, spec
        The model with as many entities as the data; observations; declarations with what the caller changed.
    fixed, space
        Values that are set, and parameters that are estimated.
    window
        First and last moment.
    stages, observed
        Blocks that are fitted one after the other; series, and what is absent and why.
    runs
        The model as a function of its parameters.
    codes, names
        Entities whose estimates stand beside each other, and their labels; empty for none.
    lines, said, opening
        What a description says of each series, of the whole, and at its beginning.
    record
        How it was made, for a fit to keep.
    asked, until, time_unit, chosen
        What the caller asked for; the last moment that is fitted; the unit of time; why parameters are estimated.
    model_sha256
        What a fit is bound to.
    source
        What the data are called.
    """

    model: Model
    data: Any
    spec: ModelSpec
    fixed: Mapping[str, float]
    space: ParameterSpace
    window: tuple[Any, Any]
    stages: tuple[Stage, ...]
    observed: Observed
    runs: Runs
    codes: tuple[str, ...] = ()
    names: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    opening: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)
    until: float | None = None
    time_unit: str = ""
    model_sha256: str = ""
    source: str = "panel"
