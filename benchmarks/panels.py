"""Panels of others on which forecasts are scored: python -m benchmarks.panels FOLDER fetches what can be fetched."""

import argparse
import hashlib
import io
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from pysd_runner.data import Data, Entity, load_data

NATION = "NATION"
# A country with fewer regions is no panel of its own.
LEAST_REGIONS = 5
# Gross domestic product per head of regions of level 2 of Eurostat (nama_10r_2gdp, unit PPS_EU27_2020_HAB, as of
# February 2026). Eurostat revises; this copy stays as it is.
EUROSTAT = (
    "https://raw.githubusercontent.com/Chappuis5/EUcohesion/8747b9ac0ce0519bd876f80d5999b21b35b0b889/"
    "data/raw/eurostat_gdp_pc_pps_nuts2.csv"
)
EUROSTAT_SHA256 = "63cc593478297cd4c8dc0ac7c39e4a749ac1b4243fc727fd10f4331c1a1a4fd8"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A panel that may be there.

    Attributes
    ----------
    name, title
        On the command line, and in tables.
    file, variable
        Where its output per head stands; no file for panels that ship with this project or with linearmodels.
    years
        First and last.
    origins
        First and last that the gate scores: those on which defaults were chosen, or all others.
    sha256
        Of the file, or of the panel where it ships (`Panel.sha256`).
    """

    name: str
    title: str
    file: str = ""
    variable: str = ""
    years: tuple[int, int] = (0, 9999)
    origins: tuple[int, int] = (0, 9999)
    sha256: str = ""


INCOME, WORLD = "per_capita_personal_income", "gdp_per_capita_ppp"
CHINA_SHA256 = "5c7fa5cb67426e9f239b5434a8c284c02da9b614133a95b382711ab632f3193d"
STATES_SHA256 = "6baec07943db1f89826180773324f6d41a4e5620313f3d5d4f32cbbc7795dd2b"
WORLD_SHA256 = "06d1d28a0c9eaf8ac8e73ca9b0d8833d855c30a574d0082cdfbadec4d9a4861b"
EU_SHA256 = "e8e02d3b4d94614e5d0da3e7996be1d7419182f77f4bd9c749dd14d5c23a0b30"
WORKERS_SHA256 = "4ad1203f880668570b9d0fc356e7b3558530b431945703323664be15e58e08ae"
# Every panel that forecasts are judged on. This list and `REFERENCES` are fixed before a change of the forecaster is
# tried: Chinese provinces; income of US states (BEA, SAINC1) and their output (BEA, SAGDP); output of countries (World
# Bank); of European regions (Eurostat); and output per worker of US states (Munnell 1990, in linearmodels).
SOURCES = (
    Source(name="china", title="China", origins=(2015, 9999), sha256=CHINA_SHA256),
    Source(
        name="us_income",
        title="US income",
        file="us_states.csv",
        variable=INCOME,
        years=(1960, 2020),
        sha256=STATES_SHA256,
    ),
    Source(
        name="us_output",
        title="US output",
        file="us_states.csv",
        variable="gdp_real_per_capita",
        sha256=STATES_SHA256,
    ),
    Source(
        name="world",
        title="World",
        file="world_countries.csv",
        variable=WORLD,
        origins=(2006, 9999),
        sha256=WORLD_SHA256,
    ),
    Source(name="eu", title="EU", file="eu_regions.csv", variable="gdp_per_head_pps", sha256=EU_SHA256),
    Source(name="us_workers", title="US output per worker", sha256=WORKERS_SHA256),
)
# Regret is against the best of these ten, picked with hindsight for each panel and horizon.
REFERENCES = (
    "persistence",
    "damped_drift",
    "theta",
    "fixed_effects",
    "mean_reversion",
    "pooled_convergence",
    "error_correction",
    "error_correction_half",
    "error_correction_shrunken",
    "mean_of_good",
)
# What defaults are chosen on, and nothing else.
CHOSEN_ON = (
    Source(name="china", title="China to 2014", origins=(0, 2014), sha256=CHINA_SHA256),
    Source(
        name="us_early",
        title="US to 1959",
        file="us_states.csv",
        variable=INCOME,
        years=(1929, 1965),
        origins=(0, 1959),
        sha256=STATES_SHA256,
    ),
    Source(
        name="world_early",
        title="World to 2005",
        file="world_countries.csv",
        variable=WORLD,
        years=(1990, 2005),
        sha256=WORLD_SHA256,
    ),
)


def read(source: Source, folder: Path) -> Data | None:
    """The panel of a source; None where its file is not there.

    Parameters
    ----------
    source
        Which one.
    folder
        Where files are.
    """
    if source.name == "us_workers":
        return workers()
    if not source.file:
        return load_data(source.name, panel=True)
    if not (folder / source.file).exists():
        return None
    # Namibia has the code NA.
    rows = pd.read_csv(folder / source.file, dtype={"region_code": str, "group": str}, keep_default_na=False)
    rows = rows[(rows["variable"] == source.variable) & (rows["group"] != NATION) & rows["year"].between(*source.years)]
    rows = rows.assign(value=pd.to_numeric(rows["value"]))
    wide = rows.pivot(index="region_code", columns="year", values="value").sort_index()
    known = rows.drop_duplicates("region_code").set_index("region_code")
    return Data.by_region(
        name=source.name,
        regions=tuple(
            Entity(code=code, name_en=known.loc[code, "region"], name_zh="", group=known.loc[code, "group"])
            for code in wide.index
        ),
        years=tuple(int(year) for year in wide.columns),
        values={"output_per_head": wide.to_numpy(dtype=float)},
        units={"output_per_head": "currency/(Year*Person)"},
    )


def digest_of(source: Source, folder: Path) -> str:
    """SHA-256 of what a source is read from.

    Parameters
    ----------
    source, folder
        As for `read`.
    """
    if source.file:
        return hashlib.sha256((folder / source.file).read_bytes()).hexdigest()
    panel = read(source, folder)
    return "" if panel is None else panel.sha256


def workers() -> Data | None:
    """Output per worker of 48 US states, 1970-86; None without linearmodels."""
    if find_spec("linearmodels") is None:
        return None
    from linearmodels.datasets import munnell

    rows = munnell.load().rename(columns={"ST_ABB": "region", "YR": "year"})
    rows["output_per_head"] = rows["GSP"] / rows["EMP"]
    return load_data(rows[["region", "year", "output_per_head"]], panel=True)


def countries(panel: Data) -> Iterator[Data]:
    """Each group with enough regions as a panel of its own.

    Parameters
    ----------
    panel
        Of several countries.
    """
    for group in sorted({region.group for region in panel.regions}):
        codes = [region.code for region in panel.regions if region.group == group]
        if len(codes) >= LEAST_REGIONS:
            yield replace(panel.subset(entities=codes), name=f"{panel.name} {group}")


def eu_regions(raw: bytes) -> pd.DataFrame:
    """Rows of ``eu_regions.csv`` from the copy of Eurostat: regions of level 2 with a value in every year.

    Parameters
    ----------
    raw
        Columns geo, time and obs_value.
    """
    rows = pd.read_csv(io.BytesIO(raw), dtype={"geo": str}, keep_default_na=False)
    rows = rows[rows["geo"].str.len() == 4].rename(columns={"geo": "region_code", "time": "year", "obs_value": "value"})
    counts = rows.groupby("region_code")["year"].nunique()
    whole = rows[rows["region_code"].map(counts) == rows["year"].nunique()]
    made = whole.assign(region=whole["region_code"], group=whole["region_code"].str[:2], variable="gdp_per_head_pps")
    return made[["region", "region_code", "group", "year", "variable", "value"]].sort_values(["region_code", "year"])


def main(given: Sequence[str] | None = None) -> int:
    """Fetch, check and convert.

    Parameters
    ----------
    given
        Arguments; None takes those of the command line.

    Returns
    -------
    int
        Exit code: 1 where another file came than the one that was expected.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.panels", description=__doc__)
    parser.add_argument("folder", type=Path, help="where eu_regions.csv is written")
    parser.add_argument("--copy", type=Path, default=None, help="a copy of the file that was fetched before")
    options = parser.parse_args(given)
    if options.copy is not None:
        raw = options.copy.read_bytes()
    else:
        with urllib.request.urlopen(EUROSTAT, timeout=60) as answer:
            raw = answer.read()
    found = hashlib.sha256(raw).hexdigest()
    if found != EUROSTAT_SHA256:
        print(f"another file than expected: its SHA-256 is {found}, not {EUROSTAT_SHA256}", file=sys.stderr)
        return 1
    table = eu_regions(raw)
    options.folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.folder / "eu_regions.csv", index=False)
    regions, years = table["region_code"].nunique(), table["year"].nunique()
    print(f"{options.folder / 'eu_regions.csv'}: {regions} regions, {years} years")
    return 0


if __name__ == "__main__":
    sys.exit(main())
