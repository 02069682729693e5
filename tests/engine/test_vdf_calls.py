"""GET VDF CONSTANTS, DATA and LOOKUPS, and where the files that they name are looked for."""

import numpy as np
import pytest

from pysd_runner.cli.application import main
from pysd_runner.core.errors import InvalidModel
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import write_model
from tests.engine.vensim_sets import example

ENGINES = ["numpy", "llvm"]
MODEL = (
    "R: North, South East ~~|\nAll: (x1-x2) ~~|\nFile :IS: 'A.vdf' ~~|\n"
    "first[R] = GET VDF CONSTANTS(File, 'New cases[R]', 1) ~~|\n"
    "late[R] = GET VDF CONSTANTS('A.vdf', 'deaths[R]', 99) ~~|\n"
    "one = GET VDF CONSTANTS('A.vdf', 'deaths[South East]', -5) ~~|\n"
    "other[All] = GET VDF CONSTANTS('A.vdf', 'deaths[R]', 2.5) ~~|\n"
    "gap[R] = GET VDF CONSTANTS('A.vdf', 'New cases[R]', 2.5) ~~|\n"
    "seen[R] := GET VDF DATA('A.vdf', 'deaths[R]', 1, 2) ~~|\n"
    "same[R] := GET VDF DATA('A.vdf', 'deaths[R]', 1, 0) ~~|\n"
    "last = GET DATA LAST TIME(seen[North]) ~~|\n"
    "curve(GET VDF LOOKUPS('A.vdf', 'deaths[North]', 0, 1)) ~~|\nread = curve(6.25) ~~|\n"
)


@pytest.fixture
def model(tmp_path):
    (tmp_path / "Data").mkdir()
    (tmp_path / "Data" / "a.vdf").write_bytes(example())
    return write_model(tmp_path, MODEL, final=10, step=1, saveper=1)


@pytest.mark.parametrize("engine", ENGINES)
def test_constants_series_and_tables_of_a_named_data_set(engine, model):
    names = ["first", "late", "one", "other", "gap", "seen", "same", "last", "read"]
    # The file is not beside the model, and is written otherwise: it is found among the data sets.
    found = load_model(model, data=model.parent / "Data" / "a.vdf")
    run = simulate(found, engine=engine, outcomes=names, throw=False)
    start = {name: run[name][0, 0, ..., 0].tolist() for name in names}
    np.testing.assert_array_equal(start["first"], [2, np.nan])
    assert start["late"] == [2, 6]
    assert start["one"] == 3
    assert start["other"] == [1, 5]
    np.testing.assert_array_equal(start["gap"], [np.nan, np.nan])
    assert start["last"] == 1 + 2 * 10
    assert start["read"] == pytest.approx(1.5)
    np.testing.assert_allclose(run["seen"][0, 0, 1], np.interp(range(11), [1, 3, 6, 21], [3, 4, 5, 6]), rtol=1e-6)
    np.testing.assert_allclose(run["same"][0, 0, 1], np.interp(range(11), [0, 1, 2.5, 10], [3, 4, 5, 6]), rtol=1e-6)
    assert len(found.ir.files) == 1


def test_a_file_beside_the_model_comes_first(model):
    data = model.parent / "Data" / "a.vdf"
    (model.parent / "A.vdf").write_bytes(example(wide=True))
    found = load_model(model, data=data)
    assert str(model.parent / "A.vdf") in found.ir.files
    data.unlink()
    (model.parent / "A.vdf").unlink()
    with pytest.raises(InvalidModel, match=r"reading file 'A\.vdf', variable '.*': there is no file"):
        load_model(model)


@pytest.mark.parametrize(
    ("equation", "message"),
    [
        ("x = GET VDF CONSTANTS('a.vdf', 'none', 1)", "the file has no series 'none'"),
        ("x = GET VDF CONSTANTS('a.vdf', 'deaths[West]', 1)", r"the file has no series 'deaths\[West\]'"),
        ("x[R] = GET VDF CONSTANTS('a.vdf', 'deaths', 1)", "stands for 1 series, and 2 are needed"),
        ("x = GET VDF CONSTANTS('a.vdf', 'deaths[North]', 1.7)", "the file has no values at time 1.7"),
        ("x = GET VDF CONSTANTS('a.vdf', 'deaths[North]', R)", "GET VDF CONSTANTS takes 2 texts in single quotes"),
        ("x = GET VDF CONSTANTS('b.vdf', 'deaths[North]', 1)", "a run of Vensim; export it as .tab"),
    ],
)
def test_what_cannot_be_taken_is_named(equation, message, tmp_path):
    (tmp_path / "a.vdf").write_bytes(example())
    (tmp_path / "b.vdf").write_bytes(b"\x7f\xf7\x17\x52")
    model = write_model(tmp_path, f"R: North, South East ~~|\n{equation} ~~|\n", final=1, step=1, saveper=1)
    with pytest.raises(InvalidModel, match=message):
        load_model(model)


def test_doctor_shows_the_ends_of_each_bound_series(model, capsys):
    model.write_text(model.read_text(encoding="utf-8").replace("R: North", "deaths[R] ~~|\nR: North"), encoding="utf-8")
    place = str(model.parent / "Data" / "a.vdf")
    main(["doctor", str(model), "--sets", place])
    assert "a.vdf: deaths[South East]: 4 points, 3 at 0 to 6 at 10" in capsys.readouterr().out
    main(["simulate", str(model), "--sets", place, "--outcome", "deaths"])
    assert "South East" in capsys.readouterr().out
