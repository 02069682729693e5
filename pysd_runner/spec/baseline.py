"""The baseline: draws of a forecast without policy, from which projections start."""

import json
from dataclasses import field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Record, frozen

if TYPE_CHECKING:
    from pysd_runner.data import Data
    from pysd_runner.spec.fitted import FittedParameters

FILE = "baseline.nc"
VARIABLE = "log_relative_output"
# Additional seed for the order of draws, to make it independent of other uses of the seed.
ORDER = 7
# Means over regions up to this size, in log points, are rounding errors.
ROUNDING = 1e-12
# Maximum forecast horizon in years; beyond it a forecast is uninformative.
MAX_HORIZON = 50
# Last year of a projection unless one is given.
UNTIL = 2040


def usual_end(last: int) -> int:
    """Default last year of a projection of regions whose data end in a year."""
    return max(last + 1, min(UNTIL, last + MAX_HORIZON))


@frozen(eq=False)
class Baseline:
    """Draws of the paths of regions without policy.

    Attributes
    ----------
    paths
        Log output per head relative to the mean of the regions, shape (draw, region, year), log points; the mean over
        regions is 0 in every draw and year.
    regions
        Codes of the regions, in the order of the axis.
    years
        Consecutive years after the origin.
    origin
        Last year of the data of the forecast.
    panel, panel_sha256
        Name of the panel of the forecast, and digest of its content.
    provenance
        How the forecast was made, as values that JSON can represent.

    Raises
    ------
    InvalidInput
        If shapes or years are inconsistent, or a value is not finite.
    """

    paths: Array
    regions: tuple[str, ...]
    years: tuple[int, ...]
    origin: int
    panel: str
    panel_sha256: str
    provenance: Record = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.paths.ndim != 3 or self.paths.shape[1:] != (len(self.regions), len(self.years)):
            raise InvalidInput(
                "a baseline of {regions} regions and {years} years needs paths of shape (draw, region, year); found "
                "{found}",
                regions=len(self.regions),
                years=len(self.years),
                found=self.paths.shape,
            )
        if self.years != tuple(range(self.origin + 1, self.origin + 1 + len(self.years))):
            raise InvalidInput(
                "a baseline needs every year after its origin {origin}; found {found}",
                origin=self.origin,
                found=self.years,
            )
        if not np.isfinite(self.paths).all():
            raise InvalidInput("a baseline holds values that are not finite")
        mean = self.paths.mean(axis=1, keepdims=True)
        # Paths that are already centred are not changed, so that reading a saved file is exact.
        if np.abs(mean).max(initial=0) > ROUNDING:
            object.__setattr__(self, "paths", self.paths - mean)

    def __len__(self) -> int:
        """Number of draws."""
        return len(self.paths)

    def __repr__(self) -> str:
        return (
            f"Baseline({len(self)} draws, {len(self.regions)} regions, {self.years[0]}-{self.years[-1]}, "
            f"panel {self.panel!r})"
        )

    def drawn(self, draws: int, seed: int) -> Array:
        """Take some draws in an order that depends only on the seed; more draws begin with the same ones.

        Parameters
        ----------
        draws
            Number of draws; 1 gives the median path of every region.
        seed
            A non-negative integer.

        Returns
        -------
        ndarray
            Draws of shape (draw, region, year).

        Raises
        ------
        InvalidInput
            If the baseline has fewer draws.
        """
        if draws > len(self):
            raise InvalidInput(
                "the baseline holds {held} draws, {draws} are wanted: take fewer, or forecast with more draws",
                held=len(self),
                draws=draws,
            )
        if draws == 1:
            middle = np.median(self.paths, axis=0, keepdims=True)
            return np.asarray(middle - middle.mean(axis=1, keepdims=True))
        return self.paths[np.random.default_rng([seed, ORDER]).permutation(len(self))[:draws]]

    def save(self, path: str | Path) -> Path:
        """Write a netCDF file atomically.

        Parameters
        ----------
        path
            The file, or the folder in which to write ``baseline.nc``.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        import xarray as xr

        from pysd_runner.export import save_netcdf

        attrs = {"units": "log points", "long_name": "log output per head relative to the mean of the regions"}
        coords = {"region": list(self.regions), "year": list(self.years)}
        values = xr.DataArray(self.paths, dims=("draw", "region", "year"), coords=coords, attrs=attrs)
        record = {"origin": self.origin, "panel": self.panel, "panel_sha256": self.panel_sha256}
        data = values.to_dataset(name=VARIABLE).assign_attrs(record)
        return save_netcdf(data, _file(Path(path)), provenance=dict(self.provenance))


def load_baseline(path: str | Path) -> Baseline:
    """Read a file of `Baseline.save`.

    Parameters
    ----------
    path
        The file, or the folder that contains it as ``baseline.nc``.

    Returns
    -------
    Baseline
        The saved baseline.

    Raises
    ------
    InvalidInput
        If there is no such file, or it does not contain a baseline.
    """
    from pysd_runner.export import load_netcdf, provenance_of

    file = _file(Path(path))
    try:
        data = load_netcdf(file)
        values = data[VARIABLE].transpose("draw", "region", "year")
        return Baseline(
            paths=np.asarray(values.to_numpy(), dtype=float),
            regions=tuple(map(str, values["region"].to_numpy())),
            years=tuple(map(int, values["year"].to_numpy())),
            origin=int(data.attrs["origin"]),
            panel=str(data.attrs["panel"]),
            panel_sha256=str(data.attrs["panel_sha256"]),
            provenance=provenance_of(data),
        )
    except (OSError, KeyError, ValueError, RuntimeError, json.JSONDecodeError) as error:
        raise InvalidInput(
            "{file} holds no baseline: {reason}; expected a file that a forecast wrote", file=file, reason=error
        ) from error


def _file(path: Path) -> Path:
    return path / FILE if path.is_dir() else path


def check_ahead(until: float, last: int) -> None:
    """Raise if a year is too far ahead."""
    if until > last + MAX_HORIZON:
        raise InvalidInput(
            "until is {until}; expected at most {count} years after the last one of the panel, {end}",
            until=until,
            count=MAX_HORIZON,
            end=last,
        )


def kept_in(
    folder: Path, panel: "Data", fitted: "FittedParameters | None", *, until: int, draws: int, seed: int
) -> "Baseline | None":
    """Read the forecast in the folder of a fit; None if there is none that matches the request."""
    if not (folder / FILE).is_file():
        return None
    found = load_baseline(folder)
    digest = (found.provenance.get("fit") or {}).get("sha256")
    is_same = (
        (found.panel_sha256, found.regions) == (panel.sha256, panel.codes)
        and digest == (None if fitted is None else fitted.sha256)
        and found.provenance.get("seed") == seed
        and found.provenance.get("gapsim") == version("gapsim")
    )
    return found if is_same and found.years[-1] >= until and len(found) >= draws else None
