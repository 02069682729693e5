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
from pysd_runner.policy.ranking import answer, select_at
from pysd_runner.reports.brief_paths import regions_of
from pysd_runner.reports.document import Bullets, Cell, Folded, Heading, Lead, Paragraph, Picture, TextTable
from pysd_runner.reports.headline import label_of
from pysd_runner.reports.panels import find_place
from pysd_runner.reports.results import labelled_effects
from pysd_runner.scenarios import load_scenario, with_comparisons
from pysd_runner.scenarios.crossing import distinct, two_by_two
from pysd_runner.study.loading import load_future
from pysd_runner.study.projection import project
from pysd_runner.text import translate
from tests.plots.reading import texts_of as texts_in

HOSTILE = "<script>alert('x')</script> & \"Co\""
FORMULA = '=HYPERLINK("http://example.org")'
DAY = datetime.date(2025, 3, 4)


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
        found += texts_of_part(part)
    return [text for text in found if text]


def texts_of_part(part):
    match part:
        case Heading(text) | Paragraph(text):
            return [text]
        case Bullets(items) | Lead(items):
            return list(items)
        case TextTable():
            return [part.caption, *part.header, *(cell for row in part.rows for cell in row)]
    return []


def folded(page):
    """The parts below the page."""
    return next(part.parts for part in page.document.parts if isinstance(part, Folded))


def tables(page):
    """The tables of the mixes, of the money and of the levels by year."""
    return [part for part in (*page.document.parts, *folded(page)) if isinstance(part, TextTable)]


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
    assert {cell.data_type for cell in cells} == {"s", "n"}
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
            # A workbook holds the numbers of a cell in columns of their own.
            assert text in found or (ending == "xlsx" and isinstance(text, Cell)), (ending, text)
    assert len(docx.Document(str(tmp_path / "page.docx")).inline_shapes) == 1
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
    assert len(file.tables) == 2
    for table in file.tables:
        for part in (table.style.element, table._element):
            for fill in ["FFFFFF", *part.xpath(".//w:shd/@w:fill")]:
                lighter, darker = sorted((luminance(fill), text), reverse=True)
                assert (lighter + 0.05) / (darker + 0.05) >= 4.5, fill


def test_the_chart_of_a_chinese_page_is_in_english_without_a_font(projection, no_chinese):
    page = brief(projection, "Gansu", lang="zh", date=DAY)
    words = {text.get_text().replace("\n", " ") for text in texts_in(page.figure)}
    assert all(can_draw(word) for word in words), words
    assert any(word.endswith(" Zoned by class, by need") for word in words), words
    assert re.search("[\u4e00-\u9fff]", page.figure.sentence)
    page.figure.canvas.draw()


def test_names_that_cannot_be_drawn_give_way_to_keys(projection, no_chinese):
    figure = brief(renamed(projection, name="甘肃", label="统一"), "110000", date=DAY).figure
    words = {text.get_text() for text in texts_in(figure)}
    assert all(can_draw(word) for word in words), words
    assert any(projection.scenarios[-1] in word.replace("\n", " ") for word in words)
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


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("place", ["Gansu", "Beijing", "East", "nation"])
def test_three_sentences_open_a_brief(projection, place, lang):
    lead = brief(projection, place, lang=lang, date=DAY).lead
    assert len(lead) == 3
    text = " ".join(lead)
    assert len(re.findall(r"\d[\d.,]*", text)) <= 10
    assert not re.search(r"\b(draws?|points?|log|medians?)\b|抽样|对数|中位数", text)


