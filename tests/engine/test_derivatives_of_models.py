"""Derivatives of whole models against complex steps."""

from pathlib import Path

import numpy as np
import pytest

from pysd_runner.engine.numpy.target import compiled, run
from pysd_runner.engine.passes.derivatives import differentiated
from pysd_runner.engine.values import fitted_to
from pysd_runner.model import load_model
from tests.engine.complex_step import STEP, run_complex
from tests.engine.test_shipped_parity import parameter_values, policy_values, region_values

BENCHMARKS = Path(__file__).parents[3] / "shared" / "benchmarks"

# Agreement asked for, relative to the largest derivative of an outcome with respect to a parameter.
TOLERANCE = 1e-9


def compare(model, values, parameters, outcomes, times, step):
    """Largest difference between the two, relative to the largest derivative in each direction."""
    ir = model.ir
    bounds = {"INITIAL TIME": times[0], "FINAL TIME": times[-1], "TIME STEP": step, "SAVEPER": step}
    inputs = {name: np.full((1, 1), value) for name, value in bounds.items()}
    inputs |= {name: fitted_to(ir, name, value) for name, value in values.items()}
    new = differentiated(ir, parameters, outcomes, tuple(inputs))
    twins = [new.twins[name] for name in outcomes]
    program = compiled(new.model, twins, tuple(inputs))
    found = run(program, inputs, times, np.ones(times.size, dtype=bool), step=step)

    count = len(new.directions)
    moved = {name: value[:, 0].astype(complex) for name, value in inputs.items()}
    for number, direction in enumerate(new.directions):
        old = moved[direction.variable]
        if len(old) != count:
            moved[direction.variable] = old = np.repeat(old, count, axis=0)
        old[(number, *direction.position)] += 1j * STEP
    expected = run_complex(ir, moved, {}, outcomes, times, step)
    worst = 0.0
    for name, twin in zip(outcomes, twins, strict=True):
        exact = expected[name].imag / STEP
        ours = np.moveaxis(found[twin][0, 0], -2, 0)
        assert np.isfinite(exact).all()
        axes = tuple(range(1, exact.ndim))
        size = np.abs(exact).max(axis=axes)
        assert (size > 0).any(), name
        worst = max(worst, float((np.abs(ours - exact).max(axis=axes) / np.where(size > 0, size, 1)).max()))
    return worst


@pytest.mark.parametrize("regions", [3, 31])
def test_shipped_model(regions):
    model = load_model("regional_digital", regions=regions)
    rng = np.random.default_rng(regions)
    drawn = parameter_values(model, rng)
    values = region_values(rng, regions) | drawn | policy_values(model, rng, 2016)
    # Without it parameters of rural access move nothing, and derivatives would be rounding alone.
    values |= {"Rural Broadband Share": np.array(0.3)}
    outcomes = ["Output per Capita", "Access Share", "Skill Share", "Application Share", "Shared Data", "Output"]
    parameters = list(drawn) if regions == 3 else list(drawn)[::6]
    if regions == 3:
        parameters += ["Initial Access Share", ("Initial Output per Capita", (1,)), "Mix by Class"]
    stop = 2020 if regions == 3 else 2018
    times = np.arange(2014, stop + 0.01, 0.25)
    assert compare(model, values, parameters, outcomes, times, 0.25) < TOLERANCE


DIGI = [
    "investment east",
    "investment central",
    "investment west",
    "training effort east",
    "training effort central",
    "training effort west",
    "policy strength",
    "perception time",
    "training delay",
    "infra lifetime",
    "literacy lifetime",
    "sharing time",
    "privacy concern",
    "trust",
    "innovation rate",
    "spillover strength",
    "obsolescence",
    "tech elasticity",
    "infra elasticity",
    "literacy half saturation",
]


def test_benchmark_model_with_twenty_parameters():
    path = BENCHMARKS / "digi31.mdl"
    if not path.exists():
        pytest.skip("the benchmark models are not here")
    model = load_model(path)
    values = {name: model.ir.variables[name].blocks[0].expression.value for name in DIGI}
    outcomes = ["Output", "Technology", "Digital Literacy", "Data Sharing", "national output", "technology gap"]
    times = 2005 + 0.125 * np.arange(241)
    assert compare(model, values, DIGI, outcomes, times, 0.125) < TOLERANCE
