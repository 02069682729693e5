"""Published studies are copied, redone by the commands and counted; the files stay as they are."""

import json
from pathlib import Path

from benchmarks import studies
from benchmarks.studies import Study, main, redone, table

MODEL = """{UTF-8}
R: x, y ~~|
Rate[R] = 0.5 ~~|
Seen ~~|
Stock[R] = INTEG(Rate[R] * Stock[R], 8) ~~|
First = Stock[x] ~~|
INITIAL TIME = 0 ~~|
FINAL TIME = 2 ~~|
TIME STEP = 1 ~~|
SAVEPER = 1 ~~|
"""
DECLARED = """schema = 2
[study]
sets = ["seen.dat"]
ranges = { R = ELEMENTS }
changes = ["estimates.cin"]
[measurements.Seen]
outcome = "First"
scale = "level"
errors = { family = "normal", memory = "independent" }
sd = 2.0
[published]
payoff = -1.25
series = ["base.tab"]
"""
# By hand: stocks 8, 16, 32 and 8, 8, 8; misses of 1 and 2 over a standard deviation of 2.
FILES = {
    "m/m.mdl": MODEL,
    "m/seen.dat": "Seen\n0 8\n1 17\n2 34\n",
    "m/base.tab": "Time\t0\t1\t2\nStock[x]\t8\t16\t32\nStock[y]\t8\t8\t8\n",
    "estimates.tab": "\trate\nx\t1\ny\t0\n",
}
STUDY = Study(
    name="small",
    repository="a/b",
    revision="",
    model="m/m.mdl",
    declared=DECLARED,
    table="estimates.tab",
    estimates={"Rate[{}]": "rate"},
)


def folder(path: Path, **changed: str) -> Path:
    (path / "m").mkdir(parents=True)
    for name, text in (FILES | changed).items():
        (path / name).write_text(text, encoding="utf-8")
    return path


def test_a_study_is_redone_from_a_copy(tmp_path, monkeypatch, capsys):
    place = folder(tmp_path / "b")
    before = {item: item.read_bytes() for item in place.rglob("*") if item.is_file()}
    monkeypatch.setattr(studies, "STUDIES", (STUDY,))
    main([str(tmp_path), "--json", str(tmp_path / "found.json")])
    assert "| small | -1.25, -1.25 | 2 of 2 | redone |" in capsys.readouterr().out
    (record,) = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert record["equal"]
    assert len(record["sha256"]) == 64
    assert {item: item.read_bytes() for item in place.rglob("*") if item.is_file()} == before


def test_what_differs_or_is_refused_is_said(tmp_path):
    other = {"m/base.tab": FILES["m/base.tab"].replace("16", "17"), "m/seen.dat": "Seen\n0 8\n1 8\n"}
    record = redone(folder(tmp_path / "one", **other), STUDY)
    assert list(table([record]))[2].endswith("| 1 of 2 | differs |")
    record = redone(folder(tmp_path / "two", **{"m/m.mdl": MODEL.replace("Rate[R] *", "Rates[R] *")}), STUDY)
    assert "Rates" in record["refused"]
    assert "not compared; the model is refused" in list(table([record]))[2]
