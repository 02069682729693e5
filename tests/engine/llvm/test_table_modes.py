"""Tables of every mode give the same compiled and with NumPy: at their points, between, beyond, and at no number."""

import numpy as np
import pytest

from pysd_runner.engine.frontend.lowering.tables import TableFunction, interpolation, sorted_points
from pysd_runner.engine.ir import Axis, Block, Element, Reference
from pysd_runner.engine.numpy import target as numpy_target
from tests.engine.built import constant, model_of, scalar, value, variable

target = pytest.importorskip("pysd_runner.engine.llvm.target")
pytest.importorskip("llvmlite")

MODES = ["interpolate", "extrapolate", "hold_backward", "look_forward", "raw"]
RANGES = {"R": ("a", "b", "c", "d", "e"), "L": ("u", "v")}


def tables(mode, longest):
    """One table for each element of R and L, of different lengths, some with a jump inside."""
    generator = np.random.default_rng(11)
    found = {}
    for place in np.ndindex(5, 2):
        count = int(generator.integers(1, longest + 1))
        x = np.sort(generator.choice(np.arange(-8, 9), size=count, replace=False)) / 4
        y = generator.normal(size=count).round(3)
        if count > 4:
            x[2] = x[1]
        found[place] = sorted_points(x.tolist(), y.tolist())
    return TableFunction(("R", "L"), (5, 2), found, mode)


def model(mode, longest):
    function = tables(mode, longest)
    axes = (Axis("R"), Axis("L"))
    each = function.chosen(axes).read(value("x"), mode)
    first = function.chosen((Axis("R"), Element(0))).read(value("x"), mode)
    shifted = function.chosen(axes).read(Reference("k", (Axis("R"),)), mode)
    one = interpolation(value("x"), [function.tables[3, 1]], (), mode)
    return model_of(
        constant("x", 0.0),
        variable("k", "auxiliary", ("R",), Block((Axis("R"),), first, None, "")),
        variable("each", "auxiliary", ("R", "L"), Block(axes, each, None, "")),
        variable("shifted", "auxiliary", ("R", "L"), Block(axes, shifted, None, "")),
        scalar("one", one),
        ranges=RANGES,
    )


NAMES = ["each", "shifted", "one"]
ARGUMENTS = np.concatenate([np.arange(-10, 11) / 4, np.linspace(-3, 3, 17), [np.inf, -np.inf, np.nan]])


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("longest", [1, 3, 9, 17])
@pytest.mark.parametrize("mode", MODES)
def test_modes(mode, longest, single):
    ir = model(mode, longest)
    # Nothing is asked of a line that goes on for ever, nor of a series at the end of time.
    arguments = ARGUMENTS[~np.isinf(ARGUMENTS)] if mode in ("extrapolate", "raw") else ARGUMENTS
    values = {"x": arguments[None, :]}
    moment, saved = np.zeros(1), np.ones(1, dtype=bool)
    plain = numpy_target.run(numpy_target.compiled(ir, NAMES, ("x",)), values, moment, saved)
    program = target.compiled(ir, NAMES, values, single=single)
    compiled = target.run(program, values, moment, saved, steps=np.ones(1))
    for name in NAMES:
        np.testing.assert_allclose(compiled[name], plain[name], rtol=1e-14, atol=1e-14, err_msg=name)