def test_the_sentences_and_the_tables_are_the_numbers(projection):
    page = brief(projection, "Gansu", date=DAY)
    levels = 100 * projection.data["relative_output"].sel(region="620000")
    end = levels.sel(scenario="baseline", year=2028).to_numpy()
    known = f"{float(levels[0, 0, 0]):.0f} % of the national mean in 2024 to {np.median(end):.0f} % in 2028"
    assert known in page.lead[0]
    assert "by the model alone" in page.lead[0]
    mixes, _, years = tables(page)
    assert len(years.rows) == 1 + len(projection.policies) == 1 + len(mixes.rows)
    changes = {name: levels.sel(scenario=name, year=2028).to_numpy() - end for name in page.mixes}
    order = sorted(changes, key=lambda name: -changes[name].mean())
    for row, name in zip(years.rows[1:], order, strict=True):
        assert row[1].startswith(f"{np.median(levels.sel(scenario=name, year=2028)):.1f} (")
    best = changes[order[0]]
    assert mixes.rows[0][1].numbers == pytest.approx((best.mean(),))
    assert mixes.rows[0][2].numbers == pytest.approx(np.quantile(best, [0.5, 0.05, 0.95]))
    assert mixes.rows[0][4].numbers == pytest.approx((100 * (best > 0).mean(),))


def test_money_is_that_of_the_first_year(projection, tmp_path):
    page = brief(projection, "Gansu", date=DAY, mixes=["zoned_need"])
    data = projection.data.sel(scenario="zoned_need", region="620000", year=2025)
    total = float(
        (projection.data["policy_budget"].sel(scenario="zoned_need", year=2025) * data["budget_share"]).mean()
    )
    money = tables(page)[1]
    assert money.caption == "Money for Gansu in 2025, by lever: billion yuan (yuan a head)"
    *levers, (_, everything) = money.rows
    assert len(levers) == 7
    assert everything.numbers == pytest.approx([total / 1e9, total / float(data["population"].mean())])
    assert sum(cell.numbers[0] for _, cell in levers) == pytest.approx(everything.numbers[0])
    assert f"({everything.numbers[0]:.1f} billion yuan in the first year" in page.lead[1]
    cells = list(load_workbook(page.save(tmp_path / "page.xlsx"))["Brief"].iter_rows(values_only=True))
    assert next(row[1:3] for row in cells if row[0] == "Total") == pytest.approx(everything.numbers)
    chinese = brief(projection, "Gansu", date=DAY, mixes=["zoned_need"], lang="zh")
    assert "：亿元（人均元）" in tables(chinese)[1].caption


def test_why_another_mix_is_best_in_the_nation(projection):
    data = projection.data.copy()
    heads = data["output_per_head"].transpose("scenario", "draw", "region", "year").copy()
    relative = data["relative_output"].transpose("scenario", "draw", "region", "year").copy()
    gaps = data["laggard_gap"].transpose("scenario", "draw", "year").copy()
    for name, here, closed in (("zoned_need", 0.02, 1.0), ("uniform_per_head", -0.01, 2.0)):
        at = projection.scenarios.index(name)
        relative[at, :, 3, -1] = relative[0, :, 3, -1] + here
        gaps[at, :, -1] = gaps[0, :, -1] - closed
    data["output_per_head"], data["relative_output"], data["laggard_gap"] = heads, relative, gaps
    page = brief(replace(projection, data=data), "Gansu", date=DAY)
    said = next(part.items for part in page.document.parts if isinstance(part, Bullets))
    assert "“One mix for all, per head” is among those to choose for the nation, but not here: under it" in said[0]
    assert "Money is part of it: Gansu gets " in said[0]


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
    (gains,) = next(part.items for part in folded(page) if isinstance(part, Bullets))
    assert "Henan +10.0 % (90 %" in gains
    assert "rank 2 of 4. Most: Gansu +20.0 %" in gains
    assert gains.endswith("Below no policy (1): Shanghai −10.0 %.")


