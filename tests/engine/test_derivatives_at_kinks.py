"""Where a slope jumps or is infinite: the side that counts, checked by hand."""

import math

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput, UnsupportedFeature
from pysd_runner.engine.ir import Axis, Block, Interpolation, Number, Random, Reduction, Reference, Table
from pysd_runner.engine.numpy.target import compiled, run
from pysd_runner.engine.passes.derivatives import differentiated
from pysd_runner.model import load_model
from tests.engine.built import constant, model_of, operation, scalar, value, variable
from tests.engine.small_models import write_model
from tests.engine.test_derivatives import TIMES, assert_agree, by_complex_step, controls, forward


def slopes(expression, **numbers):
    """Derivatives of an expression with respect to named numbers."""
    ir = model_of(*(constant(name, number) for name, number in numbers.items()), scalar("y", expression))
    _, found, _ = forward(ir, list(numbers), ["y"], times=TIMES[:1])
    return found["y"][0].tolist()


A, B = value("a"), value("b")


def test_of_equal_arguments_the_first_counts():
    assert slopes(operation("max", A, B), a=2.0, b=2.0) == [1, 0]
    assert slopes(operation("min", A, B), a=2.0, b=2.0) == [1, 0]


def test_absolute_value_rises_at_zero():
    assert slopes(operation("abs", A), a=0.0) == [1]


def test_a_choice_follows_the_branch_that_is_taken_and_nothing_of_the_other():
    taken = operation("where", operation("greater", A, Number(0.0)), operation("ln", A), operation("multiply", A, B))
    assert slopes(taken, a=0.0, b=3.0) == [3, 0]
    assert slopes(taken, a=2.0, b=3.0) == [0.5, 0]


def test_a_branch_that_is_no_number_in_a_variable_of_its_own_does_not_spoil_the_other():
    ir = model_of(
        constant("a", 0.0),
        scalar("x", operation("divide", Number(1.0), A)),
        scalar("y", operation("where", operation("greater", A, Number(0.0)), value("x"), A)),
        scalar("z", operation("min", value("x"), operation("multiply", A, A))),
    )
    _, found, _ = forward(ir, ["a"], ["y", "z"], times=TIMES[:1])
    assert found["y"].tolist() == [[1]]
    assert found["z"].tolist() == [[0]]


@pytest.mark.parametrize(("at", "expected"), [(1e-7, [0, 0, 1]), (0.5, [2.0, -12.0, 0])])
def test_division_with_a_substitute_for_zero(at, expected):
    assert slopes(operation("xidz", A, B, value("c")), a=3.0, b=at, c=7.0) == expected


def test_what_jumps_does_not_move():
    for name in ("integer", "less", "and"):
        parts = (A,) if name == "integer" else (A, B)
        assert slopes(operation(name, *parts), a=2.0, b=2.0) == [0, 0]
    assert slopes(operation("quantum", A, B), a=7.5, b=2.0) == [0, 3]
    assert slopes(operation("remainder", A, B), a=-7.5, b=2.0) == [1, 4]
    assert slopes(operation("modulo", A, B), a=-7.5, b=2.0) == [1, 3]


def test_powers_at_zero():
    assert slopes(operation("power", A, B), a=0.0, b=1.0) == [1, 0]
    assert slopes(operation("power", A, B), a=0.0, b=2.5) == [0, 0]
    assert slopes(operation("power", A, B), a=0.0, b=0.0) == [0, 0]
    assert slopes(operation("power", A, B), a=0.0, b=0.5) == [math.inf, 0]
    for exponent, expected in ((0.0, 0), (1.0, 1), (2.0, 0), (3.5, 0), (0.5, math.inf), (-1.0, -math.inf)):
        assert slopes(operation("power", A, Number(exponent)), a=0.0) == [expected]


def test_powers_of_negative_numbers():
    assert slopes(operation("power", A, Number(3.0)), a=-2.0) == [12]
    assert slopes(operation("power", A, Number(2.0)), a=-2.0) == [-4]


def test_what_does_not_move_stays_still_where_a_slope_is_infinite():
    root = operation("sqrt", operation("max", operation("multiply", A, B), Number(0.0)))
    assert slopes(operation("add", root, value("c")), a=-1.0, b=2.0, c=1.0) == [0, 0, 1]
    ir = model_of(constant("a", 0.0), constant("b", 1.0), scalar("x", A), scalar("y", operation("sqrt", value("x"))))
    _, found, _ = forward(ir, ["b", "a"], ["y"], times=TIMES[:1])
    assert found == {"y": pytest.approx(np.array([[0, np.inf]]))}


