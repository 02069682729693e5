"""Values of a model's variables as a function of its parameters: where runs start, and what else is set."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from calibration.observation import MOST_PERSISTENT
from pysd_runner.core.errors import InvalidInput, Message, UnknownName
from pysd_runner.core.types import Array, Arrays, Numbers, Texts, Values, frozen
from pysd_runner.evidence import Beginning, in_state
from pysd_runner.model import Model
from pysd_runner.simulation.run import constant_values, element_name, located, simulate
from pysd_runner.study.binding import RegionalModel
from pysd_runner.study.equations import PREFIX, equations_hash, equations_of, with_starts
from pysd_runner.study.region_inputs import RegionInputs

Parameters = Values
Spreads = Numbers
# Step of the differences by which start values are differentiated, as a share of a parameter's prior standard
# deviation. Start values are smooth functions of parameters: fourth-order differences have a relative error of 1e-12.
STEP = 1e-3
_PLACES, _WEIGHTS = (-2, -1, 1, 2), np.array([1, -8, 8, -1]) / 12


class Entering:
    """How parameters enter the runs of a model; methods that a subclass does not override assume no dependence.

    Attributes
    ----------
    model
        The model that is simulated.
    held
        Values that override the model file in every run, by variable.
    keys
        Parameters that must be given.
    """

    def __init__(self, model: Model, held: Values | None = None, keys: tuple[str, ...] = ()) -> None:
        self.model, self.held, self.keys = model, dict(held or {}), keys

    @property
    def model_sha256(self) -> str:
        """Hash that identifies the model of a fit."""
        return self.model.sha256

    def imputed(self, parameters: Parameters) -> tuple[str, ...]:  # noqa: ARG002
        """Start values that were imputed because they were not observed, one line each."""
        return ()

    def values(self, parameters: Parameters, draws: int) -> Arrays:
        """Values by variable, shape (1, draw, element...)."""
        raise NotImplementedError

    def moved(self, parameters: Parameters, spreads: Spreads) -> tuple[Arrays, Arrays]:
        """Values for one parameter vector, and derivatives of those that depend on it (extra trailing axis)."""
        raise NotImplementedError

    def memory(self, parameters: Parameters) -> Array | float:  # noqa: ARG002
        """Share of the momentum of growth that remains after a year."""
        return 0.0

    def memory_slopes(self, parameters: Parameters, spreads: Spreads) -> Array | None:  # noqa: ARG002
        """Derivatives of `memory`, shape (parameter,); None if it does not depend on the parameters."""
        return None

    def record(self, parameters: Parameters) -> Values:
        """Entry of the provenance of a fit: what else the model's runs depend on."""
        return {"imputed": list(self.imputed(parameters))}

    def beginning(self, start: float | None, last: float) -> Beginning:
        """Where experiments after the last time of the data start from."""
        raise NotImplementedError


def unit(spreads: Spreads, key: str) -> Array:
    """Unit vector of a parameter, shape (parameter,)."""
    return np.array([float(item == key) for item in spreads])


