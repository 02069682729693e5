"""Data sets in every format, and what a model makes of them, by hand."""

import os
import random
import struct
import time
import tracemalloc
from contextlib import suppress

import numpy as np
import openpyxl
import pytest

from pysd_runner.core.errors import InvalidInput, InvalidModel, UnsupportedFeature
from pysd_runner.engine.frontend.datasets.read import read_set
from pysd_runner.engine.values import TimePath
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model
from tests.engine.vensim_sets import example, written

ENGINES = ["numpy", "llvm"]
ALL = {
    ("new cases", ("north",)): ([0, 1, 10], [1, 2, 4]),
    ("new cases", ("south east",)): ([0, 10], [5, 8]),
    ("deaths", ()): ([0, 1, 10], [0, 1.5, -2]),
}
ROWS = [
    ["", "", "10", "0", "1", "note"],
    ["New cases", "North", "4", "1", "2", "7"],
    ["new_Cases[South_East]", "", "8", "5", "#VALUE!", ""],
    ["", "", "", "", "", ""],
    ["deaths", "", "-2", "0", "1.5", ""],
]
LIST = [
    ["name", "sub", "t", "v"],
    *[["New cases", "North", *pair] for pair in (["10", "4"], ["0", "1"], ["1", "2"])],
    ["new_Cases[South_East]", "10", "8", ""],
    ["new_Cases[South_East]", "", "0", "5"],
    *[["deaths", *pair] for pair in (["10", "-2"], ["0", "0"], ["1", "1.5"])],
]
DAT = (
    "New cases[North] <Day>\n0 1 from the first report\n\nNew Cases [ South East ] / revised\n0\t5\n 10, 8\n"
    "deaths\n10 -2\n1 1.5\n0 0\nnew_cases[north]\n10 4\n1 2\n2 :NA:\n"
)


def seen(path):
    return {label: (found.times.tolist(), found.values.tolist()) for label, found in read_set(path).items()}


def lines(rows, mark):
    return "\n".join(mark.join(row) for row in rows)


def down(rows):
    return [list(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.dat", DAT),
        ("a.tab", lines(ROWS, "\t")),
        ("a.csv", "\ufeff" + lines(ROWS, ",")),
        ("down.csv", lines(down(ROWS), ",")),
        ("a.TXT", lines(LIST, "\t")),
        ("no head.csv", lines(LIST[1:], ",")),
    ],
)
def test_text_in_every_layout(name, content, tmp_path):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert seen(tmp_path / name) == ALL


def test_a_workbook_has_a_table_on_each_sheet(tmp_path):
    book = openpyxl.Workbook()
    for row in ROWS[:3]:
        book.active.append([float(cell) if cell.isdigit() else cell for cell in row])
    other = book.create_sheet("more")
    for row in ([None, 0, 1, 10], ["deaths", 0, 1.5, -2]):
        other.append(row)
    book.save(tmp_path / "a.xlsx")
    assert seen(tmp_path / "a.xlsx") == ALL


def test_of_two_values_at_one_time_the_last_counts(tmp_path):
    # As in a published data set whose table has one country twice.
    (tmp_path / "a.csv").write_text("x,0,1,1\nv,5,6,7\nv,,9,8\nw,1,2,\n")
    assert seen(tmp_path / "a.csv") == {("v", ()): ([0, 1], [5, 8]), ("w", ()): ([0, 1], [1, 2])}


