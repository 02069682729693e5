"""Briefs: what they say is what the numbers say, and Word, Excel and a browser read them back."""

import datetime
import re
from dataclasses import replace
from html.parser import HTMLParser

import docx
import numpy as np
import pytest
from openpyxl import load_workbook

from pysd_runner import brief
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.plots.figure import png_bytes
from pysd_runner.plots.style import can_draw
from pysd_runner.reports.brief_paths import regions_of
from pysd_runner.reports.document import Bullets, Heading, Paragraph, Picture, TextTable
from pysd_runner.reports.panels import find_place
from pysd_runner.study.projection import project
from tests.plots.reading import texts_of as texts_in

HOSTILE = "<script>alert('x')</script> & \"Co\""
FORMULA = '=HYPERLINK("http://example.org")'
DAY = datetime.date(2025, 3, 4)

pytestmark = pytest.mark.filterwarnings("ignore:.*no font for Chinese.*")


class Page(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.links, self.alternatives = [], "", [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        found = dict(attrs)
        self.links += [found[key] for key in ("src", "href", "xlink:href") if key in found]
        self.alternatives += [found["aria-label"]] if tag == "svg" else []

    def handle_data(self, data):
        self.text += data


def texts_of(page):
    """All texts of a brief but the picture's."""
    found = [page.document.title]
    for part in page.document.parts:
        match part:
            case Heading(text) | Paragraph(text):
                found.append(text)
            case Bullets(items):
                found += items
            case TextTable():
                found += [part.caption, *part.header, *(cell for row in part.rows for cell in row)]
    return [text for text in found if text]


def read_html(path):
    page = Page(path.read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert all(link.startswith("#") for link in page.links)
    assert page.alternatives
    return page.text


def read_docx(path):
    file = docx.Document(str(path))
    assert all(shape._inline.docPr.get("descr") for shape in file.inline_shapes)
    cells = [cell.text for table in file.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(item.text for item in file.paragraphs), *cells])


def read_xlsx(path):
    sheet = load_workbook(path).worksheets[0]
    assert sheet._charts
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}
    return "\n".join(str(cell.value) for cell in cells)


READERS = {"html": read_html, "docx": read_docx, "xlsx": read_xlsx}


def renamed(projection, *, name, label):
    data = projection.data.copy()
    data["name_en"] = ("region", [name, *data["name_en"].to_numpy()[1:]])
    data["name_zh"] = ("region", [name, *data["name_zh"].to_numpy()[1:]])
    for key in ("label_en", "label_zh"):
        labels = [str(text) for text in data[key].to_numpy()]
        data[key] = ("scenario", [*labels[:-1], label])
    return replace(projection, data=data)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("place", ["Gansu", "East", "nation"])
def test_every_format_says_the_same(projection, tmp_path, place, lang):
    page = brief(projection, place, lang=lang, date=DAY)
    said = texts_of(page)
    assert len(said) > 20
    for ending, read in READERS.items():
        found = read(page.save(tmp_path / f"page.{ending}"))
        for text in said:
            assert text in found, (ending, text)
    assert len(docx.Document(str(tmp_path / "page.docx")).inline_shapes) == 2
    assert len(load_workbook(tmp_path / "page.xlsx").worksheets[0]._charts) == 2
    if lang == "zh":
        prose = "".join(text for text in said if len(text) > 30)
        assert not re.search(r"\b(the|policy|interval|draws)\b", prose)


def luminance(colour):
    """Relative luminance of a colour such as 1A1A1A, as WCAG 2 defines it."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_table_in_word_can_be_read(projection, tmp_path):
    file = docx.Document(str(brief(projection, "Gansu", date=DAY).save(tmp_path / "page.docx")))
    text = luminance(str(file.styles["Normal"].font.color.rgb))
    (table,) = file.tables
    for part in (table.style.element, table._element):
        for fill in ["FFFFFF", *part.xpath(".//w:shd/@w:fill")]:
            lighter, darker = sorted((luminance(fill), text), reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, fill


def test_charts_of_a_chinese_page_are_in_english_without_a_font(projection, no_chinese):
    page = brief(projection, "Gansu", lang="zh", date=DAY)
    for figure in (page.figure, page.bars):
        words = {text.get_text().replace("\n", " ") for text in texts_in(figure)}
        assert all(can_draw(word) for word in words), words
        assert "Zoned by class, by need" in words
        assert re.search("[\u4e00-\u9fff]", figure.sentence)
        figure.canvas.draw()
    assert {"Access", "Skills", "What each mix spends in Gansu"} <= words
    assert any(word.startswith("yuan a head and year") for word in words)
    assert "分区分类，按需要" in set(page.bars.data["mix"])


def test_names_that_cannot_be_drawn_give_way_to_keys(projection, no_chinese):
    page = brief(renamed(projection, name="甘肃", label="统一"), "110000", date=DAY)
    for figure in (page.figure, page.bars):
        words = {text.get_text() for text in texts_in(figure)}
        assert all(can_draw(word) for word in words), words
        assert projection.scenarios[-1] in words
        assert any("110000" in word for word in words)
        figure.canvas.draw()


@pytest.mark.parametrize("ending", READERS)
def test_hostile_names_are_text(projection, tmp_path, ending):
    hostile = renamed(projection, name=HOSTILE, label=FORMULA)
    page = brief(hostile, "110000", date=DAY)
    found = READERS[ending](page.save(tmp_path / f"page.{ending}"))
    assert HOSTILE in found
    assert FORMULA in found
    assert page.place.file_name == "script-alert-x-script-co"


def test_the_sentence_and_the_table_are_the_numbers(projection):
    page = brief(projection, "Gansu", date=DAY)
    levels = 100 * projection.data["relative_output"].sel(region="620000")
    end = levels.sel(scenario="baseline", year=2028).to_numpy()
    first = page.document.parts[0].text
    assert f"{float(levels[0, 0, 0]):.1f} % of the national mean in 2024 to {np.median(end):.1f} % in 2028" in first
    assert f"90 % interval {np.quantile(end, 0.05):.1f} … {np.quantile(end, 0.95):.1f}" in first
    assert "by the model alone, which is no forecast" in first
    table = next(part for part in page.document.parts if isinstance(part, TextTable))
    assert len(table.rows) == 1 + len(projection.policies)
    for row, name in zip(table.rows[1:], page.paths.mixes, strict=True):
        own = levels.sel(scenario=name, year=2028).to_numpy()
        change = np.median(own - end)
        assert row[1].startswith(f"{np.median(own):.1f} (")
        assert row[2].replace("−", "-").startswith(f"{change:+.2f} (")


def test_money_by_lever_sums_to_the_budget_of_the_region(projection, tmp_path):
    page = brief(projection, "Gansu", date=DAY, mixes=["zoned_need"])
    data = projection.data.sel(scenario="zoned_need", region="620000").isel(year=slice(1, None))
    spent = projection.data["policy_budget"].sel(scenario="zoned_need").isel(year=slice(1, None)) * data["budget_share"]
    heads = float((spent.mean("draw") / data["population"].mean("draw")).mean())
    assert len(page.bars.data) == 7
    assert page.bars.data["head"].sum() == pytest.approx(heads)
    book = load_workbook(page.save(tmp_path / "page.xlsx"))
    assert sum(row[1] for row in book["Money"].iter_rows(min_row=2, values_only=True)) == pytest.approx(heads)
    first = page.bars.data.sort_values("head", ascending=False).iloc[0]
    assert f"most for {first['lever']} {first['head']:.0f}" in page.bars.sentence
    assert "(yuan a head and year, mean of the years 2025 to 2028 and of the simulations): " in page.bars.sentence


def test_who_loses_is_named(projection):
    heads = projection.data["output_per_head"].isel(year=-1).transpose("scenario", "draw", "region")
    data = projection.data.copy()
    broken = heads.sel(scenario="baseline").to_numpy() * np.array([1.0, 0.9, 1.1, 1.2])
    for number, name in enumerate(projection.scenarios):
        if name == "zoned_need":
            values = data["output_per_head"].transpose("scenario", "draw", "region", "year").copy()
            values[number, :, :, -1] = broken
            data["output_per_head"] = values
    page = brief(replace(projection, data=data), "Henan", mixes=["zoned_need"], date=DAY)
    (gains,) = next(part.items for part in page.document.parts if isinstance(part, Bullets))
    assert "Henan +10.0 % (90 %" in gains
    assert "rank 2 of 4. Most: Gansu +20.0 %" in gains
    assert gains.endswith("Below no policy (1): Shanghai −10.0 %.")


def test_the_chart_of_the_workbook_reads_the_numbers_beside_it(projection, tmp_path):
    page = brief(projection, "Gansu", date=DAY)
    book = load_workbook(page.save(tmp_path / "page.xlsx"))
    sheet = book.worksheets[1]
    chart = book.worksheets[0]._charts[0]
    assert len(chart.series) == 2 + len(projection.policies)
    years = {sheet.cell(row, 1).value: row for row in range(2, sheet.max_row + 1)}
    headings = {cell.value: cell.column for cell in sheet[1]}
    level = 100 * projection.data["relative_output"].sel(scenario="baseline", region="620000", year=2028).median("draw")
    assert sheet.cell(years[2028], headings["No policy"]).value == pytest.approx(float(level))
    assert sheet.cell(years[2024], headings["observed"]).value == pytest.approx(
        100 * float(projection.history["relative_output"].sel(region="620000", year=2024))
    )


def test_the_workbook_can_be_read(projection, tmp_path):
    page = brief(projection, "Gansu", date=DAY)
    sheet = load_workbook(page.save(tmp_path / "page.xlsx")).worksheets[0]
    table = next(part for part in page.document.parts if isinstance(part, TextTable))
    longest = max(len(cell) for row in table.rows for cell in row[1:])
    assert all(sheet.column_dimensions[letter].width > longest + 1 for letter in "BC")
    shown = page.figure.data.query("kind != 'change'")["median"]
    axis = sheet._charts[0].y_axis.scaling
    assert shown.max() - shown.min() > 0.6 * (axis.max - axis.min)
    assert axis.min <= shown.min() < shown.max() <= axis.max


def test_a_single_run_says_no_interval(model, panel, tmp_path):
    one = project(model, panel, ["zoned_need"], until=2027, draws=1)
    page = brief(one, "Gansu", date=DAY)
    said = " ".join(texts_of(page))
    assert "This is one run at central values: it has no interval" in said
    assert "90 %" not in said
    assert "…" not in said
    for ending, read in READERS.items():
        assert read(page.save(tmp_path / f"page.{ending}"))
    assert not any("5 %" in str(cell.value) for cell in load_workbook(tmp_path / "page.xlsx").worksheets[1][1])


def test_results_without_draws_are_refused(projection):
    empty = replace(projection, data=projection.data.isel(draw=slice(0, 0)))
    with pytest.raises(InvalidInput, match="hold no draw"):
        brief(empty, "Gansu")


def test_no_policy_alone_has_a_brief(model, panel):
    page = brief(project(model, panel, ["baseline"], until=2026, draws=2), "Gansu", date=DAY)
    assert not page.paths.mixes
    assert any("To cite: gapsim" in text for text in texts_of(page))


def test_without_population_a_region_is_told_by_its_gap_and_classes_are_refused(panel, model):
    bare = panel.with_values({"output_per_head": panel.array("output_per_head")}, {"output_per_head": "yuan"})
    found = project(model, bare, ["zoned_need"], until=2026, draws=2)
    said = " ".join(texts_of(brief(found, "Gansu", date=DAY)))
    assert "below the leading region" in said
    assert "which needs the population of every region" in said
    assert "earlier versions" not in said
    with pytest.raises(InvalidInput, match="needs the population"):
        brief(found, "nation")


def test_places_are_found_by_every_name(projection):
    regions = regions_of(projection)
    for name in ("Gansu", "gansu", "甘肃", "甘肃省", "620000"):
        assert find_place(name, regions).code == "620000"
    for name in ("East", "东部"):
        assert find_place(name, regions).kind == "class"
    for name in ("nation", "全国", "all regions"):
        assert find_place(name, regions).kind == "nation"
    with pytest.raises(UnknownName, match=r"no region 'Gansoo'.*Did you mean 'Gansu'"):
        find_place("Gansoo", regions)


def test_more_mixes_than_a_chart_holds(model, panel):
    many = project(model, panel, ["zoned"], until=2026, draws=2)
    assert len(many.policies) > 5
    page = brief(many, "Gansu", date=DAY)
    assert page.paths.mixes == many.policies[:5]
    assert any(text.startswith("Also in the results and not shown here") for text in texts_of(page))
    with pytest.raises(InvalidInput, match="5 policy mixes at most"):
        brief(many, "Gansu", mixes=many.policies)


def test_mistakes_are_named(projection, tmp_path):
    with pytest.raises(UnknownName, match="Did you mean 'zoned_need'"):
        brief(projection, "Gansu", mixes=["zoned_nead"])
    with pytest.raises(InvalidInput, match="one of en, zh"):
        brief(projection, "Gansu", lang="de")
    with pytest.raises(InvalidInput, match=r"\.html, \.docx, \.xlsx"):
        brief(projection, "Gansu", date=DAY).save(tmp_path / "page.pdf")


def test_the_stamp_names_version_panel_date_and_seed(projection):
    stamp = texts_of(brief(projection, "Gansu", date=DAY))[-1]
    panel = "“Provinces of mainland China”, 4 regions, 2000–2024"
    for part in ("gapsim ", panel, "2025-03-04", "seed 3", "simulations 5"):
        assert part in stamp


def test_the_picture_is_a_png_with_an_alternative_text(projection):
    parts = brief(projection, "Gansu", date=DAY).document.parts
    picture, bars = (part for part in parts if isinstance(part, Picture))
    assert "a year, most for" in bars.sentence
    assert png_bytes(picture.figure)[:4] == b"\x89PNG"
    assert "Medians in 2028: No policy" in picture.sentence


def changing(page):
    """What stands below the heading on what would change the answer."""
    parts = page.document.parts
    at = [isinstance(part, Heading) and "change the answer" in part.text for part in parts].index(True)
    return parts[at + 1].items


def test_what_would_change_the_answer(projection):
    first, second = changing(brief(projection, "Gansu", date=DAY))
    assert "is the most favourable of these mixes in" in first
    assert "5 simulations are too few" in second
    alone = changing(brief(projection, "Gansu", mixes=["zoned_need"], date=DAY))
    assert "better for Gansu than no policy in" in alone[0]
    old = replace(projection, parameters=None)
    assert "do not hold the parameters of each" in changing(brief(old, "Gansu", date=DAY))[1]


def test_a_parameter_that_decides_is_named(model, panel):
    many = project(model, panel, ["zoned_need", "skills_programme"], until=2026, draws=90)
    data = many.data.copy()
    cost = many.parameters.sel(parameter="c_U").to_numpy()
    levels = data["relative_output"].transpose("scenario", "draw", "region", "year").copy()
    names = [str(name) for name in data["scenario"].to_numpy()]
    base = levels.to_numpy()[names.index("baseline"), :, :, -1]
    for name, sign in (("zoned_need", 1), ("skills_programme", -1)):
        levels[names.index(name), :, :, -1] = base + sign * 0.01 * (np.argsort(np.argsort(cost)) / 90 - 0.4)[:, None]
    data["relative_output"] = levels
    said = changing(brief(replace(many, data=data), "Gansu", date=DAY))
    assert "“Zoned by class, by need” is the most favourable of these mixes in 60 %" in said[0]
    assert said[1] == (
        "one-off support for each unit of yearly output that is digitalised (no evidence): in its lowest third this "
        "holds in 0 % of the simulations, in its highest third in 100 %."
    )
