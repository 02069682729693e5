"""Read and check observations: time series of any kind, and panels of regions by year in canonical units."""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.data.cells import Column as Column
    from pysd_runner.data.coverage import (
        check_region_count as check_region_count,
        of_regions as of_regions,
        with_output as with_output,
    )
    from pysd_runner.data.dataset import Data as Data
    from pysd_runner.data.load import check_data as check_data, load_data as load_data
    from pysd_runner.data.mapping import PanelMapping as PanelMapping, load_mapping as load_mapping
    from pysd_runner.data.names import Entity as Entity
    from pysd_runner.data.sources import shipped_panels as shipped_panels
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
