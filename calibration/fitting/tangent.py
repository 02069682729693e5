"""How what the model says moves with its parameters: the simulation differentiated, not repeated."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.forward import Forward
from calibration.fitting.stages import declarations
from pysd_runner.engine.paths import TimePath
from pysd_runner.regional.inputs import RegionInputs, as_values
from pysd_runner.simulation.linearised import Linearised
from pysd_runner.simulation.task import prepared

Array = NDArray[np.float64]

# Start values follow from parameters without a simulation; they are smooth, so that differences of fourth order over
# this share of a parameter's spread err by about 1e-12 of themselves.
STEP = 1e-3
_PLACES, _WEIGHTS = (-2, -1, 1, 2), np.array([1, -8, 8, -1]) / 12


class Tangent:
    """Outcomes of a window and their derivatives with respect to parameters."""

    # Parameters enter the model by themselves and through the start values of the regions. The model is differentiated
    # exactly along both at once: every value that moves is handed over together with its derivatives.

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._entering: frozenset[str] | None = None
        self._ready: dict[tuple[tuple[str, ...], ...], Linearised] = {}

    def __reduce__(self) -> tuple[type["Tangent"], tuple[Forward]]:
        """Compiled programs stay behind when it is copied to another process."""
        return Tangent, (self._forward,)

    def outcomes(
        self, parameters: Mapping[str, float], spreads: Mapping[str, float], names: Sequence[str]
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Simulate one parameter vector, shape (parameter, region, year)."""
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
        model, keys = self._forward.model, list(spreads)
        entering = [key for key in keys if key in self._read(parameters)]
        steps = STEP * np.array([spreads[key] for key in entering])
        draws: dict[str, Array | float] = dict(parameters)
        for column, key in enumerate(entering):
            around = np.full(1 + len(_PLACES) * len(entering), parameters[key])
            around[1 + len(_PLACES) * column : 1 + len(_PLACES) * (column + 1)] += steps[column] * np.array(_PLACES)
            draws[key] = around
        inputs = self._inputs(draws)
        values: dict[str, Array] = {}
        seeds: dict[str, Array] = {}
        for name, value in sorted(as_values(inputs, parameters, model).items()):
            if isinstance(value, TimePath):
                raise TypeError("start values do not change over time")
            values[name] = value[:, :1] if value.ndim == 3 else np.full((1, 1), value)
            if value.ndim == 3 and value.shape[1] > 1:
                beside = value[0, 1:].reshape(len(entering), len(_PLACES), -1)
                seeds[name] = np.zeros((1, 1, value.shape[2], len(keys)))
                places = [keys.index(key) for key in entering]
                seeds[name][..., places] = np.einsum("p,cpr->rc", _WEIGHTS, beside) / steps
        declared = declarations(model).parameters
        for column, key in enumerate(keys):
            if declared[key].variable:
                seeds[declared[key].variable] = (np.arange(len(keys)) == column).astype(float)[None, None]
        return values, seeds

    def _inputs(self, parameters: Mapping[str, Array | float]) -> RegionInputs:
        return self._forward.inputs(parameters)

    def _read(self, parameters: Mapping[str, Array | float]) -> frozenset[str]:
        """Parameters the start values follow from."""
        if self._entering is None:
            self._entering = self._inputs(parameters).read
        return self._entering
