"""Forward-mode derivatives against complex steps, and by hand at kinks."""

import numpy as np
import pytest

from pysd_runner.core.errors import UnsupportedFeature
from pysd_runner.engine.ir import Operation
from pysd_runner.engine.numpy.code import OPERATIONS
from pysd_runner.engine.numpy.target import compiled, run
from pysd_runner.engine.passes.derivatives import differentiated
from pysd_runner.engine.passes.partials import RULES
from pysd_runner.model import load_model
from tests.engine.built import constant, model_of, scalar, times, value
from tests.engine.complex_step import STEP, run_complex
from tests.engine.small_models import FEATURES, write_model

# What several variables over pairs of elements add up to.
PAIRS = (
    "R: A, B, C ~~|\nP: R ~~|\nk[R] = 1, 2.5, 4 ~~|\na = 0.3 ~~|\n"
    "w[R,P] = IF THEN ELSE(R = P, 0, k[P]/SUM(k[R!])) ~~|\n"
    "x[R] = INTEG(pull[R] - 0.1*x[R]*SUM(w[R,P!]*far[R,P!]), k[R]) ~~|\n"
    "gap[R,P] = x[P] - x[R] + a*k[P] ~~|\nahead[R,P] = MAX(0.2, gap[R,P])*a ~~|\n"
    "far[R,P] = IF THEN ELSE(gap[R,P] > 1, k[R]*x[P], gap[R,P]/k[P]) ~~|\n"
    "pull[R] = SUM(w[R,P!]*(1 - EXP(-ahead[R,P!]))) ~~|\nback[P] = SUM(gap[R!,P]*a) ~~|\n"
    "total = SUM(gap[R!,P!]*x[R!] - x[P!]) ~~|\n"
    "product[R] = PROD(1 + gap[R,P!]^2) ~~|\nmost[R] = VMAX(ahead[R,P!]*x[R]) ~~|"
)
MODELS = {**FEATURES, "pairs": PAIRS}

TIMES = np.arange(0, 6.01, 0.25)
CONTROLS = {"INITIAL TIME": 0.0, "FINAL TIME": 6.0, "TIME STEP": 0.25, "SAVEPER": 0.25}


def controls(step=0.25):
    return {name: np.full((1, 1), step if name == "TIME STEP" else value) for name, value in CONTROLS.items()}


def forward(ir, parameters, outcomes, values=None, times=TIMES):
    """Values and derivatives (..., time, direction) of outcomes, for one case."""
    inputs = {**controls(), **(values or {})}
    step = float(inputs["TIME STEP"].ravel()[0])
    found = differentiated(ir, parameters, outcomes, tuple(inputs))
    names = [*outcomes, *(found.twins[name] for name in outcomes if name in found.twins)]
    program = compiled(found.model, names, tuple(inputs))
    data = run(program, inputs, times, np.ones(times.size, dtype=bool), step=step)
    count = len(found.directions)
    derivatives = {}
    for name in outcomes:
        zero = np.zeros((*data[name][0, 0].shape, count))
        derivatives[name] = np.moveaxis(data[found.twins[name]][0, 0], -2, -1) if name in found.twins else zero
    return {name: data[name][0, 0] for name in outcomes}, derivatives, found


def by_complex_step(ir, directions, outcomes, values=None, times=TIMES):
    """Derivatives (..., time, direction) of outcomes from imaginary steps."""
    inputs = {name: value[:, 0].astype(complex) for name, value in {**controls(), **(values or {})}.items()}
    step = inputs["TIME STEP"].real.item()
    count = len(directions)
    shifts = {}
    for number, direction in enumerate(directions):
        shape = (count, *ir.shape(ir.variables[direction.variable].dims))
        shift = shifts.setdefault(direction.variable, np.zeros(shape, dtype=complex))
        shift[(number, *direction.position)] = 1j * STEP
    for name in [name for name in shifts if name in inputs]:
        inputs[name] = inputs[name] + shifts.pop(name)
    data = run_complex(ir, inputs, shifts, outcomes, times, step)
    return {name: np.moveaxis(item, 0, -1).imag / STEP for name, item in data.items()}


def assert_agree(found, expected, tolerance=1e-12):
    for name, item in expected.items():
        scale = np.nanmax(np.abs(item), initial=0.0)
        assert np.isfinite(item).any() or not item.size, name
        np.testing.assert_allclose(found[name], item, rtol=tolerance, atol=tolerance * (scale or 1.0), err_msg=name)


def own_variables(ir):
    return [name for name, item in ir.variables.items() if not item.hidden and item.kind not in ("lookup", "control")]


# Features that have no derivatives, and what the message names.
REFUSED = {"allocation": "ALLOCATE"}


@pytest.mark.parametrize("feature", REFUSED)
def test_feature_without_derivatives_is_refused(feature, tmp_path):
    ir = load_model(write_model(tmp_path, MODELS[feature])).ir
    names = own_variables(ir)
    with pytest.raises(UnsupportedFeature, match=rf"derivative of {REFUSED[feature]}.*leave that parameter out"):
        differentiated(ir, names, names)


@pytest.mark.parametrize("feature", [item for item in MODELS if item not in REFUSED])
def test_feature_agrees_with_complex_steps_in_every_variable(feature, tmp_path):
    ir = load_model(write_model(tmp_path, MODELS[feature])).ir
    names = own_variables(ir)
    _, found, new = forward(ir, names, names)
    assert_agree(found, by_complex_step(ir, new.directions, names))


