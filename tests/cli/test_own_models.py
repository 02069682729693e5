"""Commands for a model of one's own: good input is covered by the page, this is the bad."""

import pytest

from tests.general.models import SIR, infections, made


@pytest.fixture
def files(tmp_path):
    model = made(tmp_path, SIR, unit="day", stop=60)
    infections(model)["infected"].rename("infected").rename_axis("day").to_csv(tmp_path / "obs.csv")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("calibrate obs.csv --model nothing.mdl", "there is no file"),
        ("calibrate obs.csv --model obs.csv", "is no model file"),
        ("calibrate nothing.csv --model mine.mdl", "there is no file"),
        ("calibrate obs.csv --model mine.mdl --free contct_rate", "has no variable"),
        ("calibrate obs.csv --model mine.mdl --time week", "there is no such column"),
        ("calibrate obs.csv --model mine.mdl --map infected", "expected name=value"),
        ("calibrate obs.csv --model mine.mdl --first-year 3", "leave --first-year away"),
        ("calibrate china --free alpha", "go with a model of your own"),
        ("run nothing.yaml --model mine.mdl", "there is no scenario file"),
        ("run nothing.yaml --model mine.mdl --panel china", "leave --panel away"),
        ("forecast obs.csv --model mine.mdl", "say how far to forecast"),
        ("forecast obs.csv --model mine.mdl --until 10", "the data end at 40"),
        ("init --data obs.csv", "go with a model of your own"),
    ],
)
def test_bad_command_lines_say_what_to_do(gapsim, files, words, told):
    before = sorted(path.name for path in files.iterdir())
    answer = gapsim(*words.split())
    assert answer.code == 2
    assert told in answer.err
    assert "Traceback" not in answer.err
    assert sorted(path.name for path in files.iterdir()) == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("day,infected\n0,5\n1,many\n", "row 3, column 'infected'"),
        ("day,infected\n0,5\n0,6\n", "a second value at this time"),
        ("day,cases\n0,5\n1,6\n", "is called like a variable of mine.mdl"),
        ("infected\n5\n6\n", "no column of times"),
        ("day,infected\n", "no data row"),
    ],
)
def test_bad_tables_get_the_messages_of_data_check(gapsim, files, text, told):
    (files / "obs.csv").write_text(text, encoding="utf-8")
    answer = gapsim("calibrate", "obs.csv", "--model", "mine.mdl")
    assert answer.code == 2
    assert told in answer.err


def test_an_edited_model_is_noticed(gapsim, files):
    assert (
        gapsim(
            "calibrate", "obs.csv", "--model", "mine.mdl", "--free", "duration", "--out", "fit", "--no-profiles"
        ).code
        == 0
    )
    (files / "mine.mdl").write_text(
        (files / "mine.mdl").read_text().replace("Infected / Duration", "Infected / Duration * 2")
    )
    (files / "a.yaml").write_text("changes: {Duration: 3}\n")
    answer = gapsim("run", "a.yaml", "--model", "mine.mdl", "--fit", "fit")
    assert answer.code == 2
    assert "changed: Infected" in answer.err
