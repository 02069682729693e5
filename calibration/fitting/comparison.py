"""What a model says where a panel observes it, how that moves with parameters, and how far it is from the data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.stages import Stage, declarations
from calibration.fitting.window import OUTPUT
from calibration.observation import (
    MOST_PERSISTENT,
    Noise,
    Series,
    Whitening,
    declared_noise,
    estimate_noise,
    loss_of,
)
from pysd_runner.engine import Linearised, TimePath
from pysd_runner.model import Model
from pysd_runner.panel import Panel
from pysd_runner.regional.binding import RegionalModel
from pysd_runner.regional.inputs import Imputed, RegionInputs
from pysd_runner.simulation import simulate
from pysd_runner.simulation.task import prepared

Array = NDArray[np.float64]
Parameters = Mapping[str, Array | float]

# Start values follow from parameters without a simulation; they are smooth, so that differences of fourth order over
# this share of a parameter's spread err by about 1e-12 of themselves.
STEP = 1e-3
_PLACES, _WEIGHTS = (-2, -1, 1, 2), np.array([1, -8, 8, -1]) / 12


class Comparison:
    """A model and a panel over a window, for many parameter vectors at once."""

    # Parameters enter the model by themselves and through the start values of the regions. For slopes the model is
    # differentiated exactly along both at once: every value that moves is handed over together with its derivatives.

    def __init__(
        self,
        model: Model,
        panel: Panel,
        *,
        window: tuple[int, int],
        yuan_per_unit: float,
        series: tuple[Series, ...] = (),
    ) -> None:
        self.model, self.panel, self.window, self.yuan_per_unit = model, panel, window, yuan_per_unit
        self.series = series
        self._bound = RegionalModel(model=model, panel=panel, yuan_per_unit=yuan_per_unit)
        self._decay = model.bindings.parameters.momentum_decay
        self._entering: frozenset[str] | None = None
        self._ready: dict[tuple[tuple[str, ...], ...], Linearised] = {}
        self._declared = declarations(model).parameters
        self._whitenings = {item.label: Whitening(item) for item in series}
        self._losses = {item.label: loss_of(item.errors) for item in series}
        self._rows: dict[str, NDArray[np.intp]] = {}
        start = 0
        for item in series:
            size = len(self._whitenings[item.label])
            self._rows[item.label] = np.arange(start, start + size)
            start += size

    def __getstate__(self) -> dict[str, Any]:
        """Compiled programs stay behind when it is copied to another process."""
        return {**self.__dict__, "_ready": {}}

    def copied(self) -> "Comparison":
        """One of its own, so that threads share no memory."""
        return Comparison(
            self.model,
            self.panel,
            window=self.window,
            yuan_per_unit=self.yuan_per_unit,
            series=self.series,
        )

    def outcomes(self, parameters: Mapping[str, Array | float], names: Sequence[str]) -> dict[str, Array]:
        """Simulate all draws at once."""
        bound = self._bound.at(parameters)
        run = simulate(
            self.model,
            bound.values(bound.inputs(self.window[0])),
            start=self.window[0],
            stop=self.window[1],
            save_every=1,
            outcomes=names,
            throw=False,
        )
        sizes = [np.size(value) for value in parameters.values()]
        draws = max([1, *sizes])
        return {name: np.broadcast_to(run[name][0], (draws, *run[name].shape[2:])) for name in names}

    def imputed(self, parameters: Mapping[str, Array | float]) -> tuple[Imputed, ...]:
        """List the start values that were not observed."""
        return self.inputs(parameters).imputed

    def inputs(self, parameters: Mapping[str, Array | float]) -> RegionInputs:
        """Start values of the regions."""
        return self._bound.at(parameters).inputs(self.window[0])

    def declared_noise(self) -> dict[str, Noise]:
        """Independent errors of the declared size, by label of the series."""
        return {item.label: declared_noise(item) for item in self.series}

    def rows(self, stage: Stage | None = None) -> NDArray[np.intp]:
        """Positions of the residuals of a block, or of all."""
        kept = [self._rows[item.label] for item in self.series if stage is None or stage.owns(item)]
        return np.concatenate(kept) if kept else np.arange(0)

    def predicted(self, parameters: Parameters, draws: int) -> list[Array]:
        """What the model says in the terms of each series."""
        names = list(dict.fromkeys(item.outcome for item in self.series))
        outcomes = self.outcomes(parameters, names)
        found = []
        for item in self.series:
            loading = self._value(parameters, item.loading) if item.loading else 1.0
            outcome = np.broadcast_to(outcomes[item.outcome], (draws, *outcomes[item.outcome].shape[1:]))
            found.append(item.predicted(outcome, np.broadcast_to(np.asarray(loading, dtype=float), (draws,))))
        return found

    def residuals(self, parameters: Parameters, draws: int, noise: Mapping[str, Noise]) -> Array:
        """Standardised innovations of all series, outliers Huberised, shape (draw, cell)."""
        memory = self._memory(parameters, draws)
        parts = []
        for item, predicted in zip(self.series, self.predicted(parameters, draws), strict=True):
            persistence = memory if has_momentum(item) else None
            whitening, errors = self._whitenings[item.label], noise[item.label]
            innovations = whitening.standardised(predicted - item.values, errors, persistence=persistence)
            parts.append(self._losses[item.label].bent(innovations))
        return np.concatenate(parts, axis=1)

    def linearised(
        self, parameters: Mapping[str, float], spreads: Mapping[str, float], noise: Mapping[str, Noise]
    ) -> tuple[Array, Array]:
        """Standardised innovations of one parameter vector and their derivatives, shape (cell,)."""
        names = list(dict.fromkeys(item.outcome for item in self.series))
        outcomes, moved = self.moved_outcomes(parameters, spreads, names)
        memory = self._memory(parameters, 1)
        memory_slopes = self._memory_slopes(parameters, spreads)
        residuals, slopes = [], []
        for item in self.series:
            whitening, errors = self._whitenings[item.label], noise[item.label]
            has_memory = has_momentum(item)
            loading = float(self._value(parameters, item.loading)) if item.loading else 1.0
            outcome = outcomes[item.outcome]
            known = item.predicted(outcome[None], np.array([loading]))[0] - item.values
            turned = item.slopes(outcome, loading, moved[item.outcome], _unit(spreads, item.loading))
            raw = whitening.standardised(known[None], errors, persistence=memory if has_memory else None)[0]
            raw_slopes = whitening.slopes(
                known,
                turned,
                errors,
                persistence=float(memory[0]) if has_memory else None,
                persistence_slopes=memory_slopes if has_memory else None,
            )
            loss = self._losses[item.label]
            residuals.append(loss.bent(raw))
            slopes.append(loss.slope(raw) * raw_slopes)
        return np.concatenate(residuals), np.concatenate(slopes, axis=1).T

    def estimated_noise(self, parameters: Parameters) -> dict[str, Noise]:
        """Estimate the errors of every series from the residuals of one parameter vector."""
        memory = self._memory(parameters, 1)
        found = {}
        for item, predicted in zip(self.series, self.predicted(parameters, 1), strict=True):
            persistence = float(memory[0]) if has_momentum(item) else None
            found[item.label] = estimate_noise(item, predicted[0] - item.values, persistence=persistence)
        return found

    def log_likelihood(self, residuals: Array, noise: Mapping[str, Noise]) -> Array:
        """Log density of the observations given their residuals."""
        scales = sum(
            self._whitenings[item.label].log_scale(noise[item.label])
            + len(self._whitenings[item.label]) * self._losses[item.label].log_mass
            for item in self.series
        )
        is_known = np.asarray(np.isfinite(residuals).all(axis=1))
        squares = (np.where(is_known[:, None], residuals, 0.0) ** 2).sum(axis=1)
        return np.where(is_known, -0.5 * squares - scales, -np.inf)

    def moved_outcomes(
        self, parameters: Mapping[str, float], spreads: Mapping[str, float], names: Sequence[str]
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Outcomes of one parameter vector and their derivatives, shape (parameter, region, year)."""
        values, seeds = self._moved(parameters, spreads)
        identity = (tuple(names), tuple(spreads), tuple(values), tuple(seeds))
        if identity not in self._ready:
            self._ready[identity] = self._differentiated(values, tuple(seeds), names, len(spreads))
        data, slopes = self._ready[identity].run(values, seeds)
        return (
            {name: data[name][0, 0] for name in names},
            {name: np.moveaxis(slopes[name][0, 0], -1, 0) for name in names},
        )

    def _differentiated(
        self, values: Mapping[str, Array], seeded: tuple[str, ...], names: Sequence[str], count: int
    ) -> Linearised:
        start, stop = self.window
        task = prepared(self.model, values, start=start, stop=stop, save_every=1, outcomes=names)
        return Linearised(task, (), seeded=seeded, more=count)

    def _moved(
        self, parameters: Mapping[str, float], spreads: Mapping[str, float]
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Values that are handed to the model, and the derivatives of those that move."""
        keys = list(spreads)
        entering = [key for key in keys if key in self._read(parameters)]
        steps = STEP * np.array([spreads[key] for key in entering])
        draws: dict[str, Array | float] = dict(parameters)
        for column, key in enumerate(entering):
            around = np.full(1 + len(_PLACES) * len(entering), parameters[key])
            around[1 + len(_PLACES) * column : 1 + len(_PLACES) * (column + 1)] += steps[column] * np.array(_PLACES)
            draws[key] = around
        inputs = self.inputs(draws)
        values: dict[str, Array] = {}
        seeds: dict[str, Array] = {}
        for name, value in sorted(self._bound.at(parameters).values(inputs).items()):
            if isinstance(value, TimePath):
                raise TypeError("start values do not change over time")
            values[name] = value[:, :1] if value.ndim == 3 else np.full((1, 1), value)
            if value.ndim == 3 and value.shape[1] > 1:
                beside = value[0, 1:].reshape(len(entering), len(_PLACES), -1)
                seeds[name] = np.zeros((1, 1, value.shape[2], len(keys)))
                places = [keys.index(key) for key in entering]
                seeds[name][..., places] = np.einsum("p,cpr->rc", _WEIGHTS, beside) / steps
        for column, key in enumerate(keys):
            if self._declared[key].variable:
                seeds[self._declared[key].variable] = (np.arange(len(keys)) == column).astype(float)[None, None]
        return values, seeds

    def _read(self, parameters: Mapping[str, Array | float]) -> frozenset[str]:
        """Parameters the start values follow from."""
        if self._entering is None:
            self._entering = self.inputs(parameters).read
        return self._entering

    def _memory(self, parameters: Parameters, draws: int) -> Array:
        """Share of extra growth that is left a year later, shape (draw,), as the model integrates it."""
        return np.broadcast_to(np.minimum(self._bound.at(parameters).memory(), MOST_PERSISTENT), (draws,))

    def _memory_slopes(self, parameters: Parameters, spreads: Mapping[str, float]) -> Array | None:
        """Derivatives of that share, shape (parameter,)."""
        if self._decay not in spreads:
            return None
        bound = self._bound.at(parameters)
        slope = 0.0 if bound.memory() > MOST_PERSISTENT else float(bound.memory_slope())
        return slope * _unit(spreads, self._decay)

    def _value(self, parameters: Parameters, key: str) -> Array | float:
        return parameters.get(key, self._declared[key].value)


def _unit(spreads: Mapping[str, float], key: str) -> Array:
    """One at the place of a parameter, else zero."""
    return np.array([float(item == key) for item in spreads])


def is_growth(series: Series) -> bool:
    """Whether a series is growth of output, whose misses are the shocks of a projection."""
    return series.increments and series.indicator == OUTPUT


def has_momentum(series: Series) -> bool:
    """Whether the misses of a series fade like the model's own momentum."""
    # Extra growth that goes on is momentum, whether it was there at the start or came by a shock: one decay time for
    # both, and a projection gives its shocks the same memory.
    return series.errors.memory == "momentum"
