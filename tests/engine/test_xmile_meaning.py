"""What XMILE files say and PySD's translator passes over is done, or refused with its variable and what to do."""

import pytest

from pysd_runner.core.errors import InvalidModel
from pysd_runner.simulation import simulate
from tests.engine.xmile_files import DIMENSIONS, OVER_D, OVER_N, aux, flow, load_xmile, stock


def paths(model):
    return {name: values[0, 0].tolist() for name, values in simulate(model).data.items()}


def test_a_flow_is_converted_where_it_enters_a_stock(tmp_path):
    variables = stock("a", 10, outflows=["f"]) + stock("b", 0, ["f"])
    variables += flow("f", "a/2", "<multiplier>2*k</multiplier>") + aux("k", 1.5)
    found = paths(load_xmile(tmp_path, variables))
    assert found["f"][:3] == [5, 2.5, 1.25]
    assert found["b"][:3] == [0, 15, 22.5]


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_a_dimension_with_a_size_has_numbered_elements(engine, tmp_path):
    variables = aux("x", 2, OVER_N) + aux("t", "SUM(x[*])") + aux("u", "g[3]")
    variables += stock("s", 1, ["g"], more=OVER_N) + flow("g", "x*N", OVER_N)
    model = load_xmile(tmp_path, variables)
    assert model.ranges["N"] == ("1", "2", "3")
    run = simulate(model, engine=engine)
    assert run["t"][0, 0].tolist() == [6] * 5
    assert run["u"][0, 0].tolist() == [6] * 5
    assert run["s"][0, 0, :, -1].tolist() == [9, 17, 25]


def test_size_and_mean_count_the_elements_that_were_made(tmp_path):
    found = paths(load_xmile(tmp_path, aux("x", "N", OVER_N) + aux("mean", "MEAN(x[*])") + aux("count", "SIZE(x[*])")))
    assert (found["mean"][0], found["count"][0]) == (2, 3)


@pytest.mark.parametrize("size", ["", "0", "-3", "3.5", "many", "٣"])
def test_a_dimension_without_elements_or_size_is_refused(size, tmp_path):
    before = DIMENSIONS.replace('size="3"', f'size="{size}"')
    with pytest.raises(InvalidModel, match="dimension 'N' has no elements; expected <elem"):
        load_xmile(tmp_path, aux("a", 1), before=before)


def table(y, x="", scale='<xscale min="0" max="2"/>'):
    return f"<gf>{scale}{f'<xpts>{x}</xpts>' if x else ''}<ypts>{y}</ypts></gf>"


def element(label, inside):
    return f'<element subscript="{label}">{inside}</element>'


A, B = table("0,1,2"), table("0,10,20")
EQUATION_EACH = element("a", "<eqn>TIME</eqn>" + A) + element("b", "<eqn>TIME/2</eqn>" + B)
ONE_EACH = {
    "an equation each": (EQUATION_EACH, [[0, 1, 2, 2, 2], [0, 5, 10, 15, 20]]),
    "one equation": ("<eqn>TIME</eqn>" + element("a", A) + element("b", B), [[0, 1, 2, 2, 2], [0, 10, 20, 20, 20]]),
}


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
@pytest.mark.parametrize("case", ONE_EACH)
def test_every_element_reads_its_own_table(case, engine, tmp_path):
    parts, expected = ONE_EACH[case]
    model = load_xmile(tmp_path, f'<aux name="f">{OVER_D}{parts}</aux>')
    assert simulate(model, engine=engine)["f"][0, 0].tolist() == expected


