"""A model file is data: whatever its texts hold, nothing of them is executed and nothing reaches a file path."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import get_args
from xml.sax.saxutils import escape, quoteattr

import pytest

from pysd_runner.core.errors import GapsimError, InvalidModel
from pysd_runner.engine import Engine
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import CONTROL

ENGINES = [name for name in get_args(Engine) if name != "auto"]

# What the code in the texts would leave behind, in the working folder.
CANARY = "canary"
TOUCH = f"__import__('pathlib').Path('{CANARY}').touch()"

TEXTS = {
    "quote": '"',
    "single quote": "'",
    "three quotes": f'"""; {TOUCH}; """',
    "three single quotes": f"'''; {TOUCH}; '''",
    "closed call": f'"); {TOUCH}; ("',
    "closed single call": f"'); {TOUCH}; ('",
    "line breaks": f"a\n{TOUCH}\r\n{TOUCH}\r",
    "other line breaks": f"a\u2028{TOUCH}\x0c{TOUCH}\x1e{TOUCH}\x85{TOUCH}",
    "backslash": "\\",
    "escapes": f"\\x22\\n\\u0022\\N{{QUOTATION MARK}}; {TOUCH}; \\",
    "code": TOUCH,
    "braces": f"{{{TOUCH}}} {{0}} {{0.__class__}} %s %(a)s",
    "system": f"__import__('os').system('touch {CANARY}')",
    "shell": f"$(touch {CANARY}) `touch {CANARY}`; touch {CANARY} #",
    "path": f"../../{CANARY}",
    "whole path": "/" + CANARY,
    "device": "C:\\canary\\..\\con",
    "NUL": "a\0b",
    "right to left": "\u202eabc\u202c\u200f\ufeff",
    "not ASCII": "中文 变量 é𝒳🙂",
    "long": "x" * 100_000,
    "long and wide": "中 " * 20_000,
    "empty": "",
}
# Where long texts are tried; the translators read some of them character by character.
LONG = ("name", "unit", "comment", "element", "file", "group", "doc", "header", "model")
# PySD's own engine is slow; it gets what could be executed.
EXECUTABLE = [name for name, text in TEXTS.items() if CANARY in text or name == "backslash"]

VENSIM = {
    "name": '"{text}" = 2 ~~|\nb = "{text}" ~~|',
    "bare name": "a {text} = 2 ~~|\nb = 1 ~~|",
    "unit": "a = 2 ~ {text} ~ |",
    "limits": "a = 2 ~ Dmnl [{text},1] ~ |",
    "comment": "a = 2 ~ Dmnl ~ {text} |",
    "supplement": "a = 2 ~ Dmnl ~ comment ~ :{text} |",
    "range": '"{text}": A, B ~~|\nk["{text}"] = 1, 2 ~~|\na = SUM(k["{text}"!]) ~~|',
    "element": 'R: A, "{text}" ~~|\nk[R] = 1, 2 ~~|\na = SUM(k[R!]) + k["{text}"] ~~|',
    "bare element": "R: A, B{text} ~~|\nk[R] = 1, 2 ~~|\na = SUM(k[R!]) ~~|",
    "function": "a = F{text}(1) ~~|",
    "macro": ":MACRO: M{text}(x)\nM{text} = x ~~|\n:END OF MACRO:\na = M{text}(1) ~~|",
    "file": "a = GET DIRECT CONSTANTS('{text}', ',', 'A1') ~~|",
    "spreadsheet": "a = GET XLS CONSTANTS('{text}.xlsx', '{text}', '{text}') ~~|",
    "separator": "a = GET DIRECT CONSTANTS('here.csv', '{text}', 'A1') ~~|",
    "cell": "a = GET DIRECT CONSTANTS('here.csv', ',', '{text}') ~~|",
    "row": "f = GET DIRECT LOOKUPS('here.csv', ',', '{text}', 'A1') ~~|\na = f(1) ~~|",
    "list of elements": "R: GET DIRECT SUBSCRIPT('here.csv', ',', '{text}', 'A', '{text}') ~~|\nk[R] = 1 ~~|",
    "limits of a table": "f([({text},0)-(1,1)],(0,0),(1,1)) ~~|\na = f(1) ~~|",
    "points of a table": "f((0,0),(1,{text})) ~~|\na = f(1) ~~|",
    "table in an equation": "a = WITH LOOKUP(1, ([({text},0)-(1,1)],(0,0),(1,1))) ~~|",
    "number": "a = 1{text} ~~|",
    "group": "********************\n\t.{text}\n********************~\n\t\tgroup |\na = 2 ~~|",
}
SKETCH = """
\\\\\\---/// Sketch information
V300 ignored
*{text}
$192
10,1,{text},1,2,3,4,5,6,7
///---\\\\\\
:L<%^E!@
1:{text}
"""

XMILE = """<?xml version="1.0" encoding="utf-8"?>
<xmile version="1.0" xmlns="http://docs.oasis-open.org/xmile/ns/XMILE/v1.0">
<header><product>{header}</product><vendor>{header}</vendor><name>{header}</name></header>
<sim_specs time_units={time}><start>0</start><stop>1</stop><dt>1</dt></sim_specs>
<dimensions><dim name={range}><elem name="A"/><elem name={element}/></dim></dimensions>
<model name={model}><variables>
<aux name={name}><doc>{doc}</doc><eqn>{equation}</eqn><units>{unit}</units></aux>
<aux name="k"><dimensions><dim name={range}/></dimensions><eqn>1</eqn></aux>
<gf name="f"><xscale min="0" max="1"/><ypts sep={separator}>{points}</ypts></gf>
<stock name="s"><eqn>2</eqn><inflow>{inflow}</inflow></stock>
</variables><views><view name={model}><alias uid="1">{header}</alias></view></views></model></xmile>
"""
PLAIN = {
    "header": "test",
    "time": "Year",
    "range": "R",
    "element": "B",
    "model": "model",
    "name": "a",
    "doc": "comment",
    "equation": "2",
    "unit": "Dmnl",
    "separator": ",",
    "points": "0,1",
    "inflow": "a",
}
ATTRIBUTES = {"time", "range", "element", "model", "name", "separator"}


def xmile(**texts: str) -> str:
    """An XMILE file with some of its texts replaced; they are escaped."""
    found = {**PLAIN, **texts}
    if "name" in texts:
        found["inflow"] = f'"{texts["name"]}"'
    return XMILE.format_map(
        {place: quoteattr(text) if place in ATTRIBUTES else escape(text) for place, text in found.items()}
    )


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    """A folder to put a model in; the working folder, the temporary folder and the cache stand beside it."""
    for name in ("models", "working", "temporary", "cache"):
        (tmp_path / name).mkdir()
    (tmp_path / "cache").chmod(0o700)
    (tmp_path / "models" / "here.csv").write_text("1,2\n3,4\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "working")
    monkeypatch.setenv("GAPSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def files(folder: Path) -> set[str]:
    """Every file and folder but the entries of the cache, whose names are digests."""
    found = set()
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        kind, _, entry = name.removeprefix("cache/").partition("/")
        if not (name.startswith("cache/") and kind in ("ir", "object") and set(entry) <= set("0123456789abcdef")):
            found.add(name)
    return found


def assert_harmless(path: Path, folder: Path, engines) -> None:
    """Load and run a file on every engine: a result or one of our errors, and no trace of it anywhere."""
    before = files(folder), set(sys.modules), dict(os.environ)
    for engine in engines:
        with contextlib.suppress(GapsimError):
            run = simulate(load_model(path), engine=engine, throw=False)
            assert run.years.tolist() == [0, 1]
    assert files(folder) == before[0]
    for outside in (folder.parent, Path.home(), Path("/")):
        assert not (outside / CANARY).exists()
    assert dict(os.environ) == before[2]
    assert not {name for name in set(sys.modules) - before[1] if CANARY in name or name.startswith(("model", "gm"))}


def engines_for(text: str) -> list[str]:
    return ENGINES if text in EXECUTABLE else [name for name in ENGINES if name != "pysd"]


def pairs(places) -> list[tuple[str, str]]:
    """Places and texts to try there."""
    return [(place, text) for place in places for text in TEXTS if place in LONG or not text.startswith("long")]


@pytest.mark.parametrize(("place", "text"), pairs(VENSIM))
def test_texts_of_a_vensim_file(place, text, work):
    equations = VENSIM[place].replace("{text}", TEXTS[text])
    path = write(work / "models" / "model.mdl", "{UTF-8}\n" + equations + CONTROL.format(final=1, step=1, saveper=1))
    assert_harmless(path, work, engines_for(text))


@pytest.mark.parametrize("text", TEXTS)
def test_texts_of_a_sketch_and_an_encoding(text, work):
    controls = CONTROL.format(final=1, step=1, saveper=1)
    path = write(work / "models" / "model.mdl", "{UTF-8}\na = 1 ~~|" + controls + SKETCH.replace("{text}", TEXTS[text]))
    assert_harmless(path, work, engines_for(text))
    if text == "line breaks":  # the settings then have lines that mean nothing
        with pytest.raises(InvalidModel, match="settings that are not known here"):
            load_model(path)
    else:
        assert simulate(load_model(path))["a"][0, 0, 0] == 1
    write(path, "{" + TEXTS[text] + "}\na = 1 ~~|" + controls)
    assert_harmless(path, work, engines_for(text))


@pytest.mark.parametrize(("place", "text"), pairs(PLAIN))
def test_texts_of_an_xmile_file(place, text, work):
    path = write(work / "models" / "model.xmile", xmile(**{place: TEXTS[text]}))
    assert_harmless(path, work, engines_for(text))
    marker = "GOES HERE"
    path = write(work / "models" / "model.stmx", xmile(**{place: marker}).replace(marker, TEXTS[text]))
    assert_harmless(path, work, engines_for(text))


MARK = "Zanzibar"
EVERYWHERE = (
    f'"{MARK} R": {MARK} A, {MARK} B ~~|\n"{MARK} k"["{MARK} R"] = 1, 2 ~ {MARK} ~ {MARK} |\n'
    f"{MARK} f((0,0),(1,2)) ~ {MARK} ~ {MARK} |\n{MARK} s = INTEG({MARK} f(Time), 2) ~ {MARK} ~ {MARK} |\n"
    f"{MARK} d = DELAY FIXED({MARK} s, 1, 0) + SMOOTH3({MARK} s, 2) + RANDOM UNIFORM(0, 1, 7) ~~|\n"
    f'a = SUM("{MARK} k"["{MARK} R"!]) + {MARK} d ~~|'
)


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "pysd"])
def test_generated_code_holds_nothing_of_the_file(engine, work, monkeypatch):
    from pysd_runner.engine.numpy import target as numpy_target

    codes = []
    if engine == "llvm":
        programs = pytest.importorskip("pysd_runner.engine.llvm.programs")
        compile_code = programs.object_code
        monkeypatch.setattr(programs, "object_code", lambda text, at: codes.append(text) or compile_code(text, at))
    else:
        compile_model = numpy_target._compiled

        def compiled(*arguments):
            program = compile_model(*arguments)
            codes.append(program.text)
            return program

        monkeypatch.setattr(numpy_target, "_compiled", compiled)
    path = write(work / "models" / "model.mdl", "{UTF-8}\n" + EVERYWHERE + CONTROL.format(final=2, step=1, saveper=1))
    run = simulate(load_model(path), engine=engine)
    assert run["a"].shape == (1, 1, 3)
    assert codes
    assert not any(MARK.casefold() in code.casefold() for code in codes)
