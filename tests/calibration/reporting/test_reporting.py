"""Pictures of a fit: they show the numbers of the result, in both languages, with every text readable."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from calibration import Fit, Problem, fit
from calibration.reporting import draw_fit, plot_parameters, plot_regions, plot_residuals, plot_series
from calibration.reporting.report import report_of
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.plots.style import INK, SCENARIO
from pysd_runner.reports.document import to_markdown
from tests.calibration.conftest import COUNT, YEARS
from tests.calibration.panels import FIRST, made_panel, model_of
from tests.plots.reading import covered_texts, cut_texts, lines_of, texts_of


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_figure_is_readable_and_says_what_it_shows(result: Fit, lang: str, has_chinese: bool) -> None:
    if lang == "zh" and not has_chinese:
        pytest.skip("no font for Chinese on this machine")
    names = []
    for name, figure in draw_fit(result, lang=lang):
        names.append(name)
        assert not cut_texts(figure)
        assert not covered_texts(figure)
        assert figure.sentence
        assert len(figure.data)
        assert "unit" in figure.data.columns
    assert names == ["parameters", "series", "regions", "residuals"]


@pytest.fixture(scope="module")
def large(result: Fit) -> Fit:
    """The same fit with its cells repeated under other names, to 70 regions, each of which parts more than the last."""
    table, count = result.residuals, 70
    old = list(result.region_names)
    codes = [f"N{place:02d}" for place in range(count)]
    rows = [
        (code, row, 1 + place)
        for place, code in enumerate(codes)
        for row, region in enumerate(table.region)
        if region == old[place % len(old)]
    ] + [("", row, 0) for row, region in enumerate(table.region) if not region]
    columns = {name: tuple(getattr(table, name)[row] for _, row, _ in rows) for name in asdict(table)}
    columns["region"] = tuple(code for code, _, _ in rows)
    columns["fitted"] = tuple(table.observed[row] + 0.01 * size for _, row, size in rows)
    names = {code: (f"Region {code}", f"地区{code}") for code in codes}
    return replace(result, residuals=replace(table, **columns), region_names=names)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_figures_of_many_regions_fit_a_page(large: Fit, lang: str, has_chinese: bool) -> None:
    if lang == "zh" and not has_chinese:
        pytest.skip("no font for Chinese on this machine")
    for name, figure in draw_fit(large, lang=lang):
        assert not cut_texts(figure), name
        assert not covered_texts(figure), name
        if name in {"regions", "residuals"}:
            assert figure.get_size_inches()[1] <= 11, name
            assert "70" in figure.caption, name


def test_of_many_regions_those_that_part_most_are_drawn(large: Fit) -> None:
    figure = plot_regions(large)
    assert len(figure.axes) == 49
    assert set(figure.data["region"]) == {f"N{place:02d}" for place in range(21, 70)}
    assert "49 of 70 regions" in figure.caption
    assert "70 regions" in figure.sentence


def test_cells_of_many_regions_are_all_there_without_names(large: Fit) -> None:
    figure = plot_residuals(large)
    (cells, *_) = (axes.collections[0] for axes in figure.axes)
    assert np.asarray(cells.get_array()).size == 70 * YEARS
    assert not [text for text in texts_of(figure) if text.get_text().startswith("Region N")]
    assert set(figure.data["region"]) == set(large.region_names)


def test_the_report_of_many_regions_lists_those_with_the_largest_errors(large: Fit) -> None:
    text = to_markdown(report_of(large, figures={}))
    listed = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| Region N")]
    assert listed == [f"Region N{place}" for place in range(50, 70)]
    assert "20 of 70 regions" in text


def test_paths_add_up_the_yearly_changes(result: Fit) -> None:
    figure = plot_regions(result)
    frame = result.to_frame()
    part = frame[(frame["measurement"] == "output") & (frame["region"] == result.fitted.regions[0])]
    years, values = lines_of(figure.axes[0], INK)[0]
    assert years.tolist() == list(range(FIRST, FIRST + YEARS + 1))
    np.testing.assert_allclose(values, [0.0, *np.cumsum(part["observed"])])
    np.testing.assert_allclose(lines_of(figure.axes[0], SCENARIO)[0][1], [0.0, *np.cumsum(part["fitted"])])
    assert len(figure.axes) == COUNT


def test_a_series_of_levels_starts_where_it_was_observed(result: Fit) -> None:
    figure = plot_regions(result, "skills:ict_employment_share")
    observed, fitted = (lines_of(figure.axes[1], colour)[0][1] for colour in (INK, SCENARIO))
    assert observed[0] == pytest.approx(fitted[0], abs=1e-3)
    assert "share of ICT employment" in "".join(text.get_text() for text in texts_of(figure))


def test_cells_are_the_standardised_innovations(result: Fit) -> None:
    figure = plot_residuals(result)
    drawn = np.asarray(figure.axes[0].collections[0].get_array(), dtype=float).reshape(COUNT, YEARS)
    frame = result.to_frame()
    part = frame[frame["measurement"] == "output"]
    np.testing.assert_allclose(drawn, part["standardised"].to_numpy().reshape(COUNT, YEARS))


def test_parameters_are_drawn_in_their_order(result: Fit) -> None:
    figure = plot_parameters(result)
    assert figure.data["key"].tolist() == [item.key for item in result.shown]
    assert "mostly the panel" in [text.get_text() for text in texts_of(figure)]


def test_scatter_plots_hold_the_used_cells(result: Fit) -> None:
    figure = plot_series(result)
    assert len(figure.data) == int(result.to_frame()["used"].sum())
    assert len(figure.axes) == len(result.series)


def test_national_series_are_nothing_to_draw_by_region(result: Fit) -> None:
    alone = replace(result, series=tuple(item for item in result.series if item.national))
    assert alone.series
    assert [name for name, _ in draw_fit(alone)] == ["parameters", "series"]
    for plot in (plot_regions, plot_residuals):
        with pytest.raises(InvalidInput, match="no series that is observed by region"):
            plot(alone)


def test_nothing_estimated_is_nothing_drawn() -> None:
    nothing = fit(Problem(model_of(2), made_panel(2, 4), free=[]), starts=1)
    assert "parameters" not in [name for name, _ in draw_fit(nothing)]
    with pytest.raises(InvalidInput, match="no parameters to draw"):
        plot_parameters(nothing)


def test_an_unknown_series_gets_a_suggestion(result: Fit) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'skills:ict_employment_share'"):
        plot_regions(result, "skills:ict_employment")
