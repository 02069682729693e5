"""Parameters of a regional model: values of its variables, and the start values of regions that follow from them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.runs import Parameters, Spreads, unit
from calibration.observation import MOST_PERSISTENT
from pysd_runner.engine import TimePath
from pysd_runner.model import Model
from pysd_runner.study.binding import RegionalModel
from pysd_runner.study.region_inputs import RegionInputs

Array = NDArray[np.float64]

# Start values follow from parameters without a simulation; they are smooth, so that differences of fourth order over
# this share of a parameter's spread err by about 1e-12 of themselves.
STEP = 1e-3
_PLACES, _WEIGHTS = (-2, -1, 1, 2), np.array([1, -8, 8, -1]) / 12


class PanelValues:
    """Parameters that enter a regional model by themselves and through the start values of its regions.

    Parameters
    ----------
    bound
        Model and panel.
    year
        The first simulated year.
    """

    # For slopes the model is differentiated exactly along both at once: every value that moves is handed over together
    # with its derivatives.

    def __init__(self, bound: RegionalModel, year: int) -> None:
        self.bound, self.year = bound, year
        assert bound.model.spec is not None  # noqa: S101
        self._declared = bound.model.spec.parameters
        self._decay = bound.bindings.parameters.momentum_decay
        self._entering: frozenset[str] | None = None

    @property
    def model(self) -> Model:
        """What is run."""
        return self.bound.model

    @property
    def held(self) -> Mapping[str, Array]:
        """Nothing is held."""
        return {}

    def imputed(self, parameters: Parameters) -> tuple[str, ...]:
        """Start values that were not observed, a line each."""
        return tuple(str(item) for item in self.inputs(parameters).imputed)

    def inputs(self, parameters: Parameters) -> RegionInputs:
        """Start values of the regions."""
        return self.bound.at(parameters).inputs(self.year)

    def values(self, parameters: Parameters, draws: int) -> dict[str, Array]:  # noqa: ARG002
        """Values by variable, shape (1, draw, element...)."""
        return self._values(parameters, self.inputs(parameters))

    def moved(self, parameters: Parameters, spreads: Spreads) -> tuple[dict[str, Array], dict[str, Array]]:
        """Values of one vector, and derivatives of those that move, with a last axis (parameter)."""
        keys = list(spreads)
        entering = [key for key in keys if key in self._read(parameters)]
        steps = STEP * np.array([spreads[key] for key in entering])
        draws: dict[str, Array | float] = dict(parameters)
        for column, key in enumerate(entering):
            around = np.full(1 + len(_PLACES) * len(entering), parameters[key])
            around[1 + len(_PLACES) * column : 1 + len(_PLACES) * (column + 1)] += steps[column] * np.array(_PLACES)
            draws[key] = around
        start = self.inputs(draws)
        values, seeds = {}, {}
        for name, value in sorted(self._values(parameters, start).items()):
            values[name] = value[:, :1]
            if value.ndim == 3 and value.shape[1] > 1:
                beside = value[0, 1:].reshape(len(entering), len(_PLACES), -1)
                seeds[name] = np.zeros((1, 1, value.shape[2], len(keys)))
                places = [keys.index(key) for key in entering]
                seeds[name][..., places] = np.einsum("p,cpr->rc", _WEIGHTS, beside) / steps
        for column, key in enumerate(keys):
            if self._declared[key].variable:
                seeds[self._declared[key].variable] = (np.arange(len(keys)) == column).astype(float)[None, None]
        return values, seeds

    def number(self, parameters: Parameters, key: str) -> Array | float:
        """A parameter that does not enter the model, such as a loading."""
        found: Array | float = parameters.get(key, self._declared[key].value)
        return found

    def memory(self, parameters: Parameters) -> Array:
        """Share of extra growth that is left a year later, as the model integrates it."""
        return np.minimum(self.bound.at(parameters).memory(), MOST_PERSISTENT)

    def memory_slopes(self, parameters: Parameters, spreads: Spreads) -> Array | None:
        """Derivatives of that share, shape (parameter,)."""
        if self._decay not in spreads:
            return None
        bound = self.bound.at(parameters)
        slope = 0.0 if bound.memory() > MOST_PERSISTENT else float(bound.memory_slope())
        return slope * unit(spreads, self._decay)

    def _values(self, parameters: Parameters, start: RegionInputs) -> dict[str, Array]:
        found = {}
        for name, value in self.bound.at(parameters).values(start).items():
            if isinstance(value, TimePath):
                raise TypeError("start values do not change over time")
            found[name] = value if value.ndim == 3 else np.atleast_1d(value)[None]
        return found

    def _read(self, parameters: Parameters) -> frozenset[str]:
        """Parameters the start values follow from."""
        if self._entering is None:
            self._entering = self.inputs(parameters).read
        return self._entering
