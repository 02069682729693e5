"""Files of studies are read item by item, each with its file and line, and nothing is dropped without a word."""

from pathlib import Path

import pytest

from pysd_runner.core.errors import InvalidInput
from pysd_runner.published.files import read_file
from pysd_runner.published.lines import Place, Target
from pysd_runner.published.runs import read_runs

CHANGES = """\
Contact Rate = 4 {a comment = 9}
"Share (of all), old"[north] = .5
Stock Start[north,young] = 3, 2, 7
Delay[Region]=2
Effect((0,0),(1,1.5),
   (2,2))
Other Effect([(0,0)-(4,9)],0,1,2, 10,20,30)
Data File :IS: 'mine.xlsx'
:C Contact Rate = 99
0 <= Duration = 1.5 <= 10
"Rate (r)"[a] = -1e-3
Rubbish here
FINAL TIME=60"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_changes_of_every_kind(tmp_path: Path) -> None:
    found = read_file(written(tmp_path, "a.cin", "\ufeff" + CHANGES))
    assert [(str(item.target), item.value, item.place.line) for item in found.entries] == [
        ("Contact Rate", (4.0,), 1),
        ("Share (of all), old[north]", (0.5,), 2),
        ("Stock Start[north, young]", (3.0, 2.0, 7.0), 3),
        ("Delay[Region]", (2.0,), 4),
        ("Effect", ((0.0, 0.0), (1.0, 1.5), (2.0, 2.0)), 5),
        ("Other Effect", ((0.0, 10.0), (1.0, 20.0), (2.0, 30.0)), 7),
        ("Data File", "mine.xlsx", 8),
        ("Duration", (1.5,), 10),
        ("Rate (r)[a]", (-0.001,), 11),
        ("FINAL TIME", (60.0,), 13),
    ]
    assert [str(item.place) for item in found.unread] == ["a.cin:12"]
    assert found.payoff is None


def test_the_result_of_a_search_is_a_change_file_with_its_payoff(tmp_path: Path) -> None:
    text = ":COMSYS After 12 simulations\n:COMSYS Best payoff is -1.5e+3\n:OPTIMIZER=Powell\n0 <= A[x] = .5  <= 1\n"
    found = read_file(written(tmp_path, "best.out", text))
    assert found.payoff == (-1500.0, Place("best.out", 2))
    assert [(item.target, item.value) for item in found.entries] == [
        (Target(name="A", subscripts=("x",)), (0.5,)),
    ]


@pytest.mark.parametrize("text", ["A = ", "A = x", "= 3", "A(1,2,3)", "A((1,2),3)", "A((1,2)", "0 <= A <= 1", "A"])
def test_a_line_that_is_no_change_is_listed(tmp_path: Path, text: str) -> None:
    found = read_file(written(tmp_path, "a.cin", f"B = 1\n{text}\n"))
    assert [item.text for item in found.unread] == [text.strip()]


def test_a_search_with_bounds_of_every_form(tmp_path: Path) -> None:
    text = (
        ":OPTIMIZER=Powell\n:MULT=Off\n:MULTIPLE_START=RRandom\n0<=A=.5<=1\n0 <= B[Region] <= Most B | .1\n"
        'C=2<=3\nLow C<=C=2\n0<="D <= (d)"=1\nE\n1<=F=x<=2\n'
    )
    found = read_file(written(tmp_path, "a.voc", text))
    assert [item.text for item in found.options] == [":OPTIMIZER=Powell", ":MULT=Off", ":MULTIPLE_START=RRandom"]
    assert [(str(item.target), item.lower, item.start, item.upper) for item in found.entries] == [
        ("A", 0.0, 0.5, 1.0),
        ("B[Region]", 0.0, None, Target(name="Most B")),
        ("C", None, 2.0, 3.0),
        ("C", Target(name="Low C"), 2.0, None),
        ("D <= (d)", 0.0, 1.0, None),
    ]
    assert [str(item.place) for item in found.unread] == ["a.voc:9", "a.voc:10"]


def test_a_payoff_with_types_letters_and_weights(tmp_path: Path) -> None:
    text = '*C\nPrey|Prey Data/2\n"Rate (a/b)"/.5\n*PF\nPrior[Elm]/-1\n*CL\nX|Y/Sd X\n*Z\nlost/1\n*P\nX\n'
    found = read_file(written(tmp_path, "a.vpd", text))
    read = [(i.kind, i.at, i.letters, str(i.variable), str(i.data), str(i.weight), i.place.line) for i in found.entries]
    assert read == [
        ("C", "steps", "", "Prey", "Prey Data", "2.0", 2),
        ("C", "steps", "", "Rate (a/b)", "Rate (a/b)", "0.5", 3),
        ("P", "end", "F", "Prior[Elm]", "None", "-1.0", 5),
        ("C", "steps", "L", "X", "Y", "Sd X", 7),
    ]
    assert [item.place.line for item in found.unread] == [8, 9, 11]


def test_a_script_says_which_files_belong_to_which_run(tmp_path: Path) -> None:
    text = """\