RANGES = {"R": ("A", "B", "C"), "L": ("x", "y")}


def over(name, *labels):
    return Reference(name, tuple(Axis(label) for label in labels))


def array(name, values, *dims):
    shape = tuple(len(RANGES[dim]) for dim in dims)
    table = Table(tuple(float(item) for item in np.ravel(values)), shape, dims)
    return variable(name, "constant", dims, Block(tuple(Axis(dim) for dim in dims), table, None, ""))


def reduced(name, values, *dims):
    """Gradient of a reduction over all elements."""
    labels = tuple(f"{dim}!" for dim in dims)
    ir = model_of(
        array("a", values, *dims),
        scalar("y", Reduction(name, over("a", *labels), labels, ())),
        scalar("z", operation("multiply", Number(3.0), Reduction(name, over("a", *labels), labels, ()))),
        ranges=RANGES,
    )
    _, found, _ = forward(ir, ["a"], ["y", "z"], times=TIMES[:1])
    np.testing.assert_array_equal(found["z"], 3 * found["y"])
    return found["y"][0].tolist()


def test_reductions():
    assert reduced("sum", [1, 2, 3], "R") == [1, 1, 1]
    assert reduced("product", [2, 3, 5], "R") == [15, 10, 6]
    assert reduced("product", [2, 0, 5], "R") == [0, 10, 0]
    assert reduced("product", [2, 0, 0], "R") == [0, 0, 0]
    assert reduced("largest", [1, 7, 7], "R") == [0, 1, 0]
    assert reduced("least", [1, 7, 1], "R") == [1, 0, 0]


def test_reductions_over_two_axes():
    values = [[2, 1, 3], [1, 3, 4]]
    assert reduced("largest", values, "L", "R") == [0, 0, 0, 0, 0, 1]
    assert reduced("least", values, "L", "R") == [0, 1, 0, 0, 0, 0]
    assert reduced("product", values, "L", "R") == [36, 72, 24, 72, 24, 18]


NESTED = (
    "R: A, B, C ~~|\nP: R ~~|\nL: x1, x2 ~~|\nk[R] = 1.1, 2.2, 3.4 ~~|\nm[L,R] = 1, 2, 3; 4, 5, 6; ~~|\n"
    "a = 2 ~~|\n"
    "y[R] = EXP(-SUM(k[P!]*m[x1,P!]*a)/50)*SUM(k[P!]/(k[P!] + k[R])*m[x2,P!]) ~~|\n"
    "z = SUM(k[R!]*SUM(m[L!,R!]*k[R!]^2))*VMAX(y[R!])/VMIN(m[L!,R!]*k[R!]) ~~|\n"
    "w[R] = PROD(k[P!] - k[R]*0.1)^0.5 + SUM(PROD(m[L!,P!])*k[P!]) ~~|\n"
    "s[R] = INTEG(SQRT(VMAX(k[P!]*s[P!]))*0.01 - s[R]*SUM(s[P!])*0.01, k[R]) ~~|\n"
)


PAIRS = (
    "R: A, B ~~|\nP: R ~~|\nc[R] = 0, 4 ~~|\nroot[R] = SQRT(c[R]) ~~|\ngap[R,P] = root[P] - root[R] ~~|\n"
    "own[R] = SUM(MAX(0, gap[R,P!])) ~~|\nall[R] = SUM(gap[R,P!]) ~~|\n"
    "trace = SUM(MAX(0, gap[R!,R!] + c[R!])) ~~|\nmean[R] = SUM(SQRT(c[R] * c[P!])) ~~|"
)


def test_sums_over_pairs_keep_what_is_infinite_out_of_what_is_not_taken(tmp_path):
    _, found, _ = forward(load_model(write_model(tmp_path, PAIRS)).ir, ["c"], ["own", "all", "trace", "mean"])
    assert found["own"][:, 0].tolist() == [[-math.inf, 0.25], [0, 0]]  # of A the gap to B, of B none is taken
    assert found["all"][1, 0].tolist() == [math.inf, -0.25]
    assert found["trace"][0].tolist() == [0, 1]  # of equal numbers the first counts, which is none
    assert found["mean"][:, 0, 1].tolist() == [0, 1]
    assert np.isinf(found["mean"][:, 0, 0]).all()


