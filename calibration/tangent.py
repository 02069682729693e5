"""How what the model says moves with its parameters: the simulation differentiated, not repeated."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.forward import Forward
from pysd_runner.engine.paths import TimePath
from pysd_runner.inputs import as_values, region_inputs
from pysd_runner.linearised import Linearised
from pysd_runner.task import prepared

Array = NDArray[np.float64]

# Start values follow from parameters without a simulation; they are smooth, so that differences of fourth order over
# this share of a parameter's spread err by about 1e-12 of themselves.
STEP = 1e-3
_PLACES, _WEIGHTS = (-2, -1, 1, 2), np.array([1, -8, 8, -1]) / 12


class Tangent:
    """Outcomes of a window and their derivatives with respect to parameters.

    Parameters enter the model by themselves and through the start values of the regions. The model is differentiated
    exactly along both at once: every value that moves is handed over together with its derivatives.

    Parameters
    ----------
    forward
        Simulates the window.
    """

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._ready: dict[tuple[tuple[str, ...], ...], Linearised] = {}

    def __reduce__(self) -> tuple[type["Tangent"], tuple[Forward]]:
        """Compiled programs stay behind when it is copied to another process."""
        return Tangent, (self._forward,)

    def outcomes(
        self, parameters: Mapping[str, float], spreads: Mapping[str, float], names: Sequence[str]
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Simulate one parameter vector.

        Parameters
        ----------
        parameters
            By key of the declarations.
        spreads
            Typical size of each parameter that is moved, by key, positive.
        names
            Variables of the model.

        Returns
        -------
        outcomes : dict
            Shape (region, year), or (year,) without regions; not finite where the simulation fails.
        slopes : dict
            Derivatives per unit of each moved parameter, shape (parameter, region, year) or (parameter, year).

        Raises
        ------
        UnsupportedFeature
            If the model cannot be differentiated.
        """
        values, seeds = self._moved(parameters, spreads)
        identity = (tuple(names), tuple(spreads), tuple(values), tuple(seeds))
        if identity not in self._ready:
            self._ready[identity] = self._linearised(values, tuple(seeds), names, len(spreads))
        data, slopes = self._ready[identity].run(values, seeds)
        return (
            {name: data[name][0, 0] for name in names},
            {name: np.moveaxis(slopes[name][0, 0], -1, 0) for name in names},
        )

    def _linearised(
        self, values: Mapping[str, Array], seeded: tuple[str, ...], names: Sequence[str], count: int
    ) -> Linearised:
        forward = self._forward
        task = prepared(
            forward.model, values, start=forward.first_year, stop=forward.last_year, save_every=1, outcomes=names
        )
        return Linearised(task, (), seeded=seeded, more=count)

    def _moved(
        self, parameters: Mapping[str, float], spreads: Mapping[str, float]
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Values that are handed to the model, and the derivatives of those that move."""
        forward, count = self._forward, len(spreads)
        steps = STEP * np.array(list(spreads.values()))
        draws: dict[str, Array | float] = dict(parameters)
        for column, key in enumerate(spreads):
            around = np.full(1 + len(_PLACES) * count, parameters[key])
            around[1 + len(_PLACES) * column : 1 + len(_PLACES) * (column + 1)] += steps[column] * np.array(_PLACES)
            draws[key] = around
        inputs = region_inputs(
            forward.model, forward.panel, forward.first_year, parameters=draws, yuan_per_unit=forward.yuan_per_unit
        )
        values: dict[str, Array] = {}
        seeds: dict[str, Array] = {}
        for name, value in as_values(inputs, draws, forward.model).items():
            if isinstance(value, TimePath):
                raise TypeError("start values do not change over time")
            known = value if value.ndim == 3 else np.reshape(value, (1, -1))
            values[name] = known[:, :1]
            if known.shape[1] > 1:
                beside = known[0, 1:].reshape(count, len(_PLACES), *known.shape[2:])
                seeds[name] = (np.einsum("p,cp...->...c", _WEIGHTS, beside) / steps)[None, None]
        return values, seeds
