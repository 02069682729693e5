"""What a file says beside its equations is honoured, known to change no number, or refused by name; and told."""

import pytest

from pysd_runner import load_model, simulate
from pysd_runner.core.errors import InvalidInput, InvalidModel
from tests.engine.small_models import write_model
from tests.engine.xmile_files import aux, flow, load_xmile, stock, write_xmile

SETTINGS = "\\\\\\---/// Sketch information\nV300 do not edit\n*View 1\n{sketch}///---\\\\\\\n:L<%^E!@\n{settings}\n"


def vensim(folder, equations="a = 1 ~~|\n", settings="", sketch=""):
    path = write_model(folder, equations)
    text = path.read_text(encoding="utf-8") + SETTINGS.format(settings=settings, sketch=sketch)
    path.write_text(text, encoding="utf-8")
    return path


def asked(model):
    return {item.name: item.done for item in model.ir.features}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            aux("a", 1, "<mystery/>"),
            r"line 6, .*<mystery> in <aux> is not known here, and the numbers may depend on it",
        ),
        ('<aux name="a" mystery="3"><eqn>1</eqn></aux>', 'attribute mystery="3" of <aux> is not known'),
        (flow("f", 1, '<gf kind="x"><ypts>1,2</ypts></gf>'), 'attribute kind="x" of <gf>'),
        (
            aux("a", 1, "<mystery/>") + aux("b", 1, "<mystery/><riddle/>"),
            r"line 6, column 15: <mystery> in <aux> is not known.*; line 7, column 25: <riddle> in <aux> is not known",
        ),
    ],
)
def test_what_is_not_known_of_a_variable_is_refused_by_name(variables, message, tmp_path):
    with pytest.raises(InvalidModel, match=message):
        load_xmile(tmp_path, variables)


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ("<mystery><eqn>1</eqn></mystery>", "<mystery> in <xmile> is not known"),
        (
            "<header><options><uses_arrays invalid_index_value='NaN'/></options></header>",
            '<uses_arrays> invalid_index_value="NaN" is not covered; expected invalid_index_value="0"',
        ),
        ("<header><includes><include resource='x'/></includes></header>", "<includes> is not covered: other files are"),
        ('<macro name="m"><eqn>1</eqn></macro><macro name="M"><eqn>2</eqn></macro>', "macro 'M' is defined twice"),
    ],
)
def test_what_is_not_known_of_a_file_is_refused_by_name(before, message, tmp_path):
    with pytest.raises(InvalidModel, match=message):
        load_xmile(tmp_path, aux("a", 1), before=before)


def test_steps_of_a_module_or_a_macro_are_refused(tmp_path):
    specs = "<sim_specs><start>0</start><stop>9</stop><dt>0.1</dt></sim_specs>"
    with pytest.raises(InvalidModel, match="<sim_specs> is not covered: a module or a macro with steps of its own"):
        load_xmile(tmp_path, aux("a", 1), inside=specs)
    with pytest.raises(InvalidModel, match="a macro with steps of its own"):
        load_xmile(tmp_path, aux("a", 1), before=f'<macro name="m"><eqn>1</eqn>{specs}</macro>')


def test_what_changes_no_number_is_listed(tmp_path):
    before = '<isee:prefs layer="model"/><data><import resource="x.csv" enabled="false"/></data><ports/>'
    before += '<dimensions><dim name="D"><elem name="a"><isee:label/><doc/></elem></dim></dimensions>'
    before += '<isee:payoffs><eqn>a</eqn></isee:payoffs><data><import resource="y.csv"/></data>'
    before += '<isee:controls><isee:control name="a" value="7"/></isee:controls>'
    path = write_xmile(
        tmp_path,
        aux("a", 1, "<doc>what it is</doc>")
        + aux("b", 2, "<isee:trick/><format ur:z='1'/><ur:odd/>")
        + stock("s", 1, more="<non_negative/>"),
        before=before,
    )
    spaces = '<xmile xmlns:isee="http://iseesystems.com/XMILE" xmlns:ur="urn:foo"'
    path.write_text(path.read_text(encoding="utf-8").replace("<xmile", spaces, 1), encoding="utf-8")
    model = load_model(path)
    found = asked(model)
    assert found["<eqn>"] == found["<aux name>"] == "honoured"
    assert found["<doc>"] == "about the file; no number depends on it"
    assert found["<isee:prefs>"] == found["<isee:payoffs>"] == "of the program that wrote the file; not read here"
    assert "in Stella in the same" in found["<non_negative>"]
    assert found["<ports>"] == "beside what defines numbers; not read here"
    # Of two files with values, one is switched off.
    warned = [(item.name, item.count) for item in model.ir.features if item.warns]
    assert warned == [("<import>", 1), ("<isee:controls>", 1), ("<isee:trick>", 1), ("<foo:odd>", 1)]
    assert next(item.count for item in model.ir.features if item.name == "<aux>") == 2


