"""The summary table, checked with plain loops."""

import subprocess
import sys

import numpy as np
import pytest

from pysd_runner.errors import InvalidInput, UnknownName
from pysd_runner.export import below_baseline_markdown, summary_markdown, summary_table, summary_text
from tests.indicators import twins


@pytest.fixture(scope="module")
def summary(panel):
    return summary_table(*panel)


def plain(panel, scenario, year=-1):
    """Output and population by draw, as nested lists."""
    output, people = panel
    place = output["scenario"].to_numpy().tolist().index(scenario)
    return output.to_numpy()[place, :, :, year].tolist(), people.to_numpy()[place, :, :, year].tolist()


def leader_gap(output, people):
    heads = [y / p for y, p in zip(output, people, strict=True)]
    return 1 - sum(output) / sum(people) / max(heads)


def test_gap_closed_output_and_theil_draw_by_draw(summary, panel):
    policy, baseline = plain(panel, "zoned_need"), plain(panel, "baseline")
    pairs = list(zip(*policy, *baseline, strict=True))
    closed = [100 * (leader_gap(y0, p0) - leader_gap(y1, p1)) for y1, p1, y0, p0 in pairs]
    theil = [twins.theil(y1, p1) - twins.theil(y0, p0) for y1, p1, y0, p0 in pairs]
    output = [100 * (sum(y1) / sum(y0) - 1) for y1, p1, y0, p0 in pairs]
    row = summary.frame.loc["zoned_need"]
    for name, values in (("gap_closed", closed), ("theil_change", theil), ("output_change", output)):
        for key, level in (("p05", 0.05), ("p50", 0.5), ("p95", 0.95)):
            assert row[f"{name}_{key}"] == pytest.approx(np.quantile(values, level), abs=1e-10)
    assert row["probability_gap_below"] == pytest.approx(np.mean([value > 0 for value in closed]))


def test_gap_falls_compares_with_the_first_year(summary, panel):
    last, first = plain(panel, "baseline"), plain(panel, "baseline", 0)
    falls = [leader_gap(*a) < leader_gap(*b) for a, b in zip(zip(*last), zip(*first), strict=True)]  # noqa: B905
    assert summary.frame.loc["baseline", "probability_gap_falls"] == pytest.approx(np.mean(falls))


def test_losers_by_region(summary, panel):
    output, people = panel
    heads = (output / people).isel(year=-1)
    below = (heads.sel(scenario="uniform") < heads.sel(scenario="baseline")).mean("draw")
    np.testing.assert_allclose(summary.below_baseline.loc["uniform"], below)
    assert summary.frame.loc["uniform", "regions_likely_below"] == (below > 0.5).sum()
    assert summary.below_baseline.loc["baseline"].isna().all()


def test_the_baseline_comes_first_and_is_compared_with_nothing(summary):
    assert summary.frame.index.tolist() == ["baseline", "uniform", "zoned_need", "integration"]
    row = summary.frame.loc["baseline"]
    assert np.isnan(row["gap_closed_p50"])
    assert np.isnan(row["regions_likely_below"])
    assert np.isfinite(row["probability_gap_falls"])
    assert (summary.year, summary.start, summary.draws, summary.failed) == (2035, 2024, 25, 0)


def test_classes_behind_the_leader_widest_first(panel, summary, futures):
    gaps = futures["class_gap"].sel(scenario="baseline", year=2035).median("draw").to_series()
    expected = [name for name in gaps.sort_values(ascending=False).index if gaps[name] > 0]
    found = [c.split(":")[1].removesuffix("_p50") for c in summary.frame if c.startswith("class") and c.endswith("p50")]
    assert found == expected
    chosen = summary_table(*panel, classes=["Central"])
    assert [c for c in chosen.frame if c.startswith("class")] == [
        f"class_gap_closed:Central_{key}" for key in ("p05", "p50", "p95")
    ]
    change = 100 * (futures["class_gap"].sel(scenario="baseline") - futures["class_gap"].sel(scenario="uniform"))
    expected_change = change.sel({"class": "Central", "year": 2035}).median()
    assert chosen.frame.loc["uniform", "class_gap_closed:Central_p50"] == pytest.approx(float(expected_change))