@pytest.mark.parametrize("wide", [False, True])
def test_data_sets_of_vensim(wide, tmp_path):
    (tmp_path / "a.vdf").write_bytes(example(wide=wide))
    assert seen(tmp_path / "a.vdf") == {
        ("new cases", ("north",)): ([0, 1, 10], [1, 2, 4]),
        ("new cases", ("south east",)): ([0, 10], [5, 8]),
        ("deaths", ("north",)): ([0, 1, 2.5, 10], [0, 0, 1, 2]),
        ("deaths", ("south east",)): ([0, 1, 2.5, 10], [3, 4, 5, 6]),
    }
    (tmp_path / "b.vdfx").write_bytes(written([1, 2], {"x": [3, 4]}, wide=wide))
    assert seen(tmp_path / "b.vdfx") == {("x", ()): ([1, 2], [3, 4])}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.dat", b"0 1\n", "a.dat: line 1: points before the name of a series"),
        ("a.dat", b"x\n0 1\n2\n", "a.dat: line 3: a time without a value"),
        ("a.csv", b"a,b\nc,d\n", "a.csv: line 1: no table of series"),
        ("a.csv", b"", "a.csv: there is no series in it"),
        ("a.xlsx", b"PK", "a.xlsx: the workbook cannot be read"),
        ("a.doc", b"", "a.doc: unknown ending; expected one of .dat, .tab"),
        ("a.vdf", b"x", "a.vdf: no file of Vensim"),
        ("a.vdf", b"\x7f\xf7\x17\x52", "a run of Vensim; export it as .tab"),
        ("a.vdf", b"\x7f\xf7\x17\x53", "a sensitivity run of Vensim; export it as .tab"),
        ("a.vdfx", b"\x7f\xf7\x17\x50", "a run of Vensim's parallel engine; export it as .tab"),
        ("a.vdf", example()[:300], "its five sections"),
        ("a.vdf", example()[:-3], r"byte \d+: 4 values at 4 times; the file is damaged"),
    ],
)
def test_what_cannot_be_read_is_named(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidModel, match=message):
        read_set(tmp_path / name)


def test_mutated_files_are_read_or_refused(tmp_path):
    count, rng = int(os.environ.get("GAPSIM_MUTATIONS", "100")), random.Random(44)  # noqa: S311
    path = tmp_path / "a.vdf"
    for number in range(count):
        data = bytearray(example(wide=number % 2 == 0))
        for _ in range(rng.choice([1, 1, 2, 8])):
            at = rng.randrange(len(data))
            if rng.random() < 0.3:
                data[at : at + 4] = struct.pack(
                    "<I", rng.choice([0, 1, 0xFFFFFFFF, 0x7FFFFFFF, rng.randrange(1 << 20)])
                )
            else:
                data[at] = rng.randrange(256)
        if rng.random() < 0.1:
            del data[rng.randrange(len(data)) :]
        path.write_bytes(data)
        begin = time.process_time()
        tracemalloc.start()
        with suppress(InvalidModel):
            read_set(path)
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert time.process_time() - begin < 2
        assert memory < 200e6


MODEL = (
    "R: North, South East, West ~~|\nnew cases[R] ~~|\nDeaths :RAW: ~~|\nnone ~~|\n"
    "last = GET DATA LAST TIME(Deaths) ~~|\ncount[R] = GET DATA TOTAL POINTS(new cases[R], 0, 20) ~~|\n"
    "first[R] = GET DATA FIRST TIME(new cases[R]) ~~|\nratio := Deaths / new cases[North] ~~|\n"
    "twice[R] = 2 * new cases[R] ~~|\n"
)


@pytest.fixture
def model(tmp_path):
    (tmp_path / "a.dat").write_text(DAT)
    return write_model(tmp_path, MODEL, final=10, step=1, saveper=1)


@pytest.mark.parametrize("engine", ENGINES)
def test_series_are_bound_to_data_variables(engine, model):
    names = ["new cases", "Deaths", "last", "count", "first", "ratio", "twice"]
    found = load_model(model, data=model.with_name("a.dat"))
    run = simulate(found, engine=engine, outcomes=names, throw=False)
    cases = [[1, 2, *np.interp(range(2, 11), [1, 10], [2, 4])], np.interp(range(11), [0, 10], [5, 8]), [np.nan] * 11]
    np.testing.assert_allclose(run["new cases"][0, 0], cases, rtol=1e-6)
    np.testing.assert_allclose(run["twice"][0, 0], 2 * np.array(cases), rtol=1e-6)
    np.testing.assert_array_equal(run["Deaths"][0, 0], [0, 1.5, *[np.nan] * 8, -2])
    assert run["last"][0, 0, 0] == 10
    assert run["count"][0, 0, :, 0].tolist() == [3, 2, 0]
    np.testing.assert_array_equal(run["first"][0, 0, :, 0], [0, 0, np.nan])
    # A data equation has points where its data have, and straight lines between them.
    np.testing.assert_allclose(run["ratio"][0, 0], np.interp(range(11), [0, 1, 10], [0, 0.75, -0.5]), rtol=1e-6)


