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
    """Simulates a window of a panel from its first year.

    Attributes
    ----------
    model
        With as many regions as the panel.
    panel
        Observations until the last year of the window.
    first_year, last_year
        The window.
    yuan_per_unit
        Value of one unit of the panel's currency in yuan.
    effects
        Values of pooled inputs by key, shape (draw, region).
    """

    model: Model
    panel: Panel
    first_year: int
    last_year: int
    yuan_per_unit: float
    effects: Mapping[str, Array] = field(default_factory=dict)

    def outcomes(self, parameters: Mapping[str, Array | float], names: Sequence[str]) -> dict[str, Array]:
        """Simulate all draws at once.

        Parameters
        ----------
        parameters
            By key of the declarations, a number or shape (draw,).
        names
            Variables of the model.

        Returns
        -------
        dict
            Shape (draw, region, year), or (draw, year) without regions; not finite where a draw fails.
        """
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
        """List the start values that were not observed.

        Parameters
        ----------
        parameters
            As for `outcomes`.

        Returns
        -------
        tuple of Imputed
            In the order of the declarations.
        """
        return self.inputs(parameters).imputed

    def inputs(self, parameters: Mapping[str, Array | float]) -> RegionInputs:
        """Start values of the regions.

        Parameters
        ----------
        parameters
            As for `outcomes`.

        Returns
        -------
        RegionInputs
            In the first year of the window.
        """
        return region_inputs(
            self.model,
            self.panel,
            self.first_year,
            parameters=parameters,
            effects=self.effects,
            yuan_per_unit=self.yuan_per_unit,
        )
