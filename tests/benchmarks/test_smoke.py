"""The benchmarks run, agree with each other and say what they leave out; no test looks at a time."""

import importlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.agreement import Agreement, agreement, difference
from benchmarks.measure import Task, Timing, interleaved
from benchmarks.models import SHIPPED_OUTCOMES, SHIPPED_PARAMETERS, subject, write_shipped
from benchmarks.ratios import Comparison
from benchmarks.table import ratio_table

YARDSTICKS = Path(__file__).parents[3] / "shared" / "benchmarks"

# A benchmark as a page names it, and as another imports it.
NAMED = re.compile(r"python -m\s+benchmarks\.(\w+)")
IMPORTED = re.compile(r"(?:from|import) benchmarks(?:\.| import )(\w+)")

TINY = ["--rounds", "1", "--draws", "4", "--extra"]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    path = write_shipped(tmp_path_factory.mktemp("shipped") / "three.mdl", 3)
    return subject("regional_digital", path, SHIPPED_PARAMETERS, SHIPPED_OUTCOMES)


@pytest.mark.skipif(not YARDSTICKS.is_dir(), reason="the yardsticks are not beside this checkout")
@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_the_command_compares_with_hand_written_c(tmp_path, capsys):
    target = tmp_path / "numbers.json"
    engines = ["numpy", "hand C -O3"]
    arguments = ["--model", "digi1", "--engine", *engines, "--yardsticks", str(YARDSTICKS), "--json", str(target)]
    assert main([*arguments, *TINY]) == 0
    shown = capsys.readouterr().out
    assert "digi1: numpy against other engines" in shown
    found = json.loads(target.read_text())["models"]["digi1"]
    assert list(found["ensemble"]) == engines
    assert found["agreement"]["hand C -O3"]["difference"] < 1e-12
    assert len(found["single"]["numpy"]["cpu_seconds_per_run"]) == 1


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in (Path(__file__).parents[2] / "benchmarks").glob("[!_]*.py"))
)
def test_every_benchmark_finds_what_it_imports(name):
    importlib.import_module(f"benchmarks.{name}")


def test_every_benchmark_makes_a_figure_of_a_page():
    """It is a command that a page names, or one that is named imports it."""
    root = Path(__file__).parents[2]
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (root / "benchmarks").glob("*.py")}
    pages = [*root.glob("*.md"), *root.glob("docs/*.md")]
    named = {found for page in pages for found in NAMED.findall(page.read_text(encoding="utf-8"))} | {"__main__"}
    while more := {found for name in named & set(texts) for found in IMPORTED.findall(texts[name])} - named:
        named |= more
    assert set(texts) - named == {"__init__"}


def test_a_model_that_is_not_there_is_named(tmp_path, capsys):
    assert main(["--model", "world3", "digi1", "--yardsticks", str(tmp_path), *TINY, "fit"]) == 0
    shown = capsys.readouterr().out
    assert "name it with --world3" in shown
    assert "name it with --yardsticks" in shown
    assert "fit: left out" in shown


def test_tasks_take_turns_forwards_and_backwards():
    order = []
    tasks = {name: Task(lambda name=name: order.append(name)) for name in "ab"}
    timings = interleaved(tasks, 2)
    turns = [name for name, before in zip(order, [None, *order], strict=False) if name != before]
    # Warm-up, forwards, backwards.
    assert turns == ["a", "b", "a", "b", "a"]
    assert [len(item.cpu) for item in timings.values()] == [2, 2]


class Fixed:
    """An engine that always gives the same numbers."""

    def __init__(self, values):
        self.values = values

    def ensemble(self, draws):  # noqa: ARG002 - it always gives the same
        return self.values

    def series(self, result):
        return result


def test_engines_that_disagree_get_no_ratio(shipped):
    expected = np.ones((1, 2, 3))
    assert agreement(Fixed(expected + 1e-12), np.ones((1, 1)), expected).same
    wrong = agreement(Fixed(expected + 1e-6), np.ones((1, 1)), expected)
    assert not wrong.same
    comparison = Comparison(shipped)
    comparison.agreements = {"ours": Agreement(0, same=True), "theirs": wrong}
    comparison.single = {"ours": Timing(1, 1, [1.0], [1.0]), "theirs": Timing(1, 1, [2.0], [2.0])}
    comparison.ensemble = dict(comparison.single)
    assert comparison.ratio("single", "theirs", "ours") is None
    comparison.agreements["theirs"] = Agreement(0, same=True)
    assert comparison.ratio("single", "theirs", "ours") == 2
    assert "2x" in ratio_table(comparison, "ours")


def test_a_missing_value_is_a_difference():
    assert difference(np.array([[[np.nan]]]), np.ones((1, 1, 1))) == np.inf
    assert difference(np.zeros((1, 1, 2)), np.zeros((1, 1, 2))) == 0
