"""Rebuild the shipped Chinese panel from the long downloads it was taken from.

Run from the checkout, with the downloads in ``../shared/data``::

    python tests/data/build_china_panel.py            # compares and lists every difference
    python tests/data/build_china_panel.py --write    # writes panel.csv and national.csv again

Every figure is passed on as text; the one computation is the splice of output before 2006.
"""

import argparse
import csv
import io
import sys
from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
TARGET = CHECKOUT / "models" / "regional_digital" / "data" / "china"
DOWNLOADS = CHECKOUT.parent / "shared" / "data"

YEARS = range(2000, 2025)
SPLICE_YEAR = 2006

# Column of panel.csv -> (file, variable) of the downloads.
COLUMNS = {
    "population": ("china_province_core.csv", "population_yearend"),
    "mobile_internet_users": ("china_province_digital.csv", "mobile_internet_users"),
    "broadband_ports": ("china_province_digital.csv", "broadband_ports"),
    "ict_employment": ("china_province_digital.csv", "ict_employment"),
    "urban_unit_employment": ("china_province_digital.csv", "urban_unit_employment"),
    "firms_with_ecommerce": ("china_province_digital.csv", "firms_with_ecommerce"),
}
# Not among the downloads: read by hand from where sources.toml says, and kept as they are shipped.
KEPT = ("urban_population", "rural_population")
HEADER = ("region", "year", "output", *COLUMNS, *KEPT)

NATIONAL_HEADER = ("year", "variable", "value", "unit", "period", "flag", "source")
NATIONAL_VARIABLES = {
    "internet_penetration": "percent of population",
    "internet_penetration_rural": "percent of rural population",
    "digital_skill_basic": "percent of internet users",
    "digital_skill_intermediate": "percent of internet users",
    "open_data_platforms": "platforms",
}
RENAMED = {
    "digital_skill_basic_share_of_users": "digital_skill_basic",
    "digital_skill_intermediate_share_of_users": "digital_skill_intermediate",
}
YEAR_END_ONLY = ("internet_penetration", "internet_penetration_rural")
# Surveyed once: what a report derives for another year from the change it states is no second observation.
ONCE = ("digital_skill_basic", "digital_skill_intermediate")

# Year-end values that the download lacks: (year, period, value, flag, report, page it was read on).
PENETRATION = (
    (2009, "2009-12", "28.9", "derived: 31.8 - 2.9", "CNNIC 26th report", "http://games.sina.com.cn/y/n/2010-07-15/1437417615.shtml"),
    (2010, "2010-12", "34.3", "derived: 36.2 - 1.9", "CNNIC 28th report", "http://cn.chinagate.cn/IT/2011-07/19/content_23022154.htm"),
    (2011, "2011-12", "38.3", "", "CNNIC 29th report", "http://big5.cctv.com/gate/big5/news.cntv.cn/20120118/103106.shtml"),
    (2012, "2012-12", "42.1", "", "CNNIC 31st report", "http://www.edu.cn/zong_he_news_465/20130116/t20130116_894342.shtml"),
    (2017, "2017-12", "55.8", "", "CNNIC 41st report", "http://95mulu.com/artinfo/9058.html"),
    (2018, "2018-12", "59.6", "derived: 61.2 - 1.6", "CNNIC 44th report", "http://51class.com/news/741.html"),
    (2019, "2020-03", "64.5", "surveyed in March 2020", "CNNIC 45th report", "https://wuziba.com/show-172.html"),
    (2020, "2020-12", "70.4", "", "CNNIC 47th report", "http://universityage.com/xysh/zyzs/230814090724716859.html"),
    (2022, "2022-12", "75.6", "", "CNNIC 51st report", "https://app.bjtitle.com/8816/newshow.php?did=865736038480185&newsid=6311382&typeid=13"),
    (2024, "2024-12", "78.6", "", "CNNIC 55th report", "http://bkeconomy.com/detail-1737096745129170.html"),
)  # fmt: skip


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def plain(text: str) -> str:
    """The same number without a trailing zero fraction."""
    return text[:-2] if text.endswith(".0") else text


