"""Headings and variable names as people write them, in Chinese and English, and what they stand for here."""

import re
import unicodedata
from collections.abc import Iterable

from pysd_runner.panel.variables import VARIABLES

# What a column can be besides a variable.
ROLES = ("region", "region_name", "year", "group", "variable", "value", "unit", "flag", "source")

_ROLE_ALIASES = {
    "region": (
        "region",
        "code",
        "region_code",
        "regioncode",
        "unique_id",
        "geo",
        "province",
        "state",
        "prefecture",
        "county",
        "city",
        "district",
        "municipality",
        "territory",
        "country",
        "nation",
        "economy",
        "entity",
        "country_code",
        "state_code",
        "province_code",
        "county_code",
        "iso",
        "iso3",
        "iso_code",
        "iso3_code",
        "nuts",
        "nuts_id",
        "nuts_code",
        "fips",
        "地区",
        "省份",
        "省",
        "省市",
        "省市区",
        "省(区、市)",
        "区域",
        "地域",
        "城市",
        "行政区",
        "行政区划代码",
        "地区代码",
        "省份代码",
        "国家",
        "国家代码",
    ),
    "region_name": (
        "region_name",
        "name",
        "name_en",
        "name_zh",
        "country_name",
        "state_name",
        "province_name",
        "地区名称",
        "省份名称",
        "国家名称",
        "名称",
    ),
    "year": ("year", "yr", "ds", "time", "period", "date", "年份", "年度", "年", "时间"),
    "group": ("group", "class", "grouping", "分组", "类别", "区域分组"),
    "variable": ("variable", "indicator", "indicator_name", "series", "series_name", "指标", "变量", "指标名称"),
    "value": ("value", "values", "obs_value", "数值", "值", "数据"),
    "unit": ("unit", "units", "unit_of_measure", "单位", "计量单位"),
    "flag": ("flag", "flags", "mark", "标记"),
    "source": ("source", "sources", "来源", "数据来源"),
}

_VARIABLE_ALIASES = {
    "output": (
        "output",
        "gdp",
        "grp",
        "gdp_nominal",
        "gdp_real",
        "gross_regional_product",
        "gross_domestic_product",
        "regional_gdp",
        "grdp",
        "gsp",
        "gross_state_product",
        "gva",
        "gross_value_added",
        "地区生产总值",
        "地区gdp",
        "生产总值",
        "国内生产总值",
        "产出",
    ),
    "population": (
        "population",
        "pop",
        "population_yearend",
        "resident_population",
        "年末常住人口",
        "常住人口",
        "年末人口",
        "人口",
        "人口数",
        "总人口",
        "年末总人口",
    ),
    "output_per_head": (
        "output_per_head",
        "output_per_capita",
        "gdp_per_capita",
        "gdp_per_head",
        "grp_per_capita",
        "gdppc",
        "gdp_pc",
        "gdp_per_person",
        "gdp_per_capita_nominal",
        "gdp_per_capita_real",
        "gdp_per_capita_ppp",
        "gdp_per_capita,_ppp",
        "gdp_per_capita_usd",
        "gdp_nominal_per_capita",
        "gdp_real_per_capita",
        "nominal_gdp_per_capita",
        "real_gdp_per_capita",
        "gva_per_capita",
        "gva_per_head",
        "人均gdp",
        "人均地区生产总值",
        "人均生产总值",
        "人均国内生产总值",
        "人均产出",
    ),
    "mobile_internet_users": ("移动互联网用户", "移动互联网用户数"),
    "mobile_internet_per_100": ("每百人移动互联网用户", "移动互联网普及率"),
    "broadband_ports": ("互联网宽带接入端口", "宽带接入端口", "互联网宽带接入端口数"),
    "broadband_ports_per_100": ("每百人宽带接入端口",),
    "ict_employment": (
        "信息传输、软件和信息技术服务业城镇单位就业人员",
        "信息传输软件和信息技术服务业就业人员",
        "信息服务业就业人员",
    ),
    "ict_employment_share": ("信息服务业就业占比",),
    "urban_unit_employment": ("城镇单位就业人员", "城镇非私营单位就业人员"),
    "firms_with_ecommerce": (
        "有电子商务交易活动的企业比重",
        "有电子商务交易活动的企业数比重",
        "电子商务企业比重",
    ),
    "access": ("access_share", "internet_access", "接入", "接入率", "互联网普及率"),
    "skills": ("skill_share", "digital_skills", "技能", "数字技能"),
    "application": ("application_share", "应用", "应用率"),
    "schooling": ("years_of_schooling", "schooling_index", "平均受教育年限", "受教育年限"),
    "capital_output_ratio": ("资本产出比",),
    "investment_rate": ("投资率",),
    "natural_growth": ("natural_growth_rate", "natural_population_growth", "人口自然增长率", "自然增长率"),
    "shared_data": ("数据共享",),
    "governance": ("治理",),
    "platform": ("平台",),
    "terrain": ("terrain_cost", "地形", "地形系数"),
}

_SPACES = re.compile(r"\s+")
_SEPARATORS = re.compile(r"[\s_\-./]+")
_SUFFIX = re.compile(r"^(?P<label>.*?)\s*[(\[](?P<unit>[^()\[\]]+(?:\([^()]*\))?[^()\[\]]*)[)\]]$")
_YEAR = re.compile(r"(?P<year>\d{4})(?:\.0)?\s*年?(?:\s*\[YR\d{4}\])?")


def tidy(text: str) -> str:
    """Heading without byte-order marks, full-width signs or outer space."""
    return unicodedata.normalize("NFKC", text.replace("\ufeff", "")).strip()


# They change how letters of some scripts are joined.
_JOINERS = "\u200c\u200d"


def visible(text: str) -> str:
    """A name without invisible characters, which would make two of it, composed (NFC), without outer space."""
    if text.isascii() and text.isprintable():
        return text.strip()
    # A line break or a space of another kind parts words as a space does.
    spaced = _SPACES.sub(" ", text)
    seen = "".join(sign for sign in spaced if sign in _JOINERS or not _is_invisible(sign))
    return unicodedata.normalize("NFC", seen).strip().strip(_JOINERS)


def _is_invisible(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Cf") or "\ufe00" <= sign <= "\ufe0f" or sign == "\u034f"


def key(text: str) -> str:
    """Form of a name in which case, spaces, underscores, dashes and what cannot be seen do not matter."""
    plain = tidy(text)
    if not plain.isascii():
        plain = "".join(sign for sign in plain if not _is_invisible(sign))
    return _SEPARATORS.sub("", plain.casefold())


def _table(aliases: dict[str, tuple[str, ...]], own: Iterable[str]) -> dict[str, str]:
    spellings = {key(alias): name for name, names in aliases.items() for alias in names}
    return spellings | {key(name): name for name in own}


ROLE_OF = _table(_ROLE_ALIASES, ROLES)
VARIABLE_OF = _table(_VARIABLE_ALIASES, VARIABLES)


def split_unit(heading: str) -> tuple[str, str]:
    """Heading without the unit in brackets at its end, and that unit.

    >>> split_unit("output [100 million yuan]")
    ('output', '100 million yuan')
    """
    plain = tidy(heading)
    match = _SUFFIX.match(plain)
    return (match["label"], match["unit"].strip()) if match and match["label"] else (plain, "")


def year_heading(heading: str) -> int | None:
    """Year that a heading names, or None."""
    match = _YEAR.fullmatch(tidy(heading))
    return int(match["year"]) if match else None