def test_the_charts_of_the_workbook_read_the_numbers_beside_them(projection, tmp_path):
    page = brief(projection, "Gansu", date=DAY)
    book = load_workbook(page.save(tmp_path / "page.xlsx"))
    sheet = book["Data"]
    large, small = book["Brief"]._charts
    assert [len(chart._charts[-1].series) for chart in (large, small)] == [len(projection.policies), 2]
    years = {sheet.cell(row, 1).value: row for row in range(2, sheet.max_row + 1)}
    headings = {cell.value: cell.column for cell in sheet[1]}
    level = 100 * projection.data["relative_output"].sel(scenario="baseline", region="620000", year=2028).median("draw")
    assert sheet.cell(years[2028], headings["No policy"]).value == pytest.approx(float(level))
    assert sheet.cell(years[2024], headings["observed"]).value == pytest.approx(
        100 * float(projection.history["relative_output"].sel(region="620000", year=2024))
    )
    best = page.figure.data.query("kind == 'change'").groupby("line", sort=False).first().index[0]
    for chart, query in ((large, f"kind == 'change' and line == '{best}'"), (small, "line == 'baseline'")):
        shown, axis = page.figure.data.query(query), chart._charts[-1].y_axis.scaling
        assert axis.min <= shown["low"].min() < shown["high"].max() <= axis.max
        assert axis.max - axis.min < 20, "the axis fits the values"


def test_a_single_run_says_no_interval(model, panel, tmp_path):
    one = project(model, panel, ["zoned_need"], until=2027, draws=1)
    page = brief(one, "Gansu", date=DAY)
    said = " ".join([*texts_of(page), *(text for part in folded(page) for text in texts_of_part(part))])
    assert "So few simulations do not say how sure this is" in said
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
    assert not page.mixes
    assert len(page.lead) == 1
    assert "To cite: gapsim" in folded(page)[-1].text


def test_without_population_a_region_is_told_by_its_gap_and_classes_are_refused(panel, model):
    bare = panel.with_values({"output_per_head": panel.array("output_per_head")}, {"output_per_head": "yuan"})
    found = project(model, bare, ["zoned_need"], until=2026, draws=2)
    page = brief(found, "Gansu", date=DAY)
    said = " ".join(texts_of(page))
    lines = page.numbers.set_index(["line", "kind"])["median"]
    assert lines["history", "observed"].iloc[-1] == pytest.approx(lines["baseline", "level"].iloc[0], rel=1e-5)
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
    assert page.mixes == many.policies[:5]
    told = [text for part in folded(page) for text in texts_of_part(part)]
    assert any(text.startswith("Also in the results and not shown here") for text in told)
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
    stamp = folded(brief(projection, "Gansu", date=DAY))[-1].text
    panel = "“Provinces of mainland China”, 4 regions, 2000–2024"
    for part in ("gapsim ", panel, "2025-03-04", "seed 3", "simulations 5"):
        assert part in stamp


def test_the_picture_is_a_png_with_an_alternative_text(projection):
    parts = brief(projection, "Gansu", date=DAY).document.parts
    (picture,) = (part for part in parts if isinstance(part, Picture))
    assert png_bytes(picture.figure)[:4] == b"\x89PNG"
    assert "Medians in 2028: No policy" in picture.sentence


def changing(page):
    """What stands below the heading on what would change the answer."""
    parts = folded(page)
    at = [isinstance(part, Heading) and "change the answer" in part.text for part in parts].index(True)
    return parts[at + 1].items


def test_what_would_change_the_answer(projection):
    first, second = changing(brief(projection, "Gansu", date=DAY))
    assert "does most, or within" in first
    assert "5 simulations are too few" in second
    alone = changing(brief(projection, "Gansu", mixes=["zoned_need"], date=DAY))
    assert "better for Gansu than no policy in" in alone[0]
    assert not any(
        isinstance(part, Heading) for part in brief(projection, "Gansu", mixes=["zoned_need"]).document.parts
    )
    old = replace(projection, parameters=None)
    assert "do not hold the parameters of each" in changing(brief(old, "Gansu", date=DAY))[1]


