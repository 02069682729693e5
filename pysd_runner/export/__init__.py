"""Write results as tables and netCDF files; all files are written atomically."""

from typing import TYPE_CHECKING

from pysd_runner.engine.lazy import lazy_exports

if TYPE_CHECKING:
    from pysd_runner.export.files import (
        csv_bytes as csv_bytes,
        save_csv as save_csv,
        write_bytes_whole as write_bytes_whole,
        write_text_whole as write_text_whole,
    )
    from pysd_runner.export.layout import (
        load_netcdf as load_netcdf,
        provenance_of as provenance_of,
        save_netcdf as save_netcdf,
        to_long_frame as to_long_frame,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
