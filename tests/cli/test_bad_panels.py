"""Panels that cannot work end with one clear message: what, where, what was expected, what to do; never a traceback."""

import time
from collections.abc import Callable

import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("no_pictures")

YEARS = tuple(range(2008, 2016))


def good(regions: int = 5) -> np.ndarray:
    """Output per head of some regions, shape (region, year)."""
    rng = np.random.default_rng(3)
    growth = 0.03 + 0.02 * rng.normal(size=(regions, len(YEARS)))
    return 30_000 * np.exp(0.3 * rng.normal(size=(regions, 1)) + np.cumsum(growth, axis=1))


@pytest.fixture
def panel(tmp_path) -> Callable[..., str]:
    """Write a panel and return its name."""

    def write(values: np.ndarray, years: tuple[int, ...] = YEARS) -> str:
        rows = [f"R{place},{year},{values[place, k]!r}" for place in range(len(values)) for k, year in enumerate(years)]
        text = "region,year,output_per_head [yuan per person]\n" + "\n".join(rows).replace("np.float64(", "")
        (tmp_path / "mine.csv").write_text(text.replace(")", ""), encoding="utf-8")
        return "mine.csv"

    return write


def refused(gapsim, name: str) -> str:
    answer = gapsim("calibrate", name, "--out", "fit", code=2)
    errors = [line for line in answer.err.splitlines() if line.strip().startswith("error: ")]
    # A file with a fault has a line with its name and the count, then the fault.
    assert len(errors) == (2 if ": 1 problem" in answer.err else 1), answer.err
    return answer.err


def test_a_series_that_never_changes(gapsim, panel) -> None:
    told = refused(gapsim, panel(np.repeat(good()[:, :1], len(YEARS), axis=1)))
    assert "output (output_per_head): no region's value ever changes: that looks filled in, not observed" in told


def test_regions_that_never_differ(gapsim, panel) -> None:
    told = refused(gapsim, panel(np.repeat(good()[:1], 4, axis=0)))
    assert "the regions never differ, so there is nothing to compare" in told


def test_years_far_apart(gapsim, panel) -> None:
    told = refused(gapsim, panel(good()[:, :4], (1995, 2000, 2005, 2010)))
    assert "no change from one year to the next to compare after 1995 and until 2010" in told


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_nothing_and_less_than_nothing(gapsim, panel, value) -> None:
    values = good()
    values[1, 2] = value
    told = refused(gapsim, panel(values))
    assert "row 12, column 'output_per_head [yuan per person]': impossible value of output_per_head" in told
    assert f"found '{value}'; expected a value above 0" in told
    assert "leave the cell empty where nothing was observed" in told


@pytest.mark.parametrize(
    ("where", "factor", "message"),
    [
        (np.s_[:, 4:], 1e-4, "one of 20 such values; 20 others are in range); does the column hold two units?"),
        (np.s_[:, 4:], 1e-2, "changes by a factor of"),
        (np.s_[2, :], 1e-2, "impossible"),
    ],
)
def test_two_units_in_a_column(gapsim, panel, where, factor, message) -> None:
    values = good() * 10
    values[where] *= factor
    if message == "impossible":
        values[where] /= 10
        message = "output per head of R2 differs"
    told = refused(gapsim, panel(values))
    assert message in told
    assert "two units" in told


def test_a_misplaced_decimal_point_is_doubted_and_the_panel_works(gapsim, panel) -> None:
    values = good()
    values[3, 4] *= 10
    name = panel(values)
    answer = gapsim("data", "check", name, code=0)
    assert "region R3 changes by a factor of" in answer.out
    assert "(the first of 2 such changes)" in answer.out
    assert "is a decimal point misplaced?" in answer.out


@pytest.mark.parametrize(("before", "code", "doubt"), [(1, 2, True), (50, 0, False)])
def test_what_a_region_grew_over_a_long_gap_is_no_jump(gapsim, panel, before, code, doubt) -> None:
    values = good() * 10
    values[:, 0] /= 60
    name = panel(values, [YEARS[1] - before, *YEARS[1:]])
    answer = gapsim("data", "check", name, code=code)
    assert ("changes by a factor of" in answer.out + answer.err) is doubt


def test_ten_thousand_regions_are_refused_at_once(gapsim, panel) -> None:
    name = panel(good(10_000)[:, :3], YEARS[:3])
    start = time.monotonic()
    told = refused(gapsim, name)
    assert "has 10,000 regions; at most 3,000 are taken, because the model links every pair of regions" in told
    assert "one search would take about 28 hours and 7 GB of memory" in told
    assert "Add them up to larger regions, or choose some with `keep` in a mapping" in told
    assert time.monotonic() - start < 60


def test_an_indicator_that_never_changes_is_left_out_and_the_rest_works(gapsim, tmp_path) -> None:
    rows = [
        f"R{place},{year},{value:.1f},{0.3 + 0.1 * place}"
        for place, line in enumerate(good(4))
        for year, value in zip(YEARS, line, strict=True)
    ]
    text = "region,year,output_per_head [yuan per person],access [fraction]\n" + "\n".join(rows)
    (tmp_path / "mine.csv").write_text(text, encoding="utf-8")
    answer = gapsim("calibrate", "mine.csv", "--starts", 1, "--without", "profiles,forecast", "--out", "fit")
    assert answer.code in (0, 3)
    assert "access (access): no region's value ever changes: that looks filled in, not observed" in answer.err
    assert "In blocks without a series, so close to their priors:\n  Access: p_a, q_a" in answer.err


@pytest.mark.parametrize("command", ["calibrate", "forecast", "evaluate --data", "run zoned_need --data"])
def test_a_folder_that_holds_the_panel_is_not_replaced(gapsim, panel, tmp_path, command) -> None:
    name = panel(good())
    (tmp_path / "fit").mkdir()
    (tmp_path / name).rename(tmp_path / "fit" / name)
    (tmp_path / "fit" / "fitted.json").write_text("{}", encoding="utf-8")
    answer = gapsim(*command.split(), f"fit/{name}", "--out", "fit", "--force", code=2)
    assert "fit holds fit/mine.csv, which is read and would be replaced; give another name with --out" in answer.err
    assert (tmp_path / "fit" / name).is_file()