class FromState(Entering):
    """Runs that start in the observed state of regions; parameters set constants and unobserved parts of the state."""

    # The model is differentiated with respect to both in one pass: every value that depends on parameters is passed on
    # together with its derivatives.

    def __init__(self, bound: RegionalModel, year: int) -> None:
        super().__init__(bound.model)
        self.bound, self.year = bound, year
        self._declared = bound.model.declarations.parameters
        self._decay = bound.bindings.parameters.momentum_decay
        self._entering: frozenset[str] | None = None

    def imputed(self, parameters: Parameters) -> tuple[str, ...]:
        """Start values that were imputed because they were not observed, one line each."""
        return tuple(str(item) for item in self.inputs(parameters).imputed)

    def inputs(self, parameters: Parameters) -> RegionInputs:
        """Start values of the regions for given parameters."""
        return self.bound.at(parameters).inputs(self.year)

    def values(self, parameters: Parameters, draws: int) -> Arrays:  # noqa: ARG002
        """Values by variable, shape (1, draw, element...)."""
        return self._values(parameters, self.inputs(parameters))

    def moved(self, parameters: Parameters, spreads: Spreads) -> tuple[Arrays, Arrays]:
        """Values for one parameter vector, and derivatives of those that depend on it (extra trailing axis)."""
        keys = list(spreads)
        entering = [key for key in keys if key in self._read(parameters)]
        steps = STEP * np.array([spreads[key] for key in entering])
        draws: dict[str, Array | float] = dict(parameters)
        for key, around in zip(entering, np.kron(np.diag(steps), _PLACES), strict=True):
            draws[key] = parameters[key] + np.append(0.0, around)
        start = self.inputs(draws)
        values, seeds = {}, {}
        for name, value in sorted(self._values(parameters, start).items()):
            values[name] = value[:, :1]
            if value.ndim == 3 and value.shape[1] > 1:
                beside = value[0, 1:].reshape(len(entering), len(_PLACES), -1)
                seeds[name] = np.zeros((1, 1, value.shape[2], len(keys)))
                places = [keys.index(key) for key in entering]
                seeds[name][..., places] = np.einsum("p,cpr->rc", _WEIGHTS, beside) / steps
        for key in keys:
            if self._declared[key].variable:
                seeds[self._declared[key].variable] = unit(spreads, key)[None, None]
        return values, seeds

    def memory(self, parameters: Parameters) -> Array:
        """Share of the momentum of growth that remains after a year, as the model integrates it."""
        return np.minimum(self.bound.at(parameters).memory(), MOST_PERSISTENT)

    def memory_slopes(self, parameters: Parameters, spreads: Spreads) -> Array | None:
        """Derivatives of `memory`, shape (parameter,); None if it does not depend on the parameters."""
        if self._decay not in spreads:
            return None
        bound = self.bound.at(parameters)
        slope = 0.0 if bound.memory() > MOST_PERSISTENT else float(bound.memory_slope())
        return slope * unit(spreads, self._decay)

    def beginning(self, start: float | None, last: float) -> Beginning:  # noqa: ARG002
        """Experiments begin in the state observed in the last year of data."""
        bound, rate = self.bound, float(self.bound.yuan_per_unit)
        return in_state(bound.model, bound.panel, int(last), first_year=self.year, yuan_per_unit=rate)

    def _values(self, parameters: Parameters, start: RegionInputs) -> Arrays:
        found = {name: np.asarray(value) for name, value in self.bound.at(parameters).values(start).items()}
        return {name: value if value.ndim == 3 else np.atleast_1d(value)[None] for name, value in found.items()}

    def _read(self, parameters: Parameters) -> frozenset[str]:
        """Parameters on which the start values depend."""
        if self._entering is None:
            self._entering = self.inputs(parameters).read
        return self._entering


@frozen
class Target:
    """A scalar of a model that can be estimated: an element of a constant or the initial value of a stock."""

    name: str  # name with subscripts as in the model file, which is the key of the parameter
    variable: str  # name of the variable
    position: tuple[int, ...]  # index of the element; empty for a variable without subscripts
    is_start: bool  # whether it is the initial value of a stock

    @property
    def entered(self) -> str:
        """Name of the constant through which the value is passed to a run."""
        return f"{PREFIX}{self.variable}" if self.is_start else self.variable


