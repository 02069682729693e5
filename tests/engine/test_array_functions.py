"""Functions of whole arrays, by hand and by what they must satisfy."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidModel, SimulationFailed, UnsupportedFeature
from pysd_runner.engine.ir import ArrayFunction, Number, Reference
from pysd_runner.engine.numpy.array_functions import (
    FUNCTIONS,
    QUANTILES,
    allocate_available,
    allocate_by_priority,
    invert_matrix,
    vector_rank,
    vector_reorder,
    vector_sort_order,
)
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import FEATURES, write_model
from tests.engine.xmile_files import OVER_D, OVER_N, aux, load_xmile


def test_one_matrix_without_an_inverse_does_not_spoil_the_others():
    matrices = np.array([[[2.0, 0.0], [0.0, 4.0]], [[1.0, 1.0], [1.0, 1.0]]])
    found = invert_matrix(matrices)
    np.testing.assert_array_equal(found[0], [[0.5, 0], [0, 0.25]])
    assert np.isnan(found[1]).all()


def test_sorting_counts_from_zero_and_ranks_from_one():
    vector, up, down = np.array([[3.0, 1.0, 2.0]]), np.array([1.0]), np.array([0.0])
    assert vector_sort_order(vector, up).tolist() == [[1, 2, 0]]
    assert vector_sort_order(vector, down).tolist() == [[0, 2, 1]]
    assert vector_rank(vector, up).tolist() == [[3, 1, 2]]
    assert vector_rank(vector, down).tolist() == [[1, 3, 2]]
    assert vector_reorder(vector, np.array([[2.0, 0.0, 5.0]]))[0, :2].tolist() == [2, 3]
    assert np.isnan(vector_reorder(vector, np.array([[2.0, 0.0, 5.0]]))[0, 2])


def test_an_allocation_by_priority_worked_by_hand():
    # Priorities 10, 9, 7, 2 and width 3: the second starts when the first has 1 of its 3, both grow as 3 to 6, ...
    request, priority = np.array([3.0, 6.0, 2.5, 2.0]), np.array([10.0, 9.0, 7.0, 2.0])
    width = np.array(3.0)
    for supply, expected in [(1.0, [1, 0, 0, 0]), (2.5, [1.5, 1, 0, 0]), (20.0, [3, 6, 2.5, 2]), (0.0, [0, 0, 0, 0])]:
        found = allocate_by_priority(request, priority, width, np.array(supply))
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_an_allocation_shares_out_what_there_is(kind):
    rng = np.random.default_rng(kind)
    request = rng.uniform(0.1, 3, (50, 4))
    profile = np.stack(
        [np.full((50, 4), float(kind)), rng.uniform(0, 4, (50, 4)), rng.uniform(0.5, 2, (50, 4)), np.zeros((50, 4))],
        axis=-1,
    )
    supply = rng.uniform(0, 1.2, 50) * request.sum(axis=-1)
    found = allocate_available(request, profile, supply)
    np.testing.assert_allclose(found.sum(axis=-1), np.minimum(supply, request.sum(axis=-1)), rtol=1e-12)
    assert (found >= 0).all()
    assert (found <= request * (1 + 1e-12)).all()


def test_an_allocation_that_makes_no_sense_is_no_number():
    width, supply = np.array(1.0), np.array(1.0)
    assert np.isnan(allocate_by_priority(np.array([-1.0, 3.0]), np.zeros(2), width, supply)).all()
    assert np.isnan(allocate_by_priority(np.array([1.0, 3.0]), np.zeros(2), np.array(-1.0), supply)).all()
    assert np.isnan(allocate_by_priority(np.array([1.0, 3.0]), np.zeros(2), width, np.array(-1.0))).all()
    profile = np.array([[5.0, 1.0, 1.0, 0.0]] * 2)
    assert np.isnan(allocate_available(np.array([1.0, 3.0]), profile, supply)).all()


def test_fixed_requests_are_served_first_and_in_proportion():
    profile = np.array([[0.0, 1.0, 1.0, 0.0], [0.0, 9.0, 1.0, 0.0], [1.0, 5.0, 1.0, 0.0]])
    request = np.array([200.0, 300.0, 40.0])
    for supply, expected in [(100.0, [40, 60, 0]), (510.0, [200, 300, 10]), (600.0, [200, 300, 40])]:
        np.testing.assert_allclose(allocate_available(request, profile, np.array(supply)), expected, rtol=1e-12)


def test_where_there_is_enough_for_all_curves_do_not_matter():
    profile = np.array([[5.0, 1.0, 0.0, 0.0]] * 2)
    assert allocate_available(np.array([1.0, 3.0]), profile, np.array(4.0)).tolist() == [1, 3]


# The model `allocate_price` of SDEverywhere, without its ways to vary it.
MARKET = (
    "pp: ptype, ppriority, pwidth, pextra ~~|\ncurve: rectangular, triangular, normal, exponential ~~|\n"
    "demander: d1, d2 ~~|\nsupplier: s1, s2, s3 ~~|\n"
    "dp[curve,demander,ptype] = 1,1; 2,2; 3,3; 4,4; ~~|\nsp[curve,supplier,ptype] = 1,1,1; 2,2,2; 3,3,3; 4,4,4; ~~|\n"
    "dp[curve,demander,ppriority] = 1,2; 1,2; 1,2; 1,2; ~~|\n"
    "sp[curve,supplier,ppriority] = 1,2,3; 1,2,3; 1,2,3; 1,2,3; ~~|\n"
    "dp[curve,demander,pwidth] = 1 ~~|\nsp[curve,supplier,pwidth] = 1 ~~|\n"
    "dp[curve,demander,pextra] = 0 ~~|\nsp[curve,supplier,pextra] = 0 ~~|\n"
    "want[curve,d1] = 500*Time/12 ~~|\nwant[curve,d2] = 300*Time/12 ~~|\n"
    "have[curve,s1] = 200 ~~|\nhave[curve,s2] = 300 ~~|\nhave[curve,s3] = 450 ~~|\n"
    "price[curve] = FIND MARKET PRICE(want[curve,d1], dp[curve,d1,ptype], have[curve,s1], sp[curve,s1,ptype]) ~~|\n"
    "supplied[curve,supplier] = SUPPLY AT PRICE(have[curve,supplier], sp[curve,supplier,ptype], price[curve]) ~~|\n"
    "demanded[curve,demander] = DEMAND AT PRICE(want[curve,demander], dp[curve,demander,ptype], price[curve]) ~~|\n"
)


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_a_market_finds_the_price_of_vensims_run(engine, tmp_path):
    run = simulate(load_model(write_model(tmp_path, MARKET, final=12, step=2, saveper=2)), engine=engine)
    assert run["price"][0, 0, :, 0].tolist() == [0.5, 0.5, -4, -9]
    assert run["price"][0, 0, :, 1] == pytest.approx([0.970588, 0.985071, 0.622241, 0.426918], abs=1e-4)
    assert run["price"][0, 0, :, 3] == pytest.approx([1.38889, 1.2643, 1.28018, 1.18737], abs=1e-4)
    assert run["price"][0, 0, :, 6] == pytest.approx([1.66667, 1.78867, 1.69346, 1.67861], abs=1e-4)
    demanded = [[27.7778, 150], [27.7775, 150], [97.4177, 114.626], [103.642, 116.723]]
    np.testing.assert_allclose(run["demanded"][0, 0, :, :, 3], demanded, rtol=1e-4)
    supplied = [[177.778, 0, 0], [177.778, 0, 0], [122.066, 70.7471, 19.2304], [117.086, 66.5534, 36.7255]]
    np.testing.assert_allclose(run["supplied"][0, 0, :, :, 3], supplied, rtol=1e-4, atol=1e-9)
    totals = run["supplied"].sum(axis=3) - run["demanded"].sum(axis=3)
    np.testing.assert_allclose(totals[..., 1:], 0, atol=1e-9)


def test_an_array_function_stands_alone_over_plain_arguments(tmp_path):
    found = set()
    for equations in (FEATURES["arrays"], FEATURES["allocation"], MARKET):
        for variable in load_model(write_model(tmp_path, equations)).ir.variables.values():
            for block in variable.blocks:
                if isinstance(block.expression, ArrayFunction):
                    found.add(block.expression.name)
                    assert all(isinstance(part, Number | Reference) for part in block.expression.arguments)
    # Those of Stella, and random numbers, are in models of their own.
    assert found == set(FUNCTIONS) - set(QUANTILES) - {"allocate"}


def test_array_functions_run_over_scenarios_and_draws(tmp_path):
    equations = (
        "R: A, B ~~|\nP: R ~~|\nk = 1 ~~|\nm[R,P] = IF THEN ELSE(R = P, k + R, 0.5) ~~|\n"
        "i[R,P] = INVERT MATRIX(m[R,P], 2) ~~|\ntotal = SUM(i[R!,P!]) ~~|"
    )
    model = load_model(write_model(tmp_path, equations, final=1))
    ks = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    found = simulate(model, {"k": ks})["total"][..., 0]
    expected = [[np.linalg.inv([[k + 1, 0.5], [0.5, k + 2]]).sum() for k in row] for row in ks]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_selection_that_must_not_happen_fails_the_run(tmp_path):
    equations = (
        "R: A, B ~~|\np[R] = 1, 0 ~~|\none = VECTOR SELECT(p[R!], 3*p[R!], 0, 0, 3) ~~|\nflag = 1 ~~|\n"
        "q[R] = p[R]*flag ~~|\nnone = VECTOR SELECT(q[R!], p[R!], 0, 0, 1) ~~|"
    )
    model = load_model(write_model(tmp_path, equations, final=1))
    run = simulate(model)
    assert run["one"][0, 0, 0] == 3
    with pytest.raises(SimulationFailed, match="none became nan"):
        simulate(model, {"flag": 0.0})


def test_a_profile_without_its_four_numbers_is_named(tmp_path):
    equations = (
        "R: A, B ~~|\nL: p, q ~~|\nask[R] = 1, 2 ~~|\npp[R,L] = 1, 2; 3, 4; ~~|\n"
        "got[R] = ALLOCATE AVAILABLE(ask[R], pp[R,p], 1) ~~|"
    )
    with pytest.raises(InvalidModel, match="range of four numbers"):
        load_model(write_model(tmp_path, equations))


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_stella_allocates_as_vensim_does(engine, tmp_path):
    """Numbers of Vensim's run of SDEverywhere's model `allocate` at time 1; its Stella version has these equations."""
    each = '<element subscript="1"><eqn>{}</eqn></element><element subscript="2"><eqn>{}</eqn></element>'
    each += '<element subscript="3"><eqn>{}</eqn></element>'
    variables = f'<aux name="want">{OVER_N}{each.format(3, 2, 4)}</aux><aux name="rank of">{OVER_N}'
    variables += f"{each.format(1, 2, 3)}</aux>" + aux("got", "ALLOCATE(10/12, N, want, rank_of[*], 1, 3)", OVER_N)
    variables += aux("also", "ALLOCATE(10/12, N, want[N], rank_of[N], one[N], kind[N])", OVER_N)
    variables += aux("one", 1, OVER_N) + aux("kind", 3, OVER_N)
    run = simulate(load_xmile(tmp_path, variables), engine=engine)
    assert run["got"][0, 0, :, 0] == pytest.approx([0.00613038, 0.0611702, 0.766029], abs=1e-4)
    np.testing.assert_array_equal(run["got"], run["also"])


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_values_between_elements(engine, tmp_path):
    """Numbers of the tests of BPTK (transentis), and by hand."""
    each = '<element subscript="1"><eqn>10</eqn></element><element subscript="2"><eqn>15</eqn></element>'
    variables = f'<aux name="x">{OVER_N}{each}<element subscript="3"><eqn>20</eqn></element></aux>'
    both = '<dimensions><dim name="N"/><dim name="D"/></dimensions>'
    variables += aux("y", "N + 10*D", both) + aux("a", "INTERPOLATE(x, 0.75)") + aux("b", "INTERPOLATE(y, 0.75, 0.5)")
    variables += aux("c", "INTERPOLATE(x, TIME - 2)") + aux("row", "INTERPOLATE(y[*, D], 0.25)", OVER_D)
    run = simulate(load_xmile(tmp_path, variables), engine=engine)
    assert run["a"][0, 0, 0] == 17.5
    assert run["b"][0, 0, 0] == 2.5 + 15
    assert run["c"][0, 0].tolist() == [10, 10, 10, 20, 20]
    assert run["row"][0, 0, :, 0].tolist() == [11.5, 21.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("INTERPOLATE(x)", "INTERPOLATE takes an array and a place"),
        ("INTERPOLATE(x, 1, 1)", "INTERPOLATE of an array over 1 dimensions with 2 places"),
        ("ALLOCATE(1, N, x, x)", "ALLOCATE takes 5 or 6 arguments, 4 are given"),
        ("FIND_MARKET_PRICE(1, 2)", "FIND MARKET PRICE takes 4 arguments, 2 are given"),
        ("FIND_MARKET_PRICE(1, 2, 3, 4)", "FIND MARKET PRICE takes quantities and profiles by their first elements"),
        ("SUPPLY_AT_PRICE(1, 2)", "SUPPLY AT PRICE takes 3 arguments, 2 are given"),
        ("DEMAND_AT_PRICE(x, x, 3)", "'x' has 1 subscripts, 0 are given"),
        ("VECTOR_LOOKUP(x, 1, 0, 1, 0)", "VECTOR LOOKUP takes an element of an array"),
        ("ALLOCATE(1, x, x, x, 1, 1)", "the second argument of ALLOCATE is the dimension"),
    ],
)
def test_array_functions_say_what_they_take(text, message, tmp_path):
    with pytest.raises(InvalidModel, match=message):
        load_xmile(tmp_path, aux("x", 1, OVER_N) + aux("y", text))


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_an_array_is_read_as_a_table(engine, tmp_path):
    """By hand, from Vensim's page "VECTOR LOOKUP": x from 10 to 30 in two steps."""
    equations = (
        "R: A, B, C ~~|\nS: u, v ~~|\ny[R] = 1, 5, 3 ~~|\nz[S,R] = S*y[R] ~~|\nx = 5 + 5*Time ~~|\nmode = 3 ~~|\n"
    )
    equations += "a = VECTOR LOOKUP(y[A], x, 10, 30, 0) ~~|\nb = VECTOR LOOKUP(y[A], x, 10, 30, 2) ~~|\n"
    equations += "c = VECTOR LOOKUP(y[A], x, 10, 30, mode) ~~|\nd = VECTOR LOOKUP(y[A], x, 10, 30, 4) ~~|\n"
    equations += "e[S] = VECTOR LOOKUP(z[S,A], x, 10, 30, 0) ~~|\nf = VECTOR LOOKUP(y[A], x, 10, 30, 5) ~~|"
    model = load_model(write_model(tmp_path, equations, final=6, step=1, saveper=1))
    run = simulate(model, engine=engine, outcomes=["a", "b", "c", "d", "e"])
    assert run["a"][0, 0].tolist() == [1, 1, 3, 5, 4, 3, 3]
    assert run["b"][0, 0].tolist() == [1, 1, 1, 5, 5, 3, 3]
    assert run["c"][0, 0].tolist() == [-1, 1, 3, 5, 4, 3, 2]
    assert run["d"][0, 0].tolist() == [1, 1, 5, 5, 3, 3, 3]
    np.testing.assert_array_equal(run["e"][0, 0], [run["a"][0, 0], 2 * run["a"][0, 0]])
    with pytest.raises(UnsupportedFeature, match="VECTOR LOOKUP of mode 5, none of 0, 2, 3 and 4, in variable 'f'"):
        simulate(model, outcomes=["f"])
    with pytest.raises(SimulationFailed):
        simulate(model, {"mode": 5}, outcomes=["c"])
