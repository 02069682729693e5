"""Files as statistical offices export them; made by hand after the layouts that the offices document."""

import numpy as np
import openpyxl
import pandas as pd
import pytest

from pysd_runner.core.errors import InvalidPanel
from pysd_runner.data import check_data, load_data

NBS_OUTPUT = """数据库：分省年度数据
指标：地区生产总值(亿元)
时间：最近3年
地区,2023年,2022年,2021年
北京市,43760.7,41540.9,41045.6
甘肃省,11863.8,11121.4,10225.5
西藏自治区,2392.7,2164.6,2080.2
数据来源：国家统计局
"""
NBS_PEOPLE = """数据库：分省年度数据
指标：年末常住人口(万人)
时间：最近3年
地区,2023年,2022年,2021年
北京市,2186,2184,2189
甘肃省,2465,2492,2490
西藏自治区,365,364,366
注：2021年及以后为人口变动情况抽样调查推算数。
数据来源：国家统计局
"""
SDMX = """DATAFLOW,LAST UPDATE,freq,unit,geo,TIME_PERIOD,OBS_VALUE,OBS_FLAG
ESTAT:NAMA_10R_2GDP(1.0),20/02/25 23:00:00,A,MIO_EUR,DE11,2021,225000.5,
ESTAT:NAMA_10R_2GDP(1.0),20/02/25 23:00:00,A,MIO_EUR,DE11,2022,240000.25,p
ESTAT:NAMA_10R_2GDP(1.0),20/02/25 23:00:00,A,MIO_EUR,DE12,2021,105000,
ESTAT:NAMA_10R_2GDP(1.0),20/02/25 23:00:00,A,MIO_EUR,DE12,2022,110000,e
"""
TSV = "freq,unit,geo\\TIME_PERIOD\t2021 \t2022 \nA,THS_PER,DE11\t4150.5 \t4200 e\nA,THS_PER,DE12\t2800 \t: \n"
WORLD_BANK = """"Data Source","World Development Indicators",

"Last Updated Date","2025-01-28",

"Country Name","Country Code","Indicator Name","Indicator Code","2021","2022",
"Chile","CHL","GDP (current US$)","NY.GDP.MKTP.CD","316581000000","302117000000",
"Peru","PER","GDP (current US$)","NY.GDP.MKTP.CD","226328000000","245500000000",
"Chile","CHL","Population, total","SP.POP.TOTL","19493184","19603733",
"Peru","PER","Population, total","SP.POP.TOTL","33715471","34049588",
"""
DATABANK = """Country Name,Country Code,Series Name,Series Code,2021 [YR2021],2022 [YR2022]
Chile,CHL,GDP (current US$),NY.GDP.MKTP.CD,316581000000,302117000000
Peru,PER,GDP (current US$),NY.GDP.MKTP.CD,226328000000,..
Chile,CHL,"Population, total",SP.POP.TOTL,19493184,19603733
Peru,PER,"Population, total",SP.POP.TOTL,33715471,34049588

Data from database: World Development Indicators
Last Updated: 01/28/2025
"""


