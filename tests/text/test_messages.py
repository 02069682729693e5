"""Every message of the source has its Chinese, by its template."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

import calibration
import pysd_runner
from pysd_runner.cli import application as usage
from pysd_runner.core.errors import CalibrationFailed, GapsimError, InvalidInput, InvalidModel, Message, joined, suggest
from pysd_runner.core.findings import Finding
from pysd_runner.core.parallel import WorkerLost
from pysd_runner.scenarios.document import InvalidScenarioFile
from pysd_runner.text import said, templates
from tests.english import blanks

ROOT = Path(pysd_runner.__file__).parents[1]
CHINESE = templates("zh")
ERRORS = frozenset(
    {"CalibrationFailed", "GapsimError", "InvalidInput", "InvalidModel", "InvalidPanel", "InvalidScenario"}
    | {"SimulationFailed", "UnknownName", "UnsupportedFeature", "WorkerLost"}
)
# Messages without Chinese, by package: of model files, of the engine and its runs, and of a library that is called
# from Python. There shall not be more of them.
LEFT_OUT = {
    "pysd_runner/checks": 9,
    "pysd_runner/engine": 228,
    "pysd_runner/ensemble": 55,
    "pysd_runner/indicators": 23,
    "pysd_runner/model.py": 9,
    "pysd_runner/simulation": 14,
    "pysd_runner/spec": 26,
    "pysd_runner/text": 2,
    "calibration/filtering": 6,
    "calibration/optimisers": 6,
    "calibration/sdeval": 44,
}
# Names of files, options and keys stay, and so do formats and examples.
NAMES = re.compile(
    r"""[\w.]*\{\w+\}[\w.]*|`[^`]+`|'[^']*'|"[^"]*"|\([a-z, ]+\)|\[[a-z, ]+\]|--[\w-]+|\w+=\w*|R-hat"""
    r"""|\b\w*[A-Z]{2,}\w*\b|[\w.\[\]]*[_.=:/]\w[\w.]*|\b(xarray|netCDF|xlsx|Python|NumPy|gapsim|dask)\b|\w+://\S+"""
)


# Texts from elsewhere: what the operating system says of files, and the reader of records of values.
OF_OTHERS = (
    *("Permission denied", "No such file or directory", "No space left on device", "Is a directory", "Not a directory"),
    *("File exists", "Read-only file system", "File name too long", "Too many open files"),
    *("a valid integer", "a valid number", "a valid string", "a valid boolean", "a valid list", "a valid dictionary"),
    # Words that are kept as they are, and blocks of the shipped model.
    *("lower", "upper", "fit"),
    *("Access", "Skills", "Application", "Output"),
)


# Headings of files and words that stand in them, and names of makers.
WORDS = frozenset(
    {"date", "day", "false", "geo", "month", "output", "percent", "population", "region", "sheet", "time", "true"}
    | {"utf", "value", "variable", "year", "Code", "Country", "Indicator", "Name"}
    | {"Debian", "Eurostat", "Fedora", "Ubuntu", "forecasters"}
)


@cache
def source_calls():
    """Each call in the source, with the module it stands in."""
    return [
        (path.relative_to(ROOT), node)
        for package in (pysd_runner, calibration)
        for path in sorted(Path(package.__file__).parent.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]


def calls():
    """Each call that makes an error or a message, with the module it stands in."""
    names = ERRORS | {"Message"}
    return [(path, node) for path, node in source_calls() if getattr(node.func, "id", "") in names and node.args]


def template(call):
    """The template of a call, where it is written down."""
    given = call.args[0]
    return given.value if isinstance(given, ast.Constant) else None


def english():
    """All templates that are written down."""
    return {text for _, call in calls() if (text := template(call))}


def separators():
    """What stands between joined messages."""
    joins = [node for _, node in source_calls() if getattr(node.func, "id", "") == "joined"]
    return {node.args[1].value for node in joins if isinstance(node.args[-1], ast.Constant)}


def test_messages_are_found():
    assert len(english()) > 700


def test_every_message_has_its_chinese():
    """Those of a few packages have none yet; texts that are passed on have their own."""
    missing = Counter()
    for path, call in calls():
        if isinstance(call.args[0], ast.Constant | ast.JoinedStr | ast.BinOp) and template(call) not in CHINESE:
            package = "/".join(path.parts[:2])
            missing[package if package in LEFT_OUT else f"{path}:{call.lineno}"] += 1
    assert {place: count for place, count in missing.items() if count > LEFT_OUT.get(place, 0)} == {}
    assert set(LEFT_OUT) <= set(missing)


def test_every_chinese_text_is_that_of_a_message():
    assert set(CHINESE) - english() - separators() - set(OF_OTHERS) - set(usage.TEMPLATES) == set()


def test_every_chinese_text_has_the_blanks_of_the_english_and_is_in_chinese():
    for text, told in CHINESE.items():
        latin = re.findall("[a-z]", NAMES.sub("", text))
        assert blanks(told) <= blanks(text), text
        assert re.search(r"[\u3000-\u9fff\uff00-\uffef]", told) or not latin, text
        assert set(re.findall(r"[A-Za-z]{3,}", NAMES.sub("", told))) <= WORDS, text


def test_every_blank_is_filled():
    wrong = [
        (str(path), call.lineno)
        for path, call in calls()
        if call.keywords
        and template(call)
        and not {item.arg for item in call.keywords} - {None} <= blanks(template(call))
    ]
    assert wrong == []


def test_an_error_is_said_with_what_it_quotes():
    inner = InvalidInput("{where}: {said}", where="a.csv", said=Message("out of range"))
    error = InvalidModel("{path}: {error}", path="m.mdl", error=inner)
    assert str(error) == "m.mdl: a.csv: out of range"
    assert said(error, "en") == str(error)
    assert said(error, "zh") == said(Message("{path}: {error}", path="m.mdl", error=inner), "zh")
    assert "超出范围" in said(error, "zh")


def test_forms_are_those_of_english():
    error = GapsimError("{name!r} is {value:.2f}; {{no blank}}", name="x", value=1)
    assert str(error) == "'x' is 1.00; {no blank}"
    assert str(GapsimError("{no blank} without values")) == "{no blank} without values"


def test_what_is_no_message_stays():
    assert said("something else entirely: 3 of it", "zh") == "something else entirely: 3 of it"
    assert said("skills", "zh", {"skills": "技能"}) == "技能"
    assert said(Message("no: {name}", name="skills"), "zh", {"skills": "技能"}) == "no: 技能"


@pytest.mark.parametrize("kind", [CalibrationFailed, InvalidInput, WorkerLost])
def test_errors_and_messages_survive_pickling_and_copying(kind):
    import copy
    import pickle

    error = kind("{where}: {said}", where="a", said=Message("out of range"))
    for other in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):  # noqa: S301 - our own bytes
        assert said(other, "zh") == said(error, "zh") != str(error) == str(other)


def test_a_name_that_may_have_been_meant_comes_last():
    text = Message(
        "no scenario is called {name!r}; shipped: {known}; or give a file.{suggestion}",
        name="basline",
        known="baseline",
        suggestion=suggest("basline", ["baseline"]),
    )
    assert text.endswith("file. Did you mean 'baseline'?")
    assert said(text, "zh").endswith("。是否指 'baseline'？")


def test_several_problems_stand_one_a_line():
    one = Finding(
        "range",
        Message("out of range"),
        where="a.yaml",
        row=3,
        column="policy.mix",
        remedy=suggest("acess", ["access"]),
    )
    other = Finding("empty", Message("empty"), where="a.yaml", row=4, expected=Message("a text"))
    error = InvalidScenarioFile([one, other])
    assert str(error) == (
        "2 problems:\n  a.yaml:3: policy.mix: out of range. Did you mean 'access'?\n  a.yaml:4: empty; expected a text."
    )
    assert said(error, "zh") == (
        "共 2 个问题：\n  a.yaml:3：policy.mix：超出范围。是否指 'access'？\n  a.yaml:4：为空；应为：文字。"
    )
    assert said(joined(["a", "b"], "; "), "zh") == "a；b"
