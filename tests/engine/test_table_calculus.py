"""Areas, slopes and inverses of table functions, against the documentation of Vensim and Stella and slow twins."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from pysd_runner.core.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine.frontend.lowering.table_calls import inverse
from pysd_runner.engine.frontend.lowering.tables import sorted_points
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model
from tests.engine.xmile_files import OVER_D, aux, load_xmile

ENGINES = ["numpy", "llvm"]

# Pages "LOOKUP INVERT", "LOOKUP AREA" and "LOOKUP SLOPE" of Vensim's reference. Its numbers of slopes belong to the
# table of the page about inverses.
DOCUMENTED = {
    "LOOKUP INVERT(f, -1)": math.nan,
    "LOOKUP INVERT(f, 0.5)": 0.5,
    "LOOKUP INVERT(f, 1.5)": 2.0,
    "LOOKUP AREA(g, 0, 1)": 1.0,
    "LOOKUP AREA(g, 2, 4)": 4.0,
    "LOOKUP AREA(g, 0.5, 2.5)": 3.0,
    "LOOKUP SLOPE(f, -1, -1)": math.nan,
    "LOOKUP SLOPE(f, -1, 0)": 0.0,
    "LOOKUP SLOPE(f, -1, 1)": 1.0,
    "LOOKUP SLOPE(f, 1, 0)": 0.75,
    "LOOKUP SLOPE(f, 0.5, 0)": 1.0,
    "LOOKUP SLOPE(f, 1.5, 0)": 0.5,
}
# By hand: a table that comes back, 2 at x = 1/2, 5/3 and 5; and one that jumps.
BY_HAND = {
    "LOOKUP INVERT(back, 2)": 0.5,
    "LOOKUP INVERT(back, 4.5)": 4.25,
    "LOOKUP INVERT(back, 4)": 1.0,
    "LOOKUP INVERT(back, 6)": 5.0,
    "LOOKUP INVERT(back, 6.1)": math.nan,
    "LOOKUP AREA(back, 5, 0)": -(2 + 5 + 2.5 + 5),
    "LOOKUP AREA(g, -1, 0)": 1.0,
    "LOOKUP SLOPE(f, 9, Time)": 0.0,
    "LOOKUP SLOPE(jump, 1, 0)": math.nan,
    "LOOKUP SLOPE(jump, 1.5, 0)": 1.0,
}


@pytest.mark.filterwarnings("ignore::pysd_runner.engine.task.ProbableSlip")
@pytest.mark.parametrize("engine", ENGINES)
def test_tables_of_vensim(engine, tmp_path):
    texts = DOCUMENTED | BY_HAND
    tables = "f((0,0),(1,1),(3,2)) ~~|\ng((0,1),(1,1),(2,2)) ~~|\njump((0,0),(1,0),(1,5),(2,6)) ~~|\n"
    tables += "back((0,0),(1,4),(3,1),(4,4),(5,6)) ~~|\n"
    equations = tables + "".join(f"x{place} = {text} ~~|\n" for place, text in enumerate(texts))
    run = simulate(load_model(write_model(tmp_path, equations)), engine=engine, throw=False)
    found = {text: run[f"x{place}"][0, 0, 0] for place, text in enumerate(texts)}
    assert found == pytest.approx({**texts, "LOOKUP AREA(back, 5, 0)": -(2 + 5 + 2.5 + 5)}, rel=1e-12, nan_ok=True)


def test_a_value_that_a_table_never_has_is_missing_and_fails_no_run(tmp_path):
    equations = "f((0,0),(1,1)) ~~|\na = LOOKUP INVERT(f, 2) ~~|"
    assert np.isnan(simulate(load_model(write_model(tmp_path, equations)))["a"]).all()


POINTS = "<xscale min='1' max='13'/><ypts>41,41.3,42,63.1,80.8,80.4,34.4,19.9,15.8,20.2,89.6,84.5,10.7</ypts>"
AREA = "<xscale min='1' max='13'/><ypts>50.5,50.5,50.5,50.2,50.2,50.2,83.9,76.7,72.6,72.6,72.2,69.4,57.7</ypts>"


@pytest.mark.parametrize("engine", ENGINES)
def test_tables_of_stella(engine, tmp_path):
    """Numbers of the tests of BPTK (transentis), and by hand."""
    variables = aux("t", "TIME", f"<gf>{POINTS}</gf>") + aux("u", "TIME", f"<gf>{AREA}</gf>")
    variables += aux("e", "TIME", "<gf type='extrapolate'><xpts>0,1,2</xpts><ypts>0,1,3</ypts></gf>")
    variables += aux("d", "TIME", "<gf type='discrete'><xpts>0,1,2</xpts><ypts>1,3,5</ypts></gf>")
    variables += aux("inv", "LOOKUPINV(t, 27.15)") + aux("area", "LOOKUPAREA(u, TIME)")
    variables += aux("beyond", "LOOKUPINV(e, 5)") + aux("last", "LOOKUPINV(t, 100)")
    variables += aux("swapped", "LOOKUPAREA(u, 3, 1) - LOOKUPAREA(u, 1, 3)") + aux("whole", "LOOKUPAREA(u)")
    variables += aux("on", "LOOKUPAREA(e, 3, 2)") + aux("steps", "LOOKUPAREA(d, 1.5, 0) + LOOKUPAREA(d, 9, 7)")
    run = simulate(load_xmile(tmp_path, variables, stop=13, step=0.25), engine=engine)
    values = {name: run[name][0, 0, 0] for name in run.data}
    assert values["inv"] == pytest.approx(7.5)
    assert values["last"] == pytest.approx(11)
    assert values["beyond"] == pytest.approx(3)
    assert values["swapped"] == 0
    assert values["on"] == pytest.approx(4)
    assert values["steps"] == pytest.approx(2.5)
    area = run["area"][0, 0][4:].round(3)
    assert area[[0, 1, 8, 9, 10, 11]].tolist() == [0, 12.625, 101, 113.616, 126.212, 138.791]
    assert area[-1] == run["whole"][0, 0, 0].round(3) == 753.1


def test_tables_of_elements_and_faults(tmp_path):
    element = "<element subscript='{}'><gf><xpts>{}</xpts><ypts>0,2</ypts></gf></element>"
    arrayed = element.format("a", "0,1") + element.format("b", "0,2,4").replace("0,2<", "0,2,2<")
    variables = f"<aux name='t'>{OVER_D}<eqn>TIME</eqn>{arrayed}</aux>"
    variables += aux("area", "LOOKUPAREA(t[D], 4, 0)", OVER_D) + aux("inv", "LOOKUPINV(t[D], 1)", OVER_D)
    run = simulate(load_xmile(tmp_path, variables), outcomes=["area", "inv"])
    assert run["area"][0, 0, :, 0].tolist() == [1, 6]
    assert run["inv"][0, 0, :, 0].tolist() == [0.5, 1]
    with pytest.raises(InvalidModel, match="LOOKUPAREA takes a table function and 2 numbers"):
        load_xmile(tmp_path, aux("a", "LOOKUPAREA(3, 4, 5)")).ir  # noqa: B018 - lowering is what is tried
    discrete = aux("d", "TIME", "<gf type='discrete'><xpts>0,1</xpts><ypts>1,3</ypts></gf>")
    with pytest.raises(UnsupportedFeature, match="the inverse of a discrete table"):
        simulate(load_xmile(tmp_path, discrete + aux("a", "LOOKUPINV(d, 2)")))


# Hundredths: an inverse that jumps is told from the jump itself at a distance of 1e-12.
HUNDREDTHS = st.integers(-500, 500).map(lambda whole: whole / 100)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-5, 5)), min_size=1, max_size=8), HUNDREDTHS)
def test_the_inverse_is_the_first_place_with_a_value(points, value):
    table = sorted_points([x for x, _ in points], [y for _, y in points])
    turned = inverse(table)
    if not min(table.y) <= value <= max(table.y):
        return
    found = np.interp(value, turned.x, turned.y)
    assert found == pytest.approx(first_place(table, value), abs=1e-6)


def first_place(table, value):
    """Go through the pieces of a table until one of them has the value."""
    pieces = list(zip(table.x, table.y, table.x[1:], table.y[1:], strict=False))
    if table.y[0] == value:
        return table.x[0]
    for a, c, b, d in pieces:
        if min(c, d) <= value <= max(c, d):
            return a + (b - a) * (value - c) / (d - c) if d != c else a
    raise AssertionError("no piece has the value")
