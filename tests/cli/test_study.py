"""``gapsim study`` writes declarations from the files of a study, and the model loads with them."""

import tomllib
from pathlib import Path

import pytest

from pysd_runner import load_model, simulate
from pysd_runner.cli.application import main
from tests.engine.xmile_files import aux, flow, stock, write_xmile
from tests.published.test_changes import MODEL

FILES = {
    "m.mdl": MODEL,
    "base.cin": "Share = 2\n",
    "more.cin": "Rate[north] = 0.5\nFINAL TIME = 3\n",
    "best.out": ":COMSYS Best payoff is -12.5\n0 <= Rate[north] = 0.3  <= 1\n",
    "s.voc": ":OPTIMIZER=Powell\n0<=Rate[Region]=.2<=1\n0<=Share=3<=1\n0<=None=1<=2\nwhat\n",
    "p.vpd": "*C\nStock[north]|Seen[north]/4\n*P\nGrowth[Region]/-1\n*PF\nStock[south]/Share\n",
    "save.lst": "Saved\nStock\nGrowth[north]\n",
    "go.cmd": "SPECIAL>LOADMODEL|m.mdl\nSIMULATE>PAYOFF|p.vpd\nSIMULATE>OPTPARM|s.voc\nSIMULATE>SAVELIST|save.lst\n"
    "SIMULATE>READCIN|base.cin\nSIMULATE>RUNNAME|best\nMENU>RUN_OPTIMIZE|o\nSIMULATE>ADDCIN|more.cin\n"
    "SIMULATE>ADDCIN|gone.cin\nSIMULATE>RUNNAME|More\nMENU>RUN|o\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_study_becomes_one_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", str(folder)]) == 0
    said = capsys.readouterr()
    text = (folder / "m.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)
    assert found["study"] == {"changes": ["base.cin", "best.out"]}
    assert found["scenarios"] == {"More": {"changes": ["more.cin"]}}
    assert found["parameters"]["Rate[south]"] == {"lower": 0.0, "upper": 1.0, "bounds_from": "s.voc"}
    assert found["parameters"]["Share"] == {"lower": 0.0, "upper": 2.0, "bounds_from": "s.voc"}
    assert (found["measurements"]["Seen[north]"]["outcome"], found["measurements"]["Seen[north]"]["sd"]) == (
        "Stock[north]",
        0.25,
    )
    assert found["objective"]["terms"] == [
        {"variable": "Growth", "weight": -1.0, "at": "steps"},
        {"variable": "Stock[south]", "weight": "Share", "at": "end"},
    ]
    assert list(found["outcomes"]) == ["Stock", "Growth"]
    assert found["published"] == {"payoff": -12.5, "search": {"OPTIMIZER": "Powell"}}
    assert "# s.voc:2" in text
    for part in (
        "gone.cin, which go.cmd:9 names",
        "s.voc:5: not read: what",
        "save.lst:1: the model has no 'Saved'",
        "s.voc:3: Share is 2 in the runs of the authors, outside of its bounds, which are widened",
        "s.voc:3: the start of Share, 3, lies outside of its bounds",
    ):
        assert part in said.err


def test_the_file_is_kept_and_the_model_is_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "m.toml").write_text("mine", encoding="utf-8")
    assert main(["study", str(folder)]) == 2
    assert "exists already" in capsys.readouterr().err
    (folder / "other.mdl").write_text(MODEL, encoding="utf-8")
    assert main(["study", str(folder), "--lang", "zh"]) == 2
    assert "2 个模型" in capsys.readouterr().err
    assert (folder / "m.toml").read_text(encoding="utf-8") == "mine"
    assert main(["study", str(folder / "none")]) == 2
    assert main(["study", str(folder / "m.mdl"), "--out", str(folder / "new.toml")]) == 0


def test_the_model_loads_with_what_was_written(folder: Path) -> None:
    assert main(["study", str(folder)]) == 0
    model = load_model(folder / "m.mdl")
    assert model.declarations.parameters["Rate[north]"].note == "declared: bounds from s.voc"
    assert model.declarations.objective.terms[1].variable == "Stock[south]"
    assert simulate(model)["Stock"][0, 0, :, 1] == pytest.approx([160.0, 140.0])
    assert main(["run", "More", "--model", str(folder / "m.mdl"), "--out", str(folder / "results")]) == 0


def test_settings_of_the_model_count_where_no_script_describes_a_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sketch = "\\\\\\---/// Sketch information\n///---\\\\\\\n:L\x7f<%^E!@\n"
    settings = f"{sketch}9:Current\n10:C:\\old place\\base.cin,best.out\n11:S.VOC\n12:gone.vpd\n13:0\n20:\n"
    (folder / "m.mdl").write_text(MODEL + settings, encoding="utf-8")
    (folder / "go.cmd").unlink()
    (folder / "p.vpd").unlink()
    # Vensim fills the type up with null bytes.
    row = "*C\0\0\0\tStock[north]|Seen[north]/Share\t-12.25"
    report = f"The payoff is -12.25\r\nComponents\r\nType\tComponent\r\n{row}\r\n\r\nSources\r\n"
    (folder / "best.rep").write_bytes(report.encode())
    assert main(["study", str(folder)]) == 0
    text = (folder / "m.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)
    line = (MODEL + settings).count("\n", 0, (MODEL + settings).index("10:C")) + 1
    assert f'"best.out",  # m.mdl:{line}' in text
    assert found["study"] == {"changes": ["base.cin", "best.out"]}
    assert found["scenarios"] == {"more": {"changes": ["more.cin"]}}
    assert found["published"]["payoff"] == -12.25
    # Share, 2, is free in the search: the standard deviation is estimated.
    assert "sd" not in found["measurements"]["Seen[north]"]
    assert f"gone.vpd, which m.mdl:{line + 2} names" in capsys.readouterr().err
    (folder / "s.voc").write_text("0<=Rate[Region]=.2<=1\n", encoding="utf-8")
    assert main(["study", str(folder), "--force"]) == 0
    assert tomllib.loads((folder / "m.toml").read_text(encoding="utf-8"))["measurements"]["Seen[north]"]["sd"] == 0.5


def test_columns_beside_an_xmile_file_observe_variables_of_their_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_xmile(tmp_path, stock("Sick People", 5, ["f"]) + flow("f", "rate*Sick_People") + aux("rate", 0.1))
    (tmp_path / "seen.csv").write_text("\ufeffTime;sick people;rate;Beds\n0;5;1;2\n1;6;1;2\n", encoding="utf-8")
    assert main(["study", str(tmp_path)]) == 0
    text = path.with_suffix(".toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["measurements"] == {"sick people": {"column": "sick people", "outcome": "Sick People"}}
    assert "# seen.csv:1, --data seen.csv" in text
    assert "seen.csv: columns that are not called like a variable: Time, rate, Beds" in capsys.readouterr().err
    assert main(["doctor", str(path)]) == 0
