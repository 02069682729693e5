"""Constants, table functions and series read from files beside a model; against PySD and by hand."""

import csv

import numpy as np
import openpyxl
import pytest
from openpyxl.workbook.defined_name import DefinedName

from pysd_runner.core.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine.values import TimePath
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.parity import assert_same
from tests.engine.small_models import write_model

RANGES = "R: A, B, C ~~|\nL: u, v ~~|\nSub: A, C ~~|\n"

SHEET = [
    ["", "time", 0, 1, 3, 6],
    ["A", "x", 2, 5, 4, 1],
    ["B", "x", 1, 3, None, 7],
    ["C", "x", 0.5, 0.25, 2, -1],
    ["u", "y", 10, None, 30, 60],
    ["constants", 7.5, 8.5, 9.5],
    [None, 1, 2],
    [None, 3, 4],
    [None, 5, 6],
]


@pytest.fixture
def folder(tmp_path):
    """A folder with the same numbers as a spreadsheet with named ranges, along rows and down columns, and as text."""
    book = openpyxl.Workbook()
    across = book.active
    across.title = "Across"
    down = book.create_sheet("Down")
    for row, cells in enumerate(SHEET, 1):
        for column, value in enumerate(cells, 1):
            across.cell(row, column, value)
            down.cell(column, row, value)
    names = {"when": "$C$1:$F$1", "series_a": "$C$2:$F$2", "series_r": "$C$2:$F$4", "three": "$B$6:$D$6"}
    for name, cells in names.items():
        book.defined_names[name] = DefinedName(name, attr_text=f"Across!{cells}")
    book.save(tmp_path / "numbers.xlsx")
    with (tmp_path / "numbers.csv").open("w", encoding="utf-8", newline="") as file:
        width = max(len(cells) for cells in SHEET)
        csv.writer(file).writerows([*cells, *[""] * (width - len(cells))] for cells in SHEET)
    return tmp_path


EXTERNAL = {
    "constants": "a = GET DIRECT CONSTANTS('numbers.csv', ',', 'B6') ~~|\n"
    "b[R] = GET DIRECT CONSTANTS('numbers.csv', ',', 'B6') ~~|\n"
    "c[R] = GET XLS CONSTANTS('numbers.xlsx', 'Down', 'F2*') ~~|\n"
    "d[R,L] = GET DIRECT CONSTANTS('numbers.xlsx', 'Across', 'B7') ~~|\n"
    "e[L,R] = GET DIRECT CONSTANTS('numbers.xlsx', 'Across', 'B7*') ~~|\n"
    "f[R] = GET DIRECT CONSTANTS('numbers.xlsx', 'Across', 'three') ~~|\n"
    "g[Sub] = GET DIRECT CONSTANTS('numbers.csv', ',', 'C6') ~~|\ng[B] = 4 ~~|\n"
    "h[A,L] = GET DIRECT CONSTANTS('numbers.csv', ',', 'B7') ~~|\nh[B,L] = 1 ~~|\n"
    "h[C,L] = GET DIRECT CONSTANTS('numbers.csv', ',', 'B9') ~~|\ns[R] = INTEG(b[R] - c[R]*f[R], g[R]) ~~|\n",
    "series across": "a := GET DIRECT DATA('numbers.csv', ',', '1', 'C2') ~~|\n"
    "b[R] := GET XLS DATA('numbers.xlsx', 'Across', '1', 'C2') ~~|\n"
    "c[A] := GET XLS DATA('numbers.xlsx', 'Across', '1', 'C2') ~~|\n"
    "c[B] := GET XLS DATA('numbers.xlsx', 'Across', '1', 'C4') ~~|\n"
    "c[C] := GET XLS DATA('numbers.xlsx', 'Across', '1', 'C3') ~~|\n"
    "d = a + SUM(b[R!]) ~~|\ns[R] = INTEG(c[R], b[R]) ~~|\n",
    "series down": "a := GET DIRECT DATA('numbers.xlsx', 'Down', 'A', 'B3') ~~|\n"
    "b[R] := GET XLS DATA('numbers.xlsx', 'Down', 'A', 'B3') ~~|\n",
    "named ranges": "a := GET DIRECT DATA('numbers.xlsx', 'Across', 'when', 'series_a') ~~|\n"
    "b[R] := GET DIRECT DATA('numbers.xlsx', 'Across', 'when', 'series_r') ~~|\n",
    "modes": "a :INTERPOLATE: := GET DIRECT DATA('numbers.csv', ',', '1', 'C3') ~~|\n"
    "b :HOLD BACKWARD: := GET DIRECT DATA('numbers.csv', ',', '1', 'C3') ~~|\n"
    "c :LOOK FORWARD: := GET DIRECT DATA('numbers.csv', ',', '1', 'C3') ~~|\n"
    "d[R] :LOOK FORWARD: := GET DIRECT DATA('numbers.csv', ',', '1', 'C2') ~~|\n"
    "e[R] :HOLD BACKWARD: := GET DIRECT DATA('numbers.csv', ',', '1', 'C2') ~~|\n",
    "tables": "f(GET DIRECT LOOKUPS('numbers.csv', ',', '1', 'C2')) ~~|\na = f(Time*1.5 - 1) ~~|\n"
    "g[R](GET XLS LOOKUPS('numbers.xlsx', 'Across', '1', 'C2')) ~~|\nb[R] = g[R](Time) ~~|\n"
    "h[A] = GET XLS LOOKUPS('numbers.xlsx', 'Across', '1', 'C2') ~~|\n"
    "h[B](GET XLS LOOKUPS('numbers.xlsx', 'Across', '1', 'C4')) ~~|\n"
    "h[C](GET XLS LOOKUPS('numbers.xlsx', 'Across', '1', 'C3')) ~~|\nc[R] = h[R](Time) ~~|\n",
    "mixed": "a[A] := GET DIRECT DATA('numbers.csv', ',', '1', 'C2') ~~|\na[B] = 5 ~~|\n"
    "a[C] = GET DIRECT CONSTANTS('numbers.csv', ',', 'B6') ~~|\nb[R] = a[R]*10 ~~|\n",
}


