"""Modules of XMILE: models inside models, connected by name; and macros that a file brings along."""

import pytest

from pysd_runner.core.errors import InvalidModel
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.xmile_files import OVER_D, OVER_N, aux, flow, load_xmile, stock, write_xmile

TANK = (
    "<model name='tank'><variables>"
    + stock("level", "start", ["fill"], ["drain"])
    + flow("fill", "supply")
    + flow("drain", "level*rate")
    + '<aux name="supply" access="input"><eqn>0</eqn></aux>'
    + aux("start", 10)
    + aux("rate", 0.5, "")
    + "</variables></model>"
)


def paths(model):
    return {name: values[0, 0].tolist() for name, values in simulate(model).data.items()}


def with_models(variables, *models):
    """Variables of the outermost model, with other models behind it; `write_xmile` closes the last one."""
    *others, last = models
    return f"{variables}</variables></model>{''.join(others)}{last.removesuffix('</variables></model>')}"


def module(name, *connections, model=""):
    inside = "".join(f'<connect to="{to}" from="{source}"/>' for to, source in connections)
    return f'<module name="{name}"{f" model_name={chr(34)}{model}{chr(34)}" if model else ""}>{inside}</module>'


def test_two_modules_of_one_model_have_variables_of_their_own(tmp_path):
    variables = module("first", ("first.supply", "tap"), model="tank")
    variables += module("second", ("second.supply", "first.drain"), model="tank") + aux("tap", 4)
    variables += aux("sum", "first.level + second.level")
    found = paths(load_xmile(tmp_path, with_models(variables, TANK), stop=2))
    assert found["first.level"] == [10, 9, 8.5]
    assert found["second.supply"] == found["first.drain"] == [5, 4.5, 4.25]
    assert found["second.level"] == [10, 10, 9.5]
    assert found["sum"] == [20, 19, 18]


def test_modules_stand_inside_modules(tmp_path):
    outer = "<model name='house'><variables>" + module("tank") + aux("low", "tank.level/2") + "</variables></model>"
    variables = module("house") + aux("x", "house.tank.level + house.low")
    found = paths(load_xmile(tmp_path, with_models(variables, outer, TANK), stop=1))
    assert found["x"] == [15, 7.5]
    assert "house.tank.drain" in found


def test_a_module_reads_from_the_outermost_model(tmp_path):
    inner = "<model name='m'><variables>" + aux("a", "2*.base") + aux("base", 1) + "</variables></model>"
    variables = module("m") + aux("base", 21)
    found = paths(load_xmile(tmp_path, with_models(variables, inner)))
    assert (found["m.a"][0], found["m.base"][0]) == (42, 1)


def test_connections_carry_arrays_and_are_written_twice_by_stella(tmp_path):
    inner = "<model name='m'><variables>" + aux("in", "0", OVER_D) + aux("t", "SUM(in[*])") + aux("l", "1, 2", OVER_D)
    inner += aux("u", "SUM(l)") + "</variables></model>"
    links = '<connect to="in" from="k"><isee.x/></connect><connect to="m.l" from="one"/><connect2 to="in" from="k"/>'
    variables = f'<module name="m">{links}</module>{aux("k", "3, 4", OVER_D)}{aux("one", 5)}'
    found = paths(load_xmile(tmp_path, with_models(variables, inner)))
    assert (found["m.t"][0], found["m.u"][0]) == (7, 10)


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_a_module_over_a_dimension_has_its_variables_for_each_element(engine, tmp_path):
    arrayed = module("town", ("town.supply", "tap"), model="tank").replace("><connect", f">{OVER_D}<connect")
    variables = arrayed + f'<aux name="tap">{OVER_D}<eqn>4, 6</eqn></aux>'
    variables += aux("sum", "SUM(town.level[*])") + aux("second", "town.level[b]")
    run = simulate(load_xmile(tmp_path, with_models(variables, TANK), stop=2), engine=engine)
    assert run["town.level"][0, 0].tolist() == [[10, 9, 8.5], [10, 11, 11.5]]
    assert run["sum"][0, 0].tolist() == [20, 20, 20]
    assert run["second"][0, 0].tolist() == [10, 11, 11.5]