POINTS = element("a", A[len("<gf>") : -len("</gf>")]) + element("b", B[len("<gf>") : -len("</gf>")])
TABLES = {
    "an auxiliary with equations": f'<aux name="f">{OVER_D}{EQUATION_EACH}</aux>',
    "an auxiliary of tables alone": f'<aux name="f">{OVER_D}{element("a", A)}{element("b", B)}</aux>',
    "a graphical function": f'<gf name="f">{OVER_D}{POINTS}</gf>',
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_of_an_array_are_read_one_for_each_element(case, tmp_path):
    variables = TABLES[case] + aux("y", "LOOKUP(f[D], TIME)", OVER_D) + aux("z", "LOOKUP(f[b], 0.5)")
    for engine in ("numpy", "llvm"):
        run = simulate(load_xmile(tmp_path, variables), engine=engine, outcomes=["y", "z"])
        assert run["y"][0, 0].tolist() == [[0, 1, 2, 2, 2], [0, 10, 20, 20, 20]]
        assert run["z"][0, 0, 0] == 5


SEVEN = element("b", "<eqn>7</eqn>")
OVER_BOTH = '<dimensions><dim name="D"/><dim name="N"/></dimensions>'
SHARED = {
    "one equation": (f'<aux name="x">{OVER_D}<eqn>5</eqn></aux>', [5, 5]),
    "one for each": (f'<aux name="x">{OVER_D}<eqn>5</eqn><eqn>7</eqn></aux>', [5, 7]),
    "one for an element": (f'<aux name="x">{OVER_D}<eqn>5</eqn>{SEVEN}</aux>', [5, 7]),
    "an element without": (f'<aux name="x">{OVER_D}<eqn>5</eqn>{element("a", "")}{SEVEN}</aux>', [5, 7]),
    "two dimensions": (
        f'<aux name="x">{OVER_BOTH}<eqn>5</eqn>{element("b, 2", "<eqn>7</eqn>")}</aux>',
        [[5, 5, 5], [5, 7, 5]],
    ),
    "a stock": (f'<stock name="x">{OVER_D}<eqn>5</eqn>{SEVEN}<inflow>i</inflow></stock>{flow("i", "0")}', [5, 7]),
    "a flow": (f'<flow name="x">{OVER_D}<eqn>-5</eqn>{SEVEN}<non_negative/></flow>', [0, 7]),
}


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
@pytest.mark.parametrize("case", SHARED)
def test_the_equation_of_an_array_is_that_of_elements_without_their_own(case, engine, tmp_path):
    variables, expected = SHARED[case]
    assert simulate(load_xmile(tmp_path, variables), engine=engine)["x"][0, 0, ..., 0].tolist() == expected


@pytest.mark.parametrize("case", SHARED)
def test_every_equation_that_is_read_stands_in_the_representation(case, tmp_path):
    model = load_xmile(tmp_path, SHARED[case][0])
    read = next(item.count for item in model.ir.features if item.name == "<eqn>")
    variables = [item for item in model.variables.values() if item.kind != "control"]
    kept = sum(len({block.text for block in item.blocks}) for item in variables)
    assert kept == read


def test_points_that_are_listed_come_before_those_of_a_scale(tmp_path):
    variables = aux("f", "TIME", table("0,6,8", x="0,1,4", scale='<xscale min="0" max="9"/>'))
    assert paths(load_xmile(tmp_path, variables))["f"] == pytest.approx([0, 6, 6 + 2 / 3, 6 + 4 / 3, 8])


def test_a_variable_that_is_called_but_is_no_table_is_named(tmp_path):
    with pytest.raises(InvalidModel, match="'speed' is called like a function, but holds no table of points"):
        simulate(load_xmile(tmp_path, aux("speed", 2) + aux("y", "LOOKUP(speed, TIME)")))


def test_an_equation_that_holds_at_the_start_alone(tmp_path):
    # The circle from the stock through the equation back to its start is cut there.
    variables = stock("s", "wanted", ["i"]) + flow("i", "wanted - s") + aux("wanted", "s + 1", "<init_eqn>4</init_eqn>")
    assert paths(load_xmile(tmp_path, variables)) == {"s": [4, 5, 6, 7, 8], "wanted": [5, 6, 7, 8, 9], "i": [1] * 5}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ('<aux name="a"/>', r"line 6, column 1: variable 'a' has no equation; write one, or give its values"),
        (f'<aux name="a">{OVER_D}{element("a", "<eqn>1</eqn>")}{element("b", "")}</aux>', "'a' has no equation"),
        (f'<aux name="a">{OVER_N}<eqn>1</eqn><eqn>2</eqn></aux>', "2 <eqn> stand where one is expected"),
        (aux("a", 1, "<eqn>2</eqn>"), "2 <eqn> stand where one is expected; write an <element> for each"),
        (aux("a", 1, "<gf><xscale min='0' max='1'/></gf>"), "<gf> has no <ypts>"),
        (aux("a", 1, table("1,2,3", x="1,2")), "a table has 2 x and 3 y"),
        (
            stock("s", 1, more=OVER_D) + f'<flow name="o">{OVER_D}{element("a", "<eqn>1</eqn><non_negative/>")}</flow>',
            "<non_negative> holds for all elements of 'o'",
        ),
    ],
)
def test_parts_that_are_missing_or_misplaced_are_named(variables, message, tmp_path):
    with pytest.raises(InvalidModel, match=message):
        simulate(load_xmile(tmp_path, variables))


def test_what_has_no_equation_can_be_given(tmp_path):
    model = load_xmile(tmp_path, '<aux name="a"/>' + aux("b", "2*a"))
    assert simulate(model, {"a": 3.0})["b"][0, 0, 0] == 6


def test_simlin_reads_tables_and_numbered_elements_alike(tmp_path):
    simlin = pytest.importorskip("simlin")
    variables = f'<aux name="f">{OVER_D}{EQUATION_EACH}</aux>'
    variables += stock("s", 1, ["g"], more=OVER_N) + flow("g", "N*TIME", OVER_N)
    model = load_xmile(tmp_path, variables)
    theirs, ours = simlin.load(str(model.path)).run().results, simulate(model)
    for place, label in enumerate("ab"):
        assert ours["f"][0, 0, place].tolist() == theirs[f"f[{label}]"].tolist()
    for place in range(3):
        assert ours["s"][0, 0, place].tolist() == theirs[f"s[{place + 1}]"].tolist()


def test_the_time_transposed_is_the_time(tmp_path):
    model = load_xmile(tmp_path, "<aux name='twice'><eqn>2 * TIME'</eqn></aux>")
    assert simulate(model, outcomes=["twice"])["twice"].ravel().tolist() == [0, 2, 4, 6, 8]