def written(folder, name, text, encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def told(panel, rule):
    return [item for item in panel.problems if item.rule == rule]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_one_indicator_a_file_and_two_files_one_panel(tmp_path, encoding):
    files = [
        written(tmp_path, "gdp.csv", NBS_OUTPUT, encoding),
        written(tmp_path, "people.csv", NBS_PEOPLE, encoding),
    ]
    panel = load_data(files, regions="china")
    assert panel.codes == ("110000", "620000", "540000")
    assert panel.years == (2021, 2022, 2023)
    np.testing.assert_allclose(panel.array("output")[1], [10225.5e8, 11121.4e8, 11863.8e8])
    np.testing.assert_allclose(panel.array("population")[0], [2189e4, 2184e4, 2186e4])
    np.testing.assert_allclose(panel.array("output_per_head")[0, 2], 43760.7e8 / 2186e4)
    assert [item.message.split(":")[0] for item in told(panel, "title-rows")] == ["gdp.csv", "people.csv"]
    alone = load_data(files[0], regions="china")
    np.testing.assert_array_equal(alone.array("output"), panel.array("output"))


def test_the_same_export_as_a_workbook(tmp_path):
    book = openpyxl.Workbook()
    for line in NBS_OUTPUT.splitlines():
        cells = line.split(",")
        book.active.append([float(cell) if cell.replace(".", "").isdigit() else cell for cell in cells])
    book.save(tmp_path / "gdp.xlsx")
    panel = load_data(tmp_path / "gdp.xlsx", regions="china")
    np.testing.assert_allclose(panel.array("output")[0], [41045.6e8, 41540.9e8, 43760.7e8])


def test_unit_on_a_line_of_its_own(tmp_path):
    text = "地区生产总值\n单位：亿元\n地区,2022年,2021年\n北京市,2,1\n甘肃省,4,3\n"
    panel = load_data(written(tmp_path, "gdp.csv", text), regions="china")
    np.testing.assert_allclose(panel.array("output"), [[1e8, 2e8], [3e8, 4e8]])


def test_eurostat_sdmx_and_tsv_join(tmp_path):
    output = written(tmp_path, "estat_nama_10r_2gdp_en.csv", SDMX)
    people = written(tmp_path, "estat_nama_10r_3popgdp.tsv", TSV)
    panel = load_data([output, people], panel=True)
    assert panel.codes == ("DE11", "DE12")
    assert panel.currency == "Euro"
    np.testing.assert_allclose(panel.array("output"), [[225000.5e6, 240000.25e6], [105000e6, 110000e6]])
    np.testing.assert_allclose(panel.array("population"), [[4150.5e3, 4200e3], [2800e3, np.nan]])


def test_a_tsv_whose_keys_do_not_fit(tmp_path):
    path = written(tmp_path, "estat_nama_10r_2gdp.tsv", TSV.replace("A,THS_PER,DE12", "A,DE12"))
    (problem,) = [item for item in check_data(path, panel=True) if item.rule == "row-length"]
    assert (problem.row, problem.found, problem.expected) == (3, "A,DE12", "3 keys with commas between")


def test_two_units_in_one_file_are_not_mixed(tmp_path):
    twice = SDMX + SDMX.partition("\n")[2].replace("MIO_EUR", "EUR_HAB")
    panel = load_data(written(tmp_path, "both.csv", twice), panel=True)
    assert panel.array("output")[0, 0] == 225000.5e6
    assert panel.array("output_per_head")[0, 0] == 225000.5
    other = SDMX + SDMX.partition("\n")[2].replace("MIO_EUR", "MIO_PPS")
    problems = check_data(written(tmp_path, "pps.csv", other), panel=True)
    assert any(item.severity == "error" for item in problems)


@pytest.mark.parametrize("text", [WORLD_BANK, DATABANK])
def test_world_bank(tmp_path, text):
    panel = load_data(written(tmp_path, "API_NY.csv", text), panel=True)
    assert [region.name_en for region in panel.regions] == ["Chile", "Peru"]
    assert panel.currency == "US dollar"
    np.testing.assert_allclose(panel.array("output")[:, 0], [316581e6, 226328e6])
    np.testing.assert_allclose(panel.array("population")[0], [19493184, 19603733])
    assert np.isnan(panel.array("output")[1, 1]) == (text is DATABANK)


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
    (problem,) = [item for item in check_data(wrong, panel=True) if item.severity == "error"]
    assert problem.row == (5 if not blank else 6)


@pytest.mark.parametrize(
    ("header", "near"),
    [
        ("Land,2020,2021", "a column for each year, as China's NBS exports it"),
        ("gebiet,TIME_PERIOD,OBS_VALUE", "Eurostat's SDMX-CSV or TSV"),
        ("Series Name,Land,2020,2021", "the World Bank's"),
        ("Land,variable,value", "long: columns region, year, variable and value"),
        ("Land,Jahr,BIP", "wide: columns region and year"),
    ],
)
def test_what_is_not_recognised_is_refused_with_the_nearest_layout(tmp_path, header, near):
    row = ",".join("1" for _ in header.split(","))
    with pytest.raises(InvalidPanel, match="The nearest layout is " + near):
        load_data(written(tmp_path, "a.csv", f"{header}\n{row}\n"), panel=True)


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
