"""The benchmarks run, agree with each other and say what they leave out; no test looks at a time."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.agreement import Agreement, agreement, difference
from benchmarks.machine import machine, processor_flags
from benchmarks.measure import Task, Timing, interleaved
from benchmarks.models import SHIPPED_OUTCOMES, SHIPPED_PARAMETERS, subject, write_shipped
from benchmarks.page import BEGIN, END, PROCESSORS, write
from benchmarks.ratios import Comparison
from benchmarks.table import ratio_table

YARDSTICKS = Path(__file__).parents[3] / "shared" / "benchmarks"

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


@pytest.mark.skipif(not YARDSTICKS.is_dir(), reason="the yardsticks are not beside this checkout")
@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
@pytest.mark.skipif("avx2" not in processor_flags(), reason="this processor has no AVX2")
def test_one_command_compares_code_for_two_processors(tmp_path, capsys):
    pytest.importorskip("llvmlite")
    numbers, page = tmp_path / "numbers.json", tmp_path / "page.md"
    engines = ["llvm", "hand C -O3"]
    arguments = ["--model", "digi1", "--engine", *engines, "--yardsticks", str(YARDSTICKS), "--json", str(numbers)]
    assert main([*arguments, "--processor", "x86-64-v3", *TINY]) == 0
    assert "Compiled for x86-64-v3:" in capsys.readouterr().out
    record = json.loads(numbers.read_text())
    for models in (record["models"], record["processors"]["x86-64-v3"]):
        assert list(models["digi1"]["ensemble"]) == engines
    begin, end = PROCESSORS
    page.write_text(f"{BEGIN}\nresults\n{END}\n{begin}\nearlier\n{end}\nlast")
    record["processors"]["x86-64-v3"]["digi1"]["single"] = {
        "llvm": {"cpu_seconds_per_run": [2.0, 1.0, 1.0]},
        "hand C -O3": {"cpu_seconds_per_run": [1.0, 0.5, 0.9]},
    }
    write(record, page)
    text = page.read_text()
    assert text.startswith(f"{BEGIN}\nresults\n{END}\n{begin}")
    assert text.endswith(f"{end}\nlast")
    assert "earlier" not in text
    row = text.split("**Compiled for x86-64-v3")[1].split("| hand C -O3 |")[1].splitlines()[0]
    assert row.endswith(" **0.5x** (0.55) |")


def test_a_model_that_is_not_there_is_named(tmp_path, capsys):
    assert main(["--model", "world3", "digi1", "--yardsticks", str(tmp_path), *TINY, "fit"]) == 0
    shown = capsys.readouterr().out
    assert "name it with --world3" in shown
    assert "name it with --yardsticks" in shown
    assert "fit: left out" in shown


def test_the_shipped_model_is_written_with_regions_that_differ(shipped):
    assert shipped.labels[0] == (("R001",), ("R002",), ("R003",))
    assert shipped.series == 6 * 3 + 2
    assert shipped.draws(5).shape == (5, 20)
    np.testing.assert_array_equal(shipped.draws(5), shipped.draws(5))


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


def test_results_are_written_into_a_page(tmp_path):
    timing = {
        name: {"best": best} for name, best in (("llvm", 1e-6), ("pysimlin", 123.4e-6), ("PySD as released", 0.05))
    }
    record = {
        "machine": machine(),
        "versions": {"python": "3", "numpy": "2"},
        "models": {"digi1": {"ensemble": timing, "single": timing}},
        "extras": {"threads": {"title": "threads: two", "lines": ["1.9x"]}},
    }
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{BEGIN}\nearlier\n{END}\n\nlast")
    write(record, page)
    write(record, page)
    text = page.read_text()
    assert "| pysimlin | 123x (100) |" in text
    assert "| PySD as released | **50,000x** (100,000) |" in text
    assert "**Threads: two**\n\n* 1.9x" in text
    assert "earlier" not in text
    assert text.endswith("last")
    assert text.count("**Ensemble**") == 1
