"""Observations of anything over time, and of regions by year: read, checked, in canonical units."""

from typing import TYPE_CHECKING

from pysd_runner.core.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.panel.cells import Column as Column
    from pysd_runner.panel.coverage import check_size as check_size
    from pysd_runner.panel.coverage import of_regions as of_regions
    from pysd_runner.panel.coverage import with_output as with_output
    from pysd_runner.panel.data import Data as Data
    from pysd_runner.panel.load import check_data as check_data
    from pysd_runner.panel.load import load_data as load_data
    from pysd_runner.panel.mapping import PanelMapping as PanelMapping
    from pysd_runner.panel.mapping import load_mapping as load_mapping
    from pysd_runner.panel.names import Entity as Entity
    from pysd_runner.panel.sources import shipped_panels as shipped_panels
else:
    OLD = {
        "Panel": ("pysd_runner.panel.load.Panel", "Data; Data.by_region makes one of arrays"),
        "Table": ("pysd_runner.panel.load.Table", "Data"),
        "Problem": "pysd_runner.core.findings.Finding",
        "Region": "pysd_runner.panel.names.Entity",
        "load_panel": ("pysd_runner.panel.load.load_panel", "load_data; data.array(name) is what panel[name] was"),
        "load_table": ("pysd_runner.panel.load.load_table", "load_data; its `columns` are `roles`"),
        "check_panel": ("pysd_runner.panel.load.check_panel", "check_data"),
        "check_table": ("pysd_runner.panel.load.check_table", "check_data"),
    }
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__, OLD)
