"""``gapsim init``: files to start a study from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.options import Force
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput

SCENARIO_FILE = "scenario.yaml"
_PANEL = """\
# A panel has one row for each region and year. Lines that start with # above the headings are not read.
# Give each unit in brackets; leave a cell empty where nothing was observed; write numbers without separators.
# Needed: region, year, and output or output_per_head. Population is strongly advised; everything else is optional.
# Chinese headings work too: 地区, 年份, 地区生产总值(亿元), 年末常住人口(万人), 人均地区生产总值(元/人).
# The figures are invented: replace all of them.
region,year,output [100 million yuan],population [10 thousand persons],firms_with_ecommerce [percent]
R1,2018,1520.4,310.2,8.1
R1,2019,1633.0,311.0,8.6
R1,2020,1671.9,311.5,9.4
R2,2018,802.7,255.8,5.2
R2,2019,861.3,254.9,5.5
R2,2020,874.6,253.7,
"""

_MAPPING = """\
# Says what the headings, units and regions of panel.csv mean. Remove what you do not need;
# take the # off a line such as #units: to use it.
schema: 1

# heading of the file (or, in a long file, name of the variable): variable of the panel
# known: region, year, output, population, output_per_head, mobile_internet_users, broadband_ports, ict_employment,
# urban_unit_employment, firms_with_ecommerce, access, skills, application, schooling, capital_output_ratio,
# investment_rate, natural_growth, shared_data, governance, platform, terrain; `ignore` leaves a column out
columns:
  region: region
  year: year
  output: output
  population: population
  firms_with_ecommerce: firms_with_ecommerce

# units that the headings do not give: yuan, 亿元, million US dollars, persons, 万人, percent, fraction ...
#units:
#  output: 100 million yuan

# rows to leave out, or the only ones to read; what is left out is reported
#drop:
#  group: [NATION]
#keep:
#  year: ["2018", "2019", "2020"]

# texts that mean "not observed", besides an empty cell
#missing: ["n/a", "..", "-"]

# names, groups and tiles of the regions
regions: regions.csv

# national series (year, variable, value, unit), for instance internet_penetration
#national: national.csv

#price_basis: current prices
#yuan_per_unit: 7.1     # when money is not in yuan and should become so
#encoding: gb18030
#sheet: Sheet1
"""

_REGIONS = """\
# One row for each region. code: as in the panel. class: groups to compare, or empty.
# row and column: tile on the grid of small pictures, counted from zero at the top left; leave both out for a grid.
code,name_en,name_zh,class,row,column
R1,First region,第一地区,East,0,1
R2,Second region,第二地区,West,0,0
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(
        app,
        "init",
        examples=("gapsim init my_study", "gapsim data check my_study/panel.csv --mapping my_study/mapping.yaml"),
    )(initialise)


def initialise(
    session: Session,
    folder: Annotated[Path, typer.Argument(help="Where to write; made if it does not exist.")] = Path(),
    *,
    force: Force = False,
) -> None:
    """Write a commented panel, its mapping file, a region file and a scenario to start from."""
    # The files load as they are. Existing files are never overwritten without --force.
    from pysd_runner.export.files import write_text_whole
    from pysd_runner.scenarios import scenario_template

    files = {**panel_templates(), SCENARIO_FILE: scenario_template()}
    present = [name for name in files if (folder / name).exists()]
    if present and not force:
        raise InvalidInput(
            f"{folder}: {', '.join(present)} exist already; nothing was written. "
            "Choose another folder, or overwrite with --force"
        )
    written = [write_text_whole(folder / name, text) for name, text in files.items()]
    session.data = {"folder": folder, "files": written}
    for path in written:
        session.say(str(path))
    panel, mapping = folder / "panel.csv", folder / "mapping.yaml"
    session.note(
        "Next: put your figures in, then\n"
        f"  gapsim data check {panel} --mapping {mapping}\n"
        f"  gapsim calibrate {panel} --mapping {mapping} --out {folder / 'fit'}\n"
        f"  gapsim run {folder / SCENARIO_FILE} --panel {panel} --mapping {mapping} --fit {folder / 'fit'} "
        f"--out {folder / 'results'}"
    )


def panel_templates() -> Mapping[str, str]:
    """Return the example files, as text by file name."""
    return {"panel.csv": _PANEL, "mapping.yaml": _MAPPING, "regions.csv": _REGIONS}
