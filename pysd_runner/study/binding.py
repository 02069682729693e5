"""Combine a regional model, a panel of regions and parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.data import Data
from pysd_runner.engine import TimePath
from pysd_runner.model import Model, load_model
from pysd_runner.simulation import simulate
from pysd_runner.spec.bindings import Bindings
from pysd_runner.study.region_inputs import (
    RegionInputs,
    region_inputs,
    time_step,
    yearly_memory,
)

Array = NDArray[np.float64]

SHIPPED = "regional_digital"
# Years simulated before the origin, to obtain the initial values that no series observes.
HISTORY_YEARS = 10
# Stocks that no series observes.
CARRIED_STOCKS = ("shared_data", "governance", "platform")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RegionalModel:
    """A regional model on a panel, for one parameter vector or many.

    Attributes
    ----------
    model
        A model with declared bindings and as many regions as the panel.
    panel
        Observations; years after the start of a run are not used.
    parameters
        Numbers or arrays of shape (draw,), by key; missing parameters take their declared values.
    yuan_per_unit
        Value of one unit of the panel's currency in the currency of the model (yuan).
    """

    model: Model
    panel: Data
    parameters: Mapping[str, Any] = field(default_factory=dict)
    yuan_per_unit: float = 1.0

    @property
    def bindings(self) -> Bindings:
        """Names of the variables, inputs, parameters and ranges of the model, by their role."""
        return self.model.bindings

    def at(self, parameters: Mapping[str, Any]) -> "RegionalModel":
        """Copy with other parameters."""
        return replace(self, parameters=parameters)

    def inputs(
        self,
        year: int,
        *,
        carried: Mapping[str, Array] | None = None,
        reference_years: int = 0,
    ) -> RegionInputs:
        """Initial values of the regions in a year."""
        return region_inputs(
            self.model,
            self.panel,
            year,
            parameters=self.parameters,
            carried=carried,
            reference_years=reference_years,
            yuan_per_unit=self.yuan_per_unit,
        )

    def start(self, origin: int, first_year: int | None = None) -> RegionInputs:
        """Initial values of a projection; unobserved ones come from a run of the years before the origin."""
        return self.inputs(origin, carried=self.carried(origin, first_year), reference_years=HISTORY_YEARS)

    def carried(self, origin: int, first_year: int | None = None) -> dict[str, Array]:
        """National levels and unobserved stocks at an origin, from a run of the years before, by key of their input."""
        wanted_first = origin - HISTORY_YEARS if first_year is None else first_year
        whole = np.asarray(np.isfinite(self.panel.array("output_per_head")).all(axis=0))
        years = [year for year, is_whole in zip(self.panel.years, whole, strict=True) if is_whole and year < origin]
        if not years:
            return {}
        first = min(years, key=lambda year: (abs(year - wanted_first), year))
        keys, names = self.bindings.inputs, self.bindings.variables
        stocks = {getattr(keys, name): getattr(names, name) for name in CARRIED_STOCKS}
        levels = {keys.skills: names.national_skills, keys.application: names.application}
        run = simulate(
            self.model,
            self.values(self.inputs(first)),
            start=first,
            stop=origin,
            save_every=origin - first,
            outcomes=[*levels.values(), *stocks.values(), names.population],
        )
        people = run[names.population][0, ..., -1]
        found = {key: run[variable][0, ..., -1] for key, variable in stocks.items()}
        for key, variable in levels.items():
            level = run[variable][0, ..., -1]
            found[key] = level if level.ndim == 1 else (level * people).sum(axis=1) / people.sum(axis=1)
        return found

    def memory(self) -> Array:
        """Share of growth momentum that remains after a year with the Euler steps of the model, shape (draw,)."""
        return yearly_memory(self._momentum_decay, time_step(self.model))

    def memory_slope(self) -> Array:
        """Derivative of `memory` with respect to the decay time of momentum."""
        decay, step = self._momentum_decay, time_step(self.model)
        return np.asarray(np.maximum(1 - step / decay, 0.0) ** (1 / step - 1) / decay**2)

    @property
    def _momentum_decay(self) -> Array:
        key = self.bindings.parameters.momentum_decay
        assert self.model.spec is not None  # noqa: S101
        value = self.parameters[key] if key in self.parameters else self.model.spec.parameters[key].value
        return np.asarray(value, dtype=float)

    def values(self, inputs: RegionInputs) -> dict[str, Array | TimePath]:
        """Values of model variables from initial values and parameters."""
        values: dict[str, Array | TimePath] = dict(inputs.values)
        declared = {} if self.model.spec is None else self.model.spec.parameters
        for name, value in self.parameters.items():
            variable = declared[name].variable if name in declared else self.model.find(name)
            if variable:
                values[variable] = np.asarray(value, dtype=float)
        return values


@cache
def shipped_model() -> Model:
    """The regional model shipped with the package, with the regions of its file."""
    return load_model(SHIPPED)
