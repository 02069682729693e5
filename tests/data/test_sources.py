"""Files as statistical offices export them; made by hand after the layouts that the offices document."""

import csv
import io
import re
import shlex

import numpy as np
import openpyxl
import pandas as pd
import pytest

from pysd_runner.core.errors import InvalidPanel
from pysd_runner.core.findings import errors_of
from pysd_runner.data import check_data, load_data

YEARS = (2019, 2020, 2021)
# Output in millions and population in thousands in the first year; both grow by 2 % a year.
NUTS = {"DE": ("Germany", 900.0, 60), "DE1": ("Süden", 500.0, 30), "DE11": ("Alpen", 300.0, 20)}
NUTS |= {"DE12": ("Seen", 200.0, 10), "DE2": ("Norden", 400.0, 30), "DE21": ("Küste", 250.0, 20)}
NUTS |= {"DE22": ("Moor", 150.0, 10)}
OF_OECD = {"AUS": ("Australia", 500.0, 30), "AU1": ("South", 300.0, 20), "AU2": ("North", 200.0, 10)}
OF_BEA = {"00000": ("United States", 500.0, 30), "01000": ("Alabama", 300.0, 20), "02000": ("Alaska", 200.0, 10)}
OF_WORLD = {"WLD": ("World", 500.0, 30), "CHL": ("Chile", 300.0, 20), "PER": ("Peru", 200.0, 10)}
OF_FRANCE = {"FM": ("France métropolitaine", 5000.0, 30), "11": ("Île", 3000.0, 20), "24": ("Val", 2000.0, 10)}
OF_CHINA = {"北京市": ("", 300.0, 20), "甘肃省": ("", 200.0, 10)}


def grown(value, year, share=1):
    return round(value * share * 1.02 ** (year - YEARS[0]), 2)


def lines(rows, separator=","):
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows(rows)
    return out.getvalue()


def each(places, *measures):
    """Code, name, year and value for each place, year and measure; a measure is its cells, source and share."""
    for cells, of, share in measures:
        for code, (name, output, people) in places.items():
            for year in YEARS:
                yield code, name, year, grown(output if of == "output" else people, year, share), cells


def across(places, of="output", share=1):
    for code, (name, output, people) in places.items():
        yield code, name, [grown(output if of == "output" else people, year, share) for year in YEARS]


def eurostat_labels(*units):
    head = "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,freq,Time frequency,unit,Unit of measure,geo,"
    head += "Geopolitical entity (reporting),TIME_PERIOD,Time,OBS_VALUE,Observation value,OBS_FLAG,"
    head += "Observation status (Flag) V2 structure"
    flow = ["dataflow", "ESTAT:NAMA_10R_2GDP(1.0)", "Gross domestic product (GDP) by NUTS 2 region", "A", "Annual"]
    units = [(unit, "output", 1) for unit in units or [("MIO_EUR", "Million euro")]]
    rows = [
        [*flow, *u, c, n, y, "", v, "", *(("p", "provisional") if y == 2021 else ("", ""))]
        for c, n, y, v, u in each(NUTS, *units)
    ]
    return lines([head.split(","), *rows])


def eurostat_joined():
    head = "DATAFLOW,LAST UPDATE,freq:Time frequency,unit:Unit of measure,sex:Sex,geo:Geopolitical entity (reporting),"
    head += "TIME_PERIOD:Time,OBS_VALUE:Observation value,OBS_FLAG:Observation status (Flag)"
    flow = ["ESTAT:DEMO_R_D2JAN(1.0): Population on 1 January", "17/02/25 23:00:00", "A: Annual", "NR: Number"]
    sexes = [("T: Total", "people", 1000), ("M: Males", "people", 490), ("F: Females", "people", 510)]
    return lines(
        [head.split(","), *([*flow, sex, f"{c}:{n}", y, int(v), ""] for c, n, y, v, sex in each(NUTS, *sexes))]
    )


def eurostat_tsv():
    head = "freq,unit,geo\\TIME_PERIOD\t" + "\t".join(f"{year} " for year in YEARS)
    rows = [
        f"A,EUR_HAB,{c}\t{v[0]} \t{v[1]} p\t" + (": c" if c == "DE22" else f"{v[2]} bd")
        for c, _, v in across(NUTS, share=100)
    ]
    return "\n".join([head, *rows])


