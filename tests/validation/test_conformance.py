"""The comparison with published results finds columns, applies the suite's rule and says why a model does not pass."""

import json

import numpy as np
import pytest

from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import CONTROL
from tests.validation.canonical import (
    Place,
    close,
    columns_of,
    find_column,
    loosely_close,
    matched,
    published_file,
    read_published,
)
from tests.validation.conformance import (
    CLOSE,
    MISMATCH,
    PASS,
    Verdict,
    behind_pysd,
    commit_of,
    examine,
    main,
    model_files,
)

EQUATIONS = (
    '{UTF-8}\nR: A one, B ~~|\nL: "x, y", z ~~|\ns = INTEG(-0.5*s, 8) ~~|\nk[R] = 1, 2 ~~|\nm[L,R] = k[R]*s ~~|\n'
    '"odd [name], really" = 3 ~~|\n"odd too"[R] = k[R] ~~|\n'
)


@pytest.fixture
def folder(tmp_path):
    """Models that pass, differ, cannot be read, have nothing published and lack a file."""
    control = CONTROL.format(final=2, step=1, saveper=1)
    for name in ("good", "bad", "broken", "alone", "data", "rounded"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.mdl").write_text(EQUATIONS + control, encoding="utf-8")
    good = 'Time,s,"m[z,B]","""odd too""[A one]",TIME STEP\n0,8,16,1,1\n1,4,8,,\n2,2,4,,\n'
    (tmp_path / "good" / "output.csv").write_text(good, encoding="utf-8")
    (tmp_path / "bad" / "output.csv").write_text(good.replace("4,8", "4.01,8").replace("2,2", "2,3"), encoding="utf-8")
    (tmp_path / "rounded" / "output.tab").write_text(
        "Time\ts\tgone\n0\t8\t1\n1\t4.003\t1\n2\t2.0\t1\n", encoding="utf-8"
    )
    (tmp_path / "broken" / "model.mdl").write_text("nothing", encoding="utf-8")
    (tmp_path / "data" / "model.mdl").write_text(
        "{UTF-8}\na :INTERPOLATE: ~~|\nb :LOOK FORWARD: ~~|\nc :RAW: ~~|\nd :HOLD BACKWARD: ~~|\n"
        "y = a + b + d ~~|\nz = c ~~|\n" + CONTROL.format(final=2, step=0.5, saveper=0.5),
        encoding="utf-8",
    )
    (tmp_path / "data" / "data.csv").write_text("Time,a,b,c,d\n0,0,1,5,1\n1,2,3,6,2\n2,0,7,7,4\n", encoding="utf-8")
    published = "Time,y,z\n0,2,5\n0.5,5,\n1,7,6\n1.5,10,\n2,11,7\n"
    (tmp_path / "data" / "output.csv").write_text(published, encoding="utf-8")
    return tmp_path


def test_verdicts(folder, capsys):
    code = main([str(folder), "--engine", "numpy", "--json", str(folder / "out.json")])
    result = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    found = {item["model"].split("/")[0]: item["verdicts"]["numpy"] for item in result["models"]}
    assert {name: item["status"] for name, item in found.items()} == {
        "good": "pass",
        "bad": "mismatch",
        "broken": "cannot be read",
        "alone": "nothing published",
        "data": "pass",
        "rounded": "close",
    }
    assert found["bad"]["detail"] == "s at 2: 3 published, 2 found"
    assert result["totals"] == {
        "numpy": {"pass": 2, "mismatch": 1, "cannot be read": 1, "nothing published": 1, "close": 1}
    }
    assert next(item for item in result["models"] if "rounded" in item["model"])["unknown"] == ["gone"]
    assert code == 0
    text = capsys.readouterr().out
    assert "bad/model.mdl" in text
    assert "6 models" in text
    assert "pass" in text


def test_many_draws_are_compared_as_one(folder, capsys):
    assert main([str(folder), "--engine", "numpy", "--draws", "9", "--only", "good|bad"]) == 0
    text = capsys.readouterr().out
    assert "1 mismatch, 1 pass" in text
    assert "s at 2: 3 published, 2 found" in text


def test_both_engines_see_the_same(folder):
    for name in ("good", "data"):
        report = examine(folder / name / "model.mdl", folder, ("numpy", "pysd"))
        assert {item.status for item in report.verdicts.values()} == {"pass"}, name


def test_models_that_only_pysd_runs_right_are_listed(folder):
    report = examine(folder / "good" / "model.mdl", folder, ("numpy", "pysd"))
    assert behind_pysd([report]) == []
    report.verdicts["numpy"] = Verdict(MISMATCH)
    assert behind_pysd([report]) == ["good/model.mdl"]
    report.verdicts = {"numpy": Verdict(CLOSE), "pysd": Verdict(CLOSE)}
    assert behind_pysd([report]) == []
    report.verdicts = {"numpy": Verdict(CLOSE), "pysd": Verdict(PASS)}
    assert behind_pysd([report]) == ["good/model.mdl"]
    report.verdicts = {"numpy": Verdict(MISMATCH), "pysd": Verdict(MISMATCH)}
    assert behind_pysd([report]) == []


def test_models_are_chosen_by_their_path(folder):
    assert [path.parent.name for path in model_files(folder, "^(good|bad)/")] == ["bad", "good"]
    assert commit_of(folder) == ""


@pytest.mark.parametrize(
    ("column", "place"),
    [
        ("s", Place("s", ())),
        ("S", Place("s", ())),
        ("k[B]", Place("k", (1,))),
        ("k[ a_one ]", Place("k", (0,))),
        ('m["x, y",B]', Place("m", (0, 1))),
        ("m[z, A one]", Place("m", (1, 0))),
        ('"odd [name], really"', Place('"odd [name], really"', ())),
        ("odd [name], really", Place('"odd [name], really"', ())),
        ('"odd too"[B]', Place('"odd too"', (1,))),
        ("odd too[B]", Place('"odd too"', (1,))),
        ("m[B,z]", None),
        ("k", None),
        ("s[B]", None),
        ("k[C]", None),
        ("nothing", None),
    ],
)
def test_columns_are_found(column, place, folder):
    assert find_column(load_model(folder / "good" / "model.mdl"), column) == place


def test_columns_about_the_run_are_left_out(folder):
    model = load_model(folder / "good" / "model.mdl")
    places, unknown = columns_of(model, read_published(folder / "good" / "output.csv"))
    assert list(places) == ["s", "m[z,B]", '"odd too"[A one]']
    assert unknown == []


def test_published_values_are_read(tmp_path):
    path = tmp_path / "output.tab"
    path.write_bytes("Time\ta\tb é\tc\r0\t1\t2.50\tx\r1\t\t-3.1e-05\t4\r\t\t\t\r".encode("cp1252"))
    published = read_published(path)
    assert published_file(tmp_path) == path
    assert published.times.tolist() == [0, 1]
    np.testing.assert_array_equal(published.columns["a"], [1, 1])
    np.testing.assert_array_equal(published.columns["b é"], [2.5, -3.1e-5])
    np.testing.assert_array_equal(published.columns["c"], [np.nan, 4])
    assert published.digits["b é"].tolist() == pytest.approx([0.01, 1e-6])
    assert published.digits["a"].tolist() == [0, 0]


def test_the_rule_of_the_suite():
    published = np.array([100.0, 100.0, 0.0, 0.0, 3e-6, np.nan, np.nan, np.inf, 0.0321, 1.0])
    found = np.array([100.0099, 100.011, 1e-6, 1.1e-6, -1e-6, np.nan, 1.0, np.inf, 0.03214, np.inf])
    digits = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1e-4, 0])
    expected = [True, False, True, False, True, True, False, True, True, False]
    assert close(published, found, digits).tolist() == expected
    assert loosely_close(np.array([100.0, 100.0, 0.0]), np.array([101, 101.1, 1e-5])).tolist() == [True, False, True]


def test_moments_are_matched_as_far_as_they_were_printed():
    times = np.arange(0, 20, 0.03125)
    rows = matched(np.array([0.0, 10.0312, 5.01]), times)
    assert rows.tolist() == [0, 321, -1]


def test_a_moment_that_was_not_saved_is_a_mismatch(folder):
    (folder / "good" / "output.csv").write_text("Time,s\n0,8\n0.5,5\n", encoding="utf-8")
    report = examine(folder / "good" / "model.mdl", folder, ("numpy",))
    assert report.verdicts["numpy"].detail == "s at 0.5: 5 published, nan found"


def test_data_beside_a_model_are_its_data(folder):
    from tests.validation.conformance import data_beside

    model = load_model(folder / "data" / "model.mdl")
    run = simulate(model, data_beside(model, folder / "data"), throw=False)
    assert run["a"][0, 0].tolist() == [0, 1, 2, 1, 0]
    assert run["b"][0, 0].tolist() == [1, 3, 3, 7, 7]
    assert run["d"][0, 0].tolist() == [1, 1, 2, 2, 4]
    np.testing.assert_array_equal(run["c"][0, 0], [5, np.nan, 6, np.nan, 7])