@pytest.mark.parametrize(("lang", "numbers"), [("en", ("two", "3")), ("zh", ("两", "3"))])
def test_the_advice_says_among_how_many_mixes(model, panel, lang, numbers):
    """The best of a few mixes is no more than that: the page counts those that it compares, and no others."""
    names = ["zoned_need", "uniform_per_head", "skills_programme"]
    projection = project(model, panel, names, until=2026, draws=5)
    for count, number in ((2, numbers[0]), (3, numbers[1])):
        page = brief(projection, "Gansu", mixes=names[:count], lang=lang, date=DAY)
        advice = page.lead[1].partition("“")[0]
        assert number in advice
    alone = brief(projection, "Gansu", mixes=names[:1], lang=lang, date=DAY).lead[1]
    assert not any(number in alone.partition("“")[0] for number in numbers)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(("exponent", "whom"), [(-0.89, "richer"), (0.0, "even"), (1.0, "poorer"), (0.5, "poorer")])
def test_a_page_says_who_gets_more_money_a_head(model, panel, exponent, whom, lang):
    policy = {"name": "own", "extends": "zoned_need", "policy": {"redistribution": exponent}}
    own = project(model, panel, [policy], until=2026, draws=2)
    advice = brief(own, "Gansu", lang=lang, date=DAY).lead[1]
    words = {key: translate(f"need.{key}", lang) for key in ("richer", "even", "poorer")}
    assert [key for key, text in words.items() if text in advice] == [whom]
    exact = translate("need.exponent", lang, words=words[whom], exponent=f"{exponent:g}")
    assert (exact in advice) == (exponent not in (0, 1))


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
    assert "“Zoned by class, by need” is better for Gansu than no policy in 59 %" in said[0]
    assert said[1] == (
        "one-off support for each unit of yearly output that is digitalised (no evidence): in its lowest third this "
        "holds in 0 % of the simulations, in its highest third in 100 %."
    )


@pytest.fixture(scope="module")
def ranking(model, panel):
    first = load_scenario("zoned_need", model=model)
    cast = distinct(with_comparisons([first, *two_by_two(first, model=model)], model=model))
    return answer(model, panel, cast, {"": None}, None, bounds=(2024, 2028), draws=5, seed=3)


@pytest.mark.parametrize(("place", "code"), [("Gansu", "620000"), ("East", "East"), ("nation", "")])
def test_all_compared_mixes_are_ranked_and_kept(projection, ranking, tmp_path, place, code):
    kept = replace(projection, compared=labelled_effects(projection, ranking))
    stored = load_future(kept.save(tmp_path))
    assert stored.compared.equals(kept.compared)
    page = brief(stored, place, date=DAY)
    rows = tables(page)[0].rows
    labels = {label_of(projection, ranking, name, "en"): name for name in ranking.main.scenarios}
    assert len(labels) == 4 > len(projection.policies)
    regional = ranking.main.regional["relative_change"]
    whole = regional.sel(region=code) if code else ranking.main.effects["gap_closed"]
    means = whole.mean("draw").to_series()
    # Effects are kept in hundredths.
    found = {labels[row[0].removesuffix(" (levels down)")]: row[1].numbers[0] for row in rows}
    assert found == pytest.approx(means[list(found)].to_dict(), abs=0.006)
    assert set(found) == set(labels.values())
    assert list(found.values()) == sorted(found.values(), reverse=True)
    if code:
        members = select_at(kept.compared, code, None).members
        table = ranking.main.regions().loc[code]
        assert set(members) == set(table.index[table["is_member"]])
        assert all(f"“{label_of(projection, ranking, name, 'en')}”" in page.lead[1] for name in members)
    named = brief(stored, place, mixes=["zoned_need"], date=DAY)
    (row,) = tables(named)[0].rows
    assert labels[row[0].removesuffix(" (levels down)")] == "zoned_need"


def test_an_effect_too_large_for_its_place_is_the_largest_that_fits(ranking):
    effects = ranking.main.effects.assign(gap_closed=ranking.main.effects["gap_closed"] + 1e6)
    main = replace(ranking.main, effects=effects)
    assert main.compared["gap_closed"].dtype == np.int16
    assert (main.compared["gap_closed"] == 32767).all()
