"""The folder of results, called from Python as scripts do."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pysd_runner.core.errors import UnknownName
from pysd_runner.reports.document import Paragraph, Picture, TextTable
from pysd_runner.reports.figures import KINDS, figure_jobs
from pysd_runner.reports.replay import Inputs, is_record, replay
from pysd_runner.reports.results import CONTENTS, _losers, figure_count, save_summary, write_results


@pytest.fixture(scope="module")
def written(projection, panel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    steps, kept = [], []
    found = write_results(
        projection,
        folder,
        inputs=Inputs(panel=panel, source="part of china"),
        scenarios=["zoned_need"],
        progress=steps.append,
        finished=kept.append,
    )
    return found, steps, kept


def test_progress_counts_the_figures(written, projection):
    found, steps, _ = written
    assert sum(steps) == len(found.figures) == figure_count(projection, scenarios=["zoned_need"]) == 4


def test_what_an_interruption_may_leave_is_everything_but_figures_that_are_not_drawn(written):
    found, _, kept = written
    assert set(kept) == {path.name for path in found.folder.iterdir()}


def test_the_page_names_every_file_and_no_other(written):
    found, _, _ = written
    page = (found.folder / "summary.md").read_text(encoding="utf-8")
    named = {name for name in CONTENTS if f"`{name}`" in page}
    assert named == {path.name for path in found.folder.iterdir() if path.is_file()}


def test_the_page_can_be_written_in_the_other_language(written):
    found, _, _ = written
    english = (found.folder / "summary.md").read_text(encoding="utf-8")
    save_summary(found.folder, "zh", [Picture(f"figures/{name}.png", "图") for name in found.figures])
    chinese = (found.folder / "summary.md").read_text(encoding="utf-8")
    said = {name: english.partition(f"/{name}.png)\n\n")[2].split("\n")[0] for name in found.figures}
    save_summary(found.folder, "en", [Picture(f"figures/{name}.png", text) for name, text in said.items()])
    assert "## 图\n" in chinese
    assert chinese.count("\n## ") == english.count("\n## ")
    assert (found.folder / "summary.md").read_text(encoding="utf-8") == english


def test_tables_can_be_read_by_others(written):
    folder = written[0].folder
    losers = pd.read_csv(folder / "below_baseline.csv", dtype={"region": str})
    assert list(losers.columns) == ["region", "name_en", "name_zh", "zoned_need", "uniform_per_head"]
    assert len(losers) == 4


def _of_many(projection, count):
    """The same results for more regions, each of which loses in a share of the draws of its own."""
    heads = projection.data["output_per_head"]
    many = heads.isel(region=np.arange(count) % heads.sizes["region"]).copy(deep=True)
    codes = [f"R{place:02d}" for place in range(count)]
    names = ("region", [f"Region {place}" for place in range(count)])
    many = many.assign_coords(region=codes, name_en=names, name_zh=names)
    many[:] = 1.0
    draws = many.sizes["draw"]
    for place in range(count):
        many.loc[{"scenario": "zoned_need", "region": codes[place]}][{"draw": slice(0, place % (draws + 1))}] = 0.9
    return dataclasses.replace(projection, data=many.to_dataset(name="output_per_head"))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_of_many_regions_the_page_shows_those_that_lose_and_names_the_file_of_all(projection, lang):
    found = {type(part): part for part in _losers(_of_many(projection, 60), None, ["R06", "Region 12"], lang)}
    shares = {row[0]: row[1] for row in found[TextTable].rows}
    # Of five draws all lose in ten regions and four in as many; two are asked for.
    assert len(shares) == 20
    assert shares["Region 6"] == shares["Region 12"] == "0 %"
    others = [int(share.split()[0]) for name, share in shares.items() if name not in {"Region 6", "Region 12"}]
    assert sorted(others) == [80] * 8 + [100] * 10
    assert "`below_baseline.csv`" in found[Paragraph].text
    assert "60" in found[Paragraph].text


def test_fifty_regions_are_all_in_the_table(projection):
    found = {type(part): part for part in _losers(_of_many(projection, 50), None, [], "en")}
    assert len(found[TextTable].rows) == 50
    assert Paragraph not in found


def test_regions_asked_for_have_an_overlay_of_mixes_of_their_own(projection):
    names = [name for name, _ in figure_jobs(projection, regions=["Gansu", "110000"])]
    assert names[:3] == ["mixes_nation", "mixes_gansu", "mixes_beijing"]


def test_it_replays(written):
    record = written[0].folder / "run.json"
    assert is_record(record)
    found = replay(record)
    assert found.is_identical
    assert found.changed == ()


def test_kinds_and_scenarios_of_figures(projection):
    names = [name for name, _ in figure_jobs(projection, kinds=["gaps", "classes"])]
    assert names == ["gaps_zoned_need", "gaps_uniform_per_head", "classes_zoned_need", "classes_uniform_per_head"]
    with pytest.raises(UnknownName, match="no figure is of kind 'maps'"):
        figure_jobs(projection, kinds=["maps"])
    with pytest.raises(UnknownName, match="Did you mean 'zoned_need'"):
        figure_jobs(projection, scenarios=["zoned_ned"])
    usual = [name.partition("_")[0] for name, _ in figure_jobs(projection)]
    assert [name for name in usual if name in KINDS or name == "output"] == usual
    assert {"mixes", "differences", "classes", "tiles"} <= set(usual)
    assert not set(KINDS) - {"differences", *projection.design.figures} & set(usual)


def test_a_gap_takes_two(projection):
    alone = dataclasses.replace(projection, data=projection.data.isel(region=[0]).isel({"class": [0]}))
    assert {name.partition("_")[0] for name, _ in figure_jobs(alone)} <= {"mixes", "differences"}


def test_output_is_compared_with_the_baseline_in_per_cent(projection):
    draw = dict(figure_jobs(projection, kinds=["differences"]))["differences_national_output"]
    data = draw(lang="en").data
    shown = data[(data["scenario"] == "zoned_need") & (data["year"] == 2028)]
    total = projection.data["output"].sel(year=2028).sum("region")
    share = 100 * (total.sel(scenario="zoned_need") / total.sel(scenario="baseline") - 1)
    expected = float(np.median(share))
    assert any(np.isclose(value, expected, rtol=1e-9) for value in shown.select_dtypes("number").to_numpy().ravel())


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"settings": 1}', "not json"])
def test_other_files_are_no_records(tmp_path, content):
    path = tmp_path / "file.json"
    path.write_text(content)
    assert not is_record(path)
    assert not is_record(tmp_path / "nosuch.json")
    assert not is_record("zoned_need")
