"""Files that cannot be used say what, where and what to do; files from strangers run nothing."""

import contextlib
import subprocess
import sys

import pytest

from pysd_runner.core.errors import InvalidInput, InvalidModel, SimulationFailed, UnknownName, UnsupportedFeature
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model

UNCOVERED = {
    "unknown function": ("x = QUEUE AGE OLDEST(Time, 1) ~~|", "QUEUE AGE OLDEST", "with other functions"),
    "random function": ("x = RANDOM LOOKUP(2, 0, 9, 0, 1, 1) ~~|", "RANDOM LOOKUP", "with other functions"),
    "clock": ("x = GET TIME VALUE(2, 0, 1) ~~|", "which no run could repeat", "with other functions"),
}


@pytest.mark.parametrize("feature", UNCOVERED)
def test_what_is_not_covered_is_named_with_its_variable_and_equation(feature, tmp_path):
    equations, name, advice = UNCOVERED[feature]
    model = load_model(write_model(tmp_path, equations))
    with pytest.raises(UnsupportedFeature) as caught:
        simulate(model)
    message = str(caught.value)
    assert name in message
    assert "variable 'x'" in message
    assert "Equation: x" in message
    assert advice in message


@pytest.mark.parametrize(
    ("equations", "message"),
    [
        ("a = b + 1 ~~|", "'b' is not defined"),
        ("a = b ~~|\nb = c ~~|\nc = a ~~|", "depend on each other.*'a' -> 'b' -> 'c' -> 'a'"),
        ("R: A, B ~~|\nk[R] = 1 ~~|\nb = SUM(k[Q!]) ~~|", "'Q' is not in subscript range 'R'"),
        ("R: A, B ~~|\nk[R] = 1 ~~|\na = k ~~|", "the right side runs over 'R', which the left side does not have"),
        ("R: A, B ~~|\nk[R] = 1, 2, 3 ~~|", "table of 3 numbers for subscripts that take 2"),
        ("a = FORECAST(1, 2, 3, 4) ~~|", "line 2, column 5: FORECAST takes 3 arguments, 4 are given"),
        ("a = MAX(1, 2, 3) ~~|", "MAX takes 2 arguments, 3 are given"),
    ],
)
def test_models_that_contradict_themselves(equations, message, tmp_path):
    with pytest.raises(InvalidModel, match=message):
        simulate(load_model(write_model(tmp_path, equations)))


def test_a_file_that_is_no_model(tmp_path):
    path = tmp_path / "model.mdl"
    path.write_text("this is not a model", encoding="utf-8")
    with pytest.raises(InvalidModel, match=r"an entry does not end: .this is not a model.; expected: name ="):
        load_model(path)


def test_a_missing_file_and_a_strange_ending(tmp_path):
    with pytest.raises(InvalidModel, match="no such file"):
        load_model(tmp_path / "none.mdl")
    (tmp_path / "model.txt").write_text("", encoding="utf-8")
    with pytest.raises(InvalidModel, match="unknown ending"):
        load_model(tmp_path / "model.txt")
    for name, message in {
        "model.vmfx": "a binary file of Vensim; open it there and save it as text, with the ending .mdl",
        "model.VPM": "a published package; ask its author for the model file",
        "model.stm": "a file of an older Stella or iThink; open it in a newer one",
    }.items():
        (tmp_path / name).write_bytes(b"\0")
        with pytest.raises(InvalidModel, match=message):
            load_model(tmp_path / name)
    with pytest.raises(UnknownName, match="Did you mean 'regional_digital'"):
        load_model("regional_digitl")


def test_a_file_without_regions_has_none_to_replace(tmp_path):
    with pytest.raises(UnknownName, match="no subscript range is called 'Region'"):
        load_model(write_model(tmp_path, "a = 1 ~~|"), regions=3)


def test_a_file_that_changed_is_not_run_through_pysd(tmp_path):
    path = write_model(tmp_path, "a = 1 ~~|")
    model = load_model(path)
    write_model(tmp_path, "a = 2 ~~|")
    with pytest.raises(InvalidModel, match="has changed"):
        simulate(model, engine="pysd")