def test_the_doctor_lists_what_a_file_asks_for(tmp_path, capsys):
    from pysd_runner.cli import main

    path = vensim(tmp_path, "a = 1 ~ Dmnl ~|\n", "9:Current\n10:changes.cin\n15:0,0,0,0,0,0\n22:$,Dollar")
    assert main(["doctor", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "asks    honoured: model equations (5), setting: method of integration" in shown
    assert "asks    how the model is drawn; no number depends on it: sketch" in shown
    assert (
        "warning model.mdl: setting: change files: files that the program applies before a run; `gapsim study`" in shown
    )
    assert main(["doctor", str(path), "--json"]) == 0
    assert '"kind": "setting: equivalent units"' in capsys.readouterr().out


def test_settings_that_are_not_known_are_refused_together_unless_they_are_off_or_above_thirty(tmp_path):
    model = load_model(vensim(tmp_path, settings="2:0\n3:\n1:Current.vdf\n70:1\n108:x"))
    assert next(item.count for item in model.ir.features if item.name == "setting: other settings") == 2
    with pytest.raises(
        InvalidModel, match=r"not known here.*: line \d+: '2:3', line \d+: 'nonsense'; remove those that"
    ):
        load_model(vensim(tmp_path, settings="1:Current.vdf\n2:3\nnonsense"))


def test_a_placeholder_gives_way_to_the_equation_that_follows(tmp_path):
    model = load_model(vensim(tmp_path, "x = A FUNCTION OF(a) ~~|\na = 2 ~~|\nx = 3*a ~~|\n"))
    assert simulate(model)["x"][0, 0, 0] == 6
    assert asked(model)["A FUNCTION OF"].startswith("placeholder")


READS = "a = GET DIRECT CONSTANTS('?data', ',', 'B2') ~~|\nb = GET DIRECT CONSTANTS('?more', ',', 'B2') ~~|\n"


def test_names_of_data_files_come_from_the_settings_or_from_the_caller(tmp_path):
    (tmp_path / "one.csv").write_text("x,y\n1,41\n", encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "two.csv").write_text("x,y\n1,43\n", encoding="utf-8")
    path = vensim(tmp_path, READS, "30:?data=one.csv\n30:?more=C:\\gone\\two.csv")
    with pytest.raises(InvalidModel, match=r"what '\?more' stands for is set in Vensim.*files={'\?more': 'data.xlsx'}"):
        load_model(path)
    for _ in range(2):  # the second comes from the cache
        model = load_model(path, files={"?more": tmp_path / "elsewhere" / "two.csv"})
        run = simulate(model)
        assert (run["a"][0, 0, 0], run["b"][0, 0, 0]) == (41, 43)
    assert simulate(model, engine="pysd")["b"][0, 0, 0] == 43
    both = {"?more": tmp_path / "one.csv", "?data": tmp_path / "elsewhere" / "two.csv"}
    run = simulate(load_model(path, files=both))
    assert (run["a"][0, 0, 0], run["b"][0, 0, 0]) == (43, 41)
    with pytest.raises(InvalidInput, match=r"reads no file '\?dta'; it reads .*one.csv"):
        load_model(path, files={"?more": tmp_path / "one.csv", "?dta": tmp_path / "two.csv"})


def test_groups_and_places_of_a_vensim_sketch_are_kept(tmp_path):
    equations = (
        "********\n\t.Tanks\n********~\n\tabout tanks\n|\n"
        'level = INTEG(-flow, 1) ~~|\n"a, b" = 2 ~~|\nflow = level/"a, b" ~~|\n'
    )
    sketch = (
        "$0\n10,1,level,307,224,40,20,3,3,0,0,0,0,0,0\n11,5,48,393,224,6,8,34,3,0,0,1,0,0,0\n"
        '10,2,"a, b",469,304,49,8,8,3,0,0,0,0,0,0\n12,3,0,1,2,3\n10,4,level,10,20,40,20,8,2,0,3,-1,0,0,0\n'
        "10,5,Time Of Day,1,2,3,4,8,3,0,0,0,0,0,0\n10,broken\n"
    )
    for _ in range(2):
        model = load_model(vensim(tmp_path, equations, sketch=sketch))
        assert model.variables["flow"].group == "Tanks"
        drawn = [(item.variable, item.view, item.x, item.y, item.is_copy) for item in model.ir.sketch]
        assert drawn == [
            ("level", "View 1", 307, 224, False),
            ('"a, b"', "View 1", 469, 304, False),
            ("level", "View 1", 10, 20, True),
        ]


def test_groups_and_places_of_an_xmile_view_are_kept(tmp_path):
    variables = stock("a level", 1) + aux("rate", 2)
    variables += '<group name="Tanks"><entity name="a_level"/></group></variables>'
    variables += (
        '<views><view name="main"><stock name="a level" x="10" y="20.5"/><aux name="rate" x="1" y="2"/>'
        '<alias x="3" y="4"><of>a_level</of></alias><text_box x="9"/><aux name="gone" x="1" y="1"/></view></views>'
        "<variables>"
    )
    model = load_xmile(tmp_path, variables)
    assert model.variables["a level"].group == "Tanks"
    assert [(item.variable, item.view, item.x, item.y, item.is_copy) for item in model.ir.sketch] == [
        ("a level", "main", 10, 20.5, False),
        ("rate", "main", 1, 2, False),
        ("a level", "main", 3, 4, True),
    ]


def test_the_clock_of_xmile(tmp_path):
    path = write_xmile(tmp_path, aux("a", "TIME"), stop=4)
    text = path.read_text(encoding="utf-8")
    whole = '<sim_specs isee:save_interval="2"><start>0</start><stop>4</stop><dt reciprocal="true">4</dt></sim_specs>'
    start, end = text.index("<sim_specs"), text.index("</sim_specs>") + len("</sim_specs>")
    head = text[:start].replace("<xmile", '<xmile xmlns:isee="http://iseesystems.com/XMILE"', 1)
    path.write_text(head + whole + text[end:], encoding="utf-8")
    run = simulate(load_model(path))
    assert run["a"][0, 0].tolist() == [0, 2, 4]
    assert run.provenance["step"] == 0.25
    path.write_text(text.replace("<dt>1</dt>", ""), encoding="utf-8")
    assert simulate(load_model(path)).provenance["step"] == 1
    path.write_text(text.replace("<dt>1</dt>", '<dt>1</dt><run by="group"/>'), encoding="utf-8")
    with pytest.raises(InvalidModel, match='<run> by="group" is not covered; expected by="all"'):
        load_model(path)