def targets_of(model: Model, names: Iterable[str]) -> tuple[Target, ...]:
    """Scalars selected by names of variables or elements; ``InvalidInput`` if a name cannot be estimated."""
    found: dict[str, Target] = {}
    for name in names:
        variable, position = _located(model, name)
        item = model.ir.variables[variable]
        if item.kind not in ("constant", "stock"):
            raise InvalidInput(
                "{variable!r} is computed by an equation ({kind}); only constants and starting values of stocks can "
                "be estimated",
                variable=variable,
                kind=Message(item.kind),
            )
        shape = model.ir.shape(item.dims)
        places = product(*(range(size) for size in shape)) if position is None else (position,)
        for place in places:
            called = element_name(model.ir, variable, tuple(place))
            found.setdefault(
                called, Target(name=called, variable=variable, position=tuple(place), is_start=item.kind == "stock")
            )
    return tuple(found.values())


def _located(model: Model, name: str) -> tuple[str, tuple[int, ...] | None]:
    """Variable and element of a name; ``initial Infected`` stands for the initial value of ``Infected``."""
    try:
        return located(model, name)
    except UnknownName:
        for prefix in (PREFIX, "initial ", "initial value of "):
            if name.casefold().startswith(prefix.casefold()):
                try:
                    return located(model, name[len(prefix) :])
                except UnknownName:
                    continue
        raise


class FromFile(Entering):
    """Runs that start from the values in the model file; parameters replace scalars of it, and `held` other values."""

    def __init__(self, model: Model, targets: Sequence[Target], *, held: Values) -> None:
        self._original, self._targets = model, tuple(targets)
        started = with_starts(model, (item.variable for item in targets if item.is_start))
        super().__init__(started, held, tuple(item.name for item in targets))
        self._bases = {item.entered: self._base(item) for item in targets}
        self._seeds: dict[tuple[str, ...], dict[str, Array]] = {}

    def values(self, parameters: Parameters, draws: int) -> Arrays:
        """Values by variable, shape (1, draw, element...)."""
        arrays = {name: np.repeat(base[None, None], draws, axis=1) for name, base in self._bases.items()}
        for item in self._targets:
            place: tuple[Any, ...] = (0, slice(None), *item.position)
            arrays[item.entered][place] = np.ravel(parameters[item.name])
        return arrays

    def moved(self, parameters: Parameters, spreads: Spreads) -> tuple[Arrays, Arrays]:
        """Values for one parameter vector, and derivatives of those that depend on it (extra trailing axis)."""
        # Reuse the same tangent (derivative seed) arrays, so that the engine need not copy them again.
        if tuple(spreads) not in self._seeds:
            columns = {key: column for column, key in enumerate(spreads)}
            seeds = {name: np.zeros((1, 1, *base.shape, len(columns))) for name, base in self._bases.items()}
            for item in self._targets:
                seeds[item.entered][(0, 0, *item.position, columns[item.name])] = 1.0
            self._seeds[tuple(spreads)] = seeds
        return self.values(parameters, 1), self._seeds[tuple(spreads)]

    @cached_property
    def equations(self) -> Texts:
        """Equations of the model, stored with a fit in case the model file is not available later."""
        return equations_of(self._original)

    @property
    def model_sha256(self) -> str:
        """Hash of all equations."""
        return equations_hash(self.equations)

    def record(self, parameters: Parameters) -> Values:  # noqa: ARG002
        """Equations of the model."""
        return {"equations": self.equations}

    def beginning(self, start: float | None, last: float) -> Beginning:
        """Experiments begin at the start of the runs."""

        def values(parameters: Values, draws: int) -> Values:
            return {**self.held, **self.values(parameters, draws)}

        return Beginning(model=self.model, values=values, start=start, last=last)

    def _base(self, target: Target) -> Array:
        """Values of a target's variable, used for the elements that are not estimated."""
        if target.entered in self.held:
            return np.asarray(self.held[target.entered], dtype=float)
        if not target.position:
            return np.zeros(())
        if target.is_start:
            plain = {name: value for name, value in self.held.items() if name in self._original.ir.variables}
            found = simulate(self._original, plain, outcomes=[target.variable])[target.variable]
            return np.asarray(found[0, 0, ..., 0], dtype=float)
        return np.array(constant_values(self._original, target.variable), dtype=float)
