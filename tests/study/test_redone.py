"""A study is run again and compared with what was published: series, data, payoff, and the first that differs."""

import json
from pathlib import Path

import pytest

from pysd_runner.cli.application import main
from pysd_runner.study.redone import is_printed, redo

MODEL = """{UTF-8}
Rate = 0.5 ~~|
Seen :INTERPOLATE: ~~|
Growth = Rate * Stock ~~|
Stock = INTEG(Growth, 8) ~~|
Twice = 2 * Growth ~~|
Lost = GET DATA BETWEEN TIMES(Seen, Time + 9, 0) ~~|
Miss = -(Stock - Seen)^2 ~~|
INITIAL TIME = 0 ~~|
FINAL TIME = 2 ~~|
TIME STEP = 0.5 ~~|
SAVEPER = 0.5 ~~|
"""
# By hand: the stock grows by a quarter each half year; 8, 10, 12.5, 15.625, 19.53125.
SERIES = (
    "Time\t0\t0.5\t1\t1.5\t2\nStock\t8\t10\t12.5\t15.625\t19.5313\nGrowth\t4\t5\t6.25\t7.8125\t9.76563\n"
    "Twice\t8\t10\t12.5\t15.625\t19.5313\nSeen\t8\t20\t\t\t\nAbsent\t1\t1\t1\t1\t1\n"
)
FILES = {
    "m.mdl": MODEL,
    "data.tab": "Time\t0\t2\nSeen\t8\t20\n",
    "best.out": ":COMSYS Best payoff is {payoff}\n0 <= Rate = 0.5 <= 1\n",
    "best.tab": SERIES,
    "p.vpd": "*P\nMiss/1\n",
    "s.voc": "0<=Rate=.2<=1\n",
    "go.cmd": "SPECIAL>LOADMODEL|m.mdl\nSIMULATE>DATA|data.tab\nSIMULATE>PAYOFF|p.vpd\nSIMULATE>OPTPARM|s.voc\n"
    "SIMULATE>RUNNAME|best\nMENU>RUN_OPTIMIZE|o\nSIMULATE>READCIN|slow.cin\nSIMULATE>RUNNAME|Slow\nMENU>RUN|o\n",
    "slow.cin": "Rate = 0\n",
    "Slow.tab": "Time\t0\t1\t2\nStock\t8\t8\t8\nGrowth\t0\t0\t0\n",
}
# The data are 8, 11, 14, 17, 20 at the steps.
SUMMED = 0 + 1 + 1.5**2 + 1.375**2 + 0.46875**2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text.replace("{payoff}", f"{-SUMMED:.6g}"), encoding="utf-8")
    return tmp_path


def test_everything_published_is_met_and_the_sum_is_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # A place may be given twice.
    assert main(["study", "--check", str(folder / "m.mdl"), str(folder)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "3 of 3" in said
    assert "1 of 1" in said
    assert "not multiplied by the time step" in said
    assert "Absent" in said
    assert 'times = "step"' in (folder / "m.toml").read_text(encoding="utf-8")
    assert main(["study", "--check", str(folder / "m.toml"), "--lang", "zh"]) == 0
    assert "均得到重现" in capsys.readouterr().out


def test_the_cause_of_a_difference_is_named_before_its_effects(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worse = SERIES.replace("Twice\t8\t10\t12.5", "Twice\t8\t10\t13").replace("Growth\t4\t5\t6.25", "Growth\t4\t5\t6.5")
    (folder / "best.tab").write_text(worse, encoding="utf-8")
    page = folder / "page.html"
    assert main(["study", "--check", str(folder), "--json", "--out", str(page)]) == 3
    assert "2 series differ" in page.read_text(encoding="utf-8")
    assert page.read_text(encoding="utf-8").count("<svg") == 1
    record = json.loads(capsys.readouterr().out)["data"]
    base, slow = record["runs"]
    assert (base["equal"], base["series"], base["differing"]) == (1, 3, ["Growth", "Twice"])
    assert (slow["run"], slow["equal"], slow["series"]) == ("Slow", 2, 2)
    assert base["largest"] == pytest.approx(0.5 / 19.5313, rel=1e-4)
    (folder / "best.tab").write_text(SERIES, encoding="utf-8")
    (folder / "best.out").write_text(":COMSYS Best payoff is -3\n0 <= Rate = 0.5 <= 1\n", encoding="utf-8")
    assert main(["study", "--check", str(folder), "--force"]) == 3
    assert "Neither way" in capsys.readouterr().out


def test_squared_differences_count_at_points_only(folder: Path) -> None:
    (folder / "p.vpd").write_text("*C\nStock|Seen/2\n", encoding="utf-8")
    (folder / "best.out").write_text(f":COMSYS Best payoff is {-4 * 0.46875**2:.6g}\n", encoding="utf-8")
    assert main(["study", "--check", str(folder)]) == 0
    payoff = redo(folder / "m.mdl").payoff
    assert payoff is not None
    assert (payoff.computed, payoff.is_equal) == (pytest.approx(-0.87890625), True)


def test_nothing_published_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("best.tab", "best.out", "Slow.tab"):
        (folder / name).unlink()
    assert main(["study", "--check", str(folder)]) == 2
    assert "nothing published" in capsys.readouterr().err
    assert main(["study", "--check", str(folder / "other.toml")]) == 2


def test_digits_of_a_published_number_decide() -> None:
    assert is_printed(-63347.69, -63347.7)
    assert not is_printed(-63347.6, -63347.7)


def test_elements_of_published_series_may_stand_in_another_order(tmp_path: Path) -> None:
    text = MODEL.replace("Rate = 0.5 ~~|", "Rate = 0.5 ~~|\nA: x, y ~~|\nB: p, q ~~|\nBoth[A, B] = 1, 2; 3, 4; ~~|")
    (tmp_path / "m.mdl").write_text(text, encoding="utf-8")
    (tmp_path / "m.toml").write_text('schema = 2\n[published]\nseries = ["a.tab"]\n', encoding="utf-8")
    (tmp_path / "a.tab").write_text("field\tplace\t0\t1\nBoth[q]\tx\t2\t2\nBoth[x]\tp\t1\t1\n", encoding="utf-8")
    assert redo(tmp_path / "m.mdl").runs[0].equal == 2
