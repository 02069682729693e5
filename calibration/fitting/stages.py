"""Blocks of a model that are fitted one after the other: first the stocks observed in levels, then what is left."""

from dataclasses import dataclass

from calibration.observation import Series
from pysd_runner.core.errors import InvalidInput
from pysd_runner.model import Model
from pysd_runner.spec import Measurement, ModelSpec, Parameter, Proxy


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One block: some parameters, and the measurements that speak of them."""

    name: str  # group of the model file; the variable of output for everything that is left
    parameters: tuple[str, ...]  # keys of all parameters of the declarations that belong to it
    measurements: tuple[str, ...]  # keys of the measurements

    def owns(self, series: Series) -> bool:
        """Whether a series belongs to this block."""
        return series.measurement in self.measurements


def stages_of(model: Model) -> tuple[Block, ...]:
    """Blocks of a model in the order they are fitted."""
    # A stock observed in levels makes a block with the parameters of its group in the model file and the loadings of
    # its measurement. A national series belongs to the block whose start values it sets, or to that of its group.
    # Everything else, with the measurements in yearly changes, is the last block.
    spec, last = declarations(model), model.bindings.variables.output
    home = {key: _home(model, spec, item) for key, item in spec.measurements.items()}
    names = [name for name in dict.fromkeys(home.values()) if name != last]
    owner = {key: _owner(model, spec, item, home) for key, item in spec.parameters.items()}
    return tuple(
        Block(
            name=name,
            parameters=tuple(key for key, place in owner.items() if place == name),
            measurements=tuple(key for key, place in home.items() if place == name),
        )
        for name in (*names, last)
    )


def declarations(model: Model) -> ModelSpec:
    """Declarations of a model."""
    if model.spec is None:
        raise InvalidInput(
            "{model} has no declarations, so nothing ties it to a panel; load a model that ships with a model.toml",
            model=model.path.name,
        )
    return model.spec


def _group(model: Model, variable: str) -> str:
    return model.variables[model.find(variable)].group


def _home(model: Model, spec: ModelSpec, measurement: Measurement) -> str:
    if measurement.increments:
        return model.bindings.variables.output
    if not measurement.national:
        return _group(model, measurement.outcome)
    for item in spec.inputs.values():
        if item.proxy is not None and item.proxy.of == measurement.national:
            return _home_of_proxy(model, spec, item.proxy)
    group = _group(model, measurement.outcome)
    return group if group in {_home(model, spec, item) for item in _regional(spec)} else model.bindings.variables.output


def _home_of_proxy(model: Model, spec: ModelSpec, proxy: Proxy) -> str:
    """Block of the measurement that reads the same indicators."""
    for item in _regional(spec):
        if item.indicators == proxy.indicators:
            return _home(model, spec, item)
    return model.bindings.variables.output


def _regional(spec: ModelSpec) -> list[Measurement]:
    return [item for item in spec.measurements.values() if not item.national]


def _owner(model: Model, spec: ModelSpec, parameter: Parameter, home: dict[str, str]) -> str:
    if parameter.variable:
        group = _group(model, parameter.variable)
        return group if group in home.values() else model.bindings.variables.output
    places = [home[key] for key, item in spec.measurements.items() if item.loading == parameter.key]
    places += [_home_of_proxy(model, spec, proxy) for proxy in spec.proxies if proxy.level == parameter.key]
    return places[0] if places else model.bindings.variables.output
