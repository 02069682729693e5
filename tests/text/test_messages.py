"""Every message of the source has its Chinese, by its template."""

import ast
import re
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from typing import get_args

import pytest

import calibration
import gapsim
import pysd_runner
from calibration.optimisers.objective import SearchOutcome
from pysd_runner.checks.declarations import Relation
from pysd_runner.cli import command, main
from pysd_runner.core.errors import CalibrationFailed, GapsimError, InvalidInput, InvalidModel, Message, joined, suggest
from pysd_runner.core.findings import Finding
from pysd_runner.core.parallel import WorkerLost
from pysd_runner.scenarios.document import InvalidScenarioFile
from pysd_runner.text import templates, translated
from tests.cli.test_help import COMMANDS
from tests.english import NAMES, blanks, latin

ROOT = Path(pysd_runner.__file__).parents[1]
CHINESE = templates("zh")
ERRORS = frozenset(
    {"CalibrationFailed", "GapsimError", "InvalidInput", "InvalidModel", "InvalidPanel", "InvalidScenario"}
    | {"SimulationFailed", "UnknownName", "UnsupportedFeature", "WorkerLost"}
)
PHRASE = re.compile("[a-z]{2,} +[a-z]{2,}")
# Texts from elsewhere: what the operating system says of files, and the reader of records of values.
OF_OTHERS = (
    *("Permission denied", "No such file or directory", "No space left on device", "Is a directory", "Not a directory"),
    *("File exists", "Read-only file system", "File name too long", "Too many open files"),
    # Words that are kept as they are, and blocks of the shipped model.
    *(
        "lower",
        "upper",
        "fit",
        "declarations",
        "macro",
        "range",
        "regions",
        "row",
        "rows",
        "series",
        "Person",
        "None",
        "True",
        "False",
    ),
    *("elements", "equations", "auxiliary", "stock", "lookup", "initial", "control", "memory", "pipe"),
    *("a text in single quotes", "+ or -", "* or /", "a comparison", "the end"),
    *("Access", "Skills", "Application", "Output"),
    # What the declarations of the shipped panel say.
    "31 provincial-level units of mainland China in the statistics, 2000-2024; statistical units, not a statement on "
    "borders",
    # What an experiment expects and where, and how a search ended.
    *(f"expected {item}" for item in get_args(Relation)),
    *("others", "pulsed", "mean", "error"),
    *(item.word for item in SearchOutcome),
)


@cache
def modules():
    """Each module of the source, parsed."""
    return {
        path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8"))
        for package in (pysd_runner, calibration, gapsim)
        for path in sorted(Path(package.__file__).parent.rglob("*.py"))
    }


