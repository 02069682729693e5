"""The report of a fit: its numbers are those of the fit and of the definitions, in both languages and both formats."""

import itertools
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from calibration import Fit
from calibration.fitting.results import cells_of
from calibration.reporting import draw_fit, report_of, write_report
from calibration.reporting.facts import numbers_of, pooled_durbin_watson, say_found, strongest_correlations
from pysd_runner.core.errors import InvalidInput
from pysd_runner.plots import save_figure
from pysd_runner.reports.document import TextTable, to_markdown
from pysd_runner.text import translate
from tests.calibration.conftest import COUNT, YEARS


@pytest.fixture(scope="module")
def written(result: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    sentences = {}
    for name, figure in draw_fit(result):
        save_figure(figure, folder / "figures", name)
        sentences[name] = figure.sentence
    write_report(result, folder, figures=sentences)
    return folder


class Reader(HTMLParser):
    """Collects what a page holds, and whether every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "svg":
            self.images.append(dict(attrs))
        self.addresses += [str(value) for name, value in attrs if name in ("href", "src", "xlink:href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_holds_everything_and_needs_nothing(written: Path, result: Fit) -> None:
    reader = Reader()
    reader.feed((written / "report.html").read_text(encoding="utf-8"))
    assert reader.open == []
    assert len(reader.images) == 4
    assert all(image["aria-label"] for image in reader.images)
    assert all(address.startswith("#") for address in reader.addresses)
    said = " ".join(reader.texts)
    for item in result.shown:
        assert f"{item.key}: {item.en}" in said
    others = len(result.parameters) - len(result.shown)
    assert f"{others} further parameters were estimated with these" in said
    assert result.fitted.panel_sha256[:12] in said


def test_markdown_links_figures_that_are_there(written: Path) -> None:
    text = (written / "report.md").read_text(encoding="utf-8")
    files = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(files) == 4
    assert all((written / file).is_file() for file in files)


def test_every_table_is_rectangular(result: Fit) -> None:
    for lang in ("en", "zh"):
        for part in report_of(result, figures={}, lang=lang).parts:
            if isinstance(part, TextTable):
                assert {len(row) for row in part.rows} == {len(part.header)}


def test_parameters_show_the_numbers_of_the_fit(result: Fit) -> None:
    text = to_markdown(report_of(result, figures={}))
    for item in result.shown:
        row = next(line for line in text.splitlines() if line.startswith(f"| {item.key}: "))
        assert f" {item.estimate:.3g} ".replace("-", "−") in row
        assert f"{item.low:.3g} … {item.high:.3g}".replace("-", "−") in row
        assert item.words in row


def test_a_profile_gives_the_interval_and_says_what_the_data_alone_rule_out(result: Fit) -> None:
    from dataclasses import replace

    first = result.shown[0]
    verdict = {"low": 0.123, "high": 0.987, "shape": "flat", "evidence": "prior", "partners": {}}
    record = {"level": 0.9, "parameters": {first.key: verdict}, "directions": []}
    known = replace(result.fitted, provenance={**result.fitted.provenance, "identifiability": record})
    text = to_markdown(report_of(replace(result, fitted=known), figures={}))
    row = next(line for line in text.splitlines() if line.startswith(f"| {first.key}: "))
    assert "| 0.123 … 0.987 |" in row
    assert row.endswith("| flat |")
    assert "| data alone |" in text


def test_what_was_imputed_set_and_not_observed_is_said(result: Fit) -> None:
    from dataclasses import replace

    text = to_markdown(report_of(result, figures={}))
    for line in (*result.description.imputed, *result.description.absent, *result.description.notes):
        assert line in text
    assert "dep_u = 0.02" in text
    unseen = replace(result.description, unobserved={"Skills": ("lam_S", "lam_U")})
    text = to_markdown(report_of(replace(result, description=unseen), figures={}))
    assert "Parameters of blocks without data, so close to their priors" in text
    assert "Skills (lam_S, lam_U)" in text


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_an_estimate_on_a_bound_is_not_said_to_hold(result: Fit, lang: str) -> None:
    from dataclasses import replace

    from calibration.fitting.estimates import parameter_findings

    held = translate("fit_report.passed", lang)
    clean = replace(result, findings=())
    assert held in to_markdown(report_of(clean, figures={}, lang=lang))
    for role, is_failure in (("FREE", True), ("FREE*", False), ("FIX", False)):
        item = replace(result.shown[0], role=role, at_bound="upper", estimate=result.shown[0].upper_bound)
        found = tuple(parameter_findings([item]))
        assert [one.rule for one in found] == ["at-bound"]
        bound = replace(clean, findings=found)
        text = to_markdown(report_of(bound, figures={}, lang=lang))
        assert held not in text
        assert say_found(f"{found[0]}", bound, lang) in text
        assert ("ended at its upper bound" in text) == (lang == "en")
        assert bool(bound.check()) == is_failure


def test_fit_of_a_series_is_the_one_of_its_definition(result: Fit) -> None:
    frame = result.to_frame()
    frame = frame[frame["used"].astype(bool)]
    for item in result.series:
        part = frame[(frame["measurement"] == item.measurement) & (frame["indicator"] == item.indicator)]
        error = part["residual"].to_numpy()
        found = numbers_of(result, item)
        assert found.fit.n == len(part) == item.observations
        assert found.fit.rmse == pytest.approx(np.sqrt(np.mean(error**2)))
        assert found.fit.mean_error == pytest.approx(error.mean(), abs=1e-12)
        assert found.fit.efficiency == pytest.approx(1 - np.mean(error**2) / part["observed"].var(ddof=0))


def test_cells_stand_at_their_region_and_year(result: Fit) -> None:
    cells = cells_of(result, result.series[0])
    assert dict(cells.sizes) == {"region": COUNT, "year": YEARS}
    frame = result.to_frame()
    row = frame[frame["used"].astype(bool) & (frame["measurement"] == "output")].iloc[-1]
    cell = cells.sel(region=row["region"], year=row["year"])
    assert (cell["observed"], cell["standardised"]) == (row["observed"], row["standardised"])


def test_pooled_durbin_watson() -> None:
    assert pooled_durbin_watson(np.array([[1.0, -1.0, 1.0, -1.0]])) == 3.0
    rng = np.random.default_rng(1)
    white = rng.normal(size=(200, 30))
    # Differences of independent errors have twice their variance; 29 differences for 30 errors.
    assert pooled_durbin_watson(white) == pytest.approx(2 * 29 / 30, abs=0.05)
    assert pooled_durbin_watson(np.cumsum(white, axis=1)) < 0.3
    slow = sum((b - a) ** 2 for row in white for a, b in itertools.pairwise(row)) / (white**2).sum()
    assert pooled_durbin_watson(white) == pytest.approx(slow)
    assert np.isnan(pooled_durbin_watson(np.full((2, 3), np.nan)))


def test_errors_that_follow_each_other_are_reported(result: Fit) -> None:
    from dataclasses import replace

    first = replace(result.series[0], leftover=0.9)
    told = to_markdown(report_of(replace(result, series=(first, *result.series[1:])), figures={}))
    tests = told.split("## Residual tests")[1].split("## ")[0]
    assert "they follow each other" in next(line for line in tests.splitlines() if line.startswith("| output per head"))


def test_strong_correlations_are_the_largest(result: Fit) -> None:
    pairs = strongest_correlations(result, least=0.0, most=3)
    matrix = result.correlation().abs().to_numpy()
    above = np.sort(matrix[np.triu_indices(len(matrix), k=1)])[::-1]
    assert [abs(value) for *_, value in pairs] == pytest.approx(above[:3].tolist())


def test_chinese(result: Fit) -> None:
    text = to_markdown(report_of(result, figures={}, lang="zh"))
    assert "## 残差检验" in text
    assert result.shown[0].zh in text
    with pytest.raises(InvalidInput, match="no reports in language 'fr'"):
        report_of(result, figures={}, lang="fr")


def test_markup_of_a_panel_is_text(result: Fit) -> None:
    from dataclasses import replace

    from pysd_runner.reports.document import to_html

    names = dict.fromkeys(result.region_names, ("<b>|x|</b>", "<i>"))
    document = report_of(replace(result, region_names=names), figures={})
    page = to_html(document, Path())
    assert "<b>" not in page
    assert "&lt;b&gt;|x|&lt;/b&gt;" in page
    assert "&lt;b>\\|x\\|&lt;/b>" in to_markdown(document)
