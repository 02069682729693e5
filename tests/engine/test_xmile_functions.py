"""Functions that only XMILE files write."""

import pytest

from pysd_runner.core.errors import InvalidModel
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.parity import assert_same

FILE = """<?xml version="1.0" encoding="utf-8"?>
<xmile version="1.0" xmlns="http://docs.oasis-open.org/xmile/ns/XMILE/v1.0">
<header><product>test</product><vendor>test</vendor></header>
<sim_specs><start>0</start><stop>5</stop><dt>0.25</dt></sim_specs>
<dimensions><dim name="R"><elem name="A"/><elem name="B"/><elem name="C"/></dim></dimensions>
<model><variables>{variables}</variables></model></xmile>
"""

EQUATIONS = {
    "once": "PULSE(3, 1.5)",
    "often": "PULSE(3, 1.5, 1)",
    "never again": "PULSE(3, 1.5, 0)",
    "slope": "RAMP(2, 1)",
    "bounded slope": "RAMP(2, 1, 3)",
    "top": "MAX(table[R])",
    "low": "MIN(table[R]) + MIN(2, TIME)",
    "pipe": "DELAY(TIME, 1)",
    "filled pipe": "DELAY(TIME, 1, 7)",
    "one": "DELAY1(TIME, 2, 3)",
    "three": "DELAY3(TIME, 2, 3)",
    "many": "DELAYN(TIME, 2, 4, 3)",
    "smooth one": "SMTH1(TIME, 2, 3)",
    "smooth many": "SMTHN(TIME, 2, 4, 3)",
    "growth": "TREND(1 + TIME, 2, 0.25)",
    "ahead": "FORCST(1 + TIME, 2, 3)",
    "start": "INIT(TIME + 3)",
    "left over": "SAFEDIV(TIME, 0) + SAFEDIV(1, 0, 9) + INT(2.5)",
}


def write(folder, equations):
    variables = "".join(f'<aux name="{name}"><eqn>{text}</eqn></aux>' for name, text in equations.items())
    variables += '<aux name="table"><dimensions><dim name="R"/></dimensions><eqn>3, 1.5, 4</eqn></aux>'
    path = folder / "functions.xmile"
    path.write_text(FILE.format(variables=variables), encoding="utf-8")
    return load_model(path)


@pytest.mark.parametrize("name", EQUATIONS)
def test_xmile_function_agrees_with_pysd(name, tmp_path):
    model = write(tmp_path, {name: EQUATIONS[name]})
    assert_same(simulate(model, outcomes=[name]), simulate(model, engine="pysd", outcomes=[name]))


def test_a_pulse_lasts_one_step_and_carries_its_magnitude(tmp_path):
    run = simulate(write(tmp_path, EQUATIONS), outcomes=["once", "often", "never again"])
    hit = {name: run.years[run[name][0, 0] > 0].tolist() for name in run.data}
    assert hit == {"once": [1.5], "often": [1.5, 2.5, 3.5, 4.5], "never again": [1.5]}
    assert run["once"].max() == 3 / 0.25
    assert (simulate(write(tmp_path, {"always": "PULSE(3)"}))["always"] == 3 / 0.25).all()


FROM_VENSIM = {
    "SMOOTH(TIME, 2)": "SMTH1(TIME, 2)",
    "SMOOTHI(TIME, 2, 3)": "SMTH1(TIME, 2, 3)",
    "SMOOTH3(TIME, 2)": "SMTH3(TIME, 2)",
    "SMOOTH3I(TIME, 2, 3)": "SMTH3(TIME, 2, 3)",
    "DELAY1I(TIME, 2, 3)": "DELAY1(TIME, 2, 3)",
    "DELAY3I(TIME, 2, 3)": "DELAY3(TIME, 2, 3)",
    "FORECAST(1 + TIME, 2, 3)": "FORCST(1 + TIME, 2, 3)",
    # Start, duration, interval, end.
    "PULSE_TRAIN(1, 0.5, 2, 4.5)": "IF TIME MOD 2 >= 1 AND TIME MOD 2 &lt; 1.5 AND TIME &lt; 4.5 THEN 1 ELSE 0",
    "REINITIAL(TIME + 3)": "3",
}


def test_functions_that_vensim_and_converters_leave_in_xmile_keep_their_meaning(tmp_path):
    pairs = {
        f"{side}{at}": text
        for at, pair in enumerate(FROM_VENSIM.items())
        for side, text in zip("ab", pair, strict=True)
    }
    run = simulate(write(tmp_path, pairs))
    for at, text in enumerate(FROM_VENSIM):
        assert run[f"a{at}"].tolist() == run[f"b{at}"].tolist(), text