def calls_in(tree):
    """Each call below a node."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


@cache
def source_calls():
    """Each call in the source, with the module it stands in."""
    return [(path, node) for path, tree in modules().items() for node in calls_in(tree)]


def is_message(call):
    """Whether a call makes an error or a message."""
    made = ast.unparse(call.func) if name_of(call) == "__init__" else getattr(call.func, "id", "")
    return bool(call.args) and made in {*ERRORS, "Message", "super().__init__"}


def calls():
    """Each call that makes an error or a message, with the module it stands in."""
    return [(path, node) for path, node in source_calls() if is_message(node)]


def name_of(call):
    """Name of what is called, without that of the object it belongs to."""
    return getattr(call.func, "id", "") or getattr(call.func, "attr", "")


def assigned(name, nodes):
    """What is assigned to a name."""
    found = [node for node in nodes if isinstance(node, ast.Assign)]
    return [node.value for node in found if name in [getattr(target, "id", "") for target in node.targets]]


def handed(name, function, tree):
    """What a parameter of a function is at the calls in its module."""
    names = [item.arg for item in function.args.args if item.arg != "self"]
    found = [call for call in calls_in(tree) if name_of(call) == function.name != "__init__"] if name in names else []
    return [call.args[names.index(name)] for call in found if len(call.args) > names.index(name)]


def texts(value, function, tree, seen=frozenset()):
    """Plain texts that a value in a function may be, where they are written down in its module."""
    match value:
        case ast.Constant(str(text)):
            return [text]
        case ast.JoinedStr():
            return ["".join(part.value if isinstance(part, ast.Constant) else "{}" for part in value.values)]
        case ast.IfExp():
            parts = [value.body, value.orelse]
        case ast.BoolOp():
            parts = value.values
        case ast.BinOp():
            parts = [value.left, value.right]
        case ast.Subscript(value=ast.Dict() | ast.Name()):
            return texts(value.value, function, tree, seen)
        case ast.Dict():
            parts = value.values
        case ast.Name(id=name) if name not in seen:
            seen |= {name}
            known = assigned(name, ast.walk(function)) + handed(name, function, tree)
            parts = known or assigned(name, tree.body)
        case _:
            return []
    return [text for part in parts for text in texts(part, function, tree, seen)]


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


@cache
def helped():
    """Texts of the help of every command."""
    found = set()

    def note(text, lang):
        found.add(text.template)
        return "".join(note(part, lang) for part in text.values.values() if isinstance(part, Message)) or translated(
            text, lang
        )

    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()):
        patch.setattr(command, "translated", note)
        for name in ("", *COMMANDS):
            main([*name.split(), "--lang", "zh", "--help"])
    return found


def test_messages_are_found():
    assert len(english()) > 700


def test_every_message_has_its_chinese():
    """But the empty one; texts that are passed on have their own."""
    assert [
        f"{path}:{call.lineno}"
        for path, call in calls()
        if isinstance(call.args[0], ast.Constant | ast.JoinedStr | ast.BinOp) and template(call) not in {"", *CHINESE}
    ] == []


def test_every_phrase_that_a_message_quotes_is_a_message():
    """Texts of one word may be names; longer ones are read, so they have to be translated with what quotes them."""
    quoted = [
        (path, call, text)
        for path, tree in modules().items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for call in calls_in(function)
        if is_message(call) or (ast.unparse(call.func) == "warnings.warn" and "Deprecation" not in ast.unparse(call))
        for value in [*call.args, *(item.value for item in call.keywords)]
        if value is not call.args[0] or not isinstance(value, ast.Constant)
        for text in texts(value, function, tree)
    ]
    assert {
        f"{path}:{call.lineno}: {text}" for path, call, text in quoted if PHRASE.search(NAMES.sub("", text))
    } == set()


def test_every_chinese_text_is_that_of_a_message():
    assert set(CHINESE) - english() - separators() - set(OF_OTHERS) - set(command.TEMPLATES) - helped() == set()


def test_help_is_in_chinese():
    """But for names, and for examples."""
    left = {text for text in helped() - set(CHINESE) if not text.startswith("gapsim ")}
    assert {text for text in left if re.search("[a-z] ", NAMES.sub("", text))} == set()


def test_every_chinese_text_has_the_blanks_of_the_english_and_is_in_chinese():
    for text, told in CHINESE.items():
        letters = re.findall("[a-z]", NAMES.sub("", text))
        assert blanks(told) <= blanks(text), text
        assert re.search(r"[\u3000-\u9fff\uff00-\uffef]", told) or not letters, text
        assert not latin(told), text


def test_every_blank_is_filled():
    wrong = [
        (str(path), call.lineno)
        for path, call in calls()
        if call.keywords
        and template(call)
        and not {item.arg for item in call.keywords} - {None, "among"} <= blanks(template(call))
    ]
    assert wrong == []


def test_an_error_is_said_with_what_it_quotes():
    inner = InvalidInput("{where}: {said}", where="a.csv", said=Message("out of range"))
    error = InvalidModel("{path}: {error}", path="m.mdl", error=inner)
    assert str(error) == "m.mdl: a.csv: out of range"
    assert translated(error, "en") == str(error)
    assert translated(error, "zh") == translated(Message("{path}: {error}", path="m.mdl", error=inner), "zh")
    assert "超出范围" in translated(error, "zh")


def test_forms_are_those_of_english():
    error = GapsimError("{name!r} is {value:.2f}; {{no blank}}", name="x", value=1)
    assert str(error) == "'x' is 1.00; {no blank}"
    assert str(GapsimError("{no blank} without values")) == "{no blank} without values"


def test_what_is_no_message_stays():
    assert translated("something else entirely: 3 of it", "zh") == "something else entirely: 3 of it"
    assert translated("skills", "zh", {"skills": "技能"}) == "技能"
    assert translated(Message("no: {name}", name="skills"), "zh", {"skills": "技能"}) == "no: 技能"


@pytest.mark.parametrize("kind", [CalibrationFailed, InvalidInput, WorkerLost])
def test_errors_and_messages_survive_pickling_and_copying(kind):
    import copy
    import pickle

    error = kind("{where}: {said}", where="a", said=Message("out of range"))
    for other in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):  # noqa: S301 - our own bytes
        assert translated(other, "zh") == translated(error, "zh") != str(error) == str(other)


def test_a_name_that_may_have_been_meant_comes_last():
    text = Message(
        "no scenario is called {name!r}; shipped: {known}; or give a file.{suggestion}",
        name="basline",
        known="baseline",
        suggestion=suggest("basline", ["baseline"]),
    )
    assert text.endswith("file. Did you mean 'baseline'?")
    assert translated(text, "zh").endswith("。是否指 'baseline'？")


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
    assert translated(error, "zh") == (
        "共 2 个问题：\n  a.yaml:3：policy.mix：超出范围。是否指 'access'？\n  a.yaml:4：为空；应为：文字。"
    )
    assert translated(joined(["a", "b"], "; "), "zh") == "a；b"
