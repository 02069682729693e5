"""What programs write into XMILE files beside the specification runs, or is refused with what to write instead."""

import pytest

from pysd_runner.core.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine.task import ProbableSlip
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.xmile_files import OVER_D, OVER_N, aux, flow, load_xmile, stock, write_xmile

ELEMENTS = '<element subscript="a"><eqn>4</eqn></element><element subscript="b"><eqn>16</eqn></element>'
FOUR_SIXTEEN = f'<aux name="r">{OVER_D}{ELEMENTS}</aux>'


@pytest.fixture(params=["numpy", "llvm"])
def path_of(request):
    def found(model, name):
        return simulate(model, engine=request.param)[name][0, 0].tolist()

    return found


def test_a_time_step_is_read_behind_its_name(path_of, tmp_path):
    path = write_xmile(tmp_path, stock("s", 0, ["f"]) + flow("f", 4), stop=1)
    text = path.read_text().replace("<dt>1</dt>", "<dt>TIME_STEP=0.25</dt>")
    path.write_text(text.replace("<stop>1</stop>", "<stop>FINAL TIME = 1</stop>"))
    assert path_of(load_model(path), "s") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("source", "value"), [("r[b]", 16), ("r[a]", 4), ("m.own[a]", 7)])
def test_a_connection_takes_one_element(source, value, path_of, tmp_path):
    variables = FOUR_SIXTEEN + f'<module name="m"><connect to="m.q" from="{source}"/></module>'
    inner = aux("q", 0) + aux("p", "q*2") + aux("own", 7, OVER_D)
    inner = f'</variables></model><model name="m"><variables>{inner}'
    assert path_of(load_xmile(tmp_path, variables + inner), "m.p") == [2 * value] * 5


def test_a_name_without_quotes_has_question_marks(path_of, tmp_path):
    variables = aux("Is it?", 3) + aux("why? so", 2) + aux("y", "Is_it?*2 + why?_so + (if Is_it? > 2 then 1 else 0)")
    assert path_of(load_xmile(tmp_path, variables), "y") == [9] * 5


def test_a_power_is_a_call_and_a_stock_has_a_label(path_of, tmp_path):
    variables = stock("s", "POW(2, 3)", ["f"], more="<label>store</label>") + flow("f", 1)
    assert path_of(load_xmile(tmp_path, variables), "s") == [8, 9, 10, 11, 12]


def test_a_subscript_is_an_arrayed_variable(path_of, tmp_path):
    variables = FOUR_SIXTEEN + aux("j", "3 - D", OVER_D) + aux("w", "r[j]", OVER_D) + aux("v", "SUM(r[j[*]])")
    model = load_xmile(tmp_path, variables)
    assert path_of(model, "w") == [[16] * 5, [4] * 5]
    assert path_of(model, "v") == [20] * 5


def test_a_subscript_is_a_variable_of_its_module_unless_it_is_an_element(path_of, tmp_path):
    inner = FOUR_SIXTEEN + aux("j", "3 - D", OVER_D) + aux("w", "r[j]", OVER_D) + aux("a", 2) + aux("v", "r[a]")
    variables = f'<module name="m"/></variables></model><model name="m"><variables>{inner}'
    model = load_xmile(tmp_path, variables)
    assert path_of(model, "m.w") == [[16] * 5, [4] * 5]
    assert path_of(model, "m.v") == [4] * 5


def test_a_flow_spread_by_its_source_enters_at_the_beginning(path_of, tmp_path):
    belt = '<stock name="c"><eqn>0</eqn><inflow>f</inflow><outflow>o</outflow><conveyor><len>2</len></conveyor></stock>'
    path = write_xmile(tmp_path, belt + '<flow name="f" isee:spreadflow="source"><eqn>4</eqn></flow>' + flow("o", 0))
    path.write_text(path.read_text().replace("<xmile ", '<xmile xmlns:isee="http://iseesystems.com/XMILE" '))
    assert path_of(load_model(path), "o") == [0, 0, 4, 4, 4]


@pytest.mark.parametrize("end", ["inflow", "outflow"])
def test_a_stock_without_dimensions_has_no_arrayed_flow(end, tmp_path):
    variables = stock("s", 0, **{f"{end}s": ["f"]}) + flow("f", "N", OVER_N)
    with pytest.raises(InvalidModel, match=r"its flow 'f' an array over N; let a flow without dim.*SUM\(f\[\*\]\)"):
        load_xmile(tmp_path, variables)


def test_an_element_without_equation_is_named(tmp_path):
    variables = f'<aux name="r">{OVER_D}<element subscript="a"><eqn>4</eqn></element></aux>' + aux("y", "r[b] + 1")
    with pytest.raises(UnsupportedFeature, match=r"r\[b\] is read by 'y' and has no equation; write one"):
        simulate(load_xmile(tmp_path, variables))


def test_one_x_twice_in_a_table_is_told(tmp_path):
    points = "<gf><xpts>0,1,1,2</xpts><ypts>0,1,5,6</ypts></gf>"
    model = load_xmile(tmp_path, aux("y", "TIME", points))
    with pytest.warns(ProbableSlip, match="table of 'y' has x = 1 more than once, with 1 and 5"):
        simulate(model)
