"""``gapsim simulate``: a stranger's model, once."""

import pandas as pd
import pytest

from tests.engine.small_models import write_model

EQUATIONS = (
    "R: north, south ~~|\nrate[R] = 0.1, 0.2 ~ 1/Year ~|\npush = 1 ~ t/Year ~|\n"
    "s[R] = INTEG(push + rate[R]*s[R], 2) ~ t ~|\ntotal = SUM(s[R!]) ~ t ~|\n"
    "f((0,0),(1,1)) ~~|\nroot = f(total) ~~|"
)


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path, EQUATIONS, final=4, step=1, saveper=1)


def test_a_run_is_shown_stocks_first(gapsim, model):
    answer = gapsim("simulate", "model.mdl", "-q")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == "model: 0 to 4 Year in steps of 1, euler; 5 variables"
    assert lines[1].split() == ["unit", "0", "1", "2", "3", "4"]
    assert lines[2].split()[:4] == ["s[north]", "t", "2", "3.2"]
    assert lines[3].split()[:4] == ["s[south]", "t", "2", "3.4"]
    assert [line.split()[0] for line in lines[4:]] == ["total", "root", "rate[north]", "rate[south]", "push"]


def test_values_replace_those_of_the_file(gapsim, model):
    options = ["--set", "rate[North]=0.5", "--set", "push=-1", "--set", "FINAL TIME=1", "--outcome", "S"]
    answer = gapsim("simulate", "model.mdl", *options, "--json", code=0)
    data = answer.json["data"]
    assert data["times"] == [0, 1]
    assert data["series"] == {"s[north]": [2, 2], "s[south]": [2, pytest.approx(1.4)]}
    assert data["units"] == {"s[north]": "t", "s[south]": "t"}


def test_table_and_picture_are_written(gapsim, model, tmp_path):
    gapsim("simulate", "model.mdl", "--out", "run.csv", "--plot", code=0)
    table = pd.read_csv(tmp_path / "run.csv")
    assert list(table.columns[:3]) == ["time [Year]", "s[north]", "s[south]"]
    assert table["s[north]"].tolist()[:2] == [2, 3.2]
    assert (tmp_path / "run.png").read_bytes()[:4] == b"\x89PNG"
    again = gapsim("simulate", "model.mdl", "--out", "run.csv", code=2)
    assert "exists already" in again.err
    assert gapsim("simulate", "model.mdl", "--plot").code == 0
    assert (tmp_path / "model.png").is_file()


def test_a_long_table_is_cut(gapsim, tmp_path):
    write_model(tmp_path, "R: (a1-a30) ~~|\nx[R] = 1 ~~|", final=1, step=1, saveper=1)
    answer = gapsim("simulate", "model.mdl", "-q")
    assert "and 10 series more: choose with --outcome, or write all with --out FILE.csv" in answer.out


def test_a_run_that_fails_is_shown_and_says_where(gapsim, tmp_path):
    write_model(tmp_path, "x = 1/(2 - Time) ~~|\ns = INTEG(x, 0) ~~|", final=4, step=1, saveper=1)
    answer = gapsim("simulate", "model.mdl", "--out", "run.csv", code=4)
    assert "x became inf" in answer.err
    assert "at time 2" in answer.err
    assert pd.read_csv(tmp_path / "run.csv")["s"].tolist()[:2] == [0, 0.5]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--set", "rato=1"], "has no variable 'rato'. Did you mean 'rate'?"),
        (["--set", "rate[east]=1"], "'R' has no element 'east'"),
        (["--set", "push"], "expected NAME=VALUE with a number"),
        (["--set", "push=much"], "expected NAME=VALUE with a number"),
        (["--set", "push=nan"], "expected NAME=VALUE with a number"),
        (["--set", "=1"], "expected NAME=VALUE with a number"),
        (["--set", "push=1", "--set", "Push=2"], "--set gives 'Push' twice"),
        (["--set", "rate=1", "--set", "rate[north]=2"], "--set gives 'rate[north]' twice"),
        (["--set", "rate[north]=1", "--set", "rate=2"], "--set gives 'rate' twice"),
        (["--set", "s[north]=1"], "'s' has an equation"),
        (["--set", "f=1"], "is a table function"),
        (["--set", "TIME STEP=0"], "step and save_every must be positive"),
        (["--outcome", "sum"], "has no variable 'sum'"),
        (["--out", "run.xlsx"], "name a file that ends in .csv"),
        (["--out", "nowhere.csv/run.csv/"], ""),
    ],
)
def test_bad_command_lines_say_what_to_do_and_write_nothing(gapsim, model, tmp_path, options, told):
    (tmp_path / "nowhere.csv").write_text("kept")
    answer = gapsim("simulate", "model.mdl", *options, code=2)
    assert told in answer.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.mdl", "nowhere.csv"]


def test_a_file_that_does_not_run_says_where(gapsim, tmp_path):
    (tmp_path / "broken.mdl").write_text("{UTF-8}\nx = 1 + ~~|\n")
    answer = gapsim("simulate", "broken.mdl", code=2)
    assert "line 2" in answer.err
    assert gapsim("simulate", "nothing.mdl").code == 2