def oecd(*more):
    head = "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,ACTION,FREQ,Frequency of observation,REF_AREA,Reference area,MEASURE,"
    head += "Measure,ACTIVITY,Economic activity,UNIT_MEASURE,Unit of measure,TIME_PERIOD,Time period,OBS_VALUE,"
    head += (
        "Observation value,COUNTRY,Country,OBS_STATUS,Observation status,UNIT_MULT,Unit multiplier,DECIMALS,Decimals"
    )
    flow = ["DATAFLOW", "OECD:DF_GDP(2.0)", "Gross domestic product - Regions", "I", "A", "Annual"]
    gdp = ("GDP", "Gross domestic product", "_T", "Total", "USD_PPP", "US dollars, PPP converted", 6, "Millions")
    people = ("POP", "Population", "_T", "Total", "PS", "Persons", 3, "Thousands")
    found = each(
        OF_OECD, (gdp, "output", 1), (people, "people", 1), *((gdp[:4] + item, "output", 1.1) for item in more)
    )
    rows = [
        [*flow, c, n, *m[:6], y, "", v, "", "AUS", "Australia", "A", "Normal value", *m[6:], 2, "Two"]
        for c, n, y, v, m in found
    ]
    return lines([head.split(","), *rows])


def world_bank(*names):
    head = [["Data Source", "World Development Indicators", ""], [], ["Last Updated Date", "2025-01-28", ""], []]
    head.append(["Country Name", "Country Code", "Indicator Name", "Indicator Code", *YEARS, ""])
    rows = [[n, c, name, f"NY.{name}", *v, ""] for name in names for c, n, v in across(OF_WORLD, share=1e6)]
    rows += [[n, c, "Population, total", "SP.POP.TOTL", *v, ""] for c, n, v in across(OF_WORLD, "people", 1000)]
    return lines(head + rows)


def insee():
    rows = [["Produit intérieur brut (PIB) par région"], ["En millions d'euros"], ["Champ : France."], []]
    rows.append(["Codgeo", "Libellé", *YEARS])
    rows += [[c, n, *(f"{x:,.1f}".replace(",", " ").replace(".", ",") for x in v)] for c, n, v in across(OF_FRANCE)]
    return lines([*rows, [], ["Source : Insee, comptes régionaux"]], ";")


def istat(*prices):
    head = "ITTER107,Territorio,TIPO_DATO,Tipo aggregato,VALUTAZIONE,Valutazione,T_EDI,Edizione,TIME,Seleziona periodo,"
    prices = [(item, "output", 1) for item in prices or [("V", "prezzi correnti")]]
    measure, edition = ["B1GQ", "prodotto interno lordo ai prezzi di mercato"], ["2024M01", "Gen-2024"]
    rows = [[c, n, *measure, *p, *edition, y, y, v, "", ""] for c, n, y, v, p in each(NUTS, *prices)]
    return lines([f"{head}Value,Flag Codes,Flags".split(","), *rows])


def bea(*items):
    rows = [
        "GeoFIPS,GeoName,Region,TableName,LineCode,IndustryClassification,Description,Unit," + ",".join(map(str, YEARS))
    ]
    for line, (name, unit, share) in enumerate(items, 1):
        for code, place, v in across(OF_BEA, share=share):
            shown = ",".join("(D)" if share < 1 else str(x) for x in v)
            rows.append(f' "{code}","{place}"," ",SAGDP2N,{line},"...","  {name}",{unit},{shown}')
    return "\n".join([*rows, "Note: See the included footnote file.", "SAGDP2N: Gross domestic product", "U.S. Bureau"])


def nbs(upper, lower):
    """A table with a header of two rows, in which the upper cells are merged."""
    rows = [["分省年度数据"], ["地区", *(cell for item in upper for cell in [item, *[None] * (len(lower) - 1)])]]
    rows.append([None, *lower * len(upper)])
    for code, (_, output, people) in OF_CHINA.items():
        values = [
            grown(output if "生产" in a + b else people, int((a + b)[(a + b).index("20") :][:4]))
            for a in upper
            for b in lower
        ]
        rows.append([code, *values])
    return [*rows, ["数据来源：国家统计局"]]


