"""Observations by region and year: read, checked, in canonical units."""

from pysd_runner.panel.column import Column
from pysd_runner.panel.column import Entity as Region
from pysd_runner.panel.coverage import check_size, of_regions, with_output
from pysd_runner.panel.data import Data
from pysd_runner.panel.load import check_data, load_data
from pysd_runner.panel.mapping import PanelMapping, load_mapping
from pysd_runner.panel.old import Panel, Table, check_panel, check_table, load_panel, load_table
from pysd_runner.panel.problems import Problem
from pysd_runner.panel.shipped import shipped_panels

__all__ = [
    "Column",
    "Data",
    "Panel",
    "PanelMapping",
    "Problem",
    "Region",
    "Table",
    "check_data",
    "check_panel",
    "check_size",
    "check_table",
    "load_data",
    "load_mapping",
    "load_panel",
    "load_table",
    "of_regions",
    "shipped_panels",
    "with_output",
]