ATTACKS = [
    'a = 1 ~ Dmnl ~ """; import sys; sys.gapsim_was_here = True; """ |',
    "a = 1 ~ Dmnl ~ '''; import sys; sys.gapsim_was_here = True; ''' |",
    'a = 1 ~ "); import sys; sys.gapsim_was_here = True; (" ~ doc |',
    '"a"); import sys; sys.gapsim_was_here = True; (b" = 1 ~ Dmnl ~ doc |',
    'R: A"B, C ~~|\nk[R] = 1 ~ Dmnl ~ doc |',
    'a = NOSUCH"); import sys; sys.gapsim_was_here = True; ("(1) ~~|',
    "a = 1 ~ Dmnl [0, __import__('sys').exit(3)] ~ doc |",
    "a = GET DIRECT CONSTANTS('x.csv\"); import sys; sys.gapsim_was_here = True; (\"', ',', 'A1') ~~|",
]


@pytest.mark.parametrize("engine", ["numpy", "pysd"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_model_file_runs_no_code_and_leaves_no_file(attack, engine, tmp_path):
    from pysd_runner.core.errors import GapsimError

    path = write_model(tmp_path, attack, final=1)
    with contextlib.suppress(GapsimError):
        simulate(load_model(path), engine=engine)
    assert not hasattr(sys, "gapsim_was_here")
    assert [item.name for item in tmp_path.iterdir()] == ["model.mdl"]


def test_the_shipped_model_is_run_without_a_file_beside_it():
    model = load_model("regional_digital", regions=2)
    before = sorted(item.name for item in model.path.parent.iterdir())
    simulate(model, stop=2015, engine="pysd")
    assert sorted(item.name for item in model.path.parent.iterdir()) == before


def test_the_first_attack_is_real(tmp_path):
    pysd = pytest.importorskip("pysd")
    path = write_model(tmp_path, ATTACKS[0], final=1)
    try:
        pysd.read_vensim(str(path)).run(progress=False)
        assert sys.gapsim_was_here, "plain PySD runs the documentation; if this fails the fault is mended upstream"
    finally:
        with contextlib.suppress(AttributeError):
            del sys.gapsim_was_here


def test_macros_and_external_constants_run_through_pysd(tmp_path):
    (tmp_path / "numbers.csv").write_text("name,value\na,7\n", encoding="utf-8")
    equations = (
        "k = GET DIRECT CONSTANTS('numbers.csv', ',', 'B2') ~~|\n"
        ":MACRO: DOUBLED(input, by)\nDOUBLED = input*by + extra ~~|\nextra = 1 ~~|\n:END OF MACRO:\n"
        "x = DOUBLED(k, 2) ~~|"
    )
    model = load_model(write_model(tmp_path, equations, final=1))
    run = simulate(model, engine="pysd", outcomes=["k", "x"])
    assert run["k"][0, 0, 0] == 7
    assert run["x"][0, 0, 0] == 15
    assert simulate(model, outcomes=["x"])["x"][0, 0, 0] == 15


def test_what_is_covered_of_a_model_still_runs(tmp_path):
    model = load_model(write_model(tmp_path, "x = QUEUE AGE OLDEST(Time, 1) ~~|\ny = 2*Time ~~|"))
    assert simulate(model, outcomes=["y"])["y"][0, 0, -1] == 12


LIMITS = [
    "f([exec('import sys; sys.gapsim_was_here = True') or (0,0),(1,1)],(0,0),(1,1)) ~~|\nx = f(Time) ~~|",
    "x = WITH LOOKUP(Time, ([exec('import sys; sys.gapsim_was_here = True') or (0,0),(1,1)],(0,0),(1,1))) ~~|",
]


WITH_LOOKUP = "x = WITH LOOKUP(Time, ({limits},(0,0),(10,100))) ~~|"


@pytest.mark.parametrize("attack", LIMITS)
def test_limits_of_a_table_are_read_as_numbers(attack, tmp_path):
    with pytest.raises(InvalidModel, match="limits of a table are numbers"):
        load_model(write_model(tmp_path, attack, final=1))
    assert not hasattr(sys, "gapsim_was_here")


@pytest.mark.parametrize("limits", ["[0,0)-(100,1000)]", "[(0,0)-(100,1000]", "[(0,0-(100,1000),(1,1)]"])
@pytest.mark.parametrize("text", ["f({limits},(0,0),(10,100)) ~~|\nx = f(Time) ~~|", WITH_LOOKUP])
def test_limits_without_a_bracket_are_told_and_not_used(limits, text, tmp_path):
    model = load_model(write_model(tmp_path, text.format(limits=limits), final=1))
    with pytest.warns(UserWarning, match="a bracket missing"):
        assert simulate(model)["x"][0, 0, -1] == 10


def test_evaluated_limits_are_a_real_attack(tmp_path):
    code = (
        "import sys; from pysd.translators.vensim.vensim_file import VensimFile\n"
        f"file = VensimFile({str(write_model(tmp_path, LIMITS[0]))!r})\n"
        "file.parse()\nprint(getattr(sys, 'gapsim_was_here', False))"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True", "plain PySD runs the limits; if this fails the fault is mended upstream"


def test_limits_with_reference_points_are_still_read(tmp_path):
    model = load_model(write_model(tmp_path, "f([(0,0)-(10,10),(1,1),(2,2)],(0,0),(5,3),(10,10)) ~~|\nx = f(Time) ~~|"))
    assert simulate(model)["x"][0, 0, -1] == pytest.approx(3 + 7 / 5)


def test_a_variable_of_the_file_is_not_mistaken_for_a_hidden_level(tmp_path):
    model = load_model(write_model(tmp_path, "x = SMOOTH(Time, 2) ~~|\nx level 1 = 7 ~~|\ny = x level 1 ~~|"))
    run = simulate(model)
    assert (run["y"] == 7).all()
    assert (run["x level 1"] == 7).all()
    assert run["x"][0, 0, -1] > 1


def test_table_functions_have_no_value_of_their_own(tmp_path):
    model = load_model(write_model(tmp_path, "f((0,0),(1,1)) ~~|\nx = f(Time) ~~|"))
    with pytest.raises(InvalidInput, match="table function"):
        simulate(model, outcomes=["f"])
    with pytest.raises(InvalidInput, match="table function"):
        simulate(model, {"f": 9})


def test_faults_of_pysd_are_reported_as_failed_simulations(tmp_path):
    model = load_model(write_model(tmp_path, "x = DELAY FIXED(Time, 0.01, 0) ~~|\ny = 1/(Time - Time) ~~|", final=1))
    with pytest.raises(SimulationFailed, match="PySD cannot run this model"):
        simulate(model, engine="pysd")


def test_steps_and_sums_without_end_are_refused_or_done(tmp_path):
    model = load_model(write_model(tmp_path, "b = 2 ~~|\na = " + " + ".join(["b"] * 600) + " ~~|"))
    assert simulate(model)["a"][0, 0, 0] == 1200
    with pytest.raises(InvalidInput, match="more than 5,000,000"):
        simulate(model, step=1e-9)


def test_long_chains_of_constants_are_planned_at_once(tmp_path):
    chain = "a0 = 1 ~~|\na1 = 1 ~~|\n" + "\n".join(f"a{i} = a{i - 1} + 0.5*a{i - 2} ~~|" for i in range(2, 60))
    model = load_model(write_model(tmp_path, chain + "\ns = INTEG(1, a59) ~~|"))
    assert simulate(model, outcomes=["s"])["s"].size == 25


def test_a_comment_full_of_asterisks_is_read_at_once(tmp_path):
    model = load_model(write_model(tmp_path, "a = 1 ~ Dmnl ~ " + "*" * 200_000 + " |"))
    assert simulate(model)["a"][0, 0, 0] == 1


def test_a_file_without_controls_takes_them_from_the_call(tmp_path):
    path = tmp_path / "model.mdl"
    path.write_text("{UTF-8}\na = STEP(2, 1) ~~|\n", encoding="utf-8")
    model = load_model(path)
    with pytest.raises(InvalidInput, match="does not say its INITIAL TIME, FINAL TIME, TIME STEP"):
        simulate(model)
    assert simulate(model, start=0, stop=2, step=0.5)["a"][0, 0].tolist() == [0, 0, 2, 2, 2]
    path.write_text(
        "{UTF-8}\na = STEP(2, 1) ~~|\nInitial Time=0 ~~|\nfinal_time=2 ~~|\nTime Step=0.5 ~~|", encoding="utf-8"
    )
    assert simulate(load_model(path))["a"][0, 0].tolist() == [0, 0, 2, 2, 2]