def workbook(path, rows, first=""):
    book = openpyxl.Workbook()
    sheet = book.active if not first else book.create_sheet("数据")
    if first:
        book.active.append([first])
    for row in rows:
        sheet.append(row)
    sheet.merge_cells(start_row=2, end_row=3, start_column=1, end_column=1)
    sheet.merge_cells(start_row=2, end_row=2, start_column=2, end_column=3)
    book.save(path)
    return path


def written(folder, name, text, encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def told(panel, rule):
    return [item for item in panel.problems if item.rule == rule]


TOTAL = ("All industry total", "Millions of current dollars", 1)
ITEMS = ("地区生产总值(亿元)", "年末常住人口(万人)")
# Content, encoding, variable, first value of the smallest region, currency.
READ = {
    "eurostat.csv": (eurostat_labels(), "utf-8-sig", "output", 150e6, "Euro"),
    "estat_nama_10r_2gdp.tsv": (eurostat_tsv(), "utf-8", "output_per_head", 15000, "Euro"),
    "oecd.csv": (oecd(), "utf-8", "output_per_head", 20000, "US dollar"),
    "oecd_labels.csv": (oecd().replace(",6,Millions", ",,Millions"), "utf-8", "output", 200e6, "US dollar"),
    "API_NY.csv": (world_bank("GDP (current US$)"), "utf-8-sig", "output_per_head", 20000, "US dollar"),
    "insee.csv": (insee(), "cp1252", "output", 2e9, "Euro"),
    "istat.csv": (istat(), "utf-8", "output", 150, "currency"),
    "bea.csv": (bea(TOTAL, ("Farms", TOTAL[1], 0.1)), "utf-8", "output", 200e6, "US dollar"),
    "nbs_years.csv": (
        lines(nbs(["2021年", "2020年", "2019年"], ITEMS)),
        "gb18030",
        "output_per_head",
        2e10 / 1e5,
        "Yuan",
    ),
    "nbs_items.csv": (lines(nbs(ITEMS, ["2021", "2020", "2019"])), "gb18030", "output_per_head", 2e10 / 1e5, "Yuan"),
}


@pytest.mark.parametrize("name", READ)
def test_exports_are_read_as_they_are(tmp_path, name):
    text, encoding, variable, value, currency = READ[name]
    panel = load_data(written(tmp_path, name, text, encoding), panel=True)
    assert panel.years == YEARS
    assert panel.array(variable)[-1, 0] == pytest.approx(value)
    assert panel.currency == currency
    # Nations and coarser levels are left out, and it is said.
    assert len(panel.regions) == (4 if panel.codes[0].startswith("DE") else 2)
    assert bool(told(panel, "left-out")) == (not name.startswith("nbs"))
    missing = {"estat_nama_10r_2gdp.tsv": 1}.get(name, 0)
    assert np.isnan(panel.array(variable)).sum() == missing


# What must be chosen, and the line that the error prints.
REAL, SHOWN = ("Real GDP 1/", "Millions of chained 2017 dollars", 1), ("Current-dollar GDP", TOTAL[1], 1)
CHOSEN = {
    "eurostat.csv": (eurostat_labels(("MIO_EUR", "Million euro"), ("MIO_NAC", "Million units")), "Million euro", 150e6),
    "oecd.csv": (
        oecd(("XDC", "National currency", 6, "Millions")),
        "Gross domestic product, US dollars, PPP converted",
        200e6,
    ),
    "API_NY.csv": (world_bank("GDP (current US$)", "GDP (constant 2015 US$)"), "GDP (current US$)", 200e6),
    "istat.csv": (istat(("V", "prezzi correnti"), ("L", "valori concatenati")), "prezzi correnti", 150),
    "bea.csv": (bea(REAL, SHOWN, ("Index", "Quantity index", 1)), "Real GDP 1/", 200e6),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_of_several_measures_the_error_prints_the_choice(tmp_path, name):
    text, first, value = CHOSEN[name]
    path = written(tmp_path, name, text)
    (problem,) = errors_of(check_data(path, panel=True))
    (asked,) = shlex.split(problem.message.rpartition("--map ")[2])
    assert asked == f"{first}=output"
    assert load_data(path, roles={first: "output"}, panel=True).array("output")[-1, 0] == pytest.approx(value)


def test_output_and_population_of_two_files(tmp_path):
    files = [written(tmp_path, "gdp.csv", eurostat_labels()), written(tmp_path, "people.csv", eurostat_joined())]
    panel = load_data(files, panel=True)
    assert panel.codes == ("DE11", "DE12", "DE21", "DE22")
    np.testing.assert_allclose(panel.array("population")[:, 0], [20000, 10000, 20000, 10000])
    assert [region.name_en for region in panel.regions][:2] == ["Alpen", "Seen"]
    assert any(item.message.endswith("sex is not T") for item in told(panel, "left-out"))


def test_two_kinds_of_one_measure_are_told_by_their_units(tmp_path):
    twice = eurostat_labels(("MIO_EUR", "Million euro"), ("EUR_HAB", "Euro per inhabitant"))
    panel = load_data(written(tmp_path, "both.csv", twice), panel=True)
    assert (panel.array("output")[0, 0], panel.array("output_per_head")[0, 0]) == (300e6, 300)


@pytest.mark.parametrize("rows", [nbs(["2021年", "2020年"], ITEMS), nbs(ITEMS, ["2021", "2020"])])
def test_merged_cells_of_a_workbook_and_another_sheet(tmp_path, rows):
    panel = load_data(workbook(tmp_path / "nbs.xlsx", rows), regions="china")
    assert panel.codes == ("110000", "620000")
    np.testing.assert_allclose(panel.array("output")[:, 0], [306e8, 204e8])
    path = workbook(tmp_path / "other.xlsx", rows, first="说明")
    first = errors_of(check_data(path, panel=True))[0]
    assert first.message.endswith("choose another with --sheet '数据'")
    assert load_data(path, regions="china", sheet="数据").sha256 == panel.sha256


def test_files_of_one_province_each_are_joined(tmp_path):
    rows = "时间：最近2年\n指标,2023年,2022年\n地区生产总值(亿元),300,200\n年末常住人口(万人),20,20\n"
    files = [written(tmp_path, f"{name}.csv", f"数据库：分省年度数据\n地区：{name}\n{rows}") for name in OF_CHINA]
    assert load_data(files, regions="china").array("output").tolist() == [[2e10, 3e10], [2e10, 3e10]]


def test_one_indicator_a_file_and_two_files_one_panel(tmp_path):
    rows = "时间：最近2年\n地区,2023年,2022年\n北京市,20,10\n甘肃省,40,30\n注：推算数。\n数据来源：国家统计局\n"
    items = [*ITEMS, "地区生产总值\n单位：亿元"]
    files = [written(tmp_path, f"{at}.csv", f"指标：{item}\n{rows}", "gb18030") for at, item in enumerate(items)]
    panel = load_data(files[:2], regions="china")
    np.testing.assert_allclose(panel.array("output"), [[10e8, 20e8], [30e8, 40e8]])
    np.testing.assert_allclose(panel.array("population"), [[10e4, 20e4], [30e4, 40e4]])
    np.testing.assert_array_equal(load_data(files[2], regions="china").array("output"), panel.array("output"))


@pytest.mark.parametrize(
    "times", ["2020-Q1,2020-Q2", "2020:Q1,2020:Q2", "2020年第一季度,2020年第二季度", "2020-01,2020-02"]
)
def test_quarters_and_months_are_refused_in_one_sentence(tmp_path, times):
    first, second = times.split(",")
    long = f"geo,TIME_PERIOD,OBS_VALUE\nDE,{first},1\nDE,{second},1\n"
    for text in (long, f"地区,{times}\n北京市,1,2\n"):
        (problem,) = check_data(written(tmp_path, "q.csv", text), panel=True)
        assert problem.message.startswith("there are several values a year")
    mixed = written(tmp_path, "m.csv", f"{long}DE,2020,9\nFR,2020,8\n")
    panel = load_data(mixed, roles={"OBS_VALUE": "output"}, panel=True)
    assert panel.array("output").tolist() == [[9], [8]]


def test_a_tsv_whose_keys_do_not_fit(tmp_path):
    path = written(tmp_path, "estat_nama_10r_2gdp.tsv", eurostat_tsv().replace("A,EUR_HAB,DE12", "A,DE12"))
    (problem,) = [item for item in check_data(path, panel=True) if item.rule == "row-length"]
    assert (problem.row, problem.found, problem.expected) == (5, "A,DE12", "3 keys with commas between")


@pytest.mark.parametrize("content", [b"\x01\x02\x00\x03", b"\xd0\xcf\x11\xe0"])
def test_an_old_workbook_says_how_to_save_it(tmp_path, content):
    (tmp_path / "a.xls").write_bytes(content)
    (problem,) = check_data(tmp_path / "a.xls", panel=True)
    assert "another kind" in problem.message


@pytest.mark.parametrize("title", ["Regional accounts, 2025 edition", "Table 1"])
@pytest.mark.parametrize("blank", ["", "\n"])
def test_a_title_above_any_table(tmp_path, title, blank):
    table = "region,year,output,population\nA,2020,100000,2\nB,2020,300000,3\n"
    plain = load_data(written(tmp_path, "plain.csv", table), panel=True)
    titled = load_data(written(tmp_path, "titled.csv", f"{title}\n{blank}{table}"), panel=True)
    np.testing.assert_array_equal(titled.array("output"), plain.array("output"))
    assert told(titled, "title-rows")[0].found == title.split(",")[0] + (": 2025 edition" if "," in title else "")
    # Rows are counted as in the file.
    wrong = written(tmp_path, "wrong.csv", f"{title}\n{blank}{table}C,2020,x,1\n")
    (problem,) = errors_of(check_data(wrong, panel=True))
    assert problem.row == (5 if not blank else 6)


@pytest.mark.parametrize("header", ["Land,2020,2021", "gebiet,TIME_PERIOD,OBS_VALUE", "Ort,Jahr,GDP"])
def test_for_an_unknown_heading_the_error_prints_the_line(tmp_path, header):
    path = written(tmp_path, "a.csv", f"{header}\nA,2020,20000\nB,2021,30000\n")
    said = [item.message for item in check_data(path, panel=True) if item.severity == "error"]
    roles = dict(re.findall(r"--map (\w+)=(\w+)", " ".join(said)))
    assert roles[header.split(",")[0]] == "region"
    assert load_data(path, roles=roles, panel=True).codes == ("A", "B")


def test_files_that_contradict_each_other_say_which(tmp_path):
    first = written(tmp_path, "first.csv", "region,year,output\nA,2020,10\nB,2020,20\n")
    second = written(tmp_path, "second.csv", "region,year,output\nA,2020,11\nB,2021,20\n")
    with pytest.raises(InvalidPanel, match=r"second\.csv"):
        load_data([first, second], panel=True)
    with pytest.raises(InvalidPanel, match="output"):
        load_data([written(tmp_path, "p.csv", "region,year,population\nA,2020,1\n")] * 2, panel=True)


def test_files_of_several_forms_and_periods(tmp_path):
    wide = written(tmp_path, "wide.csv", "region,year,output\nA,2020,10000\nB,2020,20000\n")
    long = written(tmp_path, "long.csv", "region,year,variable,value\nA,2021,output,11000\nB,2021,output,21000\n")
    frame = pd.DataFrame({"region": ["A", "B"], "year": [2021, 2021], "population": [1.234, 2.0]})
    panel = load_data([wide, long, frame], panel=True)
    np.testing.assert_array_equal(panel.array("output"), [[10000, 11000], [20000, 21000]])
    np.testing.assert_array_equal(panel.array("population"), [[np.nan, 1.234], [np.nan, 2.0]])


def test_a_data_frame_is_a_panel():
    frame = pd.DataFrame({"region": ["A", "B"] * 2, "year": [2020, 2020, 2021, 2021], "output [yuan]": [1.5, 2, 3, 4]})
    panel = load_data(frame, panel=True)
    np.testing.assert_array_equal(panel.array("output"), [[1.5, 3], [2, 4]])
    assert load_data(frame.set_index(["region", "year"]), panel=True).sha256 == panel.sha256
    assert panel.provenance["file_sha256"]
    assert load_data(frame.to_dict("list"), panel=True).sha256 == panel.sha256
    assert load_data([frame], panel=True).sha256 == panel.sha256
