"""Non-negative stocks of XMILE limit what leaves them, so that nothing is made of nothing and nothing is lost."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pysd_runner import jacobian
from pysd_runner.core.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine.reference import UnlimitedOutflow
from pysd_runner.simulation import simulate
from tests.engine.xmile_files import DIMENSIONS, OVER_D, aux, flow, load_xmile, stock

ENGINES = ["numpy", "llvm"]
NON_NEGATIVE = "<non_negative/>"


def paths(run):
    return {name: values[0, 0].tolist() for name, values in run.data.items()}


@pytest.mark.parametrize("engine", ENGINES)
def test_what_an_empty_stock_cannot_give_does_not_arrive(engine, tmp_path):
    variables = stock("a", 5, outflows=["o"], more=NON_NEGATIVE) + stock("b", 0, inflows=["o"]) + flow("o", 4)
    run = simulate(load_xmile(tmp_path, variables), engine=engine)
    assert paths(run) == {"a": [5, 1, 0, 0, 0], "b": [0, 4, 5, 5, 5], "o": [4, 1, 0, 0, 0]}


@pytest.mark.parametrize("engine", ENGINES)
def test_outflows_are_served_in_their_order_and_inflows_leave_in_the_next_step(engine, tmp_path):
    variables = stock("a", 1, inflows=["i"], outflows=["o", "p"], more=NON_NEGATIVE) + stock("b", 0, inflows=["o"])
    variables += flow("p", 1) + flow("o", 2) + flow("i", 2.5)
    run = simulate(load_xmile(tmp_path, variables), engine=engine)
    found = paths(run)
    assert found["o"] == [1, 2, 2, 2, 2]
    assert found["p"] == [0, 0.5, 0.5, 0.5, 0.5]
    assert found["a"] == [1, 2.5, 2.5, 2.5, 2.5]
    assert found["b"] == [0, 1, 3, 5, 7]


def test_an_inflow_takes_while_it_is_negative_what_the_outflows_leave(tmp_path):
    # By hand: at time 1 stock b holds 3, the outflow takes 2 of it, and 1 of the 4 asked for flows back.
    variables = stock("a", 4, outflows=["i"], more=NON_NEGATIVE)
    variables += stock("b", 1, inflows=["i"], outflows=["j"], more=NON_NEGATIVE)
    variables += flow("i", "3 - 7*TIME") + flow("j", 2)
    found = paths(simulate(load_xmile(tmp_path, variables)))
    assert found["i"] == [3, -1, 0, 0, 0]
    assert found["j"] == [1, 2, 0, 0, 0]
    assert found["a"] == [4, 1, 2, 2, 2]
    assert found["b"] == [1, 3, 0, 0, 0]


def test_a_flow_runs_both_ways_and_stops_at_either_end(tmp_path):
    variables = stock("a", 1, outflows=["i"], more=NON_NEGATIVE) + stock("b", 1, inflows=["i"], more=NON_NEGATIVE)
    variables += flow("i", "IF TIME &lt; 2 THEN 1.5 ELSE -1.5")
    found = paths(simulate(load_xmile(tmp_path, variables)))
    assert found["i"] == [1, 0, -1.5, -0.5, 0]
    assert found["b"] == [1, 2, 2, 0.5, 0]


@pytest.mark.parametrize("engine", ENGINES)
def test_elements_are_limited_one_by_one(engine, tmp_path):
    each = '<element subscript="a"><eqn>1</eqn></element><element subscript="b"><eqn>3</eqn></element>'
    variables = stock("s", 4, outflows=["o"], more=OVER_D + NON_NEGATIVE) + f'<flow name="o">{OVER_D}{each}</flow>'
    found = paths(simulate(load_xmile(tmp_path, variables), engine=engine))
    assert found == {"o": [[1, 1, 1, 1, 0], [3, 1, 0, 0, 0]], "s": [[4, 3, 2, 1, 0], [4, 1, 0, 0, 0]]}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_flow_that_leaves_two_stocks_at_once_is_at_most_what_either_holds(engine, tmp_path):
    variables = stock("a", 9, outflows=["o"], more=NON_NEGATIVE) + stock("b", 5, outflows=["p", "o"], more=NON_NEGATIVE)
    variables += stock("c", 0, outflows=["o"]) + stock("d", 0, inflows=["o"]) + flow("o", 2) + flow("p", 1)
    found = paths(simulate(load_xmile(tmp_path, variables), engine=engine))
    assert found["p"] == [1, 1, 0, 0, 0]
    assert found["o"] == [2, 1, 0, 0, 0]
    assert (found["a"], found["b"]) == ([9, 7, 6, 6, 6], [5, 2, 0, 0, 0])
    assert (found["c"], found["d"]) == ([0, -2, -3, -3, -3], [0, 2, 3, 3, 3])


def test_a_flow_that_enters_two_stocks_takes_from_both_while_it_is_negative(tmp_path):
    variables = stock("a", 3, inflows=["i"], more=NON_NEGATIVE) + stock("b", 5, inflows=["i"], more=NON_NEGATIVE)
    found = paths(simulate(load_xmile(tmp_path, variables + flow("i", -2))))
    assert found["i"] == [-2, -1, 0, 0, 0]
    assert (found["a"], found["b"]) == ([3, 1, 0, 0, 0], [5, 3, 2, 2, 2])


def test_a_start_may_follow_from_the_flow_it_limits(tmp_path):
    variables = stock("s", "2.5*o", outflows=["o"], more=NON_NEGATIVE) + flow("o", 2)
    assert paths(simulate(load_xmile(tmp_path, variables))) == {"o": [2, 2, 1, 0, 0], "s": [5, 3, 1, 0, 0]}


def test_a_behavior_of_the_file_or_of_the_model_is_one_of_every_stock_that_does_not_refuse(tmp_path):
    variables = stock("a", 1, outflows=["o"]) + flow("o", 2)
    variables += stock("b", 1, outflows=["p"], more="<non_negative>false</non_negative>") + flow("p", 2)
    for behavior in ("<non_negative/>", "<stock><non_negative/></stock>"):
        for place in ("before", "inside"):
            text = f"<behavior>{behavior}</behavior>"
            model = load_xmile(tmp_path, variables, **{place: text if place == "inside" else DIMENSIONS + text})
            found = paths(simulate(model))
            assert (found["a"], found["b"]) == ([1, 0, 0, 0, 0], [1, -1, -3, -5, -7])
    behavior = "<behavior><stock><non_negative>false</non_negative></stock></behavior>"
    assert paths(simulate(load_xmile(tmp_path, variables, inside=behavior)))["a"] == [1, -1, -3, -5, -7]


def test_non_negative_flows_never_run_backwards(tmp_path):
    variables = stock("s", 0, inflows=["i"]) + flow("i", "2 - TIME", NON_NEGATIVE)
    assert paths(simulate(load_xmile(tmp_path, variables))) == {"i": [2, 1, 0, 0, 0], "s": [0, 2, 3, 3, 3]}


def test_flows_that_cannot_be_limited_are_refused_and_what_they_enter(tmp_path):
    variables = stock("a", 1, inflows=["i"], more=NON_NEGATIVE) + flow("i", "-TIME", "<multiplier>2</multiplier>")
    message = "stock 'a' is non-negative, but .* cannot be limited: one of its flows is no variable; give it a name"
    with pytest.raises(UnsupportedFeature, match=message):
        simulate(load_xmile(tmp_path, variables), outcomes=["a"])
    variables = stock("a", 1, outflows=["o"], more=OVER_D + NON_NEGATIVE) + flow("o", 1)
    model = load_xmile(tmp_path, variables + stock("end", 0, inflows=["o"]) + stock("other", 3))
    for outcome in ("a", "end"):
        with pytest.raises(UnsupportedFeature, match=r"stock 'a' is non-negative.*'o' is no flow over the same dim"):
            simulate(model, outcomes=[outcome])
    assert simulate(model, outcomes=["other"])["other"][0, 0, -1] == 3


def test_an_outflow_reads_what_a_later_one_asks_for(tmp_path):
    variables = stock("s", 4, outflows=["o", "p"], more=NON_NEGATIVE) + flow("o", "2*p") + flow("p", 1)
    run = simulate(load_xmile(tmp_path, variables, stop=2))
    assert run["o"][0, 0].tolist() == [2, 1, 0]
    assert run["p"][0, 0].tolist() == [1, 0, 0]


def test_an_outflow_that_depends_on_a_later_one_by_way_of_others_is_refused_by_name(tmp_path):
    variables = stock("s", 4, outflows=["o", "p"], more=NON_NEGATIVE) + flow("o", "2*q") + flow("p", 1) + aux("q", "p")
    with pytest.raises(InvalidModel, match=r"'o' -> 'q' -> 'p' -> 'o'.* limited so that 's' stays non-negative"):
        simulate(load_xmile(tmp_path, variables))
    other = variables.replace("<outflow>o</outflow><outflow>p</outflow>", "<outflow>p</outflow><outflow>o</outflow>")
    assert paths(simulate(load_xmile(tmp_path, other)))["o"] == [2, 0, 0, 0, 0]


def test_pysd_lets_the_outflow_go_on_and_says_so(tmp_path):
    variables = stock("a", 1, outflows=["o"], more=NON_NEGATIVE) + stock("b", 0, inflows=["o"]) + flow("o", 1)
    model = load_xmile(tmp_path, variables)
    with pytest.warns(UnlimitedOutflow, match="'a' at zero while its outflows go on"):
        theirs = simulate(model, engine="pysd")
    assert theirs["b"][0, 0].tolist() == [0, 1, 2, 3, 4]
    assert simulate(model)["b"][0, 0].tolist() == [0, 1, 1, 1, 1]


STELLA = "isee systems, inc."


@pytest.mark.parametrize("engine", ENGINES)
def test_in_files_of_stella_what_flows_in_leaves_in_the_same_step(engine, tmp_path):
    variables = stock("a", 0, inflows=["i"], outflows=["o"], more=NON_NEGATIVE) + flow("i", 3) + flow("o", 5)
    for vendor, left, held in ((STELLA, [3, 3, 3, 3, 3], [0, 0, 0, 0, 0]), ("test", [0, 3, 3, 3, 3], [0, 3, 3, 3, 3])):
        run = simulate(load_xmile(tmp_path, variables, vendor=vendor), engine=engine)
        assert (paths(run)["o"], paths(run)["a"]) == (left, held)
        assert run.provenance["inflows_leave_in"] == ("same step" if vendor == STELLA else "next step")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("order", ["".join(names) for names in permutations("abc")])
def test_in_files_of_stella_what_enters_a_chain_of_empty_stocks_passes_all_at_once(engine, order, tmp_path):
    chain = {name: stock(name, 0, [into], [out], NON_NEGATIVE) for name, into, out in ("aij", "bjk", "ckl")}
    variables = "".join(chain[name] for name in order)
    variables += flow("i", "4 - TIME") + flow("k", 9) + flow("l", 2)
    found = paths(simulate(load_xmile(tmp_path, variables + flow("j", 3), vendor=STELLA), engine=engine))
    assert found["j"] == found["k"] == [3, 3, 3, 1, 0]
    assert (found["a"], found["b"]) == ([0, 1, 1, 0, 0], [0, 0, 0, 0, 0])
    assert (found["l"], found["c"]) == ([2, 2, 2, 2, 2], [0, 1, 2, 3, 2])
    # A flow that may turn negative passes as much; where it asks for some back, the outflow has left nothing.
    found = paths(simulate(load_xmile(tmp_path, variables + flow("j", "4 - 2*TIME"), vendor=STELLA), engine=engine))
    assert found["j"] == found["k"] == [4, 2, 0, 0, 0]
    assert (found["a"], found["b"]) == ([0, 0, 1, 3, 4], [0, 0, 0, 0, 0])
    assert (found["l"], found["c"]) == ([2, 2, 2, 0, 0], [0, 2, 2, 0, 0])


@pytest.mark.parametrize("engine", ENGINES)
def test_in_files_of_stella_outflows_share_stock_and_inflow_by_their_order(engine, tmp_path):
    variables = stock("a", "o + p - 12", ["i", "h"], ["o", "p", "q"], NON_NEGATIVE)
    variables += flow("i", 6) + flow("h", 4) + flow("o", 8) + flow("p", 7) + flow("q", 20)
    found = paths(simulate(load_xmile(tmp_path, variables, vendor=STELLA, step=0.5, stop=1), engine=engine))
    # By hand: 3 / .5 + 10 = 16 at the start, 10 after it; the flows that give the start are not limited.
    assert (found["o"], found["p"], found["q"]) == ([8, 8, 8], [7, 2, 2], [1, 0, 0])
    assert found["a"] == [3, 0, 0]


@pytest.mark.parametrize("engine", ENGINES)
def test_in_files_of_stella_an_inflow_that_hangs_on_the_outflow_leaves_in_the_next_step(engine, tmp_path):
    variables = stock("a", 1, ["i", "h"], ["o"], NON_NEGATIVE) + flow("i", "o") + flow("h", 1) + flow("o", 5)
    found = paths(simulate(load_xmile(tmp_path, variables, vendor=STELLA), engine=engine))
    assert found["o"] == [2, 3, 4, 5, 5]
    assert found["a"] == [1, 2, 3, 4, 5]
    circle = stock("a", 2, ["back"], ["there"], NON_NEGATIVE) + stock("b", 0, ["there"], ["back"], NON_NEGATIVE)
    found = paths(simulate(load_xmile(tmp_path, circle + flow("there", 3) + flow("back", 1), vendor=STELLA)))
    total = np.array(found["a"]) + found["b"]
    assert total.tolist() == [2] * 5
    assert min(found["a"] + found["b"]) >= 0


@pytest.mark.parametrize("engine", ENGINES)
def test_in_files_of_stella_an_inflow_counts_while_it_is_positive_and_takes_what_is_left_while_not(engine, tmp_path):
    variables = stock("a", 1, ["i", "h"], ["o"], NON_NEGATIVE) + flow("i", "3 - 4*TIME") + flow("h", 2) + flow("o", 4)
    found = paths(simulate(load_xmile(tmp_path, variables, vendor=STELLA, stop=2), engine=engine))
    # By hand: 1 + 3 + 2 - 4 = 2; then 2 + 2 feed the outflow, and nothing is left for the other.
    assert (found["o"], found["i"], found["a"]) == ([4, 4, 2], [3, 0, 0], [1, 2, 0])


@pytest.mark.parametrize("vendor", ["test", STELLA])
@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_derivatives_of_limited_flows_are_those_of_a_run_beside(method, vendor, tmp_path):
    variables = stock("a", "start", ["i"], ["o"], NON_NEGATIVE) + stock("b", 0, inflows=["o"]) + flow("i", ".2*start")
    variables += flow("o", "1.25") + '<aux name="start"><eqn>3.1</eqn></aux>'
    model = load_xmile(tmp_path, variables, vendor=vendor)
    slopes = jacobian(model, parameters=["start"], outcomes=["a", "b"], method=method)
    more, less = (simulate(model, {"start": 3.1 + by}, method=method) for by in (1e-6, -1e-6))
    for name in ("a", "b"):
        np.testing.assert_allclose(slopes[name][0, 0, :, 0], (more[name] - less[name])[0, 0] / 2e-6, atol=1e-8)


def slow_twin(holds, flows, steps, dt, *, same_step=False):
    """Stocks in plain Python: each flow is (from, to, rate by time), limited in order where its source is a stock."""
    saved = [list(holds)]
    # Where flows only run to later stocks, all that enters a stock is known before what leaves it.
    flows = sorted(flows, key=lambda flow: flow[0]) if same_step else flows
    for step in range(steps):
        left = [value / dt for value in holds]
        for source, target, rate in flows:
            moved = min(rate(step * dt), left[source])
            left[source] -= moved
            holds[source] -= moved * dt
            if target is not None:
                holds[target] += moved * dt
                left[target] += moved if same_step else 0
        saved.append(list(holds))
    return np.array(saved).T


FLOWS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([0, 1, 2, None]), st.floats(0, 4), st.floats(0, 1)),
    min_size=1,
    max_size=6,
).filter(lambda flows: all(source != target for source, target, *_ in flows))


@settings(deadline=None, max_examples=25)
@given(
    holds=st.lists(st.floats(0, 5), min_size=3, max_size=3),
    flows=FLOWS,
    dt=st.sampled_from([0.25, 1]),
    method=st.sampled_from(["euler", "rk4"]),
    vendor=st.sampled_from(["test", STELLA]),
)
def test_nothing_is_made_nothing_is_lost_and_nothing_falls_below_zero(
    holds, flows, dt, method, vendor, tmp_path_factory
):
    ends = [(f"f{place}", source, target) for place, (source, target, *_) in enumerate(flows)]
    variables = stock("out", 0, inflows=[name for name, _, target in ends if target is None])
    for number, start in enumerate(holds):
        enter = [name for name, _, target in ends if target == number]
        leave = [name for name, source, _ in ends if source == number]
        variables += stock(f"s{number}", repr(start), enter, leave, NON_NEGATIVE)
    for (name, *_), (*_, level, slope) in zip(ends, flows, strict=True):
        variables += flow(name, f"{level!r} + {slope!r}*TIME", NON_NEGATIVE)
    model = load_xmile(tmp_path_factory.mktemp("random"), variables, step=dt, vendor=vendor)
    run = simulate(model, engine="numpy", method=method)
    stocks = np.array([run[name][0, 0] for name in ("s0", "s1", "s2")])
    assert (stocks >= 0).all()
    np.testing.assert_allclose(stocks.sum(axis=0) + run["out"][0, 0], sum(holds), rtol=1e-12, atol=1e-12)
    is_chain = all(target is None or source < target for source, target, *_ in flows)
    if method == "euler" and (vendor == "test" or is_chain):
        rates = [
            (source, target, lambda time, level=level, slope=slope: level + slope * time)
            for source, target, level, slope in flows
        ]
        expected = slow_twin(list(holds), rates, run.years.size - 1, dt, same_step=vendor == STELLA)
        np.testing.assert_allclose(stocks, expected, rtol=1e-9, atol=1e-9)