@pytest.mark.parametrize("case", EXTERNAL)
def test_external_numbers_agree_with_pysd(case, folder):
    model = load_model(write_model(folder, RANGES + EXTERNAL[case]))
    theirs = simulate(model, engine="pysd")
    for engine in ("numpy", "auto"):
        assert_same(simulate(model, engine=engine), theirs)


def test_constants_by_hand(folder):
    model = load_model(write_model(folder, RANGES + EXTERNAL["constants"]))
    run = simulate(model)
    found = {name: run[name][0, 0, ..., 0].tolist() for name in "abcdefgh"}
    assert found == {
        "a": 7.5,
        "b": [7.5, 8.5, 9.5],
        "c": [7.5, 8.5, 9.5],
        "d": [[1, 2], [3, 4], [5, 6]],
        "e": [[1, 3, 5], [2, 4, 6]],
        "f": [7.5, 8.5, 9.5],
        "g": [8.5, 4, 9.5],
        "h": [[1, 2], [1, 1], [5, 6]],
    }
    assert {model.variables[name].kind for name in "abcdefgh"} == {"constant"}


def test_series_by_hand(folder):
    run = simulate(load_model(write_model(folder, RANGES + EXTERNAL["modes"])))
    at = {time: place for place, time in enumerate(run.years.tolist())}
    # The series of B lacks its value at 3: it is filled in by the rule that holds between points.
    expected = {
        "a": {0: 1, 0.5: 2, 1: 3, 3: 3 + 4 * 2 / 5, 6: 7},
        "b": {0.5: 1, 1: 3, 3: 3, 5.75: 3, 6: 7},
        "c": {0.25: 3, 1: 3, 1.25: 7, 3: 7},
    }
    for name, values in expected.items():
        for time, value in values.items():
            assert run[name][0, 0, at[time]] == pytest.approx(value, rel=1e-14), (name, time)


def test_raw_series_have_values_at_their_own_times_only(folder):
    equations = RANGES + (
        "a :RAW: := GET DIRECT DATA('numbers.csv', ',', '1', 'C2') ~~|\n"
        "b[R] :RAW: := GET DIRECT DATA('numbers.csv', ',', '1', 'C2') ~~|\n"
    )
    model = load_model(write_model(folder, equations))
    ours, theirs = simulate(model, throw=False), simulate(model, throw=False, engine="pysd")
    for name in "ab":
        np.testing.assert_array_equal(ours[name], theirs[name])
        np.testing.assert_array_equal(simulate(model, throw=False, engine="numpy")[name], theirs[name])
    given = dict(zip(ours.years.tolist(), ours["b"][0, 0, 1].tolist(), strict=True))
    assert {time: value for time, value in given.items() if value == value} == {0: 1, 1: 3, 6: 7}


