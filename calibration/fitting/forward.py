"""From values of parameters to what the model says where a panel observes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pysd_runner.model import Model
from pysd_runner.panel import Panel
from pysd_runner.regional.inputs import Imputed, RegionInputs, as_values, region_inputs
from pysd_runner.simulation import simulate

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Forward:
    """Simulates a window of a panel from its first year."""

    model: Model  # with as many regions as the panel
    panel: Panel  # observations until the last year of the window
    first_year: int
    last_year: int
    yuan_per_unit: float  # value of one unit of the panel's currency in yuan
    effects: Mapping[str, Array] = field(default_factory=dict)  # values of pooled inputs by key, shape (draw, region)

    def outcomes(self, parameters: Mapping[str, Array | float], names: Sequence[str]) -> dict[str, Array]:
        """Simulate all draws at once."""
        inputs = self.inputs(parameters)
        run = simulate(
            self.model,
            as_values(inputs, parameters, self.model),
            start=self.first_year,
            stop=self.last_year,
            save_every=1,
            outcomes=names,
            throw=False,
        )
        sizes = [np.size(value) for value in parameters.values()]
        draws = max([1, *sizes, *(len(value) for value in self.effects.values())])
        return {name: np.broadcast_to(run[name][0], (draws, *run[name].shape[2:])) for name in names}

    def imputed(self, parameters: Mapping[str, Array | float]) -> tuple[Imputed, ...]:
        """List the start values that were not observed."""
        return self.inputs(parameters).imputed

    def inputs(self, parameters: Mapping[str, Array | float]) -> RegionInputs:
        """Start values of the regions."""
        return region_inputs(
            self.model,
            self.panel,
            self.first_year,
            parameters=parameters,
            effects=self.effects,
            yuan_per_unit=self.yuan_per_unit,
        )
