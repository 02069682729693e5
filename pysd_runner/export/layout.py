"""The one layout of labelled results: (scenario, draw, region, year)."""

import numpy as np
import xarray as xr

from pysd_runner.core.errors import InvalidInput

DIMS = ("scenario", "draw", "region", "year")
NATION = "nation"


def in_layout(values: xr.DataArray, *, what: str = "values") -> xr.DataArray:
    """Bring a labelled array to the dimensions (scenario, draw, region, year)."""
    # A dimension called ``class`` is read as regions; a missing scenario, draw or region becomes one of length 1.
    if not isinstance(values, xr.DataArray):
        raise InvalidInput(
            f"{what} is a {type(values).__name__} without labels; put them on with "
            "pysd_runner.plots.label_array(values, years=..., scenarios=..., regions=...)"
        )
    if "class" in values.dims:
        values = values.rename({"class": "region"})
    strange = [str(dim) for dim in values.dims if dim not in DIMS]
    if strange or "year" not in values.dims or "year" not in values.coords:
        raise InvalidInput(
            f"{what} has the dimensions {tuple(map(str, values.dims))}; expected some of {DIMS}, "
            "with labels along 'year'"
        )
    for dim, label in (("scenario", "baseline"), ("draw", 0), ("region", NATION)):
        if dim not in values.dims:
            values = values.drop_vars(dim, errors="ignore").expand_dims({dim: [label]})
    return values.transpose(*DIMS).astype(np.float64)


def layers_of(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """Variables of a dataset, those with a further dimension cut along it."""
    layers: dict[str, xr.DataArray] = {}
    for name in dataset.data_vars:
        values = dataset[name]
        further = [str(dim) for dim in values.dims if dim not in DIMS and dim != "class"]
        if not further:
            layers[str(name)] = values
            continue
        stacked = values.stack(layer=further, create_index=False)
        for position, at in enumerate(np.ndindex(*(values.sizes[dim] for dim in further))):
            labels = ",".join(str(values[dim].to_numpy()[k]) for dim, k in zip(further, at, strict=True))
            layer = stacked.isel(layer=position, drop=True)
            layers[f"{name}[{labels}]"] = layer.drop_vars(further, errors="ignore")
    return layers