def test_components_with_times_of_their_own(folder):
    equations = RANGES + (
        "a[A] := GET DIRECT DATA('numbers.csv', ',', '1', 'C2') ~~|\n"
        "a[B] := GET DIRECT DATA('other.csv', ',', 'A', 'B1') ~~|\na[C] = 0 ~~|\n"
    )
    (folder / "other.csv").write_text("0,1\n2,5\n", encoding="utf-8")
    run = simulate(load_model(write_model(folder, equations)))
    assert run["a"][0, 0, :, run.years == 1].tolist() == [[5, 3, 0]]
    assert run["a"][0, 0, :, run.years == 6].tolist() == [[1, 5, 0]]


def test_unsorted_series_are_sorted(tmp_path):
    (tmp_path / "n.csv").write_text("4,40\n0,0\n2,10\n", encoding="utf-8")
    model = load_model(write_model(tmp_path, "a := GET DIRECT DATA('n.csv', ',', 'A', 'B1') ~~|\n"))
    run = simulate(model)
    assert_same(run, simulate(model, engine="pysd"))
    assert run["a"][0, 0, run.years == 3].tolist() == [25]


@pytest.mark.parametrize("engine", ["numpy", "pysd"])
def test_values_from_outside_replace_those_of_the_files(engine, folder):
    model = load_model(write_model(folder, RANGES + EXTERNAL["series across"]))
    path = TimePath(times=np.array([0, 2.0]), values=np.array([1.0, 9.0]), interpolate="linear")
    several = TimePath(times=np.array([0, 2.0]), values=np.array([[1.0, 2, 3], [9.0, 8, 7]]))
    run = simulate(model, {"a": path, "b": several}, engine=engine, outcomes=["a", "b", "d"])
    assert run["a"][0, 0, run.years == 1].tolist() == [5]
    assert run["d"][0, 0, run.years == 1.75].tolist() == [1 + 8 * 1.75 / 2 + 6]
    assert run["b"][0, 0, :, run.years == 2].tolist() == [[9, 8, 7]]


def test_every_file_is_known_and_a_change_of_it_changes_the_fingerprint(folder):
    path = write_model(
        folder, RANGES + EXTERNAL["constants"] + "q := GET DIRECT DATA('numbers.csv', ',', '1', 'C2') ~~|\n"
    )
    first = load_model(path).ir
    assert {name.rsplit("/", 1)[-1] for name in first.files} == {"numbers.csv", "numbers.xlsx"}
    model = load_model(path)
    assert model.ir.fingerprint == first.fingerprint
    assert simulate(model, engine="pysd", outcomes=["a"])["a"][0, 0, 0] == 7.5
    text = (folder / "numbers.csv").read_text(encoding="utf-8")
    (folder / "numbers.csv").write_text(text.replace("7.5", "7.25"), encoding="utf-8")
    second = load_model(path)
    assert second.ir.fingerprint != first.fingerprint
    assert simulate(second)["a"][0, 0, 0] == 7.25
    with pytest.raises(InvalidModel, match=r"numbers\.csv has changed since the model was loaded"):
        simulate(model, engine="pysd", outcomes=["a"])
    assert simulate(model, outcomes=["a"])["a"][0, 0, 0] == 7.5


def test_files_that_change_places_change_the_fingerprint(tmp_path):
    for name, number in (("one", 3), ("two", 4)):
        (tmp_path / f"{name}.csv").write_text(f"{number}\n", encoding="utf-8")
    equation = "{name} = GET DIRECT CONSTANTS('{name}.csv', ',', 'A1') ~~|\n"
    path = write_model(tmp_path, equation.format(name="one") + equation.format(name="two"))
    before = load_model(path)
    (tmp_path / "one.csv").rename(tmp_path / "kept")
    (tmp_path / "two.csv").rename(tmp_path / "one.csv")
    (tmp_path / "kept").rename(tmp_path / "two.csv")
    after = load_model(path)
    assert before.ir.fingerprint != after.ir.fingerprint
    assert [simulate(model)["one"][0, 0, 0] for model in (before, after)] == [3, 4]


DATA = "x[R] :INTERPOLATE: ~~|\ny = SUM(x[R!]) + 1 ~~|\nz = 2 ~~|\n"