def cells(rows: Iterable[dict[str, str]], variable: str) -> dict[tuple[str, int], str]:
    return {(row["region_code"], int(row["year"])): row["value"] for row in rows if row["variable"] == variable}


def output(core: list[dict[str, str]]) -> dict[tuple[str, int], str]:
    """Newest vintage from 2006; before, the previous vintage times the ratio of the two in 2006."""
    newest, previous = cells(core, "gdp_nominal_v5"), cells(core, "gdp_nominal_v4")
    series = dict(newest)
    for (region, year), value in previous.items():
        if year in YEARS and year < SPLICE_YEAR:
            ratio = Decimal(newest[region, SPLICE_YEAR]) / Decimal(previous[region, SPLICE_YEAR])
            series[region, year] = str((Decimal(value) * ratio).quantize(Decimal("0.01"), ROUND_HALF_EVEN))
    return series


def panel_rows(downloads: Path = DOWNLOADS) -> Iterator[tuple[str, ...]]:
    files = {name: read_rows(downloads / name) for name in ("china_province_core.csv", "china_province_digital.csv")}
    series = [output(files["china_province_core.csv"])]
    series += [cells(files[name], variable) for name, variable in COLUMNS.values()]
    with (TARGET / "panel.csv").open(encoding="utf-8", newline="") as file:
        shipped = list(csv.DictReader(file))
    series += [{(row["region"], int(row["year"])): row[name] for row in shipped} for name in KEPT]
    yield HEADER
    for region in sorted({region for region, _ in series[0]}):
        for year in YEARS:
            yield (region, str(year), *(plain(column.get((region, year), "")) for column in series))


def quoted_rows(downloads: Path) -> Iterator[tuple[str, ...]]:
    for row in read_rows(downloads / "china_regions_official.csv"):
        variable = RENAMED.get(row["variable"], row["variable"])
        if variable not in NATIONAL_VARIABLES or int(row["year"]) not in YEARS:
            continue
        if variable in YEAR_END_ONLY and not row["period"].endswith("-12"):
            continue
        if variable in ONCE and row["flag"].startswith("derived"):
            continue
        flag = "" if row["flag"] == "quoted" else row["flag"]
        yield (
            row["year"],
            variable,
            row["value"],
            NATIONAL_VARIABLES[variable],
            row["period"],
            flag,
            row["source"],
        )


def added_rows() -> Iterator[tuple[str, ...]]:
    for year, period, value, flag, report, page in PENETRATION:
        unit = NATIONAL_VARIABLES["internet_penetration"]
        yield (str(year), "internet_penetration", value, unit, period, flag, f"{report}, read at {page}")


def national_rows(downloads: Path = DOWNLOADS) -> Iterator[tuple[str, ...]]:
    order = list(NATIONAL_VARIABLES)
    rows = [*quoted_rows(downloads), *added_rows()]
    yield NATIONAL_HEADER
    for year, variable, value, *rest in sorted(rows, key=lambda row: (order.index(row[1]), int(row[0]))):
        yield (year, variable, plain(value), *rest)


def text(rows: Iterable[tuple[str, ...]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def differences(name: str, rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    with (TARGET / name).open(encoding="utf-8", newline="") as file:
        shipped = [tuple(row) for row in csv.reader(file)]
    rebuilt = list(rows)
    if len(shipped) != len(rebuilt):
        yield f"{name}: {len(shipped)} rows shipped, {len(rebuilt)} rebuilt"
    for number, (old, new) in enumerate(zip(shipped, rebuilt, strict=False), start=1):
        if old != new:
            yield f"{name} row {number}: shipped {old}, rebuilt {new}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--downloads", type=Path, default=DOWNLOADS)
    options = parser.parse_args()
    tables = {"panel.csv": panel_rows(options.downloads), "national.csv": national_rows(options.downloads)}
    if options.write:
        for name, rows in tables.items():
            (TARGET / name).write_text(text(rows), encoding="utf-8", newline="\n")
        return 0
    found = [line for name, rows in tables.items() for line in differences(name, rows)]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