SPECIAL>LOADMODEL|m.mdl
SIMULATE>DATA|"a.vdf, b.tab"
SIMULATE>payoff|p.vpd
SIMULATE>optparm|s.voc
SIMULATE>READCIN|base.cin
SIMULATE>ADDCIN|more.cin
SIMULATE>RUNNAME|best
MENU>RUN_OPTIMIZE|o
SIMULATE>READCIN|other.cin
SIMULATE>SETVAL|A[x]=3
SIMULATE>RUNNAME|next
MENU>RUN|o
SIMULATE>WHATEVER|1
MENU>EXIT
"""
    first, second = read_runs(written(tmp_path, "a.cmd", text))
    assert (first.name, first.model, first.sets) == ("best", "m.mdl", ("a.vdf", "b.tab"))
    assert (first.changes, first.payoff, first.search, first.is_search) == (
        ("base.cin", "more.cin"),
        "p.vpd",
        "s.voc",
        True,
    )
    assert (second.name, second.changes, [item.text for item in second.values]) == ("next", ("other.cin",), ["A[x]=3"])


def test_a_control_file_names_a_base_and_scenarios(tmp_path: Path) -> None:
    text = """\
{"baserunname": "X1",
 "simsettings": {"model": "m.mdl", "data": ["a.vdf"], "payoff": "p.vpd", "optparm": "s.voc", "changes": ["b.cin"]},
 "basescens": ["Base.cin", "Low.cin"], "names": ["a.cin", "b"], "levers": ["A"]}"""
    found = read_runs(written(tmp_path, "c.json", text))
    assert [(item.name, item.changes, item.place.line) for item in found] == [
        ("X1", ("b.cin",), 2),
        ("Base", ("b.cin", "Base.cin"), 3),
        ("Low", ("b.cin", "Low.cin"), 3),
    ]
    for odd in ("not JSON", "[1]", '{"a": ', '{"simsettings": 3}'):
        assert read_runs(written(tmp_path, "notes.txt", odd)) == ()


def test_a_list_of_saved_variables(tmp_path: Path) -> None:
    found = read_file(written(tmp_path, "a.lst", "Stock\nRate[north]\n\n"))
    assert [(str(item.target), item.place.line) for item in found.entries] == [("Stock", 1), ("Rate[north]", 2)]


@pytest.mark.parametrize("ending", ["cin", "out", "voc", "vpd", "lst", "cmd", "json"])
def test_bad_files_are_refused_by_name(tmp_path: Path, ending: str) -> None:
    read = read_runs if ending in ("cmd", "json") else read_file
    with pytest.raises(InvalidInput, match=rf"none\.{ending}"):
        read(tmp_path / f"none.{ending}")
    (tmp_path / f"binary.{ending}").write_bytes(b"a\0b")
    with pytest.raises(InvalidInput, match="is no text file"):
        read(tmp_path / f"binary.{ending}")
    (tmp_path / f"old.{ending}").write_bytes(b"Dur\xe9e = 3\n")
    read(tmp_path / f"old.{ending}")