def test_nested_reductions_agree_with_complex_steps(tmp_path):
    ir = load_model(write_model(tmp_path, NESTED)).ir
    names = ["y", "z", "w", "s"]
    _, found, new = forward(ir, ["k", "m", "a"], names)
    assert_agree(found, by_complex_step(ir, new.directions, names))


X, Y = (0.0, 1.0, 3.0), (2.0, 4.0, 3.0)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("interpolate", {-1: 0, 0: 2, 0.5: 2, 1: -0.5, 2: -0.5, 3: 0, 4: 0}),
        ("extrapolate", {-1: 2, 0: 2, 0.5: 2, 1: -0.5, 2: -0.5, 3: -0.5, 4: -0.5}),
        ("hold_backward", dict.fromkeys((-1, 0, 0.5, 1, 3, 4), 0)),
        ("look_forward", dict.fromkeys((-1, 0, 0.5, 1, 3, 4), 0)),
    ],
)
def test_of_a_table_the_segment_to_the_right_counts(mode, expected):
    for at, slope in expected.items():
        assert slopes(Interpolation(A, X, Y, 3, (), mode, ()), a=float(at)) == [slope]


@pytest.mark.parametrize("mode", ["interpolate", "extrapolate"])
def test_jumps_and_padding_of_a_table_have_no_slope(mode):
    x = (0.0, math.nextafter(1.0, 0.0), 1.0, 2.0, 2.0)
    table = Interpolation(A, x, (0.0, 1.0, 5.0, 7.0, 7.0), 5, (), mode, ())
    assert slopes(table, a=0.5) == [pytest.approx(1.0)]
    assert slopes(table, a=1.0) == [2]
    assert slopes(table, a=2.5) == [2 if mode == "extrapolate" else 0]


def test_a_table_of_one_point_is_flat():
    assert slopes(Interpolation(A, (1.0,), (4.0,), 1, (), "extrapolate", ()), a=3.0) == [0]


@pytest.mark.parametrize("mode", ["interpolate", "extrapolate", "hold_backward"])
def test_one_table_for_each_element(mode):
    table = Interpolation(operation("multiply", A, over("k", "R")), X * 2 + (0.0, 5.0, 5.0), Y * 2 + (1.0, 6.0, 6.0), 3,
                          ("R",), mode, ("R",))  # fmt: skip
    ir = model_of(
        constant("a", 1.0),
        array("k", [-0.5, 2.0, 2.5], "R"),
        variable("y", "auxiliary", ("R",), Block((Axis("R"),), table, None, "")),
        ranges=RANGES,
    )
    _, found, new = forward(ir, ["a", "k"], ["y"], times=TIMES[:1])
    assert_agree(found, by_complex_step(ir, new.directions, ["y"], times=TIMES[:1]))


def test_a_stock_held_at_zero_does_not_move(tmp_path):
    equations = "a = 1 ~~|\ns = INTEG(-a*(1 - STEP(3, 4)), 2) ~~|\n"
    ir = load_model(write_model(tmp_path, equations)).ir
    stock = ir.variables["s"]
    block = stock.blocks[0]
    held = variable("s", "stock", (), Block((), block.expression, block.initial, "", non_negative=True))
    ir = model_of(*(held if name == "s" else item for name, item in ir.variables.items()), ranges=ir.ranges)
    values, found, new = forward(ir, ["a", "s"], ["s"])
    assert values["s"].min() == 0
    assert_agree(found, by_complex_step(ir, new.directions, ["s"]))
    assert found["s"][TIMES < 2].tolist() == [[-at, 1] for at in TIMES[TIMES < 2]]
    assert (found["s"][(TIMES > 2) & (TIMES < 4)] == 0).all()


def test_a_random_number_does_not_move():
    moved = operation("multiply", Random(1, ()), A)
    ir = model_of(constant("a", 1.0), scalar("y", moved))
    found = differentiated(ir, ["a"], ["y"])
    assert {part.variable for part in [value("y")]} <= set(found.twins)