@pytest.mark.parametrize("engine", ["numpy", "pysd"])
def test_data_without_a_file_come_from_the_caller(engine, tmp_path):
    model = load_model(write_model(tmp_path, RANGES + DATA))
    path = TimePath(times=np.array([0, 4.0]), values=np.array([[1.0, 2, 3], [2, 2, 2]]), interpolate="step")
    run = simulate(model, {"x": path}, engine=engine)
    assert run["y"][0, 0, 0] == 7
    assert run["x"][0, 0, :, run.years == 5].tolist() == [[2, 2, 2]]
    assert (simulate(model, {"x": 2}, engine=engine)["y"] == 7).all()


def test_a_name_without_an_equation_is_data(tmp_path):
    equations = RANGES + 'x[R] ~ Unit ~ what was seen |\n"y, too" ~~|\nz = SUM(x[R!]) + "y, too" ~~|\n'
    model = load_model(write_model(tmp_path, equations))
    assert {model.variables[name].kind for name in ("x", '"y, too"')} == {"data"}
    assert (simulate(model, {"x": 2, '"y, too"': 1})["z"] == 7).all()
    with pytest.raises(UnsupportedFeature, match="variable 'x' is data"):
        simulate(model)


def test_data_may_have_gaps(tmp_path):
    model = load_model(write_model(tmp_path, RANGES + DATA))
    values = np.array([[1.0, 2, 3], [np.nan, 2, 2], [0, 0, 0]])
    run = simulate(model, {"x": TimePath(times=np.array([0, 2.0, 4.0]), values=values)}, throw=False)
    np.testing.assert_array_equal(run["y"][0, 0, [0, 8, 16]], [7, np.nan, 1])
    assert run.failed.all()


@pytest.mark.parametrize("engine", ["numpy", "pysd"])
def test_data_that_nobody_gives_are_named(engine, tmp_path):
    model = load_model(write_model(tmp_path, RANGES + DATA))
    with pytest.raises(
        ValueError, match=r"variable 'x' is data, and neither the model nor a data set has it.*TimePath"
    ):
        simulate(model, engine=engine)
    if engine == "numpy":
        assert (simulate(model, outcomes=["z"])["z"] == 2).all()


@pytest.mark.parametrize(
    ("equation", "message"),
    [
        ("a = GET DIRECT CONSTANTS('none.csv', ',', 'B2')", "variable 'a'.*'none.csv'.*there is no file"),
        (
            "a = GET XLS CONSTANTS('numbers.xlsx', 'Nowhere', 'B2')",
            "variable 'a'.*'Nowhere'.*'B2'.*no sheet 'Nowhere'; it has Across, Down",
        ),
        (
            "a = GET XLS CONSTANTS('numbers.xlsx', 'Across', 'no_name')",
            "variable 'a'.*the sheet 'Across' has no name 'no_name'",
        ),
        (
            "a = GET DIRECT CONSTANTS('numbers.csv', ',', 'ZZ99')",
            "variable 'a'.*'ZZ99'.*there are no cells at this place",
        ),
        ("a = GET DIRECT CONSTANTS('numbers.csv', ',', 'A7')", "variable 'a'.*'A7'.*empty or no number"),
        ("a[R] := GET DIRECT DATA('numbers.csv', ',', 'ZZ', 'A7')", "variable 'a'.*'ZZ'"),
        ("a := GET DIRECT DATA('numbers.csv', ',', '7', 'D7')", "variable 'a'.*'D7'"),
        ("f(GET DIRECT LOOKUPS('none.csv', ',', 'A', 'B2'))", "table function 'f'.*'none.csv'.*there is no file"),
        ("a = GET DIRECT CONSTANTS('/etc/passwd', ',', 'A1')", "not relative to the folder"),
        ("a = GET DIRECT CONSTANTS('C:/x.csv', ',', 'A1')", "not relative to the folder"),
        (
            "a = GET DIRECT CONSTANTS('?x', ',', 'A1')",
            r"what '\?x' stands for is set in Vensim, .* files={'\?x': 'data.xlsx'}",
        ),
        ("a = GET DIRECT CONSTANTS('numbers.csv', '(a+)+$', 'A1')", "more than one character"),
        ("a = GET DIRECT CONSTANTS('broken.xlsx', 'S', 'A1')", "variable 'a'.*'broken.xlsx'"),
    ],
)
def test_numbers_that_are_not_there_give_one_clear_error(equation, message, folder):
    (folder / "broken.xlsx").write_bytes((folder / "numbers.xlsx").read_bytes()[:500])
    with pytest.raises(InvalidModel, match=message) as caught:
        load_model(write_model(folder, RANGES + equation + " ~~|\n"))
    assert not isinstance(caught.value, UnsupportedFeature)
    assert "model.mdl" in str(caught.value)