def test_the_last_data_set_with_a_series_counts(model, tmp_path):
    (tmp_path / "b.csv").write_text("x,0,5\nDeaths,7,8\n")
    found = load_model(model, data=[tmp_path / "a.dat", tmp_path / "b.csv"])
    assert simulate(found, outcomes=["last"])["last"][0, 0, 0] == 5
    assert {item.file for item in found.ir.series} == {"a.dat", "b.csv"}
    turned = load_model(model, data=[tmp_path / "b.csv", tmp_path / "a.dat"])
    assert simulate(turned, outcomes=["last"])["last"][0, 0, 0] == 10
    assert turned.ir.fingerprint != found.ir.fingerprint
    # What results record is enough to load the model again.
    assert load_model(model, files=found.ir.named).ir.fingerprint == found.ir.fingerprint


def test_a_changed_data_set_changes_the_model(model, tmp_path):
    before = load_model(model, data=tmp_path / "a.dat")
    (tmp_path / "a.dat").write_text(DAT.replace("10 -2", "10 -3"))
    after = load_model(model, data=tmp_path / "a.dat")
    assert after.ir.fingerprint != before.ir.fingerprint
    assert simulate(after, outcomes=["Deaths"])["Deaths"][0, 0, -1] == -3


def test_declarations_name_data_sets_and_ranges(model, tmp_path):
    model.with_suffix(".toml").write_text('schema = 2\n[study]\nsets = ["a.dat"]\nranges = { R = "from data" }\n')
    found = load_model(model)
    assert found.ranges["R"] == ("North", "South East")
    assert len(found.ir.series) == 3
    assert load_model(model, files=found.ir.named).ir.fingerprint == found.ir.fingerprint
    model.with_suffix(".toml").write_text('schema = 2\n[study]\nsets = ["a.dat"]\nranges = { R = ["North", "x"] }\n')
    assert load_model(model).ranges["R"] == ("North", "x")
    model.with_suffix(".toml").write_text('schema = 2\n[study]\nranges = { R = "all" }\n')
    with pytest.raises(InvalidModel, match=r"ranges\.R: expected 'from data'"):
        load_model(model)
    model.with_suffix(".toml").write_text('schema = 2\n[study]\nranges = { R = "from data" }\n')
    with pytest.raises(InvalidModel, match="no data set has a series whose variable runs over 'r'"):
        load_model(model)


def test_what_is_not_there_is_named(model, tmp_path):
    with pytest.raises(InvalidInput, match=r"there is no data set .*b\.csv"):
        load_model(model, data=tmp_path / "b.csv")
    with pytest.raises(
        UnsupportedFeature, match="LAST TIME of 'Deaths', which neither GET XLS DATA nor a data set has"
    ):
        simulate(load_model(model), outcomes=["last"])
    found = load_model(model, data=tmp_path / "a.dat")
    with pytest.raises(ValueError, match=r"variable 'none' is data, and neither the model nor a data set has it"):
        simulate(found)
    # Variables of which no function reads the points may still be given for one run.
    path = TimePath(times=[0, 10], values=[1, 2])
    assert simulate(found, {"none": path}, outcomes=["none"])["none"][0, 0, -1] == 2
    with pytest.raises(InvalidInput, match="'Deaths' is data of which a function of data or a data equation"):
        simulate(found, {"Deaths": path, "none": 1.0})
