"""What regions add is a value of the design: outside `data` and `spec` nothing asks what kind of data there is."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Names that ask for the kind, attributes that are empty for all but regions, and rooms that may ask.
KIND = {"is_panel", "is_regional", "binds", "region_range"}
EMPTY = {"codes", "regions", "entity", "bindings"}
MAY = {"data", "spec"}
# What is left, and why a loop over a field would not do.
LEFT = {
    "gapsim/policy.py": "levers and outcomes named in a call are refused where policies of scenario files set them",
    "pysd_runner/cli/explore.py": "the two pages of stored results take other parts of a record",
    "pysd_runner/study/projection.py": "a policy is refused in one sentence, not by each setting that has no variable",
    "pysd_runner/scenarios/load.py": "a file without `changes` is refused in the words of the scenarios of its model",
}
FILES = sorted(
    path
    for room in ("gapsim", "pysd_runner", "calibration")
    for path in (ROOT / room).rglob("*.py")
    if not MAY & set(path.relative_to(ROOT).parts)
)


def asks(node: ast.AST) -> bool:
    """Whether a node asks what kind of data or model there is."""
    if isinstance(node, ast.Attribute | ast.Name):
        return getattr(node, "attr", getattr(node, "id", "")) in KIND
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        words = {item.value for item in sides if isinstance(item, ast.Constant)}
        names = {getattr(item, "attr", getattr(item, "id", "")) for item in sides}
        fields = [
            item for item in sides if isinstance(item, ast.Attribute) and ast.unparse(item.value).endswith("design")
        ]
        return bool(fields and words) or bool(words & {"year", "region"} and names & {"axis", "entity", "clock"})
    tests = [node.test] if isinstance(node, ast.If | ast.IfExp | ast.While) else []
    tests += node.values if isinstance(node, ast.BoolOp) else []
    is_default = isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or)
    tests += [node.operand] if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) else []
    return any(
        isinstance(item, ast.Attribute)
        # `design.source or None` is a default, not a question.
        and (item.attr in EMPTY or (ast.unparse(item.value).endswith("design") and not is_default))
        # `policy.regions` are targets of a policy, not regions of the data.
        and ast.unparse(item.value) != "policy"
        for item in tests
    )


def found(text: str) -> list[int]:
    return [node.lineno for node in ast.walk(ast.parse(text)) if asks(node)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    ["if model.design.entity: pass", "x = 1 if data.is_panel else 2", "future.axis == 'year'", "a = not fit.regions"],
)
def test_a_question_for_the_kind_is_found(text: str) -> None:
    assert found(text) == [1]


def test_nothing_asks_what_kind_of_data_there_is() -> None:
    told = {path.relative_to(ROOT).as_posix(): found(path.read_text(encoding="utf-8")) for path in FILES}
    assert {name: lines for name, lines in told.items() if lines}.keys() == LEFT.keys()