READS = {
    "a constant": "a = GET DIRECT CONSTANTS('FILE', ',', 'A1') ~~|\n",
    "a table": "f(GET DIRECT LOOKUPS('FILE', ',', 'A', 'B1')) ~~|\na = f(0) ~~|\n",
    "elements": "E: GET DIRECT SUBSCRIPT('FILE', ',', 'A1', 'A2', '') ~~|\na = ELMCOUNT(E) ~~|\n",
    "a name that is set": "a = GET DIRECT CONSTANTS('?data', ',', 'A1') ~~|\n",
}
NAMES = ["../outside.csv", "link.csv", "folder/outside.csv", "folder\\\\outside.csv", "loop.csv"]


@pytest.fixture
def beside(tmp_path):
    """A folder for a model, with links to a file and to a folder outside of it."""
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "outside.csv").write_text("2,3\n4,5\n", encoding="utf-8")
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    (folder / "folder").symlink_to(tmp_path)
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    return folder


def write_reader(folder, what, file):
    path = write_model(folder, READS[what].replace("FILE", file))
    if what == "a name that is set":
        settings = "\\\\\\---/// Sketch information\n///---\\\\\\\n:L\x7f<%^E!@\n30:?data=" + file + "\n"
        path.write_text(path.read_text(encoding="utf-8") + settings, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("what", READS)
def test_a_model_reads_nothing_outside_of_its_folder(what, name, beside, monkeypatch):
    path = write_reader(beside, what, name)
    expected = "there is no file" if name == "loop.csv" else "outside of"
    with pytest.raises(InvalidModel, match=expected):
        load_model(path)
    if name == "loop.csv":
        return
    monkeypatch.setenv("GAPSIM_OUTSIDE", "1")
    assert (simulate(load_model(path))["a"] > 0).all()
    monkeypatch.delenv("GAPSIM_OUTSIDE")
    with pytest.raises(InvalidModel, match="outside of"):
        load_model(path)
    given = load_model(path, files={"?data" if what == "a name that is set" else name: beside.parent / "outside.csv"})
    assert (simulate(given)["a"] > 0).all()


def test_pysd_reads_nothing_outside_of_the_folder_either(beside, monkeypatch):
    monkeypatch.setenv("GAPSIM_OUTSIDE", "1")
    model = load_model(write_reader(beside, "a constant", "link.csv"))
    assert simulate(model, engine="pysd")["a"][0, 0, 0] == 2
    monkeypatch.delenv("GAPSIM_OUTSIDE")
    with pytest.raises(InvalidModel, match=r"'link\.csv' lies outside of"):
        simulate(model, engine="pysd")


def test_a_link_inside_the_folder_is_followed(beside):
    (beside / "here.csv").write_text("7,3\n", encoding="utf-8")
    (beside / "near.csv").symlink_to(beside / "here.csv")
    assert simulate(load_model(write_reader(beside, "a constant", "near.csv")))["a"][0, 0, 0] == 7


def test_nothing_of_a_data_file_is_executed(tmp_path):
    (tmp_path / "n.csv").write_text("\"=1+1\",\"__import__('os').system('touch was_here')\"\n3,4\n", encoding="utf-8")
    model = load_model(write_model(tmp_path, "a = GET DIRECT CONSTANTS('n.csv', ',', 'B2') ~~|\n"))
    for engine in ("numpy", "pysd"):
        assert (simulate(model, engine=engine)["a"] == 4).all()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["model.mdl", "n.csv"]


def test_a_name_may_stand_for_the_name_of_a_file(folder):
    equations = "which file :IS: 'numbers.csv' ~~|\na = GET DIRECT CONSTANTS(Which_File, ',', 'B6') ~~|"
    assert simulate(load_model(write_model(folder, equations)))["a"][0, 0, 0] == 7.5
    wrong = equations + "\nb = which file + 1 ~~|"
    with pytest.raises(InvalidModel, match=r"variable 'b': the text 'numbers\.csv' stands where a number is expected"):
        load_model(write_model(folder, wrong))