@pytest.mark.parametrize("feature", [item for item in MODELS if item not in REFUSED])
def test_values_of_the_old_variables_stay_the_same(feature, tmp_path):
    ir = load_model(write_model(tmp_path, MODELS[feature])).ir
    names = own_variables(ir)
    values, _, _ = forward(ir, names[:1], names)
    program = compiled(ir, names, tuple(CONTROLS))
    before = run(program, controls(), TIMES, np.ones(TIMES.size, dtype=bool), step=0.25)
    for name in names:
        np.testing.assert_array_equal(values[name], before[name][0, 0])


def test_every_operation_has_an_entry():
    assert set(RULES) == set(OPERATIONS)


# Points (a, b, c) at which every operation is smooth; conditions are read as true unless zero.
POINTS = [(0.7, 0.4, 1.3), (-0.3, 0.9, 2.0), (7.3, 2.2, -1.0), (0.2, -1.7, 0.5)]
FUNCTIONS_OF = {"negative": 1, "not": 1, "abs": 1, "exp": 1, "ln": 1, "sqrt": 1, "integer": 1, "where": 3, "xidz": 3}
FUNCTIONS_OF |= dict.fromkeys(["erfc", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"], 1)
# Where an operation is defined.
DOMAINS = {
    "power": lambda a, _: a > 0,
    "ln": lambda a: a > 0,
    "sqrt": lambda a: a > 0,
    "arcsin": lambda a: abs(a) < 1,
    "arccos": lambda a: abs(a) < 1,
}


def one_operation(name, values):
    """A model with y = op(a, b, c), and with z = c y^2 in one nested equation."""
    arguments = [value("a"), value("b"), value("c")][: FUNCTIONS_OF.get(name, 2)]
    inner = Operation(name, tuple(arguments), ())
    nested = times(times(inner, inner), value("c"))
    return model_of(
        *(constant(letter, number) for letter, number in zip("abc", values, strict=True)),
        scalar("y", inner),
        scalar("z", nested),
    )


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_agrees_with_complex_steps(name, point):
    count = FUNCTIONS_OF.get(name, 2)
    if not DOMAINS.get(name, lambda *_: True)(*point[:count]):
        pytest.skip("not defined there")
    ir = one_operation(name, point)
    _, found, new = forward(ir, ["a", "b", "c"], ["y", "z"], times=TIMES[:1])
    assert_agree(found, by_complex_step(ir, new.directions, ["y", "z"], times=TIMES[:1]))


def compiled_forward(ir, parameters, outcomes, draws):
    """Values and derivatives from the compiled engine: one case with lanes over directions, or lanes over draws."""
    from pysd_runner.engine.llvm import target

    inputs = {name: np.repeat(value, draws, axis=1) for name, value in controls().items()}
    found = differentiated(ir, parameters, outcomes, tuple(inputs))
    names = [*outcomes, *(found.twins[name] for name in outcomes if name in found.twins)]
    program = target.compiled(found.model, names, inputs, single=draws == 1)
    saved = np.ones(TIMES.size, dtype=bool)
    data = target.run(program, inputs, TIMES, saved, steps=np.full(TIMES.size, 0.25), threads=1)
    return {name: data[name][0, -1] for name in names}


# With lanes over draws fewer suffice: what is computed is the same.
OVER_DRAWS = ["functions", "subscripts", "tables", "smooth", "initial", "non-negative"]


@pytest.mark.parametrize(
    ("feature", "draws"),
    [(item, 1) for item in MODELS if item not in REFUSED] + [(item, 9) for item in OVER_DRAWS if item in MODELS],
)
def test_compiled_code_gives_the_same_derivatives(feature, draws, tmp_path):
    pytest.importorskip("llvmlite")
    ir = load_model(write_model(tmp_path, MODELS[feature])).ir
    names = own_variables(ir)
    values, derivatives, new = forward(ir, names, names)
    found = compiled_forward(ir, names, names, draws)
    for name in names:
        np.testing.assert_allclose(found[name], values[name], rtol=1e-11, atol=1e-11, err_msg=name)
        if name in new.twins:
            expected = np.moveaxis(derivatives[name], -1, -2)
            scale = np.nanmax(np.abs(np.where(np.isfinite(expected), expected, 0)), initial=1.0)
            np.testing.assert_allclose(found[new.twins[name]], expected, rtol=1e-10, atol=1e-10 * scale, err_msg=name)


TWO_AXES = (
    "R: A, B, C, D ~~|\nL: x1, x2 ~~|\nQ: q1, q2, q3 ~~|\nm[L,R] = 1, 2, 3, 4; 5, 6, 7, 8; ~~|\n"
    "k[L,Q] = 1, 2, 3; 4, 5, 6; ~~|\ns[L] = INTEG(0.01*y[L], 1) ~~|\n"
    "y[L] = SUM(IF THEN ELSE(m[L,R!] > 1, k[L,Q!]*m[L,R!]*s[L], 0)) + PROD(k[L,Q!] + m[L,R!]*s[L])^0.1 ~~|\n"
    "z[L] = VMAX(k[L,Q!]*m[L,R!]*s[L]) - VMIN(k[L,Q!]*m[L,R!] - s[L]) ~~|"
)


@pytest.mark.parametrize("draws", [1, 9])
def test_sums_over_axes_on_both_sides_of_the_lanes(draws, tmp_path):
    pytest.importorskip("llvmlite")
    ir = load_model(write_model(tmp_path, TWO_AXES)).ir
    names = ["y", "z", "s"]
    _, derivatives, new = forward(ir, ["m", "k"], names)
    assert_agree(derivatives, by_complex_step(ir, new.directions, names))
    found = compiled_forward(ir, ["m", "k"], names, draws)
    for name in names:
        np.testing.assert_allclose(
            found[new.twins[name]], np.moveaxis(derivatives[name], -1, -2), rtol=1e-10, atol=1e-12
        )