def test_an_earlier_year_and_own_baselines(panel):
    early = summary_table(*panel, year=2030)
    assert early.year == 2030
    own = {"baseline": "baseline", "uniform": "baseline", "integration": "integration", "zoned_need": "integration"}
    two = summary_table(*panel, baseline=own)
    assert two.frame.index.tolist() == ["baseline", "integration", "uniform", "zoned_need"]
    assert two.frame.loc[["baseline", "integration"], "gap_closed_p50"].isna().all()
    assert two.baselines == {"uniform": "baseline", "zoned_need": "integration"}
    assert "its baseline" in summary_text(two)


def test_failed_draws_are_dropped_under_every_scenario(panel):
    output, people = panel
    holed = output.copy(deep=True)
    holed[2, 4, 0, -1] = np.nan
    summary = summary_table(holed, people)
    assert (summary.draws, summary.failed) == (24, 1)
    kept = summary_table(output.drop_isel(draw=4), people.drop_isel(draw=4))
    np.testing.assert_array_equal(summary.frame, kept.frame)
    assert "Left out because they gave no number: 1 of 25 draws." in summary_markdown(summary)
    with pytest.raises(InvalidInput, match="none of the 25 draws"):
        summary_table(output * np.nan, people)


def test_population_may_have_one_scenario_and_draw(panel, summary):
    output, people = panel
    once = people.isel(scenario=0, draw=0, drop=True)
    np.testing.assert_allclose(summary_table(output, once).frame, summary.frame)


def test_without_classes_and_with_one_draw(panel):
    output, people = (array.drop_vars("group").isel(draw=[0]) for array in panel)
    summary = summary_table(output, people)
    assert not [c for c in summary.frame if c.startswith("class")]
    row = summary.frame.loc["uniform"]
    assert row["gap_closed_p05"] == row["gap_closed_p95"]
    summary_markdown(summary)


def test_refusals(panel):
    output, people = panel
    with pytest.raises(UnknownName, match="no scenario is called 'base'"):
        summary_table(output, people, baseline="base")
    with pytest.raises(UnknownName, match=r"no class is called 'Wst'.*Did you mean 'West'"):
        summary_table(output, people, classes=["Wst"])
    with pytest.raises(UnknownName, match="no coordinate `group`"):
        summary_table(output.drop_vars("group"), people, classes=["West"])
    with pytest.raises(InvalidInput, match="year 1999 is not in the results, which run from 2024 to 2035"):
        summary_table(output, people, year=1999)
    with pytest.raises(InvalidInput, match="no scenario besides"):
        summary_table(output.isel(scenario=[0]), people.isel(scenario=[0]))


def test_markdown_has_a_row_for_each_scenario_and_its_notes(summary):
    text = summary_markdown(summary)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 6
    assert len({line.count("|") for line in rows}) == 1
    assert text.startswith("**Changes against No policy in 2035**")
    assert "25 paired draws" in text
    assert "conditional on the model" in text
    middle = summary.frame.loc["uniform", "gap_closed_p50"]
    assert f"| Uniform, per head | {middle:.2f} (".replace("-", "−") in text


def test_text_lines_up(summary):
    from unicodedata import east_asian_width

    for lang in ("en", "zh"):
        lines = summary_text(summary, lang=lang).split("\n\n")[1].splitlines()
        rows = lines[-4:]
        widths = {sum(2 if east_asian_width(c) in "WF" else 1 for c in line) for line in rows}
        assert len(widths) == 1
        assert max(widths) <= 125


def test_chinese_labels(summary):
    assert "分区分类、按需分配" in summary_markdown(summary, lang="zh")
    losers = below_baseline_markdown(summary, lang="zh")
    assert losers.splitlines()[4].startswith("| 甘肃 |")
    with pytest.raises(InvalidInput, match="lang='fr'"):
        summary_markdown(summary, lang="fr")


def test_a_gap_that_does_not_fall_never_halves(panel):
    output, people = panel
    still = output.copy(data=np.broadcast_to(output.to_numpy()[..., :1], output.shape))
    summary = summary_table(still, people)
    assert summary.frame["halving_time_p50"].eq(np.inf).all()
    assert "| never |" in summary_markdown(summary)


def test_importing_export_is_light():
    code = (
        "import sys, pysd_runner.export as e; e.write_text_whole; "
        "sys.exit(bool({'xarray', 'pandas', 'matplotlib', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_all_names_can_be_imported():
    from pysd_runner import export, plots

    assert all(hasattr(export, name) for name in export.__all__)
    assert all(hasattr(plots, name) for name in plots.__all__)
    for package in (export, plots):
        assert set(dir(package)) == set(package.__all__)
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            _ = package.nothing
