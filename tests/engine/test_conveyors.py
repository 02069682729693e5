"""Conveyors and queues of XMILE: by hand, against plain Python, and with nothing lost."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pysd_runner.core.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine import Budgets
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.xmile_files import OVER_D, aux, flow, load_xmile, stock, write_xmile


def paths(model, **more):
    return {name: values[0, 0].tolist() for name, values in simulate(model, **more).data.items()}


def conveyor(length, more="", attributes=""):
    return f"<conveyor{attributes}><len>{length}</len>{more}</conveyor>"


def driven(name, more=""):
    """A flow without an equation."""
    return f'<flow name="{name}">{more}</flow>\n'


def leak(fraction, attributes=""):
    return f"<eqn>{fraction}</eqn><leak/></flow>\n".join([f'<flow name="loss"{attributes}>', ""])


BELT = stock("belt", 6, ["i"], ["o"], more=conveyor(3))


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_what_comes_on_leaves_after_the_transit_time(engine, tmp_path):
    model = load_xmile(tmp_path, BELT + flow("i", "TIME") + driven("o") + stock("end", 0, ["o"]), stop=5)
    found = paths(model, engine=engine)
    # At the start two lie on each of three slats; what comes on at 0, 1, 2 leaves at 3, 4, 5.
    assert found["o"] == [2, 2, 2, 0, 1, 2]
    assert found["belt"] == [6, 4, 3, 3, 6, 9]
    assert found["end"] == [0, 2, 4, 6, 6, 7]


def test_slats_have_a_budget(tmp_path):
    path = write_xmile(tmp_path, stock("belt", 6, ["i"], ["o"], more=conveyor(5e8)) + flow("i", 0) + driven("o"))
    with pytest.raises(InvalidModel, match=r"conveyor 'belt' .* 500,000,000 elements; at most 1,000,000"):
        load_model(path)
    short = write_xmile(tmp_path, stock("belt", 6, ["i"], ["o"], more=conveyor(7)) + flow("i", 0) + driven("o"))
    with pytest.raises(InvalidModel, match="at most 6"):
        load_model(short, budgets=Budgets(elements=6))


def test_an_exponential_leak_takes_a_share_of_what_is_there(tmp_path):
    belt = conveyor(3, attributes=' exponential_leak="true"')
    variables = stock("belt", 0, ["i"], ["o", "loss"], more=belt) + flow("i", 8) + driven("o") + leak(0.5)
    found = paths(load_xmile(tmp_path, variables, stop=4))
    assert found["loss"] == [0, 4, 6, 7, 7]
    assert found["o"] == [0, 0, 0, 1, 1]


def test_a_leak_has_a_zone(tmp_path):
    variables = stock("belt", 0, ["i"], ["o", "loss"], more=conveyor(4)) + flow("i", 8) + driven("o")
    found = paths(load_xmile(tmp_path, variables + leak(0.25, ' leak_start="0.5" leak_end="1"'), stop=6))
    # The second half of the way has two slats, on which each batch loses one.
    assert found["loss"] == [0, 0, 0, 1, 2, 2, 2]
    assert found["o"] == [0, 0, 0, 0, 6, 6, 6]


def test_what_comes_on_has_a_limit(tmp_path):
    belt = conveyor(2, "<in_limit>1.5</in_limit>")
    found = paths(load_xmile(tmp_path, stock("belt", 0, ["i"], ["o"], more=belt) + flow("i", "TIME") + driven("o")))
    assert found["i"] == [0, 1, 1.5, 1.5, 1.5]


def test_a_conveyor_can_stand_still(tmp_path):
    belt = conveyor(2, "<arrest>IF TIME >= 2 AND TIME &lt; 4 THEN 1 ELSE 0</arrest>")
    variables = stock("belt", 4, ["i"], ["o"], more=belt) + flow("i", 1) + driven("o")
    found = paths(load_xmile(tmp_path, variables, stop=6))
    assert found["o"] == [2, 2, 0, 0, 1, 1, 1]
    assert found["i"] == [1, 1, 0, 0, 1, 1, 1]
    assert found["belt"] == [4, 3, 2, 2, 2, 2, 2]


def test_each_element_has_its_own_transit_time(tmp_path):
    each = '<element subscript="a"><eqn>1</eqn></element><element subscript="b"><eqn>3</eqn></element>'
    variables = (
        stock("belt", 6, ["i"], ["o"], more=OVER_D + conveyor("wait[D]")) + f'<aux name="wait">{OVER_D}{each}</aux>'
    )
    variables += flow("i", 0, OVER_D) + driven("o", OVER_D)
    assert paths(load_xmile(tmp_path, variables))["o"] == [[6, 0, 0, 0, 0], [2, 2, 2, 0, 0]]


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_a_leak_may_depend_on_what_is_on_the_conveyor(engine, tmp_path):
    belt = conveyor(3, attributes=' exponential_leak="true"')
    variables = stock("belt", 6, ["i"], ["o", "loss"], more=belt) + flow("i", 0) + driven("o")
    found = paths(load_xmile(tmp_path, variables + driven("loss", "<leak>belt/60</leak>")), engine=engine)
    # A tenth leaks at first: slats that lost it 0, 1 and 2 times before hold 6 together.
    assert found["belt"][0] == pytest.approx(6)
    assert found["loss"][0] == pytest.approx(0.6)


def test_an_inflow_that_is_no_leak_has_no_place_at_its_source(tmp_path):
    found = [
        paths(load_xmile(tmp_path, BELT + f'<flow name="i"{more}><eqn>1</eqn></flow>' + driven("o")))["o"]
        for more in ("", ' isee:spreadflow="source"')
    ]
    assert found[0] == found[1]


def test_conveyors_in_a_row(tmp_path):
    variables = stock("first", 0, ["i"], ["m"], more=conveyor(2)) + stock("second", 0, ["m"], ["o"], more=conveyor(1))
    variables += flow("i", "IF TIME = 0 THEN 5 ELSE 0") + driven("m") + driven("o")
    found = paths(load_xmile(tmp_path, variables))
    assert (found["m"], found["o"]) == ([0, 0, 5, 0, 0], [0, 0, 0, 5, 0])


def test_a_queue_empties_into_a_stock_and_waits_for_a_conveyor(tmp_path):
    variables = stock("waiting", 0, ["i"], ["on"], more="<queue/>") + flow("i", 3) + driven("on")
    variables += stock("served", 0, ["on"])
    found = paths(load_xmile(tmp_path, variables))
    assert found["served"] == [0, 3, 6, 9, 12]
    assert found["waiting"] == [0, 0, 0, 0, 0]
    belt = conveyor(2, "<in_limit>2</in_limit>", ' one_at_a_time="false"')
    variables = stock("waiting", 0, ["i"], ["on"], more="<queue/>") + flow("i", 3) + driven("on")
    variables += stock("belt", 0, ["on"], ["o"], more=belt) + driven("o")
    found = paths(load_xmile(tmp_path, variables, stop=5))
    assert found["on"] == [2, 2, 2, 2, 2, 2]
    assert found["waiting"] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (BELT + flow("i", 1), "'o' of a conveyor is not defined"),
        (stock("belt", 6, ["i"], [], more=conveyor(3)) + flow("i", 1), "one outflow that is no leak; 0 are given"),
        (stock("belt", 6, ["i"], ["o"], more="<conveyor/>") + flow("i", 1) + driven("o"), "transit time, <len>"),
        (
            stock("belt", 6, ["i"], ["o"], more=conveyor(3, attributes=' batch_integrity="true"'))
            + flow("i", 1)
            + driven("o"),
            'batch_integrity="true" is not covered',
        ),
        (
            BELT + '<flow name="i" isee:spreadflow="dest"><eqn>1</eqn></flow>' + driven("o"),
            'isee:spreadflow="dest" is not covered',
        ),
    ],
)
def test_conveyors_that_are_not_covered_are_refused(variables, message, tmp_path):
    with pytest.raises(InvalidModel, match=message):
        load_xmile(tmp_path, variables)


def test_the_first_of_several_faulty_conveyors_is_named(tmp_path):
    faulty = [stock(f"belt {number}", 6, [], [], more=conveyor(3)) for number in range(12)]
    path = write_xmile(tmp_path, "".join(faulty))
    line = next(place for place, text in enumerate(path.read_text().splitlines(), 1) if "belt 0" in text)
    with pytest.raises(InvalidModel, match=f"line {line}, column 1: a conveyor has one outflow"):
        load_model(path)


def test_a_transit_time_that_changes_is_refused_when_it_is_needed(tmp_path):
    variables = stock("belt", 6, ["i"], ["o"], more=conveyor("3 + TIME")) + flow("i", 1) + driven("o") + aux("a", 7)
    model = load_xmile(tmp_path, variables)
    with pytest.raises(UnsupportedFeature, match="transit time of the conveyor 'belt' changes while the model runs"):
        simulate(model)
    assert simulate(model, outcomes=["a"])["a"][0, 0, 0] == 7


def slow_twin(start, requests, transit, dt, fraction, capacity):
    """A conveyor in plain Python: a list of batches, each with what came on and what is left of it."""
    slats = round(transit / dt)
    kept = [1 - fraction * place / slats for place in range(slats)]
    scale = start / sum(kept)
    batches = [[scale, scale * kept[slats - 1 - place]] for place in range(slats)]
    out, lost, came = [], [], []
    for request in requests:
        leaks = []
        for batch in batches:
            taken = min(batch[0] * fraction / slats, batch[1])
            batch[1] -= taken
            leaks.append(taken)
        leaving = batches[0][1]
        room = capacity - sum(left for _, left in batches[1:])
        entering = min(request * dt, max(room, 0.0))
        batches = [*batches[1:], [entering, entering]]
        out.append(leaving / dt)
        lost.append(sum(leaks) / dt)
        came.append(entering / dt)
    return out, lost, came


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.floats(0, 20),
    level=st.floats(0, 4),
    slope=st.floats(-1, 2),
    transit=st.integers(1, 5),
    dt=st.sampled_from([0.25, 0.5, 1]),
    fraction=st.floats(0, 1),
    capacity=st.floats(5, 40),
)
def test_a_conveyor_does_what_batches_in_a_list_do(tmp_path, start, level, slope, transit, dt, fraction, capacity):
    belt = conveyor(transit, f"<capacity>{capacity!r}</capacity>")
    variables = stock("belt", repr(start), ["i"], ["o", "loss"], more=belt) + driven("o") + leak(repr(fraction))
    variables += flow("i", f"MAX({level!r} + {slope!r}*TIME, 0)")
    run = simulate(load_xmile(tmp_path, variables, step=dt, stop=8), engine="numpy")
    requests = [max(level + slope * time, 0.0) for time in run.years.tolist()]
    out, lost, came = slow_twin(start, requests, transit, dt, fraction, capacity)
    for name, expected in (("o", out), ("loss", lost), ("i", came)):
        np.testing.assert_allclose(run[name][0, 0], expected, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_nothing_is_lost(method, tmp_path):
    belt = conveyor(2, "<capacity>6</capacity>")
    variables = stock("from", 40, outflows=["i"]) + stock("belt", 3, ["i"], ["o", "loss"], more=belt)
    variables += stock("end", 0, ["o", "loss"]) + flow("i", "from/4") + driven("o") + leak("0.2 + end/100")
    run = simulate(load_xmile(tmp_path, variables, step=0.5, stop=10), method=method)
    total = run["from"] + run["belt"] + run["end"]
    np.testing.assert_allclose(total, 43, rtol=1e-12)


def test_simlin_gives_the_same(tmp_path):
    simlin = pytest.importorskip("simlin")
    belt = conveyor(3, "<capacity>9</capacity><in_limit>4</in_limit>")
    variables = stock("belt", 5, ["i"], ["o", "loss"], more=belt) + flow("i", "1 + TIME") + driven("o")
    variables += leak(0.3, ' leak_start="0" leak_end="0.5"') + stock("end", 0, ["o"])
    model = load_xmile(tmp_path, variables, step=0.25, stop=8)
    theirs, ours = simlin.load(str(model.path)).run().results, simulate(model)
    for name in ("belt", "i", "o", "loss", "end"):
        np.testing.assert_allclose(ours[name][0, 0], theirs[name], rtol=1e-9, atol=1e-9, err_msg=name)
