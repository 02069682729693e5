"""A regional model year by year: started from stocks that somebody else keeps, and read into them again."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pysd_runner.model import Model
from pysd_runner.regional.binding import RegionalModel
from pysd_runner.regional.inputs import time_step
from pysd_runner.simulation import Run, simulate

Array = NDArray[np.float64]
Stocks = Mapping[str, Array]

# What is kept from year to year, by what it is called under [bindings], both as a variable and as an input.
SHARES = ("access", "skills", "application")
KEPT = ("population", *SHARES, "shared_data", "governance", "platform")
# Beside these, kept as what the model has for them: a stock with a constant of its own, and capital in years of output.
INFRASTRUCTURE, CAPITAL = "infrastructure", "capital_output_ratio"
# Inputs that no year changes.
FIXED = ("schooling", "natural_growth", "terrain_cost", "structural_deviation")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class YearStart:
    """What a year starts from, each of shape (draw, region)."""

    output: Array  # output per head
    shift: Array  # position that regions return to, less where they are, log points
    momentum: Array  # extra growth a year
    shock: Array  # growth from outside a year
    stocks: Stocks


def first_stocks(bound: RegionalModel, year: int, draws: int) -> tuple[Array, dict[str, Array], dict[str, Array]]:
    """Output per head and stocks where a panel says they are in a year, and values by variable that no year changes."""
    model, keys, names = bound.model, bound.bindings.inputs, bound.bindings.variables
    assert model.spec is not None  # noqa: S101
    inputs = bound.inputs(year, momentum_gain=0.0)
    step = time_step(model)
    run = simulate(
        model,
        bound.values(inputs),
        start=year,
        stop=year + step,
        save_every=step,
        outcomes=[names.infrastructure, names.infrastructure_investment, names.investment],
        threads=1,
    )
    shape = (draws, len(bound.panel.regions))

    def of_first(name: str) -> Array:
        return np.array(np.broadcast_to(run[name][0, ..., 0], shape))

    variables = {meaning: model.spec.inputs[getattr(keys, meaning)].variable for meaning in (*KEPT, CAPITAL, *FIXED)}
    given = {meaning: np.array(np.broadcast_to(inputs.values[name][0], shape)) for meaning, name in variables.items()}
    stocks = {meaning: given[meaning] for meaning in (*KEPT, CAPITAL)}
    stocks[INFRASTRUCTURE] = of_first(names.infrastructure)
    fixed = {variables[meaning]: given[meaning] for meaning in FIXED}
    fixed[names.infrastructure_investment] = of_first(names.infrastructure_investment)
    fixed[model.spec.inputs[keys.investment].variable] = of_first(names.investment)
    output = inputs.values[model.spec.inputs[keys.output_per_head].variable][0]
    return np.array(np.broadcast_to(output, shape)), stocks, fixed


def year_values(
    model: Model, parameters: Mapping[str, Array], fixed: Mapping[str, Array], start: YearStart, since: int
) -> dict[str, Array]:
    """Values of the model's variables for a year, shape (1, draw, region), so many years after the first one."""
    spec, bindings = model.spec, model.bindings
    assert spec is not None  # noqa: S101
    keys, names = bindings.parameters, bindings.variables
    # The reference of coverage grows from the first year on, not from each year anew.
    grown = parameters[keys.reference_infrastructure] * np.exp(parameters[keys.reference_growth] * since)
    values = {
        spec.parameters[key].variable: value[None, :]
        for key, value in {**parameters, keys.reference_infrastructure: grown}.items()
        if spec.parameters[key].variable
    }

    def of(meaning: str) -> str:
        return spec.inputs[getattr(bindings.inputs, meaning)].variable

    by_region = {
        of("output_per_head"): start.output,
        **{of(meaning): start.stocks[meaning] for meaning in (*KEPT, CAPITAL)},
        of("reference_shift"): np.broadcast_to(start.shift, start.output.shape),
        of("momentum"): start.momentum,
        names.initial_infrastructure: start.stocks[INFRASTRUCTURE],
        names.shock: start.shock,
        **fixed,
    }
    values |= {name: value[None] for name, value in by_region.items()}
    regions = start.output.shape[1]
    equal = np.full((regions, regions), 1 / max(regions - 1, 1))
    np.fill_diagonal(equal, 0.0)
    values[names.partner_weights] = equal
    return values


def year_outcomes(model: Model) -> dict[str, str]:
    """Variables that a year is read from, by what they are called under [bindings]."""
    names = model.bindings.variables
    return {
        meaning: getattr(names, meaning) for meaning in ("output_per_head", "output", "capital", *KEPT, INFRASTRUCTURE)
    }


def year_later(run: Run, model: Model) -> dict[str, Array]:
    """The same at the end of a run, shape (draw, region)."""
    return {meaning: np.array(run[name][0, ..., -1]) for meaning, name in year_outcomes(model).items()}


def stocks_of(ended: Mapping[str, Array]) -> dict[str, Array]:
    """Stocks to go on from."""
    return {
        **{meaning: ended[meaning] for meaning in (*KEPT, INFRASTRUCTURE)},
        CAPITAL: ended["capital"] / ended["output"],
    }