def test_functions_of_arrays_in_a_module_over_a_dimension_stay_in_their_module(tmp_path):
    equations = ["SUM(x) + MAX(k)", "MAX(x, 25)", "SIZE(x)", "INTERPOLATE(x, 0.5)", "RANK(x + k, SIZE)", "m.x[2]"]
    inner = "<model name='m'><variables>" + aux("k", "10*D") + aux("x", "N*k", OVER_N)
    inner += "".join(aux(f"y{place}", text) for place, text in enumerate(equations)) + "</variables></model>"
    outside = aux("all", "SUM(m.x)") + module("m").replace("></module", f">{OVER_D}</module")
    run = simulate(load_xmile(tmp_path, with_models(outside, inner), stop=1))
    expected = [[70, 140], [30, 60], [3, 3], [20, 40], [3, 3], [20, 40]]
    assert [run[f"m.y{place}"][0, 0, :, 0].tolist() for place in range(len(equations))] == expected
    assert run["all"][0, 0, 0] == 180


def test_a_module_may_be_named_in_full_from_anywhere(tmp_path):
    inner = "<model name='m'><variables>" + aux("a", "2*m.base") + aux("base", "house.k") + "</variables></model>"
    outer = "<model name='house'><variables>" + module("m") + aux("k", 3) + aux("x", 0) + "</variables></model>"
    far = module("yard", ("yard.z", "m.a"))
    yard = (
        "<model name='yard'><variables>"
        + aux("gov. z", 2)
        + aux("z", 0)
        + aux("twice", '"gov. z" + yard.z + D.b')
        + "</variables></model>"
    )
    found = paths(load_xmile(tmp_path, with_models(module("house", ("house.x", "yard.z")) + far, outer, inner, yard)))
    assert (found["house.m.a"][0], found["yard.z"][0], found["house.x"][0]) == (6, 6, 6)
    assert found["yard.twice"][0] == 2 + 6 + 2


def test_modules_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(InvalidModel, match="there is no <model> for the module 'none'"):
        load_xmile(tmp_path, module("none") + aux("a", 1))
    ring = "<model name='m'><variables>" + module("m") + aux("a", 1) + "</variables></model>"
    with pytest.raises(InvalidModel, match=r"models hold each other: m\.m"):
        load_xmile(tmp_path, with_models(module("m"), ring))
    with pytest.raises(InvalidModel, match=r"<connect> to 'first\.suply', which is not defined"):
        load_xmile(tmp_path, with_models(module("first", ("first.suply", "start"), model="tank"), TANK))
    with pytest.raises(InvalidModel, match=r"'first\.levl' is not defined"):
        load_xmile(tmp_path, with_models(module("first", model="tank") + aux("a", "first.levl"), TANK))


MACRO = (
    '<macro name="TWICE"><parm>x</parm><parm>by</parm><eqn>x*by + held</eqn>'
    "<variables>" + stock("held", "x", ["grow"]) + flow("grow", 1) + "</variables></macro>"
)


@pytest.mark.parametrize("place", ["before", "after"])
def test_macros_of_xmile_may_stand_anywhere(place, tmp_path):
    path = write_xmile(tmp_path, aux("a", "TWICE(3, 2)") + aux("b", "TWICE(a, 1) + TIME"), stop=2)
    text = path.read_text(encoding="utf-8")
    mark = "<model>" if place == "before" else "</xmile>"
    path.write_text(text.replace(mark, MACRO + mark), encoding="utf-8")
    found = paths(load_model(path))
    assert found["a"] == [9, 10, 11]
    assert found["b"] == [18, 21, 24]
