"""Writing results: tables, netCDF, summaries; files are written whole or not at all."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pysd_runner.export.files import write_bytes_whole, write_text_whole

if TYPE_CHECKING:
    from pysd_runner.export.frames import csv_bytes, save_csv
    from pysd_runner.export.iamc import to_iamc
    from pysd_runner.export.long import to_long_frame
    from pysd_runner.export.netcdf import load_netcdf, provenance_of, save_netcdf

__all__ = [
    "csv_bytes",
    "load_netcdf",
    "provenance_of",
    "save_csv",
    "save_netcdf",
    "to_iamc",
    "to_long_frame",
    "write_bytes_whole",
    "write_text_whole",
]

_HOMES = {
    "csv_bytes": "frames",
    "load_netcdf": "netcdf",
    "provenance_of": "netcdf",
    "save_csv": "frames",
    "save_netcdf": "netcdf",
    "to_iamc": "iamc",
    "to_long_frame": "long",
}


def __getattr__(name: str) -> Any:
    """Import a function, and pandas or xarray with it, only when it is asked for."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names that can be imported."""
    return sorted(__all__)
