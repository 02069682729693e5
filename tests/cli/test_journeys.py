"""Models of one's own with elements, dates and tables, by commands from the first to the last, in both languages."""

import itertools
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from pysd_runner import load_data, load_model, simulate
from pysd_runner.cli import main
from pysd_runner.simulation.run import constant_values, located
from pysd_runner.spec.fitted import load_fitted
from tests.cli.journeys import STORIES
from tests.english import left_in_english, names_of, visible

pytest.importorskip("llvmlite", reason="llvmlite cannot be loaded here, so no page that runs can be written")

MODEL = ("--model", "mine.mdl", "--data", "obs.csv")
FIT = (*MODEL, "--fit", "fit")


def commands(story):
    """Each command with the file or folder that it writes; every one but the fit in both languages."""
    free = ",".join(story.truth)
    lean = ("--starts", "1", "--without", "profiles")
    yield "calibrate obs.csv", ("--model", "mine.mdl", "--free", free, *lean), "fit", "zh"
    for lang in ("en", "zh"):
        yield "run a.yaml", (*FIT, "--draws", "8"), f"run_{lang}", lang
        yield "brief", ("--run", f"run_{lang}", "--format", "html"), f"brief_{lang}", lang
    yield "explore run_en", ("--draws", "2"), "en.html", "en"
    yield "optimise", (*FIT, "--draws", "4", "--starts", "1"), "best_zh", "zh"
    yield "attribute best_zh/optimised.yaml", (*FIT, "--draws", "2"), "parts_en", "en"


BENT = "Crowding((0,1),(0.5,0.7),(1,0),(2,-1))\nQuota = 15\n"


@pytest.fixture(scope="module", params=STORIES)
def journey(request, tmp_path_factory):
    """A story, and the folder in which it was gone through; what the screens said by the file that was written."""
    from calibration import reporting
    from pysd_runner.reports import results

    story, folder = STORIES[request.param], tmp_path_factory.mktemp(request.param)
    every, before = results.figure_jobs, Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reporting, "draw_fit", lambda *_, **__: iter(()))
        patch.setattr(results, "figure_jobs", lambda *given, **named: every(*given, **named)[:1])
        os.chdir(folder)
        try:
            story.write(folder)
            codes = {
                out: main([*command.split(), *options, "--out", out, "--lang", lang, "--quiet"])
                for command, options, out, lang in commands(story)
            }
        finally:
            os.chdir(before)
    assert {out for out, code in codes.items() if code not in (0, 3)} == set()
    return story, folder


def test_what_was_put_in_is_found(journey):
    story, folder = journey
    found = _estimates(folder / "fit")
    for name, value in story.truth.items():
        assert found[name] == pytest.approx(value, rel=0.2 if story.noise == 0 else 0.05)


def test_pages_open_with_numbers_of_the_results(journey):
    story, folder = journey
    record = json.loads((folder / "run_en" / "run.json").read_text(encoding="utf-8"))
    without, changed, sure = record["answer"]["en"]
    page = visible((folder / "brief_en" / "mine.html").read_text(encoding="utf-8"))
    assert all(item in page for item in (without, changed, sure))
    assert (folder / "run_en" / "summary.md").read_text(encoding="utf-8").count(without) == 1
    assert "Something else" in changed
    assert bool(re.search(r" on 20\d\d-\d\d-\d\d", without)) == bool(story.dates)


def test_chinese_has_no_english_left(journey):
    _, folder = journey
    model = load_model(folder / "mine.mdl")
    names = names_of(model, load_data(folder / "obs.csv"))
    elements = {item for items in model.ranges.values() for item in items}
    documented = {item.doc.strip().strip(".") for item in model.variables.values()}
    plain = {
        name for item in (*names, *elements, *documented, "mine", "obs") for name in (item, item.replace(",", ", "))
    }
    for out in ("fit", "run_zh", "brief_zh", "best_zh"):
        left = left_in_english(folder / out, {*plain, "Dmnl", "person", "inf"})
        assert left == {}, left
    label = yaml.safe_load((folder / "best_zh" / "optimised.yaml").read_text(encoding="utf-8"))["label"]
    assert label["zh"].startswith("优化：")


def test_the_page_that_runs_opens_on_what_is_there(journey):
    story, folder = journey
    text = (folder / "en.html").read_text(encoding="utf-8").partition('type="application/json">')[2]
    record = json.loads(text.partition("</script>")[0])
    known = {entry["name"].replace(", ", ",") for group in record["constants"] for entry in group["entries"]}
    assert {name.replace(", ", ",") for name in (*story.truth, *story.levers)} <= known
    assert np.isfinite([value for item in record["history"] for value in item["values"] if value is not None]).all()


def test_the_best_is_that_of_a_grid(journey):
    story, folder = journey
    model, fitted = load_model(folder / "mine.mdl"), _estimates(folder / "fit")
    chosen = _changes(folder / "best_zh" / "optimised.yaml")
    if story.about:
        assert list(chosen.values()) == [pytest.approx(story.about, rel=0.01)]
        return
    outcome, way = story.better
    sign = 1 if way == "higher" else -1

    def reached(point):
        values = {name: constant_values(model, name).copy() for name in changed}
        for name, value in zip(story.levers, point, strict=True):
            variable, position = located(model, name)
            values[variable][position] = value
        return sign * float(np.sum(simulate(model, {**fitted, **values}, outcomes=[outcome])[outcome][0, 0][..., -1]))

    changed = {name.partition("[")[0] for name in story.levers}
    limits = [model.variables[name.partition("[")[0]].limits[1] for name in story.levers]
    steps = [np.linspace(0, top, 11) for top in limits]
    points = [point for point in itertools.product(*steps) if story.budget is None or sum(point) <= story.budget]
    best = max(map(reached, points))
    size = abs(best - reached([0.0] * len(limits)))
    assert reached([chosen[name] for name in story.levers]) >= best - 0.02 * size


def test_a_table_is_changed_and_results_need_no_model_beside_them(gapsim, tmp_path):
    STORIES["fishery"].write(tmp_path)
    (tmp_path / "bent.cin").write_text(BENT, encoding="utf-8")
    gapsim("run", "bent.cin", *MODEL, "--out", "there/out", "--lang", "zh", code=0)
    for name in ("mine.mdl", "mine.toml", "obs.csv", "bent.cin"):
        (tmp_path / name).unlink()
    page = (tmp_path / "there" / "out" / "summary.md").read_text(encoding="utf-8")
    assert "(0.5, 0.7)" in page
    gapsim("brief", "--run", "there/out", "--format", "html", "--out", "pages", code=0)
    gapsim("explore", "there/out", "--draws", 1, "--out", "x.html", code=0)
    assert "bit by bit" in gapsim("run", "there/out/run.json", "--out", "again", code=0).out


def _estimates(path):
    found = load_fitted(path)
    return dict(zip(found.keys, found.estimates, strict=True))


def _changes(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))["changes"]