def test_only_what_depends_on_a_parameter_has_a_twin():
    ir = model_of(
        constant("a", 1.0),
        constant("b", 2.0),
        scalar("x", operation("multiply", B, B)),
        scalar("y", operation("add", A, value("x"))),
        scalar("z", operation("greater", A, B)),
    )
    assert set(differentiated(ir, ["a"], ["x", "y", "z"]).twins) == {"a", "y"}


def test_one_element_is_a_direction():
    ir = model_of(
        array("k", [1, 2, 3], "R"),
        variable("y", "auxiliary", ("R",), Block((Axis("R"),), operation("exp", over("k", "R")), None, "")),
        ranges=RANGES,
    )
    _, found, new = forward(ir, [("k", (2,)), ("k", (0,))], ["y"], times=TIMES[:1])
    assert [item.position for item in new.directions] == [(2,), (0,)]
    np.testing.assert_allclose(found["y"][:, 0], [[0, math.exp(1)], [0, 0], [math.exp(3), 0]], rtol=1e-15)


def test_derivatives_of_a_given_value_may_come_from_outside():
    ir = model_of(constant("a", 1.0), array("k", [1, 2, 3], "R"), scalar("y", operation(
        "multiply", A, Reduction("sum", operation("multiply", over("k", "R!"), over("k", "R!")), ("R!",), ()))),
        ranges=RANGES)  # fmt: skip
    new = differentiated(ir, [], ["y"], ("a", "k", "TIME STEP"), seeded=("a", "k"), more=2)
    inputs = {
        "a": np.full((1, 1), 2.0),
        "k": np.array([[[1.0, 2.0, 3.0]]]),
        "TIME STEP": np.ones((1, 1)),
        new.twins["a"]: np.array([[[1.0, 0.0]]]),
        new.twins["k"]: np.array([[[[0.0, 1.0], [0.0, 1.0], [0.5, 0.0]]]]),
    }
    program = compiled(new.model, [new.twins["y"]], tuple(inputs))
    found = run(program, inputs, TIMES[:1], np.ones(1, dtype=bool), step=0.25)
    assert found[new.twins["y"]][0, 0, :, 0].tolist() == [14 + 2 * 2 * 3 * 0.5, 2 * 2 * (1 + 2)]


def test_what_cannot_be_differentiated_says_so(tmp_path):
    ir = load_model(write_model(tmp_path, "d = 1 ~~|\nx = Time ~~|\ny = DELAY FIXED(x, d, 0) ~~|\n")).ir
    with pytest.raises(UnsupportedFeature, match=r"fixed delay in 'y'.*leave that parameter out.*y = "):
        differentiated(ir, ["d"], ["y"])
    with pytest.raises(UnsupportedFeature, match="time control 'TIME STEP'"):
        differentiated(ir, ["TIME STEP"], ["TIME STEP"])
    with pytest.raises(InvalidInput, match="Did you mean 'd'"):
        differentiated(ir, ["D"], ["y"])
    with pytest.raises(InvalidInput, match="named twice"):
        differentiated(ir, ["x", "x"], ["y"])
    with pytest.raises(InvalidInput, match="no element"):
        differentiated(ir, [("x", (0,))], ["y"])
    with pytest.raises(InvalidInput, match="at least one parameter"):
        differentiated(ir, [], ["y"])
    with pytest.raises(InvalidInput, match="holds derivatives already"):
        differentiated(differentiated(ir, ["x"], ["y"]).model, ["x"], ["y"])


def test_fingerprints_differ_with_everything_that_is_asked():
    ir = model_of(constant("a", 1.0), constant("b", 1.0), scalar("y", operation("multiply", A, B)))
    asked = [
        (["a"], ["y"], ()),
        (["b"], ["y"], ()),
        (["a", "b"], ["y"], ()),
        (["b", "a"], ["y"], ()),
        (["a"], ["y"], ("b",)),
        (["a"], ["y", "b"], ()),
    ]
    prints = {differentiated(ir, *item).model.fingerprint for item in asked} | {ir.fingerprint}
    assert len(prints) == len(asked) + 1


def test_controls_of_a_run_are_given(tmp_path):
    ir = load_model(write_model(tmp_path, "a = 2 ~~|\ns = INTEG(a*s, 1) ~~|\n")).ir
    new = differentiated(ir, ["a"], ["s"], tuple(controls()))
    assert set(new.twins) == {"a", "s"}
