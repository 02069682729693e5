"""Panels as people have them go through the public command without an edit, or with a mapping of a few lines."""

import csv
from pathlib import Path

import pytest

from pysd_runner.data import load_data
from pysd_runner.spec import load_fitted

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the downloads are not beside the checkout")
    return SHARED


# What is asked here does not depend on the forecast without policy.
OPEN = ("--without", "forecast")
pytestmark = pytest.mark.usefixtures("no_pictures")


def minimal(path: Path, header: str, *, late: str = "", count: int = 4) -> Path:
    """Region, year and output per head of some provinces; one may come late."""
    panel, years = load_data("china"), range(2008, 2019)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(header + "\n")
        for row, region in enumerate(panel.regions[:count]):
            for year in years:
                if region.name_en != late or year >= years[-3]:
                    value = panel.array("output_per_head")[row, panel.years.index(year)]
                    csv.writer(file).writerow([region.name_en, year, f"{value:.1f}"])
    return path


@pytest.mark.parametrize(
    "header",
    [
        "region,year,output per head",
        "Country,Year,GDP per capita",
        "state,yr,gdp_per_capita_real",
        "地区,年份,人均GDP(元)",
    ],
)
def test_region_year_and_output_per_head_are_read_as_they_stand(gapsim, tmp_path, header) -> None:
    minimal(tmp_path / "mine.csv", header)
    answer = gapsim("data", "check", "mine.csv", code=0)
    assert "4 regions, 2008-2018" in answer.out


def test_region_year_and_output_per_head_are_enough(gapsim, tmp_path) -> None:
    minimal(tmp_path / "mine.csv", "region,year,output per head")
    answer = gapsim("calibrate", "mine.csv", "--starts", 1, "--without", "profiles,forecast", "--out", "fit", code=0)
    before, _, _ = answer.err.partition("Calibrating ...")
    assert "Panel mine: 4 regions, 2008 to 2018" in before
    assert "output from output_per_head: 40 changes" in before
    assert "Estimated together:\n  Output: k_X" in before
    assert "In blocks without a series, so close to their priors:\n  Access: p_a, q_a" in before
    assert "Initial Population: missing, equal shares; population-weighted results are withheld (4 regions)" in before
    assert "Output is in a currency the file does not name" in before
    assert load_fitted("fit/fitted.json").panel == "mine"
    report = Path("fit/report.md").read_text(encoding="utf-8")
    assert "there is no population: equal shares will stand in for it" in report
    assert Path("fit/report.html").stat().st_size > 5_000
    answer = gapsim(
        "run", "zoned_need", "--data", "mine.csv", "--fit", "fit", "--draws", 2, "--until", 2020, *OPEN, code=0
    )
    assert "those of panel" not in answer.err


def test_a_late_region_is_left_out_by_name_and_stays_out(gapsim, tmp_path) -> None:
    minimal(tmp_path / "mine.csv", "region,year,output per head", late="Hebei", count=5)
    answer = gapsim("calibrate", "mine.csv", "--starts", 1, "--without", "profiles,forecast", "--out", "fit", code=0)
    told = "1 of 5 regions are left out, without output per head in 2008: Hebei"
    assert told in answer.err
    assert told in Path("fit/report.md").read_text(encoding="utf-8")
    assert load_fitted("fit/fitted.json").regions == ("Beijing", "Tianjin", "Shanxi", "Inner Mongolia")
    answer = gapsim(
        "run", "zoned_need", "--data", "mine.csv", "--fit", "fit", "--draws", 2, "--until", 2020, *OPEN, code=0
    )
    assert "mine.csv: 4 of its 5 regions, those of the fit" in answer.err


def test_total_output_alone_says_what_is_missing(gapsim, tmp_path) -> None:
    minimal(tmp_path / "mine.csv", "region,year,GDP")
    answer = gapsim("calibrate", "mine.csv", "--out", "fit", code=2)
    assert "'GDP' is read as total output, and there is no population to divide it by" in answer.err
    assert "`--map 'GDP=output_per_head'`" in answer.err


def test_two_measures_of_output_must_be_told_apart(gapsim, shared) -> None:
    answer = gapsim("calibrate", shared / "world_countries.csv", "--out", "fit", code=2)
    assert "several names would be 'output_per_head': 'gdp_per_capita_ppp', 'gdp_per_capita_usd'" in answer.err
    assert "=output_per_head" in answer.err