def test_a_forecast_starts_from_the_trend_it_is_given(tmp_path):
    model = write(tmp_path, {"ahead": "FORCST(1 + TIME, 2, 3, 0.25)"})
    # The average starts at 1 / (1 + 0.25 * 2), so that the trend is (1 - average) / (2 * average) = 0.25.
    assert simulate(model, outcomes=["ahead"])["ahead"][0, 0, 0] == pytest.approx(1 + 0.25 * 3)
    theirs = simulate(model, outcomes=["ahead"], engine="pysd")["ahead"][0, 0, 0]
    assert theirs == pytest.approx(1 + 0.125 * 3), "PySD leaves the averaging time out; if this fails it is mended"


ARRAYS = {
    "total": ("SUM(table[*])", 8.5),
    "mean": ("MEAN(table[*])", 8.5 / 3),
    "least": ("MIN(table[*])", 1.5),
    "most": ("MAX(table[*]) + MAX(1, 2)", 6),
    "count": ("2*SIZE(table[*])", 6),
    "product": ("SUM(table[*]*table[ * ]) + 2*3", 9 + 2.25 + 16 + 6),
    "inner": ("MEAN(table[*] - MIN(table[*]))", 8.5 / 3 - 1.5),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_wildcards_stand_for_whole_dimensions(name, tmp_path):
    text, expected = ARRAYS[name]
    model = write(tmp_path, {name: text})
    run = simulate(model, outcomes=[name])
    assert run[name][0, 0].tolist() == pytest.approx([expected] * run.years.size)


def test_a_wildcard_takes_one_dimension_of_several(tmp_path):
    dims = '<dimensions><dim name="R"/><dim name="Two_Parts"/></dimensions>'
    variables = f'<aux name="m">{dims}<eqn>TIME + R*10 + Two_Parts</eqn></aux>'
    variables += '<aux name="rows"><dimensions><dim name="R"/></dimensions><eqn>SUM(m[R, *])</eqn></aux>'
    variables += '<aux name="whole"><eqn>MEAN(m[*, *]) + SUM(m[*, x])</eqn></aux>'
    more = '<dim name="Two_Parts"><elem name="x"/><elem name="y"/></dim></dimensions>'
    path = tmp_path / "arrays.xmile"
    path.write_text(FILE.format(variables=variables).replace("</dimensions>\n", more + "\n"), encoding="utf-8")
    run = simulate(load_model(path))
    assert run["rows"][0, 0, :, 0].tolist() == [23, 43, 63]
    assert run["whole"][0, 0, 0] == 21.5 + 63


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_an_allocation_without_widths_follows_the_priorities(engine, tmp_path):
    dims = '<dimensions><dim name="R"/></dimensions>'
    rows = {"wanted": "2, 4, 3", "first": "1, 1, 2", "got": "ALLOCATE(TIME*2, R, wanted, first, 0)"}
    variables = "".join(f'<aux name="{name}">{dims}<eqn>{text}</eqn></aux>' for name, text in rows.items())
    path = tmp_path / "shares.xmile"
    path.write_text(FILE.format(variables=variables), encoding="utf-8")
    got = simulate(load_model(path), engine=engine)["got"][0, 0]
    assert got[:, 4].tolist() == [0, 0, 2]
    assert got[:, 12].tolist() == pytest.approx([1, 2, 3])
    assert got[:, 20].tolist() == [2, 4, 3]


def test_a_sum_without_wildcard_says_how_it_is_written(tmp_path):
    with pytest.raises(
        InvalidModel, match=r"write SUM\(table\[\*\]\) in an XMILE file, SUM\(table\[R!\]\) in a Vensim"
    ):
        write(tmp_path, {"a": "SUM(table[R])"})


def test_an_array_without_subscripts_is_summed_as_a_whole(tmp_path):
    assert simulate(write(tmp_path, {"a": "SUM(table) + MEAN(2*table)"}))["a"][0, 0, 0] == 8.5 + 2 * 8.5 / 3


def test_two_wildcards_over_one_dimension_run_by_themselves(tmp_path):
    dims = '<dimensions><dim name="R"/><dim name="R"/></dimensions>'
    variables = f'<aux name="m">{dims}<eqn>R*10 + 1</eqn></aux><aux name="a"><eqn>SUM(m[*,*])</eqn></aux>'
    path = tmp_path / "twice.xmile"
    path.write_text(FILE.format(variables=variables), encoding="utf-8")
    assert simulate(load_model(path))["a"][0, 0, 0] == 3 * (11 + 21 + 31)
